//! Finding the contacts that a message needs, and making those that are missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::changes::Change;
use super::contract::{Fault, StoreError};
use super::directory::Known;
use super::engine::{Transaction, Value, values};
use super::rows::{ContactRow, IdRow, TextRow};
use super::statements::{self, MANY};
use super::{Store, now};
use crate::admin::RegistryError;
use crate::mail::{Address, Timestamp};
use crate::relay::alias::{AliasId, Contact};
use crate::relay::ports::WantedContact;

/// Longest display name that is kept, in characters; more is cut.
const LONGEST_NAME: usize = 255;

/// A contact that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) address: &'a Address,
    pub(super) name: Option<&'a str>,
    pub(super) reverse_alias: &'a Address,
}

impl<'a> From<&'a WantedContact> for Wanted<'a> {
    fn from(wanted: &'a WantedContact) -> Self {
        let name = wanted.name.as_deref().filter(|name| !name.is_empty()).map(cut_name);
        Self { address: &wanted.address, name, reverse_alias: &wanted.reverse_alias }
    }
}

/// At most [`LONGEST_NAME`] characters of it: a stranger chose it.
pub(super) fn cut_name(name: &str) -> &str {
    let end = name.char_indices().nth(LONGEST_NAME).map_or(name.len(), |(at, _)| at);
    name.get(..end).unwrap_or(name)
}

type Found<'a> = HashMap<&'a Address, Contact>;

/// The contacts for `wanted`, in its order: from the cache, else from the table, else made.
pub(super) async fn find_or_make(
    store: &Store,
    alias: AliasId,
    wanted: &[Wanted<'_>],
) -> Result<Vec<Contact>, StoreError> {
    let mut found = Found::new();
    look_into_cache(store, alias, wanted, &mut found).await;
    if !wanted.iter().all(|want| is_settled(want, &found)) {
        // On the heap: most messages find all their contacts in the cache.
        Box::pin(read_or_make(store, alias, wanted, &mut found)).await?;
    }
    in_order(wanted, &found)
}

async fn read_or_make<'a>(
    store: &Store,
    alias: AliasId,
    wanted: &[Wanted<'a>],
    found: &mut Found<'a>,
) -> Result<(), StoreError> {
    read(store, alias, &missing(wanted, found), found).await?;
    let unsettled: Vec<_> = wanted.iter().copied().filter(|want| !is_settled(want, found)).collect();
    if unsettled.is_empty() {
        return Ok(());
    }
    let unsettled = unsettled.as_slice();
    let made = transact!(store, tx => make(tx, alias, unsettled, now())).await?;
    for contact in take_in(made, unsettled, found)? {
        forget_that_there_was_none(store, &contact);
    }
    Ok(())
}

/// Another node may have made the contact and told us nothing yet. Whoever gets it from us may be answered at once, and
/// we must know the reverse alias then.
fn forget_that_there_was_none(store: &Store, contact: &Contact) {
    let reverse = contact.reverse_alias.as_normal().to_owned();
    Change::ContactMade(contact.alias, reverse).apply(&store.0.marks);
}

fn missing<'a>(wanted: &[Wanted<'a>], found: &Found<'a>) -> Vec<Wanted<'a>> {
    wanted.iter().copied().filter(|want| !found.contains_key(want.address)).collect()
}

/// It is there, and has a name if there is one to give.
fn is_settled(want: &Wanted<'_>, found: &Found<'_>) -> bool {
    found.get(want.address).is_some_and(|contact| contact.name.is_some() || want.name.is_none())
}

fn in_order(wanted: &[Wanted<'_>], found: &Found<'_>) -> Result<Vec<Contact>, StoreError> {
    let contact = |want: &Wanted<'_>| found.get(want.address).cloned();
    let all = wanted.iter().map(contact).collect::<Option<Vec<_>>>();
    all.ok_or_else(|| StoreError::Bug("a contact that was just made is not there".to_owned()))
}

async fn look_into_cache<'a>(store: &Store, alias: AliasId, wanted: &[Wanted<'a>], found: &mut Found<'a>) {
    for want in wanted {
        let key = (alias, Arc::from(want.address.as_normal()));
        if let Some(Known(Some(contact))) = store.caches().contacts.peek(&key).await {
            found.insert(want.address, Arc::unwrap_or_clone(contact));
        }
    }
}

async fn read<'a>(
    store: &Store,
    alias: AliasId,
    wanted: &[Wanted<'a>],
    found: &mut Found<'a>,
) -> Result<(), StoreError> {
    for batch in wanted.chunks(MANY) {
        let since = store.0.marks.now();
        let (sql, keys) = statements::FIND_CONTACTS.for_keys(batch.len());
        let rows = store.engine().all(sql, &with_keys(Some(alias), batch, keys, normal)).await?;
        for contact in take_in(rows, batch, found)? {
            forget_that_there_was_none(store, &contact);
            let key = (alias, Arc::from(contact.address.as_normal()));
            store.caches().contacts.put(key, Known(Some(Arc::new(contact))), since).await;
        }
    }
    Ok(())
}

fn normal<'a>(want: &Wanted<'a>) -> &'a str {
    want.address.as_normal()
}

/// The parameters of a set statement: the alias, then a key of each, the last repeated to fill the places.
fn with_keys<'a>(
    alias: Option<AliasId>,
    batch: &[Wanted<'a>],
    keys: usize,
    key: impl Fn(&Wanted<'a>) -> &'a str,
) -> Vec<Value<'a>> {
    let last = batch.last().map(&key);
    let padding = std::iter::repeat_n(last, keys.saturating_sub(batch.len()));
    let keys = batch.iter().map(|want| Some(key(want))).chain(padding).map(Value::from);
    alias.map(|id| Value::from(id.0)).into_iter().chain(keys).collect()
}

/// Puts rows where they are looked for; gives the contacts that they are.
fn take_in<'a>(
    rows: Vec<ContactRow>,
    wanted: &[Wanted<'a>],
    found: &mut Found<'a>,
) -> Result<Vec<Contact>, StoreError> {
    let contacts = rows.into_iter().map(Contact::try_from).collect::<Result<Vec<_>, _>>()?;
    for contact in &contacts {
        if let Some(want) = wanted.iter().find(|want| *want.address == contact.address) {
            found.insert(want.address, contact.clone());
        }
    }
    Ok(contacts)
}

/// Makes the contacts that are not there, and names those that have no name; returns the rows of all.
pub(super) async fn make(
    tx: &mut Transaction,
    alias: AliasId,
    wanted: &[Wanted<'_>],
    now: Timestamp,
) -> Result<Vec<ContactRow>, Fault> {
    share_alias(tx, alias).await?;
    // By address and once each, so that two transactions that want the same contacts take the rows in the same order.
    let mut once = BTreeMap::new();
    for want in wanted {
        let first = once.entry(want.address).or_insert(*want);
        first.name = first.name.or(want.name);
    }
    let once: Vec<_> = once.into_values().collect();
    let mut rows = Vec::with_capacity(once.len());
    for batch in once.chunks(MANY) {
        rows.extend(make_batch(tx, alias, batch, now).await?);
    }
    Ok(rows)
}

/// A lock that keeps the alias from being removed meanwhile.
async fn share_alias(tx: &mut Transaction, alias: AliasId) -> Result<(), Fault> {
    let there: Option<IdRow> = tx.one(&statements::SHARE_ALIAS, values![alias.0]).await?;
    match there {
        Some(_) => Ok(()),
        None => Err(RegistryError::NotFound { what: "alias", name: alias.to_string() }.into()),
    }
}

async fn make_batch(
    tx: &mut Transaction,
    alias: AliasId,
    batch: &[Wanted<'_>],
    now: Timestamp,
) -> Result<Vec<ContactRow>, Fault> {
    let there = select(tx, alias, batch).await?;
    let is_there = |want: &Wanted<'_>| there.iter().any(|row| row.address == want.address.as_normal());
    let new: Vec<_> = batch.iter().copied().filter(|want| !is_there(want)).collect();
    for want in &new {
        insert(tx, alias, want, now).await?;
    }
    refuse_taken_names(tx, &new).await?;
    let rows = if new.is_empty() { there } else { select(tx, alias, batch).await? };
    name_nameless(tx, alias, batch, rows).await
}

async fn select(
    tx: &mut Transaction,
    alias: AliasId,
    batch: &[Wanted<'_>],
) -> Result<Vec<ContactRow>, Fault> {
    let (sql, keys) = statements::FIND_CONTACTS.for_keys(batch.len());
    Ok(tx.all(sql, &with_keys(Some(alias), batch, keys, normal)).await?)
}

async fn insert(
    tx: &mut Transaction,
    alias: AliasId,
    want: &Wanted<'_>,
    now: Timestamp,
) -> Result<(), Fault> {
    let reverse = want.reverse_alias.as_normal();
    let written = want.address.to_string();
    let values = values![alias.0, want.address.as_normal(), &*written, want.name, reverse, now.as_millis()];
    tx.execute(&statements::INSERT_CONTACT, values).await?;
    tx.changed(Change::ContactMade(alias, reverse.to_owned()));
    Ok(())
}

/// A reverse alias must not be an alias. Asked *after* the rows are in: whoever makes an alias asks after its own row is
/// in as well, so of two at the same time one sees the other.
async fn refuse_taken_names(tx: &mut Transaction, new: &[Wanted<'_>]) -> Result<(), Fault> {
    if new.is_empty() {
        return Ok(());
    }
    let (sql, keys) = statements::ALIASES_NAMED.for_keys(new.len());
    let taken: Option<TextRow> =
        tx.one(sql, &with_keys(None, new, keys, |want| want.reverse_alias.as_normal())).await?;
    match taken {
        Some(row) => Err(taken_reverse_alias(&row.text, "is or was an alias")),
        None => Ok(()),
    }
}

/// Sets the names that were missing. A row that is not there was not inserted because its reverse alias is another's.
async fn name_nameless(
    tx: &mut Transaction,
    alias: AliasId,
    batch: &[Wanted<'_>],
    mut rows: Vec<ContactRow>,
) -> Result<Vec<ContactRow>, Fault> {
    for want in batch {
        let row = rows.iter_mut().find(|row| row.address == want.address.as_normal());
        let Some(row) = row else {
            return Err(taken_reverse_alias(want.reverse_alias.as_normal(), "stands for another contact"));
        };
        if let (None, Some(name)) = (&row.name, want.name) {
            set_name(tx, alias, row, name).await?;
        }
    }
    Ok(rows)
}

/// Gives the contact this name.
pub(super) async fn set_name(
    tx: &mut Transaction,
    alias: AliasId,
    row: &mut ContactRow,
    name: &str,
) -> Result<(), Fault> {
    tx.execute(&statements::NAME_CONTACT, values![name, row.id]).await?;
    tx.changed(Change::Contact(alias, row.reverse_alias.clone()));
    row.name = Some(name.to_owned());
    Ok(())
}

fn taken_reverse_alias(reverse: &str, why: &str) -> Fault {
    RegistryError::Conflict { what: "reverse alias", name: reverse.to_owned(), why: why.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(cut_name("Jane"), "Jane");
        let long = "ü".repeat(LONGEST_NAME + 10);
        assert_eq!(cut_name(&long).chars().count(), LONGEST_NAME);
    }

    #[test]
    fn keys_fill_all_places() {
        let addresses: Vec<Address> = (0..3).map(|n| format!("c{n}@example.org").parse().unwrap()).collect();
        let wanted: Vec<_> =
            addresses.iter().map(|address| Wanted { address, name: None, reverse_alias: address }).collect();
        let values = with_keys(Some(AliasId(1)), &wanted, 4, normal);
        assert_eq!(values.len(), 5);
        assert!(matches!(values[4], Value::Text(Some("c2@example.org"))));
    }
}

//! Aliases and their tombstones.

use std::collections::{BTreeMap, HashMap};

use super::{Answer, bounds, conflict, invalid, mailboxes, not_found, share_account};
use crate::admin::records::{Alias, AliasChange, MailboxRef, NewAlias, Page};
use crate::admin::{RegistryError, records};
use crate::mail::{Address, Timestamp};
use crate::relay::alias::{AccountId, AliasId, DomainId, MailboxId, Mode, Refusal};
use crate::relay::recipient::is_role;
use crate::store::Store;
use crate::store::certificates;
use crate::store::changes::Change;
use crate::store::contract::{Fault, StoreError};
use crate::store::engine::{Inserted, Transaction, Value, values};
use crate::store::rows::{AliasOwnerRow, AliasRow, DomainOwnerRow, IdRow, MailboxOfRow, MailboxRow, Word};
use crate::store::statements::{self, MANY};

/// Longest display name, remark and search, in characters.
const LONGEST_NAME: usize = 255;
const LONGEST_NOTE: usize = 10_000;
const LONGEST_SEARCH: usize = 255;

pub(super) fn check_new(new: &NewAlias) -> Answer<()> {
    if is_role(&new.address) {
        let detail = format!(
            "mail for {} goes to whoever runs this server; choose another local part",
            new.address.local()
        );
        return Err(invalid("address", detail));
    }
    check_mailboxes(&new.mailboxes)?;
    check_texts(new.name.as_deref(), new.note.as_deref())
}

pub(super) fn check_change(change: &AliasChange) -> Answer<()> {
    if let Some(mailboxes) = &change.mailboxes {
        check_mailboxes(mailboxes)?;
    }
    let text = |field: &Option<Option<String>>| field.clone().flatten();
    check_texts(text(&change.name).as_deref(), text(&change.note).as_deref())
}

fn check_mailboxes(mailboxes: &[Address]) -> Answer<()> {
    if mailboxes.is_empty() {
        return Err(invalid("mailboxes", "an alias needs at least one mailbox"));
    }
    Ok(())
}

fn check_texts(name: Option<&str>, note: Option<&str>) -> Answer<()> {
    if name.is_some_and(|name| name.chars().count() > LONGEST_NAME) {
        return Err(invalid("name", format!("a name has at most {LONGEST_NAME} characters")));
    }
    if name.is_some_and(|name| name.chars().any(char::is_control)) {
        return Err(invalid("name", "a name has no line ends and no other control characters"));
    }
    if note.is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(invalid("note", format!("a note has at most {LONGEST_NOTE} characters")));
    }
    Ok(())
}

pub(super) async fn add(
    tx: &mut Transaction,
    account: AccountId,
    new: &NewAlias,
    now: Timestamp,
) -> Result<Alias, Fault> {
    let domain = share_domain(tx, account, &new.address).await?;
    let mailboxes = share_mailboxes(tx, account, &new.mailboxes).await?;
    let row = AliasRowToInsert {
        account,
        domain,
        address: &new.address,
        name: new.name.as_deref(),
        note: new.note.as_deref(),
        mode: new.mode,
        expires_at: new.expires_at,
        now,
    };
    let id = match insert(tx, &row).await? {
        Inserted::Row(id) => id,
        Inserted::Duplicate => return Err(who_has(tx, account, &new.address).await?.into()),
    };
    link(tx, id, &mailboxes).await?;
    tx.changed(Change::NameMade(new.address.as_normal().to_owned()));
    load(tx, account, &new.address).await
}

/// The domain of the address, which must be the account's; it stays until the transaction ends.
async fn share_domain(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
) -> Result<DomainId, Fault> {
    let host = address.host().as_str();
    let row: Option<DomainOwnerRow> = tx.one(&statements::SHARE_DOMAIN, values![host]).await?;
    match row {
        Some(row) if row.account_id == account.0 => Ok(DomainId(row.id)),
        Some(_) => Err(invalid("address", format!("the domain {host} belongs to another account")).into()),
        None => Err(invalid("address", format!("{host} is not a domain of aliases; add it first")).into()),
    }
}

/// The mailboxes, once each and in the order of their addresses, so that two transactions lock them in one order.
async fn share_mailboxes(
    tx: &mut Transaction,
    account: AccountId,
    addresses: &[Address],
) -> Result<Vec<MailboxRow>, Fault> {
    let once: BTreeMap<_, _> = addresses.iter().map(|address| (address.as_normal(), address)).collect();
    let mut rows = Vec::with_capacity(once.len());
    for address in once.into_values() {
        rows.push(mailboxes::share(tx, account, address).await?);
    }
    Ok(rows)
}

async fn link(tx: &mut Transaction, alias: i64, mailboxes: &[MailboxRow]) -> Result<(), Fault> {
    for mailbox in mailboxes {
        tx.execute(&statements::LINK_MAILBOX, values![alias, mailbox.id]).await?;
    }
    Ok(())
}

/// A new row of `aliases`.
pub(in crate::store) struct AliasRowToInsert<'a> {
    pub(in crate::store) account: AccountId,
    pub(in crate::store) domain: DomainId,
    pub(in crate::store) address: &'a Address,
    pub(in crate::store) name: Option<&'a str>,
    pub(in crate::store) note: Option<&'a str>,
    pub(in crate::store) mode: Mode,
    pub(in crate::store) expires_at: Option<Timestamp>,
    pub(in crate::store) now: Timestamp,
}

/// Inserts an alias. That it is no reverse alias is asked after our own row is in, as whoever makes a contact asks for
/// aliases after its row is in: of two at the same time one sees the other.
pub(in crate::store) async fn insert(
    tx: &mut Transaction,
    new: &AliasRowToInsert<'_>,
) -> Result<Inserted, Fault> {
    let address = new.address.as_normal();
    let values = values![
        new.account.0,
        new.domain.0,
        address,
        new.name,
        new.note,
        new.mode.word(),
        new.expires_at.map(Timestamp::as_millis),
        new.now.as_millis(),
    ];
    let inserted = tx.insert(&statements::INSERT_ALIAS, values).await?;
    let reverse: Option<IdRow> = tx.one(&statements::REVERSE_ALIAS_HAS_NAME, values![address]).await?;
    if reverse.is_some() {
        return Err(conflict("alias", new.address, "is the reverse alias of a contact").into());
    }
    Ok(inserted)
}

/// Why an address cannot be issued.
async fn who_has(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
) -> Result<RegistryError, Fault> {
    let row: Option<AliasOwnerRow> = tx.one(&statements::WHO_HAS_ALIAS, values![address.as_normal()]).await?;
    let why = match row {
        Some(row) if row.deleted_at.is_some() => "was deleted and is never issued again",
        Some(row) if row.account_id != Some(account.0) => "belongs to another account",
        _ => "exists already",
    };
    Ok(conflict("alias", address, why))
}

pub(super) async fn list(
    store: &Store,
    account: AccountId,
    search: Option<&str>,
    page: &Page,
) -> Answer<Vec<Alias>> {
    let (after, limit) = bounds(page);
    let rows: Vec<AliasRow> = match search.filter(|text| !text.is_empty()) {
        None => store.engine().all(&statements::LIST_ALIASES, values![account.0, after, limit]).await?,
        Some(text) => {
            let (lower, as_typed) = (like(&text.to_lowercase())?, like(text)?);
            let values = values![account.0, after, &*lower, &*as_typed, &*as_typed, limit];
            store.engine().all(&statements::SEARCH_ALIASES, values).await?
        }
    };
    with_mailboxes(store, rows).await
}

/// The pattern that finds `text` anywhere. `!` is the escape character, since a backslash in a literal means different
/// things to the engines.
fn like(text: &str) -> Answer<String> {
    if text.chars().count() > LONGEST_SEARCH {
        return Err(invalid("search", format!("at most {LONGEST_SEARCH} characters can be searched for")));
    }
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Ok(pattern)
}

async fn with_mailboxes(store: &Store, rows: Vec<AliasRow>) -> Answer<Vec<Alias>> {
    let mut mailboxes: HashMap<i64, Vec<MailboxRef>> = HashMap::new();
    for batch in rows.chunks(MANY) {
        let (sql, keys) = statements::MAILBOXES_OF.for_keys(batch.len());
        for row in store.engine().all::<MailboxOfRow>(sql, &ids(batch, keys)).await? {
            mailboxes.entry(row.alias_id).or_default().push(row.into());
        }
    }
    let record = |row: AliasRow| {
        let mailboxes = mailboxes.remove(&row.id).unwrap_or_default();
        row.into_record(mailboxes)
    };
    Ok(rows.into_iter().map(record).collect::<Result<_, StoreError>>()?)
}

fn ids(batch: &[AliasRow], keys: usize) -> Vec<Value<'static>> {
    let ids = batch.iter().map(|row| Value::from(row.id));
    let last = batch.last().map(|row| row.id);
    ids.chain(std::iter::repeat_n(Value::from(last), keys.saturating_sub(batch.len()))).collect()
}

pub(super) async fn show(store: &Store, account: AccountId, address: &Address) -> Answer<Alias> {
    let row = find(store, account, address).await?;
    let mut found = with_mailboxes(store, vec![row]).await?;
    found.pop().ok_or_else(|| not_found("alias", address))
}

/// The row of a live alias of the account.
pub(super) async fn find(store: &Store, account: AccountId, address: &Address) -> Answer<AliasRow> {
    let values = values![address.as_normal(), account.0];
    let row: Option<AliasRow> = store.engine().one(&statements::ALIAS_BY_ADDRESS, values).await?;
    row.ok_or_else(|| not_found("alias", address))
}

/// The row of a live alias of the account, which nobody else changes until the transaction ends.
pub(super) async fn lock(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
) -> Result<AliasRow, Fault> {
    let row: Option<AliasRow> =
        tx.one(&statements::LOCK_ALIAS, values![address.as_normal(), account.0]).await?;
    Ok(row.ok_or_else(|| not_found("alias", address))?)
}

/// The whole record, as it is in this transaction.
async fn load(tx: &mut Transaction, account: AccountId, address: &Address) -> Result<Alias, Fault> {
    let row = lock(tx, account, address).await?;
    let (sql, keys) = statements::MAILBOXES_OF.for_keys(1);
    let mailboxes: Vec<MailboxOfRow> = tx.all(sql, &ids(std::slice::from_ref(&row), keys)).await?;
    Ok(row.into_record(mailboxes.into_iter().map(records::MailboxRef::from).collect())?)
}

pub(super) async fn set(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
    change: &AliasChange,
) -> Result<Alias, Fault> {
    let row = lock(tx, account, address).await?;
    let refusal = row.refusal()?;
    let mut alias = load(tx, account, address).await?;
    if let Some(mailboxes) = &change.mailboxes {
        alias.mailboxes = relink(tx, account, alias.id, mailboxes).await?;
    }
    apply(&mut alias, change);
    update(tx, &alias, change.refusal.unwrap_or(refusal)).await?;
    tx.changed(Change::Alias(alias.id));
    Ok(alias)
}

async fn relink(
    tx: &mut Transaction,
    account: AccountId,
    alias: AliasId,
    addresses: &[Address],
) -> Result<Vec<MailboxRef>, Fault> {
    let mut mailboxes = share_mailboxes(tx, account, addresses).await?;
    mailboxes.sort_by_key(|row| row.id);
    tx.execute(&statements::UNLINK_ALIAS, values![alias.0]).await?;
    link(tx, alias.0, &mailboxes).await?;
    Ok(mailboxes.into_iter().map(|row| MailboxRef { id: MailboxId(row.id), address: row.written }).collect())
}

fn apply(alias: &mut Alias, change: &AliasChange) {
    fn put<T: Clone>(field: &mut T, change: Option<&T>) {
        if let Some(value) = change {
            field.clone_from(value);
        }
    }
    put(&mut alias.enabled, change.enabled.as_ref());
    put(&mut alias.name, change.name.as_ref());
    put(&mut alias.note, change.note.as_ref());
    put(&mut alias.pinned, change.pinned.as_ref());
    put(&mut alias.mode, change.mode.as_ref());
    put(&mut alias.expires_at, change.expires_at.as_ref());
}

async fn update(tx: &mut Transaction, alias: &Alias, refusal: Option<Refusal>) -> Result<(), Fault> {
    let values = values![
        alias.enabled,
        alias.name.as_deref(),
        alias.note.as_deref(),
        alias.pinned,
        alias.mode.word(),
        alias.expires_at.map(Timestamp::as_millis),
        refusal.map(Refusal::word),
        alias.id.0,
    ];
    tx.execute(&statements::UPDATE_ALIAS, values).await?;
    Ok(())
}

/// Leaves a tombstone: the row keeps the address, and nothing else of its owner.
pub(super) async fn remove(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
    now: Timestamp,
) -> Result<(), Fault> {
    // As whoever adds a certificate locks it: of two at the same time one sees what the other did.
    share_account(tx, account).await?;
    let id = lock(tx, account, address).await?.id;
    certificates::remove_all(tx, account, address).await?;
    tx.execute(&statements::DELETE_CONTACTS, values![id]).await?;
    tx.execute(&statements::UNLINK_ALIAS, values![id]).await?;
    tx.execute(&statements::BURY_ALIAS, values![now.as_millis(), id]).await?;
    tx.changed(Change::Alias(AliasId(id)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_a_search_are_only_characters() {
        assert_eq!(like("50%_off!").unwrap(), "%50!%!_off!!%");
        assert!(like(&"x".repeat(256)).is_err());
    }

    #[test]
    fn a_change_says_what_is_wrong_with_it() {
        let field = |change: &AliasChange| match check_change(change) {
            Err(RegistryError::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(&AliasChange { mailboxes: Some(vec![]), ..AliasChange::default() }), "mailboxes");
        let name = Some(Some("a\r\nBcc: b".to_owned()));
        assert_eq!(field(&AliasChange { name, ..AliasChange::default() }), "name");
        let note = Some(Some("x".repeat(LONGEST_NOTE + 1)));
        assert_eq!(field(&AliasChange { note, ..AliasChange::default() }), "note");
        assert_eq!(check_change(&AliasChange::default()), Ok(()));
    }
}

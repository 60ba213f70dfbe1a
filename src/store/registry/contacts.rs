//! Contacts, as their owner manages them.

use super::{Answer, aliases, bounds, not_found};
use crate::admin::records::{Contact, Page};
use crate::mail::{Address, Timestamp};
use crate::relay::alias::{AccountId, AliasId};
use crate::store::Store;
use crate::store::changes::Change;
use crate::store::contacts::{self, Wanted, cut_name};
use crate::store::contract::{Fault, StoreError};
use crate::store::engine::{Transaction, values};
use crate::store::rows::ContactRow;
use crate::store::statements;

pub(super) fn wanted<'a>(address: &'a Address, name: Option<&'a str>, reverse: &'a Address) -> Wanted<'a> {
    Wanted { address, name: name.map(cut_name), reverse_alias: reverse }
}

pub(super) async fn add(
    tx: &mut Transaction,
    account: AccountId,
    alias: &Address,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<Contact, Fault> {
    let alias = AliasId(aliases::lock(tx, account, alias).await?.id);
    let made = contacts::make(tx, alias, &[*wanted], now).await?.pop();
    let mut row =
        made.ok_or_else(|| StoreError::Bug("a contact that was just made is not there".to_owned()))?;
    if let Some(name) = wanted.name.filter(|name| row.name.as_deref() != Some(*name)) {
        contacts::set_name(tx, alias, &mut row, name).await?;
    }
    Ok(row.into())
}

pub(super) async fn list(
    store: &Store,
    account: AccountId,
    alias: &Address,
    page: &Page,
) -> Answer<Vec<Contact>> {
    let alias = aliases::find(store, account, alias).await?;
    let (after, limit) = bounds(page);
    let rows: Vec<ContactRow> =
        store.engine().all(&statements::LIST_CONTACTS, values![alias.id, after, limit]).await?;
    Ok(rows.into_iter().map(Contact::from).collect())
}

pub(super) async fn block(
    tx: &mut Transaction,
    account: AccountId,
    alias: &Address,
    address: &Address,
    blocked: bool,
) -> Result<Contact, Fault> {
    let (alias, mut row) = lock(tx, account, alias, address).await?;
    row.blocked = blocked;
    tx.execute(&statements::BLOCK_CONTACT, values![blocked, row.id]).await?;
    note_change(tx, alias, &row).await?;
    Ok(row.into())
}

pub(super) async fn remove(
    tx: &mut Transaction,
    account: AccountId,
    alias: &Address,
    address: &Address,
) -> Result<(), Fault> {
    let (alias, row) = lock(tx, account, alias, address).await?;
    tx.execute(&statements::DELETE_CONTACT, values![row.id]).await?;
    note_change(tx, alias, &row).await
}

/// The contact and its alias, which nobody else changes until the transaction ends.
async fn lock(
    tx: &mut Transaction,
    account: AccountId,
    alias: &Address,
    address: &Address,
) -> Result<(AliasId, ContactRow), Fault> {
    let alias = aliases::lock(tx, account, alias).await?.id;
    let row: Option<ContactRow> =
        tx.one(&statements::LOCK_CONTACT, values![alias, address.as_normal()]).await?;
    Ok((AliasId(alias), row.ok_or_else(|| not_found("contact", address))?))
}

/// The alias remembers whether any contact is blocked, so that mail from the others needs no look-up.
async fn note_change(tx: &mut Transaction, alias: AliasId, row: &ContactRow) -> Result<(), Fault> {
    tx.execute(&statements::NOTE_BLOCKED_CONTACTS, values![alias.0, alias.0]).await?;
    tx.changed(Change::Contact(alias, row.reverse_alias.clone()));
    tx.changed(Change::Alias(alias));
    Ok(())
}

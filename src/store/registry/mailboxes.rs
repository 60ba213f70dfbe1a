//! Mailboxes.

use super::{Answer, bounds, conflict, invalid, not_found, share_account};
use crate::admin::records::{Mailbox, MailboxChange, Page};
use crate::mail::{Address, Timestamp};
use crate::relay::alias::AccountId;
use crate::store::Store;
use crate::store::certificates;
use crate::store::changes::Change;
use crate::store::contract::Fault;
use crate::store::engine::{Inserted, Transaction, values};
use crate::store::rows::{DomainOwnerRow, IdRow, MailboxRow, TextRow};
use crate::store::statements;

pub(super) async fn add(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
    verified: bool,
    now: Timestamp,
) -> Result<Mailbox, Fault> {
    share_account(tx, account).await?;
    let (host, written) = (address.host().as_str(), address.to_string());
    let values = values![account.0, address.as_normal(), &*written, host, verified, false, now.as_millis()];
    if tx.insert(&statements::INSERT_MAILBOX, values).await? == Inserted::Duplicate {
        return Err(conflict("mailbox", address, "exists already").into());
    }
    refuse_own_domain(tx, host).await?;
    // It may have been a contact with certificates.
    certificates::note_encrypts(tx, account, address).await?;
    Ok(lock(tx, account, address).await?.into())
}

/// Asked after our own row is in; see [`super::domains`].
async fn refuse_own_domain(tx: &mut Transaction, host: &str) -> Result<(), Fault> {
    let ours: Option<DomainOwnerRow> = tx.one(&statements::SHARE_DOMAIN, values![host]).await?;
    if ours.is_none() {
        return Ok(());
    }
    let detail = format!(
        "{host} is a domain of aliases here, so mail to a mailbox there would come back to us for ever; give the address \
         where the mail is read"
    );
    Err(invalid("address", detail).into())
}

pub(super) async fn list(store: &Store, account: AccountId, page: &Page) -> Answer<Vec<Mailbox>> {
    let (after, limit) = bounds(page);
    let rows: Vec<MailboxRow> =
        store.engine().all(&statements::LIST_MAILBOXES, values![account.0, after, limit]).await?;
    Ok(rows.into_iter().map(Mailbox::from).collect())
}

pub(super) async fn set(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
    change: &MailboxChange,
) -> Result<Mailbox, Fault> {
    let mut row = lock(tx, account, address).await?;
    row.verified = change.verified.unwrap_or(row.verified);
    row.paused = change.paused.unwrap_or(row.paused);
    tx.execute(&statements::UPDATE_MAILBOX, values![row.verified, row.paused, row.id]).await?;
    tx.changed(Change::Account(account));
    Ok(row.into())
}

pub(super) async fn remove(tx: &mut Transaction, account: AccountId, address: &Address) -> Result<(), Fault> {
    // One at a time in an account: two that remove the two mailboxes of an alias would each see the other's.
    let _: Option<IdRow> = tx.one(&statements::LOCK_ACCOUNT, values![account.0]).await?;
    let row = lock(tx, account, address).await?;
    let catch_all: Option<TextRow> = tx.one(&statements::MAILBOX_IS_CATCH_ALL, values![row.id]).await?;
    if let Some(domain) = catch_all {
        let why = format!("is the catch-all of the domain {}", domain.text);
        return Err(conflict("mailbox", address, why).into());
    }
    let only_one: Option<TextRow> = tx.one(&statements::MAILBOX_IS_ONLY_ONE, values![row.id]).await?;
    if let Some(alias) = only_one {
        let why = format!("is the only one of the alias {}; give that another one first", alias.text);
        return Err(conflict("mailbox", address, why).into());
    }
    tx.execute(&statements::UNLINK_MAILBOX, values![row.id]).await?;
    tx.execute(&statements::DELETE_MAILBOX, values![row.id]).await?;
    certificates::remove_all(tx, account, address).await?;
    tx.changed(Change::Account(account));
    Ok(())
}

async fn lock(tx: &mut Transaction, account: AccountId, address: &Address) -> Result<MailboxRow, Fault> {
    let row: Option<MailboxRow> =
        tx.one(&statements::LOCK_MAILBOX, values![account.0, address.as_normal()]).await?;
    Ok(row.ok_or_else(|| not_found("mailbox", address))?)
}

/// A mailbox of the account, which stays until the transaction ends.
pub(super) async fn share(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
) -> Result<MailboxRow, Fault> {
    let row: Option<MailboxRow> =
        tx.one(&statements::SHARE_MAILBOX, values![account.0, address.as_normal()]).await?;
    Ok(row.ok_or_else(|| not_found("mailbox", address))?)
}

//! Domains of ours.

use super::{Answer, bounds, conflict, invalid, mailboxes, not_found, share_account};
use crate::admin::records::{Domain, Page};
use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::alias::{AccountId, DomainId};
use crate::store::Store;
use crate::store::changes::Change;
use crate::store::contract::Fault;
use crate::store::engine::{Inserted, Transaction, values};
use crate::store::rows::{DomainOwnerRow, DomainRow, MailboxRow, OwnedTextRow, TextRow};
use crate::store::statements;

pub(super) async fn add(
    tx: &mut Transaction,
    account: AccountId,
    name: &DomainName,
    catch_all: Option<&Address>,
    now: Timestamp,
) -> Result<Domain, Fault> {
    share_account(tx, account).await?;
    let catch_all = match catch_all {
        Some(address) => Some(mailboxes::share(tx, account, address).await?),
        None => None,
    };
    let id = insert(tx, account, name, catch_all.as_ref(), now).await?;
    refuse_mailboxes_at(tx, account, name).await?;
    tx.changed(Change::Domain(name.as_str().to_owned()));
    Ok(Domain {
        id: DomainId(id),
        name: name.as_str().to_owned(),
        verified: true,
        catch_all: catch_all.map(|mailbox| mailbox.written),
        created_at: now,
    })
}

async fn insert(
    tx: &mut Transaction,
    account: AccountId,
    name: &DomainName,
    catch_all: Option<&MailboxRow>,
    now: Timestamp,
) -> Result<i64, Fault> {
    let values = values![account.0, name.as_str(), true, catch_all.map(|row| row.id), now.as_millis()];
    match tx.insert(&statements::INSERT_DOMAIN, values).await? {
        Inserted::Row(id) => Ok(id),
        Inserted::Duplicate => {
            let owner: Option<DomainOwnerRow> =
                tx.one(&statements::SHARE_DOMAIN, values![name.as_str()]).await?;
            let why = match owner {
                Some(row) if row.account_id != account.0 => "belongs to another account",
                _ => "exists already",
            };
            Err(conflict("domain", name, why).into())
        }
    }
}

/// Asked after our own row is in, as [`mailboxes::add`] asks for domains after its row is in: of two at the same time
/// one sees the other.
async fn refuse_mailboxes_at(
    tx: &mut Transaction,
    account: AccountId,
    name: &DomainName,
) -> Result<(), Fault> {
    let held: Option<OwnedTextRow> = tx.one(&statements::HOST_HAS_MAILBOX, values![name.as_str()]).await?;
    let Some(held) = held else { return Ok(()) };
    let whose = if held.id == account.0 { held.text } else { "of another account".to_owned() };
    let detail = format!(
        "the mailbox {whose} lies at {name}; mail for it would come back to us for ever, so a domain of aliases holds \
         no mailboxes"
    );
    Err(invalid("name", detail).into())
}

pub(super) async fn list(store: &Store, account: AccountId, page: &Page) -> Answer<Vec<Domain>> {
    let (after, limit) = bounds(page);
    let rows: Vec<DomainRow> =
        store.engine().all(&statements::LIST_DOMAINS, values![account.0, after, limit]).await?;
    Ok(rows.into_iter().map(Domain::from).collect())
}

pub(super) async fn remove(tx: &mut Transaction, account: AccountId, name: &DomainName) -> Result<(), Fault> {
    let row: Option<DomainOwnerRow> = tx.one(&statements::LOCK_DOMAIN, values![name.as_str()]).await?;
    let row = row.filter(|row| row.account_id == account.0).ok_or_else(|| not_found("domain", name))?;
    let used: Option<TextRow> = tx.one(&statements::DOMAIN_HAS_ALIAS, values![row.id]).await?;
    if let Some(alias) = used {
        let why = format!("still has the alias {}; remove its aliases first", alias.text);
        return Err(conflict("domain", name, why).into());
    }
    tx.execute(&statements::DELETE_DOMAIN, values![row.id]).await?;
    tx.changed(Change::Domain(name.as_str().to_owned()));
    Ok(())
}

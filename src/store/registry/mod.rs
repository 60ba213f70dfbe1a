//! What admins ask for: the port [`Registry`]. One file for each kind of thing; each change is one transaction.

mod accounts;
mod aliases;
mod contacts;
mod domains;
pub(super) mod keys;
mod mailboxes;

use crate::admin::records::{
    Account, AccountChange, Alias, AliasChange, Contact, Domain, Holder, Key, Mailbox, MailboxChange,
    NewAlias, Page, RemovedKey,
};
use crate::admin::{Registry, RegistryError};
use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::alias::AccountId;
use crate::relay::openpgp::{Fingerprint, Inspected, Origin};

use super::Store;
use super::contract::Fault;
use super::engine::{Transaction, values};
use super::rows::IdRow;
use super::statements;

pub(super) use aliases::{AliasRowToInsert, insert as insert_alias};

/// Rows of one page at most.
const LARGEST_PAGE: u32 = 1000;

type Answer<T> = Result<T, RegistryError>;

impl Registry for Store {
    async fn add_account(&self, name: &str, now: Timestamp) -> Answer<Account> {
        accounts::check_name(name)?;
        Ok(transact!(self, tx => accounts::add(tx, name, now)).await?)
    }

    async fn accounts(&self, page: &Page) -> Answer<Vec<Account>> {
        accounts::list(self, page).await
    }

    async fn account(&self, name: &str) -> Answer<Account> {
        accounts::show(self, name).await
    }

    async fn set_account(&self, name: &str, change: &AccountChange) -> Answer<Account> {
        Ok(transact!(self, tx => accounts::set(tx, name, change)).await?)
    }

    async fn remove_account(&self, name: &str) -> Answer<()> {
        Ok(transact!(self, tx => accounts::remove(tx, name)).await?)
    }

    async fn add_domain(
        &self,
        account: AccountId,
        name: &DomainName,
        catch_all: Option<&Address>,
        now: Timestamp,
    ) -> Answer<Domain> {
        Ok(transact!(self, tx => domains::add(tx, account, name, catch_all, now)).await?)
    }

    async fn domains(&self, account: AccountId, page: &Page) -> Answer<Vec<Domain>> {
        domains::list(self, account, page).await
    }

    async fn remove_domain(&self, account: AccountId, name: &DomainName) -> Answer<()> {
        Ok(transact!(self, tx => domains::remove(tx, account, name)).await?)
    }

    async fn add_mailbox(
        &self,
        account: AccountId,
        address: &Address,
        verified: bool,
        now: Timestamp,
    ) -> Answer<Mailbox> {
        Ok(transact!(self, tx => mailboxes::add(tx, account, address, verified, now)).await?)
    }

    async fn add_mailbox_with_keys(
        &self,
        account: AccountId,
        address: &Address,
        verified: bool,
        keys: &[Inspected],
        now: Timestamp,
    ) -> Answer<Mailbox> {
        Ok(transact!(self, tx => keys::add_mailbox(tx, account, address, verified, keys, now)).await?)
    }

    async fn mailboxes(&self, account: AccountId, page: &Page) -> Answer<Vec<Mailbox>> {
        mailboxes::list(self, account, page).await
    }

    async fn set_mailbox(
        &self,
        account: AccountId,
        address: &Address,
        change: &MailboxChange,
    ) -> Answer<Mailbox> {
        Ok(transact!(self, tx => mailboxes::set(tx, account, address, change)).await?)
    }

    async fn remove_mailbox(&self, account: AccountId, address: &Address) -> Answer<()> {
        Ok(transact!(self, tx => mailboxes::remove(tx, account, address)).await?)
    }

    async fn add_alias(&self, account: AccountId, new: &NewAlias, now: Timestamp) -> Answer<Alias> {
        aliases::check_new(new)?;
        Ok(transact!(self, tx => aliases::add(tx, account, new, now)).await?)
    }

    async fn aliases(&self, account: AccountId, search: Option<&str>, page: &Page) -> Answer<Vec<Alias>> {
        aliases::list(self, account, search, page).await
    }

    async fn alias(&self, account: AccountId, address: &Address) -> Answer<Alias> {
        aliases::show(self, account, address).await
    }

    async fn set_alias(&self, account: AccountId, address: &Address, change: &AliasChange) -> Answer<Alias> {
        aliases::check_change(change)?;
        Ok(transact!(self, tx => aliases::set(tx, account, address, change)).await?)
    }

    async fn remove_alias(&self, account: AccountId, address: &Address, now: Timestamp) -> Answer<()> {
        Ok(transact!(self, tx => aliases::remove(tx, account, address, now)).await?)
    }

    async fn add_contact(
        &self,
        account: AccountId,
        alias: &Address,
        address: &Address,
        name: Option<&str>,
        reverse_alias: &Address,
        now: Timestamp,
    ) -> Answer<Contact> {
        let wanted = contacts::wanted(address, name, reverse_alias);
        Ok(transact!(self, tx => contacts::add(tx, account, alias, &wanted, now)).await?)
    }

    async fn contacts_of(&self, account: AccountId, alias: &Address, page: &Page) -> Answer<Vec<Contact>> {
        contacts::list(self, account, alias, page).await
    }

    async fn block_contact(
        &self,
        account: AccountId,
        alias: &Address,
        address: &Address,
        blocked: bool,
    ) -> Answer<Contact> {
        Ok(transact!(self, tx => contacts::block(tx, account, alias, address, blocked)).await?)
    }

    async fn remove_contact(&self, account: AccountId, alias: &Address, address: &Address) -> Answer<()> {
        Ok(transact!(self, tx => contacts::remove(tx, account, alias, address)).await?)
    }

    async fn key_holder(&self, account: AccountId, address: &Address) -> Answer<Holder> {
        keys::holder(self, account, address).await
    }

    async fn add_key(
        &self,
        account: AccountId,
        address: &Address,
        key: &Inspected,
        origin: Origin,
        now: Timestamp,
    ) -> Answer<Key> {
        Ok(transact!(self, tx => keys::add(tx, account, address, key, origin, now)).await?)
    }

    async fn keys(&self, account: AccountId, address: Option<&Address>, page: &Page) -> Answer<Vec<Key>> {
        keys::list(self, account, address, page).await
    }

    async fn remove_key(
        &self,
        account: AccountId,
        address: Option<&Address>,
        fingerprint: &Fingerprint,
    ) -> Answer<RemovedKey> {
        Ok(transact!(self, tx => keys::remove(tx, account, address, fingerprint)).await?)
    }
}

/// Where a page begins, and how many rows it has.
fn bounds(page: &Page) -> (i64, i64) {
    (page.after.unwrap_or(0), i64::from(page.limit.clamp(1, LARGEST_PAGE)))
}

fn not_found(what: &'static str, name: &(impl ToString + ?Sized)) -> RegistryError {
    RegistryError::NotFound { what, name: name.to_string() }
}

fn conflict(what: &'static str, name: &(impl ToString + ?Sized), why: impl Into<String>) -> RegistryError {
    RegistryError::Conflict { what, name: name.to_string(), why: why.into() }
}

fn invalid(field: &'static str, detail: impl Into<String>) -> RegistryError {
    RegistryError::Invalid { field, detail: detail.into() }
}

/// Keeps the account from being removed until the transaction ends.
async fn share_account(tx: &mut Transaction, account: AccountId) -> Result<(), Fault> {
    let there: Option<IdRow> = tx.one(&statements::SHARE_ACCOUNT, values![account.0]).await?;
    match there {
        Some(_) => Ok(()),
        None => Err(not_found("account", &account).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_never_empty_and_never_huge() {
        for (limit, rows) in [(0, 1), (20, 20), (u32::MAX, 1000)] {
            assert_eq!(bounds(&Page { limit, after: None }), (0, rows));
        }
        assert_eq!(bounds(&Page { limit: 5, after: Some(7) }), (7, 5));
    }
}

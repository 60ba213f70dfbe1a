//! The port through which accounts, domains, mailboxes, aliases, contacts and certificates are managed.

use std::future::Future;

use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::alias::AccountId;
use crate::relay::openpgp::{Fingerprint, Inspected, Origin};

use super::records::{
    Account, AccountChange, Alias, AliasChange, Contact, Domain, Holder, Key, Mailbox, MailboxChange,
    NewAlias, Page, RemovedKey,
};

/// Why a change or a question was not answered. The texts are for people: they name what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// There is no such thing: what, and its name.
    #[error("there is no {what} {name:?}")]
    NotFound {
        /// `account`, `domain`, `mailbox`, `alias`, `contact`, `key`.
        what: &'static str,
        /// As it was asked for.
        name: String,
    },
    /// It exists already (also as a tombstone, or in another account).
    #[error("the {what} {name:?} {why}")]
    Conflict {
        /// `account`, `domain`, `mailbox`, `alias`, `contact`, `key`.
        what: &'static str,
        /// As it was asked for.
        name: String,
        /// What stands in the way, as the end of the sentence: `exists already`, `was deleted and is never issued again`.
        why: String,
    },
    /// The value makes no sense here; the field's name and why.
    #[error("{field}: {detail}")]
    Invalid {
        /// As in the records.
        field: &'static str,
        /// What was found and what to do.
        detail: String,
    },
    /// The database does not answer; try again.
    #[error("the database cannot answer: {0}")]
    Unavailable(String),
}

type Answer<T> = Result<T, RegistryError>;

/// Accounts and what they own. Every change is durable and visible to look-ups on this node when the call returns, and
/// to every other node within a second.
pub trait Registry: Send + Sync + 'static {
    /// Adds an account.
    fn add_account(&self, name: &str, now: Timestamp) -> impl Future<Output = Answer<Account>> + Send;
    /// All accounts, a page of them.
    fn accounts(&self, page: &Page) -> impl Future<Output = Answer<Vec<Account>>> + Send;
    /// By name.
    fn account(&self, name: &str) -> impl Future<Output = Answer<Account>> + Send;
    /// Changes an account.
    fn set_account(&self, name: &str, change: &AccountChange)
    -> impl Future<Output = Answer<Account>> + Send;
    /// Removes an account that owns nothing any more; `default` stays.
    fn remove_account(&self, name: &str) -> impl Future<Output = Answer<()>> + Send;

    /// Adds a domain; refused while a mailbox of any account lies at it (mail would loop).
    fn add_domain(
        &self,
        account: AccountId,
        name: &DomainName,
        catch_all: Option<&Address>,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Domain>> + Send;
    /// Domains of the account, a page of them.
    fn domains(&self, account: AccountId, page: &Page) -> impl Future<Output = Answer<Vec<Domain>>> + Send;
    /// Removes a domain that has no live alias any more.
    fn remove_domain(&self, account: AccountId, name: &DomainName)
    -> impl Future<Output = Answer<()>> + Send;

    /// Adds a mailbox; refused at one of our own domains (mail would loop).
    fn add_mailbox(
        &self,
        account: AccountId,
        address: &Address,
        verified: bool,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Mailbox>> + Send;
    /// Adds a mailbox together with its certificates: there is no moment at which it gets mail in the clear.
    fn add_mailbox_with_keys(
        &self,
        account: AccountId,
        address: &Address,
        verified: bool,
        keys: &[Inspected],
        now: Timestamp,
    ) -> impl Future<Output = Answer<Mailbox>> + Send;
    /// Mailboxes of the account, a page of them.
    fn mailboxes(&self, account: AccountId, page: &Page)
    -> impl Future<Output = Answer<Vec<Mailbox>>> + Send;
    /// Changes a mailbox.
    fn set_mailbox(
        &self,
        account: AccountId,
        address: &Address,
        change: &MailboxChange,
    ) -> impl Future<Output = Answer<Mailbox>> + Send;
    /// Removes a mailbox with its certificates; refused while it is the only one of an alias, or a domain's catch-all.
    fn remove_mailbox(
        &self,
        account: AccountId,
        address: &Address,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// Adds an alias at a domain of the account.
    fn add_alias(
        &self,
        account: AccountId,
        new: &NewAlias,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Alias>> + Send;
    /// Aliases of the account, a page of them; `search` finds a part of the address, the name or the note.
    fn aliases(
        &self,
        account: AccountId,
        search: Option<&str>,
        page: &Page,
    ) -> impl Future<Output = Answer<Vec<Alias>>> + Send;
    /// By address.
    fn alias(&self, account: AccountId, address: &Address) -> impl Future<Output = Answer<Alias>> + Send;
    /// Changes an alias.
    fn set_alias(
        &self,
        account: AccountId,
        address: &Address,
        change: &AliasChange,
    ) -> impl Future<Output = Answer<Alias>> + Send;
    /// Removes an alias with its contacts and certificates, and leaves a tombstone.
    fn remove_alias(
        &self,
        account: AccountId,
        address: &Address,
        now: Timestamp,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// Adds a contact with this reverse alias, or returns the one that is there (its name changed when one is given).
    fn add_contact(
        &self,
        account: AccountId,
        alias: &Address,
        address: &Address,
        name: Option<&str>,
        reverse_alias: &Address,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Contact>> + Send;
    /// Contacts of an alias, a page of them.
    fn contacts_of(
        &self,
        account: AccountId,
        alias: &Address,
        page: &Page,
    ) -> impl Future<Output = Answer<Vec<Contact>>> + Send;
    /// Blocks or unblocks a contact.
    fn block_contact(
        &self,
        account: AccountId,
        alias: &Address,
        address: &Address,
        blocked: bool,
    ) -> impl Future<Output = Answer<Contact>> + Send;
    /// Removes a contact; its reverse alias stops working.
    fn remove_contact(
        &self,
        account: AccountId,
        alias: &Address,
        address: &Address,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// Whose an address is. `NotFound` for one at a domain of the account that is no alias.
    fn key_holder(
        &self,
        account: AccountId,
        address: &Address,
    ) -> impl Future<Output = Answer<Holder>> + Send;
    /// Adds a certificate that was imported or found in a directory. One that is there already is renewed: its data, its end,
    /// and whether its owner was told of that. Refused beyond 16 for an address.
    fn add_key(
        &self,
        account: AccountId,
        address: &Address,
        key: &Inspected,
        origin: Origin,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Key>> + Send;
    /// Certificates of the account, or of one address of it, a page of them.
    fn keys(
        &self,
        account: AccountId,
        address: Option<&Address>,
        page: &Page,
    ) -> impl Future<Output = Answer<Vec<Key>>> + Send;
    /// Removes a certificate. The address may be left out when only one has this certificate.
    fn remove_key(
        &self,
        account: AccountId,
        address: Option<&Address>,
        fingerprint: &Fingerprint,
    ) -> impl Future<Output = Answer<RemovedKey>> + Send;
}

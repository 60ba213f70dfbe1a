//! A registry in memory and surroundings that can be foretold, for tests of use cases and commands. It keeps the rules
//! that these rely on (what is unique, what must exist); the store's own suite tests the real thing.

mod keys;

use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::alias::{AccountId, AliasId, ContactId, DomainId, MailboxId, NameFormat, Refusal};
use crate::relay::openpgp::{Fingerprint, Inspected, Origin};
use crate::relay::ports::Surroundings;

use super::lists::Numbered;
use super::records::{
    Account, AccountChange, Alias, AliasChange, Contact, Domain, Holder, Key, Mailbox, MailboxChange,
    MailboxRef, NewAlias, Page, RemovedKey,
};
use super::{Registry, RegistryError};

pub(crate) use keys::FakePgp;

type Answer<T> = Result<T, RegistryError>;

#[derive(Default)]
struct Rows {
    accounts: Vec<Account>,
    domains: Vec<(AccountId, Domain)>,
    mailboxes: Vec<(AccountId, Mailbox)>,
    aliases: Vec<(AccountId, Alias)>,
    contacts: Vec<(AliasId, Contact)>,
    keys: Vec<(AccountId, Key)>,
    last_id: i64,
}

/// The registry; one account, `default`.
pub(crate) struct Fake(Mutex<Rows>);

impl Default for Fake {
    fn default() -> Self {
        let mut rows = Rows::default();
        rows.add_account("default", Timestamp::from_millis(0));
        Self(Mutex::new(rows))
    }
}

impl Fake {
    /// With the domain, the mailbox and the alias.
    pub(crate) async fn with_alias(alias: &str, mailbox: &str) -> Self {
        let fake = Self::default();
        let (now, address) = (Timestamp::from_millis(0), alias.parse::<Address>().unwrap());
        fake.add_domain(AccountId(1), address.domain().unwrap(), None, now).await.unwrap();
        fake.add_mailbox(AccountId(1), &mailbox.parse().unwrap(), true, now).await.unwrap();
        let (name, note, mode) = (None, None, crate::relay::alias::Mode::Reverse);
        let mailboxes = vec![mailbox.parse().unwrap()];
        let new = NewAlias { address, mailboxes, name, note, mode, expires_at: None };
        fake.add_alias(AccountId(1), &new, now).await.unwrap();
        fake
    }
}

impl Rows {
    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn add_account(&mut self, name: &str, created_at: Timestamp) -> Account {
        let account = Account {
            id: AccountId(self.next_id()),
            name: name.to_owned(),
            name_format: NameFormat::NameAt,
            refusal: Refusal::Reject,
            opaque_reverse_aliases: false,
            created_at,
        };
        self.accounts.push(account.clone());
        account
    }

    fn alias(&mut self, account: AccountId, address: &Address) -> Answer<&mut Alias> {
        let name = address.as_normal();
        let found = self.aliases.iter_mut().find(|(owner, alias)| *owner == account && alias.address == name);
        found.map(|(_, alias)| alias).ok_or_else(|| missing("alias", name))
    }

    fn contact(&mut self, account: AccountId, alias: &Address, address: &Address) -> Answer<&mut Contact> {
        let id = self.alias(account, alias)?.id;
        let name = address.as_normal();
        let found = self.contacts.iter_mut().find(|(of, contact)| *of == id && contact.address == name);
        found.map(|(_, contact)| contact).ok_or_else(|| missing("contact", name))
    }

    fn mailbox_refs(&self, account: AccountId, addresses: &[Address]) -> Answer<Vec<MailboxRef>> {
        let find = |address: &Address| {
            let name = address.as_normal();
            let found = self.mailboxes.iter().find(|(owner, m)| *owner == account && m.address == name);
            found
                .map(|(_, mailbox)| MailboxRef { id: mailbox.id, address: mailbox.address.clone() })
                .ok_or_else(|| missing("mailbox", name))
        };
        addresses.iter().map(find).collect()
    }
}

fn missing(what: &'static str, name: &str) -> RegistryError {
    RegistryError::NotFound { what, name: name.to_owned() }
}

fn taken(what: &'static str, name: &str) -> RegistryError {
    RegistryError::Conflict { what, name: name.to_owned(), why: "exists already".to_owned() }
}

fn page_of<'a, T: Numbered + Clone + 'a>(rows: impl Iterator<Item = &'a T>, page: &Page) -> Vec<T> {
    let after = page.after.unwrap_or(0);
    rows.filter(|row| row.number() > after).take(page.limit as usize).cloned().collect()
}

fn owned<T>(rows: &[(AccountId, T)], account: AccountId) -> impl Iterator<Item = &T> {
    rows.iter().filter(move |(owner, _)| *owner == account).map(|(_, row)| row)
}

/// Removes the rows that match; an error when there was none.
fn remove<T>(rows: &mut Vec<T>, what: &'static str, name: &str, is_it: impl Fn(&T) -> bool) -> Answer<()> {
    let before = rows.len();
    rows.retain(|row| !is_it(row));
    if rows.len() == before { Err(missing(what, name)) } else { Ok(()) }
}

fn set<T: Clone>(field: &mut T, change: Option<&T>) {
    if let Some(value) = change {
        field.clone_from(value);
    }
}

impl Registry for Fake {
    async fn add_account(&self, name: &str, now: Timestamp) -> Answer<Account> {
        let mut rows = self.0.lock();
        if rows.accounts.iter().any(|account| account.name == name) {
            return Err(taken("account", name));
        }
        Ok(rows.add_account(name, now))
    }

    async fn accounts(&self, page: &Page) -> Answer<Vec<Account>> {
        Ok(page_of(self.0.lock().accounts.iter(), page))
    }

    async fn account(&self, name: &str) -> Answer<Account> {
        let rows = self.0.lock();
        rows.accounts
            .iter()
            .find(|account| account.name == name)
            .cloned()
            .ok_or_else(|| missing("account", name))
    }

    async fn set_account(&self, name: &str, change: &AccountChange) -> Answer<Account> {
        let mut rows = self.0.lock();
        let found = rows.accounts.iter_mut().find(|account| account.name == name);
        let account = found.ok_or_else(|| missing("account", name))?;
        set(&mut account.name_format, change.name_format.as_ref());
        set(&mut account.refusal, change.refusal.as_ref());
        set(&mut account.opaque_reverse_aliases, change.opaque_reverse_aliases.as_ref());
        Ok(account.clone())
    }

    async fn remove_account(&self, name: &str) -> Answer<()> {
        remove(&mut self.0.lock().accounts, "account", name, |account| account.name == name)
    }

    async fn add_domain(
        &self,
        account: AccountId,
        name: &DomainName,
        catch_all: Option<&Address>,
        now: Timestamp,
    ) -> Answer<Domain> {
        let mut rows = self.0.lock();
        if rows.domains.iter().any(|(_, domain)| domain.name == name.as_str()) {
            return Err(taken("domain", name.as_str()));
        }
        let catch_all =
            rows.mailbox_refs(account, catch_all.cloned().as_slice())?.pop().map(|found| found.address);
        let id = DomainId(rows.next_id());
        let domain = Domain { id, name: name.to_string(), verified: true, catch_all, created_at: now };
        rows.domains.push((account, domain.clone()));
        Ok(domain)
    }

    async fn domains(&self, account: AccountId, page: &Page) -> Answer<Vec<Domain>> {
        Ok(page_of(owned(&self.0.lock().domains, account), page))
    }

    async fn remove_domain(&self, account: AccountId, name: &DomainName) -> Answer<()> {
        let is_it = |(owner, d): &(AccountId, Domain)| *owner == account && d.name == name.as_str();
        remove(&mut self.0.lock().domains, "domain", name.as_str(), is_it)
    }

    async fn add_mailbox(
        &self,
        account: AccountId,
        address: &Address,
        verified: bool,
        now: Timestamp,
    ) -> Answer<Mailbox> {
        let mut rows = self.0.lock();
        let name = address.as_normal().to_owned();
        if owned(&rows.mailboxes, account).any(|mailbox| mailbox.address == name) {
            return Err(taken("mailbox", &name));
        }
        let id = MailboxId(rows.next_id());
        let (paused, pgp_fingerprint) = (false, None);
        let mailbox = Mailbox { id, address: name, verified, paused, pgp_fingerprint, created_at: now };
        rows.mailboxes.push((account, mailbox.clone()));
        Ok(mailbox)
    }

    async fn add_mailbox_with_keys(
        &self,
        account: AccountId,
        address: &Address,
        verified: bool,
        keys: &[Inspected],
        now: Timestamp,
    ) -> Answer<Mailbox> {
        let mut mailbox = self.add_mailbox(account, address, verified, now).await?;
        for key in keys {
            let added = self.add_key(account, address, key, Origin::Imported, now).await?;
            mailbox.pgp_fingerprint = Some(added.fingerprint.to_string());
        }
        Ok(mailbox)
    }

    async fn mailboxes(&self, account: AccountId, page: &Page) -> Answer<Vec<Mailbox>> {
        Ok(page_of(owned(&self.0.lock().mailboxes, account), page))
    }

    async fn set_mailbox(
        &self,
        account: AccountId,
        address: &Address,
        change: &MailboxChange,
    ) -> Answer<Mailbox> {
        let mut rows = self.0.lock();
        let is_it =
            |(owner, m): &&mut (AccountId, Mailbox)| *owner == account && m.address == address.as_normal();
        let found = rows.mailboxes.iter_mut().find(is_it);
        let (_, mailbox) = found.ok_or_else(|| missing("mailbox", address.as_normal()))?;
        set(&mut mailbox.verified, change.verified.as_ref());
        set(&mut mailbox.paused, change.paused.as_ref());
        Ok(mailbox.clone())
    }

    async fn remove_mailbox(&self, account: AccountId, address: &Address) -> Answer<()> {
        let is_it = |(owner, m): &(AccountId, Mailbox)| *owner == account && m.address == address.as_normal();
        remove(&mut self.0.lock().mailboxes, "mailbox", address.as_normal(), is_it)
    }

    async fn add_alias(&self, account: AccountId, new: &NewAlias, now: Timestamp) -> Answer<Alias> {
        let mut rows = self.0.lock();
        let address = new.address.as_normal().to_owned();
        if rows.aliases.iter().any(|(_, alias)| alias.address == address) {
            return Err(taken("alias", &address));
        }
        let alias = Alias {
            id: AliasId(rows.next_id()),
            address,
            enabled: true,
            mailboxes: rows.mailbox_refs(account, &new.mailboxes)?,
            name: new.name.clone(),
            note: new.note.clone(),
            pinned: false,
            mode: new.mode,
            expires_at: new.expires_at,
            forwarded: 0,
            replied: 0,
            blocked: 0,
            created_at: now,
        };
        rows.aliases.push((account, alias.clone()));
        Ok(alias)
    }

    async fn aliases(&self, account: AccountId, search: Option<&str>, page: &Page) -> Answer<Vec<Alias>> {
        let rows = self.0.lock();
        let matches = |alias: &&Alias| search.is_none_or(|part| alias.address.contains(part));
        Ok(page_of(owned(&rows.aliases, account).filter(matches), page))
    }

    async fn alias(&self, account: AccountId, address: &Address) -> Answer<Alias> {
        self.0.lock().alias(account, address).cloned()
    }

    async fn set_alias(&self, account: AccountId, address: &Address, change: &AliasChange) -> Answer<Alias> {
        let mut rows = self.0.lock();
        let mailboxes =
            change.mailboxes.as_deref().map(|named| rows.mailbox_refs(account, named)).transpose()?;
        let alias = rows.alias(account, address)?;
        set(&mut alias.mailboxes, mailboxes.as_ref());
        set(&mut alias.enabled, change.enabled.as_ref());
        set(&mut alias.name, change.name.as_ref());
        set(&mut alias.note, change.note.as_ref());
        set(&mut alias.pinned, change.pinned.as_ref());
        set(&mut alias.mode, change.mode.as_ref());
        set(&mut alias.expires_at, change.expires_at.as_ref());
        Ok(alias.clone())
    }

    async fn remove_alias(&self, account: AccountId, address: &Address, _now: Timestamp) -> Answer<()> {
        let is_it = |(owner, a): &(AccountId, Alias)| *owner == account && a.address == address.as_normal();
        remove(&mut self.0.lock().aliases, "alias", address.as_normal(), is_it)
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
        let mut rows = self.0.lock();
        let of = rows.alias(account, alias)?.id;
        if let Ok(contact) = rows.contact(account, alias, address) {
            contact.name = name.map(str::to_owned).or(contact.name.take());
            return Ok(contact.clone());
        }
        let contact = Contact {
            id: ContactId(rows.next_id()),
            address: address.as_normal().to_owned(),
            name: name.map(str::to_owned),
            reverse_alias: reverse_alias.as_normal().to_owned(),
            blocked: false,
            created_at: now,
        };
        rows.contacts.push((of, contact.clone()));
        Ok(contact)
    }

    async fn contacts_of(&self, account: AccountId, alias: &Address, page: &Page) -> Answer<Vec<Contact>> {
        let mut rows = self.0.lock();
        let id = rows.alias(account, alias)?.id;
        Ok(page_of(rows.contacts.iter().filter(|(of, _)| *of == id).map(|(_, contact)| contact), page))
    }

    async fn block_contact(
        &self,
        account: AccountId,
        alias: &Address,
        address: &Address,
        blocked: bool,
    ) -> Answer<Contact> {
        let mut rows = self.0.lock();
        let contact = rows.contact(account, alias, address)?;
        contact.blocked = blocked;
        Ok(contact.clone())
    }

    async fn remove_contact(&self, account: AccountId, alias: &Address, address: &Address) -> Answer<()> {
        let mut rows = self.0.lock();
        let id = rows.contact(account, alias, address)?.id;
        remove(&mut rows.contacts, "contact", address.as_normal(), |(_, contact)| contact.id == id)
    }

    async fn key_holder(&self, account: AccountId, address: &Address) -> Answer<Holder> {
        self.0.lock().key_holder(account, address)
    }

    async fn add_key(
        &self,
        account: AccountId,
        address: &Address,
        key: &Inspected,
        origin: Origin,
        now: Timestamp,
    ) -> Answer<Key> {
        self.0.lock().add_key(account, address, key, origin, now)
    }

    async fn keys(&self, account: AccountId, address: Option<&Address>, page: &Page) -> Answer<Vec<Key>> {
        let rows = self.0.lock();
        let is_asked_for = |key: &&Key| address.is_none_or(|address| key.address == address.as_normal());
        Ok(page_of(owned(&rows.keys, account).filter(is_asked_for), page))
    }

    async fn remove_key(
        &self,
        account: AccountId,
        address: Option<&Address>,
        fingerprint: &Fingerprint,
    ) -> Answer<RemovedKey> {
        self.0.lock().remove_key(account, address, fingerprint)
    }
}

/// Time stands still; randomness counts up (or stands still as well).
#[derive(Default)]
pub(crate) struct Clockwork {
    calls: AtomicU8,
    is_stuck: bool,
}

impl Clockwork {
    /// The same bytes for ever.
    pub(crate) fn stuck() -> Self {
        Self { calls: AtomicU8::new(0), is_stuck: true }
    }
}

impl Surroundings for Clockwork {
    /// 2026-09-21T14:13:20Z
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000)
    }

    fn random(&self, into: &mut [u8]) {
        let step = if self.is_stuck { 0 } else { 1 };
        into.fill(self.calls.fetch_add(step, Ordering::Relaxed));
    }
}

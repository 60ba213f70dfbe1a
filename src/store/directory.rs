//! What mail asks for: the port [`Directory`] over cache and tables.
//!
//! A look-up asks for the domain, then for the exact name (an alias or a reverse alias, in one query), then for its base
//! before `+tag`, then for the domain's catch-all. The domain is as good as always in the cache, so a look-up that finds
//! nothing else there costs one query, and two with a tag.

use std::sync::Arc;

use super::cache::{Answer, Cache};
use super::certificates::Held;
use super::changes::Change;
use super::contacts::{self, Wanted};
use super::contract::{Fault, StoreError};
use super::counters;
use super::engine::{Inserted, Transaction, values};
use super::marks::{Marks, Subject};
use super::rows::{ContactRow, DomainOwnerRow, DomainRow, IdRow, MailboxRow, NameRow, TextRow};
use super::{Options, Store, certificates, registry, statements};
use crate::mail::{Address, DomainName};
use crate::relay::alias::{AccountId, Alias, AliasId, CatchAll, Contact, Lookup, Mode};
use crate::relay::openpgp::Certificate;
use crate::relay::ports::{Counted, Directory, Unavailable, WantedContact};
use crate::relay::recipient::is_role;

/// Domains of ours kept in memory, and names of others that somebody asked us about.
const DOMAINS: u64 = 4096;
/// Octets of certificates kept in memory: a few thousand of them.
const CERTIFICATE_BYTES: u64 = 8 << 20;

/// Names at our domains are looked up by their normal form.
pub(super) type Name = Arc<str>;

/// What a domain is to us.
#[derive(Clone)]
enum Ownership {
    /// It is not ours, or not verified yet.
    Foreign,
    /// It is ours; with the rule by which mail makes aliases, if it has one.
    Ours(Option<Arc<CatchAll>>),
}

impl Answer for Ownership {
    type Key = DomainName;

    fn is_miss(&self) -> bool {
        matches!(self, Self::Foreign)
    }

    fn subjects<'a>(&'a self, key: &'a DomainName) -> [Subject<'a>; 3] {
        let domain = Subject::Domain(key.as_str());
        match self {
            // The rule knows its mailbox.
            Self::Ours(Some(rule)) => [domain, Subject::Account(rule.account), domain],
            Self::Ours(None) | Self::Foreign => [domain; 3],
        }
    }
}

/// What exactly this name stands for.
#[derive(Clone)]
pub(super) enum Named {
    Nobody,
    Deleted,
    Alias(Arc<Alias>),
    ReverseAlias(Arc<Alias>, Arc<Contact>),
}

impl Answer for Named {
    type Key = Name;

    fn is_miss(&self) -> bool {
        matches!(self, Self::Nobody | Self::Deleted)
    }

    fn subjects<'a>(&'a self, key: &'a Name) -> [Subject<'a>; 3] {
        match self {
            // A tombstone never goes away, so it depends on nothing; this is the price of one shape for all.
            Self::Nobody | Self::Deleted => [Subject::NameMade(key); 3],
            Self::Alias(alias) | Self::ReverseAlias(alias, _) => {
                [Subject::Alias(alias.id), Subject::Account(alias.account), Subject::Name(key)]
            }
        }
    }
}

/// A contact of an alias, or that there is none.
#[derive(Clone)]
pub(super) struct Known(pub(super) Option<Arc<Contact>>);

impl Answer for Known {
    /// The alias, and the contact's address in its normal form.
    type Key = (AliasId, Name);

    fn is_miss(&self) -> bool {
        self.0.is_none()
    }

    fn subjects<'a>(&'a self, key: &'a Self::Key) -> [Subject<'a>; 3] {
        match &self.0 {
            Some(_) => [Subject::Alias(key.0), Subject::Contacts(key.0), Subject::Contacts(key.0)],
            None => [Subject::ContactMade(key.0); 3],
        }
    }
}

/// What is kept in memory.
pub(super) struct Caches {
    domains: Cache<Ownership>,
    names: Cache<Named>,
    pub(super) contacts: Cache<Known>,
    certificates: Cache<Held>,
}

impl Caches {
    pub(super) fn new(options: &Options, marks: &Arc<Marks>) -> Self {
        let (hits, misses) = (options.cache_entries, options.cache_entries / 4);
        let meters = options.meters.clone();
        Self {
            domains: Cache::new(DOMAINS, DOMAINS, Arc::clone(marks), meters.domains),
            names: Cache::new(hits, misses, Arc::clone(marks), meters.names),
            contacts: Cache::new(hits, misses, Arc::clone(marks), meters.contacts),
            certificates: Cache::new(CERTIFICATE_BYTES, misses, Arc::clone(marks), meters.certificates),
        }
    }
}

impl Directory for Store {
    async fn lookup(&self, address: &Address) -> Result<Lookup, Unavailable> {
        Ok(self.look_up(address).await?)
    }

    async fn alias_with_id(&self, id: AliasId) -> Result<Option<Arc<Alias>>, Unavailable> {
        let row: Option<TextRow> = self.engine().one(&statements::ALIAS_ADDRESS, values![id.0]).await?;
        let Some(address) = row.and_then(|row| Address::parse(&row.text).ok()) else { return Ok(None) };
        match self.name(&address).await? {
            Named::Alias(alias) => Ok(Some(alias)),
            Named::Nobody | Named::Deleted | Named::ReverseAlias(..) => Ok(None),
        }
    }

    async fn find_contact(&self, alias: AliasId, address: &Address) -> Result<Option<Contact>, Unavailable> {
        let key = (alias, Name::from(address.as_normal()));
        let known = self.caches().contacts.get(&key, || self.load_contact(&key)).await?;
        Ok(known.0.map(Arc::unwrap_or_clone))
    }

    async fn contacts(&self, alias: &Alias, wanted: &[WantedContact]) -> Result<Vec<Contact>, Unavailable> {
        let wanted: Vec<_> = wanted.iter().map(Wanted::from).collect();
        Ok(contacts::find_or_make(self, alias.id, &wanted).await?)
    }

    async fn create_alias(&self, rule: &CatchAll, address: &Address) -> Result<Arc<Alias>, Unavailable> {
        let base = address.without_tag();
        let address = base.as_ref().unwrap_or(address);
        transact!(self, tx => create_by_rule(tx, rule, address)).await.map_err(StoreError::from)?;
        // Another node may have made it, and told us nothing yet.
        Change::NameMade(address.as_normal().to_owned()).apply(&self.0.marks);
        match self.name(address).await? {
            Named::Alias(alias) => Ok(alias),
            Named::Nobody | Named::Deleted | Named::ReverseAlias(..) => {
                Err(Unavailable("the address is not, and cannot become, an alias".to_owned()))
            }
        }
    }

    async fn certificates(
        &self,
        account: AccountId,
        address: &Address,
    ) -> Result<Arc<[Certificate]>, Unavailable> {
        let key = (account, Name::from(address.as_normal()));
        let held = self.caches().certificates.get(&key, || certificates::load(self, &key)).await?;
        Ok(held.0)
    }

    async fn encrypting_owner(&self, mailbox: &Address) -> Result<Option<AccountId>, Unavailable> {
        let values = values![mailbox.host().as_str(), mailbox.as_normal()];
        let row: Option<IdRow> = self.engine().one(&statements::ENCRYPTING_OWNER, values).await?;
        Ok(row.map(|row| AccountId(row.id)))
    }

    fn count(&self, alias: AliasId, what: Counted) {
        counters::Counters::count(self.counters(), alias, what);
    }
}

impl Store {
    async fn look_up(&self, address: &Address) -> Result<Lookup, StoreError> {
        let Some(domain) = address.domain() else { return Ok(Lookup::ForeignDomain) };
        let Ownership::Ours(rule) = self.ownership(domain).await? else { return Ok(Lookup::ForeignDomain) };
        match self.name(address).await? {
            Named::Alias(alias) => Ok(Lookup::Alias(alias)),
            Named::ReverseAlias(alias, contact) => Ok(Lookup::ReverseAlias(alias, contact)),
            Named::Deleted => Ok(Lookup::Deleted),
            Named::Nobody => self.by_base_or_rule(address, rule).await,
        }
    }

    /// For a name that is nobody's: its base before `+tag`, or what the catch-all makes of it.
    async fn by_base_or_rule(
        &self,
        address: &Address,
        rule: Option<Arc<CatchAll>>,
    ) -> Result<Lookup, StoreError> {
        let base = address.without_tag();
        if let Some(base) = &base {
            match self.name(base).await? {
                Named::Alias(alias) => return Ok(Lookup::Alias(alias)),
                Named::Deleted => return Ok(Lookup::Deleted),
                // The base of a reverse alias is not the reverse alias: nobody writes to it by accident.
                Named::ReverseAlias(..) => return Ok(Lookup::Unknown),
                Named::Nobody => {}
            }
        }
        match rule {
            Some(rule) if !is_role(base.as_ref().unwrap_or(address)) => Ok(Lookup::Creatable(rule)),
            _ => Ok(Lookup::Unknown),
        }
    }

    async fn ownership(&self, domain: &DomainName) -> Result<Ownership, StoreError> {
        let load = || async {
            let row: Option<DomainRow> =
                self.engine().one(&statements::FIND_DOMAIN, values![domain.as_str()]).await?;
            Ok(match row.filter(|row| row.verified) {
                Some(row) => Ownership::Ours(row.catch_all(domain)),
                None => Ownership::Foreign,
            })
        };
        self.caches().domains.get(domain, load).await
    }

    async fn name(&self, address: &Address) -> Result<Named, StoreError> {
        let name = Name::from(address.as_normal());
        self.caches().names.get(&name, || self.load_name(&name)).await
    }

    async fn load_name(&self, name: &str) -> Result<Named, StoreError> {
        let rows: Vec<NameRow> = self.engine().all(&statements::FIND_NAME, values![name, name]).await?;
        let Some(first) = rows.first() else { return Ok(Named::Nobody) };
        if first.is_tombstone() {
            // Of the alias that it was. A reverse alias goes with its alias, so its row has no tombstone.
            return Ok(if first.is_reverse_alias() { Named::Nobody } else { Named::Deleted });
        }
        let alias = Arc::new(first.alias(&rows)?);
        Ok(match first.contact()? {
            Some(contact) => Named::ReverseAlias(alias, Arc::new(contact)),
            None => Named::Alias(alias),
        })
    }

    async fn load_contact(&self, key: &(AliasId, Name)) -> Result<Known, StoreError> {
        let (alias, address) = key;
        let row: Option<ContactRow> =
            self.engine().one(&statements::FIND_CONTACT, values![alias.0, &**address]).await?;
        Ok(Known(row.map(Contact::try_from).transpose()?.map(Arc::new)))
    }
}

/// Makes the alias that `rule` allows, unless the address is taken in whatever way: the caller looks what it is then.
async fn create_by_rule(tx: &mut Transaction, rule: &CatchAll, address: &Address) -> Result<(), Fault> {
    let Some(mailbox) = &rule.mailbox else { return Ok(()) };
    let domain: Option<DomainOwnerRow> =
        tx.one(&statements::SHARE_DOMAIN, values![rule.domain.as_str()]).await?;
    let mailbox: Option<MailboxRow> = tx.one(&statements::SHARE_MAILBOX_BY_ID, values![mailbox.id.0]).await?;
    let (Some(domain), Some(mailbox)) = (domain, mailbox) else { return Ok(()) };
    if domain.id != rule.domain_id.0 || domain.account_id != rule.account.0 || is_role(address) {
        return Ok(());
    }
    let new = registry::AliasRowToInsert {
        account: rule.account,
        domain: rule.domain_id,
        address,
        name: None,
        note: None,
        mode: Mode::default(),
        expires_at: None,
        now: super::now(),
    };
    let Inserted::Row(id) = registry::insert_alias(tx, &new).await? else { return Ok(()) };
    tx.execute(&statements::LINK_MAILBOX, values![id, mailbox.id]).await?;
    tx.changed(Change::NameMade(address.as_normal().to_owned()));
    Ok(())
}

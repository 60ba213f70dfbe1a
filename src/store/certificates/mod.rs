//! Certificates as mail needs them: the cached answer to "which are there for this address", and the port [`KeyWatch`].
//! What admins do with them is in `registry/keys.rs`.
//!
//! **Encrypted or not sent** hangs on `mailboxes.encrypts`, which says with each alias that is looked up whether a mailbox
//! has certificates that bind. It is written only here ([`note_encrypts`]), in the transaction that adds or removes a certificate
//! or adds a mailbox. Those lock the row of the account first, so they come one after the other. Whoever is told of the
//! mailbox by an answer from before the change and of the certificates by one from after it finds a mailbox that encrypts
//! and no certificate at worst, and must not send then.

mod rows;

use std::sync::Arc;

use super::cache::Answer;
use super::changes::Change;
use super::contract::{Fault, StoreError};
use super::directory::Name;
use super::engine::{Transaction, Value, values};
use super::marks::Subject;
use super::registry::keys;
use super::rows::{IdRow, TextRow, Word};
use super::{Store, now, statements};
use crate::admin::RegistryError;
use crate::admin::records::{Holder, KeyOrigin};
use crate::mail::{Address, Timestamp};
use crate::relay::alias::{AccountId, Mailbox};
use crate::relay::openpgp::{Certificate, Inspected, Origin};
use crate::relay::ports::{Expiring, KeyWatch, Unavailable, Warned};

pub(super) use rows::KeyRow;
use rows::{AutocryptRow, CertificateRow, ExpiringRow, ToTellRow, stage};

/// Mailboxes that are told something at most.
const MAILBOXES_TO_TELL: i64 = 20;
/// A certificate that comes with every letter is noted as seen again after so long: nobody waits for that write, but it is
/// one for each letter otherwise.
const SEEN_AGAIN_AFTER: i64 = 3_600_000;

/// The certificates for an address that may be used.
#[derive(Clone)]
pub(super) struct Held(pub(super) Arc<[Certificate]>);

impl Answer for Held {
    type Key = (AccountId, Name);

    fn is_miss(&self) -> bool {
        self.0.is_empty()
    }

    fn weight(&self) -> u32 {
        let octets: usize = self.0.iter().map(|certificate| certificate.data.len()).sum();
        u32::try_from(octets).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn subjects<'a>(&'a self, (account, address): &'a Self::Key) -> [Subject<'a>; 3] {
        [Subject::Certificates(*account, address); 3]
    }
}

pub(super) async fn load(store: &Store, (account, address): &(AccountId, Name)) -> Result<Held, StoreError> {
    let values = values![account.0, &**address];
    let rows: Vec<CertificateRow> = store.engine().all(&statements::FIND_CERTIFICATES, values).await?;
    let all = rows.into_iter().map(Certificate::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Held(that_count(all).into()))
}

/// What a stranger's letter brought counts only while nobody has said better.
fn that_count(mut all: Vec<Certificate>) -> Vec<Certificate> {
    if all.iter().any(Certificate::is_binding) {
        all.retain(Certificate::is_binding);
    }
    all
}

/// A new row of `openpgp_certs`.
pub(super) struct CertificateToInsert<'a> {
    pub(super) account: AccountId,
    pub(super) address: &'a Address,
    pub(super) found: &'a Inspected,
    pub(super) origin: Origin,
    /// Of one from an `Autocrypt` field: when the message was written that brought it.
    pub(super) seen_at: Option<Timestamp>,
    pub(super) now: Timestamp,
}

pub(super) async fn insert(tx: &mut Transaction, new: &CertificateToInsert<'_>) -> Result<(), Fault> {
    let written = new.address.to_string();
    let values = values![
        new.account.0,
        new.address.as_normal(),
        &*written,
        new.found.fingerprint.as_str(),
        &*new.found.data,
        KeyOrigin::from(new.origin).word(),
        new.origin == Origin::Autocrypt { mutual: true },
        new.found.expires_at.map(Timestamp::as_millis),
        new.seen_at.map(Timestamp::as_millis),
        new.now.as_millis(),
    ];
    tx.execute(&statements::INSERT_CERTIFICATE, values).await?;
    tx.changed(Change::Certificates(new.account, new.address.as_normal().to_owned()));
    Ok(())
}

/// Has only one transaction at a time write certificates of the account.
pub(super) async fn lock_account(tx: &mut Transaction, account: AccountId) -> Result<(), Fault> {
    let there: Option<IdRow> = tx.one(&statements::LOCK_ACCOUNT, values![account.0]).await?;
    match there {
        Some(_) => Ok(()),
        None => Err(RegistryError::NotFound { what: "account", name: account.to_string() }.into()),
    }
}

/// The parameters of [`statements::HOLDER`].
pub(super) fn whose(account: AccountId, address: &Address) -> [Value<'_>; 6] {
    let (id, name, host) = (account.0.into(), address.as_normal().into(), address.host().as_str().into());
    [id, name, id, name, id, host]
}

/// What [`statements::HOLDER`] found; `None` for an address at a domain of the account that is no alias.
pub(super) fn holder_of(row: Option<TextRow>) -> Result<Option<Holder>, StoreError> {
    match row {
        Some(row) if row.text != "nobody" => Holder::from_word(&row.text, "openpgp_certs", 0).map(Some),
        _ => Ok(None),
    }
}

/// Whose the address is.
pub(super) async fn holder(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
) -> Result<Option<Holder>, Fault> {
    Ok(holder_of(tx.one(&statements::HOLDER, &whose(account, address)).await?)?)
}

/// Sees to what hangs on the certificates of an address, after they changed.
pub(super) async fn settle(tx: &mut Transaction, account: AccountId, address: &Address) -> Result<(), Fault> {
    tx.changed(Change::Certificates(account, address.as_normal().to_owned()));
    if note_encrypts(tx, account, address).await? > 0 {
        // The aliases know whether their mailboxes encrypt.
        tx.changed(Change::Account(account));
    }
    Ok(())
}

/// Notes whether a mailbox has certificates that bind; gives how many mailboxes the address is: one or none.
pub(super) async fn note_encrypts(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
) -> Result<u64, Fault> {
    let (id, name) = (account.0, address.as_normal());
    Ok(tx.change(&statements::NOTE_ENCRYPTS, values![id, name, id, name]).await?)
}

/// Removes the certificates of a mailbox or an alias that is being removed.
pub(super) async fn remove_all(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
) -> Result<(), Fault> {
    let name = address.as_normal();
    if tx.change(&statements::DELETE_CERTIFICATES_OF, values![account.0, name]).await? > 0 {
        tx.changed(Change::Certificates(account, name.to_owned()));
    }
    Ok(())
}

/// A certificate that a letter brought.
struct Harvest<'a> {
    account: AccountId,
    address: &'a Address,
    found: &'a Inspected,
    mutual: bool,
    seen_at: Timestamp,
    now: Timestamp,
}

impl Harvest<'_> {
    /// Whether it takes the place of what is there.
    fn is_news_after(&self, there: &AutocryptRow) -> bool {
        let newer_by = self.seen_at.as_millis().saturating_sub(there.seen_at.unwrap_or(i64::MIN));
        let is_same = there.fingerprint == self.found.fingerprint.as_str()
            && there.data == self.found.data
            && there.mutual == self.mutual;
        newer_by > 0 && (!is_same || newer_by >= SEEN_AGAIN_AFTER)
    }
}

async fn take(tx: &mut Transaction, harvest: &Harvest<'_>) -> Result<bool, Fault> {
    let Harvest { account, address, found, mutual, seen_at, now } = *harvest;
    let name = address.as_normal();
    lock_account(tx, account).await?;
    if holder(tx, account, address).await? != Some(Holder::Contact) {
        return Ok(false);
    }
    let fingerprint = found.fingerprint.as_str();
    let bound: Option<IdRow> =
        tx.one(&statements::HAS_BINDING, values![account.0, name, fingerprint]).await?;
    let there: Option<AutocryptRow> = tx.one(&statements::AUTOCRYPT_OF, values![account.0, name]).await?;
    if bound.is_some() || there.as_ref().is_some_and(|there| !harvest.is_news_after(there)) {
        return Ok(false);
    }
    if let Some(there) = there {
        tx.execute(&statements::DELETE_CERTIFICATE, values![there.id]).await?;
    }
    let (origin, seen_at) = (Origin::Autocrypt { mutual }, Some(seen_at));
    insert(tx, &CertificateToInsert { account, address, found, origin, seen_at, now }).await?;
    Ok(true)
}

async fn note_warned(tx: &mut Transaction, seen: &Expiring, told: Warned) -> Result<bool, Fault> {
    let values = values![stage(told), seen.id.0, stage(seen.warned), seen.expires_at.as_millis()];
    Ok(tx.change(&statements::NOTE_WARNED, values).await? > 0)
}

async fn note_alarm(
    tx: &mut Transaction,
    account: AccountId,
    mailbox: &Address,
    now: Timestamp,
    not_since: Timestamp,
) -> Result<bool, Fault> {
    let values = values![now.as_millis(), account.0, mailbox.as_normal(), not_since.as_millis()];
    Ok(tx.change(&statements::NOTE_ALARM, values).await? > 0)
}

impl KeyWatch for Store {
    async fn harvest(
        &self,
        account: AccountId,
        address: &Address,
        found: &Inspected,
        mutual: bool,
        seen_at: Timestamp,
    ) -> Result<bool, Unavailable> {
        let now = now();
        // A letter from the future would keep all later ones out.
        let harvest = Harvest { account, address, found, mutual, seen_at: seen_at.min(now), now };
        let values = values![account.0, address.as_normal()];
        let there: Option<AutocryptRow> = self.engine().one(&statements::AUTOCRYPT_OF, values).await?;
        // Most letters of somebody bring the same; they need no lock.
        if there.is_some_and(|there| !harvest.is_news_after(&there)) {
            return Ok(false);
        }
        let harvest = &harvest;
        Ok(transact!(self, tx => take(tx, harvest)).await.map_err(StoreError::from)?)
    }

    async fn keep_found(
        &self,
        account: AccountId,
        address: &Address,
        found: &[Inspected],
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let kept = transact!(self, tx => keys::keep_found(tx, account, address, found, now)).await;
        Ok(kept.map_err(StoreError::from)?)
    }

    async fn expiring(
        &self,
        until: Timestamp,
        told: Warned,
        limit: u32,
    ) -> Result<Vec<Expiring>, Unavailable> {
        let values = values![until.as_millis(), stage(told), i64::from(limit)];
        let rows: Vec<ExpiringRow> = self.engine().all(&statements::EXPIRING, values).await?;
        let readable = |row: ExpiringRow| {
            let read = Expiring::try_from(row);
            // A damaged row must not keep the owners of the others from being told.
            read.inspect_err(|error| tracing::error!(%error, "a certificate that expires cannot be read"))
                .ok()
        };
        Ok(rows.into_iter().filter_map(readable).collect())
    }

    async fn note_warned(&self, seen: &Expiring, told: Warned) -> Result<bool, Unavailable> {
        if told <= seen.warned {
            return Ok(false);
        }
        Ok(transact!(self, tx => note_warned(tx, seen, told)).await.map_err(StoreError::from)?)
    }

    async fn note_alarm(
        &self,
        account: AccountId,
        mailbox: &Address,
        now: Timestamp,
        not_since: Timestamp,
    ) -> Result<bool, Unavailable> {
        let noted = transact!(self, tx => note_alarm(tx, account, mailbox, now, not_since)).await;
        Ok(noted.map_err(StoreError::from)?)
    }

    async fn mailboxes_to_tell(&self, account: AccountId) -> Result<Vec<Mailbox>, Unavailable> {
        let values = values![account.0, MAILBOXES_TO_TELL];
        let rows: Vec<ToTellRow> = self.engine().all(&statements::MAILBOXES_TO_TELL, values).await?;
        Ok(rows.into_iter().map(Mailbox::try_from).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests;

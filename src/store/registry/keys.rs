//! Certificates, as their owner manages them.

use super::{Answer, bounds, conflict, invalid, not_found};
use crate::admin::records::{Holder, Key, KeyOrigin, Mailbox, Page, RemovedKey};
use crate::mail::{Address, Timestamp};
use crate::relay::alias::AccountId;
use crate::relay::openpgp::{Fingerprint, Inspected, Origin};
use crate::store::Store;
use crate::store::certificates::{self, CertificateToInsert, KeyRow};
use crate::store::changes::Change;
use crate::store::contract::{Fault, StoreError};
use crate::store::engine::{Transaction, values};
use crate::store::rows::Word;
use crate::store::statements;

use super::mailboxes;

/// Certificates of one address at most: every message for it is encrypted to each of them.
const MOST: usize = 16;
/// More than there can be for an address: those, and one from an `Autocrypt` field.
const ALL: i64 = 100;

pub(super) async fn holder(store: &Store, account: AccountId, address: &Address) -> Answer<Holder> {
    let row = store.engine().one(&statements::HOLDER, &certificates::whose(account, address)).await?;
    certificates::holder_of(row)?.ok_or_else(|| not_found("alias", address))
}

pub(super) async fn add(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
    found: &Inspected,
    origin: Origin,
    now: Timestamp,
) -> Result<Key, Fault> {
    if matches!(origin, Origin::Autocrypt { .. }) {
        return Err(invalid("origin", "a certificate of an Autocrypt field comes with mail only").into());
    }
    certificates::lock_account(tx, account).await?;
    if certificates::holder(tx, account, address).await?.is_none() {
        return Err(not_found("alias", address).into());
    }
    put(tx, account, address, found, origin, now).await?;
    certificates::settle(tx, account, address).await?;
    let there = of_address(tx, account, address).await?;
    let row = there.into_iter().find(|row| row.is_named(&found.fingerprint));
    let row =
        row.ok_or_else(|| StoreError::Bug("a certificate that was just added is not there".to_owned()))?;
    Ok(Key::try_from(row)?)
}

/// A mailbox that has certificates from its first moment.
pub(super) async fn add_mailbox(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
    verified: bool,
    keys: &[Inspected],
    now: Timestamp,
) -> Result<Mailbox, Fault> {
    certificates::lock_account(tx, account).await?;
    for key in keys {
        put(tx, account, address, key, Origin::Imported, now).await?;
    }
    mailboxes::add(tx, account, address, verified, now).await
}

/// What a contact's domain publishes takes the place of what it published before.
pub(in crate::store) async fn keep_found(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
    found: &[Inspected],
    now: Timestamp,
) -> Result<(), Fault> {
    certificates::lock_account(tx, account).await?;
    if certificates::holder(tx, account, address).await? != Some(Holder::Contact) {
        return Ok(());
    }
    for row in of_address(tx, account, address).await? {
        let is_published = found.iter().any(|one| row.is_named(&one.fingerprint));
        if row.origin == KeyOrigin::Wkd.word() && !is_published {
            tx.execute(&statements::DELETE_CERTIFICATE, values![row.id]).await?;
        }
    }
    for one in found {
        put(tx, account, address, one, Origin::Wkd, now).await?;
    }
    tx.changed(Change::Certificates(account, address.as_normal().to_owned()));
    Ok(())
}

async fn put(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
    found: &Inspected,
    origin: Origin,
    now: Timestamp,
) -> Result<(), Fault> {
    let there = of_address(tx, account, address).await?;
    if let Some(row) = there.iter().find(|row| row.is_named(&found.fingerprint)) {
        renew(tx, row, found, origin).await?;
        tx.changed(Change::Certificates(account, address.as_normal().to_owned()));
        return Ok(());
    }
    if there.iter().filter(|row| row.is_binding()).count() >= MOST {
        let why = format!("cannot be added: there are {MOST} for {address} already; remove one first");
        return Err(conflict("key", &found.fingerprint, why).into());
    }
    certificates::insert(tx, &CertificateToInsert { account, address, found, origin, seen_at: None, now })
        .await
}

/// A certificate that was imported stays so when a directory has a newer copy.
async fn renew(tx: &mut Transaction, row: &KeyRow, found: &Inspected, origin: Origin) -> Result<(), Fault> {
    let was_imported = row.origin == KeyOrigin::Imported.word();
    let origin = if was_imported { KeyOrigin::Imported } else { KeyOrigin::from(origin) };
    let values = values![&*found.data, origin.word(), found.expires_at.map(Timestamp::as_millis), row.id];
    tx.execute(&statements::RENEW_CERTIFICATE, values).await?;
    Ok(())
}

async fn of_address(
    tx: &mut Transaction,
    account: AccountId,
    address: &Address,
) -> Result<Vec<KeyRow>, Fault> {
    Ok(tx.all(&statements::LIST_KEYS_OF, values![account.0, address.as_normal(), 0_i64, ALL]).await?)
}

pub(super) async fn list(
    store: &Store,
    account: AccountId,
    address: Option<&Address>,
    page: &Page,
) -> Answer<Vec<Key>> {
    let (after, limit) = bounds(page);
    let engine = store.engine();
    let rows: Vec<KeyRow> = match address {
        None => engine.all(&statements::LIST_KEYS, values![account.0, after, limit]).await?,
        Some(address) => {
            let values = values![account.0, address.as_normal(), after, limit];
            engine.all(&statements::LIST_KEYS_OF, values).await?
        }
    };
    Ok(rows.into_iter().map(Key::try_from).collect::<Result<_, _>>()?)
}

pub(super) async fn remove(
    tx: &mut Transaction,
    account: AccountId,
    address: Option<&Address>,
    fingerprint: &Fingerprint,
) -> Result<RemovedKey, Fault> {
    certificates::lock_account(tx, account).await?;
    let row = the_one(tx, account, address, fingerprint).await?;
    let address = crate::store::rows::address(&row.written, "openpgp_certs", row.id)?;
    tx.execute(&statements::DELETE_CERTIFICATE, values![row.id]).await?;
    certificates::settle(tx, account, &address).await?;
    let left = of_address(tx, account, &address).await?.iter().filter(|row| row.is_binding()).count();
    Ok(RemovedKey { key: Key::try_from(row)?, left })
}

/// The certificate with this name, of this address or of whichever has it.
async fn the_one(
    tx: &mut Transaction,
    account: AccountId,
    address: Option<&Address>,
    fingerprint: &Fingerprint,
) -> Result<KeyRow, Fault> {
    let named: Vec<KeyRow> = match address {
        None => tx.all(&statements::KEYS_NAMED, values![account.0, fingerprint.as_str(), ALL]).await?,
        Some(address) => {
            let mut there = of_address(tx, account, address).await?;
            there.retain(|row| row.is_named(fingerprint));
            there
        }
    };
    let holders = || named.iter().map(|row| row.written.as_str()).collect::<Vec<_>>().join(", ");
    if named.len() > 1 {
        let why = format!("is that of several addresses ({}); say of which it is to be removed", holders());
        return Err(conflict("key", fingerprint, why).into());
    }
    Ok(named.into_iter().next().ok_or_else(|| not_found("key", fingerprint))?)
}

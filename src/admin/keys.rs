//! Taking in OpenPGP certificates, and letting go of them.
//!
//! What a certificate must name depends on whose the address is ([`Holder`]). For a mailbox it may name anybody: its owner
//! says so. An alias's certificate is published, so it must name the alias, and must not name a mailbox. A contact's must
//! name the contact: a wrong one would encrypt to somebody else. Nothing is taken of a file with
//! a certificate that cannot be encrypted to now.

mod discovery;

use crate::mail::{Address, Timestamp};
use crate::relay::alias::AccountId;
use crate::relay::openpgp::{Fingerprint, Inspected, LARGEST_CERTIFICATE, Origin};
use crate::relay::ports::OpenPgp;

use super::lists::each_page;
use super::records::{Holder, Key, Mailbox, Page, RemovedKey};
use super::{Registry, RegistryError};

pub use discovery::{NotDiscovered, discover};

/// Larger files are not taken, in octets: a certificate has a few thousand.
pub const LARGEST_FILE: usize = 1024 * 1024;

/// More than there can be for one address.
const MOST_FOR_ADDRESS: u32 = 100;

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The certificates, in the order of the file.
    pub keys: Vec<Key>,
    /// What a person may want to think about, in sentences without an end.
    pub remarks: Vec<String>,
}

/// Takes the certificates of a file for an address of the account, or for a contact.
///
/// # Errors
/// [`RegistryError::Invalid`] when one of them cannot be used, or names the wrong addresses; those of
/// [`Registry::key_holder`] and [`Registry::add_key`].
pub async fn import<R: Registry, P: OpenPgp>(
    registry: &R,
    openpgp: &P,
    account: AccountId,
    address: &Address,
    file: &[u8],
    now: Timestamp,
) -> Result<Imported, RegistryError> {
    let found = match inspect(openpgp, file, now) {
        Ok(found) => found,
        Err(refused) => return Err(with_advice(registry, account, address, refused).await),
    };
    let holder = registry.key_holder(account, address).await?;
    let mut remarks = Vec::new();
    for key in &found {
        match holder {
            Holder::Mailbox => remarks.extend(remark(key, address)),
            Holder::Alias => check_for_alias(registry, account, address, key).await?,
            Holder::Contact => check_names(key, address)?,
        }
    }
    check_shared(registry, account, address, holder, &found).await?;
    let mut keys = Vec::with_capacity(found.len());
    for key in &found {
        keys.push(registry.add_key(account, address, key, Origin::Imported, now).await?);
    }
    Ok(Imported { keys, remarks })
}

/// Adds a mailbox that gets nothing but encrypted mail from its first moment, and says what a person may want to think
/// about.
///
/// # Errors
/// [`RegistryError::Invalid`] when a certificate of the file cannot be used; those of [`Registry::add_mailbox_with_keys`].
pub async fn add_mailbox<R: Registry, P: OpenPgp>(
    registry: &R,
    openpgp: &P,
    (account, address): (AccountId, &Address),
    verified: bool,
    file: &[u8],
    now: Timestamp,
) -> Result<(Mailbox, Vec<String>), RegistryError> {
    let found = inspect(openpgp, file, now)?;
    check_shared(registry, account, address, Holder::Mailbox, &found).await?;
    let added = registry.add_mailbox_with_keys(account, address, verified, &found, now).await?;
    Ok((added, found.iter().filter_map(|key| remark(key, address)).collect()))
}

/// Removes a certificate, and says what that means for the mail of its address.
///
/// # Errors
/// Those of [`Registry::remove_key`].
pub async fn remove<R: Registry>(
    registry: &R,
    account: AccountId,
    address: Option<&Address>,
    fingerprint: &Fingerprint,
) -> Result<(RemovedKey, Option<String>), RegistryError> {
    let removed = registry.remove_key(account, address, fingerprint).await?;
    let meaning = consequence(&removed);
    Ok((removed, meaning))
}

/// Whoever brings the revoked form of a certificate that is in use wants it to be used no more, and must be told how.
async fn with_advice<R: Registry>(
    registry: &R,
    account: AccountId,
    address: &Address,
    refused: RegistryError,
) -> RegistryError {
    let RegistryError::Invalid { field, detail } = &refused else { return refused };
    let page = Page { limit: MOST_FOR_ADDRESS, after: None };
    let Ok(in_use) = registry.keys(account, Some(address), &page).await else { return refused };
    let Some(older) = in_use.iter().find(|key| detail.contains(key.fingerprint.as_str())) else {
        return refused;
    };
    let detail = format!(
        "{detail}; an older copy of it is in use for {address} and stays so until you remove it: aliasd key remove {}",
        older.fingerprint
    );
    RegistryError::Invalid { field, detail }
}

fn inspect<P: OpenPgp>(openpgp: &P, file: &[u8], now: Timestamp) -> Result<Vec<Inspected>, RegistryError> {
    if file.len() > LARGEST_FILE {
        return Err(invalid(format!("the file is larger than {LARGEST_FILE} octets")));
    }
    let found = openpgp.inspect(file, now).map_err(|unusable| invalid(unusable.to_string()))?;
    match found.iter().find(|key| key.data.len() > LARGEST_CERTIFICATE) {
        Some(key) => Err(invalid(format!(
            "the certificate {} has {} octets, and more than {LARGEST_CERTIFICATE} are not taken; export it without the \
             signatures of others (gpg --export-options export-minimal)",
            key.fingerprint,
            key.data.len()
        ))),
        None => Ok(found),
    }
}

fn invalid(detail: String) -> RegistryError {
    RegistryError::Invalid { field: "key", detail }
}

fn names(key: &Inspected, address: &Address) -> bool {
    key.addresses.iter().any(|named| named == address)
}

fn remark(key: &Inspected, address: &Address) -> Option<String> {
    let text = || {
        let Inspected { fingerprint, addresses, .. } = key;
        format!("the certificate {fingerprint} does not name {address}, but {}", listed(addresses))
    };
    (!names(key, address)).then(text)
}

fn check_names(key: &Inspected, address: &Address) -> Result<(), RegistryError> {
    if names(key, address) {
        return Ok(());
    }
    Err(invalid(format!(
        "no user id of the certificate {} names {address}, only {}; is it the right one?",
        key.fingerprint,
        listed(&key.addresses)
    )))
}

/// Whoever fetches the certificate of an alias reads all of its user ids.
async fn check_for_alias<R: Registry>(
    registry: &R,
    account: AccountId,
    alias: &Address,
    key: &Inspected,
) -> Result<(), RegistryError> {
    for named in key.addresses.iter().filter(|named| *named != alias) {
        if is_mailbox(registry, account, named).await? {
            return Err(invalid(format!(
                "a user id of the certificate {} names the mailbox {named}, and the certificate of an alias is \
                 published; give the alias a certificate of its own",
                key.fingerprint
            )));
        }
    }
    check_names(key, alias)
}

/// The certificate of an alias is published, and its key leads to whatever other address has it.
async fn check_shared<R: Registry>(
    registry: &R,
    account: AccountId,
    address: &Address,
    holder: Holder,
    found: &[Inspected],
) -> Result<(), RegistryError> {
    let fetch = async |page: &Page| registry.keys(account, None, page).await;
    each_page(fetch, |rows| rows.iter().try_for_each(|there| check_apart(there, address, holder, found)))
        .await
}

fn check_apart(
    there: &Key,
    address: &Address,
    holder: Holder,
    found: &[Inspected],
) -> Result<(), RegistryError> {
    let ties = match (holder, there.holder) {
        (Holder::Alias, Holder::Alias | Holder::Mailbox) | (Holder::Mailbox, Holder::Alias) => true,
        (Holder::Mailbox | Holder::Contact, _) | (Holder::Alias, Holder::Contact) => false,
    };
    let is_same = || found.iter().any(|key| key.fingerprint == there.fingerprint);
    let is_elsewhere = || there.address.parse::<Address>().ok().as_ref() != Some(address);
    if !ties || !is_same() || !is_elsewhere() {
        return Ok(());
    }
    Err(invalid(format!(
        "the certificate {} is that of {} as well, and the certificate of an alias is published: whoever sees both knows that \
         they are yours; make a key of its own for each alias",
        there.fingerprint, there.address
    )))
}

/// Also with a `+tag`.
async fn is_mailbox<R: Registry>(
    registry: &R,
    account: AccountId,
    named: &Address,
) -> Result<bool, RegistryError> {
    for address in [Some(named), named.without_tag().as_ref()].into_iter().flatten() {
        match registry.key_holder(account, address).await {
            Ok(Holder::Mailbox) => return Ok(true),
            Ok(Holder::Alias | Holder::Contact) | Err(RegistryError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn listed(addresses: &[Address]) -> String {
    if addresses.is_empty() {
        return "no address at all".to_owned();
    }
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn consequence(removed: &RemovedKey) -> Option<String> {
    let address = &removed.key.address;
    match (removed.key.holder, removed.left) {
        (Holder::Mailbox, 0) => Some(format!(
            "it was the last one of the mailbox: mail to {address} is NOT encrypted from now on"
        )),
        (Holder::Contact, 0) => Some(format!(
            "it was the last one of the contact: replies to {address} may leave in the clear from now on"
        )),
        (Holder::Alias, _) => Some("it is no longer published".to_owned()),
        (Holder::Mailbox | Holder::Contact, _) => None,
    }
}

#[cfg(test)]
mod tests;

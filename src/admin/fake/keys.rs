//! The registry's certificates, and an OpenPGP that reads certificates of one line each.

use super::{Answer, Rows, missing, owned};
use crate::admin::RegistryError;
use crate::admin::records::{Holder, Key, KeyOrigin, RemovedKey};
use crate::mail::{Address, Timestamp};
use crate::relay::alias::AccountId;
use crate::relay::openpgp::{Certificate, CertificateId, Fingerprint, Inspected, Origin, Unusable};
use crate::relay::ports::{Content, OpenPgp};

impl Rows {
    pub(super) fn key_holder(&self, account: AccountId, address: &Address) -> Answer<Holder> {
        let name = address.as_normal();
        if owned(&self.mailboxes, account).any(|mailbox| mailbox.address == name) {
            return Ok(Holder::Mailbox);
        }
        if owned(&self.aliases, account).any(|alias| alias.address == name) {
            return Ok(Holder::Alias);
        }
        let is_ours = owned(&self.domains, account).any(|domain| domain.name == address.host().as_str());
        if is_ours { Err(missing("alias", name)) } else { Ok(Holder::Contact) }
    }

    pub(super) fn add_key(
        &mut self,
        account: AccountId,
        address: &Address,
        key: &Inspected,
        origin: Origin,
        created_at: Timestamp,
    ) -> Answer<Key> {
        let added = Key {
            id: CertificateId(self.next_id()),
            address: address.as_normal().to_owned(),
            holder: self.key_holder(account, address)?,
            fingerprint: key.fingerprint.clone(),
            origin: KeyOrigin::from(origin),
            mutual: None,
            expires_at: key.expires_at,
            created_at,
        };
        self.keys.retain(|(of, there)| {
            *of != account || there.address != added.address || there.fingerprint != added.fingerprint
        });
        self.keys.push((account, added.clone()));
        Ok(added)
    }

    pub(super) fn remove_key(
        &mut self,
        account: AccountId,
        address: Option<&Address>,
        fingerprint: &Fingerprint,
    ) -> Answer<RemovedKey> {
        let is_meant = |key: &&Key| {
            key.fingerprint == *fingerprint
                && address.is_none_or(|address| key.address == address.as_normal())
        };
        let meant: Vec<Key> = owned(&self.keys, account).filter(is_meant).cloned().collect();
        let key = match <[Key; 1]>::try_from(meant) {
            Ok([key]) => key,
            Err(none) if none.is_empty() => return Err(missing("key", fingerprint.as_str())),
            Err(_) => {
                let (what, name) = ("key", fingerprint.to_string());
                return Err(RegistryError::Conflict {
                    what,
                    name,
                    why: "is that of several addresses".to_owned(),
                });
            }
        };
        self.keys.retain(|(_, there)| there.id != key.id);
        let left = owned(&self.keys, account).filter(|there| there.address == key.address).count();
        Ok(RemovedKey { key, left })
    }
}

/// Reads certificates of one line each: a digit that its fingerprint is made of, and the addresses that it names. A line
/// that begins with anything else is a certificate that cannot be used.
pub(crate) struct FakePgp;

impl OpenPgp for FakePgp {
    fn inspect(&self, file: &[u8], _: Timestamp) -> Result<Vec<Inspected>, Unusable> {
        let text = String::from_utf8_lossy(file);
        let found = text.lines().map(inspected).collect::<Result<Vec<_>, _>>()?;
        if found.is_empty() { Err(Unusable("there is no certificate in it".to_owned())) } else { Ok(found) }
    }

    fn check(&self, _: &[Certificate], _: Timestamp) -> Result<(), Unusable> {
        Ok(())
    }

    fn encrypt(&self, content: &Content, _: &[Certificate], _: Timestamp) -> Result<Content, Unusable> {
        Ok(content.clone())
    }
}

fn inspected(line: &str) -> Result<Inspected, Unusable> {
    let mut words = line.split(' ');
    let digit = words.next().unwrap_or_default();
    let fingerprint =
        Fingerprint::parse(&digit.repeat(40)).ok_or_else(|| Unusable(format!("{line:?} has expired")))?;
    let addresses = words.map(|word| word.parse().unwrap()).collect();
    Ok(Inspected { fingerprint, addresses, expires_at: None, data: line.as_bytes().to_vec() })
}

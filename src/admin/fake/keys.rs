//! The registry's certificates.

use super::{Answer, Rows, missing, owned};
use crate::admin::RegistryError;
use crate::admin::records::{Holder, Key, KeyOrigin, RemovedKey};
use crate::mail::{Address, Timestamp};
use crate::relay::alias::AccountId;
use crate::relay::openpgp::{CertificateId, Fingerprint, Inspected, Origin};

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

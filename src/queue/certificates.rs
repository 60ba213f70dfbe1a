//! Certificates of contacts that come without an order: with a message (Autocrypt), or from the contact's domain (WKD).
//!
//! Neither decides whether a message is taken. What is kept here decides later ones (`protect`), so each is told from
//! something proven: an author's certificate from a message whose author is proven, a contact's from its domain over
//! verified TLS.

use std::sync::Arc;

use crate::mail::{Address, Message, autocrypt};
use crate::relay::alias::AccountId;
use crate::relay::keyring;
use crate::relay::openpgp::{Certificate, Origin};
use crate::relay::ports::{Directory as _, KeyDiscovery as _, KeyWatch as _, OpenPgp as _, Unavailable};

use super::station::{Ports, Station};

impl<P: Ports> Station<P> {
    /// Keeps what the author of a message sends along. The author must be proven.
    pub(super) async fn harvest(&self, message: &Message, author: &Address, account: AccountId) {
        if !self.policy.autocrypt {
            return;
        }
        let now = self.now();
        let Some(harvest) = autocrypt::harvest(message, author, now) else { return };
        match keyring::usable_for(&*self.openpgp, &harvest.keydata, author, now) {
            Ok(found) => {
                // Autocrypt Level 1, section 2.1: one certificate and nothing else.
                let [only] = found.as_slice() else { return };
                let kept = self.keywatch.harvest(account, author, only, harvest.mutual, harvest.date).await;
                if let Err(error) = kept {
                    tracing::warn!(%error, "a certificate that came with a message is not kept");
                }
            }
            Err(why) => tracing::debug!(%why, "a certificate that came with a message is of no use"),
        }
    }

    /// Asks a contact's domain for certificates when there are none, or when those that it gave before cannot be used any
    /// more. A domain that says over verified TLS that there is none any more is believed, and what it gave before goes; one that
    /// cannot be asked, or gives something of no use, changes nothing. Most replies ask nothing: what was found is kept, and so is, for a day, that there was nothing.
    pub(super) async fn look_for_certificates(
        &self,
        account: AccountId,
        contact: &Address,
    ) -> Result<(), Unavailable> {
        if !self.policy.wkd {
            return Ok(());
        }
        let certificates = self.directory.certificates(account, contact).await?;
        let are_theirs = certificates.iter().all(|one: &Certificate| one.origin != Origin::Imported);
        let can_be_used = certificates.iter().any(Certificate::is_binding)
            && self.openpgp.check(&certificates, self.now()).is_ok();
        if !are_theirs || can_be_used {
            return Ok(());
        }
        match self.discovery.discover(contact).await {
            Ok(file) if file.is_empty() && !certificates.iter().any(|one| one.origin == Origin::Wkd) => {
                Ok(())
            }
            Ok(file) => self.keep(account, contact, &file).await,
            Err(why) => {
                // It names the contact's domain.
                tracing::debug!(%why, "a contact's domain cannot be asked for its certificate");
                Ok(())
            }
        }
    }

    async fn keep(&self, account: AccountId, contact: &Address, file: &[u8]) -> Result<(), Unavailable> {
        let now = self.now();
        let (openpgp, file, address) = (Arc::clone(&self.openpgp), file.to_vec(), contact.clone());
        let inspect = move || keyring::usable_for(&*openpgp, &file, &address, now);
        // A panic in there has been reported; what was found is not kept.
        let Ok(found) = tokio::task::spawn_blocking(inspect).await else { return Ok(()) };
        match found {
            // Also nothing: then the domain has taken back what it gave before.
            Ok(found) => self.keywatch.keep_found(account, contact, &found, now).await,
            Err(why) => {
                tracing::info!(%why, "what a contact's domain gives as its certificate is of no use");
                Ok(())
            }
        }
    }
}

//! The last step before a delivery leaves: encrypted, or not sent.
//!
//! **Nothing is handed to a transport but what went through here** ([`Protected`]). What a delivery's address demands is
//! asked of the directory when it is sent, not when it was accepted: a mailbox that got its first certificate while a
//! message waited for it in the queue gets that message encrypted, and one whose certificate ran out meanwhile does not get
//! it at all. A failure, whatever it is, is a failure for now: the delivery stays where it is, with its sender or in the
//! queue, and the owner is told. The exception are certificates from `Autocrypt` fields, which bind nobody.

use std::sync::Arc;
use std::time::Duration;

use crate::mail::{Address, Timestamp};
use crate::relay::openpgp::{Certificate, Demand, LookedUp, Privacy, Reader, Unusable};
use crate::relay::ports::{Content, Delivery, Directory as _, OpenPgp as _, Outcome, Transport, Unavailable};
use crate::relay::report::Direction;
use crate::smtp::{Failure, Words};

use super::letter::{About, Letter};
use super::memory;
use super::station::{Ports, Station};

/// What was known of certificates is as good as the directory's own answer for so long: its cache may be as old.
const STILL_KNOWN: Duration = Duration::from_secs(1);
/// From so many octets on, of a message or of its certificates, encrypting takes long enough to be in the way of other tasks.
const LARGE: usize = 128 * 1024;
const LARGE_CERTIFICATES: usize = 32 * 1024;
/// A failure that is nobody's fault and soon over: nobody is alarmed.
const NO_MEMORY: &str = "delivery.max_memory is used up";

/// Why [`Station::check_encryption`] says no.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoEncryption {
    /// It must be encrypted, and cannot be.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Nobody can say.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A delivery that may leave as it is.
#[derive(Debug)]
pub(super) struct Protected(Delivery);

impl Protected {
    /// Tries it once.
    pub(super) async fn send(self, transport: &impl Transport) -> Outcome {
        transport.deliver(self.0).await
    }
}

impl<P: Ports> Station<P> {
    /// Encrypts a delivery that must be. `composed_at` is when its privacy was looked up.
    ///
    /// # Errors
    /// When it must not leave now.
    pub(super) async fn protect(
        &self,
        delivery: Delivery,
        composed_at: Timestamp,
    ) -> Result<Protected, Failure> {
        self.encrypted_if_it_must(delivery, composed_at).await.map(Protected)
    }

    async fn encrypted_if_it_must(
        &self,
        delivery: Delivery,
        composed_at: Timestamp,
    ) -> Result<Delivery, Failure> {
        let Privacy::Asked { known, .. } = delivery.privacy else { return Ok(delivery) };
        if known == LookedUp::None && self.is_recent(composed_at) {
            return Ok(delivery);
        }
        let demand = self.demand(delivery.privacy, &delivery.to).await.map_err(|_| unknown_demand())?;
        if known == LookedUp::Some && demand == Demand::Nothing {
            return Err(unknown_demand());
        }
        match demand {
            Demand::Nothing => Ok(delivery),
            Demand::EncryptionIfPossible(certificates) => {
                let content = self.encrypt(&delivery.content, certificates).await;
                let content = content.unwrap_or_else(|_| delivery.content.clone());
                Ok(Delivery { content, ..delivery })
            }
            Demand::Encryption(certificates) => match self.encrypt(&delivery.content, certificates).await {
                Ok(content) => Ok(Delivery { content, ..delivery }),
                Err(why) if why.0 == NO_MEMORY => Err(local((4, 3, 1), why.0)),
                Err(why) => {
                    self.journal.not_encrypted(&delivery.id, &delivery.to, &why);
                    self.alarm(delivery.privacy, &delivery.to, &why).await;
                    Err(not_encrypted(&why))
                }
            },
        }
    }

    /// Whether what was known then is known still. A clock may have gone back meanwhile: then nobody can say.
    fn is_recent(&self, composed_at: Timestamp) -> bool {
        let now = self.now();
        composed_at <= now && now < composed_at.later_by(STILL_KNOWN)
    }

    /// The privacy of a letter from the queue. A row of before there was encryption says nothing of it: its alias tells whose
    /// certificates to ask. A mailbox that had certificates when the letter was composed may have none any more because its
    /// owner wants none, or because it was removed: only the first opens what waits.
    ///
    /// # Errors
    /// When nobody can tell now; also when the alias is gone, and nobody will.
    pub(super) async fn privacy_of(&self, letter: &Letter) -> Result<Privacy, Failure> {
        let Some(About { alias: Some((alias, _)), direction, .. }) = &letter.about else {
            return Ok(letter.privacy);
        };
        let owner = async || self.directory.alias_with_id(*alias).await.map_err(|_| unknown_demand());
        match letter.privacy {
            Privacy::Open => {
                let owner = owner().await?.ok_or_else(unknown_demand)?;
                let reader = if *direction == Direction::Reply { Reader::Contact } else { Reader::Mailbox };
                Ok(Privacy::unasked(owner.account, reader))
            }
            Privacy::Asked { account, reader, known: LookedUp::Some } => {
                let owner = owner().await?;
                let mailboxes = owner.iter().flat_map(|owner| &owner.mailboxes);
                let is_there = mailboxes.into_iter().any(|mailbox| mailbox.address == letter.to);
                let known = if is_there { LookedUp::Unasked } else { LookedUp::Some };
                Ok(Privacy::Asked { account, reader, known })
            }
            known => Ok(known),
        }
    }

    /// Whether [`Self::protect`] would find what it needs; tells the owner if it would not.
    pub(super) async fn check_encryption(&self, privacy: Privacy, to: &Address) -> Result<(), NoEncryption> {
        let Privacy::Asked { known, .. } = privacy else { return Ok(()) };
        if known == LookedUp::None {
            return Ok(());
        }
        let certificates = match self.demand(privacy, to).await? {
            Demand::Encryption(certificates) => certificates,
            // Two answers from before and after a change; soon they agree.
            _ if known == LookedUp::Some => {
                return Err(Unavailable("the certificates of a mailbox are being changed".to_owned()).into());
            }
            Demand::Nothing | Demand::EncryptionIfPossible(_) => return Ok(()),
        };
        let checked = self.openpgp.check(&certificates, self.now());
        if let Err(why) = &checked {
            self.alarm(privacy, to, why).await;
        }
        Ok(checked?)
    }

    /// What the certificates of an address demand now.
    pub(super) async fn demand(&self, privacy: Privacy, to: &Address) -> Result<Demand, Unavailable> {
        let Privacy::Asked { account, reader, .. } = privacy else { return Ok(Demand::Nothing) };
        let certificates = self.directory.certificates(account, to).await?;
        Ok(Demand::of(&certificates, reader))
    }

    async fn encrypt(&self, content: &Content, certificates: Vec<Certificate>) -> Result<Content, Unusable> {
        // Nobody waits for memory who holds some.
        let size = encrypted_size(content.body.len());
        let reservation = self.memory.reserve(size).ok_or_else(|| Unusable(NO_MEMORY.to_owned()))?;
        let now = self.now();
        let encrypted = if takes_long(content, &certificates) {
            let (openpgp, content) = (Arc::clone(&self.openpgp), content.clone());
            let work = move || openpgp.encrypt(&content, &certificates, now);
            let broken = |_| Err(Unusable("the encryption was broken off".to_owned()));
            tokio::task::spawn_blocking(work).await.unwrap_or_else(broken)
        } else {
            self.openpgp.encrypt(content, &certificates, now)
        };
        self.journal.encryption(&encrypted);
        encrypted.map(|content| Content { body: memory::hold(content.body, reservation), ..content })
    }
}

/// Base64 makes four of three octets and adds a line end to each line.
fn encrypted_size(plain: usize) -> u64 {
    let plain = u64::try_from(plain).unwrap_or(u64::MAX);
    plain.saturating_add(plain / 2)
}

fn takes_long(content: &Content, certificates: &[Certificate]) -> bool {
    let of_certificates: usize = certificates.iter().map(|certificate| certificate.data.len()).sum();
    content.body.len() >= LARGE || of_certificates >= LARGE_CERTIFICATES
}

fn unknown_demand() -> Failure {
    local((4, 3, 0), "the certificates of the recipient cannot be looked up now".to_owned())
}

/// RFC 3463, section 3.8: 7.5 is a cryptographic failure.
fn not_encrypted(why: &Unusable) -> Failure {
    local((4, 7, 5), format!("the message cannot be encrypted: {why}"))
}

fn local(enhanced: (u8, u16, u16), text: String) -> Failure {
    Failure { code: 451, enhanced, text, words: Words::Ours, host: None }
}

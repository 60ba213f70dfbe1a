//! What the business knows of OpenPGP: certificates, whose they are, and why one cannot be used.
//!
//! The cryptography is behind the port [`super::ports::OpenPgp`]. aliasd holds certificates (public keys) only, never a
//! user's private key. A certificate belongs to an address within an account: to a mailbox (everything that goes to it is
//! encrypted), to a contact (replies to it are) or to an alias (published, so that senders can encrypt for its owner).

use std::fmt;
use std::sync::Arc;

use super::alias::AccountId;
use crate::mail::{Address, Timestamp};

/// Names the row of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct CertificateId(pub i64);

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a certificate: its fingerprint in upper-case hexadecimal digits (40 for version 4, 64 for version 6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Reads hexadecimal digits in any case, with spaces between them as programs show them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
        let is_whole = matches!(digits.len(), 40 | 64) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_whole.then_some(Self(digits))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How we came by a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Its account has put it in: nothing goes to its address that is not encrypted.
    Imported,
    /// Found in the Web Key Directory of its address's domain: as good as imported.
    Wkd,
    /// From an `Autocrypt` field of a message whose author was proven. Used only while it can be used, and only when its
    /// owner prefers encryption (`prefer-encrypt=mutual`).
    Autocrypt {
        /// Whether its owner prefers encryption.
        mutual: bool,
    },
}

/// Octets of the largest certificate that is taken from anybody: it is read again with every message for its address.
pub const LARGEST_CERTIFICATE: usize = 128 * 1024;

/// A certificate (transferable public key, RFC 9580, section 10.1) as the tables have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// Binary, not armored.
    pub data: Arc<[u8]>,
    /// How we came by it.
    pub origin: Origin,
}

impl Certificate {
    /// Whether nothing may go to its address unencrypted because it is there.
    #[must_use]
    pub fn is_binding(&self) -> bool {
        matches!(self.origin, Origin::Imported | Origin::Wkd)
    }
}

/// Who reads what goes to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The owner of a mailbox.
    Mailbox,
    /// Somebody outside.
    Contact,
}

/// What a look-up of the address has said of its certificates, when a delivery was composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookedUp {
    /// There are none that bind.
    None,
    /// There are some that bind.
    Some,
    /// It was not asked.
    Unasked,
}

/// What is known, when a delivery is composed, of whether it must be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Privacy {
    /// Nobody has certificates for its address: it goes to those who run this server, or to a stranger.
    #[default]
    Open,
    /// The certificates that the account has for its address decide, as they are when it is sent.
    Asked {
        /// Whose certificates.
        account: AccountId,
        /// What the address is to the account.
        reader: Reader,
        /// What was known when it was composed.
        known: LookedUp,
    },
}

impl Privacy {
    /// Nobody has looked yet.
    #[must_use]
    pub fn unasked(account: AccountId, reader: Reader) -> Self {
        Self::Asked { account, reader, known: LookedUp::Unasked }
    }
}

/// What certificates demand of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// To be encrypted to these, or not to be sent.
    Encryption(Vec<Certificate>),
    /// To be encrypted to these when they can be used.
    EncryptionIfPossible(Vec<Certificate>),
}

impl Demand {
    /// What these certificates demand of what goes to such a reader. What an Autocrypt field brought counts only for
    /// contacts, and only without better certificates.
    #[must_use]
    pub fn of(certificates: &[Certificate], reader: Reader) -> Self {
        let those = |which: fn(&Certificate) -> bool| -> Vec<_> {
            certificates.iter().filter(|one| which(one)).cloned().collect()
        };
        let binding = those(Certificate::is_binding);
        if !binding.is_empty() {
            return Self::Encryption(binding);
        }
        let wanted = those(|one| one.origin == Origin::Autocrypt { mutual: true });
        if wanted.is_empty() || reader == Reader::Mailbox {
            return Self::Nothing;
        }
        Self::EncryptionIfPossible(wanted)
    }
}

/// A certificate that was read, and can be encrypted to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// The addresses that its valid user ids name.
    pub addresses: Vec<Address>,
    /// From then on it cannot be encrypted to.
    pub expires_at: Option<Timestamp>,
    /// Binary, without anything that is secret or of no use for encryption.
    pub data: Vec<u8>,
}

/// Why something cannot be encrypted, or a certificate cannot be taken. The text is for people: what was found and what to
/// do. It names fingerprints and times, no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(origin: Origin) -> Certificate {
        let fingerprint = Fingerprint::parse(&"a".repeat(40)).unwrap();
        Certificate { fingerprint, data: Arc::from(*b"x"), origin }
    }

    #[test]
    fn certificates_demand_what_they_are_worth() {
        let mutual = certificate(Origin::Autocrypt { mutual: true });
        let shy = certificate(Origin::Autocrypt { mutual: false });
        let (imported, found) = (certificate(Origin::Imported), certificate(Origin::Wkd));
        for reader in [Reader::Mailbox, Reader::Contact] {
            assert_eq!(Demand::of(&[], reader), Demand::Nothing);
            assert_eq!(Demand::of(std::slice::from_ref(&shy), reader), Demand::Nothing);
            let all = [mutual.clone(), imported.clone(), found.clone()];
            let binding = vec![imported.clone(), found.clone()];
            assert_eq!(Demand::of(&all, reader), Demand::Encryption(binding));
        }
        let both = [shy, mutual.clone()];
        assert_eq!(Demand::of(&both, Reader::Mailbox), Demand::Nothing);
        assert_eq!(Demand::of(&both, Reader::Contact), Demand::EncryptionIfPossible(vec![mutual]));
    }

    #[test]
    fn fingerprints_are_read_as_programs_show_them() {
        let digits = "0123456789ABCDEF0123456789ABCDEF01234567";
        let shown = "0123 4567 89ab cdef 0123  4567 89AB CDEF 0123 4567";
        assert_eq!(Fingerprint::parse(shown).unwrap().as_str(), digits);
        assert!(Fingerprint::parse(&"a".repeat(64)).is_some());
        for wrong in ["", "0123", &"g".repeat(40), &"a".repeat(41), &"\u{e9}".repeat(20)] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}

//! Which keys of a certificate a message can be encrypted to at a given time, and why there are none.
//!
//! The rules are sequoia's standard policy as of that time: self-signatures made with MD5 or (since 2023) SHA-1 do
//! not count, nor do RSA keys below 2048 bits or ElGamal keys. A key counts when its certificate and it itself have
//! begun, have not expired and are not revoked, its algorithm is known here, and it is marked for encrypting
//! communications or storage (RFC 9580, section 5.2.3.29): mail is both.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sequoia_openpgp::Cert;
use sequoia_openpgp::cert::amalgamation::ValidAmalgamation;
use sequoia_openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation;
use sequoia_openpgp::cert::{Preferences, ValidCert};
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::packet::{Signature, Tag};
use sequoia_openpgp::policy::{AsymmetricAlgorithm, StandardPolicy};
use sequoia_openpgp::types::{HashAlgorithm, PublicKeyAlgorithm, ReasonForRevocation, RevocationStatus};

use crate::mail::{Address, Timestamp};
use crate::relay::openpgp::Unusable;

/// One key of a certificate that holds at a time.
pub(super) type Key<'c> = ValidErasedKeyAmalgamation<'c, PublicParts>;

/// What counts at a point in time.
pub(super) struct Rules {
    policy: StandardPolicy<'static>,
    at: SystemTime,
}

impl Rules {
    pub(super) fn at(now: Timestamp) -> Self {
        let at = system_time(now);
        Self { policy: StandardPolicy::at(at), at }
    }

    /// The keys of a certificate that can be encrypted to: at least one.
    pub(super) fn encryption_keys<'c>(&'c self, cert: &'c Cert) -> Result<EncryptionKeys<'c>, Defect> {
        let valid = self.valid(cert)?;
        let keys: Vec<Key<'c>> = valid
            .keys()
            .supported()
            .alive()
            .revoked(false)
            .for_transport_encryption()
            .for_storage_encryption()
            .collect();
        if keys.is_empty() { Err(self.why_no_key(cert)) } else { Ok(EncryptionKeys { valid, keys }) }
    }

    /// The certificate as a whole: signed by itself, begun, not expired, not revoked.
    fn valid<'c>(&'c self, cert: &'c Cert) -> Result<ValidCert<'c>, Defect> {
        if let RevocationStatus::Revoked(by) = cert.revocation_status(&self.policy, self.at) {
            return Err(Defect::Revoked(reason(&by)));
        }
        let valid = cert.with_policy(&self.policy, self.at).map_err(|_| self.why_not_valid(cert))?;
        match valid.alive() {
            Ok(()) => Ok(valid),
            Err(_) => Err(Defect::Expired(end_of(&valid.primary_key().into()).unwrap_or(self.at))),
        }
    }

    fn why_not_valid(&self, cert: &Cert) -> Defect {
        let primary = cert.primary_key();
        let algorithm = primary.key().pk_algo();
        if primary.key().creation_time() > self.at {
            Defect::NotYet(primary.key().creation_time())
        } else if !algorithm.is_supported() {
            Defect::Unsupported(algorithm)
        } else if cert.with_policy(&self.lenient(), self.at).is_ok() {
            Defect::Weak
        } else {
            Defect::Unsigned
        }
    }

    /// What is wrong with the newest key that is meant for encryption.
    fn why_no_key(&self, cert: &Cert) -> Defect {
        let lenient = self.lenient();
        let meant = cert
            .keys()
            .with_policy(&lenient, self.at)
            .for_transport_encryption()
            .for_storage_encryption()
            .max_by_key(|key| (key.key().creation_time(), end_of(key)));
        let Some(key) = meant else { return Defect::NoEncryptionKey };
        let algorithm = key.key().pk_algo();
        if let RevocationStatus::Revoked(by) = key.revocation_status() {
            Defect::KeyRevoked(reason(&by))
        } else if key.alive().is_err() {
            Defect::KeyExpired(end_of(&key).unwrap_or(self.at))
        } else if cert
            .keys()
            .supported()
            .all(|supported| supported.key().fingerprint() != key.key().fingerprint())
        {
            Defect::KeyUnsupported(algorithm)
        } else {
            Defect::KeyWeak
        }
    }

    /// What counted once. Only for finding out why something no longer does.
    fn lenient(&self) -> StandardPolicy<'static> {
        let mut policy = StandardPolicy::at(self.at);
        for hash in [HashAlgorithm::MD5, HashAlgorithm::SHA1, HashAlgorithm::RipeMD] {
            policy.accept_hash(hash);
        }
        for algorithm in AsymmetricAlgorithm::variants() {
            policy.accept_asymmetric_algo(algorithm);
        }
        policy.accept_packet_tag_version(Tag::Signature, 3);
        policy
    }
}

/// The keys of one certificate that can be encrypted to.
pub(super) struct EncryptionKeys<'c> {
    valid: ValidCert<'c>,
    keys: Vec<Key<'c>>,
}

impl<'c> EncryptionKeys<'c> {
    pub(super) fn keys(&self) -> &[Key<'c>] {
        &self.keys
    }

    /// Whether all programs of its owner read version 2 of the encrypted data packet (RFC 9580, section 5.2.3.32): they
    /// say so, and a program that reads a certificate of version 6 does.
    pub(super) fn take_version_2(&self) -> bool {
        let is_v6 = self.valid.cert().primary_key().key().version() == 6;
        is_v6 && self.valid.features().is_some_and(|features| features.supports_seipdv2())
    }

    /// From then on none of the keys can be encrypted to.
    pub(super) fn end(&self) -> Option<Timestamp> {
        let primary = end_of(&self.valid.primary_key().into());
        // A key without an end outlives all others.
        let ends: Option<Vec<SystemTime>> = self.keys.iter().map(end_of).collect();
        let keys = ends.and_then(|ends| ends.into_iter().max());
        earlier(primary, keys).map(timestamp)
    }

    /// The addresses in user ids that hold and are not revoked, each once.
    pub(super) fn addresses(&self) -> Vec<Address> {
        let mut addresses: Vec<Address> = Vec::new();
        for user_id in self.valid.userids().revoked(false) {
            let address = user_id.userid().email().ok().flatten().and_then(|text| Address::parse(text).ok());
            if let Some(address) = address.filter(|address| !addresses.contains(address)) {
                addresses.push(address);
            }
        }
        addresses
    }
}

/// When a key ends: at its own expiry, or when the signature that binds it ends.
fn end_of(key: &Key<'_>) -> Option<SystemTime> {
    earlier(key.key_expiration_time(), key.binding_signature().signature_expiration_time())
}

fn earlier(one: Option<SystemTime>, other: Option<SystemTime>) -> Option<SystemTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn reason(revocations: &[&Signature]) -> ReasonForRevocation {
    let given = revocations.iter().find_map(|signature| signature.reason_for_revocation());
    given.map_or(ReasonForRevocation::Unspecified, |(code, _)| code)
}

/// Why a certificate cannot be encrypted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// No self-signature holds.
    Unsigned,
    /// Made in the future.
    NotYet(SystemTime),
    /// Only by rules of the past.
    Weak,
    Unsupported(PublicKeyAlgorithm),
    Expired(SystemTime),
    Revoked(ReasonForRevocation),
    NoEncryptionKey,
    KeyExpired(SystemTime),
    KeyRevoked(ReasonForRevocation),
    KeyWeak,
    KeyUnsupported(PublicKeyAlgorithm),
}

impl Defect {
    pub(super) fn of(self, cert: &Cert) -> Unusable {
        Unusable(format!("certificate {}: {self}", cert.fingerprint().to_hex()))
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("none of its own signatures holds; export it again, whole"),
            Self::NotYet(from) => {
                write!(f, "it begins only at {}; see whether the clocks are right", shown(*from))
            }
            Self::Weak => f.write_str(
                "it rests on SHA-1, MD5 or a key that is too short, which can be forged today; make a new one, or \
                 extend it with a current program, which signs it anew",
            ),
            Self::Unsupported(algorithm) => {
                write!(f, "its algorithm ({algorithm}) is not supported here; make one with RSA or Curve25519")
            }
            Self::Expired(at) => {
                write!(f, "it expired at {}; extend it (gpg --quick-set-expire) and import it again", shown(*at))
            }
            Self::Revoked(reason) => write!(f, "it was revoked ({reason}); import the one that replaces it"),
            Self::NoEncryptionKey => f.write_str(
                "it has no key for encryption, only for signing; add one (gpg --quick-add-key) and import it again",
            ),
            Self::KeyExpired(at) => write!(
                f,
                "its encryption key expired at {}; extend that (gpg --quick-set-expire FINGERPRINT 2y '*') and \
                 import it again",
                shown(*at)
            ),
            Self::KeyRevoked(reason) => write!(
                f,
                "its encryption key was revoked ({reason}); add one (gpg --quick-add-key) and import it again"
            ),
            Self::KeyWeak => f.write_str(
                "its encryption key is too short, or bound by SHA-1 or MD5; add one with a current program and \
                 import it again",
            ),
            Self::KeyUnsupported(algorithm) => write!(
                f,
                "the algorithm of its encryption key ({algorithm}) is not supported here; add one with RSA or \
                 Curve25519 and import it again"
            ),
        }
    }
}

fn shown(at: SystemTime) -> String {
    timestamp(at).to_rfc3339()
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.as_millis().unsigned_abs())
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

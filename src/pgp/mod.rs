//! OpenPGP with sequoia: certificates are judged, and messages encrypted to them as PGP/MIME with protected header
//! fields.
//!
//! [`Engine`] implements the port [`OpenPgp`]. It works with public keys only and waits for nothing; what it costs is
//! in proportion to the message. It makes no decision about mail: which certificates count for a recipient, and what
//! becomes of a message that cannot be encrypted, is the business of its callers.
//!
//! - `inspect`: what a person or a directory hands over, read strictly and stripped.
//! - `certs`: which keys of a certificate can be encrypted to at a time, and why there are none.
//! - `encrypt`: a message becomes `multipart/encrypted` (RFC 3156).
//! - `header_protection`: which fields are inside and which outside (RFC 9788).
//! - `already`: whether a message is wholly encrypted as it came; `ciphertext` tells by the form.
//! - `armor`: ASCII armor with the line ends of mail. `cache`: certificates that were parsed.
//! - `publish` ([`naming_only`], [`share_a_key`]): a certificate with the user ids of one address alone, and what else ties it
//!   to another.
//!
//! **Fail closed.** Every failure is an [`Unusable`]; no path returns the clear message. In doubt whether something is
//! encrypted already, it is encrypted. Texts of errors name fingerprints, times and algorithms, never an address.

mod already;
mod armor;
mod cache;
mod certs;
mod ciphertext;
mod encrypt;
mod header_protection;
mod inspect;
mod publish;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sequoia_openpgp::Cert;

use crate::mail::Timestamp;
use crate::relay::openpgp::{Certificate, Inspected, Unusable};
use crate::relay::ports::{Content, OpenPgp};

use cache::Parsed;
use certs::{EncryptionKeys, Rules};
use header_protection::OuterSubject;

pub use publish::{naming_only, share_a_key};

/// Encrypts with sequoia. One serves a whole daemon, from any number of threads.
#[derive(Debug)]
pub struct Engine {
    subject: OuterSubject,
    parsed: Parsed,
}

impl Engine {
    /// `hide_subject`: the subject is inside what is encrypted only (`pgp.hide_subject`).
    #[must_use]
    pub fn new(hide_subject: bool) -> Self {
        let subject = if hide_subject { OuterSubject::Hidden } else { OuterSubject::Shown };
        Self { subject, parsed: Parsed::default() }
    }

    /// The certificates, parsed; those that cannot be used are told in `defects`.
    fn parse(&self, certificates: &[Certificate], defects: &mut Vec<Unusable>) -> Vec<Arc<Cert>> {
        let parsed = certificates.iter().filter_map(|certificate| match self.parsed.get(certificate) {
            Ok(cert) => Some(cert),
            Err(defect) => {
                defects.push(defect);
                None
            }
        });
        parsed.collect()
    }

    /// Does something with the keys of all certificates that can be encrypted to.
    fn with_keys<T>(
        &self,
        certificates: &[Certificate],
        now: Timestamp,
        work: impl FnOnce(&[EncryptionKeys<'_>]) -> Result<T, Unusable>,
    ) -> Result<T, Unusable> {
        let mut defects = Vec::new();
        let certs = self.parse(certificates, &mut defects);
        let rules = Rules::at(now);
        let mut usable = Vec::with_capacity(certs.len());
        for cert in &certs {
            match rules.encryption_keys(cert) {
                Ok(keys) => usable.push(keys),
                Err(defect) => defects.push(defect.of(cert)),
            }
        }
        if usable.is_empty() { Err(none_usable(&defects)) } else { work(&usable) }
    }
}

impl OpenPgp for Engine {
    fn inspect(&self, file: &[u8], now: Timestamp) -> Result<Vec<Inspected>, Unusable> {
        inspect::inspect(file, now)
    }

    fn check(&self, certificates: &[Certificate], now: Timestamp) -> Result<(), Unusable> {
        self.with_keys(certificates, now, |_| Ok(()))
    }

    fn encrypt(
        &self,
        content: &Content,
        certificates: &[Certificate],
        now: Timestamp,
    ) -> Result<Content, Unusable> {
        if already::is_encrypted(content) {
            return Ok(content.clone());
        }
        self.with_keys(certificates, now, |keys| encrypt::encrypt(content, keys, self.subject))
    }
}

fn none_usable(defects: &[Unusable]) -> Unusable {
    if defects.is_empty() {
        return Unusable("there is no certificate to encrypt to; import one".to_owned());
    }
    let reasons: Vec<&str> = defects.iter().map(|defect| defect.0.as_str()).collect();
    Unusable(reasons.join("; "))
}

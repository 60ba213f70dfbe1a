//! Certificates that were parsed, so that those in use are not parsed (and their signatures checked) for every message.
//!
//! Two generations: what is used moves to the young one; when that is full it becomes the old one, and what was old and
//! not used since is forgotten. Holds at most `MAX_CERTIFICATES` certificates and `MAX_OCTETS` of their data twice.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use parking_lot::Mutex;
use sequoia_openpgp::Cert;
use sequoia_openpgp::parse::Parse;

use crate::relay::openpgp::{Certificate, Fingerprint, Unusable};

/// Most certificates of a generation.
const MAX_CERTIFICATES: usize = 256;
/// Most octets of the data that a generation was parsed from. Parsed it takes several times as much.
const MAX_OCTETS: usize = 1024 * 1024;

/// By digest as well: a certificate keeps its fingerprint when it is extended or revoked.
type Name = (Fingerprint, [u8; SHA256_OUTPUT_LEN]);

/// The cache.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Name, Arc<Cert>>,
    old: HashMap<Name, Arc<Cert>>,
    /// Of the data that the young one was parsed from.
    octets: usize,
}

impl Parsed {
    /// The certificate, parsed now or before.
    ///
    /// # Errors
    /// When the data is no certificate, or one with another fingerprint.
    pub(super) fn get(&self, certificate: &Certificate) -> Result<Arc<Cert>, Unusable> {
        let name = name(certificate);
        if let Some(cert) = self.generations.lock().find(&name, certificate.data.len()) {
            return Ok(cert);
        }
        let cert = Arc::new(parse(certificate)?);
        self.generations.lock().insert(name, Arc::clone(&cert), certificate.data.len());
        Ok(cert)
    }
}

impl Generations {
    fn find(&mut self, name: &Name, octets: usize) -> Option<Arc<Cert>> {
        if let Some(cert) = self.young.get(name) {
            return Some(Arc::clone(cert));
        }
        let cert = self.old.remove(name)?;
        self.insert(name.clone(), Arc::clone(&cert), octets);
        Some(cert)
    }

    fn insert(&mut self, name: Name, cert: Arc<Cert>, octets: usize) {
        if self.young.len() >= MAX_CERTIFICATES || self.octets + octets > MAX_OCTETS {
            self.old = std::mem::take(&mut self.young);
            self.octets = 0;
        }
        if self.young.insert(name, cert).is_none() {
            self.octets += octets;
        }
    }
}

fn name(certificate: &Certificate) -> Name {
    let digest = digest(&SHA256, &certificate.data);
    let mut octets = [0; SHA256_OUTPUT_LEN];
    octets.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    (certificate.fingerprint.clone(), octets)
}

fn parse(certificate: &Certificate) -> Result<Cert, Unusable> {
    let damaged = |found: &str| {
        Unusable(format!("certificate {}: {found}; remove it and import it again", certificate.fingerprint))
    };
    let cert = Cert::from_bytes(&certificate.data).map_err(|_| damaged("what is stored cannot be read"))?;
    if cert.fingerprint().to_hex() == certificate.fingerprint.as_str() {
        Ok(cert)
    } else {
        Err(damaged("what is stored is another certificate"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{certificate, jane};
    use super::*;

    fn named(number: usize) -> Name {
        (Fingerprint::parse(&format!("{number:040x}")).unwrap(), [0; SHA256_OUTPUT_LEN])
    }

    #[test]
    fn a_certificate_is_parsed_once() {
        let (parsed, certificate) = (Parsed::default(), certificate(&jane()));
        let first = parsed.get(&certificate).unwrap();
        assert!(Arc::ptr_eq(&first, &parsed.get(&certificate).unwrap()));
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let (mut generations, cert) = (Generations::default(), Arc::new(jane()));
        for number in 0..3 * MAX_CERTIFICATES {
            generations.insert(named(number), Arc::clone(&cert), 10);
            assert!(generations.find(&named(0), 10).is_some(), "{number}");
        }
        assert!(generations.find(&named(1), 10).is_none());
        assert!(generations.young.len() <= MAX_CERTIFICATES && generations.old.len() <= MAX_CERTIFICATES);
        assert_eq!(generations.octets, 10 * generations.young.len());
        for number in 0..5 {
            generations.insert(named(number), Arc::clone(&cert), MAX_OCTETS);
        }
        assert!(generations.young.len() + generations.old.len() <= 2);
    }
}

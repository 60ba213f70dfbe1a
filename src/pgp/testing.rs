//! Keys, messages and a mail program that decrypts, for the tests of this layer.

use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use memchr::memmem;
use sequoia_openpgp::cert::{Cert, CertBuilder};
use sequoia_openpgp::crypto::SessionKey;
use sequoia_openpgp::packet::{PKESK, SKESK};
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper,
};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::SymmetricAlgorithm;
use sequoia_openpgp::{KeyHandle, Result};

use crate::mail::Timestamp;
use crate::relay::openpgp::{Certificate, Fingerprint, Origin};
use crate::relay::ports::Content;

/// 21 September 2026.
pub const NOW_MILLIS: i64 = 1_790_000_000_000;
pub const DAY: Duration = Duration::from_secs(86_400);

/// The time of the tests.
pub fn at() -> Timestamp {
    Timestamp::from_millis(NOW_MILLIS)
}

/// The same, as sequoia has it.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(NOW_MILLIS.unsigned_abs())
}

/// Jane's keys for signing and encrypting, made ten days ago.
pub fn builder() -> CertBuilder<'static> {
    CertBuilder::general_purpose(Some("Jane Doe <jane@example.net>")).set_creation_time(now() - 10 * DAY)
}

pub fn jane() -> Cert {
    builder().generate().unwrap().0
}

/// The public part, as the tables have it.
pub fn certificate(cert: &Cert) -> Certificate {
    Certificate {
        fingerprint: Fingerprint::parse(&cert.fingerprint().to_hex()).unwrap(),
        data: cert.to_vec().unwrap().into(),
        origin: Origin::Imported,
    }
}

pub fn content(head: &str, body: &[u8]) -> Content {
    let head = Bytes::copy_from_slice(head.as_bytes());
    Content { head, body: Bytes::copy_from_slice(body), eight_bit: true, smtputf8: false }
}

/// A version of the encrypted data packet, and what was in it.
pub fn decrypt(key: &Cert, armored: &[u8]) -> (u8, Vec<u8>) {
    let policy = StandardPolicy::new();
    let reader = Reader { key, version: 0 };
    let mut decryptor =
        DecryptorBuilder::from_bytes(armored).unwrap().with_policy(&policy, now(), reader).unwrap();
    let mut plain = Vec::new();
    decryptor.read_to_end(&mut plain).unwrap();
    (decryptor.into_helper().version, plain)
}

/// The armored message within a body.
pub fn armored(body: &[u8]) -> &[u8] {
    const END: &[u8] = b"-----END PGP MESSAGE-----\r\n";
    let start = memmem::find(body, b"-----BEGIN PGP MESSAGE-----\r\n").unwrap();
    let end = memmem::find(body, END).unwrap();
    &body[start..end + END.len()]
}

struct Reader<'k> {
    key: &'k Cert,
    version: u8,
}

impl VerificationHelper for Reader<'_> {
    fn get_certs(&mut self, _: &[KeyHandle]) -> Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> Result<()> {
        for layer in structure {
            if let MessageLayer::Encryption { aead_algo, .. } = layer {
                self.version = if aead_algo.is_some() { 2 } else { 1 };
            }
        }
        Ok(())
    }
}

impl DecryptionHelper for Reader<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> Result<Option<Cert>> {
        for key in self.key.keys().secret() {
            let mut pair = key.key().clone().into_keypair()?;
            for pkesk in pkesks {
                if let Some((algorithm, session)) = pkesk.decrypt(&mut pair, algorithm)
                    && decrypt(algorithm, &session)
                {
                    return Ok(None);
                }
            }
        }
        Err(sequoia_openpgp::anyhow::anyhow!("no key opens it"))
    }
}

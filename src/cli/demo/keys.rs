//! The owner's OpenPGP program, as far as the demo needs one: a key pair in memory, and reading what is encrypted to it.

use std::io::Read;

use anyhow::Context as _;
use memchr::memmem;
use sequoia_openpgp::cert::{Cert, CertBuilder};
use sequoia_openpgp::crypto::SessionKey;
use sequoia_openpgp::packet::{PKESK, SKESK};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageStructure, VerificationHelper,
};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::SymmetricAlgorithm;
use sequoia_openpgp::{KeyHandle, Result};

use crate::mail::Message;

/// A key pair for Curve25519.
pub(super) struct Keys(Cert);

impl Keys {
    /// Makes one that names this address.
    pub(super) fn make(address: &str) -> Result<Self> {
        let (cert, _) = CertBuilder::general_purpose(Some(format!("<{address}>"))).generate()?;
        Ok(Self(cert))
    }

    /// The public part, as `aliasd key import` takes it.
    pub(super) fn certificate(&self) -> Result<Vec<u8>> {
        self.0.to_vec()
    }

    /// The message within an encrypted one (RFC 3156, section 4).
    ///
    /// # Errors
    /// When there is none that this key opens.
    pub(super) fn open(&self, message: &Message) -> Result<Message> {
        let policy = StandardPolicy::new();
        let body = message.body();
        let armored = armored(&body).context("nothing in it is encrypted")?;
        let decryptor = DecryptorBuilder::from_bytes(armored)?;
        let mut plain = Vec::new();
        decryptor.with_policy(&policy, None, Reader(&self.0))?.read_to_end(&mut plain)?;
        Ok(Message::parse(plain.into()))
    }
}

fn armored(body: &[u8]) -> Option<&[u8]> {
    let start = memmem::find(body, b"-----BEGIN PGP MESSAGE-----")?;
    let end = memmem::find(body, b"-----END PGP MESSAGE-----\r\n")?;
    body.get(start..end + b"-----END PGP MESSAGE-----\r\n".len())
}

/// Decrypts, and asks for no signature: aliasd makes none.
struct Reader<'k>(&'k Cert);

impl VerificationHelper for Reader<'_> {
    fn get_certs(&mut self, _: &[KeyHandle]) -> Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, _: MessageStructure<'_>) -> Result<()> {
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
        for key in self.0.keys().secret() {
            let mut pair = key.key().clone().into_keypair()?;
            let opened = |pkesk: &PKESK| pkesk.decrypt(&mut pair, algorithm);
            let sessions = pkesks.iter().filter_map(opened);
            for (algorithm, session) in sessions {
                if decrypt(algorithm, &session) {
                    return Ok(None);
                }
            }
        }
        anyhow::bail!("the key opens none of it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encrypted_is_not_opened() {
        let keys = Keys::make("me@example.net").unwrap();
        for text in [
            "Subject: a\r\n\r\nb\r\n",
            "\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nb\r\n-----END PGP MESSAGE-----\r\n",
            "\r\n-----END PGP MESSAGE-----\r\n-----BEGIN PGP MESSAGE-----\r\n",
        ] {
            assert!(keys.open(&Message::parse(text.as_bytes().to_vec().into())).is_err(), "{text}");
        }
    }
}

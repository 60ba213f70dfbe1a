//! Real OpenPGP keys and signatures for every mailbox of the tests. Each is made once: that takes longer than a letter.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, OnceLock};

use sequoia_openpgp::Result;
use sequoia_openpgp::cert::{Cert, CertBuilder};
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::signature::subpacket::NotationDataFlags;
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::serialize::stream::{Armorer, Compressor, LiteralWriter, Message, Signer};
use sequoia_openpgp::types::SignatureType;

use crate::owner::Mailbox;

/// What a mailbox has of OpenPGP.
pub struct Material {
    pub binary_key: Vec<u8>,
    pub armored_key: Vec<u8>,
    /// Detached; names the user id that signed.
    pub signature: Vec<u8>,
    /// Detached; with the address in a notation.
    pub noted_signature: Vec<u8>,
    pub clear_signed: Vec<u8>,
    pub compressed: Vec<u8>,
}

/// The material of a mailbox.
pub fn of(mailbox: &Mailbox) -> &'static Material {
    static MADE: OnceLock<Mutex<HashMap<String, &'static Material>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().expect("nobody fails while holding it");
    made.entry(mailbox.address())
        .or_insert_with_key(|address| Box::leak(Box::new(Material::make(address).expect("keys can be made"))))
}

impl Material {
    fn make(address: &str) -> Result<Self> {
        let user_id = format!("The Owner <{address}>");
        let (cert, _) = CertBuilder::new().add_userid(user_id.as_str()).add_signing_subkey().generate()?;
        let named = SignatureBuilder::new(SignatureType::Binary).set_signers_user_id(&user_id)?;
        let noted = SignatureBuilder::new(SignatureType::Binary).set_notation(
            "owner@example.org",
            address,
            NotationDataFlags::empty().set_human_readable(),
            false,
        )?;
        let text = format!("This is from {address}\r\n");
        Ok(Self {
            binary_key: cert.to_vec()?,
            armored_key: crlf(cert.armored().to_vec()?),
            signature: detached(&cert, named)?,
            noted_signature: detached(&cert, noted)?,
            clear_signed: clear_signed(&cert, &text)?,
            compressed: compressed(&text)?,
        })
    }
}

fn signer(cert: &Cert) -> Result<KeyPair> {
    let policy = StandardPolicy::new();
    let key =
        cert.keys().secret().with_policy(&policy, None).for_signing().next().expect("a subkey that signs");
    key.key().clone().into_keypair()
}

fn detached(cert: &Cert, template: SignatureBuilder) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let armorer =
        Armorer::new(Message::new(&mut out)).kind(sequoia_openpgp::armor::Kind::Signature).build()?;
    let mut message = Signer::with_template(armorer, signer(cert)?, template)?.detached().build()?;
    message.write_all(b"Thank you for the order.\r\n")?;
    message.finalize()?;
    Ok(crlf(out))
}

fn clear_signed(cert: &Cert, text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut message = Signer::new(Message::new(&mut out), signer(cert)?)?.cleartext().build()?;
    message.write_all(text.as_bytes())?;
    message.finalize()?;
    Ok(crlf(out))
}

/// Readable by everybody, and by nobody who does not unpack it.
fn compressed(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let armorer = Armorer::new(Message::new(&mut out)).build()?;
    let compressor =
        Compressor::new(armorer).algo(sequoia_openpgp::types::CompressionAlgorithm::Zip).build()?;
    let mut message = LiteralWriter::new(compressor).build()?;
    message.write_all(text.as_bytes())?;
    message.finalize()?;
    Ok(crlf(out))
}

fn crlf(octets: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(octets).expect("an armor is ASCII");
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

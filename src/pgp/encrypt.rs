//! A message as PGP/MIME: `multipart/encrypted` (RFC 3156, section 4).
//!
//! All certificates read the same encrypted data, and each can see the key ids of the others. Version 1 of the data
//! packet (RFC 9580, section 5.13.1) is written, which every program reads, unless all certificates are of version 6
//! and announce version 2 of it. One of version 4 may announce it, too, and still lie in a GnuPG that cannot read it.
//! Nothing is compressed: a compressed length tells of the text (and costs time). Nothing is signed: aliasd has no
//! secret keys.
//!
//! The message goes through in pieces; there is no copy of it but the result. sequoia holds back up to 4 MiB for the
//! chunks of the data packet.

use std::io::Write;

use sequoia_openpgp::packet::Tag;
use sequoia_openpgp::packet::header::{BodyLength, CTB};
use sequoia_openpgp::serialize::Marshal;
use sequoia_openpgp::serialize::stream::{Encryptor, Message as Layer, Recipient};
use sequoia_openpgp::types::Features;
use sequoia_openpgp::{KeyHandle, crypto};

use crate::mail::{Message, Rendered};
use crate::relay::content;
use crate::relay::openpgp::Unusable;
use crate::relay::ports::Content;

use super::armor::{Armor, Checksum, armored_length};
use super::certs::{EncryptionKeys, Key};
use super::header_protection::{self, Heads, OuterSubject};

/// Length of the pieces: what is encrypted and encoded of each lies in a buffer of its own.
const PIECE: usize = 32 * 1024;
/// Octets of a packet with the session key for one key, at most: one for RSA-4096 is the longest that is common.
const SESSION_KEY_PACKET: usize = 600;
/// Octets of what is around the data: packet headers, MIME fields.
const FRAME: usize = 1024;

/// The message, encrypted to all of the keys.
///
/// # Errors
/// When it fails, for whatever reason.
pub(super) fn encrypt(
    content: &Content,
    recipients: &[EncryptionKeys<'_>],
    subject: OuterSubject,
) -> Result<Content, Unusable> {
    let head = Message::parse(content.head.clone());
    head.check_ours().map_err(|error| Unusable(format!("the message was not encrypted: {error}")))?;
    let Heads { outer, inner } = header_protection::divide(&head, &content.body, subject);
    let boundary = boundary().map_err(|error| failed(&error))?;
    let body = write_body(&boundary, &[&inner, &content.body], recipients).map_err(|error| failed(&error))?;
    let head = outer_head(outer, &boundary);
    let rendered = Rendered { head: head.into(), body: body.into() };
    Ok(content::finish(rendered, content.smtputf8))
}

fn failed(error: &sequoia_openpgp::anyhow::Error) -> Unusable {
    Unusable(format!("the message could not be encrypted: {error}"))
}

/// 128 random bits in a form that no line of armor has.
fn boundary() -> sequoia_openpgp::Result<String> {
    let mut random = [0; 16];
    crypto::random(&mut random)?;
    Ok(format!("=_{}", data_encoding::HEXLOWER.encode(&random)))
}

fn outer_head(mut fields: Vec<u8>, boundary: &str) -> Vec<u8> {
    let own = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n \
         boundary=\"{boundary}\"\r\n\r\n"
    );
    fields.extend_from_slice(own.as_bytes());
    fields
}

fn write_body(
    boundary: &str,
    plain: &[&[u8]],
    recipients: &[EncryptionKeys<'_>],
) -> sequoia_openpgp::Result<Vec<u8>> {
    let length: usize = plain.iter().map(|part| part.len()).sum();
    let keys: usize = recipients.iter().map(|recipient| recipient.keys().len()).sum();
    let mut body = Vec::with_capacity(armored_length(length + keys * SESSION_KEY_PACKET) + FRAME);
    body.extend_from_slice(before(boundary).as_bytes());
    let version = version(recipients);
    let mut armor = Armor::begin(&mut body, version.checksum())?;
    seal(&mut armor, plain, length, version.recipients(recipients))?;
    armor.finish();
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Ok(body)
}

/// The control part, and the fields of the part with the data.
fn before(boundary: &str) -> String {
    format!(
        "--{boundary}\r\nContent-Type: application/pgp-encrypted\r\nContent-Description: PGP/MIME version identification\r\n\
         \r\nVersion: 1\r\n\r\n--{boundary}\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\
         Content-Description: OpenPGP encrypted message\r\nContent-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n"
    )
}

/// Of the packet with the encrypted data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

fn version(recipients: &[EncryptionKeys<'_>]) -> Version {
    if recipients.iter().all(EncryptionKeys::take_version_2) { Version::Two } else { Version::One }
}

impl Version {
    fn checksum(self) -> Checksum {
        match self {
            Self::One => Checksum::Given,
            Self::Two => Checksum::Omitted,
        }
    }

    /// Each key of each certificate. sequoia writes version 2 when all of them say that they take it.
    fn recipients<'c>(self, recipients: &'c [EncryptionKeys<'c>]) -> Vec<Recipient<'c>> {
        let keys = recipients.iter().flat_map(EncryptionKeys::keys);
        let recipient = |key: &Key<'c>| match self {
            Self::One => {
                let handle = KeyHandle::from(key.key().keyid());
                Recipient::new(Features::empty().set_seipdv1(), handle, key.key())
            }
            Self::Two => Recipient::from(key.clone()),
        };
        keys.map(recipient).collect()
    }
}

/// Encrypts the parts, one after another, as one literal data packet (RFC 9580, section 5.9).
fn seal(
    armor: &mut Armor<'_>,
    plain: &[&[u8]],
    length: usize,
    recipients: Vec<Recipient<'_>>,
) -> sequoia_openpgp::Result<()> {
    let mut layer = Encryptor::for_recipients(Layer::new(armor), recipients).build()?;
    write_literal_header(&mut layer, length)?;
    for part in plain {
        for piece in part.chunks(PIECE) {
            layer.write_all(piece)?;
        }
    }
    layer.finalize()
}

/// Binary, without a file name and a date. As its length is known it needs neither chunks nor a buffer for them.
fn write_literal_header(layer: &mut Layer<'_>, length: usize) -> sequoia_openpgp::Result<()> {
    const FIELDS: &[u8] = b"b\0\0\0\0\0";
    CTB::new(Tag::Literal).serialize(layer)?;
    BodyLength::Full(u32::try_from(length + FIELDS.len())?).serialize(layer)?;
    layer.write_all(FIELDS)?;
    Ok(())
}

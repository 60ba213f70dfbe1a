//! What a person or a directory hands over as certificates.
//!
//! Taken are binary and armored data (RFC 9580, sections 10.1 and 6.2), several certificates after one another,
//! several armored blocks with text around them, and text in UTF-16, which is what `>` writes in some shells. A file
//! with a secret key, or with anything that cannot be encrypted to now, is refused as a whole, with the reason.
//!
//! What is kept of a certificate: its keys and user ids with the signatures that the certificate itself made over them.
//! Signatures of other people, pictures and unknown packets are left out (there may be any number of them, and whoever
//! can upload to a key server can put them there), so a revocation by somebody else who was named for that goes, too.

use std::borrow::Cow;
use std::io::Read;

use memchr::memmem;
use sequoia_openpgp::armor::{Kind, Reader, ReaderMode};
use sequoia_openpgp::cert::raw::{RawCert, RawCertParser};
use sequoia_openpgp::packet::Tag;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::{Cert, Packet};

use crate::mail::Timestamp;
use crate::relay::openpgp::{Fingerprint, Inspected, Unusable};

use super::certs::Rules;

/// Largest file that is read.
const MAX_FILE: usize = 1024 * 1024;
/// Most certificates of one file.
const MAX_CERTIFICATES: usize = 20;
/// Most keys, user ids and the like of one certificate. Signatures that belong nowhere are tried with each of them, so
/// that without a bound 1 MiB takes half a minute.
const MAX_COMPONENTS: usize = 100;

const BEGIN: &[u8] = b"-----BEGIN PGP ";
const END: &[u8] = b"-----END PGP ";

/// The certificates of a file, each stripped and usable at `now`.
///
/// # Errors
/// What was found instead and what to do. Nothing of the file is taken then.
pub(super) fn inspect(file: &[u8], now: Timestamp) -> Result<Vec<Inspected>, Unusable> {
    if file.len() > MAX_FILE {
        return refuse("the file is larger than 1 MiB; export only the certificates that are meant");
    }
    let rules = Rules::at(now);
    certificates(&as_utf8(file))?.iter().map(|cert| judge(cert, &rules)).collect()
}

fn refuse<T>(text: &str) -> Result<T, Unusable> {
    Err(Unusable(text.to_owned()))
}

/// The file, from UTF-16 when its first octets say that it is in that.
fn as_utf8(file: &[u8]) -> Cow<'_, [u8]> {
    match encoding_rs::Encoding::for_bom(file) {
        Some((encoding, mark)) if encoding != encoding_rs::UTF_8 => {
            let text = encoding.decode_without_bom_handling(file.get(mark..).unwrap_or_default()).0;
            Cow::Owned(text.into_owned().into_bytes())
        }
        _ => Cow::Borrowed(file),
    }
}

/// At least one. Those with one fingerprint are made one.
fn certificates(file: &[u8]) -> Result<Vec<Cert>, Unusable> {
    let mut certs: Vec<Cert> = Vec::new();
    for block in blocks(file)? {
        for cert in parse(&block)? {
            add(&mut certs, cert)?;
        }
    }
    if certs.is_empty() {
        return refuse(
            "the file holds no OpenPGP certificate; export one with gpg --export --armor FINGERPRINT",
        );
    }
    Ok(certs)
}

fn add(certs: &mut Vec<Cert>, cert: Cert) -> Result<(), Unusable> {
    if let Some(known) = certs.iter_mut().find(|known| known.fingerprint() == cert.fingerprint()) {
        if components(known) + components(&cert) > MAX_COMPONENTS {
            return too_many_components();
        }
        *known = known.clone().merge_public(cert).map_err(|_| unreadable())?;
        return Ok(());
    }
    if certs.len() == MAX_CERTIFICATES {
        return too_many();
    }
    certs.push(cert);
    Ok(())
}

/// The binary data of a file, block by block.
fn blocks(file: &[u8]) -> Result<Vec<Vec<u8>>, Unusable> {
    let starts: Vec<usize> = memmem::find_iter(file, BEGIN).collect();
    let is_binary = file.first().is_some_and(|first| first & 0x80 != 0) && !file.starts_with(b"\xef\xbb\xbf");
    if is_binary {
        return Ok(vec![file.to_vec()]);
    }
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    starts.iter().zip(ends).map(|(&start, end)| dearmor(file.get(start..end).unwrap_or_default())).collect()
}

fn dearmor(block: &[u8]) -> Result<Vec<u8>, Unusable> {
    if memmem::find(block, END).is_none() {
        return refuse("the armored block in the file has no end; copy the whole of it, with its last line");
    }
    let mut reader = Reader::from_bytes(block, ReaderMode::Tolerant(None));
    let mut data = Vec::new();
    let read = reader.read_to_end(&mut data);
    match reader.kind() {
        Some(Kind::SecretKey) => refuse_secret(),
        Some(Kind::Message) => refuse("the file holds an OpenPGP message, not a certificate"),
        Some(Kind::Signature) => refuse("the file holds an OpenPGP signature, not a certificate"),
        Some(Kind::PublicKey) if read.is_ok() => Ok(data),
        _ => Err(unreadable()),
    }
}

fn parse(data: &[u8]) -> Result<Vec<Cert>, Unusable> {
    let parser = RawCertParser::from_bytes(data).map_err(|_| unreadable())?;
    let mut certs = Vec::new();
    for raw in parser {
        if certs.len() == MAX_CERTIFICATES {
            return too_many();
        }
        certs.push(parse_one(raw.map_err(|_| unreadable())?)?);
    }
    Ok(certs)
}

fn parse_one(raw: RawCert<'_>) -> Result<Cert, Unusable> {
    if raw.packets().filter(|packet| packet.tag() != Tag::Signature).count() > MAX_COMPONENTS {
        return too_many_components();
    }
    let cert = Cert::try_from(raw).map_err(|_| unreadable())?;
    if cert.is_tsk() { refuse_secret() } else { Ok(cert) }
}

fn components(cert: &Cert) -> usize {
    let others = cert.user_attributes().count() + cert.unknowns().count();
    cert.keys().count() + cert.userids().count() + others
}

fn too_many_components<T>() -> Result<T, Unusable> {
    refuse("a certificate in the file has more than 100 keys and user ids; export only those in use")
}

fn too_many<T>() -> Result<T, Unusable> {
    refuse("the file holds more than 20 certificates; export only those that are meant")
}

fn unreadable() -> Unusable {
    Unusable(
        "the file cannot be read as OpenPGP certificates; export them anew with gpg --export --armor FINGERPRINT"
            .to_owned(),
    )
}

fn refuse_secret<T>() -> Result<T, Unusable> {
    refuse(
        "the file holds a secret key, which must stay with you; export the public part: \
         gpg --export --armor FINGERPRINT",
    )
}

/// Judged is what is kept.
fn judge(cert: &Cert, rules: &Rules) -> Result<Inspected, Unusable> {
    let kept = Cert::from_packets(own_packets(cert).into_iter()).map_err(|_| unreadable())?;
    let keys = rules.encryption_keys(&kept).map_err(|defect| defect.of(&kept))?;
    Ok(Inspected {
        fingerprint: Fingerprint::parse(&kept.fingerprint().to_hex()).ok_or_else(unreadable)?,
        addresses: keys.addresses(),
        expires_at: keys.end(),
        data: kept.to_vec().map_err(|_| unreadable())?,
    })
}

/// Keys and user ids, each with what the certificate itself has signed about it.
pub(super) fn own_packets(cert: &Cert) -> Vec<Packet> {
    let primary = cert.primary_key();
    let mut packets = vec![Packet::from(primary.key().clone())];
    let signatures = |packets: &mut Vec<Packet>, signatures: Vec<_>| {
        packets.extend(signatures.into_iter().cloned().map(Packet::from));
    };
    signatures(&mut packets, primary.self_revocations().chain(primary.self_signatures()).collect());
    for user_id in cert.userids() {
        let own: Vec<_> = user_id.self_revocations().chain(user_id.self_signatures()).collect();
        if !own.is_empty() {
            packets.push(user_id.userid().clone().into());
            signatures(&mut packets, own);
        }
    }
    for key in cert.keys().subkeys() {
        let own: Vec<_> = key.self_revocations().chain(key.self_signatures()).collect();
        if !own.is_empty() {
            packets.push(key.key().clone().into());
            signatures(&mut packets, own);
        }
    }
    packets
}

#[cfg(test)]
mod tests;

//! Tells ciphertext by its outer form, without a key: armored OpenPGP messages, and S/MIME's enveloped data.
//!
//! Strict, and linear in the length. That the form is right does not prove that what is inside is encrypted well, only
//! that every program treats it as encrypted.

use memchr::memmem;
use sequoia_openpgp::armor::{Kind, Reader, ReaderMode};
use sequoia_openpgp::packet::Tag;
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};

const BEGIN: &[u8] = b"-----BEGIN PGP MESSAGE-----";
const END: &[u8] = b"-----END PGP MESSAGE-----";

/// Longest section of armor headers (`Version`, `Comment`), so that no letter hides in one.
const MAX_ARMOR_HEAD: usize = 512;

/// Whether the text is one armored OpenPGP message that is encrypted, with nothing but white space around it.
pub(super) fn is_armored(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let Some(inside) = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)) else { return false };
    is_armor_body(inside) && is_sealed(Reader::from_bytes(text, ReaderMode::Tolerant(Some(Kind::Message))))
}

/// What is between the first and the last line: armor headers, an empty line, and base64.
fn is_armor_body(inside: &[u8]) -> bool {
    let line_end: &[u8] = if inside.starts_with(b"\r\n") { b"\r\n" } else { b"\n" };
    let empty_line = [line_end, line_end].concat();
    let Some(at) = memmem::find(inside, &empty_line) else { return false };
    let (head, data) = inside.split_at(at);
    head.len() <= MAX_ARMOR_HEAD
        && head.split(|&b| b == b'\n').skip(1).all(is_armor_header)
        && is_base64(data)
}

/// The keys of RFC 9580, section 6.2.2.
fn is_armor_header(line: &[u8]) -> bool {
    const KEYS: [&[u8]; 5] = [b"Version: ", b"Comment: ", b"Hash: ", b"Charset: ", b"MessageID: "];
    KEYS.iter().any(|key| line.starts_with(key))
}

fn is_base64(data: &[u8]) -> bool {
    data.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\r' | b'\n'))
}

/// Whether the packets are session keys and then encrypted data to the end (RFC 9580, section 10.3). Also taken is
/// the packet with tag 20 that GnuPG 2.3 and later write.
fn is_sealed(reader: Reader<'_>) -> bool {
    let (mut has_key, mut has_data) = (false, false);
    let mut next = PacketParser::from_reader(reader);
    while let Ok(PacketParserResult::Some(parser)) = next {
        match parser.packet.tag() {
            Tag::PKESK | Tag::SKESK if !has_data => has_key = true,
            Tag::SEIP | Tag::AED if has_key && !has_data => has_data = true,
            _ => return false,
        }
        next = parser.next().map(|(_, result)| result);
    }
    has_data && next.is_ok()
}

/// Tag of a sequence (X.690, section 8.9).
const SEQUENCE: u8 = 0x30;
/// Tag of an object identifier (section 8.19).
const OBJECT_IDENTIFIER: u8 = 0x06;
/// Context-specific tag 0, constructed.
const EXPLICIT_0: u8 = 0xA0;
/// Most elements within one another.
const MAX_DEPTH: usize = 32;

/// `id-envelopedData`, 1.2.840.113549.1.7.3 (RFC 5652, section 6.1).
const ENVELOPED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03];
/// `id-ct-authEnvelopedData`, 1.2.840.113549.1.9.16.1.23 (RFC 5083, section 2.1).
const AUTH_ENVELOPED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x10, 0x01, 0x17];

/// Whether the data is a CMS `ContentInfo` (RFC 5652, section 3) with enveloped data, from its first octet to its last.
/// BER is taken as well: programs that encrypt while they send do not know lengths beforehand.
pub(super) fn is_enveloped(data: &[u8]) -> bool {
    kind_of_content_info(data).is_some_and(|kind| kind == ENVELOPED_DATA || kind == AUTH_ENVELOPED_DATA)
}

fn kind_of_content_info(data: &[u8]) -> Option<&[u8]> {
    let info = Element::read(data, 0)?.only(SEQUENCE)?;
    let kind = Element::read(info.content, 0)?;
    let content = Element::read(kind.rest, 0)?;
    content.only(EXPLICIT_0)?;
    (kind.tag == OBJECT_IDENTIFIER).then_some(kind.content)
}

/// An element of BER (X.690, section 8.1), and what follows it.
struct Element<'d> {
    tag: u8,
    content: &'d [u8],
    rest: &'d [u8],
}

impl<'d> Element<'d> {
    fn read(data: &'d [u8], depth: usize) -> Option<Self> {
        let (&tag, after_tag) = data.split_first()?;
        let (&first, after_length) = after_tag.split_first()?;
        let has_long_tag = tag & 0x1F == 0x1F;
        if has_long_tag || depth > MAX_DEPTH {
            return None;
        }
        if first == 0x80 {
            return Self::read_indefinite(tag, after_length, depth);
        }
        let (length, content) = length(first, after_length)?;
        let (content, rest) = content.split_at_checked(length)?;
        Some(Self { tag, content, rest })
    }

    /// Section 8.1.3.6: elements up to one of two zero octets.
    fn read_indefinite(tag: u8, data: &'d [u8], depth: usize) -> Option<Self> {
        let is_primitive = tag & 0x20 == 0;
        if is_primitive {
            return None;
        }
        let mut at = data;
        loop {
            if let Some(rest) = at.strip_prefix(&[0, 0]) {
                let content = data.get(..data.len() - at.len())?;
                return Some(Self { tag, content, rest });
            }
            at = Element::read(at, depth + 1)?.rest;
        }
    }

    /// The element, when it has this tag and nothing follows it.
    fn only(self, tag: u8) -> Option<Self> {
        (self.tag == tag && self.rest.is_empty()).then_some(self)
    }
}

/// A definite length (sections 8.1.3.4 and 8.1.3.5), up to four octets of it.
fn length(first: u8, data: &[u8]) -> Option<(usize, &[u8])> {
    if first < 0x80 {
        return Some((usize::from(first), data));
    }
    let (octets, rest) = data.split_at_checked(usize::from(first & 0x7F))?;
    let length = octets.iter().fold(0_usize, |length, &octet| length << 8 | usize::from(octet));
    (octets.len() <= 4).then_some((length, rest))
}

//! Messages that programs read differently, looked at in every way at once.
//!
//! The walk reads a message in one way, and what it cleans is clean in that way. A header section with a line that is no field,
//! a boundary that is only guessed, base64 with rubbish in it: some program makes something else of these, and it would be
//! endless to clean all that they may make of it. Whoever writes a letter does not send such things; they come in letters of
//! others that are sent on. So a message in which the walk had a doubt is looked at as a whole, in every decoding and at
//! every place, and is refused when a mailbox shows in any of them, or its domain.

use std::cell::Cell;

use ::bytes::Bytes;
use memchr::{memchr, memmem};

use crate::mail::mime::transfer::{decode_base64, decode_quoted_printable};
use crate::mail::mime::{Entity, Multipart, Parameterized, Piece, charset};
use crate::mail::{Message, encoded_word};

use super::secrets::Secrets;
use super::view::Syntax;

/// Whether the walk has met something that can be read in two ways.
#[derive(Debug, Default)]
pub(super) struct Doubt(Cell<bool>);

impl Doubt {
    /// It has.
    pub fn arises(&self) {
        self.0.set(true);
    }

    /// It has, if so.
    pub fn arises_if(&self, is_doubtful: bool) {
        if is_doubtful {
            self.arises();
        }
    }

    pub fn is_there(&self) -> bool {
        self.0.get()
    }
}

/// Whether programs may disagree about where the fields of a header section begin and end, or which of them count.
pub(super) fn is_strange(entity: &Entity) -> bool {
    entity.is_split_by_force() || is_strange_head(entity.head())
}

/// The same of a header section that is known to be whole.
pub(super) fn is_strange_head(head: &Message) -> bool {
    let is_strange_name =
        |name: &str| !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    has_strange_octets(head.head().as_ref())
        || head.fields().iter().any(|field| head.name(field).is_none_or(is_strange_name))
}

/// Whether programs may disagree about where lines end: there is a CR alone, or an LF alone where other lines end in both.
pub(super) fn has_strange_line_ends(text: &[u8]) -> bool {
    let (mut before, mut lone_cr, mut lone_lf, mut pairs) = (0, false, false, false);
    for &b in text {
        lone_cr |= before == b'\r' && b != b'\n';
        lone_lf |= before != b'\r' && b == b'\n';
        pairs |= before == b'\r' && b == b'\n';
        before = b;
    }
    lone_cr || lone_lf && pairs
}

/// Controls, or a CR or an LF alone.
fn has_strange_octets(head: &[u8]) -> bool {
    let is_control = |b: &u8| b.is_ascii_control() && !b"\r\n\t".contains(b);
    let mut before = 0;
    let has_lone_end = head.iter().any(|&b| {
        let is_lone = (b == b'\n') != (before == b'\r');
        before = b;
        is_lone
    });
    has_lone_end || head.iter().any(is_control)
}

/// Whether a boundary is none by RFC 2046, section 5.1.1.
pub(super) fn is_strange_boundary(boundary: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    boundary.is_empty() || boundary.len() > 70 || boundary.ends_with(' ') || !boundary.bytes().all(is_allowed)
}

/// Whether programs may divide a body elsewhere: the boundary stands in it where it divides nothing, or something stands behind
/// it on its line.
pub(super) fn is_strange_division(body: &[u8], split: &Multipart) -> bool {
    let Some(boundary) = split.pieces.first().and_then(|piece| body.get(piece.boundary.clone())) else {
        return true;
    };
    let has_rubbish = |piece: &Piece| {
        let after = body.get(piece.boundary.end..piece.delimiter.end).unwrap_or_default();
        !after.strip_prefix(b"--").unwrap_or(after).iter().all(u8::is_ascii_whitespace)
    };
    let written = memmem::find_iter(body, &[b"--", boundary].concat()).count();
    written != split.pieces.len() || split.pieces.iter().any(has_rubbish)
}

/// Whether a media type is none by RFC 6838, section 4.2.
pub(super) fn is_strange_type(word: &str) -> bool {
    const FAMILIES: [&str; 10] = [
        "text",
        "image",
        "audio",
        "video",
        "application",
        "font",
        "model",
        "multipart",
        "message",
        "chemical",
    ];
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
    let Some((family, subtype)) = word.split_once('/') else { return true };
    let is_experimental = family.starts_with("x-");
    !(is_experimental || FAMILIES.contains(&family)) || subtype.is_empty() || !subtype.bytes().all(is_token)
}

/// Whether programs may get different octets out of base64: there is something else in it, or it goes on behind its end.
pub(super) fn is_strange_base64(text: &[u8]) -> bool {
    let is_code = |b: u8| b.is_ascii_alphanumeric() || b"+/".contains(&b);
    let mut codes = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).skip_while(|&b| is_code(b));
    let mut padding = 0;
    codes.any(|b| {
        padding += 1;
        b != b'=' || padding > 2
    })
}

/// Whether a mailbox or its domain shows in these octets, in whatever way they are decoded.
pub(super) fn shows_anywhere(octets: &[u8], secrets: &Secrets) -> bool {
    let shows = |decoded: &[u8]| shows_in(decoded, secrets);
    shows(octets)
        || shows(&without_zeros(octets))
        || shows(&decode_quoted_printable(octets))
        || shows(encoded_word::decode_with_blanks(octets).as_bytes())
        || shows(charset::decode(octets, Some("utf-7")).text.as_bytes())
        || has_telling_file_name(octets, secrets)
        || base64_of(octets).any(|decoded| shows(&decoded) || shows(&without_zeros(&decoded)))
}

/// Whether a part is called by a name that tells somebody, wherever a header section may begin.
fn has_telling_file_name(octets: &[u8], secrets: &Secrets) -> bool {
    paragraphs(octets).into_iter().any(|paragraph| {
        let head = Message::parse(Bytes::copy_from_slice(paragraph));
        head.fields().iter().any(|field| {
            let value = Parameterized::parse(head.value(field));
            let mut names = ["filename", "name"].into_iter().filter_map(|name| value.get(name));
            names.any(|name| secrets.trace_in_name(name))
        })
    })
}

fn shows_in(octets: &[u8], secrets: &Secrets) -> bool {
    let text = String::from_utf8_lossy(octets);
    secrets.trace_in_bytes(octets)
        || secrets.trace_in_name(&text)
        || [Syntax::Html, Syntax::Escaped, Syntax::Folded]
            .iter()
            .any(|syntax| secrets.address_in(&text, *syntax))
}

/// ASCII in wider characters becomes ASCII.
fn without_zeros(octets: &[u8]) -> Vec<u8> {
    if memchr(0, octets).is_none() {
        return Vec::new();
    }
    octets.iter().copied().filter(|&b| b != 0).collect()
}

/// Each paragraph as base64, begun at each of four places: what stands before it may shift it.
fn base64_of(octets: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let paragraphs = octets.split(|b| b == &b'=').flat_map(paragraphs);
    paragraphs.filter(|paragraph| paragraph.len() > SHORTEST_BASE64).flat_map(|paragraph| {
        let codes: Vec<u8> = paragraph.iter().copied().filter(|&b| is_base64(b)).collect();
        (0..4).map(move |skipped| decode_base64(codes.get(skipped..).unwrap_or_default()))
    })
}

/// Less than this holds no address.
const SHORTEST_BASE64: usize = 6;

fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"+/".contains(&b)
}

/// What empty lines divide.
fn paragraphs(octets: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in octets.split_inclusive(|&b| b == b'\n') {
        if line.trim_ascii().is_empty() {
            found.push(octets.get(start..at).unwrap_or_default());
            start = at + line.len();
        }
        at += line.len();
    }
    found.push(octets.get(start..).unwrap_or_default());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_with_something_else_in_it_is_strange() {
        for (text, strange) in [
            ("", false),
            ("SGVs\r\nbG8=\r\n", false),
            ("SGVsbG8=\r\n\r\n", false),
            ("SGVsb*G8=", true),
            ("SGVsbG8=SGVs", true),
            ("SGVsbG8=\r\n-- \r\n", true),
            ("SGVsbG8===", true),
        ] {
            assert_eq!(is_strange_base64(text.as_bytes()), strange, "{text:?}");
        }
    }

    #[test]
    fn header_sections_may_be_strange() {
        for (head, strange) in [
            ("A: 1\r\nB-c: 2\r\n more\r\n\r\n", false),
            ("A: 1\r\nno field\r\n\r\n", true),
            ("A: 1\nB: 2\r\n\r\n", true),
            ("A: 1\rB: 2\r\n\r\n", true),
            ("A: \0\r\n\r\n", true),
            ("A b: 1\r\n\r\n", true),
        ] {
            let entity = Entity::parse(Bytes::from(head.to_owned()));
            assert_eq!(is_strange(&entity), strange, "{head:?}");
        }
    }

    #[test]
    fn line_ends_may_be_strange() {
        for (text, strange) in
            [("a\r\nb\r\n", false), ("a\nb\n", false), ("a\rb", true), ("a\nb\r\n", true), ("a\r", false)]
        {
            assert_eq!(has_strange_line_ends(text.as_bytes()), strange, "{text:?}");
        }
    }

    #[test]
    fn boundaries_may_be_strange() {
        for (boundary, strange) in
            [("=_a b.c", false), ("", true), ("a\u{e9}", true), ("a\0", true), ("a ", true)]
        {
            assert_eq!(is_strange_boundary(boundary), strange, "{boundary:?}");
        }
    }
}

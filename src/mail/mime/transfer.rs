//! Transfer encodings (RFC 2045, section 6), read with tolerance and written by the rules.

use std::borrow::Cow;

use data_encoding::BASE64;
use memchr::{memchr, memchr2};

use super::super::message::is_wsp;
use super::super::quoted_printable;

/// Characters of a line of base64 (section 6.8).
const BASE64_LINE: usize = 76;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// As it is: 7bit, 8bit, binary, nothing, or something that nobody knows.
    Identity,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `base64`.
    Base64,
    /// `x-uuencode`, as some programs of old write it. It is read; what is changed is written in base64.
    Uuencode,
}

impl Transfer {
    /// What a `Content-Transfer-Encoding` says. Comments, quotes and letter case do not matter.
    #[must_use]
    pub fn from_value(value: &[u8]) -> Self {
        let mut depth = 0_u32;
        let word = |&b: &u8| match b {
            b'(' => {
                depth += 1;
                None
            }
            b')' => {
                depth = depth.saturating_sub(1);
                None
            }
            _ => (depth == 0 && (b.is_ascii_alphanumeric() || b == b'-')).then(|| b.to_ascii_lowercase()),
        };
        match value.iter().filter_map(word).collect::<Vec<u8>>().as_slice() {
            b"base64" => Self::Base64,
            b"quoted-printable" => Self::QuotedPrintable,
            b"x-uuencode" | b"x-uue" | b"uuencode" | b"uue" => Self::Uuencode,
            _ => Self::Identity,
        }
    }

    /// What the body says once it is decoded. Damage is passed over, never told.
    #[must_use]
    pub fn decode<'b>(&self, body: &'b [u8]) -> Cow<'b, [u8]> {
        match self {
            Self::Identity => Cow::Borrowed(body),
            Self::QuotedPrintable => decode_quoted_printable(body),
            Self::Base64 => Cow::Owned(decode_base64(body)),
            Self::Uuencode => Cow::Owned(decode_uuencode(body)),
        }
    }
}

/// The octets of base64. Characters that do not belong are passed over, and what follows padding is read as well.
#[must_use]
pub fn decode_base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut group, mut count) = (0_u32, 0_u8);
    for &b in text {
        match SEXTETS[usize::from(b)] {
            IGNORED => {}
            PADDING => {
                put_rest(&mut out, group, count);
                (group, count) = (0, 0);
            }
            sextet => {
                group = group << 6 | u32::from(sextet);
                count += 1;
                if count == 4 {
                    let [_, a, b, c] = group.to_be_bytes();
                    out.extend_from_slice(&[a, b, c]);
                    (group, count) = (0, 0);
                }
            }
        }
    }
    put_rest(&mut out, group, count);
    out
}

/// The octets of a group that is not full: two sextets hold one, three hold two.
fn put_rest(out: &mut Vec<u8>, group: u32, count: u8) {
    let [_, a, b, _] = (group << (6 * u32::from(4 - count.min(4)))).to_be_bytes();
    match count {
        2 => out.push(a),
        3 => out.extend_from_slice(&[a, b]),
        _ => {}
    }
}

const IGNORED: u8 = 255;
const PADDING: u8 = 254;
const SEXTETS: [u8; 256] = sextets();

const fn sextets() -> [u8; 256] {
    let mut table = [IGNORED; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0_u8;
    while value < 64 {
        table[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    table[b'=' as usize] = PADDING;
    table
}

/// The octets in base64, in lines of 76 characters that end in CRLF.
#[must_use]
pub fn encode_base64(octets: &[u8]) -> Vec<u8> {
    let text = BASE64.encode(octets);
    let mut out = Vec::with_capacity(text.len() + text.len() / BASE64_LINE * 2 + 2);
    for line in text.as_bytes().chunks(BASE64_LINE) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The octets of quoted-printable. Lower-case digits are read, soft line breaks may have white space before their end, and
/// an `=` that nothing sensible follows stands for itself.
#[must_use]
pub fn decode_quoted_printable(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'=', text) else { return Cow::Borrowed(text) };
    let (plain, mut rest) = text.split_at(first);
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(plain);
    while let Some((&b, after)) = rest.split_first() {
        if b == b'=' {
            rest = decode_escape(&mut out, after);
        } else {
            let plain = memchr(b'=', rest).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
        }
    }
    Cow::Owned(out)
}

/// What follows an `=`, with what is left after it.
fn decode_escape<'t>(out: &mut Vec<u8>, after: &'t [u8]) -> &'t [u8] {
    if let [high, low, beyond @ ..] = after
        && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
    {
        out.push(high << 4 | low);
        return beyond;
    }
    match soft_break_length(after) {
        Some(length) => &after[length..],
        None => {
            out.push(b'=');
            after
        }
    }
}

/// The length of a soft line break after its `=`: white space and a line end, or the end of everything. No more than a few
/// blanks are looked at, or a long line of `=` and blanks would be gone through again and again.
fn soft_break_length(after: &[u8]) -> Option<usize> {
    const MOST_BLANKS: usize = 200;
    let blanks = after.iter().take(MOST_BLANKS).take_while(|&&b| is_wsp(b)).count();
    match &after[blanks..] {
        [] => Some(blanks),
        [b'\r', b'\n', ..] => Some(blanks + 2),
        [b'\r' | b'\n', ..] => Some(blanks + 1),
        _ => None,
    }
}

fn hex_digit(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `new`, a changed form of what `source` says, in quoted-printable. Lines of the source that say the same as before are
/// kept as they are written.
#[must_use]
pub fn requote(source: &[u8], new: &[u8]) -> Vec<u8> {
    let old_lines: Vec<&[u8]> = quoted_lines(source).collect();
    let new_lines: Vec<&[u8]> = lines(new).collect();
    if old_lines.len() != new_lines.len() {
        return quoted_printable::encode(new);
    }
    let mut out = Vec::with_capacity(source.len() + source.len() / 16);
    for (old, new) in old_lines.into_iter().zip(new_lines) {
        if *decode_quoted_printable(old) == *new {
            out.extend_from_slice(old);
        } else {
            out.extend(quoted_printable::encode(new));
        }
    }
    out
}

/// Lines with their ends; the last may have none.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&b| b == b'\n')
}

/// Lines of quoted-printable as they are read: those that a soft line break joins are one.
fn quoted_lines(source: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = source;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            let line = lines(&rest[end..]).next().unwrap_or_default();
            end += line.len();
            if line.is_empty() || !line.trim_ascii_end().ends_with(b"=") {
                break;
            }
        }
        let (line, after) = rest.split_at(end);
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

/// The octets of uuencode: lines that begin with their own length. The lines `begin …` and `end` are passed over.
fn decode_uuencode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for line in lines(text) {
        let line = line.trim_ascii_end();
        if let Some((&length, digits)) = line.split_first()
            && !line.starts_with(b"begin ")
            && line != b"end"
        {
            decode_uu_line(&mut out, length, digits);
        }
    }
    out
}

fn decode_uu_line(out: &mut Vec<u8>, length: u8, digits: &[u8]) {
    let value = |b: Option<&u8>| b.map_or(0, |b| u32::from(b.wrapping_sub(b' ') & 0x3f));
    let length = usize::from(length.wrapping_sub(b' ') & 0x3f);
    let end = out.len() + length;
    for group in digits.chunks(4).take(length.div_ceil(3)) {
        let bits = (0..4).fold(0, |bits, at| bits << 6 | value(group.get(at)));
        let [_, a, b, c] = bits.to_be_bytes();
        out.extend_from_slice(&[a, b, c]);
    }
    out.truncate(end.min(out.len()));
}

/// The text with every line end as CRLF, as messages have them; decoded ones may come with others.
#[must_use]
pub fn with_crlf(text: &[u8]) -> Cow<'_, [u8]> {
    if has_crlf_only(text) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    let mut rest = text;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[at..];
        rest = rest.strip_prefix(b"\r\n").unwrap_or_else(|| rest.get(1..).unwrap_or_default());
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

fn has_crlf_only(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        match rest[at..].strip_prefix(b"\r\n") {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encodings_are_known_by_their_names() {
        for (value, transfer) in [
            (" base64", Transfer::Base64),
            ("\"BASE64\"", Transfer::Base64),
            (" Quoted-Printable (so it is)\r\n ", Transfer::QuotedPrintable),
            ("x-uuencode", Transfer::Uuencode),
            ("7bit", Transfer::Identity),
            ("", Transfer::Identity),
            ("base64, 8bit", Transfer::Identity),
            (")(", Transfer::Identity),
        ] {
            assert_eq!(Transfer::from_value(value.as_bytes()), transfer, "{value}");
        }
    }

    #[test]
    fn damaged_base64_is_read() {
        for (text, octets) in [
            ("bWU=", "me"),
            ("bW\r\nU", "me"),
            ("b.W U=\r\nbWU=", "meme"),
            ("bWVA", "me@"),
            ("b", ""),
            ("====", ""),
            ("bWU", "me"),
        ] {
            assert_eq!(decode_base64(text.as_bytes()), octets.as_bytes(), "{text}");
        }
    }

    #[test]
    fn damaged_quoted_printable_is_read() {
        for (text, octets) in [
            ("me=40example.net", "me@example.net"),
            ("me=\r\n=4", "me=4"),
            ("m=  \r\ne", "me"),
            ("m=\ne=", "me"),
            ("=c3=A9=ZZ==3D", "\u{e9}=ZZ=="),
            ("plain  \r\n", "plain  \r\n"),
        ] {
            assert_eq!(&*decode_quoted_printable(text.as_bytes()), octets.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn uuencode_is_read() {
        let text = b"begin 644 a.txt\r\n.;65 97AA;7!L92YN970`\r\n`\r\nend\r\n";
        assert_eq!(&*Transfer::Uuencode.decode(text), b"me@example.net");
    }

    #[test]
    fn only_changed_lines_are_written_anew() {
        let source = b"caf=e9 =\r\nau lait\r\nme=40exam=\r\nple.net\r\n=2E\r\n";
        let new = b"caf\xe9 au lait\r\nshop@example.com\r\n.\r\n";
        assert_eq!(requote(source, new), b"caf=e9 =\r\nau lait\r\nshop@example.com\r\n=2E\r\n");
        assert_eq!(requote(b"a=0D=0Ab\r\n", b"a\r\nc\r\n"), b"a\r\nc\r\n");
    }

    #[test]
    fn line_ends_become_crlf() {
        assert_eq!(&*with_crlf(b"a\nb\rc\r\n\r\r\n"), b"a\r\nb\r\nc\r\n\r\n\r\n");
        assert!(matches!(with_crlf(b"a\r\nb"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn base64_reads_back(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = encode_base64(&octets);
            prop_assert!(text.split(|&b| b == b'\n').all(|line| line.len() <= 77));
            prop_assert_eq!(decode_base64(&text), octets);
        }

        #[test]
        fn hostile_bytes_are_read_somehow(text in prop::collection::vec(prop_oneof![
            any::<u8>(), prop::sample::select(&b"=\r\n aF0`"[..])], 0..300)) {
            for transfer in [Transfer::Base64, Transfer::QuotedPrintable, Transfer::Uuencode, Transfer::Identity] {
                prop_assert!(transfer.decode(&text).len() <= text.len() * 2);
            }
            prop_assert!(has_crlf_only(&with_crlf(&text)));
        }

        #[test]
        fn quoted_lines_cover_the_source(source in prop::collection::vec(prop::sample::select(&b"=\r\n a4"[..]), 0..100)) {
            prop_assert_eq!(quoted_lines(&source).collect::<Vec<_>>().concat(), source);
        }

        #[test]
        fn what_is_requoted_says_the_new_text(
            source in prop::collection::vec(prop::sample::select(&b"=\r\n a4D"[..]), 0..100),
            new in "[a-z=\u{e9} ]{0,20}(\r\n[a-z=\u{e9} ]{0,20}){0,5}",
        ) {
            let written = requote(&source, new.as_bytes());
            prop_assert_eq!(&*decode_quoted_printable(&written), new.as_bytes());
        }
    }
}

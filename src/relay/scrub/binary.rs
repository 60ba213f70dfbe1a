//! Names in data that is no text: what stands around its `@` signs is read as text.
//!
//! [`Secrets`] searches octets as they are; this finds the spellings besides (a `+tag`, letters beyond ASCII, an address
//! within a sentence), in UTF-8, Latin-1 and UTF-16.

use memchr::memchr_iter;

use crate::mail::mime::Charset;
use crate::mail::mime::charset::ByteOrder;

use super::secrets::Secrets;
use super::view::Syntax;

/// Most octets, or code units, that are read on either side of an `@`.
const REACH: usize = 320;
/// Fewer characters are no address.
const SHORTEST: usize = 5;

/// Whether data has an address that is secret.
pub(super) fn has_address(data: &[u8], secrets: &Secrets) -> bool {
    secrets.address_in_bytes(data) || secrets.address_in(&names(data), Syntax::Plain)
}

/// Whether data has that, or another trace.
pub(super) fn has_trace(data: &[u8], secrets: &Secrets) -> bool {
    secrets.trace_in_bytes(data) || has_address(data, secrets)
}

/// What stands around each `@`, in lines.
fn names(data: &[u8]) -> String {
    let mut found = String::new();
    let mut done = [0; 3];
    for at in memchr_iter(b'@', data) {
        for (width, done) in [Width::One, Width::Little, Width::Big].into_iter().zip(&mut done) {
            if at >= *done {
                *done = width.put_name(data, at, &mut found);
            }
        }
    }
    found
}

/// How characters of ASCII are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    One,
    Little,
    Big,
}

impl Width {
    /// Puts in what the `@` at this place belongs to, and tells where that ends.
    fn put_name(self, data: &[u8], at: usize, found: &mut String) -> usize {
        let size = if self == Self::One { 1 } else { 2 };
        let Some(start) = at.checked_sub(usize::from(self == Self::Big)) else { return 0 };
        let (before, rest) = data.split_at(start.min(data.len()));
        if rest.chunks_exact(size).next().is_none_or(|unit| self.number(unit) != u32::from(b'@')) {
            return 0;
        }
        let is_readable = |unit: &&[u8]| !matches!(self.number(unit), 0..0x20 | 0x7f);
        let left = before.rchunks_exact(size).take(REACH).take_while(is_readable).count() * size;
        let right = rest.chunks_exact(size).take(REACH).take_while(is_readable).count() * size;
        let name = data.get(start - left..start + right).unwrap_or_default();
        if name.len() >= SHORTEST * size {
            self.put(name, found);
        }
        start + right
    }

    fn number(self, unit: &[u8]) -> u32 {
        match (self, unit) {
            (Self::Little, &[a, b]) => u32::from(u16::from_le_bytes([a, b])),
            (Self::Big, &[a, b]) => u32::from(u16::from_be_bytes([a, b])),
            (_, unit) => unit.first().copied().map_or(0, u32::from),
        }
    }

    fn put(self, name: &[u8], found: &mut String) {
        let charsets: &[Charset] = match self {
            Self::Little => &[Charset::Utf16(ByteOrder::Little)],
            Self::Big => &[Charset::Utf16(ByteOrder::Big)],
            Self::One if name.is_ascii() => &[Charset::Utf8],
            Self::One => &[Charset::MostlyUtf8, Charset::Octets],
        };
        for charset in charsets {
            found.push_str(&charset.decode(name));
            found.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::secrets;
    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        let little: Vec<u8> = "J\u{fc}rgen@example".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "J\u{fc}rgen@example".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (data, expected) in [
            (&b"\0\x01a me@b.example\0"[..], "a me@b.example\n"),
            (&little, "J\u{fc}rgen@example\n"),
            (&[&[0, 1][..], &big, &[0, 0]].concat(), "J\u{fc}rgen@example\n"),
            ("\u{1}J\u{fc}rgen@example".as_bytes(), "J\u{fc}rgen@example\nJ\u{c3}\u{bc}rgen@example\n"),
            (b"\0a@b\0", ""),
            (b"@", ""),
        ] {
            let names = names(data);
            assert!(names.contains(expected), "{names:?}");
        }
        assert!(has_address(b"\0me+shop@example.net\xff", &secrets()));
        assert!(!has_trace(b"\0jane@example.org\xff", &secrets()));
    }

    proptest! {
        #[test]
        fn what_is_read_is_bounded(data in prop::collection::vec(prop::sample::select(&b"@a\0\xc3\xa9"[..]), 0..400)) {
            prop_assert!(names(&data).len() <= data.len() * 12);
        }
    }
}

//! Text in its charset: read for a search, and written back so that what was not changed keeps its octets.
//!
//! Charsets are those of the WHATWG standard (`encoding_rs`), which is what mail programs know, with UTF-16 and UTF-7 read
//! and written here. Text without a label, or with one that nobody knows, is UTF-8 as far as it can be; octets in it that
//! are not stand for themselves ([`Charset::MostlyUtf8`]), so that every octet comes back.

mod mostly_utf8;
mod utf16;
mod utf7;

use std::borrow::Cow;

use encoding_rs::{EncoderResult, Encoding};
use memchr::memchr;

pub use utf16::ByteOrder;

/// How text is written as octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Also ASCII, whatever it was called.
    Utf8,
    /// A byte order mark is a character of the text.
    Utf16(ByteOrder),
    /// RFC 2152.
    Utf7,
    /// One of the WHATWG standard.
    Table(&'static Encoding),
    /// UTF-8, and octets that are not; those become characters for private use.
    MostlyUtf8,
    /// Every octet is the character of that number.
    Octets,
}

/// Text, and how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'b> {
    /// What can be read; a replacement character for what cannot.
    pub text: Cow<'b, str>,
    /// In what it was read.
    pub charset: Charset,
    /// Whether writing the text in this charset gives the octets that it was read from.
    pub exact: bool,
}

/// Reads octets under the charset label that came with them, if one did.
#[must_use]
pub fn decode<'b>(octets: &'b [u8], label: Option<&str>) -> Decoded<'b> {
    let charset = Charset::of(octets, label);
    let text = charset.decode(octets);
    let exact = match charset {
        Charset::Utf8 => text.len() == octets.len(),
        _ => charset.encode(&text).is_some_and(|written| written == octets),
    };
    Decoded { text, charset, exact }
}

/// The octets as characters of the same numbers: for text that cannot be read exactly, and must come out exactly.
#[must_use]
pub fn decode_as_octets(octets: &[u8]) -> Decoded<'_> {
    Decoded { text: Charset::Octets.decode(octets), charset: Charset::Octets, exact: true }
}

impl Charset {
    /// In what charset these octets are to be read.
    fn of(octets: &[u8], label: Option<&str>) -> Self {
        let named = label.and_then(Self::named);
        // Text in UTF-16 has zeros in it, of line ends and spaces if nothing else; without them the label is wrong.
        let named = named.filter(|named| !matches!(named, Self::Utf16(_)) || memchr(0, octets).is_some());
        if let Some(order) = ByteOrder::of_mark(octets)
            && matches!(named, None | Some(Self::Utf16(_) | Self::Utf8))
        {
            return Self::Utf16(order);
        }
        match named {
            Some(Self::Utf16(order)) if is_utf16_without_order(label) => {
                Self::Utf16(ByteOrder::guess(octets).unwrap_or(order))
            }
            Some(Self::Table(encoding)) if is_plain_in(encoding, octets) => Self::Utf8,
            None | Some(Self::Utf8) => match std::str::from_utf8(octets) {
                Ok(_) => Self::Utf8,
                Err(_) => Self::MostlyUtf8,
            },
            Some(charset) => charset,
        }
    }

    /// The charset of this name, unless it is a name for ASCII or for nothing.
    fn named(label: &str) -> Option<Self> {
        let label = label.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\''));
        let is = |names: &[&str]| names.iter().any(|name| label.eq_ignore_ascii_case(name));
        if is_family(label, "utf7") {
            return Some(Self::Utf7);
        }
        if is(&["us-ascii", "ascii", "ansi_x3.4-1968", "iso-ir-6", "iso646-us", "us", "646"]) {
            return None;
        }
        let Some(encoding) = Encoding::for_label(label.as_bytes()) else {
            return is_family(label, "utf8").then_some(Self::Utf8);
        };
        Some(match encoding.name() {
            "UTF-8" => Self::Utf8,
            "UTF-16LE" => Self::Utf16(ByteOrder::Little),
            "UTF-16BE" => Self::Utf16(ByteOrder::Big),
            "replacement" => return None,
            _ => Self::Table(encoding),
        })
    }

    /// The octets as text; what cannot be read becomes U+FFFD.
    #[must_use]
    pub fn decode<'b>(&self, octets: &'b [u8]) -> Cow<'b, str> {
        match self {
            Self::Utf8 => String::from_utf8_lossy(octets),
            Self::Utf16(order) => Cow::Owned(utf16::decode(octets, *order)),
            Self::Utf7 => Cow::Owned(utf7::decode(octets)),
            Self::Table(encoding) => encoding.decode_without_bom_handling(octets).0,
            Self::MostlyUtf8 => Cow::Owned(mostly_utf8::decode(octets)),
            Self::Octets => Cow::Owned(octets.iter().map(|&b| char::from(b)).collect()),
        }
    }

    /// The text in this charset; `None` when it has a character that the charset lacks.
    #[must_use]
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Utf16(order) => Some(utf16::encode(text, *order)),
            Self::Utf7 => Some(utf7::encode(text)),
            Self::Table(encoding) => encode_by_table(encoding, text),
            Self::MostlyUtf8 => Some(mostly_utf8::encode(text)),
            Self::Octets => text.chars().map(|c| u8::try_from(c).ok()).collect(),
        }
    }

    /// Whether octets below 128 are ASCII characters wherever they stand alone.
    #[must_use]
    pub fn shows_ascii(&self) -> bool {
        !matches!(self, Self::Utf16(_) | Self::Utf7)
    }

    /// Whether programs may well read the octets in another way.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        !self.shows_ascii() || *self == Self::MostlyUtf8
    }
}

/// Whether a label is one of the many that end in this name: `x-unicode-2-0-utf-7`, `csUnicode11UTF7`.
fn is_family(label: &str, name: &str) -> bool {
    let letters = |c: &char| c.is_ascii_alphanumeric();
    let bare: String = label.chars().filter(letters).map(|c| c.to_ascii_lowercase()).collect();
    bare.ends_with(name)
}

/// A label that does not say which octet of two comes first.
fn is_utf16_without_order(label: Option<&str>) -> bool {
    let has_order =
        |label: &str| label.ends_with("le") || label.ends_with("be") || label.starts_with("unicodef");
    label.is_some_and(|label| !has_order(&label.trim().to_ascii_lowercase()))
}

/// Whether these octets are the same text in ASCII.
fn is_plain_in(encoding: &'static Encoding, octets: &[u8]) -> bool {
    octets.is_ascii() && (encoding.is_ascii_compatible() || memchr(0x1b, octets).is_none())
}

fn encode_by_table(encoding: &'static Encoding, text: &str) -> Option<Vec<u8>> {
    let mut encoder = encoding.new_encoder();
    let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len())?;
    let mut out = Vec::with_capacity(room);
    match encoder.encode_from_utf8_to_vec_without_replacement(text, &mut out, true) {
        (EncoderResult::InputEmpty, _) => Some(out),
        (EncoderResult::OutputFull | EncoderResult::Unmappable(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LABELS: &[&str] = &[
        "utf-8",
        "us-ascii",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-8-i",
        "windows-1251",
        "koi8-r",
        "gb18030",
        "gbk",
        "big5",
        "shift_jis",
        "euc-jp",
        "euc-kr",
        "iso-2022-jp",
        "iso-2022-kr",
        "hz-gb-2312",
        "utf-16",
        "utf-16le",
        "utf-16be",
        "utf-7",
        "x-user-defined",
        "macintosh",
        "ibm866",
        "x-unknown",
        "",
    ];

    #[test]
    fn text_is_read_in_its_charset() {
        for (octets, label, text, exact) in [
            (&b"caf\xc3\xa9"[..], Some("utf-8"), "caf\u{e9}", true),
            (b"caf\xe9", Some("iso-8859-1"), "caf\u{e9}", true),
            (b"caf\xe9", Some(" US-ASCII "), "caf\u{10ffe9}", true),
            (b"caf\xe9 \xc3\xa9", None, "caf\u{10ffe9} \u{e9}", true),
            (b"caf\xe9", Some("utf-8"), "caf\u{10ffe9}", true),
            (b"\x1b$BF|K\\\x1b(B", Some("iso-2022-jp"), "\u{65e5}\u{672c}", true),
            (b"\x93\xfa", Some("shift_jis"), "\u{65e5}", true),
            (b"m\0e\0", Some("utf-16le"), "me", true),
            (b"\0m\0e", Some("utf-16"), "me", true),
            (b"m\0e\0", Some("utf-16"), "me", true),
            (b"me", Some("utf-16"), "me", true),
            (b"\xff\xfem\0", None, "\u{feff}m", true),
            (b"\xff\xfem\0", Some("utf-16"), "\u{feff}m", true),
            (b"me+AEA-a", Some("utf-7"), "me@a", false),
            (b"me+AEA-a", Some("x-unicode-2-0-utf-7"), "me@a", false),
            (b"me+AEA-a", Some("\"csUnicode11UTF7\""), "me@a", false),
            (b"caf\xc3\xa9", Some("'unicode_2_0_utf_8' "), "caf\u{e9}", true),
            (b"me+AEA-a", Some("utf-8"), "me+AEA-a", true),
            (b"\xe9", Some("nobody-knows"), "\u{10ffe9}", true),
            (b"\x81", Some("shift_jis"), "\u{fffd}", false),
        ] {
            let decoded = decode(octets, label);
            assert_eq!((&*decoded.text, decoded.exact), (text, exact), "{label:?} {octets:?}");
        }
    }

    #[test]
    fn what_a_charset_lacks_is_not_written() {
        let latin = decode(b"caf\xe9", Some("iso-8859-1")).charset;
        assert_eq!(latin.encode("caf\u{e9}!").unwrap(), b"caf\xe9!");
        assert_eq!(latin.encode("\u{65e5}"), None);
        assert_eq!(Charset::Octets.encode("\u{65e5}"), None);
    }

    proptest! {
        #[test]
        fn what_is_exact_comes_out_as_it_went_in(
            octets in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"me@\x1b$B(+-~{\0"[..])], 0..200),
            label in prop::sample::select(LABELS),
        ) {
            let decoded = decode(&octets, Some(label));
            if decoded.exact {
                prop_assert_eq!(decoded.charset.encode(&decoded.text).unwrap(), octets);
            } else {
                let plain = decode_as_octets(&octets);
                prop_assert_eq!(plain.charset.encode(&plain.text).unwrap(), octets);
            }
        }

        #[test]
        fn ascii_is_seen_in_every_charset(text in "[ -*,-}]{0,80}", label in prop::sample::select(LABELS)) {
            let decoded = decode(text.as_bytes(), Some(label));
            prop_assert!(decoded.exact || label == "utf-7");
            prop_assert_eq!(&*decoded.text, text.as_str());
        }
    }
}

//! Encoded-words: how text other than ASCII is written in header fields (RFC 2047).
//!
//! Written in UTF-8, as B or Q, whichever is shorter. Read in every charset that mail-parser knows, and tolerantly: words
//! that stand inside other text or in a quoted string are read too, and a character that was cut in two by adjacent
//! words is put together, because all of this is sent. Reading takes linear time and never fails: what is no
//! encoded-word stays text.

use std::ops::Range;

use memchr::memmem;

use super::fold::{LONGEST_PIECE, floor_boundary};

/// Most octets that an encoded-word may have (RFC 2047, section 2).
const LONGEST_WORD: usize = 75;
/// What an encoded-word in UTF-8 takes besides its text.
const OVERHEAD: usize = "=?UTF-8?B??=".len();
/// With less room than this on the first line, the first word goes to the next.
const LEAST_ROOM: usize = 30;

/// From the first word that can't be written as it is to the end of the last one.
pub(super) fn span_to_encode(text: &str) -> Option<(usize, usize)> {
    let mut needing = words(text).filter(|range| needs_encoding(&text[range.clone()]));
    let first = needing.next()?;
    let last = needing.last().unwrap_or_else(|| first.clone());
    Some((first.start, last.end))
}

/// Whether this word is not ASCII, could be taken for an encoded-word, or is too long for a line.
pub(super) fn needs_encoding(word: &str) -> bool {
    !word.is_ascii() || word.contains("=?") || word.len() > LONGEST_PIECE
}

fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split(' ').filter_map(move |word| {
        let range = at..at + word.len();
        at = range.end + 1;
        (!word.is_empty()).then_some(range)
    })
}

/// The text as encoded-words of at most 75 octets; the first takes at most `first_room`, unless that is too little for
/// any word. No character is divided between two words.
#[must_use]
pub fn encode(text: &str, first_room: usize) -> Vec<String> {
    let scheme = Scheme::shorter_for(text);
    let mut room = if first_room < LEAST_ROOM { LONGEST_WORD } else { first_room.min(LONGEST_WORD) };
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(scheme.fitting(rest, room - OVERHEAD));
        words.push(scheme.word(part));
        rest = after;
        room = LONGEST_WORD;
    }
    words
}

#[derive(Debug, Clone, Copy)]
enum Scheme {
    B,
    Q,
}

impl Scheme {
    fn shorter_for(text: &str) -> Self {
        let q: usize = text.chars().map(q_cost).sum();
        if q <= text.len().div_ceil(3) * 4 { Self::Q } else { Self::B }
    }

    /// How many octets of the text fit, encoded, into so many.
    fn fitting(self, text: &str, room: usize) -> usize {
        match self {
            Self::B => floor_boundary(text, room / 4 * 3),
            Self::Q => {
                let mut used = 0;
                let fits = |&(_, c): &(usize, char)| {
                    used += q_cost(c);
                    used <= room
                };
                text.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8())
            }
        }
    }

    fn word(self, text: &str) -> String {
        match self {
            Self::B => format!("=?UTF-8?B?{}?=", data_encoding::BASE64.encode(text.as_bytes())),
            Self::Q => format!("=?UTF-8?Q?{}?=", q_encode(text)),
        }
    }
}

/// What may stand for itself in Q everywhere, also in a phrase (RFC 2047, section 5, rule 3).
fn is_q_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!*+-/".contains(&b)
}

fn q_cost(c: char) -> usize {
    match u8::try_from(c) {
        Ok(b) if b.is_ascii() && (is_q_plain(b) || b == b' ') => 1,
        _ => 3 * c.len_utf8(),
    }
}

fn q_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(LONGEST_WORD);
    for b in text.bytes() {
        match b {
            b' ' => out.push('_'),
            _ if is_q_plain(b) => out.push(char::from(b)),
            // Writing to a string does not fail.
            _ => write!(out, "={b:02X}").unwrap_or_default(),
        }
    }
    out
}

/// Reads text with encoded-words in it. White space between two of them belongs to neither (RFC 2047, section 6.2).
/// Octets that are not UTF-8 are read as Windows-1252.
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    decode_with(bytes, Blanks::EndWord)
}

/// The same as some programs do it, for which words may have blanks in them, and anything may be a charset.
#[must_use]
pub fn decode_with_blanks(bytes: &[u8]) -> String {
    decode_with(bytes, Blanks::BelongToWord)
}

/// What white space within an encoded-word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blanks {
    /// There is none: it was no encoded-word (RFC 2047, section 2).
    EndWord,
    /// Text like any other. There may be a question mark in it as well.
    BelongToWord,
}

fn decode_with(bytes: &[u8], blanks: Blanks) -> String {
    let mut decoder = Decoder::default();
    let mut rest = bytes;
    while let Some(at) = memmem::find(rest, b"=?") {
        let (before, from) = rest.split_at(at);
        match parse_word(from, blanks) {
            Some((word, length)) => {
                decoder.between(before);
                decoder.word(word);
                rest = &from[length..];
            }
            None => {
                decoder.literal(&rest[..at + 2]);
                rest = &from[2..];
            }
        }
    }
    decoder.literal(rest);
    decoder.finish()
}

/// The charset of an encoded-word, without its language (RFC 2231, section 5), and its octets.
struct Word<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
}

/// Collects text. Words of one charset are joined before they are decoded.
#[derive(Default)]
struct Decoder<'a> {
    text: String,
    literal: Vec<u8>,
    pending: Option<Word<'a>>,
}

impl<'a> Decoder<'a> {
    fn word(&mut self, word: Word<'a>) {
        self.flush_literal();
        match &mut self.pending {
            Some(last) if last.charset.eq_ignore_ascii_case(word.charset) => last.octets.extend(word.octets),
            _ => {
                self.flush_word();
                self.pending = Some(word);
            }
        }
    }

    /// What stands before a word: nothing, if it is only white space after another word.
    fn between(&mut self, bytes: &[u8]) {
        if self.pending.is_none() || !bytes.iter().all(u8::is_ascii_whitespace) {
            self.literal(bytes);
        }
    }

    fn literal(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.flush_word();
            self.literal.extend_from_slice(bytes);
        }
    }

    fn flush_word(&mut self) {
        if let Some(word) = self.pending.take() {
            self.text.push_str(&to_text(word.charset, &word.octets));
        }
    }

    fn flush_literal(&mut self) {
        if !self.literal.is_empty() {
            self.text.push_str(&to_text(b"utf-8", &self.literal));
            self.literal.clear();
        }
    }

    fn finish(mut self) -> String {
        self.flush_word();
        self.flush_literal();
        self.text
    }
}

/// An encoded-word at the start of the bytes, and its length: `=?charset?B or Q?text?=`.
fn parse_word(bytes: &[u8], blanks: Blanks) -> Option<(Word<'_>, usize)> {
    let length = match blanks {
        Blanks::EndWord => word_length(bytes)?,
        Blanks::BelongToWord => word_length_with_blanks(bytes)?,
    };
    let mut parts = bytes.get(2..length - 2)?.splitn(3, |&b| b == b'?');
    let (charset, scheme, text) = (parts.next()?, parts.next()?, parts.next()?);
    let charset = charset.split(|&b| b == b'*').next()?;
    let octets = match scheme {
        b"b" | b"B" => mail_parser::decoders::base64::base64_decode(text)?,
        _ => q_decode(text),
    };
    Some((Word { charset, octets }, length))
}

/// The length of the encoded-word at the start of the bytes. White space and, in the charset, special characters end
/// the search, so that a million beginnings of words cost no more than their length.
pub(super) fn word_length(bytes: &[u8]) -> Option<usize> {
    let (start, text) = word_start(bytes, |b| b.is_ascii_alphanumeric() || b"-_.:+*".contains(&b))?;
    let length = text.iter().take_while(|&&b| b != b'?' && !b.is_ascii_whitespace()).count();
    text.get(length..)?.starts_with(b"?=").then_some(start + length + 2)
}

/// The same for words with blanks in them. The end is looked for in so many octets only, which bounds the time.
fn word_length_with_blanks(bytes: &[u8]) -> Option<usize> {
    const LONGEST: usize = 1_000;
    let (start, text) = word_start(bytes, |b| b != b'?')?;
    let length = memmem::find(text.get(..text.len().min(LONGEST))?, b"?=")?;
    Some(start + length + 2)
}

/// What stands before the text of an encoded-word, by its length, and what follows. With what a charset may be named by.
fn word_start(bytes: &[u8], is_of_name: fn(u8) -> bool) -> Option<(usize, &[u8])> {
    const LONGEST_NAME: usize = 100;
    let rest = bytes.strip_prefix(b"=?")?;
    let charset = rest.iter().take(LONGEST_NAME).take_while(|&&b| is_of_name(b)).count();
    match rest.get(charset..)? {
        [b'?', b'b' | b'B' | b'q' | b'Q', b'?', text @ ..] if charset > 0 => Some((2 + charset + 3, text)),
        _ => None,
    }
}

/// Q (RFC 2047, section 4.2). An `=` that no two hexadecimal digits follow stands for itself.
fn q_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match (b, after) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, beyond @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = beyond;
            }
            _ => out.push(b),
        }
    }
    out
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
}

/// The octets as text. A charset that nobody knows is taken for UTF-8, and what is not UTF-8 for Windows-1252.
fn to_text(charset: &[u8], octets: &[u8]) -> String {
    use mail_parser::decoders::charsets::map::charset_decoder;
    if let (false, Some(decode)) = (is_utf8_name(charset), charset_decoder(charset)) {
        return decode(octets);
    }
    match (std::str::from_utf8(octets), charset_decoder(b"windows-1252")) {
        (Ok(text), _) => text.to_owned(),
        (Err(_), Some(decode)) => decode(octets),
        (Err(_), None) => String::from_utf8_lossy(octets).into_owned(),
    }
}

fn is_utf8_name(charset: &[u8]) -> bool {
    charset.eq_ignore_ascii_case(b"utf-8") || charset.eq_ignore_ascii_case(b"utf8")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_read() {
        for (written, read) in [
            ("plain", "plain"),
            ("=?UTF-8?Q?J=C3=BCrgen?=", "J\u{fc}rgen"),
            ("=?utf-8?b?SsO8cmdlbg==?= M.", "J\u{fc}rgen M."),
            ("=?ISO-8859-1?Q?J=FCrgen_M=FCller?=", "J\u{fc}rgen M\u{fc}ller"),
            ("=?iso-8859-1*de?Q?J=FCrgen?=", "J\u{fc}rgen"),
            ("=?UTF-8?Q?a?=  \r\n =?UTF-8?Q?b?= c", "ab c"),
            ("=?UTF-8?Q?a?==?UTF-8?Q?b?=", "ab"),
            ("x=?UTF-8?Q?=C3=A9?=y", "x\u{e9}y"),
            ("=?UTF-8?B?w6k?=", "\u{e9}"),
            ("=?UTF-8?Q?=C3?= =?UTF-8?Q?=A9?=", "\u{e9}"),
            ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\u{65e5}\u{672c}"),
            ("=?koi8-r?Q?=F0=D2?= =?UTF-8?Q?!?=", "\u{41f}\u{440}!"),
            ("=?x-unknown?Q?=C3=A9?=", "\u{e9}"),
            ("=?UTF-8?Q?a=ZZ=4?=", "a=ZZ=4"),
            ("=?UTF-8?Q?open", "=?UTF-8?Q?open"),
            ("=?UTF-8?B?*?=", "=?UTF-8?B?*?="),
            ("=?UTF-8?X?a?= =??Q?a?=", "=?UTF-8?X?a?= =??Q?a?="),
            ("=?UTF-8?Q?a b?=", "=?UTF-8?Q?a b?="),
        ] {
            assert_eq!(decode(written.as_bytes()), read, "{written}");
        }
        assert_eq!(decode(b"J\xfcrgen"), "J\u{fc}rgen");
    }

    #[test]
    fn words_with_blanks_are_read_when_they_are_asked_for() {
        for (written, read) in [
            ("=?UTF-8?Q?for =6De only?= x", "for me only x"),
            ("=?UTF-8?Q?for =6De?= =?utf-8?B?IQ==?=", "for me!"),
            ("=?UTF-8?Q?open =6De", "=?UTF-8?Q?open =6De"),
        ] {
            assert_eq!(decode_with_blanks(written.as_bytes()), read, "{written}");
        }
    }

    #[test]
    fn the_shorter_scheme_is_written() {
        assert_eq!(encode("J\u{fc}rgen", 75), ["=?UTF-8?Q?J=C3=BCrgen?="]);
        assert_eq!(encode("\u{65e5}\u{672c}", 75), ["=?UTF-8?B?5pel5pys?="]);
    }

    #[test]
    fn the_part_that_needs_encoding_is_found() {
        assert_eq!(span_to_encode("all plain"), None);
        assert_eq!(span_to_encode("a \u{e9} b =?x c"), Some((2, 10)));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "\\PC{0,200}", room in 0..100_usize) {
            let words = encode(&text, room);
            for word in &words {
                prop_assert!(word.len() <= LONGEST_WORD);
                prop_assert_eq!(word_length(word.as_bytes()), Some(word.len()));
            }
            prop_assert_eq!(decode(words.join("\r\n ").as_bytes()), text);
        }

        #[test]
        fn a_character_is_never_cut(text in "[\u{e9}\u{4e2d}\u{1f600}a ]{0,200}") {
            for word in encode(&text, 40) {
                let (word, _) = parse_word(word.as_bytes(), Blanks::EndWord).unwrap();
                prop_assert!(std::str::from_utf8(&word.octets).is_ok());
            }
        }

        #[test]
        fn hostile_bytes_are_read_somehow(pieces in prop::collection::vec(prop::sample::select(vec![
            &b"=?"[..], b"?=", b"?Q?", b"?b?", b"utf-7", b"utf-16", b"gb18030", b"iso-2022-jp", b" ", b"=C3", b"w6k=", b"\xff", b"+", b"\x1b$B",
        ]), 0..40), noise in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = pieces.concat();
            bytes.extend(noise);
            prop_assert!(decode(&bytes).len() <= bytes.len() * 6);
        }
    }
}

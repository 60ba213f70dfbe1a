//! Writing header fields: folded, and unable to become more than one field.
//!
//! Lines are folded at 78 columns where there is white space to fold at, and never exceed the 998 octets that a line may
//! have (RFC 5322, section 2.1.1). Control characters in whatever is written become spaces, so no value can start a
//! line of its own. A [`HeaderField`] can be made in no other way, which is why [`crate::mail::edit`] takes nothing else.

use std::borrow::Cow;

use bytes::Bytes;

use super::encoded_word;
use super::message::{is_newline, is_wsp};

/// Lines are folded so that they end here: 78 columns less the comma that may be glued to the end.
const FOLD_AFTER: usize = 77;
/// Most octets that a line may have, without its CRLF.
const LONGEST_LINE: usize = 998;
/// A longer piece without white space is broken, or encoded where that is possible.
pub(super) const LONGEST_PIECE: usize = 900;
/// Longest run of white space that is kept.
const LONGEST_GAP: usize = 60;
const LONGEST_NAME: usize = 76;

/// One complete header field, folded, with its final CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderField(Bytes);

impl HeaderField {
    /// A field of unstructured text (`Subject`), or of a value that takes no part in folding rules (`Date`).
    #[must_use]
    pub fn unstructured(name: &str, text: &str) -> Self {
        let mut field = FieldWriter::new(name);
        field.text(text);
        field.finish()
    }

    /// The field as it is written into a message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Writes one header field.
#[derive(Debug, Clone)]
pub struct FieldWriter {
    out: Vec<u8>,
    /// Octets on the line so far.
    column: usize,
    /// Something stands on this line besides the name or the indentation.
    filled: bool,
}

impl FieldWriter {
    /// Starts with `Name:`. A character that no name may have becomes `-`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let keep = |b: u8| if b.is_ascii_graphic() && b != b':' { b } else { b'-' };
        let mut out: Vec<u8> = name.bytes().take(LONGEST_NAME).map(keep).collect();
        out.push(b':');
        Self { column: out.len(), out, filled: false }
    }

    /// Writes something that must not be folded inside, after a space or a fold. Nothing is written for nothing.
    ///
    /// Only what no line could hold (more than 900 octets) is broken.
    pub fn token(&mut self, text: &str) -> &mut Self {
        let text = without_controls(text);
        let mut rest = text.trim_matches(' ');
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(floor_boundary(rest, LONGEST_PIECE));
            self.piece(b" ", piece.as_bytes());
            rest = after;
        }
        self
    }

    /// Writes punctuation directly behind what is there.
    pub fn glue(&mut self, punctuation: char) -> &mut Self {
        let mark = if punctuation.is_control() { ' ' } else { punctuation };
        self.put(mark.encode_utf8(&mut [0; 4]).as_bytes());
        self
    }

    /// Writes bytes of an original field as they are, with the folds in them. A line end that is no fold becomes a space.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        let bytes = with_folds_only(bytes);
        if !bytes.is_empty() {
            self.piece(b" ", &bytes);
        }
        self
    }

    /// Writes words with the white space between them (up to 60 octets of it in a row). From the first word that needs
    /// it to the last, they are encoded (RFC 2047).
    pub fn text(&mut self, text: &str) -> &mut Self {
        let text = without_controls(text);
        let text = text.trim_matches(' ');
        let Some((start, end)) = encoded_word::span_to_encode(text) else {
            return self.plain(text);
        };
        let before = text[..start].trim_end_matches(' ');
        self.plain(before).encoded(start - before.len(), &text[start..end]).plain(&text[end..])
    }

    /// The finished field.
    #[must_use]
    pub fn finish(mut self) -> HeaderField {
        self.out.extend_from_slice(b"\r\n");
        HeaderField(self.out.into())
    }

    /// Words with their own gaps; the caller has seen to it that no word is too long for a line.
    pub(super) fn plain(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        loop {
            let word = rest.trim_start_matches(' ');
            let gap = gap(rest.len() - word.len());
            let length = word.find(' ').unwrap_or(word.len());
            if length == 0 {
                return self;
            }
            self.piece(gap, &word.as_bytes()[..length]);
            rest = &word[length..];
        }
    }

    /// The text as encoded-words, after a gap of so many spaces.
    pub(super) fn encoded(&mut self, spaces: usize, text: &str) -> &mut Self {
        let mut gap = gap(spaces);
        // 76 columns: RFC 2047, section 2.
        let room = 76_usize.saturating_sub(self.column + gap.len());
        for word in encoded_word::encode(text, room) {
            self.piece(gap, word.as_bytes());
            gap = b" ";
        }
        self
    }

    fn piece(&mut self, gap: &[u8], piece: &[u8]) {
        let first_line = piece.iter().position(|&b| is_newline(b)).unwrap_or(piece.len());
        let end = self.column + gap.len() + first_line;
        if (self.filled && end > FOLD_AFTER) || end > LONGEST_LINE {
            self.out.extend_from_slice(b"\r\n");
            self.column = 0;
        }
        self.put(gap);
        self.put(piece);
        self.filled = true;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.column = match bytes.iter().rposition(|&b| b == b'\n') {
            Some(at) => bytes.len() - at - 1,
            None => self.column + bytes.len(),
        };
    }
}

fn gap(spaces: usize) -> &'static [u8] {
    const SPACES: &[u8] = &[b' '; LONGEST_GAP];
    &SPACES[..spaces.clamp(1, LONGEST_GAP)]
}

/// Control characters, line ends among them, as spaces.
pub(super) fn without_controls(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        return Cow::Owned(text.replace(char::is_control, " "));
    }
    Cow::Borrowed(text)
}

/// The bytes, trimmed, with every CR, LF and NUL that does not belong to a fold (CRLF and white space) as a space.
fn with_folds_only(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.trim_ascii().to_vec();
    let mut at = 0;
    while at < out.len() {
        let rest = &mut out[at..];
        match rest {
            [b'\r', b'\n', next, ..] if is_wsp(*next) => at += 2,
            [b @ (b'\r' | b'\n' | 0), ..] => *b = b' ',
            _ => at += 1,
        }
    }
    out
}

/// The largest character boundary up to `limit`; at least one character.
pub(super) fn floor_boundary(text: &str, limit: usize) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    text.floor_char_boundary(limit).max(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::message::Message;

    fn written(write: impl FnOnce(&mut FieldWriter)) -> String {
        let mut field = FieldWriter::new("X");
        write(&mut field);
        String::from_utf8(field.finish().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn tokens_are_folded_between_and_not_inside() {
        let token = "a".repeat(40);
        let result = written(|field| {
            field.token(&token).glue(',').token(&token).glue(';').token("b");
        });
        assert_eq!(result, format!("X: {token},\r\n {token}; b\r\n"));
    }

    #[test]
    fn a_token_that_is_too_long_for_the_first_line_stays_on_it() {
        let token = "a".repeat(200);
        assert_eq!(
            written(|field| {
                field.token(&token);
            }),
            format!("X: {token}\r\n")
        );
    }

    #[test]
    fn no_value_starts_a_line_of_its_own() {
        assert_eq!(
            written(|field| {
                field.token("a\r\nTo: b\0c");
            }),
            "X: a  To: b c\r\n"
        );
        assert_eq!(
            written(|field| {
                field.text("a\nTo: b");
            }),
            "X: a To: b\r\n"
        );
        assert_eq!(
            written(|field| {
                field.raw(b"a\r\nTo: b");
            }),
            "X: a  To: b\r\n"
        );
        assert_eq!(
            written(|field| {
                field.raw(b"a\r\n\r\n b");
            }),
            "X: a  \r\n b\r\n"
        );
        assert_eq!(FieldWriter::new("A:\r\nB").finish().as_bytes(), b"A---B:\r\n");
    }

    #[test]
    fn raw_bytes_keep_their_folds() {
        let raw = b"\"Jane\r\n\tDoe\" <jane@example.com>";
        let result = written(|field| {
            field.raw(raw);
        });
        assert_eq!(result.as_bytes(), [&b"X: "[..], raw, b"\r\n"].concat());
    }

    #[test]
    fn white_space_in_text_is_kept() {
        assert_eq!(
            written(|field| {
                field.text("a   b  c");
            }),
            "X: a   b  c\r\n"
        );
    }

    #[test]
    fn only_the_words_that_need_it_are_encoded() {
        let result = written(|field| {
            field.text("Re: gr\u{fc}n und sch\u{f6}n for us");
        });
        assert_eq!(result, "X: Re: =?UTF-8?Q?gr=C3=BCn_und_sch=C3=B6n?= for us\r\n");
    }

    #[test]
    fn a_word_too_long_for_a_line_is_encoded() {
        let field = HeaderField::unstructured("Subject", &"a".repeat(5_000));
        let lines: Vec<_> = field.as_bytes().split(|&b| b == b'\n').collect();
        assert!(lines.len() > 50 && lines.iter().all(|line| line.len() <= 79));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_one_field(texts in prop::collection::vec((0..4_u8, ".{0,300}|[ \\PC\r\n\t]{0,1500}"), 0..6)) {
            let mut writer = FieldWriter::new("X");
            for (how, text) in &texts {
                match how {
                    0 => writer.token(text),
                    1 => writer.text(text),
                    2 => writer.raw(text.get(..text.floor_char_boundary(300)).unwrap_or("").as_bytes()),
                    _ => writer.glue(','),
                };
            }
            let field = writer.finish();
            let message = Message::parse(Bytes::copy_from_slice(field.as_bytes()));
            prop_assert_eq!(message.fields().len(), 1);
            prop_assert_eq!(message.name(&message.fields()[0]), Some("X"));
            for line in field.as_bytes().split(|&b| b == b'\n') {
                prop_assert!(line.len() <= LONGEST_LINE + 1, "{}", line.len());
            }
        }

        #[test]
        fn text_reads_back_as_it_was(text in "[ -~\u{e9}\u{4e2d}\u{1f600}]{0,300}") {
            let field = HeaderField::unstructured("X", &text);
            let value = String::from_utf8(field.as_bytes()[2..].to_vec()).unwrap().replace("\r\n", "");
            let read = encoded_word::decode(value.as_bytes());
            prop_assert_eq!(read.trim_matches(' '), text.trim_matches(' '));
        }
    }
}

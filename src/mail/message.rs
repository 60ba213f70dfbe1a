//! A message as it came: where its header fields are in the original bytes, and where its body begins.
//!
//! Parsing never fails, takes linear time and copies nothing. It errs towards seeing too much: the header section ends
//! only at CRLF CRLF, so a field can't hide behind an empty line that only some readers recognise, while inside the
//! section a bare CR or LF ends a line too, so a field can't hide behind one of those either. A line that is no field
//! is kept as an *opaque* line and does not end the section.
//!
//! What this module does not do: decode, or judge (a message with ten `From` fields is a message). What must be refused
//! before anything else is done with a message is told by [`Message::check`].

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr2, memmem};

/// Most fields (opaque lines included) that a header section may have.
pub const MAX_FIELDS: usize = 2_000;
/// Most octets that a header section may have.
pub const MAX_HEAD: usize = 512 * 1024;
/// What we may add to a message that was taken: fields, and octets (reverse aliases are longer than the addresses that they
/// stand for).
const OUR_FIELDS: usize = 100;
const OUR_HEAD: usize = 512 * 1024;

const CRLF: &[u8] = b"\r\n";

/// Why a message is too much to work on. Neither gets better by waiting: the answer is a 5xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// More than [`MAX_FIELDS`] lines.
    #[error("the message has more than {MAX_FIELDS} header fields")]
    TooManyFields,
    /// More than [`MAX_HEAD`] octets.
    #[error("the header section of the message is larger than {MAX_HEAD} octets")]
    TooLarge,
}

/// A header field, or an opaque line, of one [`Message`]: positions in its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// With continuation lines and the last line end.
    span: Range<usize>,
    name: Option<Name>,
}

/// Where a field's name ends (it begins with the field), and where its colon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name {
    end: usize,
    colon: usize,
}

impl Field {
    fn read(head: &[u8], span: Range<usize>) -> Self {
        let name = read_name(&head[span.clone()])
            .map(|name| Name { end: span.start + name.end, colon: span.start + name.colon });
        Self { span, name }
    }
}

/// The name of a field: printable ASCII but the colon (RFC 5322, section 2.2), with white space allowed before the colon
/// (section 4.5.3).
fn read_name(line: &[u8]) -> Option<Name> {
    let colon = memchr(b':', line)?;
    let before = line.get(..colon)?;
    let end = before.iter().rposition(|&b| !is_wsp(b))? + 1;
    before[..end].iter().all(u8::is_ascii_graphic).then_some(Name { end, colon })
}

/// A message: its bytes and the positions of its fields.
#[derive(Debug, Clone)]
pub struct Message {
    raw: Bytes,
    fields: Vec<Field>,
    /// Where the fields end and the empty line, if there is one, begins.
    fields_end: usize,
    body_start: usize,
}

impl Message {
    /// Finds the fields and the body. Without an empty line everything is header, and the body is empty.
    ///
    /// Lines are expected to end in CRLF: the SMTP side sees to that. A message with bare LFs only has no body.
    #[must_use]
    pub fn parse(raw: Bytes) -> Self {
        let (fields_end, body_start) = split(&raw);
        let fields = scan(&raw[..fields_end]);
        Self { raw, fields, fields_end, body_start }
    }

    /// Whether the header section is within bounds.
    ///
    /// # Errors
    /// Names the bound. Such a message must be refused: not all of its fields are in [`Message::fields`].
    pub fn check(&self) -> Result<(), HeadError> {
        if self.fields_end > MAX_HEAD {
            return Err(HeadError::TooLarge);
        }
        if self.fields.len() > MAX_FIELDS {
            return Err(HeadError::TooManyFields);
        }
        Ok(())
    }

    /// The same for a message that was taken and has our own fields on top, or addresses of ours in the place of others.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_ours(&self) -> Result<(), HeadError> {
        if self.fields_end > MAX_HEAD + OUR_HEAD {
            return Err(HeadError::TooLarge);
        }
        if self.fields.len() > MAX_FIELDS + OUR_FIELDS {
            return Err(HeadError::TooManyFields);
        }
        Ok(())
    }

    /// Fields and opaque lines, in order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The fields of this name, in any case, with their indices in [`Message::fields`].
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (usize, &'a Field)> {
        self.fields.iter().enumerate().filter(move |(_, field)| self.is(field, name))
    }

    /// Whether the field has this name, in any case.
    #[must_use]
    pub fn is(&self, field: &Field, name: &str) -> bool {
        self.name(field).is_some_and(|found| found.eq_ignore_ascii_case(name))
    }

    /// The name as it was written, unless the line is opaque.
    #[must_use]
    pub fn name(&self, field: &Field) -> Option<&str> {
        let end = field.name?.end;
        std::str::from_utf8(self.slice(field.span.start..end)).ok()
    }

    /// What stands after the colon, folded as it came, without the final line end. Of an opaque line: the line.
    #[must_use]
    pub fn value(&self, field: &Field) -> &[u8] {
        let start = field.name.map_or(field.span.start, |name| name.colon + 1);
        let value = self.slice(start..field.span.end);
        let end = value.iter().rposition(|&b| !is_newline(b)).map_or(0, |last| last + 1);
        &value[..end]
    }

    /// The whole field or line, with its line end.
    #[must_use]
    pub fn raw_field(&self, field: &Field) -> &[u8] {
        self.slice(field.span.clone())
    }

    /// The message as it came.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The header section with the empty line that ends it, if there is one.
    #[must_use]
    pub fn head(&self) -> Bytes {
        self.raw.slice(..self.body_start)
    }

    /// What follows the empty line: a shared slice of the original bytes.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.raw.slice(self.body_start..)
    }

    /// The empty line that ends the header section, or nothing when it is missing.
    pub(super) fn separator(&self) -> &[u8] {
        self.slice(self.fields_end..self.body_start)
    }

    /// The octets from the start of one field (or the end of the last) to the end of the header fields.
    pub(super) fn fields_from(&self, index: usize) -> &[u8] {
        self.slice(self.start_of(index)..self.fields_end)
    }

    /// The octets of the fields in this range of indices.
    pub(super) fn fields_between(&self, range: Range<usize>) -> &[u8] {
        self.slice(self.start_of(range.start)..self.start_of(range.end))
    }

    fn start_of(&self, index: usize) -> usize {
        match self.fields.get(index) {
            Some(field) => field.span.start,
            None => self.fields.last().map_or(self.fields_end, |last| last.span.end),
        }
    }

    /// Empty when the range is not within this message, as happens with another message's field.
    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.raw.get(range).unwrap_or_default()
    }
}

/// Whether an octet above 127 is in it: sending it takes 8BITMIME (RFC 6152).
#[must_use]
pub fn needs_eight_bit(octets: &[u8]) -> bool {
    !octets.is_ascii()
}

/// Where the fields end and where the body begins.
fn split(raw: &[u8]) -> (usize, usize) {
    if raw.starts_with(CRLF) {
        return (0, CRLF.len());
    }
    match memmem::find(raw, b"\r\n\r\n") {
        Some(at) => (at + CRLF.len(), at + 2 * CRLF.len()),
        None => (raw.len(), raw.len()),
    }
}

/// The fields of a header section; one more than there may ever be at most, so that a hostile one costs no memory.
fn scan(head: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < head.len() && fields.len() <= MAX_FIELDS + OUR_FIELDS {
        let end = field_end(head, at);
        fields.push(Field::read(head, at..end));
        at = end;
    }
    fields
}

fn field_end(head: &[u8], start: usize) -> usize {
    let mut at = line_end(head, start);
    while head.get(at).copied().is_some_and(is_wsp) {
        at = line_end(head, at);
    }
    at
}

/// The end of the line. Line ends in a row belong to it: were they lines of their own, removing the one before could
/// leave an empty line in the middle of the header section.
fn line_end(head: &[u8], start: usize) -> usize {
    let rest = &head[start..];
    let Some(first) = memchr2(b'\r', b'\n', rest) else {
        return head.len();
    };
    let run = rest[first..].iter().take_while(|&&b| is_newline(b)).count();
    start + first + run
}

/// White space that folds a line (RFC 5234, appendix B.1).
pub(super) fn is_wsp(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

pub(super) fn is_newline(b: u8) -> bool {
    b == b'\r' || b == b'\n'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// Names in order; opaque lines as `-`.
    fn names(message: &Message) -> Vec<&str> {
        message.fields().iter().map(|field| message.name(field).unwrap_or("-")).collect()
    }

    #[test]
    fn fields_and_body_are_found() {
        let message = message("From: a@example.com\r\nSubject: one\r\n two\r\n\r\nbody\r\n\r\nmore\r\n");
        assert_eq!(names(&message), ["From", "Subject"]);
        assert_eq!(message.value(&message.fields()[1]), b" one\r\n two");
        assert_eq!(message.body(), "body\r\n\r\nmore\r\n");
        assert!(message.head().ends_with(b"two\r\n\r\n"));
    }

    #[test]
    fn shapes_of_header_sections() {
        for (text, expected, body) in [
            ("", vec![], ""),
            ("\r\nbody", vec![], "body"),
            ("\r\n\r\nbody", vec![], "\r\nbody"),
            ("A: 1\r\n", vec!["A"], ""),
            ("A: 1", vec!["A"], ""),
            ("A : 1\r\nB\t:2\r\n\r\n", vec!["A", "B"], ""),
            ("Fr om: x\r\nFrom: y\r\n\r\n", vec!["-", "From"], ""),
            ("From jane@example.com Mon Sep 21 14:13:20 2026\r\nFrom: y\r\n\r\n", vec!["-", "From"], ""),
            (": x\r\n :y\r\nA:\r\n\r\n", vec!["-", "A"], ""),
            (" dangling: x\r\n\tand more\r\nA: 1\r\n\r\n", vec!["-", "A"], ""),
            ("no colon\r\n continued: here\r\nA: 1\r\n\r\n", vec!["-", "A"], ""),
            ("A\u{e9}: 1\r\nB: 2\r\n\r\n", vec!["-", "B"], ""),
            ("A: 1\r\n \r\nB: 2\r\n\r\nx", vec!["A", "B"], "x"),
        ] {
            let message = message(text);
            assert_eq!(names(&message), expected, "{text:?}");
            assert_eq!(message.body(), body, "{text:?}");
        }
    }

    #[test]
    fn bare_line_ends_hide_no_field() {
        for text in [
            "Subject: x\nFrom: a@example.com\r\n\r\n",
            "Subject: x\rFrom: a@example.com\r\n\r\n",
            "Subject: x\r\n\nFrom: a@example.com\r\n\r\n",
            "Subject: x\n\r\nFrom: a@example.com\r\n\r\n",
            "Subject: x\r\r\nFrom: a@example.com\r\n\r\n",
        ] {
            assert_eq!(names(&message(text)), ["Subject", "From"], "{text:?}");
        }
    }

    #[test]
    fn names_are_found_in_any_case_with_their_indices() {
        let message = message("from: 1\r\nTo: 2\r\nFROM : 3\r\n\r\n");
        let found: Vec<_> =
            message.named("From").map(|(index, field)| (index, message.value(field).to_vec())).collect();
        assert_eq!(found, [(0, b" 1".to_vec()), (2, b" 3".to_vec())]);
    }

    #[test]
    fn bounds_are_reported() {
        assert_eq!(message(&format!("{}\r\n", "A: 1\r\n".repeat(MAX_FIELDS))).check(), Ok(()));
        let many = message(&format!("{}\r\n", "A:\r\n".repeat(MAX_FIELDS * 50)));
        assert_eq!(many.check(), Err(HeadError::TooManyFields));
        assert_eq!(many.fields().len(), MAX_FIELDS + OUR_FIELDS + 1);
        let large = message(&format!("A: {}\r\n\r\n", "x".repeat(MAX_HEAD)));
        assert_eq!(large.check(), Err(HeadError::TooLarge));
    }

    #[test]
    fn eight_bit_octets_are_seen() {
        assert!(needs_eight_bit("\u{e9}".as_bytes()) && !needs_eight_bit(b"e"));
    }

    proptest! {
        #[test]
        fn every_octet_has_its_place(raw in hostile()) {
            let message = Message::parse(Bytes::from(raw.clone()));
            let mut rebuilt: Vec<u8> =
                message.fields().iter().flat_map(|field| message.raw_field(field)).copied().collect();
            rebuilt.extend_from_slice(message.separator());
            prop_assert_eq!(&rebuilt, &message.head());
            rebuilt.extend_from_slice(&message.body());
            prop_assert_eq!(rebuilt, raw);
        }

        #[test]
        fn a_from_at_the_start_of_a_line_is_always_seen(before in hostile(), end in 0..3_usize) {
            let from = ["\r\nFrom: x\r\n\r\n", "\nFrom: x\r\n\r\n", "\rFrom: x\r\n\r\n"][end];
            let message = Message::parse(Bytes::from([&before, from.as_bytes()].concat()));
            prop_assume!(message.body().is_empty());
            prop_assert!(message.named("from").count() >= 1);
        }
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(prop::sample::select(&b"\r\n\r\n\t :ab\0\xe9From"[..]), 0..120),
        ]
    }
}

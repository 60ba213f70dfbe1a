//! Which header fields are outside, in clear, and which inside what is encrypted (RFC 9788).
//!
//! **Inside** (section 5.2, the *Cryptographic Payload*) are the fields of the message with the bytes that they had,
//! in their order, MIME fields among them. Two things are added:
//!
//! - To `Content-Type` the parameter `hp="cipher"` (section 2.1), which tells that these fields are the true ones,
//!   and `protected-headers="v1"`, the older form, without which today's Thunderbird and K-9 show the outer subject.
//!   A message without `Content-Type` gets one that says what its absence meant.
//! - An `HP-Outer` field for each field that is outside as well, with the value that it has there (section 2.2). A
//!   reader that finds a field without one knows that it was confidential.
//!
//! **Outside** are those of them that servers and filters go by: people, ids, the date, and what tells lists and machines.
//! `Subject` is `[...]` when it is to be hidden. That is stricter than `hcp_baseline` of section 3.2.1: a field that we do not
//! know may repeat the subject (`Thread-Topic`) or the text (`X-Spam-Report`). MIME fields outside are those of the encrypted
//! message; a line that is no field may be the text of a message that has lost its empty line.
//!
//! **Only outside** are fields that tell of the way so far (`Received`, `Authentication-Results`, ours): they are not
//! the sender's, and the programs that read them do not decrypt. Signatures over the clear message (`DKIM-Signature`,
//! `ARC-*`) are nowhere: nobody could check them. `HP-Outer` fields that came are left out: they speak of another
//! envelope.
//!
//! What is not done: a signed message (`multipart/signed`) is not put into another part. Thunderbird takes the
//! subject of such a one from the part that is signed, and shows `[...]` when that has none. Nor is the subject
//! repeated at the start of the text (*Legacy Display Elements*, section 5.2.2). Either would change the body.

use std::ops::Range;

use crate::mail::{Field, Message};

/// Whether the subject can be read outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OuterSubject {
    /// `[...]` stands in its place.
    Hidden,
    /// As it is.
    Shown,
}

const HIDDEN_SUBJECT: &[u8] = b"Subject: [...]\r\n";
const MARKS: &[u8] = b" hp=\"cipher\"; protected-headers=\"v1\"";

/// The two header sections of an encrypted message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heads {
    /// Without MIME fields, and without the empty line.
    pub outer: Vec<u8>,
    /// Of the entity that is encrypted, with the empty line.
    pub inner: Vec<u8>,
}

/// Divides the header section of `head` (its body does not count); `body` is what stands behind it.
pub(super) fn divide(head: &Message, body: &[u8], subject: OuterSubject) -> Heads {
    let mut division = Division::with_capacity(head.raw().len());
    for field in head.fields() {
        let raw = head.raw_field(field);
        match place(head, field, subject) {
            Place::Both => division.put_both(raw),
            Place::Inside => put(&mut division.inner, raw),
            Place::Outside => put(&mut division.outer, raw),
            Place::Type => division.put_type(raw, head.value(field)),
            Place::Subject => division.put_subject(raw),
            Place::Nowhere => {}
        }
    }
    division.finish(body)
}

/// Where a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Both,
    Inside,
    Outside,
    /// Inside, with the marks.
    Type,
    /// Inside, and hidden outside.
    Subject,
    Nowhere,
}

fn place(head: &Message, field: &Field, subject: OuterSubject) -> Place {
    let Some(name) = head.name(field) else { return Place::Inside };
    let hides = subject == OuterSubject::Hidden;
    match name.to_ascii_lowercase().as_str() {
        "content-type" => Place::Type,
        "hp-outer" => Place::Nowhere,
        name if is_signature(name) => Place::Nowhere,
        name if is_trace(name) => Place::Outside,
        "subject" if hides => Place::Subject,
        name if is_for_servers(name) => Place::Both,
        _ => Place::Inside,
    }
}

/// What servers and filters go by. Anything else may repeat the subject, or the text: some scanners put the beginning of it
/// into a field of their own.
fn is_for_servers(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "subject",
        "date",
        "message-id",
        "in-reply-to",
        "references",
        "mail-reply-to",
        "mail-followup-to",
        "auto-submitted",
        "precedence",
        "importance",
        "priority",
        "x-priority",
        "autocrypt",
        "list-id",
        "feedback-id",
    ];
    NAMES.contains(&name) || name.starts_with("list-unsubscribe")
}

/// Over bytes that nobody will see as they were signed.
fn is_signature(name: &str) -> bool {
    matches!(name, "dkim-signature" | "x-google-dkim-signature" | "domainkey-signature")
        || name.starts_with("arc-")
}

fn is_trace(name: &str) -> bool {
    const TRACE: [&str; 6] =
        ["received", "x-received", "received-spf", "return-path", "delivered-to", "authentication-results"];
    TRACE.contains(&name) || name.starts_with("aliasd-")
}

/// Two header sections in the making.
struct Division {
    outer: Vec<u8>,
    inner: Vec<u8>,
    /// The `HP-Outer` fields.
    copies: Vec<u8>,
    has_type: bool,
    has_hidden_subject: bool,
}

impl Division {
    fn with_capacity(octets: usize) -> Self {
        Self {
            outer: Vec::with_capacity(octets),
            inner: Vec::with_capacity(2 * octets + 256),
            copies: Vec::with_capacity(octets),
            has_type: false,
            has_hidden_subject: false,
        }
    }

    fn put_both(&mut self, raw: &[u8]) {
        put(&mut self.inner, raw);
        self.put_outside(raw);
    }

    fn put_outside(&mut self, raw: &[u8]) {
        put(&mut self.outer, raw);
        self.copies.extend_from_slice(b"HP-Outer: ");
        put(&mut self.copies, raw);
    }

    /// Several subjects are hidden behind one.
    fn put_subject(&mut self, raw: &[u8]) {
        put(&mut self.inner, raw);
        if !self.has_hidden_subject {
            self.put_outside(HIDDEN_SUBJECT);
            self.has_hidden_subject = true;
        }
    }

    /// A blank one counts as missing.
    fn put_type(&mut self, raw: &[u8], value: &[u8]) {
        if value.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        put(&mut self.inner, &marked(raw, value));
        self.has_type = true;
    }

    fn finish(mut self, body: &[u8]) -> Heads {
        if !self.has_type {
            self.inner.extend_from_slice(b"Content-Type: text/plain");
            self.inner.extend_from_slice(default_charset(body));
            self.inner.extend_from_slice(b";");
            self.inner.extend_from_slice(MARKS);
            self.inner.extend_from_slice(b"\r\n");
        }
        self.inner.append(&mut self.copies);
        self.inner.extend_from_slice(b"\r\n");
        Heads { outer: self.outer, inner: self.inner }
    }
}

/// The field, with a line end: the last one of a message without a body may lack it.
fn put(section: &mut Vec<u8>, raw: &[u8]) {
    section.extend_from_slice(raw);
    if !raw.ends_with(b"\r\n") {
        section.extend_from_slice(b"\r\n");
    }
}

/// What a message without `Content-Type` is in (RFC 2045, section 5.2), and what it is in as a rule when it has octets
/// above 127 all the same.
fn default_charset(body: &[u8]) -> &'static [u8] {
    if body.is_ascii() {
        b"; charset=us-ascii"
    } else if std::str::from_utf8(body).is_ok() {
        b"; charset=utf-8"
    } else {
        b""
    }
}

/// A `Content-Type` field with our marks at the end of its value. Parameters of the same names are taken out: most
/// readers believe the first.
fn marked(raw: &[u8], value: &[u8]) -> Vec<u8> {
    let value_end = raw.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1);
    let value_start = value_end.saturating_sub(value.len());
    let mut field = Vec::with_capacity(raw.len() + MARKS.len() + 3);
    let mut kept = value_start;
    field.extend_from_slice(raw.get(..value_start).unwrap_or_default());
    for mark in marks_in(value) {
        field.extend_from_slice(raw.get(kept..value_start + mark.start).unwrap_or_default());
        kept = value_start + mark.end;
    }
    field.extend_from_slice(raw.get(kept..value_end).unwrap_or_default().trim_ascii_end());
    if !field.ends_with(b";") {
        field.push(b';');
    }
    field.extend_from_slice(b"\r\n");
    field.extend_from_slice(MARKS);
    field.extend_from_slice(b"\r\n");
    field
}

/// Where parameters with the names of our marks stand, each with the semicolon before it.
fn marks_in(value: &[u8]) -> Vec<Range<usize>> {
    let mut semicolons = semicolons(value);
    semicolons.push(value.len());
    let parameters = semicolons.iter().zip(semicolons.iter().skip(1));
    parameters
        .map(|(&start, &end)| start..end)
        .filter(|parameter| is_mark(value.get(parameter.start + 1..parameter.end).unwrap_or_default()))
        .collect()
}

/// `name=value`, and the forms `name*=`, `name*0=` of RFC 2231.
fn is_mark(parameter: &[u8]) -> bool {
    let end = parameter.iter().position(|b| matches!(b, b'=' | b'*')).unwrap_or(parameter.len());
    let name = parameter.get(..end).unwrap_or_default().trim_ascii();
    name.eq_ignore_ascii_case(b"hp") || name.eq_ignore_ascii_case(b"protected-headers")
}

/// The semicolons of a value that stand in neither a quoted string nor a comment.
fn semicolons(value: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut is_quoted, mut depth, mut is_escaped) = (false, 0_usize, false);
    for (at, &b) in value.iter().enumerate() {
        let was_escaped = std::mem::take(&mut is_escaped);
        match b {
            _ if was_escaped => {}
            b'\\' => is_escaped = is_quoted || depth > 0,
            b'"' if depth == 0 => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => found.push(at),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn parsed(section: &[u8]) -> Message {
        Message::parse(Bytes::copy_from_slice(section))
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: [&str; 22] = [
            "Subject",
            "Content-Type",
            "HP-Outer",
            "Received",
            "Dear Jane",
            "X-A",
            "Comments",
            ":",
            ":",
            ": ",
            ";",
            "hp=",
            "text/plain",
            "\"",
            "(",
            ")",
            "\\",
            "\r\n",
            "\r\n",
            "\n",
            "\r",
            " ",
        ];
        let piece = prop_oneof![
            8 => prop::sample::select(&PIECES[..]).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 1..4),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn fields_that_repeat_the_subject_or_the_text_do_not_show_outside() {
        for field in [
            "X-Spam-Report: not spam\r\n Content preview:  Dear Jane, secret",
            "Archived-At: <https://lists.example.org/thread/secret>",
            "Summary: secret",
        ] {
            let head = format!("From: a@example.org\r\nSubject: secret\r\n{field}\r\n\r\n");
            let Heads { outer, .. } = divide(&parsed(head.as_bytes()), b"", OuterSubject::Hidden);
            assert!(!String::from_utf8_lossy(&outer).contains("secret"), "{field}");
        }
    }

    proptest! {
        #[test]
        fn what_is_inside_has_the_same_body_and_fields(head in hostile(), body in prop::collection::vec(any::<u8>(), 0..40)) {
            let head = Message::parse(Bytes::from(head));
            let head = Message::parse(head.head());
            let Heads { inner, .. } = divide(&head, &body, OuterSubject::Hidden);
            let inner = Message::parse(Bytes::from([&inner[..], &body].concat()));
            prop_assert_eq!(&inner.body()[..], &body[..]);
            let kept = |message: &Message| -> Vec<Vec<u8>> {
                let fields = message.fields().iter();
                let fields = fields.filter(|field| !message.is(field, "content-type"));
                let fields = fields.filter(|field| {
                    let place = place(message, field, OuterSubject::Hidden);
                    !matches!(place, Place::Outside | Place::Nowhere)
                });
                fields.map(|field| message.raw_field(field).trim_ascii_end().to_vec()).collect()
            };
            prop_assert_eq!(kept(&inner), kept(&head));
        }

        #[test]
        fn outside_there_is_no_subject_no_text_and_no_mime_field(head in hostile()) {
            let head = Message::parse(Message::parse(Bytes::from(head)).head());
            let Heads { outer, inner } = divide(&head, b"", OuterSubject::Hidden);
            let outer = parsed(&[&outer[..], b"\r\n"].concat());
            prop_assert!(outer.body().is_empty());
            for field in outer.fields().iter().filter(|field| outer.raw_field(field) != b"\r\n") {
                let name = outer.name(field).unwrap_or_default().to_ascii_lowercase();
                prop_assert!(!name.is_empty() && !name.starts_with("content-") && name != "comments");
                prop_assert!(name != "subject" || outer.value(field) == b" [...]");
            }
            let marked = parsed(&inner).named("content-type").count();
            prop_assert!(marked >= 1);
        }

        #[test]
        fn a_type_keeps_its_value_and_gets_one_mark(value in "[a-z/]{1,8}(; ?(hp|HP\\*|x|protected-headers)=(\"[a;=(\\\\\"]{0,4}\"|[a-z]{1,4})){0,4}") {
            let raw = format!("Content-Type: {value}\r\n");
            let field = parsed(&marked(raw.as_bytes(), parsed(raw.as_bytes()).value(&parsed(raw.as_bytes()).fields()[0])));
            let value = field.value(&field.fields()[0]);
            prop_assert_eq!(field.fields().len(), 1);
            prop_assert!(value.ends_with(MARKS));
        }
    }
}

//! The part that gives the message back: whole (`message/rfc822`), or its header section (`text/rfc822-headers`, RFC 6522,
//! section 4). With header fields in UTF-8: `message/global` and `message/global-headers` (RFC 6532, RFC 6533).

use bytes::Bytes;

use super::{Action, Part, Report};
use crate::mail::quoted_printable;

/// Larger messages come back as their header section, in octets.
pub const MAX_RETURNED: usize = 64 * 1024;
/// Most octets of a line that every server takes, without its end (RFC 5321, section 4.5.3.1.6).
const LONGEST_LINE: usize = 998;

/// The message that a report is about, as its sender wrote it.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// The header section with the empty line that ends it.
    pub head: &'a Bytes,
    /// Everything after it.
    pub body: &'a Bytes,
    /// How much of it the sender wants back.
    pub wanted: Returned,
}

/// How much of a message comes back (RFC 3461, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Returned {
    /// All of it up to [`MAX_RETURNED`].
    #[default]
    Full,
    /// The header section.
    Headers,
}

/// What comes back in the end. All of it only with a failure (RFC 3461, section 4.3), when it is not large, and when it can
/// be put into another message: a part of this type cannot be encoded (RFC 2046, section 5.2.1), so a line that is too
/// long for a server would keep the report from arriving.
pub(super) fn returned(report: &Report<'_>) -> Returned {
    let Original { head, body, wanted } = report.original;
    let any_failed = report.recipients.iter().any(|recipient| recipient.action == Action::Failed);
    let fits = head.len() + body.len() <= MAX_RETURNED;
    if any_failed && fits && has_fair_lines(head) && has_fair_lines(body) {
        wanted
    } else {
        Returned::Headers
    }
}

/// Whether text needs no encoding, whatever it is sent over.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.is_ascii() && has_fair_lines(text)
}

/// No line is too long, none has a NUL or an end that is not CRLF (RFC 2045, section 2.7).
fn has_fair_lines(text: &[u8]) -> bool {
    text.split_inclusive(|&b| b == b'\n').all(|line| {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        line.len() <= LONGEST_LINE && !line.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'))
    })
}

pub(super) fn part(report: &Report<'_>) -> Part {
    let Original { head, body, .. } = report.original;
    match returned(report) {
        Returned::Full => full(head, body),
        Returned::Headers => headers(head, !report.to.is_ascii()),
    }
}

fn full(head: &Bytes, body: &Bytes) -> Part {
    let content = [head.as_ref(), body.as_ref()].concat();
    let is_utf8 = !head.is_ascii() && std::str::from_utf8(head).is_ok();
    let content_type = if is_utf8 { "message/global" } else { "message/rfc822" };
    Part { content_type, encoding: if content.is_ascii() { "7bit" } else { "8bit" }, content }
}

/// The fields without the empty line. Where they are not plain they are encoded, which also broken ones may be (RFC 6522,
/// section 4); but who has an address in UTF-8 gets UTF-8 as it is.
fn headers(head: &Bytes, takes_utf8: bool) -> Part {
    let length = if head.ends_with(b"\r\n\r\n") { head.len() - 2 } else { head.len() };
    let fields = head.get(..length).unwrap_or_default();
    if is_plain(fields) {
        let content = fields.to_vec();
        return Part { content_type: "text/rfc822-headers", encoding: "7bit", content };
    }
    let is_utf8 = !fields.is_ascii() && std::str::from_utf8(fields).is_ok();
    if is_utf8 && takes_utf8 && has_fair_lines(fields) {
        let content = fields.to_vec();
        return Part { content_type: "message/global-headers", encoding: "8bit", content };
    }
    let content_type = if is_utf8 { "text/rfc822-headers; charset=utf-8" } else { "text/rfc822-headers" };
    Part { content_type, encoding: "quoted-printable", content: quoted_printable::encode(fields) }
}

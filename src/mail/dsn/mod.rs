//! Writing delivery status notifications (RFC 3464 in the container of RFC 6522; RFC 6533 for addresses in UTF-8).
//!
//! A report has three parts: words for a person, fields for a program, and the message that it is about, or its header
//! section. Everything comes in as arguments, names and times and texts: what may be shown to whom is decided by the
//! caller ([`crate::relay::report`]), and nothing is shown here that was not given.
//!
//! Whatever the texts hold, what is written is well formed: no value leaves its field, no line of ours is longer than
//! 998 octets, and everything is ASCII except where the original message, or an address in UTF-8 that is written to
//! somebody who has such an address too, must be 8-bit.

mod original;
mod status;
mod text;

use bytes::Bytes;
use memchr::memmem;

use super::address::{Address, DomainName};
use super::date::Timestamp;
use super::fold::{FieldWriter, HeaderField};
use super::message::{Message, needs_eight_bit};
use super::message_id;

pub use original::{MAX_RETURNED, Original, Returned};

/// Longest id that is quoted from the original message.
const LONGEST_ID: usize = 900;
/// Longest boundary (RFC 2046, section 5.1.1).
const LONGEST_BOUNDARY: usize = 60;

/// A report to be written.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Us: `Reporting-MTA`, and the domain of `From` and `Message-ID`.
    pub reporting_mta: &'a DomainName,
    /// The return path of the original message.
    pub to: &'a Address,
    /// Now.
    pub date: Timestamp,
    /// What stands before the `@` of our `Message-ID`.
    pub id: &'a str,
    /// Parts the parts; unpredictable, so that no message can hold it.
    pub boundary: &'a str,
    /// When the original message came.
    pub arrival: Timestamp,
    /// The sender's name for the transaction, decoded (RFC 3461, section 4.4).
    pub envelope_id: Option<&'a str>,
    /// One at least.
    pub recipients: &'a [Recipient],
    /// The message as the sender wrote it.
    pub original: Original<'a>,
}

/// What happened to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// `Original-Recipient`: the kind of address and the address, as the sender gave them (RFC 3461, section 4.2).
    pub original: Option<(String, String)>,
    /// `Final-Recipient`: under which address it is reported.
    pub address: Address,
    /// What happened.
    pub action: Action,
    /// `Status` (RFC 3463).
    pub status: (u8, u16, u16),
    /// `Remote-MTA`: the name of the host that said so, if it may be known.
    pub remote_mta: Option<String>,
    /// `Diagnostic-Code`: an SMTP reply, code first.
    pub diagnostic: Option<String>,
    /// `Last-Attempt-Date`.
    pub last_attempt: Option<Timestamp>,
    /// Why, in sentences for a person; may be empty.
    pub reason: String,
}

/// What happened (RFC 3464, section 2.3.3), the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It was not delivered and will not be.
    Failed,
    /// Not yet; it is tried until then (`Will-Retry-Until`).
    Delayed(Timestamp),
    /// It went where no more reports are asked for.
    Relayed,
    /// It has arrived.
    Delivered,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The header section with the empty line that ends it.
    pub head: Bytes,
    /// Everything after it.
    pub body: Bytes,
    /// An octet above 127 is in it.
    pub eight_bit: bool,
    /// The header section has one (RFC 6531).
    pub smtputf8: bool,
}

/// A part of the body: what its header says, and its content as it is written.
struct Part {
    content_type: &'static str,
    encoding: &'static str,
    content: Vec<u8>,
}

impl Report<'_> {
    /// The report as a message.
    #[must_use]
    pub fn compose(&self) -> Composed {
        let parts = [text::part(self), status::part(self), original::part(self)];
        let boundary = self.free_boundary(&parts);
        let mut body = Vec::new();
        for part in &parts {
            part.write(&boundary, &mut body);
        }
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let eight_bit_body = needs_eight_bit(&body);
        let head = self.head(&boundary, eight_bit_body);
        let smtputf8 = needs_eight_bit(&head);
        Composed { head: head.into(), body: body.into(), eight_bit: eight_bit_body || smtputf8, smtputf8 }
    }

    fn head(&self, boundary: &str, eight_bit: bool) -> Vec<u8> {
        let mut head = Vec::new();
        let mut put = |field: HeaderField| head.extend_from_slice(field.as_bytes());
        put(self.from());
        put(field("To", &[&self.to.to_string()]));
        put(HeaderField::unstructured("Subject", text::subject(self.worst())));
        put(field("Date", &[&self.date.to_rfc5322()]));
        put(message_id::field(self.id, self.reporting_mta));
        if let Some(id) = self.original_id() {
            put(field("In-Reply-To", &[&id]));
            put(field("References", &[&id]));
        }
        // RFC 3834, section 5: in response to another message, and not by a person.
        put(field("Auto-Submitted", &["auto-replied"]));
        put(field("MIME-Version", &["1.0"]));
        let boundary = format!("boundary=\"{boundary}\"");
        put(field("Content-Type", &["multipart/report;", "report-type=delivery-status;", &boundary]));
        if eight_bit {
            put(field("Content-Transfer-Encoding", &["8bit"]));
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    fn from(&self) -> HeaderField {
        let mut field = FieldWriter::new("From");
        field.display_name("Mail Delivery").token(&format!("<MAILER-DAEMON@{}>", self.reporting_mta));
        field.finish()
    }

    /// The original's own id, when it has one that may stand in a field.
    fn original_id(&self) -> Option<String> {
        let message = Message::parse(self.original.head.clone());
        let (_, field) = message.named("Message-ID").next()?;
        let value = message.value(field);
        let id = value.get(message_id::spans(value).into_iter().next()?)?;
        let fits = id.len() <= LONGEST_ID && id.iter().all(u8::is_ascii_graphic);
        fits.then(|| String::from_utf8_lossy(id).into_owned())
    }

    /// What decides the words on top.
    fn worst(&self) -> Action {
        self.recipients.iter().map(|recipient| recipient.action).min().unwrap_or(Action::Failed)
    }

    /// The boundary, longer if a part has it already.
    fn free_boundary(&self, parts: &[Part]) -> String {
        let allowed = |c: &char| c.is_ascii_alphanumeric();
        let mut boundary: String = self.boundary.chars().filter(allowed).take(LONGEST_BOUNDARY).collect();
        let is_taken = |boundary: &str| {
            let line = format!("--{boundary}");
            parts.iter().any(|part| memmem::find(&part.content, line.as_bytes()).is_some())
        };
        while boundary.is_empty() || (is_taken(&boundary) && boundary.len() < LONGEST_BOUNDARY + 9) {
            boundary.push('_');
        }
        boundary
    }
}

impl Part {
    fn write(&self, boundary: &str, body: &mut Vec<u8>) {
        // The line end before a boundary belongs to it (RFC 2046, section 5.1.1).
        let before = if body.is_empty() { "" } else { "\r\n" };
        let Self { content_type, encoding, .. } = self;
        let head = format!(
            "{before}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&self.content);
    }
}

/// A field of words between which it may be folded.
fn field(name: &str, words: &[&str]) -> HeaderField {
    let mut field = FieldWriter::new(name);
    for word in words {
        field.token(word);
    }
    field.finish()
}

#[cfg(test)]
mod tests;

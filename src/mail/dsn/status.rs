//! The part for programs: `message/delivery-status` (RFC 3464, section 2), or `message/global-delivery-status` (RFC 6533,
//! section 4) where an address in UTF-8 may stand as it is.

use super::{Action, Part, Recipient, Report, field};
use crate::mail::address::Address;
use crate::mail::fold::{FieldWriter, HeaderField, LONGEST_PIECE, floor_boundary, without_controls};
use crate::mail::utf8_address;

/// Longest text of a remote host that is quoted, in octets.
const LONGEST_DIAGNOSTIC: usize = 1000;

/// Which characters the fields may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Ascii,
    /// Who gets the report has an address in UTF-8, so the way there and the program at its end take it.
    Utf8,
}

pub(super) fn part(report: &Report<'_>) -> Part {
    let any_utf8 = report.recipients.iter().any(|recipient| !recipient.address.is_ascii());
    let form = if any_utf8 && !report.to.is_ascii() { Form::Utf8 } else { Form::Ascii };
    let mut content = Vec::new();
    write(&mut content, message_fields(report));
    for recipient in report.recipients {
        content.extend_from_slice(b"\r\n");
        write(&mut content, recipient_fields(recipient, form));
    }
    match form {
        Form::Ascii => Part { content_type: "message/delivery-status", encoding: "7bit", content },
        Form::Utf8 => Part { content_type: "message/global-delivery-status", encoding: "8bit", content },
    }
}

fn write(content: &mut Vec<u8>, fields: impl IntoIterator<Item = HeaderField>) {
    fields.into_iter().for_each(|field| content.extend_from_slice(field.as_bytes()));
}

/// RFC 3464, section 2.2, in its order.
fn message_fields(report: &Report<'_>) -> impl Iterator<Item = HeaderField> {
    let envelope_id = report.envelope_id.map(|id| verbatim("Original-Envelope-Id", None, id));
    let reporting_mta = field("Reporting-MTA", &["dns;", report.reporting_mta.as_str()]);
    let arrival = field("Arrival-Date", &[&report.arrival.to_rfc5322()]);
    envelope_id.into_iter().chain([reporting_mta, arrival])
}

/// RFC 3464, section 2.3, in its order.
fn recipient_fields(recipient: &Recipient, form: Form) -> Vec<HeaderField> {
    let (class, subject, detail) = recipient.status;
    let mut fields = Vec::new();
    if let Some((kind, address)) = &recipient.original {
        fields.push(verbatim("Original-Recipient", Some(kind), address));
    }
    fields.push(final_recipient(&recipient.address, form));
    fields.push(field("Action", &[recipient.action.word()]));
    fields.push(field("Status", &[&format!("{class}.{subject}.{detail}")]));
    if let Some(host) = &recipient.remote_mta {
        fields.push(text_field("Remote-MTA", "dns;", host));
    }
    if let Some(diagnostic) = &recipient.diagnostic {
        let (diagnostic, _) = diagnostic.split_at(floor_boundary(diagnostic, LONGEST_DIAGNOSTIC));
        fields.push(text_field("Diagnostic-Code", "smtp;", diagnostic));
    }
    if let Some(at) = recipient.last_attempt {
        fields.push(field("Last-Attempt-Date", &[&at.to_rfc5322()]));
    }
    if let Action::Delayed(until) = recipient.action {
        fields.push(field("Will-Retry-Until", &[&until.to_rfc5322()]));
    }
    fields
}

fn final_recipient(address: &Address, form: Form) -> HeaderField {
    let text = address.to_string();
    match form {
        _ if address.is_ascii() => field("Final-Recipient", &["rfc822;", &text]),
        Form::Utf8 => field("Final-Recipient", &["utf-8;", &text]),
        Form::Ascii => field("Final-Recipient", &["utf-8;", &utf8_address::escape(&text)]),
    }
}

/// Free text behind the name of its kind; what is not ASCII becomes encoded-words.
fn text_field(name: &str, kind: &str, text: &str) -> HeaderField {
    let mut field = FieldWriter::new(name);
    field.token(kind).text(text);
    field.finish()
}

/// What the sender gave and has to find again: ASCII, also where it looks like an encoded-word.
fn verbatim(name: &str, kind: Option<&str>, text: &str) -> HeaderField {
    let mut field = FieldWriter::new(name);
    if let Some(kind) = kind {
        field.token(&format!("{kind};"));
    }
    let text = without_controls(text);
    let fits = text.is_ascii() && text.split(' ').all(|word| word.len() <= LONGEST_PIECE);
    if fits {
        field.plain(&text)
    } else {
        field.text(&text)
    };
    field.finish()
}

impl Action {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed(_) => "delayed",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
        }
    }
}

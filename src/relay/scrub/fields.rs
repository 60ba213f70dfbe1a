//! The header fields of a part, of a message within the message, and of the reply itself.
//!
//! A field without a trace keeps its bytes. One with a trace is written anew where that makes sense, and looked at again;
//! what still shows something goes, and so do fields that tell the way of a message through the owner's servers.

mod parameters;
mod people;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::mail::mime::Change;
use crate::mail::{Edits, Field, FieldWriter, HeaderField, Message, encoded_word, message_id};

use super::SealIds;
use super::kind;
use super::marks::other_content_id;
use super::secrets::Secrets;
use super::view::Syntax;

/// Edits of one header section, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldEdits {
    changes: BTreeMap<usize, Option<HeaderField>>,
    appended: Vec<HeaderField>,
}

impl FieldEdits {
    /// Adds them to other edits of the same header section.
    pub fn apply(&self, edits: &mut Edits<'_>) {
        for (&index, change) in &self.changes {
            match change {
                Some(field) => edits.replace(index, field.clone()),
                None => edits.remove(index),
            };
        }
        for field in &self.appended {
            edits.append(field.clone());
        }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.appended.is_empty()
    }
}

/// What a changed body asks of the fields that describe it.
#[derive(Debug, Clone, Default)]
pub(super) struct Description {
    /// Another media type.
    pub media_type: Option<&'static str>,
    /// Other values for parameters of `Content-Type`.
    pub parameters: Vec<(&'static str, Change)>,
    /// Another transfer encoding.
    pub transfer: Option<&'static str>,
}

impl Description {
    fn changes_type(&self) -> bool {
        self.media_type.is_some() || !self.parameters.is_empty()
    }
}

/// Whose header section it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The reply's own: only fields that a reply may carry are looked at.
    Root,
    /// That of a part or of a message in a part.
    Nested,
}

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Type,
    Transfer,
    Disposition,
    ContentId,
    MessageIds,
    People,
    /// Text for people: a bare domain may stay.
    Subject,
    /// Text that is called a name.
    Name,
    /// Where a message came through.
    Trace,
    /// Anything else.
    Other,
}

const IDS: [&str; 6] =
    ["message-id", "in-reply-to", "references", "resent-message-id", "original-message-id", "supersedes"];
const PEOPLE: [&str; 17] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "resent-reply-to",
    "mail-reply-to",
    "mail-followup-to",
    "disposition-notification-to",
    "return-receipt-to",
    "errors-to",
];
const TRACES: [&str; 17] = [
    "received",
    "x-received",
    "return-path",
    "delivered-to",
    "x-delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-rcpt-to",
    "x-real-to",
    "apparently-to",
    "authentication-results",
    "x-authentication-results",
    "received-spf",
    "x-originating-ip",
    "x-originating-email",
    "x-authenticated-sender",
];
const TRACE_STARTS: [&str; 5] = ["arc-", "autocrypt", "x-forwarded-", "x-aliasd-", "aliasd-"];
/// Fields of the reply itself that are looked at here, besides `Content-*`.
const OF_ROOT: [&str; 6] =
    ["subject", "mime-version", "auto-submitted", "importance", "x-priority", "priority"];

impl Purpose {
    fn of(name: &str) -> Self {
        match name {
            "content-type" => Self::Type,
            "content-transfer-encoding" => Self::Transfer,
            "content-disposition" => Self::Disposition,
            "content-id" => Self::ContentId,
            "subject" | "thread-topic" | "comments" | "keywords" => Self::Subject,
            "content-description" => Self::Name,
            _ if IDS.contains(&name) => Self::MessageIds,
            _ if PEOPLE.contains(&name) => Self::People,
            _ if TRACES.contains(&name) || TRACE_STARTS.iter().any(|start| name.starts_with(start)) => {
                Self::Trace
            }
            _ => Self::Other,
        }
    }
}

/// Fields of which only one counts: programs differ about which of two they believe.
const SINGLE: [&str; 4] = [kind::TYPE, kind::TRANSFER, kind::DISPOSITION, "Content-ID"];

/// The index of the one that counts, for each of them.
type Deciding = [(&'static str, Option<usize>); SINGLE.len()];

/// What becomes of a field.
enum Fate {
    Stays,
    Becomes(HeaderField),
    Goes,
}

/// Works on the fields of one header section.
pub(super) struct Fields<'a> {
    pub secrets: &'a Secrets,
    pub ids: &'a dyn SealIds,
    pub head: &'a Message,
    pub scope: Scope,
}

impl Fields<'_> {
    /// The edits that the section needs, and that a changed body needs in it.
    pub fn edits(&self, description: &Description) -> FieldEdits {
        let mut edits = FieldEdits::default();
        let deciding = SINGLE.map(|name| (name, kind::deciding(self.head, name)));
        for (index, field) in self.head.fields().iter().enumerate() {
            match self.fate(index, field, description, &deciding) {
                Fate::Stays => {}
                Fate::Becomes(field) => {
                    edits.changes.insert(index, Some(field));
                }
                Fate::Goes => {
                    edits.changes.insert(index, None);
                }
            }
        }
        self.add_missing(&mut edits, description);
        edits
    }

    fn fate(&self, index: usize, field: &Field, description: &Description, deciding: &Deciding) -> Fate {
        let Some(name) = self.head.name(field) else { return self.line(field) };
        let lower = name.to_ascii_lowercase();
        if self.scope == Scope::Root && !lower.starts_with("content-") && !OF_ROOT.contains(&lower.as_str()) {
            return Fate::Stays;
        }
        let purpose = Purpose::of(&lower);
        if deciding.iter().any(|(name, one)| name.eq_ignore_ascii_case(&lower) && *one != Some(index)) {
            return Fate::Goes;
        }
        self.fate_of(purpose, name, self.head.value(field), description)
    }

    fn fate_of(&self, purpose: Purpose, name: &str, value: &[u8], description: &Description) -> Fate {
        match purpose {
            Purpose::Trace => Fate::Goes,
            Purpose::Type => self.content_type(name, value, description),
            Purpose::Transfer => match description.transfer {
                Some(transfer) => Fate::Becomes(HeaderField::unstructured(name, transfer)),
                None if self.has_trace(value) => Fate::Goes,
                None => Fate::Stays,
            },
            Purpose::Disposition => self.parameterized(name, value),
            Purpose::ContentId => self.content_id(name, value),
            Purpose::MessageIds => self.message_ids(name, value),
            Purpose::People => self.people(name, value),
            Purpose::Subject => self.subject(name, value),
            Purpose::Name => self.name(name, value),
            Purpose::Other => self.other(name, value),
        }
    }

    /// The line before a message in a mailbox file, or one that is no field.
    fn line(&self, field: &Field) -> Fate {
        if self.scope == Scope::Nested && self.has_trace(self.head.value(field)) {
            Fate::Goes
        } else {
            Fate::Stays
        }
    }

    fn content_id(&self, name: &str, value: &[u8]) -> Fate {
        match other_content_id(&read(value), self.secrets, self.ids) {
            Some(other) => Fate::Becomes(token_field(name, &format!("<{other}>"))),
            None => self.stays_if_clean(value),
        }
    }

    /// Ids with a trace are sealed. What stands between ids belongs to none, and goes when the field is written anew.
    fn message_ids(&self, name: &str, value: &[u8]) -> Fate {
        if !self.has_trace(value) {
            return Fate::Stays;
        }
        let mut field = FieldWriter::new(name);
        let spans = message_id::spans(value);
        for id in spans.iter().filter_map(|span| value.get(span.clone())) {
            if self.has_trace(id) {
                field.token(&self.ids.message_id(id));
            } else {
                field.raw(id);
            }
        }
        if spans.is_empty() { Fate::Goes } else { self.becomes_if_clean(field.finish()) }
    }

    fn subject(&self, name: &str, value: &[u8]) -> Fate {
        let with_blanks = read_with_blanks(value);
        let is_hidden = self.secrets.address_in(&with_blanks, Syntax::Plain);
        let written = if is_hidden { with_blanks } else { read(value) };
        let changed = self.secrets.replace_prose(&written, Syntax::Plain);
        if changed.is_none() && !self.address_in_raw(value) {
            return Fate::Stays;
        }
        let field = HeaderField::unstructured(name, &changed.unwrap_or(written));
        if self.address_in_raw(value_of(&field)) { Fate::Goes } else { Fate::Becomes(field) }
    }

    fn name(&self, name: &str, value: &[u8]) -> Fate {
        let written = read(value);
        if !self.secrets.trace_in_name(&written) && !self.secrets.trace_in_name(&raw_text(value)) {
            return Fate::Stays;
        }
        let changed = self.secrets.replace_name(&written).unwrap_or(written);
        let field = HeaderField::unstructured(name, &changed);
        if self.secrets.trace_in_name(&read(value_of(&field))) { Fate::Goes } else { Fate::Becomes(field) }
    }

    /// What describes a part may be needed; an extension with a trace is not.
    fn other(&self, name: &str, value: &[u8]) -> Fate {
        if !self.has_trace(value) {
            return Fate::Stays;
        }
        if !name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-")) {
            return Fate::Goes;
        }
        let written = read(value);
        let changed = self.secrets.replace_everything(&written, Syntax::Plain).unwrap_or(written);
        self.becomes_if_clean(HeaderField::unstructured(name, &changed))
    }

    fn becomes_if_clean(&self, field: HeaderField) -> Fate {
        if self.has_trace(value_of(&field)) { Fate::Goes } else { Fate::Becomes(field) }
    }

    fn stays_if_clean(&self, value: &[u8]) -> Fate {
        if self.has_trace(value) { Fate::Goes } else { Fate::Stays }
    }

    /// Whether a value has a trace in any way of reading it.
    fn has_trace(&self, value: &[u8]) -> bool {
        readings(value).any(|(text, syntax)| self.secrets.trace_in(&text, syntax))
    }

    fn address_in_raw(&self, value: &[u8]) -> bool {
        readings(value).any(|(text, syntax)| self.secrets.address_in(&text, syntax))
    }

    /// Fields that a changed body needs and that are not there.
    fn add_missing(&self, edits: &mut FieldEdits, description: &Description) {
        let is_missing = |name: &str| self.head.named(name).next().is_none();
        if description.changes_type() && is_missing(kind::TYPE) {
            edits.appended.push(parameters::new_type(description));
        }
        if let Some(transfer) = description.transfer.filter(|_| is_missing(kind::TRANSFER)) {
            edits.appended.push(HeaderField::unstructured(kind::TRANSFER, transfer));
        }
        let is_root = self.scope == Scope::Root;
        if is_root && !edits.appended.is_empty() && is_missing("MIME-Version") {
            edits.appended.push(HeaderField::unstructured("MIME-Version", "1.0"));
        }
    }
}

fn token_field(name: &str, token: &str) -> HeaderField {
    let mut field = FieldWriter::new(name);
    field.token(token);
    field.finish()
}

/// The value of a field that we have written.
fn value_of(field: &HeaderField) -> &[u8] {
    let bytes = field.as_bytes();
    let colon = memchr::memchr(b':', bytes).map_or(0, |at| at + 1);
    bytes.get(colon..).unwrap_or_default()
}

/// A value as people read it: unfolded, encoded-words decoded.
pub(super) fn read(value: &[u8]) -> String {
    encoded_word::decode(&unfolded(value)).trim().to_owned()
}

/// The same as programs read it for which encoded-words may have blanks in them, and octets that are not UTF-8 are nothing.
fn read_with_blanks(value: &[u8]) -> String {
    let value = unfolded(value);
    encoded_word::decode_with_blanks(raw_text(&value).as_bytes()).trim().to_owned()
}

fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|b| !b"\r\n".contains(b)).collect())
}

fn raw_text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

/// A value in every way that a program may read it: as it is, with folds that are nothing, and decoded by the rules and
/// without them.
pub(super) fn readings(value: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Syntax)> {
    let is_folded = memchr::memchr2(b'\r', b'\n', value).is_some();
    let is_coded = memchr::memmem::find(value, b"=?").is_some() || std::str::from_utf8(value).is_err();
    let plain = (raw_text(value), Syntax::Plain);
    let folded = is_folded.then(|| (raw_text(value), Syntax::Folded));
    let joined = is_folded.then(|| (Cow::Owned(raw_text(&unfolded(value)).into_owned()), Syntax::Plain));
    let decoded = is_coded.then(|| (Cow::Owned(read(value)), Syntax::Plain));
    let with_blanks = is_coded.then(|| (Cow::Owned(read_with_blanks(value)), Syntax::Plain));
    std::iter::once(plain).chain(folded).chain(joined).chain(decoded).chain(with_blanks)
}

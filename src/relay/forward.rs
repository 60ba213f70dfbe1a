//! A forward: what an alias's mailbox gets of a message.
//!
//! The header fields that name people become reverse aliases, a few that would lead an answer past aliasd are taken out,
//! the owner's message ids are opened ([`super::threads`]), ours are put on top; every other field and the whole body stay as
//! they came, byte for byte.

use crate::mail::address_list::{self, Decision, OnGroup, OnMalformed, Rewritten};
use crate::mail::{Address, Edits, Field, HeaderField, Message, NamedAddress, auth_results, message_id};

use super::alias::{Alias, NameFormat};
use super::correspondents::{self, Correspondent, Known};
use super::ids::Ids;
use super::keys::Keys;
use super::ports::Content;
use super::refusal::Refused;
use super::trace::Trace;
use super::{content, loop_header, threads};

/// Fields that show or fetch something past the alias: delivery traces, blind copies, receipts and reports that the
/// owner's program would send from the mailbox.
const REMOVED: [&str; 10] = [
    "Sender",
    "Return-Path",
    "Delivered-To",
    "Bcc",
    "Disposition-Notification-To",
    "Return-Receipt-To",
    "Return-Receipt-Requested",
    "X-Confirm-Reading-To",
    "Errors-To",
    "Apparently-To",
];
const REMOVED_PREFIX: &str = "Resent-";
/// Fields that start so are ours alone.
const OWN_PREFIX: &str = "Aliasd-";

/// A message on its way to the mailboxes of an alias.
#[derive(Debug)]
pub struct Forward<'a> {
    /// As it came.
    pub message: &'a Message,
    /// The alias that it was sent to.
    pub alias: &'a Alias,
    /// The address that was used for it, perhaps with a `+tag`.
    pub given: &'a Address,
    /// Who wrote it.
    pub author: &'a Correspondent,
    /// What is known of the people whom it names.
    pub known: &'a Known,
    /// How it came.
    pub trace: &'a Trace<'a>,
}

/// Refuses a message that this alias has forwarded before.
///
/// # Errors
/// [`Refused::Loop`].
pub fn check_loop(message: &Message, alias: &Alias, keys: &Keys) -> Result<(), Refused> {
    let seen = |field: &Field| loop_header::open(&keys.loops, message.value(field)) == Some(alias.id);
    if message.named(loop_header::NAME).any(|(_, field)| seen(field)) {
        return Err(Refused::Loop);
    }
    Ok(())
}

impl Forward<'_> {
    /// The message as the mailbox gets it.
    #[must_use]
    pub fn compose(&self, keys: &Keys) -> Content {
        let mut edits = Edits::new(self.message);
        for (index, field) in self.message.fields().iter().enumerate() {
            self.edit_field(&mut edits, index, field, keys);
        }
        threads::open(&mut edits, self.message, &Ids::new(keys, self.alias), self.trace);
        self.add_trace(&mut edits, keys);
        self.add_missing(&mut edits);
        content::finish(edits.render(), self.trace.smtputf8)
    }

    fn edit_field(&self, edits: &mut Edits<'_>, index: usize, field: &Field, keys: &Keys) {
        let Some(name) = self.message.name(field) else {
            if looks_like_ours_to_change(self.message.raw_field(field)) {
                edits.remove(index);
            }
            return;
        };
        if self.is_removed(name, field, keys) {
            edits.remove(index);
        } else if let Some(canonical) = answered(name) {
            self.rewrite_people(edits, index, field, canonical);
        }
    }

    fn is_removed(&self, name: &str, field: &Field, keys: &Keys) -> bool {
        let value = self.message.value(field);
        if REMOVED.iter().any(|removed| name.eq_ignore_ascii_case(removed))
            || has_prefix(name, REMOVED_PREFIX)
        {
            return true;
        }
        if name.eq_ignore_ascii_case(loop_header::NAME) {
            return loop_header::open(&keys.loops, value).is_none();
        }
        if name.eq_ignore_ascii_case(auth_results::NAME) {
            return auth_results::claims_to_be_from(value, self.trace.hostname);
        }
        is_own(name)
    }

    /// Reverse aliases for everyone but ourselves; a field that names nobody else keeps its bytes. What cannot be read
    /// goes: the owner's program might read an address in it and answer past the alias.
    fn rewrite_people(&self, edits: &mut Edits<'_>, index: usize, field: &Field, field_name: &str) {
        let value = self.message.value(field);
        let people = address_list::parse(value);
        let policy = (OnMalformed::Drop, OnGroup::KeepPlain);
        match people.rewrite(field_name, value, policy, |person| self.stand_in(field_name, value, person)) {
            Rewritten::Unchanged => {}
            Rewritten::Field(field) => {
                edits.replace(index, field);
            }
            Rewritten::Empty => {
                edits.remove(index);
            }
        }
    }

    /// A contact shows as its reverse alias, the alias and our own addresses as themselves. Whoever else is named is beyond
    /// the limit of contacts: an answer to everyone must not go past the alias.
    fn stand_in(&self, field_name: &str, value: &[u8], person: &NamedAddress) -> Decision {
        let is_alias = correspondents::is_recipient(self.alias, field_name, &person.address);
        if is_alias || self.known.ours.contains(&person.address) {
            return as_itself(value, person);
        }
        match self.known.contacts.get(&person.address) {
            Some(contact) => Decision::Replace {
                name: shown_as(self.alias.name_format, person.name.as_deref(), &person.address),
                address: contact.reverse_alias.clone(),
            },
            None => Decision::Drop,
        }
    }

    fn add_trace(&self, edits: &mut Edits<'_>, keys: &Keys) {
        edits.insert_top(content::received(self.trace, self.given));
        edits.insert_top(auth_results::none(self.trace.hostname));
        edits.insert_top(HeaderField::unstructured("Aliasd-Alias", &self.given.to_string()));
        edits.insert_top(HeaderField::unstructured("Aliasd-Original-From", &self.author.address.to_string()));
        edits.insert_top(HeaderField::unstructured(
            loop_header::NAME,
            &loop_header::compose(&keys.loops, self.alias.id),
        ));
    }

    fn add_missing(&self, edits: &mut Edits<'_>) {
        if self.message.named("Date").next().is_none() {
            edits.append(HeaderField::unstructured("Date", &self.trace.now.to_rfc5322()));
        }
        if self.message.named("Message-ID").next().is_none() {
            edits.append(message_id::field(&self.trace.id.to_string(), self.trace.hostname));
        }
    }
}

/// An address of ours stays as it is written, unless a mail program might read another address in the words around it.
fn as_itself(value: &[u8], person: &NamedAddress) -> Decision {
    let written = value.get(person.span.clone()).unwrap_or_default();
    let is_plain = memchr::memchr_iter(b'@', written).count() == 1 && memchr::memchr(b'(', written).is_none();
    if is_plain {
        return Decision::Keep;
    }
    let name = person.name.clone().filter(|name| !name.contains('@'));
    Decision::Replace { name, address: person.address.clone() }
}

fn answered(name: &str) -> Option<&'static str> {
    correspondents::ANSWERED.into_iter().find(|answered| name.eq_ignore_ascii_case(answered))
}

/// Whether a field of this name is only ever ours.
#[must_use]
pub fn is_own(name: &str) -> bool {
    has_prefix(name, OWN_PREFIX)
}

/// A line that is no field, such as `Rep ly-To: x`, and that some programs read as one: what we would have changed in a
/// field cannot stay in it.
fn looks_like_ours_to_change(line: &[u8]) -> bool {
    let start = memchr::memchr(b':', line).and_then(|colon| line.get(..colon)).unwrap_or_default();
    let letters: String = start.iter().filter(|b| b.is_ascii_graphic()).map(|&b| char::from(b)).collect();
    answered(&letters).is_some()
        || REMOVED.iter().any(|removed| letters.eq_ignore_ascii_case(removed))
        || has_prefix(&letters, REMOVED_PREFIX)
        || is_own(&letters)
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The display name of somebody outside, as the account wants to see it.
#[must_use]
pub fn shown_as(format: NameFormat, name: Option<&str>, address: &Address) -> Option<String> {
    let name = name.map(str::trim).filter(|name| !name.is_empty() && *name != address.to_string());
    let spelled = || format!("{} at {}", address.local(), address.host().as_str());
    match (format, name) {
        (NameFormat::NameAt, Some(name)) => Some(format!("{name} - {}", spelled())),
        (NameFormat::NameAt, None) => Some(spelled()),
        (NameFormat::NameAddress, Some(name)) => Some(format!("{name} ({address})")),
        (NameFormat::Name, Some(name)) => Some(name.to_owned()),
        (NameFormat::NameAddress, None) | (NameFormat::Address, _) => Some(address.to_string()),
        (NameFormat::Name, None) | (NameFormat::None, _) => None,
    }
}

//! A forward: what an alias's mailbox gets of a message.
//!
//! The header fields that name people become reverse aliases, a few that would lead an answer past aliasd are taken out,
//! ours are put on top; every other field and the whole body stay as they came, byte for byte.

use crate::mail::address_list::{self, Decision, OnMalformed, Rewritten};
use crate::mail::{Address, Edits, Field, HeaderField, Message, NamedAddress, auth_results, message_id};

use super::alias::{Alias, NameFormat};
use super::correspondents::{self, Correspondent, Known};
use super::keys::Keys;
use super::ports::Content;
use super::refusal::Refused;
use super::trace::Trace;
use super::{content, loop_header};

/// Fields that show or fetch something past the alias: delivery traces, blind copies, receipts that the owner's program
/// would send from the mailbox.
const REMOVED: [&str; 6] =
    ["Sender", "Return-Path", "Delivered-To", "Bcc", "Disposition-Notification-To", "Return-Receipt-To"];
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
        self.add_trace(&mut edits, keys);
        self.add_missing(&mut edits);
        content::finish(edits.render(), self.trace.smtputf8)
    }

    fn edit_field(&self, edits: &mut Edits<'_>, index: usize, field: &Field, keys: &Keys) {
        let Some(name) = self.message.name(field) else { return };
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
        has_prefix(name, OWN_PREFIX)
    }

    /// Reverse aliases for everyone but ourselves; a field that names nobody else keeps its bytes. What cannot be read
    /// goes: the owner's program might read an address in it and answer past the alias.
    fn rewrite_people(&self, edits: &mut Edits<'_>, index: usize, field: &Field, name: &str) {
        let value = self.message.value(field);
        let people = address_list::parse(value);
        match people.rewrite(name, value, OnMalformed::Drop, |person| self.stand_in(person)) {
            Rewritten::Unchanged => {}
            Rewritten::Field(field) => {
                edits.replace(index, field);
            }
            Rewritten::Empty => {
                edits.remove(index);
            }
        }
    }

    fn stand_in(&self, person: &NamedAddress) -> Decision {
        if correspondents::is_alias(self.alias, &person.address) {
            return Decision::Keep;
        }
        match self.known.contacts.get(&person.address) {
            Some(contact) => Decision::Replace {
                name: shown_as(self.alias.name_format, person.name.as_deref(), &person.address),
                address: contact.reverse_alias.clone(),
            },
            None if self.known.ours.contains(&person.address) => Decision::Keep,
            // Beyond the limit of contacts: an answer to everyone must not go past the alias.
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

fn answered(name: &str) -> Option<&'static str> {
    correspondents::ANSWERED.into_iter().find(|answered| name.eq_ignore_ascii_case(answered))
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

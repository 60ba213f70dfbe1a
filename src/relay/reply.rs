//! A reply: what a contact gets of a message that the owner wrote to a reverse alias.
//!
//! The header section is put together anew from an allow-list, so that nothing of the owner's server, program or mailbox
//! gets through by being unknown to us.

use std::collections::HashMap;

use crate::mail::address_list::{self, Decision, OnGroup, OnMalformed, Rewritten};
use crate::mail::received::Received;
use crate::mail::{
    Address, Edits, Field, FieldWriter, HeaderField, Message, NamedAddress, Rendered, Timestamp, date,
    message_id,
};

use super::alias::{Alias, Lookup};
use super::content;
use super::correspondents;
use super::ids::Ids;
use super::keys::Keys;
use super::ports::Content;
use super::recipient::takes_mail;
use super::refusal::Refused;
use super::scrub::Scrubbed;
use super::threads::{HasId, Outward};
use super::trace::Trace;

/// Fields that a reply may carry as its author wrote them; `Content-*` besides. Of the three that hold ids, the owner's are
/// sealed ([`super::threads`]).
const ALLOWED: [&str; 9] = [
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Auto-Submitted",
    "Importance",
    "X-Priority",
    "Priority",
];
const ALLOWED_PREFIX: &str = "Content-";

/// What is known of the session that hands over a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It comes from one of the owner's own servers.
    TrustedNetwork,
    /// Nothing is known.
    None,
}

/// Whether the owner of the alias wrote this.
///
/// # Errors
/// [`Refused::NoProof`], [`Refused::NotTheOwner`], [`Refused::DisabledAliasSends`], or a `From` that says nothing.
pub fn authorize(
    message: &Message,
    alias: &Alias,
    evidence: Evidence,
    now: Timestamp,
) -> Result<(), Refused> {
    let author = correspondents::author(message)?;
    if evidence == Evidence::None {
        return Err(Refused::NoProof);
    }
    if !alias.mailboxes.iter().any(|mailbox| mailbox.address == author.address) {
        return Err(Refused::NotTheOwner);
    }
    if !has_sole_author(message) {
        return Err(Refused::From("it names more than one author"));
    }
    if !takes_mail(alias, now) {
        return Err(Refused::DisabledAliasSends);
    }
    Ok(())
}

/// Whether `From` says one address and nothing else: what cannot be read might be another author.
fn has_sole_author(message: &Message) -> bool {
    message.named("From").next().is_some_and(|(_, field)| {
        let list = address_list::parse(message.value(field));
        list.is_wholly_readable() && list.mailboxes().count() == 1
    })
}

/// Everyone in `To` and `Cc`, whom the directory has to be asked about.
///
/// # Errors
/// [`Refused::UnreadableRecipients`] when a part of them cannot be read.
pub fn addressed(message: &Message) -> Result<Vec<Address>, Refused> {
    let mut found = Vec::new();
    for (_, field) in ["To", "Cc"].iter().flat_map(|name| message.named(name)) {
        let list = address_list::parse(message.value(field));
        if !list.is_wholly_readable() {
            return Err(Refused::UnreadableRecipients);
        }
        found.extend(list.mailboxes().map(|named| named.address.clone()));
    }
    Ok(found)
}

/// Refuses a reply whose `To` or `Cc` would show the mailbox to somebody, or one alias to another's contact.
///
/// # Errors
/// Names the address.
pub fn check_addressed(alias: &Alias, answers: &HashMap<Address, Lookup>) -> Result<(), Refused> {
    let mut addresses: Vec<_> = answers.iter().collect();
    addresses.sort_by_key(|(address, _)| *address);
    for (address, lookup) in addresses {
        match lookup {
            Lookup::ReverseAlias(owner, _) if owner.id == alias.id => {}
            Lookup::ReverseAlias(..) => return Err(Refused::OtherAlias(address.clone())),
            _ if correspondents::is_alias(alias, address) => {}
            _ => return Err(Refused::ForeignRecipient(address.clone())),
        }
    }
    Ok(())
}

/// A message on its way to contacts of an alias.
#[derive(Debug)]
pub struct ReplyMessage<'a> {
    /// As the owner wrote it.
    pub message: &'a Message,
    /// The alias that it leaves as.
    pub alias: &'a Alias,
    /// What the directory says of everyone in `To` and `Cc`.
    pub answers: &'a HashMap<Address, Lookup>,
    /// Its body, and the fields that describe it, without traces of the mailboxes.
    pub scrubbed: &'a Scrubbed,
    /// How it came; of this only our own part is told.
    pub trace: &'a Trace<'a>,
}

impl ReplyMessage<'_> {
    /// The message as the contact gets it.
    #[must_use]
    pub fn compose(&self, keys: &Keys) -> Content {
        let mut edits = Edits::new(self.message);
        self.scrubbed.fields.apply(&mut edits);
        let mut has_recipient = false;
        for (index, field) in self.message.fields().iter().enumerate() {
            has_recipient |= self.edit_field(&mut edits, index, field);
        }
        if !has_recipient {
            edits.append(HeaderField::unstructured("To", "undisclosed-recipients:;"));
        }
        let outward = Outward::of(self.message, Ids::new(keys, self.alias));
        let has_id = outward.edit(&mut edits, self.message);
        self.add_missing(&mut edits, has_id);
        edits.insert_top(self.received());
        let rendered = Rendered { body: self.scrubbed.body.clone(), ..edits.render() };
        content::finish(rendered, self.trace.smtputf8 || self.writes_utf8())
    }

    /// Whether an address that we write needs SMTPUTF8, which the owner's session need not have asked for: it named a
    /// reverse alias.
    fn writes_utf8(&self) -> bool {
        let contact = |lookup: &Lookup| matches!(lookup, Lookup::ReverseAlias(_, contact) if !contact.address.is_ascii());
        !self.alias.address.is_ascii() || self.answers.values().any(contact)
    }

    /// Keeps, rewrites or removes a field; tells whether it leaves a recipient behind.
    fn edit_field(&self, edits: &mut Edits<'_>, index: usize, field: &Field) -> bool {
        match self.message.name(field).map(str::to_ascii_lowercase).as_deref() {
            Some("from") => {
                edits.replace(index, self.from());
            }
            Some("date") => {
                edits.replace(index, self.date(field));
            }
            Some("to") => return self.rewrite_people(edits, index, field, "To"),
            Some("cc") => return self.rewrite_people(edits, index, field, "Cc"),
            // As the scrub has left it.
            Some(name) if is_allowed(name) => {}
            _ => {
                edits.remove(index);
            }
        }
        false
    }

    fn from(&self) -> HeaderField {
        let mut field = FieldWriter::new("From");
        field.mailbox(self.alias.display_name.as_deref(), &self.alias.address);
        field.finish()
    }

    /// The time zone would tell where the owner lives.
    fn date(&self, field: &Field) -> HeaderField {
        let written = date::parse_rfc5322(self.message.value(field));
        HeaderField::unstructured("Date", &written.unwrap_or(self.trace.now).to_rfc5322())
    }

    /// Contacts in place of reverse aliases; the alias itself goes, and with it every other word: names of groups and
    /// comments may tell the mailbox.
    fn rewrite_people(&self, edits: &mut Edits<'_>, index: usize, field: &Field, name: &str) -> bool {
        let value = self.message.value(field);
        let people = address_list::parse(value);
        let policy = (OnMalformed::Drop, OnGroup::Open);
        match people.rewrite(name, value, policy, |person| self.real_person(person)) {
            Rewritten::Field(field) => {
                edits.replace(index, field);
                true
            }
            // Nobody is named, or nobody who may be: what else is written there is the owner's.
            Rewritten::Unchanged | Rewritten::Empty => {
                edits.remove(index);
                false
            }
        }
    }

    fn real_person(&self, person: &NamedAddress) -> Decision {
        match self.answers.get(&person.address) {
            Some(Lookup::ReverseAlias(_, contact)) => {
                Decision::Replace { name: contact.name.clone(), address: contact.address.clone() }
            }
            _ => Decision::Drop,
        }
    }

    /// Our own step and nothing before it: the owner's server must not show.
    fn received(&self) -> HeaderField {
        let stamp = Received {
            from: None,
            by: self.trace.hostname,
            with: self.trace.protocol(),
            id: &self.trace.id.to_string(),
            recipient: None,
            at: self.trace.now,
        };
        stamp.to_field()
    }

    fn add_missing(&self, edits: &mut Edits<'_>, has_id: HasId) {
        if self.message.named("Date").next().is_none() {
            edits.append(HeaderField::unstructured("Date", &self.trace.now.to_rfc5322()));
        }
        if has_id == HasId::No {
            let domain = self.alias.address.domain().unwrap_or(self.trace.hostname);
            edits.append(message_id::field(&self.trace.id.to_string(), domain));
        }
    }
}

/// Whether a field of this name, given in lower case, may leave as its author wrote it.
#[must_use]
pub fn is_allowed(lower_case_name: &str) -> bool {
    ALLOWED.iter().any(|allowed| allowed.eq_ignore_ascii_case(lower_case_name))
        || lower_case_name.starts_with(&ALLOWED_PREFIX.to_ascii_lowercase())
}

//! A copy of a reply, for the alias's other mailboxes (`reply.copies_to_other_mailboxes`).
//!
//! It is the owner's own letter, for the owner's own eyes: its body, its ids and its subject are as they were written. What
//! it must not do is lead an answer past the alias, so it names people by reverse aliases only, and fields of the other
//! mailbox's server stay out.

use crate::mail::address_list::{self, Decision, OnGroup, OnMalformed, Rewritten};
use crate::mail::{Address, Edits, FieldWriter, HeaderField, Message, NamedAddress};

use super::alias::{Alias, Mailbox};
use super::content;
use super::correspondents;
use super::ports::Content;
use super::reply;
use super::reverse;
use super::trace::Trace;

/// A reply that others of the alias's mailboxes get to see.
#[derive(Debug)]
pub struct Copy<'a> {
    /// As the owner wrote it; everyone in `To` and `Cc` is the alias or one of its reverse aliases.
    pub message: &'a Message,
    /// The alias that it leaves as.
    pub alias: &'a Alias,
    /// How it came.
    pub trace: &'a Trace<'a>,
}

/// The mailboxes that get a copy of what `author` wrote: those that take mail, but its own.
pub fn readers<'a>(alias: &'a Alias, author: &'a Address) -> impl Iterator<Item = &'a Mailbox> {
    alias.open_mailboxes().filter(move |mailbox| mailbox.address != *author)
}

impl Copy<'_> {
    /// The message as the other mailboxes get it.
    #[must_use]
    pub fn compose(&self) -> Content {
        let mut edits = Edits::new(self.message);
        for (index, field) in self.message.fields().iter().enumerate() {
            let name = self.message.name(field).map(str::to_ascii_lowercase);
            match name.as_deref() {
                Some("from") => {
                    edits.replace(index, self.author());
                }
                Some("to") => self.only_reverse_aliases(&mut edits, index, "To"),
                Some("cc") => self.only_reverse_aliases(&mut edits, index, "Cc"),
                Some("date") => {}
                Some(name) if reply::is_allowed(name) => {}
                _ => {
                    edits.remove(index);
                }
            }
        }
        if let Some(answers) = self.answers() {
            edits.append(answers);
        }
        edits.insert_top(content::received(self.trace, &self.alias.address));
        edits.insert_top(HeaderField::unstructured("Aliasd-Alias", &self.alias.address.to_string()));
        content::finish(edits.render(), self.trace.smtputf8)
    }

    fn author(&self) -> HeaderField {
        let mut field = FieldWriter::new("From");
        field.mailbox(self.alias.display_name.as_deref(), &self.alias.address);
        field.finish()
    }

    /// Words around the addresses stay: they are the owner's.
    fn only_reverse_aliases(&self, edits: &mut Edits<'_>, index: usize, name: &str) {
        let Some(field) = self.message.fields().get(index) else { return };
        let value = self.message.value(field);
        let people = address_list::parse(value);
        let policy = (OnMalformed::Drop, OnGroup::KeepPlain);
        match people.rewrite(name, value, policy, |person| self.keep(person)) {
            Rewritten::Unchanged => {}
            Rewritten::Field(field) => {
                edits.replace(index, field);
            }
            Rewritten::Empty => {
                edits.remove(index);
            }
        }
    }

    fn keep(&self, person: &NamedAddress) -> Decision {
        let is_ours =
            correspondents::is_alias(self.alias, &person.address) || reverse::has_shape(&person.address);
        if is_ours { Decision::Keep } else { Decision::Drop }
    }

    /// An answer goes to the contacts, as an answer to everyone would, and not round to the alias.
    fn answers(&self) -> Option<HeaderField> {
        let mut people: Vec<Address> = Vec::new();
        for (_, field) in ["To", "Cc"].iter().flat_map(|name| self.message.named(name)) {
            for named in address_list::parse(self.message.value(field)).mailboxes() {
                if reverse::has_shape(&named.address) && !people.contains(&named.address) {
                    people.push(named.address.clone());
                }
            }
        }
        let (first, others) = people.split_first()?;
        let mut field = FieldWriter::new("Reply-To");
        field.mailbox(None, first);
        for person in others {
            field.glue(',').mailbox(None, person);
        }
        Some(field.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{DomainName, Timestamp};
    use crate::relay::alias::MailboxId;
    use crate::relay::testing;
    use crate::relay::transaction::TransactionId;
    use bytes::Bytes;

    const REVERSE: &str = "jane_at_example_org.aaaaaaaaaaaaaaaa@example.com";

    fn composed(head: &str) -> (String, Bytes, Bytes) {
        let raw = Bytes::from(format!("{head}\r\n\r\nme@example.net wrote this.\r\n"));
        let (message, hostname) = (Message::parse(raw), DomainName::parse("mx.example.com").unwrap());
        let trace = Trace {
            hostname: &hostname,
            id: TransactionId::new(Timestamp::EPOCH, [0; 10]),
            now: Timestamp::EPOCH,
            helo: "mail.example.net",
            client: "192.0.2.9".parse().unwrap(),
            esmtp: true,
            smtputf8: false,
        };
        let content = Copy { message: &message, alias: &testing::alias(), trace: &trace }.compose();
        (String::from_utf8(content.head.to_vec()).unwrap(), content.body, message.body())
    }

    #[test]
    fn a_copy_is_the_letter_with_people_by_their_reverse_aliases() {
        let head = format!(
            "Received: from laptop\r\nFrom: Me <me@example.net>\r\nTo: Jane <{REVERSE}>\r\nCc: shop@example.com\r\n\
             Message-ID: <1@laptop.local>\r\nDate: Mon, 21 Sep 2026 16:13:20 +0200\r\nSubject: Order\r\nX-Mailer: y"
        );
        let (head, body, original) = composed(&head);
        assert!(head.contains("\r\nFrom: The Shop <shop@example.com>\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nTo: Jane <{REVERSE}>\r\nCc: shop@example.com\r\n")), "{head}");
        assert!(head.contains(&format!("\r\nReply-To: {REVERSE}\r\n")), "{head}");
        assert!(
            head.contains("\r\nMessage-ID: <1@laptop.local>\r\n") && head.contains("\r\nSubject: Order\r\n")
        );
        assert!(
            !head.contains("me@example.net") && !head.contains("from laptop") && !head.contains("X-Mailer")
        );
        assert_eq!((body.as_ptr(), body.len()), (original.as_ptr(), original.len()), "the same memory");
    }

    #[test]
    fn it_goes_to_those_who_did_not_write_it() {
        let mut alias = testing::alias();
        for (id, address, paused) in [(22, "you@example.net", false), (23, "away@example.net", true)] {
            let address = Address::parse(address).unwrap();
            alias.mailboxes.push(Mailbox { id: MailboxId(id), address, paused, encrypts: false });
        }
        let author = Address::parse("ME@example.net").unwrap();
        let readers: Vec<_> = readers(&alias, &author).map(|mailbox| mailbox.address.to_string()).collect();
        assert_eq!(readers, ["you@example.net"]);
    }
}

//! The people of a message: its author and whoever else an owner could answer, so that each gets a reverse alias.

use std::collections::{HashMap, HashSet};

use crate::mail::{Address, Message, NamedAddress, address_list};

use super::alias::{Alias, Contact};
use super::refusal::Refused;

/// Contacts found or made for one message; further addresses are left out of its `To` and `Cc`.
pub const MAX_CONTACTS: usize = 50;

/// The fields whose addresses an owner's program answers to. The last two are no standard, and widely honoured.
pub const ANSWERED: [&str; 6] = ["From", "Reply-To", "To", "Cc", "Mail-Reply-To", "Mail-Followup-To"];
/// Addresses that a message may name in these fields: the work grows with them, for each alias that it is for.
pub const MAX_PEOPLE: usize = 1_000;

/// Somebody whom the message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correspondent {
    /// Where they are.
    pub address: Address,
    /// The name beside the address, decoded.
    pub name: Option<String>,
}

impl From<&NamedAddress> for Correspondent {
    fn from(named: &NamedAddress) -> Self {
        Self { address: named.address.clone(), name: named.name.clone() }
    }
}

/// The author: the first address of the only `From` field.
///
/// # Errors
/// When there is no `From`, more than one, or one without an address that can be read.
pub fn author(message: &Message) -> Result<Correspondent, Refused> {
    let mut fields = message.named("From");
    let (_, field) = fields.next().ok_or(Refused::From("there is none"))?;
    if fields.next().is_some() {
        return Err(Refused::From("there is more than one"));
    }
    let list = address_list::parse(message.value(field));
    list.first_mailbox()
        .map(Correspondent::from)
        .ok_or(Refused::From("there is no address that can be read in it"))
}

/// Everyone whom the [`ANSWERED`] fields name, in their order, each once, without the alias as a recipient.
#[must_use]
pub fn of(message: &Message, alias: &Alias) -> Vec<Correspondent> {
    let mut known: HashMap<Address, usize> = HashMap::new();
    let mut people: Vec<Correspondent> = Vec::new();
    for name in ANSWERED {
        for (_, field) in message.named(name) {
            for named in address_list::parse(message.value(field)).mailboxes() {
                if is_recipient(alias, name, &named.address) {
                    continue;
                }
                let next = people.len();
                match *known.entry(named.address.clone()).or_insert(next) {
                    at if at == next => people.push(named.into()),
                    at => keep_name(people.get_mut(at), named),
                }
            }
        }
    }
    people
}

/// A later field may give the name that an earlier one left out.
fn keep_name(person: Option<&mut Correspondent>, named: &NamedAddress) {
    if let Some(person) = person.filter(|person| person.name.is_none()) {
        person.name.clone_from(&named.name);
    }
}

/// Whether a field names the alias as a recipient. As an author it is somebody who says so, and a contact like any other.
#[must_use]
pub fn is_recipient(alias: &Alias, field_name: &str, address: &Address) -> bool {
    field_name != "From" && is_alias(alias, address)
}

/// Refuses a message that names more people than can be looked after.
///
/// # Errors
/// [`Refused::TooManyPeople`].
pub fn check_number(message: &Message) -> Result<(), Refused> {
    let fields = ANSWERED.iter().flat_map(|name| message.named(name));
    let people: usize =
        fields.map(|(_, field)| address_list::parse(message.value(field)).mailboxes().count()).sum();
    if people > MAX_PEOPLE { Err(Refused::TooManyPeople) } else { Ok(()) }
}

/// Whether this is the alias's own address, with or without a `+tag`.
#[must_use]
pub fn is_alias(alias: &Alias, address: &Address) -> bool {
    *address == alias.address || address.without_tag().is_some_and(|base| base == alias.address)
}

/// What is known of the people of a message.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Those who are contacts of the alias.
    pub contacts: HashMap<Address, Contact>,
    /// Addresses at our own domains, which stay as they are.
    pub ours: HashSet<Address>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::testing::alias;
    use bytes::Bytes;

    fn message(head: &str) -> Message {
        Message::parse(Bytes::from(format!("{head}\r\n\r\nbody\r\n")))
    }

    #[test]
    fn the_author_is_the_first_address_of_the_only_from() {
        let found = author(&message("From: \"Jane Doe\" <Jane@example.org>")).unwrap();
        assert_eq!(
            (found.address.as_normal(), found.name.as_deref()),
            ("jane@example.org", Some("Jane Doe"))
        );
    }

    #[test]
    fn a_from_that_could_be_read_in_two_ways_is_refused() {
        for head in [
            "Subject: x",
            "From: a@example.org\r\nFrom: b@example.org",
            "From: a@example.org\r\nfrom : b@example.org",
            "From: nobody",
            "From:",
            "From: undisclosed:;",
        ] {
            assert!(matches!(author(&message(head)), Err(Refused::From(_))), "{head}");
        }
    }

    #[test]
    fn a_message_may_name_a_thousand_people() {
        let crowd =
            |fields, each| message(&format!("To: {}\r\n", "a@b.example,".repeat(each)).repeat(fields));
        assert_eq!(check_number(&crowd(4, 250)), Ok(()));
        assert_eq!(check_number(&crowd(4, 251)), Err(Refused::TooManyPeople));
    }

    #[test]
    fn the_alias_as_an_author_is_somebody() {
        let people = of(&message("From: shop@example.com\r\nTo: shop@example.com"), &alias());
        let found: Vec<_> = people.iter().map(|p| p.address.as_normal()).collect();
        assert_eq!(found, ["shop@example.com"]);
    }

    #[test]
    fn everyone_is_found_once_and_the_alias_is_left_out() {
        let people = of(
            &message(
                "From: jane@example.org\r\nTo: Shop+1@example.com, \"J. D.\" <JANE@example.org>\r\n\
                 Cc: friends: a@example.org, b@example.org;\r\nReply-To: list@example.org",
            ),
            &alias(),
        );
        let found: Vec<_> = people.iter().map(|p| p.address.as_normal()).collect();
        assert_eq!(found, ["jane@example.org", "list@example.org", "a@example.org", "b@example.org"]);
        assert_eq!(people[0].name.as_deref(), Some("J. D."));
    }
}

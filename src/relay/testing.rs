//! An alias with a mailbox and a contact, for the tests of this layer and those above it.

use std::collections::HashMap;
use std::sync::Arc;

use super::alias::{
    AccountId, Alias, AliasId, Contact, ContactId, Mailbox, MailboxId, Mode, NameFormat, Refusal,
};
use super::ids::Ids;
use super::keys::Keys;
use super::refusal::Refused;
use super::scrub::{self, OpaqueParts, Scrubbed, Secrets};
use crate::mail::{Address, Message};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// `shop@example.com`, which goes to `me@example.net`.
pub(crate) fn alias() -> Alias {
    Alias {
        id: AliasId(11),
        account: AccountId(1),
        address: address("shop@example.com"),
        enabled: true,
        expires_at: None,
        mode: Mode::Reverse,
        display_name: Some("The Shop".to_owned()),
        refusal: Refusal::Reject,
        name_format: NameFormat::NameAt,
        opaque_reverse_aliases: false,
        has_blocked_contacts: false,
        mailboxes: vec![Mailbox {
            id: MailboxId(21),
            address: address("me@example.net"),
            paused: false,
            encrypts: false,
        }],
    }
}

/// Jane Doe, who has written to `shop@example.com`.
pub(crate) fn contact() -> Contact {
    Contact {
        id: ContactId(31),
        alias: AliasId(11),
        address: address("jane@example.org"),
        name: Some("Jane Doe".to_owned()),
        reverse_alias: address("jane_at_example_org.aaaaaaaaaaaaaaaa@example.com"),
        blocked: false,
    }
}

/// A reply without traces of the mailboxes; `contacts` are those whose reverse aliases it may quote.
pub(crate) fn scrubbed(
    message: &Message,
    alias: &Alias,
    contacts: &HashMap<Address, Arc<Contact>>,
    keys: &Keys,
) -> Result<Scrubbed, Refused> {
    scrub::scrub(message, &Secrets::new(alias, contacts), &Ids::new(keys, alias), OpaqueParts::Allow)
}

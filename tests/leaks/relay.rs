//! What leaves when an owner sends a letter: the real composition, with a directory of three contacts.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use aliasd::mail::{Address, DomainName, Message, Timestamp};
use aliasd::relay::alias::{
    AccountId, Alias, AliasId, Contact, ContactId, Lookup, Mailbox, MailboxId, Mode, NameFormat, Refusal,
};
use aliasd::relay::ids::Ids;
use aliasd::relay::keys::Keys;
use aliasd::relay::reply::{self, Evidence, ReplyMessage};
use aliasd::relay::screening;
use aliasd::relay::scrub::{OpaqueParts, Secrets, candidates, scrub};
use aliasd::relay::trace::Trace;
use aliasd::relay::transaction::TransactionId;

use crate::owner::Owner;

const NOW: Timestamp = Timestamp::EPOCH;

/// The message as a contact gets it, head and body; nothing when the letter is refused.
pub fn leaves(letter: &[u8], owner: &Owner) -> Option<Vec<u8>> {
    let alias = Arc::new(alias_of(owner));
    let message = Message::parse(letter.to_vec().into());
    screening::screen(&message).ok()?;
    reply::authorize(&message, &alias, Evidence::TrustedNetwork, NOW).ok()?;
    let addressed = reply::addressed(&message).ok()?;
    let answers: HashMap<_, _> =
        addressed.into_iter().map(|address| (address.clone(), answer(&address, &alias))).collect();
    reply::check_addressed(&alias, &answers).ok()?;
    let hostname = name("mx.example.com");
    let trace = Trace {
        hostname: &hostname,
        id: TransactionId::new(NOW, [0; 10]),
        now: NOW,
        helo: "laptop.example.net",
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        esmtp: true,
        smtputf8: !letter.is_ascii(),
    };
    let keys = Keys::derive(&[7; 32]);
    let secrets = Secrets::new(&alias, &quoted(&message, &alias));
    let scrubbed = &scrub(&message, &secrets, &Ids::new(&keys, &alias), OpaqueParts::Allow).ok()?;
    let reply = ReplyMessage { message: &message, alias: &alias, answers: &answers, scrubbed, trace: &trace };
    let content = reply.compose(&keys);
    Some([content.head, content.body].concat())
}

/// The contacts whose reverse aliases the letter names anywhere.
fn quoted(message: &Message, alias: &Arc<Alias>) -> HashMap<Address, Arc<Contact>> {
    let found = candidates(message, &name("example.com")).into_iter();
    let contacts = found.filter_map(|address| match answer(&address, alias) {
        Lookup::ReverseAlias(_, contact) => Some((address, contact)),
        _ => None,
    });
    contacts.collect()
}

/// `shop@example.com`, which goes to all mailboxes of its owner.
fn alias_of(owner: &Owner) -> Alias {
    let mailbox = |address: String| Mailbox {
        id: MailboxId(21),
        address: self::address(&address),
        paused: false,
        encrypts: false,
    };
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
        mailboxes: owner.addresses().map(mailbox).collect(),
    }
}

/// `jane@ra.example.com` and the others stand for contacts.
fn answer(address: &Address, alias: &Arc<Alias>) -> Lookup {
    let contact = |name: Option<&str>| {
        let local = address.local();
        let contact = Contact {
            id: ContactId(31),
            alias: alias.id,
            address: self::address(&format!("{local}@example.org")),
            name: name.map(str::to_owned),
            reverse_alias: address.clone(),
            blocked: false,
        };
        Lookup::ReverseAlias(Arc::clone(alias), Arc::new(contact))
    };
    match address.as_normal() {
        "jane@ra.example.com" => contact(Some("Jane Doe")),
        "plain@ra.example.com" | "umlaut@ra.example.com" => contact(None),
        "shop@example.com" => Lookup::Alias(Arc::clone(alias)),
        _ => Lookup::ForeignDomain,
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address of the tests")
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).expect("a name of the tests")
}

//! The main job between real mail servers: a contact's Postfix hands over a message for an alias, it arrives in the
//! owner's maildir; the owner answers through the owner's Postfix, and the contact gets the answer from the alias.

use crate::support::daemon::Installation;
use crate::support::database::Engine;
use crate::support::free_address;
use crate::support::postfix::{Postfix, Routes};

const ALIAS: &str = "shop@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@example.net";

#[test]
#[ignore = "needs Postfix: run ./test"]
fn a_message_and_its_answer_on_sqlite() {
    a_message_and_its_answer(Engine::Sqlite);
}

#[test]
#[ignore = "needs MariaDB and Postfix: run ./test"]
fn a_message_and_its_answer_on_mariadb() {
    a_message_and_its_answer(Engine::MariaDb);
}

fn a_message_and_its_answer(engine: Engine) {
    let destination = free_address();
    let aliasd = Installation::new(engine, destination).trusting("127.0.0.0/8").with_alias(ALIAS, MAILBOX);
    let routes = Routes::default().keep(MAILBOX).keep(CONTACT).relay("example.com", aliasd.address());
    let owners = Postfix::start("mail.example.net", destination, &routes);
    let contacts = Postfix::anywhere("mail.example.org", &Routes::relay_everything_to(aliasd.address()));
    let daemon = aliasd.serve();

    contacts.submit(CONTACT, ALIAS, &letter("Jane Doe <jane@example.org>", ALIAS, "Your order"));
    let arrived = owners.next_message_for(MAILBOX);
    let reverse_alias = address_in(&header(&arrived, "From"));
    assert_is_reverse_alias(&reverse_alias, "jane");
    assert_eq!(header(&arrived, "Subject"), "Your order");
    assert_eq!(header(&arrived, "To"), ALIAS);
    assert_eq!(header(&arrived, "Message-ID"), "<letter.1@example.org>");
    assert!(body(&arrived).starts_with("First line.\n.\nLast line."), "{arrived}");

    owners.submit(MAILBOX, &reverse_alias, &letter(MAILBOX, &reverse_alias, "Re: Your order"));
    let answer = owners.next_message_for(CONTACT);
    assert_eq!(address_in(&header(&answer, "From")), ALIAS);
    assert_eq!(address_in(&header(&answer, "To")), CONTACT);
    assert_eq!(header(&answer, "Subject"), "Re: Your order");
    assert!(!answer.contains(MAILBOX), "the mailbox shows:\n{answer}");
    assert!(!answer.contains(&reverse_alias), "the reverse alias shows:\n{answer}");
    assert!(body(&answer).starts_with("First line.\n.\nLast line."), "{answer}");

    daemon.stop();
}

#[test]
#[ignore = "needs Postfix: run ./test"]
fn the_senders_server_learns_at_once_that_there_is_no_such_alias() {
    let aliasd = Installation::new(Engine::Sqlite, free_address()).with_alias(ALIAS, MAILBOX);
    let contacts = Postfix::anywhere("mail.example.org", &Routes::relay_everything_to(aliasd.address()));
    let daemon = aliasd.serve();
    let nobody = "nobody@example.com";
    contacts.submit(CONTACT, nobody, &letter(CONTACT, nobody, "Is anyone there?"));
    let fate = contacts.fate_of_mail_for(nobody);
    assert!(fate.contains("dsn=5.1.1") && fate.contains("status=bounced"), "{fate}");
    daemon.stop();
}

fn letter(from: &str, to: &str, subject: &str) -> String {
    format!(
        "From: {from}\nTo: {to}\nSubject: {subject}\nDate: Mon, 21 Sep 2026 16:13:20 +0200\n\
         Message-ID: <letter.1@example.org>\n\nFirst line.\n.\nLast line.\n"
    )
}

/// The value of a header field, unfolded; of the first, if there are several.
fn header(message: &str, name: &str) -> String {
    let head = message.split_once("\n\n").map_or(message, |(head, _)| head);
    let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
    let value = unfolded.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    value.unwrap_or_else(|| panic!("no {name} in\n{message}"))
}

/// What stands between angle brackets, or all of it.
fn address_in(value: &str) -> String {
    let inner = value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address);
    inner.unwrap_or(value).to_owned()
}

fn body(message: &str) -> &str {
    message.split_once("\n\n").map_or("", |(_, body)| body)
}

/// `<readable>.<token>@<alias domain>`, lower case, at most 64 octets before the `@`.
fn assert_is_reverse_alias(address: &str, readable: &str) {
    let (local, domain) = address.split_once('@').expect("an address");
    assert_eq!(domain, "example.com", "{address}");
    assert!(local.len() <= 64 && local == local.to_lowercase(), "{address}");
    let (first, token) = local.rsplit_once('.').expect("a dot between the readable part and the token");
    assert!(first.contains(readable) && !token.is_empty(), "{address}");
}

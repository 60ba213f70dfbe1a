//! What senders ask about reports (RFC 3461), and what of it the next hop is asked.

use crate::support::client::Client;
use crate::support::daemon::Installation;
use crate::support::database::Engine;
use crate::support::sink::{Script, Sink, Taken};

const ALIAS: &str = "shop@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@example.net";
const LETTER: &[u8] = b"From: jane@example.org\r\nTo: shop@example.com\r\nSubject: hello\r\n\r\nA line.\r\n";

/// All that can be asked, with MAIL and with RCPT.
const WISHES: (&str, &str) =
    ("RET=HDRS ENVID=QQ+2B314159", "NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;before@example.org");

fn offers_dsn() -> Script {
    Script::accept().offering("DSN")
}

/// Sends with these wishes and gives what came to the sink.
fn sent(client: &mut Client, sink: &Sink, wishes: (&str, &str), path: (&str, &str), letter: &[u8]) -> Taken {
    let envelope = client.envelope_asking(wishes, path.0, path.1);
    assert_eq!(envelope.codes(), (250, "2.1.5"), "{envelope}");
    let reply = client.data(letter);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    sink.next()
}

/// What follows the path in MAIL and in RCPT.
fn asked(taken: &Taken) -> [String; 2] {
    ["MAIL", "RCPT"].map(|verb| {
        let (_, parameters) = taken.command(verb).split_once('>').expect("a path");
        let of_reports = |word: &&str| !word.starts_with("SIZE=") && !word.starts_with("BODY=");
        parameters.split_ascii_whitespace().filter(of_reports).collect::<Vec<_>>().join(" ")
    })
}

/// Over one session and one connection to the next hop, so that nothing of one message stays for the next.
#[test]
fn a_forward_asks_the_next_hop_for_what_the_relay_needs() {
    let sink = Sink::start(offers_dsn());
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    let mut client = daemon.greet();
    for (wishes, to, onward) in [
        (WISHES, ALIAS, ["RET=HDRS ENVID=QQ+2B314159", "NOTIFY=FAILURE,DELAY ORCPT=rfc822;shop@example.com"]),
        (("", "NOTIFY=NEVER"), ALIAS, ["", "NOTIFY=FAILURE ORCPT=rfc822;shop@example.com"]),
        (("RET=full", "notify=success"), ALIAS, ["RET=FULL", "NOTIFY=FAILURE ORCPT=rfc822;shop@example.com"]),
        (("", ""), "shop+tag@example.com", ["", "ORCPT=rfc822;shop+2Btag@example.com"]),
    ] {
        let taken = sent(&mut client, &sink, wishes, (CONTACT, to), LETTER);
        assert_eq!(taken.recipients, [MAILBOX]);
        assert_eq!(asked(&taken), onward, "{wishes:?}");
    }
    daemon.stop();
}

#[test]
fn what_must_not_be_answered_asks_for_nothing() {
    let sink = Sink::start(offers_dsn());
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    for (from, to) in [("", ALIAS), (CONTACT, "abuse@example.com")] {
        let taken = sent(&mut daemon.greet(), &sink, WISHES, (from, to), LETTER);
        assert_eq!((taken.from.as_str(), asked(&taken)), ("", [String::new(), String::new()]), "{to}");
    }
    daemon.stop();
}

#[test]
fn a_next_hop_without_dsn_is_asked_nothing() {
    let sink = Sink::start(Script::accept());
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    let taken = sent(&mut daemon.greet(), &sink, WISHES, (CONTACT, ALIAS), LETTER);
    assert_eq!(asked(&taken), ["", ""]);
    daemon.stop();
}

#[test]
fn a_reply_names_neither_the_owners_envelope_nor_the_reverse_alias() {
    let sink = Sink::start(offers_dsn());
    let aliasd =
        Installation::new(Engine::Sqlite, sink.address()).trusting("127.0.0.0/8").with_alias(ALIAS, MAILBOX);
    let reverse_alias = aliasd.reverse_alias(ALIAS, CONTACT);
    let daemon = aliasd.serve();
    let letter = format!("From: {MAILBOX}\r\nTo: {reverse_alias}\r\nSubject: hello\r\n\r\nA line.\r\n");
    let path = (MAILBOX, reverse_alias.as_str());
    let taken = sent(&mut daemon.greet(), &sink, WISHES, path, letter.as_bytes());
    assert_eq!(taken.recipients, [CONTACT]);
    assert_eq!(asked(&taken), ["RET=HDRS", "NOTIFY=FAILURE,DELAY"]);
    daemon.stop();
}

#[test]
fn what_is_no_such_wish_is_refused() {
    let sink = Sink::start(offers_dsn());
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    let mut client = daemon.greet();
    assert!(client.command("EHLO client.example.org").text.lines().any(|line| line == "DSN"));
    for wishes in [
        ("RET=BODY", ""),
        ("ENVID=a=b", ""),
        ("RET=FULL RET=FULL", ""),
        ("", "NOTIFY=NEVER,DELAY"),
        ("", "ORCPT=before@example.org"),
        ("", "NOTIFY=DELAY NOTIFY=DELAY"),
    ] {
        let reply = client.envelope_asking(wishes, CONTACT, ALIAS);
        assert_eq!(reply.codes(), (501, "5.5.4"), "{wishes:?}: {reply}");
    }
    daemon.stop();
}

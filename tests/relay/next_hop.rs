//! What the sender is told when the next hop is slow, old, gone or says no, what is kept for later; and that the sender is
//! not told the mailbox.

use std::time::Duration;

use crate::support::client::Reply;
use crate::support::daemon::Installation;
use crate::support::database::Engine;
use crate::support::sink::{Answer, Script, Sink};

const ALIAS: &str = "shop@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@example.net";
const OTHER_MAILBOX: &str = "work-9q2x@example.net";
const LETTER: &[u8] = b"From: jane@example.org\r\nTo: shop@example.com\r\nSubject: hello\r\n\r\nA line.\r\n";
const EIGHT_BIT: &[u8] = b"From: jane@example.org\r\nSubject: hello\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n";
const UTF8_HEADER: &[u8] = b"From: jane@example.org\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nA line.\r\n";

/// The reply to a message for the alias when the next hop behaves like this, and that next hop.
fn sent_through(script: Script, message: &[u8]) -> (Reply, Sink) {
    declared_through("", script, message)
}

/// The same, with parameters of `MAIL`.
fn declared_through(parameters: &str, script: Script, message: &[u8]) -> (Reply, Sink) {
    let sink = Sink::start(script);
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    let reply = daemon.greet().deliver_with(parameters, CONTACT, ALIAS, message);
    daemon.stop();
    (reply, sink)
}

/// No part of the mailbox's address is in the text.
fn assert_tells_nothing(reply: &Reply) {
    let text = reply.text.to_lowercase();
    for secret in ["inbox-7f3k", "example.net"] {
        assert!(!text.contains(secret), "the reply shows {secret}: {reply}");
    }
}

/// The message is the relay's from the 250 on; it arrives as soon as the next hop takes it.
#[test]
fn what_fails_for_now_is_kept_and_tried_again() {
    let later = "450 4.2.1 <inbox-7f3k@example.net>: greylisted at sink.example.net";
    for script in [
        Script::accept().at_rcpt(Answer::Refuse(later)),
        Script::accept().at_dot(Answer::Refuse(later)),
        Script::accept().at_rcpt(Answer::HangUp),
        Script::accept().at_data(Answer::HangUp),
        Script::accept().at_dot(Answer::HangUp),
    ] {
        let sink = Sink::start(script.clone());
        let aliasd = retrying(sink.address());
        let daemon = aliasd.serve();
        let reply = daemon.greet().deliver(CONTACT, ALIAS, LETTER);
        assert_eq!(reply.codes(), (250, "2.0.0"), "{script:?}: {reply}");
        assert_tells_nothing(&reply);
        assert_eq!(sink.waiting(), 0, "{script:?}");
        sink.behave(Script::accept());
        assert_eq!(sink.next().recipients, [MAILBOX], "{script:?}");
        daemon.stop();
        assert_eq!(sink.waiting(), 0, "{script:?}: it came twice");
    }
}

#[test]
fn a_next_hop_that_is_not_there_is_waited_for() {
    let next_hop = crate::support::free_address();
    let aliasd = retrying(next_hop);
    let daemon = aliasd.serve();
    let reply = daemon.greet().deliver(CONTACT, ALIAS, LETTER);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    assert_tells_nothing(&reply);
    let sink = Sink::start_at(next_hop, Script::accept());
    assert_eq!(sink.next().recipients, [MAILBOX]);
    daemon.stop();
}

/// An aliasd with the alias that tries again after a second.
fn retrying(next_hop: std::net::SocketAddr) -> Installation {
    Installation::new(Engine::Sqlite, next_hop).delivering("retry = [\"1s\"]").with_alias(ALIAS, MAILBOX)
}

#[test]
fn a_refusal_is_passed_on_without_the_mailbox() {
    for (script, enhanced) in [
        (
            Script::accept()
                .at_rcpt(Answer::Refuse("550 5.1.1 <Inbox-7F3K@Example.NET>: no inbox-7f3k here")),
            "5.1.1",
        ),
        (Script::accept().at_dot(Answer::Refuse("554 5.6.0 sink.example.net does not like it")), "5.6.0"),
        (Script::accept().at_rcpt(Answer::Refuse("550 inbox-7f3k at example.net is unknown")), "5."),
    ] {
        let (reply, _) = sent_through(script.clone(), LETTER);
        assert!((500..600).contains(&reply.code), "{script:?}: {reply}");
        assert!(
            reply.enhanced.as_deref().is_some_and(|code| code.starts_with(enhanced)),
            "{script:?}: {reply}"
        );
        assert_tells_nothing(&reply);
    }
}

#[test]
fn one_mailbox_that_takes_it_is_enough() {
    let script = Script::accept().refuse_recipient(OTHER_MAILBOX, "550 5.1.1 no such user");
    let sink = Sink::start(script);
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias("first@example.com", MAILBOX);
    aliasd.run(&["mailbox", "add", OTHER_MAILBOX]).succeeded();
    let aliasd = aliasd.and_alias(ALIAS, &[OTHER_MAILBOX, MAILBOX]);
    let daemon = aliasd.serve();
    let reply = daemon.greet().deliver(CONTACT, ALIAS, LETTER);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    assert_eq!(sink.next().recipients, [MAILBOX]);
    daemon.stop();
}

#[test]
fn every_mailbox_gets_a_delivery_of_its_own() {
    let sink = Sink::start(Script::accept());
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias("first@example.com", MAILBOX);
    aliasd.run(&["mailbox", "add", OTHER_MAILBOX]).succeeded();
    let aliasd = aliasd.and_alias(ALIAS, &[OTHER_MAILBOX, MAILBOX]);
    let daemon = aliasd.serve();
    assert_eq!(daemon.greet().deliver(CONTACT, ALIAS, LETTER).code, 250);
    let mut recipients = [sink.next().recipients, sink.next().recipients];
    recipients.sort();
    assert_eq!(recipients, [[MAILBOX], [OTHER_MAILBOX]]);
    daemon.stop();
}

#[test]
fn a_slow_next_hop_is_waited_for() {
    let (reply, sink) = sent_through(Script::accept().at_dot(Answer::After(Duration::from_secs(2))), LETTER);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    assert_eq!(sink.next().recipients, [MAILBOX]);
}

#[test]
fn a_server_that_knows_only_helo_is_spoken_to() {
    let (reply, sink) = sent_through(Script::accept().helo_only(), LETTER);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    let taken = sink.next();
    assert!(taken.commands.iter().any(|command| command.starts_with("HELO ")), "{:?}", taken.commands);
    assert!(taken.message.ends_with(b"\r\n\r\nA line.\r\n"));
}

#[test]
fn what_the_next_hop_cannot_carry_is_refused_not_converted() {
    let (reply, sink) = sent_through(Script::accept().without("8BITMIME"), EIGHT_BIT);
    assert_eq!(reply.codes().1, "5.6.3", "{reply}");
    assert!((500..600).contains(&reply.code), "{reply}");
    assert_eq!(sink.waiting(), 0);

    let (reply, sink) = declared_through("SMTPUTF8", Script::accept().without("SMTPUTF8"), UTF8_HEADER);
    assert_eq!(reply.codes().1, "5.6.7", "{reply}");
    assert!((500..600).contains(&reply.code), "{reply}");
    assert_eq!(sink.waiting(), 0);
}

#[test]
fn what_the_next_hop_can_carry_is_announced() {
    let (reply, sink) = sent_through(Script::accept(), EIGHT_BIT);
    assert_eq!(reply.code, 250, "{reply}");
    let mail = mail_command(&sink);
    assert!(mail.contains("BODY=8BITMIME") && !mail.contains("SMTPUTF8"), "{mail}");

    let (reply, sink) = declared_through("SMTPUTF8", Script::accept(), UTF8_HEADER);
    assert_eq!(reply.code, 250, "{reply}");
    let mail = mail_command(&sink);
    assert!(mail.contains("SMTPUTF8"), "{mail}");
}

/// Raw 8-bit header fields without SMTPUTF8 are wrong and common. What the sender did not ask for is not asked of the
/// next hop: it would refuse what it can take.
#[test]
fn what_the_sender_did_not_declare_is_not_demanded() {
    let (reply, sink) = sent_through(Script::accept().without("SMTPUTF8"), UTF8_HEADER);
    assert_eq!(reply.code, 250, "{reply}");
    let mail = mail_command(&sink);
    assert!(mail.contains("BODY=8BITMIME") && !mail.contains("SMTPUTF8"), "{mail}");
}

fn mail_command(sink: &Sink) -> String {
    let commands = sink.next().commands;
    let found = commands.iter().find(|command| command.starts_with("MAIL")).cloned();
    found.unwrap_or_else(|| panic!("no MAIL in {commands:?}"))
}

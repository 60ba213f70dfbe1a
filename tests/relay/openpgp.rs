//! Encrypted, or not sent: the real binary with certificates that GnuPG or Sequoia made, on both engines, delivering at once
//! and from the queue.

/// Makes two tests of each function that takes an engine and runs GnuPG.
macro_rules! with_gnupg_on_both_engines {
    ($($scenario:ident),+ $(,)?) => {
        mod on_sqlite {
            use crate::support::database::Engine;
            $(#[test] #[ignore = "needs GnuPG: run ./test"] fn $scenario() { super::$scenario(Engine::Sqlite); })+
        }
        mod on_mariadb {
            use crate::support::database::Engine;
            $(#[test] #[ignore = "needs GnuPG and MariaDB: run ./test"] fn $scenario() {
                super::$scenario(Engine::MariaDb);
            })+
        }
    };
}

mod arrivals;
mod certificates;
mod refusals;
mod replies;
mod waiting;

use std::time::Duration;

use serde_json::Value;

use crate::support::client::Reply;
use crate::support::daemon::{Daemon, Installation, Ran};
use crate::support::database::Engine;
use crate::support::eventually;
use crate::support::sink::{Sink, Taken};

const ALIAS: &str = "shop@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@example.net";
/// Of another owner's provider, so that both can be told apart.
const SECOND: &str = "second@example.net";

/// What must not be read by anybody on the way.
const SUBJECT: &str = "Picnic on Sunday";
const TEXT: &str = "Bring thyme and heather.\r\n";

/// Delivering while the sender waits, and from the queue.
const MODES: [&str; 2] = ["direct", "queue"];

/// What is promised of a change that a command makes.
const EFFECTIVE: Duration = Duration::from_secs(1);

/// An alias whose mail is not tried again for an hour.
fn installation(engine: Engine, mode: &str, sink: &Sink) -> Installation {
    Installation::new(engine, sink.address())
        .delivering(&format!("mode = {mode:?}"))
        .delivering("retry = [\"1h\"]")
        .trusting("127.0.0.0/8")
        .with_alias(ALIAS, MAILBOX)
}

/// `aliasd key import`, from a file.
fn import(aliasd: &Installation, address: &str, certificate: &[u8]) -> Ran {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), certificate).expect("a temporary file");
    aliasd.run(&["key", "import", address, file.path().to_str().expect("an ordinary name")])
}

/// The contact's letter to the alias. No two with the same number are sent, as the second would be taken for the first.
fn letter(number: usize) -> Vec<u8> {
    letter_with(number, "Content-Type: text/plain; charset=us-ascii\r\n", TEXT.as_bytes())
}

fn letter_with(number: usize, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "From: Jane Doe <{CONTACT}>\r\nTo: {ALIAS}\r\nSubject: {SUBJECT}\r\nMIME-Version: 1.0\r\n\
         Date: Mon, 21 Sep 2026 16:13:20 +0200\r\nMessage-ID: <{number}@example.org>\r\n{fields}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Hands a letter of the contact's over.
fn send(daemon: &Daemon, letter: &[u8]) -> Reply {
    daemon.greet().deliver_with("BODY=8BITMIME", CONTACT, ALIAS, letter)
}

fn accepted(reply: &Reply) {
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
}

/// What is armored in a message of which nothing can be read (RFC 3156, section 4).
fn ciphertext(taken: &Taken) -> Vec<u8> {
    let text = taken.text();
    for secret in [SUBJECT, TEXT.trim_end()] {
        assert!(!text.contains(secret), "{secret:?} can be read:\n{text}");
    }
    let message = mail_parser::MessageParser::new().parse(&taken.message).expect("a message");
    assert_eq!(message.subject(), Some("[...]"), "{text}");
    let types: Vec<_> = message.parts.iter().map(media_type).collect();
    assert_eq!(
        types,
        ["multipart/encrypted", "application/pgp-encrypted", "application/octet-stream"],
        "{text}"
    );
    message.parts[2].contents().to_vec()
}

fn media_type(part: &mail_parser::MessagePart<'_>) -> String {
    let found = mail_parser::MimeHeaders::content_type(part).expect("a type");
    format!("{}/{}", found.ctype(), found.subtype().unwrap_or_default())
}

const NOTICE: &str = "Subject: Mail for you cannot be encrypted and is held back\r\n";

fn is_notice(taken: &Taken) -> bool {
    taken.text().contains(NOTICE)
}

/// What tells the owner that mail cannot be encrypted, which says nothing of that mail.
fn assert_notice(taken: &Taken, to: &str) {
    let text = taken.text();
    assert_eq!(
        (taken.from.as_str(), taken.recipients.as_slice()),
        ("", [to.to_owned()].as_slice()),
        "{text}"
    );
    assert!(text.contains(NOTICE), "{text}");
    assert!(text.contains(&format!("aliasd key import {MAILBOX} FILE")), "{text}");
    for secret in [ALIAS, CONTACT, "Jane", SUBJECT, "thyme"] {
        assert!(!text.contains(secret), "{secret:?} is told:\n{text}");
    }
}

fn queue(aliasd: &Installation) -> Vec<Value> {
    aliasd.ask(&["queue", "list"])["items"].as_array().expect("the field items").clone()
}

fn wait_for_empty_queue(aliasd: &Installation) {
    eventually("the queue is empty", || queue(aliasd).is_empty().then_some(()));
}

//! The message that arrives is the message that was sent: over two hundred letters of all kinds go through the relay, and
//! what a forward does not change arrives byte for byte and in order.

use crate::letters::{Fate, Letter, from_files, generated, huge};
use crate::support::client::{Client, Reply};
use crate::support::daemon::Installation;
use crate::support::database::Engine;
use crate::support::sink::{Script, Sink};

const MAILBOX: &str = "inbox-7f3k@example.net";

/// The letters are spread over so many aliases, so that none gets more in a minute than the default limit lets through.
const ALIASES: usize = 10;

/// Fields that a forward rewrites or removes.
const CHANGED: &[&str] = &[
    "from",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "sender",
    "return-path",
    "delivered-to",
    "disposition-notification-to",
    "return-receipt-to",
];

/// Fields that a forward adds, besides those whose names begin with `Aliasd-`.
const ADDED: &[&str] = &["received", "authentication-results", "dkim-signature"];

/// Fields that a forward adds where they are missing.
const COMPLETED: &[&str] = &["date", "message-id"];

on_both_engines!(letters_of_all_kinds_arrive_as_they_were_sent);

fn letters_of_all_kinds_arrive_as_they_were_sent(engine: Engine) {
    let letters: Vec<Letter> = from_files().into_iter().chain(generated(9)).chain([huge()]).collect();
    assert!(letters.len() >= 200, "{} letters", letters.len());
    let sink = Sink::start(Script::accept());
    let aliases: Vec<String> = (0..ALIASES).map(|number| format!("shop{number}@example.com")).collect();
    let aliasd = Installation::new(engine, sink.address()).with_alias("shop@example.com", MAILBOX);
    let aliasd = aliases.iter().fold(aliasd, |aliasd, alias| aliasd.and_alias(alias, &[MAILBOX]));
    let daemon = aliasd.serve();
    let mut client = daemon.greet();
    for (letter, alias) in letters.iter().zip(aliases.iter().cycle()) {
        let reply = send(&mut client, alias, letter);
        if meets_its_fate(letter, &reply) {
            let taken = sink.next();
            assert_eq!(taken.recipients, [MAILBOX], "{}", letter.name);
            assert_arrived_as_sent(&letter.name, &letter.message, &taken.message);
        }
    }
    assert_eq!(sink.waiting(), 0, "more messages went out than were accepted");
    daemon.stop();
}

fn send(client: &mut Client, alias: &str, letter: &Letter) -> Reply {
    let parameters = if letter.has_utf8_header() { "SMTPUTF8 BODY=8BITMIME" } else { "BODY=8BITMIME" };
    let envelope = client.envelope_with(parameters, "jane@example.org", alias);
    assert_eq!(envelope.codes(), (250, "2.1.5"), "{}: {envelope}", letter.name);
    client.data(&letter.message)
}

/// Whether it was taken, which is as it should be when this returns.
fn meets_its_fate(letter: &Letter, reply: &Reply) -> bool {
    let Letter { name, fate, .. } = letter;
    match fate {
        Fate::Accepted => assert_eq!(reply.codes(), (250, "2.0.0"), "{name}: {reply}"),
        Fate::Refused(code, enhanced) => {
            assert_eq!(reply.codes(), (*code, enhanced.as_str()), "{name}: {reply}");
        }
        Fate::AcceptedOrRefused => assert!(reply.code == 250 || reply.code >= 500, "{name}: {reply}"),
    }
    reply.code == 250
}

fn assert_arrived_as_sent(name: &str, sent: &[u8], arrived: &[u8]) {
    let (sent, arrived) = (Parts::of(sent), Parts::of(arrived));
    assert_same_bytes(&format!("{name}: body"), sent.body, arrived.body);
    let wanted = sent.untouched(&[]);
    let missing: Vec<&str> = COMPLETED.iter().copied().filter(|name| !sent.has(name)).collect();
    let found = arrived.untouched(&missing);
    let (added, kept) = found.split_at(found.len().saturating_sub(wanted.len()));
    for (wanted, kept) in wanted.iter().zip(kept) {
        assert_same_bytes(&format!("{name}: field"), wanted, kept);
    }
    assert_eq!(kept.len(), wanted.len(), "{name}: fields are missing");
    for field in added {
        let name_of_field = name_of(field).unwrap_or_default();
        let ours = ADDED.contains(&name_of_field.as_str()) || name_of_field.starts_with("aliasd-");
        assert!(ours, "{name}: a field was added or moved: {}", String::from_utf8_lossy(field));
    }
    assert!(missing.iter().all(|name| arrived.has(name)), "{name}: {missing:?} should have been added");
    assert_author_is_a_reverse_alias(name, &arrived);
}

fn assert_author_is_a_reverse_alias(name: &str, arrived: &Parts<'_>) {
    let authors: Vec<_> =
        arrived.fields.iter().filter(|field| name_of(field).as_deref() == Some("from")).collect();
    let [author] = authors.as_slice() else { panic!("{name}: {} From fields", authors.len()) };
    let author = String::from_utf8_lossy(author);
    let end = author.trim_end().trim_end_matches(['>', ';']);
    assert!(end.ends_with("@example.com"), "{name}: {author}");
}

/// Says where two differ, and shows only that.
fn assert_same_bytes(what: &str, sent: &[u8], arrived: &[u8]) {
    if sent == arrived {
        return;
    }
    let at = sent.iter().zip(arrived).take_while(|(one, other)| one == other).count();
    let around = |bytes: &[u8]| {
        let shown = bytes.get(at.saturating_sub(20)..bytes.len().min(at + 60)).unwrap_or_default();
        String::from_utf8_lossy(shown).into_owned()
    };
    let (before, after) = (around(sent), around(arrived));
    panic!(
        "{what}: {} bytes sent, {} arrived, byte {at} differs: {before:?} became {after:?}",
        sent.len(),
        arrived.len()
    );
}

/// A message in its parts, found without any code of aliasd.
struct Parts<'a> {
    /// Each with its folded lines and the CRLF that ends it.
    fields: Vec<&'a [u8]>,
    /// What follows the empty line, or begins with the first line that is no field.
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(message: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        let mut rest = message;
        loop {
            let length = field_length(rest);
            let (field, after) = rest.split_at(length);
            if length == 0 {
                let body = rest.strip_prefix(b"\r\n").unwrap_or(rest);
                return Self { fields, body };
            }
            fields.push(field);
            rest = after;
        }
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| name_of(field).as_deref() == Some(name))
    }

    /// The fields that a forward leaves alone, without those of the given names.
    fn untouched(&self, without: &[&str]) -> Vec<&'a [u8]> {
        let stays = |field: &&&[u8]| {
            let name = name_of(field).unwrap_or_default();
            let resent = name.starts_with("resent-");
            let of_ours = name == "authentication-results" && contains(field, b"mx.example.com");
            let changed =
                CHANGED.contains(&name.as_str()) || name.starts_with("aliasd-") || resent || of_ours;
            !changed && !without.contains(&name.as_str())
        };
        self.fields.iter().filter(stays).copied().collect()
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The octets of the field at the start, with the lines that continue it; 0 when there is none.
fn field_length(text: &[u8]) -> usize {
    let mut length = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let belongs = if length == 0 {
            name_of(line).is_some()
        } else {
            line.starts_with(b" ") || line.starts_with(b"\t")
        };
        if !belongs {
            break;
        }
        length += line.len();
    }
    length
}

/// The name of a field in lower case, if that is what the line begins with (RFC 5322, sections 2.2 and 4.5).
fn name_of(line: &[u8]) -> Option<String> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then(|| String::from_utf8_lossy(name).to_lowercase())
}

#[test]
fn a_message_is_taken_apart_as_it_was_written() {
    let parts = Parts::of(b"From: a\r\nX-Old : b\r\n\tc\r\n\r\nbody\r\n\r\nx: y\r\n");
    assert_eq!(parts.fields, [b"From: a\r\n".as_slice(), b"X-Old : b\r\n\tc\r\n"]);
    assert_eq!(parts.body, b"body\r\n\r\nx: y\r\n");
    assert!(parts.has("x-old") && !parts.has("x"));
    assert_eq!(Parts::of(b"A: b\r\nno field\r\n").body, b"no field\r\n");
    assert_eq!(Parts::of(b"A: b\r\n").body, b"");
    assert_eq!(Parts::of(b"\r\nA: b\r\n").body, b"A: b\r\n");
}

#[test]
fn a_change_in_an_untouched_field_is_found() {
    let sent = b"From: a@example.org\r\nDate: x\r\nMessage-ID: y\r\nX-One: 1\r\nX-Two: 2\r\n\r\nbody\r\n";
    let good = b"Received: z\r\nAliasd-Alias: s\r\nFrom: <r@example.com>\r\nDate: x\r\nMessage-ID: y\r\nX-One: 1\r\nX-Two: 2\r\n\r\nbody\r\n";
    assert_arrived_as_sent("good", sent, good);
    let text = String::from_utf8_lossy(good).into_owned();
    for (part, other) in [
        ("X-One: 1", "X-One:1"),
        ("X-One: 1\r\n", ""),
        ("X-One: 1\r\nX-Two: 2\r\n", "X-Two: 2\r\nX-One: 1\r\n"),
        ("X-One: 1", "X-Three: 3\r\nX-One: 1"),
        ("Received: z", "X-New: z"),
        ("Date: x\r\n", ""),
        ("body", "Body"),
        ("body\r\n", "body"),
        ("<r@example.com>", "<a@example.org>"),
        ("Received: z\r\n", "From: <r@example.com>\r\n"),
    ] {
        let broken = text.replace(part, other);
        assert_ne!(broken, text, "{part}");
        let noticed = std::panic::catch_unwind(|| assert_arrived_as_sent("broken", sent, broken.as_bytes()));
        assert!(noticed.is_err(), "not noticed: {part:?} became {other:?}");
    }
}

#[test]
fn letters_are_the_same_in_every_run_and_differ_from_one_another() {
    let (first, second) = (generated(3), generated(3));
    assert!(first.iter().zip(&second).all(|(one, other)| one.message == other.message));
    let mut all: Vec<&[u8]> = first.iter().map(|letter| letter.message.as_slice()).collect();
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    let sizes: usize = huge().message.len();
    assert!((20_000_000..22_000_000).contains(&sizes), "{sizes}");
}

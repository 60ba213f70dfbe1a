//! Conversations of three, as real mail programs thread them at each of the three: the owner with two programs that make
//! ids of different styles, and two contacts. What everybody has is what they sent and what they were handed.

use std::collections::BTreeMap;

use crate::support::daemon::{Daemon, Installation};
use crate::support::database::Engine;
use crate::support::sink::{Script, Sink};
use crate::support::threading::{Forest, by_dovecot, by_notmuch};

const ALIAS: &str = "shop@example.com";
const MAILBOX: &str = "inbox-7f3k@example.net";

/// Who writes, and with which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    OwnerAtDesk,
    OwnerOnPhone,
    First,
    Second,
}

use Writer::{First, OwnerAtDesk, OwnerOnPhone, Second};

/// Five rounds between the owner and the contacts: who writes, and which letter it answers.
const ASKED_BY_A_CONTACT: [(Writer, Option<usize>); 10] = [
    (First, None),
    (OwnerAtDesk, Some(0)),
    (Second, Some(1)),
    (First, Some(1)),
    (OwnerOnPhone, Some(3)),
    (OwnerAtDesk, Some(2)),
    (Second, Some(4)),
    (OwnerOnPhone, Some(6)),
    (First, Some(7)),
    (OwnerAtDesk, Some(8)),
];

const ASKED_BY_THE_OWNER: [(Writer, Option<usize>); 10] = [
    (OwnerOnPhone, None),
    (First, Some(0)),
    (Second, Some(0)),
    (OwnerAtDesk, Some(2)),
    (Second, Some(3)),
    (OwnerOnPhone, Some(1)),
    (First, Some(4)),
    (OwnerAtDesk, Some(6)),
    (First, Some(7)),
    (OwnerOnPhone, Some(8)),
];

/// With an owner who has second thoughts before anybody answers.
const IN_TWO_LETTERS: [(Writer, Option<usize>); 6] = [
    (OwnerAtDesk, None),
    (OwnerAtDesk, Some(0)),
    (OwnerOnPhone, Some(1)),
    (First, Some(2)),
    (OwnerAtDesk, Some(3)),
    (Second, Some(1)),
];

/// What stands behind the `@` of ids: at the owner's desk, on the owner's phone, and at the contacts.
#[derive(Debug, Clone, Copy)]
struct Styles {
    desk: &'static str,
    phone: &'static str,
    contacts: [&'static str; 2],
}

/// A mailbox at a domain of the owner's, and a machine that calls itself something.
const OWN_DOMAIN: Styles =
    Styles { desk: "example.net", phone: "owners-phone.local", contacts: ["example.org", "mx.example.org"] };
/// Two machines that call themselves something, and a contact whose machine has the same name.
const MACHINES: Styles =
    Styles { desk: "macbook.local", phone: "localhost", contacts: ["example.org", "localhost"] };
/// Everybody at one provider.
const ONE_PROVIDER: Styles = Styles {
    desk: "mail.example.net",
    phone: "mobile.example.net",
    contacts: ["mail.example.net", "mobile.example.net"],
};
/// The ids say nothing of the mailbox's provider.
const OTHER_PROVIDER: Styles =
    Styles { desk: "mail.example.org", phone: "example.org", contacts: ["mail.example.org", "example.org"] };

#[test]
#[ignore = "needs Dovecot and notmuch: run ./test"]
fn a_contact_asks() {
    for styles in [OWN_DOMAIN, MACHINES, ONE_PROVIDER, OTHER_PROVIDER] {
        Conversation::between(styles).holds_together(&ASKED_BY_A_CONTACT);
    }
}

#[test]
#[ignore = "needs Dovecot and notmuch: run ./test"]
fn the_owner_asks() {
    for styles in [OWN_DOMAIN, MACHINES, ONE_PROVIDER, OTHER_PROVIDER] {
        Conversation::between(styles).holds_together(&ASKED_BY_THE_OWNER);
    }
}

#[test]
#[ignore = "needs Dovecot and notmuch: run ./test"]
fn the_owner_answers_a_letter_of_the_owners() {
    for styles in [OWN_DOMAIN, MACHINES, ONE_PROVIDER] {
        Conversation::between(styles).holds_together(&IN_TWO_LETTERS);
    }
}

/// Somebody's mail, sent and received, by the number of the letter.
type Mail = BTreeMap<usize, String>;

struct Conversation {
    styles: Styles,
    sink: Sink,
    daemon: Daemon,
    /// Holds the files of the daemon, and so outlives it.
    _aliasd: Installation,
    /// How the owner addresses the contacts.
    reverse_aliases: [String; 2],
    owner: Mail,
    contacts: [Mail; 2],
}

const CONTACTS: [&str; 2] = ["jane@example.org", "second@example.org"];

impl Conversation {
    fn between(styles: Styles) -> Self {
        let sink = Sink::start(Script::accept());
        let aliasd = Installation::new(Engine::Sqlite, sink.address())
            .trusting("127.0.0.0/8")
            .with_alias(ALIAS, MAILBOX);
        let reverse_aliases = CONTACTS.map(|contact| aliasd.reverse_alias(ALIAS, contact));
        let daemon = aliasd.serve();
        Self {
            styles,
            sink,
            daemon,
            _aliasd: aliasd,
            reverse_aliases,
            owner: Mail::new(),
            contacts: [Mail::new(), Mail::new()],
        }
    }

    /// Has the letters written and delivered, and asks the programs what they see at each of the three: in all mail, and in
    /// what was received alone, as in a folder without sent mail.
    fn holds_together(mut self, letters: &[(Writer, Option<usize>)]) {
        for (number, (writer, answered)) in letters.iter().enumerate() {
            match writer {
                OwnerAtDesk => self.owner_writes(number, self.styles.desk, *answered),
                OwnerOnPhone => self.owner_writes(number, self.styles.phone, *answered),
                First => self.contact_writes(0, number, *answered),
                Second => self.contact_writes(1, number, *answered),
            }
        }
        for (who, mail) in
            [("owner", &self.owner), ("first", &self.contacts[0]), ("second", &self.contacts[1])]
        {
            assert_eq!(mail.len(), letters.len(), "{who}");
            let what = format!("{who}, {:?}", self.styles);
            assert_threads(letters, mail, &what);
            let received = |number: &usize| is_owners(letters[*number].0) != (who == "owner");
            let inbox = mail.iter().filter(|(number, _)| received(number));
            assert_threads(letters, &inbox.map(|(number, text)| (*number, text.clone())).collect(), &what);
        }
        self.daemon.stop();
    }

    fn owner_writes(&mut self, number: usize, style: &str, answered: Option<usize>) {
        let [first, second] = &self.reverse_aliases;
        let letter =
            letter(number, MAILBOX, &format!("{first}, {second}"), style, answered.map(|n| &*self.owner[&n]));
        let mut session = self.daemon.greet();
        session.envelope(MAILBOX, first);
        assert!(session.recipient(second, "").is_positive());
        let reply = session.data(letter.as_bytes());
        assert!(reply.is_positive(), "{reply}");
        for _ in CONTACTS {
            let taken = self.sink.next();
            let to = CONTACTS.iter().position(|contact| taken.recipients == [*contact]).expect("a contact");
            let text = taken.text();
            assert_is_discreet(&text);
            self.contacts[to].insert(number, text);
        }
        self.owner.insert(number, letter);
    }

    /// To the alias, and past it to the other contact.
    fn contact_writes(&mut self, who: usize, number: usize, answered: Option<usize>) {
        let other = 1 - who;
        let parent = answered.map(|n| &*self.contacts[who][&n]);
        let to = format!("{ALIAS}, {}", CONTACTS[other]);
        let letter = letter(number, CONTACTS[who], &to, self.styles.contacts[who], parent);
        let reply = self.daemon.greet().deliver(CONTACTS[who], ALIAS, letter.as_bytes());
        assert!(reply.is_positive(), "{reply}");
        self.owner.insert(number, self.sink.next().text());
        self.contacts[other].insert(number, letter.clone());
        self.contacts[who].insert(number, letter);
    }
}

/// An id of the owner's shows by the letters that only the owner's ids have.
fn assert_is_discreet(text: &str) {
    assert!(!text.contains("inbox-7f3k"), "the mailbox shows:\n{text}");
    assert!(!text.contains(".by.owner@"), "an id of the owner's shows:\n{text}");
}

fn is_owners(writer: Writer) -> bool {
    matches!(writer, OwnerAtDesk | OwnerOnPhone)
}

/// Each program sees one conversation, and each letter below the one that it answers, or below the next one before that
/// which is there; whichever letter it sees first.
fn assert_threads(letters: &[(Writer, Option<usize>)], mail: &Mail, what: &str) {
    let parent = |number: usize| {
        let mut parent = letters[number].1;
        while let Some(absent) = parent.filter(|parent| !mail.contains_key(parent)) {
            parent = letters[absent].1;
        }
        (number, parent)
    };
    let expected: BTreeMap<_, _> = mail.keys().copied().map(parent).collect();
    let folder: Vec<_> = mail.values().cloned().collect();
    let backwards: Vec<_> = folder.iter().rev().cloned().collect();
    for messages in [&folder, &backwards] {
        let forest = by_dovecot(messages);
        assert_eq!(by_number(&forest, mail), expected, "Dovecot, {what}:\n{}", heads(mail));
        assert_eq!(forest.threads, 1, "Dovecot, {what}:\n{}", heads(mail));
        let forest = by_notmuch(messages);
        // notmuch looks no further than for the parent.
        if mail.len() == letters.len() {
            assert_eq!(by_number(&forest, mail), expected, "notmuch, {what}:\n{}", heads(mail));
        }
        assert_eq!(forest.threads, 1, "notmuch, {what}:\n{}", heads(mail));
    }
}

/// A letter as mail programs write it (RFC 5322, section 3.6.4). No two have one subject: those would be one conversation
/// for some programs, whatever their ids.
fn letter(number: usize, from: &str, to: &str, style: &str, parent: Option<&str>) -> String {
    let who = if from == MAILBOX { "owner" } else { "contact" };
    let mut head = format!(
        "From: {from}\r\nTo: {to}\r\nSubject: Letter {number}\r\n\
         Date: Mon, 21 Sep 2026 16:{number:02}:20 +0200\r\nMessage-ID: <{number}.by.{who}@{style}>\r\n"
    );
    if let Some(parent) = parent {
        let id = field(parent, "Message-ID");
        let ancestors = Some(field(parent, "References")).filter(|ids| !ids.is_empty());
        let ancestors = ancestors.unwrap_or_else(|| field(parent, "In-Reply-To"));
        let ancestors = ancestors.split_whitespace().map(|id| format!("\r\n {id}")).collect::<String>();
        head += &format!("In-Reply-To: {id}\r\nReferences:{ancestors}\r\n {id}\r\n");
    }
    format!("{head}\r\nLetter {number}.\r\n")
}

/// The value of a field, unfolded; empty when it is not there.
fn field(message: &str, name: &str) -> String {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let value = unfolded.split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    value.unwrap_or_default()
}

/// Which letter is below which.
fn by_number(forest: &Forest, mail: &Mail) -> BTreeMap<usize, Option<usize>> {
    let numbers: BTreeMap<_, _> =
        mail.iter().map(|(number, message)| (field(message, "Message-ID"), *number)).collect();
    let number = |id: &String| *numbers.get(id).unwrap_or_else(|| panic!("{id} is no id of {numbers:?}"));
    forest.parents.iter().map(|(id, parent)| (number(id), parent.as_ref().map(number))).collect()
}

fn heads(mail: &Mail) -> String {
    let names = ["Message-ID", "In-Reply-To", "References"];
    let lines =
        mail.values().flat_map(|message| names.map(|name| format!("{name}: {}\n", field(message, name))));
    lines.collect()
}

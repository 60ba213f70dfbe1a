//! The messages of these tests: each can be told from all others wherever it turns up, and a damaged one from a whole one.

use crate::dice::Dice;
use crate::support::daemon::Installation;

/// An alias and its mailboxes. No mailbox belongs to two aliases, so a letter and a mailbox name one delivery.
#[derive(Debug, PartialEq, Eq)]
pub struct Alias {
    pub address: &'static str,
    pub mailboxes: &'static [&'static str],
}

/// The mailbox that its server refuses now and then, for good. It is the only one of its alias, so that the sender is
/// told.
pub const FICKLE: &str = "fickle@example.net";

const DOMAINS: &[&str] = &["one.example.com", "two.example.com", "example.com"];

pub const ALIASES: &[Alias] = &[
    Alias { address: "shop@one.example.com", mailboxes: &["inbox-1@example.net"] },
    Alias {
        address: "bank@one.example.com",
        mailboxes: &["inbox-2@example.net", "inbox-3@mail.example.net"],
    },
    Alias { address: "club@two.example.com", mailboxes: &["inbox-4@mail.example.net"] },
    Alias {
        address: "team@two.example.com",
        mailboxes: &["inbox-5@example.net", "inbox-6@mail.example.net", "inbox-7@post.example.org"],
    },
    Alias { address: "news@example.com", mailboxes: &["inbox-8@post.example.org"] },
    Alias { address: "old@example.com", mailboxes: &[FICKLE] },
];

/// Makes the domains, mailboxes and aliases.
pub fn set_up(aliasd: &Installation) {
    for domain in DOMAINS {
        aliasd.run(&["domain", "add", domain]).succeeded();
    }
    for alias in ALIASES {
        for mailbox in alias.mailboxes {
            aliasd.run(&["mailbox", "add", mailbox]).succeeded();
        }
        let named = alias.mailboxes.iter().flat_map(|mailbox| ["--mailbox", mailbox]);
        let arguments: Vec<&str> = ["alias", "add", alias.address].into_iter().chain(named).collect();
        aliasd.run(&arguments).succeeded();
    }
}

/// A message that a sender has to get rid of.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its place in the record.
    pub number: usize,
    pub sender: String,
    pub aliases: Vec<&'static Alias>,
    lines: usize,
}

impl Letter {
    /// To one alias, sometimes to two; of a few hundred octets, sometimes of more than a hundred thousand.
    pub fn write(number: usize, sender: &str, dice: &mut Dice) -> Self {
        let first = dice.below(6);
        let numbers = if dice.one_in(4) { vec![first, (first + 1) % 6] } else { vec![first] };
        let aliases = numbers.into_iter().filter_map(|at| ALIASES.get(usize::try_from(at).ok()?)).collect();
        let lines = if dice.one_in(50) { 2500 } else { 1 + dice.below(100) };
        Self {
            number,
            sender: sender.to_owned(),
            aliases,
            lines: usize::try_from(lines).expect("a small number"),
        }
    }

    /// The bytes that the sender hands over, the same each time.
    pub fn text(&self) -> Vec<u8> {
        let number = self.number;
        let to: Vec<&str> = self.aliases.iter().map(|alias| alias.address).collect();
        let head = format!(
            "From: Sender <{sender}>\r\n\
             To: {to}\r\n\
             Subject: {MARK}{number}.\r\n\
             Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n\
             Message-ID: <{MARK}{number}.@example.org>\r\n\
             \r\n",
            sender = self.sender,
            to = to.join(", "),
        );
        [head.into_bytes(), self.body()].concat()
    }

    /// What follows the empty line.
    fn body(&self) -> Vec<u8> {
        let number = self.number;
        (0..self.lines).flat_map(|line| format!(".line {line} of {MARK}{number}.\r\n").into_bytes()).collect()
    }

    /// Whether this text, as it arrived, ends with the letter's own body.
    pub fn is_whole(&self, text: &[u8]) -> bool {
        let end = [b"\r\n\r\n".as_slice(), &self.body()].concat();
        text.ends_with(&end)
    }
}

const MARK: &str = "letter-";

/// Which letter this text is, or is about.
pub fn number_in(text: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(text);
    text.split(MARK).skip(1).find_map(|after| after.split_once('.')?.0.parse().ok())
}

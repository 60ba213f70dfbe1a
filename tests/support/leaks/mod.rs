//! The leak finder: reads a message as it leaves and tells every place where a mailbox shows.
//!
//! It takes nothing from aliasd but the promise, so that a mistake in the readers of aliasd is not repeated here. Three readers look
//! at each message, each in its own way, so that a difference between mail programs shows:
//!
//! - [`walk`]: a MIME reader of its own that errs towards seeing too much. It knows what each place is for.
//! - [`opinion`]: mail-parser, as a mail program might use it.
//! - [`blocks`]: no MIME at all. What stands between empty lines is text, decoded in every way in any order.
//!
//! What is looked for depends on the place ([`Rule`]). What is not looked for: an address that only a person could read (`me at
//! example net`, a picture), and what is inside archives and encrypted parts.
//!
//! The file names no module of aliasd: any test target can have it by `#[path]`, a test inside the crate or a fuzz target too.

mod bytes;
mod fields;
mod opinion;
mod search;
mod transfer;
mod views;
mod walk;

use std::collections::BTreeSet;
use std::fmt;

pub use search::Secret;

/// Who found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// Our own MIME reader.
    Walk,
    /// mail-parser.
    MailParser,
    /// Every decoding of the whole message.
    Brute,
}

/// What shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The whole address, with or without a `+tag`.
    Address,
    /// The mailbox's domain, or a name below it.
    Domain,
    /// What stands before the `@`, as a word.
    LocalPart,
}

/// What must not show in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Written by people for people: the address.
    Prose,
    /// A description: the address, and a local part that tells who it is.
    Description,
    /// A file name: the address, the domain, and a local part that tells who it is.
    FileName,
    /// Written by programs (ids, boundaries, parameters, traces): the address, the domain, the local part.
    Trace,
}

/// A place where a mailbox shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// Who found it.
    pub reader: Reader,
    /// Where: the part by its numbers, then what of it.
    pub place: String,
    /// What shows.
    pub what: What,
    /// The text around it, decoded.
    pub excerpt: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} by {:?} in {}: {:?}", self.what, self.reader, self.place, self.excerpt)
    }
}

/// How far a text is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// In every way, whether anything says so or not.
    Everything,
    /// As the message says, and no further: what mail programs show. A fuzzer finds the rest in no time, as `=40` in a text
    /// that nothing says to be quoted-printable.
    Declared,
}

/// Every place of a message (head and body, as it is sent) where one of the mailboxes shows.
pub fn find(message: &[u8], secrets: &[Secret], effort: Effort) -> Vec<Leak> {
    let mut hunt = Hunt { secrets, effort, leaks: BTreeSet::new() };
    walk::walk(message, &mut hunt);
    opinion::read(message, &mut hunt);
    if effort == Effort::Everything {
        for (number, block) in blocks(message).into_iter().enumerate() {
            hunt.bytes(Reader::Brute, &format!("block {}", number + 1), block, &[], Rule::Prose);
        }
    }
    hunt.leaks.into_iter().collect()
}

/// What stands between empty lines, over which nothing is written. The whole message at once would have as many readings as its
/// parts have together, multiplied.
fn blocks(message: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        at += line.len();
        if line == b"\r\n" || line == b"\n" {
            blocks.push(&message[start..at]);
            start = at;
        }
    }
    blocks.push(&message[start..]);
    blocks
}

/// A search under way.
struct Hunt<'a> {
    secrets: &'a [Secret],
    effort: Effort,
    leaks: BTreeSet<Leak>,
}

impl Hunt<'_> {
    /// Looks at octets in every charset that they may be in.
    fn bytes(&mut self, reader: Reader, place: &str, octets: &[u8], charsets: &[String], rule: Rule) {
        self.texts(reader, place, bytes::texts(octets, charsets), rule);
    }

    /// Looks at a text in every way in which it can be read.
    fn text(&mut self, reader: Reader, place: &str, text: &str, rule: Rule) {
        self.texts(reader, place, vec![text.to_owned()], rule);
    }

    fn texts(&mut self, reader: Reader, place: &str, texts: Vec<String>, rule: Rule) {
        let views = match self.effort {
            Effort::Everything => views::all(texts),
            Effort::Declared => texts,
        };
        for view in views {
            let folded = search::fold(&view);
            for secret in self.secrets {
                for (what, excerpt) in secret.shows(&folded, rule) {
                    self.leaks.insert(Leak { reader, place: place.to_owned(), what, excerpt });
                }
            }
        }
    }
}

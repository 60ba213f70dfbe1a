//! What an id may tell of a mailbox.

use std::collections::BTreeSet;

use crate::mail::Address;
use crate::relay::alias::Alias;
use crate::relay::ids;

/// Right sides that mean something in a local network only, behind a dot.
const PRIVATE: [&str; 9] = [
    ".local",
    ".lan",
    ".home",
    ".internal",
    ".localdomain",
    ".localhost",
    ".home.arpa",
    ".fritz.box",
    ".intranet",
];

/// The words that tell the mailboxes of an alias: their local parts and domains, in lower case.
#[derive(Debug)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub fn of(alias: &Alias) -> Self {
        Self(alias.mailboxes.iter().flat_map(|mailbox| words_of(&mailbox.address)).collect())
    }

    /// Whether one of them is a word in the id: no letter or digit on either side. What stands below a domain tells it as
    /// well (`laptop.example.net`). Errs towards yes.
    pub fn are_in(&self, id: &[u8]) -> bool {
        let id = String::from_utf8_lossy(&ids::normal(id)).to_lowercase();
        self.0.iter().any(|word| has_word(id.as_bytes(), word.as_bytes()))
    }
}

fn words_of(address: &Address) -> Vec<String> {
    let host = address.host().as_str();
    let (unicode, _) = idna::domain_to_unicode(host);
    let untagged = address.without_tag();
    let locals = [Some(address), untagged.as_ref()].into_iter().flatten().map(|a| a.local().to_lowercase());
    locals.chain([host.to_owned(), unicode.to_lowercase()]).collect()
}

fn has_word(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find_iter(text, word).any(|at| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + word.len()..).unwrap_or_default();
        ends_word(before) && !after.first().is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// An encoded octet (`%40`, `=40`) ends in digits, and is no digit.
fn ends_word(before: &[u8]) -> bool {
    match before {
        [.., b'%' | b'=', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        _ => !before.last().is_some_and(u8::is_ascii_alphanumeric),
    }
}

/// The right side of an id, in lower case, if it means something in a local network only: a name without a dot, an address
/// literal, or one of the names that such networks use.
pub(super) fn private_side(id: &[u8]) -> Option<String> {
    let id = String::from_utf8_lossy(&ids::normal(id)).to_lowercase();
    let (_, right) = id.rsplit_once('@')?;
    let is_private =
        !right.contains('.') || right.starts_with('[') || PRIVATE.iter().any(|end| right.ends_with(end));
    is_private.then(|| right.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::alias::Mailbox;
    use crate::relay::testing;

    fn names(mailboxes: &[&str]) -> Names {
        let mut alias = testing::alias();
        let like = alias.mailboxes.remove(0);
        let mailbox = |text: &&str| Mailbox { address: Address::parse(text).unwrap(), ..like.clone() };
        alias.mailboxes = mailboxes.iter().map(mailbox).collect();
        Names::of(&alias)
    }

    #[test]
    fn domain_and_local_part_are_found_as_words() {
        let names = names(&["Jane.Doe+shop@Example.net", "second@bücher.example"]);
        for telling in [
            "<1@example.net>",
            "<1@LAPTOP.example.NET>",
            "<1.example.net@example.org>",
            "<jane.doe=example.net@example.org>",
            "<1%40example.net@example.org>",
            "<jane.doe.1@example.org>",
            "<1@jane.doe-laptop>",
            "<second@example.org>",
            "<1@b\u{fc}cher.example>",
            "<1@XN--bcher-kva.example>",
            "<1@exam\r\n ple.net>",
        ] {
            assert!(names.are_in(telling.as_bytes()), "{telling}");
        }
        for silent in [
            "<1@example.network>",
            "<1@myexample.net>",
            "<jane@example.org>",
            "<seconds@example.org>",
            "<>",
            "",
        ] {
            assert!(!names.are_in(silent.as_bytes()), "{silent}");
        }
        assert!(!names.are_in(b"<\xff\xfe@example.org>") && names.are_in(b"<\xff@example.net>"));
    }

    #[test]
    fn private_right_sides_are_told_from_public_ones() {
        for (id, side) in [
            ("<1@MacBook.local>", Some("macbook.local")),
            ("<1@localhost>", Some("localhost")),
            ("<1@localhost.localdomain>", Some("localhost.localdomain")),
            ("<1@pc.fritz.box>", Some("pc.fritz.box")),
            ("<1@a@host>", Some("host")),
            ("<1@[192.168.1.5]>", Some("[192.168.1.5]")),
            ("<1@example.org>", None),
            ("<1@locality.example>", None),
            ("<1>", None),
        ] {
            assert_eq!(private_side(id.as_bytes()).as_deref(), side, "{id}");
        }
    }
}

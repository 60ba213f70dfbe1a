//! Address lists: the values of `From`, `Sender`, `Reply-To`, `To`, `Cc` (RFC 5322, section 3.4, with the obsolete forms
//! of 4.4; RFC 6532 for UTF-8).
//!
//! [`parse`] reads any value and always ends: what it can't read becomes [`Entry::Malformed`], up to the next separator.
//! It is tolerant where only one reading is possible (dots and `@` in an unquoted name, `a..b@` in a local part, `;`
//! between entries, a group without its `;`) and gives up an entry where readers would differ. [`AddressList::rewrite`]
//! changes single entries and keeps the bytes of the others.
//!
//! Positions are in the value that was parsed; to use a list with another value gives nothing useful, but is safe.

mod parser;
mod rewrite;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::address::Address;

pub use parser::{MAX_ENTRIES, parse};
pub use rewrite::{Decision, OnGroup, OnMalformed, Rewritten};

/// The entries of an address list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressList {
    /// In order. Empty elements (`,,`) are left out.
    pub entries: Vec<Entry>,
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A mailbox.
    Mailbox(NamedAddress),
    /// A group.
    Group(Group),
    /// What can't be read, from its first to its last token.
    Malformed(Range<usize>),
}

/// A group: `Team: jane@example.com, joe@example.com;`. It may have no members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Decoded, for people.
    pub name: Option<String>,
    /// In order.
    pub members: Vec<Member>,
    /// From the name to the `;`.
    pub span: Range<usize>,
    /// The name as it is written, before the `:`.
    pub name_span: Range<usize>,
}

/// One entry of a group: groups don't nest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A mailbox.
    Mailbox(NamedAddress),
    /// What can't be read.
    Malformed(Range<usize>),
}

/// An address with the name that it is shown with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAddress {
    /// Decoded, for people: one line, no control characters. The display name, or the first comment if there is none.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
    /// The whole entry: name, comments, brackets.
    pub span: Range<usize>,
    /// The address alone, without angle brackets and route.
    pub address_span: Range<usize>,
}

impl AddressList {
    /// Every address, those in groups too, in order.
    pub fn mailboxes(&self) -> impl Iterator<Item = &NamedAddress> {
        self.entries.iter().flat_map(Entry::mailboxes)
    }

    /// The first address.
    #[must_use]
    pub fn first_mailbox(&self) -> Option<&NamedAddress> {
        self.mailboxes().next()
    }

    /// Whether nothing in it is malformed.
    #[must_use]
    pub fn is_wholly_readable(&self) -> bool {
        self.entries.iter().all(|entry| match entry {
            Entry::Mailbox(_) => true,
            Entry::Group(group) => group.members.iter().all(|member| matches!(member, Member::Mailbox(_))),
            Entry::Malformed(_) => false,
        })
    }
}

impl Entry {
    /// The addresses in this entry.
    pub fn mailboxes(&self) -> impl Iterator<Item = &NamedAddress> {
        let (single, members) = match self {
            Self::Mailbox(mailbox) => (Some(mailbox), &[][..]),
            Self::Group(group) => (None, &group.members[..]),
            Self::Malformed(_) => (None, &[][..]),
        };
        single.into_iter().chain(members.iter().filter_map(Member::mailbox))
    }
}

impl Member {
    /// The address, unless it can't be read.
    #[must_use]
    pub fn mailbox(&self) -> Option<&NamedAddress> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Malformed(_) => None,
        }
    }
}

impl From<Member> for Entry {
    fn from(member: Member) -> Self {
        match member {
            Member::Mailbox(mailbox) => Self::Mailbox(mailbox),
            Member::Malformed(span) => Self::Malformed(span),
        }
    }
}

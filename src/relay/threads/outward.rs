//! The fields of a reply: the owner's ids sealed, companions used and taken out.

use std::collections::{HashMap, HashSet};

use crate::mail::{Edits, Message};
use crate::relay::ids::{self, Ids};

use super::chain::{Chain, Link};
use super::names::{Names, private_side};

/// Tells the owner's ids in one reply from other people's.
#[derive(Debug)]
pub struct Outward<'a> {
    ids: Ids<'a>,
    names: Names,
    /// The right side of the reply's own id, if it is of a local network.
    own_side: Option<String>,
    /// There are ids in `References`, and so would be the marks of those that have one.
    has_references: bool,
    /// The owner's ids that stand beside their sealed form, and that form.
    sealed: HashMap<Vec<u8>, String>,
    /// Marks of ids that are not the owner's.
    marks: HashSet<Vec<u8>>,
}

impl<'a> Outward<'a> {
    /// Reads what the fields of the reply tell of its ids.
    #[must_use]
    pub fn of(message: &Message, ids: Ids<'a>) -> Self {
        let own = Chain::read(message, "Message-ID");
        let references = Chain::read(message, "References");
        let mut outward = Self {
            ids,
            names: Names::of(ids.alias()),
            own_side: own.ids.first().and_then(|id| private_side(id)),
            has_references: !references.ids.is_empty(),
            sealed: HashMap::new(),
            marks: HashSet::new(),
        };
        for chain in [references, Chain::read(message, "In-Reply-To")] {
            chain.ids.iter().for_each(|id| outward.learn(id));
        }
        outward
    }

    fn learn(&mut self, id: &[u8]) {
        let normal = ids::normal(id).to_ascii_lowercase();
        if self.ids.is_mark(id) {
            self.marks.insert(normal);
        } else if let Some(opened) = self.ids.open(id) {
            let token = format!("<{}>", String::from_utf8_lossy(&normal));
            self.sealed.entry(ids::normal(&opened)).or_insert(token);
        }
    }

    /// What correspondents see in place of an id of the owner's, wherever in the message it stands; `None` for an id of
    /// somebody else, and for one that is sealed already.
    #[must_use]
    pub fn sealed(&self, id: &[u8]) -> Option<String> {
        if let Some(token) = self.sealed.get(&ids::normal(id)) {
            return Some(token.clone());
        }
        (self.may_be_ours(id) && !self.is_marked(id)).then(|| self.ids.seal(id))
    }

    fn may_be_ours(&self, id: &[u8]) -> bool {
        !self.ids.is_at_alias(id) && (self.names.are_in(id) || self.is_of_own_network(id))
    }

    fn is_of_own_network(&self, id: &[u8]) -> bool {
        let side = private_side(id);
        side.is_some() && (self.has_references || side == self.own_side)
    }

    fn is_marked(&self, id: &[u8]) -> bool {
        !self.marks.is_empty() && self.ids.marks(id).iter().any(|mark| self.marks.contains(mark.as_bytes()))
    }

    /// Edits `Message-ID`, `In-Reply-To` and `References` of the reply; tells whether it still has an id. What is no id in
    /// these fields goes: a comment may name the mailbox.
    #[must_use]
    pub fn edit(&self, edits: &mut Edits<'_>, message: &Message) -> HasId {
        for name in ["In-Reply-To", "References"] {
            self.edit_chain(edits, &Chain::read(message, name));
        }
        let own = Chain::read(message, "Message-ID");
        let sealed = own.ids.first().map(|id| Link::plain(self.ids.seal(id).into_bytes()));
        own.put(edits, sealed.as_slice());
        if sealed.is_some() { HasId::Yes } else { HasId::No }
    }

    fn edit_chain(&self, edits: &mut Edits<'_>, chain: &Chain<'_>) {
        let mut written = HashSet::new();
        let links: Vec<_> = chain
            .ids
            .iter()
            .filter_map(|id| self.link(id))
            .filter(|link| self.is_news(&mut written, link))
            .collect();
        let is_changed = links.len() < chain.ids.len() || links.iter().any(Link::is_new);
        if is_changed || links.is_empty() || !chain.is_plain {
            chain.put(edits, &links);
        }
    }

    fn link<'m>(&self, id: &'m [u8]) -> Option<Link<'m>> {
        if self.ids.is_mark(id) {
            return None;
        }
        Some(match self.sealed(id) {
            Some(sealed) => Link::plain(sealed.into_bytes()),
            None => Link::plain(id),
        })
    }

    /// A sealed id once: it has taken the place of the id that it stood beside.
    fn is_news(&self, written: &mut HashSet<Vec<u8>>, link: &Link<'_>) -> bool {
        !self.ids.is_at_alias(&link.id) || written.insert(ids::normal(&link.id).to_ascii_lowercase())
    }
}

/// Whether a reply has a `Message-ID` of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HasId {
    /// It is sealed now.
    Yes,
    /// Nothing in it could be taken for one.
    No,
}

//! The fields of a forward: sealed ids opened, companions put in where an answer will need them.

use std::collections::HashSet;

use crate::mail::{Edits, Message};
use crate::relay::ids::{self, Ids};
use crate::relay::trace::Trace;

use super::chain::{Chain, Link};
use super::names::{Names, private_side};

/// Opens what `ids` has sealed in `Message-ID`, `Original-Message-ID` (RFC 3297), `In-Reply-To` and `References`, and
/// tells the answer to come what it could not know otherwise.
pub fn open(edits: &mut Edits<'_>, message: &Message, ids: &Ids<'_>, trace: &Trace<'_>) {
    let opener = Opener { ids, names: Names::of(ids.alias()), utf8: trace.smtputf8 };
    let [own, original, parents, references] =
        ["Message-ID", "Original-Message-ID", "In-Reply-To", "References"]
            .map(|name| Chain::read(message, name));
    opener.open_only_one(edits, &own);
    opener.open_only_one(edits, &original);
    opener.open_all(edits, &parents);
    opener.open_and_explain(edits, &references, &own, &parents);
}

struct Opener<'a> {
    ids: &'a Ids<'a>,
    names: Names,
    /// The header section may get octets beyond ASCII.
    utf8: bool,
}

impl Opener<'_> {
    /// A field that says one id; what else stands in it goes when it is written anew.
    fn open_only_one(&self, edits: &mut Edits<'_>, chain: &Chain<'_>) {
        if let Some(opened) = chain.ids.first().and_then(|id| self.opened(id)) {
            chain.put(edits, &[Link::plain(opened)]);
        }
    }

    fn open_all(&self, edits: &mut Edits<'_>, chain: &Chain<'_>) {
        let links: Vec<_> = chain.ids.iter().map(|id| Link { companion: None, ..self.link(id) }).collect();
        if links.iter().any(Link::is_new) {
            chain.put(edits, &links);
        }
    }

    /// `References`. Without any, the message's parent stands in `In-Reply-To`.
    fn open_and_explain(
        &self,
        edits: &mut Edits<'_>,
        references: &Chain<'_>,
        own: &Chain<'_>,
        parents: &Chain<'_>,
    ) {
        let ancestors = match references.ids.as_slice() {
            [] => parents.ids.get(..1).unwrap_or_default(),
            ids => ids,
        };
        let mut links: Vec<_> = ancestors.iter().map(|id| self.link(id)).collect();
        let elsewhere = self.companions_of_others(ancestors, own, parents);
        let is_new = match references.ids.as_slice() {
            [] => links.iter().any(|link| link.companion.is_some()),
            _ => links.iter().any(Link::is_new),
        };
        if is_new || !elsewhere.is_empty() {
            let parent = links.pop();
            links.extend(elsewhere);
            links.extend(parent);
            references.put(edits, &links);
        }
    }

    /// The companions of the message's own id and of parents that are not among its ancestors.
    fn companions_of_others(
        &self,
        ancestors: &[&[u8]],
        own: &Chain<'_>,
        parents: &Chain<'_>,
    ) -> Vec<Link<'static>> {
        let mut known: HashSet<_> = ancestors.iter().map(|id| ids::normal(id)).collect();
        let others = own.ids.iter().take(1).chain(&parents.ids);
        let others = others.filter(|id| known.insert(ids::normal(id)));
        let companions = others.filter_map(|id| self.link(id).companion);
        companions.map(|companion| Link::plain(companion.into_bytes())).collect()
    }

    fn link<'m>(&self, id: &'m [u8]) -> Link<'m> {
        match self.opened(id) {
            Some(opened) => {
                let companion = self.companion_of_ours(id, &opened);
                Link { companion, id: opened.into() }
            }
            None => Link { companion: self.companion_of_theirs(id), id: id.into() },
        }
    }

    /// Octets that the session did not ask leave for would make the message one that not every server takes.
    fn opened(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.ids.open(id).filter(|opened| self.utf8 || opened.is_ascii())
    }

    /// The sealed form, unless the answer will come to the same one by itself.
    fn companion_of_ours(&self, sealed: &[u8], opened: &[u8]) -> Option<String> {
        let sealed = String::from_utf8_lossy(&ids::normal(sealed)).to_ascii_lowercase();
        let sealed = format!("<{sealed}>");
        let is_known_again = self.names.are_in(opened) && self.ids.seal(opened) == sealed;
        (!is_known_again).then_some(sealed)
    }

    /// A mark, if the answer might take the id for one of the owner's.
    fn companion_of_theirs(&self, id: &[u8]) -> Option<String> {
        let may_be_ours = self.names.are_in(id) || private_side(id).is_some();
        (may_be_ours && !self.ids.is_at_alias(id)).then(|| self.ids.mark(id))
    }
}

//! Asking the directory about everyone whom a message names.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::mail::{Address, Message};
use crate::relay::alias::{Alias, Contact, Lookup};
use crate::relay::correspondents::{self, Correspondent, Known, MAX_CONTACTS};
use crate::relay::ports::{Directory, Surroundings, Unavailable, WantedContact};
use crate::relay::refusal::Refused;
use crate::relay::reply;
use crate::relay::reverse::{self, Readability, TOKEN_BYTES};
use crate::relay::scrub;

/// Finds or makes the contacts that a forward needs; addresses of our own domains are told apart, except the author's:
/// whoever writes is a contact.
pub(super) async fn contacts<D: Directory, S: Surroundings>(
    directory: &D,
    surroundings: &S,
    message: &Message,
    alias: &Alias,
    author: &Address,
) -> Result<Known, Unavailable> {
    let mut known = Known::default();
    let mut wanted = Vec::new();
    for person in correspondents::of(message, alias).into_iter().take(MAX_CONTACTS) {
        let is_ours =
            person.address != *author && directory.lookup(&person.address).await? != Lookup::ForeignDomain;
        if is_ours {
            known.ours.insert(person.address);
        } else {
            wanted.extend(want(surroundings, alias, person));
        }
    }
    let contacts = directory.contacts(alias, &wanted).await?;
    known.contacts = contacts.into_iter().map(|contact| (contact.address.clone(), contact)).collect();
    Ok(known)
}

fn want<S: Surroundings>(surroundings: &S, alias: &Alias, person: Correspondent) -> Option<WantedContact> {
    let mut random = [0; TOKEN_BYTES];
    surroundings.random(&mut random);
    let readability = Readability::from_opaque(alias.opaque_reverse_aliases);
    let domain = alias.address.domain()?;
    let reverse_alias = reverse::compose(&person.address, domain, readability, random).ok()?;
    Some(WantedContact { address: person.address, name: person.name, reverse_alias })
}

/// What the directory says of everyone in `To` and `Cc` of a reply.
pub(super) async fn addressed<D: Directory>(
    directory: &D,
    message: &Message,
) -> Result<HashMap<Address, Lookup>, Refused> {
    let mut answers = HashMap::new();
    for address in reply::addressed(message)? {
        if let Entry::Vacant(unasked) = answers.entry(address) {
            let lookup = directory.lookup(unasked.key()).await?;
            unasked.insert(lookup);
        }
    }
    Ok(answers)
}

/// The contacts whose reverse aliases a reply quotes: they are to be seen as they are.
pub(super) async fn quoted<D: Directory>(
    directory: &D,
    message: &Message,
    alias: &Alias,
) -> Result<HashMap<Address, Arc<Contact>>, Unavailable> {
    let mut contacts = HashMap::new();
    let Some(domain) = alias.address.domain() else { return Ok(contacts) };
    for address in scrub::candidates(message, domain) {
        match directory.lookup(&address).await? {
            Lookup::ReverseAlias(owner, contact) if owner.id == alias.id => {
                contacts.insert(address, contact);
            }
            _ => {}
        }
    }
    Ok(contacts)
}

//! What must not be seen of an alias's owner, and what is shown in its place.
//!
//! Secret are the addresses of all mailboxes of the alias (with any `+tag`), their domains and their local parts; and the
//! reverse aliases of its contacts, which mean nothing to anybody but the owner. A mailbox becomes the alias, a reverse alias
//! the contact behind it.
//!
//! Not secret, though it may contain something that is: the alias itself and the addresses of its contacts. A mailbox may
//! live at the alias's own domain, or at the provider where a contact lives. The domain of the alias is never a secret, nor is
//! a word of its address.
//!
//! A bare local part counts only as a word by itself, with neither a letter nor a digit beside it, and from
//! [`SHORTEST_WORD`] characters on: `me` is a word of every second sentence, and `_me_` may stand in any id.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::bytes::ByteSearch;
use super::text::{Host, Label, Parts, Person, Scope, Search, Word};
use super::view::Syntax;
use super::view::letters::{folded, joins_words};
use crate::mail::Address;
use crate::relay::alias::{Alias, Contact};

/// A local part with fewer characters is no secret where its domain is not beside it.
pub const SHORTEST_WORD: usize = 3;
/// From so many letters on a local part is more than a first name.
const TELLING_LETTERS: usize = 8;

/// The secrets of an alias. Built once for a message.
#[derive(Debug, Clone)]
pub struct Secrets {
    search: Search,
    bytes: ByteSearch,
}

impl Secrets {
    /// The mailboxes of an alias, paused ones too, and what is known of reverse aliases that the message may name: the
    /// contact of each.
    #[must_use]
    pub fn new(alias: &Alias, contacts: &HashMap<Address, Arc<Contact>>) -> Self {
        let mut book = Book::new(alias);
        for (reverse_alias, contact) in contacts {
            book.add_contact(reverse_alias, contact);
        }
        book.finish()
    }

    /// Whether a text has the address of a mailbox or a reverse alias that we know, however it is written.
    #[must_use]
    pub fn address_in(&self, text: &str, syntax: Syntax) -> bool {
        self.search.finds(text, syntax, Scope::Addresses)
    }

    /// Whether a text has that, or the domain of a mailbox (or a name below it), or the local part of one.
    #[must_use]
    pub fn trace_in(&self, text: &str, syntax: Syntax) -> bool {
        self.search.finds(text, syntax, Scope::Everything)
    }

    /// Whether the name of a file, or another text that shows what something is called, has an address, a domain, or a local
    /// part that tells somebody: with something else than letters in it, or at least eight of them.
    #[must_use]
    pub fn trace_in_name(&self, text: &str) -> bool {
        self.search.finds(text, Syntax::Plain, Scope::Names)
    }

    /// Whether binary data has an address, in ASCII, UTF-8 or UTF-16, in any case; nothing is decoded.
    #[must_use]
    pub fn address_in_bytes(&self, bytes: &[u8]) -> bool {
        self.bytes.finds_address(bytes)
    }

    /// Whether binary data has that, or a domain, or a local part that tells somebody (see [`Self::trace_in_name`]): a short
    /// word stands in any data by chance.
    #[must_use]
    pub fn trace_in_bytes(&self, bytes: &[u8]) -> bool {
        self.bytes.finds_trace(bytes)
    }

    /// A text for people: the alias for its mailboxes, the contact for a reverse alias. Nothing when neither is in it.
    #[must_use]
    pub fn replace_prose(&self, text: &str, syntax: Syntax) -> Option<String> {
        self.search.replace(text, syntax, Scope::Addresses)
    }

    /// A name (see [`Self::trace_in_name`]) without its traces. Nothing when there is none.
    #[must_use]
    pub fn replace_name(&self, text: &str) -> Option<String> {
        self.search.replace(text, Syntax::Plain, Scope::Names)
    }

    /// A text that is not for people: besides addresses, the alias's domain for that of a mailbox, and the alias's local part
    /// for a bare one. Nothing when there is no trace. The result is shorter or longer, but two texts that differ outside of
    /// the traces differ afterwards.
    #[must_use]
    pub fn replace_everything(&self, text: &str, syntax: Syntax) -> Option<String> {
        self.search.replace(text, syntax, Scope::Everything)
    }
}

/// The labels of a host name in all their spellings.
pub(super) fn labels(host: &str) -> Vec<Label> {
    let label = |ascii: &str| {
        let shown = folded(&idna::domain_to_unicode(ascii).0);
        Label { ascii: ascii.to_owned(), shown: (shown != ascii).then_some(shown) }
    };
    host.split('.').map(label).collect()
}

/// Secrets while they are put together.
struct Book<'a> {
    alias: &'a Alias,
    /// By the host's name.
    hosts: BTreeMap<String, Host>,
    words: BTreeSet<String>,
    /// Mailboxes with and without their tags.
    mailboxes: Vec<Address>,
    /// Addresses of contacts.
    contacts: Vec<Address>,
}

impl<'a> Book<'a> {
    fn new(alias: &'a Alias) -> Self {
        let mailboxes: BTreeSet<Address> = alias
            .mailboxes
            .iter()
            .flat_map(|mailbox| mailbox.address.without_tag().into_iter().chain([mailbox.address.clone()]))
            .filter(|address| *address != alias.address)
            .collect();
        let mut book = Self {
            alias,
            hosts: BTreeMap::new(),
            words: BTreeSet::new(),
            mailboxes: mailboxes.into_iter().collect(),
            contacts: Vec::new(),
        };
        book.add_person(&alias.address, true, None);
        for mailbox in book.mailboxes.clone() {
            book.add_mailbox(&mailbox);
        }
        book
    }

    fn host(&mut self, address: &Address) -> &mut Host {
        let name = address.host().as_str();
        self.hosts.entry(name.to_owned()).or_insert_with(|| Host {
            labels: labels(name),
            people: Vec::new(),
            secret: false,
            exempt_behind: None,
        })
    }

    fn add_person(&mut self, address: &Address, tags: bool, becomes: Option<&Address>) {
        let person = Person { local: folded(address.local()), tags, becomes: becomes.map(Parts::of) };
        let people = &mut self.host(address).people;
        // What came first counts: the alias before its mailboxes, these before contacts.
        if people.iter().all(|known| known.local != person.local) {
            people.push(person);
        }
    }

    fn add_mailbox(&mut self, mailbox: &Address) {
        self.add_person(mailbox, true, Some(&self.alias.address));
        let (own, alias) = (mailbox.host().as_str(), self.alias.address.host().as_str());
        let exempt_behind = alias.strip_suffix(own).filter(|prefix| prefix.ends_with('.')).map(str::to_owned);
        let host = self.host(mailbox);
        host.secret = own != alias;
        host.exempt_behind = exempt_behind;
        let word = folded(mailbox.local());
        if word.chars().count() >= SHORTEST_WORD && !has_word(&folded(self.alias.address.as_normal()), &word)
        {
            self.words.insert(word);
        }
    }

    /// A contact whose address is a mailbox's (the owner has written to the alias) shows as the alias.
    fn add_contact(&mut self, reverse_alias: &Address, contact: &Contact) {
        let is_owner = self.is_mailbox(&contact.address);
        let shown = if is_owner { &self.alias.address } else { &contact.address };
        self.add_person(reverse_alias, false, Some(shown));
        if !is_owner {
            self.contacts.push(contact.address.clone());
        }
    }

    fn is_mailbox(&self, address: &Address) -> bool {
        let bare = address.without_tag();
        self.mailboxes.iter().any(|mailbox| mailbox == address || Some(mailbox) == bare.as_ref())
    }

    fn finish(mut self) -> Secrets {
        for contact in std::mem::take(&mut self.contacts) {
            if self.has_trace(&contact) {
                self.add_person(&contact, false, None);
            }
        }
        for host in self.hosts.values_mut() {
            host.people.sort_by_key(|person| std::cmp::Reverse(person.local.len()));
        }
        let words: Vec<Word> =
            self.words.into_iter().map(|text| Word { telling: is_telling(&text), text }).collect();
        let bytes = byte_search(&self.hosts, &words);
        let search = Search::new(self.hosts.into_values().collect(), words, Parts::of(&self.alias.address));
        Secrets { search, bytes }
    }

    /// Whether the address of a contact has something that is secret elsewhere.
    fn has_trace(&self, contact: &Address) -> bool {
        let spelled = folded(contact.as_normal());
        let has_domain =
            |(name, host): (&String, &Host)| host.secret && has_word(contact.host().as_str(), name);
        self.hosts.iter().any(has_domain) || self.words.iter().any(|word| has_word(&spelled, word))
    }
}

fn byte_search(hosts: &BTreeMap<String, Host>, words: &[Word]) -> ByteSearch {
    let mut search = ByteSearch::new();
    for (name, host) in hosts {
        let shown = idna::domain_to_unicode(name).0;
        search.add_host(name, host);
        if shown != *name {
            search.add_host(&shown, host);
        }
    }
    words.iter().filter(|word| word.telling).for_each(|word| search.add_word(&word.text));
    search
}

fn is_telling(word: &str) -> bool {
    !word.chars().all(char::is_alphabetic) || word.chars().count() >= TELLING_LETTERS
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !text.get(..at).is_some_and(|before| before.ends_with(joins_words))
            && !text.get(at + word.len()..).is_some_and(|rest| rest.starts_with(joins_words))
    })
}

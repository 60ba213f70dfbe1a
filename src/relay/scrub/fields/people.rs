//! `From`, `To` and their like in messages within the message.

use crate::mail::address_list::{self, Decision, OnGroup, OnMalformed, Rewritten};
use crate::mail::{Address, NamedAddress};

use super::super::view::Syntax;
use super::{Fate, Fields};

impl Fields<'_> {
    /// The alias in place of its mailboxes, contacts in place of reverse aliases. Entries without a trace keep their bytes.
    pub(super) fn people(&self, name: &str, value: &[u8]) -> Fate {
        if !self.has_trace(value) {
            return Fate::Stays;
        }
        let policy = (OnMalformed::Drop, OnGroup::KeepPlain);
        let people = address_list::parse(value);
        match people.rewrite(name, value, policy, |person| self.person(value, person)) {
            Rewritten::Field(field) => self.becomes_if_clean(field),
            // The trace stands outside of the entries.
            Rewritten::Unchanged | Rewritten::Empty => Fate::Goes,
        }
    }

    fn person(&self, value: &[u8], person: &NamedAddress) -> Decision {
        if !value.get(person.span.clone()).is_some_and(|written| self.has_trace(written)) {
            return Decision::Keep;
        }
        let name = person.name.as_deref().map(|name| {
            self.secrets.replace_everything(name, Syntax::Plain).unwrap_or_else(|| name.to_owned())
        });
        let written = person.address.to_string();
        let address = match self.secrets.replace_everything(&written, Syntax::Plain) {
            Some(other) => Address::parse(&other).ok(),
            None => Some(person.address.clone()),
        };
        match address {
            Some(address) => Decision::Replace { name: name.filter(|name| *name != written), address },
            None => Decision::Drop,
        }
    }
}

//! What becomes of one `RCPT TO`: it is an alias, a reverse alias, a return path of ours, a role address, or nothing.

use std::sync::Arc;

use crate::mail::{Address, Timestamp};

use super::alias::{Alias, CatchAll, Contact, Lookup, Refusal};
use super::refusal::Refused;
use super::return_path;
use super::reverse;

/// An accepted recipient, resolved.
#[derive(Debug, Clone)]
pub enum Recipient {
    /// Mail for an alias; the address as it was given, perhaps with a `+tag`.
    Alias(Arc<Alias>, Address),
    /// Mail for an address that becomes an alias when the message is accepted.
    New(Arc<CatchAll>, Address),
    /// Mail that the owner does not want and that is dropped behind a 250, by the owner's choice.
    Discard(Arc<Alias>),
    /// A reply of an alias to a contact.
    Reverse(Arc<Alias>, Arc<Contact>),
    /// A bounce or automatic answer to something that we sent, for the owner to see; the return path that it came to.
    Bounce(Address, Arc<Alias>),
    /// Mail for the people who run this server: the role address that was given, and who reads it.
    Postmaster(Address, Address),
}

impl Recipient {
    /// A name for it that the sender may hear.
    #[must_use]
    pub fn address(&self) -> Address {
        match self {
            Self::Alias(_, given)
            | Self::New(_, given)
            | Self::Bounce(given, _)
            | Self::Postmaster(given, _) => given.clone(),
            Self::Discard(alias) => alias.address.clone(),
            Self::Reverse(_, contact) => contact.reverse_alias.clone(),
        }
    }

    /// Whether a message for `other` as well would reach the same people twice.
    #[must_use]
    pub fn goes_where(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Alias(one, _), Self::Alias(two, _))
            | (Self::Bounce(_, one), Self::Bounce(_, two))
            | (Self::Discard(one), Self::Discard(two)) => one.id == two.id,
            (Self::New(_, one), Self::New(_, two)) => base(one) == base(two),
            (Self::Postmaster(_, one), Self::Postmaster(_, two)) => one == two,
            (Self::Reverse(_, one), Self::Reverse(_, two)) => one.id == two.id,
            _ => false,
        }
    }
}

/// The address without its tag, if it has one: by that name a catch-all makes the alias.
fn base(address: &Address) -> Address {
    address.without_tag().unwrap_or_else(|| address.clone())
}

/// Whether this is one of the role addresses that every domain must answer (RFC 5321, section 4.5.1; RFC 2142).
#[must_use]
pub fn is_role(address: &Address) -> bool {
    ["postmaster", "abuse"].iter().any(|role| address.local().eq_ignore_ascii_case(role))
}

/// What the directory's answer for `address` means for mail that comes in now.
///
/// # Errors
/// The refusal that the sender is told.
pub fn judge(lookup: Lookup, address: &Address, now: Timestamp) -> Result<Recipient, Refused> {
    match lookup {
        Lookup::ForeignDomain => Err(Refused::ForeignDomain),
        Lookup::Unknown => Err(Refused::UnknownAlias),
        Lookup::Deleted => Err(Refused::DeletedAlias),
        // A removed reverse alias or an old return path: somebody's late answer is no reason for an alias.
        Lookup::Creatable(_) if reverse::has_shape(address) || return_path::has_shape(address) => {
            Err(Refused::UnknownAlias)
        }
        Lookup::Creatable(rule) if rule.mailbox.as_ref().is_none_or(|mailbox| mailbox.paused) => {
            Err(Refused::NoMailboxNow)
        }
        Lookup::Creatable(rule) => Ok(Recipient::New(rule, address.clone())),
        Lookup::ReverseAlias(alias, contact) => Ok(Recipient::Reverse(alias, contact)),
        Lookup::Alias(alias) if !takes_mail(&alias, now) => unwanted(alias, Refused::DisabledAlias),
        Lookup::Alias(alias) if alias.open_mailboxes().next().is_none() => Err(Refused::NoMailboxNow),
        Lookup::Alias(alias) => Ok(Recipient::Alias(alias, address.clone())),
    }
}

/// Mail that the owner does not want: refused with this reason, or accepted and dropped.
///
/// # Errors
/// The refusal, when the alias says so.
pub fn unwanted(alias: Arc<Alias>, reason: Refused) -> Result<Recipient, Refused> {
    match alias.refusal {
        Refusal::Reject => Err(reason),
        Refusal::Discard => Ok(Recipient::Discard(alias)),
    }
}

/// Whether the alias is switched on and its time is not over.
#[must_use]
pub fn takes_mail(alias: &Alias, now: Timestamp) -> bool {
    alias.enabled && alias.expires_at.is_none_or(|end| now < end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::testing::{alias, contact};

    const NOW: Timestamp = Timestamp::EPOCH;

    fn judged(lookup: Lookup) -> Result<Recipient, Refused> {
        judge(lookup, &Address::parse("shop+1@example.com").unwrap(), NOW)
    }

    #[test]
    fn an_enabled_alias_takes_mail_under_the_address_that_was_given() {
        let Ok(Recipient::Alias(_, address)) = judged(Lookup::Alias(Arc::new(alias()))) else {
            panic!("refused");
        };
        assert_eq!(address.as_normal(), "shop+1@example.com");
    }

    #[test]
    fn a_disabled_or_expired_alias_is_refused_or_discarded_as_it_says() {
        let disabled = Alias { enabled: false, ..alias() };
        let expired = Alias { expires_at: Some(NOW), ..alias() };
        for off in [disabled, expired] {
            let discarding = Alias { refusal: Refusal::Discard, ..off.clone() };
            assert_eq!(judged(Lookup::Alias(Arc::new(off))).unwrap_err(), Refused::DisabledAlias);
            assert!(matches!(judged(Lookup::Alias(Arc::new(discarding))), Ok(Recipient::Discard(_))));
        }
    }

    #[test]
    fn an_alias_without_an_open_mailbox_defers() {
        let mut held = alias();
        held.mailboxes[0].paused = true;
        let unverified = Alias { mailboxes: vec![], ..alias() };
        for alias in [held, unverified] {
            assert_eq!(judged(Lookup::Alias(Arc::new(alias))).unwrap_err(), Refused::NoMailboxNow);
        }
    }

    #[test]
    fn the_rest_is_what_the_directory_says() {
        assert_eq!(judged(Lookup::ForeignDomain).unwrap_err(), Refused::ForeignDomain);
        assert_eq!(judged(Lookup::Unknown).unwrap_err(), Refused::UnknownAlias);
        assert_eq!(judged(Lookup::Deleted).unwrap_err(), Refused::DeletedAlias);
        let reverse = Lookup::ReverseAlias(Arc::new(alias()), Arc::new(contact()));
        assert!(matches!(judged(reverse), Ok(Recipient::Reverse(..))));
    }

    #[test]
    fn role_addresses_are_known_in_any_case() {
        assert!(is_role(&Address::parse("PostMaster@example.com").unwrap()));
        assert!(is_role(&Address::parse("abuse@example.com").unwrap()));
        assert!(!is_role(&Address::parse("shop@example.com").unwrap()));
    }
}

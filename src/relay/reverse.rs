//! Reverse aliases: the addresses of ours that stand for one (alias, contact) pair.
//!
//! `<readable>.<token>@<alias domain>`, lower case, at most 64 octets before the `@`. The token is what makes it unique
//! and unguessable; the readable part is for the owner's eyes. Knowing one is not enough to use it: who may write
//! through it is decided in [`super::reply`].

use crate::mail::address::MAX_LOCAL_PART;
use crate::mail::{Address, AddressError, DomainName, Host};

use super::keys::base32;

/// Random bytes that a token is made of.
pub const TOKEN_BYTES: usize = 10;
const TOKEN_LENGTH: usize = 16;
const READABLE_LENGTH: usize = MAX_LOCAL_PART - TOKEN_LENGTH - 1;

/// Whether reverse aliases show whom they stand for (an account's choice).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readability {
    /// With the contact's address folded into it.
    Readable,
    /// The token alone.
    Opaque,
}

impl Readability {
    /// As the account's setting says it.
    #[must_use]
    pub fn from_opaque(opaque: bool) -> Self {
        if opaque { Self::Opaque } else { Self::Readable }
    }
}

/// The reverse alias for a contact at the alias's domain, with fresh random bytes.
///
/// # Errors
/// Never in practice: what is composed is always a dot-atom of at most 64 octets.
pub fn compose(
    contact: &Address,
    domain: &DomainName,
    readability: Readability,
    random: [u8; TOKEN_BYTES],
) -> Result<Address, AddressError> {
    let token = base32().encode(&random);
    let readable = match readability {
        Readability::Readable => fold(contact),
        Readability::Opaque => String::new(),
    };
    let local = if readable.is_empty() { token } else { format!("{readable}.{token}") };
    Address::from_parts(&local, Host::Domain(domain.clone()))
}

/// Whether an address has the shape of a reverse alias. One that is nobody's was removed, or never made: it is not to become
/// an alias by a catch-all.
#[must_use]
pub fn has_shape(address: &Address) -> bool {
    let local = address.local();
    let token = local.rsplit_once('.').map_or(local, |(_, token)| token);
    token.len() == TOKEN_LENGTH && base32().decode(token.as_bytes()).is_ok()
}

/// The contact's address in `[a-z0-9_-]`, cut so that the token fits behind it.
fn fold(contact: &Address) -> String {
    let spelled = contact.as_normal().replace('@', "_at_");
    let mut folded: String = spelled
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' { c } else { '_' })
        .take(READABLE_LENGTH)
        .collect();
    folded.truncate(folded.trim_end_matches(['_', '-']).len());
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn composed(contact: &str, readability: Readability) -> String {
        let domain = DomainName::parse("example.com").unwrap();
        compose(&Address::parse(contact).unwrap(), &domain, readability, [0xa5; 10]).unwrap().to_string()
    }

    #[test]
    fn it_reads_like_the_contact() {
        assert_eq!(
            composed("Jane.Doe@example.org", Readability::Readable),
            "jane_doe_at_example_org.uws2ljnfuws2ljnf@example.com"
        );
        assert_eq!(composed("Jane.Doe@example.org", Readability::Opaque), "uws2ljnfuws2ljnf@example.com");
        assert_eq!(
            composed("jürgen@example.org", Readability::Readable),
            "j_rgen_at_example_org.uws2ljnfuws2ljnf@example.com"
        );
    }

    #[test]
    fn its_shape_is_known_again() {
        let has_shape = |text: &str| has_shape(&Address::parse(text).unwrap());
        assert!(has_shape(&composed("jane@example.org", Readability::Readable)));
        assert!(has_shape(&composed("jane@example.org", Readability::Opaque).to_uppercase()));
        assert!(!has_shape("shop@example.com") && !has_shape("news.from-2019.example@example.com"));
    }

    proptest! {
        #[test]
        fn it_is_always_a_short_lower_case_dot_atom(local in "\\PC{1,64}", random: [u8; 10]) {
            let host = Host::Domain(DomainName::parse("example.org").unwrap());
            if let Ok(contact) = Address::from_parts(&local, host) {
                let domain = DomainName::parse("example.com").unwrap();
                let made = compose(&contact, &domain, Readability::Readable, random).unwrap();
                prop_assert!(made.local().len() <= 64);
                prop_assert!(made.local().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)));
                prop_assert_eq!(made.to_string(), made.as_normal());
            }
        }
    }
}

//! Where a domain publishes the OpenPGP certificates of its addresses: the Web Key Directory
//! (draft-koch-openpgp-webkey-service, section 3.1). Names and paths only: nothing is asked here.

use aws_lc_rs::digest;

use crate::mail::{Address, DomainName};

/// What every path begins with (RFC 8615).
const ROOT: &str = "/.well-known/openpgpkey";

/// The symbols of z-base-32 (RFC 6189, section 5.1.6).
const SYMBOLS: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// Where a domain's directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// On a host of its own. Asked first; only when that host has no address the other one is.
    Advanced,
    /// On the host that is called like the domain.
    Direct,
}

/// The place in a directory at which an address's certificates are.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    local: &'a str,
    domain: &'a DomainName,
}

impl<'a> Place<'a> {
    /// None for an address that has no domain.
    #[must_use]
    pub fn of(address: &'a Address) -> Option<Self> {
        Some(Self { local: address.local(), domain: address.domain()? })
    }

    /// The host to ask. None when the domain is too long to have one.
    #[must_use]
    pub fn host(&self, method: Method) -> Option<DomainName> {
        match method {
            Method::Advanced => DomainName::parse(&format!("openpgpkey.{}", self.domain)).ok(),
            Method::Direct => Some(self.domain.clone()),
        }
    }

    /// What to ask it for: path and query.
    #[must_use]
    pub fn target(&self, method: Method) -> String {
        let (hash, local) = (hash(self.local), percent_encoded(self.local));
        match method {
            Method::Advanced => format!("{ROOT}/{}/hu/{hash}?l={local}", self.domain),
            Method::Direct => format!("{ROOT}/hu/{hash}?l={local}"),
        }
    }
}

/// The name of a local part in a directory: 32 symbols. ASCII letters of any case have the same name; others are hashed as
/// they are.
#[must_use]
pub fn hash(local: &str) -> String {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, local.to_ascii_lowercase().as_bytes());
    // 20 octets are four groups of 40 bits, so nothing is left to be filled up.
    digest.as_ref().chunks(5).flat_map(symbols).collect()
}

fn symbols(group: &[u8]) -> impl Iterator<Item = char> {
    let bits = group.iter().fold(0_u64, |bits, &octet| bits << 8 | u64::from(octet));
    (0..8).rev().map(move |at| char::from(SYMBOLS[(bits >> (5 * at) & 31) as usize]))
}

/// Everything but the unreserved characters of RFC 3986, section 2.3.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(octet));
            }
            _ => encoded.push_str(&format!("%{octet:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(address: &str, method: Method) -> String {
        let address = Address::parse(address).unwrap();
        let place = Place::of(&address).unwrap();
        format!("https://{}{}", place.host(method).unwrap(), place.target(method))
    }

    #[test]
    fn the_example_of_the_draft() {
        assert_eq!(
            url("Joe.Doe@Example.ORG", Method::Advanced),
            "https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q\
             ?l=Joe.Doe"
        );
        assert_eq!(
            url("Joe.Doe@Example.ORG", Method::Direct),
            "https://example.org/.well-known/openpgpkey/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"
        );
    }

    #[test]
    fn a_local_part_cannot_end_its_parameter() {
        let found = url("\"a&b=c#d e/%\"@example.org", Method::Direct);
        assert!(found.ends_with("?l=a%26b%3Dc%23d%20e%2F%25"), "{found}");
        assert!(url("j\u{fc}rgen+x@example.org", Method::Direct).ends_with("?l=j%C3%BCrgen%2Bx"));
    }

    #[test]
    fn an_address_literal_has_no_directory_and_a_domain_may_be_too_long_for_one() {
        assert!(Place::of(&Address::parse("me@[192.0.2.1]").unwrap()).is_none());
        let label = "a".repeat(60);
        let long = Address::parse(&format!("me@{label}.{label}.{label}.{label}.org")).unwrap();
        let place = Place::of(&long).unwrap();
        assert_eq!(place.host(Method::Advanced), None);
        assert!(place.host(Method::Direct).is_some());
    }

    proptest! {
        /// Another implementation names them alike.
        #[test]
        fn names_are_those_of_others(local in "[a-zA-Z0-9._+-]{1,40}") {
            prop_assume!(!local.starts_with('.') && !local.ends_with('.') && !local.contains(".."));
            let theirs = sequoia_net::wkd::Url::from(format!("{local}@example.org")).unwrap().to_string();
            let path = format!("/hu/{}?", hash(&local));
            prop_assert!(theirs.contains(&path), "{} {}", theirs, path);
        }
    }
}

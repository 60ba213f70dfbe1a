//! What a place that mail goes to is called.
//!
//! There are two names for it, because there are two moments at which one is needed.
//!
//! A [`Destination`] is known from the address alone: the smarthost, when all mail goes there, or else the recipient's
//! domain or address literal. [`Destination::hash`] is what the queue's rows hold: keyed, so that who reads the
//! database learns no domain from it, the same on all nodes of one database, and found without asking the DNS.
//!
//! A [`SiteName`] is known once the DNS has answered: the sorted set of the MX hosts. Many domains may have the same one
//! (a large provider's customers), and limits, pauses and open connections are kept by it.
//!
//! A domain belongs to one site at a time, so deliveries with the same hash always share a site; those with different
//! hashes may share one too, and which do is learnt by resolving. Two destinations with the same hash by chance (2⁻⁶⁴ a
//! pair) would only be grouped together. When a smarthost is set or changed later, older rows keep their hash: they are
//! grouped as they were and delivered as the configuration says now.

use std::fmt;

use aws_lc_rs::hmac;

use crate::mail::{Address, Host};

/// A site: its hosts in order, each once. For the log and as a key; it has no port and no preference in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteName(Box<str>);

impl SiteName {
    /// The site of these hosts (names in their normal form or IP addresses), in any order.
    #[must_use]
    pub fn of_hosts<T: AsRef<str>>(hosts: &[T]) -> Self {
        let mut hosts: Vec<&str> = hosts.iter().map(AsRef::as_ref).collect();
        hosts.sort_unstable();
        hosts.dedup();
        Self(hosts.join(",").into())
    }

    /// The site of a smarthost: never that of MX hosts, even if it is one of them, since it is spoken to by other rules.
    #[must_use]
    pub fn of_smarthost(host: &str, port: u16) -> Self {
        Self(format!("smarthost {host}:{port}").into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a message goes, as far as it is known without the DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'a> {
    /// To the smarthost, whoever it is for.
    Smarthost(&'a SiteName),
    /// To the MX hosts of this domain, or to this address literal.
    Host(&'a Host),
}

impl<'a> Destination<'a> {
    /// Where mail for `to` goes when there is no smarthost.
    #[must_use]
    pub fn of(to: &'a Address) -> Self {
        Self::Host(to.host())
    }

    /// What the queue's rows hold: the first 64 bits of an HMAC-SHA-256. The kinds are told apart: a domain never has the
    /// hash of a smarthost or of a literal because of how it is written.
    #[must_use]
    pub fn hash(&self, key: &hmac::Key) -> i64 {
        let (kind, name) = match self {
            Self::Smarthost(name) => (b's', name.as_str()),
            Self::Host(Host::Domain(domain)) => (b'd', domain.as_str()),
            Self::Host(Host::Literal(literal)) => (b'l', &**literal),
        };
        let mut context = hmac::Context::with_key(key);
        context.update(&[kind]);
        context.update(name.as_bytes());
        let tag = context.sign();
        tag.as_ref().first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::keys::Keys;

    fn hash(master: u8, to: &str) -> i64 {
        Destination::of(&Address::parse(to).unwrap()).hash(&Keys::derive(&[master; 32]).sites)
    }

    #[test]
    fn a_site_is_a_set_of_hosts() {
        let site = SiteName::of_hosts(&["b.example.net", "a.example.net", "b.example.net"]);
        assert_eq!(site.as_str(), "a.example.net,b.example.net");
        assert_eq!(site, SiteName::of_hosts(&["a.example.net", "b.example.net"]));
        assert_ne!(site, SiteName::of_hosts(&["a.example.net"]));
        assert_ne!(SiteName::of_smarthost("a.example.net", 25), SiteName::of_hosts(&["a.example.net"]));
    }

    #[test]
    fn everyone_at_a_domain_goes_to_one_destination() {
        assert_eq!(hash(1, "jane@example.net"), hash(1, "\"j d\"@EXAMPLE.net"));
        assert_eq!(hash(1, "jane@[192.0.2.1]"), hash(1, "joe@[192.0.2.1]"));
    }

    #[test]
    fn destinations_are_told_apart_and_so_are_installations() {
        let key = Keys::derive(&[1; 32]).sites;
        let smarthost = |host, port| Destination::Smarthost(&SiteName::of_smarthost(host, port)).hash(&key);
        let hashes = [
            hash(1, "jane@example.net"),
            hash(1, "jane@example.org"),
            hash(1, "jane@[192.0.2.1]"),
            hash(2, "jane@example.net"),
            smarthost("example.net", 25),
            smarthost("example.net", 587),
        ];
        let different: std::collections::HashSet<i64> = hashes.into_iter().collect();
        assert_eq!(different.len(), hashes.len());
    }
}

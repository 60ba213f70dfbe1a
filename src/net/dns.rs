//! Which hosts take mail for a domain, and where they are (RFC 5321, section 5.1; RFC 7505).
//!
//! [`Dns`] asks; [`mail_hosts_of`], [`before_ourselves`] and [`shuffle_equal`] are the rules, without asking anybody.
//!
//! What it does not do: no DNSSEC, so no answer proves anything; and no list of hosts is kept here, the resolver
//! caches by TTL. Nothing is fatal: a failure says whether it is for now or for good.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::MX;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

use crate::mail::DomainName;

/// How long one question waits for one answer. A server that is silent is asked three times, and the sender of the
/// message is waiting.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A host that takes mail for a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailHost {
    /// Lower is tried first.
    pub preference: u16,
    /// Its name.
    pub name: DomainName,
}

/// Why no host is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsFailure {
    /// The domain says that it takes no mail (RFC 7505).
    #[error("the domain takes no mail (null MX)")]
    NullMx,
    /// The name is not in the DNS (NXDOMAIN).
    #[error("there is no such domain")]
    NoSuchName,
    /// The name is there, but no mail host or no address.
    #[error("the domain has no mail host and no address")]
    NoData,
    /// We are the best mail host of the domain ourselves: mail would come back to us.
    #[error("the domain's mail comes to this host, which does not know it")]
    Loop,
    /// No answer, or one that says nothing.
    #[error("the DNS gave no answer: {0}")]
    Temporary(String),
}

/// No resolver can be made of the system's configuration or the given servers.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the DNS configuration is of no use: {0}")]
pub struct DnsSetupError(String);

/// Whether the system's search domains apply to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// The name is complete: it came out of mail or out of the DNS.
    Never,
    /// An administrator wrote it, and may have meant a host of the own domain.
    Allowed,
}

/// A resolver with its cache. Clones share both.
#[derive(Clone)]
pub struct Dns(TokioResolver);

impl Dns {
    /// Asks `servers`, or those of `/etc/resolv.conf` when there are none; without that file, 127.0.0.1 (as
    /// resolv.conf(5) has it).
    ///
    /// # Errors
    /// When the configuration makes no sense.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, DnsSetupError> {
        Self::with_timeout(servers, TIMEOUT)
    }

    fn with_timeout(servers: &[SocketAddr], timeout: Duration) -> Result<Self, DnsSetupError> {
        let mut builder = if servers.is_empty() {
            system_builder()?
        } else {
            Resolver::builder_with_config(explicit(servers), TokioRuntimeProvider::default())
        };
        builder.options_mut().timeout = timeout;
        builder.build().map(Self).map_err(|error| DnsSetupError(error.to_string()))
    }

    /// The hosts that take mail for `domain`, best first. A domain without MX is its own mail host, if it has an
    /// address (RFC 5321, section 5.1).
    ///
    /// # Errors
    /// For good unless it is [`DnsFailure::Temporary`].
    pub async fn mail_hosts(&self, domain: &DomainName) -> Result<Vec<MailHost>, DnsFailure> {
        match self.mx(domain).await {
            Ok(records) => mail_hosts_of(records),
            Err(DnsFailure::NoData) => {
                self.addresses(domain, Search::Never).await?;
                Ok(vec![MailHost { preference: 0, name: domain.clone() }])
            }
            Err(failure) => Err(failure),
        }
    }

    /// The addresses of a host, IPv6 and IPv4 by turns. One kind is enough when the other cannot be had.
    ///
    /// # Errors
    /// For good unless it is [`DnsFailure::Temporary`].
    pub async fn addresses(&self, host: &DomainName, search: Search) -> Result<Vec<IpAddr>, DnsFailure> {
        let name = name_of(host, search)?;
        let (v6, v4) = tokio::join!(self.ips(name.clone(), RecordType::AAAA), self.ips(name, RecordType::A));
        join_addresses(v6, v4)
    }

    async fn mx(&self, domain: &DomainName) -> Result<Vec<(u16, String)>, DnsFailure> {
        let lookup =
            self.0.lookup(name_of(domain, Search::Never)?, RecordType::MX).await.map_err(failure_of)?;
        let records = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::MX(mx) => Some(mx_parts(mx)),
            _ => None,
        });
        some(records.collect())
    }

    async fn ips(&self, name: Name, kind: RecordType) -> Result<Vec<IpAddr>, DnsFailure> {
        let lookup = self.0.lookup(name, kind).await.map_err(failure_of)?;
        some(lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect())
    }
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dns").finish_non_exhaustive()
    }
}

type Builder = hickory_resolver::ResolverBuilder<TokioRuntimeProvider>;

fn system_builder() -> Result<Builder, DnsSetupError> {
    match TokioResolver::builder_tokio() {
        Err(NetError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            let local = SocketAddr::from(([127, 0, 0, 1], 53));
            Ok(Resolver::builder_with_config(explicit(&[local]), TokioRuntimeProvider::default()))
        }
        other => other.map_err(|error| DnsSetupError(error.to_string())),
    }
}

fn explicit(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |address: &SocketAddr| {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        server.connections.iter_mut().for_each(|connection| connection.port = address.port());
        server
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

fn name_of(host: &DomainName, search: Search) -> Result<Name, DnsFailure> {
    let mut name = Name::from_ascii(host.as_str()).map_err(|_| DnsFailure::NoSuchName)?;
    name.set_fqdn(search == Search::Never);
    Ok(name)
}

fn mx_parts(mx: &MX) -> (u16, String) {
    (mx.preference, mx.exchange.to_ascii())
}

fn failure_of(error: NetError) -> DnsFailure {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => DnsFailure::NoSuchName,
            ResponseCode::NoError => DnsFailure::NoData,
            code => DnsFailure::Temporary(code.to_string()),
        },
        error => DnsFailure::Temporary(error.to_string()),
    }
}

fn some<T>(records: Vec<T>) -> Result<Vec<T>, DnsFailure> {
    if records.is_empty() { Err(DnsFailure::NoData) } else { Ok(records) }
}

fn join_addresses(
    v6: Result<Vec<IpAddr>, DnsFailure>,
    v4: Result<Vec<IpAddr>, DnsFailure>,
) -> Result<Vec<IpAddr>, DnsFailure> {
    match (v6, v4) {
        (Ok(v6), Ok(v4)) => Ok(by_turns(v6, v4)),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(temporary @ DnsFailure::Temporary(_)), Err(_))
        | (Err(_), Err(temporary @ DnsFailure::Temporary(_))) => Err(temporary),
        (Err(failure), Err(_)) => Err(failure),
    }
}

/// So that a host with a broken IPv6 is reached at the second try.
fn by_turns(first: Vec<IpAddr>, second: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

/// Mail hosts from MX records (preference and exchange, with or without its last dot), best first. Records whose
/// exchange is no host name are left out.
///
/// # Errors
/// [`DnsFailure::NullMx`] when the only exchange is `.` (RFC 7505, section 3); [`DnsFailure::NoData`] when no record
/// names a host.
pub fn mail_hosts_of(records: Vec<(u16, String)>) -> Result<Vec<MailHost>, DnsFailure> {
    if records.iter().all(|(_, exchange)| exchange == ".") && !records.is_empty() {
        return Err(DnsFailure::NullMx);
    }
    let host = |(preference, exchange): (u16, String)| {
        let name = DomainName::parse(exchange.strip_suffix('.').unwrap_or(&exchange)).ok()?;
        Some(MailHost { preference, name })
    };
    let mut hosts = some(records.into_iter().filter_map(host).collect())?;
    hosts.sort_by_key(|host: &MailHost| host.preference);
    Ok(hosts)
}

/// Leaves out `ourselves` and every host of equal or worse preference: what comes to us must not go to somebody who
/// would give it back (RFC 5321, section 5.1).
///
/// # Errors
/// [`DnsFailure::Loop`] when no host is left.
pub fn before_ourselves(hosts: Vec<MailHost>, ourselves: &DomainName) -> Result<Vec<MailHost>, DnsFailure> {
    let ours = hosts.iter().filter(|host| host.name == *ourselves).map(|host| host.preference).min();
    let Some(ours) = ours else {
        return Ok(hosts);
    };
    let better: Vec<_> = hosts.into_iter().filter(|host| host.preference < ours).collect();
    if better.is_empty() { Err(DnsFailure::Loop) } else { Ok(better) }
}

/// Puts hosts of equal preference in random order (RFC 5321, section 5.1). `hosts` are sorted by preference; `random`
/// gives any number.
pub fn shuffle_equal(hosts: &mut [MailHost], mut random: impl FnMut() -> u64) {
    for equals in hosts.chunk_by_mut(|a, b| a.preference == b.preference) {
        for last in (1..equals.len()).rev() {
            let other = random() % (last as u64 + 1);
            equals.swap(last, usize::try_from(other).unwrap_or(last));
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod zone;

//! Which hosts a message goes to, and to which site they belong.

use std::sync::Arc;

use super::sites::{Site, Sites};
use super::{Options, Outcome, Scheme, Search, TlsMode, at_host, deferred, rejected};
use crate::mail::{Address, DomainName, Host};
use crate::net::dns::{self, Dns, DnsFailure};
use crate::net::smarthost::{HostName, Login, Smarthost};
use crate::relay::pacing::Limits;
use crate::relay::site::SiteName;

/// The hosts that may take a message, and how to speak to them.
#[derive(Debug)]
pub(super) struct NextHop {
    /// Best first.
    pub(super) hosts: Vec<HostName>,
    pub(super) port: u16,
    pub(super) scheme: Scheme,
    pub(super) login: Option<Login>,
    pub(super) search: Search,
    pub(super) site: Arc<Site>,
}

impl NextHop {
    /// The smarthost. It is the same for every message, so it is made once.
    pub(super) fn smarthost(smarthost: &Smarthost, limits: Limits) -> Self {
        Self {
            hosts: vec![smarthost.host.clone()],
            port: smarthost.port,
            scheme: smarthost.scheme,
            login: smarthost.login.clone(),
            search: Search::Allowed,
            // No other site has this number.
            site: Arc::new(Site::new(0, limits)),
        }
    }

    /// The next hop for `to` by the DNS, or why there is none.
    pub(super) async fn find(options: &Options, sites: &Sites, to: &Address) -> Result<Self, Outcome> {
        let (hosts, site) = match to.host() {
            Host::Literal(text) => {
                let hosts = vec![literal(text)?];
                let site = sites.named(name_of(&hosts));
                (hosts, site)
            }
            Host::Domain(domain) => {
                let hosts = mx_hosts(&options.dns, domain, &options.hostname).await?;
                let site = sites.named(name_of(&hosts));
                sites.learn(domain, &site);
                (hosts, site)
            }
        };
        let port = options.port;
        Ok(Self { hosts, port, scheme: Scheme::Smtp, login: None, search: Search::Never, site })
    }

    /// Whether connections that begin in clear are turned into TLS.
    pub(super) fn tls_mode(&self) -> TlsMode {
        match self.scheme {
            Scheme::Smtp => TlsMode::Opportunistic,
            Scheme::StartTls => TlsMode::Required,
            // There is TLS before the first command.
            Scheme::Smtps => TlsMode::Never,
        }
    }

    /// What it means that a host has no address. A smarthost that cannot be found is a mistake of ours, and no reason
    /// to return mail.
    pub(super) fn unknown_host(&self, host: &HostName, failure: &DnsFailure) -> Outcome {
        let text = format!("a mail host cannot be found: {failure}");
        let outcome = match failure {
            DnsFailure::Temporary(_) => deferred((4, 4, 3), &text),
            _ if self.search == Search::Allowed => deferred((4, 4, 4), &text),
            _ => rejected(550, (5, 4, 4), &text),
        };
        at_host(outcome, host)
    }
}

/// The site that mail for `to` went to the last time, if it is remembered.
pub(super) fn remembered(sites: &Sites, to: &Address) -> Option<Arc<Site>> {
    match to.host() {
        Host::Domain(domain) => sites.of_domain(domain),
        Host::Literal(text) => sites.find(&name_of(&[literal(text).ok()?])),
    }
}

fn name_of(hosts: &[HostName]) -> SiteName {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    SiteName::of_hosts(&hosts)
}

pub(super) fn dns_too_slow() -> Outcome {
    deferred((4, 4, 3), "the DNS did not answer in time")
}

async fn mx_hosts(dns: &Dns, domain: &DomainName, ourselves: &DomainName) -> Result<Vec<HostName>, Outcome> {
    let hosts = dns.mail_hosts(domain).await.map_err(|failure| no_hosts(&failure))?;
    let mut hosts = dns::before_ourselves(hosts, ourselves).map_err(|failure| no_hosts(&failure))?;
    dns::shuffle_equal(&mut hosts, random);
    Ok(hosts.into_iter().map(|host| HostName::Name(host.name)).collect())
}

/// The answer to "where does this domain's mail go" when there is no host.
fn no_hosts(failure: &DnsFailure) -> Outcome {
    let text = failure.to_string();
    match failure {
        // RFC 7505, section 4.1; RFC 7504 for the basic code.
        DnsFailure::NullMx => rejected(556, (5, 1, 10), &text),
        DnsFailure::NoSuchName => rejected(550, (5, 1, 2), &text),
        DnsFailure::NoData => rejected(550, (5, 4, 4), &text),
        DnsFailure::Loop => rejected(554, (5, 4, 6), &text),
        DnsFailure::Temporary(_) => deferred((4, 4, 3), &text),
    }
}

/// `[192.0.2.1]` or `[ipv6:2001:db8::1]` (RFC 5321, section 4.1.3).
fn literal(text: &str) -> Result<HostName, Outcome> {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    let ip = inner.strip_prefix("ipv6:").unwrap_or(inner).parse();
    ip.map(HostName::Ip).map_err(|_| rejected(550, (5, 1, 2), "the address literal is no IP address"))
}

/// Any number.
pub(super) fn random() -> u64 {
    let mut octets = [0; 8];
    // Without randomness the order is that of the DNS, which is random enough.
    let _ = aws_lc_rs::rand::fill(&mut octets);
    u64::from_ne_bytes(octets)
}

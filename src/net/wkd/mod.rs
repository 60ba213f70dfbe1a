//! Asks Web Key Directories (draft-koch-openpgp-webkey-service): HTTPS with a verified certificate, to the host that the
//! draft names and no other.
//!
//! A stranger chooses the host, so nothing is connected to that is not public, no redirection is followed, and how much and
//! how long is listened to is bounded. What comes back is not looked at: it may be anything. No proxy of the environment is
//! used, since the addresses that it connected to would be out of our sight.
//!
//! Nothing is fatal: a directory that does not answer as it should is a [`DiscoveryFailed`].

pub mod finder;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::timeout;

use crate::mail::{Address, DomainName};
use crate::relay::ports::{DiscoveryFailed, KeyDiscovery};
use crate::relay::wkd::{Method, Place};

use super::dns::{Dns, DnsFailure, Search};
use super::public::is_public;
use super::tls::Connectors;

/// How long everything may take, name resolution included.
const PATIENCE: Duration = Duration::from_secs(5);
/// Octets of an answer that are read at most.
const MAX_ANSWER: usize = 256 * 1024;
/// Where HTTPS is.
const HTTPS: u16 = 443;

/// Which addresses are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public ones.
    Public,
    /// Any: for tests, whose servers are on loopback.
    Anywhere,
}

/// How directories are reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// Finds their hosts.
    pub dns: Dns,
    /// Verifies their certificates.
    pub tls: Connectors,
    /// Which addresses are connected to.
    pub reach: Reach,
    /// Where HTTPS is on them.
    pub port: u16,
}

impl Options {
    /// Directories on the internet, with these name servers and trusted roots.
    #[must_use]
    pub fn public(dns: Dns, tls: Connectors) -> Self {
        Self { dns, tls, reach: Reach::Public, port: HTTPS }
    }
}

/// The client could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot ask Web Key Directories: {0}")]
pub struct SetupError(String);

/// See the module. Clones share everything.
#[derive(Debug, Clone)]
pub struct Wkd {
    dns: Dns,
    client: Client,
    port: u16,
}

impl Wkd {
    /// With `options`.
    ///
    /// # Errors
    /// When these connectors verify nothing.
    pub fn new(options: Options) -> Result<Self, SetupError> {
        let Options { dns, tls, reach, port } = options;
        let verified = tls.verified().ok_or_else(|| SetupError("there are no trusted roots".to_owned()))?;
        let mut tls = rustls::ClientConfig::clone(verified);
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(Hosts { dns: dns.clone(), reach }))
            .https_only(true)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            // Who asks is told whom somebody writes to: nothing lasts that would tie two questions together.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| SetupError(causes(&error)))?;
        Ok(Self { dns, client, port })
    }

    async fn ask(&self, place: &Place<'_>) -> Result<Vec<u8>, DiscoveryFailed> {
        for method in [Method::Advanced, Method::Direct] {
            let Some(host) = place.host(method) else { continue };
            match self.dns.addresses(&host, Search::Never).await {
                Ok(_) => return self.fetch(&host, &place.target(method)).await,
                // Only then the next one is asked: the host that is there is the one that its domain wants (section 3.1).
                Err(DnsFailure::NoSuchName | DnsFailure::NoData) => {}
                Err(failure) => return Err(failed(&host, &failure.to_string())),
            }
        }
        Ok(Vec::new())
    }

    async fn fetch(&self, host: &DomainName, target: &str) -> Result<Vec<u8>, DiscoveryFailed> {
        let url = self.url(host, target)?;
        let response = self.client.get(url).send().await.map_err(|error| broken(host, error))?;
        match response.status() {
            StatusCode::OK => read(host, response).await,
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Vec::new()),
            status if status.is_redirection() => {
                Err(failed(host, "it answered with a redirection, which is not followed"))
            }
            status => Err(failed(host, &format!("it answered {status}"))),
        }
    }

    /// What looks like a domain may be read as an address in a URL (`127.1`, `0x7f000001`), and would be connected to without
    /// being looked up: it is no host of a directory.
    fn url(&self, host: &DomainName, target: &str) -> Result<Url, DiscoveryFailed> {
        let url = Url::parse(&format!("https://{host}:{}{target}", self.port));
        url.ok()
            .filter(|url| url.domain() == Some(host.as_str()))
            .ok_or_else(|| failed(host, "this cannot be the name of a host"))
    }
}

impl KeyDiscovery for Wkd {
    async fn discover(&self, address: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        let Some(place) = Place::of(address) else { return Ok(Vec::new()) };
        let late = |_| {
            let domain = address.host().as_str();
            DiscoveryFailed(format!("{domain} did not answer within {} seconds", PATIENCE.as_secs()))
        };
        timeout(PATIENCE, self.ask(&place)).await.map_err(late)?
    }
}

/// The body, unless there is too much of it.
async fn read(host: &DomainName, mut response: Response) -> Result<Vec<u8>, DiscoveryFailed> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(host, error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(failed(host, &format!("it answered with more than {} KiB", MAX_ANSWER / 1024)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(host: &DomainName, why: &str) -> DiscoveryFailed {
    DiscoveryFailed(format!("{host}: {why}"))
}

/// Without the URL: the address is in it.
fn broken(host: &DomainName, error: reqwest::Error) -> DiscoveryFailed {
    failed(host, &causes(&error.without_url()))
}

/// An error and what is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(cause) = behind {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        behind = cause.source();
    }
    text
}

/// Finds addresses for the client: by our resolver, and only such as may be connected to.
struct Hosts {
    dns: Dns,
    reach: Reach,
}

/// A host is only where nobody but its neighbours can reach it.
#[derive(Debug, thiserror::Error)]
#[error("it has no public address")]
struct NotPublic;

impl Resolve for Hosts {
    fn resolve(&self, name: Name) -> Resolving {
        let (dns, reach) = (self.dns.clone(), self.reach);
        Box::pin(async move {
            let host = DomainName::parse(name.as_str())?;
            let mut found = dns.addresses(&host, Search::Never).await?;
            found.retain(|&address| may_reach(reach, address));
            if found.is_empty() {
                return Err(NotPublic.into());
            }
            // The port is that of the URL.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

fn may_reach(reach: Reach, address: IpAddr) -> bool {
    reach == Reach::Anywhere || is_public(address)
}

#[cfg(test)]
mod tests;

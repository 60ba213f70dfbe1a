//! Looking for certificates on the internet, with the name servers of the settings and the trusted roots of the system.

use std::net::SocketAddr;

use crate::mail::Address;
use crate::net::dns::{Dns, DnsSetupError};
use crate::net::tls::Connectors;
use crate::net::wkd::{self, Options, Wkd};
use crate::relay::ports::{DiscoveryFailed, KeyDiscovery};

/// Why nothing can be looked for.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverySetupError {
    /// Name resolution.
    #[error("dns.servers: {0}")]
    Dns(#[from] DnsSetupError),
    /// The roots that directories are verified with.
    #[error("TLS: {0} (on Debian, install ca-certificates)")]
    Tls(#[from] rustls::Error),
    /// The client.
    #[error(transparent)]
    Client(#[from] wkd::SetupError),
}

/// What asks Web Key Directories by these name servers; those of the system when there are none.
///
/// # Errors
/// When the machine lacks something that it takes.
pub fn directories(dns_servers: &[SocketAddr]) -> Result<Wkd, DiscoverySetupError> {
    let (dns, tls) = (Dns::new(dns_servers)?, Connectors::with_system_roots()?);
    Ok(Wkd::new(Options::public(dns, tls))?)
}

/// The same for a command, most of which look for nothing: made when it is asked, which reads all roots of the system.
#[derive(Debug, Clone)]
pub struct OnDemand {
    dns_servers: Vec<SocketAddr>,
}

impl OnDemand {
    /// By these name servers.
    #[must_use]
    pub fn new(dns_servers: Vec<SocketAddr>) -> Self {
        Self { dns_servers }
    }
}

impl KeyDiscovery for OnDemand {
    async fn discover(&self, address: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        let directories =
            directories(&self.dns_servers).map_err(|error| DiscoveryFailed(error.to_string()))?;
        directories.discover(address).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dns::zone;

    #[tokio::test]
    async fn a_domain_that_is_not_there_publishes_nothing() {
        let servers = vec![zone::serve(&[]).await];
        let found = OnDemand::new(servers).discover(&"jane@example.org".parse().unwrap()).await;
        assert_eq!(found, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn this_machine_is_not_asked() {
        let servers = vec![zone::serve(&[("openpgpkey.example.org.", "A", "127.0.0.1")]).await];
        let found = OnDemand::new(servers).discover(&"jane@example.org".parse().unwrap()).await;
        let DiscoveryFailed(why) = found.unwrap_err();
        assert!(why.ends_with("it has no public address"), "{why}");
    }
}

//! Remembers where no certificate is, so that not every reply asks anew.
//!
//! [`Finder`] asks another [`KeyDiscovery`] and gives on only what can be used. What it found it does not keep: who asked
//! stores it, and does not ask again.

use std::time::Duration;

use moka::future::Cache;

use crate::mail::{Address, Timestamp};
use crate::relay::keyring;
use crate::relay::ports::{DiscoveryFailed, KeyDiscovery, OpenPgp, Surroundings};

/// How long it is believed that there is nothing for an address.
const NOTHING: Duration = Duration::from_hours(24);
/// How long a domain that failed is left alone.
const FAILURE: Duration = Duration::from_mins(5);
/// Most addresses, and most domains, that are remembered.
const MOST_REMEMBERED: u64 = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Finder<D, P, S> {
    discovery: D,
    openpgp: P,
    surroundings: S,
    /// Addresses for which there is nothing, with the end of the belief.
    nothing: Cache<String, Timestamp>,
    /// Domains that failed, and how.
    failures: Cache<String, (Timestamp, DiscoveryFailed)>,
}

impl<D, P, S> Finder<D, P, S> {
    /// Asks `discovery`, and lets `openpgp` judge what it found.
    #[must_use]
    pub fn new(discovery: D, openpgp: P, surroundings: S) -> Self {
        Self {
            discovery,
            openpgp,
            surroundings,
            nothing: remembering(NOTHING),
            failures: remembering(FAILURE),
        }
    }
}

/// Entries have an end of their own, by the clock of the daemon; this only lets them go.
fn remembering<V: Clone + Send + Sync + 'static>(kept: Duration) -> Cache<String, V> {
    Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(kept).build()
}

impl<D: KeyDiscovery, P: OpenPgp, S: Surroundings> KeyDiscovery for Finder<D, P, S> {
    /// The certificates for `address` that can be used, one after the other; empty when there is none, also when there is
    /// something of no use. A failure is told again for a while without asking.
    async fn discover(&self, address: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        let now = self.surroundings.now();
        if self.nothing.get(address.as_normal()).await.is_some_and(|until| now < until) {
            return Ok(Vec::new());
        }
        if let Some((until, failure)) = self.failures.get(address.host().as_str()).await
            && now < until
        {
            return Err(failure);
        }
        match self.discovery.discover(address).await {
            Ok(file) => Ok(self.sift(&file, address, now).await),
            Err(failure) => {
                let told = (now.later_by(FAILURE), failure.clone());
                self.failures.insert(address.host().as_str().to_owned(), told).await;
                Err(failure)
            }
        }
    }
}

impl<D, P: OpenPgp, S> Finder<D, P, S> {
    async fn sift(&self, file: &[u8], address: &Address, now: Timestamp) -> Vec<u8> {
        let usable = keyring::usable_for(&self.openpgp, file, address, now).unwrap_or_else(|why| {
            tracing::debug!(%why, "a Web Key Directory gave nothing that can be used");
            Vec::new()
        });
        if usable.is_empty() {
            self.nothing.insert(address.as_normal().to_owned(), now.later_by(NOTHING)).await;
        }
        usable.into_iter().flat_map(|certificate| certificate.data).collect()
    }
}

#[cfg(test)]
mod tests;

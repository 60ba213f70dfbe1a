//! Remembers where no certificate is, so that not every reply asks anew.
//!
//! [`Finder`] asks another [`KeyDiscovery`] and gives on only what can be used. What it found it does not keep: who asked
//! stores it, and does not ask again.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::mail::{Address, Timestamp};
use crate::relay::keyring;
use crate::relay::openpgp::{Inspected, Unusable};
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
    openpgp: Arc<P>,
    surroundings: S,
    /// Addresses for which there is nothing, with the end of the belief.
    nothing: Cache<String, Timestamp>,
    /// Addresses for which there is something that cannot be used, and why.
    useless: Cache<String, (Timestamp, DiscoveryFailed)>,
    /// Domains that failed, and how.
    failures: Cache<String, (Timestamp, DiscoveryFailed)>,
}

impl<D, P, S> Finder<D, P, S> {
    /// Asks `discovery`, and lets `openpgp` judge what it found.
    #[must_use]
    pub fn new(discovery: D, openpgp: P, surroundings: S) -> Self {
        Self {
            discovery,
            openpgp: Arc::new(openpgp),
            surroundings,
            nothing: remembering(NOTHING),
            useless: remembering(NOTHING),
            failures: remembering(FAILURE),
        }
    }
}

/// Entries have an end of their own, by the clock of the daemon; this only lets them go.
fn remembering<V: Clone + Send + Sync + 'static>(kept: Duration) -> Cache<String, V> {
    Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(kept).build()
}

impl<D: KeyDiscovery, P: OpenPgp, S: Surroundings> KeyDiscovery for Finder<D, P, S> {
    /// The certificates for `address` that can be used, one after the other; empty when its domain says that there is none.
    /// That there is something of no use is a failure: nobody knows then what the domain means. A failure is told again for a
    /// while without asking.
    async fn discover(&self, address: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        let now = self.surroundings.now();
        if self.nothing.get(address.as_normal()).await.is_some_and(|until| now < until) {
            return Ok(Vec::new());
        }
        let told =
            [self.useless.get(address.as_normal()).await, self.failures.get(address.host().as_str()).await];
        if let Some((_, failure)) = told.into_iter().flatten().find(|(until, _)| now < *until) {
            return Err(failure);
        }
        match self.discovery.discover(address).await {
            Ok(file) => self.sift(file, address, now).await,
            Err(failure) => {
                let told = (now.later_by(FAILURE), failure.clone());
                self.failures.insert(address.host().as_str().to_owned(), told).await;
                Err(failure)
            }
        }
    }
}

impl<D, P: OpenPgp, S> Finder<D, P, S> {
    async fn sift(
        &self,
        file: Vec<u8>,
        address: &Address,
        now: Timestamp,
    ) -> Result<Vec<u8>, DiscoveryFailed> {
        match self.usable(file, address, now).await {
            Ok(usable) if usable.is_empty() => {
                self.nothing.insert(address.as_normal().to_owned(), now.later_by(NOTHING)).await;
                Ok(Vec::new())
            }
            Ok(usable) => Ok(usable.into_iter().flat_map(|certificate| certificate.data).collect()),
            Err(why) => {
                let failure = DiscoveryFailed(format!("what is published cannot be used: {why}"));
                let told = (now.later_by(NOTHING), failure.clone());
                self.useless.insert(address.as_normal().to_owned(), told).await;
                Err(failure)
            }
        }
    }

    /// Verifying signatures takes long enough to be in the way of other tasks.
    async fn usable(
        &self,
        file: Vec<u8>,
        address: &Address,
        now: Timestamp,
    ) -> Result<Vec<Inspected>, Unusable> {
        let (openpgp, address) = (Arc::clone(&self.openpgp), address.clone());
        let work = move || keyring::usable_for(&*openpgp, &file, &address, now);
        let broken = |_| Err(Unusable("looking at it was broken off".to_owned()));
        tokio::task::spawn_blocking(work).await.unwrap_or_else(broken)
    }
}

#[cfg(test)]
mod tests;

//! What goes on beside the deliveries: leases are renewed, attempts that hang are ended, old digests are forgotten, and
//! owners are told of certificates that expire.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::repeats::REMEMBERED;
use super::super::spool::{DeliveryId, Spool as _};
use super::super::station::Ports;
use super::Inner;

const WATCH_EVERY: Duration = Duration::from_secs(60 * 60);
const FORGET_EVERY: Duration = Duration::from_secs(10 * 60);

impl<P: Ports> Inner<P> {
    pub(super) async fn renew_until_finished(&self) {
        let every = self.station.policy.lease / 3;
        while self.wait(every).await {
            self.end_what_hangs();
            let ids = self.roster.lock().ids();
            if !ids.is_empty() {
                self.renew(&ids).await;
            }
        }
    }

    async fn renew(&self, ids: &[DeliveryId]) {
        let station = &self.station;
        let until = station.lease_end();
        let Ok(kept) = station.gate.watch(station.spool.renew(station.node, ids, until).await) else {
            return;
        };
        let lost = self.roster.lock().renewed(ids, &kept, until);
        if lost > 0 {
            tracing::warn!(
                deliveries = lost,
                "leases have ended before they were renewed: other nodes may have them"
            );
        }
    }

    /// The transport ends every attempt in its time. One that does not end would keep its row for ever.
    fn end_what_hangs(&self) {
        let station = &self.station;
        for id in self.roster.lock().end_stuck(Instant::now(), station.policy.longest_attempt) {
            tracing::error!(
                row = id.0,
                "a delivery has made no progress and is ended; it is tried again when its lease is over"
            );
        }
    }

    pub(super) async fn forget_until_finished(&self) {
        while self.wait(FORGET_EVERY).await {
            if let Err(error) = self.station.spool.forget(self.station.now().earlier_by(REMEMBERED)).await {
                tracing::warn!(%error, "old transactions cannot be forgotten");
            }
        }
    }

    pub(super) async fn watch_certificates_until_finished(&self) {
        loop {
            if let Err(error) = self.station.tell_of_expiry().await {
                tracing::warn!(%error, "certificates that expire cannot be looked up");
            }
            if !self.wait(WATCH_EVERY).await {
                return;
            }
        }
    }

    /// False when everything is over.
    async fn wait(&self, time: Duration) -> bool {
        tokio::select! {
            () = sleep(time) => true,
            () = self.finished.cancelled() => false,
        }
    }
}

//! What the daemon knows of itself: which parts can do their work, and its figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::api::{Part, Status};
use crate::net::smtp_out::Outbound;
use crate::queue::Gate;
use crate::queue::spool::Spool as _;
use crate::relay::ports::Surroundings as _;
use crate::store::Store;
use crate::telemetry::metrics::{Metrics, QueueGauges};

use super::surroundings::System;

/// How long the database may take over a question before it counts as away.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long its answer is believed, so that nobody keeps it busy by asking.
const BELIEVED: Duration = Duration::from_secs(1);
/// How often the queue is counted at most.
const QUEUE_COUNTED: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug)]
pub(super) struct DaemonStatus {
    store: Store,
    outbound: Outbound,
    gate: Arc<Gate>,
    /// Cancelled when no more connections are taken.
    accepting: CancellationToken,
    listener: AbortHandle,
    metrics: Metrics,
    queue: QueueGauges,
    answered: Lately<bool>,
    counted: Lately<()>,
}

impl DaemonStatus {
    pub(super) fn new(
        metrics: Metrics,
        store: Store,
        outbound: Outbound,
        gate: Arc<Gate>,
        (accepting, listener): (CancellationToken, AbortHandle),
    ) -> Self {
        let queue = metrics.within(QueueGauges::register);
        let (answered, counted) = (Lately::new(BELIEVED), Lately::new(QUEUE_COUNTED));
        Self { store, outbound, gate, accepting, listener, metrics, queue, answered, counted }
    }

    async fn has_database(&self) -> bool {
        let ask = async || matches!(timeout(PATIENCE, self.store.answers()).await, Ok(Ok(())));
        self.answered.get(ask).await
    }

    fn takes_mail(&self) -> bool {
        !self.accepting.is_cancelled() && !self.listener.is_finished()
    }

    /// When the queue cannot be counted the last figures stay.
    async fn count_queue(&self) {
        let counted = timeout(PATIENCE, self.store.depth()).await;
        if let Ok(Ok(depth)) = counted {
            self.queue.set(&depth, System.now());
        }
    }
}

impl Status for DaemonStatus {
    async fn parts(&self) -> Vec<Part> {
        vec![
            Part { name: "database", ready: self.has_database().await },
            Part { name: "listeners", ready: self.takes_mail() },
            Part { name: "queue", ready: self.gate.is_open() },
        ]
    }

    async fn metrics(&self) -> String {
        self.counted.get(async || self.count_queue().await).await;
        self.outbound.measure();
        self.metrics.render()
    }
}

/// An answer that is given again for a while. Of many who ask at once, one finds out.
#[derive(Debug)]
struct Lately<T> {
    kept: Duration,
    last: Mutex<Option<(T, Instant)>>,
}

impl<T: Copy> Lately<T> {
    fn new(kept: Duration) -> Self {
        Self { kept, last: Mutex::new(None) }
    }

    async fn get(&self, find_out: impl AsyncFnOnce() -> T) -> T {
        let mut last = self.last.lock().await;
        if let Some((answer, when)) = *last
            && when.elapsed() < self.kept
        {
            return answer;
        }
        let answer = find_out().await;
        *last = Some((answer, Instant::now()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_given_again_for_a_while() {
        let lately = Lately::new(Duration::from_secs(3600));
        assert!(lately.get(async || true).await);
        assert!(lately.get(async || false).await, "found out twice");
        let anew = Lately::new(Duration::ZERO);
        assert!(anew.get(async || true).await);
        assert!(!anew.get(async || false).await, "an old answer");
    }
}

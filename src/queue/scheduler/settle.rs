//! Writing down what became of claimed rows. Nothing is given up while it can still be written: a delivery that has
//! arrived and stays in the tables would be made again.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::super::spool::{Arrival, DeliveryId, Settled, Settlement, Spool as _};
use super::super::station::Ports;
use super::Inner;
use super::work::DamagedRow;
use crate::mail::Timestamp;

/// Between two tries to write.
const RETRY: Duration = Duration::from_millis(500);
/// Rows that are settled together.
const TOGETHER: usize = 500;

/// A delivery that has arrived; the answer says whether it was the first one of its recipient.
pub(super) struct Arrived {
    id: DeliveryId,
    settled: oneshot::Sender<bool>,
}

impl<P: Ports> Inner<P> {
    /// Removes the row of a delivery that has arrived. False when the recipient had the message before, or the row was
    /// another node's already.
    pub(super) async fn settle_arrived(&self, id: DeliveryId) -> bool {
        let (settled, answer) = oneshot::channel();
        // Without a receiver everything is over, and then nobody answers either.
        let _ = self.arrived.send(Arrived { id, settled });
        answer.await.unwrap_or(false)
    }

    /// Settles what has arrived: whatever comes while one batch is written makes up the next one, and nobody waits for
    /// company. What could not be settled is tried again, together with what has come meanwhile.
    pub(super) async fn settle_until_finished(&self, mut arrivals: mpsc::UnboundedReceiver<Arrived>) {
        let mut batch = Vec::with_capacity(TOGETHER);
        loop {
            if batch.is_empty() {
                tokio::select! {
                    biased;
                    _ = arrivals.recv_many(&mut batch, TOGETHER) => {}
                    () = self.finished.cancelled() => return,
                }
            } else if self.pause().await.is_none() {
                return;
            }
            while batch.len() < TOGETHER
                && let Ok(arrived) = arrivals.try_recv()
            {
                batch.push(arrived);
            }
            batch = self.settle_together(batch).await;
        }
    }

    /// Answers with what is left.
    async fn settle_together(&self, batch: Vec<Arrived>) -> Vec<Arrived> {
        let station = &self.station;
        let ids: Vec<_> = batch.iter().map(|arrived| arrived.id).collect();
        match station.note_write(station.spool.settle_delivered(station.node, &ids).await).await {
            Ok(ours) => {
                answer(batch, &ours);
                Vec::new()
            }
            // One of them may be the reason: the others must not suffer for it.
            Err(_) if station.gate.is_open() && batch.len() > 1 => self.settle_each(batch).await,
            Err(_) => batch,
        }
    }

    async fn settle_each(&self, batch: Vec<Arrived>) -> Vec<Arrived> {
        let station = &self.station;
        let mut left = Vec::new();
        for arrived in batch {
            match station.spool.settle_delivered(station.node, &[arrived.id]).await {
                Ok(ours) => answer(vec![arrived], &ours),
                Err(_) => left.push(arrived),
            }
        }
        left
    }

    /// Settles one row; `None` when it was another node's, or the daemon ends without having been able to.
    pub(super) async fn settle(&self, id: DeliveryId, settlement: Settlement) -> Option<Settled> {
        loop {
            let station = &self.station;
            let result = station.spool.settle(station.node, id, settlement.clone()).await;
            match station.note_write(result).await {
                Ok(Settled::Lost) => {
                    tracing::warn!(row = id.0, "another node has taken over a delivery: it may arrive twice");
                    return None;
                }
                Ok(settled) => return Some(settled),
                Err(_) => self.pause().await?,
            }
        }
    }

    pub(super) async fn settle_damaged(&self, row: DamagedRow) {
        let DamagedRow { id, transaction, why } = row;
        tracing::error!(row = id.0, %transaction, %why, "a queued delivery cannot be read, and is set aside: see aliasd queue list");
        self.settle(id, Settlement::Damaged).await;
        self.roster.lock().leave(id);
    }

    /// Gives rows back that are due now.
    pub(super) async fn give_back(&self, ids: Vec<DeliveryId>) {
        let now = self.station.now();
        self.give_back_at(ids.into_iter().map(|id| (id, now)).collect()).await;
    }

    /// Gives rows back untried.
    pub(super) async fn give_back_at(&self, due: Vec<(DeliveryId, Timestamp)>) {
        if due.is_empty() {
            return;
        }
        let station = &self.station;
        if station.note_write(station.spool.give_back(station.node, &due).await).await.is_err() {
            tracing::warn!(
                rows = due.len(),
                "rows could not be given back: they are due when their lease ends"
            );
        }
        let mut roster = self.roster.lock();
        due.iter().for_each(|(id, _)| roster.leave(*id));
    }

    /// `None` when everything is over.
    async fn pause(&self) -> Option<()> {
        tokio::select! {
            () = sleep(RETRY) => Some(()),
            () = self.finished.cancelled() => None,
        }
    }
}

/// Tells who waits whether its delivery was the first one of its recipient.
fn answer(batch: Vec<Arrived>, ours: &[Arrival]) {
    let first: HashSet<_> =
        ours.iter().filter(|arrival| arrival.is_first).map(|arrival| arrival.id).collect();
    for arrived in batch {
        // A delivery that was broken off does not listen any more.
        let _ = arrived.settled.send(first.contains(&arrived.id));
    }
}

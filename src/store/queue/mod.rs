//! The queue's tables: the port [`Spool`].
//!
//! A transaction has one row in `queue_messages` for its sealed body (cut into pieces when it is long) and one in
//! `queue_deliveries` for each delivery. What is due is found by one index from its left end, so nothing that mail waits
//! for costs more when the queue is long. The rows of `transactions` say which transactions were accepted.

mod claim;
mod depth;
mod digests;
mod enqueue;
mod orders;
mod rows;
mod seen;
mod sets;
mod settle;
mod together;
mod view;

use std::time::Duration;

use super::contract::{Fault, StoreError};
use super::engine::{Engine, Pools};
use super::{Store, statements};
use crate::mail::Timestamp;
use crate::queue::spool::{
    Arrival, BodyId, Claimed, DeliveryId, Depth, Enqueued, Listed, NewQueued, Node, Order, Settled,
    Settlement, Spool, TransactionDigest, Which,
};
use crate::relay::ports::Unavailable;
use crate::relay::transaction::TransactionId;

use enqueue::Wanted;
use seen::Question;
use together::{Line, ask};

pub(super) use depth::LastDepth;
pub(super) use digests::{INTERVAL, Notes, flush};

impl Spool for Store {
    async fn enqueue(&self, queued: Vec<NewQueued>) -> Result<Vec<Enqueued>, Unavailable> {
        let enqueued = ask(self, Wanted(queued)).await;
        Ok(enqueued.unwrap_or_else(|| Err(unanswered()))?)
    }

    async fn claim(
        &self,
        node: Node,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Claimed>, Unavailable> {
        let until = now.later_by(lease);
        answered(transact!(self, tx => claim::claim(tx, node, now, until, limit)).await)
    }

    async fn renew(
        &self,
        node: Node,
        ids: &[DeliveryId],
        until: Timestamp,
    ) -> Result<Vec<DeliveryId>, Unavailable> {
        let ids = &in_order(ids);
        answered(transact!(self, tx => claim::renew(tx, node, ids, until)).await)
    }

    async fn body(&self, id: BodyId) -> Result<Option<Vec<u8>>, Unavailable> {
        Ok(view::body(self, id).await?)
    }

    async fn settle(
        &self,
        node: Node,
        id: DeliveryId,
        settlement: Settlement,
    ) -> Result<Settled, Unavailable> {
        let settlement = &settlement;
        answered(transact!(self, tx => settle::settle(tx, node, id, settlement)).await)
    }

    async fn settle_delivered(&self, node: Node, ids: &[DeliveryId]) -> Result<Vec<Arrival>, Unavailable> {
        let ids = &in_order(ids);
        answered(transact!(self, tx => settle::settle_delivered(tx, node, ids)).await)
    }

    async fn give_back(&self, node: Node, due: &[(DeliveryId, Timestamp)]) -> Result<(), Unavailable> {
        let mut due = due.to_vec();
        due.sort_unstable_by_key(|(id, _)| *id);
        due.dedup_by_key(|(id, _)| *id);
        let due = due.as_slice();
        answered(transact!(self, tx => claim::give_back(tx, node, due)).await)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, Unavailable> {
        Ok(claim::next_due(self).await?)
    }

    async fn seen(
        &self,
        digest: &TransactionDigest,
        since: Timestamp,
    ) -> Result<Option<TransactionId>, Unavailable> {
        Ok(seen::seen(self, digest, since).await?)
    }

    fn note(&self, digest: TransactionDigest, transaction: TransactionId, now: Timestamp) {
        self.notes().put(digest, transaction, now);
    }

    async fn list(
        &self,
        now: Timestamp,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<Listed>, Unavailable> {
        Ok(view::list(self, now, after, limit).await?)
    }

    async fn show(&self, now: Timestamp, id: DeliveryId) -> Result<Option<Listed>, Unavailable> {
        Ok(view::show(self, now, id).await?)
    }

    async fn order(&self, order: Order, which: Which, now: Timestamp) -> Result<u64, Unavailable> {
        Ok(orders::carry_out(self, order, which, now).await?)
    }

    async fn depth(&self) -> Result<Depth, Unavailable> {
        Ok(depth::depth(self).await?)
    }

    async fn probe(&self) -> Result<(), Unavailable> {
        answered(transact!(self, tx => digests::probe(tx)).await)
    }

    async fn forget(&self, before: Timestamp) -> Result<(), Unavailable> {
        Ok(digests::forget(self, before).await?)
    }
}

/// Where requests wait that go to the database together.
pub(super) struct Lines {
    questions: Line<Question>,
    wanted: Line<Wanted>,
}

impl Lines {
    pub(super) fn new(engine: &Engine) -> Self {
        // Commits of a server go to the disk together; SQLite has one writer.
        let committing = match engine.pools {
            Pools::Sqlite { .. } => 1,
            Pools::MySql(_) => 3,
        };
        Self { questions: Line::new(1), wanted: Line::new(committing) }
    }
}

/// Whoever had the request broke down.
fn unanswered() -> StoreError {
    StoreError::Unavailable("the request was not answered".to_owned())
}

/// What a caller of the port is told.
fn answered<T>(result: Result<T, Fault>) -> Result<T, Unavailable> {
    Ok(result.map_err(StoreError::from)?)
}

/// Each once, in one order, so that no two transactions wait for one another.
fn in_order(ids: &[DeliveryId]) -> Vec<DeliveryId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}

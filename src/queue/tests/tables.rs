//! The queue's tables in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::queue::spool::{
    Arrival, BodyId, Claimed, DeliveryId, Depth, Enqueued, Listed, NewDelivery, NewQueued, Node, Order,
    Settled, Settlement, Spool, State, TransactionDigest, Which,
};
use crate::relay::transaction::TransactionId;

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) rows: Mutex<BTreeMap<i64, Row>>,
    bodies: Mutex<HashMap<i64, Vec<u8>>>,
    digests: Mutex<HashMap<TransactionDigest, TransactionId>>,
    next: Mutex<i64>,
    /// Nothing can be written.
    pub(super) full: AtomicBool,
    /// This row cannot be settled.
    pub(super) locked: Mutex<Option<i64>>,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) new: NewDelivery,
    pub(super) transaction: TransactionId,
    body: i64,
    created_at: Timestamp,
    delay_reported: bool,
    urgent: bool,
    size: u64,
}

impl Tables {
    fn writes(&self) -> Result<(), Unavailable> {
        if self.full.load(Ordering::Relaxed) { Err(Unavailable("full".to_owned())) } else { Ok(()) }
    }

    pub(super) fn number(&self) -> i64 {
        let mut next = self.next.lock();
        *next += 1;
        *next
    }

    fn put(&self, queued: NewQueued) -> Enqueued {
        let body = self.number();
        self.bodies.lock().insert(body, queued.sealed_body);
        self.digests.lock().extend(queued.digest.map(|digest| (digest, queued.transaction)));
        let deliveries = queued.deliveries.into_iter().map(|new| {
            let id = self.number();
            let (transaction, created_at, size) = (queued.transaction, queued.created_at, queued.size);
            let row = Row { new, transaction, body, created_at, delay_reported: false, urgent: false, size };
            self.rows.lock().insert(id, row);
            DeliveryId(id)
        });
        Enqueued { deliveries: deliveries.collect(), body: BodyId(body) }
    }

    fn owned(&self, node: Node, id: DeliveryId) -> Option<Row> {
        self.rows.lock().get(&id.0).filter(|row| row.new.owner == Some(node)).cloned()
    }

    /// Changes every row of the same recipient.
    fn siblings(&self, row: &Row, change: impl Fn(&mut Row)) -> usize {
        let mut rows = self.rows.lock();
        let same = |other: &&mut Row| other.body == row.body && other.new.recipient == row.new.recipient;
        rows.values_mut().filter(same).map(change).count()
    }

    pub(super) fn states(&self) -> Vec<State> {
        self.rows.lock().values().map(|row| row.new.state).collect()
    }
}

fn is_waiting(row: &Row) -> bool {
    matches!(row.new.state, State::Deferred | State::Uncertain)
}

impl Spool for Arc<Tables> {
    async fn enqueue(&self, queued: Vec<NewQueued>) -> Result<Vec<Enqueued>, Unavailable> {
        self.writes()?;
        Ok(queued.into_iter().map(|queued| self.put(queued)).collect())
    }

    async fn claim(
        &self,
        node: Node,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Claimed>, Unavailable> {
        self.writes()?;
        let mut rows = self.rows.lock();
        let due = rows.iter_mut().filter(|(_, row)| is_waiting(row) && row.new.next_attempt_at <= now);
        let claimed = due.take(limit as usize).map(|(id, row)| {
            row.new.next_attempt_at =
                Timestamp::from_millis(now.as_millis() + i64::try_from(lease.as_millis()).unwrap());
            row.new.owner = Some(node);
            row.new.attempts += 1;
            Claimed {
                id: DeliveryId(*id),
                body: BodyId(row.body),
                transaction: row.transaction,
                sealed: row.new.sealed.clone(),
                site: row.new.site,
                attempts: row.new.attempts,
                created_at: row.created_at,
                expires_at: row.new.expires_at,
                delay_reported: row.delay_reported,
                accepted: row.new.accepted,
                blamed: row.new.blamed,
                urgent: std::mem::take(&mut row.urgent),
                size: row.size,
            }
        });
        Ok(claimed.collect())
    }

    async fn renew(
        &self,
        node: Node,
        ids: &[DeliveryId],
        until: Timestamp,
    ) -> Result<Vec<DeliveryId>, Unavailable> {
        self.writes()?;
        let kept: Vec<_> = ids.iter().copied().filter(|id| self.owned(node, *id).is_some()).collect();
        for id in &kept {
            self.rows.lock().get_mut(&id.0).unwrap().new.next_attempt_at = until;
        }
        Ok(kept)
    }

    async fn body(&self, id: BodyId) -> Result<Option<Vec<u8>>, Unavailable> {
        Ok(self.bodies.lock().get(&id.0).cloned())
    }

    async fn settle(
        &self,
        node: Node,
        id: DeliveryId,
        settlement: Settlement,
    ) -> Result<Settled, Unavailable> {
        self.writes()?;
        let Some(row) = self.owned(node, id) else { return Ok(Settled::Lost) };
        let report = match settlement {
            Settlement::Delivered => {
                self.rows.lock().remove(&id.0);
                self.siblings(&row, |other| other.new.accepted = true);
                None
            }
            Settlement::Failed { report } => {
                self.rows.lock().remove(&id.0);
                let is_last = self.siblings(&row, |_| ()) == 0;
                if report.is_some() && (row.new.accepted || !is_last) {
                    return Ok(Settled::Unreported);
                }
                report
            }
            Settlement::Again { at, state, sealed_reply, blamed, delay_report } => {
                {
                    let mut rows = self.rows.lock();
                    let new = &mut rows.get_mut(&id.0).unwrap().new;
                    (new.next_attempt_at, new.state, new.owner, new.blamed) = (at, state, None, blamed);
                    new.sealed_reply = Some(sealed_reply);
                }
                let is_told = delay_report.is_some();
                self.siblings(&row, |other| other.delay_reported |= is_told);
                delay_report
            }
            Settlement::Damaged => {
                self.rows.lock().get_mut(&id.0).unwrap().new.state = State::Damaged;
                None
            }
        };
        report.map(|report| self.put(report));
        Ok(Settled::Done)
    }

    async fn settle_delivered(&self, node: Node, ids: &[DeliveryId]) -> Result<Vec<Arrival>, Unavailable> {
        if ids.iter().any(|id| Some(id.0) == *self.locked.lock()) {
            return Err(Unavailable("locked".to_owned()));
        }
        let mut ours = Vec::new();
        for id in ids {
            let was_accepted = self.rows.lock().get(&id.0).is_some_and(|row| row.new.accepted);
            if self.settle(node, *id, Settlement::Delivered).await? == Settled::Done {
                ours.push(Arrival { id: *id, is_first: !was_accepted });
            }
        }
        Ok(ours)
    }

    async fn give_back(&self, node: Node, due: &[(DeliveryId, Timestamp)]) -> Result<(), Unavailable> {
        self.writes()?;
        for (id, at) in due.iter().filter(|(id, _)| self.owned(node, *id).is_some()) {
            let mut rows = self.rows.lock();
            let new = &mut rows.get_mut(&id.0).unwrap().new;
            (new.next_attempt_at, new.owner, new.attempts) = (*at, None, new.attempts - 1);
        }
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, Unavailable> {
        Ok(self.rows.lock().values().filter(|row| is_waiting(row)).map(|row| row.new.next_attempt_at).min())
    }

    async fn seen(
        &self,
        digest: &TransactionDigest,
        _: Timestamp,
    ) -> Result<Option<TransactionId>, Unavailable> {
        Ok(self.digests.lock().get(digest).copied())
    }

    fn note(&self, digest: TransactionDigest, transaction: TransactionId, _: Timestamp) {
        self.digests.lock().insert(digest, transaction);
    }

    async fn list(&self, _: Timestamp, _: Option<DeliveryId>, _: u32) -> Result<Vec<Listed>, Unavailable> {
        unreachable!("not asked here")
    }

    async fn show(&self, _: Timestamp, _: DeliveryId) -> Result<Option<Listed>, Unavailable> {
        unreachable!("not asked here")
    }

    async fn order(&self, order: Order, _: Which, now: Timestamp) -> Result<u64, Unavailable> {
        assert_eq!(order, Order::Retry, "the only one that is given here");
        let mut rows = self.rows.lock();
        let changed =
            rows.values_mut().map(|row| (row.urgent, row.new.next_attempt_at) = (true, now)).count();
        Ok(changed as u64)
    }

    async fn depth(&self) -> Result<Depth, Unavailable> {
        unreachable!("not asked here")
    }

    async fn probe(&self) -> Result<(), Unavailable> {
        self.writes()
    }

    async fn forget(&self, _: Timestamp) -> Result<(), Unavailable> {
        Ok(())
    }
}

//! Counts per alias, kept in memory and added to the tables every few seconds. A process that is killed loses what it
//! counted since; nothing else depends on these numbers.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::contract::{Fault, StoreError};
use super::engine::{Transaction, values};
use super::{Store, statements};
use crate::relay::alias::AliasId;
use crate::relay::ports::Counted;

/// How often counts are written.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// So many aliases are written before their time.
const FULL: usize = 4096;
/// So many are remembered while the database is away; what comes on top is not counted.
const MOST: usize = 262_144;
/// Aliases written in one transaction.
const BATCH: usize = 500;

/// What was counted for one alias.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    forwarded: i64,
    replied: i64,
    blocked: i64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.forwarded += other.forwarded;
        self.replied += other.replied;
        self.blocked += other.blocked;
    }

    fn one(what: Counted) -> Self {
        let mut counts = Self::default();
        match what {
            Counted::Forwarded => counts.forwarded = 1,
            Counted::Replied => counts.replied = 1,
            Counted::Blocked => counts.blocked = 1,
        }
        counts
    }
}

/// What was counted and not written yet.
#[derive(Default)]
pub(super) struct Counters {
    pending: Mutex<HashMap<AliasId, Counts>>,
    full: Notify,
}

impl Counters {
    /// Counts one; never waits.
    pub(super) fn count(&self, alias: AliasId, what: Counted) {
        self.put(alias, Counts::one(what));
    }

    fn put(&self, alias: AliasId, counts: Counts) {
        let mut pending = self.pending.lock();
        if pending.len() >= MOST && !pending.contains_key(&alias) {
            return;
        }
        pending.entry(alias).or_default().add(counts);
        if pending.len() == FULL {
            self.full.notify_one();
        }
    }

    /// Waits until so much was counted that it should be written now.
    pub(super) async fn full(&self) {
        self.full.notified().await;
    }

    /// All that is pending, in the order of the ids, so that two nodes lock rows in the same order.
    fn take(&self) -> Vec<(AliasId, Counts)> {
        let mut taken: Vec<_> = std::mem::take(&mut *self.pending.lock()).into_iter().collect();
        taken.sort_unstable_by_key(|(id, _)| *id);
        taken
    }

    fn put_back(&self, counts: &[(AliasId, Counts)]) {
        for (alias, counts) in counts {
            self.put(*alias, *counts);
        }
    }
}

/// Writes what is pending; what could not be written is pending again.
pub(super) async fn flush(store: &Store) -> Result<(), StoreError> {
    let counters = store.counters();
    let taken = counters.take();
    let mut rest = taken.as_slice();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(BATCH.min(rest.len()));
        if let Err(fault) = write(store, batch).await {
            counters.put_back(rest);
            return Err(fault);
        }
        rest = after;
    }
    Ok(())
}

async fn write(store: &Store, batch: &[(AliasId, Counts)]) -> Result<(), StoreError> {
    Ok(transact!(store, tx => add(tx, batch)).await?)
}

async fn add(tx: &mut Transaction, batch: &[(AliasId, Counts)]) -> Result<(), Fault> {
    for (alias, counts) in batch {
        let values = values![counts.forwarded, counts.replied, counts.blocked, alias.0];
        tx.execute(&statements::ADD_COUNTS, values).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_can_be_put_back() {
        let counters = Counters::default();
        counters.count(AliasId(2), Counted::Forwarded);
        counters.count(AliasId(1), Counted::Replied);
        counters.count(AliasId(2), Counted::Forwarded);
        let taken = counters.take();
        assert_eq!(taken[0], (AliasId(1), Counts { replied: 1, ..Counts::default() }));
        assert_eq!(taken[1], (AliasId(2), Counts { forwarded: 2, ..Counts::default() }));
        assert!(counters.take().is_empty());
        counters.count(AliasId(2), Counted::Blocked);
        counters.put_back(&taken);
        let again = counters.take();
        assert_eq!(again[1], (AliasId(2), Counts { forwarded: 2, replied: 0, blocked: 1 }));
    }

    #[test]
    fn memory_is_bounded() {
        let counters = Counters::default();
        for id in 0..=MOST as i64 {
            counters.count(AliasId(id), Counted::Forwarded);
        }
        counters.count(AliasId(0), Counted::Forwarded);
        let taken = counters.take();
        assert_eq!(taken.len(), MOST);
        assert_eq!(taken[0].1.forwarded, 2, "what is known already is still counted");
    }
}

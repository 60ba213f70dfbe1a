//! The rows that this node owns, and until when. A row that is not on the roster any more is another node's, or will be.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::mail::Timestamp;

use super::spool::DeliveryId;

/// All rows that are owned.
#[derive(Debug, Default)]
pub(super) struct Roster(HashMap<DeliveryId, Entry>);

#[derive(Debug)]
struct Entry {
    until: Timestamp,
    /// When its attempt began, by a clock that nobody sets, and what ends it.
    attempt: Option<(Instant, AbortHandle)>,
}

impl Roster {
    /// A row was claimed. False when it is on the roster already: somebody works on it, although its lease had ended.
    pub(super) fn enter(&mut self, id: DeliveryId, until: Timestamp) -> bool {
        let is_new = !self.0.contains_key(&id);
        self.0.entry(id).or_insert(Entry { until, attempt: None }).until = until;
        is_new
    }

    /// Its attempt begins.
    pub(super) fn begin(&mut self, id: DeliveryId, now: Instant, handle: AbortHandle) {
        if let Some(entry) = self.0.get_mut(&id) {
            entry.attempt = Some((now, handle));
        }
    }

    /// Its attempt has ended; what is left is to write that down.
    pub(super) fn attempt_is_over(&mut self, id: DeliveryId) {
        if let Some(entry) = self.0.get_mut(&id) {
            entry.attempt = None;
        }
    }

    /// Whether the row is still ours.
    pub(super) fn owns(&self, id: DeliveryId, now: Timestamp) -> bool {
        self.0.get(&id).is_some_and(|entry| entry.until > now)
    }

    /// It is settled, or given up.
    pub(super) fn leave(&mut self, id: DeliveryId) {
        self.0.remove(&id);
    }

    /// The rows whose leases are to be renewed.
    pub(super) fn ids(&self) -> Vec<DeliveryId> {
        self.0.keys().copied().collect()
    }

    /// Those of `asked` that are in `kept` are ours until `until`; the others have gone to another node. Answers how many.
    pub(super) fn renewed(&mut self, asked: &[DeliveryId], kept: &[DeliveryId], until: Timestamp) -> usize {
        for id in kept {
            if let Some(entry) = self.0.get_mut(id) {
                entry.until = entry.until.max(until);
            }
        }
        let kept: HashSet<_> = kept.iter().collect();
        let mut lost = 0;
        for id in asked.iter().filter(|id| !kept.contains(id)) {
            // An attempt that is under way goes on: it may have sent its final dot. Its settlement finds the row gone.
            if let Some(entry) = self.0.get_mut(id) {
                entry.until = Timestamp::EPOCH;
                lost += 1;
            }
        }
        lost
    }

    /// Takes off the roster, and ends, every attempt that has gone on for longer than `longest`.
    pub(super) fn end_stuck(&mut self, now: Instant, longest: Duration) -> Vec<DeliveryId> {
        let is_stuck =
            |entry: &mut Entry| entry.attempt.as_ref().is_some_and(|(since, _)| now - *since > longest);
        let stuck: Vec<_> = self.0.extract_if(|_, entry| is_stuck(entry)).collect();
        stuck.into_iter().map(ended).collect()
    }

    /// Ends every attempt; answers with all rows that are left.
    pub(super) fn end_all(&mut self) -> Vec<DeliveryId> {
        self.0.drain().map(ended).collect()
    }
}

fn ended((id, entry): (DeliveryId, Entry)) -> DeliveryId {
    if let Some((_, handle)) = entry.attempt {
        handle.abort();
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_row_is_ours_until_its_lease_ends_or_another_has_it() {
        let (mut roster, a, b) = (Roster::default(), DeliveryId(1), DeliveryId(2));
        assert!(roster.enter(a, at(10)) && roster.enter(b, at(10)) && !roster.enter(b, at(10)));
        assert!(roster.owns(a, at(9)) && !roster.owns(a, at(10)));
        assert_eq!(roster.renewed(&[a, b], &[a], at(20)), 1);
        assert!(roster.owns(a, at(19)) && !roster.owns(b, at(0)));
        roster.leave(a);
        assert!(!roster.owns(a, at(0)));
        assert_eq!(roster.renewed(&[a], &[], at(30)), 0, "it was settled meanwhile");
    }

    #[tokio::test]
    async fn a_stuck_attempt_is_ended() {
        let mut roster = Roster::default();
        let (old, new) =
            (tokio::spawn(std::future::pending::<()>()), tokio::spawn(std::future::pending::<()>()));
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        for (id, began, task) in [(1, start, &old), (2, start + second, &new)] {
            roster.enter(DeliveryId(id), at(100));
            roster.begin(DeliveryId(id), began, task.abort_handle());
        }
        let now = start + 3 * second;
        assert_eq!(roster.end_stuck(now, 2 * second), [DeliveryId(1)]);
        assert!(old.await.unwrap_err().is_cancelled());
        roster.enter(DeliveryId(3), at(100));
        roster.begin(DeliveryId(3), start, new.abort_handle());
        roster.attempt_is_over(DeliveryId(3));
        assert!(roster.end_stuck(now, 2 * second).is_empty(), "it only waits to be written down");
        roster.leave(DeliveryId(3));
        assert_eq!(roster.end_all(), [DeliveryId(2)]);
        assert!(new.await.unwrap_err().is_cancelled());
        assert!(roster.ids().is_empty());
    }
}

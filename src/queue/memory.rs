//! The memory that messages in flight may take together (`delivery.max_memory`).
//!
//! Who receives a message reserves before it reads; a reservation gives itself back when it is dropped. Nobody waits for
//! memory: a refusal is told to the sender, which tries again later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// So many octets, shared by all sessions.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
}

impl MemoryBudget {
    /// A budget of `limit` octets.
    #[must_use]
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0) })
    }

    /// Octets that are reserved now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Octets that are free now.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.limit.saturating_sub(self.used())
    }

    /// Whether at least half of it is free.
    #[must_use]
    pub fn is_half_free(&self) -> bool {
        self.used() <= self.limit / 2
    }

    /// Reserves, if there is as much.
    #[must_use]
    pub fn reserve(self: &Arc<Self>, octets: u64) -> Option<Reservation> {
        self.take(octets).then(|| Reservation { budget: Arc::clone(self), octets })
    }

    fn take(&self, octets: u64) -> bool {
        let grown = |used: u64| used.checked_add(octets).filter(|sum| *sum <= self.limit);
        self.used.try_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok()
    }
}

/// A part of the budget.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<MemoryBudget>,
    octets: u64,
}

impl Reservation {
    /// Octets that are reserved.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Reserves `more` octets; on `false` nothing has changed.
    #[must_use]
    pub fn grow(&mut self, more: u64) -> bool {
        let taken = self.budget.take(more);
        if taken {
            self.octets += more;
        }
        taken
    }
}

/// The same bytes, which give their reservation back when the last one who shares them is done with them.
#[must_use]
pub fn hold(bytes: Bytes, reservation: Reservation) -> Bytes {
    Bytes::from_owner(Held { bytes, _reservation: reservation })
}

struct Held {
    bytes: Bytes,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_comes_back() {
        let budget = MemoryBudget::new(100);
        let mut one = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_none());
        let two = budget.reserve(30).unwrap();
        assert!(!one.grow(11) && one.octets() == 60);
        assert!(one.grow(10) && one.octets() == 70);
        assert_eq!((budget.used(), budget.available()), (100, 0));
        drop(one);
        assert_eq!(budget.used(), 30);
        drop(two);
        assert_eq!((budget.used(), budget.available()), (0, 100));
    }

    #[test]
    fn bytes_that_are_held_give_back_with_the_last_share() {
        let budget = MemoryBudget::new(100);
        let held = hold(Bytes::from_static(b"letter"), budget.reserve(60).unwrap());
        let part = held.slice(2..4);
        assert_eq!((&held[..], &part[..]), (&b"letter"[..], &b"tt"[..]));
        drop(held);
        assert_eq!(budget.used(), 60);
        drop(part);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn sums_do_not_overflow() {
        let budget = MemoryBudget::new(u64::MAX);
        let mut all = budget.reserve(u64::MAX).unwrap();
        assert!(budget.reserve(1).is_none() && !all.grow(u64::MAX));
    }

    #[test]
    fn threads_never_take_more_than_there_is() {
        let budget = MemoryBudget::new(1000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let held = budget.reserve(300);
                        assert!(budget.used() <= 1000);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}

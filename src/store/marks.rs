//! When what was changed last: how a cached answer is known to be still true.
//!
//! There is one clock, which ticks with every change. A load notes the time at which it *began* ([`Marks::now`]); a
//! change notes, for everything that it is about, the time at which it was committed ([`Marks::touch`]). An answer is
//! fresh while nothing that it depends on was touched after its load began. A load that was under way during a change
//! is therefore stale however late it ends, and no order of "load, commit, forget, put into the cache" can bring an old
//! value back.
//!
//! Marks have a fixed size: subjects share slots by their hash. A shared slot makes an answer look stale that is not,
//! which costs one query, and never the other way round.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::relay::alias::{AccountId, AliasId};

/// Slots of one table; 128 KiB each.
const SLOTS: usize = 1 << 14;

/// What an answer can depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject<'a> {
    /// This address became an alias or a reverse alias. Only the answer "nobody" depends on it.
    NameMade(&'a str),
    /// This alias got a new contact. Only the answer "no such contact" depends on it.
    ContactMade(AliasId),
    /// What this reverse alias stands for changed.
    Name(&'a str),
    /// A contact of this alias changed.
    Contacts(AliasId),
    /// The alias changed, or is no more.
    Alias(AliasId),
    /// Settings or mailboxes of the account changed.
    Account(AccountId),
    /// The domain came, changed or went.
    Domain(&'a str),
    /// The certificates changed that the account has for this address.
    Certificates(AccountId, &'a str),
}

impl Subject<'_> {
    /// New names are made all the time, by mail. They have a table of their own, so that they don't age what is known.
    fn is_making(&self) -> bool {
        matches!(self, Self::NameMade(_) | Self::ContactMade(_))
    }
}

/// A subject, as the place where its last change is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// The clock and the time of the last change of everything.
pub(super) struct Marks {
    clock: AtomicU64,
    /// Everything loaded before this is stale.
    floor: AtomicU64,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Marks {
    pub(super) fn new() -> Self {
        let slots = (0..2 * SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self { clock: AtomicU64::new(0), floor: AtomicU64::new(0), slots, hasher: RandomState::new() }
    }

    /// The time to note *before* a load asks the database.
    pub(super) fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Where the changes of `subject` are noted.
    pub(super) fn slot(&self, subject: &Subject<'_>) -> Slot {
        let place = (self.hasher.hash_one(subject) % SLOTS as u64) as u32;
        Slot(if subject.is_making() { place } else { place + SLOTS as u32 })
    }

    /// Makes every answer stale that depends on `subject` and whose load began before now. To be called *after* the
    /// change was committed.
    pub(super) fn touch(&self, subject: &Subject<'_>) {
        let now = self.tick();
        if let Some(slot) = self.slots.get(self.slot(subject).0 as usize) {
            slot.fetch_max(now, Ordering::SeqCst);
        }
    }

    /// Makes every answer stale.
    pub(super) fn touch_everything(&self) {
        let now = self.tick();
        self.floor.fetch_max(now, Ordering::SeqCst);
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Whether an answer that depends on `slots` and whose load began at `since` is still true.
    pub(super) fn is_fresh(&self, since: u64, slots: &[Slot]) -> bool {
        let touched = |slot: &Slot| self.slots.get(slot.0 as usize).map_or(0, |at| at.load(Ordering::SeqCst));
        self.floor.load(Ordering::SeqCst) <= since && slots.iter().all(|slot| touched(slot) <= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_ages_what_was_loaded_before_it_and_nothing_after() {
        let marks = Marks::new();
        let subject = Subject::Alias(AliasId(7));
        let slots = [marks.slot(&subject)];
        let before = marks.now();
        assert!(marks.is_fresh(before, &slots));
        marks.touch(&subject);
        assert!(!marks.is_fresh(before, &slots));
        assert!(marks.is_fresh(marks.now(), &slots));
    }

    #[test]
    fn another_subject_is_left_alone() {
        let marks = Marks::new();
        let asked = Subject::Alias(AliasId(7));
        let slot = marks.slot(&asked);
        // One that does not share the slot; there is one among the first few, or hashing is broken.
        let other = (8..64).map(|id| Subject::Alias(AliasId(id))).find(|s| marks.slot(s) != slot).unwrap();
        let before = marks.now();
        marks.touch(&other);
        assert!(marks.is_fresh(before, &[slot]));
    }

    #[test]
    fn making_and_changing_never_share_a_slot() {
        let marks = Marks::new();
        for id in 0..2000 {
            let name = format!("alias{id}@example.com");
            assert!((marks.slot(&Subject::NameMade(&name)).0 as usize) < SLOTS);
            assert!((marks.slot(&Subject::Name(&name)).0 as usize) >= SLOTS);
        }
    }

    #[test]
    fn everything_can_be_aged_at_once() {
        let marks = Marks::new();
        let before = marks.now();
        marks.touch_everything();
        assert!(!marks.is_fresh(before, &[]));
        assert!(marks.is_fresh(marks.now(), &[]));
    }
}

//! Which claimed deliveries begin, which wait in memory for others to the same destination, and which go back to the
//! tables for a while. Pure: the times are given.
//!
//! A destination gets as many deliveries at a time as the transport allows it; more wait behind them, so that no place
//! stays unused between two looks at the tables. Whatever is beyond that is put off for a moment: a second, and longer the
//! more there are, so that the rows of a destination are not claimed more often than [`SPACING_MILLIS`] apart. So a
//! destination with a long queue neither keeps the others waiting nor keeps the tables busy.

use std::collections::{HashMap, VecDeque};

use crate::mail::Timestamp;

/// How many wait in memory for one destination.
const IN_LINE: usize = 256;
/// How many wait in memory altogether.
const IN_ALL_LINES: usize = 4096;
/// The shortest time for which a row is put off.
const SOON_MILLIS: i64 = 1_000;
/// Between two rows of one destination that are put off.
const SPACING_MILLIS: i64 = 1;
/// Destinations that are remembered although nothing is going on with them.
const REMEMBERED: usize = 10_000;

/// The lines of all destinations; `T` is a delivery that is ready to begin.
#[derive(Debug)]
pub(super) struct Lines<T> {
    sites: HashMap<i64, Line<T>>,
    waiting: usize,
}

#[derive(Debug)]
struct Line<T> {
    /// Begun, and not ended.
    active: u32,
    waiting: VecDeque<T>,
    /// Until then rows have been put off.
    put_off_until: Timestamp,
    /// It did not get shorter when it was waited for.
    is_slow: bool,
}

impl<T> Line<T> {
    fn new() -> Self {
        Self { active: 0, waiting: VecDeque::new(), put_off_until: Timestamp::EPOCH, is_slow: false }
    }

    fn is_long(&self) -> bool {
        self.waiting.len() > IN_LINE / 2
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.active == 0 && self.waiting.is_empty() && self.put_off_until <= now
    }
}

/// What becomes of a delivery that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer<T> {
    /// It begins: [`Lines::ended`] must follow.
    Begins(T),
    /// It is in line.
    Waits,
    /// No room: again at this time.
    Later(T, Timestamp),
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { sites: HashMap::new(), waiting: 0 }
    }
}

impl<T> Lines<T> {
    /// Offers a delivery to a destination that takes `allowed` at a time.
    pub(super) fn offer(&mut self, site: i64, delivery: T, allowed: u32, now: Timestamp) -> Offer<T> {
        let has_room = self.waiting < IN_ALL_LINES;
        let line = self.line(site, now);
        if line.active < allowed && line.waiting.is_empty() {
            line.active += 1;
            return Offer::Begins(delivery);
        }
        if line.active > 0 && line.waiting.len() < IN_LINE && has_room {
            line.waiting.push_back(delivery);
            self.waiting += 1;
            return Offer::Waits;
        }
        Offer::Later(delivery, self.put_off(site, now))
    }

    /// When a delivery may have its turn that finds no room.
    pub(super) fn put_off(&mut self, site: i64, now: Timestamp) -> Timestamp {
        let line = self.line(site, now);
        let soonest = (now.as_millis() + SOON_MILLIS).max(line.put_off_until.as_millis());
        line.put_off_until = Timestamp::from_millis(soonest + SPACING_MILLIS);
        line.put_off_until
    }

    /// Whether one more would begin or be put in line.
    pub(super) fn has_room(&self, site: i64) -> bool {
        self.waiting < IN_ALL_LINES && self.sites.get(&site).is_none_or(|line| line.waiting.len() < IN_LINE)
    }

    /// Whether it is worth while to wait until the line is shorter, before more is claimed for it.
    pub(super) fn is_long(&self, site: i64) -> bool {
        self.sites.get(&site).is_some_and(|line| !line.is_slow && line.is_long())
    }

    /// It was waited for in vain.
    pub(super) fn is_slow(&mut self, site: i64) {
        self.sites.get_mut(&site).into_iter().for_each(|line| line.is_slow = true);
    }

    /// A delivery that was let go does not begin after all.
    pub(super) fn withdraw(&mut self, site: i64, now: Timestamp) {
        let line = self.line(site, now);
        line.active = line.active.saturating_sub(1);
    }

    /// A delivery has ended; answers with those next in line, which begin: more than one when more are allowed by now.
    pub(super) fn ended(&mut self, site: i64, allowed: impl FnOnce(&T) -> u32, now: Timestamp) -> Vec<T> {
        let line = self.line(site, now);
        line.active = line.active.saturating_sub(1);
        line.is_slow &= line.is_long();
        let Some(first) = line.waiting.front() else { return Vec::new() };
        let free = allowed(first).saturating_sub(line.active);
        let begin = line.waiting.len().min(free as usize);
        let begun: Vec<_> = line.waiting.drain(..begin).collect();
        line.active = line.active.saturating_add(u32::try_from(begin).unwrap_or(u32::MAX));
        self.waiting -= begin;
        begun
    }

    /// Takes everyone out of a line whose destination takes nothing now.
    pub(super) fn dissolve(&mut self, site: i64) -> Vec<T> {
        let Some(line) = self.sites.get_mut(&site) else { return Vec::new() };
        self.waiting -= line.waiting.len();
        line.waiting.drain(..).collect()
    }

    /// Takes everyone out of every line.
    pub(super) fn dissolve_all(&mut self) -> Vec<T> {
        self.waiting = 0;
        self.sites.values_mut().flat_map(|line| line.waiting.drain(..)).collect()
    }

    /// How many are under way to a destination.
    pub(super) fn active(&self, site: i64) -> u32 {
        self.sites.get(&site).map_or(0, |line| line.active)
    }

    fn line(&mut self, site: i64, now: Timestamp) -> &mut Line<T> {
        if self.sites.len() >= REMEMBERED && !self.sites.contains_key(&site) {
            self.sites.retain(|_, line| !line.is_idle(now));
        }
        self.sites.entry(site).or_insert_with(Line::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn as_many_begin_as_are_allowed_and_the_rest_follows_in_its_order() {
        let mut lines = Lines::default();
        assert_eq!(lines.offer(1, 'a', 2, at(0)), Offer::Begins('a'));
        assert_eq!(lines.offer(1, 'b', 2, at(0)), Offer::Begins('b'));
        assert_eq!(lines.offer(1, 'c', 2, at(0)), Offer::Waits);
        assert_eq!(lines.offer(1, 'd', 3, at(0)), Offer::Waits, "nobody overtakes");
        assert_eq!(lines.offer(2, 'x', 2, at(0)), Offer::Begins('x'), "another destination");
        assert_eq!(lines.ended(1, |_| 2, at(5)), ['c']);
        assert!(lines.ended(1, |_| 1, at(5)).is_empty(), "fewer are allowed by now");
        assert_eq!(lines.ended(1, |_| 1, at(5)), ['d']);
        assert_eq!((lines.active(1), lines.waiting), (1, 0));
    }

    #[test]
    fn more_begin_when_more_are_allowed() {
        let mut lines = Lines::default();
        for delivery in 0..10 {
            let _ = lines.offer(1, delivery, 1, at(0));
        }
        assert_eq!(lines.ended(1, |_| 4, at(0)), [1, 2, 3, 4]);
        assert_eq!((lines.active(1), lines.waiting), (4, 5));
    }

    #[test]
    fn what_finds_no_room_is_put_off_one_after_the_other() {
        let mut lines = Lines::default();
        for delivery in 0..=IN_LINE {
            assert!(!matches!(lines.offer(1, delivery, 1, at(0)), Offer::Later(..)));
        }
        let mut put_off = || match lines.offer(1, 0, 1, at(0)) {
            Offer::Later(_, at) => at.as_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!([put_off(), put_off(), put_off()], [1001, 1002, 1003]);
    }

    #[test]
    fn a_long_line_is_waited_for_unless_it_is_slow() {
        let mut lines = Lines::default();
        assert!(lines.has_room(1) && !lines.is_long(1));
        for delivery in 0..=IN_LINE {
            let _ = lines.offer(1, delivery, 1, at(0));
        }
        assert!(!lines.has_room(1) && lines.is_long(1) && lines.has_room(2));
        lines.is_slow(1);
        assert!(!lines.is_long(1), "it was waited for in vain");
        for _ in 0..IN_LINE {
            lines.ended(1, |_| 1, at(0));
        }
        let _ = lines.offer(1, 0, 1, at(0));
        for delivery in 0..IN_LINE {
            let _ = lines.offer(1, delivery, 1, at(0));
        }
        assert!(lines.is_long(1), "it was short meanwhile");
    }

    #[test]
    fn nothing_waits_for_a_destination_with_nothing_under_way() {
        let mut lines = Lines::default();
        assert!(matches!(lines.offer(1, 'a', 0, at(0)), Offer::Later('a', _)));
    }

    #[test]
    fn a_line_can_be_dissolved() {
        let mut lines = Lines::default();
        for site in [1, 2] {
            for delivery in ['a', 'b', 'c'] {
                let _ = lines.offer(site, delivery, 1, at(0));
            }
        }
        assert_eq!(lines.dissolve(1), ['b', 'c']);
        assert_eq!(lines.dissolve_all(), ['b', 'c']);
        assert_eq!((lines.waiting, lines.dissolve(3)), (0, vec![]));
    }

    #[test]
    fn idle_destinations_are_forgotten() {
        let mut lines: Lines<char> = Lines::default();
        for site in 0..=REMEMBERED as i64 {
            assert_eq!(lines.offer(site, 'a', 1, at(0)), Offer::Begins('a'));
            assert!(lines.ended(site, |_| 1, at(0)).is_empty());
        }
        assert_eq!(lines.sites.len(), 1);
    }
}

//! When a delivery that did not succeed is tried again, and when it is given up. No clock: the times are arguments.
//!
//! Each attempt waits for the next step of `delivery.retry`, and after the last step for that one again, each time up to
//! a tenth shorter or longer, so that what failed together does not come back together. No wait ends after the
//! message's time is over: the last attempt is made at that very moment, and then it is given up.

use std::time::Duration;

use crate::mail::Timestamp;

/// How long our own reports are tried.
pub const REPORT_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// A sender is told that its message waits after this time.
pub const DELAY_REPORT_AFTER: Duration = Duration::from_secs(4 * 60 * 60);
/// Shortest wait: a step of zero would try without a pause.
const SHORTEST: Duration = Duration::from_secs(1);

/// The steps and the end, as `delivery.retry` and `delivery.max_age` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    steps: Vec<Duration>,
    max_age: Duration,
}

/// What follows an attempt that failed for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next one.
    At(Timestamp),
    /// Its time is over.
    GiveUp,
}

impl Schedule {
    /// Waits of `steps`, the last one again and again, until a message is `max_age` old. Without steps there is one more
    /// attempt, at the end.
    #[must_use]
    pub fn new(steps: &[Duration], max_age: Duration) -> Self {
        Self { steps: steps.to_vec(), max_age }
    }

    /// The schedule of our own reports: the same steps, for a day at most.
    #[must_use]
    pub fn of_reports(&self) -> Self {
        Self { steps: self.steps.clone(), max_age: self.max_age.min(REPORT_MAX_AGE) }
    }

    /// When a message is given up.
    #[must_use]
    pub fn expires_at(&self, created_at: Timestamp) -> Timestamp {
        created_at.later_by(self.max_age)
    }

    /// What follows when `attempts` have been made of what is given up at `expires_at`, and the last one has failed now.
    /// `jitter` is random: 0 shortens the wait by a tenth, 65535 lengthens it by as much.
    #[must_use]
    pub fn next(&self, attempts: u32, expires_at: Timestamp, now: Timestamp, jitter: u16) -> Next {
        if now >= expires_at {
            return Next::GiveUp;
        }
        let at = self.step(attempts).map(|step| now.later_by(jittered(step, jitter)));
        Next::At(at.map_or(expires_at, |at| at.min(expires_at)))
    }

    fn step(&self, attempts: u32) -> Option<Duration> {
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        self.steps.get(index).or(self.steps.last()).map(|step| (*step).max(SHORTEST))
    }
}

/// Whether the sender is to be told now that its message waits. `reported` says that it was told before.
#[must_use]
pub fn delay_due(created_at: Timestamp, now: Timestamp, reported: bool) -> bool {
    !reported && now >= created_at.later_by(DELAY_REPORT_AFTER)
}

/// Nine tenths of the step, and two tenths of it times `jitter`.
fn jittered(step: Duration, jitter: u16) -> Duration {
    let step = step.as_millis();
    let millis = step * 9 / 10 + step * 2 * u128::from(jitter) / (10 * u128::from(u16::MAX));
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    /// Adds nothing and takes nothing, but for the rounding.
    const MIDDLE: u16 = 0x8000;

    fn seconds(seconds: &[u64]) -> Vec<Duration> {
        seconds.iter().copied().map(Duration::from_secs).collect()
    }

    /// As the default configuration has it.
    fn schedule() -> Schedule {
        let steps = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR];
        Schedule::new(&seconds(&steps), Duration::from_secs(5 * DAY))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(i64::try_from(seconds * 1000).unwrap())
    }

    /// Seconds until the next attempt.
    fn wait(schedule: &Schedule, attempts: u32, age: u64, jitter: u16) -> Option<u64> {
        match schedule.next(attempts, schedule.expires_at(at(1000)), at(1000 + age), jitter) {
            Next::At(next) => Some(u64::try_from(next.as_millis() / 1000).unwrap() - 1000 - age),
            Next::GiveUp => None,
        }
    }

    #[test]
    fn each_attempt_waits_for_its_step() {
        for (attempts, expected) in [
            (0, MINUTE),
            (1, MINUTE),
            (2, 5 * MINUTE),
            (3, 15 * MINUTE),
            (4, 30 * MINUTE),
            (5, HOUR),
            (6, 2 * HOUR),
            (7, 4 * HOUR),
            (8, 4 * HOUR),
            (u32::MAX, 4 * HOUR),
        ] {
            assert_eq!(wait(&schedule(), attempts, 0, MIDDLE), Some(expected), "{attempts}");
        }
    }

    #[test]
    fn a_tenth_less_or_more() {
        assert_eq!(wait(&schedule(), 5, 0, 0), Some(54 * MINUTE));
        assert_eq!(wait(&schedule(), 5, 0, u16::MAX), Some(66 * MINUTE));
    }

    #[test]
    fn the_last_attempt_is_at_the_end() {
        for (age, expected) in [
            (5 * DAY - 5 * HOUR, Some(4 * HOUR)),
            (5 * DAY - 2 * HOUR, Some(2 * HOUR)),
            (5 * DAY - 1, Some(1)),
            (5 * DAY, None),
            (6 * DAY, None),
        ] {
            assert_eq!(wait(&schedule(), 20, age, MIDDLE), expected, "{age}");
        }
    }

    #[test]
    fn our_reports_are_given_up_after_a_day() {
        let reports = schedule().of_reports();
        assert_eq!(wait(&reports, 9, DAY - HOUR, MIDDLE), Some(HOUR));
        assert_eq!(wait(&reports, 9, DAY, MIDDLE), None);
        let short = Schedule::new(&seconds(&[60]), Duration::from_secs(HOUR)).of_reports();
        assert_eq!(short.expires_at(at(0)), at(HOUR), "never longer than other mail");
    }

    #[test]
    fn odd_schedules_end_and_do_not_spin() {
        let none = Schedule::new(&[], Duration::from_secs(HOUR));
        assert_eq!(wait(&none, 1, 0, MIDDLE), Some(HOUR));
        assert_eq!(wait(&none, 2, HOUR, MIDDLE), None);
        let zero = Schedule::new(&seconds(&[0]), Duration::from_secs(HOUR));
        assert_eq!(wait(&zero, 1, 0, u16::MAX), Some(1));
        let endless = Schedule::new(&[Duration::MAX], Duration::MAX);
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(endless.next(1, endless.expires_at(at(0)), at(0), u16::MAX), Next::At(end));
        assert_eq!(endless.next(1, endless.expires_at(at(0)), end, 0), Next::GiveUp);
    }

    #[test]
    fn a_delay_is_told_once_after_four_hours() {
        let due = |age, reported| delay_due(at(1000), at(1000 + age), reported);
        assert!(!due(4 * HOUR - 1, false) && due(4 * HOUR, false) && due(5 * DAY, false));
        assert!(!due(4 * HOUR, true));
        assert!(!delay_due(at(1000), at(0), false), "a clock that went back");
    }

    proptest! {
        #[test]
        fn a_message_is_tried_until_its_end_and_not_longer(
            steps in prop::collection::vec(0u64..20_000, 0..8),
            max_age in 0u64..1_000_000,
            jitters in prop::collection::vec(any::<u16>(), 1..20),
        ) {
            let schedule = Schedule::new(&seconds(&steps), Duration::from_secs(max_age));
            let mut now = at(7);
            for attempts in 1..2000 {
                match schedule.next(attempts, schedule.expires_at(at(7)), now, jitters[attempts as usize % jitters.len()]) {
                    Next::At(next) => {
                        prop_assert!(next > now && next <= at(7 + max_age));
                        now = next;
                    }
                    Next::GiveUp => {
                        prop_assert_eq!(now, at(7 + max_age));
                        return Ok(());
                    }
                }
            }
        }
    }
}

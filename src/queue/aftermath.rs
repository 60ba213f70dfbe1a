//! What follows an attempt of a queued delivery. Pure.

use crate::mail::Timestamp;
use crate::relay::blame::is_about_us;
use crate::relay::ports::Outcome;
use crate::relay::report::{Event, Problem};
use crate::relay::retry::{DELAY_REPORT_AFTER, Next, Schedule, delay_due};
use crate::smtp::Failure;

use super::spool::State;

/// How a delivery stood when the attempt began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Attempts, this one among them.
    pub(super) attempts: u32,
    pub(super) created_at: Timestamp,
    /// When it is given up.
    pub(super) expires_at: Timestamp,
    pub(super) delay_reported: bool,
    /// The next hop has refused us before.
    pub(super) blamed: bool,
    /// There is somebody to be told when it is given up.
    pub(super) has_teller: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// It has arrived.
    Over,
    /// It is given up, and the sender may be told this.
    GivenUp(Event),
    /// It is tried again.
    Again(Again),
}

/// A further attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) at: Timestamp,
    /// [`State::Deferred`] or [`State::Uncertain`].
    pub(super) state: State,
    /// The next hop refuses us: somebody should look.
    pub(super) alarm: bool,
    /// It takes long, and the sender may be told this.
    pub(super) delayed: Option<Event>,
}

/// What follows `outcome`. `jitter` is random.
pub(super) fn after(
    outcome: &Outcome,
    standing: &Standing,
    schedule: &Schedule,
    now: Timestamp,
    jitter: u16,
) -> Aftermath {
    let (failure, state, alarm) = match outcome {
        Outcome::Delivered(_) => return Aftermath::Over,
        // Once; and until its end when nobody would hear of it: somebody may mend what is wrong with us.
        Outcome::Rejected(failure) if is_about_us(failure) && !(standing.blamed && standing.has_teller) => {
            (failure, State::Deferred, true)
        }
        Outcome::Rejected(failure) => return Aftermath::GivenUp(Event::Failed(Problem::from(failure))),
        Outcome::Deferred(failure) => (failure, State::Deferred, false),
        Outcome::Uncertain(failure) => (failure, State::Uncertain, false),
    };
    match schedule.next(standing.attempts, standing.expires_at, now, jitter) {
        Next::GiveUp => Aftermath::GivenUp(Event::Expired(Problem::from(failure))),
        Next::At(at) => {
            let at = not_past_the_report(at, standing, now);
            let delayed = delayed(failure, standing, now);
            Aftermath::Again(Again { at, state, alarm, delayed })
        }
    }
}

/// An attempt is made when the delay is to be told, so that it is told then.
fn not_past_the_report(at: Timestamp, standing: &Standing, now: Timestamp) -> Timestamp {
    let report = standing.created_at.later_by(DELAY_REPORT_AFTER);
    if standing.delay_reported || !standing.has_teller || now >= report { at } else { at.min(report) }
}

fn delayed(failure: &Failure, standing: &Standing, now: Timestamp) -> Option<Event> {
    delay_due(standing.created_at, now, standing.delay_reported)
        .then(|| Event::Delayed(Problem::from(failure), standing.expires_at))
}

/// What an admin is shown of an attempt.
pub(super) fn last_reply(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered(by) => by.reply.clone(),
        Outcome::Rejected(failure) | Outcome::Deferred(failure) | Outcome::Uncertain(failure) => {
            let (class, subject, detail) = failure.enhanced;
            let host = failure.host.as_deref().unwrap_or("(no host)");
            format!("{host}: {} {class}.{subject}.{detail} {}", failure.code, failure.text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::{Delivered, Words};
    use std::time::Duration;

    const HOUR: i64 = 3_600_000;

    fn schedule() -> Schedule {
        Schedule::new(&[Duration::from_secs(60)], Duration::from_secs(5 * 24 * 3600))
    }

    fn failure(code: u16, enhanced: (u8, u16, u16)) -> Failure {
        Failure { code, enhanced, text: String::new(), words: Words::Theirs, host: None }
    }

    fn standing() -> Standing {
        let expires_at = schedule().expires_at(Timestamp::EPOCH);
        Standing {
            attempts: 2,
            created_at: Timestamp::EPOCH,
            expires_at,
            delay_reported: false,
            blamed: false,
            has_teller: true,
        }
    }

    fn at(hours: i64, outcome: &Outcome, standing: Standing) -> Aftermath {
        after(outcome, &standing, &schedule(), Timestamp::from_millis(hours * HOUR), 0x8000)
    }

    fn again(aftermath: Aftermath) -> Again {
        match aftermath {
            Aftermath::Again(again) => again,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_has_arrived_is_over_and_what_is_refused_is_given_up() {
        let delivered = Outcome::Delivered(Delivered { host: String::new(), reply: String::new() });
        assert_eq!(at(1, &delivered, standing()), Aftermath::Over);
        let rejected = Outcome::Rejected(failure(550, (5, 1, 1)));
        assert!(matches!(at(1, &rejected, standing()), Aftermath::GivenUp(Event::Failed(_))));
    }

    #[test]
    fn what_is_open_is_tried_again_until_its_end() {
        for (outcome, state) in [
            (Outcome::Deferred(failure(451, (4, 2, 1))), State::Deferred),
            (Outcome::Uncertain(failure(451, (4, 4, 2))), State::Uncertain),
        ] {
            let next = again(at(1, &outcome, standing()));
            assert_eq!((next.state, next.alarm, next.delayed), (state, false, None));
            assert!(next.at > Timestamp::from_millis(HOUR));
            assert!(matches!(at(120, &outcome, standing()), Aftermath::GivenUp(Event::Expired(_))));
        }
    }

    #[test]
    fn a_refusal_of_us_is_put_off_once_with_an_alarm() {
        let rejected = Outcome::Rejected(failure(550, (5, 7, 25)));
        let next = again(at(1, &rejected, standing()));
        assert_eq!((next.state, next.alarm), (State::Deferred, true));
        let blamed = Standing { blamed: true, ..standing() };
        assert!(matches!(at(1, &rejected, blamed), Aftermath::GivenUp(Event::Failed(_))));
        let untold = Standing { has_teller: false, ..blamed };
        assert!(again(at(1, &rejected, untold)).alarm, "it is not lost without anybody hearing of it");
        assert!(matches!(at(120, &rejected, untold), Aftermath::GivenUp(Event::Expired(_))));
    }

    #[test]
    fn the_delay_is_told_at_four_hours() {
        let deferred = Outcome::Deferred(failure(451, (4, 2, 1)));
        let slow = Schedule::new(&[Duration::from_secs(4 * 3600)], Duration::from_secs(5 * 24 * 3600));
        let after_three = |standing| {
            again(after(&deferred, &standing, &slow, Timestamp::from_millis(3 * HOUR), 0x8000)).at.as_millis()
        };
        assert_eq!(after_three(standing()), 4 * HOUR);
        assert!(after_three(Standing { has_teller: false, ..standing() }) > 6 * HOUR);
    }

    #[test]
    fn after_four_hours_the_delay_is_told_once() {
        let deferred = Outcome::Deferred(failure(451, (4, 2, 1)));
        assert!(again(at(3, &deferred, standing())).delayed.is_none());
        assert!(matches!(again(at(4, &deferred, standing())).delayed, Some(Event::Delayed(..))));
        let told = Standing { delay_reported: true, ..standing() };
        assert!(again(at(4, &deferred, told)).delayed.is_none());
    }
}

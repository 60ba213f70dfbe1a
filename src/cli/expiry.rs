//! The end of an alias as people type it.

use std::str::FromStr;
use std::time::Duration;

use time::Date;
use time::macros::format_description;

use crate::mail::Timestamp;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// A point in time, or a while from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// At this time.
    At(Timestamp),
    /// So long from now.
    In(Duration),
}

/// It is none of the forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a date (2030-12-31), a time (2030-12-31T18:00:00Z) or a while from now (30d)")]
pub struct NotAnExpiry;

impl FromStr for Expiry {
    type Err = NotAnExpiry;

    fn from_str(text: &str) -> Result<Self, NotAnExpiry> {
        let at = || Timestamp::parse_rfc3339(text).or_else(|| end_of_day(text)).map(Self::At);
        let within = || humantime::parse_duration(text).ok().map(Self::In);
        at().or_else(within).ok_or(NotAnExpiry)
    }
}

impl Expiry {
    /// The point in time that is meant, seen from `now`.
    ///
    /// # Errors
    /// When that has passed: what was meant, for people.
    pub fn seen_from(self, now: Timestamp) -> Result<Timestamp, String> {
        let at = match self {
            Self::At(at) => at,
            Self::In(while_) => now.later_by(while_),
        };
        if at <= now { Err(format!("{} has passed", at.to_rfc3339())) } else { Ok(at) }
    }
}

/// A date means that the day still counts: its last millisecond, UTC.
fn end_of_day(text: &str) -> Option<Timestamp> {
    let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    let midnight = date.midnight().assume_utc().unix_timestamp().checked_mul(1000)?;
    Some(Timestamp::from_millis(midnight + DAY_MILLIS - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    fn seen(text: &str) -> String {
        let expiry: Expiry = text.parse().unwrap();
        expiry.seen_from(Timestamp::from_millis(NOW)).map_or_else(|e| e, Timestamp::to_rfc3339)
    }

    #[test]
    fn dates_times_and_whiles_are_taken() {
        for (text, meaning) in [
            ("2030-12-31", "2030-12-31T23:59:59.999Z"),
            ("2026-09-21", "2026-09-21T23:59:59.999Z"),
            ("2030-12-31T18:00:00+02:00", "2030-12-31T16:00:00.000Z"),
            ("30d", "2026-10-21T14:13:20.000Z"),
            ("1h 30m", "2026-09-21T15:43:20.000Z"),
            ("1000000y", "9999-12-31T23:59:59.999Z"),
            ("2020-01-01", "2020-01-01T23:59:59.999Z has passed"),
            ("0s", "2026-09-21T14:13:20.000Z has passed"),
        ] {
            assert_eq!(seen(text), meaning, "{text}");
        }
        for text in ["", "tomorrow", "2030-13-01", "30", "-1d"] {
            assert_eq!(text.parse::<Expiry>(), Err(NotAnExpiry), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9TZ:.dhmsy ]{0,30}|.{0,20}") {
            if let Ok(expiry) = text.parse::<Expiry>() {
                let _ = expiry.seen_from(Timestamp::from_millis(NOW));
            }
        }
    }
}

//! Points in time, as messages and tables write them.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// A point in time: milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// RFC 5322, section 3.3, always in UTC.
const RFC5322: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day padding:none] [month repr:short] [year] [hour]:[minute]:[second] +0000"
);
const RFC3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

impl Timestamp {
    /// 1970-01-01 00:00 UTC.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since 1970-01-01 UTC; a value beyond the year 9999 is cut to it.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, 253_402_300_799_999))
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// So much later, and never beyond the year 9999.
    #[must_use]
    pub fn later_by(self, time: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis(time)))
    }

    /// So much earlier, and never before 1970.
    #[must_use]
    pub fn earlier_by(self, time: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(millis(time)))
    }

    /// Reads an RFC 3339 date and time.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok().map(Self::from_millis)
    }

    /// The value of a `Date` header, in UTC (RFC 5322, section 3.3).
    #[must_use]
    pub fn to_rfc5322(self) -> String {
        self.written(RFC5322)
    }

    /// RFC 3339 in UTC, with milliseconds.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        self.written(RFC3339)
    }

    fn written(self, format: &[BorrowedFormatItem<'_>]) -> String {
        let nanos = i128::from(self.0) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .ok()
            .and_then(|at| at.format(format).ok())
            .unwrap_or_default()
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Reads the value of a `Date` field; zones of RFC 822 and comments are taken (RFC 5322, sections 3.3 and 4.3).
#[must_use]
pub fn parse_rfc5322(value: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?.replace(['\r', '\n'], "");
    let parsed = OffsetDateTime::parse(text.trim(), &time::format_description::well_known::Rfc2822).ok()?;
    i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_written_in_utc() {
        let at = Timestamp::from_millis(1_790_000_000_123);
        assert_eq!(at.to_rfc5322(), "Mon, 21 Sep 2026 14:13:20 +0000");
        assert_eq!(at.to_rfc3339(), "2026-09-21T14:13:20.123Z");
        assert_eq!(Timestamp::parse_rfc3339("2026-09-21T16:13:20.123+02:00"), Some(at));
    }

    #[test]
    fn the_ends_of_the_range_can_be_written() {
        assert_eq!(Timestamp::from_millis(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(i64::MIN).to_rfc3339(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn no_wait_leads_out_of_the_range() {
        let at = Timestamp::from_millis(1_790_000_000_123);
        assert_eq!(at.later_by(Duration::from_secs(2)).as_millis(), 1_790_000_002_123);
        assert_eq!(at.earlier_by(Duration::from_secs(2)).as_millis(), 1_789_999_998_123);
        assert_eq!(at.later_by(Duration::MAX), Timestamp::from_millis(i64::MAX));
        assert_eq!(at.earlier_by(Duration::MAX), Timestamp::EPOCH);
    }

    #[test]
    fn dates_of_mail_are_read_in_their_many_forms() {
        let at = Some(Timestamp::from_millis(1_790_000_000_000));
        for text in [
            "Mon, 21 Sep 2026 14:13:20 +0000",
            " Mon, 21 Sep 2026\r\n 16:13:20 +0200 (CEST)\r\n",
            "21 Sep 2026 07:13:20 PDT",
            "Mon, 21 Sep 2026 14:13:20 GMT",
        ] {
            assert_eq!(parse_rfc5322(text.as_bytes()), at, "{text}");
        }
        for text in ["", "yesterday", "Mon, 32 Sep 2026 14:13:20 +0000", "\u{fffd}"] {
            assert_eq!(parse_rfc5322(text.as_bytes()), None, "{text}");
        }
    }
}

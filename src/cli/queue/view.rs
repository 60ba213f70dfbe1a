//! What people see of deliveries.

use serde::Serialize;

use crate::cli::output::View;
use crate::mail::{Address, Timestamp};
use crate::queue::inspect::{Details, Entry, Kind, Standing};
use crate::smtp::dsn::Notify;

/// Characters of a last reply in a list; `show` has all of it.
const REPLY_IN_LIST: usize = 100;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A delivery in a list. Programs see the entry, people also how long from now.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Row {
    pub(super) entry: Entry,
    #[serde(skip)]
    pub(super) now: Timestamp,
}

impl View for Row {
    const COLUMNS: &'static [&'static str] =
        &["id", "state", "next", "tried", "age", "size", "alias", "recipient", "last reply"];

    fn row(&self) -> Vec<String> {
        let Self { entry, now } = self;
        vec![
            entry.id.0.to_string(),
            entry.state.word().to_owned(),
            next(entry, *now),
            entry.attempts.to_string(),
            span(entry.created_at, *now),
            size(entry.size),
            or_dash(entry.alias.as_ref()),
            or_dash(entry.recipient.as_ref()),
            cut(entry.last_reply.as_deref().unwrap_or("-")),
        ]
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let Self { entry, now } = self;
        vec![
            ("id", entry.id.0.to_string()),
            ("state", entry.state.word().to_owned()),
            ("alias", or_dash(entry.alias.as_ref())),
            ("recipient", or_dash(entry.recipient.as_ref())),
            ("last reply", entry.last_reply.clone().unwrap_or_else(|| "-".to_owned())),
            ("tried", entry.attempts.to_string()),
            ("next attempt", dated_next(entry, *now)),
            ("accepted", format!("{} ({} ago)", entry.created_at.to_rfc3339(), span(entry.created_at, *now))),
            ("size", format!("{} ({} octets)", size(entry.size), entry.size)),
            ("transaction", entry.transaction.to_string()),
        ]
    }
}

/// All about one delivery.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Shown {
    pub(super) details: Details,
    #[serde(skip)]
    pub(super) now: Timestamp,
}

impl View for Shown {
    const COLUMNS: &'static [&'static str] = Row::COLUMNS;

    fn row(&self) -> Vec<String> {
        self.as_row().row()
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let Self { details, now } = self;
        let mut lines = self.as_row().details();
        lines.extend([
            ("given up", dated(details.expires_at, *now)),
            ("kind", kind(details.kind).to_owned()),
            ("addressed to", or_dash(details.addressed_to.as_ref())),
            ("return path", details.return_path.as_ref().map_or("-".to_owned(), |path| format!("<{path}>"))),
            ("tells", told(details)),
            ("told of delay", if details.delay_reported { "yes" } else { "no" }.to_owned()),
        ]);
        lines.extend(advice(details).map(|text| ("note", text)));
        lines
    }
}

impl Shown {
    fn as_row(&self) -> Row {
        Row { entry: self.details.entry.clone(), now: self.now }
    }
}

/// Who hears of it when it fails.
fn told(details: &Details) -> String {
    match (&details.reports_to, details.kind) {
        (_, None) => "-".to_owned(),
        (_, Some(Kind::Report)) => "nobody: it is a report itself".to_owned(),
        (None, _) => "nobody: it came without a return path that is known to be its sender's".to_owned(),
        _ if details.arrived_elsewhere => "nobody: it has arrived at another mailbox of the alias".to_owned(),
        (Some(_), _) if details.notify == Some(Notify::NEVER) => {
            "nobody: the sender wants no reports".to_owned()
        }
        (Some(sender), _) => match details.notify {
            Some(notify) => format!("{sender} (NOTIFY={notify})"),
            None => sender.to_string(),
        },
    }
}

/// What whoever looks at it may want to know or do.
fn advice(details: &Details) -> Option<String> {
    let id = details.entry.id.0;
    match (&details.problem, details.entry.state) {
        (Some(_), Standing::Damaged) => Some(format!(
            "once the right master key is back in its file or in the one of older keys: restart, then aliasd queue retry {id}"
        )),
        (None, Standing::Damaged) => Some(format!(
            "it was set aside as damaged, and its envelope can be read now: aliasd queue retry {id}; if it comes back, its \
             body is lost"
        )),
        (_, Standing::Uncertain) => {
            Some("the next hop had all of it and did not answer: it may have arrived already".to_owned())
        }
        _ if details.refused_us => Some(
            "the next hop refuses us, not this message (see the last reply): the next time it counts"
                .to_owned(),
        ),
        _ => None,
    }
}

fn kind(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Forward) => "forward to a mailbox",
        Some(Kind::Reply) => "reply to a contact",
        Some(Kind::Report) => "report of ours to a sender",
        None => "-",
    }
}

/// What a list says at its end.
#[derive(Debug, Default)]
pub(super) struct Tally {
    number: u64,
    by_state: Vec<(Standing, u64)>,
    oldest: Option<Timestamp>,
}

impl Tally {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.number += 1;
        self.oldest = Some(self.oldest.map_or(entry.created_at, |oldest| oldest.min(entry.created_at)));
        match self.by_state.iter_mut().find(|(state, _)| *state == entry.state) {
            Some((_, number)) => *number += 1,
            None => self.by_state.push((entry.state, 1)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.number == 0
    }

    pub(super) fn summary(&self, now: Timestamp) -> String {
        let states: Vec<_> =
            self.by_state.iter().map(|(state, number)| format!("{number} {}", state.word())).collect();
        let age = self
            .oldest
            .map_or_else(String::new, |oldest| format!(", the oldest accepted {} ago", span(oldest, now)));
        format!("{}: {}{age}", deliveries(self.number), states.join(", "))
    }
}

/// The number with its noun.
pub(super) fn deliveries(number: u64) -> String {
    if number == 1 { "1 delivery".to_owned() } else { format!("{number} deliveries") }
}

fn next(entry: &Entry, now: Timestamp) -> String {
    match entry.state {
        Standing::InFlight => "now".to_owned(),
        Standing::Held | Standing::Damaged => "-".to_owned(),
        Standing::Deferred | Standing::Uncertain => from_now(entry.next_attempt_at, now),
    }
}

fn dated_next(entry: &Entry, now: Timestamp) -> String {
    match entry.state {
        Standing::InFlight => "being made now".to_owned(),
        Standing::Held => "none until it is released".to_owned(),
        Standing::Damaged => "none until it is ordered".to_owned(),
        Standing::Deferred | Standing::Uncertain => dated(entry.next_attempt_at, now),
    }
}

fn dated(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", at.to_rfc3339(), from_now(at, now))
}

fn from_now(at: Timestamp, now: Timestamp) -> String {
    if at <= now { "due".to_owned() } else { format!("in {}", span(now, at)) }
}

/// The time between two moments, in its largest unit; none when they stand the other way round.
fn span(from: Timestamp, to: Timestamp) -> String {
    let millis = to.as_millis().saturating_sub(from.as_millis()).max(0);
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
    // From two of a unit on: 90 minutes are not 1 hour.
    let unit = units.into_iter().find(|(unit, _)| millis >= 2 * unit);
    let (unit, name) = unit.unwrap_or((SECOND, "s"));
    format!("{}{name}", millis / unit)
}

fn size(octets: u64) -> String {
    match octets {
        0..1_024 => format!("{octets} B"),
        1_024..1_048_576 => format!("{} KiB", octets.div_ceil(1_024)),
        _ => format!("{} MiB", octets.div_ceil(1_048_576)),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(REPLY_IN_LIST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

fn or_dash(address: Option<&Address>) -> String {
    address.map_or("-".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * SECOND)
    }

    #[test]
    fn spans_are_short() {
        for (seconds, shown) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7_199, "119m"),
            (7_200, "2h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (-5, "0s"),
        ] {
            assert_eq!(span(at(1_000), at(1_000 + seconds)), shown);
        }
    }

    #[test]
    fn sizes_are_rounded_up() {
        for (octets, shown) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1 KiB"),
            (1_025, "2 KiB"),
            (1_048_576, "1 MiB"),
            (u64::MAX, "17592186044416 MiB"),
        ] {
            assert_eq!(size(octets), shown);
        }
    }

    #[test]
    fn a_long_reply_is_cut_at_a_character() {
        assert_eq!(cut("451 später"), "451 später");
        let long = "ä".repeat(REPLY_IN_LIST + 1);
        assert_eq!(cut(&long), format!("{}…", "ä".repeat(REPLY_IN_LIST)));
    }
}

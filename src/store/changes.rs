//! What a committed change makes the caches forget, here and on every other node.
//!
//! Each transaction writes a row per [`Change`] into the table `changes`. The node that made it applies it as soon as
//! the commit returns; the others read new rows a few times a second ([`Follower`]). Rows can become visible out of
//! order: ids are given out when a row is inserted, and a transaction with a lower id may commit after one with a
//! higher id. So the follower does not go past a gap in the ids until it has been open for [`WINDOW`]; rows that it
//! reads again meanwhile it knows by their ids.
//!
//! When rows may have been missed, because the table could not be read or the follower was stopped for longer than rows
//! are kept, the whole cache is forgotten.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use super::contract::{Fault, StoreError};
use super::engine::{Engine, Transaction, values};
use super::marks::{Marks, Subject};
use super::rows::{ChangeRow, IdRow};
use super::{Store, statements};
use crate::relay::alias::{AccountId, AliasId};

/// How long a gap in the ids may still be filled by a transaction that has not committed yet.
const WINDOW: Duration = Duration::from_secs(10);
/// How many rows before the last one are read again at the start, for transactions that were under way then.
const OVERLAP: i64 = 256;
/// Rows read at once, and how many times in one poll; who is further behind forgets everything instead.
const BATCH: i64 = 1000;
const BATCHES: u32 = 16;
/// How long rows are kept, and after which silence a follower no longer relies on that.
const KEPT: Duration = Duration::from_secs(3600);
const RELIED_ON: Duration = Duration::from_secs(1800);
/// Rows deleted at once, and how many times in one round.
const PRUNED: i64 = 500;
const PRUNINGS: u32 = 20;

/// Something that caches must forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The address became an alias.
    NameMade(String),
    /// The alias got a new contact with this reverse alias.
    ContactMade(AliasId, String),
    /// The contact of the alias with this reverse alias changed, or is no more.
    Contact(AliasId, String),
    /// The alias changed, or is no more.
    Alias(AliasId),
    /// Settings or mailboxes of the account changed.
    Account(AccountId),
    /// The domain came, changed or went.
    Domain(String),
    /// The certificates changed that the account has for this address.
    Certificates(AccountId, String),
}

impl Change {
    /// The row: kind, number, text.
    fn to_row(&self) -> (&'static str, Option<i64>, Option<&str>) {
        match self {
            Self::NameMade(name) => ("name_made", None, Some(name)),
            Self::ContactMade(alias, reverse) => ("contact_made", Some(alias.0), Some(reverse)),
            Self::Contact(alias, reverse) => ("contact", Some(alias.0), Some(reverse)),
            Self::Alias(id) => ("alias", Some(id.0), None),
            Self::Account(id) => ("account", Some(id.0), None),
            Self::Domain(name) => ("domain", None, Some(name)),
            Self::Certificates(id, address) => ("certificates", Some(id.0), Some(address)),
        }
    }

    /// `None` for a row of a kind that a newer version writes.
    fn from_row(row: ChangeRow) -> Option<Self> {
        Some(match (row.kind.as_str(), row.number, row.text) {
            ("name_made", _, Some(name)) => Self::NameMade(name),
            ("contact_made", Some(alias), Some(reverse)) => Self::ContactMade(AliasId(alias), reverse),
            ("contact", Some(alias), Some(reverse)) => Self::Contact(AliasId(alias), reverse),
            ("alias", Some(id), _) => Self::Alias(AliasId(id)),
            ("account", Some(id), _) => Self::Account(AccountId(id)),
            ("domain", _, Some(name)) => Self::Domain(name),
            ("certificates", Some(id), Some(address)) => Self::Certificates(AccountId(id), address),
            _ => return None,
        })
    }

    /// Makes the caches of this process forget.
    pub(super) fn apply(&self, marks: &Marks) {
        match self {
            Self::NameMade(name) => marks.touch(&Subject::NameMade(name)),
            Self::ContactMade(alias, reverse) => {
                marks.touch(&Subject::NameMade(reverse));
                marks.touch(&Subject::ContactMade(*alias));
            }
            Self::Contact(alias, reverse) => {
                marks.touch(&Subject::Name(reverse));
                marks.touch(&Subject::Contacts(*alias));
            }
            Self::Alias(id) => marks.touch(&Subject::Alias(*id)),
            Self::Account(id) => marks.touch(&Subject::Account(*id)),
            Self::Domain(name) => marks.touch(&Subject::Domain(name)),
            Self::Certificates(id, address) => marks.touch(&Subject::Certificates(*id, address)),
        }
    }
}

/// Writes the rows of a transaction; its last statements, so that their ids are visible soon after they are given out.
pub(super) async fn write(tx: &mut Transaction, changes: &[Change]) -> Result<(), sqlx::Error> {
    let now = super::now().as_millis();
    for change in changes {
        let (kind, number, text) = change.to_row();
        tx.execute(&statements::INSERT_CHANGE, values![now, kind, number, text]).await?;
    }
    Ok(())
}

/// Which rows were applied: all up to `low`, and those in `seen` above it.
#[derive(Debug, Default)]
struct Applied {
    low: i64,
    seen: BTreeMap<i64, Instant>,
}

impl Applied {
    /// Whether the row is new; from now on it is not.
    fn admit(&mut self, id: i64, now: Instant) -> bool {
        if id <= self.low || self.seen.contains_key(&id) {
            return false;
        }
        self.seen.insert(id, now);
        true
    }

    /// Moves `low` over the rows without a gap before them, and over gaps that have been open for [`WINDOW`].
    fn advance(&mut self, now: Instant) {
        while let Some(first) = self.seen.first_entry() {
            let gap_closed = *first.key() == self.low + 1 || now.duration_since(*first.get()) > WINDOW;
            if !gap_closed {
                break;
            }
            self.low = *first.key();
            first.remove();
        }
    }
}

/// Follows the table `changes`.
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// Absent until the table was read, and after it could not be read.
    at: Option<(Applied, SystemTime)>,
}

impl Follower {
    /// Reads the new rows and applies them.
    pub(super) async fn poll(&mut self, engine: &Engine, marks: &Marks) -> Result<(), StoreError> {
        let (mut applied, _) = match self.at.take().filter(|(_, polled)| is_recent(*polled)) {
            Some(at) => at,
            None => start(engine, marks).await?,
        };
        // While this is under way `self.at` is empty: when it fails or is cancelled, the next poll starts over.
        let polled = SystemTime::now();
        if read_new(&mut applied, engine, marks).await? {
            self.at = Some((applied, polled));
        }
        Ok(())
    }
}

/// The wall clock, because it goes on while a machine sleeps.
fn is_recent(polled: SystemTime) -> bool {
    polled.elapsed().is_ok_and(|since| since < RELIED_ON)
}

/// Forgets everything and begins at the end of the table. In this order: what is committed after the last id was read
/// will be read as a row, and what was committed before is forgotten.
async fn start(engine: &Engine, marks: &Marks) -> Result<(Applied, SystemTime), StoreError> {
    let last: Option<IdRow> = engine.one(&statements::LAST_CHANGE, &[]).await?;
    marks.touch_everything();
    let low = last.map_or(0, |row| row.id).saturating_sub(OVERLAP).max(0);
    Ok((Applied { low, seen: BTreeMap::new() }, SystemTime::now()))
}

/// Applies the rows after `applied.low`. False when there are so many that starting over is better.
async fn read_new(applied: &mut Applied, engine: &Engine, marks: &Marks) -> Result<bool, StoreError> {
    let mut after = applied.low;
    for _ in 0..BATCHES {
        let rows: Vec<ChangeRow> = engine.all(&statements::CHANGES_AFTER, values![after, BATCH]).await?;
        let count = rows.len();
        after = rows.last().map_or(after, |row| row.id);
        let now = Instant::now();
        for row in rows.into_iter().filter(|row| applied.admit(row.id, now)).collect::<Vec<_>>() {
            apply_row(row, marks);
        }
        if (count as i64) < BATCH {
            applied.advance(now);
            return Ok(true);
        }
    }
    Ok(false)
}

fn apply_row(row: ChangeRow, marks: &Marks) {
    match Change::from_row(row) {
        Some(change) => change.apply(marks),
        None => marks.touch_everything(),
    }
}

/// Deletes rows that are older than [`KEPT`], a few at a time.
pub(super) async fn prune(store: &Store) -> Result<(), StoreError> {
    let before = super::now().earlier_by(KEPT);
    for _ in 0..PRUNINGS {
        let old: Option<IdRow> =
            store.engine().one(&statements::OLD_CHANGES, values![PRUNED, before.as_millis()]).await?;
        let Some(last) = old.map(|row| row.id).filter(|id| *id > 0) else { return Ok(()) };
        transact!(store, tx => delete_until(tx, last)).await?;
    }
    Ok(())
}

async fn delete_until(tx: &mut Transaction, last: i64) -> Result<(), Fault> {
    tx.execute(&statements::DELETE_CHANGES, values![last]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_kinds() -> Vec<Change> {
        vec![
            Change::NameMade("a@example.com".into()),
            Change::ContactMade(AliasId(3), "r@example.com".into()),
            Change::Contact(AliasId(4), "r@example.com".into()),
            Change::Alias(AliasId(5)),
            Change::Account(AccountId(6)),
            Change::Domain("example.com".into()),
            Change::Certificates(AccountId(7), "bob@example.org".into()),
        ]
    }

    #[test]
    fn every_kind_survives_the_table() {
        for change in all_kinds() {
            let (kind, number, text) = change.to_row();
            assert!(kind.len() <= 16, "{kind} does not fit its column");
            let row = ChangeRow { id: 1, kind: kind.to_owned(), number, text: text.map(str::to_owned) };
            assert_eq!(Change::from_row(row), Some(change));
        }
    }

    #[test]
    fn a_kind_of_a_newer_version_forgets_everything() {
        let marks = Marks::new();
        let before = marks.now();
        apply_row(ChangeRow { id: 1, kind: "sender_rule".into(), number: Some(1), text: None }, &marks);
        assert!(!marks.is_fresh(before, &[]));
    }

    #[test]
    fn a_row_is_applied_once() {
        let (mut applied, now) = (Applied::default(), Instant::now());
        assert!(applied.admit(1, now));
        assert!(!applied.admit(1, now));
        applied.advance(now);
        assert!(!applied.admit(1, now));
        assert_eq!(applied.low, 1);
    }

    #[test]
    fn a_late_row_with_a_lower_id_is_still_admitted() {
        let (mut applied, start) = (Applied::default(), Instant::now());
        assert!(applied.admit(1, start));
        assert!(applied.admit(3, start));
        applied.advance(start);
        assert_eq!(applied.low, 1, "not past the gap");
        assert!(applied.admit(2, start));
        applied.advance(start);
        assert_eq!((applied.low, applied.seen.len()), (3, 0));
    }

    #[test]
    fn a_gap_is_given_up_after_the_window() {
        let (mut applied, start) = (Applied::default(), Instant::now());
        assert!(applied.admit(5, start));
        applied.advance(start + WINDOW);
        assert_eq!(applied.low, 0);
        applied.advance(start + WINDOW + Duration::from_millis(1));
        assert_eq!(applied.low, 5);
    }
}

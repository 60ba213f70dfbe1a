//! Who works on what: claims, and how long they hold.

use super::super::contract::{Fault, StoreError};
use super::super::engine::{Transaction, Value, values};
use super::super::rows::IdRow;
use super::super::statements::{MANY, SetSql};
use super::rows::{ClaimedRow, TimeRow};
use super::{Store, statements};
use crate::mail::Timestamp;
use crate::queue::spool::{Claimed, DeliveryId, Node};

/// Makes the node the owner of what is due, until `until`.
pub(super) async fn claim(
    tx: &mut Transaction,
    node: Node,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Claimed>, Fault> {
    let mut rows = if tx.is_sqlite() {
        let values = values![node.0, until.as_millis(), now.as_millis(), i64::from(limit)];
        tx.all(&statements::CLAIM, values).await?
    } else {
        lock_and_take(tx, node, now, until, limit).await?
    };
    // SQLite returns them in any order.
    rows.sort_unstable_by_key(|row: &ClaimedRow| row.id);
    Ok(rows.into_iter().map(Claimed::try_from).collect::<Result<_, _>>()?)
}

/// In two steps. Rows that another node is claiming are locked, and passed over.
async fn lock_and_take(
    tx: &mut Transaction,
    node: Node,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<ClaimedRow>, Fault> {
    let mut rows: Vec<ClaimedRow> =
        tx.all(&statements::LOCK_DUE, values![now.as_millis(), i64::from(limit)]).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    for batch in ids.chunks(MANY) {
        let (sql, values) = with_ids(&statements::TAKE, values![node.0, until.as_millis()], batch);
        tx.execute(sql, &values).await?;
    }
    rows.iter_mut().for_each(|row| row.attempts += 1);
    Ok(rows)
}

/// Moves the end of the node's leases; returns what is still its own.
pub(super) async fn renew(
    tx: &mut Transaction,
    node: Node,
    ids: &[DeliveryId],
    until: Timestamp,
) -> Result<Vec<DeliveryId>, Fault> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let mut owned = Vec::with_capacity(ids.len());
    for batch in ids.chunks(MANY) {
        let (sql, values) = with_ids(&statements::RENEW, values![until.as_millis(), node.0], batch);
        tx.execute(sql, &values).await?;
        // The rows of ours are locked by now, so the answer holds until the commit.
        let (sql, values) = with_ids(&statements::OWNED, values![node.0], batch);
        let rows: Vec<IdRow> = tx.all(sql, &values).await?;
        owned.extend(rows.into_iter().map(|row| DeliveryId(row.id)));
    }
    Ok(owned)
}

/// A statement for these ids, the last repeated to fill the places.
fn with_ids<'a, 's>(
    set: &'s SetSql,
    first: &[Value<'a>],
    ids: &[i64],
) -> (&'s statements::Sql, Vec<Value<'a>>) {
    let (sql, places) = set.for_keys(ids.len());
    let padding =
        ids.last().into_iter().flat_map(|last| std::iter::repeat_n(last, places.saturating_sub(ids.len())));
    let ids = ids.iter().chain(padding).map(|id| Value::from(*id));
    (sql, first.iter().copied().chain(ids).collect())
}

/// When the first waiting delivery is due; of one that is claimed, when its lease ends.
pub(super) async fn next_due(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    let row: Option<TimeRow> = store.engine().one(&statements::NEXT_DUE, &[]).await?;
    Ok(row.map(|row| Timestamp::from_millis(row.at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fill_all_places() {
        for (count, places) in [(1, 4), (4, 4), (5, 50), (50, 50)] {
            let ids: Vec<i64> = (1..=count).collect();
            let (sql, values) = with_ids(&statements::RENEW, values![7, 8], &ids);
            assert_eq!(values.len(), places + 2);
            assert_eq!(sql.mysql.matches('?').count(), values.len());
            assert!(matches!(values.last(), Some(Value::Int(Some(last))) if *last == count));
        }
    }
}

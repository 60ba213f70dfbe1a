//! Who works on what: claims, how long they hold, and claims given back.

use super::super::contract::{Fault, StoreError};
use super::super::engine::{Transaction, Value, values};
use super::super::rows::IdRow;
use super::super::statements::MANY;
use super::rows::{ClaimedRow, TimeRow};
use super::{Store, sets, statements};
use crate::mail::Timestamp;
use crate::queue::spool::{Claimed, DeliveryId, Node};

/// Makes the node the owner of what is due, until `until`. What another node is claiming is locked, and passed over.
///
/// In two steps, since what is told of a row is how it was before: a claim ends the wish that it be tried now.
pub(super) async fn claim(
    tx: &mut Transaction,
    node: Node,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Claimed>, Fault> {
    let mut rows: Vec<ClaimedRow> =
        tx.all(&statements::LOCK_DUE, values![now.as_millis(), i64::from(limit)]).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    sets::change(tx, &statements::TAKE, values![node.0, until.as_millis()], &ids).await?;
    rows.iter_mut().for_each(|row| row.attempts += 1);
    Ok(rows.into_iter().map(Claimed::try_from).collect::<Result<_, _>>()?)
}

/// Moves the end of the node's leases; returns what is still its own.
pub(super) async fn renew(
    tx: &mut Transaction,
    node: Node,
    ids: &[DeliveryId],
    until: Timestamp,
) -> Result<Vec<DeliveryId>, Fault> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    sets::change(tx, &statements::RENEW, values![until.as_millis(), node.0], &ids).await?;
    // The rows of ours are locked by now, so the answer holds until the commit.
    let rows: Vec<IdRow> = sets::all(tx, &statements::OWNED, values![node.0], &ids).await?;
    Ok(rows.into_iter().map(|row| DeliveryId(row.id)).collect())
}

/// Gives the node's claims back untried; each is due at its time.
pub(super) async fn give_back(
    tx: &mut Transaction,
    node: Node,
    due: &[(DeliveryId, Timestamp)],
) -> Result<(), Fault> {
    for batch in due.chunks(MANY) {
        let (sql, places) = statements::GIVE_BACK.for_keys(batch.len());
        let times = sets::filled(batch, places).flat_map(|(id, at)| [id.0, at.as_millis()]);
        let ids = sets::filled(batch, places).map(|(id, _)| id.0);
        let values: Vec<Value<'_>> = times.chain([node.0]).chain(ids).map(Value::from).collect();
        tx.execute(sql, &values).await?;
    }
    Ok(())
}

/// When the first waiting delivery is due; of one that is claimed, when its lease ends.
pub(super) async fn next_due(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    let row: Option<TimeRow> = store.engine().one(&statements::NEXT_DUE, &[]).await?;
    Ok(row.map(|row| Timestamp::from_millis(row.at)))
}

//! What an admin orders. An order to all rows is carried out a stretch of ids at a time, each its own transaction, so
//! that mail waits for none of it for long. Rows that come meanwhile are not meant.

use super::super::contract::{Fault, StoreError};
use super::super::engine::{Transaction, values};
use super::super::rows::IdRow;
use super::rows::StretchRow;
use super::{Store, statements};
use crate::mail::Timestamp;
use crate::queue::spool::{DeliveryId, Order, Which};

/// Rows of one stretch; fewer when bodies go with them.
const STRETCH: i64 = 1000;
const STRETCH_OF_BODIES: i64 = 100;

/// The rows after one id, up to another.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    after: i64,
    last: i64,
}

/// Carries the order out; returns how many rows it changed.
pub(super) async fn carry_out(
    store: &Store,
    order: Order,
    which: Which,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let Which::One(DeliveryId(id)) = which else { return carry_out_on_all(store, order, now).await };
    on_stretch(store, order, Stretch { after: id.saturating_sub(1), last: id }, now).await
}

async fn carry_out_on_all(store: &Store, order: Order, now: Timestamp) -> Result<u64, StoreError> {
    let last: Option<IdRow> = store.engine().one(&statements::LAST_DELIVERY, &[]).await?;
    let last = last.map_or(0, |row| row.id);
    let rows = if order == Order::Drop { STRETCH_OF_BODIES } else { STRETCH };
    let (mut after, mut changed) = (0, 0);
    while after < last {
        let end: Option<IdRow> =
            store.engine().one(&statements::END_OF_STRETCH, values![after, rows]).await?;
        let Some(end) = end.map(|row| row.id.min(last)).filter(|end| *end > after) else { break };
        changed += on_stretch(store, order, Stretch { after, last: end }, now).await?;
        after = end;
    }
    Ok(changed)
}

async fn on_stretch(
    store: &Store,
    order: Order,
    stretch: Stretch,
    now: Timestamp,
) -> Result<u64, StoreError> {
    Ok(transact!(store, tx => change(tx, order, stretch, now)).await?)
}

/// A row that a node works on is not made due: another would begin the same work. It can be held, which counts after the
/// attempt, and dropped, which does not undo the attempt.
async fn change(tx: &mut Transaction, order: Order, stretch: Stretch, now: Timestamp) -> Result<u64, Fault> {
    let (Stretch { after, last }, now) = (stretch, now.as_millis());
    Ok(match order {
        Order::Retry => tx.change(&statements::RETRY_DELIVERIES, values![now, after, last, now]).await?,
        Order::Hold => tx.change(&statements::HOLD_DELIVERIES, values![after, last]).await?,
        Order::Release => tx.change(&statements::RELEASE_DELIVERIES, values![after, last]).await?,
        Order::Drop => drop_rows(tx, stretch).await?,
    })
}

/// The bodies are locked first, for the reason that `settle` has.
async fn drop_rows(tx: &mut Transaction, Stretch { after, last }: Stretch) -> Result<u64, Fault> {
    let bodies: Option<StretchRow> = tx.one(&statements::MESSAGES_OF_STRETCH, values![after, last]).await?;
    let Some(StretchRow { first: Some(first_body), last: Some(last_body) }) = bodies else { return Ok(0) };
    tx.all::<IdRow>(&statements::LOCK_STRETCH, values![first_body, last_body]).await?;
    let dropped = tx.change(&statements::DELETE_DELIVERIES, values![after, last]).await?;
    tx.execute(&statements::DELETE_EMPTY_MESSAGES, values![first_body, last_body]).await?;
    Ok(dropped)
}

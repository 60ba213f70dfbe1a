//! What becomes of a claimed delivery. Every statement names the owner, so a node whose lease is over and whose row has
//! gone to another changes nothing.
//!
//! A sender is told of a recipient once, though it may have several deliveries. What is told depends on its other rows,
//! and those may end at the same moment on another node: of two that fail each could see the other's row still there and
//! keep silent, or both could see it gone and report. So whoever deletes a row, or reports a delay, locks the row of the
//! message first. The second waits there, and looks after the first has committed. (SQLite has one writer at a time.)

use std::collections::HashSet;

use super::super::contract::{Fault, StoreError};
use super::super::engine::{Transaction, Value, values};
use super::super::rows::IdRow;
use super::enqueue::enqueue;
use super::rows::{OwnedRow, PlaceRow};
use super::{sets, statements};
use crate::queue::spool::{Arrival, DeliveryId, NewQueued, Node, Settled, Settlement, State};

/// Ends a claim. A report is committed together with what it reports, so that it is sent neither twice nor not at all.
pub(super) async fn settle(
    tx: &mut Transaction,
    node: Node,
    id: DeliveryId,
    settlement: &Settlement,
) -> Result<Settled, Fault> {
    match settlement {
        Settlement::Delivered => {
            let delivered = settle_delivered(tx, node, &[id]).await?;
            Ok(if delivered.is_empty() { Settled::Lost } else { Settled::Done })
        }
        Settlement::Failed { report } => fail(tx, node, id, report.as_ref()).await,
        Settlement::Again { at, state, sealed_reply, blamed, delay_report } => {
            let uncertain = *state == State::Uncertain;
            let values = values![at.as_millis(), uncertain, &**sealed_reply, *blamed, id.0, node.0];
            match delay_report {
                Some(report) => delay(tx, node, id, values, report).await,
                None => done_or_lost(tx.change(&statements::SETTLE_AGAIN, values).await?),
            }
        }
        Settlement::Damaged => {
            done_or_lost(tx.change(&statements::SETTLE_DAMAGED, values![id.0, node.0]).await?)
        }
    }
}

fn done_or_lost(changed: u64) -> Result<Settled, Fault> {
    Ok(if changed > 0 { Settled::Done } else { Settled::Lost })
}

/// Ends claims on what has arrived; returns those that were the node's. `ids` are different ones.
pub(super) async fn settle_delivered(
    tx: &mut Transaction,
    node: Node,
    ids: &[DeliveryId],
) -> Result<Vec<Arrival>, Fault> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let owned: Vec<PlaceRow> = sets::all(tx, &statements::OWNED_PLACES, values![node.0], &ids).await?;
    let messages = messages_of(&owned);
    let owned = if tx.is_sqlite() {
        owned
    } else {
        lock(tx, &messages).await?;
        // Again, since they may have changed while we waited.
        sets::all(tx, &statements::OWNED_PLACES, values![node.0], &ids).await?
    };
    let ids: Vec<_> = owned.iter().map(|row| row.id).collect();
    if sets::change(tx, &statements::DELETE_OWNED, values![node.0], &ids).await? != ids.len() as u64 {
        return Err(lease_ended());
    }
    let arrived: HashSet<_> = owned.iter().map(PlaceRow::place).collect();
    let left = remove_empty(tx, &messages).await?;
    let others: Vec<_> = left.iter().filter(|row| arrived.contains(&row.place())).map(|row| row.id).collect();
    sets::change(tx, &statements::ACCEPT, &[], &others).await?;
    Ok(arrivals(&owned))
}

/// Of several deliveries for one recipient that arrive together, one is the first.
fn arrivals(owned: &[PlaceRow]) -> Vec<Arrival> {
    let mut places = HashSet::new();
    let arrival = |row: &PlaceRow| Arrival {
        id: DeliveryId(row.id),
        is_first: places.insert(row.place()) && !row.accepted,
    };
    owned.iter().map(arrival).collect()
}

/// Ends a claim on what is given up.
async fn fail(
    tx: &mut Transaction,
    node: Node,
    id: DeliveryId,
    report: Option<&NewQueued>,
) -> Result<Settled, Fault> {
    let Some(failed) = lock_owned(tx, node, id).await? else { return Ok(Settled::Lost) };
    if sets::change(tx, &statements::DELETE_OWNED, values![node.0], &[id.0]).await? == 0 {
        return Ok(Settled::Lost);
    }
    let left = remove_empty(tx, &[failed.message_id]).await?;
    let still_tried = left.iter().any(|row| row.recipient == failed.recipient);
    match report {
        Some(report) => tell(tx, report, !failed.accepted && !still_tried).await,
        None => Ok(Settled::Done),
    }
}

/// Puts a delivery off, as `values` say, and tells the sender so, unless another delivery of the recipient has told it
/// meanwhile.
async fn delay(
    tx: &mut Transaction,
    node: Node,
    id: DeliveryId,
    values: &[Value<'_>],
    report: &NewQueued,
) -> Result<Settled, Fault> {
    let Some(delayed) = lock_owned(tx, node, id).await? else { return Ok(Settled::Lost) };
    if tx.change(&statements::SETTLE_AGAIN, values).await? == 0 {
        return Ok(Settled::Lost);
    }
    let recipient = values![delayed.message_id, delayed.recipient];
    tx.change(&statements::NOTE_DELAY_REPORTED, recipient).await?;
    tell(tx, report, !delayed.accepted && !delayed.delay_reported).await
}

async fn tell(tx: &mut Transaction, report: &NewQueued, wanted: bool) -> Result<Settled, Fault> {
    if !wanted {
        return Ok(Settled::Unreported);
    }
    enqueue(tx, std::slice::from_ref(report)).await?;
    Ok(Settled::Done)
}

/// How a row of the node stands, as long as the transaction lasts: its message is locked.
async fn lock_owned(tx: &mut Transaction, node: Node, id: DeliveryId) -> Result<Option<OwnedRow>, Fault> {
    let found: Option<OwnedRow> = tx.one(&statements::OWNED_DELIVERY, values![id.0, node.0]).await?;
    let Some(row) = found.as_ref().filter(|_| !tx.is_sqlite()) else { return Ok(found) };
    lock(tx, &[row.message_id]).await?;
    // Again, since it may have changed while we waited.
    Ok(tx.one(&statements::OWNED_DELIVERY, values![id.0, node.0]).await?)
}

/// Locks messages, in the order of their ids.
async fn lock(tx: &mut Transaction, messages: &[i64]) -> Result<(), Fault> {
    if !tx.is_sqlite() {
        sets::all::<IdRow>(tx, &statements::LOCK_MESSAGES, &[], messages).await?;
    }
    Ok(())
}

/// Deletes those of the messages that have no delivery any more; returns the deliveries of the others. The messages are
/// locked, so no delivery goes at the same time; and none ever comes to a message that is there.
async fn remove_empty(tx: &mut Transaction, messages: &[i64]) -> Result<Vec<PlaceRow>, Fault> {
    let left: Vec<PlaceRow> = sets::all(tx, &statements::PLACES_LEFT, &[], messages).await?;
    let kept: HashSet<_> = left.iter().map(|row| row.message_id).collect();
    let empty: Vec<_> = messages.iter().copied().filter(|id| !kept.contains(id)).collect();
    sets::change(tx, &statements::DELETE_MESSAGES, &[], &empty).await?;
    Ok(left)
}

/// Each once, in order.
fn messages_of(rows: &[PlaceRow]) -> Vec<i64> {
    let mut messages: Vec<_> = rows.iter().map(|row| row.message_id).collect();
    messages.sort_unstable();
    messages.dedup();
    messages
}

/// Begun again, it finds what is still the node's.
fn lease_ended() -> Fault {
    Fault::Contended(StoreError::Unavailable("a lease ended while its delivery was settled".to_owned()))
}

//! What becomes of a claimed delivery. Every statement names the owner, so a node whose lease is over and whose row has
//! gone to another changes nothing.

use super::super::contract::Fault;
use super::super::engine::{Transaction, Value, values};
use super::super::rows::IdRow;
use super::enqueue::enqueue;
use super::statements::{self, Sql};
use crate::queue::spool::{DeliveryId, NewQueued, Node, Settlement, State};

/// Ends the claim; false when it had gone to another node. A report is committed together with what it reports, so that
/// it is sent neither twice nor not at all.
pub(super) async fn settle(
    tx: &mut Transaction,
    node: Node,
    id: DeliveryId,
    settlement: &Settlement,
) -> Result<bool, Fault> {
    let (changed, report) = match settlement {
        Settlement::Done(report) => (remove(tx, node, id).await?, report.as_ref()),
        Settlement::Again { at, state, sealed_reply, report } => {
            let (uncertain, reported) = (*state == State::Uncertain, report.is_some());
            let values = values![at.as_millis(), uncertain, &**sealed_reply, reported, id.0, node.0];
            (change(tx, &statements::SETTLE_AGAIN, values).await?, report.as_ref())
        }
        Settlement::Damaged => (change(tx, &statements::SETTLE_DAMAGED, values![id.0, node.0]).await?, None),
        Settlement::Untried(at) => {
            (change(tx, &statements::SETTLE_UNTRIED, values![at.as_millis(), id.0, node.0]).await?, None)
        }
    };
    if changed {
        enqueue_report(tx, report).await?;
    }
    Ok(changed)
}

async fn change(tx: &mut Transaction, sql: &Sql, values: &[Value<'_>]) -> Result<bool, Fault> {
    Ok(tx.change(sql, values).await? > 0)
}

async fn enqueue_report(tx: &mut Transaction, report: Option<&NewQueued>) -> Result<(), Fault> {
    match report {
        Some(report) => enqueue(tx, report).await,
        None => Ok(()),
    }
}

/// Deletes the delivery, and the body with the last one.
///
/// Two nodes may do this to the last two deliveries of one body at once. Each must see whether the other's is gone, so
/// the body's row is locked first: the second waits there, and looks after the first has committed.
async fn remove(tx: &mut Transaction, node: Node, id: DeliveryId) -> Result<bool, Fault> {
    let message: Option<IdRow> = tx.one(&statements::OWNED_MESSAGE, values![id.0, node.0]).await?;
    let Some(message) = message else { return Ok(false) };
    if !tx.is_sqlite() {
        tx.all::<IdRow>(&statements::LOCK_MESSAGE, values![message.id]).await?;
    }
    if !change(tx, &statements::DELETE_OWNED, values![id.0, node.0]).await? {
        return Ok(false);
    }
    let other: Option<IdRow> = tx.one(&statements::DELIVERY_OF_MESSAGE, values![message.id]).await?;
    if other.is_none() {
        tx.execute(&statements::DELETE_MESSAGE, values![message.id]).await?;
    }
    Ok(true)
}

//! Committing a transaction to the queue.

use super::super::contract::{Fault, StoreError};
use super::super::engine::{Transaction, Value, values};
use super::super::rows::Word;
use super::digests::{self, Note};
use super::rows::to_columns;
use super::statements;
use crate::queue::spool::{BodyId, DeliveryId, Enqueued, NewDelivery, NewQueued};

/// A body is kept in pieces of this size, so that it passes servers that take 1 MiB at once
/// (`max_allowed_packet`), and no statement needs memory for the whole of it.
pub(super) const CHUNK: usize = 512 * 1024;

/// Writes bodies, their deliveries and the digests.
///
/// Why no instant loses mail: all rows are written in one transaction of the database, and the caller hears `Ok` (and
/// the sender 250) only after its commit has returned, which is after the log is on disk (`synchronous=FULL`;
/// `innodb_flush_log_at_trx_commit=1`, the default). What if we are stopped
///
/// - before the commit: the database has nothing, the sender has no answer, and sends again;
/// - during the commit: the database has all of it or nothing, never a delivery without its body. The sender has no
///   answer and sends again; if it was all of it, the digest that was committed with it tells the repetition;
/// - after the commit and before the 250: as that;
/// - after the 250: the rows are there and due, and whichever node lives claims them. No memory of ours is needed.
///
/// When the connection breaks while the commit is under way we cannot know which it was, and answer as if it were
/// nothing. That may deliver twice what the sender changes before it sends again, and loses nothing.
pub(super) async fn enqueue(tx: &mut Transaction, queued: &[NewQueued]) -> Result<Vec<Enqueued>, Fault> {
    let mut enqueued = Vec::with_capacity(queued.len());
    for queued in queued {
        enqueued.push(enqueue_one(tx, queued).await?);
    }
    remember(tx, queued).await?;
    Ok(enqueued)
}

async fn enqueue_one(tx: &mut Transaction, queued: &NewQueued) -> Result<Enqueued, Fault> {
    if queued.deliveries.is_empty() {
        return Err(StoreError::Bug(format!("{} has no deliveries", queued.transaction)).into());
    }
    let message = insert_body(tx, &queued.sealed_body).await?;
    let mut deliveries = Vec::with_capacity(queued.deliveries.len());
    for delivery in &queued.deliveries {
        deliveries.push(DeliveryId(insert_delivery(tx, message, queued, delivery).await?));
    }
    Ok(Enqueued { body: BodyId(message), deliveries })
}

/// Writes the digests.
async fn remember(tx: &mut Transaction, queued: &[NewQueued]) -> Result<(), Fault> {
    let accepted = queued.iter().filter_map(|queued| Some((queued.digest?, queued)));
    let mut notes: Vec<_> = accepted
        .map(|(digest, queued)| (digest, Note { transaction: queued.transaction, at: queued.created_at }))
        .collect();
    notes.sort_unstable_by_key(|(digest, _)| *digest);
    digests::write(tx, &notes).await
}

async fn insert_body(tx: &mut Transaction, sealed: &[u8]) -> Result<i64, Fault> {
    let (first, rest) = sealed.split_at(sealed.len().min(CHUNK));
    let chunks = i64::try_from(rest.len().div_ceil(CHUNK)).unwrap_or(i64::MAX);
    let message = tx.execute(&statements::INSERT_MESSAGE, values![chunks, first]).await?;
    for (number, chunk) in (1_i64..).zip(rest.chunks(CHUNK)) {
        tx.execute(&statements::INSERT_CHUNK, values![message, number, chunk]).await?;
    }
    Ok(message)
}

async fn insert_delivery(
    tx: &mut Transaction,
    message: i64,
    queued: &NewQueued,
    delivery: &NewDelivery,
) -> Result<i64, Fault> {
    let transaction = queued.transaction.to_bytes();
    let (standing, uncertain) = to_columns(delivery.state);
    let values: &[Value<'_>] = values![
        message,
        &transaction[..],
        delivery.alias.map(|id| id.0),
        i64::from(delivery.recipient),
        delivery.accepted,
        delivery.blamed,
        delivery.site,
        standing.word(),
        uncertain,
        delivery.owner.map(|node| node.0),
        i64::from(delivery.attempts),
        delivery.next_attempt_at.as_millis(),
        queued.created_at.as_millis(),
        delivery.expires_at.as_millis(),
        i64::try_from(queued.size).unwrap_or(i64::MAX),
        delivery.sealed_reply.as_deref(),
        &*delivery.sealed,
    ];
    Ok(tx.execute(&statements::INSERT_DELIVERY, values).await?)
}

//! Committing transactions to the queue. Those that come at once go together (`together`).

use std::collections::HashMap;

use super::super::contract::{Fault, StoreError};
use super::super::engine::{Transaction, Value, values};
use super::super::rows::Word;
use super::digests::{self, Note};
use super::rows::{PlaceRow, to_columns};
use super::together::{Joint, Line};
use super::{Store, sets, statements};
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
    let mut messages = Vec::with_capacity(queued.len());
    for queued in queued {
        messages.push(insert_body(tx, queued).await?);
    }
    let mut deliveries = insert_deliveries(tx, queued, &messages).await?;
    remember(tx, queued).await?;
    let enqueued = |message| Enqueued {
        body: BodyId(message),
        deliveries: deliveries.remove(&message).unwrap_or_default(),
    };
    Ok(messages.into_iter().map(enqueued).collect())
}

/// What one caller wants committed, all or nothing.
pub(in super::super) struct Wanted(pub(super) Vec<NewQueued>);

impl Joint for Wanted {
    type Answer = Result<Vec<Enqueued>, StoreError>;

    /// Octets.
    const MOST: usize = 2 * CHUNK;

    fn weight(&self) -> usize {
        /// What a row takes beside its contents. Also keeps the number of rows in bounds.
        const ROW: usize = 4 * 1024;
        let contents = |queued: &NewQueued| -> usize {
            queued.sealed_body.len()
                + queued.deliveries.iter().map(|row| row.sealed.len() + ROW).sum::<usize>()
        };
        self.0.iter().map(|queued| contents(queued) + ROW).sum()
    }

    fn line(store: &Store) -> &Line<Self> {
        &store.lines().wanted
    }

    async fn carry(store: &Store, wanted: Vec<Self>) -> Vec<Self::Answer> {
        let counts: Vec<_> = wanted.iter().map(|wanted| wanted.0.len()).collect();
        let queued: Vec<_> = wanted.into_iter().flat_map(|wanted| wanted.0).collect();
        match commit(store, &queued).await {
            Ok(enqueued) => shared_out(enqueued, &counts),
            Err(error) if counts.len() == 1 || matches!(error, StoreError::Unavailable(_)) => {
                counts.iter().map(|_| Err(error.clone())).collect()
            }
            Err(_) => commit_each(store, &queued, &counts).await,
        }
    }
}

/// To each as many as it wanted.
fn shared_out(enqueued: Vec<Enqueued>, counts: &[usize]) -> Vec<Result<Vec<Enqueued>, StoreError>> {
    let mut enqueued = enqueued.into_iter();
    counts.iter().map(|count| Ok(enqueued.by_ref().take(*count).collect())).collect()
}

/// One of them cannot be written; the others must not suffer for it.
async fn commit_each(
    store: &Store,
    queued: &[NewQueued],
    counts: &[usize],
) -> Vec<Result<Vec<Enqueued>, StoreError>> {
    let (mut answers, mut rest) = (Vec::with_capacity(counts.len()), queued);
    for count in counts {
        let (wanted, others) = rest.split_at((*count).min(rest.len()));
        answers.push(commit(store, wanted).await);
        rest = others;
    }
    answers
}

async fn commit(store: &Store, queued: &[NewQueued]) -> Result<Vec<Enqueued>, StoreError> {
    Ok(transact!(store, tx => enqueue(tx, queued)).await?)
}

async fn insert_body(tx: &mut Transaction, queued: &NewQueued) -> Result<i64, Fault> {
    if queued.deliveries.is_empty() {
        return Err(StoreError::Bug(format!("{} has no deliveries", queued.transaction)).into());
    }
    let sealed = queued.sealed_body.as_slice();
    let (first, rest) = sealed.split_at(sealed.len().min(CHUNK));
    let chunks = i64::try_from(rest.len().div_ceil(CHUNK)).unwrap_or(i64::MAX);
    let message = tx.execute(&statements::INSERT_MESSAGE, values![chunks, first]).await?;
    for (number, chunk) in (1_i64..).zip(rest.chunks(CHUNK)) {
        tx.execute(&statements::INSERT_CHUNK, values![message, number, chunk]).await?;
    }
    Ok(message)
}

/// Writes the deliveries; returns their ids by their messages, in their order.
async fn insert_deliveries(
    tx: &mut Transaction,
    queued: &[NewQueued],
    messages: &[i64],
) -> Result<HashMap<i64, Vec<DeliveryId>>, Fault> {
    let rows: Vec<_> = queued.iter().zip(messages).flat_map(|(queued, id)| rows_of(queued, *id)).collect();
    let mut last = 0;
    for rows in chunks_by_size(&rows) {
        last = sets::insert(tx, &statements::INSERT_DELIVERIES, rows, DeliveryRow::values).await?;
    }
    if let [row] = rows.as_slice() {
        return Ok(HashMap::from([(row.message, vec![DeliveryId(last)])]));
    }
    let mut places: Vec<PlaceRow> = sets::all(tx, &statements::PLACES_LEFT, &[], messages).await?;
    // Ids grow from row to row, also within a statement.
    places.sort_unstable_by_key(|row| row.id);
    let mut deliveries: HashMap<_, Vec<_>> = HashMap::with_capacity(messages.len());
    for row in places {
        deliveries.entry(row.message_id).or_default().push(DeliveryId(row.id));
    }
    Ok(deliveries)
}

/// A delivery to be written.
struct DeliveryRow<'a> {
    message: i64,
    transaction: [u8; 16],
    queued: &'a NewQueued,
    delivery: &'a NewDelivery,
}

fn rows_of(queued: &NewQueued, message: i64) -> impl Iterator<Item = DeliveryRow<'_>> {
    let transaction = queued.transaction.to_bytes();
    queued.deliveries.iter().map(move |delivery| DeliveryRow { message, transaction, queued, delivery })
}

impl DeliveryRow<'_> {
    fn values(&self) -> [Value<'_>; 17] {
        let Self { message, transaction, queued, delivery } = self;
        let (standing, uncertain) = to_columns(delivery.state);
        [
            Value::from(*message),
            Value::from(&transaction[..]),
            Value::from(delivery.alias.map(|id| id.0)),
            Value::from(i64::from(delivery.recipient)),
            Value::from(delivery.accepted),
            Value::from(delivery.blamed),
            Value::from(delivery.site),
            Value::from(standing.word()),
            Value::from(uncertain),
            Value::from(delivery.owner.map(|node| node.0)),
            Value::from(i64::from(delivery.attempts)),
            Value::from(delivery.next_attempt_at.as_millis()),
            Value::from(queued.created_at.as_millis()),
            Value::from(delivery.expires_at.as_millis()),
            Value::from(i64::try_from(queued.size).unwrap_or(i64::MAX)),
            Value::from(delivery.sealed_reply.as_deref()),
            Value::from(&*delivery.sealed),
        ]
    }
}

/// The rows in pieces that pass every server, as those of a body do; a row that is larger goes alone.
fn chunks_by_size<'r, 'q>(rows: &'r [DeliveryRow<'q>]) -> impl Iterator<Item = &'r [DeliveryRow<'q>]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut size = 0;
        let fitting = rest.iter().take_while(|row| {
            size += row.delivery.sealed.len() + row.delivery.sealed_reply.as_ref().map_or(0, Vec::len);
            size <= CHUNK
        });
        let (chunk, others) = rest.split_at(fitting.count().max(1).min(rest.len()));
        rest = others;
        (!chunk.is_empty()).then_some(chunk)
    })
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

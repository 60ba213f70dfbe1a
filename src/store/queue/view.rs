//! Looking at the queue.

use super::super::contract::StoreError;
use super::super::engine::values;
use super::enqueue::CHUNK;
use super::rows::{ChunkRow, ListedRow, MessageRow};
use super::{Store, statements};
use crate::mail::Timestamp;
use crate::queue::spool::{BodyId, DeliveryId, Listed};

/// Rows of one page at most.
const LARGEST_PAGE: u32 = 1000;

/// A page by id.
pub(super) async fn list(
    store: &Store,
    now: Timestamp,
    after: Option<DeliveryId>,
    limit: u32,
) -> Result<Vec<Listed>, StoreError> {
    let after = after.map_or(0, |id| id.0);
    let limit = i64::from(limit.min(LARGEST_PAGE));
    let rows: Vec<ListedRow> =
        store.engine().all(&statements::LIST_DELIVERIES, values![after, limit]).await?;
    rows.into_iter().map(|row| row.into_listed(now)).collect()
}

/// One row.
pub(super) async fn show(
    store: &Store,
    now: Timestamp,
    id: DeliveryId,
) -> Result<Option<Listed>, StoreError> {
    let row: Option<ListedRow> = store.engine().one(&statements::SHOW_DELIVERY, values![id.0]).await?;
    row.map(|row| row.into_listed(now)).transpose()
}

/// A sealed body, put together from its pieces. The pieces are read one by one, so that a long body is in memory once.
/// When one is missing the body was removed meanwhile, or it is damaged: then what there is does not open.
pub(super) async fn body(store: &Store, id: BodyId) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(first) = first_piece(store, id).await? else { return Ok(None) };
    let mut body = first.content;
    body.reserve_exact(usize::try_from(first.chunks).unwrap_or_default().min(1 << 12) * CHUNK);
    for number in 1..=first.chunks {
        let chunk: Option<ChunkRow> = store.engine().one(&statements::CHUNK, values![id.0, number]).await?;
        let Some(chunk) = chunk else {
            return Ok(first_piece(store, id).await?.map(|_| body));
        };
        body.extend_from_slice(&chunk.content);
    }
    Ok(Some(body))
}

async fn first_piece(store: &Store, id: BodyId) -> Result<Option<MessageRow>, StoreError> {
    store.engine().one(&statements::MESSAGE, values![id.0]).await
}

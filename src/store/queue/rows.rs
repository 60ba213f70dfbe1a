//! Rows of the queue's tables, and what they mean.

use sqlx::FromRow;

use super::super::contract::StoreError;
use super::super::rows::{Word, damaged};
use super::digests::Note;
use crate::mail::Timestamp;
use crate::queue::spool::{BodyId, Claimed, DeliveryId, Listed, State, TransactionDigest};
use crate::relay::transaction::TransactionId;

const DELIVERIES: &str = "queue_deliveries";

/// The column `state`. That an attempt is uncertain stands in a column of its own, so that a row which is held meanwhile
/// does not lose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Waiting,
    Held,
    Damaged,
}

impl Word for Standing {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Waiting, "waiting"), (Self::Held, "held"), (Self::Damaged, "damaged")];
}

/// The two columns that a state is.
pub(super) fn to_columns(state: State) -> (Standing, bool) {
    match state {
        State::Deferred => (Standing::Waiting, false),
        State::Uncertain => (Standing::Waiting, true),
        State::Held => (Standing::Held, false),
        State::Damaged => (Standing::Damaged, false),
    }
}

fn from_columns(standing: Standing, uncertain: bool) -> State {
    match (standing, uncertain) {
        (Standing::Waiting, false) => State::Deferred,
        (Standing::Waiting, true) => State::Uncertain,
        (Standing::Held, _) => State::Held,
        (Standing::Damaged, _) => State::Damaged,
    }
}

pub(super) fn transaction(bytes: &[u8], table: &str, id: i64) -> Result<TransactionId, StoreError> {
    let bytes = <[u8; 16]>::try_from(bytes);
    bytes.map(TransactionId::from_bytes).map_err(|_| damaged(table, id, "its transaction id is none"))
}

fn attempts(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

fn size(octets: i64) -> u64 {
    u64::try_from(octets).unwrap_or_default()
}

/// A row that was claimed.
#[derive(Debug, FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "columns")]
pub(super) struct ClaimedRow {
    pub(super) id: i64,
    message_id: i64,
    transaction_id: Vec<u8>,
    sealed: Vec<u8>,
    site: i64,
    pub(super) attempts: i64,
    created_at: i64,
    expires_at: i64,
    delay_reported: bool,
    accepted: bool,
    blamed: bool,
    urgent: bool,
    size: i64,
}

impl TryFrom<ClaimedRow> for Claimed {
    type Error = StoreError;
    fn try_from(row: ClaimedRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: DeliveryId(row.id),
            body: BodyId(row.message_id),
            transaction: transaction(&row.transaction_id, DELIVERIES, row.id)?,
            sealed: row.sealed,
            site: row.site,
            attempts: attempts(row.attempts),
            created_at: Timestamp::from_millis(row.created_at),
            expires_at: Timestamp::from_millis(row.expires_at),
            delay_reported: row.delay_reported,
            accepted: row.accepted,
            blamed: row.blamed,
            urgent: row.urgent,
            size: size(row.size),
        })
    }
}

/// To which message and recipient a row belongs.
#[derive(Debug, FromRow)]
pub(super) struct PlaceRow {
    pub(super) id: i64,
    pub(super) message_id: i64,
    pub(super) recipient: i64,
    pub(super) accepted: bool,
}

impl PlaceRow {
    /// Message and recipient: the same for all deliveries of one recipient.
    pub(super) fn place(&self) -> (i64, i64) {
        (self.message_id, self.recipient)
    }
}

/// What decides whether the sender is told of a delivery.
#[derive(Debug, FromRow)]
pub(super) struct OwnedRow {
    pub(super) message_id: i64,
    pub(super) recipient: i64,
    pub(super) accepted: bool,
    pub(super) delay_reported: bool,
}

/// A row as an admin sees it.
#[derive(Debug, FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "columns")]
pub(super) struct ListedRow {
    id: i64,
    transaction_id: Vec<u8>,
    sealed: Vec<u8>,
    sealed_reply: Option<Vec<u8>>,
    state: String,
    uncertain: bool,
    owner: Option<i64>,
    attempts: i64,
    next_attempt_at: i64,
    size: i64,
    created_at: i64,
    expires_at: i64,
    delay_reported: bool,
    accepted: bool,
    blamed: bool,
}

impl ListedRow {
    pub(super) fn into_listed(self, now: Timestamp) -> Result<Listed, StoreError> {
        let standing = Standing::from_word(&self.state, DELIVERIES, self.id)?;
        Ok(Listed {
            id: DeliveryId(self.id),
            transaction: transaction(&self.transaction_id, DELIVERIES, self.id)?,
            sealed: self.sealed,
            sealed_reply: self.sealed_reply,
            state: from_columns(standing, self.uncertain),
            in_flight: self.owner.is_some() && self.next_attempt_at > now.as_millis(),
            attempts: attempts(self.attempts),
            next_attempt_at: Timestamp::from_millis(self.next_attempt_at),
            size: size(self.size),
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: Timestamp::from_millis(self.expires_at),
            delay_reported: self.delay_reported,
            accepted: self.accepted,
            blamed: self.blamed,
        })
    }
}

/// The first piece of a body, and how many follow.
#[derive(Debug, FromRow)]
pub(super) struct MessageRow {
    pub(super) chunks: i64,
    pub(super) content: Vec<u8>,
}

/// A further piece of a body.
#[derive(Debug, FromRow)]
pub(super) struct ChunkRow {
    pub(super) content: Vec<u8>,
}

/// A time.
#[derive(Debug, FromRow)]
pub(super) struct TimeRow {
    pub(super) at: i64,
}

/// How many rows are in one state.
#[derive(Debug, FromRow)]
pub(super) struct CountRow {
    pub(super) state: String,
    pub(super) number: i64,
    pub(super) oldest: i64,
}

/// The first and the last of some ids; of none there is neither.
#[derive(Debug, FromRow)]
pub(super) struct StretchRow {
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
}

/// A transaction that was accepted.
#[derive(Debug, FromRow)]
pub(super) struct SeenRow {
    digest: Vec<u8>,
    transaction_id: Vec<u8>,
    created_at: i64,
}

impl SeenRow {
    pub(super) fn into_note(self) -> Result<(TransactionDigest, Note), StoreError> {
        const TABLE: &str = "transactions";
        let digest = self.digest.try_into().map_err(|_| damaged(TABLE, 0, "its digest is none"))?;
        let transaction = transaction(&self.transaction_id, TABLE, 0)?;
        Ok((digest, Note { transaction, at: Timestamp::from_millis(self.created_at) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_the_columns() {
        for state in [State::Deferred, State::Uncertain, State::Held, State::Damaged] {
            let (standing, uncertain) = to_columns(state);
            assert!(standing.word().len() <= 16);
            let again = Standing::from_word(standing.word(), DELIVERIES, 1).unwrap();
            assert_eq!(from_columns(again, uncertain), state);
        }
    }

    #[test]
    fn a_row_that_means_nothing_is_named() {
        let error = transaction(&[1; 15], DELIVERIES, 42).unwrap_err();
        assert!(error.to_string().contains("row 42 of queue_deliveries"), "{error}");
    }
}

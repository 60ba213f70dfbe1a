//! Whether a transaction was accepted before: asked for every message, and mostly answered with no. Questions that come at
//! once go together (`together`).

use std::collections::HashMap;

use super::super::contract::StoreError;
use super::super::engine::Value;
use super::super::statements::MANY;
use super::digests::Note;
use super::rows::SeenRow;
use super::together::{Joint, Line, ask};
use super::{Store, sets, statements, unanswered};
use crate::mail::Timestamp;
use crate::queue::spool::TransactionDigest;
use crate::relay::transaction::TransactionId;

/// The transaction that was accepted under this digest since `since`, whichever node accepted it.
pub(super) async fn seen(
    store: &Store,
    digest: &TransactionDigest,
    since: Timestamp,
) -> Result<Option<TransactionId>, StoreError> {
    let recent = |note: &Note| note.at >= since;
    let note = match store.notes().get(digest).filter(recent) {
        Some(note) => Some(note),
        None => ask(store, Question(*digest)).await.unwrap_or_else(|| Err(unanswered()))?,
    };
    Ok(note.filter(recent).map(|note| note.transaction))
}

/// What is known of a digest?
pub(in super::super) struct Question(TransactionDigest);

impl Joint for Question {
    type Answer = Result<Option<Note>, StoreError>;

    const MOST: usize = MANY;

    fn weight(&self) -> usize {
        1
    }

    fn line(store: &Store) -> &Line<Self> {
        &store.lines().questions
    }

    async fn carry(store: &Store, questions: Vec<Self>) -> Vec<Self::Answer> {
        let found = find(store, &questions).await;
        let answer = |Question(digest): Question| match &found {
            Ok(found) => Ok(found.get(&digest).copied()),
            Err(error) => Err(error.clone()),
        };
        questions.into_iter().map(answer).collect()
    }
}

async fn find(store: &Store, questions: &[Question]) -> Result<HashMap<TransactionDigest, Note>, StoreError> {
    let (sql, places) = statements::SEEN.for_keys(questions.len());
    let values: Vec<_> =
        sets::filled(questions, places).map(|question| Value::from(&question.0[..])).collect();
    let rows: Vec<SeenRow> = store.engine().all(sql, &values).await?;
    rows.into_iter().map(SeenRow::into_note).collect()
}

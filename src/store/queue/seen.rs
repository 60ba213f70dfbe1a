//! Whether a transaction was accepted before: asked for every message, and mostly answered with no.
//!
//! Questions that come while a query is under way are collected, and go together in the next one. One that comes alone is
//! asked at once. So no question waits for company, and a hundred connections cost the database as many queries as it
//! has time for.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::super::contract::StoreError;
use super::super::engine::Value;
use super::super::statements::MANY;
use super::digests::Note;
use super::rows::SeenRow;
use super::{Store, sets, statements};
use crate::mail::Timestamp;
use crate::queue::spool::TransactionDigest;
use crate::relay::transaction::TransactionId;

type Answer = Result<Option<Note>, StoreError>;

/// The questions that wait for the next query.
#[derive(Default)]
pub(in super::super) struct Questions(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    questions: Vec<Question>,
    /// A task is asking, and looks for more when it is done.
    asking: bool,
}

struct Question {
    digest: TransactionDigest,
    answer: oneshot::Sender<Answer>,
}

impl Questions {
    /// Puts a question into the line. True when somebody must begin to ask.
    fn put(&self, question: Question) -> bool {
        let mut waiting = self.0.lock();
        waiting.questions.push(question);
        !std::mem::replace(&mut waiting.asking, true)
    }

    /// What goes into one query; none when nobody waits, and then the next question needs somebody to ask it.
    fn take(&self) -> Option<Vec<Question>> {
        let mut waiting = self.0.lock();
        let count = waiting.questions.len().min(MANY);
        waiting.asking = count > 0;
        waiting.asking.then(|| waiting.questions.drain(..count).collect())
    }
}

/// The transaction that was accepted under this digest since `since`, whichever node accepted it.
pub(super) async fn seen(
    store: &Store,
    digest: &TransactionDigest,
    since: Timestamp,
) -> Result<Option<TransactionId>, StoreError> {
    let note = match store.notes().get(digest).filter(|note| note.at >= since) {
        Some(note) => Some(note),
        None => ask(store, digest).await?,
    };
    Ok(note.filter(|note| note.at >= since).map(|note| note.transaction))
}

async fn ask(store: &Store, digest: &TransactionDigest) -> Answer {
    let (answer, answered) = oneshot::channel();
    if store.questions().put(Question { digest: *digest, answer }) {
        // A task of its own: whoever asked first may be dropped, and the others still wait.
        tokio::spawn(ask_all(store.clone()));
    }
    answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("nobody asked the database".to_owned())))
}

async fn ask_all(store: Store) {
    while let Some(questions) = store.questions().take() {
        let found = find(&store, &questions).await;
        for Question { digest, answer } in questions {
            // Who does not listen any more has no use for it.
            let _ =
                answer.send(found.as_ref().map(|found| found.get(&digest).copied()).map_err(Clone::clone));
        }
    }
}

async fn find(store: &Store, questions: &[Question]) -> Result<HashMap<TransactionDigest, Note>, StoreError> {
    let (sql, places) = statements::SEEN.for_keys(questions.len());
    let values: Vec<_> =
        sets::filled(questions, places).map(|question| Value::from(&question.digest[..])).collect();
    let rows: Vec<SeenRow> = store.engine().all(sql, &values).await?;
    rows.into_iter().map(SeenRow::into_note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(questions: &Questions, number: u8) -> bool {
        questions.put(Question { digest: [number; 32], answer: oneshot::channel().0 })
    }

    fn take(questions: &Questions) -> Option<Vec<u8>> {
        let taken = questions.take()?;
        Some(taken.iter().map(|question| question.digest[0]).collect())
    }

    #[test]
    fn one_asks_at_a_time_and_takes_along_who_came_meanwhile() {
        let questions = Questions::default();
        assert!(put(&questions, 1), "nobody asks yet");
        assert_eq!(take(&questions), Some(vec![1]), "one alone waits for nobody");
        assert!(!put(&questions, 2) && !put(&questions, 3));
        assert_eq!(take(&questions), Some(vec![2, 3]));
        assert_eq!(take(&questions), None);
        assert!(put(&questions, 4), "nobody asks any more");
    }

    #[test]
    fn a_query_has_room_for_so_many() {
        let questions = Questions::default();
        for number in 0..=MANY {
            put(&questions, u8::try_from(number).unwrap());
        }
        assert_eq!(take(&questions).map(|taken| taken.len()), Some(MANY));
        assert_eq!(take(&questions).map(|taken| taken.len()), Some(1));
    }
}

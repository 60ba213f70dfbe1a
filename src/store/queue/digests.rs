//! Which transactions were accepted (RFC 1047). One that was queued is remembered with its rows; one that left nothing to
//! do is noted in memory and written within a second, together with others.
//!
//! A node that is killed forgets what it noted in its last second. A sender that repeats a message of that second delivers
//! it twice; nothing is lost.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::super::contract::{Fault, StoreError};
use super::super::engine::{Transaction, Value, values};
use super::{Store, sets, statements};
use crate::mail::Timestamp;
use crate::queue::spool::TransactionDigest;
use crate::relay::transaction::TransactionId;

/// How often notes are written.
pub(in super::super) const INTERVAL: Duration = Duration::from_secs(1);
/// So many are written before their time.
const FULL: usize = 4096;
/// So many are remembered while the database is away; what comes on top is not noted.
const MOST: usize = 65_536;
/// Notes written in one transaction.
const BATCH: usize = 500;
/// Rows forgotten in one transaction.
const FORGOTTEN: i64 = 1000;

/// What is noted of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) transaction: TransactionId,
    pub(super) at: Timestamp,
}

type Batch = HashMap<TransactionDigest, Note>;

/// What was noted and not written yet.
#[derive(Default)]
pub(in super::super) struct Notes {
    held: Mutex<Held>,
    full: Notify,
}

#[derive(Default)]
struct Held {
    pending: Batch,
    /// Is being written; still known from here until it is in the table.
    writing: Batch,
}

impl Notes {
    pub(super) fn put(&self, digest: TransactionDigest, transaction: TransactionId, at: Timestamp) {
        let mut held = self.held.lock();
        if held.pending.len() + held.writing.len() >= MOST {
            return;
        }
        held.pending.insert(digest, Note { transaction, at });
        if held.pending.len() == FULL {
            self.full.notify_one();
        }
    }

    pub(super) fn get(&self, digest: &TransactionDigest) -> Option<Note> {
        let held = self.held.lock();
        held.pending.get(digest).or_else(|| held.writing.get(digest)).copied()
    }

    /// Waits until so much was noted that it should be written now.
    pub(in super::super) async fn full(&self) {
        self.full.notified().await;
    }

    /// All that is to be written, in the order of the digests, so that two nodes lock rows in the same order. What a
    /// flush took and did not end is among it.
    fn take(&self) -> Vec<(TransactionDigest, Note)> {
        let mut held = self.held.lock();
        let Held { pending, writing } = &mut *held;
        writing.extend(pending.drain());
        let mut taken: Vec<_> = writing.iter().map(|(digest, note)| (*digest, *note)).collect();
        taken.sort_unstable_by_key(|(digest, _)| *digest);
        taken
    }

    /// These are in the table.
    fn written(&self, notes: &[(TransactionDigest, Note)]) {
        let mut held = self.held.lock();
        for (digest, _) in notes {
            held.writing.remove(digest);
        }
    }
}

/// Writes what was noted; what cannot be written stays noted.
pub(in super::super) async fn flush(store: &Store) -> Result<(), StoreError> {
    for batch in store.notes().take().chunks(BATCH) {
        transact!(store, tx => write(tx, batch)).await?;
        store.notes().written(batch);
    }
    Ok(())
}

/// Writes notes into the table; they are in the order of their digests.
pub(super) async fn write(tx: &mut Transaction, notes: &[(TransactionDigest, Note)]) -> Result<(), Fault> {
    let rows: Vec<_> = notes
        .iter()
        .map(|(digest, note)| (digest, note.transaction.to_bytes(), note.at.as_millis()))
        .collect();
    sets::insert(tx, &statements::REMEMBER, &rows, |(digest, id, at)| {
        [Value::from(&digest[..]), Value::from(&id[..]), Value::from(*at)]
    })
    .await?;
    Ok(())
}

/// Writes a note and deletes it. Both reach the log on the disk, so a full disk and a database that is read-only show.
pub(super) async fn probe(tx: &mut Transaction) -> Result<(), Fault> {
    /// Nothing has this digest.
    const NOBODY: TransactionDigest = [0; 32];
    let note = Note { transaction: TransactionId::from_bytes([0; 16]), at: Timestamp::EPOCH };
    write(tx, &[(NOBODY, note)]).await?;
    tx.execute(&statements::FORGET_ONE, values![&NOBODY[..]]).await?;
    Ok(())
}

/// Deletes what is older than `before`, a batch at a time.
pub(super) async fn forget(store: &Store, before: Timestamp) -> Result<(), StoreError> {
    while transact!(store, tx => forget_some(tx, before)).await? == FORGOTTEN.unsigned_abs() {}
    Ok(())
}

async fn forget_some(tx: &mut Transaction, before: Timestamp) -> Result<u64, Fault> {
    Ok(tx.change(&statements::FORGET, values![before.as_millis(), FORGOTTEN]).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> TransactionDigest {
        let mut digest = [0; 32];
        digest[24..].copy_from_slice(&(number as u64).to_be_bytes());
        digest
    }

    fn note(notes: &Notes, number: usize) {
        notes.put(digest(number), TransactionId::from_bytes([1; 16]), Timestamp::EPOCH);
    }

    #[test]
    fn a_note_is_known_until_it_is_in_the_table() {
        let notes = Notes::default();
        note(&notes, 2);
        note(&notes, 1);
        let taken = notes.take();
        assert_eq!(taken.iter().map(|(digest, _)| *digest).collect::<Vec<_>>(), [digest(1), digest(2)]);
        assert!(notes.get(&digest(1)).is_some(), "it is being written");
        notes.written(&taken[..1]);
        assert!(notes.get(&digest(1)).is_none());
        assert_eq!(notes.take(), taken[1..], "what was not written is taken again");
    }

    #[test]
    fn memory_is_bounded() {
        let notes = Notes::default();
        for number in 0..=MOST {
            note(&notes, number);
        }
        assert!(notes.get(&digest(MOST - 1)).is_some());
        assert!(notes.get(&digest(MOST)).is_none());
        assert_eq!(notes.take().len(), MOST);
    }
}

//! What is already delivered of a transaction that was answered 451 because the rest of it could not be committed.
//!
//! The sender tries such a transaction again as a whole; this memory keeps the parts that have arrived from arriving
//! twice. It is bounded, forgets a transaction when it is concluded or after a day, and does not outlive the process: it
//! prevents duplicates, it is not what keeps mail from being lost.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest;
use parking_lot::Mutex;

use crate::mail::{Address, Message, Timestamp};
use crate::smtp::ReversePath;

/// Transactions that are remembered at most; beyond it the oldest is forgotten.
const MOST: usize = 10_000;
const KEPT_MILLIS: i64 = 24 * 3_600_000;

/// Transactions of which some deliveries need not be made again.
#[derive(Debug, Default)]
pub(super) struct PartlyDelivered(Mutex<HashMap<Fingerprint, Parts>>);

/// A delivery of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Part {
    /// The recipient as the sender wrote it.
    pub(super) named: Address,
    /// The mailbox or the contact.
    pub(super) to: Address,
}

/// The deliveries of one transaction that were made.
#[derive(Debug)]
struct Parts {
    since: Timestamp,
    arrived: HashSet<Part>,
}

/// What an earlier attempt of this transaction has delivered.
#[derive(Debug, Default)]
pub(super) struct Earlier(HashSet<Part>);

impl Earlier {
    /// Whether this delivery was made.
    pub(super) fn has(&self, part: &Part) -> bool {
        self.0.contains(part)
    }
}

impl PartlyDelivered {
    /// What is remembered of this transaction. While nothing is remembered at all, which is nearly always, the message is
    /// not hashed.
    pub(super) fn earlier(&self, from: &ReversePath, message: &Message) -> Earlier {
        if self.0.lock().is_empty() {
            return Earlier::default();
        }
        let transaction = Fingerprint::of(from, message);
        let known = self.0.lock().get(&transaction).map(|parts| parts.arrived.clone());
        Earlier(known.unwrap_or_default())
    }

    /// The sender was asked to come again: remembers the parts that have arrived.
    pub(super) fn remember(
        &self,
        from: &ReversePath,
        message: &Message,
        now: Timestamp,
        arrived: impl IntoIterator<Item = Part>,
    ) {
        let arrived: HashSet<_> = arrived.into_iter().collect();
        if arrived.is_empty() {
            return;
        }
        let transaction = Fingerprint::of(from, message);
        let mut known = self.0.lock();
        make_room(&mut known, now);
        known
            .entry(transaction)
            .or_insert_with(|| Parts { since: now, arrived: HashSet::new() })
            .arrived
            .extend(arrived);
    }

    /// The sender has its answer and will not come again: a message that looks the same is another one.
    pub(super) fn forget(&self, from: &ReversePath, message: &Message) {
        if !self.0.lock().is_empty() {
            let transaction = Fingerprint::of(from, message);
            self.0.lock().remove(&transaction);
        }
    }
}

fn make_room(known: &mut HashMap<Fingerprint, Parts>, now: Timestamp) {
    known.retain(|_, parts| now.as_millis() - parts.since.as_millis() < KEPT_MILLIS);
    if known.len() >= MOST
        && let Some(oldest) = known.iter().min_by_key(|(_, parts)| parts.since).map(|(key, _)| key.clone())
    {
        known.remove(&oldest);
    }
}

/// What makes two attempts the same transaction: the envelope sender and every byte but the `Received` fields, which an
/// attempt may add.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(from: &ReversePath, message: &Message) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        if let ReversePath::Address(address) = from {
            hash.update(address.as_normal().as_bytes());
        }
        hash.update(b"\0");
        for field in message.fields().iter().filter(|field| !message.is(field, "Received")) {
            hash.update(message.raw_field(field));
        }
        hash.update(b"\0");
        hash.update(&message.body());
        let mut key = [0; 32];
        key.copy_from_slice(hash.finish().as_ref());
        Self(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn message(raw: &'static str) -> Message {
        Message::parse(Bytes::from_static(raw.as_bytes()))
    }

    const FROM: ReversePath = ReversePath::Null;
    const NOW: Timestamp = Timestamp::EPOCH;

    #[test]
    fn what_was_delivered_is_known_until_the_transaction_is_concluded() {
        let memory = PartlyDelivered::default();
        let letter = message("Subject: a\r\n\r\nHi\r\n");
        let part = |to| Part { named: address("a@example.com"), to: address(to) };
        let (me, you) = (part("me@example.net"), part("you@example.net"));
        assert!(!memory.earlier(&FROM, &letter).has(&me));

        memory.remember(&FROM, &letter, NOW, [me.clone()]);
        let again = message("Received: again\r\nSubject: a\r\n\r\nHi\r\n");
        assert!(memory.earlier(&FROM, &again).has(&me));
        assert!(!memory.earlier(&FROM, &again).has(&you));

        memory.forget(&FROM, &again);
        assert!(!memory.earlier(&FROM, &letter).has(&me));
    }

    #[test]
    fn another_subject_or_body_is_another_message() {
        let first = Fingerprint::of(&FROM, &message("Subject: a\r\n\r\nHi\r\n"));
        for other in ["Subject: b\r\n\r\nHi\r\n", "Subject: a\r\n\r\nHo\r\n", "Subject: a\r\nHi\r\n"] {
            assert_ne!(first, Fingerprint::of(&FROM, &message(other)), "{other}");
        }
    }

    #[test]
    fn it_is_bounded_and_forgets_after_a_day() {
        let memory = PartlyDelivered::default();
        let letter = |n: usize| Message::parse(Bytes::from(format!("Subject: {n}\r\n\r\n")));
        let part = || [Part { named: address("a@example.com"), to: address("me@example.net") }];
        for n in 0..=MOST {
            let now = Timestamp::from_millis(n as i64);
            memory.remember(&FROM, &letter(n), now, part());
        }
        assert_eq!(memory.0.lock().len(), MOST);
        memory.remember(&FROM, &letter(0), Timestamp::from_millis(2 * KEPT_MILLIS), part());
        assert_eq!(memory.0.lock().len(), 1);
    }
}

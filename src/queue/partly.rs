//! What is already delivered of a transaction that was answered 451 because another part of it was undecided.
//!
//! The sender tries such a transaction again as a whole; this memory keeps the parts that have arrived from arriving
//! twice. It is bounded and forgets after a day, and it does not outlive the process: it prevents duplicates, it is
//! not what keeps mail from being lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::digest;
use moka::sync::Cache;

use crate::mail::{Address, Message};
use crate::smtp::ReversePath;

const ENTRIES: u64 = 100_000;
const KEPT: Duration = Duration::from_hours(24);

type Key = [u8; 32];

/// Deliveries that need not be made again.
#[derive(Debug)]
pub struct PartlyDelivered {
    entries: Cache<Key, ()>,
    /// Whether anything was ever remembered: while not, no message needs to be hashed.
    used: AtomicBool,
}

impl PartlyDelivered {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let entries = Cache::builder().max_capacity(ENTRIES).time_to_live(KEPT).build();
        Self { entries, used: AtomicBool::new(false) }
    }

    /// The identity of a transaction for this memory; `None` while the memory is empty.
    #[must_use]
    pub fn fingerprint_if_used(&self, from: &ReversePath, message: &Message) -> Option<Fingerprint> {
        self.used.load(Ordering::Relaxed).then(|| Fingerprint::of(from, message))
    }

    /// Whether this delivery of the transaction was made in an earlier attempt.
    #[must_use]
    pub fn contains(&self, transaction: &Fingerprint, alias: &Address, to: &Address) -> bool {
        self.entries.contains_key(&transaction.delivery(alias, to))
    }

    /// Remembers that this delivery of the transaction was made.
    pub fn remember(&self, transaction: &Fingerprint, alias: &Address, to: &Address) {
        self.used.store(true, Ordering::Relaxed);
        self.entries.insert(transaction.delivery(alias, to), ());
    }
}

impl Default for PartlyDelivered {
    fn default() -> Self {
        Self::new()
    }
}

/// What makes two transactions the same: envelope sender, `Message-ID`, `Date` and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(Key);

impl Fingerprint {
    /// Hashes the whole body: for the rare transaction that needs it.
    #[must_use]
    pub fn of(from: &ReversePath, message: &Message) -> Self {
        let mut hash = Hash::new();
        match from {
            ReversePath::Null => hash.part(b""),
            ReversePath::Address(address) => hash.part(address.as_normal().as_bytes()),
        }
        for name in ["Message-ID", "Date"] {
            let value = message.named(name).next().map(|(_, field)| message.value(field));
            hash.part(value.unwrap_or_default());
        }
        hash.part(&message.body());
        Self(hash.finish())
    }

    fn delivery(&self, alias: &Address, to: &Address) -> Key {
        let mut hash = Hash::new();
        hash.part(&self.0);
        hash.part(alias.as_normal().as_bytes());
        hash.part(to.as_normal().as_bytes());
        hash.finish()
    }
}

/// SHA-256 over parts with their lengths, so that no two lists of parts read the same.
struct Hash(digest::Context);

impl Hash {
    fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&bytes.len().to_be_bytes());
        self.0.update(bytes);
    }

    fn finish(self) -> Key {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.finish().as_ref());
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn fingerprint(raw: &'static str) -> Fingerprint {
        Fingerprint::of(&ReversePath::Null, &Message::parse(Bytes::from_static(raw.as_bytes())))
    }

    #[test]
    fn what_was_delivered_is_known_when_it_comes_again() {
        let memory = PartlyDelivered::new();
        let message = Message::parse(Bytes::from_static(b"Message-ID: <1@example.org>\r\n\r\nHi\r\n"));
        assert_eq!(memory.fingerprint_if_used(&ReversePath::Null, &message), None);

        let (alias, me, you) =
            (address("a@example.com"), address("me@example.net"), address("you@example.net"));
        let id = Fingerprint::of(&ReversePath::Null, &message);
        memory.remember(&id, &alias, &me);
        assert_eq!(memory.fingerprint_if_used(&ReversePath::Null, &message), Some(id.clone()));
        assert!(memory.contains(&id, &alias, &me));
        assert!(!memory.contains(&id, &alias, &you));
    }

    #[test]
    fn another_body_date_or_id_is_another_message() {
        let first = fingerprint("Message-ID: <1@example.org>\r\nDate: x\r\n\r\nHi\r\n");
        for other in [
            "Message-ID: <2@example.org>\r\nDate: x\r\n\r\nHi\r\n",
            "Message-ID: <1@example.org>\r\nDate: y\r\n\r\nHi\r\n",
            "Message-ID: <1@example.org>\r\nDate: x\r\n\r\nHo\r\n",
        ] {
            assert_ne!(first, fingerprint(other));
        }
        assert_eq!(
            first,
            fingerprint("Received: again\r\nMessage-ID: <1@example.org>\r\nDate: x\r\n\r\nHi\r\n")
        );
    }
}

//! Knowing a transaction that comes again (RFC 1047): a sender that did not hear our 250 sends the message once more.
//!
//! Two transactions are the same when envelope, `Message-ID`, `Date`, `From`, `Subject` and body are the same: the author and
//! the subject so that nobody who knows the rest can have a message taken for another one. A message without `Message-ID`
//! or `Date` is never taken for a repetition: a device that reports the same thing twice means it twice.
//!
//! What was accepted within a day stands in the tables. What is being accepted right now stands here: the sender may have
//! given up waiting while we still deliver, and the second try must not overtake the first.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::hmac;
use parking_lot::Mutex;

use crate::mail::Message;
use crate::relay::transaction::TransactionId;
use crate::smtp::{ForwardPath, ReversePath};

use super::spool::TransactionDigest;

/// A repetition of a transaction is known for so long.
pub(super) const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Transactions that are being accepted.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashMap<TransactionDigest, TransactionId>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Begun<'a> {
    all: &'a UnderWay,
    digest: TransactionDigest,
}

impl UnderWay {
    /// Notes that a transaction begins.
    ///
    /// # Errors
    /// The id under which the same one is under way.
    pub(super) fn begin(
        &self,
        digest: TransactionDigest,
        id: TransactionId,
    ) -> Result<Begun<'_>, TransactionId> {
        match self.0.lock().entry(digest) {
            std::collections::hash_map::Entry::Occupied(first) => Err(*first.get()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(id);
                Ok(Begun { all: self, digest })
            }
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.digest);
    }
}

/// Under what a repetition of the transaction is known, if it can be. Keyed: nobody can try guesses at a message.
pub(super) fn digest<'a>(
    key: &hmac::Key,
    from: &ReversePath,
    recipients: impl Iterator<Item = &'a ForwardPath>,
    message: &Message,
) -> Option<TransactionDigest> {
    let fields = [only(message, "Message-ID")?, only(message, "Date")?];
    let mut recipients: Vec<_> = recipients.map(|to| to.to_string().to_lowercase()).collect();
    recipients.sort_unstable();
    let mut hash = hmac::Context::with_key(key);
    if let ReversePath::Address(address) = from {
        hash.update(address.as_normal().as_bytes());
    }
    let told = ["From", "Subject"].into_iter().flat_map(|name| message.named(name));
    let told = told.map(|(_, field)| message.raw_field(field));
    for part in recipients.iter().map(String::as_bytes).chain(fields).chain(told) {
        hash.update(b"\0");
        hash.update(part);
    }
    hash.update(b"\0\0");
    hash.update(&message.body());
    hash.sign().as_ref().try_into().ok()
}

/// The value of a field that is there once and says something.
fn only<'a>(message: &'a Message, name: &'a str) -> Option<&'a [u8]> {
    let mut fields = message.named(name);
    let (_, field) = fields.next()?;
    let value = message.value(field).trim_ascii();
    (fields.next().is_none() && !value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Address, Timestamp};
    use crate::relay::keys::Keys;
    use bytes::Bytes;

    const LETTER: &str = "Message-ID: <1@example.org>\r\nDate: today\r\nSubject: x\r\n\r\nHi\r\n";

    fn of(from: &str, to: &[&str], raw: &str) -> Option<TransactionDigest> {
        let to: Vec<_> = to.iter().map(|to| ForwardPath::Address(Address::parse(to).unwrap())).collect();
        let from = ReversePath::Address(Address::parse(from).unwrap());
        let message = Message::parse(Bytes::from(raw.to_owned()));
        digest(&Keys::derive(&[7; 32]).transactions, &from, to.iter(), &message)
    }

    #[test]
    fn the_same_transaction_has_the_same_digest() {
        let first = of("jane@example.org", &["a@example.com", "b@example.com"], LETTER).unwrap();
        let again = format!("Received: once more\r\n{LETTER}");
        assert_eq!(of("jane@EXAMPLE.org", &["B@example.com", "a@example.com"], &again), Some(first));
        for (from, to, raw) in [
            ("joe@example.org", &["a@example.com", "b@example.com"][..], LETTER.to_owned()),
            ("jane@example.org", &["a@example.com"], LETTER.to_owned()),
            ("jane@example.org", &["a@example.com", "b@example.com"], LETTER.replace("today", "now")),
            ("jane@example.org", &["a@example.com", "b@example.com"], LETTER.replace("<1@", "<2@")),
            ("jane@example.org", &["a@example.com", "b@example.com"], LETTER.replace("Hi", "Ho")),
            ("jane@example.org", &["a@example.com", "b@example.com"], LETTER.replace(": x", ": y")),
            ("jane@example.org", &["a@example.com", "b@example.com"], format!("From: joe\r\n{LETTER}")),
        ] {
            assert_ne!(of(from, to, &raw).unwrap(), first, "{from} {to:?} {raw}");
        }
    }

    #[test]
    fn a_message_that_cannot_be_told_from_another_has_none() {
        for raw in [
            LETTER.replace("Message-ID", "X-ID"),
            LETTER.replace("Date", "X-Date"),
            LETTER.replace("<1@example.org>", " "),
            format!("Message-ID: <2@example.org>\r\n{LETTER}"),
        ] {
            assert_eq!(of("jane@example.org", &["a@example.com"], &raw), None, "{raw}");
        }
    }

    #[test]
    fn what_is_under_way_is_known_until_it_ends() {
        let (all, id) = (UnderWay::default(), |n| TransactionId::new(Timestamp::EPOCH, [n; 10]));
        let first = all.begin([1; 32], id(1)).unwrap();
        assert_eq!(all.begin([1; 32], id(2)).unwrap_err(), id(1));
        assert!(all.begin([2; 32], id(3)).is_ok());
        drop(first);
        assert!(all.begin([1; 32], id(2)).is_ok());
    }
}

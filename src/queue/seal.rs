//! How mail at rest is sealed: AES-256-GCM under a key of its own for each item.
//!
//! An item's key is derived by HKDF from the queue key and 32 random octets, and seals this one item. So the nonce can be
//! constant, and no number of messages brings the queue key near the limit that random nonces have. Sealed, an item is
//!
//! ```text
//! format (1) · id of the queue key (4) · salt (32) · ciphertext · tag (16)
//! ```
//!
//! The purpose and the transaction's id are authenticated with it: a row that was moved to another transaction, or a body
//! that was put where a reply belongs, does not open. Opening answers with the content or with the damage, as a value:
//! what to do about damage is the caller's to decide.
//!
//! This does not hide how long an item is, nor how many there are.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::Bytes;

use crate::relay::keys::{QueueKey, QueueKeyId, QueueKeys};
use crate::relay::ports::Surroundings;
use crate::relay::transaction::TransactionId;

/// What the first octet says; another layout will have another.
const FORMAT: u8 = 1;
const SALT: usize = 32;
const TAG: usize = 16;
/// Format, key id and salt.
const HEADER: usize = 1 + size_of::<QueueKeyId>() + SALT;

/// Octets that sealing adds.
pub const OVERHEAD: usize = HEADER + TAG;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The body of a transaction.
    Body,
    /// Envelope and head of a delivery.
    Envelope,
    /// The last reply that a delivery got.
    Reply,
}

impl Purpose {
    /// Short names, none the beginning of another, and none ever to be used for something else.
    fn name(self) -> &'static [u8] {
        match self {
            Self::Body => b"aliasd queue body",
            Self::Envelope => b"aliasd queue envelope",
            Self::Reply => b"aliasd queue reply",
        }
    }
}

/// What opening finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// What was sealed.
    Opened(Bytes),
    /// It cannot be opened.
    Damaged(Damage),
}

/// Why an item cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is shorter than an empty item.
    #[error("it is cut off")]
    Short,
    /// This version does not know its layout.
    #[error("its format {0} is not one of this version")]
    Format(u8),
    /// It was sealed under a master key that is not here.
    #[error("the master key that it was sealed under is neither the current one nor among the older ones")]
    UnknownKey(QueueKeyId),
    /// It was changed, cut off, or belongs to another transaction or purpose.
    #[error("it was changed after it was sealed, or belongs elsewhere")]
    Forged,
}

/// Seals `content`: [`OVERHEAD`] octets longer. Reads it where it is, so a shared body costs the sealed copy and no more.
#[must_use]
pub fn seal(
    keys: &QueueKeys,
    surroundings: &impl Surroundings,
    purpose: Purpose,
    transaction: TransactionId,
    content: &[u8],
) -> Vec<u8> {
    let mut salt = [0; SALT];
    surroundings.random(&mut salt);
    seal_with(keys.current(), &salt, purpose, transaction, content)
}

fn seal_with(
    key: &QueueKey,
    salt: &[u8; SALT],
    purpose: Purpose,
    transaction: TransactionId,
    content: &[u8],
) -> Vec<u8> {
    let mut sealed = vec![0; content.len() + OVERHEAD];
    let (header, rest) = sealed.split_at_mut(HEADER);
    let (ciphertext, tag) = rest.split_at_mut(content.len());
    write_header(header, key.id(), salt);
    let bound = associated_data(purpose, transaction);
    item_key(key, salt, purpose)
        .seal_out_of_place_scatter(nonce(), Aad::from(bound), content, ciphertext, &[], tag)
        .unwrap_or_else(|_| unreachable!("AES-GCM takes 64 GiB, and lengths that fit"));
    sealed
}

fn write_header(header: &mut [u8], id: QueueKeyId, salt: &[u8; SALT]) {
    let fields = std::iter::once(&FORMAT).chain(&id).chain(salt);
    header.iter_mut().zip(fields).for_each(|(place, octet)| *place = *octet);
}

/// Opens what [`seal`] made for this purpose and transaction. Works in the buffer that it is given, so the content is
/// not copied.
#[must_use]
pub fn open(keys: &QueueKeys, purpose: Purpose, transaction: TransactionId, mut sealed: Vec<u8>) -> Opening {
    match open_in_place(keys, purpose, transaction, &mut sealed) {
        Ok(length) => Opening::Opened(Bytes::from(sealed).slice(HEADER..HEADER + length)),
        Err(damage) => Opening::Damaged(damage),
    }
}

/// Leaves the content behind the header; returns its length.
fn open_in_place(
    keys: &QueueKeys,
    purpose: Purpose,
    transaction: TransactionId,
    sealed: &mut [u8],
) -> Result<usize, Damage> {
    match sealed.first() {
        Some(&FORMAT) => {}
        Some(&other) => return Err(Damage::Format(other)),
        None => return Err(Damage::Short),
    }
    let (_, rest) = sealed.split_first_chunk_mut::<1>().ok_or(Damage::Short)?;
    let (id, rest) = rest.split_first_chunk_mut::<{ size_of::<QueueKeyId>() }>().ok_or(Damage::Short)?;
    let (salt, ciphertext) = rest.split_first_chunk_mut::<SALT>().ok_or(Damage::Short)?;
    if ciphertext.len() < TAG {
        return Err(Damage::Short);
    }
    let key = keys.with_id(*id).ok_or(Damage::UnknownKey(*id))?;
    let bound = associated_data(purpose, transaction);
    let opened = item_key(key, salt, purpose).open_in_place(nonce(), Aad::from(bound), ciphertext);
    opened.map(|content| content.len()).map_err(|_| Damage::Forged)
}

fn item_key(key: &QueueKey, salt: &[u8; SALT], purpose: Purpose) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, &*key.item_key(salt, purpose.name()));
    LessSafeKey::new(key.unwrap_or_else(|_| unreachable!("AES-256 takes keys of 32 octets")))
}

/// The same each time, because each key is used once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// Header fields need no place in it: the format is compared, and another key id or salt is another key.
fn associated_data(purpose: Purpose, transaction: TransactionId) -> Vec<u8> {
    [purpose.name(), &transaction.to_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Timestamp;
    use crate::relay::keys::Keys;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    /// A clock that stands still, and octets that count on.
    #[derive(Debug, Default)]
    struct Counting(std::sync::atomic::AtomicU64);

    impl Surroundings for Counting {
        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }

        fn random(&self, into: &mut [u8]) {
            let next = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            into.iter_mut().zip(next.to_be_bytes().iter().rev()).for_each(|(place, octet)| *place = *octet);
        }
    }

    const CONTENT: &[u8] = b"Dear Jane,\r\nthe parcel is here.\r\n";

    fn keys(master: u8) -> QueueKeys {
        Keys::derive(&[master; 32]).queue
    }

    fn id(last: u8) -> TransactionId {
        TransactionId::from_bytes([last; 16])
    }

    fn sealed() -> Vec<u8> {
        seal(&keys(7), &Counting::default(), Purpose::Body, id(1), CONTENT)
    }

    fn opened(content: &'static [u8]) -> Opening {
        Opening::Opened(Bytes::from_static(content))
    }

    #[test]
    fn what_was_sealed_opens() {
        assert_eq!(sealed().len(), CONTENT.len() + OVERHEAD);
        assert_eq!(open(&keys(7), Purpose::Body, id(1), sealed()), opened(CONTENT));
        let empty = seal(&keys(7), &Counting::default(), Purpose::Reply, id(1), b"");
        assert_eq!(open(&keys(7), Purpose::Reply, id(1), empty), opened(b""));
    }

    #[test]
    fn the_content_does_not_show_and_no_two_items_look_alike() {
        let surroundings = Counting::default();
        let [one, other] = [(); 2].map(|()| seal(&keys(7), &surroundings, Purpose::Body, id(1), CONTENT));
        assert_ne!(one[HEADER..], other[HEADER..]);
        assert!(!one.windows(4).any(|octets| CONTENT.windows(4).any(|clear| clear == octets)));
    }

    #[test]
    fn it_opens_only_where_it_belongs() {
        for (purpose, transaction) in
            [(Purpose::Envelope, id(1)), (Purpose::Reply, id(1)), (Purpose::Body, id(2))]
        {
            let opening = open(&keys(7), purpose, transaction, sealed());
            assert_eq!(opening, Opening::Damaged(Damage::Forged), "{purpose:?} {transaction}");
        }
    }

    #[test]
    fn a_wrong_key_is_told_and_an_older_one_opens() {
        let unknown = Damage::UnknownKey(keys(7).current().id());
        assert_eq!(open(&keys(8), Purpose::Body, id(1), sealed()), Opening::Damaged(unknown));
        let rotated = Keys::derive_with_older(&[8; 32], &[Zeroizing::new([7; 32])]).queue;
        assert_eq!(open(&rotated, Purpose::Body, id(1), sealed()), opened(CONTENT));
        let new = seal(&rotated, &Counting::default(), Purpose::Body, id(1), CONTENT);
        assert_eq!(open(&keys(8), Purpose::Body, id(1), new), opened(CONTENT));
    }

    #[test]
    fn every_cut_is_damage() {
        let whole = sealed();
        for length in 0..whole.len() {
            let wanted = if length < OVERHEAD { Damage::Short } else { Damage::Forged };
            let opening = open(&keys(7), Purpose::Body, id(1), whole[..length].to_vec());
            assert_eq!(opening, Opening::Damaged(wanted), "{length}");
        }
    }

    #[test]
    fn every_flipped_bit_is_damage() {
        for bit in 0..sealed().len() * 8 {
            let mut changed = sealed();
            changed[bit / 8] ^= 1 << (bit % 8);
            let opening = open(&keys(7), Purpose::Body, id(1), changed);
            assert!(matches!(opening, Opening::Damaged(_)), "{bit}: {opening:?}");
        }
    }

    proptest! {
        #[test]
        fn any_content_survives(content in proptest::collection::vec(any::<u8>(), 0..4096), last in any::<u8>()) {
            let sealed = seal(&keys(7), &Counting::default(), Purpose::Envelope, id(last), &content);
            prop_assert_eq!(open(&keys(7), Purpose::Envelope, id(last), sealed), Opening::Opened(content.into()));
        }

        #[test]
        fn hostile_octets_are_damage(mut octets in proptest::collection::vec(any::<u8>(), 0..200), ours in any::<bool>()) {
            if let (true, Some(header)) = (ours, octets.first_chunk_mut::<5>()) {
                let [a, b, c, d] = keys(7).current().id();
                *header = [FORMAT, a, b, c, d];
            }
            prop_assert!(matches!(open(&keys(7), Purpose::Body, id(1), octets), Opening::Damaged(_)));
        }
    }
}

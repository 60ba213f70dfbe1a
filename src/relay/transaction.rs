//! Names for transactions.

use std::fmt;

use crate::mail::Timestamp;

/// Crockford's base32 alphabet, as ULIDs use it: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Random bytes that an id is made of, besides the time.
pub const RANDOM_BYTES: usize = 10;

/// The name of one transaction: a ULID (48 bits of milliseconds, 80 random bits), so ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(u128);

impl TransactionId {
    /// From the time and fresh random bytes.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now.as_millis().to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(u128::from_be_bytes(bytes))
    }

    /// Its 16 octets, as tables keep them.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// From [`Self::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..26).rev().try_for_each(|digit| {
            let index = (self.0 >> (digit * 5)) & 31;
            write!(f, "{}", char::from(ALPHABET[index as usize]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_a_ulid() {
        let id = TransactionId::new(Timestamp::from_millis(1_469_918_176_385), [0; 10]);
        assert_eq!(id.to_string(), "01ARYZ6S410000000000000000");
        let last = TransactionId::new(Timestamp::from_millis(1_469_918_176_385), [0xff; 10]);
        assert_eq!(last.to_string(), "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
        assert!(id < last);
        assert_eq!(TransactionId::from_bytes(last.to_bytes()), last);
    }
}

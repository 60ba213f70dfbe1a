//! Local parts for aliases that nobody wants to think up. They are made of unpredictable bytes: who knows some aliases of
//! a domain must not guess the next.

use std::fmt::Write;

use super::words::{ADJECTIVES, NOUNS};

/// How a random local part looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Two words and a number, easy to say: `quiet-harbor-4821`.
    #[default]
    Word,
    /// Twelve letters and digits without look-alikes, 60 bits.
    Chars,
    /// A random UUID, version 4 (RFC 9562, section 5.4).
    Uuid,
}

/// Bytes that one local part takes.
pub const RANDOM_BYTES: usize = 16;

/// Digits and letters without `i`, `l`, `o` and `u`: 32 of them, so that five bits pick one evenly.
const CHARS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const CHARS_LENGTH: usize = 12;

/// The local part that these bytes make.
#[must_use]
pub fn make(kind: Kind, random: [u8; RANDOM_BYTES]) -> String {
    match kind {
        Kind::Word => words(random),
        Kind::Chars => {
            random.iter().take(CHARS_LENGTH).map(|byte| char::from(CHARS[usize::from(byte % 32)])).collect()
        }
        Kind::Uuid => uuid(random),
    }
}

fn words(random: [u8; RANDOM_BYTES]) -> String {
    let [first, second, a, b, c, d, ..] = random;
    // Both lists have 128 words: seven bits pick one evenly. The number's bias, 2^32 over 10^4, is below 10^-6.
    let adjective = ADJECTIVES[usize::from(first % 128)];
    let noun = NOUNS[usize::from(second % 128)];
    let number = u32::from_le_bytes([a, b, c, d]) % 10_000;
    format!("{adjective}-{noun}-{number:04}")
}

fn uuid(mut random: [u8; RANDOM_BYTES]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in random.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Nothing is lost: a `String` takes every write.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::{Address, DomainName, address::Host};

    #[test]
    fn each_kind_has_its_look() {
        let mut bytes = [0; 16];
        assert_eq!(make(Kind::Chars, bytes), "000000000000");
        assert_eq!(make(Kind::Uuid, bytes), "00000000-0000-4000-8000-000000000000");
        assert_eq!(make(Kind::Word, bytes), format!("{}-{}-0000", ADJECTIVES[0], NOUNS[0]));
        bytes[0] = 127;
        bytes[1] = 127;
        bytes[2] = 42;
        assert_eq!(make(Kind::Word, bytes), format!("{}-{}-0042", ADJECTIVES[127], NOUNS[127]));
    }

    #[test]
    fn the_word_lists_have_no_word_twice_and_only_lower_case_letters() {
        let mut all: Vec<_> = ADJECTIVES.iter().chain(NOUNS).collect();
        assert!(all.iter().all(|w| (3..=9).contains(&w.len()) && w.bytes().all(|b| b.is_ascii_lowercase())));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 256);
    }

    proptest! {
        #[test]
        fn every_local_part_is_one_and_needs_no_quotes(random: [u8; 16]) {
            for kind in [Kind::Word, Kind::Chars, Kind::Uuid] {
                let local = make(kind, random);
                let host = Host::Domain(DomainName::parse("example.com").unwrap());
                let address = Address::from_parts(&local, host).unwrap();
                prop_assert_eq!(address.as_normal(), format!("{local}@example.com"));
            }
        }
    }
}

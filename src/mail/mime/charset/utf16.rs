//! UTF-16 in both byte orders (RFC 2781).

/// Which octet of a code unit comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// The low one.
    Little,
    /// The high one.
    Big,
}

impl ByteOrder {
    /// What the byte order mark at the start says.
    pub(super) fn of_mark(octets: &[u8]) -> Option<Self> {
        match octets {
            [0xff, 0xfe, ..] => Some(Self::Little),
            [0xfe, 0xff, ..] => Some(Self::Big),
            _ => None,
        }
    }

    /// What the zeros among the first octets say: most text has ASCII in it.
    pub(super) fn guess(octets: &[u8]) -> Option<Self> {
        const LOOKED_AT: usize = 512;
        let units = || octets.chunks_exact(2).take(LOOKED_AT);
        let high = units().filter(|unit| unit.first() == Some(&0)).count();
        let low = units().filter(|unit| unit.last() == Some(&0)).count();
        match high.cmp(&low) {
            std::cmp::Ordering::Greater => Some(Self::Big),
            std::cmp::Ordering::Less => Some(Self::Little),
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// What cannot be read, half a code unit at the end among it, becomes U+FFFD.
pub(super) fn decode(octets: &[u8], order: ByteOrder) -> String {
    let unit = |pair: &[u8]| match (pair, order) {
        (&[a, b], ByteOrder::Little) => u16::from_le_bytes([a, b]),
        (&[a, b], ByteOrder::Big) => u16::from_be_bytes([a, b]),
        // A surrogate alone, which is not readable.
        _ => 0xdfff,
    };
    char::decode_utf16(octets.chunks(2).map(unit)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

pub(super) fn encode(text: &str, order: ByteOrder) -> Vec<u8> {
    let octets = |unit: u16| match order {
        ByteOrder::Little => unit.to_le_bytes(),
        ByteOrder::Big => unit.to_be_bytes(),
    };
    text.encode_utf16().flat_map(octets).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_replaced() {
        assert_eq!(decode(b"m\0\x00\xd8e\0x", ByteOrder::Little), "m\u{fffd}e\u{fffd}");
    }

    proptest! {
        #[test]
        fn text_reads_back(text in "\\PC{0,60}", order in prop::sample::select(vec![ByteOrder::Little, ByteOrder::Big])) {
            prop_assert_eq!(decode(&encode(&text, order), order), text);
        }
    }
}

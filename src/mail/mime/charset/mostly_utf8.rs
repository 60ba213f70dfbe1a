//! UTF-8 with octets in it that are not: each of those becomes a character of the last plane, which is for private use.

/// The character for octet 0; only those from 0x80 on are needed.
const FIRST: u32 = 0x0010_ff00;

pub(super) fn decode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + octets.len() / 8);
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|&b| char::from_u32(FIRST + u32::from(b))));
    }
    text
}

/// Text that had such characters before it was decoded does not come back: who decodes sees to that.
pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(FIRST)) {
            Ok(b) if !b.is_ascii() => octets.push(b),
            _ => octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_octet_comes_back(octets in prop::collection::vec(prop_oneof![
            any::<u8>(), prop::sample::select(&b"a\xc3\xa9\xe2\x82"[..])], 0..100)) {
            prop_assert_eq!(encode(&decode(&octets)), octets);
        }
    }
}

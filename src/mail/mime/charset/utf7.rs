//! UTF-7 (RFC 2152): ASCII, with everything else as base64 of UTF-16 between `+` and `-`.

use data_encoding::BASE64_NOPAD;

use super::super::transfer::decode_base64;
use super::utf16::{self, ByteOrder};

/// Reads UTF-7. Octets above 127 have no place in it and are taken for Latin-1.
pub(super) fn decode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((&b, after)) = rest.split_first() {
        if b != b'+' {
            text.push(char::from(b));
            rest = after;
            continue;
        }
        let length = after.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+/".contains(b)).count();
        let (coded, beyond) = after.split_at(length);
        let ended = beyond.strip_prefix(b"-");
        match (coded, ended) {
            ([], _) => text.push('+'),
            _ => text.push_str(&decode_shifted(coded)),
        }
        rest = ended.unwrap_or(beyond);
    }
    text
}

/// Up to seven bits at the end are padding, an octet more is half a code unit that is left out.
fn decode_shifted(coded: &[u8]) -> String {
    let octets = decode_base64(coded);
    utf16::decode(&octets[..octets.len() / 2 * 2], ByteOrder::Big)
}

pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 4);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_direct = is_direct(first);
        let length = rest.find(|c| self::is_direct(c) != is_direct).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        if is_direct {
            out.extend_from_slice(run.as_bytes());
        } else {
            out.push(b'+');
            out.extend_from_slice(BASE64_NOPAD.encode(&utf16::encode(run, ByteOrder::Big)).as_bytes());
            out.push(b'-');
        }
        rest = after;
    }
    out
}

/// What stands for itself: all of ASCII but what begins a shift, and what UTF-7 has no direct form for.
fn is_direct(c: char) -> bool {
    c.is_ascii() && !matches!(c, '+' | '\\' | '~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shifts_are_read() {
        for (octets, text) in [
            ("Hi Mom -+Jjo--!", "Hi Mom -\u{263a}-!"),
            ("+ZeVnLIqe-", "\u{65e5}\u{672c}\u{8a9e}"),
            ("1 +- 1", "1 + 1"),
            ("me+AEA example+AC4", "me@ example."),
            ("+", "+"),
            ("+A", ""),
        ] {
            assert_eq!(decode(octets.as_bytes()), text, "{octets}");
        }
    }

    proptest! {
        #[test]
        fn text_reads_back(text in "[\\PC\r\n+~]{0,60}") {
            let octets = encode(&text);
            prop_assert!(octets.is_ascii());
            prop_assert_eq!(decode(&octets), text);
        }

        #[test]
        fn hostile_octets_are_read_somehow(octets in prop::collection::vec(prop_oneof![
            any::<u8>(), prop::sample::select(&b"+-AEA"[..])], 0..100)) {
            prop_assert!(decode(&octets).len() <= octets.len() * 3);
        }
    }
}

//! The texts in OpenPGP packets (RFC 9580, section 4): user ids, and the subpackets of signatures.
//!
//! Packets say how long their texts are, so nothing stands between a name and what follows it: who looks at the octets as a
//! whole cannot tell where a name ends. Damage ends the reading and is not told.

/// Most texts that are looked at.
const MOST: usize = 10_000;

/// Packets that are nothing but text, or have text in them.
const SIGNATURE: u8 = 2;
const USER_ID: u8 = 13;
const USER_ATTRIBUTE: u8 = 17;
/// Subpackets with two texts one after the other.
const NOTATION: u8 = 20;

/// Every text, in order.
pub(super) fn texts(data: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = data;
    while let Some((tag, body, after)) = packet(rest) {
        match tag {
            USER_ID | USER_ATTRIBUTE => found.push(body),
            SIGNATURE => put_subpackets(&mut found, body),
            _ => {}
        }
        if found.len() > MOST {
            break;
        }
        rest = after;
    }
    found
}

/// The packet at the start: type, content, what follows. A length that is left open reaches to the end.
fn packet(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = data.split_first()?;
    let (tag, (length, rest)) = match first {
        0xc0.. => (first & 0x3f, new_length(rest)?),
        0x80.. => (first >> 2 & 0x0f, old_length(first & 3, rest)?),
        _ => return None,
    };
    let (body, after) = rest.split_at(length.min(rest.len()));
    Some((tag, body, after))
}

fn old_length(kind: u8, data: &[u8]) -> Option<(usize, &[u8])> {
    match kind {
        0 => number(data, 1),
        1 => number(data, 2),
        2 => number(data, 4),
        _ => Some((data.len(), data)),
    }
}

/// Also that of subpackets, where 255 and 192 mean the same; a partial length is read as that of a whole packet.
fn new_length(data: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = data.split_first()?;
    match first {
        0..192 => Some((usize::from(first), rest)),
        192..224 => {
            let (&second, rest) = rest.split_first()?;
            Some(((usize::from(first) - 192) * 256 + usize::from(second) + 192, rest))
        }
        224..255 => Some((1 << (first & 0x1f), rest)),
        255 => number(rest, 4),
    }
}

fn number(data: &[u8], octets: usize) -> Option<(usize, &[u8])> {
    let (digits, rest) = data.split_at_checked(octets)?;
    Some((digits.iter().fold(0, |sum, &b| sum << 8 | usize::from(b)), rest))
}

/// The subpackets of a signature of version 4, 5 or 6, hashed and not.
fn put_subpackets<'d>(found: &mut Vec<&'d [u8]>, body: &'d [u8]) {
    let width = match body.first() {
        Some(4 | 5) => 2,
        Some(6) => 4,
        _ => return,
    };
    let mut rest = body.get(4..).unwrap_or_default();
    for _ in 0..2 {
        let Some((length, after)) = number(rest, width) else { return };
        let (area, after) = after.split_at(length.min(after.len()));
        put_area(found, area);
        rest = after;
    }
}

fn put_area<'d>(found: &mut Vec<&'d [u8]>, area: &'d [u8]) {
    let mut rest = area;
    while let Some((length, after)) = new_length(rest) {
        let (subpacket, after) = after.split_at(length.min(after.len()));
        if let Some((&kind, content)) = subpacket.split_first() {
            // The highest bit says that it is critical.
            if kind & 0x7f == NOTATION { put_notation(found, content) } else { found.push(content) }
        }
        if found.len() > MOST {
            return;
        }
        rest = after;
    }
}

/// Flags, two lengths, a name and a value.
fn put_notation<'d>(found: &mut Vec<&'d [u8]>, content: &'d [u8]) {
    let lengths = content.get(4..).and_then(|rest| number(rest, 2));
    if let Some((length, rest)) = lengths
        && let Some((_, texts)) = number(rest, 2)
    {
        let (name, value) = texts.split_at(length.min(texts.len()));
        found.extend([name, value]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_of_packets_are_found() {
        let notation = b"\x17\x14\x80\0\0\0\0\x03\0\x0bx@yme@a.examplez";
        let area = [&[0, 27][..], &notation[..24], b"\x02\x10k"].concat();
        let signature = [&b"\x04\x13\x16\x0a"[..], &area, &[0, 3, 2, 28, b'm'], b"ZZ"].concat();
        let length = u8::try_from(signature.len()).unwrap();
        let data =
            [&[0xb4, 2][..], b"Me", &[0xc2, length], &signature, &[0xcd, 1], b"X", b"rubbish"].concat();
        let found: Vec<String> =
            texts(&data).into_iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        assert_eq!(found, ["Me", "x@y", "me@a.exampl", "k", "m", "X"]);
    }

    proptest! {
        #[test]
        fn hostile_data_is_read_somehow(data in prop::collection::vec(prop_oneof![
            any::<u8>(), prop::sample::select(&b"\xc2\x04\x14\xff\0\x01"[..])], 0..300)) {
            prop_assert!(texts(&data).iter().all(|text| text.len() <= data.len()));
        }
    }
}

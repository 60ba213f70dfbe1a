//! A file of certificates from somebody whom we do not know: taken apart, and what can be used of it.
//!
//! A directory may give certificates that are revoked or expired beside one that is not (draft-koch-openpgp-webkey-service,
//! section 3.1), and may give anything else as well. The file is cut where a certificate begins, so that one that is of no
//! use does not take the others with it. Nothing is verified here: that is [`OpenPgp::inspect`].

use crate::mail::{Address, Timestamp};

use super::openpgp::{Inspected, LARGEST_CERTIFICATE, Unusable};
use super::ports::OpenPgp;

/// Most certificates of one file that are looked at, each of which costs time, and most that are taken of it, each of which
/// makes every message larger.
const MOST_INSPECTED: usize = 8;
const MOST_TAKEN: usize = 2;
/// Most keys, and most packets of any kind, of a certificate of somebody whom we do not know: each key that can be encrypted to
/// costs time with every message, and each signature costs time to be verified.
const MOST_KEYS: usize = 8;
const MOST_PACKETS: usize = 200;

/// The certificates in `file` that can be encrypted to at `now` and of which a valid user id names `address`, in its order;
/// none when the file is empty.
///
/// # Errors
/// When there is something in the file and none of it can be used: why not, for each certificate.
pub fn usable_for<P: OpenPgp>(
    openpgp: &P,
    file: &[u8],
    address: &Address,
    now: Timestamp,
) -> Result<Vec<Inspected>, Unusable> {
    let (mut usable, mut reasons) = (Vec::new(), Vec::new());
    for piece in pieces(file).into_iter().take(MOST_INSPECTED) {
        if let Some(reason) = too_much(piece) {
            reasons.push(reason.to_owned());
            continue;
        }
        match openpgp.inspect(piece, now) {
            Ok(found) => found.into_iter().for_each(|certificate| match why_not(&certificate, address) {
                None => usable.push(certificate),
                Some(reason) => reasons.push(format!("{} {reason}", certificate.fingerprint)),
            }),
            Err(Unusable(reason)) => reasons.push(reason),
        }
    }
    usable.truncate(MOST_TAKEN);
    if usable.is_empty() && !reasons.is_empty() {
        return Err(Unusable(reasons.join("; ")));
    }
    Ok(usable)
}

fn why_not(certificate: &Inspected, address: &Address) -> Option<&'static str> {
    if !certificate.addresses.contains(address) {
        Some("names other addresses")
    } else if certificate.data.len() > LARGEST_CERTIFICATE {
        Some("is larger than 128 KiB")
    } else {
        None
    }
}

/// Why a certificate is not even looked at. Of one that is armored nothing is known: no directory gives such.
fn too_much(piece: &[u8]) -> Option<&'static str> {
    let (mut keys, mut packets, mut at) = (0, 0, 0);
    while let Some(packet) = piece.get(at..).and_then(Packet::read) {
        keys += usize::from(packet.is_key);
        packets += 1;
        if keys > MOST_KEYS {
            return Some("a certificate has more than 8 keys");
        }
        if packets > MOST_PACKETS {
            return Some("a certificate has more than 200 packets");
        }
        at = at.saturating_add(packet.length);
    }
    let is_armored = at == 0 && piece.len() > LARGEST_CERTIFICATE;
    is_armored.then_some("a certificate is larger than 128 KiB")
}

/// The file, cut before each primary key (RFC 9580, section 10.1). What is armored, or no packets at all, stays in one piece.
fn pieces(file: &[u8]) -> Vec<&[u8]> {
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(packet) = file.get(at..).and_then(Packet::read) {
        if packet.is_primary_key && at > start {
            pieces.extend(file.get(start..at));
            start = at;
        }
        at = at.saturating_add(packet.length);
    }
    pieces.extend(file.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

/// What must be known of a packet to find the next one.
struct Packet {
    is_primary_key: bool,
    is_key: bool,
    /// With its header.
    length: usize,
}

impl Packet {
    /// The packet at the start of `octets` (RFC 9580, section 4.2). None when there is none, or one whose length is not told
    /// beforehand: no packet of a certificate is so.
    fn read(octets: &[u8]) -> Option<Self> {
        let first = *octets.first().filter(|first| *first & 0x80 != 0)?;
        let rest = octets.get(1..)?;
        let is_new = first & 0x40 != 0;
        let (kind, (header, body)) = if is_new {
            (first & 0x3f, new_length(rest)?)
        } else {
            (first >> 2 & 0x0f, old_length(first & 0x03, rest)?)
        };
        // Secret-Key (5) and Public-Key (6); Secret-Subkey (7) and Public-Subkey (14).
        let is_primary_key = matches!(kind, 5 | 6);
        let is_key = is_primary_key || matches!(kind, 7 | 14);
        Some(Self { is_primary_key, is_key, length: (1 + header).checked_add(body)? })
    }
}

/// How many octets the length takes, and what it is (RFC 9580, section 4.2.1).
fn new_length(octets: &[u8]) -> Option<(usize, usize)> {
    match (*octets.first()?, octets.get(1)) {
        (first @ 0..=191, _) => Some((1, usize::from(first))),
        (first @ 192..=223, Some(&second)) => {
            Some((2, (usize::from(first) - 192) * 256 + usize::from(second) + 192))
        }
        (255, Some(_)) => Some((5, big_endian(octets.get(1..5)?))),
        _ => None,
    }
}

/// The same of the older format (RFC 9580, section 4.2.2).
fn old_length(kind: u8, octets: &[u8]) -> Option<(usize, usize)> {
    let length = match kind {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return None,
    };
    Some((length, big_endian(octets.get(..length)?)))
}

/// Of at most four octets.
fn big_endian(octets: &[u8]) -> usize {
    octets.iter().fold(0, |value, &octet| value << 8 | usize::from(octet))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::relay::openpgp::{Certificate, Fingerprint};
    use crate::relay::ports::Content;

    /// Takes a primary key whose first octet is the last digit of its fingerprint; it names `jane@example.org`, or somebody
    /// else when that octet is odd. Zero is expired.
    struct Simple;

    impl OpenPgp for Simple {
        fn inspect(&self, file: &[u8], _: Timestamp) -> Result<Vec<Inspected>, Unusable> {
            let found = match file {
                [0xc6, _, 0, ..] => return Err(Unusable("it expired".to_owned())),
                [0xc6, _, number, ..] => *number,
                _ => return Err(Unusable("there is no certificate in it".to_owned())),
            };
            let name = if found % 2 == 0 { "jane@example.org" } else { "joe@example.org" };
            let fingerprint = Fingerprint::parse(&format!("{found:040X}")).unwrap();
            let addresses = vec![Address::parse(name).unwrap()];
            Ok(vec![Inspected { fingerprint, addresses, expires_at: None, data: file.to_vec() }])
        }

        fn check(&self, _: &[Certificate], _: Timestamp) -> Result<(), Unusable> {
            Ok(())
        }

        fn encrypt(&self, content: &Content, _: &[Certificate], _: Timestamp) -> Result<Content, Unusable> {
            Ok(content.clone())
        }
    }

    /// A primary key of one octet, and a user id.
    fn certificate(number: u8) -> Vec<u8> {
        vec![0xc6, 1, number, 0xcd, 2, b'm', b'e']
    }

    fn usable(file: &[u8]) -> Result<Vec<String>, String> {
        let jane = Address::parse("Jane@example.org").unwrap();
        let found = usable_for(&Simple, file, &jane, Timestamp::EPOCH);
        let numbers = |found: Vec<Inspected>| found.iter().map(|one| one.fingerprint.to_string()).collect();
        found.map(numbers).map_err(|Unusable(why)| why)
    }

    #[test]
    fn one_of_no_use_does_not_take_the_others_with_it() {
        let file = [certificate(0), certificate(1), certificate(2), certificate(4)].concat();
        assert_eq!(usable(&file), Ok(vec![format!("{:040X}", 2), format!("{:040X}", 4)]));
    }

    #[test]
    fn when_none_can_be_used_each_says_why() {
        let file = [certificate(0), certificate(3)].concat();
        let why = format!("it expired; {:040X} names other addresses", 3);
        assert_eq!(usable(&file), Err(why));
        assert_eq!(usable(b"<html>"), Err("there is no certificate in it".to_owned()));
        assert_eq!(usable(b""), Ok(vec![]));
    }

    #[test]
    fn one_that_is_too_large_is_not_taken() {
        let body = u32::try_from(LARGEST_CERTIFICATE).unwrap().to_be_bytes();
        let huge = [&[0xc6, 1, 2, 0xc2, 255][..], &body, &vec![0; LARGEST_CERTIFICATE]].concat();
        assert_eq!(usable(&huge), Err(format!("{:040X} is larger than 128 KiB", 2)));
        assert_eq!(usable(&[huge, certificate(4)].concat()), Ok(vec![format!("{:040X}", 4)]));
    }

    #[test]
    fn a_large_file_gives_a_few() {
        let file: Vec<u8> = (0..200).flat_map(|n| certificate(2 * (n % 100 + 1))).collect();
        assert_eq!(usable(&file).unwrap().len(), MOST_TAKEN);
        let late: Vec<u8> = (0..=8).flat_map(|n| certificate(if n == 8 { 2 } else { 0 })).collect();
        assert!(usable(&late).is_err());
    }

    #[test]
    fn one_with_many_keys_or_packets_is_not_looked_at() {
        let with = |packet: &[u8], count: usize| [certificate(2), packet.repeat(count)].concat();
        assert_eq!(usable(&with(&[0xce, 1, 0], 7)).unwrap().len(), 1);
        assert_eq!(usable(&with(&[0xce, 1, 0], 8)), Err("a certificate has more than 8 keys".to_owned()));
        assert_eq!(usable(&with(&[0xc2, 1, 0], 198)).unwrap().len(), 1);
        let many = with(&[0xc2, 1, 0], 199);
        assert_eq!(usable(&many), Err("a certificate has more than 200 packets".to_owned()));
        assert_eq!(
            usable(&[many, certificate(4)].concat()).unwrap().len(),
            1,
            "the other is as good as ever"
        );
    }

    #[test]
    fn lengths_are_read_in_all_their_forms() {
        let body = |length: usize| vec![0; length];
        for (header, length) in [
            (vec![0xc6, 10], 10),
            (vec![0xc6, 192, 8], 200),
            (vec![0xc6, 255, 0, 0, 1, 0], 256),
            (vec![0x98, 10], 10),
            (vec![0x99, 1, 0], 256),
            (vec![0x9a, 0, 0, 0, 7], 7),
        ] {
            let one = [header.clone(), body(length)].concat();
            let file = [one.clone(), one.clone()].concat();
            assert_eq!(pieces(&file), [&one[..], &one[..]], "{header:?}");
        }
    }

    #[test]
    fn what_is_no_row_of_packets_stays_in_one_piece() {
        let armored = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxjMEY".as_slice();
        let partial = [0xc6, 230, 1, 2, 3].as_slice();
        let indeterminate = [0x9b, 1, 2, 3].as_slice();
        let cut = [0xc6, 255, 255, 255, 255, 255, 0xc6].as_slice();
        for file in [armored, partial, indeterminate, cut, &[0xc6], &[0xc6, 192]] {
            assert_eq!(pieces(file), [file], "{file:?}");
        }
        assert!(pieces(b"").is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost(file in prop::collection::vec(any::<u8>(), 0..200)) {
            let pieces = pieces(&file);
            prop_assert_eq!(pieces.concat(), &file[..]);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
        }

        #[test]
        fn packets_in_a_row_are_cut_before_each_primary_key(
            packets in prop::collection::vec((prop::sample::select(vec![0xc6_u8, 0xcd, 0xc2, 0x99, 0xb9]), 0_u8..200), 1..20),
        ) {
            let file: Vec<u8> = packets.iter().flat_map(|&(first, length)| {
                let old = [first, 0, length];
                let new = [first, length.min(191)];
                let (header, length) = if first & 0x40 == 0 { (old.to_vec(), length) } else { (new.to_vec(), length.min(191)) };
                [header, vec![0xc6; usize::from(length)]].concat()
            }).collect();
            let keys = packets.iter().skip(1).filter(|(first, _)| matches!(first, 0xc6 | 0x99)).count();
            prop_assert_eq!(pieces(&file).len(), keys + 1);
        }
    }
}

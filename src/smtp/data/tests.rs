use proptest::prelude::*;

use super::*;

const NO_LIMIT: u64 = u64::MAX;

/// What came out: message, fault, and the octets after the end (`None` when there was no end).
type Outcome = (Vec<u8>, Option<Fault>, Option<Vec<u8>>);

fn decode(pieces: &[&[u8]], mode: BareNewline, limit: u64) -> Outcome {
    let mut decoder = DataDecoder::new(mode, limit);
    let mut message = Vec::new();
    let mut rest: Option<Vec<u8>> = None;
    for piece in pieces {
        match rest.as_mut() {
            Some(rest) => rest.extend_from_slice(piece),
            None => {
                if let Decoded::End(used) = decoder.decode(piece, &mut message) {
                    rest = Some(piece[used..].to_vec());
                }
            }
        }
    }
    (message, decoder.fault(), rest)
}

/// Decodes the input whole, cut in two at every octet, and octet by octet: the outcome must be one.
fn decode_every_way(input: &[u8], mode: BareNewline) -> Outcome {
    let whole = decode(&[input], mode, NO_LIMIT);
    for cut in 0..=input.len() {
        let (one, two) = input.split_at(cut);
        assert_eq!(decode(&[one, two], mode, NO_LIMIT), whole, "cut at {cut} of {input:?}");
    }
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(decode(&octets, mode, NO_LIMIT), whole, "octet by octet: {input:?}");
    whole
}

/// Dot-stuffing as a client does it (RFC 5321, section 4.5.2), with the end.
fn stuff(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for line in message.split_inclusive(|&b| b == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

#[test]
fn only_crlf_dot_crlf_ends_a_message() {
    for (input, message) in [
        (&b".\r\n"[..], &b""[..]),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n"),
        (b"..a\r\n...\r\n.b\r\n.\r\n", b".a\r\n..\r\nb\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"\0\xff.\0\r\n\0\r\n.\r\n", b"\0\xff.\0\r\n\0\r\n"),
        (b"a\r\n.\0\r\n.\r\n", b"a\r\n\0\r\n"),
    ] {
        let input = [input, b"NEXT"].concat();
        for mode in [BareNewline::Reject, BareNewline::Normalize] {
            assert_eq!(
                decode_every_way(&input, mode),
                (message.to_vec(), None, Some(b"NEXT".to_vec())),
                "{input:?}"
            );
        }
    }
}

#[test]
fn what_others_take_for_the_end_is_not_the_end() {
    for (disguise, fault, normalized) in [
        (&b"\n.\n"[..], Fault::BareLf, &b"\r\n.\r\n"[..]),
        (b"\n.\r\n", Fault::BareLf, b"\r\n.\r\n"),
        (b"\r\n.\n", Fault::BareLf, b"\r\n\r\n"),
        (b"\r.\r", Fault::BareCr, b"\r\n.\r\n"),
        (b"\r.\r\n", Fault::BareCr, b"\r\n.\r\n"),
        (b"\r\n.\r", Fault::BareCr, b"\r\n\r\n"),
        (b"\r\n.\r\r\n", Fault::BareCr, b"\r\n\r\n\r\n"),
        (b"\r\r\n.\r\r\n", Fault::BareCr, b"\r\n\r\n\r\n\r\n"),
        (b"\n\n.\n\n", Fault::BareLf, b"\r\n\r\n.\r\n\r\n"),
        (b"\r\n\n.\n", Fault::BareLf, b"\r\n\r\n.\r\n"),
        (b"\r\n\n.\r\n", Fault::BareLf, b"\r\n\r\n.\r\n"),
        (b"\r\n.\n.\r\n", Fault::BareLf, b"\r\n\r\n.\r\n"),
        (b"\r\n.\r.\r\n", Fault::BareCr, b"\r\n\r\n.\r\n"),
        (b"\r\0\n.\r\0\n", Fault::BareCr, b"\r\n\0\r\n.\r\n\0\r\n"),
    ] {
        let input = [b"a", disguise, b"MAIL FROM:<evil@example.org>\r\n.\r\nNEXT"].concat();
        let (message, found, rest) = decode_every_way(&input, BareNewline::Reject);
        assert_eq!((found, rest.as_deref()), (Some(fault), Some(&b"NEXT"[..])), "{disguise:?}");
        assert_eq!(
            message.iter().filter(|&&b| b == b'.' || b == b'M').count(),
            0,
            "nothing is stored after it"
        );

        let expected = [b"a", normalized, b"MAIL FROM:<evil@example.org>\r\n"].concat();
        let outcome = decode_every_way(&input, BareNewline::Normalize);
        assert_eq!(outcome, (expected, None, Some(b"NEXT".to_vec())), "{disguise:?}");
    }
}

#[test]
fn a_disguised_end_leaves_the_message_open() {
    for disguise in [&b"\n.\n"[..], b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\r\r\n"]
    {
        for mode in [BareNewline::Reject, BareNewline::Normalize] {
            assert_eq!(decode_every_way(&[b"a", disguise].concat(), mode).2, None, "{disguise:?}");
        }
    }
}

#[test]
fn a_message_over_the_limit_is_read_to_its_end() {
    let input = b"12345\r\n..89\r\n.\r\nNEXT";
    for limit in 0..16 {
        let (message, fault, rest) = decode(&[input], BareNewline::Reject, limit);
        let fits = limit >= 12;
        assert_eq!(fault, (!fits).then_some(Fault::TooBig), "{limit}");
        assert!(message.len() as u64 <= limit);
        assert_eq!(rest.as_deref(), Some(&b"NEXT"[..]));
        assert_eq!(message == b"12345\r\n.89\r\n", fits);
    }
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec("[.a\0]{0,4}|\\PC{0,40}", 0..12)
        .prop_map(|lines| lines.iter().flat_map(|l| [l.as_bytes(), b"\r\n"].concat()).collect())
}

proptest! {
    #[test]
    fn what_was_stuffed_comes_out(message in lines(), next in "[.\r\na]{0,8}", step in 1usize..50) {
        let wire = [stuff(&message), next.clone().into_bytes()].concat();
        let pieces: Vec<&[u8]> = wire.chunks(step).collect();
        let outcome = decode(&pieces, BareNewline::Reject, NO_LIMIT);
        prop_assert_eq!(outcome, (message, None, Some(next.into_bytes())));
    }

    #[test]
    fn the_reads_do_not_matter(input in "[.\r\na\0]{0,40}") {
        decode_every_way(input.as_bytes(), BareNewline::Reject);
        decode_every_way(input.as_bytes(), BareNewline::Normalize);
    }

    /// The end is where the RFC says, whatever stands before it, and a normalised message has CRLF line ends only.
    #[test]
    fn the_end_is_the_first_crlf_dot_crlf(input in "[.\r\na]{0,40}") {
        let framed = format!("\r\n{input}");
        let expected = framed.find("\r\n.\r\n").map(|at| framed.as_bytes()[at + 5..].to_vec());
        let (message, _, rest) = decode(&[input.as_bytes()], BareNewline::Normalize, NO_LIMIT);
        prop_assert_eq!(&rest, &expected);
        prop_assert_eq!(decode(&[input.as_bytes()], BareNewline::Reject, NO_LIMIT).2, expected);
        let left = String::from_utf8(message).unwrap().replace("\r\n", "");
        prop_assert!(!left.contains(['\r', '\n']));
    }
}

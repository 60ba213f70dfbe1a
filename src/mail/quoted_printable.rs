//! Writing quoted-printable (RFC 2045, section 6.7), for text that SMTP could not carry as it is.

/// Most characters of a line, less the `=` of a soft line break.
const ROOM: usize = 75;

/// The text with lines of at most 76 characters of ASCII. CRLF stays a line end; a CR or LF alone is encoded.
#[must_use]
pub fn encode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    let mut column = 0;
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        if let Some(next_line) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (column, rest) = (0, next_line);
            continue;
        }
        let width = if is_plain(octet, after) { 1 } else { 3 };
        if column + width > ROOM {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        put(&mut out, octet, width);
        (column, rest) = (column + width, after);
    }
    out
}

/// White space at the end of a line would be lost on the way (rule 3).
fn is_plain(octet: u8, after: &[u8]) -> bool {
    match octet {
        b' ' | b'\t' => !after.is_empty() && !after.starts_with(b"\r\n"),
        _ => octet.is_ascii_graphic() && octet != b'=',
    }
}

fn put(out: &mut Vec<u8>, octet: u8, width: usize) {
    if width == 1 {
        out.push(octet);
    } else {
        out.extend_from_slice(format!("={octet:02X}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(text: &str) -> String {
        String::from_utf8(encode(text.as_bytes())).unwrap()
    }

    #[test]
    fn what_needs_it_is_encoded() {
        for (text, expected) in [
            ("", ""),
            ("a=b", "a=3Db"),
            ("J\u{fc}rgen\r\n", "J=C3=BCrgen\r\n"),
            ("a \r\nb\t", "a=20\r\nb=09"),
            ("a\nb\rc\r\n\r\n", "a=0Ab=0Dc\r\n\r\n"),
            ("\0", "=00"),
        ] {
            assert_eq!(encoded(text), expected, "{text:?}");
        }
        assert_eq!(encoded(&"x".repeat(80)), format!("{}=\r\n{}", "x".repeat(75), "x".repeat(5)));
    }

    proptest! {
        #[test]
        fn a_reader_gets_the_same_octets(text in prop::collection::vec(any::<u8>(), 0..400)) {
            let encoded = encode(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert!(encoded.split(|&b| b == b'\n').all(|line| line.len() <= 77));
            let whole = [b"Content-Transfer-Encoding: quoted-printable\r\n\
                Content-Type: application/octet-stream\r\n\r\n".as_slice(), &encoded].concat();
            let message = mail_parser::MessageParser::default().parse(&whole).unwrap();
            prop_assert_eq!(message.parts[0].contents(), &text[..]);
        }
    }
}

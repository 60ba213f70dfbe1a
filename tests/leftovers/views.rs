//! What bytes say once more when they are read in one of the usual encodings: percent signs, quoted-printable, backslashes
//! of a log, hexadecimal and base64.

use std::borrow::Cow;

/// Fewer characters in a row are no text that hides a secret.
const SHORTEST: usize = 12;

/// Each reading: where in the bytes it begins, its name, and what it says, in lower case.
pub fn of(bytes: &[u8]) -> impl Iterator<Item = (usize, &'static str, Cow<'_, [u8]>)> {
    let raw = std::iter::once((0, "as it is", Cow::Owned(bytes.to_ascii_lowercase())));
    let texts = runs(bytes, |byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
    let decoded =
        texts.flat_map(|(at, text)| readings(text).map(move |(shift, name, said)| (at + shift, name, said)));
    raw.chain(decoded.map(|(at, name, said)| (at, name, Cow::Owned(said.to_ascii_lowercase()))))
}

fn readings(text: &[u8]) -> impl Iterator<Item = (usize, &'static str, Vec<u8>)> {
    let escaped = [("percent", b'%'), ("quoted-printable", b'='), ("escaped", b'\\')];
    let whole = escaped.into_iter().filter(|(_, sign)| memchr::memchr(*sign, text).is_some());
    let whole = whole.map(|(name, sign)| (0, name, unescaped(text, sign)));
    let hex = runs(text, |byte| byte.is_ascii_hexdigit()).flat_map(|run| shifted(run, "hexadecimal", HEX));
    let base64 = runs(text, is_base64).flat_map(|run| shifted(run, "base64", BASE64));
    whole.chain(hex).chain(base64)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The stretches of bytes of one sort, and where they begin.
fn runs(bytes: &[u8], is_wanted: impl Fn(u8) -> bool + Copy) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            while at < bytes.len() && is_wanted(bytes[at]) {
                at += 1;
            }
            let end = at;
            while at < bytes.len() && !is_wanted(bytes[at]) {
                at += 1;
            }
            if end - start >= SHORTEST {
                return Some((start, &bytes[start..end]));
            }
        }
        None
    })
}

/// The run may be the end of something longer: it is read from its first character, from the second, and so on.
fn shifted<'a>(
    (at, run): (usize, &'a [u8]),
    name: &'static str,
    (bits, digit): (u32, fn(u8) -> u32),
) -> impl Iterator<Item = (usize, &'static str, Vec<u8>)> + use<'a> {
    (0..if bits == 4 { 2 } else { 4 })
        .map(move |shift| (at + shift, name, octets(&run[shift..], bits, digit)))
}

/// The octets of which each character brings some bits; the last may be incomplete, and is left out.
fn octets(run: &[u8], bits: u32, digit: fn(u8) -> u32) -> Vec<u8> {
    let (mut waiting, mut count) = (0, 0);
    let mut said = Vec::with_capacity(run.len());
    for &character in run {
        waiting = (waiting << bits | digit(character)) & 0xffff;
        count += bits;
        if count >= 8 {
            count -= 8;
            said.push((waiting >> count & 0xff) as u8);
        }
    }
    said
}

const HEX: (u32, fn(u8) -> u32) = (4, |character| char::from(character).to_digit(16).unwrap_or_default());

/// Either alphabet (RFC 4648, sections 4 and 5).
const BASE64: (u32, fn(u8) -> u32) = (6, |character| match character {
    b'A'..=b'Z' => u32::from(character - b'A'),
    b'a'..=b'z' => u32::from(character - b'a') + 26,
    b'0'..=b'9' => u32::from(character - b'0') + 52,
    b'+' | b'-' => 62,
    _ => 63,
});

/// `%40`, `=40`, or `\n`, `\"`, `\x40` and `\u{40}`; a sign with nothing of that kind after it stays.
fn unescaped(text: &[u8], sign: u8) -> Vec<u8> {
    let mut said = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let (octet, length) = if first == sign { octet_after(after, sign) } else { (Some(first), 0) };
        said.extend(octet);
        rest = &after[length..];
    }
    said
}

/// What follows a sign: the octet that it stands for, if for any, and how long that is.
fn octet_after(after: &[u8], sign: u8) -> (Option<u8>, usize) {
    let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    if sign != b'\\' {
        return match after {
            [b'\r', b'\n', ..] if sign == b'=' => (None, 2),
            [b'\n', ..] if sign == b'=' => (None, 1),
            [one, two, ..] => hex(&[*one, *two]).map_or((Some(sign), 0), |octet| (Some(octet), 2)),
            _ => (Some(sign), 0),
        };
    }
    match after {
        [b'n', ..] => (Some(b'\n'), 1),
        [b'r', ..] => (Some(b'\r'), 1),
        [b't', ..] => (Some(b'\t'), 1),
        [b'x', one, two, ..] => (hex(&[*one, *two]), 3),
        [b'u', b'{', one, two, b'}', ..] => (hex(&[*one, *two]), 5),
        [b'u', b'0', b'0', one, two, ..] => (hex(&[*one, *two]), 5),
        [other, ..] => (Some(*other), 1),
        [] => (Some(sign), 0),
    }
}

#[test]
fn the_usual_encodings_are_read() {
    const SECRET: &[u8] = b"A secret line, \"quoted\" = 100%";
    let base64 = |before: &[u8]| data_encoding::BASE64.encode(&[before, SECRET].concat());
    let percent = |sign: char| SECRET.iter().map(|byte| format!("{sign}{byte:02X}")).collect::<String>();
    for hidden in [
        base64(b""),
        base64(b"x"),
        base64(b"xy"),
        data_encoding::BASE64URL_NOPAD.encode(SECRET),
        data_encoding::HEXLOWER.encode(SECRET),
        format!("f{}", data_encoding::HEXUPPER.encode(SECRET)),
        percent('%'),
        percent('='),
        String::from_utf8_lossy(SECRET).escape_debug().to_string(),
        String::from_utf8_lossy(SECRET).into_owned(),
    ] {
        let bytes = [b"\0\xff", hidden.as_bytes(), b"\0"].concat();
        let secret = SECRET.to_ascii_lowercase();
        let seen = of(&bytes).any(|(_, _, said)| memchr::memmem::find(&said, &secret).is_some());
        assert!(seen, "{hidden}");
    }
}

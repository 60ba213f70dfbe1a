//! Texts as octets and octets as mail: charsets and transfer encodings, written as badly as they are met.

use encoding_rs::{Encoding, UTF_8};

use crate::dice::Dice;

/// Charsets that a text part may be in.
pub const CHARSETS: [&str; 20] = [
    "us-ascii",
    "utf-8",
    "iso-8859-1",
    "iso-8859-15",
    "iso-8859-2",
    "windows-1252",
    "windows-1251",
    "koi8-r",
    "macintosh",
    "shift_jis",
    "euc-jp",
    "iso-2022-jp",
    "gb18030",
    "gb2312",
    "big5",
    "euc-kr",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "utf-7",
];

/// Transfer encodings that a part may have.
pub const TRANSFER_ENCODINGS: [&str; 5] = ["7bit", "8bit", "binary", "quoted-printable", "base64"];

/// The text in a charset, or nothing when the charset has not all of its characters.
pub fn in_charset(text: &str, charset: &str) -> Option<Vec<u8>> {
    match charset {
        "us-ascii" => text.is_ascii().then(|| text.as_bytes().to_vec()),
        "utf-16" => Some([vec![0xff, 0xfe], utf_16(text, u16::to_le_bytes)].concat()),
        "utf-16le" => Some(utf_16(text, u16::to_le_bytes)),
        "utf-16be" => Some(utf_16(text, u16::to_be_bytes)),
        "utf-7" => Some(utf_7(text)),
        _ => {
            let encoding = Encoding::for_label(charset.as_bytes()).unwrap_or(UTF_8);
            let (octets, _, unmappable) = encoding.encode(text);
            (!unmappable).then(|| octets.into_owned())
        }
    }
}

fn utf_16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

/// UTF-7 (RFC 2152) that also hides what it need not.
pub fn utf_7(text: &str) -> Vec<u8> {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '+' => out.push_str("+-"),
            '@' | '=' | '\\' | '~' => out.push_str(&utf_7_unit(c)),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&utf_7_unit(c)),
        }
    }
    out.into_bytes()
}

fn utf_7_unit(c: char) -> String {
    let octets = utf_16(&c.to_string(), u16::to_be_bytes);
    format!("+{}-", data_encoding::BASE64_NOPAD.encode(&octets))
}

/// Whether octets can go as they are under this transfer encoding.
pub fn fits(octets: &[u8], encoding: &str) -> bool {
    match encoding {
        "7bit" => octets.is_ascii() && !octets.contains(&0),
        "8bit" => !octets.contains(&0),
        _ => true,
    }
}

/// The octets under a transfer encoding.
pub fn transfer(octets: &[u8], encoding: &str, dice: &mut Dice) -> Vec<u8> {
    match encoding {
        "quoted-printable" => quoted_printable(octets, dice),
        "base64" => base64(octets, dice),
        "x-uuencode" => uuencode(octets),
        _ => octets.to_vec(),
    }
}

/// Quoted-printable that also encodes what it need not, breaks lines anywhere, and has digits of either case.
pub fn quoted_printable(octets: &[u8], dice: &mut Dice) -> Vec<u8> {
    let is_text = !octets.contains(&0);
    let eager = dice.pick(&[1, 4, 12, 1000]);
    let mut out = Vec::with_capacity(octets.len() * 2);
    let mut column = 0;
    for (at, &octet) in octets.iter().enumerate() {
        let is_line_end =
            is_text && (octet == b'\n' || (octet == b'\r' && octets.get(at + 1) == Some(&b'\n')));
        if is_line_end {
            out.push(octet);
            column = 0;
            continue;
        }
        if column >= 72 || dice.one_in(40) {
            out.extend_from_slice(dice.pick(&[&b"=\r\n"[..], b"=\r\n", b"=\r\n", b"= \r\n"]));
            column = 0;
        }
        let plain = (octet.is_ascii_graphic() && octet != b'=') || (octet == b' ' && column > 0);
        if plain && !dice.one_in(eager) {
            out.push(octet);
            column += 1;
        } else {
            let code = if dice.one_in(5) { format!("={octet:02x}") } else { format!("={octet:02X}") };
            out.extend_from_slice(code.as_bytes());
            column += 3;
        }
    }
    // A blank at the end of a line would be lost.
    if out.last() == Some(&b' ') {
        out.extend_from_slice(b"=\r\n");
    }
    out
}

/// Base64 in lines of some length.
pub fn base64(octets: &[u8], dice: &mut Dice) -> Vec<u8> {
    let text = data_encoding::BASE64.encode(octets);
    let length = dice.pick(&[76_usize, 76, 76, 64, 61, 20, 900]);
    in_lines(&text, length)
}

pub fn in_lines(text: &str, length: usize) -> Vec<u8> {
    text.as_bytes().chunks(length).flat_map(|line| [line, b"\r\n"].concat()).collect()
}

/// A uuencoded file.
pub fn uuencode(octets: &[u8]) -> Vec<u8> {
    let digit = |value: u8| if value == 0 { b'`' } else { value + 0x20 };
    let mut out = b"begin 644 notes.txt\r\n".to_vec();
    for line in octets.chunks(45) {
        out.push(digit(u8::try_from(line.len()).unwrap_or(45)));
        for group in line.chunks(3) {
            let byte = |at: usize| group.get(at).copied().unwrap_or(0);
            let (a, b, c) = (byte(0), byte(1), byte(2));
            out.extend([a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63].map(digit));
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"`\r\nend\r\n");
    out
}

/// `%40` for some characters, always for those that need it in a URL.
pub fn percent(text: &str, dice: &mut Dice) -> String {
    let eager = dice.pick(&[1, 3, 1000]);
    let mut out = String::new();
    for octet in text.bytes() {
        let must = octet == b'@' || !(octet.is_ascii_alphanumeric() || b"-._~".contains(&octet));
        if must || dice.one_in(eager) {
            let code = if dice.one_in(2) { format!("%{octet:02x}") } else { format!("%{octet:02X}") };
            out.push_str(&code);
        } else {
            out.push(char::from(octet));
        }
    }
    out
}

/// An encoded word (RFC 2047).
pub fn encoded_word(text: &str, charset: &str, kind: char, dice: &mut Dice) -> String {
    let octets = in_charset(text, charset);
    let (charset, octets) = match octets {
        Some(octets) => (charset, octets),
        None => ("utf-8", text.as_bytes().to_vec()),
    };
    let charset = if dice.one_in(4) { charset.to_uppercase() } else { charset.to_owned() };
    let content = match kind {
        'b' | 'B' => data_encoding::BASE64.encode(&octets),
        _ => q_word(&octets, dice),
    };
    format!("=?{charset}?{kind}?{content}?=")
}

fn q_word(octets: &[u8], dice: &mut Dice) -> String {
    let eager = dice.pick(&[1, 3, 1000]);
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"!*+-/".contains(&octet);
    let mut out = String::new();
    for &octet in octets {
        match octet {
            b' ' => out.push('_'),
            octet if plain(octet) && !dice.one_in(eager) => out.push(char::from(octet)),
            octet => out.push_str(&format!("={octet:02X}")),
        }
    }
    out
}

/// The text in two pieces, cut at a character inside it.
pub fn cut<'a>(text: &'a str, dice: &mut Dice) -> (&'a str, &'a str) {
    let inner: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
    text.split_at(dice.pick(&inner))
}

//! Characters that are written as something else.

use super::super::{bytes, transfer};

/// Names of entities (HTML) that can stand in or inside an address.
const ENTITIES: [(&str, &str); 30] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("commat", "@"),
    ("period", "."),
    ("plus", "+"),
    ("lowbar", "_"),
    ("hyphen", "-"),
    ("dash", "-"),
    ("percnt", "%"),
    ("num", "#"),
    ("equals", "="),
    ("colon", ":"),
    ("sol", "/"),
    ("bsol", "\\"),
    ("shy", "\u{ad}"),
    ("zwnj", "\u{200c}"),
    ("zwj", "\u{200d}"),
    ("zerowidthspace", "\u{200b}"),
    ("nobreak", "\u{2060}"),
    ("tab", "\t"),
    ("newline", "\n"),
    ("uuml", "\u{fc}"),
    ("ouml", "\u{f6}"),
    ("auml", "\u{e4}"),
    ("szlig", "\u{df}"),
    ("eacute", "\u{e9}"),
];

/// `%40`.
pub fn percent(text: &str) -> Vec<String> {
    if !text.contains('%') {
        return Vec::new();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        match transfer::two_digits(after).filter(|_| octet == b'%') {
            Some((value, behind)) => {
                out.push(value);
                rest = behind;
            }
            None => {
                out.push(octet);
                rest = after;
            }
        }
    }
    bytes::texts(&out, &[])
}

/// `&#64;`, `&#x40;`, `&commat;`, with or without the semicolon.
pub fn entities(text: &str) -> Vec<String> {
    if !text.contains('&') {
        return Vec::new();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let from = &rest[at + 1..];
        let (character, behind) = entity(from).unwrap_or(("&".to_owned(), from));
        out.push_str(&character);
        rest = behind;
    }
    out.push_str(rest);
    vec![out]
}

fn entity(text: &str) -> Option<(String, &str)> {
    let (character, behind) = match text.strip_prefix('#') {
        Some(number) => numbered(number)?,
        None => named(text)?,
    };
    Some((character, behind.strip_prefix(';').unwrap_or(behind)))
}

fn numbered(text: &str) -> Option<(String, &str)> {
    let (digits, radix) = match text.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let value = u32::from_str_radix(&digits[..end], radix).ok()?;
    Some((char::from_u32(value)?.to_string(), &digits[end..]))
}

fn named(text: &str) -> Option<(String, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let name = text[..end].to_ascii_lowercase();
    let (_, character) = ENTITIES.iter().find(|(known, _)| *known == name)?;
    Some(((*character).to_owned(), &text[end..]))
}

/// Without tags and comments, so that a word with tags in it is whole. A `>` in quotes ends a tag, or it does not.
pub fn without_tags(text: &str) -> Vec<String> {
    if !text.contains('<') {
        return Vec::new();
    }
    vec![outside(text, |tag| tag.find('>')), outside(text, unquoted_end)]
}

fn outside(text: &str, tag_end: fn(&str) -> Option<usize>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let from = &rest[at..];
        let comment_end = || from.find("-->").map(|at| at + 3);
        let end = match from[1..].chars().next() {
            Some('!') if from.starts_with("<!--") => comment_end(),
            Some(c) if c.is_ascii_alphabetic() || "/!?".contains(c) => tag_end(from).map(|at| at + 1),
            _ => None,
        };
        if end.is_none() {
            out.push('<');
        }
        rest = &from[end.unwrap_or(1)..];
    }
    out.push_str(rest);
    out
}

fn unquoted_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.find(|c: char| {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        c == '>' && quote.is_none()
    })
}

/// `\u0040`, `\u{40}`, `\x40`, `\100`, `\40 ` and `\'40`; and `\@`, which is just `@`.
pub fn backslashes(text: &str) -> Vec<String> {
    if !text.contains('\\') {
        return Vec::new();
    }
    vec![unescaped(text, script_escape), unescaped(text, style_escape), unescaped(text, octal_escape)]
}

fn unescaped(text: &str, escape: fn(&str) -> Option<(u32, usize)>) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut next = c.len_utf8();
        if c != '\\' {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
        } else if let Some((value, length)) = escape(&rest[1..]) {
            // Halves of a surrogate pair come one by one.
            units.extend(u16::try_from(value).ok());
            next = 1 + length;
        }
        rest = &rest[next..];
    }
    String::from_utf16_lossy(&units)
}

/// JSON and JavaScript; `'` is what RTF has, `\n` calendars as well.
fn script_escape(text: &str) -> Option<(u32, usize)> {
    let (prefix, digits) = match text.as_bytes() {
        [b'u', b'{', rest @ ..] => {
            let length = rest.iter().position(|octet| *octet == b'}')?;
            return Some((hexadecimal(text.get(2..2 + length)?)?, length + 3));
        }
        [b'u' | b'U', ..] => (1, 4),
        [b'x' | b'X' | b'\'', ..] => (1, 2),
        [b'n' | b'N' | b'r' | b't', ..] => return Some((u32::from(b' '), 1)),
        _ => return None,
    };
    Some((hexadecimal(text.get(prefix..prefix + digits)?)?, prefix + digits))
}

/// CSS: up to six digits, and a blank that ends them.
fn style_escape(text: &str) -> Option<(u32, usize)> {
    let digits = text.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
    let value = hexadecimal(text.get(..digits)?)?;
    Some((value, digits + usize::from(text[digits..].starts_with(' '))))
}

fn octal_escape(text: &str) -> Option<(u32, usize)> {
    let digits = text.bytes().take(3).take_while(|octet| (b'0'..b'8').contains(octet)).count();
    let value = u32::from_str_radix(text.get(..digits)?, 8).ok()?;
    Some((value, digits))
}

fn hexadecimal(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok()
}

/// UTF-7 (RFC 2152): `+AEA-`.
pub fn utf_7(text: &str) -> Vec<String> {
    if !text.contains('+') {
        return Vec::new();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('+') {
        out.push_str(&rest[..at]);
        let from = &rest[at + 1..];
        let length =
            from.bytes().take_while(|octet| octet.is_ascii_alphanumeric() || b"+/".contains(octet)).count();
        let octets = transfer::base64(&from.as_bytes()[..length]);
        let units: Vec<u16> =
            octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        if length == 0 {
            out.push('+');
        }
        out.push_str(&String::from_utf16_lossy(&units));
        rest = from[length..].strip_prefix('-').unwrap_or(&from[length..]);
    }
    out.push_str(rest);
    vec![out]
}

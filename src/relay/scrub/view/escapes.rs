//! Characters written with `%`, `\`, or `=` and their number, and line ends that are none.
//!
//! Each function gets the bytes from the sign that starts the disguise. Repeated layers of one kind (`%252540`, `\\u0040`)
//! are taken off together.

use super::Kind;
use super::round::{Shows, Unit};

/// `%40` (RFC 3986, section 2.1), with UTF-8 in several of them, and `%u0040` of old scripts.
pub(super) fn percent(rest: &[u8]) -> Option<Unit> {
    let skipped = layers_of_percent(rest);
    let inner = rest.get(skipped..)?;
    if let [b'u' | b'U', digits @ ..] = inner
        && let Some(c) = hex_char(digits, 4)
    {
        return Some(Unit { len: skipped + 5, shows: Shows::Char(c) });
    }
    let unit = from_bytes(rest, percent_byte)?;
    let is_part = matches!(unit.shows, Shows::Char('\u{80}'..='\u{ff}')) && unit.len == skipped + 2;
    // Part of a character whose other bytes come out a round later: one layer at a time, so that they meet.
    let is_deep = skipped > 1;
    Some(if is_part && is_deep { Unit { len: 3, shows: Shows::Char('%') } } else { unit })
}

fn percent_byte(rest: &[u8]) -> Option<(u8, usize)> {
    if rest.first() != Some(&b'%') {
        return None;
    }
    let skipped = layers_of_percent(rest);
    Some((hex_byte(rest.get(skipped..)?)?, skipped + 2))
}

/// How long `%25…25` is when something that is encoded once more stands behind it; 1 for `%`.
fn layers_of_percent(rest: &[u8]) -> usize {
    let encoded = |inner: &[u8]| {
        hex_byte(inner).is_some()
            || (matches!(inner, [b'u' | b'U', ..])
                && inner.get(1..).is_some_and(|d| hex_char(d, 4).is_some()))
    };
    let mut at = 1;
    while rest.get(at..at + 2) == Some(b"25") && rest.get(at + 2..).is_some_and(encoded) {
        at += 2;
    }
    at
}

/// `=40` and `=` at the end of a line (RFC 2045, section 6.7).
pub(super) fn quoted_printable(rest: &[u8]) -> Option<Unit> {
    let behind = rest.get(1..)?;
    let blanks = behind.iter().take_while(|b| matches!(b, b' ' | b'\t')).take(8).count();
    if let Some(width) = line_end(behind.get(blanks..)?) {
        return Some(Unit { len: 1 + blanks + width, shows: Shows::Nothing(Kind::Fold) });
    }
    from_bytes(rest, |rest| match rest {
        [b'=', digits @ ..] => Some((hex_byte(digits)?, 3)),
        _ => None,
    })
}

/// A line end with a blank behind it.
pub(super) fn fold(rest: &[u8]) -> Option<Unit> {
    let width = line_end(rest)?;
    matches!(rest.get(width), Some(b' ' | b'\t'))
        .then_some(Unit { len: width + 1, shows: Shows::Nothing(Kind::Fold) })
}

fn line_end(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

/// What a number right behind a backslash means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As in style sheets, unless only an octal number makes an ASCII character.
    StyleSheet,
    /// Three digits are octal, as in programs; in RTF `'` and two are hexadecimal.
    Program,
}

/// `\u0040`, `\u{40}`, `\U00000040`, `\x40`, `\100`, `\40 ` of CSS, `\n`, `\"`.
pub(super) fn backslash(rest: &[u8], numbers: Numbers) -> Option<Unit> {
    let slashes = rest.iter().take_while(|&&b| b == b'\\').count();
    let behind = rest.get(slashes..)?;
    match escaped(behind, numbers) {
        Some((shows, len)) => Some(Unit { len: slashes + len, shows }),
        None if slashes > 1 => Some(Unit { len: slashes, shows: Shows::Char('\\') }),
        None => None,
    }
}

/// What stands behind a backslash.
fn escaped(rest: &[u8], numbers: Numbers) -> Option<(Shows, usize)> {
    let (&first, behind) = rest.split_first()?;
    let numbered = match first {
        b'u' | b'U' if behind.first() == Some(&b'{') => braced(behind).map(|(c, len)| (c, 1 + len)),
        b'U' if hex_char(behind, 8).is_some() => hex_char(behind, 8).map(|c| (c, 9)),
        b'u' | b'U' => hex_char(behind, 4).map(|c| (c, 5)),
        b'x' | b'X' => hex_char(behind, 2).map(|c| (c, 3)),
        b'\'' if numbers == Numbers::Program => hex_byte(behind).map(|byte| (char::from(byte), 3)),
        _ if first.is_ascii_hexdigit() => bare_number(rest, numbers),
        _ => None,
    };
    if let Some((c, len)) = numbered {
        return Some((Shows::Char(c), len));
    }
    match first {
        b'n' | b'N' | b'r' | b't' | b'v' => Some((Shows::Char('\n'), 1)),
        b'\r' | b'\n' => Some((Shows::Nothing(Kind::Fold), line_end(rest)?)),
        _ if first.is_ascii_punctuation() => Some((Shows::Char(char::from(first)), 1)),
        _ => None,
    }
}

/// `{40}`; at most six digits.
fn braced(rest: &[u8]) -> Option<(char, usize)> {
    let digits = rest.get(1..)?.iter().take(7).take_while(|b| b.is_ascii_hexdigit()).count();
    let c = hex_char(rest.get(1..)?, digits)?;
    (rest.get(1 + digits) == Some(&b'}')).then_some((c, digits + 2))
}

/// One to six hexadecimal digits and a blank that ends them (CSS Syntax 3, section 4.3.7), or three octal ones.
fn bare_number(rest: &[u8], numbers: Numbers) -> Option<(char, usize)> {
    let digits = rest.iter().take(6).take_while(|b| b.is_ascii_hexdigit()).count();
    let css = hex_char(rest, digits);
    if (numbers == Numbers::Program || !css.is_some_and(|c| c.is_ascii()))
        && let Some(octal) = octal_byte(rest)
    {
        return Some((char::from(octal), 3));
    }
    let after = rest.get(digits..)?;
    let blank = line_end(after).unwrap_or_else(|| usize::from(matches!(after.first(), Some(b' ' | b'\t'))));
    Some((css?, digits + blank))
}

/// Whether a number stands behind a backslash that means something else in [`Numbers::Program`].
pub(super) fn has_program_numbers(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_number = |rest: &[u8]| octal_byte(rest).is_some() || rest.first() == Some(&b'\'');
    memchr::memchr_iter(b'\\', bytes).any(|at| bytes.get(at + 1..).is_some_and(is_number))
}

fn octal_byte(rest: &[u8]) -> Option<u8> {
    let digits = rest.get(..3)?;
    let text = digits.iter().all(|b| (b'0'..=b'7').contains(b)).then_some(digits)?;
    u8::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok().filter(u8::is_ascii)
}

fn hex_byte(rest: &[u8]) -> Option<u8> {
    let value = |byte: u8| char::from(byte).to_digit(16);
    match rest {
        [high, low, ..] => u8::try_from(value(*high)? * 16 + value(*low)?).ok(),
        _ => None,
    }
}

fn hex_char(rest: &[u8], digits: usize) -> Option<char> {
    let digits = rest.get(..digits).filter(|digits| !digits.is_empty())?;
    let mut number: u32 = 0;
    for &digit in digits {
        number = number.checked_mul(16)?.checked_add(char::from(digit).to_digit(16)?)?;
    }
    char::from_u32(number)
}

/// A character whose UTF-8 bytes are each written alone; a byte that is not UTF-8 is Latin-1.
fn from_bytes(rest: &[u8], byte: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Option<Unit> {
    let (first, mut len) = byte(rest)?;
    let mut octets = [first, 0, 0, 0];
    let first_len = len;
    for octet in octets.iter_mut().take(utf8_width(first)).skip(1) {
        let Some((next, width)) = rest.get(len..).and_then(&byte) else { break };
        *octet = next;
        len += width;
    }
    let whole = octets.get(..utf8_width(first)).and_then(|octets| std::str::from_utf8(octets).ok());
    match whole.and_then(|text| text.chars().next()) {
        Some(c) => Some(Unit { len, shows: Shows::Char(c) }),
        None => Some(Unit { len: first_len, shows: Shows::Char(char::from(first)) }),
    }
}

fn utf8_width(first: u8) -> usize {
    match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

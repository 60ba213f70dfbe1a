//! How something has to be written to be what it is in the place where it goes.

use std::fmt::Write;

use super::super::view::Syntax;

/// What applies where a replacement goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    percent: bool,
    entities: bool,
    backslashes: Backslashes,
    quoted_printable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backslashes {
    None,
    /// Before quotes and backslashes.
    Quotes,
    /// And for all that is not ASCII.
    All,
}

impl Place {
    /// `written` is what stood there.
    pub(super) fn new(syntax: Syntax, written: &str) -> Self {
        Self {
            percent: has_percent_encoding(written),
            entities: syntax == Syntax::Html || written.contains('&'),
            backslashes: match syntax {
                _ if written.contains('\\') => Backslashes::All,
                Syntax::Escaped => Backslashes::Quotes,
                Syntax::Plain | Syntax::Html | Syntax::Folded => Backslashes::None,
            },
            quoted_printable: syntax == Syntax::Folded && written.contains('='),
        }
    }

    pub(super) fn escape(&self, text: &str) -> String {
        let mut out = text.to_owned();
        if self.percent {
            return percent(&out);
        }
        if self.entities {
            out = each(&out, entity);
        }
        out = match self.backslashes {
            Backslashes::None => out,
            Backslashes::Quotes => each(&out, |c| matches!(c, '"' | '\\').then(|| format!("\\{c}"))),
            Backslashes::All => each(&out, unicode_escape),
        };
        if self.quoted_printable { each(&out, octets) } else { out }
    }
}

fn has_percent_encoding(text: &str) -> bool {
    let is_code = |code: &[u8]| code.iter().all(u8::is_ascii_hexdigit) || code.first() == Some(&b'u');
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'%', bytes).any(|at| bytes.get(at + 1..at + 3).is_some_and(is_code))
}

fn each(text: &str, escape: impl Fn(char) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match escape(c) {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(c),
        }
    }
    out
}

/// All but the unreserved characters of RFC 3986, section 2.3.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn entity(c: char) -> Option<String> {
    let name = match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        _ => return None,
    };
    Some(name.to_owned())
}

fn unicode_escape(c: char) -> Option<String> {
    match c {
        '"' | '\\' => Some(format!("\\{c}")),
        _ if c.is_ascii() => None,
        _ => Some(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()),
    }
}

fn octets(c: char) -> Option<String> {
    if c.is_ascii() && c != '=' {
        return None;
    }
    Some(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("={byte:02X}")).collect())
}

/// What ends an escape that has no end of its own: `&#64` and `\40` go on over digits and letters behind them.
pub(super) fn terminator(before: &str) -> &'static str {
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
    if word.len() == before.len() {
        return "";
    }
    match word.strip_suffix('#').unwrap_or(word) {
        start if start.ends_with('&') => ";",
        start if start.ends_with('\\') => css_terminator(before.get(word.len()..).unwrap_or_default()),
        _ => "",
    }
}

/// Three octal digits end by themselves; what they would be in a style sheet is no ASCII character.
fn css_terminator(number: &str) -> &'static str {
    let is_ascii = u32::from_str_radix(number, 16).is_ok_and(|number| number < 0x80);
    if is_ascii && number.len() < 6 { " " } else { "" }
}

//! Writing one parameter by the rules, in as many pieces as its length takes.

use std::fmt::Write as _;

/// Most characters of a value in one piece, so that a piece with its name fits a line.
const LONGEST_VALUE: usize = 60;

/// The parameter as it is written, piece by piece: a token or a quoted string when it is ASCII, else in UTF-8 with
/// percent escapes (RFC 2231, section 4). Only a boundary is never divided or escaped: few programs would read it.
pub(super) fn pieces(name: &str, value: &str) -> Vec<String> {
    let name: String = name.chars().filter(|&c| is_attribute(c)).collect();
    if name.is_empty() {
        return Vec::new();
    }
    let is_plain = value.chars().all(|c| c.is_ascii_graphic() || c == ' ') && !value.contains("=?");
    if is_plain && (value.len() <= LONGEST_VALUE || name == "boundary") {
        return vec![format!("{name}={}", quoted(value))];
    }
    let mut parts = divided(value).into_iter();
    match (parts.next(), parts.as_slice().is_empty()) {
        (Some(only), true) => vec![format!("{name}*=utf-8''{only}")],
        (Some(first), false) => {
            let rest = parts.enumerate().map(|(index, part)| format!("{name}*{}*={part}", index + 1));
            std::iter::once(format!("{name}*0*=utf-8''{first}")).chain(rest).collect()
        }
        (None, _) => vec![format!("{name}=\"\"")],
    }
}

/// The value with escapes, divided between characters.
fn divided(value: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for c in value.chars() {
        let escaped = escape(c);
        match parts.last_mut().filter(|part| part.len() + escaped.len() <= LONGEST_VALUE) {
            Some(part) => part.push_str(&escaped),
            None => parts.push(escaped),
        }
    }
    parts
}

fn escape(c: char) -> String {
    if is_attribute(c) {
        return c.to_string();
    }
    let mut escaped = String::new();
    for b in c.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a string does not fail.
        write!(escaped, "%{b:02X}").unwrap_or_default();
    }
    escaped
}

/// `attribute-char` of RFC 2231, section 7.
fn is_attribute(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$&+-.^_`{|}~".contains(c)
}

fn quoted(value: &str) -> String {
    if !value.is_empty() && value.chars().all(is_attribute) {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

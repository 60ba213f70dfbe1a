//! What header fields do to words: encoded words (RFC 2047), parameters in pieces (RFC 2231), comments.

use super::super::{bytes, transfer};

/// With every encoded word decoded, and blanks between two of them taken out.
pub fn encoded_words(text: &str) -> Vec<String> {
    if !text.contains("=?") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut plain = String::new();
    // Octets of words that follow one another in one charset: a character may be in two of them.
    let mut pending: Option<(String, Vec<u8>)> = None;
    let mut rest = text;
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        let between_words = pending.is_some() && before.trim().is_empty();
        if !between_words {
            flush(&mut plain, &mut pending);
            plain.push_str(before);
        }
        match encoded_word(from) {
            Some((charset, octets, behind)) => {
                match &mut pending {
                    Some((known, all)) if *known == charset => all.extend(octets),
                    _ => {
                        flush(&mut plain, &mut pending);
                        pending = Some((charset, octets));
                    }
                }
                rest = behind;
            }
            None => {
                flush(&mut plain, &mut pending);
                plain.push_str("=?");
                rest = &from[2..];
            }
        }
    }
    flush(&mut plain, &mut pending);
    plain.push_str(rest);
    found.push(plain);
    found
}

fn flush(plain: &mut String, pending: &mut Option<(String, Vec<u8>)>) {
    if let Some((charset, octets)) = pending.take() {
        // The reading in the declared charset is the one that differs from the plain one, when there is one.
        let plain_reading = bytes::texts(&octets, &[]);
        let readings = bytes::texts(&octets, &[charset]);
        let declared = readings.iter().find(|reading| !plain_reading.contains(reading));
        plain.push_str(declared.or_else(|| plain_reading.first()).map_or("", String::as_str));
    }
}

/// Charset and octets of the encoded word at the start, and what follows it.
fn encoded_word(text: &str) -> Option<(String, Vec<u8>, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (kind, rest) = rest.split_once('?')?;
    let (content, behind) = rest.split_once("?=")?;
    let octets = match kind {
        "b" | "B" => transfer::base64(content.as_bytes()),
        "q" | "Q" => transfer::quoted_printable(content.replace('_', " ").as_bytes()),
        _ => return None,
    };
    Some((charset.to_ascii_lowercase(), octets, behind))
}

/// With the seams of `name*0="a"; name*1="b"` taken out, whatever the names are.
pub fn continued_parameters(text: &str) -> Vec<String> {
    if !text.contains("*1") {
        return Vec::new();
    }
    let mut joined = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(';') {
        let (before, from) = rest.split_at(at);
        match seam(&from[1..]) {
            Some(behind) => {
                joined.push_str(before.trim_end_matches('"'));
                rest = behind;
            }
            None => {
                joined.push_str(before);
                joined.push(';');
                rest = &from[1..];
            }
        }
    }
    joined.push_str(rest);
    vec![joined]
}

/// What follows `name*1*="` when that is how the text begins.
fn seam(text: &str) -> Option<&str> {
    let (name, value) = text.split_once('=')?;
    let (_, number) = name.trim().split_once('*')?;
    let number = number.trim_end_matches('*');
    let is_seam = number.parse::<u16>().is_ok_and(|number| number > 0);
    is_seam.then(|| value.strip_prefix('"').unwrap_or(value))
}

/// Without what stands in parentheses. A field may hide a comment in the middle of an address (RFC 5322, section 3.2.2).
pub fn without_comments(text: &str) -> Vec<String> {
    if !text.contains('(') {
        return Vec::new();
    }
    let mut depth = 0_usize;
    let mut outside = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    vec![outside]
}

//! Header fields and their parameters, split with a light hand.

use super::Rule;
use super::{bytes, views};

/// A field as it is written, or a line that is none.
#[derive(Debug, Clone)]
pub struct Field {
    /// Lower case; empty for a line that is no field.
    pub name: String,
    pub value: Vec<u8>,
}

/// Splits a header section; any line end counts.
pub fn fields(head: &[u8]) -> Vec<Field> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split_inclusive(|octet| *octet == b'\n') {
        match lines.last_mut() {
            Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => last.extend_from_slice(line),
            _ => lines.push(line.to_vec()),
        }
    }
    lines.iter().map(|line| field(line)).collect()
}

fn field(line: &[u8]) -> Field {
    let colon = line.iter().position(|octet| *octet == b':');
    let name = colon.map(|at| String::from_utf8_lossy(&line[..at]).trim().to_ascii_lowercase());
    match (name, colon) {
        (Some(name), Some(at)) if !name.contains(char::is_whitespace) => {
            Field { name, value: line[at + 1..].to_vec() }
        }
        _ => Field { name: String::new(), value: line.to_vec() },
    }
}

/// What must not show in a field.
pub fn rule(name: &str) -> Rule {
    match name {
        "subject" | "comments" | "keywords" | "thread-topic" | "original-subject" => Rule::Prose,
        // Other people may live at the mailbox's domain.
        "from" | "to" | "cc" | "bcc" | "reply-to" | "sender" | "resent-from" | "resent-to" | "resent-cc"
        | "resent-bcc" | "resent-sender" | "mail-followup-to" => Rule::Prose,
        "content-description" => Rule::Description,
        "content-type" | "content-disposition" => Rule::FileName,
        _ => Rule::Trace,
    }
}

/// What must not show in a parameter.
pub fn parameter_rule(name: &str) -> Rule {
    if matches!(name, "name" | "filename") { Rule::FileName } else { Rule::Trace }
}

/// A field with parameters, as `Content-Type`.
#[derive(Debug, Clone, Default)]
pub struct Parameterized {
    /// Lower case, without blanks and comments.
    pub main: String,
    /// What stands in parentheses.
    pub comments: String,
    /// Names in lower case without numbers and stars; the pieces of one value joined.
    pub parameters: Vec<(String, Vec<String>)>,
}

impl Parameterized {
    pub fn read(value: &[u8]) -> Self {
        let text = bytes::texts(value, &[]).swap_remove(0).replace(['\r', '\n'], "");
        let (pieces, comments) = split(&text);
        let mut pieces = pieces.into_iter();
        let main = pieces.next().unwrap_or_default();
        let main = main.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        Self { main, comments, parameters: joined(pieces.filter_map(|piece| Piece::read(&piece)).collect()) }
    }

    /// Every reading of every parameter of this name.
    pub fn readings<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        self.parameters.iter().filter(move |(known, _)| known == name).flat_map(|(_, readings)| readings)
    }
}

/// `name*2*=value`
struct Piece {
    name: String,
    number: u32,
    value: String,
}

impl Piece {
    fn read(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        let mut stars = name.trim().split('*');
        let name = stars.next()?.trim().to_ascii_lowercase();
        let number = stars.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        Some(Self { name, number, value: value.trim().to_owned() })
    }
}

fn joined(mut pieces: Vec<Piece>) -> Vec<(String, Vec<String>)> {
    pieces.sort_by(|one, other| (&one.name, one.number).cmp(&(&other.name, other.number)));
    let mut values: Vec<(String, String)> = Vec::new();
    for piece in pieces {
        let value = unquoted(&piece.value);
        match values.last_mut() {
            Some((name, whole)) if *name == piece.name && piece.number > 0 => whole.push_str(&value),
            _ => values.push((piece.name, value)),
        }
    }
    values.into_iter().map(|(name, value)| (name, views::all(vec![value]))).collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '"' => break,
            _ => out.push(c),
        }
    }
    out
}

/// At semicolons outside quotes and comments; and the comments.
fn split(text: &str) -> (Vec<String>, String) {
    let (mut pieces, mut comments) = (vec![String::new()], String::new());
    let (mut quoted, mut depth) = (false, 0_usize);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let piece = pieces.last_mut().expect("never empty");
        match c {
            '\\' if quoted => {
                piece.push(c);
                piece.extend(chars.next());
            }
            '"' if depth == 0 => {
                quoted = !quoted;
                piece.push(c);
            }
            '(' if !quoted => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ';' if !quoted && depth == 0 => pieces.push(String::new()),
            _ if depth == 0 => piece.push(c),
            _ => comments.push(c),
        }
    }
    (pieces, comments)
}

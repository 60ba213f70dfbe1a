//! `Content-Type`, `Content-Disposition` and their like: a word and parameters (RFC 2045, section 5.1; RFC 2231).
//!
//! Reading never fails and takes linear time. It takes what is sent: values without the quotes that they need, encoded-words
//! where none may stand, comments anywhere, pieces of a value in any order. Rewriting keeps the bytes of the parameters
//! that stay, and writes the others by the rules.

mod write;

use std::collections::HashMap;
use std::ops::Range;

use super::super::encoded_word;
use super::super::fold::{FieldWriter, HeaderField};
use super::super::structured::{Kind, Token, Tokens, unquote};
use super::charset;

/// A value such as `text/plain; charset=utf-8`, read. Positions are in the value that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameterized {
    /// The word before the first `;`, in lower case, without comments and white space: `text/plain`, `attachment`.
    pub word: String,
    /// In the order of their first pieces.
    pub parameters: Vec<Parameter>,
    /// Where the word stands.
    word_span: Range<usize>,
    /// Every piece with the index of its parameter.
    pieces: Vec<(Range<usize>, usize)>,
}

/// One parameter, put together from its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// In lower case, without the marks of RFC 2231.
    pub name: String,
    /// Decoded.
    pub value: String,
}

/// What becomes of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It stays as it is written.
    Keep,
    /// It gets another value.
    Set(String),
    /// It goes.
    Drop,
}

impl Parameterized {
    /// Reads a value.
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        let mut items = items(value);
        let word_span = items.next().unwrap_or_default();
        let mut read = Reader::default();
        for span in items {
            read.item(value, span);
        }
        let word = word_of(&text_of(value.get(word_span.clone()).unwrap_or_default()));
        Self { word, parameters: read.parameters(), word_span, pieces: read.spans }
    }

    /// The value of the first parameter of this name (in lower case).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|parameter| parameter.name == name).map(|found| found.value.as_str())
    }

    /// The field with another word (`None`: as it is) and changed parameters. `value` is what this was read from.
    #[must_use]
    pub fn rewrite(
        &self,
        field_name: &str,
        value: &[u8],
        word: Option<&str>,
        mut change: impl FnMut(usize, &Parameter) -> Change,
    ) -> HeaderField {
        let changes: Vec<Change> =
            self.parameters.iter().enumerate().map(|(index, parameter)| change(index, parameter)).collect();
        let mut field = FieldWriter::new(field_name);
        match word {
            Some(word) => field.token(word),
            None => field.raw(value.get(self.word_span.clone()).unwrap_or_default()),
        };
        let mut is_written = vec![false; self.parameters.len()];
        for (span, index) in &self.pieces {
            match (changes.get(*index), is_written.get_mut(*index)) {
                (Some(Change::Keep), _) => {
                    field.glue(';').raw(value.get(span.clone()).unwrap_or_default());
                }
                (Some(Change::Set(new)), Some(done @ false)) => {
                    *done = true;
                    self.write(&mut field, *index, new);
                }
                _ => {}
            }
        }
        field.finish()
    }

    fn write(&self, field: &mut FieldWriter, index: usize, value: &str) {
        for piece in self.parameters.get(index).map(|p| write::pieces(&p.name, value)).unwrap_or_default() {
            field.glue(';').token(&piece);
        }
    }
}

/// What a value says besides its word and its parameters: comments, and what stands behind a quoted string.
#[must_use]
pub fn rubbish(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for span in items(value).skip(1) {
        let item = value.get(span).unwrap_or_default();
        let said = item.get(memchr::memchr(b'=', item).map_or(0, |at| at + 1)..).unwrap_or_default();
        let mut is_behind = false;
        for token in Tokens::new(said) {
            if is_behind || token.is_comment() {
                out.extend_from_slice(token.of(said));
                out.push(b' ');
            }
            is_behind |= token.kind == Kind::Quoted;
        }
    }
    out
}

/// One written parameter: pieces of one value have a number, and what is percent-encoded is marked (RFC 2231).
struct Item {
    name: String,
    number: Option<u32>,
    is_extended: bool,
    octets: Vec<u8>,
}

/// Puts items together.
#[derive(Default)]
struct Reader {
    names: Vec<String>,
    items: Vec<Vec<Item>>,
    /// Where the pieces of a value in pieces are collected.
    in_pieces: HashMap<String, usize>,
    spans: Vec<(Range<usize>, usize)>,
}

impl Reader {
    /// An item that is empty belongs to nothing, and goes when the field is rewritten.
    fn item(&mut self, value: &[u8], span: Range<usize>) {
        let Some(item) = value.get(span.clone()).and_then(Item::read) else { return };
        let next = self.names.len();
        let index = match item.number {
            Some(_) => *self.in_pieces.entry(item.name.clone()).or_insert(next),
            None => next,
        };
        if index == next {
            self.names.push(item.name.clone());
            self.items.push(Vec::new());
        }
        if let Some(pieces) = self.items.get_mut(index) {
            pieces.push(item);
        }
        self.spans.push((span, index));
    }

    fn parameters(&mut self) -> Vec<Parameter> {
        let names = std::mem::take(&mut self.names);
        let items = std::mem::take(&mut self.items);
        names.into_iter().zip(items).map(|(name, pieces)| Parameter { name, value: join(pieces) }).collect()
    }
}

impl Item {
    /// `name=value`, or a name alone.
    fn read(item: &[u8]) -> Option<Self> {
        let equals = memchr::memchr(b'=', item);
        let (name, value) = match equals {
            Some(at) => (item.get(..at)?, item.get(at + 1..)?),
            None => (item, &[][..]),
        };
        let name = text_of(name);
        let octets = octets_of(value);
        let name: String = name.split_ascii_whitespace().collect();
        if name.is_empty() && octets.is_empty() {
            return None;
        }
        let (name, number, is_extended) = read_name(&name.to_ascii_lowercase());
        Some(Self { name, number, is_extended, octets })
    }
}

/// `name`, `name*`, `name*1` or `name*1*`.
fn read_name(name: &str) -> (String, Option<u32>, bool) {
    let (plain, is_extended) = match name.strip_suffix('*') {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    let numbered = plain.split_once('*').and_then(|(base, number)| Some((base, number.parse().ok()?)));
    match numbered {
        Some((base, number)) => (base.to_owned(), Some(number), is_extended),
        None => (plain.to_owned(), None, is_extended),
    }
}

/// The value that the pieces say, in the order of their numbers. The first one names the charset.
fn join(mut pieces: Vec<Item>) -> String {
    pieces.sort_by_key(|piece| piece.number);
    if pieces.iter().all(|piece| !piece.is_extended) {
        return encoded_word::decode(&pieces.into_iter().flat_map(|piece| piece.octets).collect::<Vec<u8>>());
    }
    let mut label = None;
    let mut octets = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let mut content = piece.octets.as_slice();
        if index == 0 && piece.is_extended {
            (label, content) = split_label(content);
        }
        if piece.is_extended {
            percent_decode(content, &mut octets);
        } else {
            octets.extend_from_slice(content);
        }
    }
    charset::decode(&octets, label).text.into_owned()
}

/// `charset'language'text`.
fn split_label(content: &[u8]) -> (Option<&str>, &[u8]) {
    let mut parts = content.splitn(3, |&b| b == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(label), Some(_), Some(text)) => (std::str::from_utf8(label).ok(), text),
        _ => (None, content),
    }
}

/// An escape that is broken stands for itself.
fn percent_decode(text: &[u8], out: &mut Vec<u8>) {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        if let (b'%', [high, low, beyond @ ..]) = (b, after)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            out.push(high << 4 | low);
            rest = beyond;
        } else {
            out.push(b);
        }
    }
}

/// The pieces between semicolons.
fn items(value: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut tokens = Tokens::new(value);
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let semicolon = tokens.find(|token| token.is(b';'));
        start = semicolon.map(|token| token.end);
        Some(from..semicolon.map_or(value.len(), |token| token.start))
    })
}

/// What is said, without comments: a name, or the word before the parameters.
fn text_of(bytes: &[u8]) -> String {
    let tokens = Tokens::new(bytes).filter(|token| !token.is_comment());
    let words: Vec<u8> = tokens.flat_map(|token| spoken(&token, bytes).into_iter().chain([b' '])).collect();
    String::from_utf8_lossy(&words).into_owned()
}

/// The first word, with what a `/` at its end or its other side joins to it; the rest is rubbish.
fn word_of(text: &str) -> String {
    let mut word = String::new();
    for next in text.split_ascii_whitespace() {
        if !word.is_empty() && !word.ends_with('/') && !next.starts_with('/') {
            break;
        }
        word.push_str(next);
    }
    word.to_ascii_lowercase()
}

/// What a value says: a quoted string, or everything from the first token to the last that is no comment.
fn octets_of(bytes: &[u8]) -> Vec<u8> {
    let mut tokens = Tokens::new(bytes).filter(|token| !token.is_comment());
    let Some(first) = tokens.next() else { return Vec::new() };
    if matches!(first.kind, Kind::Quoted | Kind::Unterminated) {
        return spoken(&first, bytes);
    }
    let end = tokens.last().unwrap_or(first).end;
    bytes.get(first.start..end).unwrap_or_default().iter().copied().filter(|b| !b"\r\n".contains(b)).collect()
}

fn spoken(token: &Token, bytes: &[u8]) -> Vec<u8> {
    let written = token.of(bytes);
    match token.kind {
        Kind::Quoted => unquote(written),
        Kind::Unterminated => unquote(&[written, b"\""].concat()),
        _ => written.to_vec(),
    }
}

#[cfg(test)]
mod tests;

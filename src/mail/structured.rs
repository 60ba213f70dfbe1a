//! Tokens of structured header fields (RFC 5322, section 3.2), as positions in the value.
//!
//! The scan is linear and never fails. Comments nest by counting, so depth costs nothing. A quoted string or comment that
//! is never closed takes the rest of the value: nobody can say what is inside it.

use std::ops::Range;

use super::encoded_word;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A run of anything that is neither white space nor special; dots and octets above 127 belong to it. An encoded-word
    /// is an atom of its own, also with special characters in it (which it must not have, and often has).
    Atom,
    /// With its quotes.
    Quoted,
    /// With its parentheses.
    Comment,
    /// With its brackets.
    Literal,
    /// One of `< > , ; : @`.
    Special(u8),
    /// A quoted string or comment without an end.
    Unterminated,
}

/// A token and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    pub fn is(&self, special: u8) -> bool {
        self.kind == Kind::Special(special)
    }

    pub fn is_comment(&self) -> bool {
        self.kind == Kind::Comment
    }

    pub fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The token's bytes in the value that it was found in.
    pub fn of<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        value.get(self.span()).unwrap_or_default()
    }
}

/// The tokens of a value, in order; white space and folds are passed over.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'v> {
    value: &'v [u8],
    at: usize,
}

impl<'v> Tokens<'v> {
    pub fn new(value: &'v [u8]) -> Self {
        Self { value, at: 0 }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let blank = self.value.get(self.at..)?.iter().take_while(|&&b| is_blank(b)).count();
        let start = self.at + blank;
        let (kind, length) = scan(self.value.get(start..)?)?;
        self.at = start + length;
        Some(Token { kind, start, end: self.at })
    }
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_special(b: u8) -> bool {
    matches!(b, b'<' | b'>' | b',' | b';' | b':' | b'@')
}

/// The token at the start of the bytes; none at their end.
fn scan(bytes: &[u8]) -> Option<(Kind, usize)> {
    let closed = |kind, end: Option<usize>| match end {
        Some(length) => (kind, length),
        None => (Kind::Unterminated, bytes.len()),
    };
    Some(match *bytes.first()? {
        b'"' => closed(Kind::Quoted, quoted_length(bytes)),
        b'(' => closed(Kind::Comment, comment_length(bytes)),
        special if is_special(special) => (Kind::Special(special), 1),
        b'[' => match literal_length(bytes) {
            Some(length) => (Kind::Literal, length),
            None => (Kind::Atom, atom_length(bytes)),
        },
        _ => (Kind::Atom, encoded_word::word_length(bytes).unwrap_or_else(|| atom_length(bytes))),
    })
}

/// At least one, so that a scan always moves on.
fn atom_length(bytes: &[u8]) -> usize {
    let ends = |&b: &u8| is_blank(b) || is_special(b) || matches!(b, b'"' | b'(' | b'[');
    bytes.iter().skip(1).position(ends).map_or(bytes.len(), |at| at + 1)
}

fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn comment_length(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(at + 1),
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// A second `[` ends the search, so that a million of them cost no more than their length.
fn literal_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().skip(1).position(|b| matches!(b, b'[' | b']'))? + 1;
    (bytes.get(end) == Some(&b']')).then_some(end + 1)
}

/// The content of a quoted string or comment, given with its delimiters: unfolded, quoted pairs resolved.
pub(super) fn unquote(token: &[u8]) -> Vec<u8> {
    let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    let mut content = Vec::with_capacity(inner.len());
    let mut escaped = false;
    for &b in inner {
        match b {
            b'\r' | b'\n' => {}
            b'\\' if !escaped => {
                escaped = true;
                continue;
            }
            _ => content.push(b),
        }
        escaped = false;
    }
    content
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(value: &str) -> Vec<(Kind, &str)> {
        Tokens::new(value.as_bytes()).map(|token| (token.kind, &value[token.span()])).collect()
    }

    #[test]
    fn tokens_are_told_apart() {
        use Kind::{Atom, Comment, Literal, Quoted, Special};
        assert_eq!(
            kinds(" Jane \"a\\\"b\"(c (d\\)) e)\r\n <a.b@[192.0.2.1]>,"),
            [
                (Atom, "Jane"),
                (Quoted, "\"a\\\"b\""),
                (Comment, "(c (d\\)) e)"),
                (Special(b'<'), "<"),
                (Atom, "a.b"),
                (Special(b'@'), "@"),
                (Literal, "[192.0.2.1]"),
                (Special(b'>'), ">"),
                (Special(b','), ","),
            ]
        );
        assert_eq!(kinds("[a[b] c]"), [(Atom, "[a"), (Literal, "[b]"), (Atom, "c]")]);
        assert_eq!(kinds("=?UTF-8?Q?a,b?=,"), [(Atom, "=?UTF-8?Q?a,b?="), (Special(b','), ",")]);
    }

    #[test]
    fn what_is_never_closed_takes_the_rest() {
        assert_eq!(kinds("a \"b, c"), [(Kind::Atom, "a"), (Kind::Unterminated, "\"b, c")]);
        assert_eq!(kinds("((a) b"), [(Kind::Unterminated, "((a) b")]);
        assert_eq!(kinds("\"a\\"), [(Kind::Unterminated, "\"a\\")]);
    }

    #[test]
    fn quotes_and_folds_are_resolved() {
        assert_eq!(unquote(b"\"a\\\"b\\\\\r\n c\""), b"a\"b\\ c");
        assert_eq!(unquote(b"\""), b"");
    }

    proptest! {
        #[test]
        fn tokens_are_in_order_and_nothing_but_white_space_lies_between(value in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&b"\"(\\)<>[],;:@ =?Qb\r\n"[..])], 0..200,
        )) {
            let mut at = 0;
            for token in Tokens::new(&value) {
                prop_assert!(token.start >= at && token.end > token.start && token.end <= value.len());
                prop_assert!(value[at..token.start].iter().all(|&b| is_blank(b)));
                at = token.end;
            }
            prop_assert!(value[at..].iter().all(|&b| is_blank(b)));
        }
    }
}

//! The parts of a multipart body (RFC 2046, section 5.1).
//!
//! Every line that a reader might take for a delimiter is one: white space and rubbish after the boundary do not matter,
//! a bare CR or LF ends a line as well, and what looks like a part after the closing delimiter is a part. Only where a
//! character that boundaries have follows directly, the line is taken for one of another, longer boundary; RFC 2046 has
//! delimiters compared by their beginning, but most programs do not, and some make boundaries that begin alike.

use std::ops::Range;

use memchr::memchr2;
use memchr::memmem::Finder;

/// A body divided at its delimiter lines. Preamble, and delimiters and contents of all pieces, cover it without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart {
    /// What stands before the first delimiter; everything, when there is none.
    pub preamble: Range<usize>,
    /// In order.
    pub pieces: Vec<Piece>,
}

/// A delimiter, and what stands between it and the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The delimiter line, with the line end before it and its own.
    pub delimiter: Range<usize>,
    /// The boundary in it, without the two dashes before (and after) it.
    pub boundary: Range<usize>,
    /// Two dashes follow the boundary: what comes next is no part but an epilogue.
    pub is_closing: bool,
    /// A part, or an epilogue.
    pub content: Range<usize>,
}

/// Finds the pieces of a body, one more than `most` at most, so that a hostile one costs no memory.
#[must_use]
pub fn split(body: &[u8], boundary: &[u8], most: usize) -> Multipart {
    let needle = [b"--", boundary].concat();
    let finder = Finder::new(&needle);
    let mut split = Multipart { preamble: 0..body.len(), pieces: Vec::new() };
    let mut at = 0;
    while split.pieces.len() <= most {
        let Some(found) = finder.find(body.get(at..).unwrap_or_default()) else { break };
        let start = at + found;
        at = start + needle.len();
        if let Some(piece) = delimiter(body, split.end(), start..at, boundary.is_empty()) {
            at = piece.delimiter.end;
            split.push(piece);
        }
    }
    split
}

/// The boundary of a body whose own boundary is not in it, as some programs guess it: the first line that begins with two
/// dashes, if another one begins like it.
#[must_use]
pub fn guess(body: &[u8]) -> Option<&[u8]> {
    let is_delimiter = |line: &&[u8]| line.starts_with(b"--") && line.iter().any(u8::is_ascii_alphanumeric);
    let line = lines(body).map(<[u8]>::trim_ascii_end).find(is_delimiter)?;
    let starts_line = |&at: &usize| at == 0 || body.get(at - 1).is_some_and(|b| b"\r\n".contains(b));
    let finder = Finder::new(line);
    finder.find_iter(body).filter(starts_line).nth(1).and_then(|_| line.get(2..))
}

fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|b| b"\r\n".contains(b))
}

impl Multipart {
    /// Where the last delimiter ends.
    fn end(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.delimiter.end)
    }

    fn push(&mut self, piece: Piece) {
        let last = self.pieces.last_mut().map_or(&mut self.preamble, |last| &mut last.content);
        last.end = piece.delimiter.start;
        self.pieces.push(piece);
    }
}

/// The delimiter line with dashes and boundary at `found`, unless these are just a part of some line. It does not begin
/// before `earliest`: the line end after a delimiter may be the one before the next.
fn delimiter(body: &[u8], earliest: usize, found: Range<usize>, is_empty: bool) -> Option<Piece> {
    let before = body.get(earliest..found.start)?;
    if found.start > 0
        && !body.get(..found.start)?.ends_with(b"\n")
        && !body.get(..found.start)?.ends_with(b"\r")
    {
        return None;
    }
    let rest = body.get(found.end..)?;
    let line = rest.get(..memchr2(b'\r', b'\n', rest).unwrap_or(rest.len()))?;
    let after = line.strip_prefix(b"--").filter(|after| is_blank(after));
    if after.is_none()
        && (line.first().is_some_and(|&b| is_boundary_character(b)) || is_empty && !is_blank(line))
    {
        return None;
    }
    let end = found.end + line.len() + line_end_length(rest.get(line.len()..)?);
    Some(Piece {
        delimiter: found.start - line_end_length_at_end(before)..end,
        boundary: found.start + 2..found.end,
        is_closing: after.is_some(),
        content: end..body.len(),
    })
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// `bcharsnospace` of RFC 2046, section 5.1.1.
fn is_boundary_character(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&b)
}

fn line_end_length(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

fn line_end_length_at_end(bytes: &[u8]) -> usize {
    match bytes {
        [.., b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 2_000;

    fn shown<'b>(body: &'b str, boundary: &str) -> (&'b str, Vec<(bool, &'b str)>) {
        let split = split(body.as_bytes(), boundary.as_bytes(), MOST);
        let pieces = split.pieces.into_iter().map(|piece| (piece.is_closing, &body[piece.content])).collect();
        (&body[split.preamble], pieces)
    }

    #[test]
    fn parts_are_found() {
        for (body, preamble, pieces) in [
            (
                "pre\r\n--b\r\none\r\n--b\r\ntwo\r\n--b--\r\nepi",
                "pre",
                vec![(false, "one"), (false, "two"), (true, "epi")],
            ),
            ("--b\r\n--b\r\n\r\n--b--", "", vec![(false, ""), (false, ""), (true, "")]),
            ("no parts", "no parts", vec![]),
            ("", "", vec![]),
            ("x --b\r\n--b \t\r\none", "x --b", vec![(false, "one")]),
            (
                "--b rubbish\r\none\r\n--b--\t\r\n--b\r\nlate",
                "",
                vec![(false, "one"), (true, ""), (false, "late")],
            ),
            ("--b\none\r--b--", "", vec![(false, "one"), (true, "")]),
            ("--ba\r\n--b-a\r\n--b--a\r\n--b", "--ba\r\n--b-a\r\n--b--a", vec![(false, "")]),
        ] {
            assert_eq!(shown(body, "b"), (preamble, pieces), "{body:?}");
        }
    }

    #[test]
    fn an_empty_boundary_takes_whole_lines() {
        assert_eq!(
            shown("--\r\na\r\n-- \r\n--x\r\n----\r\n", ""),
            ("", vec![(false, "a"), (false, "--x"), (true, ""),])
        );
    }

    #[test]
    fn a_boundary_is_guessed_when_it_is_used_twice() {
        for (body, guessed) in [
            ("x\r\n-- \r\n--b1 \r\n\r\ny\r\n--b1--\r\n", Some(&b"b1"[..])),
            ("--b1\n\n--b1", Some(b"b1")),
            ("--b1\r\n x--b1", None),
            ("--b1\r\n--b2\r\n--b2", None),
            ("", None),
        ] {
            assert_eq!(guess(body.as_bytes()), guessed, "{body}");
        }
    }

    #[test]
    fn a_hundred_thousand_delimiters_cost_no_memory() {
        assert_eq!(split("--b\r\n".repeat(100_000).as_bytes(), b"b", MOST).pieces.len(), MOST + 1);
        assert!(split("--b".repeat(1_000_000).as_bytes(), b"b", MOST).pieces.is_empty());
    }

    proptest! {
        #[test]
        fn every_octet_is_covered_once(body in prop::collection::vec(prop::sample::select(vec![
            &b"--b"[..], b"\r\n", b"\n", b"\r", b"-", b"b", b" ", b"x\xff", b"--b--",
        ]), 0..60), boundary in prop::sample::select(vec![&b"b"[..], b"", b"-", b"bb"])) {
            let body = body.concat();
            let split = split(&body, boundary, MOST);
            let mut at = split.preamble.end;
            prop_assert_eq!(split.preamble.start, 0);
            for piece in &split.pieces {
                prop_assert_eq!(piece.delimiter.start, at);
                prop_assert_eq!(piece.delimiter.end, piece.content.start);
                prop_assert_eq!(&body[piece.boundary.clone()], boundary);
                at = piece.content.end;
            }
            prop_assert_eq!(at, body.len());
        }
    }
}

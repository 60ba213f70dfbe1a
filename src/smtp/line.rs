//! Finds command lines in what has been received.
//!
//! Memory is bounded: a line longer than [`MAX_COMMAND_LINE`] is dropped as it comes, up to its end, and reported once.
//! The reader copies nothing and judges nothing but the line's end.

use bytes::{Buf as _, BytesMut};
use memchr::memchr;

use super::BareNewline;

/// Longest command line in octets, with its end. RFC 5321, section 4.5.3.1.4 asks for 512, and each extension adds to that
/// (RFC 1870, 6152, 6531, 3461, 4954); this holds them all.
pub const MAX_COMMAND_LINE: usize = 2048;

/// What stands at the start of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No whole line yet.
    Incomplete,
    /// A line: its text is the first `text` octets, and with its end it takes `whole`.
    Line {
        /// Octets without the line's end.
        text: usize,
        /// Octets with the line's end.
        whole: usize,
    },
    /// The line was too long; it is gone from the buffer.
    TooLong,
    /// An LF alone ended the line, and that is not allowed.
    BareNewline,
}

/// The reader's memory between two reads.
#[derive(Debug)]
pub struct LineReader {
    bare_newline: BareNewline,
    overlong: Option<Overlong>,
}

/// A line that is being dropped, and what its last octet was: a CR there and the LF in the next read are one line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overlong {
    AfterCr,
    AfterOther,
}

impl LineReader {
    /// A reader at the start of a line.
    #[must_use]
    pub fn new(bare_newline: BareNewline) -> Self {
        Self { bare_newline, overlong: None }
    }

    /// Whether the next octet is the first of a line.
    #[must_use]
    pub fn at_line_start(&self) -> bool {
        self.overlong.is_none()
    }

    /// Looks for a line. The caller takes it out of the buffer; what belongs to an over-long line is taken out here.
    pub fn find(&mut self, buffer: &mut BytesMut) -> Found {
        match self.overlong {
            Some(last) => self.skip(buffer, last),
            None => self.first_line(buffer),
        }
    }

    fn first_line(&mut self, buffer: &mut BytesMut) -> Found {
        let window = buffer.get(..MAX_COMMAND_LINE).unwrap_or(buffer);
        let Some(lf) = memchr(b'\n', window) else {
            return if window.len() < MAX_COMMAND_LINE {
                Found::Incomplete
            } else {
                self.skip(buffer, Overlong::AfterOther)
            };
        };
        let whole = lf + 1;
        match (window.get(..lf), self.bare_newline) {
            (Some([.., b'\r']), _) => Found::Line { text: lf - 1, whole },
            (_, BareNewline::Normalize) => Found::Line { text: lf, whole },
            (_, BareNewline::Reject) => Found::BareNewline,
        }
    }

    /// Drops the rest of an over-long line, as far as it is there.
    fn skip(&mut self, buffer: &mut BytesMut, last: Overlong) -> Found {
        let Some(lf) = memchr(b'\n', buffer) else {
            self.overlong = Some(match buffer.last() {
                Some(b'\r') => Overlong::AfterCr,
                Some(_) => Overlong::AfterOther,
                None => last,
            });
            buffer.clear();
            return Found::Incomplete;
        };
        let bare = match buffer.get(..lf) {
            Some([]) | None => last == Overlong::AfterOther,
            Some(line) => !line.ends_with(b"\r"),
        };
        self.overlong = None;
        if bare && self.bare_newline == BareNewline::Reject {
            return Found::BareNewline;
        }
        buffer.advance(lf + 1);
        Found::TooLong
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `input` in pieces of `step` octets and tells all that was found; lines as text.
    fn read(input: &[u8], step: usize, bare_newline: BareNewline) -> Vec<String> {
        let mut reader = LineReader::new(bare_newline);
        let mut buffer = BytesMut::new();
        let mut seen = Vec::new();
        for piece in input.chunks(step.max(1)) {
            buffer.extend_from_slice(piece);
            loop {
                match reader.find(&mut buffer) {
                    Found::Incomplete => break,
                    Found::Line { text, whole } => {
                        seen.push(String::from_utf8_lossy(&buffer.split_to(whole)[..text]).into_owned());
                    }
                    Found::TooLong => seen.push("<too long>".to_owned()),
                    Found::BareNewline => {
                        seen.push("<bare>".to_owned());
                        return seen;
                    }
                }
            }
            assert!(buffer.len() < MAX_COMMAND_LINE, "the buffer is bounded");
        }
        seen
    }

    #[test]
    fn lines_end_with_crlf() {
        for step in 1..12 {
            assert_eq!(
                read(b"EHLO a\r\n\r\nQUIT\r\nrest", step, BareNewline::Reject),
                ["EHLO a", "", "QUIT"]
            );
            assert_eq!(read(b"A\rB\r\r\n", step, BareNewline::Reject), ["A\rB\r"]);
        }
    }

    #[test]
    fn a_bare_newline_is_told_or_taken() {
        for step in 1..12 {
            assert_eq!(read(b"NOOP\r\nEHLO a\nQUIT\r\n", step, BareNewline::Reject), ["NOOP", "<bare>"]);
            assert_eq!(read(b"EHLO a\nQUIT\r\n\n", step, BareNewline::Normalize), ["EHLO a", "QUIT", ""]);
        }
    }

    #[test]
    fn an_over_long_line_is_dropped_to_its_end() {
        let mut input = vec![b'x'; 3 * MAX_COMMAND_LINE];
        input.extend_from_slice(b"\r\nQUIT\r\n");
        for step in [1, 7, 1000, MAX_COMMAND_LINE, 100_000] {
            assert_eq!(read(&input, step, BareNewline::Reject), ["<too long>", "QUIT"], "{step}");
        }
        input.truncate(3 * MAX_COMMAND_LINE);
        input.extend_from_slice(b"\nQUIT\r\n");
        for step in [1, 7, 1000, MAX_COMMAND_LINE, 100_000] {
            assert_eq!(read(&input, step, BareNewline::Reject), ["<bare>"], "{step}");
            assert_eq!(read(&input, step, BareNewline::Normalize), ["<too long>", "QUIT"], "{step}");
        }
    }

    #[test]
    fn the_limit_counts_the_line_end() {
        let line = |length: usize| [vec![b'x'; length - 2], b"\r\n".to_vec()].concat();
        assert_eq!(read(&line(MAX_COMMAND_LINE), 1, BareNewline::Reject).len(), 1);
        assert_ne!(read(&line(MAX_COMMAND_LINE), 1, BareNewline::Reject), ["<too long>"]);
        assert_eq!(read(&line(MAX_COMMAND_LINE + 1), 1, BareNewline::Reject), ["<too long>"]);
    }

    proptest! {
        #[test]
        fn the_reads_do_not_matter(
            lines in prop::collection::vec("[a\r\n]{0,8}|x{2040,2060}", 0..6), step in 1usize..3000, normalize: bool,
        ) {
            let mode = if normalize { BareNewline::Normalize } else { BareNewline::Reject };
            let input = lines.join("\r\n");
            prop_assert_eq!(read(input.as_bytes(), step, mode), read(input.as_bytes(), 1, mode));
        }
    }
}

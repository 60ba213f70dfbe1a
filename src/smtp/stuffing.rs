//! Dot-stuffing: a message as it goes over the wire after 354 (RFC 5321, sections 4.1.1.4 and 4.5.2).
//!
//! [`Stuffed`] lends out slices of the message with the added dots between them; no octet of the message is copied
//! and memory does not grow with the number of dots. A line starts at the beginning of the message and after CRLF,
//! and nowhere else: a lone CR or LF is an ordinary octet here, because a dot added after one would stay in the
//! message at every receiver that follows the RFC.
//!
//! That is also why it does not protect anyone from smuggling by itself: a receiver that takes `LF . LF` for the end
//! would be fooled by a message that has it. [`has_bare_newline`] tells; whoever sends must ask it before and refuse
//! such a message. (The inbound side lets no such message in; this is the second lock.)

use bytes::{Buf, Bytes};
use memchr::memmem;
use std::io::IoSlice;

/// Longest slice lent at a time, so that looking ahead for one write stays cheap.
const MAX_PIECE: usize = 64 * 1024;

/// Whether a CR stands without LF or a LF without CR before it.
#[must_use]
pub fn has_bare_newline(octets: &[u8]) -> bool {
    let mut paired = None;
    for at in memchr::memchr2_iter(b'\r', b'\n', octets) {
        let is_pair = octets.get(at..at + 2) == Some(b"\r\n");
        if !is_pair && paired != Some(at) {
            return true;
        }
        paired = is_pair.then_some(at + 1);
    }
    false
}

/// A message with its dots doubled and `.` CRLF at its end, to be written out of one [`Buf`].
///
/// When the message does not end with CRLF one is added (RFC 5321, section 4.1.1.4: the CRLF before the final dot
/// belongs to the message, so such a message grows by it). An empty message stays empty.
#[derive(Debug, Clone)]
pub struct Stuffed<'a> {
    current: &'a [u8],
    ahead: Pieces<'a>,
    remaining: usize,
}

impl<'a> Stuffed<'a> {
    /// The message is the concatenation of `segments`: a line end or a leading dot may lie across two of them.
    #[must_use]
    pub fn new(segments: &'a [Bytes]) -> Self {
        let mut ahead = Pieces { segments, offset: 0, place: Place::LineStart };
        let remaining = ahead.clone().map(<[u8]>::len).sum();
        let current = ahead.next().unwrap_or_default();
        Self { current, ahead, remaining }
    }
}

impl Buf for Stuffed<'_> {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.current
    }

    fn chunks_vectored<'s>(&'s self, slices: &mut [IoSlice<'s>]) -> usize {
        let first = (!self.current.is_empty()).then_some(self.current);
        let pieces = first.into_iter().chain(self.ahead.clone());
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advance past the end of the message");
        self.remaining -= count;
        while count >= self.current.len() {
            count -= self.current.len();
            let Some(next) = self.ahead.next() else {
                self.current = &[];
                return;
            };
            self.current = next;
        }
        self.current = self.current.get(count..).unwrap_or_default();
    }
}

/// Where in a line the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a line; a dot there must be doubled.
    LineStart,
    /// Right after a dot that was put in.
    Doubled,
    /// Right after a CR.
    AfterCr,
    /// Anywhere else.
    Within,
    /// After the final dot.
    End,
}

/// The slices that make up the stuffed message, none of them empty.
#[derive(Debug, Clone)]
struct Pieces<'a> {
    segments: &'a [Bytes],
    /// How much of the first segment is done.
    offset: usize,
    place: Place,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let Some(rest) = self.rest() else {
            return self.finish();
        };
        if self.place == Place::LineStart && rest.starts_with(b".") {
            self.place = Place::Doubled;
            return Some(b".");
        }
        let piece = rest.get(..piece_length(rest, self.place)).unwrap_or(rest);
        self.offset += piece.len();
        self.place = place_after(piece, self.place);
        Some(piece)
    }
}

impl<'a> Pieces<'a> {
    /// What is left of the first segment that has something left.
    fn rest(&mut self) -> Option<&'a [u8]> {
        loop {
            let (first, others) = self.segments.split_first()?;
            match first.get(self.offset..) {
                Some(rest) if !rest.is_empty() => return Some(rest),
                _ => (self.segments, self.offset) = (others, 0),
            }
        }
    }

    fn finish(&mut self) -> Option<&'static [u8]> {
        match std::mem::replace(&mut self.place, Place::End) {
            Place::End => None,
            Place::LineStart => Some(b".\r\n"),
            Place::Doubled | Place::AfterCr | Place::Within => Some(b"\r\n.\r\n"),
        }
    }
}

/// How much of `rest` goes out before the next dot to be doubled, or before a piece gets too long.
fn piece_length(rest: &[u8], place: Place) -> usize {
    if place == Place::AfterCr && rest.starts_with(b"\n") {
        return 1;
    }
    let window = rest.get(..MAX_PIECE).unwrap_or(rest);
    memmem::find(window, b"\r\n.").map_or(window.len(), |at| at + 2)
}

fn place_after(piece: &[u8], before: Place) -> Place {
    match piece {
        [.., b'\r', b'\n'] => Place::LineStart,
        [b'\n'] if before == Place::AfterCr => Place::LineStart,
        [.., b'\r'] => Place::AfterCr,
        _ => Place::Within,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuff(segments: &[Bytes]) -> Vec<u8> {
        let mut stuffed = Stuffed::new(segments);
        let length = stuffed.remaining();
        let octets = stuffed.copy_to_bytes(length);
        assert!(!stuffed.has_remaining());
        octets.to_vec()
    }

    fn stuff_one(message: &[u8]) -> Vec<u8> {
        stuff(&[Bytes::copy_from_slice(message)])
    }

    /// What a receiver makes of it (RFC 5321, section 4.5.2); `None` when the end never comes or comes too early.
    fn unstuff(wire: &[u8]) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        let mut rest = wire;
        while rest != b".\r\n" {
            let end = memmem::find(rest, b"\r\n")? + 2;
            let (line, after) = rest.split_at(end);
            if line == b".\r\n" {
                return None;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = after;
        }
        Some(message)
    }

    #[test]
    fn dots_are_doubled_and_the_end_is_marked() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"", b".\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b"a\r", b"a\r\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..\r\n", b"...\r\n.\r\n"),
            (b"a\r\n.\r\n.\r\nb\r\n", b"a\r\n..\r\n..\r\nb\r\n.\r\n"),
            (b"a\r\n.b.\r\n", b"a\r\n..b.\r\n.\r\n"),
            (b"a.b\r\n", b"a.b\r\n.\r\n"),
            (b"a\n.\nb\r.\r\n", b"a\n.\nb\r.\r\n.\r\n"),
            (b"\r\n\r\n", b"\r\n\r\n.\r\n"),
            (b"\n.\r\n", b"\n.\r\n.\r\n"),
        ];
        for (message, wire) in cases {
            assert_eq!(stuff_one(message).escape_ascii().to_string(), wire.escape_ascii().to_string());
        }
    }

    #[test]
    fn segment_borders_make_no_difference() {
        let message: &[u8] = b".a\r\n.b\r\n\r\n..\r\n.\r\n";
        let whole = stuff_one(message);
        for first in 0..=message.len() {
            for second in first..=message.len() {
                let cut = [&message[..first], &message[first..second], &message[second..]];
                assert_eq!(stuff(&cut.map(Bytes::copy_from_slice)), whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn a_body_without_leading_dots_is_lent_whole() {
        let segments = [Bytes::from_static(b"Subject: x\r\n\r\n"), Bytes::from_static(b"a.b\r\nc\r\n")];
        let mut slices = [IoSlice::new(&[]); 8];
        let stuffed = Stuffed::new(&segments);
        assert_eq!(stuffed.chunks_vectored(&mut slices), 3);
        assert_eq!(slices[1].as_ptr(), segments[1].as_ptr());
        assert_eq!(slices[1].len(), segments[1].len());
    }

    #[test]
    fn long_pieces_are_cut_and_joined_right() {
        let mut message = vec![b'x'; MAX_PIECE - 1];
        message.extend_from_slice(b"\r\n.\r\n");
        message.extend(std::iter::repeat_n(b'y', 2 * MAX_PIECE));
        message.extend_from_slice(b"\r\n");
        assert_eq!(unstuff(&stuff_one(&message)).unwrap(), message);
    }

    #[test]
    fn bare_newlines_are_found() {
        for clean in ["", "a", "\r\n", "a\r\n\r\nb", "a\r\n"] {
            assert!(!has_bare_newline(clean.as_bytes()), "{clean:?}");
        }
        for bare in ["\r", "\n", "a\n.\n", "a\r.\r", "\r\r\n", "\r\n\n", "a\r\n\r", "\n\r"] {
            assert!(has_bare_newline(bare.as_bytes()), "{bare:?}");
        }
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            Just(b"\r\n".to_vec()),
            Just(b".".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"x".to_vec())
        ];
        prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn a_receiver_gets_the_message(message in message(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
            at.extend([0, message.len()]);
            at.sort_unstable();
            let segments: Vec<Bytes> = at.windows(2).map(|w| Bytes::copy_from_slice(&message[w[0]..w[1]])).collect();
            let mut expected = message.clone();
            if !message.is_empty() && !message.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(unstuff(&stuff(&segments)), Some(expected));
        }

        #[test]
        fn writes_of_any_size_give_the_same_octets(message in message(), steps in prop::collection::vec(1..9usize, 1..200)) {
            let segments = [Bytes::from(message)];
            let mut stuffed = Stuffed::new(&segments);
            let mut written = Vec::new();
            for step in steps.into_iter().cycle() {
                let mut slices = [IoSlice::new(&[]); 4];
                let count = stuffed.chunks_vectored(&mut slices);
                let lent: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                let step = step.min(lent.len());
                written.extend_from_slice(&lent[..step]);
                stuffed.advance(step);
                if !stuffed.has_remaining() {
                    break;
                }
            }
            prop_assert_eq!(written, stuff(&segments));
        }

        #[test]
        fn bare_newlines_agree_with_the_plain_rule(message in message()) {
            let without_pairs = String::from_utf8(message.clone()).unwrap().replace("\r\n", "");
            prop_assert_eq!(has_bare_newline(&message), without_pairs.contains(['\r', '\n']));
        }
    }
}

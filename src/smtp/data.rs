//! Decodes what comes after DATA: finds its end, removes dot-stuffing (RFC 5321, section 4.5.2), counts octets.
//!
//! A line is what CRLF ends, and nothing else. So only CRLF `.` CRLF (or `.` CRLF as the first line) ends the message, in
//! either mode of [`BareNewline`], and a dot is taken off only after CRLF. Where another host would see `LF . LF` as the
//! end, this one sees content:
//!
//! - `Reject`: the message has a [`Fault`]; the rest is read to its real end and dropped, so that the session stays in step.
//! - `Normalize`: each bare CR or LF becomes CRLF in the decoded message, and a dot that follows it stays. The decoded
//!   message may then hold the line `.` like any other; it is content. Whoever sends it on stuffs dots as always, by lines
//!   that end with CRLF, which are the only line ends left in it, so the next hop cannot be misled either.
//!
//! Otherwise no octet is lost or added, NUL and octets above 127 included.

use memchr::memchr2;

use super::BareNewline;

/// Why a message cannot be taken. The first one that was met counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// More octets than allowed.
    TooBig,
    /// An LF without a CR before it.
    BareLf,
    /// A CR without an LF after it.
    BareCr,
}

/// How far a piece of input went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// All of the input belongs to the message, which goes on.
    More,
    /// The message is whole; so many octets of the input belong to it and its end.
    End(usize),
}

/// Where the decoder stands in a line. An octet that is part of the state has not been stored yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// After CRLF, or before anything.
    LineStart,
    /// After a dot at the start of a line.
    Dot,
    /// After a dot at the start of a line, and CR.
    DotCr,
    /// Within a line.
    Text,
    /// After CR within a line.
    Cr,
    /// After the final dot.
    End,
}

/// The decoder of one message.
#[derive(Debug)]
pub struct DataDecoder {
    bare_newline: BareNewline,
    /// Octets of the decoded message that may still come.
    room: u64,
    state: State,
    fault: Option<Fault>,
}

impl DataDecoder {
    /// A decoder for a message of at most `limit` decoded octets, line ends included (RFC 1870, section 5).
    #[must_use]
    pub fn new(bare_newline: BareNewline, limit: u64) -> Self {
        Self { bare_newline, room: limit, state: State::LineStart, fault: None }
    }

    /// What is wrong with the message so far. Once there is a fault, nothing more is stored.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Decodes a piece of input and appends what it means to `message`. After the end nothing more is taken.
    pub fn decode(&mut self, input: &[u8], message: &mut Vec<u8>) -> Decoded {
        let mut at = 0;
        while self.state != State::End {
            let Some(rest @ [first, ..]) = input.get(at..) else { return Decoded::More };
            let run = if self.takes_run(*first) { plain_run(rest) } else { 0 };
            if let Some(plain) = rest.get(..run).filter(|plain| !plain.is_empty()) {
                self.store(plain, message);
                self.state = State::Text;
            } else {
                self.step(*first, message);
            }
            at += run.max(1);
        }
        Decoded::End(at)
    }

    /// Whether what starts with `first` may be copied as it is.
    fn takes_run(&self, first: u8) -> bool {
        self.state == State::Text || (self.state == State::LineStart && first != b'.')
    }

    /// Takes one octet that may mean something.
    fn step(&mut self, octet: u8, message: &mut Vec<u8>) {
        self.state = match (self.state, octet) {
            (State::LineStart, b'.') => State::Dot,
            (State::Dot, b'\r') => State::DotCr,
            (State::DotCr, b'\n') => State::End,
            (State::Cr, b'\n') => {
                self.store(b"\r\n", message);
                State::LineStart
            }
            (State::Cr | State::DotCr, _) => {
                self.bare(Fault::BareCr, message);
                self.text(octet, message)
            }
            // After `Dot`: more stands on the line, so the dot was stuffing and is gone.
            (_, _) => self.text(octet, message),
        };
    }

    fn text(&mut self, octet: u8, message: &mut Vec<u8>) -> State {
        match octet {
            b'\r' => return State::Cr,
            b'\n' => self.bare(Fault::BareLf, message),
            _ => self.store(&[octet], message),
        }
        State::Text
    }

    fn bare(&mut self, what: Fault, message: &mut Vec<u8>) {
        match self.bare_newline {
            BareNewline::Reject => self.fault = self.fault.or(Some(what)),
            BareNewline::Normalize => self.store(b"\r\n", message),
        }
    }

    fn store(&mut self, octets: &[u8], message: &mut Vec<u8>) {
        if self.fault.is_some() {
            return;
        }
        match self.room.checked_sub(octets.len() as u64) {
            Some(room) => {
                self.room = room;
                message.extend_from_slice(octets);
            }
            None => self.fault = Some(Fault::TooBig),
        }
    }
}

/// How much of `input`, which starts within a line or with a line that has no dot, is content as it stands: up to the
/// first CR or LF that is not a line end followed by an ordinary line.
fn plain_run(input: &[u8]) -> usize {
    let mut end = 0;
    while let Some(rest) = input.get(end..) {
        let Some(found) = memchr2(b'\r', b'\n', rest) else { return input.len() };
        match rest.get(found..) {
            Some([b'\r', b'\n', next, ..]) if *next != b'.' => end += found + 2,
            _ => return end + found,
        }
    }
    end
}

#[cfg(test)]
mod tests;

//! Replies of an SMTP server, read as they arrive (RFC 5321, section 4.2; enhanced codes RFC 2034 and 3463).
//!
//! [`ResponseParser`] takes octets in whatever pieces the network gives them and says complete, incomplete or
//! invalid. It is lenient where real servers are careless: a line may end with LF alone, its text may hold any
//! octets, and a line may be a bare code. It is bounded: 512 octets of a line are kept and the rest is skipped, and a
//! reply has at most 128 lines.
//!
//! Fatal is a line that does not start with a reply code, one whose code differs from that of the line before in the same
//! reply (RFC 5321, section 4.2.1), and a reply that does not end. What follows on such a connection has no meaning: it
//! must be closed.

use std::fmt;

/// Octets of a line that are kept (RFC 5321, section 4.5.3.1.5); the rest is skipped.
pub const MAX_LINE: usize = 512;
/// Lines of one reply.
pub const MAX_LINES: usize = 128;

/// A complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The basic code, 200 to 599.
    pub code: u16,
    /// The enhanced code of the last line, if its class agrees with the basic code.
    pub enhanced: Option<(u8, u16, u16)>,
    /// The text of each line, without codes and without control characters; at least one, perhaps empty.
    pub lines: Vec<String>,
}

/// The first digit of a reply code (RFC 5321, section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 2xx: done.
    Done,
    /// 3xx: go on.
    GoOn,
    /// 4xx: not now.
    NotNow,
    /// 5xx: no.
    Never,
}

impl Response {
    /// What the code says.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.code {
            0..300 => Class::Done,
            300..400 => Class::GoOn,
            400..500 => Class::NotNow,
            _ => Class::Never,
        }
    }

    /// The text of all lines, joined by blanks.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }
}

/// The reply on one line: `550 5.1.1 no such user`.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        self.lines.iter().filter(|line| !line.is_empty()).try_for_each(|line| write!(f, " {line}"))
    }
}

/// Why octets are not a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// A line does not start with a code from 200 to 599, or with another one than the lines before it, or something else
    /// than blank or `-` follows the code.
    #[error("the server's answer is not an SMTP reply")]
    NotAReply,
    /// More than [`MAX_LINES`] lines.
    #[error("the server's reply does not end")]
    TooLong,
}

/// Puts replies together from pieces of any size.
#[derive(Debug, Default)]
pub struct ResponseParser {
    /// The start of the line that has not ended yet, at most [`MAX_LINE`] octets.
    line: Vec<u8>,
    /// The code of the lines that have ended.
    code: Option<u16>,
    lines: Vec<String>,
}

impl ResponseParser {
    /// Takes octets from the front of `input`, no further than the end of the first complete reply.
    ///
    /// `None` means that all of `input` was taken and the reply is not complete.
    ///
    /// # Errors
    /// When the octets are not a reply. The parser must not be used afterwards.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Response>, InvalidResponse> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let (line, rest) = input.split_at(end + 1);
            *input = rest;
            self.keep(line);
            if let Some(response) = self.end_line()? {
                return Ok(Some(response));
            }
        }
        self.keep(input);
        *input = &[];
        Ok(None)
    }

    fn keep(&mut self, octets: &[u8]) {
        let room = MAX_LINE - self.line.len();
        self.line.extend_from_slice(octets.get(..room).unwrap_or(octets));
    }

    fn end_line(&mut self) -> Result<Option<Response>, InvalidResponse> {
        let line = parse_line(&self.line)?;
        if self.code.is_some_and(|code| code != line.code) {
            return Err(InvalidResponse::NotAReply);
        }
        if self.lines.len() == MAX_LINES {
            return Err(InvalidResponse::TooLong);
        }
        self.lines.push(line.text);
        self.line.clear();
        self.code = line.more.then_some(line.code);
        if line.more {
            return Ok(None);
        }
        let lines = std::mem::take(&mut self.lines);
        Ok(Some(Response { code: line.code, enhanced: line.enhanced, lines }))
    }
}

struct Line {
    code: u16,
    more: bool,
    enhanced: Option<(u8, u16, u16)>,
    text: String,
}

fn parse_line(line: &[u8]) -> Result<Line, InvalidResponse> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (code, rest) = split_code(line).ok_or(InvalidResponse::NotAReply)?;
    let (more, text) = match rest.split_first() {
        None => (false, rest),
        Some((b' ', text)) => (false, text),
        Some((b'-', text)) => (true, text),
        Some(_) => return Err(InvalidResponse::NotAReply),
    };
    let (enhanced, text) = split_enhanced(code, printable(text));
    Ok(Line { code, more, enhanced, text })
}

fn split_code(line: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code = digits.iter().try_fold(0, |code: u16, digit| {
        digit.is_ascii_digit().then(|| code * 10 + u16::from(digit - b'0'))
    })?;
    (200..600).contains(&code).then_some((code, rest))
}

/// Takes the enhanced code off the text. One whose class differs from the basic code stays text (RFC 2034, section 4).
fn split_enhanced(code: u16, text: String) -> (Option<(u8, u16, u16)>, String) {
    let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
    match parse_enhanced(word) {
        Some(enhanced) if u16::from(enhanced.0) == code / 100 => {
            (Some(enhanced), rest.trim_start().to_owned())
        }
        _ => (None, text),
    }
}

fn parse_enhanced(word: &str) -> Option<(u8, u16, u16)> {
    let mut parts = word.split('.').map(number_of_three_digits);
    let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
    let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
    parts.next().is_none().then_some((class, subject, detail))
}

fn number_of_three_digits(text: &str) -> Option<u16> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The text as it may stand in a log: whatever a server sends, it cannot start a new line there.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(mut input: &[u8]) -> Result<Vec<Response>, InvalidResponse> {
        let mut parser = ResponseParser::default();
        let mut replies = Vec::new();
        while let Some(reply) = parser.read(&mut input)? {
            replies.push(reply);
        }
        Ok(replies)
    }

    fn one(input: &[u8]) -> Response {
        let mut replies = read_all(input).unwrap();
        assert_eq!(replies.len(), 1, "{input:?}");
        replies.remove(0)
    }

    #[test]
    fn replies_are_read() {
        let reply = |code, enhanced, lines: &[&str]| Response {
            code,
            enhanced,
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
        };
        let cases: &[(&[u8], Response)] = &[
            (b"220 mx.example.com ESMTP\r\n", reply(220, None, &["mx.example.com ESMTP"])),
            (b"250 2.1.5 Ok\r\n", reply(250, Some((2, 1, 5)), &["Ok"])),
            (b"250\r\n", reply(250, None, &[""])),
            (b"250 \n", reply(250, None, &[""])),
            (b"250-a\r\n250-SIZE 10\n250 b\r\n", reply(250, None, &["a", "SIZE 10", "b"])),
            (b"550-5.1.1 no\r\n550 5.1.1 user\r\n", reply(550, Some((5, 1, 1)), &["no", "user"])),
            (b"450 5.1.1 mixed\r\n", reply(450, None, &["5.1.1 mixed"])),
            (b"354 2.0.0 go\r\n", reply(354, None, &["2.0.0 go"])),
            (b"550 5.1 no\r\n", reply(550, None, &["5.1 no"])),
            (b"550 5.1.1.1 no\r\n", reply(550, None, &["5.1.1.1 no"])),
            (b"550 5.1.1000 no\r\n", reply(550, None, &["5.1.1000 no"])),
            (b"550 5.+1.1 no\r\n", reply(550, None, &["5.+1.1 no"])),
            (b"550 5.1.1\r\n", reply(550, Some((5, 1, 1)), &[""])),
            (b"550 a\0b\rc\x1b\xff\r\n", reply(550, None, &["a?b?c?\u{fffd}"])),
        ];
        for (input, expected) in cases {
            assert_eq!(one(input), *expected, "{}", input.escape_ascii());
        }
    }

    #[test]
    fn what_is_not_a_reply_is_refused() {
        for input in [
            "\r\n",
            "25\r\n",
            "2x0 a\r\n",
            "199 a\r\n",
            "600 a\r\n",
            "250a\r\n",
            " 250 a\r\n",
            "HTTP/1.1 200 OK\r\n",
            "250-a\r\n550 5.7.1 b\r\n",
            "550-a\r\n550-b\r\n250 c\r\n",
        ] {
            assert_eq!(read_all(input.as_bytes()), Err(InvalidResponse::NotAReply), "{input:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut() {
        let line = format!("550 {}\r\n250 next\r\n", "x".repeat(100_000));
        let replies = read_all(line.as_bytes()).unwrap();
        assert_eq!(replies[0].text().len(), MAX_LINE - 4);
        assert_eq!(replies[1].text(), "next");
    }

    #[test]
    fn a_reply_without_end_is_refused() {
        let most = "250-a\r\n".repeat(MAX_LINES - 1);
        assert_eq!(one(format!("{most}250 end\r\n").as_bytes()).lines.len(), MAX_LINES);
        let more = "250-a\r\n".repeat(MAX_LINES + 1);
        assert_eq!(read_all(more.as_bytes()), Err(InvalidResponse::TooLong));
    }

    #[test]
    fn a_reply_reads_on_one_line() {
        assert_eq!(one(b"550-5.1.1 no\r\n550-5.1.1\r\n550 5.1.1 user\r\n").to_string(), "550 5.1.1 no user");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_replies(
            input in "(([245][0-9][0-9][- ][a-z0-9. ]{0,12}\r?\n)|([\\x00-\\x7f]{0,20}\n)){0,6}[0-9a-z -]{0,6}",
            at in any::<prop::sample::Index>(),
        ) {
            let input = input.as_bytes();
            let (first, second) = input.split_at(at.index(input.len() + 1));
            let mut parser = ResponseParser::default();
            let mut replies = Vec::new();
            let mut outcome = Ok(());
            'pieces: for mut piece in [first, second] {
                loop {
                    match parser.read(&mut piece) {
                        Ok(Some(reply)) => replies.push(reply),
                        Ok(None) => break,
                        Err(error) => { outcome = Err(error); break 'pieces; }
                    }
                }
            }
            prop_assert_eq!(outcome.map(|()| replies), read_all(input));
        }

        #[test]
        fn hostile_octets_stay_within_bounds(input in prop::collection::vec(any::<u8>(), 0..4096)) {
            for reply in read_all(&input).unwrap_or_default() {
                prop_assert!((200..600).contains(&reply.code));
                prop_assert!((1..=MAX_LINES).contains(&reply.lines.len()));
                // A replacement character takes three octets for one.
                prop_assert!(reply.lines.iter().all(|line| line.len() <= 3 * MAX_LINE));
                prop_assert!(!reply.to_string().contains(|c: char| c.is_control()));
            }
        }
    }
}

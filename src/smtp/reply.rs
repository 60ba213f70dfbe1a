//! Replies: their form on the wire, and every one that the protocol machine itself gives.
//!
//! Verdicts about senders, recipients and messages are the business of other layers, which make theirs with
//! [`Reply::new`]. Whatever text they put in, what leaves is well-formed: the text is cut into lines of at most 512 octets
//! of printable ASCII, and the enhanced code's class agrees with the code. Nothing here fails.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

/// Longest reply line in octets, with the code and CRLF (RFC 5321, section 4.5.3.1.5).
const MAX_LINE: usize = 512;
/// Most lines of one reply. No text of ours comes near; one that quotes another host might.
const MAX_LINES: usize = 32;

/// An enhanced status code: class, subject, detail (RFC 3463, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A reply to a command (RFC 5321, section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    /// One or more lines, parted by LF.
    text: Cow<'static, str>,
}

impl Reply {
    /// A verdict. Each line of `text` becomes a line of the reply; control and non-ASCII characters are replaced when it is
    /// written.
    ///
    /// A code outside 200 to 599 is no SMTP reply and becomes 451; the enhanced code's class follows the code (RFC 2034,
    /// section 4).
    #[must_use]
    pub fn new(code: u16, enhanced: Enhanced, text: impl Into<Cow<'static, str>>) -> Self {
        let code = if (200..=599).contains(&code) { code } else { 451 };
        Self {
            code,
            enhanced: class_of(code).map(|c| Enhanced(c, enhanced.1, enhanced.2)),
            text: text.into(),
        }
    }

    /// A reply without an enhanced code: the banner, EHLO, HELO and 354 (RFC 2034, section 4).
    #[must_use]
    pub(crate) fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    const fn fixed(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Borrowed(text) }
    }

    /// The basic code (RFC 5321, section 4.2.1).
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code, where there is one (RFC 3463).
    #[must_use]
    pub fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// The text as it was given, its lines parted by LF.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 2xx: done.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4xx: not now.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx: no.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// 421 or 521: the server closes the connection after it (RFC 5321, section 3.8; RFC 7504).
    #[must_use]
    pub fn ends_session(&self) -> bool {
        matches!(self.code, 421 | 521)
    }

    /// Appends the reply as it goes over the wire, every line with code, enhanced code and CRLF.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let room = MAX_LINE - "250-\r\n".len() - self.prefix().len();
        let lines: Vec<&str> =
            self.text.split('\n').flat_map(|l| Wrapped::new(l, room)).take(MAX_LINES).collect();
        for (number, line) in lines.iter().enumerate() {
            let separator = if number + 1 == lines.len() { ' ' } else { '-' };
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{}{separator}{}", self.code, self.prefix());
            out.extend(line.chars().map(printable));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// What stands between the separator and the text.
    fn prefix(&self) -> String {
        self.enhanced.map(|e| format!("{e} ")).unwrap_or_default()
    }
}

impl fmt::Display for Reply {
    /// On one line, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.prefix())?;
        self.text.chars().try_for_each(|c| fmt::Write::write_char(f, if c.is_control() { ' ' } else { c }))
    }
}

/// The class of an enhanced code that goes with a basic code; a 3xx has none (RFC 2034, section 4).
fn class_of(code: u16) -> Option<u8> {
    match code / 100 {
        2 => Some(2),
        4 => Some(4),
        5 => Some(5),
        _ => None,
    }
}

/// Non-ASCII may only be sent to a client that asked for it with VRFY or EXPN (RFC 6531, section 3.7.4.2), so it never is.
fn printable(c: char) -> u8 {
    match u8::try_from(c) {
        Ok(byte @ b' '..=b'~') => byte,
        Ok(b'\t' | b'\r') => b' ',
        _ => b'?',
    }
}

/// Pieces of a line, each of at most `room` characters, broken at a space where there is one. At least one piece.
struct Wrapped<'a> {
    rest: Option<&'a str>,
    room: usize,
}

impl<'a> Wrapped<'a> {
    fn new(line: &'a str, room: usize) -> Self {
        Self { rest: Some(line), room }
    }
}

impl<'a> Iterator for Wrapped<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.take()?;
        let Some((limit, _)) = text.char_indices().nth(self.room) else { return Some(text) };
        let (piece, rest) = text.split_at(limit);
        let at = piece.rfind(' ').filter(|&at| at > 0).map_or(limit, |at| at + 1);
        self.rest = Some(if at == limit { rest } else { text.split_at(at).1 });
        Some(piece.split_at(at.min(limit)).0)
    }
}

/// Declares the replies of the protocol machine: name, code, enhanced code, text.
macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident = $code:literal ($class:literal, $subject:literal, $detail:literal) $text:literal;)*) => {
        $($(#[$doc])* pub static $name: Reply = Reply::fixed($code, Enhanced($class, $subject, $detail), $text);)*

        /// All of them, for the tests.
        #[cfg(test)]
        static STANDARD: &[&Reply] = &[$(&$name),*];
    };
}

replies! {
    /// RFC 5321, section 4.1.1.8.
    HELP = 214 (2, 0, 0) "Commands: EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP";
    /// RFC 5321, section 4.1.1.10.
    BYE = 221 (2, 0, 0) "Bye";
    /// RSET and NOOP (RFC 5321, sections 4.1.1.5 and 4.1.1.9).
    OK = 250 (2, 0, 0) "OK";
    /// RFC 5321, section 4.1.1.2; X.1.0 is about an address in general (RFC 3463, section 3.2).
    SENDER_OK = 250 (2, 1, 0) "Sender OK";
    /// RFC 5321, section 4.1.1.3; X.1.5 is a valid destination (RFC 3463, section 3.2).
    RECIPIENT_OK = 250 (2, 1, 5) "Recipient OK";
    /// VRFY, so that nobody lists our aliases (RFC 5321, section 7.3).
    NOT_VERIFIED = 252 (2, 0, 0) "Send a message to find out";

    /// Shutting down (RFC 5321, section 3.8; RFC 3463, section 3.4).
    SHUTTING_DOWN = 421 (4, 3, 2) "Shutting down, try again later";
    /// Something on our side is not as it should be (RFC 5321, section 3.8; RFC 3463, section 3.4).
    OUT_OF_STEP = 421 (4, 3, 0) "Internal error, try again later";
    /// `max_connections` (RFC 5321, section 3.1; RFC 3463, section 3.4).
    TOO_MANY_CONNECTIONS = 421 (4, 3, 2) "Too many connections, try again later";
    /// RFC 5321, section 4.5.3.2.7; RFC 3463, section 3.5.
    TIMED_OUT = 421 (4, 4, 2) "Nothing received for too long";
    /// Also against guessing of recipients (RFC 5321, section 7.8; RFC 3463, section 3.8).
    TOO_MANY_ERRORS = 421 (4, 7, 0) "Too many errors";
    /// `max_connections_per_ip` (RFC 5321, section 7.8; RFC 3463, section 3.8).
    TOO_MANY_FROM_ADDRESS = 421 (4, 7, 0) "Too many connections from your address";
    /// `delivery.max_memory` (RFC 5321, section 4.2.2; RFC 3463, section 3.4).
    OUT_OF_MEMORY = 452 (4, 3, 1) "Too much mail at once, try again later";
    /// RFC 5321, section 4.5.3.1.10; RFC 3463, section 3.6.
    TOO_MANY_RECIPIENTS = 452 (4, 5, 3) "Too many recipients, send the rest in another transaction";

    /// RFC 5321, section 4.2.4; RFC 3463, section 3.6.
    UNKNOWN_COMMAND = 500 (5, 5, 1) "Unknown command";
    /// RFC 5321, section 4.5.3.1.9; RFC 3463, section 3.6.
    LINE_TOO_LONG = 500 (5, 5, 2) "Line too long";
    /// EHLO and HELO without a name, with control characters or too long (RFC 5321, section 4.1.1.1).
    BAD_HELLO = 501 (5, 5, 4) "Syntax: EHLO name, printable and at most 255 octets";
    /// RFC 5321, section 4.1.1.2.
    MAIL_SYNTAX = 501 (5, 5, 4) "Syntax: MAIL FROM:<address> [parameters]";
    /// RFC 5321, section 4.1.1.3.
    RCPT_SYNTAX = 501 (5, 5, 4) "Syntax: RCPT TO:<address> [parameters]";
    /// RFC 5321, section 4.1.2; RFC 3463, section 3.2.
    BAD_SENDER = 501 (5, 1, 7) "The sender is not a valid address";
    /// RFC 5321, section 4.1.2; RFC 3463, section 3.2.
    BAD_RECIPIENT = 501 (5, 1, 3) "The recipient is not a valid address";
    /// RFC 5321, section 4.1.1.11; RFC 3463, section 3.6.
    BAD_PARAMETER = 501 (5, 5, 4) "A parameter is malformed, repeated or has a value that is not supported";
    /// RFC 5321, section 4.1.1 (DATA, RSET).
    UNEXPECTED_ARGUMENT = 501 (5, 5, 4) "This command takes no argument";
    /// STARTTLS, AUTH, BDAT, LHLO, EXPN: known, not offered (RFC 5321, section 4.2.4).
    NOT_OFFERED = 502 (5, 5, 1) "Command not offered here";
    /// RFC 5321, section 4.1.4.
    HELLO_FIRST = 503 (5, 5, 1) "Say EHLO first";
    /// RFC 5321, section 4.1.4.
    NESTED_MAIL = 503 (5, 5, 1) "A transaction is open already";
    /// RFC 5321, section 3.3.
    MAIL_FIRST = 503 (5, 5, 1) "Say MAIL first";
    /// RFC 7504; what Postfix answers as well.
    BARE_NEWLINE = 521 (5, 5, 2) "A command must end with CR LF, this one ends with LF alone";
    /// RFC 1870, section 6.1 and 6.3; RFC 3463, section 3.4.
    TOO_BIG = 552 (5, 3, 4) "Message too big";
    /// RFC 6531, section 3.5.
    NEEDS_SMTPUTF8 = 553 (5, 6, 7) "A non-ASCII address needs SMTPUTF8 in MAIL";
    /// RFC 5321, section 3.3.
    NO_RECIPIENTS = 554 (5, 5, 1) "No valid recipients";
    /// An HTTP request or a TLS handshake: not a mail client (RFC 5321, section 3.8 lets us close on abuse).
    NOT_SMTP = 554 (5, 5, 1) "This port speaks SMTP";
    /// RFC 5321, section 2.3.8; RFC 3463, section 3.7.
    BARE_LF = 554 (5, 6, 0) "The message has an LF without CR; lines must end with CR LF";
    /// RFC 5321, section 2.3.8; RFC 3463, section 3.7.
    BARE_CR = 554 (5, 6, 0) "The message has a CR without LF; lines must end with CR LF";
    /// RFC 5321, section 4.1.1.11; RFC 3463, section 3.6.
    UNKNOWN_PARAMETER = 555 (5, 5, 4) "Unknown parameter";
}

/// Go on with the message (RFC 5321, section 4.1.1.4). Has no enhanced code: there is no class 3.
pub static START_MAIL: Reply =
    Reply { code: 354, enhanced: None, text: Cow::Borrowed("Send the message, end it with CRLF . CRLF") };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_has_code_and_enhanced_code() {
        let reply = Reply::new(550, Enhanced(5, 7, 1), "no\nnot here");
        assert_eq!(written(&reply), "550-5.7.1 no\r\n550 5.7.1 not here\r\n");
        assert_eq!(written(&Reply::plain(220, "mx.example.com ESMTP")), "220 mx.example.com ESMTP\r\n");
        assert_eq!(written(&Reply::new(250, Enhanced(2, 0, 0), "")), "250 2.0.0 \r\n");
    }

    #[test]
    fn text_cannot_leave_its_line() {
        let reply = Reply::new(550, Enhanced(5, 1, 1), "a\r\n250 2.0.0 b\0\u{7f}é\tc");
        assert_eq!(written(&reply), "550-5.1.1 a \r\n550 5.1.1 250 2.0.0 b??? c\r\n");
        assert_eq!(Reply::new(550, Enhanced(5, 1, 1), "a\r\nb").to_string(), "550 5.1.1 a  b");
    }

    #[test]
    fn the_class_follows_the_code() {
        assert_eq!(Reply::new(451, Enhanced(5, 3, 0), "x").enhanced(), Some(Enhanced(4, 3, 0)));
        assert_eq!(Reply::new(99, Enhanced(2, 0, 0), "x").code(), 451);
        assert_eq!(Reply::new(354, Enhanced(2, 0, 0), "x").enhanced(), None);
    }

    #[test]
    fn long_text_is_broken_at_spaces() {
        let reply = Reply::new(550, Enhanced(5, 1, 1), "word ".repeat(300));
        let text = written(&reply);
        assert!(text.lines().all(|l| l.len() <= MAX_LINE - 2 && l.starts_with("550")));
        assert_eq!(text.matches("word").count(), 300);
        assert_eq!(text.split_whitespace().filter(|w| "word".starts_with(w) && *w != "word").count(), 0);
    }

    #[test]
    fn the_standard_replies_are_consistent() {
        for reply in STANDARD {
            let enhanced = reply.enhanced().unwrap();
            assert_eq!(u16::from(enhanced.0), reply.code() / 100, "{reply}");
            assert!(written(reply).len() <= MAX_LINE && reply.text().is_ascii(), "{reply}");
        }
    }

    #[test]
    fn replies_know_their_class() {
        assert!(OK.is_positive() && !OK.is_transient() && !OK.is_permanent() && !OK.ends_session());
        assert!(TIMED_OUT.is_transient() && TIMED_OUT.ends_session());
        assert!(BARE_NEWLINE.is_permanent() && BARE_NEWLINE.ends_session());
        assert!(!START_MAIL.is_positive());
    }

    proptest! {
        #[test]
        fn whatever_the_text_the_form_holds(code in 0u16..700, text in ".{0,2000}|[ab\r\n ]{0,2000}") {
            let reply = Reply::new(code, Enhanced(5, 1, 1), text);
            let mut out = Vec::new();
            reply.write_to(&mut out);
            let lines: Vec<&[u8]> = out.split_inclusive(|&b| b == b'\n').collect();
            prop_assert!(!lines.is_empty() && lines.len() <= MAX_LINES);
            for (number, line) in lines.iter().enumerate() {
                let body = line.strip_suffix(b"\r\n").unwrap();
                prop_assert!(line.len() <= MAX_LINE);
                prop_assert!(body.iter().all(|b| (b' '..=b'~').contains(b)));
                prop_assert!(body.starts_with(reply.code().to_string().as_bytes()));
                prop_assert_eq!(body[3], if number + 1 == lines.len() { b' ' } else { b'-' });
            }
        }
    }
}

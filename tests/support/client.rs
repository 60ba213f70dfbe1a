//! An SMTP client that sends exactly the bytes it is given and hands back every reply.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use super::{PATIENCE, leftovers};

/// One reply of the server (RFC 5321, section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// The enhanced status code (RFC 3463), if the reply has one: `5.7.1`.
    pub enhanced: Option<String>,
    /// The text of all lines after the codes, joined by a line feed.
    pub text: String,
}

impl Reply {
    fn parse(lines: &[String]) -> Self {
        let code =
            lines.first().and_then(|line| line.get(..3)?.parse().ok()).expect("a reply begins with a code");
        let rest = lines.iter().map(|line| line.get(4..).unwrap_or_default());
        let first = rest.clone().next().unwrap_or_default();
        let enhanced = first.split(' ').next().filter(|word| is_enhanced(word)).map(str::to_owned);
        let prefix = enhanced.as_deref().unwrap_or_default();
        let text: Vec<&str> =
            rest.map(|line| line.strip_prefix(prefix).unwrap_or(line).trim_start()).collect();
        Self { code, text: text.join("\n"), enhanced }
    }

    /// Both codes, as `(550, "5.7.1")`.
    pub fn codes(&self) -> (u16, &str) {
        (self.code, self.enhanced.as_deref().unwrap_or_default())
    }

    pub fn is_positive(&self) -> bool {
        self.code < 400
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced.as_deref().unwrap_or("-"), self.text)
    }
}

fn is_enhanced(word: &str) -> bool {
    let numbers: Vec<&str> = word.split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u16>().is_ok())
}

/// An open session.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects, reads the banner and says EHLO.
    pub fn greet(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        let mut client = Self { stream: BufReader::new(stream) };
        assert_eq!(client.reply().code, 220, "the banner");
        assert_eq!(client.command("EHLO client.example.org").code, 250, "the reply to EHLO");
        client
    }

    /// Sends one command line and returns its reply.
    pub fn command(&mut self, line: &str) -> Reply {
        leftovers::said(line);
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// `MAIL` and `RCPT`; the reply to the first that was refused, else to `RCPT`. Ends an earlier transaction.
    pub fn envelope(&mut self, from: &str, to: &str) -> Reply {
        self.envelope_with("", from, to)
    }

    /// The same, with parameters of `MAIL`.
    pub fn envelope_with(&mut self, parameters: &str, from: &str, to: &str) -> Reply {
        self.envelope_asking((parameters, ""), from, to)
    }

    /// The same, with parameters of `MAIL` and of `RCPT`.
    pub fn envelope_asking(&mut self, (of_mail, of_rcpt): (&str, &str), from: &str, to: &str) -> Reply {
        self.command("RSET");
        let mail = self.command(format!("MAIL FROM:<{from}> {of_mail}").trim_end());
        let rcpt = format!("RCPT TO:<{to}> {of_rcpt}");
        if mail.is_positive() { self.command(rcpt.trim_end()) } else { mail }
    }

    /// A further recipient of the transaction.
    pub fn recipient(&mut self, to: &str, parameters: &str) -> Reply {
        self.command(format!("RCPT TO:<{to}> {parameters}").trim_end())
    }

    /// `DATA`, the message with its dots doubled, and the final dot; the reply to that.
    pub fn data(&mut self, message: &[u8]) -> Reply {
        let go_ahead = self.command("DATA");
        if go_ahead.code != 354 {
            return go_ahead;
        }
        leftovers::sent(message);
        self.send(&stuffed(message));
        self.reply()
    }

    /// A whole transaction; the first refusal, or the reply to the final dot.
    pub fn deliver(&mut self, from: &str, to: &str, message: &[u8]) -> Reply {
        self.deliver_with("", from, to, message)
    }

    /// The same, with parameters of `MAIL`.
    pub fn deliver_with(&mut self, parameters: &str, from: &str, to: &str, message: &[u8]) -> Reply {
        let envelope = self.envelope_with(parameters, from, to);
        if envelope.is_positive() { self.data(message) } else { envelope }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server listens");
    }

    fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).expect("a reply in time");
            assert!(read > 0, "the server hung up after {lines:?}");
            lines.push(line.trim_end().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Reply::parse(&lines);
            }
        }
    }
}

/// What `DATA` carries for a message: a dot doubled at each line start, and the final dot (RFC 5321, section 4.5.2). A
/// message that does not end with CRLF gets one, as there is no way to send it without.
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b".") && (wire.is_empty() || wire.ends_with(b"\r\n")) {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    if !wire.is_empty() && !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

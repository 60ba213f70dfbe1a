//! What a server says in its reply to EHLO (RFC 5321, section 4.1.1.1).

use crate::smtp::response::Response;

/// An extension that a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extension {
    /// RFC 1870, with the largest message in octets that it takes; `None` when it sets no limit.
    Size(Option<u64>),
    /// RFC 2920.
    Pipelining,
    /// RFC 6152.
    EightBitMime,
    /// RFC 6531.
    SmtpUtf8,
    /// RFC 3207.
    StartTls,
    /// RFC 3461.
    Dsn,
    /// A mechanism of RFC 4954.
    Auth(Mechanism),
    /// A line that we make no use of yet: keyword and parameters as they came.
    Other(String),
}

/// A way to log in that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// Never standardised, asked for by some servers.
    Login,
}

/// All that a server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<Extension>);

impl Capabilities {
    /// Reads the lines after the first, which only has the server's name. Keywords are taken in any case.
    #[must_use]
    pub fn parse(ehlo: &Response) -> Self {
        Self(ehlo.lines.iter().skip(1).flat_map(|line| extensions(line)).collect())
    }

    /// Whether the server offers `extension`.
    #[must_use]
    pub fn has(&self, extension: &Extension) -> bool {
        self.0.contains(extension)
    }

    /// Whether it takes the SIZE parameter.
    #[must_use]
    pub fn has_size(&self) -> bool {
        self.0.iter().any(|extension| matches!(extension, Extension::Size(_)))
    }

    /// The largest message in octets, when the server names a limit.
    #[must_use]
    pub fn max_size(&self) -> Option<u64> {
        self.0.iter().find_map(|extension| match extension {
            Extension::Size(limit) => *limit,
            _ => None,
        })
    }
}

fn extensions(line: &str) -> Vec<Extension> {
    let upper = line.to_ascii_uppercase();
    // "AUTH=PLAIN LOGIN" is how servers wrote it before RFC 2554, and some write both.
    let separated = upper.replacen("AUTH=", "AUTH ", 1);
    let mut words = separated.split_ascii_whitespace();
    match words.next() {
        Some("SIZE") => vec![Extension::Size(size_limit(words.next()))],
        Some("PIPELINING") => vec![Extension::Pipelining],
        Some("8BITMIME") => vec![Extension::EightBitMime],
        Some("SMTPUTF8") => vec![Extension::SmtpUtf8],
        Some("STARTTLS") => vec![Extension::StartTls],
        Some("DSN") => vec![Extension::Dsn],
        Some("AUTH") => words.filter_map(mechanism).map(Extension::Auth).collect(),
        _ => vec![Extension::Other(line.to_owned())],
    }
}

/// Zero means no limit (RFC 1870, section 4), and so does a number that is none.
fn size_limit(word: Option<&str>) -> Option<u64> {
    word.and_then(|word| word.parse().ok()).filter(|limit| *limit > 0)
}

fn mechanism(word: &str) -> Option<Mechanism> {
    match word {
        "PLAIN" => Some(Mechanism::Plain),
        "LOGIN" => Some(Mechanism::Login),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Capabilities {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        Capabilities::parse(&Response { code: 250, enhanced: None, lines })
    }

    #[test]
    fn what_is_offered_is_found() {
        let offered = parse(&[
            "mx.example.com greets",
            "size 1000",
            "Pipelining",
            "AUTH=LOGIN",
            "AUTH PLAIN X",
            "dsn",
            "VRFY",
            "",
        ]);
        assert_eq!(offered.max_size(), Some(1000));
        assert!(offered.has(&Extension::Pipelining));
        assert!(offered.has(&Extension::Auth(Mechanism::Plain)));
        assert!(offered.has(&Extension::Auth(Mechanism::Login)));
        assert!(offered.has(&Extension::Dsn));
        assert!(offered.has(&Extension::Other("VRFY".to_owned())));
        assert!(!offered.has(&Extension::StartTls));
    }

    #[test]
    fn the_first_line_is_a_name() {
        assert_eq!(parse(&["PIPELINING"]), Capabilities::default());
    }

    #[test]
    fn a_size_without_limit_still_takes_the_parameter() {
        for line in ["SIZE", "SIZE 0", "SIZE many", "SIZE 99999999999999999999999"] {
            let offered = parse(&["mx", line]);
            assert!(offered.has_size(), "{line}");
            assert_eq!(offered.max_size(), None, "{line}");
        }
    }
}

//! What EHLO offers, as data. A new extension is a variant, its line in [`Extension::offered`], and whatever obeys it.

use std::fmt;

/// An extension that the server offers (RFC 5321, section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// The largest message in octets (RFC 1870).
    Size(u64),
    /// Commands may be sent without waiting for replies (RFC 2920).
    Pipelining,
    /// Octets above 127 in bodies (RFC 6152).
    EightBitMime,
    /// UTF-8 in addresses and header fields (RFC 6531; it needs 8BITMIME).
    SmtpUtf8,
    /// Replies carry codes of RFC 3463 (RFC 2034).
    EnhancedStatusCodes,
    /// What senders ask about reports (RFC 3461).
    Dsn,
}

impl Extension {
    /// All that a server offers that takes messages of at most `max_message_size` octets, in the order of the reply.
    #[must_use]
    pub fn offered(max_message_size: u64) -> Vec<Self> {
        vec![
            Self::Size(max_message_size),
            Self::Pipelining,
            Self::EightBitMime,
            Self::SmtpUtf8,
            Self::EnhancedStatusCodes,
            Self::Dsn,
        ]
    }
}

impl fmt::Display for Extension {
    /// The line of the EHLO reply, without code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(octets) => write!(f, "SIZE {octets}"),
            Self::Pipelining => f.write_str("PIPELINING"),
            Self::EightBitMime => f.write_str("8BITMIME"),
            Self::SmtpUtf8 => f.write_str("SMTPUTF8"),
            Self::EnhancedStatusCodes => f.write_str("ENHANCEDSTATUSCODES"),
            Self::Dsn => f.write_str("DSN"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keywords_are_those_of_the_registry() {
        let lines: Vec<String> = Extension::offered(1000).iter().map(Extension::to_string).collect();
        assert_eq!(lines, ["SIZE 1000", "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"]);
    }
}

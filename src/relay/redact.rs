//! Addresses as logs may show them.

use aws_lc_rs::hmac;

use crate::mail::Address;
use crate::smtp::ReversePath;

use super::keys::{Keys, base32};

/// Turns an address into what a log line may say of it.
#[derive(Debug, Clone)]
pub enum Redactor {
    /// A keyed hash: the same address always reads the same, and only who has the master key can try guesses.
    Hashed(Box<hmac::Key>),
    /// The address itself (`telemetry.redact = false`).
    Plain,
}

impl Redactor {
    /// As `telemetry.redact` says.
    #[must_use]
    pub fn new(keys: &Keys, redact: bool) -> Self {
        if redact { Self::Hashed(Box::new(keys.log.clone())) } else { Self::Plain }
    }

    /// The address for a log line: `~` and 12 characters, or in clear.
    #[must_use]
    pub fn address(&self, address: &Address) -> String {
        match self {
            Self::Plain => address.to_string(),
            Self::Hashed(key) => hashed(key, address.as_normal()),
        }
    }

    /// A next hop for a log line. The name of a mailbox's mail server, or its IP address, often says whose mailbox it is.
    #[must_use]
    pub fn host(&self, label: &str) -> String {
        match self {
            Self::Plain => label.to_owned(),
            Self::Hashed(key) => hashed(key, label),
        }
    }

    /// The envelope sender for a log line.
    #[must_use]
    pub fn reverse_path(&self, path: &ReversePath) -> String {
        match path {
            ReversePath::Null => "<>".to_owned(),
            ReversePath::Address(address) => self.address(address),
        }
    }

    /// A text that may quote addresses, such as a remote server's reply: left out unless logs are in clear.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> &'a str {
        match self {
            Self::Plain => text,
            Self::Hashed(_) => "(hidden: telemetry.redact is on)",
        }
    }
}

fn hashed(key: &hmac::Key, text: &str) -> String {
    let tag = hmac::sign(key, text.as_bytes());
    let mut shown = base32().encode(tag.as_ref());
    shown.truncate(12);
    format!("~{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_hide_and_can_be_matched() {
        let redactor = Redactor::new(&Keys::derive(&[7; 32]), true);
        let shown = redactor.address(&Address::parse("Me@example.net").unwrap());
        assert_eq!(shown, redactor.address(&Address::parse("me@example.net").unwrap()));
        assert_ne!(shown, redactor.address(&Address::parse("you@example.net").unwrap()));
        assert!(shown.len() == 13 && !shown.contains("me"), "{shown}");
        let host = redactor.host("mx.example.net[192.0.2.1]:25");
        assert!(host.len() == 13 && host.starts_with('~'), "{host}");
    }

    #[test]
    fn clear_logs_are_clear() {
        let redactor = Redactor::new(&Keys::derive(&[7; 32]), false);
        assert_eq!(redactor.address(&Address::parse("me@example.net").unwrap()), "me@example.net");
        assert_eq!(redactor.host("mx.example.net"), "mx.example.net");
        assert_eq!(redactor.text("550 no"), "550 no");
    }
}

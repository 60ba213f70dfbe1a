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
            Self::Hashed(key) => {
                let tag = hmac::sign(key, address.as_normal().as_bytes());
                let mut shown = base32().encode(tag.as_ref());
                shown.truncate(12);
                format!("~{shown}")
            }
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
    }

    #[test]
    fn clear_logs_are_clear() {
        let redactor = Redactor::new(&Keys::derive(&[7; 32]), false);
        assert_eq!(redactor.address(&Address::parse("me@example.net").unwrap()), "me@example.net");
        assert_eq!(redactor.text("550 no"), "550 no");
    }
}

//! The keys that aliasd derives from its master key, and the sealed tokens made with them.
//!
//! Every token that travels through foreign hands (return paths, loop headers) is sealed with AES-SIV (RFC 5297):
//! deterministic, needs no nonce and no table, and authenticates as it hides. Each purpose has a key of its own, so a
//! token of one kind never opens as another. Opening compares tags in constant time (inside `aes-siv`).

use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use data_encoding::{Encoding, Specification};
use zeroize::Zeroizing;

/// Length of the master key in bytes.
pub const MASTER_KEY_LENGTH: usize = 32;

/// Seals short byte strings into text that survives a mail address: lower-case base32 (RFC 4648) without padding.
#[derive(Clone)]
pub struct Sealer {
    key: Zeroizing<[u8; 32]>,
}

impl Sealer {
    /// The sealed form of `content`, bound to `context`: `(16 + content.len()) · 8/5` characters, rounded up.
    #[must_use]
    pub fn seal(&self, context: &[u8], content: &[u8]) -> String {
        let sealed = Aes128Siv::new((&*self.key).into()).encrypt([context], content);
        // AES-SIV refuses only more than 126 header strings; an empty token opens as nothing.
        sealed.map(|bytes| base32().encode(&bytes)).unwrap_or_default()
    }

    /// The content of a token that this key sealed for this context; `None` for anything else.
    #[must_use]
    pub fn open(&self, context: &[u8], token: &str) -> Option<Vec<u8>> {
        let sealed = base32().decode(token.as_bytes()).ok()?;
        Aes128Siv::new((&*self.key).into()).decrypt([context], &sealed).ok()
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

/// All keys of one installation, derived from the master key (HKDF-SHA-256, RFC 5869).
#[derive(Debug, Clone)]
pub struct Keys {
    /// For [`super::return_path`].
    pub return_paths: Sealer,
    /// For [`super::loop_header`].
    pub loops: Sealer,
    /// For [`super::redact`].
    pub log: hmac::Key,
}

impl Keys {
    /// Derives every key from the master key that all nodes of one database share.
    #[must_use]
    pub fn derive(master: &[u8; MASTER_KEY_LENGTH]) -> Self {
        let sealer = |purpose| Sealer { key: derived(master, purpose) };
        Self {
            return_paths: sealer(b"aliasd return path"),
            loops: sealer(b"aliasd loop header"),
            log: hmac::Key::new(hmac::HMAC_SHA256, &*derived(master, b"aliasd log")),
        }
    }
}

/// A key length that HKDF is asked for.
struct ThirtyTwo;

impl KeyType for ThirtyTwo {
    fn len(&self) -> usize {
        32
    }
}

fn derived(master: &[u8; MASTER_KEY_LENGTH], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let info = [purpose];
    Salt::new(HKDF_SHA256, b"aliasd")
        .extract(master)
        .expand(&info, ThirtyTwo)
        .and_then(|okm| okm.fill(&mut *key))
        .unwrap_or_else(|_| unreachable!("HKDF gives up to 8,160 bytes and is asked for 32"));
    key
}

/// RFC 4648 base32, written in lower case, without padding; any case is read.
pub(super) fn base32() -> &'static Encoding {
    static BASE32: std::sync::LazyLock<Encoding> = std::sync::LazyLock::new(|| {
        let mut specification = Specification::new();
        specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
        specification.translate.from.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        specification.translate.to.push_str("abcdefghijklmnopqrstuvwxyz");
        specification.encoding().unwrap_or(data_encoding::BASE32_NOPAD)
    });
    &BASE32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::derive(&[7; 32])
    }

    #[test]
    fn a_token_opens_only_with_its_key_and_context() {
        let token = keys().loops.seal(b"example.com", b"content");
        assert_eq!(keys().loops.open(b"example.com", &token).unwrap(), b"content");
        assert_eq!(keys().loops.open(b"example.com", &token.to_uppercase()).unwrap(), b"content");
        assert!(keys().loops.open(b"example.org", &token).is_none());
        assert!(keys().return_paths.open(b"example.com", &token).is_none());
        assert!(Keys::derive(&[8; 32]).loops.open(b"example.com", &token).is_none());
    }

    #[test]
    fn a_changed_token_does_not_open() {
        let token = keys().loops.seal(b"", b"content");
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'a' { b'b' } else { b'a' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(keys().loops.open(b"", &forged).is_none(), "{at}");
        }
        assert!(keys().loops.open(b"", "").is_none());
        assert!(keys().loops.open(b"", "ü").is_none());
    }

    #[test]
    fn tokens_are_lower_case_letters_and_digits() {
        let token = keys().loops.seal(b"", &[0xff; 19]);
        assert_eq!(token.len(), 56);
        assert!(token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{token}");
    }

    #[test]
    fn keys_do_not_show_in_debug() {
        let shown = format!("{:?}", keys());
        assert!(!shown.contains(", 7") && shown.contains("Sealer(…)"), "{shown}");
    }
}

//! The keys that aliasd derives from its master key, and the sealed tokens made with them.
//!
//! Every token that travels through foreign hands (return paths, loop headers, message ids) is sealed with AES-SIV (RFC
//! 5297): deterministic, needs no nonce and no table, and authenticates as it hides. Each purpose has a key of its own, so
//! a token of one kind never opens as another. Opening compares tags in constant time (inside `aes-siv`).
//!
//! A master key can be replaced: the current one makes everything new, and what older ones made still opens.

use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use data_encoding::{Encoding, Specification};
use zeroize::Zeroizing;

/// Length of the master key in bytes.
pub const MASTER_KEY_LENGTH: usize = 32;

/// Length of a synthetic IV, which stands at the start of what is sealed.
const IV_LENGTH: usize = 16;

/// A key; wiped from memory when dropped.
type Secret = Zeroizing<[u8; 32]>;

/// Seals short byte strings into text that survives a mail address: lower-case base32 (RFC 4648) without padding.
#[derive(Clone)]
pub struct Sealer {
    key: Secret,
    /// They only open.
    older: Vec<Secret>,
}

impl Sealer {
    /// The sealed form of `content`, bound to `context`: `(16 + content.len()) · 8/5` characters, rounded up.
    #[must_use]
    pub fn seal(&self, context: &[u8], content: &[u8]) -> String {
        let sealed = Aes128Siv::new((&*self.key).into()).encrypt([context], content);
        // AES-SIV refuses only more than 126 header strings; an empty token opens as nothing.
        sealed.map(|bytes| base32().encode(&bytes)).unwrap_or_default()
    }

    /// A keyed fingerprint of `content`, bound to `context`: 26 characters that nobody can turn back. It is the synthetic
    /// IV alone, which is a pseudo-random function of both (RFC 5297, section 2.4).
    #[must_use]
    pub fn fingerprint(&self, context: &[u8], content: &[u8]) -> String {
        fingerprint(&self.key, context, content)
    }

    /// The same under every key, the current one first: what an older key made is known again.
    pub fn fingerprints(&self, context: &[u8], content: &[u8]) -> impl Iterator<Item = String> {
        std::iter::once(&self.key).chain(&self.older).map(move |key| fingerprint(key, context, content))
    }

    /// The content of a token that this key sealed for this context; `None` for anything else.
    #[must_use]
    pub fn open(&self, context: &[u8], token: &str) -> Option<Vec<u8>> {
        let sealed = base32().decode(token.as_bytes()).ok()?;
        let open = |key: &Secret| Aes128Siv::new((&**key).into()).decrypt([context], &sealed).ok();
        std::iter::once(&self.key).chain(&self.older).find_map(open)
    }
}

fn fingerprint(key: &Secret, context: &[u8], content: &[u8]) -> String {
    let sealed = Aes128Siv::new((&**key).into()).encrypt([context], content).unwrap_or_default();
    base32().encode(sealed.get(..IV_LENGTH).unwrap_or_default())
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

/// The name of a queue key, made from the key itself: it tells keys apart and says nothing about them.
pub type QueueKeyId = [u8; 4];

/// A key from which the keys of items in the queue are derived (`crate::queue::seal`).
#[derive(Clone)]
pub struct QueueKey {
    id: QueueKeyId,
    key: Secret,
}

impl QueueKey {
    fn derive(master: &[u8; MASTER_KEY_LENGTH]) -> Self {
        let [a, b, c, d, ..] = *derived(master, b"aliasd queue key id");
        Self { id: [a, b, c, d], key: derived(master, b"aliasd queue") }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> QueueKeyId {
        self.id
    }

    /// The key of the one item that has this salt (HKDF-SHA-256: the salt extracts, `purpose` expands).
    #[must_use]
    pub fn item_key(&self, salt: &[u8; 32], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        expand(salt, &*self.key, purpose)
    }
}

impl std::fmt::Debug for QueueKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QueueKey({})", data_encoding::HEXLOWER.encode(&self.id))
    }
}

/// The queue's keys of one installation.
#[derive(Debug, Clone)]
pub struct QueueKeys {
    current: QueueKey,
    older: Vec<QueueKey>,
}

impl QueueKeys {
    /// The one that seals.
    #[must_use]
    pub fn current(&self) -> &QueueKey {
        &self.current
    }

    /// The one with this name, current or older.
    #[must_use]
    pub fn with_id(&self, id: QueueKeyId) -> Option<&QueueKey> {
        std::iter::once(&self.current).chain(&self.older).find(|key| key.id == id)
    }
}

/// All keys of one installation, derived from the master key (HKDF-SHA-256, RFC 5869).
#[derive(Debug, Clone)]
pub struct Keys {
    /// For [`super::return_path`].
    pub return_paths: Sealer,
    /// For [`super::loop_header`].
    pub loops: Sealer,
    /// For [`super::ids`].
    pub message_ids: Sealer,
    /// For `crate::queue::seal`.
    pub queue: QueueKeys,
    /// For [`super::redact`].
    pub log: hmac::Key,
    /// For [`super::site`].
    pub sites: hmac::Key,
    /// Makes digests under which a repeated transaction is known.
    pub transactions: hmac::Key,
}

impl Keys {
    /// Derives every key from the master key that all nodes of one database share.
    #[must_use]
    pub fn derive(master: &[u8; MASTER_KEY_LENGTH]) -> Self {
        Self::derive_with_older(master, &[])
    }

    /// The same; what was sealed under `older` master keys opens as well.
    #[must_use]
    pub fn derive_with_older(
        master: &[u8; MASTER_KEY_LENGTH],
        older: &[Zeroizing<[u8; MASTER_KEY_LENGTH]>],
    ) -> Self {
        let sealer = |purpose: &[u8]| Sealer {
            key: derived(master, purpose),
            older: older.iter().map(|master| derived(master, purpose)).collect(),
        };
        let hasher = |purpose| hmac::Key::new(hmac::HMAC_SHA256, &*derived(master, purpose));
        Self {
            return_paths: sealer(b"aliasd return path"),
            loops: sealer(b"aliasd loop header"),
            message_ids: sealer(b"aliasd message ids"),
            queue: QueueKeys {
                current: QueueKey::derive(master),
                older: older.iter().map(|master| QueueKey::derive(master)).collect(),
            },
            log: hasher(b"aliasd log"),
            sites: hasher(b"aliasd sites"),
            transactions: hasher(b"aliasd transactions"),
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

fn derived(master: &[u8; MASTER_KEY_LENGTH], purpose: &[u8]) -> Secret {
    expand(b"aliasd", master, purpose)
}

fn expand(salt: &[u8], secret: &[u8], purpose: &[u8]) -> Secret {
    let mut key = Zeroizing::new([0; 32]);
    let info = [purpose];
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
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
    fn a_replaced_master_key_opens_and_no_longer_seals() {
        let (old, new) = (Keys::derive(&[7; 32]), Keys::derive(&[8; 32]));
        let both = Keys::derive_with_older(&[8; 32], &[Zeroizing::new([6; 32]), Zeroizing::new([7; 32])]);
        let token = old.return_paths.seal(b"example.com", b"content");
        assert!(new.return_paths.open(b"example.com", &token).is_none());
        assert_eq!(both.return_paths.open(b"example.com", &token).unwrap(), b"content");
        assert_eq!(both.loops.seal(b"", b"content"), new.loops.seal(b"", b"content"));

        assert_eq!(both.queue.current().id(), new.queue.current().id());
        let id = old.queue.current().id();
        assert!(new.queue.with_id(id).is_none());
        assert_eq!(both.queue.with_id(id).map(QueueKey::id), Some(id));
    }

    #[test]
    fn a_fingerprint_depends_on_all_it_is_made_of() {
        let print = |keys: &Keys, context: &[u8], content: &[u8]| keys.loops.fingerprint(context, content);
        let first = print(&keys(), b"a", b"b");
        assert_eq!(first.len(), 26);
        assert_eq!(first, print(&keys(), b"a", b"b"));
        for other in [
            print(&keys(), b"b", b"b"),
            print(&keys(), b"a", b"c"),
            print(&Keys::derive(&[8; 32]), b"a", b"b"),
            keys().return_paths.fingerprint(b"a", b"b"),
        ] {
            assert_ne!(first, other);
        }
        let both = Keys::derive_with_older(&[8; 32], &[Zeroizing::new([7; 32])]);
        assert_eq!(both.loops.fingerprints(b"a", b"b").nth(1), Some(first));
    }

    #[test]
    fn an_item_key_depends_on_all_it_is_made_of() {
        let (keys, others) = (keys(), Keys::derive(&[8; 32]));
        let key = keys.queue.current().item_key(&[1; 32], b"body");
        assert_eq!(key, keys.queue.current().item_key(&[1; 32], b"body"));
        assert_ne!(key, keys.queue.current().item_key(&[2; 32], b"body"));
        assert_ne!(key, keys.queue.current().item_key(&[1; 32], b"head"));
        assert_ne!(key, others.queue.current().item_key(&[1; 32], b"body"));
    }

    #[test]
    fn keys_do_not_show_in_debug() {
        let shown = format!("{:?}", keys());
        assert!(!shown.contains(", 7") && shown.contains("Sealer(…)"), "{shown}");
        let id = data_encoding::HEXLOWER.encode(&keys().queue.current().id());
        assert!(shown.contains(&format!("QueueKey({id})")), "{shown}");
    }
}

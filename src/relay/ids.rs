//! Sealed ids: what correspondents see in place of the message ids that the owner's programs make, which name the
//! mailbox's domain, its provider or the owner's machine.
//!
//! `<m` token `@alias domain>`: the token is the id, sealed with AES-SIV for one alias. Deterministic, so an id is always
//! the same to everybody who sees it; reversible, so no table is needed and an answer after ten years is still an answer.
//! The lower-case base32 of [`Sealer`] makes a token one word of letters and digits: it is a dot-atom, no piece of it can be
//! taken for a word (a short local part, say), and it survives programs that change the case of ids, although ids are
//! compared by octets (RFC 5536, section 3.1.3).
//!
//! Beside it there are three forms that nobody can open, made of a fingerprint:
//!
//! - `h`: an id longer than [`LONGEST_SEALED`]. The contact's thread holds; the owner's loses this one link.
//! - `c`: a `Content-ID`. It means something within its message only.
//! - `f`: a *mark*, which says of another id that it is not the owner's. Only owners get to see it: [`super::threads`].
//!
//! After a change of the master key what was sealed before still opens, but the same id gets another token.
//!
//! What this module does not do: decide which ids are sealed, or read and write fields.

use super::alias::Alias;
use super::keys::{Keys, Sealer};
use super::scrub::SealIds;

/// Longest id in octets that is sealed so that it opens again. Its token has `(16 + n) · 8/5` characters, which leaves room
/// for the longest domain within a line (RFC 5322, section 2.1.1).
pub const LONGEST_SEALED: usize = 300;
/// Characters of a fingerprint.
const FINGERPRINT_LENGTH: usize = 26;

/// What an id of ours stands for: its first letter, and a part of its context, so that none opens as another.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Message,
    LongMessage,
    Content,
    Mark,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Message => 'm',
            Self::LongMessage => 'h',
            Self::Content => 'c',
            Self::Mark => 'f',
        }
    }
}

impl SealIds for Ids<'_> {
    fn message_id(&self, id: &[u8]) -> String {
        self.seal(id)
    }

    fn content_id(&self, id: &[u8]) -> String {
        self.seal_content_id(id)
    }
}

/// The ids of one alias.
#[derive(Debug, Clone, Copy)]
pub struct Ids<'a> {
    sealer: &'a Sealer,
    alias: &'a Alias,
}

impl<'a> Ids<'a> {
    /// Seals and opens for this alias.
    #[must_use]
    pub fn new(keys: &'a Keys, alias: &'a Alias) -> Self {
        Self { sealer: &keys.message_ids, alias }
    }

    /// Whose ids these are.
    #[must_use]
    pub fn alias(&self) -> &'a Alias {
        self.alias
    }

    /// What correspondents see in place of this id; with or without its brackets, any octets, any folds. In brackets.
    #[must_use]
    pub fn seal(&self, id: &[u8]) -> String {
        let id = normal(id);
        if id.len() > LONGEST_SEALED {
            return format!("<{}>", self.fingerprint(Kind::LongMessage, &id));
        }
        let token = self.sealer.seal(&self.context(Kind::Message), &id);
        format!("<{}>", self.written(Kind::Message, &token))
    }

    /// The id, in its brackets, that this alias has sealed as `id`; `None` for anything else.
    #[must_use]
    pub fn open(&self, id: &[u8]) -> Option<Vec<u8>> {
        let token = self.token(id, Kind::Message)?;
        let opened = self.sealer.open(&self.context(Kind::Message), &token)?;
        Some([b"<", opened.as_slice(), b">"].concat())
    }

    /// What a `Content-ID` becomes. Without brackets, as it stands behind `cid:`; only letters, digits, `.`, `-` and `@`.
    #[must_use]
    pub fn seal_content_id(&self, id: &[u8]) -> String {
        self.fingerprint(Kind::Content, &normal(id))
    }

    /// The mark of an id: in brackets.
    #[must_use]
    pub fn mark(&self, id: &[u8]) -> String {
        format!("<{}>", self.fingerprint(Kind::Mark, &normal(id)))
    }

    /// The marks that an id may have, without brackets: one for each key.
    #[must_use]
    pub fn marks(&self, id: &[u8]) -> Vec<String> {
        let (context, id) = (self.context(Kind::Mark), normal(id));
        let prints = self.sealer.fingerprints(&context, &id);
        prints.map(|print| self.written(Kind::Mark, &print)).collect()
    }

    /// Whether an id has the shape of a mark, made by us or not.
    #[must_use]
    pub fn is_mark(&self, id: &[u8]) -> bool {
        self.token(id, Kind::Mark).is_some_and(|print| print.len() == FINGERPRINT_LENGTH)
    }

    /// Whether an id is at the alias's own domain. Whatever it is, it tells nothing of a mailbox.
    #[must_use]
    pub fn is_at_alias(&self, id: &[u8]) -> bool {
        self.left_side(&normal(id)).is_some()
    }

    /// What stands before the domain of an id at the alias's domain.
    fn left_side<'i>(&self, normal: &'i [u8]) -> Option<&'i [u8]> {
        let at = memchr::memrchr(b'@', normal)?;
        let (left, right) = (normal.get(..at)?, normal.get(at + 1..)?);
        right.eq_ignore_ascii_case(self.domain().as_bytes()).then_some(left)
    }

    fn token(&self, id: &[u8], kind: Kind) -> Option<String> {
        let normal = normal(id);
        let left = std::str::from_utf8(self.left_side(&normal)?).ok()?;
        let mut characters = left.chars();
        let is_kind = characters.next()?.eq_ignore_ascii_case(&kind.letter());
        is_kind.then(|| characters.as_str().to_owned())
    }

    fn fingerprint(&self, kind: Kind, id: &[u8]) -> String {
        self.written(kind, &self.sealer.fingerprint(&self.context(kind), id))
    }

    fn written(&self, kind: Kind, token: &str) -> String {
        format!("{}{token}@{}", kind.letter(), self.domain())
    }

    fn context(&self, kind: Kind) -> Vec<u8> {
        [&[kind.letter() as u8][..], &self.alias.id.0.to_be_bytes()].concat()
    }

    fn domain(&self) -> &'a str {
        self.alias.address.host().as_str()
    }
}

/// An id without its brackets and without the white space that folding leaves around and in it (RFC 5322, section 4.5.4),
/// quoted strings aside: the form in which ids are compared and sealed.
#[must_use]
pub fn normal(id: &[u8]) -> Vec<u8> {
    let id = id.trim_ascii();
    let id = id.strip_prefix(b"<").unwrap_or(id);
    let id = id.strip_suffix(b">").unwrap_or(id);
    let mut out = Vec::with_capacity(id.len());
    let (mut quoted, mut escaped) = (false, false);
    for &b in id {
        match b {
            b'\r' | b'\n' => continue,
            b' ' | b'\t' if !quoted => continue,
            b'"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = b == b'\\' && !escaped;
        out.push(b);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;
    use crate::relay::alias::AliasId;
    use crate::relay::testing;

    const ID: &[u8] = b"<6F1A2B3C-0001@laptop.example.net>";

    fn keys() -> Keys {
        Keys::derive(&[7; 32])
    }

    fn sealed(id: &[u8]) -> String {
        Ids::new(&keys(), &testing::alias()).seal(id)
    }

    fn opened(id: &[u8]) -> Option<Vec<u8>> {
        Ids::new(&keys(), &testing::alias()).open(id)
    }

    #[test]
    fn an_id_is_sealed_as_one_word_at_the_alias_domain_and_opens_again() {
        let token = sealed(ID);
        let (left, right) = token.strip_prefix('<').unwrap().split_once('@').unwrap();
        assert_eq!(right, "example.com>");
        assert!(left.starts_with('m') && left.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        assert_eq!(token, sealed(ID));
        assert_eq!(opened(token.as_bytes()).unwrap(), ID);
    }

    #[test]
    fn a_token_opens_however_a_program_has_written_it() {
        let token = sealed(ID);
        let (start, end) = token.split_at(20);
        for written in [
            token.to_uppercase(),
            token.replace("@example.com", "@Example.COM"),
            format!("{start}\r\n {end}"),
            token.replace('<', "\r\n\t< ").replace('>', " >\r\n"),
            token.replace(['<', '>'], ""),
        ] {
            assert_eq!(opened(written.as_bytes()).unwrap(), ID, "{written:?}");
        }
    }

    #[test]
    fn folds_make_no_other_id_and_white_space_in_quotes_does() {
        assert_eq!(sealed(b"<a@\r\n example.net>"), sealed(b"a@example.net"));
        assert_eq!(opened(sealed(b"<\"a\r\n b\"@x>").as_bytes()).unwrap(), b"<\"a b\"@x>");
        assert_ne!(sealed(b"<\"a b\"@x>"), sealed(b"<\"ab\"@x>"));
        assert_ne!(sealed(b"<A@x>"), sealed(b"<a@x>"));
    }

    #[test]
    fn another_alias_domain_or_key_does_not_open() {
        let (keys, token) = (keys(), sealed(ID));
        let stranger = Alias { id: AliasId(12), ..testing::alias() };
        assert_eq!(Ids::new(&keys, &stranger).open(token.as_bytes()), None);
        assert_ne!(Ids::new(&keys, &stranger).seal(ID), token);
        assert_eq!(Ids::new(&Keys::derive(&[8; 32]), &testing::alias()).open(token.as_bytes()), None);
        assert_eq!(opened(token.replace(".com", ".org").as_bytes()), None);
        for other in ["", "<>", "<@example.com>", "<m@example.com>", "<shop@example.com>", "<ü@example.com>"]
        {
            assert_eq!(opened(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_replaced_master_key_opens_what_it_sealed_and_knows_its_marks() {
        let (old, alias) = (keys(), testing::alias());
        let new = Keys::derive_with_older(&[8; 32], &[Zeroizing::new([7; 32])]);
        let (old, new) = (Ids::new(&old, &alias), Ids::new(&new, &alias));
        assert_eq!(new.open(old.seal(ID).as_bytes()).unwrap(), ID);
        assert_ne!(new.seal(ID), old.seal(ID));
        assert!(new.marks(ID).contains(&old.mark(ID).replace(['<', '>'], "")));
    }

    #[test]
    fn a_very_long_id_gets_a_short_one_that_does_not_open() {
        let (long, longer) = (vec![b'x'; LONGEST_SEALED], vec![b'x'; LONGEST_SEALED + 1]);
        assert_eq!(opened(sealed(&long).as_bytes()).unwrap().len(), LONGEST_SEALED + 2);
        let token = sealed(&longer);
        assert_eq!((token.len(), token.get(..2)), (2 + 1 + FINGERPRINT_LENGTH + 12, Some("<h")));
        assert_eq!(token, sealed(&longer));
        assert_eq!(opened(token.as_bytes()), None);
    }

    #[test]
    fn ids_of_one_kind_do_not_pass_as_another() {
        let (keys, alias) = (keys(), testing::alias());
        let ids = Ids::new(&keys, &alias);
        let (content, mark) = (ids.seal_content_id(b"<logo@laptop.example.net>"), ids.mark(ID));
        assert!(content.starts_with('c') && content.ends_with("@example.com"), "{content}");
        assert_eq!(content, ids.seal_content_id(b"logo@laptop.example.net"));
        assert!(ids.is_mark(mark.as_bytes()) && ids.is_mark(mark.to_uppercase().as_bytes()));
        assert!(!ids.is_mark(content.as_bytes()) && !ids.is_mark(ids.seal(ID).as_bytes()));
        for other in [&content, &mark, &content.replacen('c', "m", 1), &mark.replacen('f', "m", 1)] {
            assert_eq!(ids.open(other.as_bytes()), None, "{other}");
        }
        for at_home in [&content, &mark, &ids.seal(ID)] {
            assert!(ids.is_at_alias(at_home.as_bytes()));
        }
        assert!(!ids.is_at_alias(ID) && !ids.is_at_alias(b"<x@mail.example.com>"));
    }

    proptest! {
        #[test]
        fn any_octets_are_sealed_as_a_short_dot_atom_and_come_back(id in prop::collection::vec(any::<u8>(), 0..400)) {
            let token = sealed(&id);
            prop_assert!(token.is_ascii() && token.len() <= 2 + 1 + 506 + 1 + 11);
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"<@.>".contains(&b)));
            let content = normal(&id);
            let expected = (content.len() <= LONGEST_SEALED).then(|| [b"<", content.as_slice(), b">"].concat());
            prop_assert_eq!(opened(token.as_bytes()), expected);
        }

        #[test]
        fn nothing_else_opens(id in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            "<m[a-z2-7]{0,90}@example\\.com>".prop_map(String::into_bytes),
        ]) {
            prop_assert_eq!(opened(&id), None);
        }

        #[test]
        fn the_normal_form_has_no_line_ends_and_is_stable_in_brackets(id in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&b"<> \t\r\n\"\\a@"[..])], 0..60,
        )) {
            let once = normal(&id);
            prop_assert!(!once.iter().any(|b| b"\r\n".contains(b)));
            prop_assert_eq!(normal(&[b"<", once.as_slice(), b">"].concat()), once);
        }
    }
}

//! Boundaries and Content-IDs: marks that programs make up, often of the name of the machine or the provider.
//!
//! What becomes of one depends on nothing but itself, so that it comes out alike wherever a message says it: the parameter
//! and the delimiter lines, the `Content-ID` and the links to it.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use super::SealIds;
use super::secrets::Secrets;
use super::view::Syntax;

/// Labels that end most names of providers, also where the dots are left out (`prodoutlookcom`).
const ENDS: [&str; 3] = ["com", "net", "org"];
/// Fewer letters than this before such an end are rather a word.
const LETTERS_BEFORE_END: usize = 5;
/// Longest id that is looked for behind a scheme.
const LONGEST_ID: usize = 1_000;

/// The boundary in place of one that says too much.
pub(super) fn other_boundary(boundary: &str, secrets: &Secrets, ids: &dyn SealIds) -> Option<String> {
    if !says_too_much(boundary) && !secrets.trace_in(boundary, Syntax::Plain) {
        return None;
    }
    let sealed = ids.content_id(boundary.as_bytes());
    // `=_` stands in no base64 and in no quoted-printable.
    sealed.split('@').next().map(|token| format!("=_{token}"))
}

/// The Content-ID, without brackets, in place of one that names a host or has a trace. The host where all of these are is
/// the alias's, which is no secret.
pub(super) fn other_content_id(id: &str, secrets: &Secrets, ids: &dyn SealIds) -> Option<String> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let host = id.rsplit_once('@').map(|(_, host)| host).filter(|host| has_host_name(host));
    let has_trace = secrets.trace_in(id, Syntax::Plain);
    if host.is_none() && !has_trace {
        return None;
    }
    let other = ids.content_id(id.as_bytes());
    let is_ours = other
        .split_once('@')
        .is_some_and(|(_, ours)| host.is_some_and(|host| host.eq_ignore_ascii_case(ours)));
    (has_trace || !is_ours).then_some(other)
}

/// Whether a mark has an address or a host name in it, with or without its dots.
fn says_too_much(mark: &str) -> bool {
    mark.contains('@') || has_host_name(mark) || has_undotted_name(mark)
}

/// Whether a name with dots is in it: at least two labels, the last one of letters.
fn has_host_name(text: &str) -> bool {
    let is_label = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    text.split(|c| !is_label(c)).any(|name| {
        name.trim_matches('.').rsplit_once('.').is_some_and(|(before, last)| {
            last.chars().count() >= 2 && last.chars().all(char::is_alphabetic) && !before.is_empty()
        })
    })
}

fn has_undotted_name(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| {
        let lower = word.to_ascii_lowercase();
        ENDS.iter().any(|end| lower.ends_with(end)) && lower.len() >= LETTERS_BEFORE_END + 3
    })
}

/// The text with other ids in its `cid:` and `mid:` links (RFC 2392); nothing when none needs one.
pub(super) fn rewrite_links(text: &str, secrets: &Secrets, ids: &dyn SealIds) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    for (scheme, link) in links(text) {
        let id = read_link(text.get(link.clone()).unwrap_or_default());
        let other = match scheme {
            Scheme::Part => other_content_id(&id, secrets, ids),
            Scheme::Message => other_link(&id, secrets, ids),
        };
        if let Some(other) = other {
            out.push_str(text.get(copied..link.start).unwrap_or_default());
            out.push_str(&other);
            copied = link.end;
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    (copied > 0).then_some(out)
}

/// A message id, and perhaps a Content-ID within that message.
fn other_link(link: &str, secrets: &Secrets, ids: &dyn SealIds) -> Option<String> {
    if !secrets.trace_in(link, Syntax::Plain) {
        return None;
    }
    let (message, part) = link.split_once('/').unwrap_or((link, ""));
    let sealed = ids.message_id(message.as_bytes());
    let part = if part.is_empty() { String::new() } else { format!("/{}", ids.content_id(part.as_bytes())) };
    Some(format!("{}{part}", sealed.trim_matches(['<', '>'])))
}

/// What a link names.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    Part,
    Message,
}

/// What stands behind each `cid:` and `mid:`, apart from one another.
fn links(text: &str) -> impl Iterator<Item = (Scheme, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + memchr(b':', text.as_bytes().get(at..)?)? + 1;
            at = start;
            if let Some(scheme) = scheme_before(text.as_bytes().get(..start - 1)?) {
                at += link_end(text.get(start..)?);
                return Some((scheme, start..at));
            }
        }
    })
}

fn scheme_before(before: &[u8]) -> Option<Scheme> {
    let word = before.last_chunk::<3>()?.to_ascii_lowercase();
    match word.as_slice() {
        b"cid" => Some(Scheme::Part),
        b"mid" => Some(Scheme::Message),
        _ => None,
    }
}

/// The length of what stands behind `cid:` or `mid:`.
fn link_end(rest: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>()[]{}|\\^`,".contains(c);
    let limit = rest.floor_char_boundary(LONGEST_ID);
    rest.get(..limit).and_then(|rest| rest.find(ends)).unwrap_or(limit)
}

/// An id as a link writes it: percent-encoded, with entities for the characters that programs write so.
fn read_link(written: &str) -> String {
    let mut text = Cow::Borrowed(written);
    for (entity, character) in [
        ("&#64;", "@"),
        ("&#x40;", "@"),
        ("&#X40;", "@"),
        ("&commat;", "@"),
        ("&#46;", "."),
        ("&#x2e;", "."),
        ("&#x2E;", "."),
        ("&period;", "."),
        ("&amp;", "&"),
    ] {
        if text.contains(entity) {
            text = Cow::Owned(text.replace(entity, character));
        }
    }
    percent_decoded(&text)
}

fn percent_decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&b, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|&b| char::from(b).to_digit(16)).filter(|_| b == b'%');
        if let (Some(high), Some(low)) = (digit(0), digit(1))
            && let Ok(octet) = u8::try_from(high << 4 | low)
        {
            octets.push(octet);
            rest = after.get(2..).unwrap_or_default();
        } else {
            octets.push(b);
            rest = after;
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TestIds, secrets};
    use super::*;

    #[test]
    fn boundaries_that_name_a_host_are_replaced() {
        for boundary in [
            "----=_Part_1_laptop.example.net",
            "abc@def",
            "_000_DM6PR04MB1234namprd04prodoutlookcom_",
            "me-mail.example.org",
            "--EXAMPLE.NET--",
        ] {
            let other = other_boundary(boundary, &secrets(), &TestIds).unwrap();
            assert!(other.starts_with("=_") && !other.contains(['.', '@']), "{other}");
        }
        for boundary in [
            "----=_Part_0_1234567.1234567890",
            "Apple-Mail=_F3A1B2C3-D4E5",
            "=-=-=",
            "b1_0123456789abcdef",
            "000000000000a1b2c3",
            "----=_NextPart_000_0012_01DA2F3B.5C6D7E80",
        ] {
            assert_eq!(other_boundary(boundary, &secrets(), &TestIds), None, "{boundary}");
        }
    }

    #[test]
    fn content_ids_that_name_a_host_are_replaced() {
        let replaced = |id: &str| other_content_id(id, &secrets(), &TestIds).is_some();
        assert!(
            replaced("<a1@icloud.com>")
                && replaced("logo@laptop.example.net")
                && replaced("<me@example.net>")
        );
        assert!(
            !replaced("<image001.png@01DA2F3B.5C6D7E80>")
                && !replaced("ii_lx0abc")
                && !replaced("<image001.png>")
        );
    }

    #[test]
    fn links_follow() {
        let new = TestIds.content_id(b"a1@mail.example.net");
        for written in ["a1@mail.example.net", "a1%40mail.example.net", "a1&#64;mail.example.net"] {
            let text = format!("<img src=\"CID:{written}\"><img src='cid:ii_1'> acid: cid:");
            let expected = format!("<img src=\"CID:{new}\"><img src='cid:ii_1'> acid: cid:");
            assert_eq!(rewrite_links(&text, &secrets(), &TestIds), Some(expected));
        }
        let other =
            format!("see mid:{}", TestIds.message_id(b"1%2@mail.example.net").trim_matches(['<', '>']));
        assert_eq!(rewrite_links("see mid:1%252@mail.example.net", &secrets(), &TestIds), Some(other));
        assert_eq!(rewrite_links("pyramid:1@mail.example.com cid:", &secrets(), &TestIds), None);
        assert_eq!(rewrite_links("\u{e9}\u{e9}: \u{e9}cid:\u{e9}", &secrets(), &TestIds), None);
    }
}

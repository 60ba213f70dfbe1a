//! Message ids: making a missing one, finding those in `Message-ID`, `References` and `In-Reply-To` (RFC 5322, section
//! 3.6.4).

use std::ops::Range;

use memchr::memchr2;

use super::address::{DomainName, is_atext};
use super::fold::{FieldWriter, HeaderField};

/// A `Message-ID` field: `<id@domain>`. A character of `id` that has no place there becomes `-`.
#[must_use]
pub fn field(id: &str, domain: &DomainName) -> HeaderField {
    let id: String = id.chars().map(|c| if c.is_ascii() && is_atext(c) { c } else { '-' }).collect();
    let mut field = FieldWriter::new("Message-ID");
    field.token(&format!("<{id}@{domain}>"));
    field.finish()
}

/// The ids in a value: the positions of each `<…>`, brackets included, in order.
///
/// Comments and quoted strings are not passed over: an id in a comment is an id too, for those who must let none
/// through. An opened bracket that another one follows opens nothing.
#[must_use]
pub fn spans(value: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut opened = None;
    let mut at = 0;
    while let Some(next) = memchr2(b'<', b'>', value.get(at..).unwrap_or_default()) {
        let position = at + next;
        at = position + 1;
        if value.get(position) == Some(&b'<') {
            opened = Some(position);
        } else if let Some(start) = opened.take() {
            found.push(start..at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_made() {
        let domain = DomainName::parse("example.com").unwrap();
        assert_eq!(field("01J.a b\r\n", &domain).as_bytes(), b"Message-ID: <01J-a-b--@example.com>\r\n");
    }

    #[test]
    fn ids_are_found() {
        for (value, ids) in [
            (" <a@example.com>\r\n <\"b c\"@example.com>", vec!["<a@example.com>", "<\"b c\"@example.com>"]),
            ("<a@example.com><b@[192.0.2.1]>", vec!["<a@example.com>", "<b@[192.0.2.1]>"]),
            ("Your note (<a@example.com>) of today", vec!["<a@example.com>"]),
            ("<a\r\n b@example.com>", vec!["<a\r\n b@example.com>"]),
            ("<open <a@example.com> > <", vec!["<a@example.com>"]),
            ("", vec![]),
        ] {
            let found: Vec<_> = spans(value.as_bytes()).into_iter().map(|span| &value[span]).collect();
            assert_eq!(found, ids, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn spans_are_in_order_and_bracketed(value in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&b"<<>>a@ "[..])], 0..100,
        )) {
            let mut at = 0;
            for span in spans(&value) {
                prop_assert!(span.start >= at);
                prop_assert!(value[span.clone()].starts_with(b"<") && value[span.clone()].ends_with(b">"));
                prop_assert_eq!(value[span.clone()].iter().filter(|&&b| b == b'<').count(), 1);
                at = span.end;
            }
        }
    }
}

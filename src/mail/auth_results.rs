//! `Authentication-Results`: who claims to have made one, and our own (RFC 8601).
//!
//! A field that carries our name and is not from us is a forgery, and must go before ours is added (section 5). What
//! counts as our name is read widely: any spelling that some reader would take for it.

use super::address::DomainName;
use super::fold::{FieldWriter, HeaderField};
use super::structured::{Kind, Tokens, unquote};

/// The field's name.
pub const NAME: &str = "Authentication-Results";

/// The authserv-id of a value: its first token or quoted string, comments passed over (section 2.2).
#[must_use]
pub fn authserv_id(value: &[u8]) -> Option<String> {
    let first = Tokens::new(value).find(|token| !token.is_comment())?;
    let id = match first.kind {
        Kind::Atom => up_to_special(first.of(value)).to_vec(),
        Kind::Quoted => unquote(first.of(value)),
        _ => return None,
    };
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    (!id.is_empty()).then_some(id)
}

/// Whether the value claims to come from `host`, in any case, in A-labels or U-labels, with or without a last dot.
#[must_use]
pub fn claims_to_be_from(value: &[u8], host: &DomainName) -> bool {
    let Some(id) = authserv_id(value) else {
        return false;
    };
    DomainName::parse(id.trim_end_matches('.')).is_ok_and(|name| name == *host)
}

/// The field that says that nothing was checked (section 2.2, `no-result`).
#[must_use]
pub fn none(host: &DomainName) -> HeaderField {
    let mut field = FieldWriter::new(NAME);
    field.token(host.as_str()).glue(';').token("none");
    field.finish()
}

/// A token ends at a `tspecial` (RFC 2045, section 5.1), also at those that an atom may have.
fn up_to_special(atom: &[u8]) -> &[u8] {
    let end = atom.iter().position(|b| b"/[]?=\\)".contains(b)).unwrap_or(atom.len());
    &atom[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_name_is_known_in_every_disguise() {
        let host = DomainName::parse("mx.example.com").unwrap();
        for (value, ours) in [
            (" mx.example.com; dkim=pass", true),
            (" MX.Example.COM 1; none", true),
            ("mx.example.com", true),
            ("mx.example.com.; none", true),
            ("(a (nested) comment)\r\n mx.example.com(x); none", true),
            ("\"mx.example.com\"; none", true),
            ("\"mx.\\example.com\" ; none", true),
            ("mx.example.com/1; none", true),
            ("mx.example.com=x; none", true),
            ("mx.example.org; none", false),
            ("a.mx.example.com; none", false),
            ("; mx.example.com", false),
            ("(mx.example.com", false),
            ("", false),
        ] {
            assert_eq!(claims_to_be_from(value.as_bytes(), &host), ours, "{value:?}");
        }
    }

    #[test]
    fn an_idn_name_is_known_in_both_forms() {
        let host = DomainName::parse("mx.xn--bcher-kva.example").unwrap();
        assert!(claims_to_be_from("mx.b\u{fc}cher.example; none".as_bytes(), &host));
        assert!(claims_to_be_from(b"mx.XN--bcher-kva.example; none", &host));
    }

    #[test]
    fn nothing_checked_is_said_so() {
        let host = DomainName::parse("mx.example.com").unwrap();
        assert_eq!(none(&host).as_bytes(), b"Authentication-Results: mx.example.com; none\r\n");
    }
}

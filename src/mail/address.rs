//! Mail addresses and domain names as values.
//!
//! An [`Address`] remembers how its local part was written and compares by its *normal form*: local part lower-cased
//! and unquoted where quoting is not needed, domain as lower-case A-labels (IDNA2008, RFC 5890). Two spellings of one
//! address are therefore equal and hash alike, which every table and cache of aliasd relies on.
//!
//! What this module does not do: it knows nothing of header syntax (comments, display names, groups: see
//! [`crate::mail::address_list`]) and nothing of SMTP paths (source routes, `<>`: see [`crate::smtp`]).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Longest local part in octets (RFC 5321, section 4.5.3.1.1).
pub const MAX_LOCAL_PART: usize = 64;
/// Longest domain in octets (RFC 5321, section 4.5.3.1.2; RFC 1035, section 2.3.4 leaves 253 printable ones).
pub const MAX_DOMAIN: usize = 253;
const MAX_LABEL: usize = 63;

/// Why a text is not an address or a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@` outside a quoted string.
    #[error("there is no \"@\" in it")]
    NoAt,
    /// The part before the `@` is empty.
    #[error("nothing stands before the \"@\"")]
    EmptyLocalPart,
    /// The local part has more than [`MAX_LOCAL_PART`] octets.
    #[error("the part before the \"@\" is longer than 64 octets")]
    LongLocalPart,
    /// The local part is neither a dot-atom nor a quoted string (RFC 5321, section 4.1.2).
    #[error("the part before the \"@\" has a character that is not allowed there")]
    BadLocalPart,
    /// The domain is empty or has an empty label.
    #[error("the domain is empty or has an empty label")]
    EmptyLabel,
    /// The domain has more than [`MAX_DOMAIN`] octets, or a label more than 63.
    #[error("the domain or one of its labels is too long")]
    LongDomain,
    /// The domain has a character that no host name has.
    #[error("the domain has a character that is not allowed in a host name")]
    BadDomain,
    /// An address literal (`[192.0.2.1]`) that does not parse (RFC 5321, section 4.1.3).
    #[error("the address literal is malformed")]
    BadLiteral,
}

/// A DNS name as mail uses it: lower case, A-labels, no trailing dot, at most 253 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(Box<str>);

impl DomainName {
    /// Reads a domain name in A-label or U-label form.
    ///
    /// # Errors
    /// When it is empty, too long or has a character that no host name has.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_ascii() {
            return Self::from_ascii(text);
        }
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| AddressError::BadDomain)?;
        Self::from_ascii(&ascii)
    }

    fn from_ascii(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX_DOMAIN {
            return Err(AddressError::LongDomain);
        }
        text.split('.').try_for_each(check_label)?;
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The name in A-label form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_label(label: &str) -> Result<(), AddressError> {
    if label.is_empty() {
        return Err(AddressError::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(AddressError::LongDomain);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !label.bytes().all(allowed) || label.starts_with('-') || label.ends_with('-') {
        return Err(AddressError::BadDomain);
    }
    Ok(())
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DomainName {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

/// What stands after the `@`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A name.
    Domain(DomainName),
    /// An address literal, with its brackets, lower case (RFC 5321, section 4.1.3).
    Literal(Box<str>),
}

impl Host {
    /// Reads a domain name or an address literal in its brackets.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('[') {
            return parse_literal(text).map(Self::Literal);
        }
        DomainName::parse(text).map(Self::Domain)
    }

    /// The host as it is written after the `@`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Domain(name) => name.as_str(),
            Self::Literal(text) => text,
        }
    }
}

fn parse_literal(text: &str) -> Result<Box<str>, AddressError> {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or(AddressError::BadLiteral)?;
    let lower = inner.to_ascii_lowercase();
    let valid = match lower.strip_prefix("ipv6:") {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => lower.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    if !valid {
        return Err(AddressError::BadLiteral);
    }
    Ok(format!("[{lower}]").into())
}

/// A mail address: `local-part@host`.
#[derive(Debug, Clone)]
pub struct Address {
    /// As it was written, without quotes and backslashes.
    local: Box<str>,
    host: Host,
    /// The normal form of the whole address.
    normal: Box<str>,
}

impl Address {
    /// Reads `local@domain`, `"quoted local"@domain` or `local@[192.0.2.1]`; RFC 6531 characters are taken.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, host) = split_at_sign(text)?;
        let local = unquote_local(local)?;
        Self::from_parts(&local, Host::parse(host)?)
    }

    /// Puts an address together from an unquoted local part and its host.
    ///
    /// # Errors
    /// When the local part is empty, too long or has a control character.
    pub fn from_parts(local: &str, host: Host) -> Result<Self, AddressError> {
        if local.is_empty() {
            return Err(AddressError::EmptyLocalPart);
        }
        if local.len() > MAX_LOCAL_PART {
            return Err(AddressError::LongLocalPart);
        }
        if local.chars().any(char::is_control) {
            return Err(AddressError::BadLocalPart);
        }
        let normal = format!("{}@{}", quote_local(&local.to_lowercase()), host.as_str());
        Ok(Self { local: local.into(), host, normal: normal.into() })
    }

    /// The local part as it was written, without quotes.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// What stands after the `@`.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain, unless the host is an address literal.
    #[must_use]
    pub fn domain(&self) -> Option<&DomainName> {
        match &self.host {
            Host::Domain(name) => Some(name),
            Host::Literal(_) => None,
        }
    }

    /// The form by which addresses are compared and stored: lower case, quoted only where it must be.
    #[must_use]
    pub fn as_normal(&self) -> &str {
        &self.normal
    }

    /// Whether writing this address takes SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii()
    }

    /// The address without a `+tag`, if it has one: `me+shop@example.com` gives `me@example.com`.
    #[must_use]
    pub fn without_tag(&self) -> Option<Self> {
        let (base, _) = self.local.split_once('+')?;
        Self::from_parts(base, self.host.clone()).ok()
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal.hash(state);
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.normal.cmp(&other.normal)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", quote_local(&self.local), self.host.as_str())
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

/// Splits at the `@` that ends the local part: the first one outside a quoted string.
fn split_at_sign(text: &str) -> Result<(&str, &str), AddressError> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '@' if !quoted => return Ok((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    Err(AddressError::NoAt)
}

/// The content of a dot-atom or quoted-string local part.
fn unquote_local(text: &str) -> Result<String, AddressError> {
    let Some(inner) = text.strip_prefix('"') else {
        return if text.is_empty() {
            Err(AddressError::EmptyLocalPart)
        } else if is_dot_atom(text) {
            Ok(text.to_owned())
        } else {
            Err(AddressError::BadLocalPart)
        };
    };
    let inner = inner.strip_suffix('"').ok_or(AddressError::BadLocalPart)?;
    let mut content = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => content.push(chars.next().ok_or(AddressError::BadLocalPart)?),
            '"' => return Err(AddressError::BadLocalPart),
            _ => content.push(c),
        }
    }
    Ok(content)
}

/// The local part as it must be written: bare as a dot-atom, else quoted.
fn quote_local(content: &str) -> String {
    if is_dot_atom(content) {
        return content.to_owned();
    }
    let mut quoted = String::with_capacity(content.len() + 2);
    quoted.push('"');
    for c in content.chars() {
        if c == '"' || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// `atext` of RFC 5322, section 3.2.3, widened by RFC 6531, section 3.3.
#[must_use]
pub fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        let plain = Address::parse("jane.doe@example.com").unwrap();
        for spelling in ["Jane.Doe@EXAMPLE.com", "\"jane.doe\"@example.com", "\"jane\\.doe\"@Example.Com"] {
            assert_eq!(Address::parse(spelling).unwrap(), plain, "{spelling}");
        }
        assert_ne!(Address::parse("janedoe@example.com").unwrap(), plain);
    }

    #[test]
    fn writing_keeps_the_case_and_quotes_only_where_it_must() {
        assert_eq!(Address::parse("\"Jane\"@Example.com").unwrap().to_string(), "Jane@example.com");
        assert_eq!(
            Address::parse("\"a b\\\"c\"@example.com").unwrap().to_string(),
            "\"a b\\\"c\"@example.com"
        );
    }

    #[test]
    fn idn_domains_become_a_labels() {
        let address = Address::parse("info@bücher.example").unwrap();
        assert_eq!(address.as_normal(), "info@xn--bcher-kva.example");
        assert!(address.is_ascii());
        assert!(!Address::parse("jürgen@example.com").unwrap().is_ascii());
    }

    #[test]
    fn literals_are_taken_and_checked() {
        assert_eq!(Address::parse("a@[192.0.2.1]").unwrap().host().as_str(), "[192.0.2.1]");
        assert_eq!(Address::parse("a@[IPv6:2001:db8::1]").unwrap().host().as_str(), "[ipv6:2001:db8::1]");
        assert_eq!(Address::parse("a@[192.0.2.999]").unwrap_err(), AddressError::BadLiteral);
    }

    #[test]
    fn broken_addresses_say_what_is_wrong() {
        for (text, error) in [
            ("jane", AddressError::NoAt),
            ("@example.com", AddressError::EmptyLocalPart),
            ("\"\"@example.com", AddressError::EmptyLocalPart),
            ("a..b@example.com", AddressError::BadLocalPart),
            ("a b@example.com", AddressError::BadLocalPart),
            ("\"a\r\nb\"@example.com", AddressError::BadLocalPart),
            ("a@", AddressError::EmptyLabel),
            ("a@example..com", AddressError::EmptyLabel),
            ("a@exa mple.com", AddressError::BadDomain),
            ("a@b@example.com", AddressError::BadDomain),
            ("a@-example.com", AddressError::BadDomain),
        ] {
            assert_eq!(Address::parse(text).unwrap_err(), error, "{text}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        assert_eq!(Address::parse(&long).unwrap_err(), AddressError::LongLocalPart);
    }

    #[test]
    fn a_tag_is_taken_off() {
        let tagged = Address::parse("shop+42@example.com").unwrap();
        assert_eq!(tagged.without_tag().unwrap().as_normal(), "shop@example.com");
        assert!(Address::parse("shop@example.com").unwrap().without_tag().is_none());
        assert!(Address::parse("+x@example.com").unwrap().without_tag().is_none());
    }
}

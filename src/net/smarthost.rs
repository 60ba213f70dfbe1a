//! The address of a smarthost, as `delivery.smarthost` has it: `SCHEME://[USER:PASSWORD@]HOST[:PORT]`.
//!
//! | scheme | port | TLS |
//! |---|---|---|
//! | `smtp://` | 25 | STARTTLS when offered, any certificate; else clear |
//! | `smtp+starttls://` | 587 | STARTTLS, certificate verified |
//! | `smtps://` | 465 | from the first octet, certificate verified |
//!
//! User and password are percent-encoded. Errors never repeat what was typed, because a password may be anywhere in
//! it; `Debug` and `Display` leave the password out.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::mail::DomainName;

/// How the connection to a host is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// STARTTLS when offered, any certificate.
    Smtp,
    /// STARTTLS, certificate verified.
    StartTls,
    /// TLS from the first octet, certificate verified.
    Smtps,
}

impl Scheme {
    const ALL: [Self; 3] = [Self::Smtp, Self::StartTls, Self::Smtps];

    fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::StartTls => "smtp+starttls",
            Self::Smtps => "smtps",
        }
    }

    /// The port when the URL names none (RFC 5321, section 4.5.4.2; RFC 6409; RFC 8314).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::StartTls => 587,
            Self::Smtps => 465,
        }
    }

    /// Whether the host must show a certificate for its name.
    #[must_use]
    pub fn verifies(self) -> bool {
        self != Self::Smtp
    }
}

/// A host by name or by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostName {
    /// To be looked up.
    Name(DomainName),
    /// An address.
    Ip(IpAddr),
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

/// A user and a password.
#[derive(Clone)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// Where all mail goes instead of to the MX hosts of its domain.
#[derive(Clone)]
pub struct Smarthost {
    /// How the connection is protected.
    pub scheme: Scheme,
    /// The host.
    pub host: HostName,
    /// Its port.
    pub port: u16,
    /// The login, if it wants one.
    pub login: Option<Login>,
}

/// Why a text is not the address of a smarthost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmarthostError {
    /// None of the three schemes.
    #[error("it must start with smtp://, smtp+starttls:// or smtps://")]
    Scheme,
    /// Something stands after the port.
    #[error(
        "nothing may follow the host and port; in user and password write \"/\" as %2F, \"?\" as %3F and \"#\" as %23"
    )]
    Trailing,
    /// Neither a host name, nor an IPv4 address, nor an IPv6 address in brackets.
    #[error("the host must be a name, an IPv4 address, or an IPv6 address in brackets")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535; in user and password write \"@\" as %40")]
    Port,
    /// A user without a password, or the other way round.
    #[error("before the \"@\" there must be a user, \":\" and a password, none of them empty")]
    Login,
    /// `%` without two hexadecimal digits, or octets that are not UTF-8.
    #[error("in user and password \"%\" must be followed by two hexadecimal digits (\"%\" itself is %25)")]
    Percent,
    /// A NUL, which AUTH PLAIN cannot carry.
    #[error("user and password must not have a NUL in them")]
    Nul,
}

impl Smarthost {
    /// Whether it has a login that could go out in clear: not over TLS, and not to this machine.
    #[must_use]
    pub fn shows_login(&self) -> bool {
        let here = match &self.host {
            HostName::Ip(ip) => ip.to_canonical().is_loopback(),
            HostName::Name(name) => name.as_str() == "localhost",
        };
        self.scheme == Scheme::Smtp && self.login.is_some() && !here
    }
}

impl FromStr for Smarthost {
    type Err = SmarthostError;

    fn from_str(text: &str) -> Result<Self, SmarthostError> {
        let (scheme, rest) = split_scheme(text)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(SmarthostError::Trailing);
        }
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(parse_login(login)?), place),
            None => (None, authority),
        };
        let (host, port) = split_port(place)?;
        let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
        Ok(Self { scheme, host: parse_host(host)?, port, login })
    }
}

fn split_scheme(text: &str) -> Result<(Scheme, &str), SmarthostError> {
    let (name, rest) = text.split_once("://").ok_or(SmarthostError::Scheme)?;
    let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(name));
    Ok((scheme.ok_or(SmarthostError::Scheme)?, rest))
}

fn split_port(place: &str) -> Result<(&str, Option<&str>), SmarthostError> {
    if !place.starts_with('[') {
        return Ok(place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))));
    }
    let end = place.find(']').ok_or(SmarthostError::Host)?;
    let (host, rest) = place.split_at(end + 1);
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(SmarthostError::Host),
    }
}

fn parse_port(text: &str) -> Result<u16, SmarthostError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let port = digits.then(|| text.parse().ok()).flatten();
    port.filter(|port| *port > 0).ok_or(SmarthostError::Port)
}

fn parse_host(text: &str) -> Result<HostName, SmarthostError> {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inner.parse().map(|ip: Ipv6Addr| HostName::Ip(ip.into())).map_err(|_| SmarthostError::Host);
    }
    if let Ok(ip) = text.parse() {
        return Ok(HostName::Ip(IpAddr::V4(ip)));
    }
    DomainName::parse(text).map(HostName::Name).map_err(|_| SmarthostError::Host)
}

fn parse_login(text: &str) -> Result<Login, SmarthostError> {
    let (user, password) = text.split_once(':').ok_or(SmarthostError::Login)?;
    if user.is_empty() || password.is_empty() {
        return Err(SmarthostError::Login);
    }
    let user = std::mem::take(&mut *percent_decode(user)?);
    let password = percent_decode(password)?;
    Ok(Login { user, password: password.as_str().into() })
}

/// RFC 3986, section 2.1. What it returns is wiped when dropped.
fn percent_decode(text: &str) -> Result<Zeroizing<String>, SmarthostError> {
    let mut octets = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes().iter().copied();
    while let Some(octet) = rest.next() {
        let octet = if octet == b'%' { hex_octet(rest.next(), rest.next())? } else { octet };
        octets.push(octet);
    }
    if octets.contains(&0) {
        return Err(SmarthostError::Nul);
    }
    let text = std::str::from_utf8(&octets).map_err(|_| SmarthostError::Percent)?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn hex_octet(high: Option<u8>, low: Option<u8>) -> Result<u8, SmarthostError> {
    let digit = |octet: Option<u8>| octet.and_then(|octet| char::from(octet).to_digit(16));
    let value = digit(high).zip(digit(low)).and_then(|(high, low)| u8::try_from(16 * high + low).ok());
    value.ok_or(SmarthostError::Percent)
}

/// Without the password, and with the user as it was decoded: for people, not for parsing.
impl fmt::Display for Smarthost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        if let Some(login) = &self.login {
            write!(f, "{}@", login.user)?;
        }
        match self.host {
            HostName::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Smarthost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smarthost({self})")
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    #[test]
    fn urls_are_read() {
        for (text, shown) in [
            ("smtp://127.0.0.1:2526", "smtp://127.0.0.1:2526"),
            ("smtp://Mail.Example.com/", "smtp://mail.example.com:25"),
            ("SMTP+STARTTLS://mail.example.com", "smtp+starttls://mail.example.com:587"),
            ("smtps://mail.example.com", "smtps://mail.example.com:465"),
            ("smtp://[::1]:2525", "smtp://[::1]:2525"),
            ("smtp://[2001:db8::1]", "smtp://[2001:db8::1]:25"),
            ("smtp://mailpit", "smtp://mailpit:25"),
            ("smtps://jane:pw@mail.example.com:1", "smtps://jane@mail.example.com:1"),
        ] {
            assert_eq!(text.parse::<Smarthost>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn user_and_password_are_decoded() {
        let smarthost: Smarthost =
            "smtps://jane%40example.com:p%3Aa%25:s@s%2f@mail.example.com".parse().unwrap();
        let login = smarthost.login.unwrap();
        assert_eq!(login.user, "jane@example.com");
        assert_eq!(login.password.expose_secret(), "p:a%:s@s/");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, error) in [
            ("", SmarthostError::Scheme),
            ("mail.example.com:25", SmarthostError::Scheme),
            ("http://mail.example.com", SmarthostError::Scheme),
            ("smtp://", SmarthostError::Host),
            ("smtp://ma il", SmarthostError::Host),
            ("smtp://[::1", SmarthostError::Host),
            ("smtp://[::1]x", SmarthostError::Host),
            ("smtp://[192.0.2.1]", SmarthostError::Host),
            ("smtp://host:", SmarthostError::Port),
            ("smtp://host:0", SmarthostError::Port),
            ("smtp://host:65536", SmarthostError::Port),
            ("smtp://host:+25", SmarthostError::Port),
            ("smtp://::1", SmarthostError::Port),
            ("smtp://host/x", SmarthostError::Trailing),
            ("smtp://host?x", SmarthostError::Trailing),
            ("smtp://jane@host", SmarthostError::Login),
            ("smtp://jane:@host", SmarthostError::Login),
            ("smtp://:pw@host", SmarthostError::Login),
            ("smtp://jane:p%w@host", SmarthostError::Percent),
            ("smtp://jane:p%4@host", SmarthostError::Percent),
            ("smtp://jane:%ff@host", SmarthostError::Percent),
            ("smtp://jane:%00@host", SmarthostError::Nul),
        ] {
            assert_eq!(text.parse::<Smarthost>().err(), Some(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_password_never_shows(password in "[A-Z0-9/:@?#%]{6,12}", prefix in "(smtps?|http)://|") {
            let secret = format!("xyzzy{password}");
            let shown = match format!("{prefix}jane:{secret}@mail.example.com").parse::<Smarthost>() {
                Ok(smarthost) => format!("{smarthost} {smarthost:?} {:?}", smarthost.login),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains("xyzzy"), "{}", shown);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(smtp://)?[\\PC]{0,40}") {
            if let Ok(smarthost) = text.parse::<Smarthost>() {
                prop_assert!(smarthost.port > 0);
            }
        }
    }
}

//! Logging in: AUTH PLAIN and AUTH LOGIN (RFC 4954, RFC 4616).

use data_encoding::BASE64;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{Capabilities, Channel, CommandLines, Credentials, Extension, InClear, Mechanism};

/// How far a log-in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthStep {
    /// `AUTH LOGIN` was sent; the server will ask for the user.
    LoginUser,
    /// The user was sent; the server will ask for the password.
    LoginPassword,
    /// All was sent; the server will judge.
    Verdict,
}

/// Why a log-in is not even tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CannotLogIn {
    #[error(
        "the server offers no TLS, and the password is not sent in clear; use smtp+starttls:// or smtps://, \
         or take the password out of the smarthost URL"
    )]
    InClear,
    #[error("the server offers neither AUTH PLAIN nor AUTH LOGIN")]
    NoMechanism,
}

/// The first command of the log-in, and where it leads. PLAIN is preferred: it takes one turn.
pub(super) fn begin(
    credentials: &Credentials,
    capabilities: &Capabilities,
    channel: Channel,
) -> Result<(AuthStep, CommandLines), CannotLogIn> {
    if channel == Channel::Clear && credentials.in_clear == InClear::Refused {
        return Err(CannotLogIn::InClear);
    }
    if capabilities.has(&Extension::Auth(Mechanism::Plain)) {
        return Ok((AuthStep::Verdict, plain(credentials)));
    }
    if capabilities.has(&Extension::Auth(Mechanism::Login)) {
        return Ok((AuthStep::LoginUser, CommandLines(Zeroizing::new(b"AUTH LOGIN\r\n".to_vec()))));
    }
    Err(CannotLogIn::NoMechanism)
}

/// The answer to a 334, and where it leads; `None` when there is nothing more to say.
pub(super) fn answer(credentials: &Credentials, step: AuthStep) -> Option<(AuthStep, CommandLines)> {
    match step {
        AuthStep::LoginUser => Some((AuthStep::LoginPassword, line(b"", credentials.user.as_bytes()))),
        AuthStep::LoginPassword => {
            Some((AuthStep::Verdict, line(b"", credentials.password.expose_secret().as_bytes())))
        }
        AuthStep::Verdict => None,
    }
}

fn plain(credentials: &Credentials) -> CommandLines {
    let password = credentials.password.expose_secret().as_bytes();
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut message = Zeroizing::new(Vec::with_capacity(2 + credentials.user.len() + password.len()));
    message.push(0);
    message.extend_from_slice(credentials.user.as_bytes());
    message.push(0);
    message.extend_from_slice(password);
    line(b"AUTH PLAIN ", &message)
}

fn line(prefix: &[u8], secret: &[u8]) -> CommandLines {
    let encoded = Zeroizing::new(BASE64.encode(secret));
    let mut line = Zeroizing::new(Vec::with_capacity(prefix.len() + encoded.len() + 2));
    line.extend_from_slice(prefix);
    line.extend_from_slice(encoded.as_bytes());
    line.extend_from_slice(b"\r\n");
    CommandLines(line)
}

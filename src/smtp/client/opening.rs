//! From the greeting to a session that takes mail: EHLO or HELO, STARTTLS, AUTH.
//!
//! Whatever goes wrong here is about the host or about us, not about a message: another host may do better. A refusal
//! for good, a wrong password or a missing extension defers mail and does not return it, because an administrator can
//! mend it.

use zeroize::Zeroizing;

use super::auth::{self, AuthStep};
use super::{
    Action, Capabilities, Channel, CommandLines, Extension, Idle, Outcome, Phase, Session, State, Step,
    TlsMode,
};
use crate::smtp::response::{Class, Response};

/// What the opening session waits for.
#[derive(Debug)]
pub(super) enum Opening {
    /// The greeting.
    Greeting,
    /// The reply to EHLO.
    Ehlo,
    /// The reply to HELO, which a server that knows no EHLO gets.
    Helo,
    /// The reply to STARTTLS; what was offered before it counts only if there will be no TLS.
    StartTls(Capabilities),
    /// The TLS handshake.
    Handshake,
    /// A reply to AUTH.
    Auth(AuthStep, Capabilities),
}

impl Opening {
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Greeting => Phase::Greeting,
            Self::Ehlo | Self::Helo => Phase::Ehlo,
            Self::StartTls(_) => Phase::StartTls,
            Self::Handshake => Phase::Handshake,
            Self::Auth(..) => Phase::Auth,
        }
    }

    pub(super) fn reply(self, session: &Session, reply: &Response) -> Step {
        match self {
            Self::Greeting => greeted(session, reply),
            Self::Ehlo => ehlo_answered(session, reply),
            Self::Helo if reply.class() == Class::Done => opened(session, Capabilities::default()),
            Self::Helo => fail(session.deferred(reply)),
            Self::StartTls(capabilities) => starttls_answered(session, capabilities, reply),
            Self::Handshake => fail(session.unexpected(reply)),
            Self::Auth(step, capabilities) => auth_answered(session, step, capabilities, reply),
        }
    }

    /// What the server said in clear is forgotten; it must say it again (RFC 3207, section 4.2).
    pub(super) fn tls_started(self, session: &mut Session) -> Step {
        match self {
            Self::Handshake => {
                session.channel = Channel::Encrypted;
                say_ehlo(session)
            }
            _ => fail(session.out_of_step()),
        }
    }
}

/// 521 and 554 here mean that the host takes no mail at all (RFC 7504; RFC 5321, section 3.1), or none of ours.
fn greeted(session: &Session, reply: &Response) -> Step {
    match reply.class() {
        Class::Done => say_ehlo(session),
        _ => fail(session.deferred(reply)),
    }
}

fn say_ehlo(session: &Session) -> Step {
    say(Opening::Ehlo, format!("EHLO {}\r\n", session.settings.helo).into_bytes())
}

/// A server that does not know EHLO gets HELO (RFC 5321, section 3.2); one that knows TLS knows EHLO.
fn ehlo_answered(session: &Session, reply: &Response) -> Step {
    match reply.class() {
        Class::Done => greeted_with(session, Capabilities::parse(reply)),
        Class::Never if session.channel == Channel::Clear => {
            say(Opening::Helo, format!("HELO {}\r\n", session.settings.helo).into_bytes())
        }
        _ => fail(session.deferred(reply)),
    }
}

fn greeted_with(session: &Session, capabilities: Capabilities) -> Step {
    let offered = capabilities.has(&Extension::StartTls);
    let wanted = session.channel == Channel::Clear && session.settings.tls != TlsMode::Never;
    if offered && wanted {
        return say(Opening::StartTls(capabilities), b"STARTTLS\r\n".to_vec());
    }
    opened(session, capabilities)
}

fn starttls_answered(session: &Session, capabilities: Capabilities, reply: &Response) -> Step {
    match reply.class() {
        Class::Done => Step::Go(State::Opening(Opening::Handshake), Action::StartTls),
        Class::NotNow | Class::Never if reply.code != 421 => opened(session, capabilities),
        _ => fail(session.deferred(reply)),
    }
}

/// All is said about TLS: log in if asked to.
fn opened(session: &Session, capabilities: Capabilities) -> Step {
    if session.settings.tls == TlsMode::Required && session.channel == Channel::Clear {
        let text = "the server does not start TLS, which is required here".to_owned();
        return fail(Outcome::Deferred(session.local_failure(454, (4, 7, 10), text)));
    }
    let Some(credentials) = &session.settings.credentials else {
        return ready(capabilities);
    };
    match auth::begin(credentials, &capabilities, session.channel) {
        Ok((step, octets)) => say_secret(Opening::Auth(step, capabilities), octets),
        Err(why) => fail(Outcome::Deferred(session.local_failure(454, (4, 7, 0), why.to_string()))),
    }
}

fn auth_answered(session: &Session, step: AuthStep, capabilities: Capabilities, reply: &Response) -> Step {
    match (reply.class(), step) {
        (Class::Done, AuthStep::Verdict) => ready(capabilities),
        (Class::GoOn, _) => auth_continued(session, step, capabilities, reply),
        (Class::NotNow | Class::Never, _) => fail(login_refused(session, reply)),
        (Class::Done, _) => fail(login_confused(session, reply)),
    }
}

fn auth_continued(session: &Session, step: AuthStep, capabilities: Capabilities, reply: &Response) -> Step {
    let answer = session.settings.credentials.as_ref().and_then(|login| auth::answer(login, step));
    match answer {
        Some((next, octets)) => say_secret(Opening::Auth(next, capabilities), octets),
        None => fail(login_confused(session, reply)),
    }
}

/// The message waits until the password is mended.
fn login_refused(session: &Session, reply: &Response) -> Outcome {
    let text = format!("the server refused the login: {}", codes(reply));
    Outcome::Deferred(session.local_failure(454, (4, 7, 8), text))
}

fn login_confused(session: &Session, reply: &Response) -> Outcome {
    let text = format!("the server answered the login out of turn: {}", codes(reply));
    Outcome::Deferred(session.local_failure(451, (4, 5, 0), text))
}

/// What a server says to a login without its words: it may repeat the credentials in them, and outcomes are logged.
fn codes(reply: &Response) -> String {
    Response { lines: Vec::new(), ..reply.clone() }.to_string()
}

fn ready(capabilities: Capabilities) -> Step {
    Step::Go(State::Ready(Idle { capabilities, needs_reset: false }), Action::Ready)
}

fn say(next: Opening, octets: Vec<u8>) -> Step {
    say_secret(next, CommandLines(Zeroizing::new(octets)))
}

fn say_secret(next: Opening, octets: CommandLines) -> Step {
    let phase = next.phase();
    Step::Go(State::Opening(next), Action::Write { octets, phase })
}

fn fail(outcome: Outcome) -> Step {
    Step::Close(Action::HostFailed(outcome))
}

//! The client's side of an SMTP connection, without the connection (RFC 5321 and its extensions).
//!
//! A [`Client`] is told what happened ([`Input`]) and says what to do next ([`Action`]). It knows no socket, no clock
//! and no name server: whoever drives it reads and writes octets, makes TLS, and gives up a read after
//! [`Phase::timeout`]. One client carries several transactions, one after another.
//!
//! The order: [`Client::start`] until [`Action::Ready`]; then [`Client::send`] until [`Action::Done`] or
//! [`Action::HostFailed`]; again while [`Client::is_ready`]; at last [`Client::QUIT`].
//!
//! What it does not do: it does not choose hosts, it does not try again, and it does not write the message itself
//! (see [`crate::smtp::stuffing`]).
//!
//! Fatal to the connection, never to the message alone: octets that are not a reply, replies that were not asked for
//! (after the 220 to STARTTLS they would be somebody's injected commands, CVE-2011-0411), and 421.
//!
//! When is a message delivered? Only after a complete 2xx to the final dot. When the connection ends before the final
//! dot was written nothing was delivered; when it ends after that, nobody knows: [`Outcome::Uncertain`].

mod auth;
mod capabilities;
mod opening;
mod phase;
mod transaction;

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::dsn::{MessageRequest, RecipientRequest};
use super::response::{Class, Response, ResponseParser};
use super::{Failure, Outcome, ReversePath, Words};
use crate::mail::{Address, DomainName};

pub use capabilities::{Capabilities, Extension, Mechanism};
pub use phase::Phase;

use opening::Opening;
use transaction::Transaction;

/// What is the same for all connections to a next hop.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name that we give in EHLO.
    pub helo: DomainName,
    /// Whether STARTTLS is used.
    pub tls: TlsMode,
    /// The login, if the next hop wants one.
    pub credentials: Option<Credentials>,
}

/// Whether STARTTLS is used on a connection that began in clear (RFC 3207).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Not even when it is offered.
    Never,
    /// When it is offered.
    Opportunistic,
    /// No mail goes out without it.
    Required,
}

/// A login (RFC 4954).
#[derive(Clone)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: SecretString,
    /// Whether they may be shown to the network.
    pub in_clear: InClear,
}

/// Whether a password may be sent on a connection without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InClear {
    /// The connection then fails.
    Refused,
    /// Nobody can listen: the peer is this machine.
    Allowed,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("in_clear", &self.in_clear).finish_non_exhaustive()
    }
}

/// Whether the connection is encrypted from its first octet on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Not yet.
    Clear,
    /// TLS is up (implicit TLS, RFC 8314, or after STARTTLS).
    Encrypted,
}

/// What the next hop must know of a message before it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The envelope sender.
    pub from: ReversePath,
    /// At least one.
    pub recipients: Vec<Recipient>,
    /// Octets of the message before dot-stuffing (RFC 1870).
    pub size: u64,
    /// The message has octets above 127 (RFC 6152).
    pub eight_bit: bool,
    /// The header section needs SMTPUTF8 (RFC 6531). Addresses that need it are seen without being told.
    pub smtputf8: bool,
    /// What is asked about reports; it is said only to a server that offers DSN (RFC 3461).
    pub dsn: MessageRequest,
}

/// A recipient of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Who gets it.
    pub address: Address,
    /// What is asked about reports for it; said as [`Envelope::dsn`] is.
    pub dsn: RecipientRequest,
}

/// A recipient for whom nothing is asked.
impl From<Address> for Recipient {
    fn from(address: Address) -> Self {
        Self { address, dsn: RecipientRequest::default() }
    }
}

impl Envelope {
    fn needs_smtputf8(&self) -> bool {
        let sender_needs = matches!(&self.from, ReversePath::Address(from) if !from.is_ascii());
        self.smtputf8 || sender_needs || !self.recipients.iter().all(|to| to.address.is_ascii())
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// These octets came.
    Received(&'a [u8]),
    /// The handshake that [`Action::StartTls`] asked for is done.
    TlsStarted,
    /// All of the message with its final dot was handed to the connection, though perhaps not yet flushed: from now
    /// on the server may have it.
    MessageSent,
    /// The connection is gone or of no more use.
    Lost(Loss),
}

/// How a connection was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The peer closed it.
    #[error("the server closed the connection")]
    Closed,
    /// Nothing came within the time of the phase, or the whole delivery took too long.
    #[error("the server did not answer in time")]
    TimedOut,
    /// Reading, writing or TLS failed.
    #[error("the connection failed: {0}")]
    Failed(String),
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Write these octets (in one piece), then as [`Action::Read`].
    Write {
        /// Whole command lines.
        octets: CommandLines,
        /// What is waited for afterwards.
        phase: Phase,
    },
    /// Read, and give what comes as [`Input::Received`].
    Read {
        /// What is waited for.
        phase: Phase,
    },
    /// Shake hands, then [`Input::TlsStarted`], or [`Input::Lost`] when it fails. Nothing read before counts.
    StartTls,
    /// The session is open: a transaction may begin.
    Ready,
    /// Write the message and its final dot, then [`Input::MessageSent`].
    SendMessage,
    /// The transaction is over: one outcome for each recipient, in their order.
    Done(Vec<Outcome>),
    /// This host cannot take the message, whoever it is for; another host of the same next hop may.
    HostFailed(Outcome),
}

/// Command lines with their CRLF. They may hold a password: they do not show, and are wiped when dropped.
#[derive(PartialEq, Eq)]
pub struct CommandLines(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for CommandLines {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for CommandLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandLines({} octets)", self.0.len())
    }
}

/// A client session.
#[derive(Debug)]
pub struct Client {
    session: Session,
    parser: ResponseParser,
    state: State,
    course: Course,
}

/// How the server behaves since the connection or the transaction began, whatever it says of the message.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that hold or not, in any combination")]
struct Course {
    /// A reply has come.
    answered: bool,
    /// The connection was lost, or the server said that it does not want us now.
    trouble: bool,
    /// As that, in place of the first reply.
    stale: bool,
    /// The last reply refused all mail for good: to the greeting, EHLO or HELO.
    refuses: bool,
}

/// What every state needs.
#[derive(Debug)]
struct Session {
    settings: Arc<Settings>,
    /// The host's name for reports.
    peer: String,
    channel: Channel,
}

#[derive(Debug)]
enum State {
    /// From the greeting to the end of AUTH.
    Opening(Opening),
    /// Between transactions.
    Ready(Idle),
    /// From MAIL to the reply to the final dot.
    Transaction(Transaction),
    /// Nothing more can be done with this connection.
    Closed,
}

/// An open session between two transactions.
#[derive(Debug, Clone)]
struct Idle {
    capabilities: Capabilities,
    /// The last transaction was given up after MAIL: RSET must come before the next.
    needs_reset: bool,
}

/// What a state makes of an input.
enum Step {
    /// Stay in a state and do something.
    Go(State, Action),
    /// Leave this connection.
    Close(Action),
}

impl Client {
    /// What to write before a connection is closed in order.
    pub const QUIT: &'static [u8] = b"QUIT\r\n";

    /// A session on a fresh connection to `peer`, which is the host's name for reports.
    #[must_use]
    pub fn new(settings: Arc<Settings>, peer: String, channel: Channel) -> Self {
        let session = Session { settings, peer, channel };
        Self {
            session,
            parser: ResponseParser::default(),
            state: State::Opening(Opening::Greeting),
            course: Course::default(),
        }
    }

    /// The host's name for reports, as it was given.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.session.peer
    }

    /// The first thing to do.
    #[must_use]
    pub fn start(&self) -> Action {
        Action::Read { phase: Phase::Greeting }
    }

    /// Whether a transaction may begin.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    /// Whether the server, and not the message, was the matter with the last transaction or the opening: the connection
    /// was lost, the server said 421, or it said 4.7.x before it knew the recipient. Greylisting, which is 4.7.x to a
    /// recipient, is none of this.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        self.course.trouble
    }

    /// Whether the server takes no mail of ours: its greeting, or its answer to our name, was a refusal for good. It is in
    /// order otherwise.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.course.refuses
    }

    /// Whether the connection had ended before this transaction began, which shows only now: it was lost, or the server
    /// said 421, in place of the reply to the first command. Servers close connections that were idle too long or have
    /// carried enough.
    ///
    /// Then it is safe to send the message again. The message itself goes out only after 354, which is the reply to the
    /// third command at the earliest, so not an octet of it has left us. What may have arrived is MAIL, RCPT and DATA of
    /// one pipelined write: an envelope, which is void with its connection. (After the final dot nothing is ever sent
    /// again: see [`Outcome::Uncertain`].)
    #[must_use]
    pub fn was_stale(&self) -> bool {
        self.course.stale
    }

    /// Begins a transaction. When the host lacks what the message needs this fails at once, with nothing sent, and
    /// the session stays ready.
    pub fn send(&mut self, envelope: impl Into<Arc<Envelope>>) -> Action {
        self.course = Course::default();
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Ready(idle) => {
                let step = transaction::begin(&self.session, idle, envelope.into());
                self.take(step)
            }
            _ => Action::HostFailed(self.session.out_of_step()),
        }
    }

    /// Says what to do after `input`.
    pub fn handle(&mut self, input: Input<'_>) -> Action {
        match input {
            Input::Received(octets) => self.receive(octets),
            Input::TlsStarted => self.step(|session, state| match state {
                State::Opening(opening) => opening.tls_started(session),
                _ => Step::Close(Action::HostFailed(session.out_of_step())),
            }),
            Input::MessageSent => self.step(|session, state| match state {
                State::Transaction(transaction) => transaction.message_sent(session),
                _ => Step::Close(Action::HostFailed(session.out_of_step())),
            }),
            Input::Lost(loss) => self.lose(&loss.to_string()),
        }
    }

    /// Takes the replies in `octets` one by one. Only a transaction in mid-pipeline may get more than one.
    fn receive(&mut self, mut octets: &[u8]) -> Action {
        loop {
            let reply = match self.parser.read(&mut octets) {
                Ok(Some(reply)) => reply,
                Ok(None) => return Action::Read { phase: self.phase() },
                Err(error) => return self.lose_protocol(&error.to_string()),
            };
            self.note(&reply);
            let action = self.step(|session, state| state.reply(session, &reply));
            match action {
                _ if octets.is_empty() => return action,
                Action::Read { .. } => {}
                Action::Done(_) | Action::HostFailed(_) => {
                    self.state = State::Closed;
                    return action;
                }
                _ => return self.lose_protocol("the server sent more than it was asked for"),
            }
        }
    }

    fn note(&mut self, reply: &Response) {
        let not_us = match self.phase() {
            Phase::Recipient | Phase::Data | Phase::FinalDot => false,
            _ => reply.class() == Class::NotNow && matches!(reply.enhanced, Some((4, 7, _))),
        };
        let to_us = matches!(self.phase(), Phase::Greeting | Phase::Ehlo);
        self.course.refuses = to_us && reply.class() == Class::Never;
        self.course.trouble |= reply.code == 421 || not_us;
        self.course.stale |= reply.code == 421 && !self.course.answered;
        self.course.answered = true;
    }

    fn step(&mut self, advance: impl FnOnce(&mut Session, State) -> Step) -> Action {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let step = advance(&mut self.session, state);
        self.take(step)
    }

    fn take(&mut self, step: Step) -> Action {
        match step {
            Step::Go(state, action) => {
                self.state = state;
                action
            }
            Step::Close(action) => {
                self.state = State::Closed;
                action
            }
        }
    }

    fn lose(&mut self, why: &str) -> Action {
        let phase = self.phase();
        self.give_up((4, 4, 2), format!("{why} ({phase})"))
    }

    fn lose_protocol(&mut self, why: &str) -> Action {
        let phase = self.phase();
        self.give_up((4, 5, 0), format!("{why} ({phase})"))
    }

    fn give_up(&mut self, enhanced: (u8, u16, u16), text: String) -> Action {
        let failure = self.session.local_failure(451, enhanced, text);
        self.course.trouble = true;
        self.course.stale |= !self.course.answered;
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Transaction(transaction) => Action::Done(transaction.give_up(failure)),
            State::Opening(_) | State::Ready(_) | State::Closed => {
                Action::HostFailed(Outcome::Deferred(failure))
            }
        }
    }

    fn phase(&self) -> Phase {
        match &self.state {
            State::Opening(opening) => opening.phase(),
            State::Transaction(transaction) => transaction.phase(),
            State::Ready(_) | State::Closed => Phase::Idle,
        }
    }
}

impl State {
    fn reply(self, session: &mut Session, reply: &Response) -> Step {
        match self {
            Self::Opening(opening) => opening.reply(session, reply),
            Self::Transaction(transaction) => transaction.reply(session, reply),
            // A server that speaks unasked closes the session, as a rule with 421 (RFC 5321, section 3.8).
            Self::Ready(_) | Self::Closed => Step::Close(Action::HostFailed(session.deferred(reply))),
        }
    }
}

impl Session {
    /// A failure that the server did not word.
    fn local_failure(&self, code: u16, enhanced: (u8, u16, u16), text: String) -> Failure {
        Failure { code, enhanced, text, words: Words::Ours, host: Some(self.peer.clone()) }
    }

    /// A failure of which the server worded a part.
    fn quoted_failure(&self, code: u16, enhanced: (u8, u16, u16), text: String) -> Failure {
        Failure { words: Words::Theirs, ..self.local_failure(code, enhanced, text) }
    }

    /// A failure in the server's words.
    fn failure(&self, reply: &Response) -> Failure {
        let class = if reply.code >= 500 { 5 } else { 4 };
        let enhanced = reply.enhanced.filter(|enhanced| enhanced.0 == class).unwrap_or((class, 0, 0));
        self.quoted_failure(reply.code, enhanced, reply.text())
    }

    /// 5xx is for good, 4xx is for now.
    fn refused(&self, reply: &Response) -> Outcome {
        match reply.code {
            500.. => Outcome::Rejected(self.failure(reply)),
            400..500 => Outcome::Deferred(self.failure(reply)),
            _ => self.unexpected(reply),
        }
    }

    /// Not now, whatever the server says: the reply is about the host or about us, and not about the message. A 5xx
    /// becomes 451; what the server said stays.
    fn deferred(&self, reply: &Response) -> Outcome {
        match reply.code {
            500.. => {
                let (subject, detail) =
                    reply.enhanced.map_or((0, 0), |(_, subject, detail)| (subject, detail));
                Outcome::Deferred(self.quoted_failure(451, (4, subject, detail), reply.to_string()))
            }
            400..500 => Outcome::Deferred(self.failure(reply)),
            _ => self.unexpected(reply),
        }
    }

    /// A reply that has no meaning at this point.
    fn unexpected(&self, reply: &Response) -> Outcome {
        let text = format!("the server answered out of turn: {reply}");
        Outcome::Deferred(self.quoted_failure(451, (4, 5, 0), text))
    }

    /// The driver broke the order that this module's header tells. It costs the connection, not the message.
    fn out_of_step(&self) -> Outcome {
        let text = "the client session was driven out of order".to_owned();
        Outcome::Deferred(self.local_failure(451, (4, 3, 5), text))
    }
}

#[cfg(test)]
mod tests;

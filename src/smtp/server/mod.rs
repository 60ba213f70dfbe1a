//! The server's side of a session, without I/O.
//!
//! Whoever drives it appends what was received to a buffer and calls [`ServerSession::handle`] with what happened; the
//! session consumes the buffer, collects replies, and answers with the one [`Action`] that it waits for. The states own
//! what is valid in them; waiting for a decision from outside is a state like any other.
//!
//! It knows nothing of aliases: who is a recipient (`R` is what the driver made of one) and what becomes of a message are
//! asked for. It has no clock: time-outs are told. It promises that
//!
//! - no command is taken that the table in `order` does not allow;
//! - what is held in memory is bounded: one command line, the envelope, one message of at most `max_message_size`;
//! - a message is handed over once, whole, and only after its real end; the reply to it is the one that was given for it.
//!
//! An [`Input`] that the session does not wait for is a mistake of its driver: the client is told 421 and the session ends.

mod order;
mod parts;
mod session;

pub use session::ServerSession;

use bytes::Bytes;

use crate::mail::DomainName;

use super::dsn::{MessageRequest, RecipientRequest};
use super::reply::Reply;
use super::{BareNewline, ForwardPath, ReversePath};

/// What a session goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name in the banner and the EHLO reply.
    pub hostname: DomainName,
    /// Largest message in octets.
    pub max_message_size: u64,
    /// Most recipients of a transaction.
    pub max_recipients: usize,
    /// What becomes of bare CR and LF.
    pub bare_newline: BareNewline,
    /// So many errors without a message taken in between end the session.
    pub max_errors: u32,
}

/// What happened.
#[derive(Debug)]
pub enum Input<R> {
    /// The connection is there; always the first.
    Connected,
    /// The buffer has more.
    Received,
    /// The answer to [`Action::CheckRecipient`].
    Recipient(Result<R, Reply>),
    /// The answer to [`Action::StartMessage`].
    StartMessage(Result<(), Reply>),
    /// The answer to [`Action::Deliver`].
    Verdict(Reply),
    /// There is no memory for the rest of the message: it is read to its end, and then this is the reply.
    OutOfMemory(Reply),
    /// The client was silent for too long, or its message took too long.
    TimedOut,
    /// The server stops: an open message is still taken if it ends before [`Input::TimedOut`], then the session ends.
    ShuttingDown,
}

/// What the session waits for.
#[derive(Debug)]
pub enum Action<R> {
    /// Send the output, read more: [`Input::Received`], [`Input::TimedOut`], [`Input::ShuttingDown`]; within a message also
    /// [`Input::OutOfMemory`].
    Read,
    /// Decide about a recipient.
    CheckRecipient {
        /// The envelope sender.
        from: ReversePath,
        /// The recipient.
        to: ForwardPath,
    },
    /// Say whether a message may come.
    StartMessage {
        /// Its size in octets as the client declared it (RFC 1870).
        declared: Option<u64>,
    },
    /// Do what must be done with a message; send the output before, it may take long.
    Deliver(Transaction<R>),
    /// Send the output and close the connection.
    Close,
}

/// A whole message with its envelope.
#[derive(Debug)]
pub struct Transaction<R> {
    /// The argument of EHLO or HELO: printable, at most 255 octets, otherwise whatever the client liked.
    pub helo: String,
    /// The envelope sender.
    pub from: ReversePath,
    /// The recipients that were accepted, in their order, at least one; the same one twice if the client said so.
    pub recipients: Vec<Accepted<R>>,
    /// The message with CRLF line ends, without dot-stuffing.
    pub body: Bytes,
    /// `SMTPUTF8` was declared (RFC 6531).
    pub smtputf8: bool,
    /// The client said EHLO, not HELO.
    pub esmtp: bool,
    /// What the sender asks about reports (RFC 3461).
    pub dsn: MessageRequest,
}

/// A recipient that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<R> {
    /// As the client wrote it.
    pub to: ForwardPath,
    /// What the driver made of it.
    pub known: R,
    /// What the sender asks about reports for it (RFC 3461).
    pub dsn: RecipientRequest,
}

#[cfg(test)]
mod tests;

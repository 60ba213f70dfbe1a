//! SMTP as bytes and rules: commands, replies, the server's and the client's session. Pure: no I/O, no clock, no
//! randomness. (RFC 5321 and its extensions.)

pub mod client;
pub mod command;
pub mod data;
pub mod dsn;
pub mod extension;
pub mod line;
pub mod reply;
pub mod response;
pub mod server;
pub mod stuffing;

pub use reply::{Enhanced, Reply};
pub use server::{ServerSession, Transaction};

use std::fmt;

use crate::mail::Address;

/// The envelope sender (RFC 5321, section 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReversePath {
    /// `<>`: a bounce or another message that must not be answered.
    Null,
    /// An address.
    Address(Address),
}

/// An envelope recipient (RFC 5321, section 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain: whoever runs this host (RFC 5321, section 4.5.1).
    Postmaster,
    /// An address.
    Address(Address),
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("postmaster"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// What becomes of an LF without a CR before it, or a CR without an LF after it. Whatever is chosen, only CRLF `.` CRLF
/// ends a message: a relay that took less could be made to see two messages where another host saw one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BareNewline {
    /// In a message: it is refused. In a command: the session ends.
    #[default]
    Reject,
    /// In a message: it becomes CRLF. In a command: an LF ends the line as well.
    Normalize,
}

/// The next hop has taken the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Which host said so.
    pub host: String,
    /// Its reply to the final dot.
    pub reply: String,
}

/// Why a delivery did not succeed. Its text may name the mailbox: it is for the log and the owner, never for a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Basic reply code, or the one that we would have given (RFC 5321, section 4.2.1).
    pub code: u16,
    /// Enhanced status code (RFC 3463): class, subject, detail.
    pub enhanced: (u8, u16, u16),
    /// Text of the remote reply, or what went wrong on our side.
    pub text: String,
    /// Whose words the text is in.
    pub words: Words,
    /// The host that answered or could not be reached; absent when none was.
    pub host: Option<String>,
}

/// Whose words a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Ours: they name no address, and may stand in any log.
    Ours,
    /// The other server's, wholly or in part: they may name the mailbox.
    Theirs,
}

/// What became of a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The next hop has taken it.
    Delivered(Delivered),
    /// The next hop said no for good (5xx), or it can never be sent as it is.
    Rejected(Failure),
    /// Not now.
    Deferred(Failure),
    /// The final dot was sent and no answer came: it may have been taken.
    Uncertain(Failure),
}

impl Outcome {
    /// Whether the next hop has the message.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered(_))
    }
}

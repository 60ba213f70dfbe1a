//! SMTP as bytes and rules: commands, replies, the server's and the client's session. Pure: no I/O, no clock, no
//! randomness. (RFC 5321 and its extensions.)

use crate::mail::Address;

/// The envelope sender (RFC 5321, section 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReversePath {
    /// `<>`: a bounce or another message that must not be answered.
    Null,
    /// An address.
    Address(Address),
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
    /// The host that answered or could not be reached; absent when none was.
    pub host: Option<String>,
}

//! What a client waits for, and how long (RFC 5321, section 4.5.3.2).

use std::fmt;
use std::time::Duration;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The greeting.
    Greeting,
    /// The reply to EHLO or HELO.
    Ehlo,
    /// The reply to STARTTLS.
    StartTls,
    /// The end of the TLS handshake.
    Handshake,
    /// A reply to AUTH.
    Auth,
    /// The reply to RSET.
    Reset,
    /// The reply to MAIL.
    Mail,
    /// The reply to RCPT.
    Recipient,
    /// The reply to DATA.
    Data,
    /// A block of the message to be taken.
    DataBlock,
    /// The reply to the final dot.
    FinalDot,
    /// Nothing: the session is idle.
    Idle,
}

impl Phase {
    /// How long to wait at most. Section 4.5.3.2 gives these as minima, for the phases that it names.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        let seconds = match self {
            Self::Greeting | Self::Ehlo | Self::Mail | Self::Recipient => 5 * 60,
            Self::StartTls | Self::Auth | Self::Reset | Self::Data => 2 * 60,
            Self::DataBlock => 3 * 60,
            Self::FinalDot => 10 * 60,
            Self::Handshake => 60,
            Self::Idle => 0,
        };
        Duration::from_secs(seconds)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "before its greeting",
            Self::Ehlo => "after EHLO",
            Self::StartTls => "after STARTTLS",
            Self::Handshake => "during the TLS handshake",
            Self::Auth => "after AUTH",
            Self::Reset => "after RSET",
            Self::Mail => "after MAIL",
            Self::Recipient => "after RCPT",
            Self::Data => "after DATA",
            Self::DataBlock => "while the message was sent",
            Self::FinalDot => "after the final dot",
            Self::Idle => "between two messages",
        })
    }
}

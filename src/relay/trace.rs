//! The circumstances under which a message came in, as trace headers tell them (RFC 5321, section 4.4).

use std::net::IpAddr;

use crate::mail::received::Protocol;
use crate::mail::{DomainName, Timestamp};

use super::transaction::TransactionId;

/// Where, when and how a message came in.
#[derive(Debug, Clone)]
pub struct Trace<'a> {
    /// Our name.
    pub hostname: &'a DomainName,
    /// The transaction.
    pub id: TransactionId,
    /// When the message was complete.
    pub now: Timestamp,
    /// What the client called itself.
    pub helo: &'a str,
    /// Where it came from.
    pub client: IpAddr,
    /// It greeted with `EHLO`.
    pub esmtp: bool,
    /// The envelope asked for SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
}

impl Trace<'_> {
    /// As `Received` names it (RFC 3848, RFC 6531).
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match (self.esmtp, self.smtputf8) {
            (_, true) => Protocol::Utf8Smtp,
            (true, false) => Protocol::Esmtp,
            (false, false) => Protocol::Smtp,
        }
    }
}

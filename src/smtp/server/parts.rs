//! What the states of a session own: the greeting, the envelope, the message that is being received.

use bytes::Bytes;

use crate::smtp::BareNewline;
use crate::smtp::command::{Charset, Mail};
use crate::smtp::data::{DataDecoder, Decoded, Fault};
use crate::smtp::reply::{self, Reply};

use super::{Accepted, Transaction};

/// Least and most octets that are set aside for a message before its first octet is here.
const FIRST_CAPACITY: std::ops::RangeInclusive<u64> = 4096..=65_536;
/// What the client said about itself.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) name: String,
    pub(super) protocol: Protocol,
}

/// EHLO or HELO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Smtp,
    Esmtp,
}

/// An open transaction.
#[derive(Debug)]
pub(super) struct Envelope<R> {
    pub(super) mail: Mail,
    pub(super) recipients: Vec<Accepted<R>>,
}

impl<R> Envelope<R> {
    /// The transaction, whole.
    pub(super) fn with(self, greeting: &Greeting, body: Bytes) -> Transaction<R> {
        Transaction {
            helo: greeting.name.clone(),
            from: self.mail.from,
            recipients: self.recipients,
            body,
            smtputf8: self.mail.charset == Charset::Utf8,
            esmtp: greeting.protocol == Protocol::Esmtp,
            dsn: self.mail.dsn,
        }
    }
}

/// A message while it is received.
#[derive(Debug)]
pub(super) struct Message {
    decoder: DataDecoder,
    body: Vec<u8>,
    /// What is said at its end, when there was no memory for it.
    refusal: Option<Reply>,
}

impl Message {
    /// A message of at most `limit` octets. What was declared only says how much is set aside at first.
    pub(super) fn new(bare_newline: BareNewline, limit: u64, declared: Option<u64>) -> Self {
        let (least, most) = FIRST_CAPACITY.into_inner();
        let capacity = declared.unwrap_or(least).clamp(least, most);
        Self {
            decoder: DataDecoder::new(bare_newline, limit),
            body: Vec::with_capacity(usize::try_from(capacity).unwrap_or_default()),
            refusal: None,
        }
    }

    /// Octets that are kept.
    pub(super) fn held(&self) -> usize {
        self.body.len()
    }

    /// Whether nothing of it is kept, because it will be refused.
    pub(super) fn is_given_up(&self) -> bool {
        self.refusal.is_some() || self.decoder.fault().is_some()
    }

    /// The same message, of which nothing is kept any more.
    pub(super) fn given_up(self, refusal: Reply) -> Self {
        Self { body: Vec::new(), refusal: Some(refusal), ..self }
    }

    /// Takes what is in the buffer; what is refused is not kept.
    pub(super) fn take(&mut self, buffer: &[u8]) -> Decoded {
        let decoded = self.decoder.decode(buffer, &mut self.body);
        if self.is_given_up() {
            self.body = Vec::new();
        }
        decoded
    }

    /// The message, or why it is refused.
    pub(super) fn finish(self) -> Result<Bytes, Reply> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        match self.decoder.fault() {
            None => Ok(Bytes::from(self.body)),
            Some(Fault::TooBig) => Err(reply::TOO_BIG.clone()),
            Some(Fault::BareLf) => Err(reply::BARE_LF.clone()),
            Some(Fault::BareCr) => Err(reply::BARE_CR.clone()),
        }
    }

    #[cfg(test)]
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

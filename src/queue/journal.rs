//! What the log says of a transaction and of each delivery: one line each, addresses as [`Redactor`] shows them. Both are
//! counted here as well.

use std::time::Duration;

use tokio::time::Instant;

use crate::mail::Address;
use crate::relay::openpgp::Unusable;
use crate::relay::ports::{Content, Delivery, Outcome};
use crate::relay::recipient::Recipient;
use crate::relay::redact::Redactor;
use crate::relay::transaction::TransactionId;
use crate::smtp::{Failure, Reply, Transaction, Words};

use super::letter::Letter;
use super::meters::Meters;
use super::spool::Settled;

/// How long the stages of a transaction took.
#[derive(Debug)]
pub(super) struct Stages {
    last: Instant,
    decide: Duration,
    deliver: Duration,
    queued: usize,
}

impl Stages {
    pub(super) fn start() -> Self {
        Self { last: Instant::now(), decide: Duration::ZERO, deliver: Duration::ZERO, queued: 0 }
    }

    /// Everything is decided.
    pub(super) fn decided(&mut self) {
        self.decide = self.lap();
    }

    /// So many deliveries were committed to the queue.
    pub(super) fn queued(&mut self, deliveries: usize) {
        self.queued = deliveries;
    }

    /// Every delivery has its outcome, or is the queue's.
    pub(super) fn delivered(&mut self) {
        self.deliver = self.lap();
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.last, now)
    }
}

/// Writes the lines, and counts.
#[derive(Debug)]
pub(super) struct Journal {
    redactor: Redactor,
    meters: Meters,
}

impl Journal {
    pub(super) fn new(redactor: Redactor) -> Self {
        Self { redactor, meters: Meters::register() }
    }

    /// One line for a transaction.
    pub(super) fn transaction(
        &self,
        id: TransactionId,
        transaction: &Transaction<Recipient>,
        reply: &Reply,
        stages: &Stages,
    ) {
        self.meters.transaction(reply, stages.decide, stages.deliver);
        tracing::info!(
            %id,
            from = self.redactor.reverse_path(&transaction.from),
            recipients = self.recipients(transaction),
            bytes = transaction.body.len(),
            decide_ms = millis(stages.decide),
            deliver_ms = millis(stages.deliver),
            queued = stages.queued,
            reply = reply.code(),
            enhanced = reply.enhanced().map(tracing::field::display),
            "transaction"
        );
    }

    fn recipients(&self, transaction: &Transaction<Recipient>) -> String {
        let shown: Vec<_> = transaction.recipients.iter().map(|to| self.recipient(&to.known)).collect();
        shown.join(",")
    }

    fn recipient(&self, recipient: &Recipient) -> String {
        match recipient {
            Recipient::Alias(_, address) => format!("alias {}", self.redactor.address(address)),
            Recipient::New(_, address) => format!("new alias {}", self.redactor.address(address)),
            Recipient::Discard(alias) => format!("discarded for {}", self.redactor.address(&alias.address)),
            Recipient::Reverse(alias, contact) => format!(
                "reply of {} to {}",
                self.redactor.address(&alias.address),
                self.redactor.address(&contact.address)
            ),
            Recipient::Bounce(_, alias) => format!("bounce for {}", self.redactor.address(&alias.address)),
            Recipient::Postmaster(..) => "postmaster".to_owned(),
        }
    }

    /// One line for a delivery.
    pub(super) fn delivery(&self, id: &str, to: &Address, outcome: &Outcome, took: Duration) {
        self.meters.attempt(outcome);
        let (to, took_ms) = (self.redactor.address(to), millis(took));
        match outcome {
            Outcome::Delivered(by) => {
                let (host, reply) = (self.redactor.host(&by.host), self.redactor.text(&by.reply));
                tracing::info!(id, to, outcome = "delivered", host, reply, took_ms, "delivery");
            }
            Outcome::Rejected(failure) => self.failed(id, &to, "rejected", failure, took_ms),
            Outcome::Deferred(failure) => self.failed(id, &to, "deferred", failure, took_ms),
            Outcome::Uncertain(failure) => self.failed(id, &to, "uncertain", failure, took_ms),
        }
    }

    fn failed(&self, id: &str, to: &str, outcome: &str, failure: &Failure, took_ms: u64) {
        let (class, subject, detail) = failure.enhanced;
        tracing::warn!(
            id,
            to,
            outcome,
            host = failure.host.as_deref().map(|host| self.redactor.host(host)),
            code = failure.code,
            enhanced = format!("{class}.{subject}.{detail}"),
            reason = self.reason(failure),
            took_ms,
            "delivery"
        );
    }

    /// What went wrong. Our own words always show: they are what an operator needs at three in the morning.
    fn reason<'a>(&self, failure: &'a Failure) -> &'a str {
        match failure.words {
            Words::Ours => &failure.text,
            Words::Theirs => self.redactor.text(&failure.text),
        }
    }

    /// A repetition of a transaction that was accepted.
    pub(super) fn repeated(&self, id: TransactionId, first: TransactionId) {
        tracing::info!(%id, %first, "the same transaction was accepted before; it is not delivered again");
    }

    /// The next hop refuses us. Whoever runs this server should look.
    pub(super) fn blamed(&self, id: &str, to: &Address) {
        tracing::error!(
            id,
            to = self.redactor.address(to),
            "the next hop refuses this server, not the message: look at its address, its name in the DNS and its \
             reputation; the delivery is put off once"
        );
    }

    /// A queued delivery that is not tried any more.
    pub(super) fn given_up(&self, letter: &Letter, has_report: bool, settled: Settled) {
        let sender = match (settled, has_report) {
            (Settled::Unreported, _) => "not told: another mailbox has the message, or is still tried",
            (_, true) => "told",
            (_, false) => "not told: it has asked for that, or nobody knows whose the return path is",
        };
        let to = self.redactor.address(&letter.to);
        tracing::warn!(id = letter.id, to, sender, "a delivery is given up");
    }

    /// Something was encrypted, or could not be.
    pub(super) fn encryption(&self, encrypted: &Result<Content, Unusable>) {
        self.meters.encryption(encrypted.is_ok());
    }

    /// What must not leave in clear does not leave.
    pub(super) fn not_encrypted(&self, id: &str, to: &Address, why: &Unusable) {
        // A fingerprint leads to its owner on any key server.
        let (to, why) = (self.redactor.address(to), self.redactor.text(&why.0));
        tracing::error!(id, to, why, "a message cannot be encrypted and is not sent; look at \"key list\"");
    }

    /// A delivery that an earlier attempt of the same transaction has made.
    pub(super) fn already_delivered(&self, delivery: &Delivery) {
        let to = self.redactor.address(&delivery.to);
        tracing::info!(id = delivery.id, to, outcome = "delivered by an earlier attempt", "delivery");
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

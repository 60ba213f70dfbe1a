//! What is counted of recipients, transactions and deliveries: names, labels and handles.
//!
//! A handle belongs to the recorder under which it was made: each `register` is called once, while the daemon is put
//! together.

use std::time::Duration;

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::relay::ports::Outcome;
use crate::relay::recipient::Recipient;
use crate::smtp::Reply;

/// Histogram: how long a stage of a message took, by `stage`.
pub const STAGES: &str = "aliasd_message_stage_seconds";
/// Counter: messages that were answered after their final dot, by `verdict`.
pub const TRANSACTIONS: &str = "aliasd_message_transactions_total";
/// Counter: answers to `RCPT TO`, by `answer`.
pub const RECIPIENTS: &str = "aliasd_message_recipients_total";
/// Counter: attempts to deliver, by `outcome`.
pub const ATTEMPTS: &str = "aliasd_delivery_attempts_total";

/// Counter: messages to be encrypted, by `outcome`.
pub const ENCRYPTIONS: &str = "aliasd_openpgp_encryptions_total";

/// A part of a message's way that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From the go-ahead for the message to its final dot.
    Receive,
    /// What it becomes: look-ups and composing.
    Decide,
    /// All deliveries that the sender waits for, together.
    Deliver,
}

impl Stage {
    fn label(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Decide => "decide",
            Self::Deliver => "deliver",
        }
    }

    /// The times of this stage, under the recorder of this moment.
    pub fn register(self) -> Histogram {
        describe_histogram!(STAGES, Unit::Seconds, "How long each stage of a message took.");
        histogram!(STAGES, "stage" => self.label())
    }
}

/// Answers to `RCPT TO`.
#[derive(Debug, Clone)]
pub struct RecipientMeters {
    alias: Counter,
    new: Counter,
    reverse: Counter,
    bounce: Counter,
    postmaster: Counter,
    discarded: Counter,
    refused: Counter,
    deferred: Counter,
}

impl RecipientMeters {
    /// Under the recorder of this moment.
    #[must_use]
    pub fn register() -> Self {
        describe_counter!(
            RECIPIENTS,
            Unit::Count,
            "Answers to RCPT TO, by what the address stands for or why it is not taken."
        );
        let answer = |answer: &'static str| counter!(RECIPIENTS, "answer" => answer);
        Self {
            alias: answer("alias"),
            new: answer("new"),
            reverse: answer("reverse"),
            bounce: answer("bounce"),
            postmaster: answer("postmaster"),
            discarded: answer("discarded"),
            refused: answer("refused"),
            deferred: answer("deferred"),
        }
    }

    /// Counts one answer.
    pub fn count(&self, answer: &Result<Recipient, Reply>) {
        self.of(answer).increment(1);
    }

    fn of(&self, answer: &Result<Recipient, Reply>) -> &Counter {
        match answer {
            Ok(Recipient::Alias(..)) => &self.alias,
            Ok(Recipient::New(..)) => &self.new,
            Ok(Recipient::Reverse(..)) => &self.reverse,
            Ok(Recipient::Bounce(..)) => &self.bounce,
            Ok(Recipient::Postmaster(..)) => &self.postmaster,
            Ok(Recipient::Discard(_)) => &self.discarded,
            Err(reply) if reply.is_permanent() => &self.refused,
            Err(_) => &self.deferred,
        }
    }
}

/// Transactions, their stages and their deliveries.
#[derive(Debug)]
pub(super) struct Meters {
    accepted: Counter,
    rejected: Counter,
    deferred: Counter,
    decide: Histogram,
    deliver: Histogram,
    attempts: AttemptMeters,
    encrypted: Counter,
    not_encrypted: Counter,
}

impl Meters {
    pub(super) fn register() -> Self {
        describe_counter!(
            TRANSACTIONS,
            Unit::Count,
            "Messages answered after their final dot: accepted (2xx), rejected (5xx) or deferred (4xx)."
        );
        let verdict = |verdict: &'static str| counter!(TRANSACTIONS, "verdict" => verdict);
        describe_counter!(
            ENCRYPTIONS,
            Unit::Count,
            "Messages that were to be encrypted before a delivery: done, or failed (and not sent in clear)."
        );
        Self {
            accepted: verdict("accepted"),
            rejected: verdict("rejected"),
            deferred: verdict("deferred"),
            decide: Stage::Decide.register(),
            deliver: Stage::Deliver.register(),
            attempts: AttemptMeters::register(),
            encrypted: counter!(ENCRYPTIONS, "outcome" => "done"),
            not_encrypted: counter!(ENCRYPTIONS, "outcome" => "failed"),
        }
    }

    /// Counts a transaction by its reply; a stage that it did not come to has no time.
    pub(super) fn transaction(&self, reply: &Reply, decide: Duration, deliver: Duration) {
        let verdict = match reply {
            reply if reply.is_positive() => &self.accepted,
            reply if reply.is_permanent() => &self.rejected,
            _ => &self.deferred,
        };
        verdict.increment(1);
        for (stage, took) in [(&self.decide, decide), (&self.deliver, deliver)] {
            if !took.is_zero() {
                stage.record(took);
            }
        }
    }

    pub(super) fn encryption(&self, is_done: bool) {
        let counter = if is_done { &self.encrypted } else { &self.not_encrypted };
        counter.increment(1);
    }

    pub(super) fn attempt(&self, outcome: &Outcome) {
        self.attempts.of(outcome).increment(1);
    }
}

#[derive(Debug)]
struct AttemptMeters {
    delivered: Counter,
    rejected: Counter,
    deferred: Counter,
    uncertain: Counter,
}

impl AttemptMeters {
    fn register() -> Self {
        describe_counter!(
            ATTEMPTS,
            Unit::Count,
            "Attempts to deliver a message to a recipient, by outcome; uncertain: no reply to the final dot."
        );
        let outcome = |outcome: &'static str| counter!(ATTEMPTS, "outcome" => outcome);
        Self {
            delivered: outcome("delivered"),
            rejected: outcome("rejected"),
            deferred: outcome("deferred"),
            uncertain: outcome("uncertain"),
        }
    }

    fn of(&self, outcome: &Outcome) -> &Counter {
        match outcome {
            Outcome::Delivered(_) => &self.delivered,
            Outcome::Rejected(_) => &self.rejected,
            Outcome::Deferred(_) => &self.deferred,
            Outcome::Uncertain(_) => &self.uncertain,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::relay::testing::alias;
    use crate::smtp::{Delivered, Enhanced, Failure, Words};

    /// The lines of a metric after `work` with what `register` made.
    fn lines<T>(name: &str, register: impl FnOnce() -> T, work: impl FnOnce(&T)) -> Vec<String> {
        let recorder = PrometheusBuilder::new().build_recorder();
        work(&metrics::with_local_recorder(&recorder, register));
        let shown = recorder.handle().render();
        let mut lines: Vec<String> =
            shown.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn reply(code: u16) -> Reply {
        Reply::new(code, Enhanced(2, 0, 0), "text")
    }

    #[test]
    fn every_answer_to_a_recipient_has_its_kind() {
        let alias = Arc::new(alias());
        let address = alias.address.clone();
        let shown = lines(RECIPIENTS, RecipientMeters::register, |meters| {
            meters.count(&Ok(Recipient::Alias(Arc::clone(&alias), address.clone())));
            meters.count(&Ok(Recipient::Discard(Arc::clone(&alias))));
            meters.count(&Ok(Recipient::Bounce(address.clone(), Arc::clone(&alias))));
            meters.count(&Ok(Recipient::Postmaster(address.clone(), address)));
            [550, 550, 451, 421].iter().for_each(|code| meters.count(&Err(reply(*code))));
        });
        let expected = [
            ("alias", 1),
            ("bounce", 1),
            ("deferred", 2),
            ("discarded", 1),
            ("new", 0),
            ("postmaster", 1),
            ("refused", 2),
            ("reverse", 0),
        ];
        assert_eq!(
            shown,
            expected.map(|(answer, number)| format!("{RECIPIENTS}{{answer=\"{answer}\"}} {number}"))
        );
    }

    #[test]
    fn a_transaction_counts_by_its_reply_and_a_stage_only_if_it_took_place() {
        let second = Duration::from_secs(1);
        let work = |meters: &Meters| {
            meters.transaction(&reply(250), second, second);
            meters.transaction(&reply(451), second, second);
            meters.transaction(&reply(550), second, Duration::ZERO);
            meters.transaction(&reply(554), second, Duration::ZERO);
        };
        let expected = [("accepted", 1), ("deferred", 1), ("rejected", 2)];
        assert_eq!(
            lines(TRANSACTIONS, Meters::register, work),
            expected.map(|(verdict, number)| format!("{TRANSACTIONS}{{verdict=\"{verdict}\"}} {number}"))
        );
        let times = lines(&format!("{STAGES}_count"), Meters::register, work);
        assert_eq!(
            times,
            [("decide", 4), ("deliver", 2)]
                .map(|(stage, number)| { format!("{STAGES}_count{{stage=\"{stage}\"}} {number}") })
        );
    }

    #[test]
    fn an_attempt_counts_by_its_outcome() {
        let failure = Failure {
            code: 450,
            enhanced: (4, 2, 1),
            text: "later".to_owned(),
            words: Words::Theirs,
            host: Some("mx.example.net".to_owned()),
        };
        let delivered = Delivered { host: "mx.example.net".to_owned(), reply: "250 taken".to_owned() };
        let shown = lines(ATTEMPTS, Meters::register, |meters| {
            meters.attempt(&Outcome::Delivered(delivered));
            meters.attempt(&Outcome::Deferred(failure.clone()));
            meters.attempt(&Outcome::Deferred(failure.clone()));
            meters.attempt(&Outcome::Uncertain(failure));
        });
        let expected = [("deferred", 2), ("delivered", 1), ("rejected", 0), ("uncertain", 1)];
        assert_eq!(
            shown,
            expected.map(|(outcome, number)| format!("{ATTEMPTS}{{outcome=\"{outcome}\"}} {number}"))
        );
    }
}

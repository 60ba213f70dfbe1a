//! From what happened to a recipient to a report for its sender, ready to be committed.

use bytes::Bytes;

use crate::mail::Timestamp;
use crate::relay::openpgp::{Privacy, Reader};
use crate::relay::ports::Surroundings as _;
use crate::relay::report::{self, Event, Letter as Composer, Notice, ReturnPath};
use crate::relay::transaction::TransactionId;
use crate::smtp::ReversePath;
use crate::smtp::dsn::{MessageRequest, Ret};

use super::letter::{About, Letter};
use super::seal::Purpose;
use super::spool::{NewDelivery, NewQueued, State};
use super::station::{Ports, Station};

/// The message that a report is about.
pub(super) struct Reported<'a> {
    pub(super) arrival: Timestamp,
    /// As it is delivered.
    pub(super) body: &'a Bytes,
    /// That is how its author wrote it, and it fits to the author's head.
    pub(super) as_written: bool,
}

impl<P: Ports> Station<P> {
    /// What is told to the sender of a recipient's fate, if anything.
    pub(super) fn notice(&self, about: &About, event: &Event, now: Timestamp) -> Option<Notice> {
        let teller = about.teller.as_ref()?;
        let case = report::Case {
            direction: about.direction,
            return_path: ReturnPath::Proven(&teller.to),
            asked: &teller.recipient,
            named: &about.named,
            event,
            at: now,
        };
        report::decide(&case).ok()
    }

    /// The report of one recipient's fate, ready for the queue; none when nobody is to be told.
    pub(super) fn report_of(
        &self,
        about: &About,
        event: &Event,
        message: &Reported<'_>,
    ) -> Option<NewQueued> {
        let notice = self.notice(about, event, self.now())?;
        self.report(&[notice], about, message)
    }

    /// A report with all notices, which go to the same sender.
    pub(super) fn report(
        &self,
        notices: &[Notice],
        about: &About,
        message: &Reported<'_>,
    ) -> Option<NewQueued> {
        let teller = about.teller.as_ref()?;
        let now = self.now();
        let transaction = self.new_transaction(now);
        let asked = match message.as_written {
            true => teller.message.clone(),
            false => MessageRequest { ret: Some(Ret::Headers), ..teller.message.clone() },
        };
        let letter = Composer {
            hostname: &self.policy.hostname,
            now,
            id: &transaction.to_string(),
            boundary: &self.boundary(),
            arrival: message.arrival,
            asked: &asked,
            head: &teller.head,
            body: message.body,
        };
        let (to, content) = letter.compose(notices)?;
        // The sender may be a mailbox of the same account, as of every reply: what it gets is encrypted if it must be.
        let privacy =
            about.account.map_or(Privacy::Open, |account| Privacy::unasked(account, Reader::Mailbox));
        let letter = Letter {
            id: format!("{transaction}.report"),
            from: ReversePath::Null,
            to,
            head: content.head,
            eight_bit: content.eight_bit,
            smtputf8: content.smtputf8,
            dsn: None,
            privacy,
            about: None,
        };
        let expires_at = self.policy.schedule.of_reports().expires_at(now);
        Some(self.own_letter(transaction, now, &letter, &content.body, expires_at))
    }

    /// A message of our own, ready for the queue.
    pub(super) fn own_letter(
        &self,
        transaction: TransactionId,
        now: Timestamp,
        letter: &Letter,
        body: &[u8],
        expires_at: Timestamp,
    ) -> NewQueued {
        NewQueued {
            transaction,
            created_at: now,
            sealed_body: self.seal(Purpose::Body, transaction, body),
            size: (letter.head.len() + body.len()) as u64,
            deliveries: vec![NewDelivery {
                sealed: letter.seal(&self.keys.queue, &self.surroundings, transaction),
                sealed_reply: None,
                alias: None,
                recipient: 0,
                accepted: false,
                blamed: false,
                owner: None,
                site: self.site(&letter.to),
                next_attempt_at: now,
                expires_at,
                attempts: 0,
                state: State::Deferred,
            }],
            digest: None,
        }
    }

    /// Letters and digits that no message contains.
    fn boundary(&self) -> String {
        let mut random = [0; 16];
        self.surroundings.random(&mut random);
        format!("{:032x}", u128::from_be_bytes(random))
    }
}

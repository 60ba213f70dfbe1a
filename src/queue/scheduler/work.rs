//! One claimed delivery: opening it, the attempt, and what follows.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::super::aftermath::{self, Aftermath, Again, Standing, last_reply};
use super::super::letter::{Letter, Unreadable};
use super::super::memory;
use super::super::reports::Reported;
use super::super::seal::{self, Opening, Purpose};
use super::super::spool::{BodyId, Claimed, DeliveryId, Settlement, Spool as _};
use super::super::station::Ports;
use super::{Inner, Start};
use crate::mail::Timestamp;
use crate::relay::keys::Keys;
use crate::relay::openpgp::{LookedUp, Privacy};
use crate::relay::ports::{Directory as _, Outcome};
use crate::relay::report::Event;
use crate::relay::retry::DELAY_REPORT_AFTER;
use crate::relay::transaction::TransactionId;
use std::time::Duration;

/// An attempt that has begun elsewhere.
pub(in super::super) type Attempt = BoxFuture<'static, Outcome>;

/// How long a delivery is put off for which there is no memory, or whose body cannot be read now.
const LATER: Duration = Duration::from_secs(5);

/// A delivery that this node owns.
#[derive(Debug)]
pub(in super::super) struct Work {
    pub(in super::super) id: DeliveryId,
    pub(in super::super) transaction: TransactionId,
    pub(in super::super) letter: Letter,
    pub(in super::super) body: Body,
    pub(in super::super) site: i64,
    pub(in super::super) standing: Standing,
    /// The sender is not to hear of it any more.
    pub(in super::super) accepted: bool,
    /// An admin wants it now.
    pub(in super::super) urgent: bool,
}

/// Where the body is.
#[derive(Debug)]
pub(in super::super) enum Body {
    /// Here.
    Here(Bytes),
    /// In the tables, with so many octets.
    Row(BodyId, u64),
}

impl Body {
    /// What was known when a message was accepted holds for its first attempt, and not for one from the tables.
    fn as_of_now(&self, privacy: Privacy) -> Privacy {
        match (self, privacy) {
            (Self::Row(..), Privacy::Asked { account, reader, known: LookedUp::None }) => {
                Privacy::unasked(account, reader)
            }
            (_, privacy) => privacy,
        }
    }
}

/// A row that cannot be read.
pub(super) struct DamagedRow {
    pub(super) id: DeliveryId,
    pub(super) transaction: TransactionId,
    pub(super) why: Unreadable,
}

impl Work {
    pub(super) fn of(claimed: Claimed, keys: &Keys) -> Result<Self, DamagedRow> {
        let Claimed { id, transaction, .. } = claimed;
        let letter = Letter::open(&keys.queue, transaction, claimed.sealed);
        let letter = letter.map_err(|why| DamagedRow { id, transaction, why })?;
        let has_teller = letter.has_teller();
        Ok(Self {
            id,
            transaction,
            letter,
            body: Body::Row(claimed.body, claimed.size),
            site: claimed.site,
            standing: Standing {
                attempts: claimed.attempts,
                created_at: claimed.created_at,
                expires_at: claimed.expires_at,
                delay_reported: claimed.delay_reported,
                blamed: claimed.blamed,
                has_teller,
            },
            accepted: claimed.accepted,
            urgent: claimed.urgent,
        })
    }
}

impl Work {
    /// The message, for a report about it.
    fn reported<'b>(&self, body: &'b Bytes) -> Reported<'b> {
        let as_written = !self.letter.about.as_ref().is_some_and(|about| about.scrubbed);
        Reported { arrival: self.standing.created_at, body, as_written }
    }

    /// When the sender is to hear something of it: that it waits, or that it is given up.
    pub(super) fn to_be_told_at(&self) -> Timestamp {
        let Standing { created_at, expires_at, delay_reported, has_teller, .. } = self.standing;
        let is_delay_told = delay_reported || !has_teller || self.accepted;
        if is_delay_told { expires_at } else { created_at.later_by(DELAY_REPORT_AFTER).min(expires_at) }
    }
}

/// Why there was no attempt.
enum Untried {
    /// Not now.
    Until(Timestamp),
    /// The body cannot be read.
    Damaged(Unreadable),
}

impl<P: Ports> Inner<P> {
    /// Tries a delivery and settles it.
    pub(super) async fn perform(&self, work: &Work, start: Start<P>) {
        let (outcome, body, _permits) = match start {
            Start::UnderWay(attempt) => {
                let Ok(body) = self.body(work).await else { return };
                (self.follow(work, attempt).await, body, None)
            }
            Start::Fresh { turn, permits } => {
                let Some((outcome, body)) = self.try_now(work).await else { return };
                drop(turn);
                (outcome, body, Some(permits))
            }
        };
        // From here on it may take as long as the database is away.
        self.roster.lock().attempt_is_over(work.id);
        self.conclude(work, &outcome, &body).await;
    }

    /// `None` when there was no attempt; the row is taken care of.
    async fn try_now(&self, work: &Work) -> Option<(Outcome, Bytes)> {
        if !self.roster.lock().owns(work.id, self.station.now()) {
            // It waited for so long that it is another node's.
            return None;
        }
        match self.body(work).await {
            Ok(body) => {
                let attempt = self.attempt(work, body.clone());
                Some((self.follow(work, attempt).await, body))
            }
            Err(Untried::Until(at)) => {
                self.give_back_at(vec![(work.id, at)]).await;
                None
            }
            Err(Untried::Damaged(why)) => {
                let row = DamagedRow { id: work.id, transaction: work.transaction, why };
                self.settle_damaged(row).await;
                None
            }
        }
    }

    async fn attempt(&self, work: &Work, body: Bytes) -> Outcome {
        let station = &self.station;
        let mut delivery = work.letter.delivery(body);
        match station.privacy_of(&work.letter).await {
            Ok(privacy) => delivery.privacy = work.body.as_of_now(privacy),
            Err(failure) => return Outcome::Deferred(failure),
        }
        match station.protect(delivery, work.standing.created_at).await {
            Ok(protected) => protected.send(&station.patient).await,
            Err(failure) => Outcome::Deferred(failure),
        }
    }

    async fn follow(&self, work: &Work, attempt: impl Future<Output = Outcome>) -> Outcome {
        let began = Instant::now();
        let outcome = attempt.await;
        let Letter { id, to, .. } = &work.letter;
        self.station.journal.delivery(id, to, &outcome, began.elapsed());
        outcome
    }

    async fn body(&self, work: &Work) -> Result<Bytes, Untried> {
        let station = &self.station;
        let (id, size) = match &work.body {
            Body::Here(body) => return Ok(body.clone()),
            Body::Row(id, size) => (*id, *size),
        };
        let put_off = |why: &dyn std::fmt::Display| {
            tracing::warn!(id = work.letter.id, %why, "a queued delivery is put off");
            Untried::Until(station.now().later_by(LATER))
        };
        let no_memory = || put_off(&"delivery.max_memory is used up");
        let reservation = station.memory.reserve(size).ok_or_else(no_memory)?;
        let sealed = station.gate.watch(station.spool.body(id).await).map_err(|error| put_off(&error))?;
        let sealed = sealed.ok_or(Untried::Damaged(Unreadable::Strange("its body, which is gone,")))?;
        match seal::open(&station.keys.queue, Purpose::Body, work.transaction, sealed) {
            Opening::Opened(body) => Ok(memory::hold(body, reservation)),
            Opening::Damaged(why) => Err(Untried::Damaged(why.into())),
        }
    }

    async fn conclude(&self, work: &Work, outcome: &Outcome, body: &Bytes) {
        let policy = &self.station.policy;
        let (now, jitter) = (self.station.now(), self.station.jitter());
        match aftermath::after(outcome, &work.standing, &policy.schedule, now, jitter) {
            Aftermath::Over => self.over(work, body).await,
            Aftermath::GivenUp(event) => self.give_up(work, &event, body).await,
            Aftermath::Again(again) => self.again(work, outcome, again, body).await,
        }
    }

    async fn over(&self, work: &Work, body: &Bytes) {
        if !self.settle_arrived(work.id).await {
            return;
        }
        let Some(about) = &work.letter.about else { return };
        if let (Some((alias, _)), Some(what)) = (&about.alias, about.counted) {
            self.station.directory.count(*alias, what);
        }
        let reported = work.reported(body);
        if let Some(report) = self.station.report_of(about, &Event::Relayed, &reported) {
            // Not with the settlement: to lose it is nothing, to send the message again because of it would be.
            if let Err(error) = self.station.enqueue(vec![report]).await {
                tracing::warn!(%error, id = work.letter.id, "the sender is not told that its message was relayed");
            }
        }
    }

    async fn give_up(&self, work: &Work, event: &Event, body: &Bytes) {
        let reported = work.reported(body);
        let about = work.letter.about.as_ref();
        let report = about.and_then(|about| self.station.report_of(about, event, &reported));
        let has_report = report.is_some();
        if let Some(settled) = self.settle(work.id, Settlement::Failed { report }).await {
            self.station.journal.given_up(&work.letter, has_report, settled);
        }
    }

    async fn again(&self, work: &Work, outcome: &Outcome, again: Again, body: &Bytes) {
        let Again { at, state, alarm, delayed } = again;
        let station = &self.station;
        if alarm {
            station.journal.blamed(&work.letter.id, &work.letter.to);
        }
        let reported = work.reported(body);
        let about = work.letter.about.as_ref().filter(|_| !work.accepted);
        let delay_report =
            about.zip(delayed).and_then(|(about, event)| station.report_of(about, &event, &reported));
        let reply = last_reply(outcome);
        let settlement = Settlement::Again {
            at,
            state,
            sealed_reply: station.seal(Purpose::Reply, work.transaction, reply.as_bytes()),
            blamed: work.standing.blamed || alarm,
            delay_report,
        };
        self.settle(work.id, settlement).await;
    }
}

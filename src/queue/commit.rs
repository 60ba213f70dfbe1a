//! From what could be done at once to the answer: what is still open is committed to the queue, and only then the sender
//! hears 250.

use crate::mail::{Address, Timestamp};
use crate::relay::alias::AliasId;
use crate::relay::ports::{Counted, Delivery, Directory as _, Outcome};
use crate::relay::report::{self, Event, Notice, ReturnPath, Silence};
use crate::relay::retry::Next;
use crate::relay::verdict::{self, Answered, Fate};
use crate::smtp::Reply;

use super::aftermath::{Standing, last_reply};
use super::decide::Case;
use super::direct::{Progress, Served, Tried};
use super::intake::Intake;
use super::journal::Stages;
use super::letter::{About, Letter};
use super::reports::Reported;
use super::scheduler::{Attempt, Body, Work};
use super::seal::Purpose;
use super::spool::{Enqueued, NewDelivery, NewQueued, Spool as _, State, TransactionDigest};
use super::station::{Mode, Ports};

/// A delivery that is to be committed.
struct Open {
    letter: Letter,
    recipient: u32,
    /// Another delivery for the recipient has arrived.
    accepted: bool,
    blamed: bool,
    attempts: u32,
    state: State,
    sealed_reply: Option<Vec<u8>>,
    hands: Hands,
}

/// In whose hands a delivery is when it is committed.
enum Hands {
    /// Nobody's: it is due then.
    Nobody(Timestamp),
    /// Ours: it begins as soon as it is committed and has its turn.
    Ready,
    /// Ours: it is under way.
    UnderWay(Attempt),
}

impl<P: Ports> Intake<P> {
    /// Commits what is open, tells whom there is something to tell, and answers.
    pub(super) async fn conclude(
        &self,
        case: &Case<'_>,
        served: Vec<Served>,
        digest: Option<TransactionDigest>,
        stages: &mut Stages,
    ) -> Reply {
        let answered: Vec<_> = served.iter().map(|one| answered(case, one)).collect();
        let reply = verdict::conclude(&answered, case.trace.id);
        if reply.is_transient() {
            self.leave_with_sender(case, served);
            return reply;
        }
        if !answered.iter().any(|one| matches!(one.fate, Fate::Accepted | Fate::Undecided)) {
            return reply;
        }
        let notices = if reply.is_positive() { notices(case, &served) } else { Vec::new() };
        let arrived: Vec<_> = served
            .iter()
            .flat_map(|one| one.arrived().map(|to| (one.about.named.clone(), to.clone())))
            .collect();
        let counted = counted(&served);
        match self.commit(case, served, &notices, digest, stages).await {
            Ok(()) => {
                self.partly.forget(case.from, &case.message);
                counted.into_iter().for_each(|(alias, what)| self.station.directory.count(alias, what));
                reply
            }
            Err(under_way) => {
                self.remember(case, arrived, under_way);
                verdict::not_kept(case.trace.id)
            }
        }
    }

    /// Commits open deliveries and reports in one transaction of the database, or notes that there were none.
    ///
    /// # Errors
    /// What is under way, when nothing could be committed.
    async fn commit(
        &self,
        case: &Case<'_>,
        served: Vec<Served>,
        notices: &[Notice],
        digest: Option<TransactionDigest>,
        stages: &mut Stages,
    ) -> Result<(), Vec<(Address, Address, Attempt)>> {
        let body = case.message.body();
        let about = served.iter().map(|one| &one.about).find(|about| about.teller.is_some()).cloned();
        let reported = Reported { arrival: case.trace.now, body: &body };
        let report = about.and_then(|about| self.station.report(notices, &about, &reported));
        let open = self.open(case, served);
        stages.queued(open.len());
        // Before the commit, which may take long: the lease must not be believed to be longer than it is written.
        let lease_end = self.station.lease_end();
        let rows = (!open.is_empty()).then(|| self.to_be_queued(case, &open, digest, lease_end));
        let queued: Vec<_> = rows.into_iter().chain(report).collect();
        let enqueued = if queued.is_empty() { Ok(Vec::new()) } else { self.station.enqueue(queued).await };
        let Ok(enqueued) = enqueued else {
            return Err(open.into_iter().filter_map(Open::under_way).collect());
        };
        // Not before: what could not be reported is to come again. With rows it was committed together with them.
        if let Some(digest) = digest.filter(|_| open.is_empty()) {
            self.station.spool.note(digest, case.trace.id, case.trace.now);
        }
        self.hand_over(case, open, enqueued, lease_end);
        Ok(())
    }

    /// What is not over.
    fn open(&self, case: &Case<'_>, served: Vec<Served>) -> Vec<Open> {
        let mut open = Vec::new();
        for (recipient, one) in (0_u32..).zip(served) {
            let accepted = one.arrived().next().is_some();
            let Served { about, deliveries, .. } = one;
            for tried in deliveries.unwrap_or_default() {
                open.extend(self.open_one(case, (recipient, accepted), &about, tried));
            }
        }
        open
    }

    fn open_one(
        &self,
        case: &Case<'_>,
        (recipient, accepted): (u32, bool),
        about: &About,
        tried: Tried,
    ) -> Option<Open> {
        let Tried { delivery, progress } = tried;
        let letter = |delivery: &Delivery| Letter::of(delivery, Some(about.clone()));
        let (state, attempts, hands, blamed, reply) = match progress {
            Progress::Ended { outcome: Outcome::Delivered(_) | Outcome::Rejected(_), .. } => return None,
            Progress::Ended { outcome, blamed } => {
                let is_uncertain = matches!(outcome, Outcome::Uncertain(_));
                let state = if is_uncertain { State::Uncertain } else { State::Deferred };
                let at = self.second_attempt(case.trace.now);
                (state, 1, Hands::Nobody(at), blamed, Some(last_reply(&outcome)))
            }
            Progress::UnderWay(attempt) => (State::Deferred, 1, Hands::UnderWay(attempt), false, None),
            Progress::Waits if self.begins_here(&delivery) => (State::Deferred, 1, Hands::Ready, false, None),
            Progress::Waits => (State::Deferred, 0, Hands::Nobody(case.trace.now), false, None),
        };
        let seal = |reply: String| self.station.seal(Purpose::Reply, case.trace.id, reply.as_bytes());
        let (letter, sealed_reply) = (letter(&delivery), reply.map(seal));
        Some(Open { letter, recipient, accepted, blamed, attempts, state, sealed_reply, hands })
    }

    /// What waits because the time was over is left to whoever claims it: this node has had its try.
    fn begins_here(&self, delivery: &Delivery) -> bool {
        self.station.policy.mode == Mode::Queue && self.scheduler.has_room(&delivery.to)
    }

    fn second_attempt(&self, created_at: Timestamp) -> Timestamp {
        let (now, jitter) = (self.station.now(), self.station.jitter());
        match self.station.policy.schedule.next(1, created_at, now, jitter) {
            Next::At(at) => at,
            Next::GiveUp => now,
        }
    }

    fn to_be_queued(
        &self,
        case: &Case<'_>,
        open: &[Open],
        digest: Option<TransactionDigest>,
        lease_end: Timestamp,
    ) -> NewQueued {
        let (id, created_at) = (case.trace.id, case.trace.now);
        NewQueued {
            transaction: id,
            created_at,
            sealed_body: self.station.seal(Purpose::Body, id, &case.message.body()),
            size: case.message.raw().len() as u64,
            deliveries: open.iter().map(|open| self.row(case, open, lease_end)).collect(),
            digest,
        }
    }

    fn row(&self, case: &Case<'_>, open: &Open, lease_end: Timestamp) -> NewDelivery {
        let station = &self.station;
        let (owner, next_attempt_at) = match open.hands {
            Hands::Nobody(at) => (None, at),
            Hands::Ready | Hands::UnderWay(_) => (Some(station.node), lease_end),
        };
        NewDelivery {
            sealed: open.letter.seal(&station.keys.queue, &station.surroundings, case.trace.id),
            sealed_reply: open.sealed_reply.clone(),
            alias: open.letter.about.as_ref().and_then(|about| about.alias.as_ref()).map(|(id, _)| *id),
            recipient: open.recipient,
            accepted: open.accepted,
            blamed: open.blamed,
            owner,
            site: station.site(&open.letter.to),
            next_attempt_at,
            expires_at: station.policy.schedule.expires_at(case.trace.now),
            attempts: open.attempts,
            state: open.state,
        }
    }

    /// Gives the scheduler what it is to begin, and what has begun. `enqueued` are the rows, the message's first.
    fn hand_over(&self, case: &Case<'_>, open: Vec<Open>, enqueued: Vec<Enqueued>, lease_end: Timestamp) {
        let Some(rows) = enqueued.into_iter().next() else { return };
        let body = case.message.body();
        for (open, id) in open.into_iter().zip(rows.deliveries) {
            let attempt = match open.hands {
                Hands::Nobody(_) => continue,
                Hands::Ready => None,
                Hands::UnderWay(attempt) => Some(attempt),
            };
            let standing = Standing {
                attempts: open.attempts,
                created_at: case.trace.now,
                delay_reported: false,
                blamed: open.blamed,
            };
            let work = Work {
                id,
                transaction: case.trace.id,
                site: self.station.site(&open.letter.to),
                letter: open.letter,
                body: Body::Here(body.clone()),
                standing,
                accepted: open.accepted,
                urgent: false,
            };
            self.scheduler.adopt(work, lease_end, attempt);
        }
    }

    /// The sender comes again with the whole message: what has arrived is not to arrive twice.
    fn leave_with_sender(&self, case: &Case<'_>, served: Vec<Served>) {
        let arrived: Vec<_> = served
            .iter()
            .flat_map(|one| one.arrived().map(|to| (one.about.named.clone(), to.clone())))
            .collect();
        let under_way = served.into_iter().flat_map(|Served { about, deliveries, .. }| {
            let tried = deliveries.unwrap_or_default().into_iter();
            tried.filter_map(move |Tried { delivery, progress }| match progress {
                Progress::UnderWay(attempt) => Some((about.named.clone(), delivery.to, attempt)),
                Progress::Ended { .. } | Progress::Waits => None,
            })
        });
        let under_way = under_way.collect();
        self.remember(case, arrived, under_way);
    }

    fn remember(
        &self,
        case: &Case<'_>,
        arrived: Vec<(Address, Address)>,
        under_way: Vec<(Address, Address, Attempt)>,
    ) {
        let now = case.trace.now;
        self.partly.remember(case.from, &case.message, now, arrived);
        for (named, to, attempt) in under_way {
            let (partly, from, message) = (self.partly.clone(), case.from.clone(), case.message.clone());
            self.scheduler.watch(async move {
                // What may have arrived counts as arrived only when it has: the sender has the message still.
                if attempt.await.is_delivered() {
                    partly.remember(&from, &message, now, [(named, to)]);
                }
            });
        }
    }
}

impl Open {
    fn under_way(self) -> Option<(Address, Address, Attempt)> {
        let Self { letter, hands, .. } = self;
        match hands {
            Hands::UnderWay(attempt) => Some((letter.about?.named, letter.to, attempt)),
            Hands::Nobody(_) | Hands::Ready => None,
        }
    }
}

fn answered(case: &Case<'_>, one: &Served) -> Answered {
    let fate = one.fate();
    // Told in a report, or not to be told: who has asked not to hear of it, and `<>`, which nobody reads.
    let is_told_otherwise =
        Event::of(&fate).is_some_and(|event| !matches!(told(case, one, &event), Err(Silence::Unproven)));
    Answered { named: one.about.named.clone(), fate, is_told_otherwise }
}

/// What the sender is told of this, or why nothing.
fn told(case: &Case<'_>, one: &Served, event: &Event) -> Result<Notice, Silence> {
    report::decide(&report::Case {
        direction: one.about.direction,
        return_path: ReturnPath::new(case.from, case.evidence),
        asked: &one.asked,
        named: &one.about.named,
        event,
        at: case.trace.now,
    })
}

/// What the sender is told in a report, when it hears 250.
fn notices(case: &Case<'_>, served: &[Served]) -> Vec<Notice> {
    let told = served.iter().filter_map(|one| told(case, one, &Event::of(&one.fate())?).ok());
    told.collect()
}

/// What counts when the transaction is over. What is still open counts when it arrives.
fn counted(served: &[Served]) -> Vec<(AliasId, Counted)> {
    let accepted = served.iter().filter(|one| one.fate() == Fate::Accepted);
    accepted.filter_map(|one| Some((one.about.alias.as_ref()?.0, one.about.counted?))).collect()
}

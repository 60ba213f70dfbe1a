//! Deliveries that are still open when the sender is to be answered, and their rows.

use bytes::Bytes;

use crate::mail::Timestamp;
use crate::relay::ports::{Delivery, Outcome};
use crate::relay::retry::Next;

use super::aftermath::{Standing, last_reply};
use super::decide::Case;
use super::direct::{Progress, Served, Tried};
use super::intake::Intake;
use super::letter::Letter;
use super::partly::Part;
use super::scheduler::{Attempt, Body, Work};
use super::seal::Purpose;
use super::spool::{DeliveryId, NewDelivery, NewQueued, State, TransactionDigest};
use super::station::{Mode, Ports};

/// A delivery that is to be committed.
pub(super) struct Open {
    letter: Letter,
    body: Bytes,
    /// Which recipient of the transaction it is for.
    recipient: u32,
    /// Another delivery for the recipient has arrived.
    accepted: bool,
    /// Where it goes, as the tables know it.
    site: i64,
    stands: Stands,
    hands: Hands,
}

/// How far it got.
struct Stands {
    attempts: u32,
    state: State,
    blamed: bool,
    last_reply: Option<String>,
}

impl Stands {
    const UNTRIED: Self = Self { attempts: 0, state: State::Deferred, blamed: false, last_reply: None };
    const BEGUN: Self = Self { attempts: 1, ..Self::UNTRIED };
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

/// An attempt that goes on although its transaction could not be kept.
pub(super) struct Ongoing {
    pub(super) part: Part,
    pub(super) attempt: Attempt,
}

/// When what is committed is given up, and until when what is ours is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) expires_at: Timestamp,
    pub(super) lease: Timestamp,
}

impl Open {
    /// It, as far as it is under way.
    pub(super) fn ongoing(self) -> Option<Ongoing> {
        let Self { letter, hands, .. } = self;
        match hands {
            Hands::UnderWay(attempt) => {
                let part = Part { named: letter.about?.named, to: letter.to };
                Some(Ongoing { part, attempt })
            }
            Hands::Nobody(_) | Hands::Ready => None,
        }
    }

    /// For the scheduler, if it is ours, under the row that it has got.
    pub(super) fn work(self, case: &Case<'_>, id: DeliveryId, ends: Ends) -> Option<(Work, Option<Attempt>)> {
        let attempt = match self.hands {
            Hands::Nobody(_) => return None,
            Hands::Ready => None,
            Hands::UnderWay(attempt) => Some(attempt),
        };
        let standing = Standing {
            attempts: self.stands.attempts,
            created_at: case.trace.now,
            expires_at: ends.expires_at,
            delay_reported: false,
            blamed: self.stands.blamed,
            has_teller: self.letter.has_teller(),
        };
        let work = Work {
            id,
            transaction: case.trace.id,
            letter: self.letter,
            body: Body::Here(self.body),
            site: self.site,
            standing,
            accepted: self.accepted,
            urgent: false,
        };
        Some((work, attempt))
    }
}

impl<P: Ports> Intake<P> {
    /// What is not over.
    pub(super) fn open(&self, case: &Case<'_>, served: Vec<Served>) -> Vec<Open> {
        let mut open = Vec::new();
        for (recipient, one) in (0_u32..).zip(served) {
            let accepted = one.arrived().next().is_some();
            let Served { about, deliveries, .. } = one;
            for Tried { delivery, progress } in deliveries.unwrap_or_default() {
                if let Some((stands, hands)) = self.stands(case, &delivery, progress) {
                    let letter = Letter::of(&delivery, Some(about.clone()));
                    let site = self.station.site(&delivery.to);
                    let body = delivery.content.body;
                    open.push(Open { letter, body, recipient, accepted, site, stands, hands });
                }
            }
        }
        open
    }

    /// How an open delivery stands; none for one that is over.
    fn stands(&self, case: &Case<'_>, delivery: &Delivery, progress: Progress) -> Option<(Stands, Hands)> {
        match progress {
            Progress::Ended { outcome: Outcome::Delivered(_) | Outcome::Rejected(_), .. } => None,
            Progress::Ended { outcome, blamed } => Some(self.again(case, &outcome, blamed)),
            Progress::Unprotected(failure) => Some(self.again(case, &Outcome::Deferred(failure), false)),
            Progress::UnderWay(attempt) => Some((Stands::BEGUN, Hands::UnderWay(attempt))),
            Progress::Waits if self.begins_here(delivery) => Some((Stands::BEGUN, Hands::Ready)),
            Progress::Waits => Some((Stands::UNTRIED, Hands::Nobody(case.trace.now))),
        }
    }

    fn again(&self, case: &Case<'_>, outcome: &Outcome, blamed: bool) -> (Stands, Hands) {
        let is_uncertain = matches!(outcome, Outcome::Uncertain(_));
        let state = if is_uncertain { State::Uncertain } else { State::Deferred };
        let stands = Stands { state, blamed, last_reply: Some(last_reply(outcome)), ..Stands::BEGUN };
        (stands, Hands::Nobody(self.second_attempt(case.trace.now)))
    }

    /// What waits because the time was over is left to whoever claims it: this node has had its try.
    fn begins_here(&self, delivery: &Delivery) -> bool {
        self.station.policy.mode == Mode::Queue && self.scheduler.has_room(&delivery.to)
    }

    fn second_attempt(&self, created_at: Timestamp) -> Timestamp {
        let (now, jitter) = (self.station.now(), self.station.jitter());
        let schedule = &self.station.policy.schedule;
        match schedule.next(1, schedule.expires_at(created_at), now, jitter) {
            Next::At(at) => at,
            Next::GiveUp => now,
        }
    }

    /// The rows of what is open, in its order; what has the same body stands together and shares it.
    pub(super) fn rows(
        &self,
        case: &Case<'_>,
        open: &[Open],
        mut digest: Option<TransactionDigest>,
        ends: Ends,
    ) -> Vec<NewQueued> {
        let id = case.trace.id;
        let sharing = open.chunk_by(|one, next| is_same(&one.body, &next.body));
        let queued = sharing.filter_map(|open| {
            let Open { letter, body, .. } = open.first()?;
            Some(NewQueued {
                transaction: id,
                created_at: case.trace.now,
                sealed_body: self.station.seal(Purpose::Body, id, body),
                size: (letter.head.len() + body.len()) as u64,
                deliveries: open.iter().map(|open| self.row(case, open, ends)).collect(),
                digest: digest.take(),
            })
        });
        queued.collect()
    }

    fn row(&self, case: &Case<'_>, open: &Open, ends: Ends) -> NewDelivery {
        let station = &self.station;
        let (owner, next_attempt_at) = match open.hands {
            Hands::Nobody(at) => (None, at),
            Hands::Ready | Hands::UnderWay(_) => (Some(station.node), ends.lease),
        };
        let Stands { attempts, state, blamed, last_reply } = &open.stands;
        let seal = |reply: &String| station.seal(Purpose::Reply, case.trace.id, reply.as_bytes());
        NewDelivery {
            sealed: open.letter.seal(&station.keys.queue, &station.surroundings, case.trace.id),
            sealed_reply: last_reply.as_ref().map(seal),
            alias: open.letter.about.as_ref().and_then(|about| about.alias.as_ref()).map(|(id, _)| *id),
            recipient: open.recipient,
            accepted: open.accepted,
            blamed: *blamed,
            owner,
            site: open.site,
            next_attempt_at,
            expires_at: ends.expires_at,
            attempts: *attempts,
            state: *state,
        }
    }
}

/// Whether they are the same memory, which says that they are equal without looking.
fn is_same(one: &Bytes, other: &Bytes) -> bool {
    one.len() == other.len() && one.as_ptr() == other.as_ptr()
}

//! Delivering while the sender waits.
//!
//! All deliveries run at once (of a few recipients at a time), until `delivery.direct_timeout` is over. What is under way
//! then is handed to the scheduler together with its row. What has not come to its final dot is about to be ended by the
//! transport, whose time is the same, and is tried again like anything that failed; what has goes on, and is not sent twice.

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use crate::mail::Timestamp;
use crate::relay::ports::{Delivery, Outcome};
use crate::relay::refusal::Refused;
use crate::relay::report::{Direction, ReturnPath};
use crate::relay::verdict::{Fate, put_off_if_about_us};
use crate::smtp::dsn::RecipientRequest;
use crate::smtp::{Delivered, Failure, Reply};

use super::decide::{self, Case, Decision, Outgoing};
use super::intake::{Decided, Intake};
use super::letter::{About, Teller};
use super::partly::{Earlier, Part};
use super::protect::Protected;
use super::scheduler::Attempt;
use super::station::Ports;

/// Recipients of one transaction that are served at once: each holds a head of its own and connections to its next hop.
const AT_ONCE: usize = 10;

/// A recipient for whom was done what could be done at once.
pub(super) struct Served {
    pub(super) about: About,
    /// What the sender asks about reports for it.
    pub(super) asked: RecipientRequest,
    /// What other mailboxes get to see of it when it is accepted.
    pub(super) copies: Vec<Outgoing>,
    /// Its deliveries; none when it was discarded. Or our own refusal.
    pub(super) deliveries: Result<Vec<Tried>, Reply>,
}

/// A delivery, and how far it got.
pub(super) struct Tried {
    pub(super) delivery: Delivery,
    pub(super) progress: Progress,
}

/// How far a delivery got.
pub(super) enum Progress {
    /// There is an outcome.
    Ended {
        outcome: Outcome,
        /// The next hop refused us, which is put off.
        blamed: bool,
    },
    /// It must be encrypted and cannot be, so there was no attempt.
    Unprotected(Failure),
    /// The time was over, and it goes on.
    UnderWay(Attempt),
    /// It has not begun.
    Waits,
}

impl Served {
    /// What became of the recipient.
    pub(super) fn fate(&self) -> Fate {
        match &self.deliveries {
            Err(reply) => Fate::Refused(reply.clone()),
            Ok(tried) if tried.is_empty() => Fate::Accepted,
            Ok(tried) if is_unprotected(tried) => Fate::Refused(Refused::NotEncrypted.reply()),
            Ok(tried) => Fate::of(tried.iter().map(Tried::outcome)),
        }
    }

    /// What cannot be encrypted now is not its sender's to keep: it waits in the queue.
    pub(super) fn keep_unprotected(&mut self) {
        for tried in self.deliveries.iter_mut().flatten() {
            if let Progress::Unprotected(failure) = &tried.progress {
                let outcome = Outcome::Deferred(failure.clone());
                tried.progress = Progress::Ended { outcome, blamed: false };
            }
        }
    }

    /// The deliveries that have arrived.
    pub(super) fn arrived(&self) -> impl Iterator<Item = Part> {
        let tried = self.deliveries.as_deref().unwrap_or_default();
        let arrived = tried.iter().filter(|tried| tried.outcome().is_some_and(Outcome::is_delivered));
        arrived.map(|tried| tried.part(&self.about))
    }
}

impl Tried {
    pub(super) fn part(&self, about: &About) -> Part {
        Part { named: about.named.clone(), to: self.delivery.to.clone() }
    }

    fn outcome(&self) -> Option<&Outcome> {
        match &self.progress {
            Progress::Ended { outcome, .. } => Some(outcome),
            Progress::Unprotected(_) | Progress::UnderWay(_) | Progress::Waits => None,
        }
    }
}

/// Whether nobody has it, and nobody can get it before something can be encrypted that now cannot be: the sender keeps it.
fn is_unprotected(tried: &[Tried]) -> bool {
    let is_unprotected = |one: &Tried| matches!(one.progress, Progress::Unprotected(_));
    let is_refused = |one: &Tried| matches!(one.outcome(), Some(Outcome::Rejected(_)));
    tried.iter().any(is_unprotected) && tried.iter().all(|one| is_unprotected(one) || is_refused(one))
}

impl<P: Ports> Intake<P> {
    /// Tries every delivery once.
    pub(super) async fn deliver_directly(&self, case: &Case<'_>, decided: Vec<Decided>) -> Vec<Served> {
        let deadline = Instant::now() + self.station.policy.direct_timeout;
        let earlier = self.partly.earlier(case.from, &case.message);
        let serving = decided.into_iter().enumerate().map(async |(at, part)| {
            let (about, asked) = (about(case, &part), part.asked.clone());
            let copies = part.copies();
            let deliveries = match self.compose(case, part, at + 1) {
                Ok(deliveries) => {
                    let each = deliveries.into_iter();
                    let composed_at = case.trace.now;
                    let tried =
                        each.map(|delivery| self.try_once(&about, &earlier, delivery, composed_at, deadline));
                    Ok(join_all(tried).await)
                }
                Err(reply) => Err(reply),
            };
            Served { about, asked, copies, deliveries }
        });
        stream::iter(serving).buffered(AT_ONCE).collect().await
    }

    /// Composes every delivery, and tries none.
    pub(super) fn make_ready(&self, case: &Case<'_>, decided: Vec<Decided>) -> Vec<Served> {
        let ready = decided.into_iter().enumerate().map(|(at, part)| {
            let (about, asked) = (about(case, &part), part.asked.clone());
            let copies = part.copies();
            let waits = |delivery| Tried { delivery, progress: Progress::Waits };
            let deliveries = self.compose(case, part, at + 1);
            let deliveries = deliveries.map(|all| all.into_iter().map(waits).collect());
            Served { about, asked, copies, deliveries }
        });
        ready.collect()
    }

    fn compose(&self, case: &Case<'_>, part: Decided, number: usize) -> Result<Vec<Delivery>, Reply> {
        let deliveries = part.decision.and_then(|decision| {
            let deliveries = decide::compose(case, &self.station.keys, &decision, &part.asked, number)?;
            let is_complete = matches!(decision, Decision::Discard(_)) || !deliveries.is_empty();
            if is_complete { Ok(deliveries) } else { Err(Refused::NoMailboxNow) }
        });
        deliveries.map_err(|refused| refused.reply())
    }

    async fn try_once(
        &self,
        about: &About,
        earlier: &Earlier,
        delivery: Delivery,
        composed_at: Timestamp,
        deadline: Instant,
    ) -> Tried {
        if earlier.has(&Part { named: about.named.clone(), to: delivery.to.clone() }) {
            self.station.journal.already_delivered(&delivery);
            let outcome = earlier_outcome();
            return Tried { delivery, progress: Progress::Ended { outcome, blamed: false } };
        }
        let began = Instant::now();
        if began >= deadline {
            return Tried { delivery, progress: Progress::Waits };
        }
        let protected = match timeout_at(deadline, self.station.protect(delivery.clone(), composed_at)).await
        {
            Ok(Ok(protected)) => protected,
            Ok(Err(failure)) => return Tried { delivery, progress: Progress::Unprotected(failure) },
            Err(_) => return Tried { delivery, progress: Progress::Waits },
        };
        let mut attempt = self.attempt(protected);
        let Ok(outcome) = timeout_at(deadline, &mut attempt).await else {
            return Tried { delivery, progress: Progress::UnderWay(attempt) };
        };
        self.station.journal.delivery(&delivery.id, &delivery.to, &outcome, began.elapsed());
        let (outcome, blamed) = put_off_if_about_us(outcome);
        if blamed {
            self.station.journal.blamed(&delivery.id, &delivery.to);
        }
        Tried { delivery, progress: Progress::Ended { outcome, blamed } }
    }

    /// On the heap and owned, so that it can go on when nobody waits any more.
    fn attempt(&self, protected: Protected) -> Attempt {
        let transport = self.station.direct.clone();
        Box::pin(async move { protected.send(&transport).await })
    }
}

/// What the deliveries of a recipient are about.
fn about(case: &Case<'_>, part: &Decided) -> About {
    let decision = part.decision.as_ref().ok();
    let alias = decision.and_then(Decision::alias);
    let direction = if part.is_reply { Direction::Reply } else { Direction::Forward };
    let teller = match ReturnPath::new(case.from, case.evidence) {
        ReturnPath::Proven(to) => Some(Teller {
            to: to.clone(),
            message: case.asked.clone(),
            recipient: part.asked.clone(),
            head: case.message.head(),
        }),
        ReturnPath::Null | ReturnPath::Unproven => None,
    };
    let counted = decision.and_then(Decision::counted).map(|(_, what)| what);
    let account = decision.and_then(Decision::account);
    let scrubbed = match decision {
        Some(Decision::Reply { content, .. }) => content.body != case.message.body(),
        _ => false,
    };
    About { named: part.named.clone(), direction, alias, account, scrubbed, counted, teller }
}

/// What stands for a delivery that an earlier attempt has made.
fn earlier_outcome() -> Outcome {
    Outcome::Delivered(Delivered { host: String::new(), reply: "delivered by an earlier attempt".to_owned() })
}

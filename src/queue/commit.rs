//! From what could be done at once to the answer: what is still open is committed to the queue, and only then the sender
//! hears 250.

use crate::relay::alias::AliasId;
use crate::relay::ports::{Counted, Directory as _};
use crate::relay::report::{self, Direction, Event, Notice, ReturnPath, Silence};
use crate::relay::verdict::{self, Answered, Fate};
use crate::smtp::Reply;

use super::decide::{Case, Outgoing};
use super::direct::{Progress, Served};
use super::intake::Intake;
use super::journal::Stages;
use super::letter::{About, Letter};
use super::open::{Ends, Ongoing, Open};
use super::partly::Part;
use super::reports::Reported;
use super::spool::{Enqueued, NewQueued, Spool as _, TransactionDigest};
use super::station::Ports;

impl<P: Ports> Intake<P> {
    /// Commits what is open, tells whom there is something to tell, and answers.
    pub(super) async fn conclude(
        &self,
        case: &Case<'_>,
        mut served: Vec<Served>,
        digest: Option<TransactionDigest>,
        stages: &mut Stages,
    ) -> Reply {
        if served.iter().any(|one| one.arrived().next().is_some()) {
            // Were the sender to come again, what has arrived might arrive twice.
            served.iter_mut().for_each(Served::keep_unprotected);
        }
        let answered: Vec<_> = served.iter().map(|one| answered(case, one)).collect();
        let reply = verdict::conclude(&answered, case.trace.id);
        let arrived: Vec<_> = served.iter().flat_map(Served::arrived).collect();
        if reply.is_transient() {
            self.leave_with_sender(case, arrived, ongoing(served));
            return reply;
        }
        if !answered.iter().any(|one| matches!(one.fate, Fate::Accepted | Fate::Undecided)) {
            return reply;
        }
        let notices = if reply.is_positive() { notices(case, &served) } else { Vec::new() };
        let counted = counted(&served);
        // A repetition of what was partly refused is to hear of the refusal again.
        let digest = digest.filter(|_| reply.is_positive());
        match self.commit(case, served, &notices, digest, stages).await {
            Ok(()) => {
                if reply.is_positive() {
                    self.partly.forget(case.from, &case.message);
                } else {
                    self.partly.remember(case.from, &case.message, case.trace.now, arrived);
                }
                counted.into_iter().for_each(|(alias, what)| self.station.directory.count(alias, what));
                reply
            }
            Err(ongoing) => {
                self.leave_with_sender(case, arrived, ongoing);
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
    ) -> Result<(), Vec<Ongoing>> {
        let body = case.message.body();
        let about = teller_of(&served).cloned();
        let reported = Reported { arrival: case.trace.now, body: &body, as_written: true };
        let report = about.and_then(|about| self.station.report(notices, &about, &reported));
        let copies = self.copies(case, &served);
        let open = self.open(case, served);
        stages.queued(open.len());
        // Before the commit, which may take long: the lease must not be believed to be longer than it is written.
        let expires_at = self.station.policy.schedule.expires_at(case.trace.now);
        let ends = Ends { expires_at, lease: self.station.lease_end() };
        let queued: Vec<_> =
            self.rows(case, &open, digest, ends).into_iter().chain(report).chain(copies).collect();
        let enqueued = if queued.is_empty() { Ok(Vec::new()) } else { self.station.enqueue(queued).await };
        let Ok(enqueued) = enqueued else {
            return Err(open.into_iter().filter_map(Open::ongoing).collect());
        };
        // Not before: what could not be reported is to come again. With rows it was committed together with them.
        if let Some(digest) = digest.filter(|_| open.is_empty()) {
            self.station.spool.note(digest, case.trace.id, case.trace.now);
        }
        self.hand_over(case, open, enqueued, ends);
        Ok(())
    }

    /// Letters for other mailboxes of the aliases that something is sent from. What becomes of them concerns nobody but the log.
    fn copies(&self, case: &Case<'_>, served: &[Served]) -> Vec<NewQueued> {
        let sent = served.iter().filter(|one| matches!(one.fate(), Fate::Accepted | Fate::Undecided));
        let mut copies: Vec<&Outgoing> = Vec::new();
        for copy in sent.flat_map(|one| &one.copies) {
            if !copies.iter().any(|other| other.to == copy.to) {
                copies.push(copy);
            }
        }
        let numbered = copies.into_iter().enumerate();
        let letters = numbered.map(|(number, copy)| self.copy(case, copy, number + 1));
        letters.collect()
    }

    fn copy(&self, case: &Case<'_>, copy: &Outgoing, number: usize) -> NewQueued {
        let Outgoing { from, to, content, privacy } = copy.clone();
        let letter = Letter {
            id: format!("{}.copy.{number}", case.trace.id),
            from,
            to,
            head: content.head,
            eight_bit: content.eight_bit,
            smtputf8: content.smtputf8,
            dsn: None,
            privacy,
            about: None,
        };
        let id = self.station.new_transaction(case.trace.now);
        let schedule = &self.station.policy.schedule;
        self.station.own_letter(
            id,
            case.trace.now,
            &letter,
            &content.body,
            schedule.expires_at(case.trace.now),
        )
    }

    /// Gives the scheduler what it is to begin, and what has begun. `enqueued` are the rows, those of `open` first.
    fn hand_over(&self, case: &Case<'_>, open: Vec<Open>, enqueued: Vec<Enqueued>, ends: Ends) {
        let rows = enqueued.into_iter().flat_map(|rows| rows.deliveries);
        for (open, id) in open.into_iter().zip(rows) {
            if let Some((work, attempt)) = open.work(case, id, ends) {
                self.scheduler.adopt(work, ends.lease, attempt);
            }
        }
    }

    /// The sender comes again with the whole message: what has arrived, or still does, is not to arrive twice.
    fn leave_with_sender(&self, case: &Case<'_>, arrived: Vec<Part>, ongoing: Vec<Ongoing>) {
        let now = case.trace.now;
        self.partly.remember(case.from, &case.message, now, arrived);
        for Ongoing { part, attempt } in ongoing {
            let (partly, from, message) = (self.partly.clone(), case.from.clone(), case.message.clone());
            self.scheduler.watch(async move {
                // What may have arrived counts as arrived only when it has: the sender has the message still.
                if attempt.await.is_delivered() {
                    partly.remember(&from, &message, now, [part]);
                }
            });
        }
    }
}

/// Who is told of the transaction, with the account whose certificates decide how: of an owner's own letter that is the account
/// of a reply in it.
fn teller_of(served: &[Served]) -> Option<&About> {
    let of_reply = |about: &&About| about.direction == Direction::Reply && about.account.is_some();
    let told: Vec<_> = served.iter().map(|one| &one.about).filter(|about| about.teller.is_some()).collect();
    let replies = told.iter().copied().find(of_reply);
    replies.or_else(|| told.iter().copied().find(|about| about.account.is_some())).or(told.first().copied())
}

/// What is under way of a transaction that the sender keeps.
fn ongoing(served: Vec<Served>) -> Vec<Ongoing> {
    let mut ongoing = Vec::new();
    for Served { about, deliveries, .. } in served {
        for tried in deliveries.unwrap_or_default() {
            let part = tried.part(&about);
            if let Progress::UnderWay(attempt) = tried.progress {
                ongoing.push(Ongoing { part, attempt });
            }
        }
    }
    ongoing
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

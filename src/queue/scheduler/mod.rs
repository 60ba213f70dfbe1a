//! Gets what is in the queue to its next hop, on this node.
//!
//! It claims what is due, a batch at a time, and lets each delivery begin, wait in line for its destination, or go back to
//! the tables ([`Lines`]). What it owns stands on a roster and is renewed until it is settled. Nothing that it knows is
//! needed by anybody else: should the node die, its leases end and another one claims the rows.
//!
//! Deliveries that the intake has begun, or commits with this node as their owner, are handed over to it without a detour
//! through the tables ([`Scheduler::adopt`]).
//!
//! While the tables cannot be written to (the gate is closed) nothing is begun.

mod settle;
mod upkeep;
mod work;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mail::{Address, Timestamp};
use crate::relay::pacing::Admit;
use crate::relay::ports::{Outcome, Transport as _, Unavailable};
use crate::smtp::{Failure, Words};

use super::lines::{Lines, Offer};
use super::roster::Roster;
use super::spool::{DeliveryId, Spool as _};
use super::station::{Ports, Station};

pub(super) use work::{Attempt, Body, Work};

use settle::Arrived;

/// Deliveries under way at a time. They cost a task and a head each; bodies have their own limit.
const PLACES: usize = 2000;
/// Of these, for deliveries that have failed before: however many they are, new mail finds places.
const PLACES_FOR_RETRIES: usize = 1500;
/// Rows that are claimed at once.
const BATCH: usize = 100;
/// With fewer free places than that it is not worth while to claim.
const WORTH_WHILE: usize = 16;
/// How much longer a delivery is put off that no place is left for: that is nothing its destination will change soon.
const NO_PLACE: Duration = Duration::from_secs(10);
/// How long a line may take to become shorter by half of what it holds.
const WORTH_WAITING: Duration = Duration::from_millis(250);
/// How often the tables are looked at when nothing is known to be due: other nodes and admins write to them as well.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The scheduler of one node. Clones are the same one.
#[derive(Debug)]
pub struct Scheduler<P: Ports>(Arc<Inner<P>>);

impl<P: Ports> Clone for Scheduler<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<P: Ports> {
    station: Arc<Station<P>>,
    roster: Mutex<Roster>,
    lines: Mutex<Lines<Work>>,
    places: Arc<Semaphore>,
    retries: Arc<Semaphore>,
    /// A place has become free.
    freed: Notify,
    arrived: mpsc::UnboundedSender<Arrived>,
    tasks: TaskTracker,
    /// Nothing new is begun.
    stopping: CancellationToken,
    /// Everything is settled.
    finished: CancellationToken,
}

/// When the tables are looked at again.
enum Look {
    /// At once.
    Now,
    /// When a place is free.
    WhenFree,
    /// When the line for this destination has become shorter: what would be claimed now finds no room.
    WhenShorter(i64),
    /// After this time.
    After(Duration),
}

impl<P: Ports> Scheduler<P> {
    /// Starts it.
    #[must_use]
    pub fn start(station: Arc<Station<P>>) -> (Self, JoinHandle<()>) {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            station,
            roster: Mutex::default(),
            lines: Mutex::new(Lines::default()),
            places: Arc::new(Semaphore::new(PLACES)),
            retries: Arc::new(Semaphore::new(PLACES_FOR_RETRIES)),
            freed: Notify::new(),
            arrived,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            finished: CancellationToken::new(),
        });
        let running = Arc::clone(&inner);
        let running = tokio::spawn(async move {
            tokio::join!(
                running.claim_until_stopped(),
                running.renew_until_finished(),
                running.settle_until_finished(arrivals),
                running.forget_until_finished(),
                running.watch_certificates_until_finished(),
            );
        });
        (Self(inner), running)
    }

    /// Begins nothing new from now on, and gives back what waits.
    pub async fn begin_no_more(&self) {
        let inner = &self.0;
        inner.stopping.cancel();
        let waiting = inner.lines.lock().dissolve_all();
        inner.give_back(waiting.iter().map(|work| work.id).collect()).await;
    }

    /// After [`Self::begin_no_more`]: waits until what is under way has ended, for `patience` at most, and gives everything
    /// else back for other nodes to take.
    pub async fn stop(&self, patience: Duration) {
        let inner = &self.0;
        inner.tasks.close();
        if timeout(patience, inner.tasks.wait()).await.is_err() {
            let left = inner.roster.lock().end_all();
            tracing::warn!(
                deliveries = left.len(),
                "the time to stop is over: deliveries were broken off, and may arrive twice"
            );
            inner.give_back(left).await;
        }
        inner.finished.cancel();
    }

    /// Whether a delivery to `to` that is committed with this node as its owner would begin, or wait in line: otherwise it
    /// is better left to whoever claims it. What waits keeps its body in memory, of which half stays free for new mail.
    pub(super) fn has_room(&self, to: &Address) -> bool {
        let Inner { station, lines, stopping, .. } = &*self.0;
        let takes_mail = !stopping.is_cancelled() && self.0.allowed(to, station.now()).is_ok();
        takes_mail && station.memory.is_half_free() && lines.lock().has_room(station.site(to))
    }

    /// Waits for something at the end as it does for deliveries.
    pub(super) fn watch(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(task);
    }

    /// Takes over a delivery that was committed with this node as its owner until `until`; it may be under way already.
    pub(super) fn adopt(&self, work: Work, until: Timestamp, attempt: Option<Attempt>) {
        self.0.roster.lock().enter(work.id, until);
        match attempt {
            Some(attempt) => self.0.begin(work, Start::UnderWay(attempt)),
            None => self.0.give_back_later(self.0.place(work).into_iter().collect()),
        }
    }
}

impl<P: Ports> Inner<P> {
    async fn claim_until_stopped(self: &Arc<Self>) {
        while !self.stopping.is_cancelled() {
            // Never broken off: what was claimed would be nobody's until its lease ends.
            let look = self.look().await;
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.wait_for(look) => {}
            }
        }
    }

    async fn wait_for(&self, look: Look) {
        match look {
            Look::Now => {}
            Look::WhenFree => drop(timeout(LOOK_AGAIN, self.freed.notified()).await),
            Look::WhenShorter(site) => {
                let is_shorter = async {
                    while self.lines.lock().is_long(site) {
                        self.freed.notified().await;
                    }
                };
                if timeout(WORTH_WAITING, is_shorter).await.is_err() {
                    self.lines.lock().is_slow(site);
                }
            }
            Look::After(time) => sleep(time).await,
        }
    }

    async fn look(self: &Arc<Self>) -> Look {
        if !self.station.gate.is_open() {
            if self.station.spool.probe().await.is_ok() {
                self.station.gate.reopen();
            }
            return Look::After(LOOK_AGAIN);
        }
        let free = self.places.available_permits().min(BATCH);
        if free < WORTH_WHILE {
            return Look::WhenFree;
        }
        match self.claim_what_is_due(free).await {
            Ok(look) => look,
            Err(error) => {
                tracing::warn!(%error, "the queue cannot be looked at");
                Look::After(LOOK_AGAIN)
            }
        }
    }

    async fn claim_what_is_due(self: &Arc<Self>, limit: usize) -> Result<Look, Unavailable> {
        let station = &self.station;
        let now = station.now();
        // Tables that do not answer here do not take anything either. A relay whose queue is empty would learn that from
        // its senders, each of whom waits in vain at the final dot.
        match station.gate.watch(station.spool.next_due().await)? {
            Some(due) if due <= now => {}
            Some(due) => return Ok(Look::After(until(now, due).min(LOOK_AGAIN))),
            None => return Ok(Look::After(LOOK_AGAIN)),
        }
        let most = u32::try_from(limit).unwrap_or(u32::MAX);
        let claim = station.spool.claim(station.node, now, station.policy.lease, most).await;
        let claimed = station.gate.watch(claim)?;
        let mut look = if claimed.len() < limit { Look::After(LOOK_AGAIN) } else { Look::Now };
        let mut back = Vec::new();
        for claimed in claimed {
            if !self.roster.lock().enter(claimed.id, now.later_by(station.policy.lease)) {
                continue;
            }
            match Work::of(claimed, &station.keys) {
                Ok(work) => {
                    let site = work.site;
                    back.extend(self.place(work));
                    if self.lines.lock().is_long(site) {
                        look = Look::WhenShorter(site);
                    }
                }
                Err(damaged) => self.settle_damaged(damaged).await,
            }
        }
        self.give_back_at(back).await;
        Ok(look)
    }

    /// Begins a delivery, or puts it in line, or answers when it is to be tried instead.
    fn place(self: &Arc<Self>, work: Work) -> Option<(DeliveryId, Timestamp)> {
        let (to, site, now) = (&work.letter.to, work.site, self.station.now());
        if work.urgent {
            self.station.patient.resume(to);
        }
        let allowed = match self.allowed(to, now) {
            Ok(allowed) => allowed,
            Err(_) if work.to_be_told_at() <= now => {
                self.begin(work, Start::UnderWay(Box::pin(std::future::ready(left_alone()))));
                return None;
            }
            Err(paused_until) => return Some((work.id, paused_until.min(work.to_be_told_at()))),
        };
        let offer = self.lines.lock().offer(site, work, allowed, now);
        match offer {
            Offer::Begins(work) => self.begin_in_line(work),
            Offer::Waits => None,
            Offer::Later(work, at) => Some((work.id, at)),
        }
    }

    /// How many deliveries its destination takes at a time, or until when it takes none.
    fn allowed(&self, to: &Address, now: Timestamp) -> Result<u32, Timestamp> {
        match self.station.patient.admit(to, now) {
            Admit::At(until) => Err(until),
            Admit::Now | Admit::Full => Ok(self.station.patient.most_at_once(to)),
        }
    }

    /// Begins a delivery that its line has let go; answers as [`Self::place`].
    fn begin_in_line(self: &Arc<Self>, work: Work) -> Option<(DeliveryId, Timestamp)> {
        let (id, site) = (work.id, work.site);
        let now = self.station.now();
        let permits = self.permits(work.standing.attempts > 1);
        match permits.filter(|_| !self.stopping.is_cancelled()) {
            Some(permits) => {
                let turn = Turn { inner: Arc::clone(self), site };
                self.begin(work, Start::Fresh { turn, permits });
                None
            }
            None => {
                let mut lines = self.lines.lock();
                lines.withdraw(site, now);
                Some((id, lines.put_off(site, now).later_by(NO_PLACE)))
            }
        }
    }

    fn permits(&self, is_retry: bool) -> Option<Permits> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let retry = if is_retry { Some(Arc::clone(&self.retries).try_acquire_owned().ok()?) } else { None };
        Some(Permits { _place: place, _retry: retry })
    }

    fn begin(self: &Arc<Self>, work: Work, start: Start<P>) {
        let (id, inner) = (work.id, Arc::clone(self));
        let task = self.tasks.spawn(async move {
            inner.perform(&work, start).await;
            inner.roster.lock().leave(work.id);
        });
        self.roster.lock().begin(id, Instant::now(), task.abort_handle());
    }

    /// A delivery to this destination has ended: the next one in line begins, or the line goes back to the tables when
    /// nothing will end any more that could wake it.
    fn ended(self: &Arc<Self>, site: i64) {
        let now = self.station.now();
        let allowed = |work: &Work| self.allowed(&work.letter.to, now).unwrap_or(0);
        let next = self.lines.lock().ended(site, allowed, now);
        let mut back: Vec<_> = next.into_iter().filter_map(|work| self.begin_in_line(work)).collect();
        {
            let mut lines = self.lines.lock();
            if lines.active(site) == 0 {
                let idle = lines.dissolve(site);
                back.extend(idle.iter().map(|work| {
                    let at = self.allowed(&work.letter.to, now).err();
                    (work.id, at.unwrap_or_else(|| lines.put_off(site, now)))
                }));
            }
        }
        self.give_back_later(back);
        self.freed.notify_one();
    }

    /// For who cannot wait.
    fn give_back_later(self: &Arc<Self>, due: Vec<(DeliveryId, Timestamp)>) {
        if !due.is_empty() {
            let inner = Arc::clone(self);
            self.tasks.spawn(async move { inner.give_back_at(due).await });
        }
    }
}

/// How a delivery begins.
enum Start<P: Ports> {
    /// Its line has let it go.
    Fresh { turn: Turn<P>, permits: Permits },
    /// It has begun elsewhere.
    UnderWay(Attempt),
}

/// The right to a share of the work; until the delivery is settled.
#[derive(Debug)]
struct Permits {
    _place: OwnedSemaphorePermit,
    _retry: Option<OwnedSemaphorePermit>,
}

/// A delivery's turn at its destination. When it is dropped the next one begins: with the end of the attempt, since that
/// it is written down is nothing that the destination has to wait for.
struct Turn<P: Ports> {
    inner: Arc<Inner<P>>,
    site: i64,
}

impl<P: Ports> std::fmt::Debug for Turn<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("site", &self.site).finish_non_exhaustive()
    }
}

impl<P: Ports> Drop for Turn<P> {
    fn drop(&mut self) {
        self.inner.ended(self.site);
    }
}

/// What is said of a delivery whose time comes while its destination is left alone.
fn left_alone() -> Outcome {
    Outcome::Deferred(Failure {
        code: 451,
        enhanced: (4, 4, 1),
        text: "the destination could not be reached and is left alone for a while".to_owned(),
        words: Words::Ours,
        host: None,
    })
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(then.as_millis() - now.as_millis()).unwrap_or(0))
}

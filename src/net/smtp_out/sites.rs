//! Who may use a connection to a site now, and who waits.
//!
//! A delivery holds a [`Slot`] of its site while it is on its way; [`Pacing`] says how many there are. Who finds none
//! waits in the order of coming, until the time of its delivery is over. When a site is left alone everyone who waits for
//! it is told at once.
//!
//! Over all sites there is a bound as well, with a part that only *prompt* sites may use: those whose last delivery was
//! over quickly. However many destinations are slow or silent, they cannot use up what the others need. A site of which
//! nothing is known yet counts as slow.
//!
//! A slot is taken before a share of the whole, never the other way round: who waits for a busy site takes nothing from
//! the others. No lock is held across an await, and none while another one is taken.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::route::random;
use super::{Outcome, deferred};
use crate::mail::{DomainName, Timestamp};
use crate::net::smarthost::HostName;
use crate::relay::pacing::{Admit, Limits, Pacing, Ticket};
use crate::relay::site::SiteName;
use crate::smtp::Failure;

/// A delivery that took longer was not prompt.
const PROMPT: Duration = Duration::from_secs(5);
/// How long a host that could not be reached is tried after the others of its site.
const AWAY: Duration = Duration::from_secs(60);
/// Sites and domains that are remembered; more are forgotten, the idle ones first.
const MAX_REMEMBERED: usize = 10_000;

/// Connections that all sites use together.
#[derive(Debug)]
pub(super) struct Overall {
    all: Arc<Semaphore>,
    /// For sites that are not prompt: three quarters.
    slow: Arc<Semaphore>,
}

impl Overall {
    pub(super) fn new(most: usize) -> Self {
        let all = most.clamp(1, Semaphore::MAX_PERMITS);
        Self { all: Arc::new(Semaphore::new(all)), slow: Arc::new(Semaphore::new(all.div_ceil(4) * 3)) }
    }

    async fn share(&self, prompt: bool, deadline: Instant) -> Result<Share, Outcome> {
        let slow = if prompt { None } else { Some(permit(&self.slow, deadline).await?) };
        Ok(Share { _slow: slow, _all: permit(&self.all, deadline).await? })
    }
}

async fn permit(semaphore: &Arc<Semaphore>, deadline: Instant) -> Result<OwnedSemaphorePermit, Outcome> {
    let permit = timeout_at(deadline, Arc::clone(semaphore).acquire_owned()).await;
    permit.ok().and_then(Result::ok).ok_or_else(congested)
}

/// One of the connections that all sites share.
#[derive(Debug)]
struct Share {
    _slow: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

/// All sites that are remembered.
#[derive(Debug)]
pub(super) struct Sites {
    limits: Limits,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    numbers: u64,
    by_name: HashMap<SiteName, Arc<Site>>,
    /// Where a domain's mail went the last time.
    by_domain: HashMap<DomainName, Arc<Site>>,
}

impl Sites {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, known: Mutex::default() }
    }

    /// The site with this name; what is known of it is kept as long as there is something to know.
    pub(super) fn named(&self, name: SiteName) -> Arc<Site> {
        let mut known = self.known.lock();
        if let Some(site) = known.by_name.get(&name) {
            return Arc::clone(site);
        }
        make_room(&mut known.by_name);
        known.numbers += 1;
        let site = Arc::new(Site::new(known.numbers, self.limits));
        known.by_name.insert(name, Arc::clone(&site));
        site
    }

    /// How many deliveries may be under way to a site of which nothing is known.
    pub(super) fn initial(&self) -> u32 {
        self.limits.initial
    }

    /// Notes where a domain's mail goes, for whoever asks before resolving.
    pub(super) fn learn(&self, domain: &DomainName, site: &Arc<Site>) {
        let mut known = self.known.lock();
        if known.by_domain.get(domain).is_some_and(|same| Arc::ptr_eq(same, site)) {
            return;
        }
        make_room(&mut known.by_domain);
        known.by_domain.insert(domain.clone(), Arc::clone(site));
    }

    /// Where the domain's mail went the last time.
    pub(super) fn of_domain(&self, domain: &DomainName) -> Option<Arc<Site>> {
        self.known.lock().by_domain.get(domain).cloned()
    }

    /// All that are remembered by name.
    pub(super) fn all(&self) -> Vec<Arc<Site>> {
        self.known.lock().by_name.values().cloned().collect()
    }

    /// The site, if it is remembered.
    pub(super) fn find(&self, name: &SiteName) -> Option<Arc<Site>> {
        self.known.lock().by_name.get(name).cloned()
    }
}

fn make_room<K>(sites: &mut HashMap<K, Arc<Site>>) {
    if sites.len() >= MAX_REMEMBERED {
        sites.retain(|_, site| !site.is_forgettable());
    }
    if sites.len() >= MAX_REMEMBERED {
        sites.clear();
    }
}

/// The connections to one site.
#[derive(Debug)]
pub(super) struct Site {
    /// Tells it from every other one.
    pub(super) number: u64,
    prompt: AtomicBool,
    /// Connections that a delivery has at hand: fewer than slots, while some only open theirs.
    connected: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pacing: Pacing,
    waiting: VecDeque<oneshot::Sender<Result<Slot, Outcome>>>,
    /// What was the matter the last time; told while the site is left alone.
    trouble: Option<Failure>,
    /// Hosts that could not be reached lately, and until when they come last.
    away: Vec<(HostName, Instant)>,
}

/// What somebody who comes finds.
enum Arrival {
    Begun(Ticket),
    Paused(Outcome),
    Waits(oneshot::Receiver<Result<Slot, Outcome>>),
}

impl Site {
    pub(super) fn new(number: u64, limits: Limits) -> Self {
        let state =
            State { pacing: Pacing::new(limits), waiting: VecDeque::new(), trouble: None, away: Vec::new() };
        Self {
            number,
            prompt: AtomicBool::new(false),
            connected: AtomicU32::new(0),
            state: Mutex::new(state),
        }
    }

    /// Whether a delivery would begin at once.
    pub(super) fn admit(&self, now: Timestamp) -> Admit {
        self.state.lock().pacing.admit(now)
    }

    /// How many deliveries may be under way together.
    pub(super) fn allowed(&self) -> u32 {
        self.state.lock().pacing.allowed()
    }

    /// Ends a pause.
    pub(super) fn resume(&self) {
        self.state.lock().pacing.resume();
    }

    /// The right to use one connection, as soon as there is one.
    ///
    /// # Errors
    /// A deferral: the site is left alone now, or its turn did not come before `deadline`.
    pub(super) async fn slot(
        self: &Arc<Self>,
        overall: &Overall,
        deadline: Instant,
    ) -> Result<Slot, Outcome> {
        let mut slot = match self.arrive() {
            Arrival::Begun(ticket) => Slot::new(self, ticket),
            Arrival::Paused(outcome) => return Err(outcome),
            Arrival::Waits(turn) => match timeout_at(deadline, turn).await {
                Ok(Ok(answer)) => answer?,
                Ok(Err(_)) | Err(_) => return Err(congested()),
            },
        };
        slot.share = Some(overall.share(self.prompt.load(Ordering::Relaxed), deadline).await?);
        slot.began = Instant::now();
        // A turn that comes with the end of the time is of no use.
        if slot.began < deadline { Ok(slot) } else { Err(congested()) }
    }

    fn arrive(&self) -> Arrival {
        let mut state = self.state.lock();
        match state.pacing.admit(now()) {
            Admit::Now => Arrival::Begun(state.pacing.begin()),
            Admit::At(until) => Arrival::Paused(left_alone(state.trouble.as_ref(), until)),
            Admit::Full => {
                let (sender, turn) = oneshot::channel();
                state.waiting.push_back(sender);
                Arrival::Waits(turn)
            }
        }
    }

    /// Changes what is known, then lets those go on whose turn it has become. After every change of the pacing, either
    /// nobody waits or nobody else is admitted: so who comes while others wait finds the site full.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State)) {
        let turns = {
            let mut state = self.state.lock();
            change(&mut state);
            state.turns()
        };
        // Outside the lock: a turn that nobody takes any more is a slot that ends.
        for (waiting, turn) in turns {
            let _ = waiting.send(turn.map(|ticket| Slot::new(self, ticket)));
        }
    }

    /// Which of `hosts` (the first 64 of them) were out of reach lately, as bits.
    pub(super) fn away(&self, hosts: &[HostName]) -> u64 {
        let state = self.state.lock();
        if state.away.is_empty() {
            return 0;
        }
        let now = Instant::now();
        let is_away = |host| state.away.iter().any(|(name, until)| name == host && *until > now);
        let bits = hosts.iter().take(64).enumerate().filter(|(_, host)| is_away(*host));
        bits.fold(0, |mask, (position, _)| mask | 1 << position)
    }

    /// Notes whether a host was out of reach.
    pub(super) fn note_host(&self, host: &HostName, is_away: bool) {
        let mut state = self.state.lock();
        if !is_away && state.away.is_empty() {
            return;
        }
        let now = Instant::now();
        state.away.retain(|(name, until)| name != host && *until > now);
        if is_away {
            state.away.push((host.clone(), now + AWAY));
        }
    }

    /// A delivery has a connection from now on.
    pub(super) fn connected(self: &Arc<Self>) -> Connected {
        self.connected.fetch_add(1, Ordering::Relaxed);
        Connected(Arc::clone(self))
    }

    /// How many connections may rest beside those at hand, for one that has carried so many messages: none when that was
    /// enough.
    pub(super) fn room(&self, messages: u32) -> usize {
        let state = self.state.lock();
        if !state.pacing.may_carry_another(messages) {
            return 0;
        }
        let room = state.pacing.allowed().saturating_sub(self.connected.load(Ordering::Relaxed));
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    fn is_forgettable(&self) -> bool {
        self.state.lock().pacing.is_forgettable()
    }
}

/// A delivery has a connection at hand, until this is dropped.
#[derive(Debug)]
pub(super) struct Connected(Arc<Site>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connected.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whoever waits, and what it is told.
type Turn = (oneshot::Sender<Result<Slot, Outcome>>, Result<Ticket, Outcome>);

impl State {
    /// Those who need not wait longer, with a ticket or with the reason why there is none.
    fn turns(&mut self) -> Vec<Turn> {
        let mut turns = Vec::new();
        while !self.waiting.is_empty() {
            let verdict = self.pacing.admit(now());
            if verdict == Admit::Full {
                break;
            }
            let Some(waiting) = self.waiting.pop_front().filter(|waiting| !waiting.is_closed()) else {
                continue;
            };
            let turn = match verdict {
                Admit::At(until) => Err(left_alone(self.trouble.as_ref(), until)),
                Admit::Now | Admit::Full => Ok(self.pacing.begin()),
            };
            turns.push((waiting, turn));
        }
        turns
    }
}

/// The right to use one connection to a site, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    site: Arc<Site>,
    ticket: Ticket,
    share: Option<Share>,
    began: Instant,
}

impl Slot {
    fn new(site: &Arc<Site>, ticket: Ticket) -> Self {
        Self { site: Arc::clone(site), ticket, share: None, began: Instant::now() }
    }

    /// A session was opened.
    pub(super) fn opened(&self) {
        self.site.change(|state| state.pacing.opened(self.ticket));
    }

    /// The delivery came to its end in order.
    pub(super) fn worked(&self) {
        self.site.prompt.store(self.began.elapsed() < PROMPT, Ordering::Relaxed);
        self.site.state.lock().pacing.worked();
    }

    /// No connection to the site was of use.
    pub(super) fn failed(&self, failure: Failure) {
        self.site.prompt.store(false, Ordering::Relaxed);
        self.site.change(|state| {
            state.trouble = Some(failure);
            state.pacing.failed(self.ticket, now(), random());
        });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.began.elapsed() >= PROMPT {
            self.site.prompt.store(false, Ordering::Relaxed);
        }
        // First the share: whose turn it is now finds it free.
        self.share = None;
        self.site.change(|state| state.pacing.end());
    }
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// RFC 3463, section 3.5: x.4.5 is congestion.
fn congested() -> Outcome {
    deferred((4, 4, 5), "no connection to the site came free in time")
}

/// In the words of the last failure, since a new try would most likely bring the same.
fn left_alone(trouble: Option<&Failure>, until: Timestamp) -> Outcome {
    let until = until.to_rfc3339();
    match trouble {
        Some(failure) => {
            let text = format!("{} (not tried again before {until})", failure.text);
            Outcome::Deferred(Failure { text, ..failure.clone() })
        }
        None => deferred((4, 4, 1), &format!("the site is not tried again before {until}")),
    }
}

#[cfg(test)]
mod tests;

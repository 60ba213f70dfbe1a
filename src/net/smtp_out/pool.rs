//! Connections that rest between two deliveries.
//!
//! A connection comes here when its session takes another message, and leaves it when a delivery to the same host wants
//! it, spoken to by the same rules ([`Key`]); when it has rested for [`IDLE_TIME`]; when more rest than may, the one that
//! has rested longest first; or when the pool is closed. Except for the first of these it is ended with QUIT.
//!
//! They lie in the order in which they came, so the front is always the next to go. There are few enough that looking
//! through all of them costs less than an index.
//!
//! A server may close a resting connection at any time. What has arrived meanwhile is seen before it is used again; what
//! arrives after that is the business of [`Client::was_stale`](crate::smtp::client::Client::was_stale).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use crate::net::smarthost::HostName;
use crate::smtp::client::TlsMode;

/// How long a connection may rest: we keep something busy at the other side.
pub(super) const IDLE_TIME: Duration = Duration::from_secs(30);
/// How long to wait for the reply to QUIT. Nobody waits for it but the end of the program.
const FAREWELL: Duration = Duration::from_secs(5);

/// For whom a connection is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key<'a> {
    /// The site's number. A smarthost is a site of its own, so it stands for the login and the port as well.
    pub(super) site: u64,
    /// The host.
    pub(super) host: &'a HostName,
    /// What was asked of TLS when it was opened. One that was opened without insisting is never given to a delivery that
    /// insists.
    pub(super) tls: TlsMode,
}

/// The resting connections to all hosts.
#[derive(Debug)]
pub(super) struct Pool {
    most: usize,
    resting: Mutex<Resting>,
    farewells: TaskTracker,
}

#[derive(Debug, Default)]
struct Resting {
    /// The one that has rested longest is the first.
    connections: VecDeque<Entry>,
    /// A task waits for the time of the first one.
    watched: bool,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    connection: Box<Connection>,
}

impl Pool {
    /// At most `most` connections rest at a time.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, resting: Mutex::default(), farewells: TaskTracker::new() })
    }

    /// The connection that has rested for the shortest time, if there is one and it still stands.
    pub(super) fn take(&self, key: Key<'_>) -> Option<Box<Connection>> {
        loop {
            let connection = self.resting.lock().take(key)?;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose session is ready, or ends it: when `room` connections to its site rest already, or when
    /// its session is over.
    pub(super) fn keep(self: &Arc<Self>, connection: Box<Connection>, room: usize) {
        let surplus = self.resting.lock().put(connection, room, self.most);
        if let Some(connection) = surplus {
            self.dismiss(connection);
        }
        self.watch();
    }

    /// Ends the connections to a site that rest beside `room` others, those that have rested longest first.
    pub(super) fn trim(&self, site: u64, room: usize) {
        loop {
            let surplus = self.resting.lock().take_surplus(site, room);
            let Some(connection) = surplus else { return };
            self.dismiss(connection);
        }
    }

    /// Ends a session in order, in the background. One that is not in order is just closed.
    pub(super) fn dismiss(&self, connection: Box<Connection>) {
        if connection.is_ready() {
            self.farewells.spawn(timeout(FAREWELL, connection.quit()));
        }
    }

    /// Ends all sessions that rest, waits a little for the servers' farewells, and keeps nothing from now on.
    pub(super) async fn close(&self) {
        let resting = {
            let mut resting = self.resting.lock();
            resting.closed = true;
            std::mem::take(&mut resting.connections)
        };
        for entry in resting {
            self.dismiss(entry.connection);
        }
        self.farewells.close();
        // Each farewell has a limit of its own.
        self.farewells.wait().await;
    }

    /// Connections that rest now.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.resting.lock().connections.len()
    }

    /// Sees to it that somebody ends what has rested long enough. The task holds the pool only while it looks: a pool that
    /// is dropped takes its connections with it.
    fn watch(self: &Arc<Self>) {
        if self.resting.lock().wants_watch() {
            let pool = Arc::downgrade(self);
            tokio::spawn(async move {
                while let Some(next) = pool.upgrade().and_then(|pool| pool.sweep()) {
                    sleep_until(next).await;
                }
            });
        }
    }

    /// Ends what has rested long enough; when to look again, unless nothing is left.
    fn sweep(&self) -> Option<Instant> {
        let (over, next) = self.resting.lock().over(Instant::now());
        over.into_iter().for_each(|entry| self.dismiss(entry.connection));
        next
    }
}

impl Resting {
    fn take(&mut self, key: Key<'_>) -> Option<Box<Connection>> {
        let position = self.connections.iter().rposition(|entry| entry.connection.key() == key)?;
        self.connections.remove(position).map(|entry| entry.connection)
    }

    /// Puts it in, and gives back what must go instead.
    fn put(&mut self, connection: Box<Connection>, room: usize, most: usize) -> Option<Box<Connection>> {
        let site = connection.key().site;
        let same_site =
            || self.connections.iter().filter(|entry| entry.connection.key().site == site).count();
        if self.closed || room == 0 || most == 0 || !connection.is_ready() || same_site() >= room {
            return Some(connection);
        }
        self.connections.push_back(Entry { since: Instant::now(), connection });
        if self.connections.len() > most {
            self.connections.pop_front().map(|entry| entry.connection)
        } else {
            None
        }
    }

    fn take_surplus(&mut self, site: u64, room: usize) -> Option<Box<Connection>> {
        self.of_site(site).nth(room)?;
        let first = self.of_site(site).next()?;
        self.connections.remove(first).map(|entry| entry.connection)
    }

    /// Where the connections to a site are.
    fn of_site(&self, site: u64) -> impl Iterator<Item = usize> {
        let entries = self.connections.iter().enumerate();
        entries.filter(move |(_, entry)| entry.connection.key().site == site).map(|(position, _)| position)
    }

    fn wants_watch(&mut self) -> bool {
        let wants = !self.watched && !self.connections.is_empty();
        self.watched |= wants;
        wants
    }

    fn over(&mut self, now: Instant) -> (Vec<Entry>, Option<Instant>) {
        let mut over = Vec::new();
        while let Some(entry) = self.connections.pop_front_if(|entry| entry.since + IDLE_TIME <= now) {
            over.push(entry);
        }
        let next = self.connections.front().map(|entry| entry.since + IDLE_TIME);
        self.watched = next.is_some();
        (over, next)
    }
}

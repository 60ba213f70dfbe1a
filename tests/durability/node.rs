//! A node whose daemons come and go, with the record kept of it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ledger::tell;
use crate::letter;
use crate::record::{Mode, Record};
use crate::support::PATIENCE;
use crate::support::daemon::{Daemon, Installation};

/// An installation, of which at most one daemon runs at a time.
pub struct Node {
    aliasd: Installation,
    record: Record,
    /// The lease, such as `5s`.
    lease: &'static str,
}

/// The daemon that runs.
pub struct Running {
    daemon: Daemon,
    record: Record,
    /// Its place in the record.
    pub life: usize,
}

impl Node {
    /// With its aliases made. The senders' network is trusted, so that their letters' failures are reported to them.
    pub fn set_up(aliasd: Installation, record: &Record, lease: &'static str) -> Self {
        let node = Self::on(aliasd.trusting("127.0.0.0/8"), record, lease);
        letter::set_up(&node.aliasd);
        node
    }

    /// Another node on the same database.
    pub fn another(&self) -> Self {
        Self::on(self.aliasd.another_node(), &self.record, self.lease)
    }

    fn on(aliasd: Installation, record: &Record, lease: &'static str) -> Self {
        Self { aliasd, record: record.clone(), lease }
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.aliasd.address()
    }

    /// Starts a daemon that delivers in this mode, and waits until it greets.
    pub fn serve(&mut self, mode: Mode) -> Running {
        let life = self.begin(mode);
        Running { daemon: self.aliasd.serve(), record: self.record.clone(), life }
    }

    /// The same, without waiting.
    pub fn start(&mut self, mode: Mode) -> Running {
        let life = self.begin(mode);
        Running { daemon: self.aliasd.start(), record: self.record.clone(), life }
    }

    fn begin(&mut self, mode: Mode) -> usize {
        let name = match mode {
            Mode::Direct => "direct",
            Mode::Queue => "queue",
        };
        self.aliasd.set_delivery(&format!(
            "mode = \"{name}\"\nlease = \"{}\"\nretry = [\"1s\", \"1s\", \"2s\"]\nmax_age = \"5d\"",
            self.lease
        ));
        self.record.begin(self.aliasd.hostname(), mode)
    }

    /// The rows of `queue list --json`.
    pub fn queue(&self) -> Vec<Value> {
        let listed = self.aliasd.ask(&["queue", "list"]);
        listed["items"].as_array().expect("the field items").clone()
    }

    /// How many rows of the queue are in this state.
    pub fn queued(&self, state: &str) -> usize {
        self.queue().iter().filter(|item| item["state"] == state).count()
    }

    /// Waits until everything is delivered, and tells how it goes.
    ///
    /// # Panics
    /// When a row is damaged, or when nothing has arrived anywhere for as long as [`PATIENCE`].
    pub fn drain(&self) {
        let mut progress = (usize::MAX, usize::MAX);
        let mut since = Instant::now();
        for round in 0_u32.. {
            let queue = self.queue();
            if queue.is_empty() {
                return;
            }
            assert!(queue.iter().all(|item| item["state"] != "damaged"), "damaged: {queue:#?}");
            let now = (queue.len(), self.record.look(|seen| seen.arrivals.len()));
            if round.is_multiple_of(10) {
                tell(&format!("{} deliveries in the queue, {} copies at the next hop", now.0, now.1));
            }
            if now != progress {
                (progress, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < PATIENCE, "nothing moved for {PATIENCE:?}: {queue:#?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for Node {
    /// The log of a test that failed stays: with the ids in the ledger's words it tells what the daemons did.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let name = format!("{}.{}.log", self.aliasd.hostname(), self.aliasd.address().port());
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            let copied = std::fs::copy(self.aliasd.log_file(), &kept);
            tell(&format!("the log is in {}: {copied:?}", kept.display()));
        }
    }
}

impl Running {
    /// SIGKILL. The record says when.
    pub fn kill(self) {
        let at = Instant::now();
        self.daemon.kill();
        self.record.killed(self.life, at);
    }

    /// SIGTERM; it must end with status 0.
    pub fn stop(self) {
        self.daemon.stop();
    }
}

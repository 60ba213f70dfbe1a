//! Accounts, domains, mailboxes, aliases, contacts, certificates and the queue in SQL: the adapter behind the ports
//! [`Directory`](crate::relay::ports::Directory), [`KeyWatch`](crate::relay::ports::KeyWatch),
//! [`Registry`](crate::admin::Registry) and [`Spool`](crate::queue::spool::Spool).
//!
//! One set of tables on two engines, SQLite (embedded) and MySQL or MariaDB; `migrations/` has their schema,
//! `statements` every query. What mail asks for is answered from a bounded cache; every change is told to the caches of
//! all processes that share the database (`changes`). Rules that must hold whatever happens at the same time are kept
//! inside the transaction that could break them, by unique keys and row locks, never by a check before it.
//!
//! What this does not do: it knows nothing of messages (those of the queue come sealed), makes up no addresses (reverse aliases come from the caller),
//! and never creates or migrates tables unless [`Store::migrate`] is called.
//!
//! Nothing here is fatal to the process: while the database is away, questions that the cache cannot answer fail with
//! [`StoreError::Unavailable`], and counts wait in memory.

/// A transaction whose work is `$work`, a call that takes the transaction as `$tx`: see [`Store::transact`]. A macro,
/// because a closure that borrows both its surroundings and its argument cannot promise a future that is `Send`.
macro_rules! transact {
    ($store:expr, $tx:ident => $work:expr) => {
        $store.transact(|mut transaction| async move {
            let $tx = &mut transaction;
            let result = $work.await;
            (transaction, result)
        })
    };
}

mod cache;
mod certificates;
mod changes;
mod contacts;
mod contract;
mod counters;
mod directory;
mod engine;
mod marks;
mod meters;
mod mysql;
mod queue;
mod registry;
mod rows;
mod schema;
mod sqlite;
mod statements;
mod turns;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use secrecy::SecretString;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::mail::Timestamp;
use changes::Follower;
use contract::Fault;
use counters::Counters;
use directory::Caches;
use engine::{Engine, Pools, Transaction, in_time};
use marks::Marks;
use queue::{LastDepth, Lines, Notes};
use rows::IdRow;

pub use contract::StoreError;
pub use meters::Meters;
pub use schema::{Migrated, Schema};

/// How often the changes of other processes are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How often old rows of `changes` are deleted.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);
/// How often a transaction is begun again when others are in its way, until when (waiting for a lock counts), and how
/// long it waits before the first time.
const RETRIES: u32 = 6;
const RETRY_WITHIN: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Where the database is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A file; made when it is not there.
    Sqlite(PathBuf),
    /// The URL of a database on a MySQL or MariaDB server. It has a password in it.
    MySql(SecretString),
}

/// Sizes and patience.
#[derive(Debug, Clone)]
pub struct Options {
    /// Aliases and reverse aliases kept in memory at most, and contacts as many; a quarter of it of unknown names.
    pub cache_entries: u64,
    /// Connections at most; with SQLite those that read, one more writes.
    pub connections: u32,
    /// How long a question waits for a connection, and with SQLite for the writer's lock.
    pub patience: Duration,
    /// Where caches and engine count.
    pub meters: Meters,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_entries: 24_576,
            connections: 8,
            patience: Duration::from_secs(5),
            meters: Meters::default(),
        }
    }
}

/// The database. Cheap to clone; clones share connections and cache.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    engine: Engine,
    marks: Arc<Marks>,
    caches: Caches,
    counters: Counters,
    notes: Notes,
    lines: Lines,
    last_depth: LastDepth,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engine = match self.0.engine.pools {
            Pools::Sqlite { .. } => "sqlite",
            Pools::MySql(_) => "mysql",
        };
        f.debug_struct("Store").field("engine", &engine).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database; an SQLite file (and its directory) is made for its owner alone when it is not there. Does not
    /// migrate.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server does not answer, [`StoreError::Configuration`] when it refuses us or
    /// the file cannot be used.
    pub async fn open(location: &Location, options: &Options) -> Result<Self, StoreError> {
        let pools = match location {
            Location::Sqlite(path) => sqlite::open(path, options).await?,
            Location::MySql(url) => mysql::open(url, options).await?,
        };
        let engine = Engine::new(pools, options.meters.queries.clone());
        let marks = Arc::new(Marks::new());
        let caches = Caches::new(options, &marks);
        let lines = Lines::new(&engine);
        let (counters, notes, last_depth) = Default::default();
        Ok(Self(Arc::new(Inner { engine, marks, caches, counters, notes, lines, last_depth })))
    }

    /// How the tables stand to this version.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        schema::schema(self.engine()).await
    }

    /// Brings the tables to this version. Two processes may do it at once.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the database is that of a newer version or a migration fails.
    pub async fn migrate(&self) -> Result<Migrated, StoreError> {
        schema::migrate(self.engine()).await
    }

    /// Follows the changes of other processes and writes counts and notes, until `stop`; then writes those a last time.
    ///
    /// Without it, this process sees the changes of others only when its cached answers expire.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = Box::pin(self.follow()) => {}
            () = Box::pin(self.write_counts()) => {}
            () = Box::pin(self.write_notes()) => {}
            () = Box::pin(self.prune()) => {}
        }
        self.write_rest().await;
    }

    /// Has the engine parse every statement of the store against the tables, and gives their number.
    ///
    /// # Errors
    /// Names the first statement that does not fit.
    pub async fn prepare_statements(&self) -> Result<usize, StoreError> {
        for (name, sql) in statements::ALL {
            self.engine().prepare(sql).await.map_err(|error| match error {
                StoreError::Unavailable(text) => StoreError::Unavailable(text),
                other => StoreError::Schema(format!("the statement {name} does not fit the tables: {other}")),
            })?;
        }
        Ok(statements::ALL.len())
    }

    /// Whether the database answers a question now.
    ///
    /// # Errors
    /// When it does not.
    pub async fn answers(&self) -> Result<(), StoreError> {
        let _: Option<IdRow> = self.engine().one(&statements::LAST_CHANGE, &[]).await?;
        Ok(())
    }

    /// Closes the connections; afterwards every question fails with [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.engine().close().await;
    }

    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    fn counters(&self) -> &Counters {
        &self.0.counters
    }

    fn notes(&self) -> &Notes {
        &self.0.notes
    }

    fn lines(&self) -> &Lines {
        &self.0.lines
    }

    fn last_depth(&self) -> &LastDepth {
        &self.0.last_depth
    }

    fn caches(&self) -> &Caches {
        &self.0.caches
    }

    /// Does `work` in a transaction, again from the start when other transactions were in its way. `work` must
    /// therefore do nothing that cannot be done twice. What it notes as changed is forgotten by the caches of this
    /// process before this returns.
    async fn transact<T, F>(&self, work: impl Fn(Transaction) -> F) -> Result<T, Fault>
    where
        F: Future<Output = (Transaction, Result<T, Fault>)>,
    {
        let (mut retry, begun) = (0, Instant::now());
        loop {
            let attempt = self.engine().timed_change(self.attempt(&work));
            match Box::pin(attempt).await {
                Err(Fault::Contended(error)) if retry < RETRIES && begun.elapsed() < RETRY_WITHIN => {
                    tracing::debug!(%error, retry, "a transaction is done again");
                    tokio::time::sleep(pause(retry)).await;
                    retry += 1;
                }
                result => return result,
            }
        }
    }

    async fn attempt<T, F>(&self, work: &impl Fn(Transaction) -> F) -> Result<T, Fault>
    where
        F: Future<Output = (Transaction, Result<T, Fault>)>,
    {
        let (mut tx, result) =
            in_time(async { Ok::<_, Fault>(work(self.engine().begin().await?).await) }).await?;
        match in_time(write_changes(&mut tx, result)).await {
            Ok((value, changes)) => {
                let committed = in_time(tx.commit()).await;
                // Also when the commit failed: its answer may have been lost, not the commit.
                changes.iter().for_each(|change| change.apply(&self.0.marks));
                committed.map(|()| value)
            }
            Err(fault) => {
                tx.roll_back(&fault).await;
                Err(fault)
            }
        }
    }

    async fn follow(&self) {
        let mut follower = Follower::default();
        let mut ticks = every(POLL_INTERVAL);
        let mut away = false;
        loop {
            ticks.tick().await;
            let polled = follower.poll(self.engine(), &self.0.marks).await;
            if let (Err(error), false) = (&polled, away) {
                tracing::warn!(%error, "changes of other processes cannot be read; answers may be minutes old");
            }
            if let (Ok(()), true) = (&polled, away) {
                tracing::info!("changes of other processes are followed again");
            }
            away = polled.is_err();
        }
    }

    async fn write_counts(&self) {
        let mut ticks = every(counters::INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.counters().full() => {}
            }
            if let Err(error) = counters::flush(self).await {
                tracing::warn!(%error, "counts could not be written; they are kept and tried again");
                ticks.tick().await;
            }
        }
    }

    async fn write_notes(&self) {
        let mut ticks = every(queue::INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.notes().full() => {}
            }
            if let Err(error) = queue::flush(self).await {
                tracing::warn!(%error, "accepted transactions could not be noted; they are kept and tried again");
                ticks.tick().await;
            }
        }
    }

    async fn write_rest(&self) {
        if let Err(error) = counters::flush(self).await {
            tracing::warn!(%error, "the last counts could not be written");
        }
        if let Err(error) = queue::flush(self).await {
            tracing::warn!(%error, "the last accepted transactions could not be noted");
        }
    }

    async fn prune(&self) {
        let mut ticks = every(PRUNE_INTERVAL);
        loop {
            ticks.tick().await;
            if let Err(error) = changes::prune(self).await {
                tracing::debug!(%error, "old changes could not be deleted");
            }
        }
    }
}

/// Writes what the transaction noted, if its work went well.
async fn write_changes<T>(
    tx: &mut Transaction,
    result: Result<T, Fault>,
) -> Result<(T, Vec<changes::Change>), Fault> {
    let value = result?;
    let changes = tx.take_changes();
    changes::write(tx, &changes).await?;
    Ok((value, changes))
}

fn every(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Twice as long each time, and never the same for two that met once.
fn pause(retry: u32) -> Duration {
    let longest = FIRST_PAUSE * 2_u32.pow(retry.min(RETRIES));
    let share = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos() % 1000);
    longest / 2 + longest * share / 2000
}

/// The wall clock.
fn now() -> Timestamp {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every connection carries the futures of its look-ups, also while it is idle.
    #[tokio::test]
    async fn futures_of_mail_are_small() {
        use crate::relay::alias::{AccountId, AliasId};
        use crate::relay::ports::Directory;
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("aliasd.db"));
        let store = Store::open(&location, &Options::default()).await.unwrap();
        let address = "shop@example.com".parse().unwrap();
        let lookup = size_of_val(&store.lookup(&address));
        let find = size_of_val(&store.find_contact(AliasId(1), &address));
        let certificates = size_of_val(&store.certificates(AccountId(1), &address));
        assert!(lookup <= 2048 && find <= 2048 && certificates <= 2048, "{lookup} {find} {certificates}");
    }

    fn spawned<F: Future + Send + 'static>(_: F) {}

    /// Daemon and API run these on any thread. Compiled, never run.
    #[expect(dead_code, reason = "what it proves is that it compiles")]
    fn futures_can_be_spawned(store: Store, location: Location, options: Options) {
        let (a, b, c, d, e) = (store.clone(), store.clone(), store.clone(), store.clone(), store);
        spawned(async move { Store::open(&location, &options).await.is_ok() });
        spawned(async move { a.schema().await.is_ok() });
        spawned(async move { b.migrate().await.is_ok() });
        spawned(async move { c.run(CancellationToken::new()).await });
        spawned(async move { d.prepare_statements().await.is_ok() });
        spawned(async move { e.close().await });
    }
}

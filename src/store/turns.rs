//! Group commit for SQLite, which has one writer at a time and whose commit costs a flush to the disk.
//!
//! A task owns the connection that writes. Whoever wants to change something gets a turn: the connection itself, inside an
//! open transaction and a savepoint of its own. Whoever comes while another has its turn, or while a commit is under way,
//! waits in line and joins the next transaction. When nobody waits any more (or the group is full) the task commits, and
//! only then does everybody in the group hear that it is done. So nobody waits for company, and the more come at once,
//! the fewer flushes each costs.
//!
//! - A turn that fails goes back to its savepoint; its neighbours notice nothing.
//! - A turn that is dropped half-way, or whose error made SQLite roll back everything (a full disk does), takes the group
//!   with it. The connection is closed, so that nothing half done can ever be committed, and the neighbours are told that
//!   they met somebody: they begin again.
//! - A commit that fails fails for everybody in the group.
//!
//! Transactions are begun and ended by plain statements on a connection that is no pool's: a `Transaction` of sqlx keeps
//! its own count, which a roll-back by SQLite itself leaves wrong, and its connection then never begins another.

use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::contract::{Fault, Nature, StoreError, nature};
use super::engine::in_time;

/// Turns in one transaction at most.
const MOST: usize = 128;
/// After so long no more turns are given in a transaction. (A turn that was given is waited for.)
const LONGEST: Duration = Duration::from_millis(5);
/// How often the lock that another process holds is tried again. SQLite itself would wait up to 100 ms between two tries,
/// and never meet the moment between two commits of a busy daemon.
const RETRY_LOCK: Duration = Duration::from_millis(1);
/// How many may stand in line; more wait to get into it.
const LINE: usize = 1024;

/// Gives turns.
#[derive(Debug)]
pub(super) struct Turns(mpsc::Sender<Request>);

#[derive(Debug)]
enum Request {
    Turn(Asker),
    Close(oneshot::Sender<()>),
}

type Asker = oneshot::Sender<Result<Turn, Fault>>;
/// Waits for the commit.
type Member = oneshot::Sender<Result<(), Fault>>;

/// The connection, for one who writes. Dropped, it takes the whole group with it.
#[derive(Debug)]
pub(super) struct Turn {
    connection: SqliteConnection,
    back: oneshot::Sender<Returned>,
}

/// A turn is over.
#[derive(Debug)]
struct Returned {
    connection: SqliteConnection,
    /// Absent when the turn left nothing to be committed.
    member: Option<Member>,
}

impl Turns {
    /// Starts the task; it connects when somebody asks. For so long it waits for the lock of another process.
    pub(super) fn new(options: SqliteConnectOptions, patience: Duration) -> Self {
        let (sender, requests) = mpsc::channel(LINE);
        let options = options.busy_timeout(Duration::ZERO);
        tokio::spawn(Giver { options, patience, connection: None, requests }.run());
        Self(sender)
    }

    /// Waits for a turn.
    pub(super) async fn take(&self) -> Result<Turn, Fault> {
        let (asker, answer) = oneshot::channel();
        self.0.send(Request::Turn(asker)).await.map_err(|_| closed())?;
        let mut turn = answer.await.map_err(|_| closed())??;
        run(&mut turn.connection, "SAVEPOINT turn").await?;
        Ok(turn)
    }

    /// Gives no more turns, and closes the connection when the last one is over.
    pub(super) async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.0.send(Request::Close(done)).await.is_ok() {
            // It ended in another way: closed as well.
            let _ = ended.await;
        }
    }
}

impl Turn {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Ends the turn, and waits until what it did is on disk together with what its group did.
    pub(super) async fn commit(mut self) -> Result<(), Fault> {
        // Also proves that the transaction is still open.
        run(&mut self.connection, "RELEASE turn").await?;
        let (member, committed) = oneshot::channel();
        // Only a closed store has no giver, and then nobody answers either.
        let _ = self.back.send(Returned { connection: self.connection, member: Some(member) });
        committed.await.map_err(|_| closed())?
    }

    /// Ends the turn as if it had not been. When that cannot be done the connection is dropped, which does it as well.
    pub(super) async fn roll_back(mut self) -> Result<(), sqlx::Error> {
        run(&mut self.connection, "ROLLBACK TO turn").await?;
        run(&mut self.connection, "RELEASE turn").await?;
        let _ = self.back.send(Returned { connection: self.connection, member: None });
        Ok(())
    }
}

/// The task.
struct Giver {
    options: SqliteConnectOptions,
    patience: Duration,
    /// Absent at the start, and when the last group was lost.
    connection: Option<SqliteConnection>,
    requests: mpsc::Receiver<Request>,
}

impl Giver {
    async fn run(mut self) {
        while let Some(request) = self.requests.recv().await {
            match request {
                Request::Turn(asker) => {
                    if let Some(done) = self.group(asker).await {
                        return self.close(done).await;
                    }
                }
                Request::Close(done) => return self.close(done).await,
            }
        }
    }

    async fn close(self, done: oneshot::Sender<()>) {
        if let Some(connection) = self.connection {
            // Its last act is a checkpoint; what is not in the file yet is in the log beside it.
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "the database was not closed in order");
            }
        }
        let _ = done.send(());
    }

    /// Gives turns in one transaction, and commits it. Returns a wish to close that came meanwhile.
    async fn group(&mut self, first: Asker) -> Option<oneshot::Sender<()>> {
        let mut connection = match in_time(self.begin()).await {
            Ok(connection) => connection,
            Err(fault) => {
                self.refuse(first, &fault);
                return None;
            }
        };
        let (begun, mut members, mut next, mut close) = (Instant::now(), Vec::new(), Some(first), None);
        while let Some(asker) = next.take() {
            let Some(returned) = give(connection, asker).await else {
                answer(members, &Err(lost()));
                return close;
            };
            connection = returned.connection;
            members.extend(returned.member);
            if members.len() < MOST && begun.elapsed() < LONGEST {
                match self.requests.try_recv() {
                    Ok(Request::Turn(asker)) => next = Some(asker),
                    Ok(Request::Close(done)) => close = Some(done),
                    Err(_) => {}
                }
            }
        }
        let committed = in_time(commit(connection)).await;
        answer(members, &committed.as_ref().map(|_| ()).map_err(Clone::clone));
        self.connection = committed.ok();
        close
    }

    async fn begin(&mut self) -> Result<SqliteConnection, Fault> {
        let begun = Instant::now();
        loop {
            match self.try_to_begin().await {
                Err(error) if nature(&error) == Nature::Contended && begun.elapsed() < self.patience => {
                    tokio::time::sleep(RETRY_LOCK).await;
                }
                result => return Ok(result?),
            }
        }
    }

    async fn try_to_begin(&mut self) -> Result<SqliteConnection, sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let begun = run(&mut connection, "BEGIN IMMEDIATE").await;
        if let Err(error) = begun {
            self.connection = Some(connection).filter(|_| nature(&error) == Nature::Contended);
            return Err(error);
        }
        Ok(connection)
    }

    /// Tells the one who asked, and all who stand in line behind and have waited as long, why there is no turn.
    fn refuse(&mut self, first: Asker, fault: &Fault) {
        let _ = first.send(Err(fault.clone()));
        for _ in 0..self.requests.len() {
            match self.requests.try_recv() {
                Ok(Request::Turn(asker)) => drop(asker.send(Err(fault.clone()))),
                Ok(Request::Close(done)) => {
                    self.requests.close();
                    let _ = done.send(());
                }
                Err(_) => return,
            }
        }
    }
}

/// Lends the connection; `None` when it did not come back.
async fn give(connection: SqliteConnection, asker: Asker) -> Option<Returned> {
    let (back, returned) = oneshot::channel();
    match asker.send(Ok(Turn { connection, back })) {
        Ok(()) => returned.await.ok(),
        // Whoever asked has gone away.
        Err(Ok(turn)) => Some(Returned { connection: turn.connection, member: None }),
        Err(Err(_)) => None,
    }
}

/// Gives the connection back when it did.
async fn commit(mut connection: SqliteConnection) -> Result<SqliteConnection, Fault> {
    run(&mut connection, "COMMIT").await?;
    Ok(connection)
}

fn answer(members: Vec<Member>, committed: &Result<(), Fault>) {
    for member in members {
        // Who does not listen any more has been told that it took too long.
        let _ = member.send(committed.clone());
    }
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(connection).await.map(drop)
}

fn lost() -> Fault {
    Fault::Contended(StoreError::Unavailable(
        "another change broke off the transaction that both were in".to_owned(),
    ))
}

fn closed() -> Fault {
    Fault::Failed(StoreError::Unavailable("the database has been closed".to_owned()))
}

#[cfg(test)]
mod tests;

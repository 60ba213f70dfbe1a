//! The two engines behind one face: a typed pool for each, and statements that run on either.
//!
//! Reads go through [`Engine`], writes through a [`Transaction`]. Nothing here knows what the tables mean.

use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, FromRow, MySql, MySqlPool, SqlSafeStr, Sqlite, SqlitePool, mysql::MySqlRow};

use super::changes::Change;
use super::contract::{Fault, Nature, StoreError, nature};
use super::meters::QueryMeters;
use super::statements::Sql;
use super::turns::{Turn, Turns};

/// No question and no transaction may take longer: a dead peer says nothing, and TCP notices after a quarter of an hour.
const LIMIT: Duration = Duration::from_secs(20);

/// A row type that either engine can fill.
pub(super) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin {}

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        Self::Bytes(value)
    }
}

/// The parameters of a statement, in their order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::engine::Value::from($value)),*]
    };
}
pub(super) use values;

/// Binds `$values` to `$query`, whatever engine it is for.
macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match *value {
                Value::Bool(value) => query.bind(value),
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}

/// One database.
pub(super) struct Engine {
    pub(super) pools: Pools,
    meters: QueryMeters,
}

/// Its connections.
pub(super) enum Pools {
    /// SQLite has one writer at a time: rows are changed in turns, the schema by `migrator`. Readers see the last commit
    /// (WAL).
    Sqlite { turns: Turns, migrator: SqlitePool, readers: SqlitePool },
    /// MySQL or MariaDB.
    MySql(MySqlPool),
}

impl Engine {
    pub(super) fn new(pools: Pools, meters: QueryMeters) -> Self {
        Self { pools, meters }
    }

    /// All rows of a query.
    pub(super) async fn all<T: Record>(&self, sql: &Sql, values: &[Value<'_>]) -> Result<Vec<T>, StoreError> {
        let begun = Instant::now();
        let rows = in_time(async {
            Ok(match &self.pools {
                Pools::Sqlite { readers, .. } => {
                    bound!(sqlx::query_as::<Sqlite, T>(sql.sqlite), values).fetch_all(readers).await?
                }
                Pools::MySql(pool) => {
                    bound!(sqlx::query_as::<MySql, T>(sql.mysql), values).fetch_all(pool).await?
                }
            })
        })
        .await;
        self.meters.reads.record(begun.elapsed());
        rows
    }

    /// Does a transaction's work, and notes how long it took.
    pub(super) async fn timed_change<T>(&self, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let result = work.await;
        self.meters.changes.record(begun.elapsed());
        result
    }

    /// The first row of a query.
    pub(super) async fn one<T: Record>(
        &self,
        sql: &Sql,
        values: &[Value<'_>],
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Begins a transaction that may write.
    pub(super) async fn begin(&self) -> Result<Transaction, Fault> {
        let inner = match &self.pools {
            Pools::Sqlite { turns, .. } => Inner::Sqlite(turns.take().await?),
            Pools::MySql(pool) => Inner::MySql(pool.begin().await?),
        };
        Ok(Transaction { inner, changes: Vec::new() })
    }

    /// Has the engine parse a statement and look up the tables that it names; one that it has no use for is fine.
    pub(super) async fn prepare(&self, sql: &Sql) -> Result<(), StoreError> {
        in_time(async {
            match &self.pools {
                Pools::Sqlite { .. } if sql.sqlite.is_empty() => {}
                Pools::MySql(_) if sql.mysql.is_empty() => {}
                Pools::Sqlite { migrator, .. } => {
                    migrator.acquire().await?.prepare(sql.sqlite.into_sql_str()).await?;
                }
                Pools::MySql(pool) => {
                    pool.acquire().await?.prepare(sql.mysql.into_sql_str()).await?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Waits until no connection is in use, then closes them.
    pub(super) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { turns, migrator, readers } => {
                readers.close().await;
                migrator.close().await;
                turns.close().await;
            }
            Pools::MySql(pool) => pool.close().await,
        }
    }
}

/// What an `INSERT` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    /// The id of the new row.
    Row(i64),
    /// A unique key has such a row already; nothing was changed, and the transaction goes on.
    Duplicate,
}

/// A transaction, or with SQLite a part of one (`turns`); dropped without a commit it leaves no trace.
pub(super) struct Transaction {
    inner: Inner,
    /// What caches must forget when this is committed.
    changes: Vec<Change>,
}

enum Inner {
    Sqlite(Turn),
    MySql(sqlx::Transaction<'static, MySql>),
}

impl Transaction {
    /// All rows of a query.
    pub(super) async fn all<T: Record>(
        &mut self,
        sql: &Sql,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, sqlx::Error> {
        match &mut self.inner {
            Inner::Sqlite(turn) => {
                bound!(sqlx::query_as::<Sqlite, T>(sql.sqlite), values).fetch_all(turn.connection()).await
            }
            Inner::MySql(tx) => {
                bound!(sqlx::query_as::<MySql, T>(sql.mysql), values).fetch_all(&mut **tx).await
            }
        }
    }

    /// The first row of a query.
    pub(super) async fn one<T: Record>(
        &mut self,
        sql: &Sql,
        values: &[Value<'_>],
    ) -> Result<Option<T>, sqlx::Error> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Runs a statement that returns nothing; gives the id of a row that it inserted.
    pub(super) async fn execute(&mut self, sql: &Sql, values: &[Value<'_>]) -> Result<i64, sqlx::Error> {
        match &mut self.inner {
            Inner::Sqlite(turn) => {
                let done =
                    bound!(sqlx::query::<Sqlite>(sql.sqlite), values).execute(turn.connection()).await?;
                Ok(done.last_insert_rowid())
            }
            Inner::MySql(tx) => {
                let done = bound!(sqlx::query::<MySql>(sql.mysql), values).execute(&mut **tx).await?;
                Ok(i64::try_from(done.last_insert_id()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Runs a statement that returns nothing; gives how many rows it changed, or would have if they were not as it makes
    /// them.
    pub(super) async fn change(&mut self, sql: &Sql, values: &[Value<'_>]) -> Result<u64, sqlx::Error> {
        match &mut self.inner {
            Inner::Sqlite(turn) => {
                let done =
                    bound!(sqlx::query::<Sqlite>(sql.sqlite), values).execute(turn.connection()).await?;
                Ok(done.rows_affected())
            }
            Inner::MySql(tx) => {
                let done = bound!(sqlx::query::<MySql>(sql.mysql), values).execute(&mut **tx).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Whether this is the engine that has `UPDATE … RETURNING` and one writer at a time.
    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.inner, Inner::Sqlite(_))
    }

    /// Inserts a row, unless a unique key forbids it.
    pub(super) async fn insert(&mut self, sql: &Sql, values: &[Value<'_>]) -> Result<Inserted, sqlx::Error> {
        match self.execute(sql, values).await {
            Ok(id) => Ok(Inserted::Row(id)),
            Err(error) if nature(&error) == Nature::Duplicate => Ok(Inserted::Duplicate),
            Err(error) => Err(error),
        }
    }

    /// Notes what the caches of all nodes must forget.
    pub(super) fn changed(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// The noted changes, to be written and applied.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    pub(super) async fn commit(self) -> Result<(), Fault> {
        match self.inner {
            Inner::Sqlite(turn) => turn.commit().await?,
            Inner::MySql(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Gives up now, rather than when the connection is used next. A connection to SQLite that failed for a reason outside
    /// the database is not used again: one that was opened read-only would stay so when the file can be written to again.
    pub(super) async fn roll_back(self, fault: &Fault) {
        let is_outside =
            matches!(fault, Fault::Failed(StoreError::Unavailable(_) | StoreError::Configuration(_)));
        let result = match self.inner {
            Inner::Sqlite(turn) if is_outside => {
                drop(turn);
                Ok(())
            }
            Inner::Sqlite(turn) => turn.roll_back().await,
            Inner::MySql(tx) => tx.rollback().await,
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a transaction could not be rolled back; the database does it with the connection");
        }
    }
}

/// `work`, unless it takes longer than [`LIMIT`].
pub(super) async fn in_time<T, E: From<StoreError>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(LIMIT, work).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {} s", LIMIT.as_secs())).into()),
    }
}

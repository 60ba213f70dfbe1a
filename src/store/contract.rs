//! What can go wrong in the store, and the one place that judges an error of the database.
//!
//! An error is *away* (the database does not answer; the sender may try again), *configuration* (only a person can
//! mend it), *schema* (the tables do not fit this program) or a *bug*. No text here holds the URL of the database,
//! which has a password in it, nor the message of a violated key, which has addresses in it.

use crate::admin::RegistryError;
use crate::relay::ports::Unavailable;

/// Why the store did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or not in time. Try again.
    #[error("{0}")]
    Unavailable(String),
    /// The database cannot be used as it is configured: a wrong URL, password, path or permission.
    #[error("{0}")]
    Configuration(String),
    /// The tables are not those of this version.
    #[error("{0}")]
    Schema(String),
    /// The store and its tables disagree; trying again does not help.
    #[error("unexpected answer of the database: {0}")]
    Bug(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = describe(&error);
        match nature(&error) {
            Nature::Away | Nature::Contended => Self::Unavailable(text),
            Nature::Denied => Self::Configuration(text),
            Nature::NoTable => {
                Self::Schema(format!("{text}; bring the database to this version with \"migrate\""))
            }
            Nature::Duplicate | Nature::Bug => Self::Bug(text),
        }
    }
}

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        report(&error);
        Self(error.to_string())
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        report(&error);
        Self::Unavailable(error.to_string())
    }
}

/// Callers may only say "try again later", so what does not mend itself is told to the operator here.
fn report(error: &StoreError) {
    if !matches!(error, StoreError::Unavailable(_)) {
        tracing::error!(%error, "the store failed in a way that does not mend itself");
    }
}

/// Why a transaction was not committed.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The rules say no.
    Refused(RegistryError),
    /// Another transaction was in the way: the same work may succeed when it is done again from the start.
    Contended(StoreError),
    /// Anything else.
    Failed(StoreError),
}

impl From<RegistryError> for Fault {
    fn from(error: RegistryError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match nature(&error) {
            Nature::Contended => Self::Contended(error.into()),
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<Fault> for RegistryError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Contended(error) | Fault::Failed(error) => error.into(),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => Self::Unavailable(error.to_string()),
            Fault::Contended(error) | Fault::Failed(error) => error,
        }
    }
}

/// What kind of trouble an error of the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// It does not answer, or cannot write now.
    Away,
    /// Another transaction was in the way.
    Contended,
    /// A unique key has that value already.
    Duplicate,
    /// We may not, or there is no such database.
    Denied,
    /// A table or column is missing.
    NoTable,
    /// Our mistake.
    Bug,
}

pub(super) fn nature(error: &sqlx::Error) -> Nature {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Nature::Away,
        sqlx::Error::Configuration(_) => Nature::Denied,
        sqlx::Error::Database(error) => nature_of_answer(error.as_ref()),
        _ => Nature::Bug,
    }
}

fn nature_of_answer(error: &dyn sqlx::error::DatabaseError) -> Nature {
    if error.is_unique_violation() {
        return Nature::Duplicate;
    }
    // A row that was there when we looked was removed by another transaction, or the other way round: looking again
    // finds the right answer.
    if error.is_foreign_key_violation() {
        return Nature::Contended;
    }
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return nature_of_mysql(error.number());
    }
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.map_or(Nature::Bug, |code| nature_of_sqlite(code, error.message()))
}

/// By the error numbers of the MySQL and MariaDB reference manuals.
fn nature_of_mysql(number: u16) -> Nature {
    match number {
        // Lock wait timeout, deadlock (also a certification conflict of Galera), record changed since last read.
        1205 | 1213 | 1020 => Nature::Contended,
        // Access denied (three kinds), unknown database, unknown host, command denied, no such user for TLS.
        1044 | 1045 | 1049 | 1130 | 1142 | 1698 | 3159 => Nature::Denied,
        1054 | 1146 => Nature::NoTable,
        // Too many connections (server, user), shutting down, not ready (Galera), out of memory or disk, read-only
        // (three kinds), interrupted, timed out, killed, error during commit.
        1040
        | 1203
        | 1053
        | 1047
        | 1037
        | 1041
        | 1021
        | 1114
        | 1290
        | 1792
        | 1836
        | 1317
        | 1969
        | 3024
        | 1927
        | 1180
        | 1158..=1161 => Nature::Away,
        _ => Nature::Bug,
    }
}

/// By the primary result codes (<https://sqlite.org/rescode.html>): the low octet of the extended one.
fn nature_of_sqlite(code: i32, message: &str) -> Nature {
    match code & 0xff {
        5 | 6 => Nature::Contended,
        // Out of memory, I/O error, disk full, schema changed.
        7 | 10 | 13 | 17 => Nature::Away,
        // No permission, read-only, cannot open, refused, not a database.
        3 | 8 | 14 | 23 | 26 => Nature::Denied,
        1 if message.starts_with("no such table") || message.starts_with("no such column") => Nature::NoTable,
        _ => Nature::Bug,
    }
}

/// The error in words that may be shown and logged.
fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => "no connection to the database within the time allowed".to_owned(),
        sqlx::Error::PoolClosed => "the database has been closed".to_owned(),
        sqlx::Error::Io(error) => format!("the connection to the database failed: {error}"),
        sqlx::Error::Database(error) if error.is_unique_violation() => "a unique key is taken".to_owned(),
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("{} ({code})", error.message()),
            None => error.message().to_owned(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_mysql_are_judged() {
        for (number, wanted) in [
            (1213, Nature::Contended),
            (1205, Nature::Contended),
            (1045, Nature::Denied),
            (1049, Nature::Denied),
            (1146, Nature::NoTable),
            (1040, Nature::Away),
            (1064, Nature::Bug),
        ] {
            assert_eq!(nature_of_mysql(number), wanted, "{number}");
        }
    }

    #[test]
    fn extended_codes_of_sqlite_are_judged_by_their_primary_one() {
        // SQLITE_BUSY_SNAPSHOT, SQLITE_IOERR_FSYNC, SQLITE_CANTOPEN_ISDIR.
        for (code, wanted) in [(517, Nature::Contended), (1034, Nature::Away), (526, Nature::Denied)] {
            assert_eq!(nature_of_sqlite(code, ""), wanted, "{code}");
        }
        assert_eq!(nature_of_sqlite(1, "no such table: aliases"), Nature::NoTable);
        assert_eq!(nature_of_sqlite(1, "near \"FORM\": syntax error"), Nature::Bug);
    }

    #[test]
    fn being_away_can_be_told_from_a_wrong_setting() {
        let away = StoreError::from(sqlx::Error::PoolTimedOut);
        assert!(matches!(away, StoreError::Unavailable(_)), "{away}");
        let wrong = StoreError::from(sqlx::Error::Configuration("no such option".into()));
        assert!(matches!(wrong, StoreError::Configuration(_)), "{wrong}");
        assert!(matches!(Fault::from(sqlx::Error::RowNotFound), Fault::Failed(StoreError::Bug(_))));
    }
}

//! Opening the database that the configuration names.

use crate::config::Database;
use crate::store::{Location, Meters, Options, Schema, Store, StoreError};

/// What to do about a schema that is older than this version's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// SQLite is made and migrated as needed; MySQL/MariaDB is not touched (several nodes may share it).
    OnlySqlite,
    /// Bring either to this version.
    Yes,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The store says so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The schema is older, and migrating it is the operator's decision.
    #[error("the database {found}: run `aliasd migrate`, or `aliasd serve --migrate`")]
    Behind {
        /// What is there.
        found: String,
    },
    /// A newer aliasd has migrated it beyond what this version knows.
    #[error(
        "the database is at schema {applied} and this aliasd knows {wanted}: install the version that migrated it"
    )]
    Ahead {
        /// The number of the last migration that it has.
        applied: i64,
        /// The number of the last migration of this version.
        wanted: i64,
    },
}

/// Opens the database as it is. What it does counts in `meters`; those of a command that soon ends are the default.
///
/// # Errors
/// When it cannot be reached or used.
pub async fn connect(database: &Database, meters: Meters) -> Result<Store, DatabaseError> {
    let location = match database {
        Database::Sqlite(path) => Location::Sqlite(path.clone()),
        Database::MySql(url) => Location::MySql(url.clone()),
    };
    Ok(Store::open(&location, &Options { meters, ..Options::default() }).await?)
}

/// As [`connect`], and sees to its schema.
///
/// # Errors
/// When it cannot be reached or its schema does not fit.
pub async fn open(database: &Database, migrate: Migrate, meters: Meters) -> Result<Store, DatabaseError> {
    let store = connect(database, meters).await?;
    let may_migrate = migrate == Migrate::Yes || matches!(database, Database::Sqlite(_));
    match store.schema().await? {
        Schema::Current => {}
        Schema::Ahead { applied, wanted } => return Err(DatabaseError::Ahead { applied, wanted }),
        Schema::Empty | Schema::Behind { .. } if may_migrate => {
            store.migrate().await?;
        }
        Schema::Empty => return Err(DatabaseError::Behind { found: "has no tables yet".to_owned() }),
        Schema::Behind { applied, wanted } => {
            let found = format!("is at schema {applied} and this version needs {wanted}");
            return Err(DatabaseError::Behind { found });
        }
    }
    Ok(store)
}

//! Opening the database that the configuration names.

use crate::config::Database;
use crate::store::{Location, Options, Schema, Store, StoreError};

/// What to do about a schema that is not this version's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// SQLite is created and migrated as needed; MySQL/MariaDB is not touched (several nodes may share it).
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
    #[error("the database has an older schema ({found}): run `aliasd migrate`, or `aliasd serve --migrate`")]
    Behind {
        /// What is there.
        found: String,
    },
    /// A newer aliasd has migrated it beyond what this version knows.
    #[error("the database has a newer schema than this aliasd knows: install the version that migrated it")]
    Ahead,
}

/// Opens the database and sees to its schema.
///
/// # Errors
/// When it cannot be reached or its schema does not fit.
pub async fn open(database: &Database, migrate: Migrate) -> Result<Store, DatabaseError> {
    let (location, embedded) = match database {
        Database::Sqlite(path) => (Location::Sqlite(path.clone()), true),
        Database::MySql(url) => (Location::MySql(url.clone()), false),
    };
    let store = Store::open(&location, &Options::default()).await?;
    match store.schema().await? {
        Schema::Current => {}
        Schema::Ahead => return Err(DatabaseError::Ahead),
        Schema::Empty | Schema::Behind { .. } if embedded || migrate == Migrate::Yes => {
            store.migrate().await?;
        }
        found => return Err(DatabaseError::Behind { found: found.to_string() }),
    }
    Ok(store)
}

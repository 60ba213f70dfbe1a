//! How an SQLite file is made and opened.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::Options;
use super::contract::{Nature, StoreError, nature};
use super::engine::Pools;
use super::turns::Turns;

/// Two processes that make the same file at once are in each other's way for a moment: the switch to WAL does not wait.
const OPENING_ATTEMPTS: u32 = 20;

pub(super) async fn open(path: &Path, options: &Options) -> Result<Pools, StoreError> {
    create_if_absent(path)?;
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.patience)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    let readers = SqlitePoolOptions::new()
        .max_connections(options.connections)
        .acquire_timeout(options.patience)
        .connect_lazy_with(connect.clone().pragma("query_only", "ON"));
    let migrator = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(options.patience)
        .connect_lazy_with(connect.clone());
    try_out(&migrator).await.map_err(|error| name_file(&error, path))?;
    Ok(Pools::Sqlite { turns: Turns::new(connect, options.patience), migrator, readers })
}

async fn try_out(pool: &sqlx::SqlitePool) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        match pool.acquire().await {
            Ok(_) => return Ok(()),
            Err(error) if nature(&error) == Nature::Contended && attempt < OPENING_ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes the file for its owner alone (SQLite gives its WAL the same permissions), and its directory.
fn create_if_absent(path: &Path) -> Result<(), StoreError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(|error| cannot("make the directory", parent, &error))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot("make the database", path, &error)),
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Configuration(format!("cannot {what} {}: {error}", path.display()))
}

fn name_file(error: &StoreError, path: &Path) -> StoreError {
    let text = format!("cannot open the database {}: {error}", path.display());
    match error {
        StoreError::Unavailable(_) => StoreError::Unavailable(text),
        _ => StoreError::Configuration(text),
    }
}

//! The database of the commands: opened for one command, and closed after it.

use std::io::Write;

use crate::app::database::{self, DatabaseError, Migrate};
use crate::app::discovery::OnDemand;
use crate::app::surroundings::System;
use crate::config::Settings;
use crate::pgp::Engine;
use crate::store::{Meters, StoreError};

use super::administer;
use super::arguments::AdminCommand;
use super::failure::Failure;

/// Opens the database of these settings (SQLite is made and migrated as `serve` does) and does the command.
///
/// # Errors
/// What the command says; [`Failure::TryAgain`] when the database is away.
pub async fn administer<W: Write>(
    settings: &Settings,
    command: AdminCommand,
    out: &mut W,
) -> Result<(), Failure> {
    let store =
        database::open(&settings.database, Migrate::OnlySqlite, Meters::default()).await.map_err(failure)?;
    // What it says of subjects does not matter here: nothing is encrypted.
    let openpgp = Engine::new(true);
    let discovery = OnDemand::new(settings.dns_servers.clone());
    let done = administer::run(command, &store, &openpgp, &discovery, &System, out).await;
    store.close().await;
    done
}

/// Brings the database to this version and says what was done.
///
/// # Errors
/// [`Failure::TryAgain`] when the database is away.
pub async fn migrate<W: Write>(settings: &Settings, out: &mut W) -> Result<(), Failure> {
    let store = database::connect(&settings.database, Meters::default()).await.map_err(failure)?;
    let migrated = store.migrate().await.map_err(|error| failure(error.into()))?;
    store.close().await;
    if migrated.from == migrated.to {
        writeln!(out, "the database is at schema {} already", migrated.to)?;
    } else {
        writeln!(out, "the database went from schema {} to schema {}", migrated.from, migrated.to)?;
    }
    Ok(())
}

/// What a failure of the database means for the shell.
pub(super) fn failure(error: DatabaseError) -> Failure {
    match error {
        DatabaseError::Store(StoreError::Unavailable(text)) => {
            Failure::TryAgain(format!("the database is away: {text}; try again"))
        }
        DatabaseError::Store(StoreError::Configuration(text)) => {
            Failure::Setup(format!("database.url: {text}"))
        }
        other => Failure::Refused(other.to_string()),
    }
}

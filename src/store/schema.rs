//! Bringing a database to the tables of this version, and telling how far it is. The migrations are in the binary.
//!
//! Two nodes may migrate at once: one works, the other waits and then finds nothing to do.

use std::collections::BTreeSet;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{MySqlConnection, MySqlPool, SqlitePool};

use super::contract::{Nature, StoreError, nature};
use super::engine::{Engine, Pools};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static MYSQL: Migrator = sqlx::migrate!("migrations/mysql");

/// Where the engine keeps what was applied; the name that sqlx and its command use.
const TABLE: &str = "_sqlx_migrations";
/// How long a node waits for another one that migrates.
const LOCK_SECONDS: i64 = 600;

/// How the tables of a database stand to this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// They are those of this version.
    Current,
    /// A migration brings them there.
    Behind {
        /// The number of the last migration that it has.
        applied: i64,
        /// The number of the last migration of this version.
        wanted: i64,
    },
    /// A newer version migrated them.
    Ahead {
        /// The number of the last migration that it has.
        applied: i64,
        /// The number of the last migration of this version.
        wanted: i64,
    },
    /// There are no tables yet.
    Empty,
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The number of the last migration before; 0 for an empty database.
    pub from: i64,
    /// The number of the last migration now.
    pub to: i64,
}

pub(super) async fn schema(engine: &Engine) -> Result<Schema, StoreError> {
    let migrator = match &engine.pools {
        Pools::Sqlite { .. } => &SQLITE,
        Pools::MySql(_) => &MYSQL,
    };
    let versions: BTreeSet<i64> = migrator.iter().map(|migration| migration.version).collect();
    let wanted = versions.last().copied().unwrap_or(0);
    Ok(match applied(engine).await?.last().copied() {
        None => Schema::Empty,
        Some(applied) if applied == wanted => Schema::Current,
        Some(applied) if applied < wanted => Schema::Behind { applied, wanted },
        Some(applied) => Schema::Ahead { applied, wanted },
    })
}

/// The migrations that the database has, without those that broke off.
async fn applied(engine: &Engine) -> Result<BTreeSet<i64>, StoreError> {
    const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success = 1";
    let found = match &engine.pools {
        Pools::Sqlite { migrator, .. } => sqlx::query_scalar(APPLIED).fetch_all(migrator).await,
        Pools::MySql(pool) => sqlx::query_scalar(APPLIED).fetch_all(pool).await,
    };
    match found {
        Ok(versions) => Ok(versions.into_iter().collect()),
        Err(error) if nature(&error) == Nature::NoTable => Ok(BTreeSet::new()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn migrate(engine: &Engine) -> Result<Migrated, StoreError> {
    if let Schema::Ahead { applied, wanted } = schema(engine).await? {
        return Err(StoreError::Schema(format!(
            "the database is that of a newer version (migration {applied}, this version knows {wanted}); \
             run that version"
        )));
    }
    let from = applied(engine).await?.last().copied().unwrap_or(0);
    match &engine.pools {
        Pools::Sqlite { migrator, .. } => migrate_sqlite(migrator).await?,
        Pools::MySql(pool) => migrate_mysql(pool).await?,
    }
    let to = applied(engine).await?.last().copied().unwrap_or(0);
    Ok(Migrated { from, to })
}

/// All migrations in one write transaction: other processes wait for it, and it happens whole or not at all.
async fn migrate_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    apply_missing(&SQLITE, &mut *tx).await.map_err(explain)?;
    Ok(tx.commit().await?)
}

/// Under a lock of our own: the one of sqlx asks for an endless wait by a negative number, which MariaDB answers with
/// NULL and no lock. MySQL commits after each table, so a crash can leave a migration half done; that is told.
async fn migrate_mysql(pool: &MySqlPool) -> Result<(), StoreError> {
    // Detached, so that the lock ends with the connection however this function is left.
    let mut connection = pool.acquire().await?.detach();
    lock(&mut connection).await?;
    apply_missing(&MYSQL, &mut connection).await.map_err(explain)
}

/// Applies what is missing, in order. (The loop of [`Migrator::run`] would take the lock of sqlx, and its future cannot be
/// shown to be `Send`.)
async fn apply_missing<C: Migrate + Send>(
    migrator: &'static Migrator,
    connection: &mut C,
) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(TABLE).await?;
    if let Some(version) = connection.dirty_version(TABLE).await? {
        return Err(MigrateError::Dirty(version));
    }
    let applied = connection.list_applied_migrations(TABLE).await?;
    for migration in migrator.iter() {
        match applied.iter().find(|done| done.version == migration.version) {
            None => drop(connection.apply(TABLE, migration).await?),
            Some(done) if done.checksum == migration.checksum => {}
            Some(done) => return Err(MigrateError::VersionMismatch(done.version)),
        }
    }
    Ok(())
}

async fn lock(connection: &mut MySqlConnection) -> Result<(), StoreError> {
    // Lock names are per server and at most 64 characters long.
    let taken: Option<i64> =
        sqlx::query_scalar("SELECT GET_LOCK(CONCAT('aliasd-migrate-', MD5(DATABASE())), ?)")
            .bind(LOCK_SECONDS)
            .fetch_one(connection)
            .await?;
    if taken == Some(1) {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "another node has been migrating the database for more than {LOCK_SECONDS} s"
    )))
}

fn explain(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => error.into(),
        MigrateError::ExecuteMigration(error, version) => {
            StoreError::Schema(format!("migration {version} failed: {}", StoreError::from(error)))
        }
        MigrateError::Dirty(version) => StoreError::Schema(format!(
            "migration {version} was broken off half-way; restore the database from before it, or finish it by hand \
             and set success = 1 for it in _sqlx_migrations"
        )),
        MigrateError::VersionMismatch(version) => StoreError::Schema(format!(
            "migration {version} of the database is not the one of this version; was it changed by hand?"
        )),
        other => StoreError::Schema(other.to_string()),
    }
}

//! A database of its own for each test: a SQLite file, or a fresh schema on the MariaDB that `./test` starts.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, SqliteConnection};

/// Which engine a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    MariaDb,
}

/// An empty database, dropped with this value.
pub enum Database {
    /// A file in the data directory of the node.
    Sqlite,
    /// A schema of this name on the server at this URL.
    MariaDb { server: String, name: String },
}

impl Database {
    /// # Panics
    /// When MariaDB is asked for and `ALIASD_TEST_MYSQL_URL` is not set or does not answer.
    pub fn fresh(engine: Engine) -> Self {
        if engine == Engine::Sqlite {
            return Self::Sqlite;
        }
        let server = std::env::var("ALIASD_TEST_MYSQL_URL")
            .expect("ALIASD_TEST_MYSQL_URL names a MariaDB on which schemas may be made; ./test starts one");
        Self::on(server)
    }

    /// A new schema on the MariaDB at this URL.
    pub fn on(server: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("aliasd_relay_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        execute(&server, format!("CREATE DATABASE {name}")).expect("a new schema");
        Self::MariaDb { server, name }
    }

    /// The value of `database.url` for a node with this data directory.
    pub fn url(&self, data_dir: &std::path::Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite:{}", data_dir.join("aliasd.db").display()),
            Self::MariaDb { server, name } => format!("{}/{name}", server.trim_end_matches('/')),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::MariaDb { server, name } = self {
            // The server is thrown away after the run anyway.
            let _ = execute(server, format!("DROP DATABASE {name}"));
        }
    }
}

/// Runs one statement.
pub fn execute(url: &str, statement: String) -> Result<(), sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = MySqlConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    })
}

/// Runs one statement on the database of a node, past its commands.
///
/// # Panics
/// When the database does not take it.
pub fn alter(url: &str, statement: String) {
    if !url.starts_with("sqlite:") {
        return execute(url, statement).expect("MariaDB takes the statement");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let altered = runtime.block_on(async {
        let mut connection = SqliteConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    });
    altered.expect("SQLite takes the statement");
}

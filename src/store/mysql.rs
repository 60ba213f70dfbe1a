//! How a MySQL or MariaDB database is reached.

use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{Connection, Executor, MySqlConnection};

use super::Options;
use super::contract::StoreError;
use super::engine::Pools;

/// Strict, so that a value that does not fit is an error and not another value; short lock waits, since a sender waits
/// for us; READ COMMITTED, so that what we read after waiting for a lock is what is there now.
const SESSION: [&str; 3] = [
    "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION innodb_lock_wait_timeout = 5",
];

pub(super) async fn open(url: &SecretString, options: &Options) -> Result<Pools, StoreError> {
    let connect = parse(url.expose_secret())?;
    try_out(&connect, options).await?;
    let pool = MySqlPoolOptions::new()
        .max_connections(options.connections)
        .acquire_timeout(options.patience)
        .after_connect(|connection, _| Box::pin(prepare_session(connection)))
        .connect_lazy_with(connect);
    Ok(Pools::MySql(pool))
}

/// Reads the URL. Its text never enters an error: it holds the password.
fn parse(url: &str) -> Result<MySqlConnectOptions, StoreError> {
    let wrong = |what: &str| {
        StoreError::Configuration(format!(
            "the database URL {what}; its form is mysql://user:password@host:3306/database"
        ))
    };
    let options = MySqlConnectOptions::from_str(url).map_err(|_| wrong("cannot be read"))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err(wrong("names no database"));
    }
    Ok(options.charset("utf8mb4"))
}

/// Connects once outside the pool, which would only say that it waited in vain.
async fn try_out(connect: &MySqlConnectOptions, options: &Options) -> Result<(), StoreError> {
    let server = format!("{}:{}", connect.get_host(), connect.get_port());
    let connecting = tokio::time::timeout(options.patience, MySqlConnection::connect_with(connect));
    match connecting.await {
        Ok(Ok(connection)) => {
            // Only politeness: the server notices a closed socket as well.
            let _ = connection.close().await;
            Ok(())
        }
        Ok(Err(error)) => Err(name_server(error.into(), &server)),
        Err(_) => Err(StoreError::Unavailable(format!(
            "the database server {server} does not answer within {:?}",
            options.patience
        ))),
    }
}

fn name_server(error: StoreError, server: &str) -> StoreError {
    match error {
        StoreError::Unavailable(text) => {
            StoreError::Unavailable(format!("cannot reach the database server {server}: {text}"))
        }
        StoreError::Configuration(text) => {
            StoreError::Configuration(format!("the database server {server} refuses us: {text}"))
        }
        other => other,
    }
}

async fn prepare_session(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    for statement in SESSION {
        connection.execute(statement).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_told_without_its_password() {
        for url in ["mysql://user:hunter2@host:99999/aliasd", "mysql://user:hunter2@host:3306/", "hunter2"] {
            let error = parse(url).unwrap_err();
            assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_good_url_is_taken() {
        let options = parse("mysql://user:hunter2@db.example.com:3307/aliasd").unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("db.example.com", 3307));
        assert_eq!(options.get_database(), Some("aliasd"));
    }
}

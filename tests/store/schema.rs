//! Opening, migrating, and statements against the tables.

use std::os::unix::fs::PermissionsExt;

use aliasd::admin::Registry;
use aliasd::store::{Location, Migrated, Options, Schema, Store, StoreError};
use secrecy::SecretString;

use crate::harness::{Database, on_both_engines, server_url};

on_both_engines!(
    an_empty_database_is_migrated_once,
    two_nodes_may_migrate_at_once,
    a_newer_schema_is_left_alone,
    tables_that_are_missing_are_told,
    every_statement_can_be_prepared,
);

async fn an_empty_database_is_migrated_once(database: Database) {
    let store = database.open().await;
    assert_eq!(store.schema().await.unwrap(), Schema::Empty);
    let Migrated { from, to } = store.migrate().await.unwrap();
    assert!(from == 0 && to > 0, "{from} {to}");
    assert_eq!(store.schema().await.unwrap(), Schema::Current);
    assert_eq!(store.migrate().await.unwrap(), Migrated { from: to, to });
    assert_eq!(store.account("default").await.unwrap().name, "default");
}

async fn two_nodes_may_migrate_at_once(database: Database) {
    let opening = (0..4).map(|_| {
        let database = database.clone();
        tokio::spawn(async move {
            let store = database.open().await;
            store.migrate().await.unwrap();
            store
        })
    });
    for task in opening.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().schema().await.unwrap(), Schema::Current);
    }
}

async fn a_newer_schema_is_left_alone(database: Database) {
    let store = database.store().await;
    database
        .sql(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of a newer version', 1, x'00', 0)",
        )
        .await;
    let Schema::Ahead { applied: 9999, wanted } = store.schema().await.unwrap() else { panic!("not ahead") };
    assert!(wanted < 9999);
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains("newer")), "{error:?}");
}

async fn tables_that_are_missing_are_told(database: Database) {
    let store = database.open().await;
    let error = store.prepare_statements().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains("migrate")), "{error:?}");
}

async fn every_statement_can_be_prepared(database: Database) {
    let store = database.store().await;
    assert!(store.prepare_statements().await.unwrap() > 50);
}

#[tokio::test]
async fn an_sqlite_file_is_made_for_its_owner_alone() {
    let database = Database::sqlite();
    let store = database.store().await;
    let Location::Sqlite(path) = database.location() else { panic!("not a file") };
    for (file, mode) in [
        (path.clone(), 0o600),
        (path.with_extension("db-wal"), 0o600),
        (path.parent().unwrap().to_owned(), 0o700),
    ] {
        let found = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", file.display());
    }
    store.close().await;
}

#[tokio::test]
async fn an_sqlite_file_that_is_none_is_a_wrong_setting() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    std::fs::write(
        &text,
        "this is not a database, but long enough to be read as the header of one".repeat(9),
    )
    .unwrap();
    for path in [text, directory.path().to_owned()] {
        let error = Store::open(&Location::Sqlite(path.clone()), &Options::default()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Configuration(_)), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    // Bound and dropped, so nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = SecretString::from(format!("mysql://aliasd:hunter2@127.0.0.1:{port}/aliasd"));
    let location = Location::MySql(url);
    let error = Store::open(&location, &Options::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(!format!("{error} {error:?} {location:?}").contains("hunter2"));
}

#[tokio::test]
#[ignore = "needs MariaDB: run ./test"]
async fn what_the_server_refuses_is_a_wrong_setting() {
    let server = server_url();
    let (_, host) = server.split_once('@').unwrap();
    for url in [format!("{server}/no_such_database"), format!("mysql://nobody:hunter2@{host}/mysql")] {
        let location = Location::MySql(SecretString::from(url));
        let error = Store::open(&location, &Options::default()).await.unwrap_err();
        assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

//! A database for each test, and words to fill it with.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aliasd::admin::records::{Alias, AliasChange, Contact, Domain, Mailbox, NewAlias};
use aliasd::admin::{Registry, RegistryError};
use aliasd::mail::{Address, DomainName, Timestamp};
use aliasd::relay::alias::{AccountId, Lookup, Mode};
use aliasd::relay::ports::Directory;
use aliasd::store::{Location, Options, Store};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, SqliteConnection};

/// The account that the first migration makes.
pub const ACCOUNT: AccountId = AccountId(1);

/// Long enough for a slow machine, short enough to keep the promise: "within a second on every other node".
const WITHIN: Duration = Duration::from_secs(1);

/// A database of one test.
#[derive(Clone)]
pub struct Database(Arc<Place>);

struct Place {
    location: Location,
    /// Where the database is made and dropped; absent for SQLite.
    server: Option<(String, String)>,
    /// Deletes the files when it is dropped.
    _directory: Option<tempfile::TempDir>,
}

impl Database {
    /// A file that is not there yet.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("data").join("aliasd.db"));
        Self(Arc::new(Place { location, server: None, _directory: Some(directory) }))
    }

    /// An empty database on the server of `ALIASD_TEST_MYSQL_URL`.
    pub async fn mariadb() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = server_url();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("aliasd_test_{}_{number}", std::process::id());
        on_server(&server, &format!("CREATE DATABASE {name}")).await;
        let location = Location::MySql(SecretString::from(format!("{server}/{name}")));
        Self(Arc::new(Place { location, server: Some((server, name)), _directory: None }))
    }

    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// A store with its own connections and cache: a node, or a process. Not migrated.
    pub async fn open(&self) -> Store {
        Store::open(self.location(), &Options::default()).await.unwrap()
    }

    /// The same, on tables of this version.
    pub async fn store(&self) -> Store {
        let store = self.open().await;
        store.migrate().await.unwrap();
        store
    }

    /// Runs SQL behind the store's back, over a connection of its own.
    pub async fn sql(&self, text: &str) {
        let text = AssertSqlSafe(text.to_owned());
        match self.location() {
            Location::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                connection.execute(text).await.unwrap();
                connection.close().await.unwrap();
            }
            Location::MySql(url) => {
                let mut connection = MySqlConnection::connect(url.expose_secret()).await.unwrap();
                connection.execute(text).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// The number that a query gives, asked behind the store's back.
    pub async fn number(&self, text: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(text.to_owned());
        match self.location() {
            Location::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
            }
            Location::MySql(url) => {
                let mut connection = MySqlConnection::connect(url.expose_secret()).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    pub async fn remove(&self) {
        if let Some((server, name)) = &self.0.server {
            on_server(server, &format!("DROP DATABASE {name}")).await;
        }
    }
}

/// The server's URL without a slash at its end.
pub fn server_url() -> String {
    let url = std::env::var("ALIASD_TEST_MYSQL_URL")
        .expect("ALIASD_TEST_MYSQL_URL must name a MariaDB server, like mysql://root@127.0.0.1:3306/");
    url.trim_end_matches('/').to_owned()
}

async fn on_server(server: &str, text: &str) {
    let mut connection = MySqlConnection::connect(&format!("{server}/")).await.unwrap();
    connection.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

/// Runs a test body and drops its database also when it fails.
pub async fn run<F>(database: Database, body: impl FnOnce(Database) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let ended = tokio::spawn(body(database.clone())).await;
    database.remove().await;
    if let Err(failure) = ended {
        std::panic::resume_unwind(failure.into_panic());
    }
}

/// Makes a test of each function, on each engine.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::harness::run($crate::harness::Database::sqlite(), super::$name).await;
            })+
        }
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs MariaDB: run ./test"]
            async fn $name() {
                $crate::harness::run($crate::harness::Database::mariadb().await, super::$name).await;
            })+
        }
    };
}
pub(crate) use on_both_engines;

/// Waits until `condition` holds, as long as a change may take to reach another node.
pub async fn within_a_second<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    within(WITHIN, what, condition).await;
}

/// Waits until `condition` holds.
pub async fn within_seconds<F: Future<Output = bool>>(seconds: u64, what: &str, condition: impl Fn() -> F) {
    within(Duration::from_secs(seconds), what, condition).await;
}

async fn within<F: Future<Output = bool>>(time: Duration, what: &str, condition: impl Fn() -> F) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < time, "not within {time:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn now() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_123)
}

pub fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub fn domain_name(text: &str) -> DomainName {
    text.parse().unwrap()
}

pub async fn domain(store: &Store, name: &str) -> Domain {
    store.add_domain(ACCOUNT, &domain_name(name), None, now()).await.unwrap()
}

pub async fn catch_all(store: &Store, name: &str, mailbox: &str) -> Domain {
    store.add_domain(ACCOUNT, &domain_name(name), Some(&address(mailbox)), now()).await.unwrap()
}

pub async fn mailbox(store: &Store, text: &str) -> Mailbox {
    store.add_mailbox(ACCOUNT, &address(text), true, now()).await.unwrap()
}

pub fn new_alias(text: &str, mailboxes: &[&str]) -> NewAlias {
    NewAlias {
        address: address(text),
        mailboxes: mailboxes.iter().map(|text| address(text)).collect(),
        name: None,
        note: None,
        mode: Mode::Reverse,
        expires_at: None,
    }
}

pub async fn alias(store: &Store, text: &str) -> Alias {
    store.add_alias(ACCOUNT, &new_alias(text, &["jane@example.net"]), now()).await.unwrap()
}

/// `example.com` with the mailbox `jane@example.net` and the alias `shop@example.com`.
pub async fn shop(store: &Store) -> Alias {
    mailbox(store, "jane@example.net").await;
    domain(store, "example.com").await;
    alias(store, "shop@example.com").await
}

pub async fn enable(store: &Store, text: &str, enabled: bool) {
    let change = AliasChange { enabled: Some(enabled), ..AliasChange::default() };
    store.set_alias(ACCOUNT, &address(text), &change).await.unwrap();
}

pub async fn contact(store: &Store, alias: &str, text: &str, reverse: &str) -> Contact {
    store.add_contact(ACCOUNT, &address(alias), &address(text), None, &address(reverse), now()).await.unwrap()
}

pub async fn lookup(store: &Store, text: &str) -> Lookup {
    store.lookup(&address(text)).await.unwrap()
}

/// Whether the address is an alias that takes mail.
pub async fn is_enabled(store: &Store, text: &str) -> bool {
    matches!(lookup(store, text).await, Lookup::Alias(alias) if alias.enabled)
}

/// What stands in the way, of a conflict.
pub fn why<T: std::fmt::Debug>(answer: Result<T, RegistryError>) -> String {
    match answer {
        Err(RegistryError::Conflict { why, .. }) => why,
        other => panic!("expected a conflict: {other:?}"),
    }
}

/// Which field is wrong, and why.
pub fn wrong<T: std::fmt::Debug>(answer: Result<T, RegistryError>) -> (&'static str, String) {
    match answer {
        Err(RegistryError::Invalid { field, detail }) => (field, detail),
        other => panic!("expected an invalid field: {other:?}"),
    }
}

/// What is not there.
pub fn absent<T: std::fmt::Debug>(answer: Result<T, RegistryError>) -> (&'static str, String) {
    match answer {
        Err(RegistryError::NotFound { what, name }) => (what, name),
        other => panic!("expected nothing: {other:?}"),
    }
}

//! The database goes away, and comes back.

use std::time::Duration;

use aliasd::admin::{Registry, RegistryError};
use aliasd::queue::spool::{Depth, Node, Spool};
use aliasd::relay::ports::{Counted, Directory};
use aliasd::relay::transaction::TransactionId;
use aliasd::store::{Location, Options, Store, StoreError};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::harness::*;
use crate::queue::{delivery, queued};

on_both_engines!(a_closed_store_is_unavailable);

const IMPATIENT: Duration = Duration::from_millis(300);

fn impatient() -> Options {
    Options { patience: IMPATIENT, ..Options::default() }
}

async fn a_closed_store_is_unavailable(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    store.close().await;
    assert!(store.lookup(&address("shop@example.com")).await.is_err());
    let answer = store.add_account("work", now()).await;
    assert!(matches!(answer, Err(RegistryError::Unavailable(_))), "{answer:?}");
    assert!(matches!(store.schema().await, Err(StoreError::Unavailable(_))));
}

/// Another process holds the writer's lock: reading goes on, changes and counts wait.
#[tokio::test]
async fn a_locked_sqlite_file_can_be_read_and_not_changed() {
    let database = Database::sqlite();
    let store = database.store().await;
    let shop = shop(&store).await;
    store.close().await;
    let store = Store::open(database.location(), &impatient()).await.unwrap();
    let Location::Sqlite(path) = database.location() else { panic!("not a file") };
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();

    assert!(is_enabled(&store, "shop@example.com").await);
    let answer = store.add_account("work", now()).await;
    assert!(matches!(answer, Err(RegistryError::Unavailable(_))), "{answer:?}");
    assert!(store.enqueue(vec![queued(1, vec![delivery(1)])]).await.is_err());
    assert!(store.probe().await.is_err());
    assert_eq!(store.depth().await.unwrap(), Depth::default());
    store.count(shop.id, Counted::Forwarded);
    store.note([2; 32], TransactionId::from_bytes([2; 16]), now());
    let stopped = CancellationToken::new();
    stopped.cancel();
    store.run(stopped.clone()).await;

    other.execute("ROLLBACK").await.unwrap();
    store.add_account("work", now()).await.unwrap();
    store.run(stopped).await;
    let counted = store.alias(ACCOUNT, &address("shop@example.com")).await.unwrap().forwarded;
    assert_eq!(counted, 1, "what could not be written was kept, and is written once");
    store.enqueue(vec![queued(1, vec![delivery(1)])]).await.unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM transactions").await, 2);
}

/// A way to the server that can be cut.
struct Cable {
    url: SecretString,
    plugged: watch::Sender<bool>,
}

impl Cable {
    async fn to(database: &Database) -> Self {
        let Location::MySql(url) = database.location() else { panic!("not a server") };
        let (front, host) = url.expose_secret().split_once('@').unwrap();
        let (server, name) = host.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let (plugged, _) = watch::channel(true);
        tokio::spawn(carry(listener, server.to_owned(), plugged.subscribe()));
        Self { url: SecretString::from(format!("{front}@{here}/{name}")), plugged }
    }

    fn plug(&self, plugged: bool) {
        self.plugged.send_replace(plugged);
    }
}

async fn carry(listener: TcpListener, server: String, plugged: watch::Receiver<bool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (server, mut plugged) = (server.clone(), plugged.clone());
        tokio::spawn(async move {
            if !*plugged.borrow() {
                return;
            }
            let mut upstream = TcpStream::connect(server).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
                _ = plugged.wait_for(|plugged| !plugged) => {}
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs MariaDB: run ./test"]
async fn a_server_that_goes_away_is_unavailable_until_it_is_back() {
    run(Database::mariadb().await, lost_server).await;
}

async fn lost_server(database: Database) {
    let direct = database.store().await;
    let shop = shop(&direct).await;
    let cable = Cable::to(&database).await;
    let store = Store::open(&Location::MySql(cable.url.clone()), &impatient()).await.unwrap();
    assert!(is_enabled(&store, "shop@example.com").await);

    cable.plug(false);
    assert!(is_enabled(&store, "shop@example.com").await, "the cache still answers");
    assert!(store.lookup(&address("other@example.com")).await.is_err());
    let answer = store.add_account("work", now()).await;
    assert!(matches!(answer, Err(RegistryError::Unavailable(_))), "{answer:?}");
    assert!(store.enqueue(vec![queued(1, vec![delivery(1)])]).await.is_err());
    assert!(store.claim(Node(1), now(), IMPATIENT, 10).await.is_err());
    store.count(shop.id, Counted::Forwarded);
    let stopped = CancellationToken::new();
    stopped.cancel();
    store.run(stopped.clone()).await;
    let refused = Store::open(&Location::MySql(cable.url.clone()), &impatient()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");

    cable.plug(true);
    within_a_second("answers", async || store.lookup(&address("other@example.com")).await.is_ok()).await;
    store.enqueue(vec![queued(1, vec![delivery(1)])]).await.unwrap();
    assert_eq!(direct.list(now(), None, 10).await.unwrap().len(), 1, "what was refused left nothing");
    store.run(stopped).await;
    assert_eq!(direct.alias(ACCOUNT, &address("shop@example.com")).await.unwrap().forwarded, 1);
}

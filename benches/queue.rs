//! What the queue's tables cost, on SQLite and (when `ALIASD_TEST_MYSQL_URL` names a server) on MariaDB or MySQL:
//!
//!     cargo bench --bench queue
//!
//! Prints operations a second for commits of 10 KB bodies and of new contacts by 1, 16 and 64 callers at once, for whole
//! lives of messages (claimed from the queue, and worked on from the start), and the median time of what the scheduler
//! and an admin ask, with 200 and with 200,000 deliveries in the queue.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aliasd::admin::Registry;
use aliasd::admin::records::NewAlias;
use aliasd::mail::{Address, Timestamp};
use aliasd::queue::spool::{
    Claimed, DeliveryId, NewDelivery, NewQueued, Node, Order, Settlement, Spool, State, Which,
};
use aliasd::relay::alias::{AccountId, Alias, Lookup, Mode};
use aliasd::relay::ports::{Directory, WantedContact};
use aliasd::relay::transaction::TransactionId;
use aliasd::store::{Location, Options, Store};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection};
use tokio::sync::mpsc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MEASURED: Duration = Duration::from_secs(3);
const CALLERS: [usize; 3] = [1, 16, 64];
const BODY: usize = 10 * 1024;
const HEAD: usize = 1024;
const NODE: Node = Node(1);
/// What is settled at once at most.
const BATCH: usize = 256;
const LEASE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    measure("SQLite", &Location::Sqlite(folder.path().join("aliasd.db"))).await?;
    match std::env::var("ALIASD_TEST_MYSQL_URL") {
        Ok(url) => on_server(url.trim_end_matches('/')).await,
        Err(_) => {
            println!("ALIASD_TEST_MYSQL_URL is not set: MySQL and MariaDB are not measured");
            Ok(())
        }
    }
}

/// In a database of its own, which is dropped afterwards.
async fn on_server(server: &str) -> Result<(), Failure> {
    let name = format!("aliasd_bench_{}", std::process::id());
    run_sql(server, format!("CREATE DATABASE {name}")).await?;
    let measured =
        measure("MySQL/MariaDB", &Location::MySql(SecretString::from(format!("{server}/{name}")))).await;
    run_sql(server, format!("DROP DATABASE {name}")).await?;
    measured
}

async fn run_sql(server: &str, text: String) -> Result<(), Failure> {
    let mut connection = MySqlConnection::connect(&format!("{server}/")).await?;
    connection.execute(AssertSqlSafe(text)).await?;
    Ok(connection.close().await?)
}

async fn measure(engine: &str, location: &Location) -> Result<(), Failure> {
    let store = Store::open(location, &Options::default()).await?;
    store.migrate().await?;
    println!("{engine}");
    let alias = make_alias(&store).await?;
    for callers in CALLERS {
        let rate = rate(callers, || make_contact(&store, &alias)).await?;
        println!("  new contacts, {callers:2} at once: {rate:8.0}/s");
    }
    for callers in CALLERS {
        let rate = rate(callers, || async { store.enqueue(vec![message(1)]).await.map(drop) }).await?;
        println!("  enqueue 10 KB, {callers:2} at once: {rate:7.0}/s");
    }
    store.order(Order::Drop, Which::All, now()).await?;
    for callers in CALLERS {
        let rate = rate(callers, || work(&store)).await?;
        println!("  enqueue, claim, settle, {callers:2} at once: {rate:7.0}/s");
    }
    for callers in CALLERS {
        let rate = rate_of_owned(&store, callers).await?;
        println!("  enqueue owned, settle in batches, {callers:2} at once: {rate:7.0}/s");
    }
    store.order(Order::Drop, Which::All, now()).await?;
    for rows in [200, 200_000] {
        fill(&store, rows).await?;
        print_times(&store, rows).await?;
    }
    store.close().await;
    Ok(())
}

/// How often a second `work` is done by so many callers at once.
async fn rate<F, E>(callers: usize, work: impl Fn() -> F) -> Result<f64, Failure>
where
    F: Future<Output = Result<(), E>>,
    Failure: From<E>,
{
    let begun = Instant::now();
    let done = AtomicU64::new(0);
    let caller = || async {
        while begun.elapsed() < MEASURED {
            work().await?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, Failure>(())
    };
    futures_util::future::try_join_all((0..callers).map(|_| caller())).await?;
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

async fn make_alias(store: &Store) -> Result<Arc<Alias>, Failure> {
    let (account, now) = (AccountId(1), now());
    store.add_domain(account, &"example.com".parse()?, None, now).await?;
    let mailbox: Address = "jane@example.net".parse()?;
    store.add_mailbox(account, &mailbox, true, now).await?;
    let new = NewAlias {
        address: "shop@example.com".parse()?,
        mailboxes: vec![mailbox],
        name: None,
        note: None,
        mode: Mode::Reverse,
        expires_at: None,
    };
    store.add_alias(account, &new, now).await?;
    match store.lookup(&new.address).await? {
        Lookup::Alias(alias) => Ok(alias),
        other => Err(format!("not an alias: {other:?}").into()),
    }
}

async fn make_contact(store: &Store, alias: &Alias) -> Result<(), Failure> {
    let number = next_number();
    let wanted = WantedContact {
        address: format!("contact{number}@example.org").parse()?,
        name: None,
        reverse_alias: format!("contact{number}.x@example.com").parse()?,
    };
    store.contacts(alias, &[wanted]).await?;
    Ok(())
}

/// A message comes in, is delivered, and leaves.
async fn work(store: &Store) -> Result<(), Failure> {
    store.enqueue(vec![message(1)]).await?;
    for Claimed { id, .. } in store.claim(NODE, now(), LEASE, 1).await? {
        store.settle(NODE, id, Settlement::Delivered).await?;
    }
    Ok(())
}

/// How often a second a message comes in that is worked on from the start, and is settled together with those that were
/// delivered in the meantime.
async fn rate_of_owned(store: &Store, callers: usize) -> Result<f64, Failure> {
    let (delivered, waiting) = mpsc::channel(BATCH);
    let settling = tokio::spawn(settle(store.clone(), waiting));
    let work = || async {
        let enqueued = store.enqueue(vec![owned()]).await?;
        for id in enqueued.into_iter().flat_map(|enqueued| enqueued.deliveries) {
            delivered.send(id).await?;
        }
        Ok::<_, Failure>(())
    };
    let rate = rate(callers, work).await?;
    drop(delivered);
    settling.await??;
    Ok(rate)
}

async fn settle(store: Store, mut waiting: mpsc::Receiver<DeliveryId>) -> Result<(), Failure> {
    let mut ids = Vec::new();
    while waiting.recv_many(&mut ids, BATCH).await > 0 {
        let settled = store.settle_delivered(NODE, &ids).await?;
        assert_eq!(settled.len(), ids.len(), "they are ours");
        ids.clear();
    }
    Ok(())
}

fn owned() -> NewQueued {
    let mut message = message(1);
    for delivery in &mut message.deliveries {
        delivery.owner = Some(NODE);
        delivery.attempts = 1;
        delivery.next_attempt_at = Timestamp::from_millis(now().as_millis() + LEASE.as_millis() as i64);
    }
    message
}

async fn fill(store: &Store, rows: usize) -> Result<(), Failure> {
    const SHARED: usize = 100;
    let there = store.list(now(), None, 1000).await?.len();
    for _ in (there..rows).step_by(SHARED) {
        store.enqueue(vec![message(SHARED)]).await?;
    }
    Ok(())
}

async fn print_times(store: &Store, rows: usize) -> Result<(), Failure> {
    let mut claims = Vec::new();
    for _ in 0..15 {
        let begun = Instant::now();
        let claimed = store.claim(NODE, now(), LEASE, 100).await?;
        claims.push(begun.elapsed());
        assert_eq!(claimed.len(), 100, "the queue is long enough");
        let due: Vec<_> = claimed.iter().map(|claimed| (claimed.id, now())).collect();
        store.give_back(NODE, &due).await?;
    }
    println!("  with {rows} deliveries: claim of 100 {:.2?}", median(claims));
    let next = times(|| async { store.next_due().await.map(drop) }).await?;
    let page = times(|| async { store.list(now(), None, 100).await.map(drop) }).await?;
    let enqueue = times(|| async { store.enqueue(vec![message(1)]).await.map(drop) }).await?;
    let settle = time_of_settling(store).await?;
    println!("    enqueue {enqueue:.2?}, settle 50 delivered {settle:.2?}");
    let begun = Instant::now();
    store.depth().await?;
    println!(
        "    next due {next:.2?}, page of 100 {page:.2?}, depth when it is counted {:.2?}",
        begun.elapsed()
    );
    Ok(())
}

async fn time_of_settling(store: &Store) -> Result<Duration, Failure> {
    let mut taken = Vec::new();
    for _ in 0..15 {
        let enqueued = store.enqueue(vec![owned(); 50]).await?;
        let ids: Vec<_> = enqueued.into_iter().flat_map(|enqueued| enqueued.deliveries).collect();
        let begun = Instant::now();
        store.settle_delivered(NODE, &ids).await?;
        taken.push(begun.elapsed());
    }
    Ok(median(taken))
}

async fn times<F, E>(work: impl Fn() -> F) -> Result<Duration, Failure>
where
    F: Future<Output = Result<(), E>>,
    Failure: From<E>,
{
    let mut taken = Vec::new();
    for _ in 0..15 {
        let begun = Instant::now();
        work().await?;
        taken.push(begun.elapsed());
    }
    Ok(median(taken))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn message(deliveries: usize) -> NewQueued {
    let number = next_number();
    let now = now();
    let delivery = NewDelivery {
        sealed: vec![1; HEAD],
        sealed_reply: None,
        alias: None,
        recipient: 1,
        accepted: false,
        blamed: false,
        owner: None,
        site: 1,
        next_attempt_at: now,
        expires_at: Timestamp::from_millis(i64::MAX),
        attempts: 0,
        state: State::Deferred,
    };
    let mut digest = [0; 32];
    digest
        .iter_mut()
        .zip(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
        .for_each(|(to, from)| *to = from);
    NewQueued {
        transaction: TransactionId::from_bytes([1; 16]),
        created_at: now,
        sealed_body: vec![1; BODY],
        size: BODY as u64,
        deliveries: vec![delivery; deliveries],
        digest: Some(digest),
    }
}

fn next_number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn now() -> Timestamp {
    aliasd::relay::ports::Surroundings::now(&aliasd::app::surroundings::System)
}

//! Several nodes on one database: what one changes, the others see within a second.

use std::time::Duration;

use aliasd::admin::Registry;
use aliasd::admin::records::{AccountChange, AliasChange, MailboxChange};
use aliasd::relay::alias::{Lookup, Refusal};
use aliasd::relay::ports::{Directory, KeyWatch, WantedContact};
use aliasd::store::{Location, Store};
use secrecy::ExposeSecret;
use sqlx::{Connection, Executor, MySqlConnection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::*;
use crate::keys;

on_both_engines!(
    every_change_reaches_another_node,
    contacts_that_mail_makes_reach_another_node,
    certificates_reach_another_node,
    what_another_node_made_is_known_as_soon_as_it_is_handed_out,
    what_was_cached_before_following_began_is_forgotten,
    a_node_that_could_not_read_the_changes_forgets_everything,
    old_changes_are_deleted,
);

/// A node that follows the changes of others until it is stopped.
struct Node {
    store: Store,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Node {
    async fn start(database: &Database) -> Self {
        let (store, stop) = (database.open().await, CancellationToken::new());
        let running = tokio::spawn({
            let (store, stop) = (store.clone(), stop.clone());
            async move { store.run(stop).await }
        });
        Self { store, stop, running }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
        self.store.close().await;
    }
}

async fn every_change_reaches_another_node(database: Database) {
    let here = database.store().await;
    let there = Node::start(&database).await;
    let at = &there.store;
    let shop_name = address("shop@example.com");
    let known = |text: &'static str| async move { lookup(at, text).await };

    assert_eq!(known("shop@example.com").await, Lookup::ForeignDomain);
    mailbox(&here, "jane@example.net").await;
    domain(&here, "example.com").await;
    within_a_second("a domain", async || known("shop@example.com").await == Lookup::Unknown).await;
    assert_eq!(known("shop+x@example.com").await, Lookup::Unknown);
    assert_eq!(known("bob.x7@example.com").await, Lookup::Unknown);
    alias(&here, "shop@example.com").await;
    within_a_second("an alias", async || is_enabled(at, "shop@example.com").await).await;
    within_a_second("an alias under a tag", async || is_enabled(at, "shop+x@example.com").await).await;
    contact(&here, "shop@example.com", "bob@example.org", "bob.x7@example.com").await;
    within_a_second("a contact", async || {
        matches!(known("bob.x7@example.com").await, Lookup::ReverseAlias(..))
    })
    .await;

    here.block_contact(ACCOUNT, &shop_name, &address("bob@example.org"), true).await.unwrap();
    within_a_second("a block", async || {
        matches!(known("bob.x7@example.com").await, Lookup::ReverseAlias(a, c) if c.blocked && a.has_blocked_contacts)
    })
    .await;
    let pause = MailboxChange { verified: None, paused: Some(true) };
    here.set_mailbox(ACCOUNT, &address("jane@example.net"), &pause).await.unwrap();
    within_a_second(
        "a paused mailbox",
        async || matches!(known("shop@example.com").await, Lookup::Alias(a) if a.mailboxes[0].paused),
    )
    .await;
    let discard = AccountChange { refusal: Some(Refusal::Discard), ..AccountChange::default() };
    here.set_account("default", &discard).await.unwrap();
    within_a_second(
        "a setting",
        async || matches!(known("shop@example.com").await, Lookup::Alias(a) if a.refusal == Refusal::Discard),
    )
    .await;
    enable(&here, "shop@example.com", false).await;
    within_a_second("a disabled alias", async || !is_enabled(at, "shop@example.com").await).await;
    here.remove_alias(ACCOUNT, &shop_name, now()).await.unwrap();
    within_a_second("a deleted alias", async || known("shop@example.com").await == Lookup::Deleted).await;
    within_a_second("its contact", async || known("bob.x7@example.com").await == Lookup::Unknown).await;
    here.remove_domain(ACCOUNT, &domain_name("example.com")).await.unwrap();
    within_a_second("a removed domain", async || known("shop@example.com").await == Lookup::ForeignDomain)
        .await;
    there.stop().await;
}

async fn contacts_that_mail_makes_reach_another_node(database: Database) {
    let here = database.store().await;
    shop(&here).await;
    let there = Node::start(&database).await;
    let at = &there.store;
    let Lookup::Alias(alias) = lookup(&here, "shop@example.com").await else { panic!("no alias") };
    let bob = address("bob@example.org");
    assert_eq!(lookup(at, "bob.x7@example.com").await, Lookup::Unknown);
    assert_eq!(at.find_contact(alias.id, &bob).await.unwrap(), None);
    let mut wanted =
        WantedContact { address: bob.clone(), name: None, reverse_alias: address("bob.x7@example.com") };
    let made = here.contacts(&alias, std::slice::from_ref(&wanted)).await.unwrap().remove(0);
    within_a_second(
        "its reverse alias",
        async || matches!(lookup(at, "bob.x7@example.com").await, Lookup::ReverseAlias(_, c) if *c == made),
    )
    .await;
    within_a_second("the contact", async || {
        at.find_contact(alias.id, &bob).await.unwrap().as_ref() == Some(&made)
    })
    .await;
    wanted.name = Some("Bob".to_owned());
    here.contacts(&alias, &[wanted]).await.unwrap();
    within_a_second("its name", async || {
        at.find_contact(alias.id, &bob).await.unwrap().is_some_and(|contact| contact.name.is_some())
    })
    .await;
    there.stop().await;
}

async fn certificates_reach_another_node(database: Database) {
    let here = database.store().await;
    shop(&here).await;
    let there = Node::start(&database).await;
    let at = &there.store;
    let (jane, bob) = ("jane@example.net", "bob@example.org");
    let used = |holder: &'static str| async move { keys::used(at, holder).await };
    assert!(!keys::encrypts(at, "shop@example.com").await);
    assert!(used(jane).await.is_empty() && used(bob).await.is_empty());
    keys::import(&here, jane, 1).await;
    within_a_second("that a mailbox encrypts", || keys::encrypts(at, "shop@example.com")).await;
    within_a_second("to what", async || used(jane).await == [1]).await;
    here.harvest(ACCOUNT, &address(bob), &keys::found(2), true, now()).await.unwrap();
    within_a_second("what a letter brought", async || used(bob).await == [2]).await;
    keys::import(&here, bob, 3).await;
    within_a_second("what takes its place", async || used(bob).await == [3]).await;
    keys::remove(&here, bob, 3).await;
    within_a_second("that it went", async || used(bob).await == [2]).await;
    keys::remove(&here, jane, 1).await;
    within_a_second("that a mailbox does not encrypt", async || {
        !keys::encrypts(at, "shop@example.com").await && used(jane).await.is_empty()
    })
    .await;
    there.stop().await;
}

/// Neither node follows the other here.
async fn what_another_node_made_is_known_as_soon_as_it_is_handed_out(database: Database) {
    let (here, there) = (database.store().await, database.open().await);
    shop(&here).await;
    let Lookup::Alias(alias) = lookup(&there, "shop@example.com").await else { panic!("no alias") };
    assert_eq!(lookup(&there, "bob.x7@example.com").await, Lookup::Unknown);
    let mut wanted = WantedContact {
        address: address("bob@example.org"),
        name: None,
        reverse_alias: address("bob.x7@example.com"),
    };
    here.contacts(&alias, std::slice::from_ref(&wanted)).await.unwrap();
    wanted.reverse_alias = address("bob.other@example.com");
    let found = there.contacts(&alias, &[wanted]).await.unwrap().remove(0);
    assert_eq!(found.reverse_alias, address("bob.x7@example.com"));
    assert!(matches!(lookup(&there, "bob.x7@example.com").await, Lookup::ReverseAlias(_, c) if *c == found));
}

async fn what_was_cached_before_following_began_is_forgotten(database: Database) {
    let here = database.store().await;
    shop(&here).await;
    let there = database.open().await;
    assert!(is_enabled(&there, "shop@example.com").await);
    enable(&here, "shop@example.com", false).await;
    assert!(is_enabled(&there, "shop@example.com").await, "nobody told it");
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (store, stop) = (there.clone(), stop.clone());
        async move { store.run(stop).await }
    });
    within_a_second("the change", async || !is_enabled(&there, "shop@example.com").await).await;
    stop.cancel();
    running.await.unwrap();
}

async fn a_node_that_could_not_read_the_changes_forgets_everything(database: Database) {
    let here = database.store().await;
    shop(&here).await;
    let there = Node::start(&database).await;
    let at = &there.store;
    enable(&here, "shop@example.com", false).await;
    within_a_second("that it follows", async || !is_enabled(at, "shop@example.com").await).await;

    database.sql("ALTER TABLE changes RENAME TO changes_away").await;
    let unavailable = here.set_alias(ACCOUNT, &address("shop@example.com"), &AliasChange::default()).await;
    assert!(unavailable.is_err(), "a change that nobody can be told of is not made");
    // Longer than from one poll to the next; that one failed shows nowhere but in the log.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!is_enabled(at, "shop@example.com").await);
    // A change of which no row ever tells. Look-ups go on from the cache meanwhile.
    database.sql("UPDATE aliases SET enabled = 1").await;
    assert!(!is_enabled(at, "shop@example.com").await);
    database.sql("ALTER TABLE changes_away RENAME TO changes").await;
    within_a_second("what it missed", async || is_enabled(at, "shop@example.com").await).await;
    there.stop().await;
}

async fn old_changes_are_deleted(database: Database) {
    let here = database.store().await;
    database.sql("INSERT INTO changes (at, kind, number) VALUES (0, 'alias', 1)").await;
    for _ in 0..11 {
        database.sql("INSERT INTO changes (at, kind, number) SELECT at, kind, number FROM changes").await;
    }
    shop(&here).await;
    let recent = count(&database, "SELECT COUNT(*) FROM changes WHERE at > 0").await;
    assert!(recent > 0);
    let there = Node::start(&database).await;
    within_a_second("old rows go", async || {
        count(&database, "SELECT COUNT(*) FROM changes WHERE at = 0").await == 0
    })
    .await;
    assert_eq!(count(&database, "SELECT COUNT(*) FROM changes").await, recent, "the others stay");
    there.stop().await;
}

async fn count(database: &Database, sql: &'static str) -> i64 {
    match database.location() {
        Location::Sqlite(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        }
        Location::MySql(url) => {
            let mut connection = MySqlConnection::connect(url.expose_secret()).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        }
    }
}

/// A transaction that took a lower id commits after one with a higher id was seen. (SQLite has one writer at a time.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs MariaDB: run ./test"]
async fn a_change_with_a_lower_id_that_commits_later_is_seen() {
    run(Database::mariadb().await, late_commit).await;
}

async fn late_commit(database: Database) {
    let here = database.store().await;
    let slow = shop(&here).await;
    alias(&here, "other@example.com").await;
    let there = Node::start(&database).await;
    let at = &there.store;
    assert!(is_enabled(at, "shop@example.com").await && is_enabled(at, "other@example.com").await);

    let Location::MySql(url) = database.location() else { panic!("not a server") };
    let mut late = MySqlConnection::connect(url.expose_secret()).await.unwrap();
    late.execute("BEGIN").await.unwrap();
    late.execute("UPDATE aliases SET enabled = 0 WHERE address = 'shop@example.com'").await.unwrap();
    sqlx::query("INSERT INTO changes (at, kind, number) VALUES (0, 'alias', ?)")
        .bind(slow.id.0)
        .execute(&mut late)
        .await
        .unwrap();
    enable(&here, "other@example.com", false).await;
    within_a_second("the higher id", async || !is_enabled(at, "other@example.com").await).await;
    assert!(is_enabled(at, "shop@example.com").await);
    late.execute("COMMIT").await.unwrap();
    within_a_second("the lower id", async || !is_enabled(at, "shop@example.com").await).await;
    there.stop().await;
}

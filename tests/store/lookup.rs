//! What an address stands for.

use std::sync::Arc;

use aliasd::admin::Registry;
use aliasd::admin::records::{self, AccountChange, AliasChange, MailboxChange};
use aliasd::relay::alias::{Alias, Lookup, NameFormat, Refusal};
use aliasd::relay::ports::{Counted, Directory};
use tokio_util::sync::CancellationToken;

use crate::harness::*;

on_both_engines!(
    the_exact_name_comes_first_and_the_catch_all_last,
    an_alias_comes_with_all_that_a_decision_needs,
    a_domain_that_is_not_verified_takes_no_mail,
    roles_are_never_made_into_aliases,
    a_catch_all_makes_the_base_of_a_tagged_name,
    a_catch_all_that_changed_meanwhile_makes_nothing,
    every_change_is_seen_at_once,
    counts_reach_the_table,
);

async fn the_exact_name_comes_first_and_the_catch_all_last(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    alias(&store, "shop+own@example.com").await;
    catch_all(&store, "example.org", "jane@example.net").await;
    contact(&store, "shop@example.com", "bob@example.net", "bob.x7@example.com").await;

    for (asked, wanted) in [
        ("shop@example.com", "alias shop@example.com"),
        ("SHOP@EXAMPLE.COM", "alias shop@example.com"),
        ("\"shop\"@example.com", "alias shop@example.com"),
        ("shop+own@example.com", "alias shop+own@example.com"),
        ("shop+any@example.com", "alias shop@example.com"),
        ("bob.x7@example.com", "reverse bob@example.net of shop@example.com"),
        ("Bob.X7@example.com", "reverse bob@example.net of shop@example.com"),
        ("bob.x7+tag@example.com", "unknown"),
        ("nobody@example.com", "unknown"),
        ("nobody+tag@example.com", "unknown"),
        ("nobody@example.org", "creatable at example.org"),
        ("nobody+tag@example.org", "creatable at example.org"),
        ("shop@example.net", "foreign"),
        ("shop@sub.example.com", "foreign"),
        ("shop@[192.0.2.1]", "foreign"),
    ] {
        // Twice: from the tables and from the cache.
        for _ in 0..2 {
            assert_eq!(told(&lookup(&store, asked).await), wanted, "{asked}");
        }
    }
}

fn told(lookup: &Lookup) -> String {
    match lookup {
        Lookup::ForeignDomain => "foreign".to_owned(),
        Lookup::Unknown => "unknown".to_owned(),
        Lookup::Deleted => "deleted".to_owned(),
        Lookup::Alias(alias) => format!("alias {}", alias.address),
        Lookup::Creatable(rule) => format!("creatable at {}", rule.domain),
        Lookup::ReverseAlias(alias, contact) => format!("reverse {} of {}", contact.address, alias.address),
    }
}

async fn seen(store: &aliasd::store::Store, text: &str) -> Arc<Alias> {
    match lookup(store, text).await {
        Lookup::Alias(alias) => alias,
        other => panic!("{text}: {other:?}"),
    }
}

async fn an_alias_comes_with_all_that_a_decision_needs(database: Database) {
    let store = database.store().await;
    let record = shop(&store).await;
    store.add_mailbox(ACCOUNT, &address("Home@example.net"), false, now()).await.unwrap();
    let both = vec![address("jane@example.net"), address("home@example.net")];
    let change = AliasChange {
        mailboxes: Some(both),
        name: Some(Some("Jane Doe".to_owned())),
        expires_at: Some(Some(now())),
        ..AliasChange::default()
    };
    store.set_alias(ACCOUNT, &address("shop@example.com"), &change).await.unwrap();

    let alias = seen(&store, "shop@example.com").await;
    assert_eq!((alias.id, alias.account), (record.id, ACCOUNT));
    assert_eq!((alias.display_name.as_deref(), alias.expires_at), (Some("Jane Doe"), Some(now())));
    assert_eq!((alias.refusal, alias.name_format), (Refusal::Reject, NameFormat::NameAt));
    assert!(alias.enabled && !alias.opaque_reverse_aliases && !alias.has_blocked_contacts);
    assert_eq!(alias.mailboxes.len(), 1, "only verified mailboxes get mail");

    let verify = MailboxChange { verified: Some(true), paused: Some(true) };
    store.set_mailbox(ACCOUNT, &address("home@example.net"), &verify).await.unwrap();
    let mailboxes = seen(&store, "shop@example.com").await.mailboxes.clone();
    assert_eq!(mailboxes.len(), 2);
    assert_eq!((mailboxes[1].address.to_string().as_str(), mailboxes[1].paused), ("Home@example.net", true));
}

async fn a_domain_that_is_not_verified_takes_no_mail(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    database.sql("UPDATE domains SET verified = 0").await;
    assert_eq!(lookup(&store, "shop@example.com").await, Lookup::ForeignDomain);
}

async fn roles_are_never_made_into_aliases(database: Database) {
    let store = database.store().await;
    mailbox(&store, "jane@example.net").await;
    catch_all(&store, "example.com", "jane@example.net").await;
    for role in ["postmaster@example.com", "Abuse@example.com", "abuse+1@example.com"] {
        assert_eq!(lookup(&store, role).await, Lookup::Unknown, "{role}");
    }
    let Lookup::Creatable(rule) = lookup(&store, "a@example.com").await else { panic!("not creatable") };
    assert!(store.create_alias(&rule, &address("postmaster@example.com")).await.is_err());
}

async fn a_catch_all_makes_the_base_of_a_tagged_name(database: Database) {
    let store = database.store().await;
    mailbox(&store, "jane@example.net").await;
    catch_all(&store, "example.com", "jane@example.net").await;
    let Lookup::Creatable(rule) = lookup(&store, "new+tag@example.com").await else {
        panic!("not creatable")
    };
    let made = store.create_alias(&rule, &address("New+tag@example.com")).await.unwrap();
    assert_eq!(made.address.as_normal(), "new@example.com");
    assert_eq!(made.mailboxes[0].address, address("jane@example.net"));
    for spelling in ["new@example.com", "new+tag@example.com", "new+other@example.com"] {
        assert_eq!(lookup(&store, spelling).await, Lookup::Alias(Arc::clone(&made)), "{spelling}");
    }
    assert_eq!(store.alias(ACCOUNT, &address("new@example.com")).await.unwrap().id, made.id);
}

async fn a_catch_all_that_changed_meanwhile_makes_nothing(database: Database) {
    let store = database.store().await;
    mailbox(&store, "jane@example.net").await;
    catch_all(&store, "example.com", "jane@example.net").await;
    let Lookup::Creatable(rule) = lookup(&store, "a@example.com").await else { panic!("not creatable") };

    alias(&store, "gone@example.com").await;
    store.remove_alias(ACCOUNT, &address("gone@example.com"), now()).await.unwrap();
    assert!(store.create_alias(&rule, &address("gone@example.com")).await.is_err(), "a tombstone stays one");
    assert_eq!(lookup(&store, "gone@example.com").await, Lookup::Deleted);

    store.remove_domain(ACCOUNT, &domain_name("example.com")).await.unwrap();
    assert!(store.create_alias(&rule, &address("a@example.com")).await.is_err());
    domain(&store, "example.com").await;
    assert_eq!(lookup(&store, "a@example.com").await, Lookup::Unknown);
}

async fn every_change_is_seen_at_once(database: Database) {
    let store = database.store().await;
    let name = address("shop@example.com");
    assert_eq!(told(&lookup(&store, "shop@example.com").await), "foreign");
    mailbox(&store, "jane@example.net").await;
    domain(&store, "example.com").await;
    assert_eq!(told(&lookup(&store, "shop@example.com").await), "unknown");
    assert_eq!(told(&lookup(&store, "shop+x@example.com").await), "unknown");
    assert_eq!(told(&lookup(&store, "bob.x7@example.com").await), "unknown");
    alias(&store, "shop@example.com").await;
    assert!(is_enabled(&store, "shop@example.com").await);
    assert!(is_enabled(&store, "shop+x@example.com").await);
    enable(&store, "shop@example.com", false).await;
    assert!(!is_enabled(&store, "shop@example.com").await);
    assert!(!is_enabled(&store, "shop+x@example.com").await, "also what is cached under another name");

    let pause = MailboxChange { verified: None, paused: Some(true) };
    store.set_mailbox(ACCOUNT, &address("jane@example.net"), &pause).await.unwrap();
    assert!(seen(&store, "shop@example.com").await.mailboxes[0].paused);
    let discard = AccountChange { refusal: Some(Refusal::Discard), ..AccountChange::default() };
    store.set_account("default", &discard).await.unwrap();
    assert_eq!(seen(&store, "shop@example.com").await.refusal, Refusal::Discard);

    contact(&store, "shop@example.com", "bob@example.org", "bob.x7@example.com").await;
    assert!(matches!(lookup(&store, "bob.x7@example.com").await, Lookup::ReverseAlias(_, c) if !c.blocked));
    store.block_contact(ACCOUNT, &name, &address("bob@example.org"), true).await.unwrap();
    assert!(matches!(lookup(&store, "bob.x7@example.com").await,
        Lookup::ReverseAlias(alias, contact) if contact.blocked && alias.has_blocked_contacts));
    assert!(seen(&store, "shop@example.com").await.has_blocked_contacts);
    store.remove_contact(ACCOUNT, &name, &address("bob@example.org")).await.unwrap();
    assert_eq!(told(&lookup(&store, "bob.x7@example.com").await), "unknown");

    store.remove_alias(ACCOUNT, &name, now()).await.unwrap();
    assert_eq!(told(&lookup(&store, "shop@example.com").await), "deleted");
    store.remove_domain(ACCOUNT, &domain_name("example.com")).await.unwrap();
    assert_eq!(told(&lookup(&store, "shop@example.com").await), "foreign");
}

async fn counts_reach_the_table(database: Database) {
    let store = database.store().await;
    let shop = shop(&store).await.id;
    let other = alias(&store, "other@example.com").await.id;
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move { store.run(stop).await }
    });
    for _ in 0..1000 {
        store.count(shop, Counted::Forwarded);
    }
    store.count(shop, Counted::Replied);
    store.count(other, Counted::Blocked);
    stop.cancel();
    running.await.unwrap();
    let counts = |alias: records::Alias| (alias.forwarded, alias.replied, alias.blocked);
    for (text, wanted) in [("shop@example.com", (1000, 1, 0)), ("other@example.com", (0, 0, 1))] {
        assert_eq!(counts(store.alias(ACCOUNT, &address(text)).await.unwrap()), wanted, "{text}");
    }
}

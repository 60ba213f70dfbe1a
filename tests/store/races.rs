//! Rules that hold when two do things at once. Each race is run a few times: one that is lost is lost for good.

use std::future::Future;
use std::sync::Arc;

use aliasd::admin::Registry;
use aliasd::admin::records::{AliasChange, Page};
use aliasd::relay::alias::Lookup;
use aliasd::relay::ports::{Directory, WantedContact};
use tokio::sync::Barrier;

use crate::harness::*;

on_both_engines!(
    two_messages_make_one_alias,
    two_messages_make_one_contact_each,
    a_domain_and_a_mailbox_at_it_exclude_each_other,
    an_alias_and_a_reverse_alias_exclude_each_other,
    an_alias_keeps_its_last_mailbox,
    a_mailbox_is_not_removed_under_a_new_alias,
    a_look_up_never_sees_what_was_before_a_change,
);

const ROUNDS: usize = 10;

/// Does both at the same time.
pub async fn at_once<A, B>(one: A, other: B) -> (A::Output, B::Output)
where
    A: Future<Output: Send> + Send + 'static,
    B: Future<Output: Send> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(2));
    let waiting = Arc::clone(&barrier);
    let task = tokio::spawn(async move {
        waiting.wait().await;
        other.await
    });
    barrier.wait().await;
    (one.await, task.await.unwrap())
}

async fn two_messages_make_one_alias(database: Database) {
    let (here, there) = (database.store().await, database.open().await);
    mailbox(&here, "jane@example.net").await;
    catch_all(&here, "example.com", "jane@example.net").await;
    for n in 0..ROUNDS {
        let name = address(&format!("new{n}@example.com"));
        let Lookup::Creatable(rule) = here.lookup(&name).await.unwrap() else { panic!("not creatable") };
        let create = |store: &aliasd::store::Store| {
            let (store, rule, name) = (store.clone(), Arc::clone(&rule), name.clone());
            async move { store.create_alias(&rule, &name).await.unwrap() }
        };
        let (one, other) = at_once(create(&here), create(&there)).await;
        assert_eq!(one.id, other.id);
        let (one, other) = at_once(create(&here), create(&here)).await;
        assert_eq!(one.id, other.id);
    }
    let page = Page { limit: 100, after: None };
    assert_eq!(here.aliases(ACCOUNT, None, &page).await.unwrap().len(), ROUNDS);
}

async fn two_messages_make_one_contact_each(database: Database) {
    let (here, there) = (database.store().await, database.open().await);
    shop(&here).await;
    let Lookup::Alias(alias) = lookup(&here, "shop@example.com").await else { panic!("no alias") };
    for n in 0..ROUNDS {
        let want = |store: &aliasd::store::Store, node: &str, order: [usize; 3]| {
            let wanted = order.map(|c| WantedContact {
                address: address(&format!("c{n}-{c}@example.org")),
                name: None,
                reverse_alias: address(&format!("{node}.{n}.{c}@example.com")),
            });
            let (store, alias) = (store.clone(), Arc::clone(&alias));
            async move { store.contacts(&alias, &wanted).await.unwrap() }
        };
        let (one, other) = at_once(want(&here, "here", [0, 1, 2]), want(&there, "there", [2, 1, 0])).await;
        assert!(one.iter().eq(other.iter().rev()), "{one:?} {other:?}");
    }
}

async fn a_domain_and_a_mailbox_at_it_exclude_each_other(database: Database) {
    let store = database.store().await;
    for n in 0..ROUNDS {
        let (a, b) = (store.clone(), store.clone());
        let (domain, mailbox) =
            at_once(
                async move {
                    a.add_domain(ACCOUNT, &domain_name(&format!("d{n}.example.com")), None, now()).await
                },
                async move {
                    b.add_mailbox(ACCOUNT, &address(&format!("me@d{n}.example.com")), true, now()).await
                },
            )
            .await;
        assert_ne!(domain.is_ok(), mailbox.is_ok(), "{domain:?} {mailbox:?}");
    }
}

async fn an_alias_and_a_reverse_alias_exclude_each_other(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    for n in 0..ROUNDS {
        let (a, b, name) = (store.clone(), store.clone(), format!("bob.x{n}@example.com"));
        let (new, reverse) = (new_alias(&name, &["jane@example.net"]), address(&name));
        let bob = address(&format!("bob{n}@example.org"));
        let (alias, contact) = at_once(async move { a.add_alias(ACCOUNT, &new, now()).await }, async move {
            b.add_contact(ACCOUNT, &address("shop@example.com"), &bob, None, &reverse, now()).await
        })
        .await;
        assert_ne!(alias.is_ok(), contact.is_ok(), "{alias:?} {contact:?}");
    }
}

async fn an_alias_keeps_its_last_mailbox(database: Database) {
    let store = database.store().await;
    domain(&store, "example.com").await;
    for n in 0..ROUNDS {
        let (m1, m2) = (format!("a{n}@example.net"), format!("b{n}@example.net"));
        mailbox(&store, &m1).await;
        mailbox(&store, &m2).await;
        let name = format!("shop{n}@example.com");
        store.add_alias(ACCOUNT, &new_alias(&name, &[&m1, &m2]), now()).await.unwrap();
        let (a, b) = (store.clone(), store.clone());
        let (one, other) =
            at_once(async move { a.remove_mailbox(ACCOUNT, &address(&m1)).await }, async move {
                b.remove_mailbox(ACCOUNT, &address(&m2)).await
            })
            .await;
        assert_ne!(one.is_ok(), other.is_ok(), "{one:?} {other:?}");
        assert_eq!(store.alias(ACCOUNT, &address(&name)).await.unwrap().mailboxes.len(), 1);
    }
}

async fn a_mailbox_is_not_removed_under_a_new_alias(database: Database) {
    let store = database.store().await;
    domain(&store, "example.com").await;
    for n in 0..ROUNDS {
        let (text, name) = (format!("a{n}@example.net"), format!("shop{n}@example.com"));
        mailbox(&store, &text).await;
        let (a, b, new) = (store.clone(), store.clone(), new_alias(&name, &[&text]));
        let (added, removed) = at_once(async move { a.add_alias(ACCOUNT, &new, now()).await }, async move {
            b.remove_mailbox(ACCOUNT, &address(&text)).await
        })
        .await;
        assert_ne!(added.is_ok(), removed.is_ok(), "{added:?} {removed:?}");
    }
}

/// Readers keep loads under way all the time while the alias is changed. What a look-up that begins after a change sees
/// must be that change.
async fn a_look_up_never_sees_what_was_before_a_change(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    lookup(&store, "shop@example.com").await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for n in 0..60 {
        let note = AliasChange {
            enabled: Some(n % 2 == 0),
            name: Some(Some(format!("name {n}"))),
            ..AliasChange::default()
        };
        store.set_alias(ACCOUNT, &address("shop@example.com"), &note).await.unwrap();
        let Lookup::Alias(alias) = lookup(&store, "shop@example.com").await else { panic!("no alias") };
        assert_eq!(alias.display_name, Some(format!("name {n}")));
        assert_eq!(alias.enabled, n % 2 == 0);
    }
    for reader in readers {
        reader.abort();
        assert!(reader.await.unwrap_err().is_cancelled(), "no reader failed");
    }
}

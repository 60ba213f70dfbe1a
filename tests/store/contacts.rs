//! Contacts: those that mail makes, and those that their owner manages.

use aliasd::admin::Registry;
use aliasd::admin::records::Page;
use aliasd::relay::alias::{Alias, Lookup};
use aliasd::relay::ports::{Directory, WantedContact};
use aliasd::store::Store;

use crate::harness::*;

on_both_engines!(
    contacts_are_found_or_made_in_the_order_asked_for,
    fifty_contacts_come_in_one_go,
    a_missing_name_is_filled_in_and_a_given_one_kept,
    a_reverse_alias_stands_for_one_contact,
    a_removed_alias_gets_no_contacts,
    contacts_are_managed_by_their_owner,
);

async fn an_alias(store: &Store) -> Alias {
    shop(store).await;
    let Lookup::Alias(alias) = lookup(store, "shop@example.com").await else { panic!("no alias") };
    Alias::clone(&alias)
}

fn wanted(text: &str, name: Option<&str>) -> WantedContact {
    let address = address(text);
    let reverse = format!("{}.r@example.com", address.local().to_lowercase());
    WantedContact { reverse_alias: crate::harness::address(&reverse), address, name: name.map(str::to_owned) }
}

async fn contacts_are_found_or_made_in_the_order_asked_for(database: Database) {
    let store = database.store().await;
    let alias = an_alias(&store).await;
    assert_eq!(store.contacts(&alias, &[]).await.unwrap(), []);
    // Somebody asked before: the answers "nobody" must not outlive the contact.
    assert_eq!(lookup(&store, "carol.r@example.com").await, Lookup::Unknown);
    assert_eq!(store.find_contact(alias.id, &address("carol@example.org")).await.unwrap(), None);

    let first = store.contacts(&alias, &[wanted("Bob@example.org", None)]).await.unwrap();
    assert_eq!(first[0].address.to_string(), "Bob@example.org", "written as it was first seen");
    let asked = [
        wanted("carol@example.org", Some("Carol")),
        wanted("bob@example.org", None),
        wanted("CAROL@example.org", None),
        wanted("alice@example.org", None),
    ];
    for _ in 0..2 {
        let found = store.contacts(&alias, &asked).await.unwrap();
        let normal: Vec<_> = found.iter().map(|contact| contact.address.as_normal()).collect();
        assert_eq!(
            normal,
            ["carol@example.org", "bob@example.org", "carol@example.org", "alice@example.org"]
        );
        assert_eq!(found[1].id, first[0].id);
        assert_eq!(found[0], found[2]);
        assert_eq!(found[0].reverse_alias, address("carol.r@example.com"));
    }
    let Lookup::ReverseAlias(of, carol) = lookup(&store, "carol.r@example.com").await else { panic!("none") };
    assert_eq!((of.id, carol.name.as_deref()), (alias.id, Some("Carol")));
    let found = store.find_contact(alias.id, &address("carol@example.org")).await.unwrap().unwrap();
    assert_eq!(found, *carol);
}

async fn fifty_contacts_come_in_one_go(database: Database) {
    let store = database.store().await;
    let alias = an_alias(&store).await;
    let some: Vec<_> = (0..20).map(|n| wanted(&format!("c{n}@example.org"), None)).collect();
    let made = store.contacts(&alias, &some).await.unwrap();
    let all: Vec<_> = (0..120).rev().map(|n| wanted(&format!("c{n}@example.org"), Some("C"))).collect();
    let found = store.contacts(&alias, &all).await.unwrap();
    assert_eq!(found.len(), 120);
    assert!(found.iter().zip(&all).all(|(contact, want)| contact.address == want.address));
    assert_eq!(found[119].id, made[0].id);
    let listed = store
        .contacts_of(ACCOUNT, &address("shop@example.com"), &Page { limit: 1000, after: None })
        .await
        .unwrap();
    assert_eq!(listed.len(), 120);
}

async fn a_missing_name_is_filled_in_and_a_given_one_kept(database: Database) {
    let store = database.store().await;
    let alias = an_alias(&store).await;
    let name = async |want| store.contacts(&alias, &[want]).await.unwrap().remove(0).name;
    assert_eq!(name(wanted("bob@example.org", None)).await, None);
    assert!(
        matches!(lookup(&store, "bob.r@example.com").await, Lookup::ReverseAlias(_, c) if c.name.is_none())
    );
    assert_eq!(name(wanted("bob@example.org", Some(""))).await, None);
    assert_eq!(name(wanted("bob@example.org", Some("Bob"))).await.as_deref(), Some("Bob"));
    assert!(
        matches!(lookup(&store, "bob.r@example.com").await, Lookup::ReverseAlias(_, c) if c.name.is_some())
    );
    assert_eq!(name(wanted("bob@example.org", Some("Robert"))).await.as_deref(), Some("Bob"));
    assert_eq!(name(wanted("bob@example.org", None)).await.as_deref(), Some("Bob"));
    let long = name(wanted("eve@example.org", Some(&"ü".repeat(5000)))).await.unwrap();
    assert_eq!(long.chars().count(), 255);
}

async fn a_reverse_alias_stands_for_one_contact(database: Database) {
    let store = database.store().await;
    let alias = an_alias(&store).await;
    store.contacts(&alias, &[wanted("bob@example.org", None)]).await.unwrap();
    let clash = WantedContact {
        address: address("carol@example.org"),
        name: None,
        reverse_alias: address("bob.r@example.com"),
    };
    let error = store.contacts(&alias, std::slice::from_ref(&clash)).await.unwrap_err();
    assert!(error.to_string().contains("stands for another contact"), "{error}");
    let taken = WantedContact { reverse_alias: address("shop@example.com"), ..clash };
    let error = store.contacts(&alias, &[taken]).await.unwrap_err();
    assert!(error.to_string().contains("is or was an alias"), "{error}");
    assert_eq!(store.find_contact(alias.id, &address("carol@example.org")).await.unwrap(), None);
}

async fn a_removed_alias_gets_no_contacts(database: Database) {
    let store = database.store().await;
    let alias = an_alias(&store).await;
    let bob = wanted("bob@example.org", None);
    store.contacts(&alias, std::slice::from_ref(&bob)).await.unwrap();
    store.remove_alias(ACCOUNT, &address("shop@example.com"), now()).await.unwrap();
    assert!(store.contacts(&alias, &[bob]).await.is_err());
    assert!(store.contacts(&alias, &[wanted("carol@example.org", None)]).await.is_err());
    assert_eq!(store.find_contact(alias.id, &address("bob@example.org")).await.unwrap(), None);
    assert_eq!(lookup(&store, "bob.r@example.com").await, Lookup::Unknown);
}

async fn contacts_are_managed_by_their_owner(database: Database) {
    let store = database.store().await;
    let alias = an_alias(&store).await;
    let (shop, bob) = (address("shop@example.com"), address("bob@example.org"));
    let made = contact(&store, "shop@example.com", "bob@example.org", "bob.x7@example.com").await;
    assert_eq!((made.reverse_alias.as_str(), made.name.as_deref()), ("bob.x7@example.com", None));
    assert_eq!(made.created_at, now());

    // Again, with another reverse alias and a name: the contact that is there, renamed.
    let other = address("bob.other@example.com");
    for name in ["Bob", "Robert"] {
        let again = store.add_contact(ACCOUNT, &shop, &bob, Some(name), &other, now()).await.unwrap();
        assert_eq!((again.id, again.reverse_alias.as_str()), (made.id, "bob.x7@example.com"));
        assert_eq!(again.name.as_deref(), Some(name));
        let found = store.find_contact(alias.id, &bob).await.unwrap().unwrap();
        assert_eq!(found.name.as_deref(), Some(name));
    }
    contact(&store, "shop@example.com", "carol@example.org", "carol.x7@example.com").await;

    assert!(store.block_contact(ACCOUNT, &shop, &bob, true).await.unwrap().blocked);
    assert!(store.find_contact(alias.id, &bob).await.unwrap().unwrap().blocked);
    store.remove_contact(ACCOUNT, &shop, &address("carol@example.org")).await.unwrap();
    assert!(matches!(lookup(&store, "shop@example.com").await, Lookup::Alias(a) if a.has_blocked_contacts));
    assert!(!store.block_contact(ACCOUNT, &shop, &bob, false).await.unwrap().blocked);
    assert!(matches!(lookup(&store, "shop@example.com").await, Lookup::Alias(a) if !a.has_blocked_contacts));

    let page = Page { limit: 10, after: None };
    assert_eq!(store.contacts_of(ACCOUNT, &shop, &page).await.unwrap().len(), 1);
    let after = Page { limit: 10, after: Some(made.id.0) };
    assert!(store.contacts_of(ACCOUNT, &shop, &after).await.unwrap().is_empty());
    store.remove_contact(ACCOUNT, &shop, &bob).await.unwrap();
    assert_eq!(absent(store.remove_contact(ACCOUNT, &shop, &bob).await), ("contact", bob.to_string()));
    assert_eq!(absent(store.block_contact(ACCOUNT, &shop, &bob, true).await).0, "contact");
    let nobody = address("nobody@example.com");
    assert_eq!(absent(store.contacts_of(ACCOUNT, &nobody, &page).await).0, "alias");
    assert_eq!(absent(store.remove_contact(ACCOUNT, &nobody, &bob).await).0, "alias");
}

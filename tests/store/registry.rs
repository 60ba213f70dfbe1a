//! What admins may and may not do.

use aliasd::admin::Registry;
use aliasd::admin::records::{AccountChange, AliasChange, MailboxChange, Page};
use aliasd::mail::Timestamp;
use aliasd::relay::alias::{AccountId, Lookup, Mode, NameFormat, Refusal};

use crate::harness::*;

on_both_engines!(
    accounts_are_added_changed_and_removed,
    domains_are_added_and_removed,
    a_domain_of_ours_holds_no_mailbox,
    mailboxes_are_added_changed_and_removed,
    a_mailbox_in_use_stays,
    an_alias_is_added_as_it_was_asked_for,
    an_alias_that_cannot_be_is_refused,
    an_alias_is_changed_field_by_field,
    a_deleted_alias_is_never_issued_again,
    lists_come_in_pages,
    aliases_are_searched_for,
    texts_of_any_script_are_kept,
);

const EVERYTHING: Page = Page { limit: 100, after: None };

async fn accounts_are_added_changed_and_removed(database: Database) {
    let store = database.store().await;
    let work = store.add_account("work", now()).await.unwrap();
    assert_eq!((work.name.as_str(), work.created_at), ("work", now()));
    assert_eq!(store.account("work").await.unwrap(), work);
    assert_eq!(why(store.add_account("work", now()).await), "exists already");
    assert_eq!(wrong(store.add_account("", now()).await).0, "name");

    let change = AccountChange {
        name_format: Some(NameFormat::Name),
        refusal: Some(Refusal::Discard),
        opaque_reverse_aliases: Some(true),
    };
    let changed = store.set_account("work", &change).await.unwrap();
    assert_eq!(changed.name_format, NameFormat::Name);
    assert_eq!(store.account("work").await.unwrap(), changed);
    assert_eq!(store.set_account("work", &AccountChange::default()).await.unwrap(), changed);

    store.add_mailbox(work.id, &address("jane@example.net"), true, now()).await.unwrap();
    assert!(why(store.remove_account("work").await).contains("jane@example.net"));
    store.remove_mailbox(work.id, &address("jane@example.net")).await.unwrap();
    store.remove_account("work").await.unwrap();
    assert_eq!(absent(store.account("work").await), ("account", "work".to_owned()));
    assert_eq!(absent(store.remove_account("work").await).0, "account");
    assert!(why(store.remove_account("default").await).contains("always there"));
    assert_eq!(store.accounts(&EVERYTHING).await.unwrap().len(), 1);
}

async fn domains_are_added_and_removed(database: Database) {
    let store = database.store().await;
    mailbox(&store, "Jane@example.net").await;
    let plain = domain(&store, "example.com").await;
    assert!(plain.verified && plain.catch_all.is_none());
    let catching = catch_all(&store, "example.org", "jane@example.net").await;
    assert_eq!(catching.catch_all.as_deref(), Some("Jane@example.net"));
    assert_eq!(store.domains(ACCOUNT, &EVERYTHING).await.unwrap(), [plain, catching]);

    let name = domain_name("example.com");
    assert_eq!(why(store.add_domain(ACCOUNT, &name, None, now()).await), "exists already");
    let work = store.add_account("work", now()).await.unwrap().id;
    assert_eq!(why(store.add_domain(work, &name, None, now()).await), "belongs to another account");
    let other = domain_name("sub.example.com");
    let unknown = address("nobody@example.net");
    assert_eq!(absent(store.add_domain(ACCOUNT, &other, Some(&unknown), now()).await).0, "mailbox");
    // Another account's mailbox is not one of ours.
    let answer = store.add_domain(work, &other, Some(&address("jane@example.net")), now()).await;
    assert_eq!(absent(answer).0, "mailbox");
    assert_eq!(absent(store.add_domain(AccountId(999), &other, None, now()).await).0, "account");

    alias(&store, "shop@example.com").await;
    assert!(why(store.remove_domain(ACCOUNT, &name).await).contains("shop@example.com"));
    assert_eq!(absent(store.remove_domain(work, &name).await), ("domain", "example.com".to_owned()));
    store.remove_alias(ACCOUNT, &address("shop@example.com"), now()).await.unwrap();
    store.remove_domain(ACCOUNT, &name).await.unwrap();
    assert_eq!(absent(store.remove_domain(ACCOUNT, &name).await).0, "domain");
}

async fn a_domain_of_ours_holds_no_mailbox(database: Database) {
    let store = database.store().await;
    mailbox(&store, "jane@example.net").await;
    let (field, detail) = wrong(store.add_domain(ACCOUNT, &domain_name("example.net"), None, now()).await);
    assert!(field == "name" && detail.contains("jane@example.net"), "{detail}");
    // Whose mailbox it is, another account does not learn.
    let work = store.add_account("work", now()).await.unwrap().id;
    let (_, detail) = wrong(store.add_domain(work, &domain_name("example.net"), None, now()).await);
    assert!(!detail.contains("jane"), "{detail}");

    domain(&store, "example.com").await;
    let at_ours = address("me@example.com");
    let (field, detail) = wrong(store.add_mailbox(ACCOUNT, &at_ours, true, now()).await);
    assert!(field == "address" && detail.contains("example.com"), "{detail}");
    assert_eq!(
        store.mailboxes(ACCOUNT, &EVERYTHING).await.unwrap().len(),
        1,
        "the refused one left no trace"
    );
    mailbox(&store, "me@mail.example.com").await;
}

async fn mailboxes_are_added_changed_and_removed(database: Database) {
    let store = database.store().await;
    let added = mailbox(&store, "Jane.Doe@Example.NET").await;
    assert_eq!(added.address, "Jane.Doe@example.net", "the case of a local part is its host's");
    let same = address("\"jane.doe\"@example.net");
    assert_eq!(why(store.add_mailbox(ACCOUNT, &same, true, now()).await), "exists already");
    let work = store.add_account("work", now()).await.unwrap().id;
    store.add_mailbox(work, &same, true, now()).await.unwrap();

    let pause = MailboxChange { verified: None, paused: Some(true) };
    let paused = store.set_mailbox(ACCOUNT, &same, &pause).await.unwrap();
    assert!(paused.paused && paused.verified);
    assert_eq!(store.mailboxes(ACCOUNT, &EVERYTHING).await.unwrap(), [paused]);
    store.remove_mailbox(ACCOUNT, &same).await.unwrap();
    assert_eq!(absent(store.remove_mailbox(ACCOUNT, &same).await).0, "mailbox");
    assert_eq!(absent(store.set_mailbox(ACCOUNT, &same, &pause).await).0, "mailbox");
    assert_eq!(store.mailboxes(work, &EVERYTHING).await.unwrap().len(), 1);
}

async fn a_mailbox_in_use_stays(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    mailbox(&store, "home@example.net").await;
    catch_all(&store, "example.org", "home@example.net").await;
    let (jane, home) = (address("jane@example.net"), address("home@example.net"));
    assert!(why(store.remove_mailbox(ACCOUNT, &jane).await).contains("shop@example.com"));
    assert!(why(store.remove_mailbox(ACCOUNT, &home).await).contains("example.org"));

    let both = AliasChange { mailboxes: Some(vec![home, jane.clone()]), ..AliasChange::default() };
    store.set_alias(ACCOUNT, &address("shop@example.com"), &both).await.unwrap();
    store.remove_mailbox(ACCOUNT, &jane).await.unwrap();
    let left = store.alias(ACCOUNT, &address("shop@example.com")).await.unwrap().mailboxes;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].address, "home@example.net");
}

async fn an_alias_is_added_as_it_was_asked_for(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    mailbox(&store, "home@example.net").await;
    let mut new =
        new_alias("Lists@Example.COM", &["home@example.net", "jane@example.net", "home@example.net"]);
    new.name = Some("Jane Doe".to_owned());
    new.note = Some("for lists".to_owned());
    new.mode = Mode::Preserve;
    new.expires_at = Some(Timestamp::from_millis(1_900_000_000_001));
    let added = store.add_alias(ACCOUNT, &new, now()).await.unwrap();
    assert_eq!(added.address, "lists@example.com");
    assert!(added.enabled && !added.pinned);
    assert_eq!((&added.name, &added.note, added.mode), (&new.name, &new.note, Mode::Preserve));
    assert_eq!((added.expires_at, added.created_at), (new.expires_at, now()));
    let mailboxes: Vec<_> = added.mailboxes.iter().map(|mailbox| mailbox.address.as_str()).collect();
    assert_eq!(mailboxes, ["jane@example.net", "home@example.net"]);
    assert_eq!(store.alias(ACCOUNT, &address("LISTS@example.com")).await.unwrap(), added);
}

async fn an_alias_that_cannot_be_is_refused(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    contact(&store, "shop@example.com", "bob@example.org", "bob.x7@example.com").await;
    let work = store.add_account("work", now()).await.unwrap().id;
    store.add_domain(work, &domain_name("work.example.com"), None, now()).await.unwrap();
    let add = |text: &'static str, mailboxes: &'static [&'static str]| {
        let (store, new) = (store.clone(), new_alias(text, mailboxes));
        async move { store.add_alias(ACCOUNT, &new, now()).await }
    };
    const JANE: &[&str] = &["jane@example.net"];

    assert_eq!(why(add("shop@example.com", JANE).await), "exists already");
    assert!(why(add("bob.x7@example.com", JANE).await).contains("reverse alias"));
    assert!(wrong(add("a@example.org", JANE).await).1.contains("not a domain of aliases"));
    assert!(wrong(add("a@[192.0.2.1]", JANE).await).1.contains("not a domain of aliases"));
    assert!(wrong(add("a@work.example.com", JANE).await).1.contains("another account"));
    assert_eq!(wrong(add("a@example.com", &[]).await).0, "mailboxes");
    assert_eq!(wrong(add("Postmaster@example.com", JANE).await).0, "address");
    assert_eq!(wrong(add("abuse@example.com", JANE).await).0, "address");
    assert_eq!(absent(add("a@example.com", &["nobody@example.net"]).await).0, "mailbox");
    assert_eq!(store.aliases(ACCOUNT, None, &EVERYTHING).await.unwrap().len(), 1, "no trace is left");

    assert_eq!(absent(store.alias(work, &address("shop@example.com")).await).0, "alias");
    assert_eq!(absent(store.remove_alias(work, &address("shop@example.com"), now()).await).0, "alias");
}

async fn an_alias_is_changed_field_by_field(database: Database) {
    let store = database.store().await;
    let before = shop(&store).await;
    let name = address("shop@example.com");
    assert_eq!(store.set_alias(ACCOUNT, &name, &AliasChange::default()).await.unwrap(), before);
    let change = AliasChange {
        enabled: Some(false),
        name: Some(Some("Jane".to_owned())),
        note: Some(Some("remark".to_owned())),
        pinned: Some(true),
        mode: Some(Mode::Preserve),
        expires_at: Some(Some(now())),
        refusal: Some(Some(Refusal::Discard)),
        mailboxes: None,
    };
    let changed = store.set_alias(ACCOUNT, &name, &change).await.unwrap();
    assert_eq!(store.alias(ACCOUNT, &name).await.unwrap(), changed);
    assert!(!changed.enabled && changed.pinned && changed.expires_at == Some(now()));
    assert_eq!(changed.mailboxes, before.mailboxes);
    // The answer to unwanted senders is not in the record; mail sees it, and another change keeps it.
    let clear =
        AliasChange { name: Some(None), note: Some(None), expires_at: Some(None), ..AliasChange::default() };
    let cleared = store.set_alias(ACCOUNT, &name, &clear).await.unwrap();
    assert!(cleared.name.is_none() && cleared.note.is_none() && cleared.expires_at.is_none());
    let Lookup::Alias(seen) = lookup(&store, "shop@example.com").await else { panic!("no alias") };
    assert_eq!((seen.refusal, seen.mode, seen.enabled), (Refusal::Discard, Mode::Preserve, false));

    let none = AliasChange { mailboxes: Some(vec![]), ..AliasChange::default() };
    assert_eq!(wrong(store.set_alias(ACCOUNT, &name, &none).await).0, "mailboxes");
    let unknown = AliasChange { mailboxes: Some(vec![address("x@example.net")]), ..AliasChange::default() };
    assert_eq!(absent(store.set_alias(ACCOUNT, &name, &unknown).await).0, "mailbox");
    assert_eq!(store.alias(ACCOUNT, &name).await.unwrap().mailboxes, before.mailboxes);
}

async fn a_deleted_alias_is_never_issued_again(database: Database) {
    let store = database.store().await;
    mailbox(&store, "jane@example.net").await;
    catch_all(&store, "example.com", "jane@example.net").await;
    alias(&store, "shop@example.com").await;
    contact(&store, "shop@example.com", "bob@example.org", "bob.x7@example.com").await;
    let name = address("shop@example.com");
    store.remove_alias(ACCOUNT, &name, now()).await.unwrap();

    assert_eq!(lookup(&store, "shop@example.com").await, Lookup::Deleted);
    assert_eq!(lookup(&store, "shop+tag@example.com").await, Lookup::Deleted, "nor under a tag");
    let again = new_alias("shop@example.com", &["jane@example.net"]);
    assert!(why(store.add_alias(ACCOUNT, &again, now()).await).contains("never issued again"));
    assert_eq!(absent(store.alias(ACCOUNT, &name).await).0, "alias");
    assert_eq!(absent(store.remove_alias(ACCOUNT, &name, now()).await).0, "alias");
    assert!(store.aliases(ACCOUNT, None, &EVERYTHING).await.unwrap().is_empty());

    // Also not to an account that gets the domain later.
    store.remove_domain(ACCOUNT, &domain_name("example.com")).await.unwrap();
    let work = store.add_account("work", now()).await.unwrap().id;
    store.add_mailbox(work, &address("jane@example.net"), true, now()).await.unwrap();
    store.add_domain(work, &domain_name("example.com"), None, now()).await.unwrap();
    assert!(why(store.add_alias(work, &again, now()).await).contains("never issued again"));
    assert_eq!(lookup(&store, "shop@example.com").await, Lookup::Deleted);
}

async fn lists_come_in_pages(database: Database) {
    let store = database.store().await;
    mailbox(&store, "jane@example.net").await;
    domain(&store, "example.com").await;
    for n in 0..60 {
        alias(&store, &format!("a{n}@example.com")).await;
    }
    store.remove_alias(ACCOUNT, &address("a30@example.com"), now()).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.aliases(ACCOUNT, None, &Page { limit: 25, after }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id.0);
        seen.extend(page);
    }
    let wanted: Vec<_> = (0..60).filter(|n| *n != 30).map(|n| format!("a{n}@example.com")).collect();
    assert_eq!(seen.iter().map(|alias| alias.address.clone()).collect::<Vec<_>>(), wanted);
    assert!(seen.iter().all(|alias| alias.mailboxes.len() == 1));
    // More at once than one set of keys.
    assert_eq!(store.aliases(ACCOUNT, None, &EVERYTHING).await.unwrap(), seen);
    let first = store.aliases(ACCOUNT, None, &Page { limit: 0, after: None }).await.unwrap();
    assert_eq!(first.len(), 1);
}

async fn aliases_are_searched_for(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    alias(&store, "100_percent@example.com").await;
    alias(&store, "100xpercent@example.com").await;
    let texts = AliasChange {
        name: Some(Some("Jane Doe".to_owned())),
        note: Some(Some("50% off!".to_owned())),
        ..AliasChange::default()
    };
    store.set_alias(ACCOUNT, &address("shop@example.com"), &texts).await.unwrap();
    for (search, found) in [
        ("SHOP@", vec!["shop@example.com"]),
        ("jane d", vec!["shop@example.com"]),
        ("50%", vec!["shop@example.com"]),
        ("off!", vec!["shop@example.com"]),
        ("0_p", vec!["100_percent@example.com"]),
        ("0%p", vec![]),
        ("\\", vec![]),
        ("'", vec![]),
        ("percent", vec!["100_percent@example.com", "100xpercent@example.com"]),
        ("", vec!["shop@example.com", "100_percent@example.com", "100xpercent@example.com"]),
    ] {
        let answer = store.aliases(ACCOUNT, Some(search), &EVERYTHING).await.unwrap();
        let addresses: Vec<_> = answer.iter().map(|alias| alias.address.as_str()).collect();
        assert_eq!(addresses, found, "{search:?}");
    }
    assert_eq!(wrong(store.aliases(ACCOUNT, Some(&"x".repeat(300)), &EVERYTHING).await).0, "search");
}

async fn texts_of_any_script_are_kept(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    // The longest normal form there is: every character quoted.
    let longest = format!("\"{}\"@{}com", "\\\"".repeat(64), "abcdefg.".repeat(31));
    let mailbox = store.add_mailbox(ACCOUNT, &address(&longest), true, now()).await.unwrap();
    assert_eq!(mailbox.address, longest);
    let spelled = alias(&store, "jürgen.日本@example.com").await;
    assert_eq!(spelled.address, "jürgen.日本@example.com");
    // Accents and the case beyond ASCII tell addresses apart as they do in mail.
    alias(&store, "jurgen.日本@example.com").await;
    assert_eq!(
        lookup(&store, "JÜRGEN.日本@example.com").await,
        lookup(&store, "jürgen.日本@example.com").await
    );
    let note = AliasChange {
        note: Some(Some("🦊 \u{1F469}\u{200D}\u{1F680}".to_owned())),
        ..AliasChange::default()
    };
    let changed = store.set_alias(ACCOUNT, &address("shop@example.com"), &note).await.unwrap();
    assert_eq!(store.alias(ACCOUNT, &address("shop@example.com")).await.unwrap().note, changed.note);
    assert_eq!(changed.note, note.note.unwrap());
}

//! Certificates: whose they are, what mail is told of them, and that a mailbox encrypts whenever it has one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aliasd::admin::Registry;
use aliasd::admin::records::{Holder, Key, KeyOrigin, MailboxChange, Page};
use aliasd::mail::Timestamp;
use aliasd::relay::alias::{AccountId, Lookup};
use aliasd::relay::openpgp::{Fingerprint, Inspected, Origin};
use aliasd::relay::ports::{Directory, KeyWatch, Warned};
use aliasd::store::Store;

use crate::harness::*;
use crate::races::at_once;

on_both_engines!(
    certificates_are_added_listed_and_removed,
    a_certificate_that_is_there_already_is_renewed,
    an_address_has_only_so_many_certificates,
    a_mailbox_encrypts_while_it_has_a_certificate,
    a_catch_all_knows_that_its_mailbox_encrypts,
    a_contact_that_becomes_a_mailbox_keeps_its_certificates,
    a_mailbox_comes_with_its_certificates_or_not_at_all,
    certificates_go_with_what_they_are_for,
    the_certificate_of_a_letter_gives_way,
    letters_bring_nothing_for_our_own_addresses,
    what_expires_is_told_once_for_each_stage,
    an_alarm_is_not_given_again_at_once,
    the_owner_is_told_where_mail_is_taken,
    mail_never_sees_a_mailbox_in_the_clear_after_an_import,
    a_mailbox_and_its_certificate_come_at_once,
    certificates_and_mailboxes_that_come_and_go_stay_in_step,
    letters_at_once_leave_one_certificate,
    an_alias_and_its_certificates_go_at_once,
);

const EVERYTHING: Page = Page { limit: 100, after: None };
const ROUNDS: usize = 10;
const DAY: i64 = 24 * 3_600_000;

pub fn fingerprint(number: usize) -> Fingerprint {
    Fingerprint::parse(&format!("{number:040}")).unwrap()
}

pub fn found(number: usize) -> Inspected {
    let data = format!("certificate {number}").into_bytes();
    Inspected { fingerprint: fingerprint(number), addresses: vec![], expires_at: None, data }
}

fn found_until(number: usize, expires_at: i64) -> Inspected {
    Inspected { expires_at: Some(Timestamp::from_millis(expires_at)), ..found(number) }
}

pub async fn import(store: &Store, holder: &str, number: usize) -> Key {
    store.add_key(ACCOUNT, &address(holder), &found(number), Origin::Imported, now()).await.unwrap()
}

pub async fn remove(store: &Store, holder: &str, number: usize) -> usize {
    store.remove_key(ACCOUNT, Some(&address(holder)), &fingerprint(number)).await.unwrap().left
}

async fn listed(store: &Store, holder: Option<&str>) -> Vec<Key> {
    let holder = holder.map(address);
    store.keys(ACCOUNT, holder.as_ref(), &EVERYTHING).await.unwrap()
}

/// The fingerprints that mail is told, as numbers.
pub async fn used(store: &Store, holder: &str) -> Vec<usize> {
    let certificates = store.certificates(ACCOUNT, &address(holder)).await.unwrap();
    certificates.iter().map(|certificate| certificate.fingerprint.as_str().parse().unwrap()).collect()
}

/// Whether the first mailbox of the alias encrypts, as mail is told.
pub async fn encrypts(store: &Store, alias: &str) -> bool {
    let Lookup::Alias(alias) = lookup(store, alias).await else { panic!("no alias {alias}") };
    alias.mailboxes[0].encrypts
}

/// How many mailboxes say something else than their certificates.
async fn out_of_step(database: &Database) -> i64 {
    database
        .number(
            "SELECT COUNT(*) FROM mailboxes m WHERE m.encrypts <> EXISTS (SELECT 1 FROM openpgp_certs c \
             WHERE c.account_id = m.account_id AND c.address = m.address AND c.origin <> 'autocrypt')",
        )
        .await
}

async fn certificates_are_added_listed_and_removed(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    let jane = import(&store, "Jane@example.net", 1).await;
    assert_eq!((jane.holder, jane.origin, jane.mutual), (Holder::Mailbox, KeyOrigin::Imported, None));
    assert_eq!((&jane.fingerprint, jane.created_at, jane.expires_at), (&fingerprint(1), now(), None));
    assert_eq!(import(&store, "shop@example.com", 2).await.holder, Holder::Alias);
    let bob = address("Bob@Example.org");
    let wkd = store.add_key(ACCOUNT, &bob, &found_until(3, DAY), Origin::Wkd, now()).await.unwrap();
    assert_eq!((wkd.holder, wkd.origin), (Holder::Contact, KeyOrigin::Wkd));
    assert_eq!(
        (wkd.address.as_str(), wkd.expires_at),
        ("Bob@example.org", Some(Timestamp::from_millis(DAY)))
    );

    let all = listed(&store, None).await;
    assert_eq!(
        all.iter().map(|key| key.holder).collect::<Vec<_>>(),
        [Holder::Mailbox, Holder::Alias, Holder::Contact]
    );
    assert_eq!((&all[0], &all[2]), (&jane, &wkd));
    assert_eq!(listed(&store, Some("bob@example.org")).await, std::slice::from_ref(&wkd));
    let second = Page { limit: 1, after: Some(jane.id.0) };
    assert_eq!(store.keys(ACCOUNT, None, &second).await.unwrap(), all[1..2]);
    assert_eq!(used(&store, "bob@example.org").await, [3]);

    let (none, typo) = (address("nobody@example.org"), address("shp@example.com"));
    assert_eq!(absent(store.remove_key(ACCOUNT, Some(&none), &fingerprint(3)).await).0, "key");
    assert_eq!(absent(store.remove_key(ACCOUNT, None, &fingerprint(9)).await).0, "key");
    assert_eq!(absent(store.add_key(ACCOUNT, &typo, &found(4), Origin::Imported, now()).await).0, "alias");
    assert_eq!(absent(store.key_holder(ACCOUNT, &typo).await).0, "alias");
    assert_eq!(absent(store.add_key(AccountId(99), &none, &found(4), Origin::Wkd, now()).await).0, "account");
    let letter = Origin::Autocrypt { mutual: true };
    assert_eq!(wrong(store.add_key(ACCOUNT, &none, &found(4), letter, now()).await).0, "origin");

    import(&store, "carol@example.org", 3).await;
    let several = why(store.remove_key(ACCOUNT, None, &fingerprint(3)).await);
    assert!(several.contains("Bob@example.org, carol@example.org"), "{several}");
    let removed = store.remove_key(ACCOUNT, Some(&bob), &fingerprint(3)).await.unwrap();
    assert_eq!((removed.key, removed.left), (wkd, 0));
    assert!(used(&store, "bob@example.org").await.is_empty());
    assert_eq!(
        store.remove_key(ACCOUNT, None, &fingerprint(3)).await.unwrap().key.address,
        "carol@example.org"
    );

    // Another account sees none of them, and may have the same for itself.
    let work = store.add_account("work", now()).await.unwrap().id;
    assert_eq!(absent(store.remove_key(work, None, &fingerprint(1)).await).0, "key");
    assert!(store.keys(work, None, &EVERYTHING).await.unwrap().is_empty());
    let theirs = store.add_key(work, &address("jane@example.net"), &found(1), Origin::Imported, now()).await;
    assert_eq!(theirs.unwrap().holder, Holder::Contact);
    assert_eq!(store.key_holder(work, &address("shop@example.com")).await.unwrap(), Holder::Contact);
    assert_eq!(listed(&store, None).await.len(), 2);
}

async fn a_certificate_that_is_there_already_is_renewed(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    let jane = address("jane@example.net");
    let first =
        store.add_key(ACCOUNT, &jane, &found_until(1, 5 * DAY), Origin::Imported, now()).await.unwrap();
    let seen = store.expiring(Timestamp::from_millis(DAY * 5), Warned::Expired, 10).await.unwrap().remove(0);
    assert!(store.note_warned(&seen, Warned::WeekAhead).await.unwrap());
    let newer = Inspected { data: b"with another end".to_vec(), ..found_until(1, 9 * DAY) };
    let later = Timestamp::from_millis(now().as_millis() + DAY);
    let again = store.add_key(ACCOUNT, &jane, &newer, Origin::Wkd, later).await.unwrap();
    assert_eq!((again.id, again.created_at, again.origin), (first.id, first.created_at, KeyOrigin::Imported));
    assert_eq!(again.expires_at, newer.expires_at);
    assert_eq!(*store.certificates(ACCOUNT, &jane).await.unwrap()[0].data, *newer.data);
    let seen = store.expiring(Timestamp::from_millis(DAY * 9), Warned::Expired, 10).await.unwrap();
    assert_eq!(seen[0].warned, Warned::Nothing, "the new end was not told yet");
    assert_eq!(listed(&store, None).await, [again]);
}

async fn an_address_has_only_so_many_certificates(database: Database) {
    let store = database.store().await;
    for number in 0..16 {
        import(&store, "bob@example.org", number).await;
    }
    let bob = address("bob@example.org");
    let refused = why(store.add_key(ACCOUNT, &bob, &found(16), Origin::Imported, now()).await);
    assert!(refused.contains("16 for bob@example.org"), "{refused}");
    import(&store, "bob@example.org", 15).await;
    import(&store, "carol@example.org", 16).await;
    assert_eq!(used(&store, "bob@example.org").await, (0..16).collect::<Vec<_>>());
}

async fn a_mailbox_encrypts_while_it_has_a_certificate(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    contact(&store, "shop@example.com", "bob@example.org", "bob.x7@example.com").await;
    let fingerprint_of =
        async || store.mailboxes(ACCOUNT, &EVERYTHING).await.unwrap().remove(0).pgp_fingerprint;
    assert!(!encrypts(&store, "shop@example.com").await);
    assert_eq!(fingerprint_of().await, None);
    import(&store, "jane@example.net", 1).await;
    assert!(encrypts(&store, "shop@example.com").await);
    let Lookup::ReverseAlias(alias, _) = lookup(&store, "bob.x7@example.com").await else {
        panic!("no contact")
    };
    assert!(alias.mailboxes[0].encrypts);
    import(&store, "jane@example.net", 2).await;
    assert_eq!(fingerprint_of().await, Some(fingerprint(2).to_string()));
    assert_eq!(used(&store, "jane@example.net").await, [1, 2]);
    assert_eq!(remove(&store, "jane@example.net", 2).await, 1);
    assert!(encrypts(&store, "shop@example.com").await);
    assert_eq!(fingerprint_of().await, Some(fingerprint(1).to_string()));

    let pause = MailboxChange { verified: None, paused: Some(true) };
    let paused = store.set_mailbox(ACCOUNT, &address("jane@example.net"), &pause).await.unwrap();
    assert_eq!(paused.pgp_fingerprint, Some(fingerprint(1).to_string()));
    assert!(encrypts(&store, "shop@example.com").await, "another change leaves it alone");
    assert_eq!(remove(&store, "jane@example.net", 1).await, 0);
    assert!(!encrypts(&store, "shop@example.com").await);
    // What is published for the alias, or used for a contact, does not concern the mailbox.
    import(&store, "shop@example.com", 3).await;
    import(&store, "bob@example.org", 4).await;
    assert!(!encrypts(&store, "shop@example.com").await);
    assert_eq!(out_of_step(&database).await, 0);
}

async fn a_catch_all_knows_that_its_mailbox_encrypts(database: Database) {
    let store = database.store().await;
    mailbox(&store, "jane@example.net").await;
    catch_all(&store, "example.com", "jane@example.net").await;
    let rule = async || match lookup(&store, "new@example.com").await {
        Lookup::Creatable(rule) => rule,
        other => panic!("{other:?}"),
    };
    assert!(!rule().await.mailbox.as_ref().unwrap().encrypts);
    import(&store, "jane@example.net", 1).await;
    let rule = rule().await;
    assert!(rule.mailbox.as_ref().unwrap().encrypts);
    let made = store.create_alias(&rule, &address("new@example.com")).await.unwrap();
    assert!(made.mailboxes[0].encrypts);
}

async fn a_contact_that_becomes_a_mailbox_keeps_its_certificates(database: Database) {
    let store = database.store().await;
    import(&store, "jane@example.net", 1).await;
    let bob = address("bob@example.net");
    assert!(store.harvest(ACCOUNT, &bob, &found(2), true, now()).await.unwrap());
    assert_eq!(mailbox(&store, "Jane@example.net").await.pgp_fingerprint, Some(fingerprint(1).to_string()));
    assert_eq!(mailbox(&store, "bob@example.net").await.pgp_fingerprint, None);
    domain(&store, "example.com").await;
    alias(&store, "shop@example.com").await;
    assert!(encrypts(&store, "shop@example.com").await);
    let new = new_alias("blog@example.com", &["bob@example.net"]);
    store.add_alias(ACCOUNT, &new, now()).await.unwrap();
    assert!(!encrypts(&store, "blog@example.com").await, "what a letter brought does not bind");
    assert_eq!(listed(&store, Some("jane@example.net")).await[0].holder, Holder::Mailbox);
}

async fn a_mailbox_comes_with_its_certificates_or_not_at_all(database: Database) {
    let store = database.store().await;
    domain(&store, "example.com").await;
    let jane = address("Jane@example.net");
    assert!(used(&store, "jane@example.net").await.is_empty());
    let keys = [found(1), found(2), found(1)];
    let added = store.add_mailbox_with_keys(ACCOUNT, &jane, true, &keys, now()).await.unwrap();
    assert_eq!((added.address.as_str(), added.verified), ("Jane@example.net", true));
    assert_eq!(added.pgp_fingerprint, Some(fingerprint(2).to_string()));
    assert_eq!(used(&store, "jane@example.net").await, [1, 2], "also where none were known of before");
    alias(&store, "shop@example.com").await;
    assert!(encrypts(&store, "shop@example.com").await);

    let again = store.add_mailbox_with_keys(ACCOUNT, &jane, true, &[found(3)], now()).await;
    assert_eq!(why(again), "exists already");
    let looping = address("me@example.com");
    assert_eq!(wrong(store.add_mailbox_with_keys(ACCOUNT, &looping, true, &keys, now()).await).0, "address");
    assert_eq!(listed(&store, None).await.len(), 2, "the refused ones left no trace");
}

async fn certificates_go_with_what_they_are_for(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    for (number, holder) in
        ["jane@example.net", "shop@example.com", "bob@example.org"].into_iter().enumerate()
    {
        import(&store, holder, number).await;
        assert_eq!(used(&store, holder).await, [number]);
    }
    store.remove_alias(ACCOUNT, &address("shop@example.com"), now()).await.unwrap();
    assert!(used(&store, "shop@example.com").await.is_empty());
    store.remove_mailbox(ACCOUNT, &address("jane@example.net")).await.unwrap();
    assert!(used(&store, "jane@example.net").await.is_empty());
    assert_eq!(listed(&store, None).await.len(), 1);
    // A mailbox that comes again later has none.
    assert_eq!(mailbox(&store, "jane@example.net").await.pgp_fingerprint, None);

    let work = store.add_account("work", now()).await.unwrap().id;
    store.add_key(work, &address("bob@example.org"), &found(7), Origin::Imported, now()).await.unwrap();
    store.remove_account("work").await.unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM openpgp_certs").await, 1);
    assert_eq!(out_of_step(&database).await, 0);
}

async fn the_certificate_of_a_letter_gives_way(database: Database) {
    let store = database.store().await;
    let bob = address("bob@example.org");
    let at = |millis| Timestamp::from_millis(1_700_000_000_000 + millis);
    let harvest = async |number, mutual, seen_at| {
        store.harvest(ACCOUNT, &bob, &found(number), mutual, seen_at).await.unwrap()
    };
    assert!(used(&store, "bob@example.org").await.is_empty());
    assert!(harvest(1, true, at(DAY)).await);
    let key = listed(&store, None).await.remove(0);
    assert_eq!((key.origin, key.mutual, key.holder), (KeyOrigin::Autocrypt, Some(true), Holder::Contact));
    let origin = store.certificates(ACCOUNT, &bob).await.unwrap()[0].origin;
    assert_eq!(origin, Origin::Autocrypt { mutual: true });

    for (number, mutual, seen_at, taken, why) in [
        (2, true, at(0), false, "an older letter"),
        (2, true, at(DAY), false, "one of the same moment"),
        (1, true, at(DAY + 1), false, "the same again"),
        (1, false, at(DAY + 2), true, "another preference"),
        (2, true, at(DAY + 3), true, "another certificate"),
        (2, true, at(2 * DAY), true, "seen again a day later"),
        (1, true, at(2 * DAY - 1), false, "one that was delayed"),
    ] {
        assert_eq!(harvest(number, mutual, seen_at).await, taken, "{why}");
        assert_eq!(listed(&store, None).await.len(), 1, "{why}");
    }
    assert_eq!(used(&store, "bob@example.org").await, [2]);

    import(&store, "bob@example.org", 3).await;
    assert_eq!(used(&store, "bob@example.org").await, [3], "what was imported comes first");
    assert!(!harvest(3, true, at(3 * DAY)).await, "an imported one is no letter's");
    assert!(harvest(4, true, at(3 * DAY)).await);
    assert_eq!(used(&store, "bob@example.org").await, [3]);
    import(&store, "bob@example.org", 4).await;
    assert_eq!(used(&store, "bob@example.org").await, [3, 4], "now it is imported");
    assert!(listed(&store, None).await.iter().all(|key| key.mutual.is_none()));
    assert!(harvest(5, true, at(4 * DAY)).await);
    assert_eq!(
        (remove(&store, "bob@example.org", 3).await, remove(&store, "bob@example.org", 4).await),
        (1, 0)
    );
    assert_eq!(used(&store, "bob@example.org").await, [5]);

    // A letter from the future keeps no later one out.
    assert!(harvest(6, true, Timestamp::from_millis(i64::MAX)).await);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert!(harvest(7, true, Timestamp::from_millis(i64::MAX)).await);
}

async fn letters_bring_nothing_for_our_own_addresses(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    for own in ["jane@example.net", "shop@example.com", "nobody@example.com"] {
        assert!(!store.harvest(ACCOUNT, &address(own), &found(1), true, now()).await.unwrap(), "{own}");
    }
    assert!(listed(&store, None).await.is_empty());
}

async fn what_expires_is_told_once_for_each_stage(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    let jane = address("jane@example.net");
    for (number, end) in [(1, 40), (2, 10), (3, 20)] {
        let found = found_until(number, end * DAY);
        store.add_key(ACCOUNT, &jane, &found, Origin::Imported, now()).await.unwrap();
    }
    import(&store, "jane@example.net", 4).await;
    // Nobody watches those of others.
    for holder in ["bob@example.org", "shop@example.com"] {
        store
            .add_key(ACCOUNT, &address(holder), &found_until(5, DAY), Origin::Imported, now())
            .await
            .unwrap();
    }
    let expiring = async |until: i64, told, limit| {
        store.expiring(Timestamp::from_millis(until * DAY), told, limit).await.unwrap()
    };
    let month = expiring(30, Warned::MonthAhead, 10).await;
    let numbers: Vec<_> = month.iter().map(|seen| &seen.fingerprint).collect();
    assert_eq!(numbers, [&fingerprint(2), &fingerprint(3)], "the first to expire first");
    assert_eq!(expiring(30, Warned::MonthAhead, 1).await, month[..1]);
    let first = &month[0];
    assert_eq!((first.account, &first.address, first.warned), (ACCOUNT, &jane, Warned::Nothing));
    assert_eq!(first.expires_at, Timestamp::from_millis(10 * DAY));

    let (here, there) = (store.clone(), database.open().await);
    let (one, other) = (first.clone(), first.clone());
    let (one, other) =
        at_once(async move { here.note_warned(&one, Warned::MonthAhead).await.unwrap() }, async move {
            there.note_warned(&other, Warned::MonthAhead).await.unwrap()
        })
        .await;
    assert_ne!(one, other, "one of two nodes tells");
    assert_eq!(expiring(30, Warned::MonthAhead, 10).await, month[1..]);
    let week = expiring(10, Warned::WeekAhead, 10).await.remove(0);
    assert_eq!(week.warned, Warned::MonthAhead);
    assert!(!store.note_warned(&week, Warned::MonthAhead).await.unwrap(), "that was told");
    assert!(store.note_warned(&week, Warned::Expired).await.unwrap(), "stages can be left out");
    assert!(expiring(10, Warned::Expired, 10).await.is_empty());

    // Renewed between seeing and telling: the end is another.
    let seen = &month[1];
    store.add_key(ACCOUNT, &jane, &found_until(3, 400 * DAY), Origin::Imported, now()).await.unwrap();
    assert!(!store.note_warned(seen, Warned::MonthAhead).await.unwrap());
    assert_eq!(expiring(400, Warned::MonthAhead, 10).await.len(), 2);
}

async fn an_alarm_is_not_given_again_at_once(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    let jane = address("jane@example.net");
    let alarm = async |day: i64| {
        let (now, not_since) = (Timestamp::from_millis(day * DAY), Timestamp::from_millis((day - 1) * DAY));
        store.note_alarm(ACCOUNT, &jane, now, not_since).await.unwrap()
    };
    let given = [alarm(100).await, alarm(100).await, alarm(101).await];
    assert_eq!(given, [true, false, true]);
    let nobody = address("nobody@example.net");
    assert!(!store.note_alarm(ACCOUNT, &nobody, now(), Timestamp::from_millis(0)).await.unwrap());
    for _ in 0..ROUNDS {
        database.sql("UPDATE mailboxes SET alarmed_at = NULL").await;
        let (here, there) = (store.clone(), database.open().await);
        let give = |store: Store| {
            let jane = jane.clone();
            async move { store.note_alarm(ACCOUNT, &jane, now(), Timestamp::from_millis(0)).await.unwrap() }
        };
        let (one, other) = at_once(give(here), give(there)).await;
        assert_ne!(one, other, "one of two nodes tells");
    }
}

async fn the_owner_is_told_where_mail_is_taken(database: Database) {
    let store = database.store().await;
    for number in 0..25 {
        mailbox(&store, &format!("Jane{number}@example.net")).await;
    }
    let unverified = MailboxChange { verified: Some(false), paused: None };
    store.set_mailbox(ACCOUNT, &address("jane1@example.net"), &unverified).await.unwrap();
    let paused = MailboxChange { verified: None, paused: Some(true) };
    store.set_mailbox(ACCOUNT, &address("jane3@example.net"), &paused).await.unwrap();
    import(&store, "jane2@example.net", 1).await;
    let told = store.mailboxes_to_tell(ACCOUNT).await.unwrap();
    assert_eq!(told.len(), 20);
    let first: Vec<_> = told[..3].iter().map(|found| (found.address.to_string(), found.encrypts)).collect();
    let wanted = [("Jane0@example.net", false), ("Jane2@example.net", true), ("Jane4@example.net", false)];
    assert_eq!(first, wanted.map(|(address, encrypts)| (address.to_owned(), encrypts)));
    assert!(store.mailboxes_to_tell(AccountId(99)).await.unwrap().is_empty());
}

/// Mail looks up all the time while certificates come and go. Whoever asks after an import returned is told to encrypt, and
/// to what; whoever asks in between is never told of a mailbox in the clear and then keeps that.
async fn mail_never_sees_a_mailbox_in_the_clear_after_an_import(database: Database) {
    let store = database.store().await;
    shop(&store).await;
    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (store, ended) = (store.clone(), Arc::clone(&ended));
            tokio::spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    encrypts(&store, "shop@example.com").await;
                    used(&store, "jane@example.net").await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for number in 0..40 {
        import(&store, "jane@example.net", number).await;
        assert!(encrypts(&store, "shop@example.com").await);
        assert_eq!(used(&store, "jane@example.net").await, [number]);
        remove(&store, "jane@example.net", number).await;
        assert!(!encrypts(&store, "shop@example.com").await);
        assert!(used(&store, "jane@example.net").await.is_empty());
    }
    ended.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn a_mailbox_and_its_certificate_come_at_once(database: Database) {
    let (here, there) = (database.store().await, database.open().await);
    for number in 0..ROUNDS {
        let text = format!("jane{number}@example.net");
        let (a, b, one, other) = (here.clone(), there.clone(), text.clone(), text.clone());
        at_once(async move { drop(mailbox(&a, &one).await) }, async move {
            import(&b, &other, number).await;
        })
        .await;
        let fingerprints = here.mailboxes(ACCOUNT, &Page { limit: 1, after: None }).await.unwrap();
        assert!(fingerprints[0].pgp_fingerprint.is_some());
        assert_eq!(out_of_step(&database).await, 0, "{text}");
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM mailboxes WHERE encrypts = 1").await, ROUNDS as i64);
}

async fn certificates_and_mailboxes_that_come_and_go_stay_in_step(database: Database) {
    let (here, there) = (database.store().await, database.open().await);
    let jane = address("jane@example.net");
    for number in 0..ROUNDS {
        mailbox(&here, "jane@example.net").await;
        import(&here, "jane@example.net", number).await;
        // The last certificate goes while another comes.
        let (a, b) = (here.clone(), there.clone());
        at_once(async move { remove(&a, "jane@example.net", number).await }, async move {
            import(&b, "jane@example.net", number + 100).await;
        })
        .await;
        assert_eq!(out_of_step(&database).await, 0);
        assert_eq!(database.number("SELECT COUNT(*) FROM mailboxes WHERE encrypts = 1").await, 1);
        // The mailbox goes while a certificate of it goes, or comes.
        let (a, b, one) = (here.clone(), there.clone(), jane.clone());
        let (removed, _) = at_once(async move { a.remove_mailbox(ACCOUNT, &one).await }, async move {
            b.remove_key(ACCOUNT, None, &fingerprint(number + 100)).await.is_ok()
        })
        .await;
        removed.unwrap();
        assert_eq!(database.number("SELECT COUNT(*) FROM openpgp_certs").await, 0);
    }
}

async fn letters_at_once_leave_one_certificate(database: Database) {
    let (here, there) = (database.store().await, database.open().await);
    for number in 0..ROUNDS {
        let text = format!("bob{number}@example.org");
        let harvest = |store: &Store, of: usize| {
            let (store, bob) = (store.clone(), address(&text));
            let seen_at = Timestamp::from_millis(1_700_000_000_000 + of as i64);
            async move { store.harvest(ACCOUNT, &bob, &found(of), true, seen_at).await.unwrap() }
        };
        let (_, newer) = at_once(harvest(&here, 1), harvest(&there, 2)).await;
        assert!(newer);
        // What this node did not do it is not told: nobody follows the other here.
        assert_eq!(used(&there, &text).await, [2]);
        assert_eq!(listed(&here, Some(&text)).await.len(), 1);
    }
}

async fn an_alias_and_its_certificates_go_at_once(database: Database) {
    let (here, there) = (database.store().await, database.open().await);
    shop(&here).await;
    for number in 0..ROUNDS {
        let text = format!("a{number}@example.com");
        alias(&here, &text).await;
        let (a, b, one, other) = (here.clone(), there.clone(), address(&text), address(&text));
        let (removed, _) = at_once(async move { a.remove_alias(ACCOUNT, &one, now()).await }, async move {
            b.add_key(ACCOUNT, &other, &found(number), Origin::Imported, now()).await.is_ok()
        })
        .await;
        removed.unwrap();
        assert_eq!(database.number("SELECT COUNT(*) FROM openpgp_certs").await, 0);
    }
}

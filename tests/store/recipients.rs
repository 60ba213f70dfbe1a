//! Several deliveries of one recipient: what the sender is told of them, also when two nodes end them at once.

use aliasd::mail::Timestamp;
use aliasd::queue::spool::{
    Claimed, DeliveryId, NewDelivery, NewQueued, Node, Settled, Settlement, Spool, State,
};
use aliasd::store::Store;

use crate::harness::*;
use crate::queue::*;
use crate::races::at_once;

on_both_engines!(
    one_that_arrives_speaks_for_its_recipient,
    the_last_one_that_fails_tells,
    a_failure_without_a_report_needs_none,
    of_the_last_two_that_fail_at_once_one_tells,
    one_that_arrives_while_another_fails_keeps_it_silent,
    a_delay_is_told_once,
    of_two_that_are_late_at_once_one_tells,
    a_batch_speaks_for_its_recipients,
);

/// Of recipient 1 there are as many deliveries, of recipient 2 is one, all claimed by the node.
async fn in_work(store: &Store, number: u8, deliveries: usize) -> Vec<Claimed> {
    let mut all = vec![delivery(1); deliveries];
    all.push(delivery(2));
    store.enqueue(vec![queued(number, all)]).await.unwrap();
    let claimed = claim(store, HERE, now()).await;
    assert_eq!(claimed.len(), deliveries + 1);
    claimed
}

/// A report, which is of transaction 200 and due later than what the tests claim.
fn report() -> NewQueued {
    let delivery = NewDelivery { alias: None, next_attempt_at: after(9_000), ..delivery(1) };
    NewQueued { digest: None, ..queued(200, vec![delivery]) }
}

fn failed() -> Settlement {
    Settlement::Failed { report: Some(report()) }
}

fn late(at: Timestamp) -> Settlement {
    Settlement::Again {
        at,
        state: State::Deferred,
        sealed_reply: b"later".to_vec(),
        blamed: true,
        delay_report: Some(report()),
    }
}

async fn reports(store: &Store) -> usize {
    all(store).await.iter().filter(|listed| listed.transaction == transaction(200)).count()
}

/// Two nodes end a delivery each at the same time.
async fn end_at_once(stores: &[Store; 2], ids: [DeliveryId; 2], how: [Settlement; 2]) -> [Settled; 2] {
    let [one, other] = how;
    let settle = |store: &Store, id, how| {
        let store = store.clone();
        async move { store.settle(HERE, id, how).await.unwrap() }
    };
    let (one, other) = at_once(settle(&stores[0], ids[0], one), settle(&stores[1], ids[1], other)).await;
    [one, other]
}

async fn one_that_arrives_speaks_for_its_recipient(database: Database) {
    let store = database.store().await;
    let claimed = in_work(&store, 1, 3).await;
    let elsewhere = in_work(&store, 2, 1).await;
    assert_eq!(settle(&store, HERE, claimed[0].id, Settlement::Delivered).await, Settled::Done);
    let again = claim(&store, THERE, after(60)).await;
    let accepted: Vec<_> = again.iter().map(|claimed| (claimed.id, claimed.accepted)).collect();
    let of = |claimed: &[Claimed], place: usize, accepted| (claimed[place].id, accepted);
    assert_eq!(
        accepted,
        [
            of(&claimed, 1, true),
            of(&claimed, 2, true),
            of(&claimed, 3, false),
            of(&elsewhere, 0, false),
            of(&elsewhere, 1, false)
        ]
    );
    assert_eq!(settle(&store, THERE, claimed[1].id, late(after(70))).await, Settled::Unreported);
    assert_eq!(settle(&store, THERE, claimed[2].id, failed()).await, Settled::Unreported);
    let last = claim_one(&store, HERE, after(70)).await;
    assert!(last.accepted && last.blamed && last.delay_reported);
    assert_eq!(settle(&store, HERE, last.id, failed()).await, Settled::Unreported);
    assert_eq!(reports(&store).await, 0);
    assert_eq!(settle(&store, THERE, claimed[3].id, failed()).await, Settled::Done);
    assert_eq!(reports(&store).await, 1);
    assert_eq!(store.body(claimed[0].body).await.unwrap(), None);
}

async fn the_last_one_that_fails_tells(database: Database) {
    let store = database.store().await;
    let claimed = in_work(&store, 1, 3).await;
    assert_eq!(settle(&store, HERE, claimed[1].id, failed()).await, Settled::Unreported);
    assert_eq!(settle(&store, THERE, claimed[0].id, failed()).await, Settled::Lost);
    assert_eq!(settle(&store, HERE, claimed[0].id, failed()).await, Settled::Unreported);
    assert_eq!((reports(&store).await, all(&store).await.len()), (0, 2));
    assert_eq!(settle(&store, HERE, claimed[2].id, failed()).await, Settled::Done);
    assert_eq!(reports(&store).await, 1);
    assert_eq!(settle(&store, HERE, claimed[3].id, failed()).await, Settled::Done, "another recipient");
    assert_eq!((reports(&store).await, all(&store).await.len()), (2, 2));
    assert_eq!(rows(&database, "queue_messages").await, 2);
}

async fn a_failure_without_a_report_needs_none(database: Database) {
    let store = database.store().await;
    for claimed in in_work(&store, 1, 2).await {
        let silently = Settlement::Failed { report: None };
        assert_eq!(settle(&store, HERE, claimed.id, silently).await, Settled::Done);
    }
    assert_empty(&database).await;
}

async fn of_the_last_two_that_fail_at_once_one_tells(database: Database) {
    let stores = [database.store().await, database.open().await];
    for round in 1..=20 {
        let claimed = in_work(&stores[0], round, 2).await;
        let ids = [claimed[0].id, claimed[1].id];
        let mut settled = end_at_once(&stores, ids, [failed(), failed()]).await;
        settled.sort_unstable_by_key(|settled| *settled == Settled::Done);
        assert_eq!(settled, [Settled::Unreported, Settled::Done], "round {round}");
        assert_eq!(reports(&stores[0]).await, usize::from(round));
    }
}

async fn one_that_arrives_while_another_fails_keeps_it_silent(database: Database) {
    let stores = [database.store().await, database.open().await];
    for round in 1..=20 {
        let claimed = in_work(&stores[0], round, 2).await;
        let ids = [claimed[0].id, claimed[1].id];
        let settled = end_at_once(&stores, ids, [Settlement::Delivered, failed()]).await;
        assert_eq!(settled, [Settled::Done, Settled::Unreported], "round {round}");
        assert_eq!(settle(&stores[0], HERE, claimed[2].id, Settlement::Delivered).await, Settled::Done);
    }
    assert_empty(&database).await;
}

async fn a_delay_is_told_once(database: Database) {
    let store = database.store().await;
    let claimed = in_work(&store, 1, 2).await;
    assert_eq!(settle(&store, HERE, claimed[0].id, late(after(60))).await, Settled::Done);
    // It was claimed before, so this node does not know that the sender has been told.
    assert_eq!(settle(&store, HERE, claimed[1].id, late(after(61))).await, Settled::Unreported);
    assert_eq!(settle(&store, HERE, claimed[2].id, late(after(62))).await, Settled::Done);
    assert_eq!(reports(&store).await, 2);
    for (seconds, claimed) in (60..).zip(&claimed) {
        let again = claim_one(&store, Node(seconds), after(seconds)).await;
        assert_eq!((again.id, again.delay_reported, again.blamed), (claimed.id, true, true));
    }
}

async fn of_two_that_are_late_at_once_one_tells(database: Database) {
    let stores = [database.store().await, database.open().await];
    for round in 1..=20 {
        let claimed = in_work(&stores[0], round, 2).await;
        let ids = [claimed[0].id, claimed[1].id];
        let mut settled = end_at_once(&stores, ids, [late(after(3600)), late(after(3600))]).await;
        settled.sort_unstable_by_key(|settled| *settled == Settled::Done);
        assert_eq!(settled, [Settled::Unreported, Settled::Done], "round {round}");
        assert_eq!(reports(&stores[0]).await, usize::from(round));
    }
}

async fn a_batch_speaks_for_its_recipients(database: Database) {
    let store = database.store().await;
    let (one, other) = (in_work(&store, 1, 3).await, in_work(&store, 2, 2).await);
    let settled = store.settle_delivered(HERE, &[other[2].id, one[1].id, one[2].id]).await.unwrap();
    let first = |id| settled.iter().find(|arrival| arrival.id == id).unwrap().is_first;
    assert!(first(other[2].id) && (first(one[1].id) ^ first(one[2].id)), "{settled:?}");
    let last = store.settle_delivered(HERE, &[one[0].id]).await.unwrap();
    assert!(!last[0].is_first, "others had arrived before");
    let left = claim(&store, THERE, after(60)).await;
    let left: Vec<_> = left.iter().map(|claimed| (claimed.id, claimed.accepted)).collect();
    assert_eq!(left, [(one[3].id, false), (other[0].id, false), (other[1].id, false)]);
}

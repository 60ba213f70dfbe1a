//! The queue's tables: who owns what, what is written together, and what an admin can do.

use std::collections::HashSet;
use std::time::Duration;

use aliasd::mail::Timestamp;
use aliasd::queue::spool::{
    BodyId, Claimed, DeliveryId, Listed, NewDelivery, NewQueued, Node, Order, Settled, Settlement, Spool,
    State, Which,
};
use aliasd::relay::alias::AliasId;
use aliasd::relay::transaction::TransactionId;
use aliasd::store::Store;
use tokio_util::sync::CancellationToken;

use crate::harness::*;

on_both_engines!(
    what_is_queued_is_claimed_as_it_was_given,
    transactions_are_committed_together_or_not_at_all,
    one_that_cannot_be_written_takes_no_other_along,
    what_has_an_owner_is_in_work_from_the_start,
    only_what_is_due_is_claimed_the_longest_due_first,
    a_claim_whose_lease_is_over_goes_to_another_node,
    a_renewed_claim_holds,
    two_nodes_never_own_one_delivery,
    the_body_goes_with_its_last_delivery,
    last_deliveries_that_end_at_once_leave_no_body,
    what_has_arrived_is_settled_in_one_batch,
    batches_that_share_bodies_end_at_once,
    another_attempt_keeps_what_is_known,
    a_report_is_committed_with_its_settlement_or_not_at_all,
    an_attempt_that_was_not_made_is_not_counted,
    damage_is_set_aside_until_somebody_looks,
    a_held_delivery_waits_to_be_released,
    what_a_node_works_on_is_not_made_due,
    orders_to_all_reach_what_they_make_sense_for,
    dropped_deliveries_leave_nothing,
    the_queue_is_listed_in_pages,
    the_queue_is_told_in_numbers,
    accepted_transactions_are_remembered_and_forgotten,
    questions_that_come_at_once_are_all_answered,
    a_probe_leaves_nothing,
    a_long_body_is_kept_whole,
    a_queue_that_cannot_be_reached_says_so,
);

pub const HERE: Node = Node(1);
pub const THERE: Node = Node(-2);
pub const LEASE: Duration = Duration::from_secs(60);

pub fn after(seconds: i64) -> Timestamp {
    Timestamp::from_millis(now().as_millis() + seconds * 1000)
}

pub fn transaction(number: u8) -> TransactionId {
    TransactionId::from_bytes([number; 16])
}

pub fn delivery(number: u8) -> NewDelivery {
    NewDelivery {
        sealed: vec![number; 100],
        sealed_reply: None,
        alias: Some(AliasId(7)),
        recipient: u32::from(number),
        accepted: false,
        blamed: false,
        owner: None,
        site: -i64::from(number),
        next_attempt_at: now(),
        expires_at: after(432_000),
        attempts: 0,
        state: State::Deferred,
    }
}

/// Settles what has arrived; answers with those that were the node's.
pub async fn arrived(store: &Store, node: Node, ids: &[DeliveryId]) -> Vec<DeliveryId> {
    store.settle_delivered(node, ids).await.unwrap().iter().map(|arrival| arrival.id).collect()
}

pub fn queued(number: u8, deliveries: Vec<NewDelivery>) -> NewQueued {
    NewQueued {
        transaction: transaction(number),
        created_at: now(),
        sealed_body: vec![number; 2000],
        size: 1950,
        deliveries,
        digest: Some([number; 32]),
    }
}

/// A transaction with as many deliveries.
async fn enqueue(store: &Store, number: u8, deliveries: u8) {
    let deliveries = (1..=deliveries).map(delivery).collect();
    store.enqueue(vec![queued(number, deliveries)]).await.unwrap();
}

pub async fn claim(store: &Store, node: Node, at: Timestamp) -> Vec<Claimed> {
    store.claim(node, at, LEASE, 100).await.unwrap()
}

/// The only delivery that is due.
pub async fn claim_one(store: &Store, node: Node, at: Timestamp) -> Claimed {
    let mut claimed = claim(store, node, at).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

pub async fn settle(store: &Store, node: Node, id: DeliveryId, settlement: Settlement) -> Settled {
    store.settle(node, id, settlement).await.unwrap()
}

async fn done(store: &Store, node: Node, id: DeliveryId, settlement: Settlement) -> bool {
    settle(store, node, id, settlement).await == Settled::Done
}

async fn lost(store: &Store, node: Node, id: DeliveryId, settlement: Settlement) -> bool {
    settle(store, node, id, settlement).await == Settled::Lost
}

fn again(at: Timestamp, state: State) -> Settlement {
    Settlement::Again { at, state, sealed_reply: b"later".to_vec(), blamed: false, delay_report: None }
}

pub async fn all(store: &Store) -> Vec<Listed> {
    store.list(now(), None, 1000).await.unwrap()
}

pub async fn only(store: &Store) -> Listed {
    let mut listed = all(store).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    listed.remove(0)
}

pub async fn order(store: &Store, order: Order, which: Which) -> u64 {
    store.order(order, which, now()).await.unwrap()
}

pub async fn rows(database: &Database, table: &str) -> i64 {
    database.number(&format!("SELECT COUNT(*) FROM {table}")).await
}

pub async fn assert_empty(database: &Database) {
    for table in ["queue_deliveries", "queue_messages", "queue_chunks"] {
        assert_eq!(rows(database, table).await, 0, "{table}");
    }
}

async fn what_is_queued_is_claimed_as_it_was_given(database: Database) {
    let store = database.store().await;
    assert!(claim(&store, HERE, now()).await.is_empty());
    enqueue(&store, 5, 2).await;
    let claimed = claim(&store, HERE, now()).await;
    assert_eq!(claimed.len(), 2);
    for (number, claimed) in (1..).zip(&claimed) {
        assert_eq!((claimed.transaction, claimed.attempts), (transaction(5), 1));
        assert_eq!((claimed.sealed.as_slice(), claimed.site), (&[number; 100][..], -i64::from(number)));
        assert_eq!((claimed.created_at, claimed.expires_at), (now(), after(432_000)));
        assert_eq!(claimed.size, 1950);
        assert!(!claimed.delay_reported && !claimed.accepted && !claimed.blamed && !claimed.urgent);
    }
    assert_eq!(claimed[0].body, claimed[1].body);
    assert_eq!(store.body(claimed[0].body).await.unwrap(), Some(vec![5; 2000]));
    assert_eq!(store.body(BodyId(claimed[0].body.0 + 1)).await.unwrap(), None);

    let nothing_to_do = store.enqueue(vec![queued(6, Vec::new())]).await;
    assert!(nothing_to_do.is_err());
    assert_eq!(rows(&database, "queue_messages").await, 1);
}

async fn transactions_are_committed_together_or_not_at_all(database: Database) {
    let store = database.store().await;
    assert_eq!(store.enqueue(Vec::new()).await.unwrap(), []);
    let several = |count: u8| {
        let numbers = (1..=count).rev();
        numbers.map(|number| queued(number, (1..=number).map(delivery).collect())).collect::<Vec<_>>()
    };
    let enqueued = store.enqueue(several(9)).await.unwrap();
    let claimed = claim(&store, HERE, now()).await;
    assert_eq!((enqueued.len(), claimed.len()), (9, 45));
    for (number, enqueued) in (1..=9).rev().zip(&enqueued) {
        assert_eq!(store.body(enqueued.body).await.unwrap(), Some(vec![number; 2000]));
        for (sealed, id) in (1..=number).zip(&enqueued.deliveries) {
            let claimed = claimed.iter().find(|claimed| claimed.id == *id).unwrap();
            assert_eq!((claimed.body, claimed.transaction), (enqueued.body, transaction(number)));
            assert_eq!(claimed.sealed, vec![sealed; 100]);
        }
        assert_eq!(enqueued.deliveries.len(), usize::from(number));
        assert_eq!(store.seen(&[number; 32], now()).await.unwrap(), Some(transaction(number)));
    }
    let mut with_a_wrong_one = several(12);
    with_a_wrong_one[11].deliveries.clear();
    assert!(store.enqueue(with_a_wrong_one).await.is_err());
    assert_eq!((rows(&database, "queue_messages").await, rows(&database, "transactions").await), (9, 9));
}

/// Those that come at once are written together, which nobody may notice.
async fn one_that_cannot_be_written_takes_no_other_along(database: Database) {
    let store = database.store().await;
    let commits = (0..60_u8).map(|number| {
        let store = store.clone();
        let deliveries = (0..number % 4).map(delivery).collect();
        tokio::spawn(async move { store.enqueue(vec![queued(number, deliveries)]).await })
    });
    for (number, commit) in (0..60_u8).zip(commits.collect::<Vec<_>>()) {
        let committed = commit.await.unwrap();
        assert_eq!(committed.is_ok(), number % 4 > 0, "{number}");
        for enqueued in committed.unwrap_or_default() {
            assert_eq!(store.body(enqueued.body).await.unwrap(), Some(vec![number; 2000]));
            for (sealed, id) in (0..).zip(enqueued.deliveries) {
                let listed = store.show(now(), id).await.unwrap().unwrap();
                assert_eq!((listed.transaction, listed.sealed), (transaction(number), vec![sealed; 100]));
            }
        }
    }
    assert_eq!((rows(&database, "queue_messages").await, all(&store).await.len()), (45, 90));
}

async fn what_has_an_owner_is_in_work_from_the_start(database: Database) {
    let store = database.store().await;
    let owned = NewDelivery { owner: Some(HERE), next_attempt_at: after(60), attempts: 1, ..delivery(1) };
    let unlike = NewDelivery { accepted: true, blamed: true, owner: None, ..owned.clone() };
    let both = vec![owned, NewDelivery { recipient: 2, ..unlike }];
    let ids = store.enqueue(vec![queued(1, both)]).await.unwrap().remove(0).deliveries;
    assert_eq!(all(&store).await.iter().map(|row| row.in_flight).collect::<Vec<_>>(), [true, false]);
    assert!(claim(&store, THERE, after(59)).await.is_empty());
    assert_eq!(store.renew(HERE, &ids, after(120)).await.unwrap(), ids[..1]);

    let other = claim_one(&store, THERE, after(60)).await;
    assert_eq!((other.id, other.accepted, other.blamed, other.attempts), (ids[1], true, true, 2));
    assert_eq!(arrived(&store, HERE, &ids).await, ids[..1]);
    assert_eq!(arrived(&store, THERE, &ids).await, ids[1..]);
    assert_empty(&database).await;

    let owned = NewDelivery { owner: Some(HERE), next_attempt_at: after(60), ..delivery(1) };
    let id = store.enqueue(vec![queued(2, vec![owned])]).await.unwrap().remove(0).deliveries.remove(0);
    store.give_back(HERE, &[(id, after(5))]).await.unwrap();
    assert_eq!(claim_one(&store, THERE, after(5)).await.attempts, 1, "there are no fewer attempts than none");
}

async fn only_what_is_due_is_claimed_the_longest_due_first(database: Database) {
    let store = database.store().await;
    assert_eq!(store.next_due().await.unwrap(), None);
    let due =
        [30, -5, 10, -7, -6, 0].map(|seconds| NewDelivery { next_attempt_at: after(seconds), ..delivery(1) });
    store.enqueue(vec![queued(1, due.to_vec())]).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(after(-7)));

    let first = store.claim(HERE, now(), LEASE, 2).await.unwrap();
    let rest = store.claim(HERE, now(), LEASE, 100).await.unwrap();
    let ids = |claimed: &[Claimed]| claimed.iter().map(|claimed| claimed.id).collect::<Vec<_>>();
    let listed: Vec<_> = all(&store).await.iter().map(|listed| listed.id).collect();
    assert_eq!(ids(&first), [listed[3], listed[4]]);
    assert_eq!(ids(&rest), [listed[1], listed[5]]);
    assert_eq!(store.next_due().await.unwrap(), Some(after(10)));
    assert!(claim(&store, THERE, after(9)).await.is_empty());
    assert_eq!(claim(&store, THERE, after(30)).await.len(), 2);
    assert_eq!(store.next_due().await.unwrap(), Some(after(60)), "the end of the first lease");
}

async fn a_claim_whose_lease_is_over_goes_to_another_node(database: Database) {
    let (store, other) = (database.store().await, database.open().await);
    enqueue(&store, 1, 1).await;
    let first = claim_one(&store, HERE, now()).await;
    assert!(claim(&other, THERE, after(59)).await.is_empty());
    let second = claim_one(&other, THERE, after(60)).await;
    assert_eq!((second.id, second.attempts), (first.id, 2));

    for late in [
        Settlement::Delivered,
        Settlement::Failed { report: None },
        Settlement::Failed { report: Some(queued(9, vec![delivery(1)])) },
        again(now(), State::Deferred),
        Settlement::Again {
            at: now(),
            state: State::Uncertain,
            sealed_reply: Vec::new(),
            blamed: true,
            delay_report: Some(queued(9, vec![delivery(1)])),
        },
        Settlement::Damaged,
    ] {
        assert!(lost(&store, HERE, first.id, late).await);
    }
    assert!(store.settle_delivered(HERE, &[first.id]).await.unwrap().is_empty());
    store.give_back(HERE, &[(first.id, now())]).await.unwrap();
    assert!(store.renew(HERE, &[first.id], after(600)).await.unwrap().is_empty());
    let listed = only(&store).await;
    assert_eq!((listed.attempts, listed.state, listed.sealed_reply), (2, State::Deferred, None));
    assert!(done(&other, THERE, second.id, Settlement::Delivered).await);
    assert!(lost(&other, THERE, second.id, Settlement::Delivered).await, "it is gone");
    assert_empty(&database).await;
}

async fn a_renewed_claim_holds(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 60).await;
    let mine: Vec<_> = claim(&store, HERE, now()).await.iter().map(|claimed| claimed.id).collect();
    assert!(done(&store, HERE, mine[3], again(after(3600), State::Deferred)).await);
    let kept = store.renew(HERE, &mine, after(120)).await.unwrap();
    assert_eq!(kept.len(), 59);
    assert!(!kept.contains(&mine[3]));
    assert!(claim(&store, THERE, after(119)).await.is_empty());
    assert_eq!(claim(&store, THERE, after(120)).await.len(), 59);
    assert!(store.renew(HERE, &[], after(120)).await.unwrap().is_empty());
}

/// Eight workers of two nodes empty a queue of 500; each delivery must have been one worker's alone.
async fn two_nodes_never_own_one_delivery(database: Database) {
    let stores = [database.store().await, database.open().await];
    for number in 0..50 {
        enqueue(&stores[0], number, 10).await;
    }
    let workers = (0..8).map(|worker| {
        let store = stores[worker % 2].clone();
        tokio::spawn(empty_the_queue(store, Node(worker as i64)))
    });
    let mut done = HashSet::new();
    for worker in workers.collect::<Vec<_>>() {
        for id in worker.await.unwrap() {
            assert!(done.insert(id), "{id:?} was two workers'");
        }
    }
    assert_eq!(done.len(), 500);
    assert_empty(&database).await;
}

async fn empty_the_queue(store: Store, node: Node) -> Vec<DeliveryId> {
    let mut done = Vec::new();
    // Another worker may hold the last rows locked while it claims them, so one empty answer is not the end.
    while !all(&store).await.is_empty() {
        for claimed in store.claim(node, now(), LEASE, 7).await.unwrap() {
            assert_eq!(settle(&store, node, claimed.id, Settlement::Delivered).await, Settled::Done);
            done.push(claimed.id);
        }
    }
    done
}

async fn the_body_goes_with_its_last_delivery(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 2).await;
    let claimed = claim(&store, HERE, now()).await;
    assert!(done(&store, HERE, claimed[0].id, Settlement::Delivered).await);
    assert!(store.body(claimed[0].body).await.unwrap().is_some());
    assert!(done(&store, HERE, claimed[1].id, Settlement::Delivered).await);
    assert_eq!(store.body(claimed[0].body).await.unwrap(), None);
    assert_empty(&database).await;
}

async fn last_deliveries_that_end_at_once_leave_no_body(database: Database) {
    let stores = [database.store().await, database.open().await];
    for number in 0..20 {
        enqueue(&stores[0], number, 4).await;
        let ends = claim(&stores[0], HERE, now()).await.into_iter().zip([0, 1, 0, 1]).map(|(claimed, at)| {
            let store = stores[at].clone();
            tokio::spawn(async move { settle(&store, HERE, claimed.id, Settlement::Delivered).await })
        });
        for end in ends.collect::<Vec<_>>() {
            assert_eq!(end.await.unwrap(), Settled::Done);
        }
        assert_empty(&database).await;
    }
}

async fn what_has_arrived_is_settled_in_one_batch(database: Database) {
    let store = database.store().await;
    for number in 0..3 {
        enqueue(&store, number, 30).await;
    }
    let mut claimed = claim(&store, HERE, now()).await;
    assert!(done(&store, HERE, claimed[7].id, again(after(3600), State::Deferred)).await);
    let theirs = claimed.remove(7);
    let mut ids: Vec<_> = claimed.iter().map(|claimed| claimed.id).collect();
    let mine = ids.clone();
    // Not ours any more, not there, and told twice.
    ids.extend([theirs.id, DeliveryId(i64::MAX), ids[0]]);
    ids.reverse();
    let mut settled = arrived(&store, HERE, &ids).await;
    settled.sort_unstable();
    assert_eq!(settled, mine);
    assert_eq!(only(&store).await.id, theirs.id);
    assert_eq!(rows(&database, "queue_messages").await, 1);
    assert!(store.settle_delivered(HERE, &ids).await.unwrap().is_empty());
    assert!(store.settle_delivered(HERE, &[]).await.unwrap().is_empty());
}

/// Two nodes end deliveries of the same bodies, in different orders.
async fn batches_that_share_bodies_end_at_once(database: Database) {
    let stores = [database.store().await, database.open().await];
    for number in 0..10 {
        for body in 0..10 {
            enqueue(&stores[0], number * 10 + body, 4).await;
        }
        let claimed = claim(&stores[0], HERE, now()).await;
        assert_eq!(claimed.len(), 40);
        let ends = [0, 1].map(|which| {
            let mut ids: Vec<_> = claimed.iter().skip(which).step_by(2).map(|claimed| claimed.id).collect();
            if which == 1 {
                ids.reverse();
            }
            let store = stores[which].clone();
            tokio::spawn(async move { store.settle_delivered(HERE, &ids).await.unwrap().len() })
        });
        for end in ends {
            assert_eq!(end.await.unwrap(), 20);
        }
        assert_empty(&database).await;
    }
}

async fn another_attempt_keeps_what_is_known(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 1).await;
    let first = claim_one(&store, HERE, now()).await;
    assert!(done(&store, HERE, first.id, again(after(60), State::Uncertain)).await);
    let listed = only(&store).await;
    assert_eq!((listed.state, listed.attempts, listed.in_flight), (State::Uncertain, 1, false));
    assert_eq!((listed.next_attempt_at, listed.sealed_reply.as_deref()), (after(60), Some(&b"later"[..])));
    assert_eq!((listed.size, listed.created_at, listed.transaction), (1950, now(), transaction(1)));

    let report = Settlement::Again {
        at: after(120),
        state: State::Deferred,
        sealed_reply: Vec::new(),
        blamed: false,
        delay_report: Some(NewQueued {
            digest: None,
            ..queued(2, vec![NewDelivery { alias: None, ..delivery(1) }])
        }),
    };
    let second = claim_one(&store, HERE, after(60)).await;
    assert!(!second.delay_reported);
    assert!(done(&store, HERE, second.id, report).await);
    let both = claim(&store, HERE, after(120)).await;
    assert_eq!(both.iter().map(|claimed| claimed.delay_reported).collect::<Vec<_>>(), [true, false]);
    assert_eq!(both.iter().map(|claimed| claimed.attempts).collect::<Vec<_>>(), [3, 1]);
    assert!(done(&store, HERE, second.id, again(after(150), State::Deferred)).await);
    assert!(claim_one(&store, HERE, after(150)).await.delay_reported, "it is not forgotten");
}

async fn a_report_is_committed_with_its_settlement_or_not_at_all(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 1).await;
    let failed = claim_one(&store, HERE, now()).await;
    // A report that cannot be written: then the delivery is still there, and ours.
    let impossible = Settlement::Failed { report: Some(queued(2, Vec::new())) };
    assert!(store.settle(HERE, failed.id, impossible).await.is_err());
    assert!(store.body(failed.body).await.unwrap().is_some());

    let report = NewQueued { digest: None, ..queued(2, vec![delivery(1)]) };
    assert!(done(&store, HERE, failed.id, Settlement::Failed { report: Some(report) }).await);
    let listed = only(&store).await;
    assert_eq!(listed.transaction, transaction(2));
    assert_eq!(store.body(failed.body).await.unwrap(), None);
}

async fn an_attempt_that_was_not_made_is_not_counted(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 1).await;
    let claimed = claim_one(&store, HERE, now()).await;
    store.give_back(HERE, &[(claimed.id, after(1))]).await.unwrap();
    assert!(!only(&store).await.in_flight);
    assert!(claim(&store, THERE, now()).await.is_empty());
    assert_eq!(claim_one(&store, THERE, after(1)).await.attempts, 1);

    // Many at once, each at its own time; others' are passed over.
    enqueue(&store, 2, 60).await;
    let mine = claim(&store, HERE, now()).await;
    let mut due: Vec<_> = (1..).zip(&mine).map(|(place, claimed)| (claimed.id, after(place))).collect();
    due.extend([(claimed.id, now()), (DeliveryId(i64::MAX), now()), due[5]]);
    store.give_back(HERE, &due).await.unwrap();
    store.give_back(HERE, &[]).await.unwrap();
    assert!(claim(&store, HERE, now()).await.is_empty());
    for (place, claimed) in (1..=60).zip(&mine) {
        let again = claim_one(&store, HERE, after(place)).await;
        assert_eq!((again.id, again.attempts), (claimed.id, 1));
        assert!(done(&store, HERE, again.id, Settlement::Delivered).await);
    }
}

async fn damage_is_set_aside_until_somebody_looks(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 1).await;
    let claimed = claim_one(&store, HERE, now()).await;
    assert!(done(&store, HERE, claimed.id, Settlement::Damaged).await);
    assert_eq!(only(&store).await.state, State::Damaged);
    assert!(claim(&store, HERE, after(1_000_000)).await.is_empty());
    assert_eq!(store.next_due().await.unwrap(), None);
    let this = Which::One(claimed.id);
    assert_eq!((order(&store, Order::Hold, this).await, order(&store, Order::Release, this).await), (0, 0));
    assert_eq!(order(&store, Order::Retry, this).await, 1);
    assert_eq!(claim_one(&store, HERE, now()).await.id, claimed.id);
}

async fn a_held_delivery_waits_to_be_released(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 1).await;
    let claimed = claim_one(&store, HERE, now()).await;
    let this = Which::One(claimed.id);
    // Held while it is worked on: that counts after the attempt.
    assert_eq!(order(&store, Order::Hold, this).await, 1);
    assert!(done(&store, HERE, claimed.id, again(after(5), State::Uncertain)).await);
    assert_eq!(only(&store).await.state, State::Held);
    assert_eq!(order(&store, Order::Hold, this).await, 0, "it is held");
    assert_eq!(order(&store, Order::Retry, this).await, 0, "it is held until it is released");
    assert!(claim(&store, HERE, after(1_000_000)).await.is_empty());

    assert_eq!(order(&store, Order::Release, this).await, 1);
    assert_eq!(only(&store).await.state, State::Uncertain);
    assert!(claim(&store, HERE, after(4)).await.is_empty());
    assert_eq!(claim_one(&store, HERE, after(5)).await.id, claimed.id);
}

async fn what_a_node_works_on_is_not_made_due(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 1).await;
    let claimed = claim_one(&store, HERE, now()).await;
    assert!(only(&store).await.in_flight);
    assert!(store.show(now(), claimed.id).await.unwrap().unwrap().in_flight);
    assert!(!store.show(after(60), claimed.id).await.unwrap().unwrap().in_flight, "its lease is over");
    assert_eq!(order(&store, Order::Retry, Which::One(claimed.id)).await, 0);
    assert!(claim(&store, THERE, now()).await.is_empty());

    assert!(done(&store, HERE, claimed.id, again(after(3600), State::Deferred)).await);
    assert_eq!(order(&store, Order::Retry, Which::One(claimed.id)).await, 1);
    let urgent = claim_one(&store, THERE, now()).await;
    assert_eq!((urgent.id, urgent.urgent), (claimed.id, true));
    assert!(done(&store, THERE, claimed.id, again(after(60), State::Deferred)).await);
    assert!(!claim_one(&store, THERE, after(60)).await.urgent, "a claim ends the wish");
}

async fn orders_to_all_reach_what_they_make_sense_for(database: Database) {
    let store = database.store().await;
    let states = [State::Deferred, State::Uncertain, State::Held, State::Damaged];
    let later = |state| NewDelivery { state, next_attempt_at: after(3600), ..delivery(1) };
    store.enqueue(vec![queued(1, states.map(later).to_vec())]).await.unwrap();
    let states_now = async || all(&store).await.iter().map(|listed| listed.state).collect::<Vec<_>>();
    assert_eq!(states_now().await, states);

    assert_eq!(order(&store, Order::Hold, Which::All).await, 2);
    assert_eq!(states_now().await, [State::Held, State::Held, State::Held, State::Damaged]);
    assert_eq!(order(&store, Order::Release, Which::All).await, 3);
    assert_eq!(states_now().await, [State::Deferred, State::Uncertain, State::Deferred, State::Damaged]);
    assert!(claim(&store, HERE, now()).await.is_empty());
    assert_eq!(order(&store, Order::Retry, Which::All).await, 4);
    assert_eq!(claim(&store, HERE, now()).await.len(), 4);
    assert_eq!(order(&store, Order::Retry, Which::One(DeliveryId(i64::MAX))).await, 0);
}

async fn dropped_deliveries_leave_nothing(database: Database) {
    let store = database.store().await;
    for number in 0..30 {
        enqueue(&store, number, 10).await;
    }
    let claimed = claim(&store, HERE, now()).await;
    let first = claimed[0].id;
    assert_eq!(order(&store, Order::Drop, Which::One(first)).await, 1);
    assert_eq!(order(&store, Order::Drop, Which::One(first)).await, 0);
    assert!(lost(&store, HERE, first, Settlement::Delivered).await);
    assert!(store.show(now(), first).await.unwrap().is_none());
    assert!(store.body(claimed[0].body).await.unwrap().is_some(), "others of its transaction are there");
    for claimed in &claimed[1..10] {
        assert_eq!(order(&store, Order::Drop, Which::One(claimed.id)).await, 1);
    }
    assert_eq!(store.body(claimed[0].body).await.unwrap(), None);
    assert_eq!(order(&store, Order::Drop, Which::All).await, 290);
    assert_empty(&database).await;
}

async fn the_queue_is_listed_in_pages(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 5).await;
    let ids: Vec<_> = all(&store).await.iter().map(|listed| listed.id).collect();
    assert!(ids.is_sorted() && ids.len() == 5);
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        let page = store.list(now(), last, 2).await.unwrap();
        let Some(end) = page.last() else { break };
        last = Some(end.id);
        seen.extend(page.iter().map(|listed| listed.id));
    }
    assert_eq!(seen, ids);
    assert_eq!(store.show(now(), ids[2]).await.unwrap().unwrap().sealed, vec![3; 100]);
}

async fn the_queue_is_told_in_numbers(database: Database) {
    let store = database.store().await;
    let states = [State::Deferred, State::Uncertain, State::Held, State::Damaged, State::Deferred];
    let deliveries = states.map(|state| NewDelivery { state, ..delivery(1) });
    let old = NewQueued { created_at: after(-100), ..queued(1, deliveries.to_vec()) };
    store.enqueue(vec![old]).await.unwrap();
    enqueue(&store, 2, 1).await;
    let depth = store.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.held, depth.damaged), (4, 1, 1));
    assert_eq!(depth.oldest, Some(after(-100)));
    order(&store, Order::Drop, Which::All).await;
    within_a_second("an empty queue", async || {
        let depth = store.depth().await.unwrap();
        depth.waiting + depth.held + depth.damaged == 0 && depth.oldest.is_none()
    })
    .await;
}

async fn accepted_transactions_are_remembered_and_forgotten(database: Database) {
    let (store, other) = (database.store().await, database.open().await);
    enqueue(&store, 1, 1).await;
    let seen = async |store: &Store, number: u8, since| store.seen(&[number; 32], since).await.unwrap();
    assert_eq!(seen(&other, 1, now()).await, Some(transaction(1)));
    assert_eq!(seen(&other, 1, after(1)).await, None);
    assert_eq!(seen(&other, 2, now()).await, None);

    for number in 2..=120 {
        store.note([number; 32], transaction(number), after(10));
    }
    assert_eq!(seen(&store, 2, now()).await, Some(transaction(2)), "before it is written");
    assert_eq!(seen(&store, 2, after(11)).await, None);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move { store.run(stop).await }
    });
    within_seconds(5, "notes in the table", async || {
        seen(&other, 120, now()).await == Some(transaction(120))
    })
    .await;
    store.note([121; 32], transaction(121), after(10));
    stop.cancel();
    running.await.unwrap();
    assert_eq!(
        seen(&other, 121, now()).await,
        Some(transaction(121)),
        "the last ones are written at the end"
    );
    assert_eq!(rows(&database, "transactions").await, 121);

    // Accepted again, after so long that it was not taken for a repetition.
    store
        .enqueue(vec![NewQueued { created_at: after(90_000), ..queued(1, vec![delivery(1)]) }])
        .await
        .unwrap();
    store.forget(after(90_000)).await.unwrap();
    assert_eq!(rows(&database, "transactions").await, 1);
    assert_eq!(seen(&store, 1, now()).await, Some(transaction(1)));
}

async fn questions_that_come_at_once_are_all_answered(database: Database) {
    let store = database.store().await;
    for number in 0..100 {
        enqueue(&store, number, 1).await;
    }
    let asked = (0..200_u8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.seen(&[number; 32], after(i64::from(number % 2))).await.unwrap() })
    });
    // Somebody who asked first and went away takes nobody along.
    let asked: Vec<_> = asked.collect();
    asked[0].abort();
    for (number, asked) in (0..).zip(asked).skip(1) {
        let known = number < 100 && number % 2 == 0;
        assert_eq!(asked.await.unwrap(), known.then(|| transaction(number)), "{number}");
    }
}

async fn a_probe_leaves_nothing(database: Database) {
    let store = database.store().await;
    let probes = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.probe().await })
    });
    for probe in probes.collect::<Vec<_>>() {
        probe.await.unwrap().unwrap();
    }
    assert_eq!(rows(&database, "transactions").await, 0);
    store.close().await;
    assert!(store.probe().await.is_err());
}

/// 60 MB: more than a server takes at once (`max_allowed_packet`, 16 MiB by default).
async fn a_long_body_is_kept_whole(database: Database) {
    let store = database.store().await;
    let body: Vec<u8> = (0_u32..60_000_000).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let long = NewQueued { sealed_body: body.clone(), ..queued(1, vec![delivery(1)]) };
    store.enqueue(vec![long]).await.unwrap();
    let claimed = claim_one(&store, HERE, now()).await;
    assert!(store.body(claimed.body).await.unwrap().unwrap() == body, "it came back changed");

    database.sql("DELETE FROM queue_chunks WHERE number = 17").await;
    let rest = store.body(claimed.body).await.unwrap().unwrap();
    assert!(rest.len() < body.len() && body.starts_with(&rest), "what is left of it, to be found damaged");
    assert!(done(&store, HERE, claimed.id, Settlement::Delivered).await);
    assert_empty(&database).await;
}

async fn a_queue_that_cannot_be_reached_says_so(database: Database) {
    let store = database.store().await;
    enqueue(&store, 1, 1).await;
    store.close().await;
    assert!(store.enqueue(vec![queued(2, vec![delivery(1)])]).await.is_err());
    assert!(store.claim(HERE, now(), LEASE, 10).await.is_err());
    assert!(store.settle(HERE, DeliveryId(1), Settlement::Delivered).await.is_err());
    assert!(store.settle_delivered(HERE, &[DeliveryId(1)]).await.is_err());
    assert!(store.give_back(HERE, &[(DeliveryId(1), now())]).await.is_err());
    assert!(store.renew(HERE, &[DeliveryId(1)], after(9)).await.is_err());
    assert!(store.next_due().await.is_err() && store.depth().await.is_err());
    assert!(store.seen(&[1; 32], now()).await.is_err() && store.forget(now()).await.is_err());
    assert!(store.list(now(), None, 10).await.is_err());
    assert!(store.order(Order::Drop, Which::All, now()).await.is_err());
    let again = database.open().await;
    assert_eq!(all(&again).await.len(), 1);
}

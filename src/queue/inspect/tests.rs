use serde_json::{Value, json};

use super::fake::{Fake, Still, keys, letter, minutes, row};
use super::*;
use crate::relay::keys::Keys;
use crate::relay::ports::Surroundings as _;

const MAILBOX: &str = "inbox-7f3k@example.net";

/// What is seen of this row with these keys.
fn seen(row: Listed, keys: Option<&QueueKeys>) -> Value {
    let spool = Fake::default();
    serde_json::to_value(Inspector { spool: &spool, keys }.details(row)).unwrap()
}

fn held(id: i64) -> Listed {
    Listed { state: State::Held, ..row(id, &letter(MAILBOX)) }
}

/// The ids of what a walk gives, page by page, and how it ends.
async fn walked(spool: &Fake, wanted: &Wanted) -> (Vec<Vec<i64>>, Walked) {
    let (keys, mut pages) = (keys(), Vec::new());
    let inspector = Inspector { spool, keys: Some(&keys) };
    let take = |page: Vec<Entry>| {
        pages.push(page.iter().map(|entry| entry.id.0).collect());
        Ok::<_, Unavailable>(())
    };
    let end = inspector.walk(Still.now(), wanted, take).await.unwrap();
    (pages, end)
}

#[test]
fn a_row_is_opened() {
    let row = row(5, &letter(MAILBOX));
    let transaction = row.transaction.to_string();
    let wanted = json!({
        "id": 5,
        "transaction": transaction,
        "alias": "shop@example.com",
        "recipient": MAILBOX,
        "state": "deferred",
        "attempts": 2,
        "next_attempt_at": "2026-09-21T14:17:20.000Z",
        "last_reply": "mx.example.net: 451 4.2.1 come back later",
        "size": 1234,
        "created_at": "2026-09-21T14:07:20.000Z",
        "kind": "forward",
        "return_path": "b.token@example.com",
        "addressed_to": "Shop+tag@example.com",
        "expires_at": "2026-09-21T16:13:20.000Z",
        "reports_to": "jane@example.org",
        "notify": "FAILURE",
        "delay_reported": false,
        "arrived_elsewhere": false,
        "refused_us": false,
        "problem": null,
    });
    assert_eq!(seen(row, Some(&keys())), wanted);
}

#[test]
fn nothing_of_what_it_says_is_shown() {
    let shown = seen(row(5, &letter(MAILBOX)), Some(&keys())).to_string();
    assert!(!shown.contains("SECRET"), "{shown}");
}

#[test]
fn a_report_of_ours_belongs_to_no_alias() {
    let report = Letter { from: ReversePath::Null, about: None, ..letter("jane@example.org") };
    let shown = seen(Listed { sealed_reply: None, attempts: 0, ..row(5, &report) }, Some(&keys()));
    assert_eq!(shown["recipient"], "jane@example.org");
    assert_eq!((&shown["kind"], &shown["return_path"]), (&json!("report"), &json!("")));
    for nothing in ["alias", "last_reply", "addressed_to", "reports_to", "notify", "problem"] {
        assert_eq!(shown[nothing], Value::Null, "{nothing}");
    }
}

#[test]
fn what_does_not_open_is_shown_with_what_the_tables_know() {
    let other = Keys::derive(&[8; 32]).queue;
    let whole = || row(5, &letter(MAILBOX));
    let cut = Listed { sealed: vec![1, 2, 3], state: State::Damaged, ..whole() };
    for (row, keys, state, why) in [
        (whole(), Some(&other), "deferred", "neither the current one nor among the older ones"),
        (whole(), None, "deferred", "no master key here"),
        (cut, Some(&keys()), "damaged", "cut off"),
    ] {
        let shown = seen(row, keys);
        assert_eq!((&shown["id"], &shown["state"], &shown["size"]), (&json!(5), &json!(state), &json!(1234)));
        for unknown in ["alias", "recipient", "kind", "return_path", "addressed_to", "reports_to"] {
            assert_eq!(shown[unknown], Value::Null, "{unknown}");
        }
        for told in ["last_reply", "problem"] {
            assert!(shown[told].as_str().unwrap().contains(why), "{shown}");
        }
    }
}

#[test]
fn a_reply_that_does_not_open_hides_nothing_else() {
    let shown = seen(Listed { sealed_reply: Some(vec![9]), ..row(5, &letter(MAILBOX)) }, Some(&keys()));
    assert_eq!(shown["recipient"], MAILBOX);
    assert!(shown["last_reply"].as_str().unwrap().starts_with("cannot be read: "), "{shown}");
}

#[test]
fn each_state_has_its_word() {
    let states = [State::Deferred, State::Uncertain, State::Held, State::Damaged];
    for (state, word) in states.into_iter().zip(["deferred", "uncertain", "held", "damaged"]) {
        let row = Listed { state, ..row(1, &letter(MAILBOX)) };
        assert_eq!(Standing::of(&row).word(), word);
        assert_eq!(Standing::of(&Listed { in_flight: true, ..row }).word(), "in_flight");
    }
    for (word, standing) in Standing::WORDS {
        assert_eq!(serde_json::to_value(standing).unwrap(), *word);
    }
}

#[tokio::test]
async fn a_walk_sees_every_page() {
    let spool = Fake::of((1..=450).map(|id| row(id * 3, &letter(MAILBOX))));
    let (pages, end) = walked(&spool, &Wanted::default()).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 50]);
    assert_eq!(pages.concat(), (1..=450).map(|id| id * 3).collect::<Vec<_>>());
    assert_eq!(end, Walked::ToTheEnd);
    assert_eq!(walked(&Fake::default(), &Wanted::default()).await, (Vec::new(), Walked::ToTheEnd));
}

#[tokio::test]
async fn a_walk_ends_at_its_limit() {
    let spool = Fake::of((1..=450).map(|id| row(id, &letter(MAILBOX))));
    for (limit, pages) in [(1, vec![1]), (200, vec![200]), (250, vec![200, 50])] {
        let (seen, end) = walked(&spool, &Wanted { limit: Some(limit), ..Wanted::default() }).await;
        assert_eq!((seen.iter().map(Vec::len).collect::<Vec<_>>(), end), (pages, Walked::ToTheLimit));
    }
    let (seen, end) = walked(&spool, &Wanted { limit: Some(451), ..Wanted::default() }).await;
    assert_eq!((seen.concat().len(), end), (450, Walked::ToTheEnd));
}

#[tokio::test]
async fn a_walk_passes_over_what_is_not_wanted() {
    let unreadable = Listed { sealed: Vec::new(), ..row(4, &letter(MAILBOX)) };
    let spool =
        Fake::of([row(1, &letter(MAILBOX)), held(2), row(3, &letter("jane@example.org")), unreadable]);
    let state = |state| Wanted { state: Some(state), ..Wanted::default() };
    let domain = |name: &str| Wanted { domain: Some(name.parse().unwrap()), ..Wanted::default() };
    for (wanted, ids) in [
        (state(Standing::Held), vec![2]),
        (state(Standing::Deferred), vec![1, 3, 4]),
        (state(Standing::InFlight), vec![]),
        (domain("Example.NET"), vec![1, 2]),
        (Wanted { state: Some(Standing::Deferred), ..domain("example.net") }, vec![1]),
        (Wanted { limit: Some(1), ..domain("example.org") }, vec![3]),
        (domain("net"), vec![]),
    ] {
        assert_eq!(walked(&spool, &wanted).await.0.concat(), ids, "{wanted:?}");
    }
}

#[tokio::test]
async fn an_order_tells_what_came_of_it() {
    let in_flight = Listed { in_flight: true, ..row(2, &letter(MAILBOX)) };
    let damaged = Listed { state: State::Damaged, next_attempt_at: minutes(-1), ..row(3, &letter(MAILBOX)) };
    let spool = Fake::of([row(1, &letter(MAILBOX)), in_flight, damaged, held(4)]);
    for (given, id, came) in [
        (Order::Retry, 1, Carried::Out),
        (Order::Retry, 2, Carried::Unchanged(Standing::InFlight)),
        (Order::Retry, 3, Carried::Out),
        (Order::Retry, 4, Carried::Unchanged(Standing::Held)),
        (Order::Hold, 4, Carried::Unchanged(Standing::Held)),
        (Order::Release, 4, Carried::Out),
        (Order::Release, 4, Carried::Unchanged(Standing::Deferred)),
        (Order::Drop, 4, Carried::Out),
        (Order::Drop, 4, Carried::Missing),
        (Order::Hold, 9, Carried::Missing),
    ] {
        let carried = order(&spool, given, DeliveryId(id), Still.now()).await.unwrap();
        assert_eq!(carried, came, "{given:?} {id}");
    }
}

#[tokio::test]
async fn tables_that_do_not_answer_are_an_error() {
    let spool = Fake::away();
    let inspector = Inspector { spool: &spool, keys: None };
    let now = Still.now();
    assert!(inspector.page(now, None, 10).await.is_err());
    assert!(inspector.show(now, DeliveryId(1)).await.is_err());
    assert!(inspector.walk(now, &Wanted::default(), |_| Ok::<_, Unavailable>(())).await.is_err());
    assert!(order(&spool, Order::Hold, DeliveryId(1), now).await.is_err());
}

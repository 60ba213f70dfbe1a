use clap::Parser;
use serde_json::Value;

use crate::cli::arguments::{Arguments, Command};
use crate::queue::inspect::fake::{Fake, Still, keys, letter, minutes, row};
use crate::queue::letter::Letter;
use crate::queue::spool::{Listed, State};

use super::*;

const MAILBOX: &str = "inbox-7f3k@example.net";

/// Does a command on this queue: what is printed, and how it ends.
async fn do_with(spool: &Fake, keys: Option<&QueueKeys>, line: &str) -> (String, Done) {
    let arguments = Arguments::try_parse_from(format!("aliasd queue {line}").split(' ')).unwrap();
    let Command::Queue(command) = arguments.command else { panic!("{line}") };
    let mut out = Vec::new();
    let done = obey(command, spool, keys, &Still, &mut out).await;
    (String::from_utf8(out).unwrap(), done)
}

async fn says(spool: &Fake, line: &str) -> String {
    let (text, done) = do_with(spool, Some(&keys()), line).await;
    done.unwrap_or_else(|e| panic!("{line}: {e}"));
    text
}

/// What is printed although it is refused, and why it is.
async fn refuses(spool: &Fake, line: &str) -> (String, String) {
    let (text, done) = do_with(spool, Some(&keys()), line).await;
    let failure = done.unwrap_err();
    assert_eq!(failure.code(), 1, "{failure}");
    (text, failure.to_string())
}

async fn json(spool: &Fake, line: &str) -> Value {
    let text = says(spool, line).await;
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn waiting(id: i64) -> Listed {
    row(id, &letter(MAILBOX))
}

fn held(id: i64) -> Listed {
    Listed { state: State::Held, created_at: minutes(-200), ..waiting(id) }
}

fn in_flight(id: i64) -> Listed {
    Listed { in_flight: true, ..waiting(id) }
}

fn damaged(id: i64) -> Listed {
    Listed { state: State::Damaged, sealed: vec![1, 2, 3], ..waiting(id) }
}

#[tokio::test]
async fn a_list_is_a_table_that_is_summed_up() {
    let spool = Fake::of([waiting(1), held(2), in_flight(3), damaged(40)]);
    let text = says(&spool, "list").await;
    let lines: Vec<_> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let said = "mx.example.net: 451 4.2.1 come back later";
    assert_eq!(
        lines,
        [
            "ID STATE NEXT TRIED AGE SIZE ALIAS RECIPIENT LAST REPLY".to_owned(),
            format!("1 deferred in 4m 2 6m 2 KiB shop@example.com {MAILBOX} {said}"),
            format!("2 held - 2 3h 2 KiB shop@example.com {MAILBOX} {said}"),
            format!("3 in_flight now 2 6m 2 KiB shop@example.com {MAILBOX} {said}"),
            "40 damaged - 2 6m 2 KiB - - cannot be read: it is cut off".to_owned(),
            "4 deliveries: 1 deferred, 1 held, 1 in_flight, 1 damaged, the oldest accepted 3h ago".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_list_may_be_a_part() {
    let spool = Fake::of([waiting(1), held(2), waiting(3)]);
    let text = says(&spool, "list --limit 1").await;
    assert!(text.ends_with("the first 1 delivery: 1 deferred, the oldest accepted 6m ago\n"), "{text}");
    let text = says(&spool, "list --state held").await;
    assert!(text.ends_with("\n1 delivery: 1 held, the oldest accepted 3h ago\n"), "{text}");
    assert_eq!(says(&spool, "list --domain example.org").await, "nothing in the queue is like this\n");
    assert_eq!(says(&Fake::default(), "list").await, "the queue is empty\n");
    assert_eq!(says(&Fake::default(), "list --json").await, "{\"items\":[]}\n");
}

#[tokio::test]
async fn json_has_the_fields_of_the_api() {
    let list = json(&Fake::of([waiting(1), damaged(2)]), "list --json").await;
    let items = list["items"].as_array().unwrap();
    let fields = [
        "alias",
        "attempts",
        "created_at",
        "id",
        "last_reply",
        "next_attempt_at",
        "recipient",
        "size",
        "state",
        "transaction",
    ];
    for item in items {
        let mut keys: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, fields);
    }
    assert_eq!((&items[0]["id"], &items[0]["state"]), (&1.into(), &"deferred".into()));
    assert_eq!((&items[1]["recipient"], &items[1]["state"]), (&Value::Null, &"damaged".into()));
}

#[tokio::test]
async fn a_delivery_is_shown_with_all_that_is_known() {
    let text = says(&Fake::of([waiting(7)]), "show 7").await;
    let transaction = waiting(7).transaction;
    assert_eq!(
        text,
        format!(
            "id:             7\n\
             state:          deferred\n\
             alias:          shop@example.com\n\
             recipient:      {MAILBOX}\n\
             last reply:     mx.example.net: 451 4.2.1 come back later\n\
             tried:          2\n\
             next attempt:   2026-09-21T14:17:20.000Z (in 4m)\n\
             accepted:       2026-09-21T14:07:20.000Z (6m ago)\n\
             size:           2 KiB (1234 octets)\n\
             transaction:    {transaction}\n\
             given up:       2026-09-21T16:13:20.000Z (in 2h)\n\
             kind:           forward to a mailbox\n\
             addressed to:   Shop+tag@example.com\n\
             return path:    <b.token@example.com>\n\
             tells:          jane@example.org (NOTIFY=FAILURE)\n\
             told of delay:  no\n"
        )
    );
    let shown = json(&Fake::of([waiting(7)]), "show 7 --json").await;
    assert_eq!((&shown["id"], &shown["reports_to"]), (&7.into(), &"jane@example.org".into()));
}

#[tokio::test]
async fn what_is_special_about_a_delivery_is_said() {
    let report = Letter { about: None, ..letter("jane@example.org") };
    let untold = |row: Listed| Listed { accepted: true, ..row };
    for (row, said) in [
        (Listed { state: State::Uncertain, ..waiting(7) }, "may have arrived already"),
        (Listed { blamed: true, ..waiting(7) }, "refuses us, not this message"),
        (
            Listed { state: State::Damaged, ..waiting(7) },
            "its envelope can be read now: aliasd queue retry 7",
        ),
        (damaged(7), "the right master key"),
        (damaged(7), "cannot be read: it is cut off"),
        (untold(waiting(7)), "nobody: it has arrived at another mailbox"),
        (row(7, &report), "nobody: it is a report itself"),
        (held(7), "none until it is released"),
    ] {
        let text = says(&Fake::of([row]), "show 7").await;
        assert!(text.contains(said), "{said} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn without_a_key_everything_but_addresses_is_shown() {
    let spool = Fake::of([waiting(7)]);
    for line in ["list", "show 7", "list --json"] {
        let (text, done) = do_with(&spool, None, line).await;
        done.unwrap();
        assert!(text.contains("cannot be read: there is no master key here"), "{text}");
        assert!(text.contains("deferred") && !text.contains("example"), "{text}");
    }
}

#[tokio::test]
async fn orders_say_how_many_they_have_changed() {
    let spool = Fake::of([waiting(1), waiting(2), held(3), damaged(4)]);
    for (line, said) in [
        ("hold 1", "held: 1 delivery\n"),
        ("hold 1 2", "delivery 1 is held already\nheld: 1 delivery\n"),
        ("hold 4", "delivery 4 is damaged: it is not tried anyway until you order it\nheld: 0 deliveries\n"),
        ("release 1 1", "released: 1 delivery\n"),
        ("release 1", "delivery 1 is not held\nreleased: 0 deliveries\n"),
        ("release --all", "released: 2 deliveries\n"),
        ("retry 4", "due now: 1 delivery\n"),
        ("retry --all", "due now: 4 deliveries\n"),
        ("hold --all", "held: 4 deliveries\n"),
        ("drop 1 3", "dropped: 2 deliveries\n"),
    ] {
        assert_eq!(says(&spool, line).await, said, "{line}");
    }
    assert_eq!(json(&spool, "list --json").await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_the_rest_is_done() {
    let spool = Fake::of([waiting(1), held(2), in_flight(3)]);
    let (text, why) = refuses(&spool, "retry 1 2 3 9").await;
    assert_eq!(text, "delivery 3 is being tried right now\ndue now: 1 delivery\n");
    let lines: Vec<_> = why.lines().collect();
    assert_eq!(lines[0], "delivery 2 is held: let it go first with `aliasd queue release 2`");
    assert!(lines[1].starts_with("delivery 9 is not in the queue"), "{why}");
    for line in ["show 9", "hold 9", "release 9", "drop 9"] {
        let (_, why) = refuses(&spool, line).await;
        assert!(why.starts_with("delivery 9 is not in the queue"), "{line}: {why}");
    }
}

#[tokio::test]
async fn tables_that_do_not_answer_are_worth_another_try() {
    let spool = Fake::away();
    for line in ["list", "show 1", "retry 1", "hold --all", "drop 1"] {
        let (_, done) = do_with(&spool, Some(&keys()), line).await;
        let failure = done.unwrap_err();
        assert_eq!(failure.code(), 75, "{line}");
        assert!(failure.to_string().contains("gone fishing"), "{failure}");
    }
}

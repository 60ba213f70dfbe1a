//! `aliasd queue …` on a queue with real mail in it, while the daemon runs.
//!
//! The next attempt is an hour away, so whatever arrives here arrives because of an order.

use serde_json::Value;

use crate::support::daemon::{Daemon, Installation};
use crate::support::database::Engine;
use crate::support::sink::{Answer, Script, Sink};
use crate::support::{eventually, free_address};

const ALIAS: &str = "shop@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@example.net";

on_both_engines!(
    the_queue_is_listed_with_its_fields,
    what_is_held_stays_and_what_is_released_can_be_tried,
    an_order_overrides_the_back_off_of_a_site,
    what_is_dropped_is_gone,
    what_a_lost_key_has_sealed_is_set_aside_until_it_is_found,
    orders_that_make_no_sense_are_refused,
);

/// An alias whose mail is not tried again for an hour.
fn installation(engine: Engine, sink: &Sink) -> Installation {
    Installation::new(engine, sink.address())
        .delivering("retry = [\"1h\"]")
        .trusting("127.0.0.0/8")
        .with_alias(ALIAS, MAILBOX)
}

fn refusing() -> Script {
    Script::accept().at_rcpt(Answer::Refuse("451 4.2.1 come back later"))
}

/// Sends a message with this subject; it is accepted, and the transaction's id is returned.
fn send(daemon: &Daemon, subject: &str) -> String {
    let letter = format!("From: {CONTACT}\r\nTo: {ALIAS}\r\nSubject: {subject}\r\n\r\nA line.\r\n");
    let reply = daemon.greet().deliver(CONTACT, ALIAS, letter.as_bytes());
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    reply.text.rsplit(' ').next().expect("the transaction's id").to_owned()
}

fn list(aliasd: &Installation) -> Vec<Value> {
    let listed = aliasd.ask(&["queue", "list"]);
    listed["items"].as_array().expect("the field items").clone()
}

/// The id of the only delivery in the queue.
fn only(aliasd: &Installation) -> String {
    let items = list(aliasd);
    assert_eq!(items.len(), 1, "{items:?}");
    items[0]["id"].to_string()
}

fn is_empty(aliasd: &Installation) -> Option<()> {
    list(aliasd).is_empty().then_some(())
}

/// Gives an order that must change one delivery.
fn order(aliasd: &Installation, verb: &str, id: &str) {
    let said = aliasd.run(&["queue", verb, id]).succeeded();
    assert!(said.ends_with(": 1 delivery\n"), "queue {verb} {id}: {said}");
}

fn the_queue_is_listed_with_its_fields(engine: Engine) {
    let sink = Sink::start(refusing());
    let aliasd = installation(engine, &sink);
    let daemon = aliasd.serve();
    assert_eq!(aliasd.run(&["queue", "list"]).succeeded(), "the queue is empty\n");
    let transaction = send(&daemon, "hello");
    let items = list(&aliasd);
    let [item] = items.as_slice() else { panic!("{items:?}") };
    let mut fields: Vec<&str> = item.as_object().expect("an object").keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "alias",
            "attempts",
            "created_at",
            "id",
            "last_reply",
            "next_attempt_at",
            "recipient",
            "size",
            "state",
            "transaction"
        ]
    );
    assert_eq!((&item["alias"], &item["recipient"]), (&ALIAS.into(), &MAILBOX.into()));
    assert_eq!((&item["state"], &item["attempts"]), (&"deferred".into(), &1.into()));
    assert_eq!(item["transaction"], transaction.as_str());
    let last_reply = item["last_reply"].as_str().expect("a text");
    assert!(last_reply.contains("451 4.2.1") && last_reply.contains("come back later"), "{last_reply}");
    assert!(item["id"].is_i64() && item["size"].as_u64() > Some(50), "{item}");
    assert!(item["created_at"].as_str() < item["next_attempt_at"].as_str(), "{item}");

    let id = item["id"].to_string();
    let shown = aliasd.ask(&["queue", "show", &id]);
    assert_eq!((&shown["kind"], &shown["reports_to"]), (&"forward".into(), &CONTACT.into()));
    assert!(shown["next_attempt_at"].as_str() < shown["expires_at"].as_str(), "{shown}");
    let shown = aliasd.run(&["queue", "show", &id]).succeeded();
    for part in [MAILBOX, ALIAS, CONTACT, "come back later", &transaction] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    assert!(!shown.contains("hello"), "it shows the message:\n{shown}");
    let table = aliasd.run(&["queue", "list", "--limit", "1"]).succeeded();
    assert!(table.contains("the first 1 delivery: 1 deferred"), "{table}");
    daemon.stop();
}

fn what_is_held_stays_and_what_is_released_can_be_tried(engine: Engine) {
    let sink = Sink::start(refusing());
    let aliasd = installation(engine, &sink);
    let daemon = aliasd.serve();
    send(&daemon, "held");
    let held = only(&aliasd);
    order(&aliasd, "hold", &held);
    assert_eq!(aliasd.ask(&["queue", "list", "--state", "held"])["items"][0]["id"].to_string(), held);
    let refused = aliasd.run(&["queue", "retry", &held]).ended_with(1).stderr;
    assert!(refused.contains(&format!("aliasd queue release {held}")), "{refused}");

    send(&daemon, "other");
    sink.behave(Script::accept());
    assert_eq!(aliasd.run(&["queue", "retry", "--all"]).succeeded(), "due now: 1 delivery\n");
    assert!(sink.next().text().contains("Subject: other"), "what is held came");
    eventually("only the held one is left", || (only_states(&aliasd) == ["held"]).then_some(()));
    assert_eq!(only(&aliasd), held);

    order(&aliasd, "release", &held);
    assert_eq!(only_states(&aliasd), ["deferred"]);
    order(&aliasd, "retry", &held);
    assert!(sink.next().text().contains("Subject: held"), "what is released did not come");
    eventually("the queue is empty", || is_empty(&aliasd));
    daemon.stop();
}

fn only_states(aliasd: &Installation) -> Vec<String> {
    list(aliasd).iter().map(|item| item["state"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A 421 makes the site be left alone for a while.
fn an_order_overrides_the_back_off_of_a_site(engine: Engine) {
    let sink = Sink::start(Script::accept().at_rcpt(Answer::Refuse("421 4.7.0 too much from you")));
    let aliasd = installation(engine, &sink);
    let daemon = aliasd.serve();
    send(&daemon, "hello");
    sink.behave(Script::accept());
    order(&aliasd, "retry", &only(&aliasd));
    assert_eq!(sink.next().recipients, [MAILBOX]);
    eventually("the queue is empty", || is_empty(&aliasd));
    daemon.stop();
}

fn what_is_dropped_is_gone(engine: Engine) {
    let sink = Sink::start(refusing());
    let aliasd = installation(engine, &sink);
    let daemon = aliasd.serve();
    for subject in ["one", "two", "three"] {
        send(&daemon, subject);
    }
    let ids: Vec<String> = list(&aliasd).iter().map(|item| item["id"].to_string()).collect();
    let dropped = aliasd.run(&["queue", "drop", &ids[0], &ids[2]]).succeeded();
    assert_eq!(dropped, "dropped: 2 deliveries\n");
    assert_eq!(only(&aliasd), ids[1]);
    aliasd.run(&["queue", "show", &ids[0]]).ended_with(1);
    sink.behave(Script::accept());
    aliasd.run(&["queue", "retry", "--all"]).succeeded();
    assert!(sink.next().text().contains("Subject: two"), "what was dropped came");
    eventually("the queue is empty", || is_empty(&aliasd));
    assert_eq!(sink.waiting(), 0);
    daemon.stop();
}

fn what_a_lost_key_has_sealed_is_set_aside_until_it_is_found(engine: Engine) {
    let sink = Sink::start(refusing());
    let aliasd = installation(engine, &sink);
    let daemon = aliasd.serve();
    send(&daemon, "hello");
    let id = only(&aliasd);
    daemon.stop();
    sink.behave(Script::accept());
    let key = std::fs::read(aliasd.master_key()).expect("the master key");

    std::fs::remove_file(aliasd.master_key()).expect("the master key");
    let listed = aliasd.run(&["queue", "list"]).succeeded();
    assert!(listed.contains("no master key here") && !listed.contains(MAILBOX), "{listed}");
    let warned = aliasd.run(&["queue", "show", &id]).ended_with(0).stderr;
    assert!(warned.contains("warning") && warned.contains("master.key"), "{warned}");
    assert!(!aliasd.master_key().exists(), "a command that looks has made a key");

    std::fs::write(aliasd.master_key(), [7; 32]).expect("another master key");
    let daemon = aliasd.serve();
    assert_eq!(only_states(&aliasd), ["deferred"], "it was not tried yet");
    order(&aliasd, "retry", &id);
    eventually("the daemon sets it aside", || (only_states(&aliasd) == ["damaged"]).then_some(()));
    let items = list(&aliasd);
    assert_eq!((&items[0]["recipient"], &items[0]["alias"]), (&Value::Null, &Value::Null));
    let why = items[0]["last_reply"].as_str().expect("a text");
    assert!(why.contains("neither the current one nor among the older ones"), "{why}");
    daemon.stop();

    std::fs::write(aliasd.master_key().with_extension("key.old"), key).expect("the older master keys");
    assert_eq!(list(&aliasd)[0]["recipient"], MAILBOX);
    let daemon = aliasd.serve();
    order(&aliasd, "retry", &id);
    assert!(sink.next().text().contains("Subject: hello"), "another message came");
    eventually("the queue is empty", || is_empty(&aliasd));
    daemon.stop();
}

fn orders_that_make_no_sense_are_refused(engine: Engine) {
    let aliasd = Installation::new(engine, free_address());
    for verb in ["show", "retry", "hold", "release", "drop"] {
        let refused = aliasd.run(&["queue", verb, "12345"]).ended_with(1).stderr;
        assert!(refused.contains("delivery 12345 is not in the queue"), "{refused}");
        aliasd.run(&["queue", verb]).ended_with(64);
        aliasd.run(&["queue", verb, "first"]).ended_with(64);
    }
    for verb in ["retry", "hold", "release"] {
        let said = aliasd.run(&["queue", verb, "--all"]).succeeded();
        assert!(said.ends_with(": 0 deliveries\n"), "{said}");
    }
    aliasd.run(&["queue", "drop", "--all"]).ended_with(64);
    let url = format!("mysql://root@{}/aliasd", free_address());
    let away = [("ALIASD_DATABASE__URL", url.as_str())];
    for command in [&["list"][..], &["show", "1"], &["retry", "--all"]] {
        aliasd.run_with(&[&["queue"], command].concat(), &away).ended_with(75);
    }
}

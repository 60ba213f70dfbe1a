//! What the server tells about itself over HTTP: whether it lives, whether it is ready, and how much it does; and that it
//! tells nothing about anybody.

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::Duration;

use crate::support::client::Reply;
use crate::support::daemon::Installation;
use crate::support::database::{self, Engine};
use crate::support::http::{get, try_get};
use crate::support::sink::{Answer, Script, Sink};
use crate::support::{eventually, free_address};

const ALIAS: &str = "shop@example.com";
const MAILBOX: &str = "inbox-7f3k@example.net";
const BUSY_ALIAS: &str = "news@example.com";
const BUSY_MAILBOX: &str = "work-9q2x@example.net";
const CONTACT: &str = "jane@example.org";

/// A scrape: what each series shows.
struct Figures {
    text: String,
    series: HashMap<String, f64>,
}

impl Figures {
    fn of(aliasd: &Installation) -> Self {
        let response = get(aliasd.api(), "/metrics");
        assert_eq!(response.status, 200, "{response:?}");
        assert!(response.head.contains("content-type: text/plain; version=0.0.4"), "{}", response.head);
        let text = response.body;
        let series = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let series = series.map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        });
        Self { series: series.collect(), text }
    }

    fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.text))
    }

    /// By how much these series have grown since `before`, in whole numbers.
    fn grown<const N: usize>(&self, before: &Self, series: [&str; N]) -> [i64; N] {
        series.map(|series| (self.value(series) - before.value(series)) as i64)
    }
}

/// Also whoever looked whether the server is there has left.
fn nobody_is_connected(aliasd: &Installation) {
    eventually("every connection is counted as closed", || {
        (Figures::of(aliasd).value("aliasd_smtp_connections_open") == 0.0).then_some(())
    });
}

fn letter(to: &str) -> Vec<u8> {
    format!("From: {CONTACT}\r\nTo: {to}\r\nSubject: hello\r\n\r\nA line.\r\n").into_bytes()
}

/// As the figures call it.
fn verdict(reply: &Reply) -> &'static str {
    match reply.code {
        200..300 => "aliasd_message_transactions_total{verdict=\"accepted\"}",
        400..500 => "aliasd_message_transactions_total{verdict=\"deferred\"}",
        _ => "aliasd_message_transactions_total{verdict=\"rejected\"}",
    }
}

#[test]
fn what_happens_to_messages_is_counted() {
    let sink = Sink::start(Script::accept().refuse_recipient(BUSY_MAILBOX, "450 4.2.1 not now"));
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    aliasd.run(&["mailbox", "add", BUSY_MAILBOX]).succeeded();
    let aliasd = aliasd.and_alias(BUSY_ALIAS, &[BUSY_MAILBOX]);
    let daemon = aliasd.serve();
    nobody_is_connected(&aliasd);
    let before = Figures::of(&aliasd);

    let mut client = daemon.greet();
    let delivered = client.deliver(CONTACT, ALIAS, &letter(ALIAS));
    assert_eq!(delivered.code, 250, "{delivered}");
    let one = Figures::of(&aliasd);
    let seen = [
        verdict(&delivered),
        "aliasd_message_recipients_total{answer=\"alias\"}",
        "aliasd_delivery_attempts_total{outcome=\"delivered\"}",
        "aliasd_message_stage_seconds_count{stage=\"receive\"}",
        "aliasd_message_stage_seconds_count{stage=\"decide\"}",
        "aliasd_message_stage_seconds_count{stage=\"deliver\"}",
        "aliasd_outbound_connections_total{source=\"opened\",channel=\"clear\"}",
        "aliasd_outbound_connections_total{source=\"reused\",channel=\"clear\"}",
        "aliasd_smtp_connections_total{outcome=\"accepted\"}",
    ];
    assert_eq!(one.grown(&before, seen), [1, 1, 1, 1, 1, 1, 1, 0, 1]);
    assert_eq!(one.value("aliasd_smtp_connections_open"), 1.0);
    assert!(one.value("aliasd_cache_lookups_total{cache=\"names\",answer=\"miss\"}") >= 1.0);
    assert!(one.value("aliasd_database_query_seconds_count{operation=\"read\"}") >= 1.0);
    assert!(one.value("aliasd_database_query_seconds_count{operation=\"change\"}") >= 1.0);

    assert_eq!(client.envelope(CONTACT, "nobody@example.com").code, 550);
    assert_eq!(client.envelope(CONTACT, "jane@example.org").code, 550);
    let refused = client.deliver(CONTACT, ALIAS, b"Subject: no author\r\n\r\nA line.\r\n");
    assert_eq!(refused.code, 550, "{refused}");
    let two = Figures::of(&aliasd);
    let seen = [
        verdict(&refused),
        "aliasd_message_recipients_total{answer=\"alias\"}",
        "aliasd_message_recipients_total{answer=\"refused\"}",
        "aliasd_delivery_attempts_total{outcome=\"delivered\"}",
        "aliasd_message_stage_seconds_count{stage=\"receive\"}",
        "aliasd_smtp_connections_total{outcome=\"accepted\"}",
    ];
    assert_eq!(two.grown(&one, seen), [1, 1, 2, 0, 1, 0]);
    assert!(two.grown(&one, ["aliasd_cache_lookups_total{cache=\"names\",answer=\"hit\"}"]) >= [1]);

    let later = client.deliver(CONTACT, BUSY_ALIAS, &letter(BUSY_ALIAS));
    assert!(matches!(later.code, 250 | 451), "{later}");
    let three = Figures::of(&aliasd);
    let seen = [verdict(&later), "aliasd_delivery_attempts_total{outcome=\"deferred\"}"];
    assert_eq!(three.grown(&two, seen), [1, 1]);
    let sent = "aliasd_outbound_connections_total{source=\"reused\",channel=\"clear\"}";
    assert!(three.grown(&two, [sent]) >= [1], "the connection was not used again\n{}", three.text);

    drop(client);
    nobody_is_connected(&aliasd);
    tells_nothing_about_anybody(&three.text);
    daemon.stop();
}

/// No address, no domain, no host; labels are words of ours.
fn tells_nothing_about_anybody(text: &str) {
    for word in ["example", "@", "127.0.0.1", "inbox", "jane", "shop"] {
        assert!(!text.contains(word), "{word} is in\n{text}");
    }
    let labels = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('{'));
    for (name, rest) in labels {
        let (labels, _) = rest.split_once('}').expect("the end of the labels");
        for label in labels.split(',') {
            let (key, value) = label.split_once('=').expect("a label");
            let value = value.trim_matches('"');
            let is_word = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let is_bound = key == "le" && (value == "+Inf" || value.parse::<f64>().is_ok());
            assert!(is_word || is_bound, "{name}: {label}");
        }
    }
}

#[test]
fn every_metric_is_named_by_the_rule_and_explained() {
    let aliasd = Installation::unmigrated(Engine::Sqlite, free_address());
    let daemon = aliasd.serve();
    let text = Figures::of(&aliasd).text;
    let types: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for area in ["smtp", "message", "delivery", "outbound", "queue", "cache", "database", "limits"] {
        let prefix = format!("aliasd_{area}_");
        assert!(types.iter().any(|(name, _)| name.starts_with(&prefix)), "nothing about {area}\n{text}");
    }
    for (name, kind) in types {
        assert!(name.starts_with("aliasd_"), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not explained");
        match kind {
            "counter" => assert!(name.ends_with("_total"), "{name}"),
            "histogram" => assert!(name.ends_with("_seconds"), "{name}"),
            "gauge" => assert!(!name.ends_with("_total"), "{name}"),
            other => panic!("{name} is a {other}"),
        }
    }
    assert!(text.contains("aliasd_queue_deliveries{state=\"waiting\"} 0"), "{text}");
    assert!(text.contains("aliasd_queue_oldest_seconds 0"), "{text}");
    daemon.stop();
}

#[test]
fn too_many_connections_from_one_address_are_counted() {
    let aliasd = Installation::unmigrated(Engine::Sqlite, free_address());
    let daemon = aliasd.serve_with(&[("ALIASD_SMTP__MAX_CONNECTIONS_PER_IP", "1")]);
    nobody_is_connected(&aliasd);
    let first = daemon.greet();
    let before = Figures::of(&aliasd);
    assert!(crate::support::daemon::greets(aliasd.address()).is_none(), "a second connection was welcome");
    let seen = [
        "aliasd_smtp_connections_total{outcome=\"refused\"}",
        "aliasd_limits_hit_total{limit=\"connections_per_ip\"}",
        "aliasd_limits_hit_total{limit=\"connections\"}",
    ];
    assert_eq!(Figures::of(&aliasd).grown(&before, seen), [1, 1, 0]);
    drop(first);
    daemon.stop();
}

#[test]
fn it_lives_and_is_ready_and_knows_no_other_path() {
    let aliasd = Installation::unmigrated(Engine::Sqlite, free_address());
    let daemon = aliasd.serve();
    assert_eq!(get(aliasd.api(), "/healthz").status, 200);
    let ready = get(aliasd.api(), "/readyz");
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(ready.json()["ready"], true);
    assert_eq!(ready.json()["parts"]["database"], true);
    assert_eq!(ready.json()["parts"]["listeners"], true);
    let nothing = get(aliasd.api(), "/admin/v1/aliases");
    assert_eq!(nothing.status, 404);
    assert!(nothing.head.contains("content-type: application/problem+json"), "{}", nothing.head);
    assert_eq!(nothing.json()["status"], 404);
    daemon.stop();
}

#[test]
fn a_server_that_stops_is_not_ready() {
    let sink = Sink::start(Script::accept().at_dot(Answer::After(Duration::from_secs(3))));
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    let mut client = daemon.greet();
    assert_eq!(client.envelope(CONTACT, ALIAS).code, 250);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| client.data(&letter(ALIAS)));
        eventually("the next hop has the message", || {
            sink.commands().iter().any(|command| command == "DATA").then_some(())
        });
        let stopping = scope.spawn(|| daemon.stop());
        let answer = eventually("it is not ready any more", || {
            try_get(aliasd.api(), "/readyz").filter(|response| response.status == 503)
        });
        assert_eq!(answer.json()["parts"]["listeners"], false, "{answer:?}");
        assert_eq!(answer.json()["parts"]["database"], true, "{answer:?}");
        assert_eq!(get(aliasd.api(), "/healthz").status, 200);
        assert_eq!(sending.join().expect("the client").code, 250);
        stopping.join().expect("a server that ends in its order");
    });
}

#[test]
#[ignore = "needs MariaDB: run ./test"]
fn a_server_without_its_database_is_not_ready() {
    let aliasd = Installation::new(Engine::MariaDb, free_address());
    let daemon = aliasd.serve();
    assert_eq!(get(aliasd.api(), "/readyz").status, 200);
    let rename = |from: &str, to: &str| {
        database::execute(&aliasd.database_url(), format!("RENAME TABLE {from} TO {to}")).expect("renamed");
    };
    rename("changes", "changes_away");
    let answer = eventually("it is not ready", || {
        try_get(aliasd.api(), "/readyz").filter(|response| response.status == 503)
    });
    assert_eq!(answer.json()["detail"], "not ready: database", "{answer:?}");
    rename("changes_away", "changes");
    eventually("it is ready again", || {
        try_get(aliasd.api(), "/readyz").filter(|response| response.status == 200)
    });
    daemon.stop();
}

#[test]
fn an_address_in_use_is_told_with_its_key() {
    let aliasd = Installation::unmigrated(Engine::Sqlite, free_address());
    let _taken = TcpListener::bind(aliasd.api()).expect("a free address");
    let told = aliasd.run(&["serve"]).ended_with(1).stderr;
    assert!(told.contains("api.listen") && told.contains(&aliasd.api().to_string()), "{told}");
}

#[test]
fn without_an_address_there_is_no_http() {
    let aliasd = Installation::unmigrated(Engine::Sqlite, free_address());
    let daemon = aliasd.serve_with(&[("ALIASD_API__LISTEN", "")]);
    assert!(try_get(aliasd.api(), "/healthz").is_none());
    aliasd.run(&["health"]).succeeded();
    daemon.stop();
}

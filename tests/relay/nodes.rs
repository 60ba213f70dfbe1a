//! Two nodes on one database: what is changed anywhere is seen everywhere within a second.

use std::time::{Duration, Instant};

use crate::support::daemon::{Daemon, Installation};
use crate::support::database::Engine;
use crate::support::sink::{Script, Sink};

const ALIAS: &str = "shop@example.com";
const MAILBOX: &str = "inbox-7f3k@example.net";

/// What is promised, and as much again for a machine that is busy with other tests.
const WITHIN: Duration = Duration::from_secs(2);

#[test]
#[ignore = "needs MariaDB: run ./test"]
fn a_change_is_seen_by_both_within_a_second() {
    let sink = Sink::start(Script::accept());
    let first = Installation::new(Engine::MariaDb, sink.address()).with_alias(ALIAS, MAILBOX);
    let second = first.another_node();
    let (one, two) = (first.serve(), second.serve());
    let nodes = [&one, &two];
    // Both caches know the alias, and that the other is nobody.
    all_answer(nodes, ALIAS, (250, "2.1.5"));
    all_answer(nodes, "new@example.com", (550, "5.1.1"));

    first.run(&["alias", "disable", ALIAS]).succeeded();
    all_answer(nodes, ALIAS, (550, "5.7.1"));
    second.run(&["alias", "enable", ALIAS]).succeeded();
    all_answer(nodes, ALIAS, (250, "2.1.5"));
    second.run(&["alias", "add", "new@example.com", "--mailbox", MAILBOX]).succeeded();
    all_answer(nodes, "new@example.com", (250, "2.1.5"));
    first.run(&["alias", "remove", ALIAS]).succeeded();
    all_answer(nodes, ALIAS, (550, "5.1.1"));

    one.stop();
    two.stop();
}

/// A reverse alias made on one node is known on the other, and is the same there.
#[test]
#[ignore = "needs MariaDB: run ./test"]
fn both_nodes_give_a_contact_the_same_reverse_alias() {
    let sink = Sink::start(Script::accept());
    let first = Installation::new(Engine::MariaDb, sink.address()).with_alias(ALIAS, MAILBOX);
    let second = first.another_node();
    let message = b"From: jane@example.org\r\nSubject: hello\r\n\r\nA line.\r\n";
    let (one, two) = (first.serve(), second.serve());
    let authors = [&one, &two].map(|node| {
        assert_eq!(node.greet().deliver("jane@example.org", ALIAS, message).code, 250);
        let text = sink.next().text();
        text.lines().find(|line| line.starts_with("From:")).expect("a From field").to_owned()
    });
    assert_eq!(authors[0], authors[1]);
    one.stop();
    two.stop();
}

/// A session for each question: one that asks for nobody again and again is closed.
fn all_answer(nodes: [&Daemon; 2], recipient: &str, codes: (u16, &str)) {
    let changed = Instant::now();
    for node in nodes {
        let ask = || node.greet().envelope("jane@example.org", recipient);
        let mut reply = ask();
        while reply.codes() != codes && changed.elapsed() < WITHIN {
            std::thread::sleep(Duration::from_millis(20));
            reply = ask();
        }
        assert_eq!(reply.codes(), codes, "{recipient} after {:?}: {reply}", changed.elapsed());
    }
}

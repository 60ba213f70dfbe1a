//! The peers themselves: what the other tests rely on holds without aliasd.

use std::time::Duration;

use crate::support::client::{Client, stuffed};
use crate::support::database::{Database, Engine, execute};
use crate::support::postfix::{Postfix, Routes};
use crate::support::sink::{Answer, Script, Sink};

const MESSAGE: &[u8] = b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nb.\r\n";

#[test]
fn the_client_doubles_dots_at_line_starts_only() {
    assert_eq!(stuffed(MESSAGE), b"Subject: dots\r\n\r\n..\r\n...\r\n..a\r\nb.\r\n.\r\n");
    assert_eq!(stuffed(b""), b".\r\n");
    assert_eq!(stuffed(b"x"), b"x\r\n.\r\n");
    assert_eq!(stuffed(b".x\n.y\r\n.z"), b"..x\n.y\r\n..z\r\n.\r\n");
}

#[test]
fn the_sink_records_envelope_commands_and_exact_bytes() {
    let sink = Sink::start(Script::accept());
    let reply = Client::greet(sink.address()).deliver("jane@example.org", "me@example.net", MESSAGE);
    assert_eq!(reply.codes(), (250, "2.0.0"));
    let taken = sink.next();
    assert_eq!(
        (taken.from.as_str(), taken.recipients.as_slice()),
        ("jane@example.org", &["me@example.net".to_owned()][..])
    );
    assert_eq!(taken.message, MESSAGE);
    assert_eq!(taken.commands.last().map(String::as_str), Some("DATA"));
    assert_eq!(sink.waiting(), 0);
}

#[test]
fn the_sink_refuses_as_it_is_told() {
    let at_rcpt = Sink::start(Script::accept().at_rcpt(Answer::Refuse("450 4.2.1 later")));
    let reply = Client::greet(at_rcpt.address()).deliver("a@example.org", "b@example.net", MESSAGE);
    assert_eq!((reply.codes(), reply.text.as_str()), ((450, "4.2.1"), "later"));

    let at_dot = Sink::start(Script::accept().at_dot(Answer::Refuse("554 5.6.0 no")));
    let reply = Client::greet(at_dot.address()).deliver("a@example.org", "b@example.net", MESSAGE);
    assert_eq!(reply.codes(), (554, "5.6.0"));

    let one = Sink::start(Script::accept().refuse_recipient("b@", "550 5.1.1 who?"));
    assert_eq!(Client::greet(one.address()).envelope("a@example.org", "b@example.net").code, 550);
    assert_eq!(Client::greet(one.address()).envelope("a@example.org", "c@example.net").code, 250);
    assert_eq!(at_rcpt.waiting() + at_dot.waiting() + one.waiting(), 0);
}

#[test]
fn the_sink_offers_only_what_it_is_told() {
    let sink = Sink::start(Script::accept().without("8BITMIME"));
    let reply = Client::greet(sink.address()).command("EHLO client.example.org");
    assert!(reply.text.contains("SMTPUTF8") && !reply.text.contains("8BITMIME"), "{reply}");
    assert!(sink.commands().iter().all(|command| command.starts_with("EHLO")));
}

#[test]
fn a_slow_sink_still_takes_the_message() {
    let sink = Sink::start(Script::accept().at_dot(Answer::After(Duration::from_millis(50))));
    assert_eq!(Client::greet(sink.address()).deliver("a@example.org", "b@example.net", MESSAGE).code, 250);
}

#[test]
#[ignore = "needs MariaDB: run ./test"]
fn a_fresh_database_is_empty_and_goes_away() {
    let database = Database::fresh(Engine::MariaDb);
    let url = database.url(std::path::Path::new("unused"));
    execute(&url, "CREATE TABLE probe (id INT PRIMARY KEY)".to_owned()).expect("a table in a fresh schema");
    drop(database);
    execute(&url, "SELECT 1".to_owned()).expect_err("the schema is gone");
}

#[test]
#[ignore = "needs Postfix: run ./test"]
fn postfix_relays_to_the_sink() {
    let sink = Sink::start(Script::accept());
    let postfix = Postfix::anywhere("mail.example.org", &Routes::relay_everything_to(sink.address()));
    postfix.submit("jane@example.org", "shop@example.com", "Subject: hello\n\n.\nbody\n");
    let taken = sink.next();
    assert_eq!(
        (taken.from.as_str(), taken.recipients.as_slice()),
        ("jane@example.org", &["shop@example.com".to_owned()][..])
    );
    assert!(taken.message.ends_with(b"\r\n\r\n.\r\nbody\r\n"), "{}", taken.text());
}

#[test]
#[ignore = "needs Postfix: run ./test"]
fn postfix_keeps_mail_for_its_mailboxes_and_relays_by_domain() {
    let sink = Sink::start(Script::accept());
    let routes = Routes::default().keep("me@example.net").relay("example.com", sink.address());
    let postfix = Postfix::anywhere("mail.example.net", &routes);
    let mut client = Client::greet(postfix.address());
    assert_eq!(
        client.deliver("jane@example.org", "me@example.net", b"Subject: kept\r\n\r\nhere\r\n").code,
        250
    );
    assert!(postfix.next_message_for("me@example.net").contains("Subject: kept\n"));
    assert_eq!(
        client.deliver("me@example.net", "x@example.com", b"Subject: sent\r\n\r\nthere\r\n").code,
        250
    );
    assert!(sink.next().text().contains("Subject: sent\r\n"));
    assert_eq!(client.envelope("me@example.net", "nobody@example.net").code, 550);
}

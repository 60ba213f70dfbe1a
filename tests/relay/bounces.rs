//! Who is told in a report what became of a message, and with which words. Each report is read by Python's `email`, and
//! none names the mailbox, its domain or its hosts. At the end the same between real Postfixes.

use crate::support::client::{Client, Reply};
use crate::support::daemon::{Daemon, Installation};
use crate::support::database::Engine;
use crate::support::free_address;
use crate::support::postfix::{Postfix, Routes};
use crate::support::report::Report;
use crate::support::sink::{Answer, Script, Sink, Taken};

const ALIAS: &str = "shop@example.com";
const OTHER_ALIAS: &str = "news@example.com";
/// It has both mailboxes.
const BOTH_ALIAS: &str = "both@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@box.example.net";
const OTHER_MAILBOX: &str = "work-9q2x@box.example.net";
const LETTER: &[u8] = b"From: jane@example.org\r\nTo: shop@example.com\r\nSubject: hello\r\n\r\nA line.\r\n";
const UNKNOWN: &str = "550 5.1.1 <work-9q2x@box.example.net>: unknown at mx1.box.example.net";

/// An alias whose mailbox takes mail, another one whose mailbox is what the test is about, and a sender that is the owner's
/// server.
struct Relay {
    sink: Sink,
    daemon: Daemon,
    // It has the files.
    _aliasd: Installation,
}

impl Relay {
    fn start(mode: &str, script: Script) -> Self {
        Self::started(script, |aliasd| aliasd.trusting("127.0.0.0/8").delivering(&format!("mode = {mode:?}")))
    }

    fn started(script: Script, settle: impl FnOnce(Installation) -> Installation) -> Self {
        let sink = Sink::start(script);
        let aliasd = Installation::new(Engine::Sqlite, sink.address()).delivering("retry = [\"1s\"]");
        let aliasd = settle(aliasd)
            .with_alias(ALIAS, MAILBOX)
            .and_mailbox(OTHER_MAILBOX)
            .and_alias(OTHER_ALIAS, &[OTHER_MAILBOX])
            .and_alias(BOTH_ALIAS, &[MAILBOX, OTHER_MAILBOX]);
        Self { sink, daemon: aliasd.serve(), _aliasd: aliasd }
    }

    fn greet(&self) -> Client {
        self.daemon.greet()
    }

    /// The next message at the sink, which must be a report to the contact.
    fn next_report(&self) -> Report {
        report_in(&self.sink.next())
    }

    /// Everything that was to come has come.
    fn ends(self) -> String {
        let log = self.daemon.stop();
        assert_eq!(self.sink.waiting(), 0, "something else came: {:?}", self.sink.next().text());
        log
    }
}

fn report_in(taken: &Taken) -> Report {
    assert_eq!(
        (taken.from.as_str(), &taken.recipients[..]),
        ("", &[CONTACT.to_owned()][..]),
        "{}",
        taken.text()
    );
    assert!(!taken.text().contains("127.0.0.1"), "the next hop shows:\n{}", taken.text());
    own_report(&taken.message)
}

/// A report of aliasd to the contact.
fn own_report(message: &[u8]) -> Report {
    assert_names_no_mailbox(message);
    let report = Report::read(message);
    assert_eq!(report.head["auto-submitted"], "auto-replied");
    assert_eq!(report.head["to"], CONTACT);
    assert_eq!(report.message["reporting-mta"], "dns; mx.example.com");
    report
}

fn assert_names_no_mailbox(message: &[u8]) {
    let text = String::from_utf8_lossy(message).to_lowercase();
    for secret in ["inbox-7f3k", "work-9q2x", "box.example.net", "mx1."] {
        assert!(!text.contains(secret), "the report shows {secret}:\n{text}");
    }
}

/// One message for both aliases, with these parameters of `MAIL` and of the second `RCPT`.
fn to_both(client: &mut Client, from: &str, (of_mail, of_rcpt): (&str, &str)) -> Reply {
    assert_eq!(client.envelope_with(of_mail, from, ALIAS).codes(), (250, "2.1.5"));
    let second = client.recipient(OTHER_ALIAS, of_rcpt);
    assert_eq!(second.codes(), (250, "2.1.5"), "{second}");
    client.data(LETTER)
}

/// The two next messages at the sink: what was forwarded, and the report.
fn forward_and_report(sink: &Sink) -> (Taken, Report) {
    let (one, two) = (sink.next(), sink.next());
    let (report, forward) = if one.from.is_empty() { (one, two) } else { (two, one) };
    (forward, report_in(&report))
}

fn refusing() -> Script {
    Script::accept().refuse_recipient(OTHER_MAILBOX, UNKNOWN)
}

#[test]
#[ignore = "needs Python 3: run ./test"]
fn a_refused_recipient_among_others_is_reported() {
    for mode in ["direct", "queue"] {
        let relay = Relay::start(mode, refusing());
        let reply = to_both(&mut relay.greet(), CONTACT, ("", ""));
        assert_eq!(reply.codes(), (250, "2.0.0"), "{mode}: {reply}");
        let (forward, report) = forward_and_report(&relay.sink);
        assert_eq!(forward.recipients, [MAILBOX], "{mode}");
        assert_eq!(report.verdict(), ["rfc822; news@example.com", "failed", "5.1.1"], "{mode}");
        assert!(report.words.contains(OTHER_ALIAS) && !report.words.contains(ALIAS), "{mode}: {report:?}");
        let diagnostic = &report.recipient()["diagnostic-code"];
        assert!(diagnostic.starts_with("smtp; 550 5.1.1 "), "{mode}: {diagnostic}");
        assert_eq!(report.original_type, "message/rfc822", "{mode}");
        assert!(report.original.contains("A line."), "{mode}: {report:?}");
        relay.ends();
    }
}

/// It may be anybody's address: the refusal stands in the reply.
#[test]
fn a_stranger_is_told_in_the_reply() {
    let relay = Relay::started(refusing(), |aliasd| aliasd);
    let reply = to_both(&mut relay.greet(), CONTACT, ("", "NOTIFY=SUCCESS,FAILURE,DELAY"));
    assert_eq!(reply.codes(), (554, "5.0.0"), "{reply}");
    assert!(reply.text.contains(OTHER_ALIAS) && !reply.text.contains(ALIAS), "{reply}");
    assert_eq!(relay.sink.next().recipients, [MAILBOX]);
    relay.ends();
}

/// A stranger's message that was kept and is refused later is given up in silence: a report could hit a bystander.
#[test]
fn a_stranger_gets_no_report() {
    let later = Script::accept().refuse_recipient(OTHER_MAILBOX, "450 4.2.1 later");
    let relay = Relay::started(later, |aliasd| aliasd);
    let reply = relay.greet().deliver(CONTACT, OTHER_ALIAS, LETTER);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    relay.sink.behave(refusing());
    crate::support::eventually("the delivery is given up", || {
        relay.daemon.log().contains("a delivery is given up").then_some(())
    });
    let log = relay.ends();
    assert!(log.contains("not told"), "{log}");
}

#[test]
#[ignore = "needs Python 3: run ./test"]
fn a_message_whose_time_is_over_is_reported() {
    let later =
        Script::accept().refuse_recipient(OTHER_MAILBOX, "450 4.2.1 <work-9q2x@box.example.net> is full");
    for mode in ["direct", "queue"] {
        let settle = |aliasd: Installation| {
            aliasd.trusting("127.0.0.0/8").delivering(&format!("mode = {mode:?}\nmax_age = \"1s\""))
        };
        let relay = Relay::started(later.clone(), settle);
        let reply = relay.greet().deliver(CONTACT, OTHER_ALIAS, LETTER);
        assert_eq!(reply.codes(), (250, "2.0.0"), "{mode}: {reply}");
        let report = relay.next_report();
        assert_eq!(report.verdict(), ["rfc822; news@example.com", "failed", "4.4.7"], "{mode}");
        assert!(report.recipient()["diagnostic-code"].starts_with("smtp; 450 4.2.1 "), "{mode}: {report:?}");
        relay.ends();
    }
}

/// The next message, of which a report is wanted, shows that none came before it.
#[test]
#[ignore = "needs Python 3: run ./test"]
fn who_wants_no_report_gets_none() {
    for mode in ["direct", "queue"] {
        let relay = Relay::start(mode, refusing());
        for silent in ["NOTIFY=NEVER", "NOTIFY=SUCCESS", "NOTIFY=DELAY,SUCCESS"] {
            let reply = to_both(&mut relay.greet(), CONTACT, ("ENVID=silent", silent));
            assert_eq!(reply.codes(), (250, "2.0.0"), "{mode} {silent}: {reply}");
            assert_eq!(relay.sink.next().recipients, [MAILBOX], "{mode} {silent}");
        }
        assert_eq!(to_both(&mut relay.greet(), CONTACT, ("ENVID=spoken", "NOTIFY=FAILURE")).code, 250);
        let (_, report) = forward_and_report(&relay.sink);
        assert_eq!(report.message["original-envelope-id"], "spoken", "{mode}");
        relay.ends();
    }
}

#[test]
#[ignore = "needs Python 3: run ./test"]
fn who_asks_for_it_hears_that_a_message_was_relayed() {
    for mode in ["direct", "queue"] {
        let relay = Relay::start(mode, Script::accept());
        let mut client = relay.greet();
        assert_eq!(client.envelope_asking(("", "NOTIFY=SUCCESS"), CONTACT, ALIAS).code, 250);
        assert_eq!(client.data(LETTER).codes(), (250, "2.0.0"), "{mode}");
        let (forward, report) = forward_and_report(&relay.sink);
        assert_eq!(forward.recipients, [MAILBOX], "{mode}");
        assert_eq!(report.verdict(), ["rfc822; shop@example.com", "relayed", "2.0.0"], "{mode}");
        relay.ends();
    }
}

#[test]
#[ignore = "needs Python 3: run ./test"]
fn what_was_asked_stands_in_the_report() {
    for mode in ["direct", "queue"] {
        let relay = Relay::start(mode, refusing());
        let of_rcpt = "NOTIFY=FAILURE ORCPT=rfc822;before+2Bthis@example.org";
        for (ret, kind, has_body) in
            [("HDRS", "text/rfc822-headers", false), ("FULL", "message/rfc822", true)]
        {
            let of_mail = format!("RET={ret} ENVID=QQ+2B314159");
            let reply = to_both(&mut relay.greet(), CONTACT, (&of_mail, of_rcpt));
            assert_eq!(reply.codes(), (250, "2.0.0"), "{mode} {ret}: {reply}");
            let (_, report) = forward_and_report(&relay.sink);
            assert_eq!(report.message["original-envelope-id"], "QQ+314159", "{mode} {ret}");
            let original = &report.recipient()["original-recipient"];
            assert_eq!(original, "rfc822; before+this@example.org", "{mode} {ret}");
            assert_eq!(report.original_type, kind, "{mode}");
            assert_eq!(report.original.contains("A line."), has_body, "{mode} {ret}: {report:?}");
            assert!(report.original.contains("Subject: hello"), "{mode} {ret}: {report:?}");
        }
        relay.ends();
    }
}

#[test]
#[ignore = "needs Python 3: run ./test"]
fn nobody_reports_to_nobody() {
    for mode in ["direct", "queue"] {
        let relay = Relay::start(mode, refusing());
        let reply = to_both(&mut relay.greet(), "", ("", "NOTIFY=SUCCESS,FAILURE,DELAY"));
        assert_eq!(reply.codes(), (250, "2.0.0"), "{mode}: {reply}");
        assert_eq!(relay.sink.next().recipients, [MAILBOX], "{mode}");
        // The report about another message shows that there was none before.
        assert_eq!(to_both(&mut relay.greet(), CONTACT, ("ENVID=spoken", "")).code, 250, "{mode}");
        let (_, report) = forward_and_report(&relay.sink);
        assert_eq!(report.message["original-envelope-id"], "spoken", "{mode}");
        relay.ends();
    }
}

/// A report has the return path `<>` and is not reported about.
#[test]
fn a_report_that_is_refused_is_given_up() {
    let relay = Relay::start("queue", Script::accept().at_rcpt(Answer::Refuse(UNKNOWN)));
    let reply = relay.greet().deliver(CONTACT, ALIAS, LETTER);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    crate::support::eventually("the report is given up", || {
        let log = relay.daemon.log();
        log.lines().any(|line| line.contains("given up") && line.contains(".report")).then_some(())
    });
    let to_contact = relay.sink.commands().iter().filter(|line| line.starts_with("RCPT TO:<jane@")).count();
    assert_eq!(to_contact, 1);
    relay.ends();
}

/// Another mailbox has the message: the sender has nothing to do.
#[test]
#[ignore = "needs Python 3: run ./test"]
fn one_mailbox_of_two_is_no_failure() {
    for mode in ["direct", "queue"] {
        let relay = Relay::start(mode, refusing());
        let reply = relay.greet().deliver(CONTACT, BOTH_ALIAS, LETTER);
        assert_eq!(reply.codes(), (250, "2.0.0"), "{mode}: {reply}");
        assert_eq!(relay.sink.next().recipients, [MAILBOX], "{mode}");
        assert_eq!(to_both(&mut relay.greet(), CONTACT, ("ENVID=spoken", "")).code, 250, "{mode}");
        let (_, report) = forward_and_report(&relay.sink);
        assert_eq!(report.message["original-envelope-id"], "spoken", "{mode}");
        relay.ends();
    }
}

/// A refusal of us is no news for the sender. The first time it is put off and somebody is alarmed.
#[test]
fn a_refusal_of_us_is_put_off_once() {
    for mode in ["direct", "queue"] {
        let relay = Relay::start(mode, Script::accept().at_rcpt(Answer::Refuse("550 5.7.25 no PTR record")));
        let reply = relay.greet().deliver(CONTACT, ALIAS, LETTER);
        assert_eq!(reply.codes(), (250, "2.0.0"), "{mode}: {reply}");
        crate::support::eventually("the alarm", || {
            let log = relay.daemon.log();
            log.lines()
                .any(|line| line.contains("ERROR") && line.contains("refuses this server"))
                .then_some(())
        });
        relay.sink.behave(Script::accept());
        assert_eq!(relay.sink.next().recipients, [MAILBOX], "{mode}");
        relay.ends();
    }
}

#[test]
#[ignore = "needs Python 3: run ./test"]
fn a_second_refusal_of_us_is_a_failure() {
    let refusing_us = Script::accept().only_for(MAILBOX).at_rcpt(Answer::Refuse("550 5.7.25 no PTR record"));
    for mode in ["direct", "queue"] {
        let relay = Relay::start(mode, refusing_us.clone());
        let reply = relay.greet().deliver(CONTACT, ALIAS, LETTER);
        assert_eq!(reply.codes(), (250, "2.0.0"), "{mode}: {reply}");
        let report = relay.next_report();
        assert_eq!(report.verdict(), ["rfc822; shop@example.com", "failed", "5.7.25"], "{mode}");
        let attempts =
            relay.sink.commands().iter().filter(|line| line.starts_with("RCPT TO:<inbox-7f3k@")).count();
        assert_eq!(attempts, 2, "{mode}");
        let log = relay.ends();
        assert_eq!(log.matches("refuses this server").count(), 1, "{mode}: {log}");
    }
}

/// The owner's Postfix, which also keeps what is sent to the contact; it knows the domain of the mailbox.
fn owners_routes() -> Routes {
    Routes::default().keep("somebody@box.example.net").keep(CONTACT)
}

/// A message for the alias by a trusted client, through an aliasd in front of the owner's Postfix, in this mode.
fn sent_to_postfix(mode: &str, routes: &Routes) -> (Postfix, Installation, Daemon) {
    let destination = free_address();
    let aliasd = Installation::new(Engine::Sqlite, destination)
        .trusting("127.0.0.0/8")
        .delivering(&format!("mode = {mode:?}\nretry = [\"1s\"]"))
        .with_alias(ALIAS, MAILBOX);
    let owners = Postfix::start("relay.example.net", destination, routes);
    let daemon = aliasd.serve();
    let reply = daemon.greet().deliver(CONTACT, ALIAS, LETTER);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{mode}: {reply}");
    owners.refusal_of(MAILBOX);
    (owners, aliasd, daemon)
}

/// With `soft_bounce` a Postfix says 450 to a recipient that it does not know.
#[test]
#[ignore = "needs Postfix: run ./test"]
fn a_mailbox_that_a_soft_postfix_does_not_know_is_waited_for() {
    for mode in ["direct", "queue"] {
        let (owners, _aliasd, daemon) = sent_to_postfix(mode, &owners_routes().bouncing_softly());
        owners.restart(&owners_routes().keep(MAILBOX));
        assert!(owners.next_message_for(MAILBOX).contains("A line."), "{mode}");
        daemon.stop();
    }
}

#[test]
#[ignore = "needs Postfix and Python 3: run ./test"]
fn a_mailbox_that_a_postfix_does_not_know_in_earnest_is_reported() {
    for mode in ["direct", "queue"] {
        let (owners, _aliasd, daemon) = sent_to_postfix(mode, &owners_routes().bouncing_softly());
        owners.restart(&owners_routes());
        let report = own_report(owners.next_message_for(CONTACT).as_bytes());
        assert_eq!(report.verdict(), ["rfc822; shop@example.com", "failed", "5.1.1"], "{mode}");
        daemon.stop();
    }
}

/// The wishes of a user of the sender's Postfix.
const WISHES: [&str; 6] = ["-N", "success,failure,delay", "-R", "hdrs", "-V", "order-4711"];

/// A user of a Postfix asks for reports, and gets them in a mailbox there.
#[test]
#[ignore = "needs Postfix and Python 3: run ./test"]
fn a_user_of_postfix_gets_the_reports_that_it_asks_for() {
    for mode in ["direct", "queue"] {
        let (destination, senders_address) = (free_address(), free_address());
        let aliasd = Installation::new(Engine::Sqlite, destination)
            .trusting("127.0.0.0/8")
            .delivering(&format!("mode = {mode:?}"))
            .with_alias(ALIAS, MAILBOX)
            .and_mailbox(OTHER_MAILBOX)
            .and_alias(OTHER_ALIAS, &[OTHER_MAILBOX]);
        let routes = Routes::default().keep(MAILBOX).relay("example.org", senders_address);
        let owners = Postfix::start("relay.example.net", destination, &routes);
        let routes = Routes::default().keep(CONTACT).relay("example.com", aliasd.address());
        let senders = Postfix::start("mail.example.org", senders_address, &routes);
        let daemon = aliasd.serve();
        let letter = String::from_utf8_lossy(LETTER).replace("\r\n", "\n");

        senders.submit_asking(&WISHES, CONTACT, ALIAS, &letter);
        assert!(owners.next_message_for(MAILBOX).contains("A line."), "{mode}");
        let report = own_report(senders.next_message_for(CONTACT).as_bytes());
        assert_eq!(report.verdict(), ["rfc822; shop@example.com", "relayed", "2.0.0"], "{mode}");
        assert_eq!(report.message["original-envelope-id"], "order-4711", "{mode}");
        assert_eq!(report.recipient()["original-recipient"], "rfc822; shop@example.com", "{mode}");
        assert_eq!(report.original_type, "text/rfc822-headers", "{mode}");

        // In direct mode it is the sender's Postfix that reports what aliasd has refused.
        senders.submit_asking(&WISHES, CONTACT, OTHER_ALIAS, &letter);
        let message = senders.next_message_for(CONTACT);
        assert_names_no_mailbox(message.as_bytes());
        let report = Report::read(message.as_bytes());
        let [recipient, action, status] = report.verdict();
        assert_eq!((recipient, action), ("rfc822; news@example.com", "failed"), "{mode}");
        assert!(status.starts_with("5.1.1"), "{mode}: {status}");
        assert_eq!(report.message["original-envelope-id"], "order-4711", "{mode}");
        let reporter = if mode == "direct" { "dns; mail.example.org" } else { "dns; mx.example.com" };
        assert_eq!(report.message["reporting-mta"], reporter);
        daemon.stop();
    }
}

//! What is refused, at which command and with which codes; and that a refusal tells nobody the mailbox.

use crate::support::client::{Client, Reply};
use crate::support::daemon::{Daemon, Installation};
use crate::support::database::Engine;
use crate::support::sink::{Script, Sink};

const ALIAS: &str = "shop@example.com";
const OTHER_ALIAS: &str = "news@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@example.net";
const OTHER_MAILBOX: &str = "work-9q2x@example.net";

on_both_engines!(
    recipients_that_get_no_mail,
    a_mailbox_at_our_own_domain_would_loop,
    a_blocked_contact,
    messages_without_one_clear_author,
    messages_that_go_round_in_circles,
    replies_from_those_who_may_not,
    replies_that_would_show_the_mailbox,
);

/// A sink, an aliasd in front of it with one alias, and the aliasd's server.
struct Relay {
    sink: Sink,
    aliasd: Installation,
    daemon: Daemon,
}

impl Relay {
    fn on(engine: Engine) -> Self {
        Self::start(engine, |aliasd| aliasd)
    }

    /// The loopback network is trusted: whoever connects from there is the owner's server.
    fn trusted_on(engine: Engine) -> Self {
        Self::start(engine, |aliasd| aliasd.trusting("127.0.0.0/8"))
    }

    fn start(engine: Engine, settle: impl FnOnce(Installation) -> Installation) -> Self {
        let sink = Sink::start(Script::accept());
        let aliasd = settle(Installation::new(engine, sink.address())).with_alias(ALIAS, MAILBOX);
        let daemon = aliasd.serve();
        Self { sink, aliasd, daemon }
    }

    fn greet(&self) -> Client {
        self.daemon.greet()
    }

    /// Nothing went out, and the server ends in its order.
    fn ends_with_nothing_sent(self) {
        assert_eq!(self.sink.waiting(), 0, "a refused message went out: {:?}", self.sink.commands());
        self.daemon.stop();
    }
}

fn assert_codes(reply: &Reply, code: u16, enhanced: &str) {
    assert_eq!(reply.codes(), (code, enhanced), "{reply}");
}

fn letter(from: &str, to: &str) -> Vec<u8> {
    format!("From: {from}\r\nTo: {to}\r\nSubject: hello\r\n\r\nA line.\r\n").into_bytes()
}

fn recipients_that_get_no_mail(engine: Engine) {
    let relay = Relay::on(engine);
    let mut client = relay.greet();
    assert_codes(&client.envelope(CONTACT, ALIAS), 250, "2.1.5");
    assert_codes(&client.envelope(CONTACT, "SHOP+tag@Example.COM"), 250, "2.1.5");
    assert_codes(&client.envelope(CONTACT, "postmaster@example.com"), 250, "2.1.5");
    assert_codes(&client.envelope(CONTACT, "jane@example.org"), 550, "5.7.1");
    assert_codes(&client.envelope(CONTACT, "nobody@example.com"), 550, "5.1.1");

    relay.aliasd.run(&["alias", "disable", ALIAS]).succeeded();
    assert_codes(&settled(&mut client, ALIAS, 550), 550, "5.7.1");
    relay.aliasd.run(&["alias", "enable", ALIAS]).succeeded();
    assert_codes(&settled(&mut client, ALIAS, 250), 250, "2.1.5");
    relay.aliasd.run(&["alias", "remove", ALIAS]).succeeded();
    assert_codes(&settled(&mut client, ALIAS, 550), 550, "5.1.1");
    relay.ends_with_nothing_sent();
}

/// The reply to `RCPT` once a change on the shell has reached the server, which may take it a second.
fn settled(client: &mut Client, to: &str, code: u16) -> Reply {
    crate::support::eventually("the server sees the change", || {
        let reply = client.envelope(CONTACT, to);
        (reply.code == code).then_some(reply)
    })
}

fn a_mailbox_at_our_own_domain_would_loop(engine: Engine) {
    let relay = Relay::on(engine);
    let refused = relay.aliasd.run(&["mailbox", "add", "me@example.com"]).ended_with(1);
    assert!(refused.stderr.contains("example.com"), "{}", refused.stderr);
    assert_codes(&relay.greet().envelope(CONTACT, "me@example.com"), 550, "5.1.1");
    relay.ends_with_nothing_sent();
}

fn a_blocked_contact(engine: Engine) {
    let relay = Relay::on(engine);
    relay.aliasd.run(&["contact", "add", ALIAS, CONTACT]).succeeded();
    relay.aliasd.run(&["contact", "block", ALIAS, CONTACT]).succeeded();
    let mut client = relay.greet();
    let reply = client.deliver(CONTACT, ALIAS, &letter(CONTACT, ALIAS));
    assert_codes(&reply, 550, "5.7.1");
    relay.aliasd.run(&["contact", "unblock", ALIAS, CONTACT]).succeeded();
    crate::support::eventually("the contact is heard again", || {
        (client.deliver(CONTACT, ALIAS, &letter(CONTACT, ALIAS)).code == 250).then_some(())
    });
    assert_eq!(relay.sink.next().recipients, [MAILBOX]);
    relay.ends_with_nothing_sent();
}

fn messages_without_one_clear_author(engine: Engine) {
    let relay = Relay::on(engine);
    let mut client = relay.greet();
    for message in [
        "From: a@example.org\r\nFrom: b@example.org\r\nSubject: two\r\n\r\nx\r\n",
        "From: a@example.org\r\nSubject: two\r\nfrom : b@example.org\r\n\r\nx\r\n",
        "To: shop@example.com\r\nSubject: none\r\n\r\nx\r\n",
        "From: nobody here\r\nSubject: from nobody at all\r\n\r\nx\r\n",
        "From: undisclosed:;\r\nSubject: an empty group\r\n\r\nx\r\n",
        "From:\r\nSubject: an empty field\r\n\r\nx\r\n",
        "\r\nno header at all\r\n",
    ] {
        let reply = client.deliver(CONTACT, ALIAS, message.as_bytes());
        assert_eq!(reply.codes(), (550, "5.6.0"), "{reply}\n{message}");
    }
    relay.ends_with_nothing_sent();
}

fn messages_that_go_round_in_circles(engine: Engine) {
    let relay = Relay::on(engine);
    let mut client = relay.greet();
    let received = |count| {
        "Received: from a.example.org by b.example.org; Mon, 21 Sep 2026 14:13:20 +0000\r\n".repeat(count)
    };
    let with = |count| [received(count).as_bytes(), &letter(CONTACT, ALIAS)].concat();
    assert_codes(&client.deliver(CONTACT, ALIAS, &with(50)), 250, "2.0.0");
    assert_codes(&client.deliver(CONTACT, ALIAS, &with(51)), 554, "5.4.6");

    relay.sink.next();

    // What we sent comes back to the alias: our own header tells.
    assert_codes(&client.deliver(CONTACT, ALIAS, &letter(CONTACT, ALIAS)), 250, "2.0.0");
    let forwarded = relay.sink.next().message;
    assert_codes(&client.deliver(CONTACT, ALIAS, &forwarded), 554, "5.4.6");
    relay.ends_with_nothing_sent();
}

fn replies_from_those_who_may_not(engine: Engine) {
    let relay = Relay::on(engine);
    let reverse_alias = relay.aliasd.reverse_alias(ALIAS, CONTACT);
    let mut client = relay.greet();
    assert_codes(&client.envelope(MAILBOX, &reverse_alias), 250, "2.1.5");
    assert_codes(&client.data(&letter(MAILBOX, &reverse_alias)), 550, "5.7.1");
    relay.ends_with_nothing_sent();

    let relay = Relay::trusted_on(engine);
    relay.aliasd.run(&["mailbox", "add", OTHER_MAILBOX]).succeeded();
    let reverse_alias = relay.aliasd.reverse_alias(ALIAS, CONTACT);
    let mut client = relay.greet();
    for stranger in [OTHER_MAILBOX, "someone@example.org", "Inbox <someone@example.org>"] {
        let reply = client.deliver(MAILBOX, &reverse_alias, &letter(stranger, &reverse_alias));
        assert_eq!(reply.codes(), (550, "5.7.1"), "{stranger}: {reply}");
    }
    relay.aliasd.run(&["alias", "disable", ALIAS]).succeeded();
    crate::support::eventually("a disabled alias cannot send", || {
        let reply = client.deliver(MAILBOX, &reverse_alias, &letter(MAILBOX, &reverse_alias));
        (reply.codes() == (550, "5.7.1")).then_some(())
    });
    drop(client);
    relay.daemon.stop();
}

fn replies_that_would_show_the_mailbox(engine: Engine) {
    let sink = Sink::start(Script::accept());
    let aliasd = Installation::new(engine, sink.address())
        .trusting("127.0.0.0/8")
        .with_alias(ALIAS, MAILBOX)
        .and_alias(OTHER_ALIAS, &[MAILBOX]);
    let reverse_alias = aliasd.reverse_alias(ALIAS, CONTACT);
    let of_the_other = aliasd.reverse_alias(OTHER_ALIAS, CONTACT);
    let daemon = aliasd.serve();
    let mut client = daemon.greet();
    let also_to = |field: &str, address: &str| {
        let head = format!("From: {MAILBOX}\r\nTo: {reverse_alias}\r\n{field}: {address}\r\n");
        format!("{head}Subject: hello\r\n\r\nA line.\r\n").into_bytes()
    };
    for in_the_way in ["carol@example.org", of_the_other.as_str(), MAILBOX] {
        let reply = client.deliver(MAILBOX, &reverse_alias, &also_to("Cc", in_the_way));
        assert_eq!(reply.codes(), (550, "5.7.1"), "{in_the_way}: {reply}");
        assert!(reply.text.contains(in_the_way), "names what is in the way, {in_the_way}: {reply}");
    }
    assert_eq!(sink.waiting(), 0, "{:?}", sink.commands());

    assert_codes(&client.deliver(MAILBOX, &reverse_alias, &also_to("Cc", ALIAS)), 250, "2.0.0");
    let sent = sink.next();
    assert_eq!(sent.recipients, [CONTACT]);
    assert!(!sent.text().contains("example.net"), "the mailbox shows:\n{}", sent.text());
    assert!(!sent.text().contains("Aliasd-"), "a header of ours on a reply:\n{}", sent.text());
    daemon.stop();
}

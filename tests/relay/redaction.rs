//! What remote servers say may name the mailbox, in many disguises. None of it reaches the sender of a forward, in a reply
//! or in a report, and none of it the log at its default level. The owner, whose mailbox it is, may read what the server of
//! a contact says.

use crate::support::client::Reply;
use crate::support::daemon::Installation;
use crate::support::database::Engine;
use crate::support::dns::Dns;
use crate::support::sink::{Answer, Script, Sink};

const ALIAS: &str = "shop@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@box-q9.example.net";
const LETTER: &[u8] = b"From: jane@example.org\r\nTo: shop@example.com\r\nSubject: hello\r\n\r\nA line.\r\n";

/// Stands in every remote text. Nothing of ours contains it.
const CANARY: &str = "quokka";

/// The mailbox as a remote server may write it. A line feed begins a further line of the reply.
const DISGUISES: &[&str] = &[
    "<inbox-7f3k@box-q9.example.net>: unknown",
    "INBOX-7F3K@BOX-Q9.EXAMPLE.NET",
    r#""inbox-7f3k"@box-q9.example.net"#,
    r#""in\box\-7f3k"@box-q9.example.net"#,
    "rfc822;inbox-7f3k+40box-q9.example.net",
    "https://box-q9.example.net/why?rcpt=inbox-7f3k%40box-q9.example.net",
    "inbox=2D7f3k=40box-q9=2Eexample=2Enet",
    "=?utf-8?B?aW5ib3gtN2Yza0Bib3gtcTkuZXhhbXBsZS5uZXQ=?=",
    "aW5ib3gtN2Yza0Bib3gtcTkuZXhhbXBsZS5uZXQ=",
    "696e626f782d3766336b40626f782d71392e6578616d706c652e6e6574",
    "inbox-7f3k@xn--box-q9-0va.example.net",
    "inbox&#45;7f3k&commat;box-q9&period;example&period;net",
    "inbox-7f3k @ box-q9 . example . net",
    "inbox-7f3k (at) box-q9 dot example dot net",
    "ten.elpmaxe.9q-xob@k3f7-xobni",
    "inbox-7f3k@box-\nq9.example.net",
    "inbox-\n7f3k\n@box-q9\n.example.net",
    "no user inbox-7f3k here",
    "box-q9.example.net takes no mail",
    "mx1.box-q9.example.net and 77.2.0.192.in-addr.arpa say no",
    "[192.0.2.77] and [IPv6:2001:db8::77] say no",
    "\u{456}nb\u{43e}x-7f3k\u{ff20}b\u{43e}x-q9\u{3002}example\u{3002}net",
    "inbox\u{ad}-7f3k\u{200b}@box-q9.example.net",
    "vaobk-7s3x@obk-d9.rknzcyr.arg",
    "box-q9.example.net!inbox-7f3k",
    "@mx1.box-q9.example.net:inbox-7f3k@box-q9.example.net",
    "b-o-x-q-9, i n b o x - 7 f 3 k",
];

/// Pieces of them by which one would show although it was cut or changed; too long to stand in an id by chance.
const TRACES: &[&str] = &[
    CANARY,
    "inbox",
    "-7f3k",
    "box-q9",
    "-xobni",
    "mx1.b",
    "in-addr",
    "192.0.2.77",
    "db8::77",
    "\u{43e}x-",
    "\u{ad}",
    "aw5ib3",
    "6e626f78",
    "vaobk-",
    "n b o x",
    "xn--",
];

/// The point of a transaction at which the next hop says it.
#[derive(Debug, Clone, Copy)]
enum Place {
    Rcpt,
    Data,
    Dot,
}

const PLACES: [Place; 3] = [Place::Rcpt, Place::Data, Place::Dot];

/// A next hop that refuses each message with the next disguise, at this place and with these codes.
fn refusing(place: Place, codes: (u16, &str)) -> Script {
    let replies: Vec<&'static str> =
        DISGUISES.iter().map(|disguise| &*reply_of(codes, disguise).leak()).collect();
    let answer = Answer::RefuseInTurn(replies.leak());
    match place {
        Place::Rcpt => Script::accept().at_rcpt(answer),
        Place::Data => Script::accept().at_data_command(answer),
        Place::Dot => Script::accept().at_dot(answer),
    }
}

/// The lines of a reply (RFC 5321, section 4.2.1).
fn reply_of((code, enhanced): (u16, &str), text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let last = lines.len() - 1;
    let numbered = lines.iter().enumerate().map(|(at, line)| {
        let hyphen = if at == last { ' ' } else { '-' };
        format!("{code}{hyphen}{enhanced} {CANARY} {line}")
    });
    numbered.collect::<Vec<_>>().join("\r\n")
}

fn assert_tells_nothing(what: &str, text: &str) {
    let lower = text.to_lowercase();
    let whole = DISGUISES.iter().flat_map(|disguise| disguise.split('\n')).map(str::to_lowercase);
    let traces = TRACES.iter().map(|trace| (*trace).to_owned());
    for secret in whole.chain(traces) {
        assert!(!lower.contains(&secret), "{what} shows {secret:?}:\n{text}");
    }
}

/// What a reply says, in the form of [`assert_tells_nothing`].
fn assert_reply_tells_nothing(reply: &Reply) {
    assert_tells_nothing("the reply", &reply.to_string());
}

#[test]
fn every_trace_would_be_seen() {
    for disguise in DISGUISES {
        let said = disguise.to_lowercase();
        assert!(TRACES.iter().any(|trace| said.contains(trace)), "{disguise} has no trace");
    }
    assert!(DISGUISES.len() >= 20);
}

/// Which of our own lines stand in a log and a reply, so that the others' absence says something.
const OWN_WORDS: &str = "the destination of shop@example.com refused the message";

#[test]
fn the_sender_hears_codes_and_our_own_words() {
    let sink = Sink::start(Script::accept());
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    for place in PLACES {
        sink.behave(refusing(place, (550, "5.1.1")));
        for disguise in DISGUISES {
            let reply = daemon.greet().deliver(CONTACT, ALIAS, LETTER);
            assert_eq!(reply.codes(), (550, "5.1.1"), "{place:?} {disguise}: {reply}");
            assert!(reply.text.contains(OWN_WORDS), "{place:?} {disguise}: {reply}");
            assert_reply_tells_nothing(&reply);
        }
    }
    assert_eq!(sink.turns(), PLACES.len() * DISGUISES.len());
    let log = daemon.stop();
    assert_eq!(log.matches("outcome=\"rejected\"").count(), sink.turns(), "{log}");
    assert_tells_nothing("the log", &log);
}

#[test]
fn what_is_refused_for_now_is_kept_without_a_word_of_it() {
    let sink = Sink::start(Script::accept());
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    for place in PLACES {
        sink.behave(refusing(place, (450, "4.2.1")));
        for disguise in DISGUISES {
            let reply = daemon.greet().deliver(CONTACT, ALIAS, LETTER);
            assert_eq!(reply.codes(), (250, "2.0.0"), "{place:?} {disguise}: {reply}");
            assert_reply_tells_nothing(&reply);
        }
    }
    let log = daemon.stop();
    assert!(log.matches("outcome=\"deferred\"").count() >= PLACES.len() * DISGUISES.len(), "{log}");
    assert_tells_nothing("the log", &log);
}

#[test]
fn the_report_about_a_refusal_says_nothing_of_it() {
    reports_after((550, "5.1.1"), "Status: 5.1.1");
}

#[test]
fn the_report_at_the_end_of_a_messages_time_says_nothing_of_the_last_answer() {
    reports_after((450, "4.2.1"), "Status: 4.4.7");
}

/// Every message is refused at every place; each of its reports has this line.
fn reports_after(codes: (u16, &str), status: &str) {
    let sink = Sink::start(Script::accept());
    let aliasd = Installation::new(Engine::Sqlite, sink.address())
        .trusting("127.0.0.0/8")
        .delivering("mode = \"queue\"\nretry = [\"1s\"]\nmax_age = \"1s\"")
        .with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    for place in PLACES {
        sink.behave(refusing(place, codes).only_for(MAILBOX));
        let before = sink.turns();
        for _ in DISGUISES {
            let reply = daemon.greet().deliver(CONTACT, ALIAS, LETTER);
            assert_eq!(reply.codes(), (250, "2.0.0"), "{place:?}: {reply}");
        }
        for _ in DISGUISES {
            let report = sink.next();
            assert_eq!((report.from.as_str(), &report.recipients[..]), ("", &[CONTACT.to_owned()][..]));
            let text = report.text();
            assert!(text.contains(status) && text.contains(ALIAS), "{place:?}: {text}");
            assert_tells_nothing("the report", &text);
        }
        assert!(sink.turns() - before >= DISGUISES.len(), "{place:?}");
    }
    assert_tells_nothing("the log", &daemon.stop());
}

/// Without a smarthost our own words are about the mailbox's domain and hosts: what the DNS says, what does not answer.
#[test]
fn the_log_names_no_mail_server_of_a_mailbox() {
    for dns in [
        // Nothing listens there.
        Dns::serving(
            &[("box-q9.example.net", "mx1.box-q9.example.net")],
            &[("mx1.box-q9.example.net", [127, 0, 0, 9])],
        ),
        // The host has no address.
        Dns::serving(&[("box-q9.example.net", "mx1.box-q9.example.net")], &[]),
        // The domain takes no mail (RFC 7505).
        Dns::serving(&[("box-q9.example.net", "")], &[]),
        // There is no such domain.
        Dns::serving(&[], &[]),
    ] {
        let unused = crate::support::free_address();
        let aliasd =
            Installation::new(Engine::Sqlite, unused).asking(dns.address()).with_alias(ALIAS, MAILBOX);
        let daemon = aliasd.serve();
        let reply = daemon.greet().deliver(CONTACT, ALIAS, LETTER);
        assert_reply_tells_nothing(&reply);
        let log = daemon.stop();
        assert!(log.contains(" delivery id="), "{log}");
        assert_tells_nothing("the log", &log);
    }
}

/// The owner is told what the contact's server says; the reverse alias stands for the contact, in the reply and the report.
#[test]
fn the_owner_may_read_what_a_contacts_server_says() {
    let said = "550 5.1.1 <jane@example.org>: quokka, no such user at mx.example.org";
    let refusing = Script::accept().only_for(CONTACT).at_rcpt(Answer::Refuse(said));
    let sink = Sink::start(refusing);
    for mode in ["direct", "queue"] {
        let aliasd = Installation::new(Engine::Sqlite, sink.address())
            .trusting("127.0.0.0/8")
            .delivering(&format!("mode = {mode:?}"))
            .with_alias(ALIAS, MAILBOX);
        let reverse_alias = aliasd.reverse_alias(ALIAS, CONTACT);
        let daemon = aliasd.serve();
        let letter = format!("From: {MAILBOX}\r\nTo: {reverse_alias}\r\nSubject: hello\r\n\r\nA line.\r\n");
        let reply = daemon.greet().deliver(MAILBOX, &reverse_alias, letter.as_bytes());
        if mode == "direct" {
            assert_eq!(reply.codes(), (550, "5.1.1"), "{reply}");
            assert!(reply.text.contains(&reverse_alias) && !reply.text.contains(CANARY), "{reply}");
        } else {
            assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
            let report = sink.next();
            assert_eq!((report.from.as_str(), &report.recipients[..]), ("", &[MAILBOX.to_owned()][..]));
            let text = report.text();
            assert!(text.contains(&format!("Final-Recipient: rfc822; {reverse_alias}")), "{text}");
            assert!(text.contains(CANARY), "{text}");
        }
        assert_eq!(sink.waiting(), 0, "the contact gets nothing");
        let log = daemon.stop();
        assert!(!log.contains(CANARY) && !log.contains(CONTACT) && !log.contains(MAILBOX), "{log}");
    }
}

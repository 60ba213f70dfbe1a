//! Dialogues without a socket. A script has one step a line:
//!
//! `S:` the server sends a line, `C:` the client must have written this line, `READY` the session must be open and a
//! transaction begins, `TLS` a handshake must be asked for and succeeds, `DOT` the message must be asked for and is
//! sent, `CLOSE` and `TIMEOUT` lose the connection, `=` the end: what became of each recipient.

use super::*;
use crate::smtp::dsn::{EnvelopeId, Notify, OriginalRecipient, Ret};
use proptest::prelude::*;
use std::collections::VecDeque;

struct Dialogue {
    client: Client,
    envelope: Envelope,
    action: Action,
    written: VecDeque<String>,
}

impl Dialogue {
    fn new(settings: Settings, envelope: Envelope) -> Self {
        let client = Client::new(Arc::new(settings), "mx".to_owned(), Channel::Clear);
        let action = client.start();
        Self { client, envelope, action, written: VecDeque::new() }
    }

    fn run(mut self, script: &str) -> Self {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.step(line);
        }
        self
    }

    fn step(&mut self, line: &str) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("S:", text) => {
                assert_eq!(self.written, VecDeque::<String>::new(), "not expected before {line}");
                self.handle(Input::Received(format!("{text}\r\n").as_bytes()));
            }
            ("C:", text) => assert_eq!(self.written.pop_front().as_deref(), Some(text), "{:?}", self.action),
            ("READY", _) => {
                assert_eq!(self.action, Action::Ready);
                self.set(|this| this.client.send(this.envelope.clone()));
            }
            ("AGAIN", _) => self.set(|this| this.client.send(this.envelope.clone())),
            ("TLS", _) => {
                assert_eq!(self.action, Action::StartTls);
                self.handle(Input::TlsStarted);
            }
            ("DOT", _) => {
                assert_eq!(self.action, Action::SendMessage);
                self.handle(Input::MessageSent);
            }
            ("CLOSE", _) => self.handle(Input::Lost(Loss::Closed)),
            ("TIMEOUT", _) => self.handle(Input::Lost(Loss::TimedOut)),
            ("=", text) => assert_eq!(self.summary(), text),
            _ => panic!("no such step: {line}"),
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.action = self.client.handle(input);
        self.note_written();
    }

    fn set(&mut self, act: impl FnOnce(&mut Self) -> Action) {
        self.action = act(self);
        self.note_written();
    }

    fn note_written(&mut self) {
        if let Action::Write { octets, .. } = &self.action {
            let text = std::str::from_utf8(octets.as_ref()).unwrap();
            let text = text.strip_suffix("\r\n").expect("whole lines are written");
            self.written.extend(text.split("\r\n").map(str::to_owned));
        }
    }

    fn summary(&self) -> String {
        match &self.action {
            Action::Done(outcomes) => outcomes.iter().map(word).collect::<Vec<_>>().join(", "),
            Action::HostFailed(outcome) => format!("host {}", word(outcome)),
            Action::Ready => "ready".to_owned(),
            Action::SendMessage => "message".to_owned(),
            Action::StartTls => "tls".to_owned(),
            Action::Read { phase } => format!("read {phase:?}"),
            Action::Write { phase, .. } => format!("write {phase:?}"),
        }
    }
}

fn word(outcome: &Outcome) -> String {
    let with = |word: &str, failure: &Failure| {
        let (class, subject, detail) = failure.enhanced;
        format!("{word} {} {class}.{subject}.{detail}", failure.code)
    };
    match outcome {
        Outcome::Delivered(delivered) => format!("delivered {}", delivered.reply),
        Outcome::Rejected(failure) => with("rejected", failure),
        Outcome::Deferred(failure) => with("deferred", failure),
        Outcome::Uncertain(failure) => with("uncertain", failure),
    }
}

fn settings(tls: TlsMode) -> Settings {
    Settings { helo: DomainName::parse("relay.example.com").unwrap(), tls, credentials: None }
}

fn with_login(tls: TlsMode, in_clear: InClear) -> Settings {
    let login = Credentials { user: "jane".to_owned(), password: "secret".into(), in_clear };
    Settings { credentials: Some(login), ..settings(tls) }
}

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        from: ReversePath::Address(Address::parse("from@example.com").unwrap()),
        recipients: recipients.iter().map(|text| Address::parse(text).unwrap().into()).collect(),
        size: 100,
        eight_bit: false,
        smtputf8: false,
        dsn: MessageRequest::default(),
    }
}

fn to_one() -> Envelope {
    envelope(&["a@example.net"])
}

fn to_two() -> Envelope {
    envelope(&["a@example.net", "b@example.net"])
}

const OPEN_PLAIN: &str = "S: 220 mx\nC: EHLO relay.example.com\nS: 250 mx\nREADY\n";
const OPEN_PIPELINING: &str = "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 PIPELINING\nREADY\n";
const PIPELINED: &str =
    "C: MAIL FROM:<from@example.com>\nC: RCPT TO:<a@example.net>\nC: RCPT TO:<b@example.net>\nC: DATA\n";

#[test]
fn every_turn_of_a_delivery_without_pipelining() {
    Dialogue::new(settings(TlsMode::Opportunistic), to_two()).run(
        "S: 220 mx
         C: EHLO relay.example.com
         S: 250-mx hello
         S: 250-SIZE 1000
         S: 250 ENHANCEDSTATUSCODES
         READY
         C: MAIL FROM:<from@example.com> SIZE=100
         S: 250 2.1.0 Ok
         C: RCPT TO:<a@example.net>
         S: 250 2.1.5 Ok
         C: RCPT TO:<b@example.net>
         S: 550 5.1.1 no such user
         C: DATA
         S: 354 go
         DOT
         = read FinalDot
         S: 250 2.0.0 queued
         = delivered 250 2.0.0 queued, rejected 550 5.1.1",
    );
}

#[test]
fn helo_when_ehlo_is_not_known() {
    Dialogue::new(settings(TlsMode::Opportunistic), to_one()).run(
        "S: 220 mx\nC: EHLO relay.example.com\nS: 502 what\nC: HELO relay.example.com\nS: 250 mx\nREADY
         C: MAIL FROM:<from@example.com>\nS: 250 ok\nC: RCPT TO:<a@example.net>\nS: 251 ok\nC: DATA\nS: 354 go\nDOT
         S: 250 ok\n= delivered 250 ok",
    );
}

/// All combinations of replies to one pipelined MAIL, RCPT, RCPT, DATA that mean something different.
#[test]
fn pipelined_replies_in_every_combination() {
    let cases = [
        ("250", "250", "250", "354", "message"),
        ("250", "250", "450 4.2.1 x", "354", "message"),
        ("250", "550 5.1.1 x", "450 4.2.1 x", "354", "rejected 550 5.1.1, deferred 450 4.2.1"),
        ("250", "550 5.1.1 x", "550 5.1.1 x", "554", "rejected 550 5.1.1, rejected 550 5.1.1"),
        ("250", "250", "550 5.1.1 x", "451 4.3.0 x", "deferred 451 4.3.0, rejected 550 5.1.1"),
        ("250", "250", "250", "554 5.7.1 x", "rejected 554 5.7.1, rejected 554 5.7.1"),
        ("452 4.3.1 x", "503", "503", "503", "deferred 452 4.3.1, deferred 452 4.3.1"),
        ("550 5.7.1 x", "250", "250", "354", "rejected 550 5.7.1, rejected 550 5.7.1"),
        ("250", "354", "250", "354", "deferred 451 4.5.0, deferred 451 4.5.0"),
        ("250", "250", "250", "250", "deferred 451 4.5.0, deferred 451 4.5.0"),
    ];
    for (mail, first, second, data, expected) in cases {
        let dialogue = Dialogue::new(settings(TlsMode::Never), to_two()).run(OPEN_PIPELINING).run(PIPELINED);
        let mut dialogue = dialogue;
        let all = format!("{mail}\r\n{first}\r\n{second}\r\n{data}\r\n");
        dialogue.handle(Input::Received(all.as_bytes()));
        assert_eq!(dialogue.summary(), expected, "{mail}, {first}, {second}, {data}");
    }
}

#[test]
fn a_wanted_message_for_nobody_costs_the_connection() {
    let all = "S: 250 ok\nS: 550 no\nS: 550 no\nS: 354 go\n= rejected 550 5.0.0, rejected 550 5.0.0";
    let dialogue =
        Dialogue::new(settings(TlsMode::Never), to_two()).run(OPEN_PIPELINING).run(PIPELINED).run(all);
    assert!(!dialogue.client.is_ready());
}

#[test]
fn a_421_in_mid_pipeline_ends_it() {
    let all = "S: 250 ok\nS: 250 ok\nS: 421 4.3.2 going down\n= deferred 421 4.3.2, deferred 421 4.3.2";
    let dialogue =
        Dialogue::new(settings(TlsMode::Never), to_two()).run(OPEN_PIPELINING).run(PIPELINED).run(all);
    assert!(!dialogue.client.is_ready());
}

/// A host that refuses everybody, or wants a login, says nothing of the message.
#[test]
fn refusals_of_the_host_return_no_mail() {
    for (script, expected) in [
        ("S: 554 5.7.1 not you", "host deferred 451 4.7.1"),
        ("S: 521 no mail here", "host deferred 451 4.0.0"),
        (
            "S: 220 mx\nC: EHLO relay.example.com\nS: 550 5.7.1 a\nC: HELO relay.example.com\nS: 550 5.7.1 b",
            "host deferred 451 4.7.1",
        ),
    ] {
        let dialogue = Dialogue::new(settings(TlsMode::Never), to_one()).run(script);
        assert_eq!(dialogue.summary(), expected, "{script}");
        let Action::HostFailed(Outcome::Deferred(failure)) = dialogue.action else { panic!("{script}") };
        assert!(script.ends_with(&failure.text), "{}", failure.text);
    }
    for code in [530, 535, 538] {
        let mail = format!("C: MAIL FROM:<from@example.com>\nS: {code} 5.7.0 x\n= deferred 451 4.7.0");
        Dialogue::new(settings(TlsMode::Never), to_one()).run(OPEN_PLAIN).run(&mail);
        let rcpt = format!(
            "C: MAIL FROM:<from@example.com>\nS: 250 ok\nC: RCPT TO:<a@example.net>\nS: {code} x\n= deferred 451 4.0.0"
        );
        Dialogue::new(settings(TlsMode::Never), to_one()).run(OPEN_PLAIN).run(&rcpt);
    }
}

#[test]
fn a_session_carries_one_message_after_another() {
    Dialogue::new(settings(TlsMode::Never), to_one()).run(OPEN_PIPELINING).run(
        "C: MAIL FROM:<from@example.com>\nC: RCPT TO:<a@example.net>\nC: DATA
         S: 250 ok\nS: 250 ok\nS: 354 go\nDOT\nS: 250 taken\n= delivered 250 taken
         AGAIN
         C: MAIL FROM:<from@example.com>\nC: RCPT TO:<a@example.net>\nC: DATA
         S: 250 ok\nS: 550 no\nS: 503 no\n= rejected 550 5.0.0
         AGAIN
         C: RSET\nC: MAIL FROM:<from@example.com>\nC: RCPT TO:<a@example.net>\nC: DATA
         S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nDOT\nS: 250 taken\n= delivered 250 taken
         AGAIN
         C: MAIL FROM:<from@example.com>\nC: RCPT TO:<a@example.net>\nC: DATA
         S: 450 no\nS: 503 no\nS: 503 no\n= deferred 450 4.0.0
         AGAIN
         C: MAIL FROM:<from@example.com>\nC: RCPT TO:<a@example.net>\nC: DATA",
    );
}

const ONE: &str = "C: MAIL FROM:<from@example.com>\nC: RCPT TO:<a@example.net>\nC: DATA\n";

/// A connection that was used before: what the server does next, and whether that shows that it had ended earlier, or
/// that the server is in trouble.
#[test]
fn a_connection_that_ended_while_it_was_idle_is_known() {
    let used =
        format!("{OPEN_PIPELINING}{ONE}S: 250 ok\nS: 250 ok\nS: 354 go\nDOT\nS: 250 taken\nAGAIN\n{ONE}");
    for (script, stale, trouble) in [
        ("CLOSE", true, true),
        ("S: 421 4.4.2 idle too long", true, true),
        ("S: 421 4.7.0 that was enough for one session", true, true),
        ("S: 250 ok\nCLOSE", false, true),
        ("S: 250 ok\nS: 421 4.3.2 going down", false, true),
        ("S: 451 4.7.650 too much from you\nS: 503 no\nS: 503 no", false, true),
        ("S: 451 4.3.0 later\nS: 503 no\nS: 503 no", false, false),
        ("S: 250 ok\nS: 450 4.7.1 greylisted\nS: 503 no", false, false),
        ("S: 250 ok\nS: 250 ok\nS: 354 go\nDOT\nS: 451 4.7.1 later", false, false),
        ("S: 250 ok\nS: 250 ok\nS: 354 go\nDOT\nS: 421 4.3.2 going down", false, true),
        ("S: 250 ok\nS: 250 ok\nS: 354 go\nDOT\nCLOSE", false, true),
        ("S: 250 ok\nS: 250 ok\nS: 354 go\nDOT\nS: 250 taken", false, false),
    ] {
        let client = Dialogue::new(settings(TlsMode::Never), to_one()).run(&used).run(script).client;
        assert_eq!((client.was_stale(), client.is_in_trouble()), (stale, trouble), "{script}");
    }
}

#[test]
fn many_recipients_go_out_in_batches() {
    let addresses: Vec<String> = (0..100).map(|i| format!("u{i}@example.net")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut dialogue = Dialogue::new(settings(TlsMode::Never), envelope(&addresses)).run(OPEN_PIPELINING);
    assert_eq!(dialogue.written.len(), 64);
    dialogue.written.clear();
    dialogue.handle(Input::Received("250 ok\r\n".repeat(64).as_bytes()));
    assert_eq!(dialogue.written.len(), 100 + 2 - 64);
    dialogue.written.clear();
    dialogue.handle(Input::Received("250 ok\r\n".repeat(37).as_bytes()));
    dialogue.run("S: 354 go\n= message");
}

#[test]
fn parameters_are_sent_when_they_are_needed_and_offered() {
    let all = "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250-SIZE\nS: 250-8BITMIME\nS: 250 SMTPUTF8\nREADY\n";
    let utf8 = Envelope { eight_bit: true, from: ReversePath::Null, ..envelope(&["jürgen@example.net"]) };
    Dialogue::new(settings(TlsMode::Never), utf8)
        .run(all)
        .run("C: MAIL FROM:<> SIZE=100 BODY=8BITMIME SMTPUTF8");
    Dialogue::new(settings(TlsMode::Never), to_one())
        .run(all)
        .run("C: MAIL FROM:<from@example.com> SIZE=100");
}

#[test]
fn what_is_asked_about_reports_is_said_where_it_is_understood() {
    let asked = Envelope {
        dsn: MessageRequest { ret: Ret::parse(b"HDRS"), envid: EnvelopeId::parse(b"a+2Bb") },
        recipients: vec![
            Recipient {
                address: "a@example.net".parse().unwrap(),
                dsn: RecipientRequest {
                    notify: Notify::parse(b"DELAY,FAILURE"),
                    orcpt: OriginalRecipient::parse(b"rfc822;a+2Bb@example.com"),
                },
            },
            Recipient::from("b@example.net".parse::<Address>().unwrap()),
        ],
        ..to_one()
    };
    let open = "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250-DSN\nS: 250 PIPELINING\nREADY\n";
    Dialogue::new(settings(TlsMode::Never), asked.clone()).run(open).run(
        "C: MAIL FROM:<from@example.com> RET=HDRS ENVID=a+2Bb
         C: RCPT TO:<a@example.net> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@example.com
         C: RCPT TO:<b@example.net>
         C: DATA",
    );
    Dialogue::new(settings(TlsMode::Never), asked).run(OPEN_PIPELINING).run(PIPELINED);
    Dialogue::new(settings(TlsMode::Never), to_two()).run(open).run(PIPELINED);
}

#[test]
fn a_host_that_lacks_what_is_needed_gets_nothing() {
    let eight_bit = Envelope { eight_bit: true, ..to_one() };
    let utf8 = Envelope { smtputf8: true, ..to_one() };
    let utf8_sender = ReversePath::Address(Address::parse("jürgen@example.com").unwrap());
    let utf8_sender = Envelope { from: utf8_sender, ..to_one() };
    let large = Envelope { size: 1001, ..to_one() };
    for (envelope, expected) in [
        (eight_bit, "host rejected 550 5.6.3"),
        (utf8, "host rejected 550 5.6.7"),
        (utf8_sender, "host rejected 550 5.6.7"),
        (large, "host rejected 552 5.3.4"),
    ] {
        let open = "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 SIZE 1000\nREADY\n";
        let dialogue = Dialogue::new(settings(TlsMode::Never), envelope).run(open);
        assert_eq!(dialogue.summary(), expected);
        assert!(dialogue.client.is_ready());
    }
}

const TO_STARTTLS: &str =
    "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250-AUTH LOGIN\nS: 250 STARTTLS\nC: STARTTLS\n";

#[test]
fn tls_begins_with_a_fresh_ehlo() {
    Dialogue::new(settings(TlsMode::Required), to_one())
        .run(TO_STARTTLS)
        .run("S: 220 go\nTLS\nC: EHLO relay.example.com\nS: 250-mx\nS: 250-STARTTLS\nS: 250 SIZE\nREADY\nC: MAIL FROM:<from@example.com> SIZE=100");
}

#[test]
fn what_follows_the_220_in_clear_is_an_attack() {
    let mut dialogue = Dialogue::new(settings(TlsMode::Opportunistic), to_one()).run(TO_STARTTLS);
    dialogue.handle(Input::Received(b"220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n"));
    assert_eq!(dialogue.summary(), "host deferred 451 4.5.0");
    assert!(!dialogue.client.is_ready());
}

#[test]
fn a_refused_starttls_matters_only_when_tls_is_required() {
    for (mode, expected) in
        [(TlsMode::Opportunistic, "ready"), (TlsMode::Required, "host deferred 454 4.7.10")]
    {
        let dialogue = Dialogue::new(settings(mode), to_one()).run(TO_STARTTLS).run("S: 454 not now");
        assert_eq!(dialogue.summary(), expected);
    }
    let without = "S: 220 mx\nC: EHLO relay.example.com\nS: 250 mx\n= host deferred 454 4.7.10";
    Dialogue::new(settings(TlsMode::Required), to_one()).run(without);
    Dialogue::new(settings(TlsMode::Never), to_one())
        .run("S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 STARTTLS\n= ready");
}

#[test]
fn logins() {
    let allowed = || with_login(TlsMode::Opportunistic, InClear::Allowed);
    let hello = "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\n";
    for (settings, script) in [
        (allowed(), "S: 250 AUTH LOGIN PLAIN\nC: AUTH PLAIN AGphbmUAc2VjcmV0\nS: 235 ok\n= ready"),
        (allowed(), "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcg\nC: amFuZQ==\nS: 334 x\nC: c2VjcmV0\nS: 235 ok\n= ready"),
        (allowed(), "S: 250 AUTH PLAIN\nC: AUTH PLAIN AGphbmUAc2VjcmV0\nS: 535 5.7.8 no\n= host deferred 454 4.7.8"),
        (allowed(), "S: 250 AUTH PLAIN\nC: AUTH PLAIN AGphbmUAc2VjcmV0\nS: 334 more\n= host deferred 451 4.5.0"),
        (allowed(), "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 235 already\n= host deferred 451 4.5.0"),
        (allowed(), "S: 250 AUTH CRAM-MD5\n= host deferred 454 4.7.0"),
        (with_login(TlsMode::Opportunistic, InClear::Refused), "S: 250 AUTH PLAIN\n= host deferred 454 4.7.0"),
        (
            with_login(TlsMode::Opportunistic, InClear::Refused),
            "S: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 AUTH PLAIN
             C: AUTH PLAIN AGphbmUAc2VjcmV0\nS: 235 ok\n= ready",
        ),
    ] {
        Dialogue::new(settings, to_one()).run(hello).run(script);
    }
}

#[test]
fn secrets_do_not_show() {
    let settings = with_login(TlsMode::Never, InClear::Allowed);
    let dialogue = Dialogue::new(settings, to_one()).run("S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 x\nC: amFuZQ==\nS: 334 x");
    let shown = format!("{:?} {:?}", dialogue.client, dialogue.action);
    assert!(!shown.contains("secret") && !shown.contains("jane") && !shown.contains("99, 50"), "{shown}");
}

/// A server may repeat what it got.
#[test]
fn what_is_said_to_a_login_is_not_reported() {
    let open = "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGphbmUAc2VjcmV0\n";
    for answer in ["S: 535 5.7.8 AGphbmUAc2VjcmV0 is wrong", "S: 334 AGphbmUAc2VjcmV0"] {
        let settings = with_login(TlsMode::Never, InClear::Allowed);
        let dialogue = Dialogue::new(settings, to_one()).run(open).run(answer);
        let Action::HostFailed(Outcome::Deferred(failure)) = dialogue.action else { panic!("{answer}") };
        assert!(!failure.text.contains("AGphbmU"), "{}", failure.text);
        assert!(failure.text.contains(answer.get(3..6).unwrap()), "{}", failure.text);
    }
}

/// Every state against every kind of answer: 2xx, 3xx, 4xx, 5xx, junk, a closed connection, silence.
#[test]
fn every_state_and_every_answer() {
    const INPUTS: [&str; 7] = ["S: 250 a", "S: 354 a", "S: 450 a", "S: 550 a", "S: junk", "CLOSE", "TIMEOUT"];
    const LOST: [&str; 3] = ["deferred 451 4.5.0", "deferred 451 4.4.2", "deferred 451 4.4.2"];
    const LOST_HOST: [&str; 3] =
        ["host deferred 451 4.5.0", "host deferred 451 4.4.2", "host deferred 451 4.4.2"];
    const LOST_LATE: [&str; 3] = ["uncertain 451 4.5.0", "uncertain 451 4.4.2", "uncertain 451 4.4.2"];
    let (hello, odd, no) =
        ("S: 220 mx\nC: EHLO relay.example.com\n", "host deferred 451 4.5.0", "host deferred 450 4.0.0");
    let mail = format!("{OPEN_PLAIN}C: MAIL FROM:<from@example.com>\n");
    let rcpt = format!("{mail}S: 250 ok\nC: RCPT TO:<a@example.net>\n");
    let data = format!("{rcpt}S: 250 ok\nC: DATA\n");
    let message = format!("{data}S: 354 go\n");
    let dot = format!("{message}DOT\n");
    let (odd_one, not_now, never) = ("deferred 451 4.5.0", "deferred 450 4.0.0", "rejected 550 5.0.0");
    let never_host = "host deferred 451 4.0.0";
    let states: [(&str, &str, [&str; 4], [&str; 3]); 10] = [
        ("greeting", "", ["write Ehlo", odd, no, never_host], LOST_HOST),
        ("ehlo", hello, ["ready", odd, no, "write Ehlo"], LOST_HOST),
        (
            "helo",
            &format!("{hello}S: 500 x\nC: HELO relay.example.com\n"),
            ["ready", odd, no, never_host],
            LOST_HOST,
        ),
        ("starttls", TO_STARTTLS, ["tls", odd, "ready", "ready"], LOST_HOST),
        ("handshake", &format!("{TO_STARTTLS}S: 220 go\n"), [odd, odd, odd, odd], LOST_HOST),
        (
            "ehlo in tls",
            &format!("{TO_STARTTLS}S: 220 go\nTLS\nC: EHLO relay.example.com\n"),
            ["ready", odd, no, never_host],
            LOST_HOST,
        ),
        ("mail", &mail, ["write Recipient", odd_one, not_now, never], LOST),
        ("rcpt", &rcpt, ["write Data", odd_one, not_now, never], LOST),
        ("data", &data, [odd_one, "message", not_now, never], LOST),
        ("message", &message, [odd_one, odd_one, not_now, never], LOST),
    ];
    let late = ("dot", dot.as_str(), ["delivered 250 a", "uncertain 451 4.5.0", not_now, never], LOST_LATE);
    for (state, script, answered, lost) in states.into_iter().chain([late]) {
        for (input, expected) in INPUTS.iter().zip(answered.into_iter().chain(lost)) {
            let mut dialogue = Dialogue::new(settings(TlsMode::Opportunistic), to_one()).run(script);
            dialogue.step(input);
            assert_eq!(dialogue.summary(), expected, "{state}: {input}");
        }
    }
}

#[test]
fn the_auth_states_and_every_answer() {
    let open = "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGphbmUAc2VjcmV0\n";
    for (input, expected) in [
        ("S: 235 a", "ready"),
        ("S: 334 a", "host deferred 451 4.5.0"),
        ("S: 454 a", "host deferred 454 4.7.8"),
        ("S: 535 a", "host deferred 454 4.7.8"),
        ("S: junk", "host deferred 451 4.5.0"),
        ("CLOSE", "host deferred 451 4.4.2"),
        ("TIMEOUT", "host deferred 451 4.4.2"),
    ] {
        let mut dialogue = Dialogue::new(with_login(TlsMode::Never, InClear::Allowed), to_one()).run(open);
        dialogue.step(input);
        assert_eq!(dialogue.summary(), expected, "{input}");
    }
}

#[test]
fn an_idle_session_that_hears_something_is_over() {
    for input in ["S: 421 idle too long", "CLOSE"] {
        let mut dialogue = Dialogue::new(settings(TlsMode::Never), to_one())
            .run("S: 220 mx\nC: EHLO relay.example.com\nS: 250 mx");
        dialogue.step(input);
        assert!(!dialogue.client.is_ready());
        dialogue.run("AGAIN\n= host deferred 451 4.3.5");
    }
}

#[test]
fn a_driver_out_of_step_delivers_nothing() {
    for input in [Input::TlsStarted, Input::MessageSent] {
        let mut dialogue = Dialogue::new(settings(TlsMode::Never), to_one());
        dialogue.handle(input);
        assert_eq!(dialogue.summary(), "host deferred 451 4.3.5");
    }
}

proptest! {
    /// Whatever a server sends: no panic, an outcome for each recipient, and nobody is told "delivered" before the
    /// message was sent.
    #[test]
    fn hostile_servers(
        replies in prop::collection::vec("([2-5][0-9]{2}[ -]?[ -~]{0,10}\r\n)|(250 x\r\n)|(354 x\r\n)|([\\x00-\\x7f]{0,8})", 0..30),
        close in any::<bool>(),
    ) {
        let open = if close { OPEN_PLAIN } else { OPEN_PIPELINING };
        let mut dialogue = Dialogue::new(settings(TlsMode::Opportunistic), to_two()).run(open);
        let mut sent = false;
        for reply in replies {
            match &dialogue.action {
                Action::SendMessage => { sent = true; dialogue.handle(Input::MessageSent); }
                Action::Done(_) | Action::HostFailed(_) => break,
                _ => dialogue.handle(Input::Received(reply.as_bytes())),
            }
        }
        if !matches!(dialogue.action, Action::Done(_) | Action::HostFailed(_)) {
            dialogue.handle(Input::Lost(Loss::Closed));
        }
        let Action::Done(outcomes) = &dialogue.action else { panic!("{:?}", dialogue.action) };
        prop_assert_eq!(outcomes.len(), 2);
        let delivered = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Delivered(_)));
        prop_assert!(sent || !delivered);
    }
}

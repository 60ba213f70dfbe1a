use std::fmt::Debug;
use std::mem;
use std::sync::Arc;

use bytes::BytesMut;
use proptest::prelude::*;

use super::order::Phase;
use super::session::State;
use super::*;
use crate::smtp::reply::{self, Enhanced};

mod dialogue;

/// A driver without sockets. It knows recipients by the beginning of their local part, and every message is accepted
/// unless it was told otherwise.
struct Driver {
    session: ServerSession<String>,
    buffer: BytesMut,
    output: Vec<u8>,
    memory: Result<(), Reply>,
    verdict: Reply,
    delivered: Vec<Transaction<String>>,
    closed: bool,
}

fn settings() -> Settings {
    Settings {
        hostname: DomainName::parse("mx.example.com").unwrap(),
        max_message_size: 1000,
        max_recipients: 3,
        bare_newline: BareNewline::Reject,
        max_errors: 20,
    }
}

fn directory(to: &ForwardPath) -> Result<String, Reply> {
    let name = to.to_string();
    match name.split(['-', '@']).next() {
        Some("unknown") => Err(Reply::new(550, Enhanced(5, 1, 1), "No such alias")),
        Some("later") => Err(Reply::new(451, Enhanced(4, 3, 0), "The directory cannot answer")),
        Some("down") => Err(reply::SHUTTING_DOWN.clone()),
        _ => Ok(name),
    }
}

impl Driver {
    fn new(settings: Settings) -> Self {
        let mut driver = Self {
            session: ServerSession::new(Arc::new(settings)),
            buffer: BytesMut::new(),
            output: Vec::new(),
            memory: Ok(()),
            verdict: Reply::new(250, Enhanced(2, 0, 0), "accepted as 01TEST"),
            delivered: Vec::new(),
            closed: false,
        };
        driver.tell(Input::Connected);
        driver
    }

    /// A session that has come so far by these lines.
    fn after(lines: &[&str]) -> Self {
        let mut driver = Self::new(settings());
        for line in lines {
            driver.feed(format!("{line}\r\n").as_bytes());
        }
        driver.take_output();
        driver
    }

    fn feed(&mut self, octets: &[u8]) {
        if !self.closed {
            self.buffer.extend_from_slice(octets);
            self.tell(Input::Received);
        }
    }

    fn tell(&mut self, mut input: Input<String>) {
        loop {
            let action = self.session.handle(input, &mut self.buffer);
            self.output.extend(self.session.take_output());
            input = match action {
                Action::Read => return,
                Action::Close => {
                    self.closed = true;
                    return;
                }
                Action::CheckRecipient { to, .. } => Input::Recipient(directory(&to)),
                Action::StartMessage { .. } => Input::StartMessage(self.memory.clone()),
                Action::Deliver(transaction) => {
                    self.delivered.push(transaction);
                    Input::Verdict(self.verdict.clone())
                }
            };
        }
    }

    fn take_output(&mut self) -> String {
        String::from_utf8(mem::take(&mut self.output)).unwrap()
    }

    /// The code of the one reply that a line gets.
    fn code_of(&mut self, line: &str) -> u16 {
        self.feed(format!("{line}\r\n").as_bytes());
        let output = self.take_output();
        assert_eq!(output.lines().filter(|l| l.get(3..4) == Some(" ")).count(), 1, "{line}: {output}");
        output[..3].parse().unwrap()
    }
}

const TO_GREETED: &[&str] = &["EHLO client.example.org"];
const TO_SENDER: &[&str] = &["EHLO client.example.org", "MAIL FROM:<jane@example.org>"];
const TO_RECIPIENTS: &[&str] =
    &["EHLO client.example.org", "MAIL FROM:<jane@example.org>", "RCPT TO:<shop@example.com>"];
const TO_DATA: &[&str] =
    &["EHLO client.example.org", "MAIL FROM:<jane@example.org>", "RCPT TO:<shop@example.com>", "DATA"];

/// Every command in every state: the code, and where it leads (`=` stays, `G` greeted, `S` sender, `R` recipients,
/// `D` data, `X` closed).
#[test]
fn every_command_in_every_state() {
    #[rustfmt::skip]
    let table = [
        //                                   connected     greeted       after MAIL    after RCPT
        ("EHLO client.example.org",        [(250, 'G'), (250, 'G'), (250, 'G'), (250, 'G')]),
        ("HELO client.example.org",        [(250, 'G'), (250, 'G'), (250, 'G'), (250, 'G')]),
        ("EHLO",                           [(501, '='), (501, '='), (501, '='), (501, '=')]),
        ("MAIL FROM:<jane@example.org>",   [(503, '='), (250, 'S'), (503, '='), (503, '=')]),
        ("MAIL FROM:jane",                 [(503, '='), (501, '='), (503, '='), (503, '=')]),
        ("MAIL FROM:<> SIZE=99999999999999999999", [(503, '='), (552, '='), (503, '='), (503, '=')]),
        ("MAIL FROM:<> SIZE=1001",         [(503, '='), (552, '='), (503, '='), (503, '=')]),
        ("RCPT TO:<shop@example.com>",     [(503, '='), (503, '='), (250, 'R'), (250, 'R')]),
        ("MAIL FROM:<> RET=HDRS ENVID=+20", [(503, '='), (250, 'S'), (503, '='), (503, '=')]),
        ("MAIL FROM:<> RET=ALL",           [(503, '='), (501, '='), (503, '='), (503, '=')]),
        ("RCPT TO:<a@b.c> NOTIFY=NEVER",   [(503, '='), (503, '='), (250, 'R'), (250, 'R')]),
        ("RCPT TO:<a@b.c> NOTIFY=",        [(503, '='), (503, '='), (501, '='), (501, '=')]),
        ("RCPT TO:<a@b.c> ORCPT=rfc822",   [(503, '='), (503, '='), (501, '='), (501, '=')]),
        ("RCPT TO:<a@b.c> RRVS=x",         [(503, '='), (503, '='), (555, '='), (555, '=')]),
        ("RCPT TO:<unknown@example.com>",  [(503, '='), (503, '='), (550, '='), (550, '=')]),
        ("RCPT TO:<later@example.com>",    [(503, '='), (503, '='), (451, '='), (451, '=')]),
        ("RCPT TO:<down@example.com>",     [(503, '='), (503, '='), (421, 'X'), (421, 'X')]),
        ("RCPT TO:<>",                     [(503, '='), (503, '='), (501, '='), (501, '=')]),
        ("DATA",                           [(503, '='), (503, '='), (554, '='), (354, 'D')]),
        ("DATA now",                       [(503, '='), (503, '='), (554, '='), (501, '=')]),
        ("RSET",                           [(250, '='), (250, '='), (250, 'G'), (250, 'G')]),
        ("RSET all",                       [(501, '='), (501, '='), (501, '='), (501, '=')]),
        ("NOOP",                           [(250, '='), (250, '='), (250, '='), (250, '=')]),
        ("NOOP well",                      [(250, '='), (250, '='), (250, '='), (250, '=')]),
        ("VRFY jane",                      [(252, '='), (252, '='), (252, '='), (252, '=')]),
        ("HELP",                           [(214, '='), (214, '='), (214, '='), (214, '=')]),
        ("QUIT",                           [(221, 'X'), (221, 'X'), (221, 'X'), (221, 'X')]),
        ("EXPN list",                      [(502, '='), (502, '='), (502, '='), (502, '=')]),
        ("STARTTLS",                       [(502, '='), (502, '='), (502, '='), (502, '=')]),
        ("AUTH PLAIN AA==",                [(502, '='), (502, '='), (502, '='), (502, '=')]),
        ("BDAT 10 LAST",                   [(502, '='), (502, '='), (502, '='), (502, '=')]),
        ("LHLO client.example.org",        [(502, '='), (502, '='), (502, '='), (502, '=')]),
        ("GET / HTTP/1.1",                 [(554, 'X'), (554, 'X'), (554, 'X'), (554, 'X')]),
        ("SITE",                           [(500, '='), (500, '='), (500, '='), (500, '=')]),
        ("",                               [(500, '='), (500, '='), (500, '='), (500, '=')]),
    ];
    let states = [
        ("connected", &[][..], 'C'),
        ("greeted", TO_GREETED, 'G'),
        ("sender", TO_SENDER, 'S'),
        ("recipients", TO_RECIPIENTS, 'R'),
    ];
    for (line, expected) in table {
        for ((name, path, own), (code, leads_to)) in states.iter().zip(expected) {
            let mut driver = Driver::after(path);
            assert_eq!(driver.code_of(line), code, "{line:?} when {name}");
            let leads_to = if leads_to == '=' { *own } else { leads_to };
            assert_eq!(where_is(&driver), leads_to, "{line:?} when {name}");
        }
    }
}

fn where_is(driver: &Driver) -> char {
    match (&driver.session.state, driver.session.phase()) {
        (State::Closed, _) => 'X',
        (State::Data(..), _) => 'D',
        (_, Phase::Connected) => 'C',
        (_, Phase::Greeted) => 'G',
        (_, Phase::Sender) => 'S',
        (_, Phase::Recipients) => 'R',
    }
}

#[test]
fn an_input_that_nobody_waits_for_ends_the_session() {
    let recipient = || Input::Recipient(Ok(String::new()));
    let inputs: [fn() -> Input<String>; 4] = [
        || Input::Connected,
        || Input::StartMessage(Ok(())),
        || Input::Verdict(reply::OK.clone()),
        || Input::Recipient(Err(reply::OK.clone())),
    ];
    for path in [&[][..], TO_GREETED, TO_SENDER, TO_RECIPIENTS, TO_DATA] {
        for input in inputs {
            let mut driver = Driver::after(path);
            driver.tell(input());
            assert!(driver.closed && driver.take_output().starts_with("421 4.3.0 "));
        }
        let mut driver = Driver::after(path);
        driver.tell(recipient());
        assert!(driver.closed && driver.delivered.is_empty());
    }
    let mut driver = Driver::after(TO_RECIPIENTS);
    driver.tell(Input::OutOfMemory(reply::OUT_OF_MEMORY.clone()));
    assert!(driver.closed);
    driver.tell(Input::Received);
    assert_eq!(driver.take_output().lines().count(), 1, "nothing is said after the end");
}

#[test]
fn a_transaction_tells_what_was_declared() {
    let mut driver = Driver::after(&[
        "EHLO [192.0.2.7] odd name",
        "MAIL FROM:<jane@example.org> BODY=8BITMIME SMTPUTF8 SIZE=7",
        "RCPT TO:<shop@example.com>",
        "RCPT TO:<postmaster>",
        "RCPT TO:<unknown@example.com>",
        "DATA",
    ]);
    driver.feed(b"a\r\n..\r\n.\r\n");
    let transaction = driver.delivered.pop().unwrap();
    assert_eq!(transaction.helo, "[192.0.2.7] odd name");
    assert_eq!(transaction.from, ReversePath::Address("jane@example.org".parse().unwrap()));
    let known: Vec<&str> = transaction.recipients.iter().map(|to| to.known.as_str()).collect();
    assert_eq!(known, ["shop@example.com", "postmaster"]);
    assert_eq!(transaction.recipients[1].to, ForwardPath::Postmaster);
    assert_eq!(&transaction.body[..], b"a\r\n.\r\n");
    assert!(transaction.smtputf8 && transaction.esmtp);

    let mut driver = Driver::after(&["HELO x", "MAIL FROM:<>", "RCPT TO:<shop@example.com>", "DATA", "."]);
    let transaction = driver.delivered.pop().unwrap();
    assert_eq!((transaction.from, transaction.body.len()), (ReversePath::Null, 0));
    assert!(!transaction.smtputf8 && !transaction.esmtp);
}

#[test]
fn a_transaction_tells_what_is_asked_about_reports() {
    let mut driver = Driver::after(&[
        "EHLO client.example.org",
        "MAIL FROM:<jane@example.org> RET=full ENVID=QQ+2B1",
        "RCPT TO:<shop@example.com> NOTIFY=SUCCESS,delay ORCPT=rfc822;old@example.org",
        "RCPT TO:<unknown@example.com> NOTIFY=NEVER",
        "RCPT TO:<other@example.com>",
        "DATA",
        ".",
        "MAIL FROM:<jane@example.org>",
        "RCPT TO:<shop@example.com>",
        "DATA",
        ".",
    ]);
    let second = driver.delivered.pop().unwrap();
    assert_eq!(
        second.dsn.to_string() + &second.recipients[0].dsn.to_string(),
        "",
        "nothing stays of the first"
    );
    let first = driver.delivered.pop().unwrap();
    assert_eq!(first.dsn.to_string(), " RET=FULL ENVID=QQ+2B1");
    let asked: Vec<String> = first.recipients.iter().map(|to| to.dsn.to_string()).collect();
    assert_eq!(asked, [" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old@example.org", ""]);
}

#[test]
fn a_body_is_handed_over_without_a_copy() {
    let mut driver = Driver::after(TO_DATA);
    driver.feed(&[b'x'; 500]);
    let State::Data(_, _, message) = &driver.session.state else { panic!("not receiving") };
    let held = message.body().as_ptr();
    assert_eq!(driver.session.held(), 500);
    driver.feed(b"\r\n.\r\n");
    assert_eq!(driver.delivered[0].body.as_ptr(), held);
    assert_eq!(driver.session.held(), 0);
}

#[test]
fn what_is_too_big_is_not_held() {
    let mut driver = Driver::after(TO_DATA);
    for _ in 0..100 {
        driver.feed(&[b'x'; 100]);
        assert!(driver.session.held() <= 1000 && driver.buffer.is_empty());
    }
    assert!(!driver.session.is_keeping());
    assert_eq!(driver.session.held(), 0);
    assert_eq!(driver.code_of("\r\n."), 552);
    assert!(driver.delivered.is_empty());
}

#[test]
fn without_memory_the_message_is_read_and_refused() {
    let mut driver = Driver::after(TO_DATA);
    driver.feed(b"first part");
    driver.tell(Input::OutOfMemory(reply::OUT_OF_MEMORY.clone()));
    assert_eq!(driver.session.held(), 0);
    driver.feed(b" and more\r\nQUIT\r\n");
    assert_eq!((driver.session.held(), driver.take_output().as_str()), (0, ""));
    assert_eq!(driver.code_of("."), 452);
    assert_eq!(driver.code_of("MAIL FROM:<>"), 250);
    assert!(driver.delivered.is_empty());
}

#[test]
fn errors_are_forgotten_when_a_message_is_taken() {
    let mut driver = Driver::after(TO_GREETED);
    for _ in 0..3 {
        for _ in 0..19 {
            assert_eq!(driver.code_of("SITE"), 500);
        }
        for line in ["MAIL FROM:<>", "RCPT TO:<shop@example.com>", "DATA", "."] {
            assert!(driver.code_of(line) < 400);
        }
    }
    driver.feed(&b"SITE\r\n".repeat(40));
    let output = driver.take_output();
    assert_eq!(output.lines().count(), 21);
    assert!(driver.closed && output.ends_with("421 4.7.0 Too many errors\r\n"));
}

#[test]
fn a_session_that_is_only_put_off_ends() {
    let mut driver = Driver::after(TO_SENDER);
    driver.feed(&b"RCPT TO:<later@example.com>\r\n".repeat(200));
    let output = driver.take_output();
    assert_eq!(output.lines().count(), 101);
    assert!(driver.closed && output.ends_with("421 4.7.0 Too many errors\r\n"));
}

#[test]
fn a_stop_does_not_wait_for_the_rest_of_a_message() {
    let mut driver = Driver::after(TO_DATA);
    driver.tell(Input::ShuttingDown);
    driver.feed(b"a part");
    driver.tell(Input::TimedOut);
    assert!(driver.closed && driver.take_output().starts_with("421 4.3.2 "));
}

#[test]
fn commands_that_lead_nowhere_are_limited() {
    let mut driver = Driver::after(TO_GREETED);
    driver.feed(&b"NOOP\r\n".repeat(10_000));
    assert!(driver.closed);
    assert_eq!(driver.take_output().lines().count(), 99 + 20 + 1);
}

/// A client script in pieces; the replies, whether it was closed, and the messages.
fn play(script: &[u8], step: usize, mode: BareNewline) -> (String, bool, Vec<Bytes>) {
    let mut driver = Driver::new(Settings { bare_newline: mode, ..settings() });
    for piece in script.chunks(step) {
        driver.feed(piece);
        assert!(driver.session.held() <= 1000);
        assert!(driver.buffer.len() <= crate::smtp::line::MAX_COMMAND_LINE);
    }
    let bodies = driver.delivered.iter().map(|t| t.body.clone()).collect();
    (driver.take_output(), driver.closed, bodies)
}

/// Pieces of which sessions are made, good and bad.
fn script() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"EHLO c\r\n"[..],
        b"HELO c\r\n",
        b"MAIL FROM:<a@example.org>\r\n",
        b"MAIL FROM:<> SIZE=5\r\n",
        b"RCPT TO:<shop@example.com>\r\n",
        b"RCPT TO:<shop@example.com> NOTIFY=NEVER ORCPT=utf-8;\\x{FC}@x\r\n",
        b"RCPT TO:<unknown@example.com>\r\n",
        b"DATA\r\n",
        b"a\r\n.\r\n",
        b".\r\n",
        b"..\r\n",
        b"\n.\n",
        b"\r.\r",
        b"\n",
        b"\r",
        b".",
        b"\0",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"junk",
        b"\r\n",
        b"\xff\xfe",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn same<T: PartialEq + Debug>(one: &T, two: &T) -> Result<(), TestCaseError> {
    prop_assert_eq!(one, two);
    Ok(())
}

proptest! {
    #[test]
    fn the_reads_do_not_matter(script in script(), step in 1usize..20) {
        for mode in [BareNewline::Reject, BareNewline::Normalize] {
            same(&play(&script, step, mode), &play(&script, 4096, mode))?;
        }
    }

    #[test]
    fn replies_are_well_formed_and_carry_enhanced_codes(script in script()) {
        let (output, closed, bodies) = play(&script, 4096, BareNewline::Reject);
        for line in output.split_inclusive('\n') {
            prop_assert!(line.ends_with("\r\n") && line.len() <= 512);
            let (code, rest) = line.split_at(4);
            let enhanced = rest.split('.').count() >= 3 && rest.starts_with(&code[..1]);
            let plain = ["220 ", "354 ", "250-", "250 "].contains(&code);
            prop_assert!(enhanced || plain, "{}", line);
        }
        prop_assert!(bodies.iter().all(|b| b.is_empty() || b.ends_with(b"\r\n")));
        prop_assert_eq!(closed, output.contains("421 ") || output.contains("521 ") || output.contains("554 5.5.1 This"));
    }

    #[test]
    fn hostile_octets_do_no_harm(script in prop::collection::vec(any::<u8>(), 0..3000), step in 1usize..500) {
        let (output, _, bodies) = play(&script, step, BareNewline::Normalize);
        prop_assert!(output.starts_with("220 ") && bodies.is_empty());
    }
}

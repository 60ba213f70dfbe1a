//! A small SMTP server that records what it is handed, byte by byte, and misbehaves as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::{PATIENCE, leftovers};

/// What the server does at one point of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Accept,
    /// This reply line, without its CRLF.
    Refuse(&'static str),
    /// One of these reply lines, each time the next one, and the first again after the last.
    RefuseInTurn(&'static [&'static str]),
    /// The connection closes without a word.
    HangUp,
    /// It accepts after this time.
    After(Duration),
}

/// How a server behaves. Begin with [`Script::accept`] and change what the test is about.
#[derive(Debug, Clone)]
pub struct Script {
    extensions: Vec<&'static str>,
    knows_ehlo: bool,
    /// Set, all but this recipient is accepted at every command.
    only_for: Option<&'static str>,
    at_rcpt: Answer,
    /// Refused whatever `at_rcpt` says: this recipient, with this reply.
    refused_recipient: Option<(&'static str, &'static str)>,
    at_data_command: Answer,
    at_data: Answer,
    at_dot: Answer,
}

impl Script {
    /// Takes everything and offers what a modern server offers.
    pub fn accept() -> Self {
        Self {
            extensions: vec!["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"],
            knows_ehlo: true,
            only_for: None,
            at_rcpt: Answer::Accept,
            refused_recipient: None,
            at_data_command: Answer::Accept,
            at_data: Answer::Accept,
            at_dot: Answer::Accept,
        }
    }

    pub fn at_rcpt(self, at_rcpt: Answer) -> Self {
        Self { at_rcpt, ..self }
    }

    pub fn refuse_recipient(self, address: &'static str, reply: &'static str) -> Self {
        Self { refused_recipient: Some((address, reply)), ..self }
    }

    /// What this script says is for this recipient alone; mail for others is taken.
    pub fn only_for(self, address: &'static str) -> Self {
        Self { only_for: Some(address), ..self }
    }

    /// What happens instead of the go-ahead.
    pub fn at_data_command(self, at_data_command: Answer) -> Self {
        Self { at_data_command, ..self }
    }

    /// What happens after the go-ahead of `DATA`, before the final dot has come.
    pub fn at_data(self, at_data: Answer) -> Self {
        Self { at_data, ..self }
    }

    pub fn at_dot(self, at_dot: Answer) -> Self {
        Self { at_dot, ..self }
    }

    pub fn offering(mut self, extension: &'static str) -> Self {
        self.extensions.push(extension);
        self
    }

    pub fn without(mut self, extension: &str) -> Self {
        self.extensions.retain(|offered| *offered != extension);
        self
    }

    /// A server of 1982: `EHLO` is an unknown command.
    pub fn helo_only(self) -> Self {
        Self { knows_ehlo: false, extensions: Vec::new(), ..self }
    }

    fn answer_to_rcpt(&self, argument: &str) -> Answer {
        match self.refused_recipient {
            Some((address, reply)) if argument.contains(address) => Answer::Refuse(reply),
            _ => self.at_rcpt,
        }
    }

    fn is_for(&self, recipients: &[String]) -> bool {
        self.only_for.is_none_or(|address| recipients.iter().any(|recipient| recipient == address))
    }
}

/// A transaction whose final dot was answered with 250.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Every command of the session up to this message, the envelope among them.
    pub commands: Vec<String>,
    /// The reverse path, without angle brackets.
    pub from: String,
    pub recipients: Vec<String>,
    /// The message: dots undone, without the final one.
    pub message: Vec<u8>,
}

impl Taken {
    /// The last command with this verb: with `MAIL` and `RCPT` that of this message's own envelope.
    pub fn command(&self, verb: &str) -> &str {
        let found = self.commands.iter().rfind(|command| command.split(' ').next() == Some(verb));
        found.unwrap_or_else(|| panic!("no {verb} in {:?}", self.commands))
    }

    /// The message as text, for searching in it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message).into_owned()
    }
}

/// A listening server. It ends with the test process; dropping it only stops new connections.
pub struct Sink {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    script: Mutex<Script>,
    /// How often it has refused in turn.
    turns: AtomicUsize,
    record: Mutex<Record>,
    changed: Condvar,
}

#[derive(Default)]
struct Record {
    taken: std::collections::VecDeque<Taken>,
    commands: Vec<String>,
    closed: bool,
}

impl Sink {
    pub fn start(script: Script) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    pub fn start_at(address: SocketAddr, script: Script) -> Self {
        let listener = TcpListener::bind(address).expect("a loopback port");
        let address = listener.local_addr().expect("a bound socket");
        let state = Arc::new(State {
            script: Mutex::new(script),
            turns: AtomicUsize::new(0),
            record: Mutex::default(),
            changed: Condvar::new(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || accept(&listener, &shared));
        Self { address, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it behaves like this, also in sessions that are open.
    pub fn behave(&self, script: Script) {
        *self.state.script.lock().expect(NOT_POISONED) = script;
    }

    /// How often it has refused in turn.
    pub fn turns(&self) -> usize {
        self.state.turns.load(Ordering::SeqCst)
    }

    /// The next message that was taken; waits for it.
    pub fn next(&self) -> Taken {
        let record = self.state.record();
        let (mut record, _) = self
            .state
            .changed
            .wait_timeout_while(record, PATIENCE, |record| record.taken.is_empty())
            .expect(NOT_POISONED);
        record
            .taken
            .pop_front()
            .unwrap_or_else(|| panic!("no message came; the commands were {:?}", record.commands))
    }

    /// How many messages wait to be looked at.
    pub fn waiting(&self) -> usize {
        self.state.record().taken.len()
    }

    /// Every command of every session so far.
    pub fn commands(&self) -> Vec<String> {
        self.state.record().commands.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.state.record().closed = true;
        // Wakes the thread that accepts, so that it sees that and lets go of the port.
        let _ = TcpStream::connect(self.address);
    }
}

const NOT_POISONED: &str = "no thread of the sink panics with the record in its hands";

impl State {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect(NOT_POISONED)
    }

    fn script(&self) -> Script {
        self.script.lock().expect(NOT_POISONED).clone()
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.record().closed {
            return;
        }
        let state = Arc::clone(state);
        // A client that goes away ends the session; what it had done is on record.
        std::thread::spawn(move || Session::new(stream, state).run());
    }
}

/// The session is over: the peer or the script ended it.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    state: Arc<State>,
    transaction: Taken,
}

impl Session {
    fn new(stream: TcpStream, state: Arc<State>) -> Self {
        // Replies to pipelined commands are not held back for one another.
        let _ = stream.set_nodelay(true);
        Self { stream: BufReader::new(stream), state, transaction: Taken::default() }
    }

    /// Until the peer or the script ends the session.
    fn run(mut self) {
        let mut going = self.say("220 sink.example.net ESMTP");
        while going.is_ok() {
            going = self.step();
        }
    }

    fn step(&mut self) -> Result<(), Over> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(Over);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        leftovers::said(&line);
        self.state.record().commands.push(line.clone());
        self.transaction.commands.push(line.clone());
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        self.command(&verb.to_ascii_uppercase(), argument)
    }

    fn command(&mut self, verb: &str, argument: &str) -> Result<(), Over> {
        match verb {
            "EHLO" if self.state.script().knows_ehlo => self.ehlo(),
            "HELO" => self.say("250 sink.example.net"),
            "MAIL" => {
                self.begin(path(argument));
                self.say("250 2.1.0 sender noted")
            }
            "RCPT" => self.rcpt(argument),
            "DATA" => self.data(),
            "RSET" => {
                self.begin(String::new());
                self.say("250 2.0.0 forgotten")
            }
            "NOOP" => self.say("250 2.0.0 here"),
            "QUIT" => {
                self.say("221 2.0.0 bye")?;
                Err(Over)
            }
            _ => self.say("500 5.5.1 unknown command"),
        }
    }

    fn begin(&mut self, from: String) {
        self.transaction.from = from;
        self.transaction.recipients.clear();
    }

    fn ehlo(&mut self) -> Result<(), Over> {
        let offered: Vec<&str> =
            std::iter::once("sink.example.net").chain(self.state.script().extensions).collect();
        let last = offered.len() - 1;
        let lines: Vec<String> = offered
            .iter()
            .enumerate()
            .map(|(at, text)| format!("250{}{text}", if at == last { ' ' } else { '-' }))
            .collect();
        self.say(&lines.join("\r\n"))
    }

    fn rcpt(&mut self, argument: &str) -> Result<(), Over> {
        let (script, to) = (self.state.script(), path(argument));
        let answer = script.answer_to_rcpt(argument);
        if self.follow_for(&script, std::slice::from_ref(&to), answer)? {
            self.transaction.recipients.push(to);
            self.say("250 2.1.5 recipient noted")?;
        }
        Ok(())
    }

    fn data(&mut self) -> Result<(), Over> {
        if self.transaction.recipients.is_empty() {
            return self.say("503 5.5.1 no recipient");
        }
        let (script, to) = (self.state.script(), self.transaction.recipients.clone());
        if !self.follow_for(&script, &to, script.at_data_command)? {
            return Ok(());
        }
        self.say("354 go ahead")?;
        // The client is in the middle of sending when the script's answer comes.
        self.stream.fill_buf()?;
        if !self.follow_for(&script, &to, script.at_data)? {
            return Err(Over);
        }
        self.transaction.message = self.read_message()?;
        // It may have changed while the message came in.
        let script = self.state.script();
        if self.follow_for(&script, &to, script.at_dot)? {
            let taken = self.transaction.clone();
            // On record before the answer: whoever sees the 250 finds the message.
            self.state.record().taken.push_back(taken);
            self.state.changed.notify_all();
            self.say("250 2.0.0 taken")?;
        }
        self.transaction.commands.clear();
        self.begin(String::new());
        Ok(())
    }

    /// Lines until the final dot, with the doubled dots undone.
    fn read_message(&mut self) -> Result<Vec<u8>, Over> {
        let mut message = Vec::new();
        let mut at_line_start = true;
        loop {
            let start = message.len();
            if self.stream.read_until(b'\n', &mut message)? == 0 {
                return Err(Over);
            }
            if at_line_start && message[start..] == *b".\r\n" {
                message.truncate(start);
                return Ok(message);
            }
            if at_line_start && message[start..].starts_with(b".") {
                message.remove(start);
            }
            at_line_start = message.ends_with(b"\r\n");
        }
    }

    /// The same, unless the script is for another recipient.
    fn follow_for(&mut self, script: &Script, to: &[String], answer: Answer) -> Result<bool, Over> {
        self.follow(if script.is_for(to) { answer } else { Answer::Accept })
    }

    /// Does what the script says here; whether the command is accepted and still to be answered.
    fn follow(&mut self, answer: Answer) -> Result<bool, Over> {
        match answer {
            Answer::Accept => Ok(true),
            Answer::Refuse(reply) => self.say(reply).map(|()| false),
            Answer::RefuseInTurn(replies) => {
                let turn = self.state.turns.fetch_add(1, Ordering::SeqCst);
                self.say(replies[turn % replies.len()]).map(|()| false)
            }
            Answer::HangUp => Err(Over),
            Answer::After(delay) => {
                std::thread::sleep(delay);
                Ok(true)
            }
        }
    }

    fn say(&mut self, reply: &str) -> Result<(), Over> {
        Ok(self.stream.get_mut().write_all(format!("{reply}\r\n").as_bytes())?)
    }
}

/// What stands between the angle brackets of `FROM:<…>` or `TO:<…>`.
fn path(argument: &str) -> String {
    let inner = argument.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    inner.map(|(path, _)| path.to_owned()).unwrap_or_default()
}

//! The session itself: its states and what each input does in them.

use std::fmt::Write as _;
use std::mem;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};

use crate::smtp::command::{self, CommandError, Rcpt, Verb};
use crate::smtp::data::Decoded;
use crate::smtp::extension::Extension;
use crate::smtp::line::{Found, LineReader};
use crate::smtp::reply::{self, Reply};

use super::order::{self, Phase, Rule};
use super::parts::{Envelope, Greeting, Message, Protocol};
use super::{Accepted, Action, Input, Settings};

/// Commands that bring no message nearer and are free between two messages; each one more counts as an error.
const FREE_COMMANDS: u32 = 100;
/// Replies of 4xx and 5xx that a session may get between two messages that were taken. Many recipients of many
/// transactions may be put off in good faith; a session that gets nothing else is of no use to its client.
const MAX_REFUSALS: u32 = 100;
/// How a TLS client starts: a handshake record of any version (RFC 8446, section 5.1).
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

/// One session. `R` is what its driver knows about an accepted recipient.
#[derive(Debug)]
pub struct ServerSession<R> {
    settings: Arc<Settings>,
    pub(super) state: State<R>,
    lines: LineReader,
    output: Vec<u8>,
    /// Since the last message that was taken.
    errors: u32,
    /// Replies of 4xx and 5xx since the last message that was taken.
    refusals: u32,
    /// Since the last message that was taken.
    idle_commands: u32,
    shutting_down: bool,
}

#[derive(Debug)]
pub(super) enum State<R> {
    /// Nothing has been said.
    New,
    /// The banner was sent.
    Connected,
    /// No transaction is open.
    Greeted(Greeting),
    /// After MAIL.
    Envelope(Greeting, Envelope<R>),
    /// Waits for a word about the recipient.
    CheckingRecipient(Greeting, Envelope<R>, Rcpt),
    /// Waits for leave to receive.
    Starting(Greeting, Envelope<R>),
    /// After 354.
    Data(Greeting, Envelope<R>, Message),
    /// Waits for the verdict.
    Delivering(Greeting),
    /// Nothing is said any more.
    Closed,
}

impl<R> ServerSession<R> {
    /// A session that waits for [`Input::Connected`].
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        let lines = LineReader::new(settings.bare_newline);
        Self {
            settings,
            state: State::New,
            lines,
            output: Vec::new(),
            errors: 0,
            refusals: 0,
            idle_commands: 0,
            shutting_down: false,
        }
    }

    /// Takes in what happened and goes on as far as the buffer allows.
    pub fn handle(&mut self, input: Input<R>, buffer: &mut BytesMut) -> Action<R> {
        match self.take_in(input) {
            Some(action) => action,
            None => self.go_on(buffer),
        }
    }

    /// The replies since the last call.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        mem::take(&mut self.output)
    }

    /// Octets of a message that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.state {
            State::Data(_, _, message) => message.held(),
            _ => 0,
        }
    }

    /// Whether what is read next belongs to a message and not to commands.
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        matches!(self.state, State::Data(..))
    }

    /// Whether octets of a message that comes are kept: not of one that will be refused anyway.
    #[must_use]
    pub fn is_keeping(&self) -> bool {
        matches!(&self.state, State::Data(_, _, message) if !message.is_given_up())
    }

    /// Changes the state by what happened outside. An action ends it; otherwise the buffer is next.
    fn take_in(&mut self, input: Input<R>) -> Option<Action<R>> {
        let state = mem::replace(&mut self.state, State::Closed);
        match (input, state) {
            (_, State::Closed) => return Some(Action::Close),
            (Input::Connected, State::New) => self.welcome(),
            (Input::Recipient(answer), State::CheckingRecipient(greeting, envelope, rcpt)) => {
                self.recipient(greeting, envelope, rcpt, answer);
            }
            (Input::StartMessage(Ok(())), State::Starting(greeting, envelope)) => {
                self.open(greeting, envelope);
            }
            (Input::StartMessage(Err(reply)), State::Starting(greeting, envelope)) => {
                self.answer(&reply, State::Envelope(greeting, envelope));
            }
            (Input::Verdict(reply), State::Delivering(greeting)) => self.verdict(&reply, greeting),
            (Input::OutOfMemory(reply), State::Data(greeting, envelope, message)) => {
                self.state = State::Data(greeting, envelope, message.given_up(reply));
            }
            (Input::Received, state) if state.reads() => self.state = state,
            (Input::ShuttingDown, state) if state.reads() => {
                self.shutting_down = true;
                self.state = state;
            }
            (Input::TimedOut, state) if state.reads() && self.shutting_down => {
                self.end(&reply::SHUTTING_DOWN);
            }
            (Input::TimedOut, state) if state.reads() => self.end(&reply::TIMED_OUT),
            _ => self.end(&reply::OUT_OF_STEP),
        }
        None
    }

    /// Consumes the buffer until it is empty or something is waited for.
    fn go_on(&mut self, buffer: &mut BytesMut) -> Action<R> {
        loop {
            let step = match self.state {
                State::Data(..) => self.receive(buffer),
                State::Connected | State::Greeted(_) | State::Envelope(..) => self.next_command(buffer),
                _ => Some(Action::Close),
            };
            if let Some(action) = step {
                return action;
            }
        }
    }

    fn welcome(&mut self) {
        let banner = format!("{} ESMTP aliasd", self.settings.hostname);
        self.answer(&Reply::plain(220, banner), State::Connected);
    }

    fn next_command(&mut self, buffer: &mut BytesMut) -> Option<Action<R>> {
        if self.shutting_down {
            self.end(&reply::SHUTTING_DOWN);
            return None;
        }
        if self.lines.at_line_start() && buffer.starts_with(TLS_HANDSHAKE) {
            self.end(&reply::NOT_SMTP);
            return None;
        }
        match self.lines.find(buffer) {
            Found::Incomplete => Some(Action::Read),
            Found::Line { text, whole } => {
                let action = self.command(buffer.get(..text).unwrap_or_default());
                buffer.advance(whole);
                action
            }
            Found::TooLong => {
                self.refuse(&reply::LINE_TOO_LONG);
                None
            }
            Found::BareNewline => {
                self.end(&reply::BARE_NEWLINE);
                None
            }
        }
    }

    fn command(&mut self, line: &[u8]) -> Option<Action<R>> {
        let (verb, arguments) = command::split(line);
        self.count_idle(verb);
        match order::rule(verb, self.phase()) {
            Rule::Obey => self.obey(verb, arguments).unwrap_or_else(|error| {
                self.refuse(error.reply());
                None
            }),
            Rule::Refuse(reply) => {
                self.refuse(reply);
                None
            }
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match &self.state {
            State::Envelope(_, envelope) if envelope.recipients.is_empty() => Phase::Sender,
            State::Envelope(..) => Phase::Recipients,
            State::Greeted(_) => Phase::Greeted,
            _ => Phase::Connected,
        }
    }

    /// Carries out a command that is in order.
    fn obey(&mut self, verb: Verb, arguments: &[u8]) -> Result<Option<Action<R>>, CommandError> {
        match verb {
            Verb::Ehlo => self.hello(Protocol::Esmtp, arguments)?,
            Verb::Helo => self.hello(Protocol::Smtp, arguments)?,
            Verb::Mail => self.mail(arguments)?,
            Verb::Rcpt => return self.rcpt(arguments),
            Verb::Data => return self.data(arguments),
            Verb::Rset => self.reset(arguments)?,
            Verb::Noop => self.say(&reply::OK),
            Verb::Vrfy => self.say(&reply::NOT_VERIFIED),
            Verb::Help => self.say(&reply::HELP),
            Verb::Quit => self.end(&reply::BYE),
            Verb::Http => self.end(&reply::NOT_SMTP),
            Verb::Expn | Verb::StartTls | Verb::Auth | Verb::Bdat | Verb::Lhlo | Verb::Unknown => {
                self.refuse(&reply::NOT_OFFERED);
            }
        }
        Ok(None)
    }

    /// EHLO or HELO, which also drop an open transaction (RFC 5321, section 4.1.4).
    fn hello(&mut self, protocol: Protocol, arguments: &[u8]) -> Result<(), CommandError> {
        let greeting = Greeting { name: command::hello(arguments)?, protocol };
        let mut text = self.settings.hostname.to_string();
        if protocol == Protocol::Esmtp {
            for extension in Extension::offered(self.settings.max_message_size) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\n{extension}");
            }
        }
        self.answer(&Reply::plain(250, text), State::Greeted(greeting));
        Ok(())
    }

    fn mail(&mut self, arguments: &[u8]) -> Result<(), CommandError> {
        let mail = command::mail(arguments)?;
        if mail.size.is_some_and(|size| size > self.settings.max_message_size) {
            self.refuse(&reply::TOO_BIG);
            return Ok(());
        }
        match mem::replace(&mut self.state, State::Closed) {
            State::Greeted(greeting) => {
                let envelope = Envelope { mail, recipients: Vec::new() };
                self.answer(&reply::SENDER_OK, State::Envelope(greeting, envelope));
            }
            _ => self.end(&reply::OUT_OF_STEP),
        }
        Ok(())
    }

    fn rcpt(&mut self, arguments: &[u8]) -> Result<Option<Action<R>>, CommandError> {
        let State::Envelope(_, envelope) = &self.state else { return Ok(self.out_of_step()) };
        let rcpt = command::rcpt(arguments, envelope.mail.charset)?;
        if envelope.recipients.len() >= self.settings.max_recipients {
            self.say(&reply::TOO_MANY_RECIPIENTS);
            return Ok(None);
        }
        let action = Action::CheckRecipient { from: envelope.mail.from.clone(), to: rcpt.to.clone() };
        if let State::Envelope(greeting, envelope) = mem::replace(&mut self.state, State::Closed) {
            self.state = State::CheckingRecipient(greeting, envelope, rcpt);
        }
        Ok(Some(action))
    }

    fn recipient(
        &mut self,
        greeting: Greeting,
        mut envelope: Envelope<R>,
        Rcpt { to, dsn }: Rcpt,
        answer: Result<R, Reply>,
    ) {
        match answer {
            Ok(known) => {
                envelope.recipients.push(Accepted { to, known, dsn });
                self.answer(&reply::RECIPIENT_OK, State::Envelope(greeting, envelope));
            }
            Err(reply) => self.answer(&reply, State::Envelope(greeting, envelope)),
        }
    }

    fn data(&mut self, arguments: &[u8]) -> Result<Option<Action<R>>, CommandError> {
        command::nothing(arguments)?;
        let State::Envelope(greeting, envelope) = mem::replace(&mut self.state, State::Closed) else {
            return Ok(self.out_of_step());
        };
        let declared = envelope.mail.size;
        self.state = State::Starting(greeting, envelope);
        Ok(Some(Action::StartMessage { declared }))
    }

    fn open(&mut self, greeting: Greeting, envelope: Envelope<R>) {
        let settings = &self.settings;
        let message = Message::new(settings.bare_newline, settings.max_message_size, envelope.mail.size);
        self.answer(&reply::START_MAIL, State::Data(greeting, envelope, message));
    }

    fn receive(&mut self, buffer: &mut BytesMut) -> Option<Action<R>> {
        let State::Data(_, _, message) = &mut self.state else { return self.out_of_step() };
        match message.take(buffer) {
            Decoded::More => {
                buffer.clear();
                Some(Action::Read)
            }
            Decoded::End(used) => {
                buffer.advance(used);
                self.close_message()
            }
        }
    }

    /// The final dot is here.
    fn close_message(&mut self) -> Option<Action<R>> {
        let State::Data(greeting, envelope, message) = mem::replace(&mut self.state, State::Closed) else {
            return self.out_of_step();
        };
        match message.finish() {
            Ok(body) => {
                let transaction = envelope.with(&greeting, body);
                self.state = State::Delivering(greeting);
                Some(Action::Deliver(transaction))
            }
            Err(reply) => {
                self.answer(&reply, State::Greeted(greeting));
                None
            }
        }
    }

    fn verdict(&mut self, reply: &Reply, greeting: Greeting) {
        if reply.is_positive() {
            self.errors = 0;
            self.refusals = 0;
            self.idle_commands = 0;
        }
        self.answer(reply, State::Greeted(greeting));
    }

    fn reset(&mut self, arguments: &[u8]) -> Result<(), CommandError> {
        command::nothing(arguments)?;
        let state = match mem::replace(&mut self.state, State::Closed) {
            State::Envelope(greeting, _) => State::Greeted(greeting),
            state => state,
        };
        self.answer(&reply::OK, state);
        Ok(())
    }

    fn count_idle(&mut self, verb: Verb) {
        if !matches!(verb, Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Quit) {
            self.idle_commands = self.idle_commands.saturating_add(1);
            self.errors = self.errors.saturating_add(u32::from(self.idle_commands > FREE_COMMANDS));
        }
    }

    fn say(&mut self, reply: &Reply) {
        reply.write_to(&mut self.output);
        self.refusals = self.refusals.saturating_add(u32::from(reply.code() >= 400));
        if self.errors >= self.settings.max_errors || self.refusals >= MAX_REFUSALS {
            self.end(&reply::TOO_MANY_ERRORS);
        }
    }

    /// Says no to a command.
    fn refuse(&mut self, reply: &Reply) {
        self.errors = self.errors.saturating_add(1);
        self.say(reply);
    }

    /// Gives a reply, ours or a decision from outside, and goes to the state that it leads to.
    fn answer(&mut self, reply: &Reply, state: State<R>) {
        if reply.ends_session() {
            return self.end(reply);
        }
        self.state = state;
        if reply.is_permanent() { self.refuse(reply) } else { self.say(reply) }
    }

    fn end(&mut self, reply: &Reply) {
        reply.write_to(&mut self.output);
        self.state = State::Closed;
    }

    /// The state is not the one that the order of commands has promised: never, and if so, safely.
    fn out_of_step(&mut self) -> Option<Action<R>> {
        self.end(&reply::OUT_OF_STEP);
        None
    }
}

impl<R> State<R> {
    /// Whether the session waits for the client.
    fn reads(&self) -> bool {
        matches!(self, Self::Connected | Self::Greeted(_) | Self::Envelope(..) | Self::Data(..))
    }
}

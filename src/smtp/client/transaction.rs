//! One message: MAIL, RCPT, DATA, the message, and what the server says to each (RFC 5321, section 3.3).
//!
//! With PIPELINING the commands go out together (RFC 2920), without it one by one. Both are the same list of
//! commands, sent in batches of many or of one. At most [`BATCH`] commands are in flight, so that neither side can
//! fill the other's window with nobody reading (RFC 2920, section 3.1).
//!
//! A recipient is lost by the first refusal that concerns it: of MAIL, of its RCPT, of DATA or of the message. When
//! the server wants the message although every recipient is lost (354 to a pipelined DATA) the connection is closed:
//! nothing can then be delivered to nobody.

use std::fmt::Write as _;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    Action, Capabilities, CommandLines, Envelope, Extension, Idle, Outcome, Phase, Recipient as To, Session,
    State, Step,
};
use crate::smtp::response::{Class, Response};
use crate::smtp::{Delivered, Failure, ReversePath, Words};

/// Octets of an ordinary MAIL, RCPT and DATA, with what is asked about reports.
const COMMANDS_LENGTH: usize = 512;
/// Commands in flight. At most 64 commands of a kilobyte fit every socket buffer, and so do their replies.
const BATCH: usize = 64;

#[derive(Debug)]
pub(super) struct Transaction {
    envelope: Arc<Envelope>,
    idle: Idle,
    /// 1 when RSET goes out first, else 0.
    resets: usize,
    /// How many commands were sent.
    sent: usize,
    /// How many were answered.
    answered: usize,
    /// What is known of each recipient, in their order.
    recipients: Vec<Recipient>,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Reset,
    Mail,
    Recipient(usize),
    Data,
}

#[derive(Debug)]
enum Recipient {
    /// Neither refused nor delivered yet.
    Open,
    Over(Outcome),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Commands are sent and answered.
    Commands,
    /// The message is being written.
    Message,
    /// All is written; the server may have the message.
    FinalDot,
}

/// Starts a transaction, unless the host lacks what the message needs.
pub(super) fn begin(session: &Session, idle: Idle, envelope: Arc<Envelope>) -> Step {
    if let Err(failure) = check(session, &idle.capabilities, &envelope) {
        return Step::Go(State::Ready(idle), Action::HostFailed(Outcome::Rejected(failure)));
    }
    let transaction = Transaction {
        recipients: envelope.recipients.iter().map(|_| Recipient::Open).collect(),
        envelope,
        resets: usize::from(idle.needs_reset),
        idle,
        sent: 0,
        answered: 0,
        progress: Progress::Commands,
    };
    transaction.send_batch()
}

/// Whether the host can take the message as it is. These are failures of this host: another one may offer more.
fn check(session: &Session, offered: &Capabilities, envelope: &Envelope) -> Result<(), Failure> {
    // RFC 6531, section 3.1: without SMTPUTF8 such a message must not be sent.
    if envelope.needs_smtputf8() && !offered.has(&Extension::SmtpUtf8) {
        let text = "the message or an address needs SMTPUTF8, which the server does not offer".to_owned();
        return Err(session.local_failure(550, (5, 6, 7), text));
    }
    // RFC 6152, section 3; conversion would change the message.
    if envelope.eight_bit && !offered.has(&Extension::EightBitMime) {
        let text = "the message has 8-bit octets, and the server does not offer 8BITMIME".to_owned();
        return Err(session.local_failure(550, (5, 6, 3), text));
    }
    // RFC 1870, section 6.1.
    match offered.max_size() {
        Some(limit) if envelope.size > limit => {
            let text = format!("the message has {} octets, and the server takes {limit}", envelope.size);
            Err(session.local_failure(552, (5, 3, 4), text))
        }
        _ => Ok(()),
    }
}

impl Transaction {
    pub(super) fn phase(&self) -> Phase {
        match self.progress {
            Progress::Commands => self.command(self.answered).map_or(Phase::Data, Command::phase),
            Progress::Message => Phase::DataBlock,
            Progress::FinalDot => Phase::FinalDot,
        }
    }

    pub(super) fn reply(self, session: &Session, reply: &Response) -> Step {
        match self.progress {
            Progress::Commands => self.command_answered(session, reply),
            // The server did not wait for the end. What it refuses is refused; it cannot have taken the message.
            Progress::Message => self.close(session.refused(reply)),
            Progress::FinalDot => self.message_answered(session, reply),
        }
    }

    pub(super) fn message_sent(mut self, session: &Session) -> Step {
        if self.progress != Progress::Message {
            return Step::Close(Action::HostFailed(session.out_of_step()));
        }
        self.progress = Progress::FinalDot;
        Step::Go(State::Transaction(self), Action::Read { phase: Phase::FinalDot })
    }

    /// The connection is of no more use. Only before the final dot is it sure that nothing was taken.
    pub(super) fn give_up(mut self, failure: Failure) -> Vec<Outcome> {
        let outcome = match self.progress {
            Progress::Commands | Progress::Message => Outcome::Deferred(failure),
            Progress::FinalDot => Outcome::Uncertain(failure),
        };
        self.settle(outcome);
        outcomes(self.recipients)
    }

    /// All commands in their order: RSET perhaps, MAIL, one RCPT for each recipient, DATA.
    fn command(&self, position: usize) -> Option<Command> {
        let recipients = self.recipients.len();
        match position.checked_sub(self.resets) {
            None => Some(Command::Reset),
            Some(0) => Some(Command::Mail),
            Some(after) if after <= recipients => Some(Command::Recipient(after - 1)),
            Some(after) => (after == recipients + 1).then_some(Command::Data),
        }
    }

    fn command_answered(mut self, session: &Session, reply: &Response) -> Step {
        let Some(command) = self.command(self.answered) else {
            return self.close(session.unexpected(reply));
        };
        self.answered += 1;
        let expected = if command == Command::Data { Class::GoOn } else { Class::Done };
        match reply.class() {
            _ if reply.code == 421 => self.close(session.refused(reply)),
            class if class == expected => self.command_accepted(command),
            Class::NotNow | Class::Never => self.command_refused(command, session, reply),
            Class::Done | Class::GoOn => self.close(session.unexpected(reply)),
        }
    }

    fn command_accepted(mut self, command: Command) -> Step {
        match command {
            Command::Data if self.has_open() => {
                self.progress = Progress::Message;
                Step::Go(State::Transaction(self), Action::SendMessage)
            }
            Command::Data => Step::Close(Action::Done(outcomes(self.recipients))),
            Command::Reset => {
                self.idle.needs_reset = false;
                self.go_on()
            }
            Command::Mail => {
                self.idle.needs_reset = true;
                self.go_on()
            }
            Command::Recipient(_) => self.go_on(),
        }
    }

    fn command_refused(mut self, command: Command, session: &Session, reply: &Response) -> Step {
        let outcome = if wants_login(reply) { session.deferred(reply) } else { session.refused(reply) };
        match command {
            // Without a fresh start it is not known what the next commands would do.
            Command::Reset => return self.close(outcome),
            Command::Mail | Command::Data => self.settle(outcome),
            Command::Recipient(index) => {
                if let Some(recipient) = self.recipients.get_mut(index).filter(|one| one.is_open()) {
                    *recipient = Recipient::Over(outcome);
                }
            }
        }
        self.go_on()
    }

    /// Waits for the next reply, or sends the next batch, or ends because there is nobody left to send for.
    fn go_on(self) -> Step {
        if self.answered < self.sent {
            let phase = self.phase();
            return Step::Go(State::Transaction(self), Action::Read { phase });
        }
        if self.has_open() {
            return self.send_batch();
        }
        self.finish()
    }

    fn send_batch(mut self) -> Step {
        let size = if self.idle.capabilities.has(&Extension::Pipelining) { BATCH } else { 1 };
        let phase = self.phase();
        // Room for the usual: grown, it would leave copies that nobody wipes.
        let mut octets = String::with_capacity(COMMANDS_LENGTH);
        for _ in 0..size {
            let Some(command) = self.command(self.sent) else { break };
            self.write_command(command, &mut octets);
            self.sent += 1;
        }
        let octets = CommandLines(Zeroizing::new(octets.into_bytes()));
        Step::Go(State::Transaction(self), Action::Write { octets, phase })
    }

    fn write_command(&self, command: Command, into: &mut String) {
        match command {
            Command::Reset => into.push_str("RSET"),
            Command::Mail => self.write_mail(into),
            Command::Recipient(index) => {
                if let Some(recipient) = self.envelope.recipients.get(index) {
                    self.write_recipient(recipient, into);
                }
            }
            Command::Data => into.push_str("DATA"),
        }
        into.push_str("\r\n");
    }

    fn write_mail(&self, into: &mut String) {
        match &self.envelope.from {
            ReversePath::Null => into.push_str("MAIL FROM:<>"),
            ReversePath::Address(address) => push(into, format_args!("MAIL FROM:<{address}>")),
        }
        if self.idle.capabilities.has_size() {
            push(into, format_args!(" SIZE={}", self.envelope.size));
        }
        if self.envelope.eight_bit {
            into.push_str(" BODY=8BITMIME");
        }
        if self.envelope.needs_smtputf8() {
            into.push_str(" SMTPUTF8");
        }
        if self.idle.capabilities.has(&Extension::Dsn) {
            push(into, format_args!("{}", self.envelope.dsn));
        }
    }

    fn write_recipient(&self, recipient: &To, into: &mut String) {
        push(into, format_args!("RCPT TO:<{}>", recipient.address));
        if self.idle.capabilities.has(&Extension::Dsn) {
            push(into, format_args!("{}", recipient.dsn));
        }
    }

    fn message_answered(mut self, session: &Session, reply: &Response) -> Step {
        self.idle.needs_reset = false;
        match reply.class() {
            Class::Done => {
                let delivered = Delivered { host: session.peer.clone(), reply: reply.to_string() };
                self.settle(Outcome::Delivered(delivered));
                self.finish()
            }
            Class::NotNow | Class::Never if reply.code != 421 => {
                self.settle(session.refused(reply));
                self.finish()
            }
            Class::NotNow | Class::Never => self.close(session.refused(reply)),
            Class::GoOn => {
                let text = format!("the server answered the final dot with {reply}");
                self.close(Outcome::Uncertain(session.quoted_failure(451, (4, 5, 0), text)))
            }
        }
    }

    /// Every recipient that is still open gets `outcome`.
    fn settle(&mut self, outcome: Outcome) {
        let mut open = self.recipients.iter_mut().filter(|recipient| recipient.is_open());
        let Some(first) = open.next() else { return };
        open.for_each(|recipient| *recipient = Recipient::Over(outcome.clone()));
        *first = Recipient::Over(outcome);
    }

    fn has_open(&self) -> bool {
        self.recipients.iter().any(Recipient::is_open)
    }

    fn finish(self) -> Step {
        let Self { idle, recipients, .. } = self;
        Step::Go(State::Ready(idle), Action::Done(outcomes(recipients)))
    }

    fn close(mut self, outcome: Outcome) -> Step {
        self.settle(outcome);
        Step::Close(Action::Done(outcomes(self.recipients)))
    }
}

/// The server wants a login, another one, or TLS before it (RFC 4954, section 6). The message is not at fault: an
/// administrator can mend that.
fn wants_login(reply: &Response) -> bool {
    matches!(reply.code, 530 | 535 | 538)
}

fn outcomes(recipients: Vec<Recipient>) -> Vec<Outcome> {
    recipients.into_iter().map(Recipient::into_outcome).collect()
}

impl Command {
    fn phase(self) -> Phase {
        match self {
            Self::Reset => Phase::Reset,
            Self::Mail => Phase::Mail,
            Self::Recipient(_) => Phase::Recipient,
            Self::Data => Phase::Data,
        }
    }
}

impl Recipient {
    fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Nobody is left open when a transaction ends; were it so, trying again is the safe answer.
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Over(outcome) => outcome,
            Self::Open => Outcome::Deferred(Failure {
                code: 451,
                enhanced: (4, 5, 0),
                text: "the server said nothing of this recipient".to_owned(),
                words: Words::Ours,
                host: None,
            }),
        }
    }
}

fn push(into: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = into.write_fmt(text);
}

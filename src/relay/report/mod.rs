//! Whether a sender gets a report about one recipient, and with which words.
//!
//! Pure: what happened is told, the times and the random text of the boundary are given. The rules:
//!
//! - **To whom.** Only to the return path, never to `<>`, and only when it is proven whose it is: a forged one would make
//!   us send mail to a bystander.
//! - **When.** As `NOTIFY` says; without it of failures and delays (RFC 3461, section 4.1).
//! - **Of a forward** the sender learns what a sender may know: the alias as the sender wrote it, the codes, and our own
//!   words for them. Not one octet of a remote host's text passes, nor its name: both may name the mailbox, and in more
//!   disguises than could be searched for.
//! - **Of a reply** the owner learns everything, under the reverse alias.
//!
//! What happened is told of the recipient as a whole: as long as one mailbox of an alias has the message, the failure of
//! another is nothing that the sender hears of.

mod words;

use bytes::Bytes;

use crate::mail::dsn::{self, Action, Original, Report, Returned};
use crate::mail::{Address, DomainName, Timestamp};
use crate::smtp::dsn::{MessageRequest, Notify, RecipientRequest, Ret};
use crate::smtp::{Enhanced, Failure, Reply, ReversePath};

use super::ports::Content;
use super::reply::Evidence;
use super::verdict::Fate;

/// RFC 3463, section 3.5: "delivery time expired", which is never a permanent error.
const EXPIRED: Enhanced = Enhanced(4, 4, 7);

/// Which way the message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To an alias.
    Forward,
    /// From an alias, through a reverse alias.
    Reply,
}

/// Where a report would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnPath<'a> {
    /// `<>`.
    Null,
    /// It may be anybody's.
    Unproven,
    /// Its owner has sent the message.
    Proven(&'a Address),
}

impl<'a> ReturnPath<'a> {
    /// The return path of a message that came with this evidence.
    #[must_use]
    pub fn new(path: &'a ReversePath, evidence: Evidence) -> Self {
        match (path, evidence) {
            (ReversePath::Null, _) => Self::Null,
            (ReversePath::Address(_), Evidence::None) => Self::Unproven,
            (ReversePath::Address(address), Evidence::TrustedNetwork) => Self::Proven(address),
        }
    }
}

/// A recipient of whom there is something to tell.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// Which way.
    pub direction: Direction,
    /// Who would be told.
    pub return_path: ReturnPath<'a>,
    /// What the sender asked for.
    pub asked: &'a RecipientRequest,
    /// The recipient as the sender wrote it: the alias, perhaps with a `+tag`, or the reverse alias.
    pub named: &'a Address,
    /// What happened.
    pub event: &'a Event,
    /// When.
    pub at: Timestamp,
}

/// What happened to a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It was refused for good.
    Failed(Problem),
    /// Its time is over; this was the last answer.
    Expired(Problem),
    /// It waits, for this reason, and is tried until then.
    Delayed(Problem, Timestamp),
    /// The next hop has it. We ask no next hop to report that it has arrived (see [`super::onward`]).
    Relayed,
}

impl Event {
    /// What there is to tell of a recipient after direct delivery; nothing while it is undecided.
    #[must_use]
    pub fn of(fate: &Fate) -> Option<Self> {
        match fate {
            Fate::Accepted => Some(Self::Relayed),
            Fate::Undecided => None,
            Fate::Rejected(code, enhanced) => Some(Self::Failed(Problem::of_next_hop(*code, *enhanced))),
            Fate::Refused(reply) => reply.is_permanent().then(|| Self::Failed(Problem::from(reply))),
        }
    }
}

/// Why a recipient has not got the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: u16,
    enhanced: Enhanced,
    said: Said,
}

/// Who worded it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// The next hop, or what went wrong on the way to it.
    NextHop { text: Option<String>, host: Option<String> },
    /// We: the text is made for senders.
    Us(String),
}

impl Problem {
    /// Of a next hop, of whose answer only the codes are left.
    #[must_use]
    pub fn of_next_hop(code: u16, enhanced: Enhanced) -> Self {
        Self { code, enhanced, said: Said::NextHop { text: None, host: None } }
    }
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        let (class, subject, detail) = failure.enhanced;
        let said = Said::NextHop { text: Some(failure.text.clone()), host: failure.host.clone() };
        Self { code: failure.code, enhanced: Enhanced(class, subject, detail), said }
    }
}

/// A refusal of our own.
impl From<&Reply> for Problem {
    fn from(reply: &Reply) -> Self {
        let enhanced = reply.enhanced().unwrap_or(Enhanced(5, 0, 0));
        Self { code: reply.code(), enhanced, said: Said::Us(reply.text().to_owned()) }
    }
}

/// Why nobody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The return path is `<>`.
    NullSender,
    /// Nobody knows whose the return path is.
    Unproven,
    /// The sender does not want to hear of this.
    NotAsked,
}

/// What is told of a recipient, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// To whom.
    pub to: Address,
    /// What.
    pub recipient: dsn::Recipient,
}

/// Decides about a report.
///
/// # Errors
/// Why there is none.
pub fn decide(case: &Case<'_>) -> Result<Notice, Silence> {
    let to = match case.return_path {
        ReturnPath::Null => return Err(Silence::NullSender),
        _ if !is_asked(case.asked.notify, case.event) => return Err(Silence::NotAsked),
        ReturnPath::Unproven => return Err(Silence::Unproven),
        ReturnPath::Proven(address) => address.clone(),
    };
    Ok(Notice { to, recipient: words::recipient(case) })
}

fn is_asked(notify: Option<Notify>, event: &Event) -> bool {
    let asked = notify.unwrap_or(Notify { success: false, failure: true, delay: true });
    match event {
        Event::Failed(_) | Event::Expired(_) => asked.failure,
        Event::Delayed(..) => asked.delay,
        Event::Relayed => asked.success,
    }
}

/// What all notices about one transaction have in common.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    /// Our name.
    pub hostname: &'a DomainName,
    /// Now.
    pub now: Timestamp,
    /// What stands before the `@` of the report's `Message-ID`.
    pub id: &'a str,
    /// Unpredictable text of letters and digits.
    pub boundary: &'a str,
    /// When the message came.
    pub arrival: Timestamp,
    /// What the sender asked for.
    pub asked: &'a MessageRequest,
    /// The header section that the sender sent, with the empty line that ends it.
    pub head: &'a Bytes,
    /// The body.
    pub body: &'a Bytes,
}

impl Letter<'_> {
    /// One report with all of these notices, which go to the same sender; it is sent with the return path `<>`. None when
    /// there is nothing to tell.
    #[must_use]
    pub fn compose(&self, notices: &[Notice]) -> Option<(Address, Content)> {
        let to = &notices.first()?.to;
        let recipients: Vec<_> = notices.iter().map(|notice| notice.recipient.clone()).collect();
        let wanted = match self.asked.ret {
            None | Some(Ret::Full) => Returned::Full,
            Some(Ret::Headers) => Returned::Headers,
        };
        let report = Report {
            reporting_mta: self.hostname,
            to,
            date: self.now,
            id: self.id,
            boundary: self.boundary,
            arrival: self.arrival,
            envelope_id: self.asked.envid.as_ref().map(|id| id.as_str()),
            recipients: &recipients,
            original: Original { head: self.head, body: self.body, wanted },
        };
        let dsn::Composed { head, body, eight_bit, smtputf8 } = report.compose();
        Some((to.clone(), Content { head, body, eight_bit, smtputf8 }))
    }
}

/// How a report names what happened.
fn action(event: &Event) -> Action {
    match event {
        Event::Failed(_) | Event::Expired(_) => Action::Failed,
        Event::Delayed(_, until) => Action::Delayed(*until),
        Event::Relayed => Action::Relayed,
    }
}

/// The status of a report; its class goes with what happened, whatever a remote host has said.
fn status(event: &Event) -> Enhanced {
    match event {
        Event::Failed(problem) => in_class(5, problem.enhanced),
        Event::Expired(_) => EXPIRED,
        Event::Delayed(problem, _) => in_class(4, problem.enhanced),
        Event::Relayed => Enhanced(2, 0, 0),
    }
}

fn in_class(class: u8, enhanced: Enhanced) -> Enhanced {
    if enhanced.0 == class { enhanced } else { Enhanced(class, 0, 0) }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

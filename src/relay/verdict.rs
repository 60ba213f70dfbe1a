//! From what became of each delivery to the one reply that the sender gets (SMTP has one for all recipients).
//!
//! Until there is a queue, 250 is said only when the next hop has taken everything that was not refused for good; what
//! is undecided stays with the sender, as a 451. The texts of remote servers never reach the sender: they may name the
//! mailbox. Only their codes do.

use crate::mail::Address;
use crate::smtp::{Enhanced, Failure, Reply};

use super::ports::Outcome;
use super::transaction::TransactionId;

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Somebody has it.
    Accepted,
    /// Not now; the detail is the enhanced code of the telling failure.
    Pending(Enhanced),
    /// Never, with this basic and enhanced code.
    Rejected(u16, Enhanced),
    /// Refused by our own decision, with this reply.
    Refused(Reply),
}

impl Fate {
    /// The fate of a recipient from its deliveries: it has accepted when one of them arrived and none is undecided. Without
    /// deliveries nobody has it.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        if outcomes.is_empty() {
            return Self::Pending(Enhanced(4, 3, 0));
        }
        if let Some(failure) = outcomes.iter().find_map(undecided) {
            return Self::Pending(temporary(failure));
        }
        let refusal = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Rejected(failure) => Some(failure),
            _ => None,
        });
        let delivered = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Delivered(_)));
        match refusal {
            Some(failure) if !delivered => Self::Rejected(permanent_code(failure), permanent(failure)),
            _ => Self::Accepted,
        }
    }

    /// Whether the sender has to come again for this recipient.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending().is_some()
    }

    /// The enhanced code with which the sender is asked to come again.
    fn pending(&self) -> Option<Enhanced> {
        match self {
            Self::Pending(enhanced) => Some(*enhanced),
            Self::Refused(reply) if reply.is_transient() => {
                Some(reply.enhanced().unwrap_or(Enhanced(4, 0, 0)))
            }
            _ => None,
        }
    }
}

fn undecided(outcome: &Outcome) -> Option<&Failure> {
    match outcome {
        Outcome::Deferred(failure) | Outcome::Uncertain(failure) => Some(failure),
        Outcome::Delivered(_) | Outcome::Rejected(_) => None,
    }
}

/// The failure's enhanced code in class 4; a general one when it is of another class.
fn temporary(failure: &Failure) -> Enhanced {
    match failure.enhanced {
        (4, subject, detail) => Enhanced(4, subject, detail),
        _ => Enhanced(4, 4, 0),
    }
}

/// The failure's enhanced code in class 5; a general one when it is of another class.
fn permanent(failure: &Failure) -> Enhanced {
    match failure.enhanced {
        (5, subject, detail) => Enhanced(5, subject, detail),
        _ => Enhanced(5, 0, 0),
    }
}

fn permanent_code(failure: &Failure) -> u16 {
    if (500..600).contains(&failure.code) { failure.code } else { 554 }
}

/// The reply to the final dot. `fates` are the recipients under the names that the sender used.
#[must_use]
pub fn conclude(fates: &[(Address, Fate)], id: TransactionId) -> Reply {
    let undecided = |(address, fate): &'_ (Address, Fate)| Some((address.clone(), fate.pending()?));
    if let Some((address, enhanced)) = fates.iter().find_map(undecided) {
        let text = format!("{address} cannot be reached for now, try again later ({id})");
        return Reply::new(451, enhanced, text);
    }
    let refused: Vec<_> = fates.iter().filter(|(_, fate)| *fate != Fate::Accepted).collect();
    match refused.as_slice() {
        [] => Reply::new(250, Enhanced(2, 0, 0), format!("accepted as {id}")),
        [first, ..] if refused.len() == fates.len() => refusal(first, id),
        some => partial_refusal(some, id),
    }
}

fn refusal((address, fate): &(Address, Fate), id: TransactionId) -> Reply {
    match fate {
        Fate::Refused(reply) => reply.clone(),
        Fate::Rejected(code, enhanced) => {
            Reply::new(*code, *enhanced, format!("the destination of {address} refused the message ({id})"))
        }
        Fate::Accepted | Fate::Pending(_) => {
            Reply::new(554, Enhanced(5, 0, 0), format!("not accepted ({id})"))
        }
    }
}

/// Some recipients have the message and some never will. The sender's server reports a 5xx to its user; the text says
/// which recipients it is about.
fn partial_refusal(refused: &[&(Address, Fate)], id: TransactionId) -> Reply {
    let names: Vec<String> = refused.iter().map(|(address, _)| address.to_string()).collect();
    let text = format!("refused for {}; delivered to every other recipient ({id})", names.join(", "));
    Reply::new(554, Enhanced(5, 0, 0), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Timestamp;
    use crate::smtp::{Delivered, Words};

    fn failure(code: u16, enhanced: (u8, u16, u16)) -> Failure {
        Failure {
            code,
            enhanced,
            text: "me@example.net is unknown".to_owned(),
            words: Words::Theirs,
            host: None,
        }
    }

    fn delivered() -> Outcome {
        Outcome::Delivered(Delivered { host: "mx.example.net".to_owned(), reply: "250 ok".to_owned() })
    }

    fn said(fates: &[Fate]) -> String {
        let named: Vec<_> = fates
            .iter()
            .enumerate()
            .map(|(n, fate)| (Address::parse(&format!("a{n}@example.com")).unwrap(), fate.clone()))
            .collect();
        let mut wire = Vec::new();
        conclude(&named, TransactionId::new(Timestamp::EPOCH, [0; 10])).write_to(&mut wire);
        String::from_utf8(wire).unwrap()
    }

    #[test]
    fn one_mailbox_is_enough_unless_another_is_undecided() {
        let rejected = || Outcome::Rejected(failure(550, (5, 1, 1)));
        let deferred = || Outcome::Deferred(failure(450, (4, 2, 1)));
        assert_eq!(Fate::of(&[delivered(), rejected()]), Fate::Accepted);
        assert_eq!(Fate::of(&[delivered(), deferred()]), Fate::Pending(Enhanced(4, 2, 1)));
        assert_eq!(Fate::of(&[rejected(), rejected()]), Fate::Rejected(550, Enhanced(5, 1, 1)));
        assert_eq!(
            Fate::of(&[Outcome::Uncertain(failure(451, (4, 4, 2)))]),
            Fate::Pending(Enhanced(4, 4, 2))
        );
        assert!(Fate::of(&[]).is_pending());
    }

    #[test]
    fn a_strange_code_of_a_remote_server_keeps_its_class() {
        assert_eq!(
            Fate::of(&[Outcome::Rejected(failure(599, (4, 1, 1)))]),
            Fate::Rejected(599, Enhanced(5, 0, 0))
        );
        assert_eq!(
            Fate::of(&[Outcome::Rejected(failure(250, (2, 0, 0)))]),
            Fate::Rejected(554, Enhanced(5, 0, 0))
        );
        assert_eq!(Fate::of(&[Outcome::Deferred(failure(550, (5, 1, 1)))]), Fate::Pending(Enhanced(4, 4, 0)));
    }

    #[test]
    fn the_sender_hears_codes_and_never_the_remote_text() {
        let rejected = Fate::Rejected(552, Enhanced(5, 2, 2));
        let text = said(std::slice::from_ref(&rejected));
        assert!(text.starts_with("552 5.2.2 the destination of a0@example.com refused"), "{text}");
        let mixed = said(&[Fate::Accepted, rejected.clone()]);
        assert!(mixed.starts_with("554 5.0.0 refused for a1@example.com;"), "{mixed}");
        let undecided = said(&[rejected, Fate::Pending(Enhanced(4, 2, 1))]);
        assert!(undecided.starts_with("451 4.2.1 a1@example.com"), "{undecided}");
        assert!(said(&[Fate::Accepted, Fate::Accepted]).starts_with("250 2.0.0 accepted as 0000"));
    }
}

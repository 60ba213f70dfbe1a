//! From what became of each delivery to the one reply that the sender gets (SMTP has one for all recipients).
//!
//! The texts of remote servers never reach the sender: they may name the mailbox. Only their codes do.

use crate::mail::Address;
use crate::smtp::{Enhanced, Failure, Reply};

use super::blame::is_about_us;
use super::ports::Outcome;
use super::transaction::TransactionId;

/// What became of one recipient while the sender waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Somebody has it.
    Accepted,
    /// Nobody has it yet, and it is tried again.
    Undecided,
    /// Never, with this basic and enhanced code.
    Rejected(u16, Enhanced),
    /// Refused by our own decision, with this reply.
    Refused(Reply),
}

impl Fate {
    /// The fate of a recipient from its deliveries; those that are still under way are `None`. It has accepted when one of
    /// them has arrived.
    #[must_use]
    pub fn of<'a>(outcomes: impl Iterator<Item = Option<&'a Outcome>> + Clone) -> Self {
        if outcomes.clone().any(|outcome| outcome.is_some_and(Outcome::is_delivered)) {
            return Self::Accepted;
        }
        if outcomes.clone().any(|outcome| refusal_of(outcome).is_none()) {
            return Self::Undecided;
        }
        outcomes
            .filter_map(refusal_of)
            .next()
            .map_or(Self::Undecided, |failure| Self::Rejected(permanent_code(failure), permanent(failure)))
    }

    /// Whether the sender keeps the message and comes again.
    fn is_put_off(&self) -> bool {
        matches!(self, Self::Refused(reply) if reply.is_transient())
    }

    fn is_refused(&self) -> bool {
        matches!(self, Self::Rejected(..) | Self::Refused(_))
    }
}

fn refusal_of(outcome: Option<&Outcome>) -> Option<&Failure> {
    match outcome {
        Some(Outcome::Rejected(failure)) => Some(failure),
        _ => None,
    }
}

/// A refusal for good that is about us is put off; the other value says that it was one.
#[must_use]
pub fn put_off_if_about_us(outcome: Outcome) -> (Outcome, bool) {
    match outcome {
        Outcome::Rejected(failure) if is_about_us(&failure) => (Outcome::Deferred(failure), true),
        other => (other, false),
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

/// A recipient when the sender is answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// As the sender wrote it.
    pub named: Address,
    /// What became of it.
    pub fate: Fate,
    /// Its refusal need not stand in the reply: the sender gets a report, or has asked not to hear of it.
    pub is_told_otherwise: bool,
}

/// The reply to the final dot.
#[must_use]
pub fn conclude(answered: &[Answered], id: TransactionId) -> Reply {
    if let Some(put_off) = answered.iter().find(|one| one.fate.is_put_off()) {
        return refusal(put_off, id);
    }
    let refused: Vec<_> = answered.iter().filter(|one| one.fate.is_refused()).collect();
    if let [first, ..] = refused.as_slice()
        && refused.len() == answered.len()
    {
        return refusal(first, id);
    }
    let untold: Vec<_> = refused.iter().filter(|one| !one.is_told_otherwise).map(|one| &one.named).collect();
    if untold.is_empty() { accepted(id) } else { partial_refusal(&untold, id) }
}

/// The message is safe here, or where it should go.
#[must_use]
pub fn accepted(id: TransactionId) -> Reply {
    Reply::new(250, Enhanced(2, 0, 0), format!("accepted as {id}"))
}

/// What could not be delivered at once could not be kept either.
#[must_use]
pub fn not_kept(id: TransactionId) -> Reply {
    Reply::new(451, Enhanced(4, 3, 0), format!("the message cannot be stored now, try again later ({id})"))
}

/// The same message is under way on another connection.
#[must_use]
pub fn under_way(id: TransactionId) -> Reply {
    let text = format!("this message is being delivered already, try again later ({id})");
    Reply::new(451, Enhanced(4, 3, 0), text)
}

fn refusal(answered: &Answered, id: TransactionId) -> Reply {
    match &answered.fate {
        Fate::Refused(reply) => reply.clone(),
        Fate::Rejected(code, enhanced) => {
            let named = &answered.named;
            Reply::new(*code, *enhanced, format!("the destination of {named} refused the message ({id})"))
        }
        Fate::Accepted | Fate::Undecided => accepted(id),
    }
}

/// Some recipients have the message or will be tried again, and some never get it, of which the sender can learn in no
/// other way. Its server reports a 5xx to its user; the text says which recipients it is about.
fn partial_refusal(refused: &[&Address], id: TransactionId) -> Reply {
    let names: Vec<String> = refused.iter().map(|address| address.to_string()).collect();
    let text = format!("refused for {}; accepted for every other recipient ({id})", names.join(", "));
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

    fn fate(outcomes: &[Outcome]) -> Fate {
        Fate::of(outcomes.iter().map(Some))
    }

    fn said(fates: &[(Fate, bool)]) -> String {
        let answered: Vec<_> = fates
            .iter()
            .enumerate()
            .map(|(n, (fate, told))| Answered {
                named: Address::parse(&format!("a{n}@example.com")).unwrap(),
                fate: fate.clone(),
                is_told_otherwise: *told,
            })
            .collect();
        let mut wire = Vec::new();
        conclude(&answered, TransactionId::new(Timestamp::EPOCH, [0; 10])).write_to(&mut wire);
        String::from_utf8(wire).unwrap()
    }

    #[test]
    fn one_mailbox_is_enough_and_the_last_one_decides() {
        let rejected = || Outcome::Rejected(failure(550, (5, 1, 1)));
        let deferred = || Outcome::Deferred(failure(450, (4, 2, 1)));
        let uncertain = || Outcome::Uncertain(failure(451, (4, 4, 2)));
        assert_eq!(fate(&[delivered(), rejected()]), Fate::Accepted);
        assert_eq!(fate(&[deferred(), delivered()]), Fate::Accepted);
        assert_eq!(fate(&[rejected(), rejected()]), Fate::Rejected(550, Enhanced(5, 1, 1)));
        for open in [deferred(), uncertain()] {
            assert_eq!(fate(&[rejected(), open]), Fate::Undecided);
        }
        assert_eq!(Fate::of([Some(&rejected()), None].into_iter()), Fate::Undecided);
    }

    #[test]
    fn a_strange_code_of_a_remote_server_keeps_its_class() {
        let rejected = |code, enhanced| fate(&[Outcome::Rejected(failure(code, enhanced))]);
        assert_eq!(rejected(599, (4, 1, 1)), Fate::Rejected(599, Enhanced(5, 0, 0)));
        assert_eq!(rejected(250, (2, 0, 0)), Fate::Rejected(554, Enhanced(5, 0, 0)));
    }

    #[test]
    fn a_refusal_of_us_is_put_off() {
        let about_us = Outcome::Rejected(failure(550, (5, 7, 25)));
        assert!(matches!(put_off_if_about_us(about_us), (Outcome::Deferred(_), true)));
        for other in [Outcome::Rejected(failure(550, (5, 1, 1))), delivered()] {
            assert_eq!(put_off_if_about_us(other.clone()), (other, false));
        }
    }

    #[test]
    fn the_sender_hears_codes_and_never_the_remote_text() {
        let rejected = Fate::Rejected(552, Enhanced(5, 2, 2));
        let text = said(&[(rejected.clone(), true)]);
        assert!(text.starts_with("552 5.2.2 the destination of a0@example.com refused"), "{text}");
        let mixed = said(&[(Fate::Accepted, false), (rejected.clone(), false), (Fate::Undecided, false)]);
        assert!(mixed.starts_with("554 5.0.0 refused for a1@example.com; accepted for"), "{mixed}");
        let told = said(&[(Fate::Undecided, false), (rejected.clone(), true)]);
        assert!(told.starts_with("250 2.0.0 accepted as 0000"), "{told}");
        assert!(said(&[(Fate::Accepted, false)]).starts_with("250 2.0.0 accepted as 0000"));
        let later = Reply::new(450, Enhanced(4, 2, 1), "later");
        let put_off = said(&[(rejected, true), (Fate::Refused(later), false), (Fate::Accepted, false)]);
        assert!(put_off.starts_with("450 4.2.1 later"), "{put_off}");
    }
}

//! Our words for what a status code says, and the lines of a report that they go into.

use crate::mail::dsn;
use crate::smtp::Enhanced;

use super::{Case, Direction, Event, Problem, Said, action, status};

/// What the codes of RFC 3463 mean to somebody who has sent a message: subject and detail, what happened, what to do.
/// The first row that fits counts; no detail fits all.
#[rustfmt::skip]
const WORDS: &[(u16, Option<u16>, &str, &str)] = &[
    (1, Some(2),  "The destination's domain does not exist or takes no mail.", "Check the part after the @."),
    (1, Some(10), "The destination's domain takes no mail.",                  "Ask for another address."),
    (1, Some(7),  "Your address was not accepted.",                           "Check the address that you send from."),
    (1, Some(8),  "Your address was not accepted.",                           "Check the address that you send from."),
    (1, None,     "The destination does not know this address.",              "Check the address for mistakes, or ask for another one."),
    (2, Some(1),  "The destination is switched off.",                         "Try again later, or ask for another address."),
    (2, Some(2),  "The mailbox there is full.",                               "Try again later."),
    (2, Some(3),  "The message is too large for the destination.",            "Send it in parts, or without attachments."),
    (2, None,     "The destination cannot take mail now.",                    "Try again later."),
    (3, Some(4),  "The message is too large for the destination.",            "Send it in parts, or without attachments."),
    (3, None,     "The mail server there cannot take the message.",           "Try again later."),
    (4, Some(6),  "The message went round in a circle.",                      "Tell the person whom you write to."),
    (4, None,     "The mail server there could not be reached.",              "Try again later."),
    (5, None,     "The mail servers did not understand each other.",          "Try again later; if that fails, tell your postmaster."),
    (6, Some(7),  "An address or header with non-ASCII characters is not taken there.", "Send it from, and to, addresses in plain letters."),
    (6, None,     "The destination does not take messages of this kind.",     "Send it in a plainer form."),
    (7, None,     "The destination did not want the message.",                "Reach the person whom you write to in another way."),
];
const PERMANENT: (&str, &str) =
    ("The destination refused the message.", "Check the address, or ask for another one.");
const TEMPORARY: (&str, &str) = ("The destination did not take the message yet.", "");

/// What is told of a recipient.
pub(super) fn recipient(case: &Case<'_>) -> dsn::Recipient {
    let Enhanced(class, subject, detail) = status(case.event);
    let problem = problem(case.event);
    dsn::Recipient {
        original: case.asked.orcpt.as_ref().map(|o| (o.kind().to_owned(), o.address().to_owned())),
        address: case.named.clone(),
        action: action(case.event),
        status: (class, subject, detail),
        remote_mta: problem.and_then(|problem| remote_mta(case.direction, problem)),
        diagnostic: problem.map(|problem| diagnostic(case.direction, problem)),
        last_attempt: Some(case.at),
        reason: reason(case),
    }
}

fn problem(event: &Event) -> Option<&Problem> {
    match event {
        Event::Failed(problem) | Event::Expired(problem) | Event::Delayed(problem, _) => Some(problem),
        Event::Relayed => None,
    }
}

/// The host that said no; only an owner may know it.
fn remote_mta(direction: Direction, problem: &Problem) -> Option<String> {
    match (direction, &problem.said) {
        (Direction::Reply, Said::NextHop { host: Some(host), .. }) => Some(host_name(host).to_owned()),
        _ => None,
    }
}

/// `mx.example.net[192.0.2.1]:25` without address and port.
fn host_name(label: &str) -> &str {
    match label.split_once('[') {
        Some((name, _)) if !name.is_empty() => name,
        _ => label,
    }
}

/// The codes, and the text if this sender may read it, else ours.
fn diagnostic(direction: Direction, problem: &Problem) -> String {
    let text = match (direction, &problem.said) {
        (_, Said::Us(text)) | (Direction::Reply, Said::NextHop { text: Some(text), .. }) => text,
        (_, Said::NextHop { .. }) => meaning(problem.enhanced).0,
    };
    format!("{} {} {text}", problem.code, problem.enhanced)
}

/// For a person: what happened and why, the code, what to do.
fn reason(case: &Case<'_>) -> String {
    match case.event {
        Event::Relayed => String::new(),
        Event::Failed(problem) => {
            let (what, advice) = explained(problem);
            format!("{what} ({}) {advice}", status(case.event))
        }
        Event::Expired(problem) => {
            let (what, _) = explained(problem);
            format!("It was tried again and again until its time was over. {what} ({})", problem.enhanced)
        }
        Event::Delayed(problem, _) => {
            let (what, _) = explained(problem);
            format!("{what} ({})", status(case.event))
        }
    }
}

fn explained(problem: &Problem) -> (&str, &str) {
    match &problem.said {
        Said::Us(text) => (text, ""),
        Said::NextHop { .. } => meaning(problem.enhanced),
    }
}

fn meaning(Enhanced(class, subject, detail): Enhanced) -> (&'static str, &'static str) {
    let fits = |(s, d, ..): &&(u16, Option<u16>, _, _)| *s == subject && d.is_none_or(|d| d == detail);
    match WORDS.iter().find(fits) {
        Some((_, _, what, advice)) => (what, advice),
        None if class == 5 => PERMANENT,
        None => TEMPORARY,
    }
}

//! The part for people: what happened, to which address, what they can do.

use super::original::{self, Returned, is_plain};
use super::{Action, Part, Recipient, Report};
use crate::mail::fold::without_controls;
use crate::mail::quoted_printable;

/// Lines are broken here, where there is a space.
const WIDTH: usize = 72;

pub(super) fn subject(worst: Action) -> &'static str {
    match worst {
        Action::Failed => "Your message could not be delivered",
        Action::Delayed(_) => "Your message is delayed",
        Action::Relayed => "Your message was passed on",
        Action::Delivered => "Your message was delivered",
    }
}

pub(super) fn part(report: &Report<'_>) -> Part {
    let text = write(report).into_bytes();
    if is_plain(&text) {
        return Part { content_type: "text/plain; charset=us-ascii", encoding: "7bit", content: text };
    }
    let content = quoted_printable::encode(&text);
    Part { content_type: "text/plain; charset=utf-8", encoding: "quoted-printable", content }
}

fn write(report: &Report<'_>) -> String {
    let mut out = String::new();
    let mut sorted: Vec<&Recipient> = report.recipients.iter().collect();
    sorted.sort_by_key(|recipient| recipient.action);
    for group in sorted.chunk_by(|one, next| one.action == next.action) {
        write_group(&mut out, group);
    }
    let attached = match original::returned(report) {
        Returned::Full => "Your message is attached.",
        Returned::Headers => "The header of your message is attached.",
    };
    wrap(&mut out, "", attached);
    out.push_str(&format!("\r\n-- \r\nThe mail server {}\r\n", report.reporting_mta));
    out
}

/// What all of these have in common, then each of them.
fn write_group(out: &mut String, group: &[&Recipient]) {
    let Some(first) = group.first() else { return };
    wrap(out, "", &opening(first.action));
    for recipient in group {
        out.push_str(&format!("\r\n    <{}>\r\n", recipient.address));
        wrap(out, "    ", &recipient.reason);
    }
    out.push_str("\r\n");
}

fn opening(action: Action) -> String {
    match action {
        Action::Failed => "Your message could not be delivered, and it will not be tried again:".to_owned(),
        Action::Delayed(until) => format!(
            "Your message could not be delivered yet. It will be tried again until {}; you need not send it \
             again:",
            until.to_rfc5322()
        ),
        Action::Relayed => "Your message was taken by the mail server of its destination:".to_owned(),
        Action::Delivered => "Your message was delivered:".to_owned(),
    }
}

/// A paragraph of lines that end within [`WIDTH`] where there is a space; nothing for no words.
fn wrap(out: &mut String, indent: &str, text: &str) {
    let text = without_controls(text);
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && indent.len() + line.len() + 1 + word.len() > WIDTH {
            out.push_str(&format!("{indent}{line}\r\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        out.push_str(&format!("{indent}{line}\r\n"));
    }
}

//! How the demo looks: headings, marks, and two header sections side by side. Colour only on a terminal.

use std::fmt::Write as _;
use std::io::IsTerminal;

use crate::mail::Message;

const LEFT: usize = 52;
const RIGHT: usize = 62;
/// Lines that tell what an encrypted message looks like.
const BEGINNING: usize = 16;

/// How a field of one header section relates to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Same,
    Changed,
    Added,
    Removed,
}

/// Writes for a terminal or for a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    colour: bool,
}

impl View {
    /// As standard output is.
    pub(super) fn of_stdout() -> Self {
        Self { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A numbered step.
    pub(super) fn heading(self, number: usize, text: &str) {
        println!("\n{} {}", self.paint("1;36", &format!("{number}.")), self.paint("1", text));
    }

    /// A line of explanation.
    pub(super) fn say(self, text: &str) {
        println!("   {text}");
    }

    /// Something that held.
    pub(super) fn held(self, text: &str) {
        println!("   {} {text}", self.paint("1;32", "✓"));
    }

    /// Something that did not hold.
    pub(super) fn failed(self, text: &str) {
        println!("   {} {text}", self.paint("1;31", "✗"));
    }

    /// A line of an SMTP dialogue.
    pub(super) fn quote(self, text: &str) {
        println!("   {} {}", self.paint("2", "│"), self.paint("33", text));
    }

    /// Two header sections: what was sent and what arrived.
    pub(super) fn side_by_side(self, titles: [&str; 2], sent: &Message, arrived: &Message) {
        let [left, right] = titles;
        let head = format!("{left:LEFT$}   {right}");
        println!("   {}", self.paint("4", head.trim_end()));
        for (change, old, new) in paired(&fields(sent), &fields(arrived)) {
            self.row(change, &old, &new);
        }
    }

    fn row(self, change: Change, old: &str, new: &str) {
        let (mark, code) = match change {
            Change::Same => (' ', "2"),
            Change::Changed => ('~', "33"),
            Change::Added => ('+', "32"),
            Change::Removed => ('-', "31"),
        };
        let (old, new) = (wrapped(old, LEFT), wrapped(new, RIGHT));
        for line in 0..old.len().max(new.len()) {
            let cell = |side: &[String]| side.get(line).cloned().unwrap_or_default();
            let mark = if line == 0 { mark } else { ' ' };
            let text = format!("{:LEFT$} {mark} {}", cell(&old), cell(&new));
            println!("   {}", self.paint(code, text.trim_end()));
        }
    }

    /// The body of a message, as it arrived.
    pub(super) fn body(self, message: &Message) {
        self.lines_of_body(message, usize::MAX);
    }

    /// The same, when the rest says no more.
    pub(super) fn beginning_of_body(self, message: &Message) {
        self.lines_of_body(message, BEGINNING);
    }

    fn lines_of_body(self, message: &Message, most: usize) {
        let body = message.body();
        let text = String::from_utf8_lossy(&body);
        let (mut lines, bar) = (text.trim_end().lines(), self.paint("2", "│"));
        for line in lines.by_ref().take(most) {
            println!("   {bar} {line}");
        }
        let left = lines.count();
        if left > 0 {
            println!("   {bar} {}", self.paint("2", &format!("({left} more lines)")));
        }
    }
}

/// Each field as one line.
fn fields(message: &Message) -> Vec<String> {
    let one = |raw: &[u8]| String::from_utf8_lossy(raw).split_whitespace().collect::<Vec<_>>().join(" ");
    message.fields().iter().map(|field| one(message.raw_field(field))).collect()
}

/// Fields that belong together: by name, first come first served; what is new comes first, as it does in the message.
fn paired(sent: &[String], arrived: &[String]) -> Vec<(Change, String, String)> {
    let mut rest: Vec<&String> = arrived.iter().collect();
    let mut rows = Vec::new();
    for old in sent {
        let found = rest.iter().position(|new| name(new) == name(old));
        rows.push(match found.map(|at| rest.remove(at)) {
            Some(new) if new == old => (Change::Same, old.clone(), new.clone()),
            Some(new) => (Change::Changed, old.clone(), new.clone()),
            None => (Change::Removed, old.clone(), String::new()),
        });
    }
    let added = rest.into_iter().map(|new| (Change::Added, String::new(), new.clone()));
    added.chain(rows).collect()
}

fn name(field: &str) -> String {
    field.split(':').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Cut into lines of at most `width` characters, at spaces where there are some.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        while line.chars().count() + 1 + word.chars().count() > width {
            if line.trim().is_empty() {
                let at = word.char_indices().nth(width - 2).map_or(word.len(), |(at, _)| at);
                let (start, end) = word.split_at(at);
                let _ = write!(line, "{}{start}", if lines.is_empty() { "" } else { "  " });
                word = end;
            }
            lines.push(std::mem::take(&mut line));
            if word.is_empty() {
                break;
            }
        }
        if word.is_empty() {
            continue;
        }
        let gap = match (line.is_empty(), lines.is_empty()) {
            (true, true) => "",
            (true, false) => "  ",
            (false, _) => " ",
        };
        let _ = write!(line, "{gap}{word}");
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_nothing_is_lost() {
        let long = format!("References: <{}@example.org> <b@example.org>", "a".repeat(80));
        for text in [long.as_str(), "Subject: short", ""] {
            let lines = wrapped(text, 30);
            assert!(lines.iter().all(|line| line.chars().count() <= 30), "{lines:?}");
            let squeezed = |t: &str| t.replace(' ', "");
            assert_eq!(squeezed(&lines.concat()), squeezed(text));
        }
    }

    #[test]
    fn fields_are_paired_by_name() {
        let sent = ["From: a".to_owned(), "To: b".to_owned(), "Bcc: c".to_owned()];
        let arrived = ["Received: x".to_owned(), "From: z".to_owned(), "To: b".to_owned()];
        let changes: Vec<_> = paired(&sent, &arrived).into_iter().map(|(change, ..)| change).collect();
        assert_eq!(changes, [Change::Added, Change::Changed, Change::Same, Change::Removed]);
    }
}

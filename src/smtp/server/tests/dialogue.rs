//! Plays the scripted dialogues of `fixtures/smtp`: `README.md` there has the language.

use std::path::{Path, PathBuf};

use super::*;

#[test]
fn the_scripted_dialogues_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/smtp");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    files.sort();
    assert!(files.len() >= 20, "the dialogues are gone");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for step in [usize::MAX, 1, 7] {
            Play::new(&name, &text, step).run(&text);
        }
    }
}

/// One dialogue while it is played.
struct Play<'a> {
    name: &'a str,
    /// The client's octets go in pieces of so many.
    step: usize,
    driver: Driver,
    /// What the client has said since the last line that is not the client's.
    said: Vec<u8>,
    /// Replies that were not looked at yet.
    heard: String,
}

impl<'a> Play<'a> {
    fn new(name: &'a str, text: &str, step: usize) -> Self {
        let mut settings = settings();
        for line in text.lines() {
            match line.strip_prefix("set ").and_then(|setting| setting.split_once(' ')) {
                Some(("bare_newline", "normalize")) => settings.bare_newline = BareNewline::Normalize,
                Some(("max_errors", number)) => settings.max_errors = number.parse().unwrap(),
                Some(("max_message_size", number)) => settings.max_message_size = number.parse().unwrap(),
                Some((key, _)) => panic!("{name}: there is no setting {key}"),
                None => {}
            }
        }
        Self { name, step, driver: Driver::new(settings), said: Vec::new(), heard: String::new() }
    }

    fn run(mut self, text: &str) {
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{} (pieces of {})", self.name, number + 1, self.step);
            if let Some(text) = line.strip_prefix("C:") {
                self.said.extend_from_slice(text.strip_prefix(' ').unwrap_or(text).as_bytes());
                self.said.extend_from_slice(b"\r\n");
            } else if let Some(text) = line.strip_prefix("C| ") {
                self.said.extend(unescape(text));
            } else if !line.is_empty() && !line.starts_with('#') && !line.starts_with("set ") {
                self.deliver_what_was_said();
                self.check(line, &place);
            }
        }
        self.deliver_what_was_said();
        assert_eq!(self.heard, "", "{}: replies that the script does not have", self.name);
    }

    fn deliver_what_was_said(&mut self) {
        for piece in mem::take(&mut self.said).chunks(self.step) {
            self.driver.feed(piece);
        }
        self.heard.push_str(&self.driver.take_output());
    }

    fn check(&mut self, line: &str, place: &str) {
        if let Some(expected) = line.strip_prefix("S: ") {
            let (reply, rest) = self.heard.split_once("\r\n").unwrap_or((&self.heard, ""));
            assert_eq!(reply, expected, "{place}");
            self.heard = rest.to_owned();
        } else if let Some(expected) = line.strip_prefix("M: ") {
            assert!(!self.driver.delivered.is_empty(), "{place}: no message");
            let body = self.driver.delivered.remove(0).body;
            assert_eq!(
                String::from_utf8_lossy(&body),
                String::from_utf8_lossy(&unescape(expected)),
                "{place}"
            );
        } else {
            self.event(line, place);
        }
    }

    fn event(&mut self, line: &str, place: &str) {
        match line {
            "-- no message" => assert!(self.driver.delivered.is_empty(), "{place}"),
            "-- silence" => assert_eq!(self.heard, "", "{place}"),
            "-- open" => assert!(!self.driver.closed, "{place}"),
            "-- closed" => assert!(self.driver.closed, "{place}"),
            "-- timeout" => self.driver.tell(Input::TimedOut),
            "-- shutdown" => self.driver.tell(Input::ShuttingDown),
            "-- out of memory" => self.driver.tell(Input::OutOfMemory(reply::OUT_OF_MEMORY.clone())),
            "-- no memory" => self.driver.memory = Err(reply::OUT_OF_MEMORY.clone()),
            "-- memory" => self.driver.memory = Ok(()),
            "-- refuse messages" => {
                self.driver.verdict = Reply::new(550, Enhanced(5, 7, 1), "Not for you\nAsk postmaster");
            }
            _ => panic!("{place}: unknown line {line:?}"),
        }
        self.heard.push_str(&self.driver.take_output());
    }
}

/// `\r`, `\n`, `\t`, `\\` and `\xHH`.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'\\' => match rest.next().unwrap() {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            },
            other => other,
        });
    }
    octets
}

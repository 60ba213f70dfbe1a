//! Every way in which a text can be read: one decoding after another, in any order.
//!
//! No decoding knows where it may be used; each is tried wherever its sign occurs. That finds too much rather than too little:
//! nobody writes a mailbox by accident.

mod escapes;
mod lines;
mod words;

use std::collections::HashSet;

use super::{bytes, transfer};

/// Decodings on top of one another.
const MAX_DEPTH: usize = 6;
/// Readings of one text. What is built to have more is decoded far enough.
const MAX_VIEWS: usize = 120;
/// Shorter runs of base64 hold no address.
const SHORTEST_BASE64: usize = 10;

const DECODINGS: [fn(&str) -> Vec<String>; 12] = [
    lines::unfolded,
    lines::flowed,
    lines::quoted_lines_joined,
    quoted_printable,
    words::encoded_words,
    words::continued_parameters,
    words::without_comments,
    escapes::percent,
    escapes::entities,
    escapes::without_tags,
    escapes::backslashes,
    escapes::utf_7,
];

/// The texts and all their readings.
pub fn all(texts: Vec<String>) -> Vec<String> {
    let mut views = Views::default();
    views.add(texts);
    let mut from = 0;
    for _ in 0..MAX_DEPTH {
        let end = views.found.len();
        for at in from..end {
            views.decode(at);
        }
        from = end;
    }
    views.found
}

#[derive(Default)]
struct Views {
    found: Vec<String>,
    seen: HashSet<String>,
    /// Base64 that was decoded already: most readings of a text have the same.
    runs: HashSet<String>,
}

impl Views {
    fn add(&mut self, texts: Vec<String>) {
        for text in texts {
            if self.found.len() < MAX_VIEWS && self.seen.insert(text.clone()) {
                self.found.push(text);
            }
        }
    }

    fn decode(&mut self, at: usize) {
        let text = self.found[at].clone();
        if is_rubbish(&text) {
            return;
        }
        for decode in DECODINGS {
            self.add(decode(&text));
        }
        for run in base64_runs(&text) {
            if self.runs.insert(run.clone()) {
                self.add(bytes::texts(&transfer::base64(run.as_bytes()), &[]));
            }
        }
    }
}

/// What was decoded and is no text is looked at, and decoded no further.
fn is_rubbish(text: &str) -> bool {
    let odd =
        |c: &char| (c.is_control() && !matches!(c, '\t' | '\r' | '\n')) || *c == char::REPLACEMENT_CHARACTER;
    text.chars().filter(odd).count() * 16 > text.len()
}

fn quoted_printable(text: &str) -> Vec<String> {
    if !text.contains('=') {
        return Vec::new();
    }
    bytes::texts(&transfer::quoted_printable(text.as_bytes()), &[])
}

/// All that looks like base64. A run may go over lines that hold nothing else.
fn base64_runs(text: &str) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        let whole = is_base64(line.trim());
        if whole && goes_on {
            runs.last_mut().expect("a run goes on").push_str(line.trim());
        } else {
            runs.extend(line.split(|c: char| !is_base64_char(c)).flat_map(with_path_segments));
        }
        goes_on = whole;
    }
    // Nobody encodes words: without this, every long one would be decoded.
    runs.retain(|run| {
        run.bytes().any(|b| b.is_ascii_uppercase()) && run.bytes().any(|b| b.is_ascii_lowercase())
    });
    runs
}

/// A slash is a digit, or it parts the path of a URL.
fn with_path_segments(word: &str) -> Vec<String> {
    let segments = word.split('/').filter(|segment| segment.len() < word.len());
    let all = segments.chain([word]);
    all.filter(|segment| segment.len() >= SHORTEST_BASE64).map(str::to_owned).collect()
}

fn is_base64(line: &str) -> bool {
    line.len() >= SHORTEST_BASE64 && line.chars().all(is_base64_char)
}

fn is_base64_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=-_".contains(c)
}

//! What the witnesses saw, in one place.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use crate::letter::Letter;
use crate::support::PATIENCE;

/// How a daemon delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Direct,
    Queue,
}

/// A daemon from its start to its end; its place in the record is its name.
#[derive(Debug, Clone)]
pub struct Life {
    /// What it says in `EHLO`.
    pub host: &'static str,
    pub mode: Mode,
    /// The moment before SIGKILL was sent. None while it runs, and when it ended in its order.
    pub killed: Option<Instant>,
}

/// One try of a sender to hand a letter over.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub began: Instant,
    pub ended: Instant,
    /// What the try came to: the first refusal, or the reply to the final dot. None: the connection could not be opened,
    /// or broke.
    pub reply: Option<Reply>,
}

/// A daemon's reply to a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// Its last line, the code included.
    pub text: String,
}

impl Reply {
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Whether the sender does not come again.
    pub fn is_final(&self) -> bool {
        self.is_positive() || self.code >= 500
    }
}

/// A copy of a letter that the next hop has, or a report on one.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The letter that it is, or that it reports on.
    pub letter: usize,
    pub recipient: String,
    pub content: Content,
    /// The daemon that brought it.
    pub life: usize,
    /// When the final dot was there.
    pub arrived: Instant,
    pub answer: Answer,
}

/// What a copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The letter, its body as it was sent.
    Whole,
    /// The letter with another body.
    Damaged,
    /// A report from the null reverse path, with its text.
    Report(String),
}

/// What the next hop said to the final dot of a copy that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, until now or for ever.
    Withheld,
    /// 250, handed to the operating system by then.
    Given(Instant),
    /// It was about to say 250, and the connection was gone.
    PeerGone(Instant),
}

/// Everything that was seen.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub lives: Vec<Life>,
    pub letters: Vec<Letter>,
    /// By the letter's number.
    pub attempts: Vec<Vec<Attempt>>,
    pub arrivals: Vec<Arrival>,
    /// Messages that belong to no letter.
    pub strays: Vec<String>,
}

/// The record that all witnesses share.
#[derive(Debug, Default, Clone)]
pub struct Record(Arc<(Mutex<Seen>, Condvar)>);

impl Record {
    /// All that has been seen until now.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// A look at a part of it.
    pub fn look<T>(&self, part: impl FnOnce(&Seen) -> T) -> T {
        part(&self.lock())
    }

    /// Waits until what has been seen is enough.
    ///
    /// # Panics
    /// When [`PATIENCE`] ends first.
    pub fn until(&self, what: &str, enough: impl Fn(&Seen) -> bool) {
        let (_guard, waited) = self
            .0
            .1
            .wait_timeout_while(self.lock(), PATIENCE, |seen| !enough(seen))
            .expect("no thread panics with the record in its hands");
        assert!(!waited.timed_out(), "waited {PATIENCE:?} in vain: {what}");
    }

    /// A daemon is about to start.
    pub fn begin(&self, host: &'static str, mode: Mode) -> usize {
        let mut seen = self.lock();
        seen.lives.push(Life { host, mode, killed: None });
        seen.lives.len() - 1
    }

    /// A daemon is gone; SIGKILL was sent right after `at`.
    pub fn killed(&self, life: usize, at: Instant) {
        self.lock().lives[life].killed = Some(at);
    }

    /// The daemon that says this in `EHLO` now. Asked before the daemon gets an answer, while it must be alive.
    pub fn life_of(&self, host: &str) -> usize {
        let seen = self.lock();
        seen.lives.iter().rposition(|life| life.host == host).expect("a daemon of this test")
    }

    /// Gives a new letter its number.
    pub fn write(&self, letter: impl FnOnce(usize) -> Letter) -> Letter {
        let mut seen = self.lock();
        let letter = letter(seen.letters.len());
        seen.letters.push(letter.clone());
        seen.attempts.push(Vec::new());
        letter
    }

    pub fn attempted(&self, letter: &Letter, attempt: Attempt) {
        self.lock().attempts[letter.number].push(attempt);
        self.0.1.notify_all();
    }

    /// The next hop has a copy and has not answered yet. Returns its place.
    pub fn arrived(&self, arrival: Arrival) -> usize {
        let mut seen = self.lock();
        seen.arrivals.push(arrival);
        self.0.1.notify_all();
        seen.arrivals.len() - 1
    }

    pub fn answered(&self, arrival: usize, answer: Answer) {
        self.lock().arrivals[arrival].answer = answer;
    }

    /// The next hop has a message that nobody here has written, nor is it about one.
    pub fn strayed(&self, message: &[u8]) {
        self.lock().strays.push(String::from_utf8_lossy(message).into_owned());
    }

    /// The letter of this number, if there is one.
    pub fn letter(&self, number: usize) -> Option<Letter> {
        self.lock().letters.get(number).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.0.lock().expect("no thread panics with the record in its hands")
    }
}

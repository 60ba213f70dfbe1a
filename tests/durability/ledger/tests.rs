//! A ledger that finds nothing wrong is worth what it would have found.

use std::time::{Duration, Instant};

use super::{Balance, MOMENT};
use crate::dice::Dice;
use crate::letter::{ALIASES, Letter};
use crate::record::{Answer, Arrival, Attempt, Content, Life, Mode, Reply, Seen};

const MAILBOX: &str = "inbox-1@example.net";

/// One letter to one mailbox, and two daemons of which the first was killed after ten seconds.
struct Story {
    seen: Seen,
    start: Instant,
}

impl Story {
    fn of(mode: Mode) -> Self {
        let start = Instant::now();
        let mut letter = Letter::write(0, "sender@example.org", &mut Dice::new(1));
        letter.aliases = vec![&ALIASES[0]];
        let killed = Some(start + Duration::from_secs(10));
        let lives = [killed, None].map(|killed| Life { host: "mx.example.com", mode, killed }).to_vec();
        let seen = Seen { lives, letters: vec![letter], attempts: vec![Vec::new()], ..Seen::default() };
        Self { seen, start }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    /// The sender tried for as long, and was told this.
    fn attempt(mut self, began: u64, ended: u64, reply: Option<u16>) -> Self {
        let reply = reply.map(|code| Reply { code, text: code.to_string() });
        let attempt = Attempt { began: self.at(began), ended: self.at(ended), reply };
        self.seen.attempts[0].push(attempt);
        self
    }

    /// The next hop got a copy from this daemon, and answered as it did.
    fn arrival(mut self, life: usize, at: u64, answer: Answer) -> Self {
        let arrival = Arrival {
            letter: 0,
            recipient: MAILBOX.to_owned(),
            content: Content::Whole,
            life,
            arrived: self.at(at),
            answer,
        };
        self.seen.arrivals.push(arrival);
        self
    }

    /// The same with a 250 a millisecond later.
    fn taken(self, life: usize, at: u64) -> Self {
        let given = Answer::Given(self.at(at + 1));
        self.arrival(life, at, given)
    }

    fn report(mut self, text: &str) -> Self {
        self = self.taken(1, 12_000);
        let report = self.seen.arrivals.last_mut().expect("the one just added");
        report.recipient = "sender@example.org".to_owned();
        report.content = Content::Report(text.to_owned());
        self
    }

    fn balance(&self) -> Balance {
        Balance::of(&self.seen)
    }
}

/// Not told, still asked, killed, unexcused.
fn duplicates(story: &Story) -> [usize; 4] {
    let copies = story.balance().copies;
    [copies.not_told, copies.still_asked, copies.killed, copies.unexcused.len()]
}

#[test]
fn an_acknowledged_letter_is_delivered_bounced_or_lost() {
    let acknowledged = || Story::of(Mode::Queue).attempt(0, 5, Some(250));
    let counts = |story: Story| {
        let deliveries = story.balance().deliveries;
        [deliveries.due, deliveries.delivered, deliveries.bounced, deliveries.lost.len()]
    };
    assert_eq!(counts(acknowledged()), [1, 0, 0, 1]);
    assert_eq!(counts(acknowledged().taken(0, 9)), [1, 1, 0, 0]);
    assert_eq!(counts(acknowledged().report("to shop@one.example.com")), [1, 0, 1, 0]);
    assert_eq!(counts(acknowledged().report("to bank@one.example.com")), [1, 0, 0, 1]);
    for reply in [None, Some(451), Some(550)] {
        assert_eq!(counts(Story::of(Mode::Queue).attempt(0, 5, reply)), [0, 0, 0, 0], "{reply:?}");
    }
}

#[test]
fn what_was_not_answered_may_come_again_from_anybody() {
    for (life, at) in [(0, 200), (1, 11_000)] {
        let story = Story::of(Mode::Queue).arrival(0, 100, Answer::Withheld).taken(life, at);
        assert_eq!(duplicates(&story), [1, 0, 0, 0]);
    }
}

#[test]
fn a_kill_excuses_what_was_answered_just_before_it() {
    let moment = u64::try_from(MOMENT.as_millis()).expect("a short time");
    let told = |at| Story::of(Mode::Queue).taken(0, at);
    assert_eq!(duplicates(&told(9990).taken(1, 11_000)), [0, 0, 1, 0]);
    assert_eq!(duplicates(&told(9998 - moment).taken(1, 11_000)), [0, 0, 0, 1], "long before");
    assert_eq!(duplicates(&told(9990).taken(0, 9995)), [0, 0, 0, 1], "the same daemon");
    assert_eq!(duplicates(&told(9990).taken(1, 9995)), [0, 0, 0, 1], "another one while the first lived");
    assert_eq!(duplicates(&told(9990).taken(1, 11_000).taken(1, 30_000)), [0, 0, 1, 1], "and once more");
}

#[test]
fn only_a_kill_excuses_a_connection_that_was_gone() {
    let story = Story::of(Mode::Queue);
    let gone = Answer::PeerGone(story.at(10_500));
    assert_eq!(duplicates(&story.arrival(0, 9000, gone).taken(1, 11_000)), [0, 0, 1, 0]);
    let story = Story::of(Mode::Queue);
    let gone = Answer::PeerGone(story.at(500));
    assert_eq!(duplicates(&story.arrival(1, 400, gone).taken(1, 11_000)), [0, 0, 0, 1]);
}

#[test]
fn a_sender_that_was_still_waiting_excuses_direct_mode_only() {
    let story =
        |mode, ended, reply| Story::of(mode).attempt(4000, ended, reply).taken(0, 5000).taken(1, 11_000);
    assert_eq!(duplicates(&story(Mode::Direct, 10_001, None)), [0, 1, 0, 0]);
    assert_eq!(duplicates(&story(Mode::Queue, 10_001, None)), [0, 0, 0, 1]);
    assert_eq!(duplicates(&story(Mode::Direct, 9000, Some(451))), [0, 0, 0, 1], "it had an answer");
}

#[test]
fn damage_shows() {
    let mut story = Story::of(Mode::Queue).attempt(0, 5, Some(250)).taken(0, 9);
    story.balance().must_hold();
    story.seen.arrivals[0].content = Content::Damaged;
    assert_eq!(story.balance().copies.damaged.len(), 1);
}

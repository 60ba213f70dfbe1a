//! The balance at the end: what became of every letter that a sender was told is safe, and which copies are too many.
//!
//! **Lost** is a delivery of an acknowledged letter of which the next hop has no copy and the sender no report.
//!
//! **A second copy needs an excuse**, and the copy before it is where it is looked for. It has one of these:
//!
//! - *Not told*: the next hop never said 250. Nobody at the daemon's side can know that the message is there.
//! - *Still asked*: a daemon in direct mode brought it while the sender waited for the reply to its own final dot, and was
//!   killed before it gave one. Nothing was committed yet: this final dot was in flight, or another one of the letter.
//! - *Killed*: the daemon that brought it was killed at most a [`MOMENT`] after the 250 (or before it). It died with the
//!   final dot in flight, or before it could write the answer down.
//!
//! The last two excuse only what another daemon brought after the kill.
//!
//! The same daemon never has an excuse for a second copy of what it was told 250 for, whatever its clients repeat.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::letter::{Alias, Letter};
use crate::record::{Answer, Arrival, Attempt, Content, Life, Mode, Reply, Seen};

/// How long a daemon may take to write down a 250 that it was told. What it needs is milliseconds; the rest is for a
/// machine that is busy with other tests. It excuses a second copy only across a kill.
const MOMENT: Duration = Duration::from_secs(1);

/// What the record comes to.
#[derive(Debug, Default)]
pub struct Balance {
    lives: Lives,
    letters: Letters,
    deliveries: Deliveries,
    copies: Copies,
}

#[derive(Debug, Default)]
struct Lives {
    direct: usize,
    queue: usize,
    killed: usize,
}

#[derive(Debug, Default)]
struct Letters {
    written: usize,
    acknowledged: usize,
    refused: usize,
    /// Neither: the sender was still trying.
    open: usize,
    attempts: usize,
    without_reply: usize,
    told_to_come_again: usize,
}

/// Of acknowledged letters, one for each mailbox.
#[derive(Debug, Default)]
struct Deliveries {
    due: usize,
    delivered: usize,
    bounced: usize,
    lost: Vec<String>,
}

#[derive(Debug, Default)]
struct Copies {
    arrived: usize,
    reports: usize,
    damaged: Vec<String>,
    strays: Vec<String>,
    not_told: usize,
    still_asked: usize,
    killed: usize,
    unexcused: Vec<String>,
    /// Between a 250 and the kill that excuses its copy.
    longest_moment: Duration,
}

/// Why there may be another copy after this one.
#[derive(Debug, PartialEq, Eq)]
enum Excuse {
    NotTold,
    StillAsked,
    /// So long after the 250.
    Killed(Duration),
}

impl Balance {
    pub fn of(seen: &Seen) -> Self {
        Self {
            lives: Lives::of(&seen.lives),
            letters: Letters::of(seen),
            deliveries: Deliveries::of(seen),
            copies: Copies::of(seen),
        }
    }

    /// Letters that their senders were told are safe.
    pub fn acknowledged(&self) -> usize {
        self.letters.acknowledged
    }

    /// Copies after the first, with and without an excuse.
    pub fn second_copies(&self) -> usize {
        let copies = &self.copies;
        copies.not_told + copies.still_asked + copies.killed + copies.unexcused.len()
    }

    /// # Panics
    /// With what is wrong, when anything is.
    pub fn must_hold(&self) {
        let wrong = [
            ("lost", &self.deliveries.lost),
            ("second copies without an excuse", &self.copies.unexcused),
            ("damaged", &self.copies.damaged),
            ("messages that nobody wrote", &self.copies.strays),
        ];
        let wrong: Vec<String> = wrong
            .into_iter()
            .filter(|(_, cases)| !cases.is_empty())
            .map(|(what, cases)| format!("{} {what}, among them:\n{}", cases.len(), few(cases)))
            .collect();
        assert!(wrong.is_empty(), "{}\n{self}", wrong.join("\n"));
        assert_eq!(self.letters.open, 0, "senders without a final answer although all is well again\n{self}");
    }
}

fn few(cases: &[String]) -> String {
    cases.iter().take(10).map(|case| format!("  {case}")).collect::<Vec<_>>().join("\n")
}

impl Lives {
    fn of(lives: &[Life]) -> Self {
        let count = |wanted: fn(&Life) -> bool| lives.iter().filter(|life| wanted(life)).count();
        Self {
            direct: count(|life| life.mode == Mode::Direct),
            queue: count(|life| life.mode == Mode::Queue),
            killed: count(|life| life.killed.is_some()),
        }
    }
}

impl Letters {
    fn of(seen: &Seen) -> Self {
        let answers = || seen.attempts.iter().filter_map(|attempts| final_answer(attempts));
        let attempts = || seen.attempts.iter().flatten();
        let replies = || attempts().filter_map(|attempt| attempt.reply.as_ref());
        Self {
            written: seen.letters.len(),
            acknowledged: answers().filter(|reply| reply.is_positive()).count(),
            refused: answers().filter(|reply| !reply.is_positive()).count(),
            open: seen.letters.len() - answers().count(),
            attempts: attempts().count(),
            without_reply: attempts().count() - replies().count(),
            told_to_come_again: replies().filter(|reply| !reply.is_final()).count(),
        }
    }
}

fn final_answer(attempts: &[Attempt]) -> Option<&Reply> {
    attempts.iter().filter_map(|attempt| attempt.reply.as_ref()).find(|reply| reply.is_final())
}

impl Deliveries {
    fn of(seen: &Seen) -> Self {
        let mut deliveries = Self::default();
        for letter in &seen.letters {
            if final_answer(&seen.attempts[letter.number]).is_some_and(Reply::is_positive) {
                deliveries.add(letter, seen);
            }
        }
        deliveries
    }

    fn add(&mut self, letter: &Letter, seen: &Seen) {
        let ours: Vec<&Arrival> =
            seen.arrivals.iter().filter(|arrival| arrival.letter == letter.number).collect();
        for alias in &letter.aliases {
            for mailbox in alias.mailboxes {
                self.due += 1;
                if ours.iter().any(|arrival| arrival.recipient == *mailbox) {
                    self.delivered += 1;
                } else if ours.iter().any(|arrival| reports(arrival, letter, alias)) {
                    self.bounced += 1;
                } else {
                    self.lost.push(format!(
                        "to {mailbox} of {}: {}",
                        alias.address,
                        seen.story(letter.number)
                    ));
                }
            }
        }
    }
}

/// Whether the sender was told that the letter did not reach this alias.
fn reports(arrival: &Arrival, letter: &Letter, alias: &Alias) -> bool {
    let about_it = matches!(&arrival.content, Content::Report(text) if text.contains(alias.address));
    about_it && arrival.recipient == letter.sender
}

impl Copies {
    fn of(seen: &Seen) -> Self {
        let mut copies = Self { strays: seen.strays.clone(), ..Self::default() };
        let mut by_delivery: BTreeMap<(usize, &str), Vec<&Arrival>> = BTreeMap::new();
        for arrival in &seen.arrivals {
            match arrival.content {
                Content::Report(_) => copies.reports += 1,
                Content::Damaged => copies.damaged.push(seen.told(arrival)),
                Content::Whole => {}
            }
            if !matches!(arrival.content, Content::Report(_)) {
                by_delivery.entry((arrival.letter, &arrival.recipient)).or_default().push(arrival);
            }
        }
        for same in by_delivery.values_mut() {
            same.sort_by_key(|arrival| arrival.arrived);
            copies.arrived += same.len();
            for pair in same.windows(2) {
                copies.count_second(seen, pair[0], pair[1]);
            }
        }
        copies
    }

    fn count_second(&mut self, seen: &Seen, first: &Arrival, second: &Arrival) {
        match excuse(seen, first, second) {
            Some(Excuse::NotTold) => self.not_told += 1,
            Some(Excuse::StillAsked) => self.still_asked += 1,
            Some(Excuse::Killed(after)) => {
                self.killed += 1;
                self.longest_moment = self.longest_moment.max(after);
            }
            None => self.unexcused.push(format!(
                "{}\n    again: {}\n    {}",
                seen.told(first),
                seen.told(second),
                seen.story(first.letter)
            )),
        }
    }
}

/// The record in words; times are seconds since the first attempt of all.
impl Seen {
    /// What happened at the next hop.
    fn told(&self, arrival: &Arrival) -> String {
        let answer = match arrival.answer {
            Answer::Withheld => "no answer".to_owned(),
            Answer::Given(at) => format!("250 at {}", self.seconds(at)),
            Answer::PeerGone(at) => format!("connection gone at {}", self.seconds(at)),
        };
        let Life { mode, killed, .. } = self.lives[arrival.life];
        let end = killed.map_or("not killed".to_owned(), |at| format!("killed at {}", self.seconds(at)));
        format!(
            "to {} at {}, {answer}, by daemon {} ({mode:?}, {end})",
            arrival.recipient,
            self.seconds(arrival.arrived),
            arrival.life
        )
    }

    /// What its sender was told, with the ids of the transactions.
    fn story(&self, letter: usize) -> String {
        let attempts = self.attempts[letter].iter().map(|attempt| {
            let reply = attempt.reply.as_ref().map_or("no reply", |reply| &reply.text);
            format!("tried from {} to {}: {reply}", self.seconds(attempt.began), self.seconds(attempt.ended))
        });
        format!("letter {letter} {}", attempts.collect::<Vec<_>>().join("; "))
    }

    fn seconds(&self, at: Instant) -> String {
        let start = self.attempts.iter().flatten().map(|attempt| attempt.began).min().unwrap_or(at);
        format!("{:.3}", at.saturating_duration_since(start).as_secs_f64())
    }
}

/// Why there may be this second copy after the first.
fn excuse(seen: &Seen, first: &Arrival, second: &Arrival) -> Option<Excuse> {
    let told = match first.answer {
        Answer::Withheld => return Some(Excuse::NotTold),
        Answer::Given(at) | Answer::PeerGone(at) => at,
    };
    let life = &seen.lives[first.life];
    let killed = life.killed?;
    if second.life == first.life || second.arrived < killed {
        return None;
    }
    if life.mode == Mode::Direct
        && seen.attempts[first.letter].iter().any(|attempt| cut(attempt, first, killed))
    {
        return Some(Excuse::StillAsked);
    }
    let after = killed.saturating_duration_since(told);
    (after <= MOMENT).then_some(Excuse::Killed(after))
}

/// Whether this attempt brought the copy to the daemon, and the kill ended it.
fn cut(attempt: &Attempt, arrival: &Arrival, killed: Instant) -> bool {
    attempt.reply.is_none() && attempt.began <= arrival.arrived && attempt.ended >= killed
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lives, letters, deliveries, copies } = self;
        let Lives { direct, queue, killed } = lives;
        writeln!(f, "  daemons     direct mode {direct}, queue mode {queue}; killed {killed}")?;
        let Letters { written, acknowledged, refused, open, attempts, without_reply, told_to_come_again } =
            letters;
        writeln!(
            f,
            "  letters     {written} = acknowledged {acknowledged} + refused {refused} + open {open}"
        )?;
        writeln!(
            f,
            "  attempts    {attempts}, without a reply {without_reply}, told to come again {told_to_come_again}"
        )?;
        let Deliveries { due, delivered, bounced, lost } = deliveries;
        writeln!(f, "  deliveries  {due} = delivered {delivered} + bounced {bounced} + lost {}", lost.len())?;
        writeln!(f, "  copies      {}, and {} reports", copies.arrived, copies.reports)?;
        writeln!(
            f,
            "  duplicates  {} = not told {} + still asked {} + killed {} + without an excuse {}",
            self.second_copies(),
            copies.not_told,
            copies.still_asked,
            copies.killed,
            copies.unexcused.len()
        )?;
        write!(f, "  longest time from a 250 to the kill that excuses it: {:?}", copies.longest_moment)
    }
}

/// Shows a line while the test runs and also when it passes, past the capture of its output.
pub fn tell(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests;

//! Ten thousand letters that hide mailboxes.

use std::collections::BTreeMap;
use std::thread;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::leaks::{self, Effort, Leak};
use crate::letters::{self, Plan, secrets};

use crate::relay::leaves;

const THREADS: u8 = 4;
/// `ALIASD_TEST_LETTERS` asks for more.
const LETTERS: usize = 10_000;
/// Leaks of a thread whose letter is made smaller until no method can be left out; the others are only counted.
const EXPLAINED: usize = 40;

/// What became of letters.
#[derive(Debug, Default)]
struct Tally {
    letters: usize,
    refused: usize,
    leaking: usize,
    /// By the methods that it takes: how often, and what shows.
    causes: BTreeMap<String, (usize, String)>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.letters += other.letters;
        self.refused += other.refused;
        self.leaking += other.leaking;
        for (cause, (count, example)) in other.causes {
            self.causes.entry(cause).or_insert((0, example)).0 += count;
        }
    }
}

enum Outcome {
    Refused,
    Clean,
    Leaks(Vec<Leak>),
}

fn outcome(plan: &Plan) -> Outcome {
    let Some(left) = leaves(&plan.letter(), plan.owner) else { return Outcome::Refused };
    let leaks = leaks::find(&left, &secrets(plan.owner), Effort::Everything);
    if leaks.is_empty() { Outcome::Clean } else { Outcome::Leaks(leaks) }
}

/// Sends letters; the same number of a thread draws the same ones.
fn send(letters: usize, thread: u8) -> Tally {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[thread; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = letters::plans();
    let mut tally = Tally::default();
    for _ in 0..letters {
        let plan = strategy.new_tree(&mut runner).expect("a plan can always be drawn").current();
        tally.letters += 1;
        match outcome(&plan) {
            Outcome::Refused => tally.refused += 1,
            Outcome::Clean => {}
            Outcome::Leaks(leaks) => {
                tally.leaking += 1;
                if tally.leaking <= EXPLAINED {
                    let (cause, example) = explain(plan, leaks);
                    tally.causes.entry(cause).or_insert((0, example)).0 += 1;
                }
            }
        }
    }
    tally
}

/// The fewest methods that still leak, and what shows then.
fn explain(mut plan: Plan, mut leaks: Vec<Leak>) -> (String, String) {
    let mut at = 0;
    while at < plan.methods.len() {
        let mut fewer = plan.clone();
        fewer.methods.remove(at);
        match outcome(&fewer) {
            Outcome::Leaks(found) => (plan, leaks) = (fewer, found),
            Outcome::Clean | Outcome::Refused => at += 1,
        }
    }
    let shown = leaks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n    ");
    (
        format!("{:?}", plan.methods),
        format!("owner {:?}, seed {}: {shown}", plan.owner.mailboxes[0].address(), plan.seed),
    )
}

fn asked_for() -> usize {
    std::env::var("ALIASD_TEST_LETTERS").map_or(LETTERS, |typed| typed.parse().expect("a number of letters"))
}

#[test]
fn generated_letters_leak_nothing() {
    let share = asked_for().div_ceil(usize::from(THREADS));
    let workers: Vec<_> = (0..THREADS).map(|number| thread::spawn(move || send(share, number))).collect();
    let mut tally = Tally::default();
    for worker in workers {
        tally.add(worker.join().expect("a worker that does not fail"));
    }
    println!("{} letters, {} refused, {} leak", tally.letters, tally.refused, tally.leaking);
    assert!(tally.leaking == 0, "{} of {} letters leak: {:#?}", tally.leaking, tally.letters, tally.causes);
    assert!(tally.refused * 5 <= tally.letters, "{} of {} letters are refused", tally.refused, tally.letters);
}

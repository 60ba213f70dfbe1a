//! The crash ledger: `kill -9` at random instants, under load, with a next hop that may do anything.

use std::time::Duration;

use crate::dice::{self, Dice};
use crate::ledger::{Balance, tell};
use crate::next_hop::{NextHop, Weather};
use crate::node::Node;
use crate::record::{Mode, Record};
use crate::senders::Senders;
use crate::support::daemon::Installation;
use crate::support::database::Engine;

on_both_engines!(no_instant_of_death_loses_a_message);

const KILLS: u64 = 24;
const SENDERS: u64 = 8;
/// The longest that a sender rests between two letters.
const PAUSE: Duration = Duration::from_millis(80);

/// Half of the time the next hop is at its worst.
const WEATHERS: &[Weather] =
    &[Weather::Changing, Weather::Changing, Weather::Changing, Weather::Fair, Weather::Slow, Weather::Away];

fn no_instant_of_death_loses_a_message(engine: Engine) {
    let seed = dice::seed();
    tell(&format!("crash ledger on {engine:?}: ALIASD_TEST_SEED={seed}"));
    let mut dice = Dice::new(seed);
    let record = Record::default();
    let next_hop = NextHop::start(&record, Weather::Changing, dice.for_part(0));
    let mut node = Node::set_up(Installation::new(engine, next_hop.address()), &record, "5s");
    let senders = Senders::start(SENDERS, node.address(), &record, PAUSE, &dice);

    for round in 0..KILLS {
        next_hop.set(dice.pick(WEATHERS));
        live_and_die(&mut node, mode(round), &mut dice);
    }
    next_hop.set(Weather::Fair);
    let last = node.serve(mode(KILLS));
    senders.finish();
    node.drain();
    last.stop();

    let balance = Balance::of(&record.seen());
    tell(&format!("crash ledger on {engine:?}:\n{balance}"));
    balance.must_hold();
    assert!(balance.acknowledged() > 50, "too little was going on to show anything\n{balance}");
}

fn mode(round: u64) -> Mode {
    if round.is_multiple_of(2) { Mode::Direct } else { Mode::Queue }
}

/// A daemon that is killed in its first second and a half, or now and then while it starts.
fn live_and_die(node: &mut Node, mode: Mode, dice: &mut Dice) {
    let (daemon, time) = if dice.one_in(6) {
        (node.start(mode), dice.millis(1, 200))
    } else {
        (node.serve(mode), dice.millis(50, 1500))
    };
    std::thread::sleep(time);
    daemon.kill();
}

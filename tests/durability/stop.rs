//! SIGTERM under load: the daemon ends in its order, keeps no delivery to itself, and the next one goes on at once.

use std::time::Duration;

use crate::dice::{self, Dice};
use crate::ledger::{Balance, tell};
use crate::next_hop::{NextHop, Weather};
use crate::node::Node;
use crate::record::{Mode, Record};
use crate::senders::Senders;
use crate::support::daemon::Installation;
use crate::support::database::Engine;

on_both_engines!(a_stop_under_load_keeps_nothing_and_loses_nothing);

const SENDERS: u64 = 8;
const PAUSE: Duration = Duration::from_millis(20);
/// Copies that each daemon has brought before it is stopped.
const BUSY: usize = 20;
/// Much longer than patience: a delivery whose lease was not given back would not be made in this test.
const LEASE: &str = "1h";

fn a_stop_under_load_keeps_nothing_and_loses_nothing(engine: Engine) {
    let seed = dice::seed();
    tell(&format!("stops on {engine:?}: ALIASD_TEST_SEED={seed}"));
    let dice = Dice::new(seed);
    let record = Record::default();
    let next_hop = NextHop::start(&record, Weather::Slow, dice.for_part(0));
    let mut node = Node::set_up(Installation::new(engine, next_hop.address()), &record, LEASE);
    let senders = Senders::start(SENDERS, node.address(), &record, PAUSE, &dice);

    let left: Vec<usize> = [Mode::Direct, Mode::Queue, Mode::Direct, Mode::Queue]
        .into_iter()
        .map(|mode| live_and_stop(&mut node, mode, &record))
        .collect();
    assert!(left.iter().any(|left| *left > 0), "the queue was empty at each stop, which shows nothing");
    next_hop.set(Weather::Fair);
    let last = node.serve(Mode::Direct);
    senders.finish();
    node.drain();
    last.stop();

    let balance = Balance::of(&record.seen());
    tell(&format!("stops on {engine:?}, deliveries left at each: {left:?}\n{balance}"));
    balance.must_hold();
    // The next hop answers every final dot, and nobody dies: there is no excuse at all.
    assert_eq!(balance.second_copies(), 0, "{balance}");
}

/// A daemon that is stopped while it is busy. Returns how many deliveries it leaves behind.
fn live_and_stop(node: &mut Node, mode: Mode, record: &Record) -> usize {
    let daemon = node.serve(mode);
    let life = daemon.life;
    record.until("the daemon is busy", |seen| {
        seen.arrivals.iter().filter(|arrival| arrival.life == life).count() >= BUSY
    });
    daemon.stop();
    assert_eq!(node.queued("in_flight"), 0, "{:#?}", node.queue());
    node.queue().len()
}

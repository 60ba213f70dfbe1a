//! Two nodes on one database: when one is killed for good, the other delivers what it had accepted.

use crate::dice::{self, Dice};
use crate::ledger::{Balance, tell};
use crate::letter::FICKLE;
use crate::next_hop::{NextHop, Weather};
use crate::node::Node;
use crate::record::{Mode, Record, Seen};
use crate::senders::bring;
use crate::support::daemon::Installation;
use crate::support::database::Engine;

/// That each node accepts.
const LETTERS: usize = 30;

#[test]
#[ignore = "needs MariaDB: run ./test"]
fn a_node_delivers_the_queue_of_a_dead_one() {
    let seed = dice::seed();
    tell(&format!("takeover: ALIASD_TEST_SEED={seed}"));
    let dice = Dice::new(seed);
    let record = Record::default();
    let next_hop = NextHop::start(&record, Weather::Away, dice.for_part(0));
    let mut first = Node::set_up(Installation::new(Engine::MariaDb, next_hop.address()), &record, "5s");
    let mut second = first.another();
    let (one, two) = (first.serve(Mode::Queue), second.serve(Mode::Direct));
    bring(LETTERS, "sender1@example.org", first.address(), &record, &dice.for_part(1));
    bring(LETTERS, "sender2@example.org", second.address(), &record, &dice.for_part(2));

    next_hop.set(Weather::Holding);
    let (dead, heir) = (one.life, two.life);
    record.until("the first node has final dots in flight", |seen| brought_by(seen, dead).count() >= 2);
    one.kill();
    let in_flight: Vec<Delivery> = record.look(|seen| brought_by(seen, dead).collect());
    next_hop.set(Weather::Fair);
    second.drain();
    two.stop();

    let seen = record.seen();
    let balance = Balance::of(&seen);
    tell(&format!("takeover, with {} final dots in flight:\n{balance}", in_flight.len()));
    balance.must_hold();
    assert_eq!(balance.acknowledged(), 2 * LETTERS, "{balance}");
    // Whoever refuses now and then may have refused the second attempt; the balance has a report of it then.
    for delivery in in_flight.iter().filter(|(_, recipient)| recipient != FICKLE) {
        assert!(brought_by(&seen, heir).any(|other| other == *delivery), "{delivery:?} was not tried again");
    }
    assert!(balance.second_copies() <= in_flight.len(), "more came twice than was in flight\n{balance}");
}

/// A letter's number and a mailbox.
type Delivery = (usize, String);

fn brought_by(seen: &Seen, life: usize) -> impl Iterator<Item = Delivery> {
    let of_it = seen.arrivals.iter().filter(move |arrival| arrival.life == life);
    of_it.map(|arrival| (arrival.letter, arrival.recipient.clone()))
}

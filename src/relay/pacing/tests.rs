//! Sites in simulated time: an agenda of events, no clock.

use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    initial: 2,
    most: 20,
    first_pause: Duration::from_secs(4),
    longest_pause: Duration::from_secs(64),
    messages_per_session: 3,
};
/// The number that puts the end of the first pause as late as it can be: 5 seconds.
const RANDOM: u64 = 2_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn begin_all(pacing: &mut Pacing, now: Timestamp) -> Vec<Ticket> {
    std::iter::from_fn(|| (pacing.admit(now) == Admit::Now).then(|| pacing.begin())).collect()
}

fn end_all(pacing: &mut Pacing, tickets: Vec<Ticket>) {
    tickets.into_iter().for_each(|_| pacing.end());
}

/// One round of as many deliveries as are allowed, each of which opens; how many they were.
fn good_round(pacing: &mut Pacing) -> usize {
    let tickets = begin_all(pacing, at(0));
    let begun = tickets.len();
    for ticket in &tickets {
        pacing.opened(*ticket);
    }
    pacing.worked();
    end_all(pacing, tickets);
    begun
}

/// One delivery that fails; the site must admit it.
fn fail(pacing: &mut Pacing, now: Timestamp) {
    assert_eq!(pacing.admit(now), Admit::Now);
    let ticket = pacing.begin();
    pacing.failed(ticket, now, RANDOM);
    pacing.end();
}

fn until(pacing: &Pacing, now: Timestamp) -> Timestamp {
    match pacing.admit(now) {
        Admit::At(until) => until,
        other => panic!("not paused but {other:?}"),
    }
}

#[test]
fn a_site_that_keeps_up_gets_more_up_to_the_cap() {
    let mut pacing = Pacing::new(LIMITS);
    let mut allowed = Vec::new();
    for _ in 0..25 {
        let tickets = begin_all(&mut pacing, at(0));
        allowed.push(tickets.len());
        assert_eq!(pacing.admit(at(0)), Admit::Full);
        tickets.first().into_iter().for_each(|ticket| pacing.opened(*ticket));
        end_all(&mut pacing, tickets);
    }
    assert_eq!(allowed[..4], [2, 3, 4, 5]);
    assert_eq!(allowed[18..], [20; 7]);
}

#[test]
fn openings_under_way_double_the_number() {
    let mut pacing = Pacing::new(LIMITS);
    let mut under_way = begin_all(&mut pacing, at(0));
    assert_eq!(under_way.len(), 2);
    for _ in 0..2 {
        let ticket = under_way[0];
        pacing.opened(ticket);
        under_way.extend(begin_all(&mut pacing, at(0)));
    }
    assert_eq!(under_way.len(), 4);
}

#[test]
fn what_is_not_used_does_not_grow() {
    let mut pacing = Pacing::new(LIMITS);
    for _ in 0..100 {
        let ticket = pacing.begin();
        pacing.opened(ticket);
        pacing.end();
    }
    assert_eq!(begin_all(&mut pacing, at(0)).len(), 2);
}

#[test]
fn failures_of_one_round_count_once_and_halve() {
    let mut pacing = Pacing::new(LIMITS);
    while good_round(&mut pacing) < 20 {}
    let tickets = begin_all(&mut pacing, at(0));
    for ticket in &tickets {
        pacing.failed(*ticket, at(0), RANDOM);
    }
    end_all(&mut pacing, tickets);
    assert_eq!(pacing.admit(at(0)), Admit::Now);
    assert_eq!(begin_all(&mut pacing, at(0)).len(), 10);
}

#[test]
fn growth_is_slow_after_a_failure() {
    let mut pacing = Pacing::new(LIMITS);
    while good_round(&mut pacing) < 20 {}
    fail(&mut pacing, at(0));
    let rounds: Vec<usize> = (0..30).map(|_| good_round(&mut pacing)).collect();
    assert!(rounds.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{rounds:?}");
    assert_eq!(rounds[0], 10);
    let to_the_cap = rounds.iter().position(|allowed| *allowed == 20).unwrap();
    assert!(to_the_cap >= 10, "{rounds:?}");
}

#[test]
fn openings_of_an_earlier_round_do_not_grow_it() {
    let mut pacing = Pacing::new(LIMITS);
    let tickets = begin_all(&mut pacing, at(0));
    pacing.failed(tickets[0], at(0), RANDOM);
    pacing.opened(tickets[1]);
    assert_eq!(pacing.admit(at(0)), Admit::Full);
    end_all(&mut pacing, tickets);
    assert_eq!(begin_all(&mut pacing, at(0)).len(), 1);
}

#[test]
fn the_second_failure_in_a_row_pauses_and_pauses_double() {
    let mut pacing = Pacing::new(LIMITS);
    let mut now = at(0);
    fail(&mut pacing, now);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        fail(&mut pacing, now);
        let end = until(&pacing, now);
        pauses.push((end.as_millis() - now.as_millis()) / 1000);
        assert_eq!(pacing.admit(at(end.as_millis() - 1)), Admit::At(end));
        now = end;
    }
    // The first is exact; in the others the same number falls on another part of a longer spread.
    assert_eq!(pauses[0], 5);
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0] || pair[1] >= 48), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= 80), "{pauses:?}");
}

#[test]
fn after_a_pause_one_connection_asks() {
    let mut pacing = Pacing::new(LIMITS);
    while good_round(&mut pacing) < 20 {}
    fail(&mut pacing, at(0));
    fail(&mut pacing, at(0));
    let end = until(&pacing, at(0));
    assert_eq!(begin_all(&mut pacing, end).len(), 1);
    assert_eq!(pacing.admit(end), Admit::Full);
    pacing.end();
    fail(&mut pacing, end);
    assert!(until(&pacing, end) > end);
}

#[test]
fn a_success_in_between_breaks_the_row() {
    let mut pacing = Pacing::new(LIMITS);
    for second in 0..100 {
        fail(&mut pacing, at(second * 1000));
        pacing.worked();
        assert!(pacing.is_forgettable());
    }
    assert_eq!(pacing.admit(at(100_000)), Admit::Now);
}

#[test]
fn a_clock_that_is_set_back_prolongs_no_pause_beyond_the_longest() {
    let mut pacing = Pacing::new(LIMITS);
    let late = at(1_000_000_000);
    fail(&mut pacing, late);
    fail(&mut pacing, late);
    assert_eq!(until(&pacing, at(0)), at(80_000));
}

#[test]
fn an_admin_ends_a_pause() {
    let mut pacing = Pacing::new(LIMITS);
    fail(&mut pacing, at(0));
    fail(&mut pacing, at(0));
    let first = until(&pacing, at(0));
    pacing.resume();
    fail(&mut pacing, at(0));
    assert!(until(&pacing, at(0)) > first);
}

#[test]
fn sessions_are_bounded() {
    let pacing = Pacing::new(LIMITS);
    assert!(pacing.may_carry_another(2) && !pacing.may_carry_another(3));
}

/// A server that takes `capacity` connections and refuses the others, visited by a queue that never runs dry. Connections
/// last one tick.
#[test]
fn a_server_with_a_limit_is_used_near_its_limit() {
    const CAPACITY: usize = 8;
    const TICKS: i64 = 10_000;
    let mut pacing = Pacing::new(LIMITS);
    let (mut carried, mut refused) = (0, 0);
    for tick in 0..TICKS {
        let now = at(tick * 1000);
        let tickets = begin_all(&mut pacing, now);
        for (position, ticket) in tickets.iter().enumerate() {
            if position < CAPACITY {
                carried += 1;
                pacing.opened(*ticket);
                pacing.worked();
            } else {
                refused += 1;
                pacing.failed(*ticket, now, RANDOM);
            }
        }
        end_all(&mut pacing, tickets);
    }
    let possible = CAPACITY * usize::try_from(TICKS).unwrap();
    assert!(carried * 10 > possible * 6, "{carried} of {possible}");
    assert!(refused * 20 < carried, "{refused} refused, {carried} carried");
}

/// A site that is away for a day is asked seldom, and is back at work within the longest pause.
#[test]
fn a_site_that_is_away_is_asked_seldom() {
    let mut pacing = Pacing::new(LIMITS);
    let mut random = 1_u64;
    let mut asked = 0;
    let day = 24 * 3600;
    for second in 0..day {
        let now = at(second * 1000);
        if pacing.admit(now) == Admit::Now {
            asked += 1;
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let ticket = pacing.begin();
            pacing.failed(ticket, now, random >> 11);
            pacing.end();
        }
    }
    assert!((1000..2000).contains(&asked), "asked {asked} times");
    let back = until(&pacing, at(day * 1000));
    assert!(back.as_millis() <= day * 1000 + 80_000);
    assert_eq!(pacing.admit(back), Admit::Now);
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Begin,
    End,
    Opened(usize),
    Worked,
    Failed(usize, u64),
    Resume,
    Pass(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Begin),
        2 => Just(Event::End),
        3 => any::<usize>().prop_map(Event::Opened),
        1 => Just(Event::Worked),
        2 => (any::<usize>(), any::<u64>()).prop_map(|(which, random)| Event::Failed(which, random)),
        1 => Just(Event::Resume),
        2 => (-100_000..100_000_i64).prop_map(Event::Pass),
    ]
}

proptest! {
    #[test]
    fn bounds_hold_whatever_happens(events in prop::collection::vec(event(), 0..300)) {
        let mut pacing = Pacing::new(LIMITS);
        let mut now = at(1_000_000_000);
        let mut tickets: Vec<Ticket> = Vec::new();
        for event in events {
            let some = |which: usize, tickets: &[Ticket]| tickets.get(which % tickets.len().max(1)).copied();
            match event {
                Event::Begin if pacing.admit(now) == Admit::Now => tickets.push(pacing.begin()),
                Event::Begin => {}
                Event::End => if tickets.pop().is_some() { pacing.end() },
                Event::Opened(which) => if let Some(ticket) = some(which, &tickets) { pacing.opened(ticket) },
                Event::Worked => pacing.worked(),
                Event::Failed(which, random) => if let Some(ticket) = some(which, &tickets) {
                    pacing.failed(ticket, now, random);
                },
                Event::Resume => pacing.resume(),
                Event::Pass(millis) => now = at(now.as_millis() + millis),
            }
            prop_assert!((1..=LIMITS.most).contains(&pacing.allowed));
            prop_assert!(pacing.in_use <= LIMITS.most && pacing.in_use as usize == tickets.len());
            if let Admit::At(until) = pacing.admit(now) {
                prop_assert!(until > now && until.as_millis() - now.as_millis() <= 80_000);
            }
        }
    }
}

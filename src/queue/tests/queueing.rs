//! What is not decided while the sender waits: it is committed, tried again, and ends in one way or another.

use super::*;
use crate::queue::spool::{Order, Spool as _, State, Which};
use crate::smtp::dsn::Notify;

const STRANGER: &str = "198.51.100.1";
const TRUSTED: &str = "192.0.2.9";
const LETTER: &str =
    "From: Jane Doe <jane@example.org>\r\nMessage-ID: <1@example.org>\r\nDate: today\r\n\r\nHi\r\n";

impl World {
    /// Waits until it is so, for days if need be: time passes when everybody waits.
    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..10_000_000 {
            if is_so(self) {
                return;
            }
            sleep(Duration::from_millis(500)).await;
        }
        panic!("never: {what}; rows: {:?}", self.tables.rows.lock());
    }

    pub(super) async fn until_empty(&self) {
        self.until("an empty queue", |world| world.tables.rows.lock().is_empty()).await;
    }

    async fn jane_in_trust_writes(&self, to: &[&str]) -> String {
        self.takes(TRUSTED, "jane@example.org", to, FROM_JANE).await
    }

    /// The reports that went to Jane, as text.
    fn reports(&self) -> Vec<String> {
        let sent = self.sent().into_iter().filter(|delivery| delivery.to == address("jane@example.org"));
        let reports = sent.map(|delivery| {
            assert_eq!(delivery.from, ReversePath::Null);
            String::from_utf8([&delivery.content.head[..], &delivery.content.body[..]].concat()).unwrap()
        });
        reports.collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_deferred_is_kept_and_arrives_later() {
    for (behaviour, state) in [(Behaviour::Defer, State::Deferred), (Behaviour::Doubt, State::Uncertain)] {
        let world = world(Book::of([testing::alias()]));
        world.next_hop("me@example.net", behaviour);
        let reply = world.jane_writes(&["shop@example.com"]).await;
        assert!(reply.starts_with("250 2.0.0 accepted as 0000"), "{reply}");
        assert_eq!((world.tables.states(), world.counted()), (vec![state], vec![]));

        world.hop.behaviour.lock().clear();
        world.until_empty().await;
        assert_eq!(world.went_to(), ["me@example.net"; 2]);
        assert_eq!(world.counted(), [Counted::Forwarded]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_queue_keeps_the_message_as_it_was_composed() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Defer);
    world.jane_writes(&["shop@example.com"]).await;
    world.hop.behaviour.lock().clear();
    world.until_empty().await;
    let [first, second] = world.sent().try_into().unwrap();
    assert_eq!((first.content.head, first.content.body), (second.content.head, second.content.body));
    assert_eq!((first.from, first.to, first.dsn), (second.from, second.to, second.dsn));
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_goes_on_behind_the_answer_and_is_sent_once() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Slow(200));
    let began = Instant::now();
    let reply = world.jane_writes(&["shop@example.com"]).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!((began.elapsed().as_secs(), world.tables.rows.lock().len()), (20, 1));
    world.until_empty().await;
    assert_eq!(world.went_to(), ["me@example.net"], "its lease was renewed, and nobody else took it");
    assert_eq!(world.counted(), [Counted::Forwarded]);
}

#[tokio::test(start_paused = true)]
async fn recipients_whose_turn_did_not_come_in_time_are_kept() {
    let aliases = (0..30).map(|n| Alias {
        id: AliasId(100 + n),
        address: address(&format!("a{n}@example.com")),
        mailboxes: vec![Mailbox {
            address: address(&format!("m{n}@example.net")),
            ..testing::alias().mailboxes.remove(0)
        }],
        ..testing::alias()
    });
    let world = world(Book::of(aliases));
    let to: Vec<_> = (0..30).map(|n| format!("a{n}@example.com")).collect();
    (0..30).for_each(|n| world.next_hop(&format!("m{n}@example.net"), Behaviour::Slow(15)));
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    assert!(world.jane_writes(&to).await.starts_with("250 "));
    world.until_empty().await;
    let mut went_to = world.went_to();
    went_to.sort_unstable();
    went_to.dedup();
    assert_eq!((went_to.len(), world.counted().len()), (30, 30));
}

#[tokio::test(start_paused = true)]
async fn a_later_refusal_is_reported_when_the_return_path_is_proven() {
    for (client, reports) in [(TRUSTED, 1), (STRANGER, 0)] {
        let world = world(Book::of([testing::alias()]));
        world.next_hop("me@example.net", Behaviour::Defer);
        world.takes(client, "jane@example.org", &["shop@example.com"], FROM_JANE).await;
        world.sent();
        world.next_hop("me@example.net", Behaviour::Reject);
        world.until_empty().await;
        let told = world.reports();
        assert_eq!(told.len(), reports);
        for report in told {
            assert!(report.contains("Final-Recipient: rfc822; shop@example.com"), "{report}");
            assert!(report.contains("Action: failed") && !report.contains("example.net"), "{report}");
        }
        assert_eq!(world.counted(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_hears_of_a_recipient_as_a_whole() {
    use Behaviour::{Defer, Reject};
    for (me, you, reports) in [
        // One has arrived: that the other never does is nothing to the sender.
        ([None, None], [Some(Defer), Some(Reject)], 0),
        ([Some(Defer), None], [Some(Defer), Some(Reject)], 0),
        // Nobody has it: one report, whoever fails last.
        ([Some(Defer), Some(Reject)], [Some(Defer), Some(Reject)], 1),
        ([Some(Reject), None], [Some(Defer), Some(Reject)], 1),
    ] {
        let world = world(Book::of([two_mailboxes()]));
        let behave = |at: usize| {
            world.hop.behaviour.lock().clear();
            for (to, script) in [("me@example.net", me), ("you@example.net", you)] {
                script[at].into_iter().for_each(|behaviour| world.next_hop(to, behaviour));
            }
        };
        behave(0);
        assert!(world.jane_in_trust_writes(&["shop@example.com"]).await.starts_with("250 "));
        behave(1);
        world.until_empty().await;
        assert_eq!(world.reports().len(), reports, "{me:?} {you:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn some_refused_and_some_delivered_is_told_in_a_report_if_it_may_be() {
    let club = Alias {
        id: AliasId(12),
        address: address("club@example.com"),
        mailboxes: vec![Mailbox {
            id: MailboxId(23),
            address: address("x@example.net"),
            paused: false,
            encrypts: false,
        }],
        ..testing::alias()
    };
    let world = world(Book::of([testing::alias(), club]));
    world.next_hop("x@example.net", Behaviour::Reject);
    let reply = world.jane_in_trust_writes(&["shop@example.com", "club@example.com"]).await;
    assert!(reply.starts_with("250 "), "{reply}");
    world.until_empty().await;
    let [report] = world.reports().try_into().unwrap();
    assert!(report.contains("rfc822; club@example.com") && !report.contains("rfc822; shop@"), "{report}");

    let mut recipients = vec![];
    for to in ["shop@example.com", "club@example.com"] {
        let dsn = RecipientRequest { notify: Notify::parse(b"NEVER"), orcpt: None };
        recipients.push(Accepted { dsn, ..world.begins("jane@example.org", to).await });
    }
    let reply = world.hands_over(STRANGER, "jane@example.org", recipients, FROM_JANE).await;
    assert!(reply.starts_with("250 "), "who wants to hear of nothing hears 250: {reply}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_us_is_put_off_once() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::RejectUs(25));
    assert!(world.jane_in_trust_writes(&["shop@example.com"]).await.starts_with("250 "));
    assert_eq!(world.tables.states(), [State::Deferred]);
    world.until_empty().await;
    let sent = world.sent();
    let [first, second, report] = sent.try_into().unwrap();
    assert_eq!(
        (first.to, second.to, report.to),
        (address("me@example.net"), address("me@example.net"), address("jane@example.org"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_delay_is_told_once_and_the_end_as_well() {
    let schedule = Schedule::new(&[Duration::from_secs(3600)], Duration::from_secs(6 * 3600));
    let world = world_with(Book::of([testing::alias()]), Policy { schedule, ..policy() });
    world.next_hop("me@example.net", Behaviour::Defer);
    world.jane_in_trust_writes(&["shop@example.com"]).await;
    world.until_empty().await;
    assert_eq!(world.intake.station.now().as_millis() / 3_600_000, 6);
    let [delayed, expired] = world.reports().try_into().unwrap();
    assert!(delayed.contains("Action: delayed") && delayed.contains("Status: 4."), "{delayed}");
    assert!(expired.contains("Action: failed") && expired.contains("Status: 4.4.7"), "{expired}");
}

#[tokio::test(start_paused = true)]
async fn success_is_reported_to_who_asks_for_it() {
    for mode in [Mode::Direct, Mode::Queue] {
        let world = world_with(Book::of([two_mailboxes()]), Policy { mode, ..policy() });
        let dsn = RecipientRequest { notify: Notify::parse(b"SUCCESS"), orcpt: None };
        let to = Accepted { dsn, ..world.begins("jane@example.org", "shop@example.com").await };
        world.hands_over(TRUSTED, "jane@example.org", vec![to], FROM_JANE).await;
        world.until_empty().await;
        let reports = world.reports();
        assert!(
            matches!(reports.as_slice(), [report] if report.contains("Action: relayed")),
            "{mode:?} {reports:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_reports_are_given_up_after_a_day_without_another_report() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Defer);
    world.jane_in_trust_writes(&["shop@example.com"]).await;
    world.next_hop("me@example.net", Behaviour::Reject);
    world.next_hop("jane@example.org", Behaviour::Defer);
    world.until_empty().await;
    let age = world.intake.station.now().as_millis() / 3_600_000;
    assert!((24..26).contains(&age), "{age} hours");
}

#[tokio::test(start_paused = true)]
async fn in_queue_mode_the_answer_comes_before_the_delivery() {
    let world = world_with(Book::of([testing::alias()]), Policy { mode: Mode::Queue, ..policy() });
    world.next_hop("me@example.net", Behaviour::Slow(100));
    let began = Instant::now();
    assert!(world.jane_writes(&["shop@example.com"]).await.starts_with("250 "));
    assert_eq!((began.elapsed().as_secs(), world.tables.rows.lock().len()), (0, 1));
    world.until_empty().await;
    assert_eq!(
        (world.went_to(), world.counted()),
        (vec!["me@example.net".to_owned()], vec![Counted::Forwarded])
    );
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_accepted_under_the_first_name_and_not_delivered_again() {
    for mode in [Mode::Direct, Mode::Queue] {
        let world = world_with(Book::of([testing::alias()]), Policy { mode, ..policy() });
        let first = world.takes(STRANGER, "jane@example.org", &["shop@example.com"], LETTER).await;
        let again = world.takes(STRANGER, "jane@example.org", &["shop@example.com"], LETTER).await;
        assert!(first.starts_with("250 ") && first == again, "{first} {again}");
        let other = LETTER.replace("Hi", "Ho");
        assert_ne!(world.takes(STRANGER, "jane@example.org", &["shop@example.com"], &other).await, first);
        world.until_empty().await;
        assert_eq!(world.went_to().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_repetition_of_what_is_being_delivered_waits() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Slow(10));
    let send = || world.takes(STRANGER, "jane@example.org", &["shop@example.com"], LETTER);
    let (first, second) = tokio::join!(send(), send());
    assert!(
        first.starts_with("250 ") && second.starts_with("451 4.3.0 this message is being"),
        "{first} {second}"
    );
    assert_eq!(send().await, first);
    assert_eq!(world.went_to().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_may_come_again() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Reject);
    let send = || world.takes(STRANGER, "jane@example.org", &["shop@example.com"], LETTER);
    assert!(send().await.starts_with("550 "));
    world.hop.behaviour.lock().clear();
    assert!(send().await.starts_with("250 "));
}

#[tokio::test(start_paused = true)]
async fn a_slow_destination_does_not_hold_up_the_others() {
    let mut slow = testing::alias();
    slow.mailboxes[0].address = address("m@slow.example.net");
    let club = Alias { id: AliasId(12), address: address("club@example.com"), ..testing::alias() };
    let world = world_with(Book::of([slow, club]), Policy { mode: Mode::Queue, ..policy() });
    world.next_hop("m@slow.example.net", Behaviour::Slow(60));
    for _ in 0..500 {
        assert!(world.jane_writes(&["shop@example.com"]).await.starts_with("250 "));
    }
    let began = Instant::now();
    world.jane_writes(&["club@example.com"]).await;
    world
        .until("the quick one", |world| {
            world.hop.sent.lock().iter().any(|sent| sent.to == address("me@example.net"))
        })
        .await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    world.until_empty().await;
    assert!(world.hop.most_under_way.load(Ordering::Relaxed) <= 3);
    assert_eq!(world.counted().len(), 501);
    let took = began.elapsed().as_secs();
    assert!(took < 60 * 500 / 2 * 11 / 10, "the slow one was kept busy: {took} s");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_left_alone_costs_no_attempt_and_an_admin_overrides_it() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Defer);
    world.jane_writes(&["shop@example.com"]).await;
    *world.hop.paused_until.lock() = Some(Timestamp::from_millis(7_200_000));
    world
        .until("it was put off", |world| {
            world.tables.rows.lock().values().all(|row| row.new.next_attempt_at.as_millis() == 7_200_000)
        })
        .await;
    assert_eq!(world.tables.rows.lock().values().next().unwrap().new.attempts, 1);
    world.hop.behaviour.lock().clear();
    world.tables.order(Order::Retry, Which::All, world.intake.station.now()).await.unwrap();
    world.until_empty().await;
    assert!(world.intake.station.now().as_millis() < 7_000_000);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_ended_and_made_again() {
    let world = world_with(Book::of([testing::alias()]), Policy { mode: Mode::Queue, ..policy() });
    world.next_hop("me@example.net", Behaviour::Hang);
    world.jane_writes(&["shop@example.com"]).await;
    world.until("an attempt", |world| !world.hop.sent.lock().is_empty()).await;
    world.hop.behaviour.lock().clear();
    world.until_empty().await;
    assert_eq!(world.went_to().len(), 2);
    assert!(world.intake.station.now().as_millis() > 600_000);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_opened_is_set_aside() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Defer);
    world.jane_writes(&["shop@example.com"]).await;
    world.tables.rows.lock().values_mut().for_each(|row| row.new.sealed[40] ^= 1);
    world.until("it is set aside", |world| world.tables.states() == [State::Damaged]).await;
    assert_eq!(world.went_to().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_node_ends_what_is_under_way_and_leaves_the_rest_to_others() {
    let tables = Arc::default();
    let book = || {
        let mut alias = testing::alias();
        alias.mailboxes[0].address = address("m@slow.example.net");
        Arc::new(Book::of([alias]))
    };
    let policy = || Policy { mode: Mode::Queue, ..policy() };
    let first = node_on(book(), Arc::clone(&tables), policy());
    first.next_hop("m@slow.example.net", Behaviour::Slow(10));
    for _ in 0..5 {
        first.jane_writes(&["shop@example.com"]).await;
    }
    first.until("deliveries", |world| world.hop.under_way.load(Ordering::Relaxed) == 2).await;
    first.scheduler.begin_no_more().await;
    first.scheduler.stop(Duration::from_secs(20)).await;
    assert_eq!(first.went_to().len(), 2);
    assert!(tables.rows.lock().values().all(|row| row.new.owner.is_none() && row.new.attempts == 0));
    let second = node_on(book(), tables, policy());
    second.until_empty().await;
    assert_eq!(second.went_to().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_broken_off_and_given_back() {
    let world = world_with(Book::of([testing::alias()]), Policy { mode: Mode::Queue, ..policy() });
    world.next_hop("me@example.net", Behaviour::Hang);
    world.jane_writes(&["shop@example.com"]).await;
    world.until("an attempt", |world| world.hop.under_way.load(Ordering::Relaxed) == 1).await;
    world.scheduler.begin_no_more().await;
    world.scheduler.stop(Duration::from_secs(20)).await;
    assert!(world.tables.rows.lock().values().all(|row| row.new.owner.is_none()));
}

#[tokio::test(start_paused = true)]
async fn what_expires_while_its_destination_is_left_alone_is_given_up_all_the_same() {
    let schedule = Schedule::new(&[Duration::from_secs(3600)], Duration::from_secs(6 * 3600));
    let world = world_with(Book::of([testing::alias()]), Policy { schedule, ..policy() });
    world.next_hop("me@example.net", Behaviour::Defer);
    for _ in 0..3 {
        world.jane_in_trust_writes(&["shop@example.com"]).await;
    }
    *world.hop.paused_until.lock() = Some(Timestamp::from_millis(9 * 3_600_000));
    world
        .until("the reports", |world| world.tables.rows.lock().values().all(|row| row.new.alias.is_none()))
        .await;
    assert_eq!(world.intake.station.now().as_millis() / 3_600_000, 6);
    *world.hop.paused_until.lock() = None;
    world.until_empty().await;
    let expired = world.reports().iter().filter(|report| report.contains("Status: 4.4.7")).count();
    assert_eq!(expired, 3);
}

#[tokio::test(start_paused = true)]
async fn a_repetition_of_what_was_partly_refused_hears_of_it_again() {
    let club = Alias {
        id: AliasId(12),
        address: address("club@example.com"),
        mailboxes: vec![Mailbox {
            id: MailboxId(23),
            address: address("x@example.net"),
            paused: false,
            encrypts: false,
        }],
        ..testing::alias()
    };
    let world = world(Book::of([testing::alias(), club]));
    world.next_hop("x@example.net", Behaviour::Reject);
    let to = ["shop@example.com", "club@example.com"];
    for delivered in [&["me@example.net", "x@example.net"][..], &["x@example.net"]] {
        let reply = world.takes(STRANGER, "jane@example.org", &to, LETTER).await;
        assert!(reply.starts_with("554 5.0.0 refused for club@example.com"), "{reply}");
        assert_eq!(world.went_to(), delivered);
    }
}

//! While the queue's tables cannot be written to.

use super::*;

impl World {
    pub(super) fn fills_up(&self, full: bool) {
        self.tables.full.store(full, Ordering::Relaxed);
    }

    pub(super) async fn until_it_takes_mail(&self) {
        while self.asks("", "shop@example.com").await.is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_stays_with_the_sender_and_is_not_delivered_twice() {
    let world = world(Book::of([two_mailboxes()]));
    world.next_hop("you@example.net", Behaviour::Defer);
    world.fills_up(true);
    let reply = world.jane_writes(&["shop@example.com"]).await;
    assert!(reply.starts_with("451 4.3.0 the message cannot be stored"), "{reply}");
    assert_eq!(world.went_to(), ["me@example.net", "you@example.net"]);
    assert!(said(world.asks("", "shop@example.com").await).starts_with("451 4.3.0 mail cannot be stored"));

    world.fills_up(false);
    world.until_it_takes_mail().await;
    world.hop.behaviour.lock().clear();
    assert!(world.jane_writes(&["shop@example.com"]).await.starts_with("250 "));
    assert_eq!(world.went_to(), ["you@example.net"]);
    assert_eq!(world.counted(), [Counted::Forwarded], "once, although it was accepted at the second try");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_could_not_be_reported_is_reported_at_the_next_try() {
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
    world.fills_up(true);
    let letter = "Message-ID: <1@example.org>\r\nDate: today\r\nFrom: jane@example.org\r\n\r\nHi\r\n";
    let send =
        || world.takes("192.0.2.9", "jane@example.org", &["shop@example.com", "club@example.com"], letter);
    let reply = send().await;
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    world.fills_up(false);
    world.until_it_takes_mail().await;
    let reply = send().await;
    assert!(reply.starts_with("250 "), "{reply}");
    world.until_empty().await;
    let reports = world.sent().iter().filter(|sent| sent.to == address("jane@example.org")).count();
    assert_eq!(reports, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_still_under_way_when_it_could_not_be_kept_is_remembered_when_it_arrives() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Slow(30));
    world.fills_up(true);
    let reply = world.jane_writes(&["shop@example.com"]).await;
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    world.fills_up(false);
    sleep(Duration::from_secs(20)).await;
    assert!(world.jane_writes(&["shop@example.com"]).await.starts_with("250 "));
    assert_eq!(world.went_to(), ["me@example.net"]);
    assert_eq!(world.counted(), [Counted::Forwarded]);
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_is_written_down_as_soon_as_it_can_be() {
    let world = world_with(Book::of([testing::alias()]), Policy { mode: Mode::Queue, ..policy() });
    world.next_hop("me@example.net", Behaviour::Slow(10));
    world.jane_writes(&["shop@example.com"]).await;
    world.fills_up(true);
    sleep(Duration::from_secs(300)).await;
    assert_eq!(world.tables.rows.lock().len(), 1, "its lease has ended long since, and nobody could take it");
    world.fills_up(false);
    sleep(Duration::from_secs(2)).await;
    assert!(world.tables.rows.lock().is_empty());
    assert_eq!(world.went_to(), ["me@example.net"]);
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_is_not_made_again_however_long_the_tables_are_away() {
    let world = world_with(Book::of([testing::alias()]), Policy { mode: Mode::Queue, ..policy() });
    world.next_hop("me@example.net", Behaviour::Slow(10));
    world.jane_writes(&["shop@example.com"]).await;
    world.fills_up(true);
    sleep(Duration::from_secs(1500)).await;
    world.fills_up(false);
    world.until_empty().await;
    assert_eq!(world.went_to(), ["me@example.net"]);
}

#[tokio::test(start_paused = true)]
async fn one_row_that_cannot_be_settled_keeps_neither_the_others_nor_new_mail() {
    let club = Alias { id: AliasId(12), address: address("club@example.com"), ..testing::alias() };
    let world = world_with(Book::of([testing::alias(), club]), Policy { mode: Mode::Queue, ..policy() });
    world.next_hop("me@example.net", Behaviour::Slow(5));
    world.jane_writes(&["shop@example.com"]).await;
    *world.tables.locked.lock() = world.tables.rows.lock().keys().next().copied();
    for _ in 0..10 {
        assert!(world.jane_writes(&["club@example.com"]).await.starts_with("250 "));
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.tables.rows.lock().len(), 1, "the others are over");
    assert!(world.intake.station.gate().is_open());
    *world.tables.locked.lock() = None;
    world.until_empty().await;
    assert_eq!(world.went_to().len(), 11, "nothing went out twice");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_delivered_from_a_queue_that_cannot_be_written_to() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Defer);
    world.jane_writes(&["shop@example.com"]).await;
    world.sent();
    world.fills_up(true);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.went_to(), [""; 0]);
    world.fills_up(false);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.went_to(), ["me@example.net"]);
}

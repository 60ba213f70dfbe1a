//! What must be encrypted, over a locksmith that writes down what was to be hidden.

use super::*;
use crate::relay::openpgp::{CertificateId, Fingerprint, Inspected, Origin, Unusable};
use crate::relay::ports::{Content, KeyWatch, OpenPgp, Warned};

/// Encrypts by turning letters round. A certificate whose data is `broken` cannot be used.
#[derive(Debug)]
pub(super) struct Locksmith;

impl OpenPgp for Locksmith {
    fn inspect(&self, _: &[u8], _: Timestamp) -> Result<Vec<Inspected>, Unusable> {
        Err(Unusable("nothing is read here".to_owned()))
    }

    fn check(&self, certificates: &[Certificate], _: Timestamp) -> Result<(), Unusable> {
        let is_usable = |one: &Certificate| &*one.data != b"broken";
        if certificates.iter().any(is_usable) { Ok(()) } else { Err(Unusable("it is broken".to_owned())) }
    }

    fn encrypt(&self, content: &Content, keys: &[Certificate], now: Timestamp) -> Result<Content, Unusable> {
        // One that breaks between the check and the encryption.
        if keys.iter().any(|one| &*one.data == b"brittle") {
            return Err(Unusable("it has broken".to_owned()));
        }
        self.check(keys, now)?;
        let body: Vec<u8> = content.body.iter().rev().copied().collect();
        let head = [b"Encrypted: yes\r\n".as_slice(), &content.head].concat();
        Ok(Content { head: head.into(), body: body.into(), ..content.clone() })
    }
}

impl KeyWatch for Arc<Book> {
    async fn harvest(
        &self,
        _: AccountId,
        _: &Address,
        _: &Inspected,
        _: bool,
        _: Timestamp,
    ) -> Result<bool, Unavailable> {
        Ok(false)
    }

    async fn expiring(&self, until: Timestamp, told: Warned, _: u32) -> Result<Vec<Expiring>, Unavailable> {
        let expiring = self.expiring.lock();
        Ok(expiring.iter().filter(|one| one.expires_at <= until && one.warned < told).cloned().collect())
    }

    async fn note_warned(&self, seen: &Expiring, told: Warned) -> Result<bool, Unavailable> {
        let mut expiring = self.expiring.lock();
        let found = expiring.iter_mut().find(|one| **one == *seen);
        Ok(found.map(|one| one.warned = told).is_some())
    }

    async fn note_alarm(
        &self,
        _: AccountId,
        mailbox: &Address,
        now: Timestamp,
        not_since: Timestamp,
    ) -> Result<bool, Unavailable> {
        let mut alarms = self.alarms.lock();
        let is_due = alarms.get(mailbox).is_none_or(|last| *last < not_since);
        if is_due {
            alarms.insert(mailbox.clone(), now);
        }
        Ok(is_due)
    }

    async fn mailboxes_to_tell(&self, _: AccountId) -> Result<Vec<Mailbox>, Unavailable> {
        let aliases = self.aliases.lock();
        let mut mailboxes: Vec<_> = aliases.values().flat_map(|alias| alias.mailboxes.clone()).collect();
        mailboxes.sort_by_key(|mailbox| mailbox.id);
        mailboxes.dedup();
        Ok(mailboxes)
    }
}

fn certificate(data: &str, origin: Origin) -> Certificate {
    let fingerprint = Fingerprint::parse(&"a".repeat(40)).unwrap();
    Certificate { fingerprint, data: Arc::from(data.as_bytes()), origin }
}

impl Book {
    fn certify(&self, address_: &str, data: &str, origin: Origin) {
        self.certificates.lock().insert(address(address_), vec![certificate(data, origin)]);
    }

    /// Whether look-ups say that a mailbox has certificates.
    fn mark(&self, mailbox: &str, encrypts: bool) {
        for alias in self.aliases.lock().values_mut() {
            for one in &mut Arc::make_mut(alias).mailboxes {
                if one.address == address(mailbox) {
                    one.encrypts = encrypts;
                }
            }
        }
    }
}

/// `shop@example.com`, which goes to a mailbox with this certificate.
fn with_certificate(data: &str, mode: Mode) -> World {
    let book = Book::of([testing::alias()]);
    book.certify("me@example.net", data, Origin::Imported);
    book.mark("me@example.net", true);
    world_with(book, Policy { mode, ..policy() })
}

/// As [`with_certificate`], with a second mailbox, `you@example.net`, that has none.
fn with_two_mailboxes(data: &str, mode: Mode) -> World {
    let mut alias = testing::alias();
    alias.mailboxes.push(Mailbox {
        id: MailboxId(22),
        address: address("you@example.net"),
        ..alias.mailboxes[0].clone()
    });
    let book = Book::of([alias]);
    book.certify("me@example.net", data, Origin::Imported);
    book.mark("me@example.net", true);
    world_with(book, Policy { mode, ..policy() })
}

fn is_encrypted(delivery: &Delivery) -> bool {
    delivery.content.head.starts_with(b"Encrypted: yes")
}

/// The messages that went to an address, without notices.
fn letters(world: &World, to: &str) -> Vec<Delivery> {
    let sent = world.hop.sent.lock();
    sent.iter().filter(|one| one.to == address(to) && !one.id.ends_with(".notice")).cloned().collect()
}

fn notices(world: &World) -> Vec<Delivery> {
    world.hop.sent.lock().iter().filter(|one| one.id.ends_with(".notice")).cloned().collect()
}

/// The code that Jane hears.
async fn jane_writes(world: &World) -> u16 {
    let reply = world.takes("198.51.100.1", "jane@example.org", &["shop@example.com"], FROM_JANE).await;
    reply[..3].parse().unwrap()
}

/// Until what can be done at once is done.
async fn settle() {
    sleep(Duration::from_secs(2)).await;
}

const BOTH: [Mode; 2] = [Mode::Direct, Mode::Queue];

#[tokio::test(start_paused = true)]
async fn a_mailbox_with_a_certificate_gets_its_mail_encrypted() {
    for mode in BOTH {
        let world = with_certificate("good", mode);
        assert_eq!(jane_writes(&world).await, 250);
        settle().await;
        let sent = letters(&world, "me@example.net");
        assert!(sent.len() == 1 && is_encrypted(&sent[0]), "{mode:?}: {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_encrypted_stays_with_its_sender_and_the_owner_is_told_once() {
    for mode in BOTH {
        let world = with_certificate("broken", mode);
        for _ in 0..3 {
            assert_eq!(jane_writes(&world).await, 451);
            sleep(Duration::from_secs(3600)).await;
        }
        settle().await;
        assert!(letters(&world, "me@example.net").is_empty());
        let told = notices(&world);
        assert_eq!(told.len(), 1, "{told:?}");
        let text = String::from_utf8(told[0].content.body.to_vec()).unwrap();
        assert!(text.contains("it is broken") && !text.contains("shop@") && !text.contains("Hi"), "{text}");
        sleep(DAY).await;
        assert_eq!(jane_writes(&world).await, 451);
        settle().await;
        assert_eq!(notices(&world).len(), 2, "again the next day");
    }
}

#[tokio::test(start_paused = true)]
async fn the_owner_is_told_through_a_mailbox_that_can_be_written_to() {
    let mut alias = testing::alias();
    alias.mailboxes[0].encrypts = true;
    let other = Mailbox {
        id: MailboxId(22),
        address: address("you@example.net"),
        ..testing::alias().mailboxes[0].clone()
    };
    let another = Alias {
        id: AliasId(12),
        address: address("news@example.com"),
        mailboxes: vec![other],
        ..testing::alias()
    };
    let book = Book::of([alias, another]);
    book.certify("me@example.net", "broken", Origin::Imported);
    let world = world(book);
    assert_eq!(jane_writes(&world).await, 451);
    settle().await;
    let told: Vec<_> = notices(&world).into_iter().map(|one| one.to).collect();
    assert_eq!(told, [address("you@example.net")]);
}

#[tokio::test(start_paused = true)]
async fn one_that_breaks_after_the_check_is_not_sent_in_clear_either() {
    let direct = with_certificate("brittle", Mode::Direct);
    assert_eq!(jane_writes(&direct).await, 451);
    let queue = with_certificate("brittle", Mode::Queue);
    assert_eq!(jane_writes(&queue).await, 250);
    settle().await;
    for world in [&direct, &queue] {
        assert!(letters(world, "me@example.net").is_empty());
    }
    queue.book.certify("me@example.net", "good", Origin::Imported);
    sleep(Duration::from_secs(120)).await;
    settle().await;
    let sent = letters(&queue, "me@example.net");
    assert!(sent.len() == 1 && is_encrypted(&sent[0]), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_can_get_it_gets_it_and_the_other_one_waits() {
    for mode in BOTH {
        let world = with_two_mailboxes("broken", mode);
        assert_eq!(jane_writes(&world).await, 250);
        sleep(Duration::from_secs(600)).await;
        settle().await;
        assert!(letters(&world, "me@example.net").is_empty());
        assert_eq!(letters(&world, "you@example.net").len(), 1);
        world.book.certify("me@example.net", "good", Origin::Imported);
        sleep(Duration::from_secs(2 * 3600)).await;
        settle().await;
        let sent = letters(&world, "me@example.net");
        assert!(sent.len() == 1 && is_encrypted(&sent[0]), "{mode:?}: {sent:?}");
        assert_eq!(letters(&world, "you@example.net").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_queue_is_encrypted_when_the_mailbox_wants_it_meanwhile() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Defer);
    assert_eq!(jane_writes(&world).await, 250);
    assert!(!is_encrypted(&letters(&world, "me@example.net")[0]));
    world.hop.sent.lock().clear();
    world.book.certify("me@example.net", "broken", Origin::Imported);
    sleep(Duration::from_secs(2 * 3600)).await;
    settle().await;
    assert!(letters(&world, "me@example.net").is_empty(), "nothing leaves in clear");
    world.book.certify("me@example.net", "good", Origin::Imported);
    world.hop.behaviour.lock().clear();
    sleep(Duration::from_secs(2 * 3600)).await;
    settle().await;
    let sent = letters(&world, "me@example.net");
    assert!(sent.len() == 1 && is_encrypted(&sent[0]), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_while_nobody_can_tell_what_a_mailbox_wants() {
    let world = with_certificate("good", Mode::Queue);
    world.next_hop("me@example.net", Behaviour::Defer);
    assert_eq!(jane_writes(&world).await, 250);
    settle().await;
    world.hop.sent.lock().clear();
    world.book.certificates_down.store(true, Ordering::Relaxed);
    world.hop.behaviour.lock().clear();
    sleep(Duration::from_secs(600)).await;
    assert!(letters(&world, "me@example.net").is_empty());
    world.book.certificates_down.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(2 * 3600)).await;
    let sent = letters(&world, "me@example.net");
    assert!(sent.len() == 1 && is_encrypted(&sent[0]), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn an_expiry_is_told_a_month_ahead_a_week_ahead_and_when_it_comes() {
    let book = Book::of([testing::alias()]);
    let in_days = |days: i64| Timestamp::from_millis(days * 24 * 3_600_000);
    book.expiring.lock().push(Expiring {
        id: CertificateId(1),
        account: testing::alias().account,
        address: address("me@example.net"),
        fingerprint: Fingerprint::parse(&"a".repeat(40)).unwrap(),
        expires_at: in_days(40),
        warned: Warned::Nothing,
    });
    let (start, world) = (Instant::now(), world(book));
    for (day, told) in [(5, 0), (11, 1), (20, 1), (34, 2), (39, 2), (41, 3), (60, 3)] {
        let until = Duration::from_millis(in_days(day).as_millis().unsigned_abs());
        tokio::time::advance((start + until).saturating_duration_since(Instant::now())).await;
        settle().await;
        assert_eq!(notices(&world).len(), told, "day {day}");
    }
}

//! What must be encrypted, over a locksmith that writes down what was to be hidden.

use super::*;
use crate::relay::openpgp::{CertificateId, Fingerprint, Inspected, Origin, Unusable};
use crate::relay::ports::{Content, DiscoveryFailed, KeyDiscovery, KeyWatch, OpenPgp, Warned};

/// Encrypts by turning letters round. A certificate whose data is `broken` cannot be used.
#[derive(Debug)]
pub(super) struct Locksmith;

impl OpenPgp for Locksmith {
    /// A file is the certificate of Jane, by whatever text.
    fn inspect(&self, file: &[u8], _: Timestamp) -> Result<Vec<Inspected>, Unusable> {
        let fingerprint = Fingerprint::parse(&"b".repeat(40)).unwrap();
        let addresses = vec![address("jane@example.org")];
        Ok(vec![Inspected { fingerprint, addresses, expires_at: None, data: file.to_vec() }])
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
        address: &Address,
        found: &Inspected,
        mutual: bool,
        _: Timestamp,
    ) -> Result<bool, Unavailable> {
        self.harvested.lock().push((address.clone(), mutual));
        let data = String::from_utf8(found.data.clone()).unwrap();
        self.certify(&address.to_string(), &data, Origin::Autocrypt { mutual });
        Ok(true)
    }

    async fn keep_found(
        &self,
        _: AccountId,
        address: &Address,
        found: &[Inspected],
        _: Timestamp,
    ) -> Result<(), Unavailable> {
        match found.first() {
            Some(first) => {
                let data = String::from_utf8(first.data.clone()).unwrap();
                self.certify(address.as_normal(), &data, Origin::Wkd);
            }
            None => drop(self.certificates.lock().remove(address)),
        }
        Ok(())
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

impl KeyDiscovery for Arc<Book> {
    async fn discover(&self, address: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let published = self.published.lock().get(address).cloned().unwrap_or_default();
        if published == "away" { Err(DiscoveryFailed(published)) } else { Ok(published.into_bytes()) }
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

const REVERSE: &str = "jane_at_example_org.aaaaaaaaaaaaaaaa@example.com";

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

/// What the owner writes to Jane, from a server of its own.
async fn owner_answers(world: &World) -> String {
    let raw = format!(
        "From: me@example.net\r\nTo: {REVERSE}\r\nMessage-ID: <{}@example.net>\r\n\r\nHello Jane\r\n",
        world.hop.sent.lock().len()
    );
    world.takes("192.0.2.9", "me@example.net", &[REVERSE], &raw).await
}

/// Jane is known to `shop@example.com`.
fn with_jane() -> World {
    let book = Book::of([testing::alias()]);
    let jane = testing::contact();
    book.contacts.lock().insert((jane.alias, jane.address.clone()), jane);
    world(book)
}

#[tokio::test(start_paused = true)]
async fn a_contact_gets_replies_as_its_certificates_want() {
    for (data, origin, expected) in [
        ("good", Origin::Imported, Some(true)),
        ("broken", Origin::Imported, None),
        ("good", Origin::Autocrypt { mutual: true }, Some(true)),
        ("good", Origin::Autocrypt { mutual: false }, Some(false)),
        ("broken", Origin::Autocrypt { mutual: true }, Some(false)),
    ] {
        let world = with_jane();
        world.book.certify("jane@example.org", data, origin);
        let reply = owner_answers(&world).await;
        let sent = letters(&world, "jane@example.org");
        assert_eq!(sent.first().map(is_encrypted), expected, "{data} {origin:?}: {reply}");
        if expected.is_none() {
            assert!(reply.starts_with("451 4.7.5") && reply.contains("it is broken"), "{reply}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_domain_publishes_is_used_from_the_first_reply_on_and_asked_for_once() {
    let world = with_jane();
    world.book.published.lock().insert(address("jane@example.org"), "good".to_owned());
    for _ in 0..3 {
        assert!(owner_answers(&world).await.starts_with("250"));
    }
    let sent = letters(&world, "jane@example.org");
    assert!(sent.len() == 3 && sent.iter().all(is_encrypted), "{sent:?}");
    assert_eq!(world.book.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_domain_published_is_asked_for_again_when_it_is_of_no_use_any_more() {
    let world = with_jane();
    world.book.certify("jane@example.org", "broken", Origin::Wkd);
    world.book.published.lock().insert(address("jane@example.org"), "away".to_owned());
    assert!(owner_answers(&world).await.starts_with("451 4.7.5"), "fail closed");
    world.book.published.lock().insert(address("jane@example.org"), "good".to_owned());
    assert!(owner_answers(&world).await.starts_with("250"));
    assert!(letters(&world, "jane@example.org").iter().all(is_encrypted));
    world.book.certify("jane@example.org", "broken", Origin::Imported);
    assert!(owner_answers(&world).await.starts_with("451 4.7.5"), "what was imported is not replaced");
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_has_taken_back_its_certificate_is_believed() {
    let world = with_jane();
    world.book.certify("jane@example.org", "broken", Origin::Wkd);
    assert!(owner_answers(&world).await.starts_with("250"));
    assert!(!letters(&world, "jane@example.org").iter().any(is_encrypted));
    world.book.certify("jane@example.org", "broken", Origin::Imported);
    assert!(owner_answers(&world).await.starts_with("451 4.7.5"), "what was imported stays");
}

#[tokio::test(start_paused = true)]
async fn what_comes_with_a_message_is_kept_when_its_author_is_proven() {
    let raw = "From: jane@example.org\r\nAutocrypt: addr=jane@example.org; prefer-encrypt=mutual; keydata=Z29vZA==\r\n\r\nHi\r\n";
    for (client, kept) in [("198.51.100.1", 0), ("192.0.2.9", 1)] {
        let world = with_jane();
        world.takes(client, "jane@example.org", &["shop@example.com"], raw).await;
        assert_eq!(world.book.harvested.lock().len(), kept, "{client}");
        assert!(owner_answers(&world).await.starts_with("250"));
        assert_eq!(is_encrypted(&letters(&world, "jane@example.org")[0]), kept == 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_owner_is_told_of_a_reply_is_encrypted() {
    let world = with_jane();
    world.book.certify("me@example.net", "good", Origin::Imported);
    world.book.mark("me@example.net", true);
    world.next_hop("jane@example.org", Behaviour::Defer);
    assert!(owner_answers(&world).await.starts_with("250"));
    world.next_hop("jane@example.org", Behaviour::Reject);
    sleep(Duration::from_secs(4000)).await;
    let reports = letters(&world, "me@example.net");
    assert!(reports.len() == 1 && is_encrypted(&reports[0]), "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn other_mailboxes_get_copies_of_replies_under_the_same_rules() {
    for (data, expected) in [("good", Some(true)), ("broken", None)] {
        let mut alias = testing::alias();
        let you =
            Mailbox { id: MailboxId(22), address: address("you@example.net"), ..alias.mailboxes[0].clone() };
        let they = Mailbox {
            id: MailboxId(23),
            address: address("they@example.net"),
            encrypts: true,
            ..you.clone()
        };
        alias.mailboxes.extend([you, they]);
        let book = Book::of([alias]);
        let jane = testing::contact();
        book.contacts.lock().insert((jane.alias, jane.address.clone()), jane);
        book.certify("they@example.net", data, Origin::Imported);
        let world = world_with(book, Policy { copies_of_replies: true, ..policy() });
        assert!(owner_answers(&world).await.starts_with("250"));
        settle().await;
        let copies = letters(&world, "you@example.net");
        assert_eq!(copies.len(), 1);
        let head = String::from_utf8(copies[0].content.head.to_vec()).unwrap();
        assert!(
            head.contains(&format!("Reply-To: {REVERSE}\r\n")) && !head.contains("me@example.net"),
            "{head}"
        );
        assert!(letters(&world, "me@example.net").is_empty(), "the author has it already");
        let theirs = letters(&world, "they@example.net");
        assert_eq!(theirs.first().map(is_encrypted), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_refused_is_copied_to_nobody() {
    let mut alias = testing::alias();
    alias.mailboxes.push(Mailbox {
        id: MailboxId(22),
        address: address("you@example.net"),
        ..alias.mailboxes[0].clone()
    });
    let book = Book::of([alias]);
    let jane = testing::contact();
    book.contacts.lock().insert((jane.alias, jane.address.clone()), jane);
    let world = world_with(book, Policy { copies_of_replies: true, ..policy() });
    world.next_hop("jane@example.org", Behaviour::Reject);
    owner_answers(&world).await;
    settle().await;
    assert!(letters(&world, "you@example.net").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_report_is_encrypted_whoever_else_the_message_was_for() {
    let world = with_jane();
    world.book.certify("me@example.net", "good", Origin::Imported);
    world.book.mark("me@example.net", true);
    world.next_hop("jane@example.org", Behaviour::Reject);
    let raw = format!("From: me@example.net\r\nTo: {REVERSE}\r\nSubject: Secret\r\n\r\nHello Jane\r\n");
    let to = ["postmaster@example.com", REVERSE];
    let reply = world.takes("192.0.2.9", "me@example.net", &to, &raw).await;
    assert!(reply.starts_with("250"), "{reply}");
    settle().await;
    let reports = letters(&world, "me@example.net");
    assert!(reports.len() == 1 && is_encrypted(&reports[0]), "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_mailbox_that_is_removed_does_not_leave_in_clear() {
    let world = with_certificate("good", Mode::Direct);
    world.next_hop("me@example.net", Behaviour::Defer);
    assert_eq!(jane_writes(&world).await, 250);
    world.hop.sent.lock().clear();
    // With a mailbox go its certificates; another one took its place.
    world.book.certificates.lock().clear();
    world.change(|alias| alias.mailboxes[0].address = address("you@example.net"));
    world.hop.behaviour.lock().clear();
    sleep(Duration::from_secs(2 * 3600)).await;
    settle().await;
    let sent = letters(&world, "me@example.net");
    assert!(sent.iter().all(is_encrypted), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn what_one_recipient_has_is_not_sent_again_when_another_cannot_get_it() {
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
    let book = Arc::new(Book::of([alias, another]));
    book.certify("me@example.net", "brittle", Origin::Imported);
    let tables = Arc::<Tables>::default();
    let nodes = [
        node_on(Arc::clone(&book), Arc::clone(&tables), policy()),
        node_on(Arc::clone(&book), Arc::clone(&tables), policy()),
    ];
    let raw = FROM_JANE.replace("To:", "Message-ID: <1@example.org>\r\nTo:");
    for node in &nodes {
        let to = ["shop@example.com", "news@example.com"];
        let reply = node.takes("198.51.100.1", "jane@example.org", &to, &raw).await;
        settle().await;
        // A sender that hears 250 does not come again.
        if reply.starts_with("250") {
            break;
        }
    }
    let sent: usize = nodes.iter().map(|node| letters(node, "you@example.net").len()).sum();
    assert_eq!(sent, 1);
}

#[tokio::test(start_paused = true)]
async fn one_account_without_a_usable_certificate_does_not_hold_up_another() {
    let mut alias = testing::alias();
    alias.mailboxes[0].encrypts = true;
    let other = Mailbox {
        id: MailboxId(22),
        address: address("you@example.net"),
        ..testing::alias().mailboxes[0].clone()
    };
    let another = Alias {
        id: AliasId(12),
        account: AccountId(2),
        address: address("news@example.com"),
        mailboxes: vec![other],
        ..testing::alias()
    };
    let book = Book::of([alias, another]);
    book.certify("me@example.net", "broken", Origin::Imported);
    let world = world(book);
    let mut recipients = Vec::new();
    for to in ["shop@example.com", "news@example.com"] {
        if let Ok(known) = world.asks("jane@example.org", to).await {
            recipients.push(Accepted {
                to: ForwardPath::Address(address(to)),
                known,
                dsn: RecipientRequest::default(),
            });
        }
    }
    let reply = world.hands_over("198.51.100.1", "jane@example.org", recipients, FROM_JANE).await;
    settle().await;
    assert_eq!(letters(&world, "you@example.net").len(), 1, "{reply}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_went_back_does_not_make_old_knowledge_new() {
    use crate::relay::openpgp::{LookedUp, Privacy, Reader};
    let world = with_certificate("good", Mode::Direct);
    let privacy =
        Privacy::Asked { account: testing::alias().account, reader: Reader::Mailbox, known: LookedUp::None };
    let (head, body) = (Bytes::from_static(b"Subject: x\r\n\r\n"), Bytes::from_static(b"Hi\r\n"));
    let delivery = Delivery {
        id: "1".to_owned(),
        from: ReversePath::Null,
        to: address("me@example.net"),
        content: Content { head, body, eight_bit: false, smtputf8: false },
        dsn: None,
        privacy,
    };
    let an_hour_ahead = Timestamp::from_millis(3_600_000);
    let protected = world.intake.station.protect(delivery, an_hour_ahead).await.unwrap();
    protected.send(&world.hop).await;
    let sent = letters(&world, "me@example.net");
    assert!(sent.iter().all(is_encrypted), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_from_before_there_was_encryption_is_not_sent_in_clear_when_its_alias_is_gone() {
    use crate::queue::letter::{About, Letter};
    use crate::relay::openpgp::Privacy;
    use crate::relay::report::Direction;
    let world = with_certificate("good", Mode::Direct);
    let about = About {
        named: address("gone@example.com"),
        direction: Direction::Forward,
        alias: Some((AliasId(99), address("gone@example.com"))),
        account: None,
        scrubbed: false,
        counted: None,
        teller: None,
    };
    let letter = Letter {
        id: "1".to_owned(),
        from: ReversePath::Null,
        to: address("me@example.net"),
        head: Bytes::from_static(b"Subject: x\r\n\r\n"),
        eight_bit: false,
        smtputf8: false,
        dsn: None,
        privacy: Privacy::Open,
        about: Some(about),
    };
    assert_ne!(world.intake.station.privacy_of(&letter).await.ok(), Some(Privacy::Open));
}

#[tokio::test(start_paused = true)]
async fn mail_for_a_role_is_encrypted_when_its_reader_is_a_mailbox_that_wants_it() {
    let book = Book::of([testing::alias()]);
    book.certify("me@example.net", "good", Origin::Imported);
    book.mark("me@example.net", true);
    let world = world_with(book, Policy { postmaster: Some(address("me@example.net")), ..policy() });
    world.jane_writes(&["postmaster@example.com"]).await;
    settle().await;
    let sent = letters(&world, "me@example.net");
    assert_eq!(sent.len(), 1);
    assert!(sent.iter().all(is_encrypted), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn mail_for_a_role_stays_with_its_sender_when_it_cannot_be_encrypted() {
    let book = Book::of([testing::alias()]);
    book.certify("me@example.net", "broken", Origin::Imported);
    book.mark("me@example.net", true);
    let world = world_with(book, Policy { postmaster: Some(address("me@example.net")), ..policy() });
    let reply = world.jane_writes(&["postmaster@example.com"]).await;
    settle().await;
    assert!(reply.starts_with("451 4.7.5"), "{reply}");
    assert!(letters(&world, "me@example.net").iter().all(|letter| !is_from_jane(letter)));
}

fn is_from_jane(letter: &Delivery) -> bool {
    memchr::memmem::find(&letter.content.head, b"jane@example.org").is_some()
}

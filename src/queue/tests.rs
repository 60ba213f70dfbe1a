//! The intake over ports in memory: who gets what, and what the sender is told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::memory::MemoryBudget;
use super::station::{Mode, Parts, Policy, Ports, Station};
use super::{Client, Intake, Scheduler};
use crate::mail::{Address, DomainName, Message, Timestamp};
use crate::relay::alias::{
    AccountId, Alias, AliasId, CatchAll, Contact, ContactId, DomainId, Lookup, Mailbox, MailboxId, Refusal,
};
use crate::relay::keys::Keys;
use crate::relay::openpgp::Certificate;
use crate::relay::pacing::Admit;
use crate::relay::ports::{
    Counted, Delivery, Directory, Expiring, Outcome, Surroundings, Transport, Unavailable, WantedContact,
};
use crate::relay::recipient::Recipient;
use crate::relay::redact::Redactor;
use crate::relay::retry::Schedule;
use crate::relay::testing;
use crate::smtp::dsn::{MessageRequest, RecipientRequest};
use crate::smtp::server::Accepted;
use crate::smtp::{Delivered, Failure, ForwardPath, Reply, ReversePath, Transaction, Words};

mod reports;

mod encryption;
mod outages;
mod queueing;
mod tables;

use encryption::Locksmith;
use tables::Tables;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A directory in memory.
#[derive(Debug, Default)]
struct Book {
    aliases: Mutex<HashMap<Address, Arc<Alias>>>,
    contacts: Mutex<HashMap<(AliasId, Address), Contact>>,
    certificates: Mutex<HashMap<Address, Vec<Certificate>>>,
    certificates_down: AtomicBool,
    /// What domains publish: the text of a certificate for the locksmith.
    published: Mutex<HashMap<Address, String>>,
    asked: AtomicUsize,
    harvested: Mutex<Vec<(Address, bool)>>,
    alarms: Mutex<HashMap<Address, Timestamp>>,
    expiring: Mutex<Vec<Expiring>>,
    counted: Mutex<Vec<(AliasId, Counted)>>,
    catch_all: Option<CatchAll>,
    down: bool,
}

impl Book {
    fn of(aliases: impl IntoIterator<Item = Alias>) -> Self {
        let book = Self::default();
        book.aliases.lock().extend(aliases.into_iter().map(|alias| (alias.address.clone(), Arc::new(alias))));
        book
    }

    fn answer(&self) -> Result<(), Unavailable> {
        if self.down { Err(Unavailable("down".to_owned())) } else { Ok(()) }
    }

    fn rule() -> CatchAll {
        CatchAll {
            domain_id: DomainId(1),
            account: testing::alias().account,
            domain: DomainName::parse("example.com").unwrap(),
            mailbox: testing::alias().mailboxes.pop(),
        }
    }
}

impl Directory for Arc<Book> {
    async fn lookup(&self, wanted: &Address) -> Result<Lookup, Unavailable> {
        self.answer()?;
        if wanted.domain().map(DomainName::as_str) != Some("example.com") {
            return Ok(Lookup::ForeignDomain);
        }
        let aliases = self.aliases.lock();
        let base = wanted.without_tag();
        if let Some(alias) = aliases.get(wanted).or_else(|| aliases.get(base.as_ref()?)) {
            return Ok(Lookup::Alias(Arc::clone(alias)));
        }
        let contacts = self.contacts.lock();
        if let Some(contact) = contacts.values().find(|contact| contact.reverse_alias == *wanted) {
            let owner = aliases.values().find(|alias| alias.id == contact.alias).unwrap();
            return Ok(Lookup::ReverseAlias(Arc::clone(owner), Arc::new(contact.clone())));
        }
        Ok(self.catch_all.clone().map_or(Lookup::Unknown, |rule| Lookup::Creatable(Arc::new(rule))))
    }

    async fn alias_with_id(&self, id: AliasId) -> Result<Option<Arc<Alias>>, Unavailable> {
        self.answer()?;
        Ok(self.aliases.lock().values().find(|alias| alias.id == id).cloned())
    }

    async fn find_contact(&self, alias: AliasId, address: &Address) -> Result<Option<Contact>, Unavailable> {
        self.answer()?;
        Ok(self.contacts.lock().get(&(alias, address.clone())).cloned())
    }

    async fn contacts(&self, alias: &Alias, wanted: &[WantedContact]) -> Result<Vec<Contact>, Unavailable> {
        self.answer()?;
        let mut contacts = self.contacts.lock();
        let found = wanted.iter().map(|want| {
            let next = ContactId(i64::try_from(contacts.len()).unwrap() + 100);
            let made = contacts.entry((alias.id, want.address.clone())).or_insert_with(|| Contact {
                id: next,
                alias: alias.id,
                address: want.address.clone(),
                name: want.name.clone(),
                reverse_alias: want.reverse_alias.clone(),
                blocked: false,
            });
            made.clone()
        });
        Ok(found.collect())
    }

    async fn create_alias(&self, _: &CatchAll, address: &Address) -> Result<Arc<Alias>, Unavailable> {
        self.answer()?;
        let address = address.without_tag().unwrap_or_else(|| address.clone());
        let made = Arc::new(Alias { id: AliasId(77), address: address.clone(), ..testing::alias() });
        self.aliases.lock().insert(address, Arc::clone(&made));
        Ok(made)
    }

    async fn certificates(&self, _: AccountId, address: &Address) -> Result<Arc<[Certificate]>, Unavailable> {
        if self.certificates_down.load(Ordering::Relaxed) {
            return Err(Unavailable("down".to_owned()));
        }
        Ok(self.certificates.lock().get(address).cloned().unwrap_or_default().into())
    }

    async fn encrypting_owner(&self, mailbox: &Address) -> Result<Option<AccountId>, Unavailable> {
        let aliases = self.aliases.lock();
        let encrypts = |one: &Mailbox| one.address == *mailbox && one.encrypts;
        Ok(aliases.values().find(|alias| alias.mailboxes.iter().any(encrypts)).map(|alias| alias.account))
    }

    fn count(&self, alias: AliasId, what: Counted) {
        self.counted.lock().push((alias, what));
    }
}

/// A next hop that does as it is told for each address.
#[derive(Debug, Default)]
struct NextHop {
    behaviour: Mutex<HashMap<Address, Behaviour>>,
    sent: Mutex<Vec<Delivery>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    paused_until: Mutex<Option<Timestamp>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Reject,
    /// With this detail of 5.7.x.
    RejectUs(u16),
    Defer,
    Doubt,
    /// It takes the message after so many seconds.
    Slow(u64),
    /// It never answers.
    Hang,
}

impl Transport for Arc<NextHop> {
    async fn deliver(&self, delivery: Delivery) -> Outcome {
        let behaviour = self.behaviour.lock().get(&delivery.to).copied();
        self.sent.lock().push(delivery);
        let now = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_under_way.fetch_max(now, Ordering::Relaxed);
        let outcome = behave(behaviour).await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        outcome
    }

    fn admit(&self, _: &Address, now: Timestamp) -> Admit {
        let paused_until = self.paused_until.lock().filter(|until| *until > now);
        paused_until.map_or(Admit::Now, Admit::At)
    }

    fn most_at_once(&self, to: &Address) -> u32 {
        if to.host().as_str() == "slow.example.net" { 2 } else { 100 }
    }

    fn resume(&self, _: &Address) {
        *self.paused_until.lock() = None;
    }
}

async fn behave(behaviour: Option<Behaviour>) -> Outcome {
    let failure = |code, enhanced| Failure {
        code,
        enhanced,
        text: "me@example.net".to_owned(),
        words: Words::Theirs,
        host: None,
    };
    match behaviour {
        None => {}
        Some(Behaviour::Reject) => return Outcome::Rejected(failure(550, (5, 1, 1))),
        Some(Behaviour::RejectUs(detail)) => return Outcome::Rejected(failure(550, (5, 7, detail))),
        Some(Behaviour::Defer) => return Outcome::Deferred(failure(450, (4, 2, 1))),
        Some(Behaviour::Doubt) => return Outcome::Uncertain(failure(451, (4, 4, 2))),
        Some(Behaviour::Slow(seconds)) => sleep(Duration::from_secs(seconds)).await,
        Some(Behaviour::Hang) => std::future::pending().await,
    }
    Outcome::Delivered(Delivered { host: "mx".to_owned(), reply: "250 ok".to_owned() })
}

/// The time of the runtime, which stands still but when everybody waits, and octets that count on.
#[derive(Debug)]
struct Clock {
    start: Instant,
    next: AtomicU64,
}

impl Surroundings for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.start.elapsed().as_millis()).unwrap())
    }

    fn random(&self, into: &mut [u8]) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        into.iter_mut().zip(next.to_le_bytes()).for_each(|(place, octet)| *place = octet);
    }
}

struct Memory;

impl Ports for Memory {
    type Directory = Arc<Book>;
    type Spool = Arc<Tables>;
    type Transport = Arc<NextHop>;
    type OpenPgp = Locksmith;
    type KeyWatch = Arc<Book>;
    type KeyDiscovery = Arc<Book>;
    type Surroundings = Clock;
}

struct World {
    book: Arc<Book>,
    hop: Arc<NextHop>,
    tables: Arc<Tables>,
    intake: Intake<Memory>,
    scheduler: Scheduler<Memory>,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn policy() -> Policy {
    Policy {
        hostname: DomainName::parse("mx.example.com").unwrap(),
        postmaster: Some(address("admin@example.net")),
        trusted_networks: vec!["192.0.2.0/24".parse().unwrap()],
        opaque_parts: crate::relay::scrub::OpaqueParts::Allow,
        copies_of_replies: false,
        autocrypt: true,
        wkd: true,
        mode: Mode::Direct,
        direct_timeout: Duration::from_secs(20),
        schedule: Schedule::new(&[Duration::from_secs(60), Duration::from_secs(3600)], DAY * 5),
        lease: Duration::from_secs(60),
        longest_attempt: Duration::from_secs(600),
    }
}

fn world(book: Book) -> World {
    world_with(book, policy())
}

fn world_with(book: Book, policy: Policy) -> World {
    node_on(Arc::new(book), Arc::default(), policy)
}

/// A node on tables that others may use as well.
fn node_on(book: Arc<Book>, tables: Arc<Tables>, policy: Policy) -> World {
    let (hop, keys) = (Arc::new(NextHop::default()), Keys::derive(&[7; 32]));
    let redactor = Redactor::new(&keys, true);
    let clock = Clock { start: Instant::now(), next: AtomicU64::new(tables.number().unsigned_abs() << 32) };
    let station = Station::new(Parts {
        policy,
        keys,
        redactor,
        directory: Arc::clone(&book),
        spool: Arc::clone(&tables),
        direct: Arc::clone(&hop),
        patient: Arc::clone(&hop),
        openpgp: Locksmith,
        keywatch: Arc::clone(&book),
        discovery: Arc::clone(&book),
        surroundings: clock,
        memory: MemoryBudget::new(1 << 20),
    });
    let (scheduler, _) = Scheduler::start(Arc::clone(&station));
    let intake = Intake::new(station, scheduler.clone());
    World { book, hop, tables, intake, scheduler }
}

fn two_mailboxes() -> Alias {
    let mut alias = testing::alias();
    alias.mailboxes.push(Mailbox {
        id: MailboxId(22),
        address: address("you@example.net"),
        paused: false,
        encrypts: false,
    });
    alias
}

const FROM_JANE: &str = "From: Jane Doe <jane@example.org>\r\nTo: shop@example.com\r\n\r\nHi\r\n";

impl World {
    fn next_hop(&self, to: &str, behaviour: Behaviour) {
        self.hop.behaviour.lock().insert(address(to), behaviour);
    }

    async fn asks(&self, from: &str, to: &str) -> Result<Recipient, Reply> {
        let from = if from.is_empty() { ReversePath::Null } else { ReversePath::Address(address(from)) };
        let to = if to.is_empty() { ForwardPath::Postmaster } else { ForwardPath::Address(address(to)) };
        self.intake.recipient(&from, &to).await
    }

    /// Hands over a message from this client; every recipient must be taken.
    async fn takes(&self, client: &str, from: &str, to: &[&str], raw: &str) -> String {
        let mut recipients = Vec::new();
        for to in to {
            recipients.push(self.begins(from, to).await);
        }
        self.hands_over(client, from, recipients, raw).await
    }

    /// A recipient that was taken, for whom nothing is asked.
    async fn begins(&self, from: &str, to: &str) -> Accepted<Recipient> {
        Accepted {
            to: ForwardPath::Address(address(to)),
            known: self.asks(from, to).await.unwrap(),
            dsn: RecipientRequest::default(),
        }
    }

    /// Hands over a message for recipients that were taken before.
    async fn hands_over(
        &self,
        client: &str,
        from: &str,
        recipients: Vec<Accepted<Recipient>>,
        raw: &str,
    ) -> String {
        self.hands_over_and_asks(client, from, recipients, MessageRequest::default(), raw).await
    }

    /// The same, and asks this about reports.
    async fn hands_over_and_asks(
        &self,
        client: &str,
        from: &str,
        recipients: Vec<Accepted<Recipient>>,
        dsn: MessageRequest,
        raw: &str,
    ) -> String {
        let transaction = Transaction {
            helo: "mx.example.org".to_owned(),
            from: if from.is_empty() { ReversePath::Null } else { ReversePath::Address(address(from)) },
            recipients,
            body: Bytes::from(raw.to_owned()),
            smtputf8: false,
            esmtp: true,
            dsn,
        };
        let client = Client { address: client.parse::<IpAddr>().unwrap() };
        self.intake.message(client, &transaction).await.to_string()
    }

    /// Changes every alias, as an admin would.
    fn change(&self, how: impl Fn(&mut Alias)) {
        self.book.aliases.lock().values_mut().for_each(|alias| how(Arc::make_mut(alias)));
    }

    /// The return path of the one message that was sent since the last call.
    fn return_path_of_last(&self) -> String {
        match self.sent().remove(0).from {
            ReversePath::Address(path) => path.to_string(),
            ReversePath::Null => panic!("sent under <>"),
        }
    }

    async fn jane_writes(&self, to: &[&str]) -> String {
        self.takes("198.51.100.1", "jane@example.org", to, FROM_JANE).await
    }

    /// To whom messages went since the last call.
    fn went_to(&self) -> Vec<String> {
        std::mem::take(&mut *self.hop.sent.lock()).iter().map(|delivery| delivery.to.to_string()).collect()
    }

    fn sent(&self) -> Vec<Delivery> {
        std::mem::take(&mut *self.hop.sent.lock())
    }

    fn counted(&self) -> Vec<Counted> {
        self.book.counted.lock().iter().map(|(_, what)| *what).collect()
    }
}

fn said(refused: Result<Recipient, Reply>) -> String {
    refused.err().map(|reply| reply.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn a_message_is_forwarded_under_our_return_path() {
    let world = world(Book::of([testing::alias()]));
    let reply = world.jane_writes(&["shop@example.com"]).await;
    assert!(reply.starts_with("250 2.0.0 accepted as 0000000000"), "{reply}");
    let sent = world.sent();
    assert_eq!(sent[0].to, address("me@example.net"));
    let ReversePath::Address(from) = &sent[0].from else { panic!("{:?}", sent[0].from) };
    assert!(from.local().starts_with("rp-") && from.host().as_str() == "example.com", "{from}");
    assert_eq!(world.counted(), [Counted::Forwarded]);
}

#[tokio::test]
async fn a_message_that_must_not_be_answered_stays_one() {
    let world = world(Book::of([testing::alias()]));
    world.takes("198.51.100.1", "", &["shop@example.com"], FROM_JANE).await;
    assert_eq!(world.sent()[0].from, ReversePath::Null);
}

#[tokio::test]
async fn an_answer_goes_to_the_contact_and_only_from_trusted_networks() {
    let world = world(Book::of([testing::alias()]));
    world.jane_writes(&["shop@example.com"]).await;
    let forwarded = Message::parse(world.sent()[0].content.head.clone());
    let from = forwarded.value(forwarded.named("From").next().unwrap().1).to_vec();
    let list = crate::mail::address_list::parse(&from);
    let reverse = list.first_mailbox().unwrap().address.to_string();

    let answer = format!("From: me@example.net\r\nTo: {reverse}\r\n\r\nHo\r\n");
    let refused = world.takes("198.51.100.1", "me@example.net", &[&reverse], &answer).await;
    assert!(refused.starts_with("550 5.7.1 a reply needs proof"), "{refused}");
    let taken = world.takes("192.0.2.9", "me@example.net", &[&reverse], &answer).await;
    assert!(taken.starts_with("250 "), "{taken}");
    let sent = world.sent();
    assert_eq!(sent[0].to, address("jane@example.org"));
    let whole = String::from_utf8([&sent[0].content.head[..], &sent[0].content.body[..]].concat()).unwrap();
    assert!(
        !whole.contains("me@example.net") && whole.contains("From: The Shop <shop@example.com>"),
        "{whole}"
    );
    assert_eq!(world.counted(), [Counted::Forwarded, Counted::Replied]);
}

#[tokio::test]
async fn one_refusing_mailbox_is_not_told_to_the_sender() {
    let world = world(Book::of([two_mailboxes()]));
    world.next_hop("you@example.net", Behaviour::Reject);
    assert!(world.jane_writes(&["shop@example.com"]).await.starts_with("250 "));
}

#[tokio::test]
async fn a_refusal_of_the_next_hop_is_passed_on_without_its_text() {
    let world = world(Book::of([testing::alias()]));
    world.next_hop("me@example.net", Behaviour::Reject);
    let reply = world.jane_writes(&["shop@example.com"]).await;
    assert!(reply.starts_with("550 5.1.1 the destination of shop@example.com refused"), "{reply}");
    assert!(!reply.contains("me@"), "{reply}");
    assert_eq!(world.counted(), []);
}

#[tokio::test]
async fn recipients_that_reach_the_same_people_get_one_message() {
    let world = world(Book::of([testing::alias()]));
    world.jane_writes(&["shop@example.com", "shop+a@example.com"]).await;
    assert_eq!(world.went_to(), ["me@example.net"]);
}

#[tokio::test]
async fn some_refused_and_some_delivered_is_told_by_name() {
    let other = Alias {
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
    let world = world(Book::of([testing::alias(), other]));
    world.next_hop("x@example.net", Behaviour::Reject);
    let reply = world.jane_writes(&["shop@example.com", "club@example.com"]).await;
    assert!(reply.starts_with("554 5.0.0 refused for club@example.com; accepted for every other"), "{reply}");
}

#[tokio::test]
async fn a_blocked_contact_is_refused_by_envelope_and_by_author_or_discarded() {
    for refusal in [Refusal::Reject, Refusal::Discard] {
        let world = world(Book::of([Alias { has_blocked_contacts: true, refusal, ..testing::alias() }]));
        world.jane_writes(&["shop@example.com"]).await;
        assert_eq!(world.went_to(), ["me@example.net"]);
        world.book.contacts.lock().values_mut().for_each(|contact| contact.blocked = true);

        let by_envelope = world.asks("jane@example.org", "shop@example.com").await;
        let by_author = world.takes("198.51.100.1", "x@example.org", &["shop@example.com"], FROM_JANE).await;
        match refusal {
            Refusal::Reject => {
                assert!(said(by_envelope).starts_with("550 5.7.1 "));
                assert!(by_author.starts_with("550 5.7.1 "), "{by_author}");
            }
            Refusal::Discard => {
                assert!(matches!(by_envelope, Ok(Recipient::Discard(_))));
                assert!(by_author.starts_with("250 "), "{by_author}");
            }
        }
        assert_eq!(world.went_to(), [""; 0]);
        assert!(world.counted().contains(&Counted::Blocked));
    }
}

#[tokio::test]
async fn strangers_and_role_addresses_get_their_answers() {
    let world = world(Book::of([Alias { enabled: false, ..testing::alias() }]));
    for (to, answer) in [
        ("x@example.org", "550 5.7.1 relaying denied"),
        ("nobody@example.com", "550 5.1.1 "),
        ("shop@example.com", "550 5.7.1 this address does not take mail"),
    ] {
        assert!(said(world.asks("jane@example.org", to).await).starts_with(answer), "{to}");
    }
    for to in ["", "Postmaster@example.com", "abuse@example.com"] {
        assert!(matches!(world.asks("", to).await, Ok(Recipient::Postmaster(..))), "{to}");
    }
    assert!(said(world.asks("", "postmaster@example.org").await).starts_with("550 5.7.1 "));
    world.jane_writes(&["abuse@example.com"]).await;
    assert_eq!(world.went_to(), ["admin@example.net"]);
}

#[tokio::test]
async fn a_catch_all_makes_the_alias_when_a_message_is_taken_and_not_before() {
    let world = world(Book { catch_all: Some(Book::rule()), ..Book::default() });
    assert!(matches!(world.asks("", "new+x@example.com").await, Ok(Recipient::New(..))));
    assert!(world.book.aliases.lock().is_empty());
    let dead = "jane_at_example_org.aaaaaaaaaaaaaaaa@example.com";
    assert!(said(world.asks("", dead).await).starts_with("550 5.1.1 "));
    let refused = world.takes("198.51.100.1", "", &["new@example.com"], "Subject: no author\r\n\r\n").await;
    assert!(refused.starts_with("550 5.6.0 "), "{refused}");
    assert!(world.book.aliases.lock().is_empty());
    let taken = world.jane_writes(&["new+x@example.com"]).await;
    assert!(taken.starts_with("250 "), "{taken}");
    assert!(world.book.aliases.lock().contains_key(&address("new@example.com")));
}

#[tokio::test]
async fn a_mailbox_that_is_ours_and_a_message_that_was_here_are_loops() {
    let mut looping = testing::alias();
    looping.mailboxes[0].address = address("club@example.com");
    let round = world(Book::of([looping]));
    let reply = round.jane_writes(&["shop@example.com"]).await;
    assert!(reply.starts_with("554 5.4.6 "), "{reply}");

    let twice = world(Book::of([testing::alias()]));
    twice.jane_writes(&["shop@example.com"]).await;
    let sent = twice.sent().remove(0);
    let again = String::from_utf8([&sent.content.head[..], &sent.content.body[..]].concat()).unwrap();
    let reply = twice.takes("198.51.100.1", "", &["shop@example.com"], &again).await;
    assert!(reply.starts_with("554 5.4.6 mail loop"), "{reply}");
}

#[tokio::test]
async fn a_bounce_of_what_we_sent_reaches_the_owner_as_a_forward() {
    let world = world(Book::of([testing::alias()]));
    world.jane_writes(&["shop@example.com"]).await;
    let path = world.return_path_of_last();
    let bounce =
        "From: MAILER-DAEMON@example.net\r\nAliasd-Original-From: forged@example.org\r\n\r\nIt failed.\r\n";
    // Anybody who has seen the return path can write to it, under any sender.
    for from in ["", "jane@example.org"] {
        let reply = world.takes("198.51.100.1", from, &[&path], bounce).await;
        assert!(reply.starts_with("250 "), "{reply}");
        let sent = world.sent().remove(0);
        assert_eq!((sent.to.to_string().as_str(), &sent.from), ("me@example.net", &ReversePath::Null));
        let head = String::from_utf8(sent.content.head.to_vec()).unwrap();
        assert!(head.contains("<mailer-daemon_at_example_net."), "{head}");
        assert!(!head.contains("forged@") && head.contains("Aliasd-Alias: shop@example.com"), "{head}");
    }
    assert_eq!(world.counted(), [Counted::Forwarded]);
    let forged = path.replace("rp-", "rp-a");
    assert!(said(world.asks("", &forged).await).starts_with("550 5.1.1 "));

    world.change(|alias| alias.enabled = false);
    assert!(said(world.asks("jane@example.org", &path).await).starts_with("550 5.7.1 "));
}

#[tokio::test]
async fn the_people_who_run_the_server_get_mail_without_forged_fields_and_unknown_to_the_sender() {
    let world = world(Book::of([testing::alias()]));
    let raw = "Aliasd-Warning: none\r\nAuthentication-Results: mx.example.com; dkim=pass\r\nSubject: x\r\n\r\ny\r\n";
    world.next_hop("admin@example.net", Behaviour::Defer);
    let reply = world.takes("198.51.100.1", "jane@example.org", &["abuse@example.com"], raw).await;
    assert!(reply.starts_with("250 "), "it is kept: {reply}");
    let sent = world.sent().remove(0);
    assert_eq!(sent.from, ReversePath::Null);
    let head = String::from_utf8(sent.content.head.to_vec()).unwrap();
    assert!(
        !head.contains("Aliasd-") && !head.contains("dkim=pass") && head.contains("Subject: x"),
        "{head}"
    );
}

#[tokio::test]
async fn what_was_true_at_rcpt_is_judged_again_when_the_message_is_there() {
    let world = world(Book::of([testing::alias()]));
    world.jane_writes(&["shop@example.com"]).await;
    world.sent();
    let reverse = world.book.contacts.lock().values().next().unwrap().reverse_alias.to_string();
    let answer = format!("From: me@example.net\r\nTo: {reverse}\r\n\r\nHo\r\n");
    let mut begun = Vec::new();
    for to in ["shop@example.com", &reverse] {
        begun.push(world.begins("me@example.net", to).await);
    }
    world.change(|alias| alias.enabled = false);
    for recipient in begun {
        let to = recipient.to.clone();
        let reply = world.hands_over("192.0.2.9", "me@example.net", vec![recipient], &answer).await;
        assert!(reply.starts_with("550 5.7.1 "), "{to}: {reply}");
    }
    assert_eq!(world.went_to(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_looks_like_an_earlier_one_is_another() {
    let world = world(Book::of([two_mailboxes()]));
    let alarm = |door| format!("From: alarm@example.org\r\nSubject: door {door}\r\n\r\nsee subject\r\n");
    world.next_hop("you@example.net", Behaviour::Defer);
    world.fills_up(true);
    world.takes("198.51.100.1", "alarm@example.org", &["shop@example.com"], &alarm(1)).await;
    world.fills_up(false);
    world.until_it_takes_mail().await;
    world.hop.behaviour.lock().clear();
    world.takes("198.51.100.1", "alarm@example.org", &["shop@example.com"], &alarm(1)).await;
    world.sent();
    for door in [2, 1] {
        world.takes("198.51.100.1", "alarm@example.org", &["shop@example.com"], &alarm(door)).await;
        assert_eq!(world.went_to(), ["me@example.net", "you@example.net"], "door {door}");
    }
}

#[tokio::test]
async fn a_recipient_that_is_refused_for_now_makes_no_copies_for_the_others() {
    let held = Alias { id: AliasId(12), address: address("club@example.com"), ..testing::alias() };
    let world = world(Book::of([testing::alias(), held]));
    let mut begun = Vec::new();
    for to in ["shop@example.com", "club@example.com"] {
        begun.push(world.begins("", to).await);
    }
    world.change(|alias| alias.mailboxes[0].paused |= alias.id == AliasId(12));
    for _ in 0..2 {
        let reply = world.hands_over("198.51.100.1", "", begun.clone(), FROM_JANE).await;
        assert!(reply.starts_with("450 4.2.1 "), "{reply}");
        assert_eq!(world.went_to(), [""; 0]);
    }
}

#[tokio::test]
async fn a_catch_all_whose_mailbox_takes_no_mail_makes_nothing() {
    let mut mailbox = testing::alias().mailboxes.remove(0);
    let unverified = CatchAll { mailbox: None, ..Book::rule() };
    mailbox.paused = true;
    let paused = CatchAll { mailbox: Some(mailbox.clone()), ..Book::rule() };
    for rule in [paused, unverified] {
        let world = world(Book { catch_all: Some(rule), ..Book::default() });
        assert!(said(world.asks("", "new@example.com").await).starts_with("450 4.2.1 "));
    }
    mailbox = Mailbox { paused: false, address: address("x@example.com"), ..mailbox };
    let looping = CatchAll { mailbox: Some(mailbox), ..Book::rule() };
    let world = world(Book { catch_all: Some(looping), ..Book::default() });
    assert!(world.jane_writes(&["new@example.com"]).await.starts_with("554 5.4.6 "));
    assert!(world.book.aliases.lock().is_empty());
}

#[tokio::test]
async fn one_new_alias_under_several_tags_gets_one_message() {
    let world = world(Book { catch_all: Some(Book::rule()), ..Book::default() });
    world.jane_writes(&["new+a@example.com", "new+b@example.com", "new@example.com"]).await;
    assert_eq!(world.went_to(), ["me@example.net"]);
}

#[tokio::test]
async fn every_delivery_of_a_transaction_has_its_own_id() {
    let other = Alias { id: AliasId(12), address: address("club@example.com"), ..two_mailboxes() };
    let world = world(Book::of([two_mailboxes(), other]));
    world.jane_writes(&["shop@example.com", "club@example.com"]).await;
    let ids: std::collections::HashSet<_> = world.sent().into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
}

#[tokio::test]
async fn an_address_that_is_not_ascii_asks_for_smtputf8_though_the_owner_did_not() {
    let world = world(Book::of([testing::alias()]));
    let raw = "From: =?utf-8?q?J=C3=BCrgen?= <j\u{fc}rgen@example.org>\r\n\r\nHi\r\n";
    world.takes("198.51.100.1", "", &["shop@example.com"], raw).await;
    world.sent();
    let reverse = world.book.contacts.lock().values().next().unwrap().reverse_alias.to_string();
    let answer = format!("From: me@example.net\r\nTo: {reverse}\r\n\r\nHo\r\n");
    world.takes("192.0.2.9", "me@example.net", &[&reverse], &answer).await;
    assert!(world.sent()[0].content.smtputf8);
}

#[tokio::test]
async fn nothing_is_sent_while_the_directory_is_down() {
    let world = world(Book { down: true, ..Book::of([testing::alias()]) });
    assert!(said(world.asks("", "shop@example.com").await).starts_with("451 4.3.0 "));
    let transaction = Transaction {
        helo: "mx.example.org".to_owned(),
        from: ReversePath::Null,
        recipients: vec![Accepted {
            to: ForwardPath::Postmaster,
            known: Recipient::Alias(Arc::new(testing::alias()), address("shop@example.com")),
            dsn: RecipientRequest::default(),
        }],
        body: Bytes::from_static(FROM_JANE.as_bytes()),
        smtputf8: false,
        esmtp: true,
        dsn: MessageRequest::default(),
    };
    let client = Client { address: IpAddr::from([198, 51, 100, 1]) };
    assert!(world.intake.message(client, &transaction).await.to_string().starts_with("451 4.3.0 "));
    assert_eq!(world.went_to(), [""; 0]);
}

//! What the queue is written to goes away and comes back: the database server is stopped or killed, the disk is full, the
//! data directory is read-only. Senders get a 4xx, what was acknowledged arrives, and nobody has to help.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::client::{Client, Reply};
use crate::support::daemon::{Daemon, Installation};
use crate::support::database::{Database, Engine};
use crate::support::disk::{self, SmallDisk};
use crate::support::eventually;
use crate::support::mariadb::MariaDb;
use crate::support::sink::{Answer, Script, Sink};

const ALIAS: &str = "shop@example.com";
const CONTACT: &str = "jane@example.org";
const MAILBOX: &str = "inbox-7f3k@example.net";
const FULL: Answer = Answer::Refuse("450 4.2.1 later");
const RETRY: &str = "retry = [\"1s\"]\n";

/// Each message has a number by which it is known at the sink.
fn letter(number: usize) -> String {
    format!(
        "From: {CONTACT}\r\nTo: {ALIAS}\r\nSubject: {number}\r\nDate: Mon, 21 Sep 2026 16:13:20 +0200\r\n\
         Message-ID: <{number}@example.org>\r\n\r\nA line.\r\n"
    )
}

fn send(client: &mut Client, number: usize) -> Reply {
    client.deliver(CONTACT, ALIAS, letter(number).as_bytes())
}

/// What senders know: what was acknowledged, and how much was not.
#[derive(Default)]
struct Ledger {
    next: AtomicUsize,
    acknowledged: Mutex<BTreeSet<usize>>,
    put_off: AtomicUsize,
}

impl Ledger {
    /// Sends the next message in a session of its own. Whatever happens is 250 or a 4xx.
    fn send(&self, daemon: std::net::SocketAddr) -> Reply {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let reply = send(&mut Client::greet(daemon), number);
        match reply.code {
            250 => drop(self.acknowledged.lock().expect("no sender panics with it").insert(number)),
            400..500 => drop(self.put_off.fetch_add(1, Ordering::SeqCst)),
            _ => panic!("message {number}: {reply}"),
        }
        reply
    }

    fn acknowledged(&self) -> BTreeSet<usize> {
        self.acknowledged.lock().expect("no sender panics with it").clone()
    }

    /// Waits until so many more were acknowledged.
    fn await_acknowledged(&self, more: usize) {
        let wanted = self.acknowledged().len() + more;
        eventually("messages are acknowledged", || (self.acknowledged().len() >= wanted).then_some(()));
    }

    fn await_put_off(&self, more: usize) {
        let wanted = self.put_off.load(Ordering::SeqCst) + more;
        let put_off = || self.put_off.load(Ordering::SeqCst) >= wanted;
        eventually("messages are put off", || put_off().then_some(()));
    }

    /// Everything that was acknowledged arrives, and once. What was not may arrive as well: the answer to a commit that
    /// went out with the server is not known.
    fn settle(&self, sink: &Sink, daemon: Daemon) {
        let acknowledged = self.acknowledged();
        let mut arrived: BTreeMap<usize, usize> = BTreeMap::new();
        while !acknowledged.iter().all(|number| arrived.contains_key(number)) {
            *arrived.entry(number_of(&sink.next().text())).or_default() += 1;
        }
        daemon.stop();
        for _ in 0..sink.waiting() {
            *arrived.entry(number_of(&sink.next().text())).or_default() += 1;
        }
        let twice: Vec<_> = arrived.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "arrived more than once: {twice:?}");
    }
}

fn number_of(message: &str) -> usize {
    let subject = message.lines().find_map(|line| line.strip_prefix("Subject: "));
    subject.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("no number in {message}"))
}

/// Senders that do not stop until they are told.
struct Load {
    stop: Arc<AtomicBool>,
    senders: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(ledger: &Arc<Ledger>, daemon: std::net::SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let senders = (0..4).map(|_| {
            let (ledger, stop) = (Arc::clone(ledger), Arc::clone(&stop));
            std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let reply = ledger.send(daemon);
                    if !reply.is_positive() {
                        // A sender that is put off is not back at once.
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
            })
        });
        Self { senders: senders.collect(), stop }
    }

    /// # Panics
    /// When a sender got an answer that it should not get.
    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for sender in self.senders {
            sender.join().expect("a sender met only 250 and 4xx");
        }
    }
}

#[test]
#[ignore = "needs MariaDB: run ./test"]
fn a_database_server_that_goes_away_under_direct_deliveries() {
    database_goes_away("direct");
}

#[test]
#[ignore = "needs MariaDB: run ./test"]
fn a_database_server_that_goes_away_under_queued_deliveries() {
    database_goes_away("queue");
}

fn database_goes_away(mode: &str) {
    let mut server = MariaDb::start();
    let sink = Sink::start(Script::accept().at_rcpt(FULL));
    let aliasd = Installation::unmigrated_on(Database::on(server.url()), sink.address())
        .delivering(&format!("{RETRY}mode = {mode:?}"));
    aliasd.run(&["migrate"]).succeeded();
    let aliasd = aliasd.with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    let ledger = Arc::new(Ledger::default());
    let load = Load::start(&ledger, aliasd.address());
    for (signal, at_rcpt) in [("TERM", FULL), ("KILL", FULL), ("KILL", Answer::Accept)] {
        // With a next hop that takes nothing, what is acknowledged now waits in the queue while the server is away.
        sink.behave(Script::accept().at_rcpt(at_rcpt));
        ledger.await_acknowledged(20);
        server.end_by(signal);
        ledger.await_put_off(60);
        sink.behave(Script::accept());
        ledger.await_put_off(60);
        server.start_again();
        ledger.await_acknowledged(20);
    }
    load.end();
    let log = daemon.log();
    for line in ["the queue cannot be written to", "the queue can be written to again"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    ledger.settle(&sink, daemon);
}

/// It takes connections and does not answer: nobody may wait for it for ever.
#[test]
#[ignore = "needs MariaDB: run ./test"]
fn a_database_server_that_freezes() {
    let server = MariaDb::start();
    let sink = Sink::start(Script::accept().at_rcpt(FULL));
    let aliasd = Installation::unmigrated_on(Database::on(server.url()), sink.address()).delivering(RETRY);
    aliasd.run(&["migrate"]).succeeded();
    let aliasd = aliasd.with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    let ledger = Arc::new(Ledger::default());
    let load = Load::start(&ledger, aliasd.address());
    ledger.await_acknowledged(20);
    server.signal("STOP");
    ledger.await_put_off(4);
    sink.behave(Script::accept());
    server.signal("CONT");
    ledger.await_acknowledged(20);
    load.end();
    ledger.settle(&sink, daemon);
}

/// Something that keeps the daemon from writing.
trait Trouble {
    /// It cannot write any more.
    fn begin(&self, daemon: &Daemon);
    /// It has noticed, and still cannot.
    fn goes_on(&self, _daemon: &Daemon) {}
    /// It can write again.
    fn end(&self, daemon: &Daemon);
}

/// The disk is full.
impl Trouble for SmallDisk {
    fn begin(&self, _: &Daemon) {
        self.fill();
    }

    fn end(&self, _: &Daemon) {
        self.make_room();
    }
}

/// Files cannot grow: what a full disk is like, without privileges.
struct NoGrowth(PathBuf);

impl NoGrowth {
    /// The log of SQLite, to whose end all that is new goes.
    fn limit(&self, daemon: &Daemon) {
        let wal = self.0.join("aliasd.db-wal").metadata().expect("the write-ahead log");
        disk::limit_files(daemon.pid(), wal.len());
    }
}

impl Trouble for NoGrowth {
    fn begin(&self, daemon: &Daemon) {
        self.limit(daemon);
    }

    fn end(&self, daemon: &Daemon) {
        disk::unlimit_files(daemon.pid());
    }
}

/// The folder and its files cannot be written to. What is open already could be, so that one write is made to fail for
/// another reason: what is opened from then on is read-only.
struct ReadOnly(NoGrowth);

impl Trouble for ReadOnly {
    fn begin(&self, daemon: &Daemon) {
        disk::make_read_only(&self.0.0);
        self.0.limit(daemon);
    }

    fn goes_on(&self, daemon: &Daemon) {
        disk::unlimit_files(daemon.pid());
    }

    fn end(&self, _: &Daemon) {
        disk::make_writable(&self.0.0);
    }
}

#[test]
fn files_that_cannot_grow() {
    for mode in ["direct", "queue"] {
        storage_fails(mode, |folder| Box::new(NoGrowth(folder.to_owned())));
    }
}

#[test]
fn a_data_directory_that_becomes_read_only() {
    for mode in ["direct", "queue"] {
        storage_fails(mode, |folder| Box::new(ReadOnly(NoGrowth(folder.to_owned()))));
    }
}

/// Where no file system may be mounted, the limit of files stands for it.
#[test]
#[ignore = "needs root: run ./test"]
fn a_full_disk() {
    for mode in ["direct", "queue"] {
        storage_fails(mode, |folder| match SmallDisk::mount(folder, "4m") {
            Some(disk) => Box::new(disk),
            None => Box::new(NoGrowth(folder.to_owned())),
        });
    }
}

fn storage_fails(mode: &str, trouble: impl FnOnce(&Path) -> Box<dyn Trouble>) {
    let sink = Sink::start(Script::accept().at_rcpt(FULL));
    let mut aliasd = Installation::unmigrated(Engine::Sqlite, sink.address())
        .delivering(&format!("{RETRY}mode = {mode:?}"));
    // Dropped first: it may be a file system in a folder of the other.
    let trouble = trouble(&aliasd.data_dir());
    aliasd.run(&["migrate"]).succeeded();
    aliasd = aliasd.with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve_through(&disk::obedient(&aliasd.data_dir()));
    let (ledger, address) = (Ledger::default(), aliasd.address());
    for _ in 0..5 {
        assert_eq!(ledger.send(address).code, 250);
    }

    trouble.begin(&daemon);
    // What was begun before may still fit.
    let first =
        eventually("a message is put off", || Some(ledger.send(address)).filter(|reply| reply.code != 250));
    assert_eq!(first.codes(), (451, "4.3.0"), "{first}");
    trouble.goes_on(&daemon);
    // Also with a next hop that takes mail: what it might not take could not be kept.
    sink.behave(Script::accept());
    for _ in 0..5 {
        let reply = ledger.send(address);
        assert_eq!(reply.codes(), (451, "4.3.0"), "{mode}: {reply}");
        // Time in which it looks whether it can write, and must find that it cannot.
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(daemon.log().contains("the queue cannot be written to"), "{}", daemon.log());

    trouble.end(&daemon);
    eventually("mail is taken again", || Some(ledger.send(address)).filter(|reply| reply.code == 250));
    ledger.settle(&sink, daemon);
}

/// In direct mode nothing has to be stored for what arrives at once, so a full disk is not noticed as long as the next hop
/// takes everything. The first message that would have to be kept is put off, and then all are.
#[test]
fn direct_deliveries_go_on_until_something_has_to_be_kept() {
    let sink = Sink::start(Script::accept());
    let aliasd =
        Installation::new(Engine::Sqlite, sink.address()).delivering(RETRY).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve_through(&disk::obedient(&aliasd.data_dir()));
    let (ledger, address) = (Ledger::default(), aliasd.address());
    // The contact is known from now on.
    assert_eq!(ledger.send(address).code, 250);
    let trouble = NoGrowth(aliasd.data_dir());
    trouble.begin(&daemon);
    for _ in 0..5 {
        let reply = ledger.send(address);
        assert_eq!(reply.code, 250, "{reply}");
    }
    sink.behave(Script::accept().at_rcpt(FULL));
    assert_eq!(ledger.send(address).codes(), (451, "4.3.0"));
    sink.behave(Script::accept());
    assert_eq!(ledger.send(address).codes(), (451, "4.3.0"));
    trouble.end(&daemon);
    eventually("mail is taken again", || Some(ledger.send(address)).filter(|reply| reply.code == 250));
    ledger.settle(&sink, daemon);
}

/// The sender comes again with a message of which one mailbox has its copy and the other's could not be kept.
#[test]
fn what_has_arrived_does_not_arrive_again_when_the_rest_could_not_be_kept() {
    const OTHER_MAILBOX: &str = "work-9q2x@example.net";
    const BOTH: &str = "both@example.com";
    let sink = Sink::start(Script::accept());
    let aliasd = Installation::new(Engine::Sqlite, sink.address())
        .delivering(RETRY)
        .with_alias(ALIAS, MAILBOX)
        .and_mailbox(OTHER_MAILBOX)
        .and_alias(BOTH, &[MAILBOX, OTHER_MAILBOX]);
    let daemon = aliasd.serve_through(&disk::obedient(&aliasd.data_dir()));
    let send = |number| daemon.greet().deliver(CONTACT, BOTH, letter(number).as_bytes());
    // The contact is known from now on.
    assert_eq!(send(1).code, 250);
    assert_eq!((number_of(&sink.next().text()), number_of(&sink.next().text())), (1, 1));

    let trouble = NoGrowth(aliasd.data_dir());
    trouble.begin(&daemon);
    sink.behave(Script::accept().refuse_recipient(OTHER_MAILBOX, "450 4.2.1 later"));
    assert_eq!(send(2).codes(), (451, "4.3.0"));
    assert_eq!(sink.next().recipients, [MAILBOX]);
    trouble.end(&daemon);
    sink.behave(Script::accept());
    eventually("the message is taken", || Some(send(2)).filter(|reply| reply.code == 250));
    assert_eq!(sink.next().recipients, [OTHER_MAILBOX]);
    daemon.stop();
    assert_eq!(sink.waiting(), 0);
}

/// The log may be on the disk that is full.
#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let sink = Sink::start(Script::accept().at_rcpt(FULL));
    let aliasd =
        Installation::new(Engine::Sqlite, sink.address()).delivering(RETRY).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve_through(&["sh", "-c", "exec \"$@\" 2>/dev/full", "sh"]);
    let (ledger, address) = (Ledger::default(), aliasd.address());
    for _ in 0..5 {
        assert_eq!(ledger.send(address).code, 250);
    }
    sink.behave(Script::accept());
    ledger.settle(&sink, daemon);
}

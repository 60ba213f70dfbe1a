//! What taking mail in and delivering it have in common: the ports, the keys, the rules of the configuration.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;

use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::keys::Keys;
use crate::relay::ports::{Directory, Surroundings, Transport, Unavailable};
use crate::relay::redact::Redactor;
use crate::relay::report::{self, Event, Letter as ReportLetter, Notice, ReturnPath};
use crate::relay::retry::Schedule;
use crate::relay::transaction::{self, TransactionId};
use crate::smtp::ReversePath;

use super::gate::Gate;
use super::journal::Journal;
use super::letter::{About, Letter};
use super::memory::MemoryBudget;
use super::seal::{self, Purpose};
use super::spool::{Enqueued, NewDelivery, NewQueued, Node, Spool, State};

/// What the configuration decides.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Our name, for trace headers and reports.
    pub hostname: DomainName,
    /// Who reads mail for `postmaster@` and `abuse@`.
    pub postmaster: Option<Address>,
    /// Sessions from there count as the owner's own servers.
    pub trusted_networks: Vec<IpNet>,
    /// When mail is delivered.
    pub mode: Mode,
    /// How long a delivery may take while the sender waits.
    pub direct_timeout: Duration,
    /// When what was not delivered is tried again.
    pub schedule: Schedule,
    /// How long a delivery is ours without renewing.
    pub lease: Duration,
    /// After this time an attempt cannot be under way any more; if it is, it hangs.
    pub longest_attempt: Duration,
}

/// When mail is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// While the sender waits; what is not decided then is committed to the queue.
    Direct,
    /// After it was committed to the queue and the sender has its answer.
    Queue,
}

/// What implements the ports.
pub trait Ports: Send + Sync + 'static {
    /// Aliases and contacts.
    type Directory: Directory;
    /// The queue's tables.
    type Spool: Spool;
    /// The way to the next hop.
    type Transport: Transport + Clone;
    /// Time and randomness.
    type Surroundings: Surroundings;
}

/// The ports and what goes with them.
pub struct Station<P: Ports> {
    pub(super) policy: Policy,
    pub(super) keys: Keys,
    pub(super) journal: Journal,
    pub(super) directory: P::Directory,
    pub(super) spool: P::Spool,
    /// For deliveries that a sender waits for.
    pub(super) direct: P::Transport,
    /// For those that nobody waits for.
    pub(super) patient: P::Transport,
    pub(super) surroundings: P::Surroundings,
    pub(super) gate: Arc<Gate>,
    pub(super) memory: Arc<MemoryBudget>,
    pub(super) node: Node,
}

/// The transport of a station, twice: the second one has more time for each delivery.
#[derive(Debug, Clone)]
pub struct Transports<T> {
    /// For deliveries that a sender waits for.
    pub direct: T,
    /// For those that nobody waits for.
    pub patient: T,
}

impl<P: Ports> Station<P> {
    /// Puts it together.
    pub fn new(
        policy: Policy,
        (keys, redactor): (Keys, Redactor),
        directory: P::Directory,
        spool: P::Spool,
        transports: Transports<P::Transport>,
        surroundings: P::Surroundings,
        memory: Arc<MemoryBudget>,
    ) -> Arc<Self> {
        let mut node = [0; 8];
        surroundings.random(&mut node);
        let Transports { direct, patient } = transports;
        let (journal, gate) = (Journal::new(redactor), Arc::<Gate>::default());
        // Positive, so that it reads well in a table.
        let node = Node(i64::from_be_bytes(node) & i64::MAX);
        Arc::new(Self {
            policy,
            keys,
            journal,
            directory,
            spool,
            direct,
            patient,
            surroundings,
            gate,
            memory,
            node,
        })
    }

    /// Whether the queue can be written to.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Its tables.
    #[must_use]
    pub fn spool(&self) -> &P::Spool {
        &self.spool
    }

    pub(super) fn now(&self) -> Timestamp {
        self.surroundings.now()
    }

    /// The end of a lease that begins now.
    pub(super) fn lease_end(&self) -> Timestamp {
        later(self.now(), self.policy.lease)
    }

    pub(super) fn jitter(&self) -> u16 {
        let mut random = [0; 2];
        self.surroundings.random(&mut random);
        u16::from_be_bytes(random)
    }

    pub(super) fn new_transaction(&self, now: Timestamp) -> TransactionId {
        let mut random = [0; transaction::RANDOM_BYTES];
        self.surroundings.random(&mut random);
        TransactionId::new(now, random)
    }

    pub(super) async fn enqueue(&self, queued: Vec<NewQueued>) -> Result<Vec<Enqueued>, Unavailable> {
        self.gate.watch(self.spool.enqueue(queued).await)
    }

    pub(super) fn seal(&self, purpose: Purpose, transaction: TransactionId, content: &[u8]) -> Vec<u8> {
        seal::seal(&self.keys.queue, &self.surroundings, purpose, transaction, content)
    }

    /// Where mail for an address goes, as the tables know it.
    pub(super) fn site(&self, to: &Address) -> i64 {
        self.direct.destination(to).hash(&self.keys.sites)
    }

    /// What is told to the sender of a recipient's fate, if anything.
    pub(super) fn notice(&self, about: &About, event: &Event, now: Timestamp) -> Option<Notice> {
        let teller = about.teller.as_ref()?;
        let case = report::Case {
            direction: about.direction,
            return_path: ReturnPath::Proven(&teller.to),
            asked: &teller.recipient,
            named: &about.named,
            event,
            at: now,
        };
        report::decide(&case).ok()
    }

    /// The report of one recipient's fate, ready for the queue; none when nobody is to be told.
    pub(super) fn report_of(
        &self,
        about: &About,
        event: &Event,
        message: &Reported<'_>,
    ) -> Option<NewQueued> {
        let notice = self.notice(about, event, self.now())?;
        self.report(&[notice], about, message)
    }

    /// A report with all notices, which go to the same sender.
    pub(super) fn report(
        &self,
        notices: &[Notice],
        about: &About,
        message: &Reported<'_>,
    ) -> Option<NewQueued> {
        let teller = about.teller.as_ref()?;
        let now = self.now();
        let transaction = self.new_transaction(now);
        let letter = ReportLetter {
            hostname: &self.policy.hostname,
            now,
            id: &transaction.to_string(),
            boundary: &self.boundary(),
            arrival: message.arrival,
            asked: &teller.message,
            head: &teller.head,
            body: message.body,
        };
        let (to, content) = letter.compose(notices)?;
        let letter = Letter {
            id: format!("{transaction}.report"),
            from: ReversePath::Null,
            to,
            head: content.head,
            eight_bit: content.eight_bit,
            smtputf8: content.smtputf8,
            dsn: None,
            about: None,
        };
        Some(NewQueued {
            transaction,
            created_at: now,
            sealed_body: self.seal(Purpose::Body, transaction, &content.body),
            size: (letter.head.len() + content.body.len()) as u64,
            deliveries: vec![NewDelivery {
                sealed: letter.seal(&self.keys.queue, &self.surroundings, transaction),
                sealed_reply: None,
                alias: None,
                recipient: 0,
                accepted: false,
                blamed: false,
                owner: None,
                site: self.site(&letter.to),
                next_attempt_at: now,
                expires_at: self.policy.schedule.of_reports().expires_at(now),
                attempts: 0,
                state: State::Deferred,
            }],
            digest: None,
        })
    }

    /// Letters and digits that no message contains.
    fn boundary(&self) -> String {
        let mut random = [0; 16];
        self.surroundings.random(&mut random);
        format!("{:032x}", u128::from_be_bytes(random))
    }
}

impl<P: Ports> std::fmt::Debug for Station<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Station").field("node", &self.node).finish_non_exhaustive()
    }
}

/// The message that a report is about.
pub(super) struct Reported<'a> {
    pub(super) arrival: Timestamp,
    pub(super) body: &'a Bytes,
}

pub(super) fn later(from: Timestamp, by: Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(from.as_millis().saturating_add(millis))
}

pub(super) fn earlier(than: Timestamp, by: Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(than.as_millis().saturating_sub(millis))
}

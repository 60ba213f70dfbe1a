//! What taking mail in and delivering it have in common: the ports, the keys, the rules of the configuration.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::keys::Keys;
use crate::relay::ports::{Directory, KeyDiscovery, KeyWatch, OpenPgp, Surroundings, Transport, Unavailable};
use crate::relay::redact::Redactor;
use crate::relay::retry::Schedule;
use crate::relay::scrub::OpaqueParts;
use crate::relay::transaction::{self, TransactionId};

use super::gate::Gate;
use super::journal::Journal;
use super::memory::MemoryBudget;
use super::notices::Told;
use super::seal::{self, Purpose};
use super::spool::{Enqueued, NewQueued, Node, Spool};

/// What the configuration decides.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Our name, for trace headers and reports.
    pub hostname: DomainName,
    /// Who reads mail for `postmaster@` and `abuse@`.
    pub postmaster: Option<Address>,
    /// Sessions from there count as the owner's own servers.
    pub trusted_networks: Vec<IpNet>,
    /// What becomes of encrypted and signed parts of replies.
    pub opaque_parts: OpaqueParts,
    /// What is written to a contact goes to the alias's other mailboxes as well.
    pub copies_of_replies: bool,
    /// Certificates that authors send along are taken.
    pub autocrypt: bool,
    /// The domains of contacts are asked for certificates.
    pub wkd: bool,
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
    /// Encryption.
    type OpenPgp: OpenPgp;
    /// Certificates that come and expire.
    type KeyWatch: KeyWatch;
    /// Certificates that domains publish.
    type KeyDiscovery: KeyDiscovery;
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
    pub(super) openpgp: Arc<P::OpenPgp>,
    pub(super) keywatch: P::KeyWatch,
    pub(super) discovery: P::KeyDiscovery,
    pub(super) told: Told,
    pub(super) surroundings: P::Surroundings,
    pub(super) gate: Arc<Gate>,
    pub(super) memory: Arc<MemoryBudget>,
    pub(super) node: Node,
}

/// What a station is put together from.
#[derive(Debug)]
pub struct Parts<P: Ports> {
    /// The rules.
    pub policy: Policy,
    /// The keys.
    pub keys: Keys,
    /// How addresses show in the log.
    pub redactor: Redactor,
    /// Aliases and contacts.
    pub directory: P::Directory,
    /// The queue's tables.
    pub spool: P::Spool,
    /// For deliveries that a sender waits for.
    pub direct: P::Transport,
    /// The same transport, with more time for each delivery: nobody waits.
    pub patient: P::Transport,
    /// Encryption.
    pub openpgp: P::OpenPgp,
    /// Certificates that come and expire.
    pub keywatch: P::KeyWatch,
    /// Certificates that domains publish.
    pub discovery: P::KeyDiscovery,
    /// Time and randomness.
    pub surroundings: P::Surroundings,
    /// For the bodies of messages under way.
    pub memory: Arc<MemoryBudget>,
}

impl<P: Ports> Station<P> {
    /// Puts it together.
    #[must_use]
    pub fn new(parts: Parts<P>) -> Arc<Self> {
        let mut node = [0; 8];
        parts.surroundings.random(&mut node);
        // Positive, so that it reads well in a table.
        let node = Node(i64::from_be_bytes(node) & i64::MAX);
        Arc::new(Self {
            journal: Journal::new(parts.redactor),
            policy: parts.policy,
            keys: parts.keys,
            directory: parts.directory,
            spool: parts.spool,
            direct: parts.direct,
            patient: parts.patient,
            openpgp: Arc::new(parts.openpgp),
            keywatch: parts.keywatch,
            discovery: parts.discovery,
            told: Told::default(),
            surroundings: parts.surroundings,
            gate: Arc::default(),
            memory: parts.memory,
            node,
        })
    }

    /// Whether the queue can be written to.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(super) fn now(&self) -> Timestamp {
        self.surroundings.now()
    }

    /// The end of a lease that begins now.
    pub(super) fn lease_end(&self) -> Timestamp {
        self.now().later_by(self.policy.lease)
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
        self.note_write(self.spool.enqueue(queued).await).await
    }

    /// Takes note of how a write went. One that fails while others could be made is no reason to close the gate.
    pub(super) async fn note_write<T>(&self, result: Result<T, Unavailable>) -> Result<T, Unavailable> {
        match result {
            Err(error) if self.gate.is_open() && self.spool.probe().await.is_ok() => {
                tracing::error!(%error, "something cannot be written to the queue, while the queue can be written to");
                Err(error)
            }
            result => self.gate.watch(result),
        }
    }

    pub(super) fn seal(&self, purpose: Purpose, transaction: TransactionId, content: &[u8]) -> Vec<u8> {
        seal::seal(&self.keys.queue, &self.surroundings, purpose, transaction, content)
    }

    /// Where mail for an address goes, as the tables know it.
    pub(super) fn site(&self, to: &Address) -> i64 {
        self.direct.destination(to).hash(&self.keys.sites)
    }
}

impl<P: Ports> std::fmt::Debug for Station<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Station").field("node", &self.node).finish_non_exhaustive()
    }
}

//! The port to the queue's tables.
//!
//! What a row holds of a letter is sealed before it gets here (`seal.rs` beside this): the store sees sizes, times and states.
//!
//! **A claim is written before the work begins.** [`Spool::claim`] moves `next_attempt_at` behind the lease, counts the
//! attempt and notes the owner, in one statement. A node that dies therefore leaves nothing to be cleaned up: when its
//! lease is over the row is due again, for any node. Every later change of a claimed row names the owner and does
//! nothing when the row has meanwhile gone to another.

use std::future::Future;
use std::time::Duration;

use crate::mail::Timestamp;
use crate::relay::alias::AliasId;
use crate::relay::ports::Unavailable;
use crate::relay::transaction::TransactionId;

/// Names a row of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

/// Names the row of a body that the deliveries of one transaction share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyId(pub i64);

/// A running daemon: random, new at every start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node(pub i64);

/// A keyed hash of what makes two transactions the same.
pub type TransactionDigest = [u8; 32];

/// A transaction to be committed: its body once, and what is still to be done.
#[derive(Debug, Clone)]
pub struct NewQueued {
    /// The transaction.
    pub transaction: TransactionId,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// The body, sealed.
    pub sealed_body: Vec<u8>,
    /// Octets of the message before sealing.
    pub size: u64,
    /// Not empty; several for a recipient that has several mailboxes.
    pub deliveries: Vec<NewDelivery>,
    /// The identity under which a repetition is known (RFC 1047).
    pub digest: Option<TransactionDigest>,
}

/// A delivery to be committed.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Envelope and head, sealed.
    pub sealed: Vec<u8>,
    /// The last reply, sealed, if there was an attempt.
    pub sealed_reply: Option<Vec<u8>>,
    /// The alias that it belongs to; none for our own reports.
    pub alias: Option<AliasId>,
    /// Which recipient of its transaction it is for. Deliveries of one recipient (an alias with several mailboxes) share
    /// the number.
    pub recipient: u32,
    /// Another delivery for the same recipient has arrived: whatever becomes of this one, the sender hears nothing.
    pub accepted: bool,
    /// The next hop has refused us, not the message; once that is put off.
    pub blamed: bool,
    /// The node that works on it already: `next_attempt_at` is then the end of its lease.
    pub owner: Option<Node>,
    /// A keyed hash of the next hop's name, so that deliveries to one place can be told from others.
    pub site: i64,
    /// When it is due.
    pub next_attempt_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// What has been tried so far.
    pub attempts: u32,
    /// How it stands.
    pub state: State,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for its time.
    Deferred,
    /// As that, and the last attempt may have been delivered.
    Uncertain,
    /// An admin holds it back.
    Held,
    /// Its sealed parts cannot be opened; nothing is tried until somebody looks.
    Damaged,
}

/// A delivery that this node owns until its lease ends.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with one another")]
pub struct Claimed {
    /// The row.
    pub id: DeliveryId,
    /// The body's row.
    pub body: BodyId,
    /// Of which transaction.
    pub transaction: TransactionId,
    /// Envelope and head, sealed.
    pub sealed: Vec<u8>,
    /// Where it goes, as a hash.
    pub site: i64,
    /// Attempts, this one among them.
    pub attempts: u32,
    /// When the transaction was accepted.
    pub created_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// A report about the delay was sent.
    pub delay_reported: bool,
    /// As in [`NewDelivery::accepted`].
    pub accepted: bool,
    /// As in [`NewDelivery::blamed`].
    pub blamed: bool,
    /// An admin wants it tried now, whatever its site is like ([`Order::Retry`]). A claim ends the wish.
    pub urgent: bool,
    /// Octets of the message.
    pub size: u64,
}

/// A transaction that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// The row of its body.
    pub body: BodyId,
    /// The rows of its deliveries, in their order.
    pub deliveries: Vec<DeliveryId>,
}

/// What becomes of a claimed delivery.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// The next hop has it: the row goes, and with the last one the body. The recipient's other rows are `accepted` from
    /// now on.
    Delivered,
    /// It is given up: the row goes, and with the last one the body. The report is committed with it, unless the recipient
    /// has accepted or another of its deliveries is still to be tried: then that one tells.
    Failed {
        /// What the sender is told, if it is told.
        report: Option<NewQueued>,
    },
    /// Again at this time.
    Again {
        /// When.
        at: Timestamp,
        /// [`State::Deferred`] or [`State::Uncertain`].
        state: State,
        /// The last reply, sealed.
        sealed_reply: Vec<u8>,
        /// As in [`NewDelivery::blamed`].
        blamed: bool,
        /// A report about the delay, committed with it unless the recipient has accepted. All rows of the recipient are
        /// `delay_reported` from then on.
        delay_report: Option<NewQueued>,
    },
    /// It cannot be opened.
    Damaged,
}

/// A delivery that has arrived, and was this node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The row, which is gone.
    pub id: DeliveryId,
    /// No other delivery for its recipient has arrived before.
    pub is_first: bool,
}

/// How a settlement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The row is not this node's any more; nothing was changed.
    Lost,
    /// As it was told, with its report if there was one.
    Done,
    /// As it was told, without the report: the recipient has accepted, or is still being tried.
    Unreported,
}

/// A row as an admin sees it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with one another")]
pub struct Listed {
    /// The row.
    pub id: DeliveryId,
    /// Of which transaction.
    pub transaction: TransactionId,
    /// Envelope and head, sealed.
    pub sealed: Vec<u8>,
    /// The last reply, sealed.
    pub sealed_reply: Option<Vec<u8>>,
    /// How it stands.
    pub state: State,
    /// A node works on it now.
    pub in_flight: bool,
    /// So far.
    pub attempts: u32,
    /// When it is due.
    pub next_attempt_at: Timestamp,
    /// Octets of the message.
    pub size: u64,
    /// When the transaction was accepted.
    pub created_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// As in [`Claimed::delay_reported`].
    pub delay_reported: bool,
    /// As in [`NewDelivery::accepted`].
    pub accepted: bool,
    /// As in [`NewDelivery::blamed`].
    pub blamed: bool,
}

/// What an admin does to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Due now, and urgent; also a damaged one is tried again.
    Retry,
    /// Not tried until released.
    Hold,
    /// Due at its time again.
    Release,
    /// Gone for good, without a report.
    Drop,
}

/// To which rows an order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(DeliveryId),
    /// All that it makes sense for.
    All,
}

/// The queue in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Deferred and uncertain.
    pub waiting: u64,
    /// Held.
    pub held: u64,
    /// Damaged.
    pub damaged: u64,
    /// When the oldest waiting one was accepted.
    pub oldest: Option<Timestamp>,
}

/// The queue's tables. What has returned `Ok` is on disk.
pub trait Spool: Send + Sync + 'static {
    /// Commits transactions: bodies, deliveries and digests, all or nothing. Answers in their order.
    fn enqueue(
        &self,
        queued: Vec<NewQueued>,
    ) -> impl Future<Output = Result<Vec<Enqueued>, Unavailable>> + Send;

    /// Claims up to `limit` deliveries that are due, oldest due first, until `now + lease`. Costs no more with a long
    /// queue than with a short one.
    fn claim(
        &self,
        node: Node,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Claimed>, Unavailable>> + Send;

    /// Keeps claims until `until`; returns those that are still this node's.
    fn renew(
        &self,
        node: Node,
        ids: &[DeliveryId],
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<DeliveryId>, Unavailable>> + Send;

    /// A sealed body, if it is there.
    fn body(&self, id: BodyId) -> impl Future<Output = Result<Option<Vec<u8>>, Unavailable>> + Send;

    /// Ends a claim.
    fn settle(
        &self,
        node: Node,
        id: DeliveryId,
        settlement: Settlement,
    ) -> impl Future<Output = Result<Settled, Unavailable>> + Send;

    /// Ends claims with [`Settlement::Delivered`], all at once; returns those that were this node's.
    fn settle_delivered(
        &self,
        node: Node,
        ids: &[DeliveryId],
    ) -> impl Future<Output = Result<Vec<Arrival>, Unavailable>> + Send;

    /// Gives claims back untried (the node stops, the site is full): due at these times, and the attempt is not counted.
    /// Rows that are not this node's are passed over.
    fn give_back(
        &self,
        node: Node,
        due: &[(DeliveryId, Timestamp)],
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// When the next delivery is due that nobody owns; none when there is none.
    fn next_due(&self) -> impl Future<Output = Result<Option<Timestamp>, Unavailable>> + Send;

    /// The transaction that was accepted under this digest since `since`. Asked for every message: questions that come
    /// while another is under way go together.
    fn seen(
        &self,
        digest: &TransactionDigest,
        since: Timestamp,
    ) -> impl Future<Output = Result<Option<TransactionId>, Unavailable>> + Send;

    /// Notes that a transaction was accepted without anything left to do. May be batched: it is lost only when the node
    /// dies within moments.
    fn note(&self, digest: TransactionDigest, transaction: TransactionId, now: Timestamp);

    /// A page of the queue, by id, after `after`.
    fn list(
        &self,
        now: Timestamp,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Listed>, Unavailable>> + Send;

    /// One row.
    fn show(
        &self,
        now: Timestamp,
        id: DeliveryId,
    ) -> impl Future<Output = Result<Option<Listed>, Unavailable>> + Send;

    /// Carries out an admin's order; returns how many rows it changed.
    fn order(
        &self,
        order: Order,
        which: Which,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, Unavailable>> + Send;

    /// The queue in numbers. May be a few seconds behind.
    fn depth(&self) -> impl Future<Output = Result<Depth, Unavailable>> + Send;

    /// Commits something small and takes it back: `Ok` says that the database can be written to.
    fn probe(&self) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Deletes digests older than `before`, in small batches.
    fn forget(&self, before: Timestamp) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

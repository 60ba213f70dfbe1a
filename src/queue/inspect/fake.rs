//! A queue in memory that can be looked at and given orders, for tests of use cases and commands. It keeps the store's rules
//! about which order changes which row; the store's own suite tests the real thing.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::mail::{Address, Timestamp};
use crate::queue::letter::{About, Letter, Teller};
use crate::queue::seal::{self, Purpose};
use crate::queue::spool::{
    Arrival, BodyId, Claimed, DeliveryId, Depth, Enqueued, Listed, NewQueued, Node, Order, Settled,
    Settlement, Spool, State, TransactionDigest, Which,
};
use crate::relay::alias::AliasId;
use crate::relay::keys::{Keys, QueueKeys};
use crate::relay::ports::{Surroundings, Unavailable};
use crate::relay::report::Direction;
use crate::relay::transaction::TransactionId;
use crate::smtp::ReversePath;
use crate::smtp::dsn::{MessageRequest, Notify, RecipientRequest};

const MINUTE: i64 = 60_000;

/// A clock that stands still, at 2026-09-21 14:13:20 UTC, and octets that are all the same.
pub(crate) struct Still;

impl Surroundings for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000)
    }

    fn random(&self, into: &mut [u8]) {
        into.fill(7);
    }
}

/// So many minutes from now, or before.
pub(crate) fn minutes(number: i64) -> Timestamp {
    Timestamp::from_millis(Still.now().as_millis() + number * MINUTE)
}

/// The keys under which everything is sealed here.
pub(crate) fn keys() -> QueueKeys {
    Keys::derive(&[7; 32]).queue
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A forward from jane@example.org to the alias shop@example.com, on its way to this mailbox.
pub(crate) fn letter(to: &str) -> Letter {
    let asked = RecipientRequest { notify: Some(Notify { failure: true, ..Notify::NEVER }), orcpt: None };
    let teller = Teller {
        to: address("jane@example.org"),
        message: MessageRequest { ret: None, envid: None },
        recipient: asked,
        head: Bytes::from_static(b"Subject: SECRET as it came\r\n\r\n"),
    };
    Letter {
        id: "01.1".to_owned(),
        from: ReversePath::Address(address("b.token@example.com")),
        to: address(to),
        head: Bytes::from_static(b"Subject: SECRET\r\n\r\n"),
        eight_bit: false,
        smtputf8: false,
        dsn: None,
        privacy: crate::relay::openpgp::Privacy::Open,
        about: Some(About {
            named: address("Shop+tag@example.com"),
            direction: Direction::Forward,
            alias: Some((AliasId(3), address("shop@example.com"))),
            account: None,
            scrubbed: false,
            counted: None,
            teller: Some(teller),
        }),
    }
}

/// A row with this letter, tried twice, deferred for another four minutes.
pub(crate) fn row(id: i64, letter: &Letter) -> Listed {
    let transaction = TransactionId::from_bytes([u8::try_from(id % 256).unwrap(); 16]);
    let reply = b"mx.example.net: 451 4.2.1 come back later";
    Listed {
        id: DeliveryId(id),
        transaction,
        sealed: letter.seal(&keys(), &Still, transaction),
        sealed_reply: Some(seal::seal(&keys(), &Still, Purpose::Reply, transaction, reply)),
        state: State::Deferred,
        in_flight: false,
        attempts: 2,
        next_attempt_at: minutes(4),
        size: 1234,
        created_at: minutes(-6),
        expires_at: minutes(120),
        delay_reported: false,
        accepted: false,
        blamed: false,
    }
}

/// The queue.
#[derive(Default)]
pub(crate) struct Fake {
    rows: Mutex<BTreeMap<i64, Listed>>,
    /// The database does not answer.
    is_away: bool,
}

impl Fake {
    /// A queue of these rows.
    pub(crate) fn of(rows: impl IntoIterator<Item = Listed>) -> Self {
        Self { rows: Mutex::new(rows.into_iter().map(|row| (row.id.0, row)).collect()), is_away: false }
    }

    /// A queue whose database does not answer.
    pub(crate) fn away() -> Self {
        Self { is_away: true, ..Self::default() }
    }

    fn answers(&self) -> Result<(), Unavailable> {
        if self.is_away { Err(Unavailable("gone fishing".to_owned())) } else { Ok(()) }
    }
}

/// Whether the order changes the row.
fn obey(order: Order, row: &mut Listed) -> bool {
    let is_waiting = matches!(row.state, State::Deferred | State::Uncertain);
    let obeys = match order {
        Order::Retry => row.state == State::Damaged || (is_waiting && !row.in_flight),
        Order::Hold => is_waiting,
        Order::Release => row.state == State::Held,
        Order::Drop => true,
    };
    match order {
        _ if !obeys => {}
        Order::Retry => (row.state, row.next_attempt_at) = (State::Deferred, Still.now()),
        Order::Hold => row.state = State::Held,
        Order::Release => row.state = State::Deferred,
        Order::Drop => {}
    }
    obeys
}

impl Spool for Fake {
    async fn list(
        &self,
        _: Timestamp,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<Listed>, Unavailable> {
        self.answers()?;
        let after = after.map_or(0, |id| id.0);
        let rows = self.rows.lock();
        Ok(rows.range(after + 1..).map(|(_, row)| row.clone()).take(limit as usize).collect())
    }

    async fn show(&self, _: Timestamp, id: DeliveryId) -> Result<Option<Listed>, Unavailable> {
        self.answers()?;
        Ok(self.rows.lock().get(&id.0).cloned())
    }

    async fn order(&self, order: Order, which: Which, _: Timestamp) -> Result<u64, Unavailable> {
        self.answers()?;
        let mut rows = self.rows.lock();
        let is_meant = |id: i64| which == Which::All || which == Which::One(DeliveryId(id));
        let obeyed: Vec<i64> = rows
            .iter_mut()
            .filter_map(|(id, row)| (is_meant(*id) && obey(order, row)).then_some(*id))
            .collect();
        if order == Order::Drop {
            rows.retain(|id, _| !obeyed.contains(id));
        }
        Ok(obeyed.len() as u64)
    }

    async fn enqueue(&self, _: Vec<NewQueued>) -> Result<Vec<Enqueued>, Unavailable> {
        unreachable!("an admin commits nothing")
    }

    async fn claim(&self, _: Node, _: Timestamp, _: Duration, _: u32) -> Result<Vec<Claimed>, Unavailable> {
        unreachable!("an admin claims nothing")
    }

    async fn renew(&self, _: Node, _: &[DeliveryId], _: Timestamp) -> Result<Vec<DeliveryId>, Unavailable> {
        unreachable!("an admin owns nothing")
    }

    async fn body(&self, _: BodyId) -> Result<Option<Vec<u8>>, Unavailable> {
        unreachable!("an admin is shown no content")
    }

    async fn settle(&self, _: Node, _: DeliveryId, _: Settlement) -> Result<Settled, Unavailable> {
        unreachable!("an admin owns nothing")
    }

    async fn settle_delivered(&self, _: Node, _: &[DeliveryId]) -> Result<Vec<Arrival>, Unavailable> {
        unreachable!("an admin owns nothing")
    }

    async fn give_back(&self, _: Node, _: &[(DeliveryId, Timestamp)]) -> Result<(), Unavailable> {
        unreachable!("an admin owns nothing")
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, Unavailable> {
        unreachable!("not asked here")
    }

    async fn seen(&self, _: &TransactionDigest, _: Timestamp) -> Result<Option<TransactionId>, Unavailable> {
        unreachable!("not asked here")
    }

    fn note(&self, _: TransactionDigest, _: TransactionId, _: Timestamp) {
        unreachable!("an admin accepts nothing")
    }

    async fn depth(&self) -> Result<Depth, Unavailable> {
        unreachable!("not asked here")
    }

    async fn probe(&self) -> Result<(), Unavailable> {
        unreachable!("not asked here")
    }

    async fn forget(&self, _: Timestamp) -> Result<(), Unavailable> {
        unreachable!("not asked here")
    }
}

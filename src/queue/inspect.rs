//! The queue as an admin sees it, and an admin's orders to single deliveries.
//!
//! The tables know sizes, times and states; for whom a delivery is and what it was last answered is opened here. A row that
//! does not open (damaged, or its key is not here) is shown with what the tables know and says why: it must not drop out
//! of sight just because nobody can read it. What a letter says is never shown.

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer};

use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::keys::QueueKeys;
use crate::relay::ports::Unavailable;
use crate::relay::report::Direction;
use crate::relay::transaction::TransactionId;
use crate::smtp::ReversePath;
use crate::smtp::dsn::Notify;

use super::letter::{About, Letter};
use super::seal::{self, Opening, Purpose};
use super::spool::{DeliveryId, Listed, Order, Spool, State, Which};

/// Rows that are fetched together. Each carries its head, and some heads are long.
const PAGE: u32 = 200;

const NO_KEY: &str = "there is no master key here";

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Waits for its time.
    Deferred,
    /// As that, and the last attempt may have been delivered.
    Uncertain,
    /// An admin holds it back.
    Held,
    /// A node works on it, whatever holds afterwards.
    InFlight,
    /// It could not be opened, and is not tried until somebody looks.
    Damaged,
}

impl Standing {
    /// All of them, with the words that they are known by outside.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("deferred", Self::Deferred),
        ("uncertain", Self::Uncertain),
        ("held", Self::Held),
        ("in_flight", Self::InFlight),
        ("damaged", Self::Damaged),
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, standing)| *standing == self).map_or("", |(word, _)| word)
    }

    fn of(row: &Listed) -> Self {
        match row.state {
            _ if row.in_flight => Self::InFlight,
            State::Deferred => Self::Deferred,
            State::Uncertain => Self::Uncertain,
            State::Held => Self::Held,
            State::Damaged => Self::Damaged,
        }
    }
}

/// A delivery in a list. The field names are those of the HTTP API and of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its row.
    #[serde(serialize_with = "number")]
    pub id: DeliveryId,
    /// Of which transaction.
    #[serde(serialize_with = "text")]
    pub transaction: TransactionId,
    /// The alias that it belongs to; none for role addresses, for our own reports, and when the row cannot be opened.
    #[serde(serialize_with = "text_option")]
    pub alias: Option<Address>,
    /// The mailbox or the contact, or the sender who gets a report; none when the row cannot be opened.
    #[serde(serialize_with = "text_option")]
    pub recipient: Option<Address>,
    /// How it stands.
    pub state: Standing,
    /// So far, one that is under way among them.
    pub attempts: u32,
    /// When it is due. Of one in flight: when another node may take it, should this one be gone. Of one that is held: when
    /// it is due once it is released. Of one that is damaged it says nothing.
    #[serde(serialize_with = "rfc3339")]
    pub next_attempt_at: Timestamp,
    /// What the next hop said last, if it was asked; of a row that cannot be opened, why it cannot.
    pub last_reply: Option<String>,
    /// Octets of the message.
    pub size: u64,
    /// When the transaction was accepted.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
}

/// Which way a delivery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To a mailbox.
    Forward,
    /// To a contact.
    Reply,
    /// A report of ours, to a sender.
    Report,
}

/// All that is known of one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Details {
    /// As in a list.
    #[serde(flatten)]
    pub entry: Entry,
    /// Which way it goes; none when the row cannot be opened.
    pub kind: Option<Kind>,
    /// The reverse path that it goes out with, empty for `<>`; none when the row cannot be opened.
    pub return_path: Option<String>,
    /// The recipient as the sender wrote it; none of our reports and when the row cannot be opened.
    #[serde(serialize_with = "text_option")]
    pub addressed_to: Option<Address>,
    /// When it is given up.
    #[serde(serialize_with = "rfc3339")]
    pub expires_at: Timestamp,
    /// Who is told what becomes of it; none when nobody may be told, and when the row cannot be opened.
    #[serde(serialize_with = "text_option")]
    pub reports_to: Option<Address>,
    /// What that one wants to be told (`NOTIFY`, RFC 3461), if it was said.
    #[serde(serialize_with = "text_option")]
    pub notify: Option<Notify>,
    /// It was told already that the message takes long.
    pub delay_reported: bool,
    /// The message has arrived at another mailbox of the alias: nobody is told of this delivery.
    pub arrived_elsewhere: bool,
    /// The next hop has refused us rather than the message; once that is put off.
    pub refused_us: bool,
    /// Why the row cannot be opened.
    pub problem: Option<String>,
}

/// Which deliveries are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only those that stand so.
    pub state: Option<Standing>,
    /// Only those that go to this domain.
    pub domain: Option<DomainName>,
    /// No more than these, the oldest first.
    pub limit: Option<u64>,
}

/// How a walk through the queue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walked {
    /// Everything was seen.
    ToTheEnd,
    /// There may be more beyond [`Wanted::limit`].
    ToTheLimit,
}

/// Looks at rows.
#[derive(Debug, Clone, Copy)]
pub struct Inspector<'a, S> {
    /// The tables.
    pub spool: &'a S,
    /// What rows are opened with; without, they are shown unopened.
    pub keys: Option<&'a QueueKeys>,
}

impl<S: Spool> Inspector<'_, S> {
    /// One page in the order of the ids, those after `after`.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn page(
        &self,
        now: Timestamp,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<Entry>, Unavailable> {
        let rows = self.spool.list(now, after, limit).await?;
        Ok(rows.into_iter().map(|row| self.entry(row)).collect())
    }

    /// Hands everything that is wanted to `take`, a page at a time: a long queue is never in memory as a whole.
    ///
    /// # Errors
    /// When the tables cannot be read; what `take` says.
    pub async fn walk<E: From<Unavailable>>(
        &self,
        now: Timestamp,
        wanted: &Wanted,
        mut take: impl FnMut(Vec<Entry>) -> Result<(), E>,
    ) -> Result<Walked, E> {
        let (mut after, mut left) = (None, wanted.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let rows = self.spool.list(now, after, PAGE).await?;
            let last = rows.last().map(|row| row.id);
            // Also ends it when a page does not move on, which would be asked for again and again.
            if last <= after {
                return Ok(Walked::ToTheEnd);
            }
            after = last;
            let rows = rows.into_iter().filter(|row| wanted.has_state(row)).map(|row| self.entry(row));
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let page: Vec<_> = rows.filter(|entry| wanted.has_domain(entry)).take(most).collect();
            left -= page.len() as u64;
            if !page.is_empty() {
                take(page)?;
            }
        }
        Ok(Walked::ToTheLimit)
    }

    /// All about one delivery; none when it is not in the queue (any more).
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn show(&self, now: Timestamp, id: DeliveryId) -> Result<Option<Details>, Unavailable> {
        Ok(self.spool.show(now, id).await?.map(|row| self.details(row)))
    }

    fn entry(&self, mut row: Listed) -> Entry {
        let letter = self.letter(&mut row);
        self.opened_entry(row, &letter)
    }

    fn details(&self, mut row: Listed) -> Details {
        let letter = self.letter(&mut row);
        let opened = letter.as_ref().ok();
        let about = opened.and_then(|letter| letter.about.as_ref());
        let teller = about.and_then(|about| about.teller.as_ref());
        Details {
            kind: opened.map(|letter| kind(letter.about.as_ref())),
            return_path: opened.map(|letter| match &letter.from {
                ReversePath::Null => String::new(),
                ReversePath::Address(address) => address.to_string(),
            }),
            addressed_to: about.map(|about| about.named.clone()),
            expires_at: row.expires_at,
            reports_to: teller.map(|teller| teller.to.clone()),
            notify: teller.and_then(|teller| teller.recipient.notify),
            delay_reported: row.delay_reported,
            arrived_elsewhere: row.accepted,
            refused_us: row.blamed,
            problem: letter.as_ref().err().cloned(),
            entry: self.opened_entry(row, &letter),
        }
    }

    fn opened_entry(&self, row: Listed, letter: &Result<Letter, String>) -> Entry {
        let alias = |letter: &Letter| Some(letter.about.as_ref()?.alias.as_ref()?.1.clone());
        Entry {
            id: row.id,
            transaction: row.transaction,
            alias: letter.as_ref().ok().and_then(alias),
            recipient: letter.as_ref().ok().map(|letter| letter.to.clone()),
            state: Standing::of(&row),
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            last_reply: match letter {
                Ok(_) => row.sealed_reply.map(|sealed| self.last_reply(row.transaction, sealed)),
                Err(why) => Some(unreadable(why)),
            },
            size: row.size,
            created_at: row.created_at,
        }
    }

    /// Takes what is sealed out of the row, since heads are long.
    fn letter(&self, row: &mut Listed) -> Result<Letter, String> {
        let keys = self.keys.ok_or(NO_KEY)?;
        let sealed = std::mem::take(&mut row.sealed);
        Letter::open(keys, row.transaction, sealed).map_err(|why| why.to_string())
    }

    fn last_reply(&self, transaction: TransactionId, sealed: Vec<u8>) -> String {
        let Some(keys) = self.keys else { return unreadable(&NO_KEY) };
        match seal::open(keys, Purpose::Reply, transaction, sealed) {
            Opening::Opened(reply) => String::from_utf8_lossy(&reply).into_owned(),
            Opening::Damaged(why) => unreadable(&why),
        }
    }
}

impl Wanted {
    fn has_state(&self, row: &Listed) -> bool {
        self.state.is_none_or(|state| state == Standing::of(row))
    }

    fn has_domain(&self, entry: &Entry) -> bool {
        let Some(domain) = &self.domain else { return true };
        entry.recipient.as_ref().and_then(Address::domain) == Some(domain)
    }
}

fn kind(about: Option<&About>) -> Kind {
    match about.map(|about| about.direction) {
        Some(Direction::Forward) => Kind::Forward,
        Some(Direction::Reply) => Kind::Reply,
        None => Kind::Report,
    }
}

fn unreadable(why: &impl std::fmt::Display) -> String {
    format!("cannot be read: {why}")
}

/// What came of an order to one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// It was changed.
    Out,
    /// It is there, and stands so that the order changes nothing.
    Unchanged(Standing),
    /// It is not in the queue (any more).
    Missing,
}

/// Gives an order to one delivery.
///
/// # Errors
/// When the tables cannot be read or changed.
pub async fn order<S: Spool>(
    spool: &S,
    order: Order,
    id: DeliveryId,
    now: Timestamp,
) -> Result<Carried, Unavailable> {
    if spool.order(order, Which::One(id), now).await? > 0 {
        return Ok(Carried::Out);
    }
    let row = spool.show(now, id).await?;
    Ok(row.map_or(Carried::Missing, |row| Carried::Unchanged(Standing::of(&row))))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn number<S: Serializer>(id: &DeliveryId, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(id.0)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn rfc3339<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.to_rfc3339())
}

fn text<T: std::fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn text_option<T: std::fmt::Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

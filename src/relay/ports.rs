//! What the business needs from outside, as traits. Adapters implement them; nothing here knows which.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use crate::mail::{Address, Timestamp};
pub use crate::smtp::Outcome;
use crate::smtp::ReversePath;
use crate::smtp::dsn::{MessageRequest, RecipientRequest};

use super::alias::{AccountId, Alias, AliasId, CatchAll, Contact, Lookup, Mailbox};
use super::openpgp::{Certificate, CertificateId, Fingerprint, Inspected, Privacy, Unusable};
use super::pacing::Admit;
use super::site::Destination;

/// The database cannot answer, or cannot be written to, now; the sender may try again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database cannot answer: {0}")]
pub struct Unavailable(pub String);

/// A contact that a message needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedContact {
    /// The outside address.
    pub address: Address,
    /// The display name seen with it, if any; kept when the contact has none.
    pub name: Option<String>,
    /// The reverse alias that it gets if it is new.
    pub reverse_alias: Address,
}

/// What is counted per alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// A message that reached a mailbox.
    Forwarded,
    /// A reply that reached a contact.
    Replied,
    /// A message that was refused or discarded by the owner's wish.
    Blocked,
}

/// Aliases and contacts. Answers may come from a cache that is at most a second behind other nodes.
pub trait Directory: Send + Sync + 'static {
    /// What `address` stands for; `+tag` and catch-all are followed.
    fn lookup(&self, address: &Address) -> impl Future<Output = Result<Lookup, Unavailable>> + Send;

    /// The alias with this id, unless it was deleted. For the rare mail that names it by a token.
    fn alias_with_id(
        &self,
        id: AliasId,
    ) -> impl Future<Output = Result<Option<Arc<Alias>>, Unavailable>> + Send;

    /// The contact of this alias with this address, if there is one.
    fn find_contact(
        &self,
        alias: AliasId,
        address: &Address,
    ) -> impl Future<Output = Result<Option<Contact>, Unavailable>> + Send;

    /// The contacts for `wanted`, in its order; missing ones are made (durably) first.
    fn contacts(
        &self,
        alias: &Alias,
        wanted: &[WantedContact],
    ) -> impl Future<Output = Result<Vec<Contact>, Unavailable>> + Send;

    /// Makes the alias that a catch-all allows, or returns the one that another transaction just made.
    fn create_alias(
        &self,
        rule: &CatchAll,
        address: &Address,
    ) -> impl Future<Output = Result<Arc<Alias>, Unavailable>> + Send;

    /// The certificates that the account has for an address, in the order in which they came; none when there are none.
    /// One from an `Autocrypt` field is only among them when it is the only one.
    fn certificates(
        &self,
        account: AccountId,
        address: &Address,
    ) -> impl Future<Output = Result<Arc<[Certificate]>, Unavailable>> + Send;

    /// An account that has this address as a mailbox with certificates, for mail that goes there without belonging to an
    /// account.
    fn encrypting_owner(
        &self,
        mailbox: &Address,
    ) -> impl Future<Output = Result<Option<AccountId>, Unavailable>> + Send;

    /// Counts; never waits. Counters reach the tables within 10 seconds.
    fn count(&self, alias: AliasId, what: Counted);
}

/// How far the owner of a mailbox was told that a certificate of it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Warned {
    /// Not at all.
    Nothing,
    /// 30 days ahead.
    MonthAhead,
    /// 7 days ahead.
    WeekAhead,
    /// That it has.
    Expired,
}

/// A certificate of a mailbox that expires, or has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Its row.
    pub id: CertificateId,
    /// Whose it is.
    pub account: AccountId,
    /// The mailbox.
    pub address: Address,
    /// Its name.
    pub fingerprint: Fingerprint,
    /// From then on it cannot be encrypted to.
    pub expires_at: Timestamp,
    /// What its owner knows.
    pub warned: Warned,
}

/// Certificates that change without anybody's order: some come with mail, and some expire. Answers come from the database.
pub trait KeyWatch: Send + Sync + 'static {
    /// Takes the certificate of a contact's `Autocrypt` field, from a message whose author is proven and that was written
    /// at `seen_at`. It takes the place of the one that an older message brought. Whether anything has changed: not when
    /// the one at hand is of a newer message, is the same, or was imported, nor for an address of the account's own.
    fn harvest(
        &self,
        account: AccountId,
        address: &Address,
        found: &Inspected,
        mutual: bool,
        seen_at: Timestamp,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Takes what the Web Key Directory of a contact's domain gives, in the place of what it gave before. Nothing is changed
    /// for an address of the account's own.
    fn keep_found(
        &self,
        account: AccountId,
        address: &Address,
        found: &[Inspected],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Certificates of mailboxes that expire until `until` and of which less was told than `told`; at most so many, the
    /// first to expire first.
    fn expiring(
        &self,
        until: Timestamp,
        told: Warned,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Expiring>, Unavailable>> + Send;

    /// Notes that the owner is being told so much. Of several nodes that saw the same, one gets `true`, and tells; none
    /// when the certificate was renewed meanwhile.
    fn note_warned(
        &self,
        seen: &Expiring,
        told: Warned,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Notes that the owner of a mailbox is being told at `now` that mail for it could not be encrypted. `false`, when there
    /// is no such mailbox, or that was told after `not_since` already.
    fn note_alarm(
        &self,
        account: AccountId,
        mailbox: &Address,
        now: Timestamp,
        not_since: Timestamp,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Where the owner of the account can be told something: the verified mailboxes that take mail now, at most 20.
    fn mailboxes_to_tell(
        &self,
        account: AccountId,
    ) -> impl Future<Output = Result<Vec<Mailbox>, Unavailable>> + Send;
}

/// A message as it is handed to a next hop: one head of our own making and a body that is shared.
#[derive(Debug, Clone)]
pub struct Content {
    /// Header section with the empty line that ends it, CRLF line ends.
    pub head: Bytes,
    /// Everything after it, as it came.
    pub body: Bytes,
    /// An octet above 127 is in it: the next hop must offer 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// Its header section needs SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
}

/// One outgoing message for one recipient.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// For the log: the transaction's id and a number.
    pub id: String,
    /// Our return path.
    pub from: ReversePath,
    /// The mailbox or the contact.
    pub to: Address,
    /// The message.
    pub content: Content,
    /// What the next hop is asked about reports, if anything.
    pub dsn: Option<Box<ReportRequest>>,
    /// Whether the message is to be encrypted before it is sent. Who sends it sees to that, and hands the transport what
    /// may go.
    pub privacy: Privacy,
}

/// What a next hop is asked about reports (RFC 3461); they go to our return path. See [`crate::relay::onward`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportRequest {
    /// About the message.
    pub message: MessageRequest,
    /// About the recipient.
    pub recipient: RecipientRequest,
}

/// Sends a message to its next hop.
pub trait Transport: Send + Sync + 'static {
    /// Tries once: all hosts of the next hop, in their order. Answers within the time that it was given when it was made
    /// (`delivery.direct_timeout`); a call that is dropped half-way loses its outcome.
    fn deliver(&self, delivery: Delivery) -> impl Future<Output = Outcome> + Send;

    /// Where mail for `to` goes, as far as it is known without asking anybody.
    fn destination<'a>(&'a self, to: &'a Address) -> Destination<'a> {
        Destination::of(to)
    }

    /// Whether a delivery to `to` would begin at once. Who can come back later asks first: [`Transport::deliver`] waits
    /// for a connection as long as it has time, and fails at once while the site is left alone. A place that nothing was
    /// sent to lately is admitted.
    fn admit(&self, _to: &Address, _now: Timestamp) -> Admit {
        Admit::Now
    }

    /// How many deliveries to where mail for `to` goes may be under way together: more would only wait for one another.
    fn most_at_once(&self, _to: &Address) -> u32 {
        u32::MAX
    }

    /// Ends the pause of the site that mail for `to` goes to: an admin wants it tried now.
    fn resume(&self, _to: &Address) {}
}

/// Encrypting messages to certificates. Takes time in proportion to the message, and does not wait for anything.
pub trait OpenPgp: Send + Sync + 'static {
    /// Reads certificates, armored or binary, as a person or a directory hands them over.
    ///
    /// # Errors
    /// When there is none, or one of them cannot be encrypted to at `now`: unreadable, expired, revoked, without a key for
    /// encryption. A secret key is not taken either.
    fn inspect(&self, file: &[u8], now: Timestamp) -> Result<Vec<Inspected>, Unusable>;

    /// Whether [`Self::encrypt`] would find a certificate to encrypt to.
    ///
    /// # Errors
    /// Why not, for each certificate.
    fn check(&self, certificates: &[Certificate], now: Timestamp) -> Result<(), Unusable>;

    /// The message as PGP/MIME (RFC 3156) for all of the certificates that can be encrypted to at `now`, with its header
    /// fields protected (RFC 9788). A message that is wholly encrypted already comes back as it is.
    ///
    /// # Errors
    /// When it cannot be encrypted. It must not be sent then.
    fn encrypt(
        &self,
        content: &Content,
        certificates: &[Certificate],
        now: Timestamp,
    ) -> Result<Content, Unusable>;
}

/// Whether somebody publishes certificates cannot be found out now. The text is for people: what went wrong. It names the
/// domain, no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DiscoveryFailed(pub String);

/// Finds the certificates that a domain publishes for its addresses. Asking tells that domain whom somebody writes to.
pub trait KeyDiscovery: Send + Sync + 'static {
    /// What is published for `address`: a file for [`OpenPgp::inspect`], empty when there is none. It comes from a stranger,
    /// and may hold anything; certificates that cannot be used may stand beside others. Answers within a few seconds.
    fn discover(&self, address: &Address) -> impl Future<Output = Result<Vec<u8>, DiscoveryFailed>> + Send;
}

/// Nobody is asked where there is nobody to ask.
impl<D: KeyDiscovery> KeyDiscovery for Option<D> {
    async fn discover(&self, address: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        match self {
            Some(discovery) => discovery.discover(address).await,
            None => Ok(Vec::new()),
        }
    }
}

/// The time and randomness of a running daemon; tests have their own.
pub trait Surroundings: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Unpredictable bytes.
    fn random(&self, into: &mut [u8]);
}

//! What admins see and send. The field names are those of the HTTP API and of `--json`.

use serde::{Deserialize, Serialize, Serializer};

use crate::mail::Timestamp;
use crate::relay::alias::{AccountId, AliasId, ContactId, DomainId, MailboxId, Mode, NameFormat, Refusal};
use crate::relay::openpgp::{CertificateId, Fingerprint, Origin};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn rfc3339<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.to_rfc3339())
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn rfc3339_option<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, to),
        None => to.serialize_none(),
    }
}

/// An owner of mailboxes, domains and aliases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its row.
    pub id: AccountId,
    /// Unique; `default` exists from the start.
    pub name: String,
    /// How authors are shown in forwards.
    pub name_format: NameFormat,
    /// What unwanted senders are told, unless the alias says otherwise.
    pub refusal: Refusal,
    /// Reverse aliases carry no readable part.
    pub opaque_reverse_aliases: bool,
    /// When it was made.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
}

/// A domain of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// Its row.
    pub id: DomainId,
    /// A-labels, lower case.
    pub name: String,
    /// It takes mail.
    pub verified: bool,
    /// The mailbox address that a catch-all alias goes to; no catch-all without.
    pub catch_all: Option<String>,
    /// When it was added.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
}

/// A real address of the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mailbox {
    /// Its row.
    pub id: MailboxId,
    /// Where mail goes.
    pub address: String,
    /// Only a verified mailbox gets mail.
    pub verified: bool,
    /// Mail is held back from it.
    pub paused: bool,
    /// The certificate that its mail is encrypted to; of several, the one that came last.
    pub pgp_fingerprint: Option<String>,
    /// When it was added.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
}

/// A mailbox as an alias names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailboxRef {
    /// Its row.
    pub id: MailboxId,
    /// Its address.
    pub address: String,
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alias {
    /// Its row.
    pub id: AliasId,
    /// The address that people give away.
    pub address: String,
    /// It takes mail.
    pub enabled: bool,
    /// Where its mail goes.
    pub mailboxes: Vec<MailboxRef>,
    /// The display name that replies carry.
    pub name: Option<String>,
    /// The owner's remark.
    pub note: Option<String>,
    /// Shown first.
    pub pinned: bool,
    /// What a forward changes.
    pub mode: Mode,
    /// It takes mail until then.
    #[serde(serialize_with = "rfc3339_option")]
    pub expires_at: Option<Timestamp>,
    /// Messages that reached a mailbox.
    pub forwarded: i64,
    /// Replies that reached a contact.
    pub replied: i64,
    /// Messages refused by the owner's wish.
    pub blocked: i64,
    /// When it was made.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
}

/// A contact of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// Its row.
    pub id: ContactId,
    /// Where the contact really is.
    pub address: String,
    /// Its display name.
    pub name: Option<String>,
    /// The address of ours that stands for it.
    pub reverse_alias: String,
    /// Its mail is refused.
    pub blocked: bool,
    /// When it was first seen.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
}

/// An OpenPGP certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Its row.
    pub id: CertificateId,
    /// The address that it is for.
    pub address: String,
    /// Whose address that is now.
    pub holder: Holder,
    /// Its name.
    pub fingerprint: Fingerprint,
    /// How we came by it.
    pub origin: KeyOrigin,
    /// Of one from an `Autocrypt` field: whether its owner prefers encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutual: Option<bool>,
    /// From then on it cannot be encrypted to.
    #[serde(serialize_with = "rfc3339_option")]
    pub expires_at: Option<Timestamp>,
    /// When it came.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
}

/// Whose an address is, and with it what its certificates are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// A mailbox of the account: nothing goes to it that is not encrypted.
    Mailbox,
    /// An alias of the account: they are published, so that senders can encrypt for its owner.
    Alias,
    /// Anybody else: replies are encrypted.
    Contact,
}

/// How we came by a certificate: [`Origin`] without what belongs to one kind only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyOrigin {
    /// Its account has put it in.
    Imported,
    /// From the Web Key Directory of its address's domain.
    Wkd,
    /// From a message.
    Autocrypt,
}

impl From<Origin> for KeyOrigin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Imported => Self::Imported,
            Origin::Wkd => Self::Wkd,
            Origin::Autocrypt { .. } => Self::Autocrypt,
        }
    }
}

/// A certificate that was removed, and what that leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedKey {
    /// What it was.
    pub key: Key,
    /// How many certificates its address still has, without one from an `Autocrypt` field. A mailbox with none gets its
    /// mail in the clear.
    pub left: usize,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// At most so many rows.
    pub limit: u32,
    /// Rows after this id.
    pub after: Option<i64>,
}

/// A change of one field: left alone, or set (to nothing, where the field may be empty).
pub type Change<T> = Option<T>;

/// What `account set` changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// New format.
    pub name_format: Change<NameFormat>,
    /// New answer.
    pub refusal: Change<Refusal>,
    /// New form of reverse aliases (for new contacts).
    pub opaque_reverse_aliases: Change<bool>,
}

/// What `mailbox set` changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailboxChange {
    /// Verified by an admin's word.
    pub verified: Change<bool>,
    /// Hold mail back, or let it go.
    pub paused: Change<bool>,
}

/// What `alias add` makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlias {
    /// Normal form.
    pub address: crate::mail::Address,
    /// Addresses of mailboxes of the account; not empty.
    pub mailboxes: Vec<crate::mail::Address>,
    /// The display name that replies carry.
    pub name: Option<String>,
    /// The owner's remark.
    pub note: Option<String>,
    /// What a forward changes.
    pub mode: Mode,
    /// It takes mail until then.
    pub expires_at: Option<Timestamp>,
}

/// What `alias set`, `enable` and `disable` change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AliasChange {
    /// Take mail or not.
    pub enabled: Change<bool>,
    /// The new set of mailboxes; not empty.
    pub mailboxes: Change<Vec<crate::mail::Address>>,
    /// New display name, or none.
    pub name: Change<Option<String>>,
    /// New remark, or none.
    pub note: Change<Option<String>>,
    /// Shown first or not.
    pub pinned: Change<bool>,
    /// What a forward changes.
    pub mode: Change<Mode>,
    /// New end, or none.
    pub expires_at: Change<Option<Timestamp>>,
    /// New answer to unwanted senders, or the account's.
    pub refusal: Change<Option<Refusal>>,
}

//! Rows of `openpgp_certs`, and what they mean.

use sqlx::FromRow;

use crate::admin::records::{Holder, Key, KeyOrigin};
use crate::mail::Timestamp;
use crate::relay::alias::{AccountId, Mailbox, MailboxId};
use crate::relay::openpgp::{Certificate, CertificateId, Fingerprint, Origin};
use crate::relay::ports::{Expiring, Warned};
use crate::store::contract::StoreError;
use crate::store::rows::{Word, address, damaged, optional_time};

const TABLE: &str = "openpgp_certs";

impl Word for KeyOrigin {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Imported, "imported"), (Self::Wkd, "wkd"), (Self::Autocrypt, "autocrypt")];
}

impl Word for Holder {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Mailbox, "mailbox"), (Self::Alias, "alias"), (Self::Contact, "contact")];
}

fn fingerprint(text: &str, id: i64) -> Result<Fingerprint, StoreError> {
    Fingerprint::parse(text).ok_or_else(|| damaged(TABLE, id, "not a fingerprint"))
}

fn origin(word: &str, mutual: bool, id: i64) -> Result<Origin, StoreError> {
    Ok(match KeyOrigin::from_word(word, TABLE, id)? {
        KeyOrigin::Imported => Origin::Imported,
        KeyOrigin::Wkd => Origin::Wkd,
        KeyOrigin::Autocrypt => Origin::Autocrypt { mutual },
    })
}

/// What was told, as the number that the table has for it.
pub(super) const fn stage(warned: Warned) -> i64 {
    match warned {
        Warned::Nothing => 0,
        Warned::MonthAhead => 1,
        Warned::WeekAhead => 2,
        Warned::Expired => 3,
    }
}

/// A certificate to encrypt to.
#[derive(Debug, FromRow)]
pub(super) struct CertificateRow {
    id: i64,
    fingerprint: String,
    data: Vec<u8>,
    origin: String,
    mutual: bool,
}

impl TryFrom<CertificateRow> for Certificate {
    type Error = StoreError;
    fn try_from(row: CertificateRow) -> Result<Self, StoreError> {
        Ok(Self {
            fingerprint: fingerprint(&row.fingerprint, row.id)?,
            origin: origin(&row.origin, row.mutual, row.id)?,
            data: row.data.into(),
        })
    }
}

/// A certificate as admins see it.
#[derive(Debug, FromRow)]
pub(in crate::store) struct KeyRow {
    pub(in crate::store) id: i64,
    pub(in crate::store) written: String,
    fingerprint: String,
    pub(in crate::store) origin: String,
    mutual: bool,
    expires_at: Option<i64>,
    created_at: i64,
    holder: String,
}

impl KeyRow {
    pub(in crate::store) fn is_named(&self, fingerprint: &Fingerprint) -> bool {
        self.fingerprint == fingerprint.as_str()
    }

    /// It was imported, or found in a directory.
    pub(in crate::store) fn is_binding(&self) -> bool {
        self.origin != KeyOrigin::Autocrypt.word()
    }
}

impl TryFrom<KeyRow> for Key {
    type Error = StoreError;
    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        let origin = KeyOrigin::from_word(&row.origin, TABLE, row.id)?;
        Ok(Self {
            id: CertificateId(row.id),
            holder: Holder::from_word(&row.holder, TABLE, row.id)?,
            fingerprint: fingerprint(&row.fingerprint, row.id)?,
            origin,
            mutual: (origin == KeyOrigin::Autocrypt).then_some(row.mutual),
            address: row.written,
            expires_at: optional_time(row.expires_at),
            created_at: Timestamp::from_millis(row.created_at),
        })
    }
}

/// The certificate of an `Autocrypt` field.
#[derive(Debug, FromRow)]
pub(super) struct AutocryptRow {
    pub(super) id: i64,
    pub(super) fingerprint: String,
    pub(super) data: Vec<u8>,
    pub(super) mutual: bool,
    pub(super) seen_at: Option<i64>,
}

/// A certificate that expires.
#[derive(Debug, FromRow)]
pub(super) struct ExpiringRow {
    id: i64,
    account_id: i64,
    written: String,
    fingerprint: String,
    expires_at: i64,
    warned: i64,
}

impl TryFrom<ExpiringRow> for Expiring {
    type Error = StoreError;
    fn try_from(row: ExpiringRow) -> Result<Self, StoreError> {
        let stages = [Warned::Nothing, Warned::MonthAhead, Warned::WeekAhead, Warned::Expired];
        let warned = stages.into_iter().find(|warned| stage(*warned) == row.warned);
        Ok(Self {
            id: CertificateId(row.id),
            account: AccountId(row.account_id),
            address: address(&row.written, TABLE, row.id)?,
            fingerprint: fingerprint(&row.fingerprint, row.id)?,
            expires_at: Timestamp::from_millis(row.expires_at),
            warned: warned.ok_or_else(|| damaged(TABLE, row.id, "an unknown number in `warned`"))?,
        })
    }
}

/// A mailbox that takes mail now.
#[derive(Debug, FromRow)]
pub(super) struct ToTellRow {
    id: i64,
    written: String,
    encrypts: bool,
}

impl TryFrom<ToTellRow> for Mailbox {
    type Error = StoreError;
    fn try_from(row: ToTellRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: MailboxId(row.id),
            address: address(&row.written, "mailboxes", row.id)?,
            paused: false,
            encrypts: row.encrypts,
        })
    }
}

//! Rows as the tables have them, and what they mean. A row that means nothing (an address that is none, a word that no
//! version ever wrote) is damage: it becomes an error that names table and row, never a panic and never a guess.

use std::sync::Arc;

use sqlx::FromRow;

use super::contract::StoreError;
use crate::admin::records;
use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::alias::{
    AccountId, Alias, AliasId, CatchAll, Contact, ContactId, DomainId, Mailbox, MailboxId, Mode, NameFormat,
    Refusal,
};

pub(super) fn damaged(table: &str, id: i64, what: &str) -> StoreError {
    StoreError::Bug(format!("row {id} of {table} is damaged: {what}"))
}

pub(super) fn address(text: &str, table: &str, id: i64) -> Result<Address, StoreError> {
    Address::parse(text).map_err(|error| damaged(table, id, &format!("not an address: {error}")))
}

pub(super) fn optional_time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}

/// A choice and the word for it in the tables.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// All choices with their words.
    const WORDS: &'static [(Self, &'static str)];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(choice, _)| *choice == self).map_or("", |(_, word)| word)
    }

    fn from_word(word: &str, table: &str, id: i64) -> Result<Self, StoreError> {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word).map(|(choice, _)| *choice);
        found.ok_or_else(|| damaged(table, id, &format!("{word:?} is not a word of this version")))
    }
}

impl Word for NameFormat {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::NameAt, "name_at"),
        (Self::NameAddress, "name_address"),
        (Self::Name, "name"),
        (Self::Address, "address"),
        (Self::None, "none"),
    ];
}

impl Word for Refusal {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Reject, "reject"), (Self::Discard, "discard")];
}

impl Word for Mode {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Reverse, "reverse"), (Self::Preserve, "preserve")];
}

/// Only an id.
#[derive(Debug, FromRow)]
pub(super) struct IdRow {
    pub(super) id: i64,
}

/// Only a text: the name of what stands in the way.
#[derive(Debug, FromRow)]
pub(super) struct TextRow {
    pub(super) text: String,
}

/// A text, and the id of the account that it belongs to.
#[derive(Debug, FromRow)]
pub(super) struct OwnedTextRow {
    pub(super) id: i64,
    pub(super) text: String,
}

/// A row of `changes`.
#[derive(Debug, FromRow)]
pub(super) struct ChangeRow {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) number: Option<i64>,
    pub(super) text: Option<String>,
}

/// A row of `accounts`.
#[derive(Debug, FromRow)]
pub(super) struct AccountRow {
    pub(super) id: i64,
    name: String,
    name_format: String,
    refusal: String,
    opaque_reverse_aliases: bool,
    created_at: i64,
}

impl TryFrom<AccountRow> for records::Account {
    type Error = StoreError;
    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: AccountId(row.id),
            name_format: NameFormat::from_word(&row.name_format, "accounts", row.id)?,
            refusal: Refusal::from_word(&row.refusal, "accounts", row.id)?,
            name: row.name,
            opaque_reverse_aliases: row.opaque_reverse_aliases,
            created_at: Timestamp::from_millis(row.created_at),
        })
    }
}

/// Whose a domain is.
#[derive(Debug, FromRow)]
pub(super) struct DomainOwnerRow {
    pub(super) id: i64,
    pub(super) account_id: i64,
}

/// A row of `domains` with the address of its catch-all mailbox.
#[derive(Debug, FromRow)]
pub(super) struct DomainRow {
    id: i64,
    account_id: i64,
    name: String,
    pub(super) verified: bool,
    catch_all_id: Option<i64>,
    catch_all: Option<String>,
    catch_all_verified: Option<bool>,
    catch_all_paused: Option<bool>,
    catch_all_encrypts: Option<bool>,
    created_at: i64,
}

impl DomainRow {
    /// The rule by which mail makes aliases at this domain, if it has one.
    pub(super) fn catch_all(&self, domain: &DomainName) -> Option<Arc<CatchAll>> {
        let id = MailboxId(self.catch_all_id?);
        let address = self.catch_all.as_deref().and_then(|written| Address::parse(written).ok());
        let mailbox = address.filter(|_| self.catch_all_verified == Some(true)).map(|address| Mailbox {
            id,
            address,
            paused: self.catch_all_paused == Some(true),
            encrypts: self.catch_all_encrypts == Some(true),
        });
        Some(Arc::new(CatchAll {
            domain_id: DomainId(self.id),
            account: AccountId(self.account_id),
            domain: domain.clone(),
            mailbox,
        }))
    }
}

impl From<DomainRow> for records::Domain {
    fn from(row: DomainRow) -> Self {
        Self {
            id: DomainId(row.id),
            name: row.name,
            verified: row.verified,
            catch_all: row.catch_all,
            created_at: Timestamp::from_millis(row.created_at),
        }
    }
}

/// A row of `mailboxes`.
#[derive(Debug, FromRow)]
pub(super) struct MailboxRow {
    pub(super) id: i64,
    pub(super) written: String,
    pub(super) verified: bool,
    pub(super) paused: bool,
    pgp_fingerprint: Option<String>,
    created_at: i64,
}

impl From<MailboxRow> for records::Mailbox {
    fn from(row: MailboxRow) -> Self {
        Self {
            id: MailboxId(row.id),
            address: row.written,
            verified: row.verified,
            paused: row.paused,
            pgp_fingerprint: row.pgp_fingerprint,
            created_at: Timestamp::from_millis(row.created_at),
        }
    }
}

/// A row of `aliases` as admins see it.
#[derive(Debug, FromRow)]
pub(super) struct AliasRow {
    pub(super) id: i64,
    address: String,
    enabled: bool,
    name: Option<String>,
    note: Option<String>,
    pinned: bool,
    mode: String,
    refusal: Option<String>,
    expires_at: Option<i64>,
    forwarded: i64,
    replied: i64,
    blocked: i64,
    created_at: i64,
}

impl AliasRow {
    /// What the record does not show: the alias's own answer to unwanted senders.
    pub(super) fn refusal(&self) -> Result<Option<Refusal>, StoreError> {
        self.refusal.as_deref().map(|word| Refusal::from_word(word, "aliases", self.id)).transpose()
    }

    pub(super) fn into_record(
        self,
        mailboxes: Vec<records::MailboxRef>,
    ) -> Result<records::Alias, StoreError> {
        Ok(records::Alias {
            id: AliasId(self.id),
            mode: Mode::from_word(&self.mode, "aliases", self.id)?,
            address: self.address,
            enabled: self.enabled,
            mailboxes,
            name: self.name,
            note: self.note,
            pinned: self.pinned,
            expires_at: optional_time(self.expires_at),
            forwarded: self.forwarded,
            replied: self.replied,
            blocked: self.blocked,
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

/// Who has or had an alias's address.
#[derive(Debug, FromRow)]
pub(super) struct AliasOwnerRow {
    pub(super) account_id: Option<i64>,
    pub(super) deleted_at: Option<i64>,
}

/// A mailbox of an alias.
#[derive(Debug, FromRow)]
pub(super) struct MailboxOfRow {
    pub(super) alias_id: i64,
    id: i64,
    written: String,
}

impl From<MailboxOfRow> for records::MailboxRef {
    fn from(row: MailboxOfRow) -> Self {
        Self { id: MailboxId(row.id), address: row.written }
    }
}

/// A row of `contacts`.
#[derive(Debug, FromRow)]
pub(super) struct ContactRow {
    pub(super) id: i64,
    alias_id: i64,
    pub(super) address: String,
    written: String,
    pub(super) name: Option<String>,
    pub(super) reverse_alias: String,
    pub(super) blocked: bool,
    created_at: i64,
}

impl TryFrom<ContactRow> for Contact {
    type Error = StoreError;
    fn try_from(row: ContactRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ContactId(row.id),
            alias: AliasId(row.alias_id),
            address: address(&row.written, "contacts", row.id)?,
            reverse_alias: address(&row.reverse_alias, "contacts", row.id)?,
            name: row.name,
            blocked: row.blocked,
        })
    }
}

impl From<ContactRow> for records::Contact {
    fn from(row: ContactRow) -> Self {
        Self {
            id: ContactId(row.id),
            address: row.written,
            name: row.name,
            reverse_alias: row.reverse_alias,
            blocked: row.blocked,
            created_at: Timestamp::from_millis(row.created_at),
        }
    }
}

/// An alias found by a name, with one of its verified mailboxes (or none), and the contact if the name is a reverse
/// alias.
#[derive(Debug, FromRow)]
pub(super) struct NameRow {
    id: i64,
    account_id: Option<i64>,
    address: String,
    enabled: bool,
    name: Option<String>,
    mode: String,
    refusal: Option<String>,
    expires_at: Option<i64>,
    has_blocked_contacts: bool,
    deleted_at: Option<i64>,
    name_format: Option<String>,
    account_refusal: Option<String>,
    opaque_reverse_aliases: Option<bool>,
    mailbox_id: Option<i64>,
    mailbox_written: Option<String>,
    mailbox_paused: Option<bool>,
    mailbox_encrypts: Option<bool>,
    contact_id: Option<i64>,
    contact_written: Option<String>,
    contact_name: Option<String>,
    reverse_alias: Option<String>,
    contact_blocked: Option<bool>,
}

impl NameRow {
    /// The address was an alias once.
    pub(super) fn is_tombstone(&self) -> bool {
        self.deleted_at.is_some()
    }

    pub(super) fn is_reverse_alias(&self) -> bool {
        self.contact_id.is_some()
    }

    /// The alias of `self`, a live one, with the mailboxes of all `rows`.
    pub(super) fn alias(&self, rows: &[Self]) -> Result<Alias, StoreError> {
        let (Some(account), Some(name_format), Some(account_refusal)) =
            (self.account_id, &self.name_format, &self.account_refusal)
        else {
            return Err(damaged("aliases", self.id, "it has no account"));
        };
        let refusal = self.refusal.as_ref().unwrap_or(account_refusal);
        let mut mailboxes =
            rows.iter().filter_map(|row| row.mailbox().transpose()).collect::<Result<Vec<_>, _>>()?;
        mailboxes.sort_unstable_by_key(|mailbox| mailbox.id);
        Ok(Alias {
            id: AliasId(self.id),
            account: AccountId(account),
            address: address(&self.address, "aliases", self.id)?,
            enabled: self.enabled,
            expires_at: optional_time(self.expires_at),
            mode: Mode::from_word(&self.mode, "aliases", self.id)?,
            display_name: self.name.clone(),
            refusal: Refusal::from_word(refusal, "aliases", self.id)?,
            name_format: NameFormat::from_word(name_format, "accounts", account)?,
            opaque_reverse_aliases: self.opaque_reverse_aliases.unwrap_or_default(),
            has_blocked_contacts: self.has_blocked_contacts,
            mailboxes,
        })
    }

    fn mailbox(&self) -> Result<Option<Mailbox>, StoreError> {
        let (Some(id), Some(written), Some(paused), Some(encrypts)) =
            (self.mailbox_id, &self.mailbox_written, self.mailbox_paused, self.mailbox_encrypts)
        else {
            return Ok(None);
        };
        Ok(Some(Mailbox { id: MailboxId(id), address: address(written, "mailboxes", id)?, paused, encrypts }))
    }

    /// The contact, when the name is a reverse alias.
    pub(super) fn contact(&self) -> Result<Option<Contact>, StoreError> {
        let (Some(id), Some(written), Some(reverse), Some(blocked)) =
            (self.contact_id, &self.contact_written, &self.reverse_alias, self.contact_blocked)
        else {
            return Ok(None);
        };
        Ok(Some(Contact {
            id: ContactId(id),
            alias: AliasId(self.id),
            address: address(written, "contacts", id)?,
            name: self.contact_name.clone(),
            reverse_alias: address(reverse, "contacts", id)?,
            blocked,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_words<T: Word + serde::Serialize + std::fmt::Debug>() {
        for (choice, word) in T::WORDS {
            assert_eq!(choice.word(), *word);
            assert_eq!(T::from_word(word, "aliases", 1).unwrap(), *choice);
            // The tables and the API use the same words.
            assert_eq!(serde_json::to_value(choice).unwrap(), serde_json::json!(word));
            assert!(word.len() <= 16, "{word} does not fit its column");
        }
    }

    #[test]
    fn words_of_the_tables_are_those_of_the_api() {
        assert_words::<NameFormat>();
        assert_words::<Refusal>();
        assert_words::<Mode>();
    }

    #[test]
    fn damage_names_the_row() {
        let error = Mode::from_word("sideways", "aliases", 42).unwrap_err();
        assert!(error.to_string().contains("row 42 of aliases"), "{error}");
        assert!(address("nobody", "contacts", 7).unwrap_err().to_string().contains("row 7 of contacts"));
    }
}

//! What an address at one of our domains stands for.

use std::sync::Arc;

use crate::mail::{Address, DomainName, Timestamp};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(/** Names an account. */ AccountId);
id!(/** Names a domain of ours. */ DomainId);
id!(/** Names a mailbox. */ MailboxId);
id!(/** Names an alias. */ AliasId);
id!(/** Names a contact of one alias. */ ContactId);

/// How the author of a forwarded message is shown in the rewritten `From` (an account's choice).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameFormat {
    /// `"Jane Doe - jane at example.org"`
    #[default]
    NameAt,
    /// `"Jane Doe (jane@example.org)"`
    NameAddress,
    /// `"Jane Doe"`
    Name,
    /// `"jane@example.org"`
    Address,
    /// No display name.
    None,
}

/// What a sender is told when mail for an alias is not wanted (disabled, expired, blocked).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A 550.
    #[default]
    Reject,
    /// A 250; the message is dropped, and that is counted and logged.
    Discard,
}

/// What a forward changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// `From` becomes the reverse alias.
    #[default]
    Reverse,
    /// Only the envelope sender changes.
    Preserve,
}

/// A real address of the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Its row.
    pub id: MailboxId,
    /// Where mail for it goes.
    pub address: Address,
    /// Mail is held back from it (too many bounces, or by the owner's wish).
    pub paused: bool,
    /// It has an OpenPGP certificate: nothing goes to it that is not encrypted.
    pub encrypts: bool,
}

/// An alias with all that a decision about a message needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its row.
    pub id: AliasId,
    /// Whose it is.
    pub account: AccountId,
    /// The address that people give away.
    pub address: Address,
    /// Mail is taken.
    pub enabled: bool,
    /// Mail is taken until then.
    pub expires_at: Option<Timestamp>,
    /// What a forward changes.
    pub mode: Mode,
    /// The display name that replies carry.
    pub display_name: Option<String>,
    /// What unwanted senders are told.
    pub refusal: Refusal,
    /// How authors are shown.
    pub name_format: NameFormat,
    /// Reverse aliases carry no readable part.
    pub opaque_reverse_aliases: bool,
    /// Whether any contact of this alias is blocked: when not, no look-up is needed to know that a sender is not.
    pub has_blocked_contacts: bool,
    /// The verified mailboxes that get its mail, at least one unless all are unverified.
    pub mailboxes: Vec<Mailbox>,
}

impl Alias {
    /// The mailboxes that take mail now.
    pub fn open_mailboxes(&self) -> impl Iterator<Item = &Mailbox> {
        self.mailboxes.iter().filter(|mailbox| !mailbox.paused)
    }
}

/// An outside address that has written to an alias, or been written to from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Its row.
    pub id: ContactId,
    /// The alias that knows it.
    pub alias: AliasId,
    /// Where the contact really is.
    pub address: Address,
    /// Its display name, as last seen or as the owner gave it.
    pub name: Option<String>,
    /// The address of ours that stands for (alias, contact).
    pub reverse_alias: Address,
    /// Its mail is refused.
    pub blocked: bool,
}

/// A domain that makes aliases when mail for them comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatchAll {
    /// The domain's row.
    pub domain_id: DomainId,
    /// Whose aliases these become.
    pub account: AccountId,
    /// The domain.
    pub domain: DomainName,
    /// Where their mail goes; none when it is not verified.
    pub mailbox: Option<Mailbox>,
}

/// What the directory knows of an address. Cheap to clone: it is what the cache holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The domain is not one of ours.
    ForeignDomain,
    /// The domain is ours and the local part is nobody.
    Unknown,
    /// The address was an alias and is never given out again.
    Deleted,
    /// An alias (by its own address, or by its base before `+tag`), in whatever state.
    Alias(Arc<Alias>),
    /// Nobody yet; the domain's catch-all makes it an alias when a message is accepted.
    Creatable(Arc<CatchAll>),
    /// A reverse alias: the alias and the contact that it joins.
    ReverseAlias(Arc<Alias>, Arc<Contact>),
}

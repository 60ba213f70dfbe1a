//! The command line as it is typed. Doc comments on options are their help texts.

#![expect(missing_docs, reason = "what a flattened field is stands at its type")]

mod keys;
mod queue;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::admin::local_part::Kind;
use crate::mail::{Address, DomainName};
use crate::relay::alias::{Mode, NameFormat, Refusal};

use super::expiry::Expiry;

pub use keys::KeyCommand;
pub use queue::{Deliveries, QueueCommand};

/// An email-alias relay: mail for your aliases reaches your mailbox, and your replies leave as the alias.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "aliasd", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    /// The configuration file [default: $ALIASD_CONFIG, else ./aliasd.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the relay
    Serve {
        /// Bring the database to this version first (SQLite is migrated without asking)
        #[arg(long)]
        migrate: bool,
    },
    /// Show the relay at work, on this machine alone
    Demo {
        /// Stay up afterwards, and say what to try
        #[arg(long)]
        keep: bool,
    },
    /// Bring the database to this version
    Migrate,
    /// Show settings
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(flatten)]
    Admin(AdminCommand),
    /// The queue: messages that are still to be delivered
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Ask the running relay for its banner: exit status 0 when it answers
    Health,
    /// Print a script for command completion
    Completions {
        /// For this shell
        shell: Shell,
    },
}

/// `aliasd config …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Print the default configuration file, with an explanation of every setting
    Default,
    /// Print the settings in effect and where each comes from; secrets are hidden
    Show,
}

/// What an admin does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AdminCommand {
    /// Accounts: who owns mailboxes, domains and aliases
    #[command(subcommand)]
    Account(AccountCommand),
    /// Domains at which aliases live
    #[command(subcommand)]
    Domain(DomainCommand),
    /// Mailboxes: the real addresses
    #[command(subcommand)]
    Mailbox(MailboxCommand),
    /// Aliases: the addresses that you give away
    #[command(subcommand)]
    Alias(AliasCommand),
    /// Contacts of an alias, and their reverse aliases
    #[command(subcommand)]
    Contact(ContactCommand),
    /// OpenPGP certificates (public keys): mail is encrypted to them
    #[command(subcommand)]
    Key(KeyCommand),
}

/// Whose things are meant.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Owner {
    /// The account
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub account: String,
}

/// How the answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Form {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `aliasd account …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AccountCommand {
    /// Add an account
    Add {
        /// Its name
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// List accounts
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Show an account
    Show {
        /// Its name
        #[arg(default_value = "default")]
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// Change an account
    #[command(override_usage = "aliasd account set [OPTIONS] [NAME]")]
    Set {
        /// Its name
        #[arg(default_value = "default")]
        name: String,
        #[command(flatten)]
        change: AccountOptions,
        #[command(flatten)]
        form: Form,
    },
    /// Remove an account that owns nothing any more
    Remove {
        /// Its name
        name: String,
    },
}

/// What `account set` changes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = true)]
pub struct AccountOptions {
    /// How the author of a forwarded message is shown
    #[arg(long, value_name = "FORMAT", value_parser = words(NAME_FORMATS))]
    pub name_format: Option<NameFormat>,
    /// What senders are told whose mail is not wanted
    #[arg(long, value_name = "ANSWER", value_parser = words(REFUSALS))]
    pub on_refusal: Option<Refusal>,
    /// Whether new reverse aliases show the contact's address
    #[arg(long, value_name = "FORM", value_parser = words(REVERSE_ALIASES))]
    pub reverse_aliases: Option<ReverseAliases>,
}

/// The look of a reverse alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReverseAliases {
    /// The contact's address can be read in it.
    Readable,
    /// It cannot.
    Opaque,
}

/// `aliasd domain …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DomainCommand {
    /// Add a domain; it takes mail at once
    Add {
        /// Its name
        name: DomainName,
        /// Mail for an address that is no alias yet makes it one, which goes to this mailbox
        #[arg(long, value_name = "MAILBOX")]
        catch_all: Option<Address>,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// List domains
    List {
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Remove a domain that has no alias any more
    Remove {
        /// Its name
        name: DomainName,
        #[command(flatten)]
        owner: Owner,
    },
}

/// `aliasd mailbox …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum MailboxCommand {
    /// Add a mailbox
    Add {
        /// Its address
        address: Address,
        /// It gets no mail until it is verified
        #[arg(long)]
        unverified: bool,
        /// Encrypt everything that goes to it with the OpenPGP certificates of this file ("-": standard input)
        #[arg(long, value_name = "FILE")]
        pgp_key: Option<PathBuf>,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// List mailboxes
    List {
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Change a mailbox
    #[command(override_usage = "aliasd mailbox set [OPTIONS] <ADDRESS>")]
    Set {
        /// Its address
        address: Address,
        #[command(flatten)]
        change: MailboxOptions,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Remove a mailbox that no alias needs any more
    Remove {
        /// Its address
        address: Address,
        #[command(flatten)]
        owner: Owner,
    },
}

/// What `mailbox set` changes.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the command line")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[group(required = true, multiple = true)]
pub struct MailboxOptions {
    /// It gets mail
    #[arg(long, conflicts_with = "unverified")]
    pub verified: bool,
    /// It gets no mail until it is verified
    #[arg(long)]
    pub unverified: bool,
    /// Hold mail back from it
    #[arg(long, conflicts_with = "resume")]
    pub pause: bool,
    /// Let mail through again
    #[arg(long)]
    pub resume: bool,
}

/// `aliasd alias …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AliasCommand {
    /// Add an alias
    Add(Box<AliasAdd>),
    /// List aliases
    List {
        /// Only those with this in the address, the name or the note
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Show an alias
    Show {
        /// Its address
        address: Address,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Take mail again
    Enable {
        /// Its address
        address: Address,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Take no mail
    Disable {
        /// Its address
        address: Address,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Change an alias
    #[command(override_usage = "aliasd alias set [OPTIONS] <ADDRESS>")]
    Set {
        /// Its address
        address: Address,
        #[command(flatten)]
        change: Box<AliasOptions>,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Remove an alias and its contacts; the address is never given out again
    Remove {
        /// Its address
        address: Address,
        #[command(flatten)]
        owner: Owner,
    },
}

/// `aliasd alias add …`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct AliasAdd {
    /// Its address
    #[arg(required_unless_present = "random", conflicts_with = "random")]
    pub address: Option<Address>,
    /// Make up an address: two words and a number, letters and digits, or a UUID
    #[arg(long, value_name = "KIND", value_parser = words(KINDS), num_args = 0..=1, require_equals = true,
          default_missing_value = "word", requires = "domain")]
    pub random: Option<Kind>,
    /// The domain of a random address
    #[arg(long, requires = "random", conflicts_with = "address")]
    pub domain: Option<DomainName>,
    /// Where its mail goes; may be given more than once [default: the account's only mailbox]
    #[arg(long, value_name = "ADDRESS")]
    pub mailbox: Vec<Address>,
    /// The display name that replies carry
    #[arg(long)]
    pub name: Option<String>,
    /// A remark for yourself
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Whether forwards come from the reverse alias, or keep their From
    #[arg(long, value_parser = words(MODES), default_value = "reverse")]
    pub mode: Mode,
    /// Take mail until then: "2030-12-31" (that day included, UTC), RFC 3339, or from now: "30d"
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Expiry>,
    #[command(flatten)]
    pub owner: Owner,
    #[command(flatten)]
    pub form: Form,
}

/// What `alias set` changes.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the command line")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[group(required = true, multiple = true)]
pub struct AliasOptions {
    /// Where its mail goes, in place of before; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    pub mailbox: Vec<Address>,
    /// The display name that replies carry
    #[arg(long, conflicts_with = "no_name")]
    pub name: Option<String>,
    /// Replies carry no display name
    #[arg(long)]
    pub no_name: bool,
    /// A remark for yourself
    #[arg(long, value_name = "TEXT", conflicts_with = "no_note")]
    pub note: Option<String>,
    /// No remark
    #[arg(long)]
    pub no_note: bool,
    /// Whether forwards come from the reverse alias, or keep their From
    #[arg(long, value_parser = words(MODES))]
    pub mode: Option<Mode>,
    /// Take mail until then: "2030-12-31" (that day included, UTC), RFC 3339, or from now: "30d"
    #[arg(long, value_name = "TIME", conflicts_with = "no_expires")]
    pub expires: Option<Expiry>,
    /// Take mail for ever
    #[arg(long)]
    pub no_expires: bool,
    /// Show it first
    #[arg(long, conflicts_with = "unpin")]
    pub pin: bool,
    /// Do not show it first
    #[arg(long)]
    pub unpin: bool,
    /// What senders are told whose mail is not wanted; "account" leaves it to the account
    #[arg(long, value_name = "ANSWER", value_parser = words(ALIAS_REFUSALS))]
    pub on_refusal: Option<OnRefusal>,
}

/// What unwanted senders of one alias are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefusal {
    /// What the account says.
    Account,
    /// This.
    Alias(Refusal),
}

/// `aliasd contact …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ContactCommand {
    /// Add a contact and print its reverse alias: write there to write to the contact
    Add {
        #[command(flatten)]
        pair: Pair,
        /// Its display name
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// List the contacts of an alias
    List {
        /// The alias
        alias: Address,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Refuse its mail
    Block {
        #[command(flatten)]
        pair: Pair,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Take its mail again
    Unblock {
        #[command(flatten)]
        pair: Pair,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Remove a contact; its reverse alias stops working
    Remove {
        #[command(flatten)]
        pair: Pair,
        #[command(flatten)]
        owner: Owner,
    },
}

/// An alias and one of its contacts.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Pair {
    /// The alias
    pub alias: Address,
    /// The contact's address
    pub address: Address,
}

type Words<T> = &'static [(&'static str, T)];

const KINDS: Words<Kind> = &[("word", Kind::Word), ("chars", Kind::Chars), ("uuid", Kind::Uuid)];
const MODES: Words<Mode> = &[("reverse", Mode::Reverse), ("preserve", Mode::Preserve)];
const REFUSALS: Words<Refusal> = &[("reject", Refusal::Reject), ("discard", Refusal::Discard)];
const ALIAS_REFUSALS: Words<OnRefusal> = &[
    ("reject", OnRefusal::Alias(Refusal::Reject)),
    ("discard", OnRefusal::Alias(Refusal::Discard)),
    ("account", OnRefusal::Account),
];
const REVERSE_ALIASES: Words<ReverseAliases> =
    &[("readable", ReverseAliases::Readable), ("opaque", ReverseAliases::Opaque)];
/// The names of the HTTP API.
const NAME_FORMATS: Words<NameFormat> = &[
    ("name_at", NameFormat::NameAt),
    ("name_address", NameFormat::NameAddress),
    ("name", NameFormat::Name),
    ("address", NameFormat::Address),
    ("none", NameFormat::None),
];

/// A parser for one of a few words.
fn words<T: Copy + Send + Sync + 'static>(table: Words<T>) -> impl TypedValueParser<Value = T> {
    let names = PossibleValuesParser::new(table.iter().map(|(word, _)| *word));
    names.try_map(move |typed| {
        let found = table.iter().find(|(word, _)| *word == typed);
        found.map(|(_, value)| *value).ok_or("this word is not one of them")
    })
}

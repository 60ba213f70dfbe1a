//! `aliasd key …`

#![expect(missing_docs, reason = "what a flattened field is stands at its type")]

use std::path::PathBuf;

use clap::Subcommand;

use crate::mail::Address;
use crate::relay::openpgp::Fingerprint;

use super::{Form, Owner};

/// `aliasd key …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeyCommand {
    /// Encrypt everything that goes to a mailbox with the certificates of a file
    ///
    /// For a contact's address: everything that goes to the contact. For an alias: they are published, so that senders can
    /// encrypt.
    Import {
        /// The mailbox; or a contact's address, or an alias
        mailbox: Address,
        /// The file, armored or binary; "-" is standard input
        file: PathBuf,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Ask the domain of an address for its certificates, and encrypt to them from then on
    ///
    /// The domain's Web Key Directory is asked, which tells the domain that somebody here writes to the address. Exit status
    /// 1: there is none that can be used. 75: nobody knows, try again later.
    Discover {
        /// A contact's address, or a mailbox
        address: Address,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// List certificates
    List {
        /// Only those for this address
        address: Option<Address>,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        form: Form,
    },
    /// Remove a certificate; without its last one, a mailbox gets its mail in the clear
    Remove {
        /// Its fingerprint, with spaces or without
        #[arg(value_parser = fingerprint)]
        fingerprint: Fingerprint,
        /// The address that it is for, when there are several
        #[arg(long)]
        address: Option<Address>,
        #[command(flatten)]
        owner: Owner,
    },
}

fn fingerprint(typed: &str) -> Result<Fingerprint, &'static str> {
    Fingerprint::parse(typed).ok_or("a fingerprint has 40 or 64 hexadecimal digits (see \"aliasd key list\")")
}

//! Messages as bytes: addresses, header fields, edits. Pure: no I/O, no clock, no randomness.
//!
//! - [`message`] finds the fields of a header section, [`edit`] changes some and leaves every other byte alone.
//! - [`fold`] writes fields; nothing that is put into one can start another.
//! - [`address_list`] reads and rewrites `From`, `To` and their like, with [`phrase`] and [`encoded_word`] for names.
//! - [`dsn`] writes delivery reports, with [`quoted_printable`] and [`utf8_address`].
//! - [`mime`] knows the parts of a body, their types and their encodings.
//! - [`received`], [`message_id`], [`auth_results`] know one field each.
//! - [`received`], [`message_id`], [`auth_results`], [`autocrypt`] know one field each.

pub mod address;
pub mod address_list;
pub mod auth_results;
pub mod autocrypt;
pub mod date;
pub mod dsn;
pub mod edit;
pub mod encoded_word;
pub mod fold;
pub mod message;
pub mod message_id;
pub mod mime;
pub mod phrase;
pub mod quoted_printable;
pub mod received;
mod structured;
pub mod utf8_address;

#[cfg(test)]
mod golden;

pub use address::{Address, AddressError, DomainName, Host};
pub use address_list::{AddressList, NamedAddress};
pub use date::Timestamp;
pub use edit::{Edits, Rendered};
pub use fold::{FieldWriter, HeaderField};
pub use message::{Field, HeadError, Message};

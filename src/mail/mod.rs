//! Messages as bytes: addresses, header fields, edits. Pure: no I/O, no clock, no randomness.

pub mod address;
pub mod date;

pub use address::{Address, AddressError, DomainName, Host};
pub use date::Timestamp;

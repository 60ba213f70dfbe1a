//! Managing accounts, domains, mailboxes, aliases, contacts and certificates: the use cases that the commands and the HTTP
//! API share, over the port [`Registry`].

pub mod aliases;
pub mod contacts;
pub mod keys;
pub mod lists;
pub mod local_part;
pub mod records;
pub mod registry;
mod words;

#[cfg(test)]
pub(crate) mod fake;

pub use registry::{Registry, RegistryError};

//! Managing accounts, domains, mailboxes, aliases and contacts: the use cases that the commands and the HTTP API share,
//! over the port [`Registry`].

pub mod records;
pub mod registry;

pub use registry::{Registry, RegistryError};

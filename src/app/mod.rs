//! The parts put together: a daemon that can be started and stopped, over any configuration.

mod daemon;
pub mod database;
mod descriptors;
pub mod discovery;
mod http;
pub mod master_key;
mod published;
mod status;
pub mod surroundings;
mod tasks;

pub use daemon::{Daemon, StartError};

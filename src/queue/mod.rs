//! Taking messages in and getting them to their next hop: use cases over the ports of [`crate::relay`].

mod decide;
mod gather;
pub mod intake;
mod journal;
mod partly;
pub mod seal;
pub mod spool;

#[cfg(test)]
mod tests;

pub use intake::{Client, Intake, Policy};

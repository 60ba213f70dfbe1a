//! Taking messages in and getting them to their next hop: use cases over the ports of [`crate::relay`].

mod aftermath;
mod certificates;
mod commit;
mod decide;
mod direct;
mod gate;
mod gather;
pub mod inspect;
pub mod intake;
mod journal;
pub mod letter;
mod lines;
pub mod memory;
pub mod meters;
mod notices;
mod open;
mod partly;
mod protect;
mod repeats;
mod reports;
mod roster;
pub mod scheduler;
pub mod seal;
pub mod spool;
pub mod station;

#[cfg(test)]
mod tests;

pub use gate::Gate;
pub use intake::{Client, Intake};
pub use scheduler::Scheduler;
pub use station::{Mode, Parts, Policy, Ports, Station};

//! The business of aliasd: what an address of ours stands for, what becomes of a message, what the owner and the
//! correspondent may see of one another. Pure: no I/O, no clock, no randomness; what it needs from outside it asks
//! for through [`ports`].

pub mod alias;
pub mod blame;
pub mod content;
pub mod copy;
pub mod correspondents;
pub mod forward;
pub mod ids;
pub mod keyring;
pub mod keys;
pub mod loop_header;
pub mod notice;
pub mod onward;
pub mod openpgp;
pub mod pacing;
pub mod ports;
pub mod recipient;
pub mod redact;
pub mod refusal;
pub mod reply;
pub mod report;
pub mod retry;
pub mod return_path;
pub mod reverse;
pub mod screening;
pub mod scrub;
pub mod site;
pub mod threads;
pub mod trace;
pub mod transaction;
pub mod verdict;
pub mod wkd;

#[cfg(test)]
mod golden;
#[cfg(test)]
pub(crate) mod testing;

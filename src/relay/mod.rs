//! The business of aliasd: what an address of ours stands for, what becomes of a message, what the owner and the
//! correspondent may see of one another. Pure: no I/O, no clock, no randomness; what it needs from outside it asks
//! for through [`ports`].

pub mod alias;
pub mod keys;
pub mod loop_header;
pub mod ports;
pub mod redact;
pub mod return_path;
pub mod reverse;
pub mod transaction;

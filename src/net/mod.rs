//! Sockets: the listener, the drivers of SMTP sessions in both directions, TLS, and the way to the next hop.

pub mod dns;
pub mod listener;
mod meters;
pub mod public;
pub mod smarthost;
pub mod smtp_in;
pub mod smtp_out;
pub mod tls;
pub mod wkd;

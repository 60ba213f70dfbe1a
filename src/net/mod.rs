//! Sockets: the listener, the drivers of SMTP sessions, and what they share.

pub mod dns;
pub mod smarthost;
pub mod smtp_out;
pub mod tls;

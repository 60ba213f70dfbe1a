//! aliasd: an email-alias relay.
//!
//! The layers, from the bottom up; imports point down only (`tests/layering.rs` enforces it):
//!
//! - [`smtp`], [`mail`]: bytes, grammar, sessions. Pure: no I/O, no clock, no randomness.
//! - [`relay`]: the business. What an alias is, what becomes of a message, and the ports that needs. Pure as well.
//! - [`queue`], [`admin`]: use cases over the ports: taking a message in, managing aliases.
//! - [`pgp`]: the port for encryption, with sequoia.
//! - [`store`], [`net`], [`telemetry`], [`api`]: adapters to SQL, sockets, logs and figures, HTTP.
//! - [`config`], [`app`], [`cli`]: settings, composition, commands.
//!
//! `ARCHITECTURE.md` has the map and the life of a message.

pub mod admin;
pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod mail;
pub mod net;
pub mod pgp;
pub mod queue;
pub mod relay;
pub mod smtp;
pub mod store;
pub mod telemetry;

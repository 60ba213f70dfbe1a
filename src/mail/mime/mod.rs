//! The structure of a message body: parts, their types, their encodings (RFC 2045, 2046, 2231).
//!
//! - [`entity`] tells the header section of a part from its body, [`multipart`] finds the parts in a body. Both give spans
//!   over the original bytes that cover every octet, take linear time and never fail.
//! - [`parameters`] reads and rewrites `Content-Type`, `Content-Disposition` and their parameters.
//! - [`transfer`] undoes and redoes base64, quoted-printable and uuencode, [`charset`] reads and writes text.
//!
//! Where readers differ, this one errs towards seeing too much. What it does not do: walk. Who descends into parts keeps
//! to [`MAX_DEPTH`] and [`MAX_PARTS`], without which a small message could ask for a lot of work.

pub mod charset;
pub mod entity;
pub mod multipart;
pub mod parameters;
pub mod transfer;

pub use charset::{Charset, Decoded};
pub use entity::Entity;
pub use multipart::{Multipart, Piece};
pub use parameters::{Change, Parameter, Parameterized};
pub use transfer::Transfer;

/// Most levels of parts within parts that are looked into.
pub const MAX_DEPTH: usize = 50;
/// Most parts of one message, on all levels together, that are looked into.
pub const MAX_PARTS: usize = 2_000;

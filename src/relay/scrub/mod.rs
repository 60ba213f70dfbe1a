//! Taking the owner's mailboxes out of a reply: nothing that leaves as the alias names one.
//!
//! - [`Secrets`] knows what must not be seen, and finds and replaces it in one text, however it is written ([`view`]).
//! - [`entity`] walks through the parts of a message; [`fields`] works on their header fields, [`leaf`] on their contents,
//!   [`armor`] and [`packets`] on OpenPGP data in them, [`binary`] on other data, [`marks`] on boundaries and Content-IDs.
//! - [`doubt`] looks at messages as a whole that programs read differently.
//! - [`survey`] finds the reverse aliases in a message, whose contacts are to be looked up before.
//!
//! A part in which nothing is found keeps its bytes, and so does the whole message. A part that changes keeps its charset
//! and its transfer encoding as long as they can say what is put in. Header sections and parameters that programs may read in
//! two ways come out so that one way is left. What can neither be searched nor changed is refused, never passed: [`Refused`]
//! tells the owner which part it is. Encrypted and signed parts are for the owner to decide about ([`OpaqueParts`]).
//!
//! What this module does not see: text in pictures, in archives and in documents that are compressed.

mod armor;
mod binary;
mod bytes;
mod doubt;
mod entity;
mod fields;
mod flowed;
mod kind;
mod leaf;
mod marks;
mod packets;
mod records;
mod secrets;
mod survey;
#[cfg(test)]
mod tests;
mod text;
mod view;

use ::bytes::Bytes;

use crate::mail::Message;

pub use fields::FieldEdits;
pub use secrets::Secrets;
pub use survey::{MAX_CANDIDATES, candidates};
pub use text::reverse_aliases_in;
pub use view::Syntax;

use super::refusal::Refused;
use entity::Scrubber;

/// What becomes of encrypted or signed parts, which nobody but the recipient can look into or which must not be changed
/// (`reply.opaque_parts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpaqueParts {
    /// Encrypted ones pass. Signed ones do when nothing is found in them; else they are cleaned and lose their signature.
    Allow,
    /// A message with one is refused.
    Refuse,
}

/// Other names for the ids of the owner's programs: always the same for the same id.
pub trait SealIds {
    /// What stands for a message id, given with or without its brackets; in brackets.
    fn message_id(&self, id: &[u8]) -> String;
    /// What stands for a `Content-ID`, given with or without its brackets; without brackets. Letters, digits, `.`, `-` and
    /// one `@`.
    fn content_id(&self, id: &[u8]) -> String;
}

/// A reply without traces of the mailboxes.
#[derive(Debug, Clone)]
pub struct Scrubbed {
    /// What becomes of the fields of the message itself: `Subject`, `MIME-Version`, `Content-*` and the few others that a
    /// reply may carry. People, ids and the date are not among them.
    pub fields: FieldEdits,
    /// The body; the same memory when nothing was found in it.
    pub body: Bytes,
    /// Whether the body is another.
    pub changed: bool,
}

/// Cleans a message.
///
/// # Errors
/// When it has more parts than can be looked through ([`Refused::TooManyParts`]), header sections beyond the limits, a part
/// that names a mailbox and cannot be changed ([`Refused::UnchangeablePart`]), a structure that is read differently, and a
/// mailbox shows in one way ([`Refused::DoubtfulStructure`]), or a part that `opaque` says to refuse.
pub fn scrub(
    message: &Message,
    secrets: &Secrets,
    ids: &dyn SealIds,
    opaque: OpaqueParts,
) -> Result<Scrubbed, Refused> {
    let mut scrubber = Scrubber::new(secrets, ids, opaque);
    let (fields, body) = scrubber.message(message)?;
    let changed = body.is_some();
    let body = body.unwrap_or_else(|| message.body());
    if scrubber.doubt.is_there() && doubt::shows_anywhere(&body, secrets) {
        return Err(Refused::DoubtfulStructure);
    }
    Ok(Scrubbed { fields, body, changed })
}

//! Threads: what becomes of `Message-ID`, `In-Reply-To` and `References`, so that the programs of owner and correspondents
//! each see one conversation with the right parents, although the ids of the owner's programs never leave.
//!
//! [`Outward`] seals the owner's ids in a reply ([`super::ids`]); [`open`] opens them in a forward, so that the owner's
//! program finds its own ids again. There is no table that says whose an id is. A reply knows by three things:
//!
//! 1. It *names* a mailbox of the alias: the domain or the local part is a word in it, at any place.
//! 2. Its right side means something in a local network only (`janes-macbook.local`). In a reply without `References`, where
//!    the next point cannot help, it must be that of the reply's own `Message-ID` as well.
//! 3. The forward has left a *companion* in `References`, which the owner's program copied into its answer (RFC 5322,
//!    section 3.6.4). A companion stands directly before the id that it belongs to, and is one of
//!    - the sealed form of an id of the owner's: this id is ours, although it names no mailbox (`<x@mail.example.org>` of a
//!      mailbox with another provider, `<uuid@macbook.local>`). The reply drops the id and keeps its sealed form.
//!    - a mark: this id is a correspondent's, although 1 or 2 say otherwise (both are at one provider). The reply keeps
//!      the id and drops the mark.
//!
//! A forward that needs no companion and has nothing to open keeps the bytes of all these fields, and a reply those of
//! each field that it has nothing to change in.
//!
//! # Why the threads hold
//!
//! *At the correspondents* nothing is added. Every id of theirs is as they wrote it, every id of the owner's is its sealed
//! form, the same in all messages to all of them, and in its place. What their programs see is the conversation with some ids
//! renamed.
//!
//! *At the owner* the ids are as the owner's programs and the correspondents wrote them, and companions, which are the ids
//! of no message, lie between. Threading as Zawinski describes it (RFC 5256, "REFERENCES") links the ids of a chain one
//! below the other, gives a message that is there the last id of its own chain as its parent, and takes out what is no
//! message by moving its children up.
//!
//! - The last id of a chain that we write is the parent, never a companion, so programs that look at the last one only
//!   (notmuch) see the parent as well. The exception is a first message, whose chain is its own mark alone: no parent.
//! - A companion stands before its own id in every chain but one, so it has this one child, and its parent is what stands
//!   before in the conversation. Moving the child up gives the chain without it, also when the message of that id is
//!   not there, as those in a folder of sent mail.
//! - The one chain is that of the message itself, whose companion stands before the last id, the parent. The parent either
//!   is there and has its own parent, so that the companion is left without a child and goes; or it is not, and is moved up.
//! - A companion belongs to one id of one alias, so it joins no two threads.
//! - A message with `In-Reply-To` alone that needs a companion gets `References` that begin with its parent: programs look
//!   at `In-Reply-To` only where there are no `References`.
//!
//! # Where it does not hold
//!
//! - A program that sends no `References`, or trims them between an id and its companion, loses what the companion said:
//!   the id is judged by 1 and 2 alone.
//! - The owner answers a message of the owner's own, whose id names no mailbox and is not of a local network
//!   (`<x@mail.example.org>`): nothing tells whose it is, and it stays in clear.
//! - The owner's thread loses links to ids longer than [`super::ids::LONGEST_SEALED`], and to those with octets beyond
//!   ASCII when the answer came without SMTPUTF8 (RFC 6531).
//! - What an older master key has sealed opens, but an id that no companion stands before is sealed under the new one.
//!
//! Chains that we write have at most [`MAX_IDS`] ids and [`MAX_OCTETS`] octets: the first id and the newest ones, as RFC 5322
//! lets one trim. One id a line where lines would be longer than 78 columns; an id that fits no line (998 octets) is left
//! out of a chain that we write.

mod chain;
mod names;
mod opened;
mod outward;
#[cfg(test)]
mod tests;

pub use chain::{MAX_IDS, MAX_OCTETS};
pub use opened::open;
pub use outward::{HasId, Outward};

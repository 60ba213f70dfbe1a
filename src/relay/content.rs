//! What forwards and replies have in common when a message is put together.

use crate::mail::edit::Rendered;
use crate::mail::received::{self, Via};
use crate::mail::{Address, bytes};

use super::ports::Content;
use super::trace::Trace;

/// The message as it is handed to the next hop, with what it asks of it. SMTPUTF8 is asked for only when the sender did
/// and the header section still has characters beyond ASCII after rewriting.
#[must_use]
pub fn finish(rendered: Rendered, smtputf8: bool) -> Content {
    let eight_bit_head = bytes::has_eight_bit(&rendered.head);
    let eight_bit = eight_bit_head || bytes::has_eight_bit(&rendered.body);
    Content { head: rendered.head, body: rendered.body, eight_bit, smtputf8: smtputf8 && eight_bit_head }
}

/// Our `Received` field, with where the message came from.
#[must_use]
pub fn received(trace: &Trace<'_>, recipient: Option<&Address>) -> Vec<u8> {
    received::compose(&received::Stamp {
        from: Some(Via { helo: trace.helo, address: trace.client }),
        by: trace.hostname,
        protocol: received::Protocol::of(trace.esmtp, trace.smtputf8),
        id: &trace.id.to_string(),
        recipient,
        at: trace.now,
    })
}

//! What forwards and replies have in common when a message is put together.

use crate::mail::received::{Client, Received};
use crate::mail::{Address, HeaderField, Rendered, message};

use super::ports::Content;
use super::trace::Trace;

/// The message as it is handed to the next hop, with what it asks of it. SMTPUTF8 is asked for only when the sender did
/// and the header section still has characters beyond ASCII after rewriting.
#[must_use]
pub fn finish(rendered: Rendered, smtputf8: bool) -> Content {
    let eight_bit_head = message::needs_eight_bit(&rendered.head);
    let eight_bit = eight_bit_head || message::needs_eight_bit(&rendered.body);
    Content { head: rendered.head, body: rendered.body, eight_bit, smtputf8: smtputf8 && eight_bit_head }
}

/// Our `Received` field, with where the message came from.
#[must_use]
pub fn received(trace: &Trace<'_>, recipient: &Address) -> HeaderField {
    let stamp = Received {
        from: Some(Client { helo: trace.helo, ip: trace.client }),
        by: trace.hostname,
        with: trace.protocol(),
        id: &trace.id.to_string(),
        // One that is not ASCII would make the whole header section need SMTPUTF8.
        recipient: Some(recipient).filter(|recipient| recipient.is_ascii()),
        at: trace.now,
    };
    stamp.to_field()
}

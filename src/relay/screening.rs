//! What is looked at in every message, whatever it is for: limits of the header section, hops, people.

use crate::mail::{Message, received};

use super::correspondents;
use super::refusal::Refused;

/// More `Received` fields than this are a loop (RFC 5321, section 6.3 asks for a limit; Postfix has 50 as well).
pub const MAX_HOPS: usize = 50;

/// Looks at a message before anything is decided about it.
///
/// # Errors
/// A header section beyond the limits, too many hops, or too many people.
pub fn screen(message: &Message) -> Result<(), Refused> {
    message.check().map_err(Refused::HeaderSection)?;
    if received::count(message) > MAX_HOPS {
        return Err(Refused::TooManyHops);
    }
    correspondents::check_number(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn with_hops(hops: usize) -> Message {
        let raw = "Received: by mx.example.org; x\r\n".repeat(hops) + "From: a@example.org\r\n\r\n";
        Message::parse(Bytes::from(raw))
    }

    #[test]
    fn fifty_hops_are_a_long_way_and_more_are_a_loop() {
        assert_eq!(screen(&with_hops(50)), Ok(()));
        assert_eq!(screen(&with_hops(51)), Err(Refused::TooManyHops));
    }
}

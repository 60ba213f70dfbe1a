//! The `Aliasd-Loop` header: a message that comes back to an alias which has already forwarded it is going in a circle.
//!
//! The value seals the alias's id, so a stranger can neither make one nor read one. Two aliases in a row are no loop: a
//! header of another alias is kept, a header of this alias refuses the message.

use super::alias::AliasId;
use super::keys::Sealer;

/// Name of the header.
pub const NAME: &str = "Aliasd-Loop";

const CONTEXT: &[u8] = b"alias";

/// The value for a message that this alias forwards.
#[must_use]
pub fn compose(sealer: &Sealer, alias: AliasId) -> String {
    sealer.seal(CONTEXT, &alias.0.to_be_bytes())
}

/// The alias that wrote this value, if it is one of ours.
#[must_use]
pub fn open(sealer: &Sealer, value: &[u8]) -> Option<AliasId> {
    let token = std::str::from_utf8(value).ok()?.trim();
    let content = sealer.open(CONTEXT, token)?;
    Some(AliasId(i64::from_be_bytes(content.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::keys::Keys;

    #[test]
    fn only_ours_opens() {
        let sealer = Keys::derive(&[7; 32]).loops;
        let value = format!(" {}\r\n", compose(&sealer, AliasId(42)));
        assert_eq!(open(&sealer, value.as_bytes()), Some(AliasId(42)));
        assert_eq!(open(&sealer, b" something"), None);
        assert_eq!(open(&sealer, &[0xff, 0xfe]), None);
    }
}

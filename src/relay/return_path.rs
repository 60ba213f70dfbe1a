//! Return paths: the envelope senders of what we send, so that bounces come back to us and tell what they are about
//! (VERP), without telling anybody else.
//!
//! `rp-<token>@<alias domain>`: the token seals what the message was and on which day it left. It stays within the
//! 64 octets of a local part (RFC 5321, section 4.5.3.1.1): 3 for the prefix and 56 for 35 sealed bytes.

use crate::mail::{Address, DomainName, Host, Timestamp};

use super::alias::{AliasId, ContactId, MailboxId};
use super::keys::Sealer;

/// Bounces older than this are not ours any more. Senders give up after five days or so; some take two weeks.
pub const VALID_DAYS: u16 = 30;

const PREFIX: &str = "rp-";
/// Characters of 35 sealed bytes.
const TOKEN_LENGTH: usize = 56;
const MILLIS_A_DAY: i64 = 86_400_000;

/// What the message was that a return path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A forward of this alias to this mailbox.
    Forward(AliasId, MailboxId),
    /// A reply of this alias to this contact.
    Reply(AliasId, ContactId),
}

impl Origin {
    /// The alias that the message belongs to.
    #[must_use]
    pub fn alias(self) -> AliasId {
        match self {
            Self::Forward(alias, _) | Self::Reply(alias, _) => alias,
        }
    }

    fn to_bytes(self) -> [u8; 17] {
        let (kind, alias, other) = match self {
            Self::Forward(alias, mailbox) => (b'f', alias.0, mailbox.0),
            Self::Reply(alias, contact) => (b'r', alias.0, contact.0),
        };
        let mut bytes = [kind; 17];
        bytes[1..9].copy_from_slice(&alias.to_be_bytes());
        bytes[9..].copy_from_slice(&other.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; 17]) -> Option<Self> {
        let [kind, rest @ ..] = bytes;
        let (alias, other) = rest.split_first_chunk::<8>()?;
        let alias = AliasId(i64::from_be_bytes(*alias));
        let other = i64::from_be_bytes(other.try_into().ok()?);
        match kind {
            b'f' => Some(Self::Forward(alias, MailboxId(other))),
            b'r' => Some(Self::Reply(alias, ContactId(other))),
            _ => None,
        }
    }
}

/// The return path of a message that leaves now under the alias's domain.
///
/// # Errors
/// Never in practice: the local part has always 59 octets.
pub fn compose(
    sealer: &Sealer,
    origin: Origin,
    domain: &DomainName,
    now: Timestamp,
) -> Result<Address, crate::mail::AddressError> {
    let mut content = Vec::with_capacity(19);
    content.extend_from_slice(&day_of(now).to_be_bytes());
    content.extend_from_slice(&origin.to_bytes());
    let token = sealer.seal(domain.as_str().as_bytes(), &content);
    Address::from_parts(&format!("{PREFIX}{token}"), Host::Domain(domain.clone()))
}

/// Whether an address has the shape of a return path, valid or not.
#[must_use]
pub fn has_shape(address: &Address) -> bool {
    let local = address.local();
    local.len() == PREFIX.len() + TOKEN_LENGTH
        && local.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// What `address` stands for, if it is a return path of ours that is not older than [`VALID_DAYS`].
#[must_use]
pub fn open(sealer: &Sealer, address: &Address, now: Timestamp) -> Option<Origin> {
    let prefix = address.local().get(..PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(PREFIX) {
        return None;
    }
    let token = address.local().get(PREFIX.len()..)?;
    let content = sealer.open(address.domain()?.as_str().as_bytes(), token)?;
    let (day, origin) = content.split_first_chunk::<2>()?;
    let age = day_of(now).checked_sub(u16::from_be_bytes(*day));
    // A day of tolerance for nodes whose clocks differ around midnight.
    let fresh = age.is_none_or(|days| days <= VALID_DAYS) && day_of(now) + 1 >= u16::from_be_bytes(*day);
    if !fresh {
        return None;
    }
    Origin::from_bytes(origin.try_into().ok()?)
}

/// Days since 1970; they fit 16 bits until the year 2149.
fn day_of(now: Timestamp) -> u16 {
    u16::try_from(now.as_millis() / MILLIS_A_DAY).unwrap_or(u16::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::keys::Keys;

    const NOW: i64 = 1_790_000_000_000;

    fn sealer() -> Sealer {
        Keys::derive(&[7; 32]).return_paths
    }

    fn domain() -> DomainName {
        DomainName::parse("example.com").unwrap()
    }

    fn at_day(days: i64) -> Timestamp {
        Timestamp::from_millis(NOW + days * MILLIS_A_DAY)
    }

    #[test]
    fn it_comes_back_as_what_it_was() {
        for origin in
            [Origin::Forward(AliasId(1), MailboxId(2)), Origin::Reply(AliasId(i64::MAX), ContactId(i64::MAX))]
        {
            let path = compose(&sealer(), origin, &domain(), at_day(0)).unwrap();
            assert_eq!(path.local().len(), 59);
            assert!(has_shape(&path));
            assert_eq!(open(&sealer(), &path, at_day(0)), Some(origin));
            let upper = Address::parse(&path.to_string().to_uppercase()).unwrap();
            assert_eq!(open(&sealer(), &upper, at_day(1)), Some(origin));
        }
    }

    #[test]
    fn it_ends_after_its_days_and_does_not_start_early() {
        let path =
            compose(&sealer(), Origin::Forward(AliasId(1), MailboxId(2)), &domain(), at_day(0)).unwrap();
        let opens = |days| open(&sealer(), &path, at_day(days)).is_some();
        assert!(opens(30) && opens(-1));
        assert!(!opens(31) && !opens(-2));
    }

    #[test]
    fn another_domain_or_a_stranger_does_not_open() {
        let path =
            compose(&sealer(), Origin::Forward(AliasId(1), MailboxId(2)), &domain(), at_day(0)).unwrap();
        let moved = Address::parse(&format!("{}@example.org", path.local())).unwrap();
        for text in ["rp-@example.com", "rp-aaaa@example.com", "shop@example.com", "ü@example.com"] {
            assert_eq!(open(&sealer(), &Address::parse(text).unwrap(), at_day(0)), None, "{text}");
        }
        assert_eq!(open(&sealer(), &moved, at_day(0)), None);
    }
}

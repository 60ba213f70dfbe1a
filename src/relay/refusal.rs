//! Every reason for which aliasd says no, and the one place that maps it to a reply.
//!
//! The texts are read by senders, so none of them names a mailbox, except those for a session that has already named it
//! itself (the owner's answers through a reverse alias).

use crate::mail::{Address, HeadError};
use crate::smtp::{Enhanced, Reply};

use super::openpgp::Unusable;

/// Why a recipient or a message is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The domain is not one of ours: there is no setting that makes an open relay.
    ForeignDomain,
    /// Our domain, and nobody has this local part.
    UnknownAlias,
    /// It was an alias once.
    DeletedAlias,
    /// The alias is switched off, or its time is over.
    DisabledAlias,
    /// The owner does not want mail from this sender.
    BlockedSender,
    /// `postmaster@` or `abuse@`, and the configuration names nobody for it.
    NoPostmaster,
    /// None of the alias's mailboxes takes mail for now.
    NoMailboxNow,
    /// The alias has been through here with this message.
    Loop,
    /// More `Received` fields than any sane path has.
    TooManyHops,
    /// More people are named than can be looked after.
    TooManyPeople,
    /// The header section is beyond the limits.
    HeaderSection(HeadError),
    /// `From` is missing, repeated or unreadable.
    From(&'static str),
    /// A reply without proof that it comes from the owner.
    NoProof,
    /// The author of a reply is not a mailbox of the alias.
    NotTheOwner,
    /// A disabled alias cannot send.
    DisabledAliasSends,
    /// A reply names an address in the clear, which would show the mailbox to it.
    ForeignRecipient(Address),
    /// A reply names a reverse alias of another alias, which would tie the two together.
    OtherAlias(Address),
    /// `To` or `Cc` of a reply cannot be read, so nobody knows whom it would show the mailbox to.
    UnreadableRecipients,
    /// Its reader wants it encrypted, and that cannot be done now.
    NotEncrypted,
    /// The same of a reply, whose author is told why.
    ReplyNotEncrypted(Unusable),
    /// A reply has more parts, or parts within parts, than can be looked through.
    TooManyParts,
    /// An encrypted or signed part of a reply, which cannot be searched or changed, and the configuration refuses such. With
    /// its place in the message.
    OpaquePart(String),
    /// A part of a reply names the mailbox and cannot be changed. With its place in the message.
    UnchangeablePart(String),
    /// Programs would read a reply in different ways, and in one of them the mailbox shows.
    DoubtfulStructure,
    /// The mailbox lies at one of our own domains.
    MailboxIsOurs,
    /// The directory does not answer.
    Directory,
    /// The queue cannot be written to.
    NoStorage,
}

impl Refused {
    /// What the sender is told.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let ((code, enhanced), text) = (self.codes(), self.text());
        match self {
            Self::ForeignRecipient(address) | Self::OtherAlias(address) => {
                Reply::new(code, enhanced, format!("{text}: {address}"))
            }
            Self::OpaquePart(place) | Self::UnchangeablePart(place) => {
                Reply::new(code, enhanced, format!("{text}: {place}"))
            }
            Self::HeaderSection(detail) => Reply::new(code, enhanced, format!("{text}: {detail}")),
            Self::ReplyNotEncrypted(why) => Reply::new(code, enhanced, format!("{text}: {why}")),
            Self::From(detail) => Reply::new(code, enhanced, format!("{text}: {detail}")),
            _ => Reply::new(code, enhanced, text),
        }
    }

    /// Basic code (RFC 5321, section 4.2) and enhanced code (RFC 3463).
    fn codes(&self) -> (u16, Enhanced) {
        match self {
            Self::ForeignDomain
            | Self::DisabledAlias
            | Self::BlockedSender
            | Self::NoProof
            | Self::NotTheOwner
            | Self::DisabledAliasSends
            | Self::ForeignRecipient(_)
            | Self::OtherAlias(_)
            | Self::OpaquePart(_)
            | Self::UnchangeablePart(_) => (550, Enhanced(5, 7, 1)),
            Self::UnknownAlias | Self::DeletedAlias | Self::NoPostmaster => (550, Enhanced(5, 1, 1)),
            Self::NoMailboxNow => (450, Enhanced(4, 2, 1)),
            Self::Loop | Self::TooManyHops | Self::MailboxIsOurs => (554, Enhanced(5, 4, 6)),
            Self::TooManyPeople
            | Self::HeaderSection(_)
            | Self::From(_)
            | Self::UnreadableRecipients
            | Self::TooManyParts
            | Self::DoubtfulStructure => (550, Enhanced(5, 6, 0)),
            Self::NotEncrypted | Self::ReplyNotEncrypted(_) => (451, Enhanced(4, 7, 5)),
            Self::NoStorage | Self::Directory => (451, Enhanced(4, 3, 0)),
        }
    }

    /// What is the matter, and what to do.
    fn text(&self) -> &'static str {
        match self {
            Self::ForeignDomain => "relaying denied: this domain is not served here",
            Self::UnknownAlias | Self::DeletedAlias => "no such address here",
            Self::DisabledAlias => "this address does not take mail",
            Self::BlockedSender => "this address does not take mail from you",
            Self::NoPostmaster => "nobody reads this address here",
            Self::NoMailboxNow => "this address takes no mail for now, try again later",
            Self::Loop => "mail loop: this message has been here before",
            Self::TooManyHops => "mail loop: too many Received fields",
            Self::TooManyPeople => "the message names too many people in its header section",
            Self::HeaderSection(_) => "the header section cannot be taken",
            Self::From(_) => "the From field cannot be taken",
            Self::NoProof => {
                "a reply needs proof that it comes from a mailbox of the alias: send it through a server \
                 in authentication.trusted_networks"
            }
            Self::NotTheOwner => {
                "the From address is not a mailbox of this alias: send the reply from a mailbox that gets its mail"
            }
            Self::DisabledAliasSends => "the alias is disabled and cannot send: enable it first",
            Self::ForeignRecipient(_) => {
                "this recipient would see your mailbox; write to a reverse alias instead (aliasd contact add)"
            }
            Self::OtherAlias(_) => "this recipient belongs to another alias of yours; send separate messages",
            Self::UnreadableRecipients => "To or Cc cannot be read, so the message might show your mailbox",
            Self::NotEncrypted => "the message cannot be encrypted for its reader now, try again later",
            Self::ReplyNotEncrypted(_) => {
                "the reply cannot be encrypted for its reader and is not sent in clear"
            }
            Self::TooManyParts => {
                "the message has more parts than can be searched for your mailbox; send it in a simpler form"
            }
            Self::OpaquePart(_) => {
                "this part is encrypted or signed, so it cannot be searched for your mailbox, and reply.opaque_parts \
                 refuses that; send it as it is, without encryption and signature"
            }
            Self::UnchangeablePart(_) => {
                "this part would show your mailbox to the recipient and cannot be changed; leave it out, or take your \
                 address out of it"
            }
            Self::DoubtfulStructure => {
                "mail programs read the parts of this message in different ways, and in one of them your mailbox shows; \
                 leave out the message or the file in it that is damaged"
            }
            Self::MailboxIsOurs => "mail loop: the destination of this address is here",
            Self::NoStorage => "mail cannot be stored now, try again later",
            Self::Directory => "the directory cannot answer now, try again later",
        }
    }
}

impl From<super::ports::Unavailable> for Refused {
    fn from(_: super::ports::Unavailable) -> Self {
        Self::Directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_design() {
        let to = |t: &str| Address::parse(t).unwrap();
        for (refused, start) in [
            (Refused::ForeignDomain, "550 5.7.1 "),
            (Refused::UnknownAlias, "550 5.1.1 "),
            (Refused::DeletedAlias, "550 5.1.1 "),
            (Refused::DisabledAlias, "550 5.7.1 "),
            (Refused::BlockedSender, "550 5.7.1 "),
            (Refused::Loop, "554 5.4.6 "),
            (Refused::TooManyHops, "554 5.4.6 "),
            (Refused::From("there is none"), "550 5.6.0 "),
            (Refused::NoProof, "550 5.7.1 "),
            (Refused::ForeignRecipient(to("jane@example.org")), "550 5.7.1 "),
            (Refused::TooManyParts, "550 5.6.0 "),
            (Refused::OpaquePart("part 1".to_owned()), "550 5.7.1 "),
            (Refused::UnchangeablePart("part 1".to_owned()), "550 5.7.1 "),
            (Refused::DoubtfulStructure, "550 5.6.0 "),
            (Refused::Directory, "451 4.3.0 "),
            (Refused::NoStorage, "451 4.3.0 "),
        ] {
            let mut wire = Vec::new();
            refused.reply().write_to(&mut wire);
            let wire = String::from_utf8(wire).unwrap();
            assert!(wire.starts_with(start), "{wire}");
        }
    }

    #[test]
    fn a_named_recipient_is_named() {
        let mut wire = Vec::new();
        Refused::ForeignRecipient(Address::parse("jane@example.org").unwrap()).reply().write_to(&mut wire);
        assert!(String::from_utf8(wire).unwrap().contains("jane@example.org"));
    }
}

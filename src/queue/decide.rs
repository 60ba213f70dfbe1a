//! From an accepted recipient to what is to be done for it, and from that to deliveries.
//!
//! Deciding asks the directory; composing is pure and makes a new head, so it is done late, for a few recipients at a
//! time.

use std::collections::HashMap;
use std::sync::Arc;

use crate::mail::{Address, DomainName, Edits, Message, auth_results};
use crate::relay::alias::{Alias, AliasId, Contact, Lookup, Refusal};
use crate::relay::content;
use crate::relay::correspondents::{self, Correspondent, Known};
use crate::relay::forward::{self, Forward};
use crate::relay::keys::Keys;
use crate::relay::onward;
use crate::relay::ports::{Content, Counted, Delivery, Directory, ReportRequest, Surroundings};
use crate::relay::recipient::Recipient;
use crate::relay::refusal::Refused;
use crate::relay::reply::{self, Evidence, ReplyMessage};
use crate::relay::return_path::{self, Origin};
use crate::relay::trace::Trace;
use crate::smtp::ReversePath;
use crate::smtp::dsn::{MessageRequest, RecipientRequest};

use super::gather;

/// One transaction being decided.
pub(super) struct Case<'a> {
    pub(super) message: Message,
    pub(super) from: &'a ReversePath,
    /// What the sender asks about reports.
    pub(super) asked: &'a MessageRequest,
    pub(super) evidence: Evidence,
    pub(super) trace: Trace<'a>,
}

/// What is to be done for one recipient.
pub(super) enum Decision {
    /// To the mailboxes of the alias.
    Forward {
        alias: Arc<Alias>,
        /// The address that was used for the alias.
        given: Address,
        author: Correspondent,
        known: Known,
        /// Under which envelope sender.
        sender: Sender,
    },
    /// To a contact of the alias.
    Reply { alias: Arc<Alias>, contact: Arc<Contact>, answers: HashMap<Address, Lookup> },
    /// To the people who run this server, under the role address that was given.
    Role { given: Address, reader: Address },
    /// Nothing, by the owner's wish.
    Discard(Arc<Alias>),
}

/// The envelope sender of what goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// A return path of ours, so that bounces come back here.
    Ours,
    /// `<>`: the message is a report itself, or must not be answered.
    Nobody,
}

impl Decision {
    /// The alias that it belongs to.
    pub(super) fn alias(&self) -> Option<(AliasId, Address)> {
        match self {
            Self::Forward { alias, .. } | Self::Reply { alias, .. } => {
                Some((alias.id, alias.address.clone()))
            }
            Self::Role { .. } => None,
            Self::Discard(alias) => Some((alias.id, alias.address.clone())),
        }
    }

    /// What is counted when the recipient has accepted.
    pub(super) fn counted(&self) -> Option<(AliasId, Counted)> {
        match self {
            // A report is no message that somebody wrote to the alias.
            Self::Forward { sender: Sender::Nobody, .. } | Self::Role { .. } => None,
            Self::Forward { alias, .. } => Some((alias.id, Counted::Forwarded)),
            Self::Reply { alias, .. } => Some((alias.id, Counted::Replied)),
            Self::Discard(alias) => Some((alias.id, Counted::Blocked)),
        }
    }
}

/// Decides over the directory.
pub(super) struct Judge<'a, D, S> {
    pub(super) directory: &'a D,
    pub(super) surroundings: &'a S,
    pub(super) keys: &'a Keys,
}

impl<D: Directory, S: Surroundings> Judge<'_, D, S> {
    /// What is to be done for one recipient.
    pub(super) async fn decide(&self, case: &Case<'_>, recipient: Recipient) -> Result<Decision, Refused> {
        match recipient {
            Recipient::Alias(alias, given) => {
                let sender = if *case.from == ReversePath::Null { Sender::Nobody } else { Sender::Ours };
                self.forward(case, alias, given, sender).await
            }
            Recipient::New(rule, given) => {
                // What would be refused anyway must not leave an alias behind.
                correspondents::author(&case.message)?;
                let mailbox = rule.mailbox.as_ref().ok_or(Refused::NoMailboxNow)?;
                self.check_foreign(&mailbox.address).await?;
                let alias = self.directory.create_alias(&rule, &given).await?;
                self.forward(case, alias, given, Sender::Ours).await
            }
            // Anybody can write to a return path that they have seen, so this is a message like any other.
            Recipient::Bounce(_, alias) => {
                let given = alias.address.clone();
                self.forward(case, alias, given, Sender::Nobody).await
            }
            Recipient::Reverse(alias, contact) => self.reply(case, alias, contact).await,
            Recipient::Postmaster(given, reader) => {
                self.check_foreign(&reader).await?;
                Ok(Decision::Role { given, reader })
            }
            Recipient::Discard(alias) => Ok(Decision::Discard(alias)),
        }
    }

    async fn forward(
        &self,
        case: &Case<'_>,
        alias: Arc<Alias>,
        given: Address,
        sender: Sender,
    ) -> Result<Decision, Refused> {
        let author = correspondents::author(&case.message)?;
        forward::check_loop(&case.message, &alias, self.keys)?;
        if alias.open_mailboxes().next().is_none() {
            return Err(Refused::NoMailboxNow);
        }
        for mailbox in &alias.mailboxes {
            self.check_foreign(&mailbox.address).await?;
        }
        let known =
            gather::contacts(self.directory, self.surroundings, &case.message, &alias, &author.address)
                .await?;
        if known.contacts.get(&author.address).is_some_and(|contact| contact.blocked) {
            return self.unwanted(alias);
        }
        Ok(Decision::Forward { alias, given, author, known, sender })
    }

    fn unwanted(&self, alias: Arc<Alias>) -> Result<Decision, Refused> {
        match alias.refusal {
            Refusal::Discard => Ok(Decision::Discard(alias)),
            Refusal::Reject => {
                self.directory.count(alias.id, Counted::Blocked);
                Err(Refused::BlockedSender)
            }
        }
    }

    /// A destination at one of our own domains would send the message round and round.
    async fn check_foreign(&self, destination: &Address) -> Result<(), Refused> {
        match self.directory.lookup(destination).await? {
            Lookup::ForeignDomain => Ok(()),
            _ => Err(Refused::MailboxIsOurs),
        }
    }

    async fn reply(
        &self,
        case: &Case<'_>,
        alias: Arc<Alias>,
        contact: Arc<Contact>,
    ) -> Result<Decision, Refused> {
        reply::authorize(&case.message, &alias, case.evidence, case.trace.now)?;
        let answers = gather::addressed(self.directory, &case.message).await?;
        reply::check_addressed(&alias, &answers)?;
        Ok(Decision::Reply { alias, contact, answers })
    }
}

/// The deliveries that carry a decision out; none only for [`Decision::Discard`]. `asked` is what the sender asks about
/// reports for this recipient; `part` tells the deliveries apart in the log from those of other recipients.
pub(super) fn compose(
    case: &Case<'_>,
    keys: &Keys,
    decision: &Decision,
    asked: &RecipientRequest,
    part: usize,
) -> Result<Vec<Delivery>, Refused> {
    let (message, trace) = (&case.message, &case.trace);
    let to = match decision {
        Decision::Forward { alias, given, author, known, sender } => {
            let content = Forward { message, alias, given, author, known, trace }.compose(keys);
            to_mailboxes(case, keys, alias, *sender, &content)?
        }
        Decision::Reply { alias, contact, answers } => {
            let content = ReplyMessage { message, alias, answers, trace }.compose();
            let sender = if *case.from == ReversePath::Null { Sender::Nobody } else { Sender::Ours };
            let from = envelope_sender(case, keys, alias, sender, Origin::Reply(alias.id, contact.id))?;
            vec![(from, contact.address.clone(), content)]
        }
        Decision::Role { given, reader } => {
            vec![(ReversePath::Null, reader.clone(), pass_on(case, given))]
        }
        Decision::Discard(_) => Vec::new(),
    };
    let dsn = asked_onward(case, decision, asked);
    let numbered = to.into_iter().enumerate().map(|(number, (from, to, content))| Delivery {
        id: format!("{}.{part}.{}", trace.id, number + 1),
        from,
        to,
        content,
        dsn: dsn.clone(),
    });
    Ok(numbered.collect())
}

/// What the next hop is asked about reports; nothing where they could not come back to us.
fn asked_onward(
    case: &Case<'_>,
    decision: &Decision,
    asked: &RecipientRequest,
) -> Option<Box<ReportRequest>> {
    let onward = match decision {
        Decision::Forward { sender: Sender::Ours, given, .. } => onward::of_forward(case.asked, asked, given),
        Decision::Reply { .. } if *case.from != ReversePath::Null => onward::of_reply(case.asked, asked),
        Decision::Forward { .. } | Decision::Reply { .. } | Decision::Role { .. } | Decision::Discard(_) => {
            return None;
        }
    };
    (onward != ReportRequest::default()).then(|| Box::new(onward))
}

fn to_mailboxes(
    case: &Case<'_>,
    keys: &Keys,
    alias: &Alias,
    sender: Sender,
    content: &Content,
) -> Result<Vec<(ReversePath, Address, Content)>, Refused> {
    let each = alias.open_mailboxes().map(|mailbox| {
        let origin = Origin::Forward(alias.id, mailbox.id);
        let from = envelope_sender(case, keys, alias, sender, origin)?;
        Ok((from, mailbox.address.clone(), content.clone()))
    });
    each.collect()
}

fn envelope_sender(
    case: &Case<'_>,
    keys: &Keys,
    alias: &Alias,
    sender: Sender,
    origin: Origin,
) -> Result<ReversePath, Refused> {
    if sender == Sender::Nobody {
        return Ok(ReversePath::Null);
    }
    let domain: &DomainName = alias.address.domain().ok_or(Refused::UnknownAlias)?;
    return_path::compose(&keys.return_paths, origin, domain, case.trace.now)
        .map(ReversePath::Address)
        .map_err(|_| Refused::UnknownAlias)
}

/// Mail for a role address as it came, with our step on top and without fields that only we may write.
fn pass_on(case: &Case<'_>, recipient: &Address) -> Content {
    let mut edits = Edits::new(&case.message);
    for (index, field) in case.message.fields().iter().enumerate() {
        let name = case.message.name(field).unwrap_or_default();
        let claims_ours = name.eq_ignore_ascii_case(auth_results::NAME)
            && auth_results::claims_to_be_from(case.message.value(field), case.trace.hostname);
        if claims_ours || forward::is_own(name) {
            edits.remove(index);
        }
    }
    edits.insert_top(content::received(&case.trace, recipient));
    content::finish(edits.render(), case.trace.smtputf8)
}

//! From an accepted recipient to what is to be done for it, and from that to deliveries.
//!
//! Deciding asks the directory; composing is pure and makes a new head, so it is done late, for a few recipients at a
//! time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::mail::{Address, DomainName, Edits, Message, auth_results};
use crate::relay::alias::{AccountId, Alias, AliasId, Contact, Lookup, Mailbox, Refusal};
use crate::relay::content;
use crate::relay::copy::{self, Copy};
use crate::relay::correspondents::{self, Correspondent, Known};
use crate::relay::forward::{self, Forward};
use crate::relay::ids::Ids;
use crate::relay::keys::Keys;
use crate::relay::onward;
use crate::relay::openpgp::{LookedUp, Privacy, Reader};
use crate::relay::ports::{Content, Counted, Delivery, Directory as _, ReportRequest};
use crate::relay::recipient::Recipient;
use crate::relay::refusal::Refused;
use crate::relay::reply::{self, Evidence, ReplyMessage};
use crate::relay::return_path::{self, Origin};
use crate::relay::scrub::{self, Scrubbed, Secrets};
use crate::relay::trace::Trace;
use crate::smtp::ReversePath;
use crate::smtp::dsn::{MessageRequest, RecipientRequest};

use super::gather;
use super::protect::NoEncryption;
use super::station::{Ports, Station};

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
    Reply {
        alias: Arc<Alias>,
        contact: Arc<Contact>,
        /// What the contact gets.
        content: Content,
        /// For other mailboxes of the alias.
        copies: Vec<Outgoing>,
    },
    /// To the people who run this server, under the role address that was given.
    Role { given: Address, reader: Address, privacy: Privacy },
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

    /// Whose that alias is.
    pub(super) fn account(&self) -> Option<AccountId> {
        match self {
            Self::Forward { alias, .. } | Self::Reply { alias, .. } | Self::Discard(alias) => {
                Some(alias.account)
            }
            Self::Role { .. } => None,
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

/// Decides about one transaction.
pub(super) struct Judge<'a, P: Ports> {
    pub(super) station: &'a Arc<Station<P>>,
    pub(super) case: &'a Case<'a>,
    /// There are other recipients, who are not to wait for what cannot be encrypted: it is kept for them alone.
    has_others: bool,
    /// What leaves as each alias: the same for all of its contacts.
    replies: HashMap<AliasId, (Content, Vec<Outgoing>)>,
    /// Until when domains of contacts are asked for certificates; from the first question on.
    look_ups_end: Option<Instant>,
}

/// How long the domains of all contacts of one message may be asked for certificates: the sender waits meanwhile.
const LOOK_UPS: Duration = Duration::from_secs(8);

impl<'a, P: Ports> Judge<'a, P> {
    pub(super) fn new(station: &'a Arc<Station<P>>, case: &'a Case<'a>, has_others: bool) -> Self {
        Self { station, case, has_others, replies: HashMap::new(), look_ups_end: None }
    }

    /// What is to be done for one recipient.
    pub(super) async fn decide(&mut self, recipient: Recipient) -> Result<Decision, Refused> {
        match recipient {
            Recipient::Alias(alias, given) => {
                let sender = if *self.case.from == ReversePath::Null { Sender::Nobody } else { Sender::Ours };
                self.forward(alias, given, sender).await
            }
            Recipient::New(rule, given) => {
                // What would be refused anyway must not leave an alias behind.
                correspondents::author(&self.case.message)?;
                let mailbox = rule.mailbox.as_ref().ok_or(Refused::NoMailboxNow)?;
                self.check_foreign(&mailbox.address).await?;
                self.check_encryption(rule.account, std::slice::from_ref(mailbox)).await?;
                let alias = self.station.directory.create_alias(&rule, &given).await?;
                self.forward(alias, given, Sender::Ours).await
            }
            // Anybody can write to a return path that they have seen, so this is a message like any other.
            Recipient::Bounce(_, alias) => {
                let given = alias.address.clone();
                self.forward(alias, given, Sender::Nobody).await
            }
            Recipient::Reverse(alias, contact) => self.reply(alias, contact).await,
            Recipient::Postmaster(given, reader) => {
                self.check_foreign(&reader).await?;
                let privacy = self.privacy_of_role(&reader).await?;
                Ok(Decision::Role { given, reader, privacy })
            }
            Recipient::Discard(alias) => Ok(Decision::Discard(alias)),
        }
    }

    async fn forward(&self, alias: Arc<Alias>, given: Address, sender: Sender) -> Result<Decision, Refused> {
        let (station, message) = (self.station, &self.case.message);
        let author = correspondents::author(message)?;
        forward::check_loop(message, &alias, &station.keys)?;
        if alias.open_mailboxes().next().is_none() {
            return Err(Refused::NoMailboxNow);
        }
        for mailbox in &alias.mailboxes {
            self.check_foreign(&mailbox.address).await?;
        }
        self.check_encryption(alias.account, &alias.mailboxes).await?;
        let (directory, surroundings) = (&station.directory, &station.surroundings);
        let known = gather::contacts(directory, surroundings, message, &alias, &author.address).await?;
        if known.contacts.get(&author.address).is_some_and(|contact| contact.blocked) {
            return self.unwanted(alias);
        }
        if self.case.evidence == Evidence::TrustedNetwork {
            station.harvest(message, &author.address, alias.account).await;
        }
        Ok(Decision::Forward { alias, given, author, known, sender })
    }

    fn unwanted(&self, alias: Arc<Alias>) -> Result<Decision, Refused> {
        match alias.refusal {
            Refusal::Discard => Ok(Decision::Discard(alias)),
            Refusal::Reject => {
                self.station.directory.count(alias.id, Counted::Blocked);
                Err(Refused::BlockedSender)
            }
        }
    }

    /// A destination at one of our own domains would send the message round and round.
    async fn check_foreign(&self, destination: &Address) -> Result<(), Refused> {
        match self.station.directory.lookup(destination).await? {
            Lookup::ForeignDomain => Ok(()),
            _ => Err(Refused::MailboxIsOurs),
        }
    }

    /// Whether at least one of the mailboxes that take mail can be written to as it wants to be. What cannot be encrypted for
    /// any of them stays with the sender.
    async fn check_encryption(&self, account: AccountId, mailboxes: &[Mailbox]) -> Result<(), Refused> {
        let mut refused = Ok(());
        for mailbox in mailboxes.iter().filter(|mailbox| !mailbox.paused) {
            let privacy = mailbox_privacy(account, mailbox);
            match self.station.check_encryption(privacy, &mailbox.address).await {
                Ok(()) => return Ok(()),
                Err(NoEncryption::Unavailable(away)) => return Err(away.into()),
                Err(NoEncryption::Unusable(_)) if self.has_others => {}
                Err(NoEncryption::Unusable(_)) => refused = Err(Refused::NotEncrypted),
            }
        }
        refused
    }

    /// Whoever reads the mail of roles may have a mailbox here that gets nothing in clear.
    async fn privacy_of_role(&self, reader: &Address) -> Result<Privacy, Refused> {
        let Some(account) = self.station.directory.encrypting_owner(reader).await? else {
            return Ok(Privacy::Open);
        };
        let privacy = Privacy::unasked(account, Reader::Mailbox);
        match self.station.check_encryption(privacy, reader).await {
            Err(NoEncryption::Unavailable(away)) => Err(away.into()),
            Err(NoEncryption::Unusable(_)) if !self.has_others => Err(Refused::NotEncrypted),
            Ok(()) | Err(NoEncryption::Unusable(_)) => Ok(privacy),
        }
    }

    /// Asks the domains of all contacts of the message within one time. Who is not asked in it is as if nobody were asked.
    async fn look_for_certificates(&mut self, account: AccountId, contact: &Address) -> Result<(), Refused> {
        let until = *self.look_ups_end.get_or_insert_with(|| Instant::now() + LOOK_UPS);
        let look = self.station.look_for_certificates(account, contact);
        match timeout_at(until, look).await {
            Ok(looked) => Ok(looked?),
            Err(_) => Ok(()),
        }
    }

    /// What contacts get of a reply.
    async fn compose_reply(
        &self,
        alias: &Arc<Alias>,
        answers: &HashMap<Address, Lookup>,
    ) -> Result<Content, Refused> {
        let Case { message, trace, .. } = self.case;
        let scrubbed = &scrubbed(self.station, message, alias).await?;
        Ok(ReplyMessage { message, alias, answers, scrubbed, trace }.compose(&self.station.keys))
    }

    async fn reply(&mut self, alias: Arc<Alias>, contact: Arc<Contact>) -> Result<Decision, Refused> {
        let (case, station) = (self.case, self.station);
        reply::authorize(&case.message, &alias, case.evidence, case.trace.now)?;
        let answers = gather::addressed(&station.directory, &case.message).await?;
        reply::check_addressed(&alias, &answers)?;
        self.look_for_certificates(alias.account, &contact.address).await?;
        let privacy = Privacy::unasked(alias.account, Reader::Contact);
        station.check_encryption(privacy, &contact.address).await.map_err(|error| match error {
            NoEncryption::Unusable(why) => Refused::ReplyNotEncrypted(why),
            NoEncryption::Unavailable(away) => away.into(),
        })?;
        let (content, copies) = match self.replies.get(&alias.id) {
            Some(composed) => composed.clone(),
            None => {
                let content = self.compose_reply(&alias, &answers).await?;
                let composed = (content, copies(station, case, &alias)?);
                self.replies.entry(alias.id).or_insert(composed).clone()
            }
        };
        Ok(Decision::Reply { alias, contact, content, copies })
    }
}

/// From so many octets on searching a message takes long enough to be in the way of other tasks.
const LARGE: usize = 128 * 1024;

/// The reply without anything that names a mailbox of the alias.
async fn scrubbed<P: Ports>(
    station: &Arc<Station<P>>,
    message: &Message,
    alias: &Arc<Alias>,
) -> Result<Scrubbed, Refused> {
    let quoted = gather::quoted(&station.directory, message, alias).await?;
    let (station, message, alias) = (Arc::clone(station), message.clone(), Arc::clone(alias));
    let is_large = message.raw().len() >= LARGE;
    let work = move || {
        let ids = Ids::new(&station.keys, &alias);
        scrub::scrub(&message, &Secrets::new(&alias, &quoted), &ids, station.policy.opaque_parts)
    };
    if is_large {
        // A panic in there has been reported; the message stays with its sender.
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refused::Directory))
    } else {
        work()
    }
}

/// What other mailboxes of the alias get to see of a reply, if the configuration wants that.
fn copies<P: Ports>(station: &Station<P>, case: &Case<'_>, alias: &Alias) -> Result<Vec<Outgoing>, Refused> {
    if !station.policy.copies_of_replies {
        return Ok(Vec::new());
    }
    let author = correspondents::author(&case.message)?;
    let content = Copy { message: &case.message, alias, trace: &case.trace }.compose();
    copy::readers(alias, &author.address)
        .map(|mailbox| to_mailbox(case, &station.keys, alias, mailbox, Sender::Ours, &content))
        .collect()
}

fn mailbox_privacy(account: AccountId, mailbox: &Mailbox) -> Privacy {
    let known = if mailbox.encrypts { LookedUp::Some } else { LookedUp::None };
    Privacy::Asked { account, reader: Reader::Mailbox, known }
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
            let each = alias.open_mailboxes();
            each.map(|mailbox| to_mailbox(case, keys, alias, mailbox, *sender, &content))
                .collect::<Result<_, _>>()?
        }
        Decision::Reply { alias, contact, content, copies: _ } => {
            let sender = if *case.from == ReversePath::Null { Sender::Nobody } else { Sender::Ours };
            let from = envelope_sender(case, keys, alias, sender, Origin::Reply(alias.id, contact.id))?;
            let privacy = Privacy::unasked(alias.account, Reader::Contact);
            vec![Outgoing { from, to: contact.address.clone(), content: content.clone(), privacy }]
        }
        Decision::Role { given, reader, privacy } => {
            let (from, to, privacy) = (ReversePath::Null, reader.clone(), *privacy);
            vec![Outgoing { from, to, content: pass_on(case, given), privacy }]
        }
        Decision::Discard(_) => Vec::new(),
    };
    let dsn = asked_onward(case, decision, asked);
    let numbered = to.into_iter().enumerate().map(|(number, one)| Delivery {
        id: format!("{}.{part}.{}", trace.id, number + 1),
        from: one.from,
        to: one.to,
        content: one.content,
        dsn: dsn.clone(),
        privacy: one.privacy,
    });
    Ok(numbered.collect())
}

/// A message for one address.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) from: ReversePath,
    pub(super) to: Address,
    pub(super) content: Content,
    pub(super) privacy: Privacy,
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

fn to_mailbox(
    case: &Case<'_>,
    keys: &Keys,
    alias: &Alias,
    mailbox: &Mailbox,
    sender: Sender,
    content: &Content,
) -> Result<Outgoing, Refused> {
    let from = envelope_sender(case, keys, alias, sender, Origin::Forward(alias.id, mailbox.id))?;
    let privacy = mailbox_privacy(alias.account, mailbox);
    Ok(Outgoing { from, to: mailbox.address.clone(), content: content.clone(), privacy })
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

//! From an accepted recipient to the deliveries that serve it.

use std::sync::Arc;

use crate::mail::{Address, DomainName, Edits, Message};
use crate::relay::alias::{Alias, AliasId, Contact, Lookup};
use crate::relay::content;
use crate::relay::correspondents;
use crate::relay::forward::{self, Forward};
use crate::relay::keys::Keys;
use crate::relay::ports::{Content, Counted, Delivery, Directory, Surroundings};
use crate::relay::recipient::{self, Recipient};
use crate::relay::refusal::Refused;
use crate::relay::reply::{self, Evidence, ReplyMessage};
use crate::relay::return_path::{self, Origin};
use crate::relay::trace::Trace;
use crate::smtp::ReversePath;

use super::gather;

/// One transaction being decided.
pub(super) struct Case<'a> {
    pub(super) message: Message,
    pub(super) from: &'a ReversePath,
    pub(super) evidence: Evidence,
    pub(super) trace: Trace<'a>,
}

/// Everything to be done for one recipient.
#[derive(Default)]
pub(super) struct Job {
    /// What is counted when the recipient has accepted.
    pub(super) counted: Option<(AliasId, Counted)>,
    pub(super) deliveries: Vec<Delivery>,
}

/// What preparing takes.
pub(super) struct Workshop<'a, D, S> {
    pub(super) directory: &'a D,
    pub(super) surroundings: &'a S,
    pub(super) keys: &'a Keys,
}

impl<D: Directory, S: Surroundings> Workshop<'_, D, S> {
    /// The deliveries for one recipient.
    pub(super) async fn prepare(&self, case: &Case<'_>, recipient: &Recipient) -> Result<Job, Refused> {
        match recipient {
            Recipient::Alias(alias, given) => self.forward(case, alias, given).await,
            Recipient::New(rule, given) => {
                // Without an author that can be read the message would be refused after the alias was made.
                correspondents::author(&case.message)?;
                let alias = self
                    .directory
                    .create_alias(rule, &given.without_tag().unwrap_or_else(|| given.clone()))
                    .await?;
                self.forward(case, &alias, given).await
            }
            Recipient::Discard(alias) => {
                self.directory.count(alias.id, Counted::Blocked);
                Ok(Job::default())
            }
            Recipient::Reverse(alias, contact) => self.reply(case, alias, contact).await,
            Recipient::Bounce(_, alias) => self.pass_on_bounce(case, alias).await,
            Recipient::Postmaster(given, to) => Ok(Job {
                counted: None,
                deliveries: vec![delivery(case, 1, case.from.clone(), to, &pass_on(case, given))],
            }),
        }
    }

    async fn forward(&self, case: &Case<'_>, alias: &Arc<Alias>, given: &Address) -> Result<Job, Refused> {
        let author = correspondents::author(&case.message)?;
        forward::check_loop(&case.message, alias, self.keys)?;
        self.check_mailboxes(alias).await?;
        let known = gather::contacts(self.directory, self.surroundings, &case.message, alias).await?;
        if known.contacts.get(&author.address).is_some_and(|contact| contact.blocked) {
            self.directory.count(alias.id, Counted::Blocked);
            return recipient::unwanted(Arc::clone(alias), Refused::BlockedSender).map(|_| Job::default());
        }
        let forward = Forward {
            message: &case.message,
            alias,
            given,
            author: &author,
            known: &known,
            trace: &case.trace,
        };
        let content = forward.compose(self.keys);
        let deliveries = self.to_mailboxes(case, alias, &content)?;
        Ok(Job { counted: Some((alias.id, Counted::Forwarded)), deliveries })
    }

    /// A mailbox at one of our own domains would send the message round and round.
    async fn check_mailboxes(&self, alias: &Alias) -> Result<(), Refused> {
        for mailbox in &alias.mailboxes {
            if self.directory.lookup(&mailbox.address).await? != Lookup::ForeignDomain {
                return Err(Refused::MailboxIsOurs);
            }
        }
        Ok(())
    }

    fn to_mailboxes(
        &self,
        case: &Case<'_>,
        alias: &Alias,
        content: &Content,
    ) -> Result<Vec<Delivery>, Refused> {
        let open = alias.mailboxes.iter().filter(|mailbox| !mailbox.paused).enumerate();
        open.map(|(number, mailbox)| {
            let from = self.return_path(case, alias, Origin::Forward(alias.id, mailbox.id))?;
            Ok(delivery(case, number + 1, from, &mailbox.address, content))
        })
        .collect()
    }

    async fn reply(&self, case: &Case<'_>, alias: &Alias, contact: &Contact) -> Result<Job, Refused> {
        reply::authorize(&case.message, alias, case.evidence, case.trace.now)?;
        let answers = gather::addressed(self.directory, &case.message).await?;
        reply::check_addressed(alias, &answers)?;
        let reply = ReplyMessage { message: &case.message, alias, answers: &answers, trace: &case.trace };
        let content = reply.compose();
        let from = self.return_path(case, alias, Origin::Reply(alias.id, contact.id))?;
        Ok(Job {
            counted: Some((alias.id, Counted::Replied)),
            deliveries: vec![delivery(case, 1, from, &contact.address, &content)],
        })
    }

    /// A bounce of something that we sent: the owner sees it, whole.
    async fn pass_on_bounce(&self, case: &Case<'_>, alias: &Alias) -> Result<Job, Refused> {
        self.check_mailboxes(alias).await?;
        let content = pass_on(case, &alias.address);
        let open = alias.mailboxes.iter().filter(|mailbox| !mailbox.paused).enumerate();
        let deliveries = open
            .map(|(number, mailbox)| {
                delivery(case, number + 1, ReversePath::Null, &mailbox.address, &content)
            })
            .collect::<Vec<_>>();
        if deliveries.is_empty() { Err(Refused::NoMailboxNow) } else { Ok(Job { counted: None, deliveries }) }
    }

    /// Ours, so that bounces come back here; a message that must not be answered stays one.
    fn return_path(&self, case: &Case<'_>, alias: &Alias, origin: Origin) -> Result<ReversePath, Refused> {
        if *case.from == ReversePath::Null {
            return Ok(ReversePath::Null);
        }
        let domain: &DomainName = alias.address.domain().ok_or(Refused::UnknownAlias)?;
        return_path::compose(&self.keys.return_paths, origin, domain, case.trace.now)
            .map(ReversePath::Address)
            .map_err(|_| Refused::UnknownAlias)
    }
}

/// The message as it came, with our step on top.
fn pass_on(case: &Case<'_>, recipient: &Address) -> Content {
    let mut edits = Edits::new(&case.message);
    edits.insert_top(content::received(&case.trace, recipient));
    content::finish(edits.render(), case.trace.smtputf8)
}

fn delivery(case: &Case<'_>, number: usize, from: ReversePath, to: &Address, content: &Content) -> Delivery {
    Delivery { id: format!("{}.{number}", case.trace.id), from, to: to.clone(), content: content.clone() }
}

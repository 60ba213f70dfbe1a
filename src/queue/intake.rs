//! Taking a message in: who may hand it over for whom, what it becomes, and the verdict while the sender waits.
//!
//! This is the use case behind `RCPT TO` and the final dot. It owns no socket and no table: it asks the directory, has
//! the pure layer decide and compose, and hands the deliveries to the transport (`direct`) or commits them to the queue
//! (`commit`).
//!
//! **Nothing is lost:** 250 is said only when every delivery that was not refused for good has been taken by its next hop
//! or is committed. Until then the message is the sender's, and a 451 leaves it there.

use std::net::IpAddr;
use std::sync::Arc;

use crate::mail::{Address, Host, Message, Timestamp};
use crate::relay::alias::{Alias, Lookup};
use crate::relay::ports::{Counted, Directory as _};
use crate::relay::recipient::{self, Recipient};
use crate::relay::refusal::Refused;
use crate::relay::reply::Evidence;
use crate::relay::trace::Trace;
use crate::relay::transaction::TransactionId;
use crate::relay::{return_path, screening, verdict};
use crate::smtp::dsn::RecipientRequest;
use crate::smtp::server::Accepted;
use crate::smtp::{ForwardPath, Reply, ReversePath, Transaction};

use super::decide::{Case, Decision, Judge, Outgoing};
use super::journal::Stages;
use super::partly::PartlyDelivered;
use super::repeats::{self, REMEMBERED, UnderWay};
use super::scheduler::Scheduler;
use super::spool::{Spool as _, TransactionDigest};
use super::station::{Mode, Ports, Station};

/// Who is connected.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Where from.
    pub address: IpAddr,
}

/// The use case, over its ports.
#[derive(Debug)]
pub struct Intake<P: Ports> {
    pub(super) station: Arc<Station<P>>,
    pub(super) scheduler: Scheduler<P>,
    pub(super) partly: Arc<PartlyDelivered>,
    under_way: UnderWay,
}

/// A recipient that was judged.
pub(super) struct Decided {
    pub(super) named: Address,
    /// It is a reverse alias.
    pub(super) is_reply: bool,
    /// What the sender asks about reports for it.
    pub(super) asked: RecipientRequest,
    pub(super) decision: Result<Decision, Refused>,
}

impl Decided {
    /// What other mailboxes get to see of it.
    pub(super) fn copies(&self) -> Vec<Outgoing> {
        match &self.decision {
            Ok(Decision::Reply { copies, .. }) => copies.clone(),
            _ => Vec::new(),
        }
    }
}

impl<P: Ports> Intake<P> {
    /// Puts the use case together.
    #[must_use]
    pub fn new(station: Arc<Station<P>>, scheduler: Scheduler<P>) -> Self {
        Self { station, scheduler, partly: Arc::default(), under_way: UnderWay::default() }
    }

    /// Decides about one `RCPT TO`.
    ///
    /// # Errors
    /// The reply that refuses it.
    pub async fn recipient(&self, from: &ReversePath, to: &ForwardPath) -> Result<Recipient, Reply> {
        self.check_storage().map_err(|refused| refused.reply())?;
        self.resolve(from, to).await.map_err(|refused| refused.reply())
    }

    /// While the queue cannot be written to, what cannot be delivered at once could not be kept.
    fn check_storage(&self) -> Result<(), Refused> {
        if self.station.gate.is_open() { Ok(()) } else { Err(Refused::NoStorage) }
    }

    async fn resolve(&self, from: &ReversePath, to: &ForwardPath) -> Result<Recipient, Refused> {
        let address = match to {
            ForwardPath::Postmaster => return self.postmaster(self.own_postmaster()?),
            ForwardPath::Address(address) => address,
        };
        let now = self.station.now();
        if let Some(origin) = return_path::open(&self.station.keys.return_paths, address, now) {
            let alias =
                self.station.directory.alias_with_id(origin.alias()).await?.ok_or(Refused::DeletedAlias)?;
            return self.bounce(address, alias, now);
        }
        match self.station.directory.lookup(address).await? {
            Lookup::ForeignDomain => Err(Refused::ForeignDomain),
            _ if recipient::is_role(address) => self.postmaster(address.clone()),
            Lookup::Alias(alias) => self.alias(&alias, address, from, now).await,
            other => recipient::judge(other, address, now),
        }
    }

    /// What comes back to a return path is judged like mail for its alias.
    fn bounce(&self, path: &Address, alias: Arc<Alias>, now: Timestamp) -> Result<Recipient, Refused> {
        match recipient::judge(Lookup::Alias(alias), path, now)? {
            Recipient::Alias(alias, path) => Ok(Recipient::Bounce(path, alias)),
            other => Ok(other),
        }
    }

    async fn alias(
        &self,
        alias: &Arc<Alias>,
        address: &Address,
        from: &ReversePath,
        now: Timestamp,
    ) -> Result<Recipient, Refused> {
        let judged = if self.is_blocked(alias, from).await? {
            recipient::unwanted(Arc::clone(alias), Refused::BlockedSender)
        } else {
            recipient::judge(Lookup::Alias(Arc::clone(alias)), address, now)
        };
        if let Err(Refused::DisabledAlias | Refused::BlockedSender) = judged {
            self.station.directory.count(alias.id, Counted::Blocked);
        }
        judged
    }

    fn postmaster(&self, given: Address) -> Result<Recipient, Refused> {
        let reader = self.station.policy.postmaster.clone().ok_or(Refused::NoPostmaster)?;
        Ok(Recipient::Postmaster(given, reader))
    }

    /// What `<Postmaster>` without a domain means.
    fn own_postmaster(&self) -> Result<Address, Refused> {
        Address::from_parts("postmaster", Host::Domain(self.station.policy.hostname.clone()))
            .map_err(|_| Refused::NoPostmaster)
    }

    async fn is_blocked(&self, alias: &Alias, from: &ReversePath) -> Result<bool, Refused> {
        match from {
            ReversePath::Address(sender) if alias.has_blocked_contacts => {
                let contact = self.station.directory.find_contact(alias.id, sender).await?;
                Ok(contact.is_some_and(|contact| contact.blocked))
            }
            _ => Ok(false),
        }
    }

    /// Decides about a complete message, delivers or keeps it, and says what the sender is told.
    pub async fn message(&self, client: Client, transaction: &Transaction<Recipient>) -> Reply {
        let now = self.station.now();
        let id = self.station.new_transaction(now);
        let case = Case {
            message: Message::parse(transaction.body.clone()),
            from: &transaction.from,
            asked: &transaction.dsn,
            evidence: self.evidence(client),
            trace: self.trace(client, transaction, id, now),
        };
        let mut stages = Stages::start();
        let reply = match self.judge(&case, &transaction.recipients, &mut stages).await {
            Ok(reply) => reply,
            Err(refused) => refused.reply(),
        };
        self.station.journal.transaction(id, transaction, &reply, &stages);
        reply
    }

    fn evidence(&self, client: Client) -> Evidence {
        let trusted = &self.station.policy.trusted_networks;
        let is_trusted = trusted.iter().any(|network| network.contains(&client.address));
        if is_trusted { Evidence::TrustedNetwork } else { Evidence::None }
    }

    fn trace<'a>(
        &'a self,
        client: Client,
        transaction: &'a Transaction<Recipient>,
        id: TransactionId,
        now: Timestamp,
    ) -> Trace<'a> {
        Trace {
            hostname: &self.station.policy.hostname,
            id,
            now,
            helo: &transaction.helo,
            client: client.address,
            esmtp: transaction.esmtp,
            smtputf8: transaction.smtputf8,
        }
    }

    /// Decides for each recipient, then carries it out for all of them. Nothing is done while one of them cannot be decided
    /// now.
    async fn judge(
        &self,
        case: &Case<'_>,
        recipients: &[Accepted<Recipient>],
        stages: &mut Stages,
    ) -> Result<Reply, Refused> {
        screening::screen(&case.message)?;
        self.check_storage()?;
        let decided = self.decide_all(case, recipients).await?;
        stages.decided();
        let transactions = &self.station.keys.transactions;
        let to = recipients.iter().map(|recipient| &recipient.to);
        let reply = match repeats::digest(transactions, case.from, to, &case.message) {
            Some(digest) => self.once(case, decided, digest, stages).await?,
            None => self.carry_out(case, decided, None, stages).await,
        };
        stages.delivered();
        Ok(reply)
    }

    /// Carries a transaction out unless it was accepted before, or is being carried out.
    async fn once(
        &self,
        case: &Case<'_>,
        decided: Vec<Decided>,
        digest: TransactionDigest,
        stages: &mut Stages,
    ) -> Result<Reply, Refused> {
        let id = case.trace.id;
        let _begun = match self.under_way.begin(digest, id) {
            Ok(begun) => begun,
            Err(first) => return Ok(verdict::under_way(first)),
        };
        let since = case.trace.now.earlier_by(REMEMBERED);
        let seen = self.station.gate.watch(self.station.spool.seen(&digest, since).await);
        if let Some(first) = seen.map_err(|_| Refused::NoStorage)? {
            self.station.journal.repeated(id, first);
            return Ok(verdict::accepted(first));
        }
        Ok(self.carry_out(case, decided, Some(digest), stages).await)
    }

    async fn carry_out(
        &self,
        case: &Case<'_>,
        decided: Vec<Decided>,
        digest: Option<TransactionDigest>,
        stages: &mut Stages,
    ) -> Reply {
        let served = match self.station.policy.mode {
            Mode::Direct => self.deliver_directly(case, decided).await,
            Mode::Queue => self.make_ready(case, decided),
        };
        self.conclude(case, served, digest, stages).await
    }

    /// What is to be done for each recipient, judged as things are now: what was true at `RCPT TO` may have changed while
    /// the message came in. A refusal for now is one of the whole message: the sender would bring the others again as well.
    async fn decide_all(
        &self,
        case: &Case<'_>,
        recipients: &[Accepted<Recipient>],
    ) -> Result<Vec<Decided>, Refused> {
        let mut judge = Judge::new(&self.station, case, recipients.len() > 1);
        let mut decided = Vec::with_capacity(recipients.len());
        for (at, Accepted { to: path, known: recipient, dsn }) in recipients.iter().enumerate() {
            if recipients.iter().take(at).any(|earlier| earlier.known.goes_where(recipient)) {
                continue;
            }
            let decision = match self.resolve(case.from, path).await {
                Ok(current) => judge.decide(current).await,
                Err(refused) => Err(refused),
            };
            match decision {
                Err(refused) if refused.reply().is_transient() => return Err(refused),
                decision => decided.push(Decided {
                    named: recipient.address(),
                    is_reply: matches!(recipient, Recipient::Reverse(..)),
                    asked: dsn.clone(),
                    decision,
                }),
            }
        }
        Ok(decided)
    }
}

//! Taking a message in: who may hand it over for whom, what it becomes, and the verdict while the sender waits.
//!
//! This is the use case behind `RCPT TO` and the final dot. It owns no socket and no table: it asks the directory, has
//! the pure layer decide and compose, and hands the deliveries to the transport, all at once.
//!
//! **Nothing is lost:** there is no queue yet, so 250 is said only when every delivery that was not refused for good has
//! been taken by its next hop. Until then the message is the sender's, and a 451 leaves it there.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use ipnet::IpNet;
use tokio::time::Instant;

use crate::mail::{Address, DomainName, Host, Message, Timestamp};
use crate::relay::alias::{Alias, Lookup};
use crate::relay::keys::Keys;
use crate::relay::ports::{Counted, Delivery, Directory, Outcome, Surroundings, Transport};
use crate::relay::recipient::{self, Recipient};
use crate::relay::redact::Redactor;
use crate::relay::refusal::Refused;
use crate::relay::reply::Evidence;
use crate::relay::trace::Trace;
use crate::relay::transaction::{self, TransactionId};
use crate::relay::verdict::{Fate, conclude};
use crate::relay::{return_path, screening};
use crate::smtp::{Delivered, ForwardPath, Reply, ReversePath, Transaction};

use super::journal::{Journal, Stages};
use super::partly::{Fingerprint, PartlyDelivered};
use super::prepare::{Case, Job, Workshop};

/// What the configuration decides about taking mail in.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Our name, for trace headers.
    pub hostname: DomainName,
    /// Who reads mail for `postmaster@` and `abuse@`.
    pub postmaster: Option<Address>,
    /// Sessions from there count as the owner's own servers.
    pub trusted_networks: Vec<IpNet>,
}

/// Who is connected.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Where from.
    pub address: IpAddr,
}

/// The use case, over its ports.
#[derive(Debug)]
pub struct Intake<D, T, S> {
    policy: Policy,
    keys: Keys,
    journal: Journal,
    directory: D,
    transport: T,
    surroundings: S,
    partly: PartlyDelivered,
}

impl<D: Directory, T: Transport, S: Surroundings> Intake<D, T, S> {
    /// Puts the use case together.
    pub fn new(
        policy: Policy,
        keys: Keys,
        redactor: Redactor,
        directory: D,
        transport: T,
        surroundings: S,
    ) -> Self {
        let (journal, partly) = (Journal::new(redactor), PartlyDelivered::new());
        Self { policy, keys, journal, directory, transport, surroundings, partly }
    }

    /// Decides about one `RCPT TO`.
    ///
    /// # Errors
    /// The reply that refuses it.
    pub async fn recipient(&self, from: &ReversePath, to: &ForwardPath) -> Result<Recipient, Reply> {
        self.resolve(from, to).await.map_err(|refused| refused.reply())
    }

    async fn resolve(&self, from: &ReversePath, to: &ForwardPath) -> Result<Recipient, Refused> {
        let address = match to {
            ForwardPath::Postmaster => return self.postmaster(self.own_postmaster()?),
            ForwardPath::Address(address) => address,
        };
        let now = self.surroundings.now();
        if let Some(origin) = return_path::open(&self.keys.return_paths, address, now) {
            let alias = self.directory.alias_with_id(origin.alias()).await?.ok_or(Refused::DeletedAlias)?;
            return Ok(Recipient::Bounce(origin, alias));
        }
        match self.directory.lookup(address).await? {
            Lookup::ForeignDomain => Err(Refused::ForeignDomain),
            _ if recipient::is_role(address) => self.postmaster(address.clone()),
            Lookup::Alias(alias) => self.alias(&alias, address, from, now).await,
            other => recipient::judge(other, address, now),
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
            self.directory.count(alias.id, Counted::Blocked);
        }
        judged
    }

    fn postmaster(&self, given: Address) -> Result<Recipient, Refused> {
        let reader = self.policy.postmaster.clone().ok_or(Refused::NoPostmaster)?;
        Ok(Recipient::Postmaster(given, reader))
    }

    /// What `<Postmaster>` without a domain means.
    fn own_postmaster(&self) -> Result<Address, Refused> {
        Address::from_parts("postmaster", Host::Domain(self.policy.hostname.clone()))
            .map_err(|_| Refused::NoPostmaster)
    }

    async fn is_blocked(&self, alias: &Alias, from: &ReversePath) -> Result<bool, Refused> {
        match from {
            ReversePath::Address(sender) if alias.has_blocked_contacts => {
                let contact = self.directory.find_contact(alias.id, sender).await?;
                Ok(contact.is_some_and(|contact| contact.blocked))
            }
            _ => Ok(false),
        }
    }

    /// Decides about a complete message, delivers it, and says what the sender is told.
    pub async fn message(&self, client: Client, transaction: &Transaction<Recipient>) -> Reply {
        let now = self.surroundings.now();
        let mut random = [0; transaction::RANDOM_BYTES];
        self.surroundings.random(&mut random);
        let case = Case {
            message: Message::parse(transaction.body.clone()),
            from: &transaction.from,
            evidence: self.evidence(client),
            trace: self.trace(client, transaction, TransactionId::new(now, random), now),
        };
        let mut stages = Stages::start();
        let reply = match self.carry_out(&case, &transaction.recipients, &mut stages).await {
            Ok(fates) => conclude(&fates, case.trace.id),
            Err(refused) => refused.reply(),
        };
        self.journal.transaction(case.trace.id, transaction, &reply, &stages);
        reply
    }

    fn evidence(&self, client: Client) -> Evidence {
        let trusted = self.policy.trusted_networks.iter().any(|network| network.contains(&client.address));
        if trusted { Evidence::TrustedNetwork } else { Evidence::None }
    }

    fn trace<'a>(
        &'a self,
        client: Client,
        transaction: &'a Transaction<Recipient>,
        id: TransactionId,
        now: Timestamp,
    ) -> Trace<'a> {
        Trace {
            hostname: &self.policy.hostname,
            id,
            now,
            helo: &transaction.helo,
            client: client.address,
            esmtp: transaction.esmtp,
            smtputf8: transaction.smtputf8,
        }
    }

    /// Decides for each recipient, then delivers for all of them at once. Nothing is sent while one of them cannot be
    /// decided now.
    async fn carry_out(
        &self,
        case: &Case<'_>,
        recipients: &[(ForwardPath, Recipient)],
        stages: &mut Stages,
    ) -> Result<Vec<(Address, Fate)>, Refused> {
        screening::screen(&case.message)?;
        let workshop =
            Workshop { directory: &self.directory, surroundings: &self.surroundings, keys: &self.keys };
        let mut jobs = Vec::with_capacity(recipients.len());
        for (at, (_, recipient)) in recipients.iter().enumerate() {
            if recipients.iter().take(at).any(|(_, earlier)| earlier.goes_where(recipient)) {
                continue;
            }
            match workshop.prepare(case, recipient).await {
                Err(Refused::Directory) => return Err(Refused::Directory),
                job => jobs.push((recipient.address(), job)),
            }
        }
        stages.decided();
        let fates = self.deliver_all(case, jobs).await;
        stages.delivered();
        Ok(fates)
    }

    async fn deliver_all(
        &self,
        case: &Case<'_>,
        jobs: Vec<(Address, Result<Job, Refused>)>,
    ) -> Vec<(Address, Fate)> {
        let earlier = self.partly.fingerprint_if_used(case.from, &case.message);
        let running = jobs.into_iter().map(async |(recipient, job)| match job {
            Ok(job) => self.deliver_job(&recipient, job, earlier.as_ref()).await,
            Err(refused) => (recipient, Vec::new(), Fate::Refused(refused.reply())),
        });
        let done = join_all(running).await;
        self.remember_parts(case, &done);
        done.into_iter().map(|(recipient, _, fate)| (recipient, fate)).collect()
    }

    async fn deliver_job(
        &self,
        recipient: &Address,
        job: Job,
        earlier: Option<&Fingerprint>,
    ) -> (Address, Vec<Address>, Fate) {
        let tried = job.deliveries.into_iter().map(async |delivery| {
            let to = delivery.to.clone();
            if earlier.is_some_and(|transaction| self.partly.contains(transaction, recipient, &to)) {
                self.journal.already_delivered(&delivery);
                return (to, earlier_outcome());
            }
            (to, self.deliver(delivery).await)
        });
        let (tried_for, outcomes): (Vec<_>, Vec<_>) = join_all(tried).await.into_iter().unzip();
        let fate = Fate::of(&outcomes);
        if let (Fate::Accepted, Some((alias, what))) = (&fate, job.counted) {
            self.directory.count(alias, what);
        }
        let arrived = tried_for.into_iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_delivered());
        (recipient.clone(), arrived.map(|(to, _)| to).collect(), fate)
    }

    async fn deliver(&self, delivery: Delivery) -> Outcome {
        let started = Instant::now();
        let shown = delivery.clone();
        let outcome = self.transport.deliver(delivery).await;
        self.journal.delivery(&shown, &outcome, started.elapsed());
        outcome
    }

    /// When the sender is about to hear 451, it will bring the parts that have arrived once more.
    fn remember_parts(&self, case: &Case<'_>, done: &[(Address, Vec<Address>, Fate)]) {
        let undecided = done.iter().any(|(_, _, fate)| fate.is_pending());
        if !undecided || done.iter().all(|(_, arrived, _)| arrived.is_empty()) {
            return;
        }
        let transaction = Fingerprint::of(case.from, &case.message);
        for (recipient, arrived, _) in done {
            for to in arrived {
                self.partly.remember(&transaction, recipient, to);
            }
        }
    }
}

/// What stands for a delivery that an earlier attempt has made.
fn earlier_outcome() -> Outcome {
    Outcome::Delivered(Delivered { host: String::new(), reply: "delivered by an earlier attempt".to_owned() })
}

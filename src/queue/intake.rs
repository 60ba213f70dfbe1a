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
use futures_util::stream::{self, StreamExt as _};
use ipnet::IpNet;
use tokio::time::Instant;

use crate::mail::{Address, DomainName, Host, Message, Timestamp};
use crate::relay::alias::{Alias, AliasId, Lookup};
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
use crate::smtp::dsn::RecipientRequest;
use crate::smtp::server::Accepted;
use crate::smtp::{Delivered, ForwardPath, Reply, ReversePath, Transaction};

use super::decide::{self, Case, Decision, Judge};
use super::journal::{Journal, Stages};
use super::partly::{Earlier, PartlyDelivered};

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

/// Recipients of one transaction that are served at once: each holds a head of its own and connections to its next hop.
const AT_ONCE: usize = 10;

/// A recipient that was judged.
struct Decided {
    recipient: Address,
    /// What the sender asks about reports for it.
    asked: RecipientRequest,
    decision: Result<Decision, Refused>,
}

/// A recipient that was served.
struct Served {
    recipient: Address,
    /// Destinations that have the message.
    arrived: Vec<Address>,
    fate: Fate,
    /// What counts when the transaction is over.
    counted: Option<(AliasId, Counted)>,
}

impl Served {
    fn without_delivery(recipient: Address, fate: Fate, counted: Option<(AliasId, Counted)>) -> Self {
        Self { recipient, arrived: Vec::new(), fate, counted }
    }
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
        let (journal, partly) = (Journal::new(redactor), PartlyDelivered::default());
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
            return self.bounce(address, alias, now);
        }
        match self.directory.lookup(address).await? {
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
            asked: &transaction.dsn,
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

    /// Decides for each recipient, then delivers for all of them. Nothing is sent while one of them cannot be decided now.
    async fn carry_out(
        &self,
        case: &Case<'_>,
        recipients: &[Accepted<Recipient>],
        stages: &mut Stages,
    ) -> Result<Vec<(Address, Fate)>, Refused> {
        screening::screen(&case.message)?;
        let decided = self.decide_all(case, recipients).await?;
        stages.decided();
        let earlier = self.partly.earlier(case.from, &case.message);
        let serving = decided
            .into_iter()
            .enumerate()
            .map(|(number, part)| self.serve(case, &earlier, number + 1, part));
        let served: Vec<Served> = stream::iter(serving).buffered(AT_ONCE).collect().await;
        self.conclude_parts(case, &served);
        stages.delivered();
        Ok(served.into_iter().map(|part| (part.recipient, part.fate)).collect())
    }

    /// What is to be done for each recipient, judged as things are now: what was true at `RCPT TO` may have changed while
    /// the message came in.
    async fn decide_all(
        &self,
        case: &Case<'_>,
        recipients: &[Accepted<Recipient>],
    ) -> Result<Vec<Decided>, Refused> {
        let judge = Judge { directory: &self.directory, surroundings: &self.surroundings, keys: &self.keys };
        let mut decided = Vec::with_capacity(recipients.len());
        for (at, Accepted { to: path, known: recipient, dsn }) in recipients.iter().enumerate() {
            if recipients.iter().take(at).any(|earlier| earlier.known.goes_where(recipient)) {
                continue;
            }
            let decision = match self.resolve(case.from, path).await {
                Ok(current) => judge.decide(case, current).await,
                Err(refused) => Err(refused),
            };
            match decision {
                Err(Refused::Directory) => return Err(Refused::Directory),
                decision => {
                    decided.push(Decided { recipient: recipient.address(), asked: dsn.clone(), decision });
                }
            }
        }
        Ok(decided)
    }

    /// Delivers for one recipient.
    async fn serve(&self, case: &Case<'_>, earlier: &Earlier, number: usize, part: Decided) -> Served {
        let Decided { recipient, asked, decision } = part;
        let composed = decision.and_then(|decision| {
            let deliveries = decide::compose(case, &self.keys, &decision, &asked, number)?;
            Ok((decision.counted(), decision, deliveries))
        });
        match composed {
            Err(refused) => Served::without_delivery(recipient, Fate::Refused(refused.reply()), None),
            Ok((counted, Decision::Discard(_), _)) => {
                Served::without_delivery(recipient, Fate::Accepted, counted)
            }
            Ok((counted, _, deliveries)) => self.deliver_each(earlier, recipient, counted, deliveries).await,
        }
    }

    async fn deliver_each(
        &self,
        earlier: &Earlier,
        recipient: Address,
        counted: Option<(AliasId, Counted)>,
        deliveries: Vec<Delivery>,
    ) -> Served {
        let tried = deliveries.into_iter().map(async |delivery| {
            let to = delivery.to.clone();
            if earlier.has(&recipient, &to) {
                self.journal.already_delivered(&delivery);
                return (to, earlier_outcome());
            }
            (to, self.deliver(delivery).await)
        });
        let (destinations, outcomes): (Vec<_>, Vec<_>) = join_all(tried).await.into_iter().unzip();
        let fate = Fate::of(&outcomes);
        let arrived = destinations.into_iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_delivered());
        let arrived = arrived.map(|(to, _)| to).collect();
        Served { recipient, arrived, fate, counted }
    }

    async fn deliver(&self, delivery: Delivery) -> Outcome {
        let started = Instant::now();
        let shown = delivery.clone();
        let outcome = self.transport.deliver(delivery).await;
        self.journal.delivery(&shown, &outcome, started.elapsed());
        outcome
    }

    /// When the sender is about to hear 451, it will bring the parts that have arrived once more; else the transaction is
    /// over and counts.
    fn conclude_parts(&self, case: &Case<'_>, served: &[Served]) {
        if served.iter().any(|part| part.fate.is_pending()) {
            let arrived = served
                .iter()
                .flat_map(|part| part.arrived.iter().map(|to| (part.recipient.clone(), to.clone())));
            return self.partly.remember(case.from, &case.message, case.trace.now, arrived);
        }
        self.partly.forget(case.from, &case.message);
        for part in served.iter().filter(|part| part.fate == Fate::Accepted) {
            if let Some((alias, what)) = part.counted {
                self.directory.count(alias, what);
            }
        }
    }
}

/// What stands for a delivery that an earlier attempt has made.
fn earlier_outcome() -> Outcome {
    Outcome::Delivered(Delivered { host: String::new(), reply: "delivered by an earlier attempt".to_owned() })
}

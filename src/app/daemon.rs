//! The running daemon: store, intake, listener, transport and HTTP, started in that order and stopped in the reverse one,
//! but for HTTP, which shows until the end that mail is no longer taken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::config::Settings;
use crate::net::dns::{Dns, DnsSetupError};
use crate::net::listener::{BindError, Drained, Ends, Limits, Listener};
use crate::net::smarthost::HostName;
use crate::net::smtp_in::{Service, SmtpIn, Times};
use crate::net::smtp_out::{self, Ourselves, Outbound};
use crate::net::wkd::Wkd;
use crate::net::wkd::finder::Finder;
use crate::pgp;
use crate::queue::memory::MemoryBudget;
use crate::queue::meters::RecipientMeters;
use crate::queue::{Client, Intake, Parts, Policy, Ports, Scheduler, Station};
use crate::relay::keys::Keys;
use crate::relay::recipient::Recipient;
use crate::relay::redact::Redactor;
use crate::relay::retry::Schedule;
use crate::smtp::{self, ForwardPath, Reply, ReversePath, Transaction};
use crate::store::{self, Store};
use crate::telemetry::metrics::Metrics;

use super::database::{self, DatabaseError, Migrate};
use super::descriptors;
use super::discovery::{DiscoverySetupError, directories};
use super::http::{Bound, Http, Room};
use super::master_key::{self, MasterKeyError};
use super::published::Published;
use super::status::DaemonStatus;
use super::surroundings::System;
use super::tasks::ended;

/// How long the replies and the upkeep may take at the end, after the last delivery.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(10);
/// How long deliveries that are under way may take at the end.
const DELIVERIES_AT_THE_END: Duration = Duration::from_secs(20);
/// How long a delivery that nobody waits for may take up to the final dot: large messages, slow lines.
const PATIENCE: Duration = Duration::from_mins(5);
/// What an attempt may take beyond its times before it counts as one that hangs.
const MARGIN: Duration = Duration::from_mins(2);
/// Where MX hosts listen (RFC 5321, section 4.5.4.2).
const SMTP_PORT: u16 = 25;
/// Errors of a session without a message in between that end it.
const MAX_ERRORS: u32 = 20;

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A listen address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address for HTTP.
    #[error("api.listen: {0}; choose another address, or \"\" for no HTTP")]
    Http(#[source] BindError),
    /// An address for HTTP to strangers.
    #[error("web.listen: {0}; choose another address, or [] for none")]
    Web(#[source] BindError),
    /// The smarthost is this daemon.
    #[error(
        "delivery.smarthost: {0} is an address that this server listens on itself: mail would go round in a circle; \
         name another server, or leave it empty"
    )]
    Loop(SocketAddr),
    /// Name resolution.
    #[error("dns.servers: {0}")]
    Dns(#[from] DnsSetupError),
    /// The roots that a smarthost is verified with.
    #[error("TLS to the smarthost: {0} (on Debian, install ca-certificates)")]
    Tls(#[from] rustls::Error),
    /// What Web Key Directories are asked with.
    #[error("pgp.wkd: {0}")]
    Discovery(#[from] DiscoverySetupError),
}

/// A daemon that runs until it is stopped.
#[derive(Debug)]
pub struct Daemon {
    addresses: Vec<SocketAddr>,
    store: Store,
    accepting: CancellationToken,
    serving: JoinHandle<Drained>,
    scheduler: Scheduler<Real>,
    scheduling: JoinHandle<()>,
    /// For the connections to next hops that rest.
    outbound: Outbound,
    /// Ends after everything that may still count or change.
    keeping: CancellationToken,
    upkeep: JoinHandle<()>,
    /// For admins; absent when it is switched off.
    http: Option<Http>,
    /// For strangers; absent when it is switched off.
    web: Option<Http>,
}

impl Daemon {
    /// Starts everything; when this returns, mail is taken.
    ///
    /// # Errors
    /// Says which part cannot start.
    pub async fn start(settings: &Settings, migrate: Migrate) -> Result<Self, StartError> {
        let master = master_key::read_or_make(&settings.master_key)?;
        let keys = Keys::derive_with_older(&master, &master_key::read_older(&settings.master_key)?);
        let metrics = Metrics::new();
        let meters = metrics.within(store::Meters::register);
        let store = database::open(&settings.database, migrate, meters).await?;
        descriptors::make_room(settings.smtp.max_connections);
        let listener = Listener::bind(&settings.smtp.listen)?;
        let addresses = listener.addresses().to_vec();
        let http = bind(settings.api_listen.as_slice()).map_err(StartError::Http)?;
        let web = bind(&settings.web_listen).map_err(StartError::Web)?;
        let directories = settings.pgp.wkd.then(|| directories(&settings.dns_servers)).transpose()?;
        let directories = directories.map(|wkd| Finder::new(wkd, pgp::Engine::new(false), System));
        let outbound = metrics.within(|| outbound(settings, Ourselves::listening_on(&addresses)))?;
        let memory = MemoryBudget::new(settings.delivery.max_memory);
        let station = metrics.within(|| station(settings, keys, &store, &outbound, &memory, directories));
        let (scheduler, scheduling) = Scheduler::start(Arc::clone(&station));
        let gate = Arc::clone(station.gate());
        let intake = Intake::new(station, scheduler.clone());
        let server = metrics.within(|| server(settings, intake, memory));
        let (accepting, keeping) = (CancellationToken::new(), CancellationToken::new());
        let serving = tokio::spawn(listener.run(server, limits(settings), accepting.clone()));
        let upkeep = tokio::spawn(upkeep(store.clone(), metrics.clone(), keeping.clone()));
        let listening = (accepting.clone(), serving.abort_handle());
        let status = DaemonStatus::new(metrics, store.clone(), outbound.clone(), gate, listening);
        let http = http.map(|bound| bound.serve(api::router(Arc::new(status)), Room::FOR_ADMINS));
        let published = Arc::new(Published::new(store.clone()));
        let web = web.map(|bound| bound.serve(api::web::router(published), Room::FOR_STRANGERS));
        Ok(Self {
            addresses,
            store,
            accepting,
            serving,
            scheduler,
            scheduling,
            outbound,
            keeping,
            upkeep,
            http,
            web,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it answers HTTP, if it does.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|http| http.addresses.first().copied())
    }

    /// Where it answers strangers over HTTP.
    #[must_use]
    pub fn web_addresses(&self) -> &[SocketAddr] {
        self.web.as_ref().map_or(&[], |web| &web.addresses)
    }

    /// Its database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Waits until a part ends that should run as long as the daemon does, and names it. What is left is of no use: it would
    /// look alive and take no mail, or answer from old look-ups.
    pub async fn broken(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.serving => "listener",
            _ = &mut self.scheduling => "scheduler of the queue",
            _ = &mut self.upkeep => "upkeep of the database",
            () = http_broken(self.http.as_mut()) => "HTTP listener",
            () = http_broken(self.web.as_mut()) => "HTTP listener for strangers",
        }
    }

    /// Takes no more connections and begins no more deliveries, lets transactions after their final dot and deliveries that
    /// are under way end, gives the rest back for other nodes, says goodbye to next hops, and closes the database.
    pub async fn stop(self) {
        self.accepting.cancel();
        self.scheduler.begin_no_more().await;
        if let Some(Drained { cut_off: 1.. }) = ended("listener", self.serving).await {
            tracing::warn!("connections were cut off at the deadline");
        }
        self.scheduler.stop(DELIVERIES_AT_THE_END).await;
        ended("scheduler of the queue", self.scheduling).await;
        self.outbound.close().await;
        self.keeping.cancel();
        ended("upkeep of the database", self.upkeep).await;
        for http in [self.web, self.http].into_iter().flatten() {
            http.stop().await;
        }
        self.store.close().await;
    }
}

fn bind(addresses: &[SocketAddr]) -> Result<Option<Bound>, BindError> {
    if addresses.is_empty() { Ok(None) } else { Bound::bind(addresses).map(Some) }
}

async fn http_broken(http: Option<&mut Http>) {
    match http {
        Some(http) => http.broken().await,
        None => std::future::pending().await,
    }
}

/// On the heap: the future holds the connections of three loops.
async fn upkeep(store: Store, metrics: Metrics, stop: CancellationToken) {
    tokio::join!(Box::pin(store.run(stop.clone())), metrics.keep(stop));
}

/// What is behind the listener.
fn server(settings: &Settings, intake: Intake<Real>, memory: Arc<MemoryBudget>) -> Arc<SmtpIn<Door>> {
    let door = Door { intake, recipients: RecipientMeters::register() };
    SmtpIn::new(door, Arc::new(session(settings)), memory, Times::default())
}

fn station(
    settings: &Settings,
    keys: Keys,
    store: &Store,
    outbound: &Outbound,
    memory: &Arc<MemoryBudget>,
    discovery: Option<Directories>,
) -> Arc<Station<Real>> {
    let redactor = Redactor::new(&keys, settings.telemetry.redact);
    let patience = PATIENCE.max(settings.delivery.direct_timeout);
    Station::new(Parts {
        policy: policy(settings, patience),
        keys,
        redactor,
        directory: store.clone(),
        spool: store.clone(),
        direct: outbound.clone(),
        patient: outbound.with_budget(patience),
        openpgp: pgp::Engine::new(settings.pgp.hide_subject),
        keywatch: store.clone(),
        discovery,
        surroundings: System,
        memory: Arc::clone(memory),
    })
}

fn policy(settings: &Settings, patience: Duration) -> Policy {
    let delivery = &settings.delivery;
    Policy {
        hostname: settings.hostname.clone(),
        postmaster: settings.smtp.postmaster.clone(),
        trusted_networks: settings.trusted_networks.clone(),
        autocrypt: settings.pgp.autocrypt,
        wkd: settings.pgp.wkd,
        opaque_parts: settings.reply.opaque_parts,
        copies_of_replies: settings.reply.copies_to_other_mailboxes,
        mode: delivery.mode,
        direct_timeout: delivery.direct_timeout,
        schedule: Schedule::new(&delivery.retry, delivery.max_age),
        lease: delivery.lease,
        longest_attempt: patience + smtp_out::AFTER_DOT + MARGIN,
    }
}

fn outbound(settings: &Settings, ourselves: Ourselves) -> Result<Outbound, StartError> {
    refuse_loop(settings, &ourselves)?;
    Ok(Outbound::new(smtp_out::Options {
        hostname: settings.hostname.clone(),
        ourselves,
        smarthost: settings.delivery.smarthost.clone(),
        port: SMTP_PORT,
        dns: Dns::new(&settings.dns_servers)?,
        budget: settings.delivery.direct_timeout,
        after_dot: smtp_out::AFTER_DOT,
    })?)
}

/// A smarthost that is named by a name is only found to be ourselves when mail goes there.
fn refuse_loop(settings: &Settings, ourselves: &Ourselves) -> Result<(), StartError> {
    let Some(smarthost) = &settings.delivery.smarthost else { return Ok(()) };
    let HostName::Ip(ip) = smarthost.host else { return Ok(()) };
    let address = SocketAddr::new(ip, smarthost.port);
    if ourselves.are_at(address) { Err(StartError::Loop(address)) } else { Ok(()) }
}

fn session(settings: &Settings) -> smtp::server::Settings {
    smtp::server::Settings {
        hostname: settings.hostname.clone(),
        max_message_size: settings.smtp.max_message_size,
        max_recipients: settings.smtp.max_recipients,
        bare_newline: settings.smtp.bare_newline,
        max_errors: MAX_ERRORS,
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        max_connections: settings.smtp.max_connections,
        max_connections_per_ip: settings.smtp.max_connections_per_ip,
        // A message whose final dot is out and unanswered is not waited for any longer than the others.
        shutdown_deadline: settings.delivery.direct_timeout + SHUTDOWN_MARGIN,
    }
}

/// Where certificates of contacts are looked for.
type Directories = Finder<Wkd, pgp::Engine, System>;

/// What stands behind the ports.
#[derive(Debug)]
struct Real;

impl Ports for Real {
    type Directory = Store;
    type Spool = Store;
    type Transport = Outbound;
    type Surroundings = System;
    type OpenPgp = pgp::Engine;
    type KeyWatch = Store;
    type KeyDiscovery = Option<Directories>;
}

/// Where the sessions meet the business.
#[derive(Debug)]
struct Door {
    intake: Intake<Real>,
    recipients: RecipientMeters,
}

impl Service for Door {
    type Recipient = Recipient;

    async fn recipient(&self, _: Ends, from: &ReversePath, to: &ForwardPath) -> Result<Recipient, Reply> {
        let answer = self.intake.recipient(from, to).await;
        self.recipients.count(&answer);
        answer
    }

    async fn message(&self, ends: Ends, transaction: Transaction<Recipient>) -> Reply {
        self.intake.message(Client { address: ends.remote.ip() }, &transaction).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};

    #[test]
    fn a_smarthost_that_is_this_daemon_is_refused() {
        let bound = Ourselves::listening_on(&["127.0.0.1:2525".parse().unwrap()]);
        for (smarthost, refused) in
            [("smtp://127.0.0.1:2525", true), ("smtp://127.0.0.1:2526", false), ("", false)]
        {
            let text = format!("hostname = \"mx.example.com\"\ndelivery.smarthost = \"{smarthost}\"");
            let settings = config::from_text("f", &text, &Environment::default()).unwrap().settings;
            let answer = refuse_loop(&settings, &bound);
            assert_eq!(matches!(answer, Err(StartError::Loop(_))), refused, "{smarthost}");
        }
    }
}

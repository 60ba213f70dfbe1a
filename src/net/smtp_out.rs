//! Sends a message to its next hop: the driver of [`crate::smtp::client`] and the choice of hosts.
//!
//! The next hop is the smarthost, or the MX hosts of the recipient's domain, or an address literal. Its hosts are
//! tried in their order, all addresses of each, until one gives a definite answer: 2xx and 5xx end it, and so does a
//! final dot without an answer, since a second host could deliver twice. A host that cannot be reached, says 4xx or
//! lacks what the message needs only leads to the next. When all have failed the most telling failure is reported;
//! it is permanent only if every host's is.
//!
//! All of this up to the final dot ends at the deadline of [`Options::budget`]. While another host or address could be
//! tried, opening a session (connect, greeting, EHLO, TLS, login) gets half of what is left of it, so a host that is dead
//! or silent does not use it up. When not all could be tried the outcome is never a refusal for good.
//!
//! The reply to the final dot has [`AFTER_DOT`], whatever the budget: to give up there would cost a second copy with each
//! new try, and most senders wait that long.
//!
//! What it does not do: no queue, no second try later, no reuse of connections yet, no MTA-STS and no DANE.

mod connection;
mod ourselves;
mod route;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::dns::{Dns, Search};
use super::smarthost::{HostName, Scheme, Smarthost};
use super::tls::Connectors;
use crate::mail::DomainName;
use crate::relay::ports::{Delivery, Outcome, Transport};
use crate::smtp::client::{Credentials, Envelope, InClear, Settings, TlsMode};
use crate::smtp::stuffing::has_bare_newline;
use crate::smtp::{Failure, Words};

pub use ourselves::Ourselves;

use connection::{Connection, OpenError, half_way_to};
use route::NextHop;

/// Hosts of one next hop that are tried; a domain may list thousands.
const MAX_HOSTS: usize = 10;
/// Addresses of one host that are tried.
const MAX_ADDRESSES: usize = 8;

/// How long the reply to the final dot may take. RFC 5321 (section 4.5.3.2.6) has ten minutes; so long waits the sender
/// of the message as well, and it must get its answer before it gives up.
pub const AFTER_DOT: Duration = Duration::from_secs(5 * 60);

/// How mail goes out.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our name: for EHLO, and to see when mail would come back to us.
    pub hostname: DomainName,
    /// Where we listen: mail must not go there.
    pub ourselves: Ourselves,
    /// Where all mail goes; absent: to the MX hosts.
    pub smarthost: Option<Smarthost>,
    /// The port of MX hosts and address literals: 25, but for tests.
    pub port: u16,
    /// Who is asked for names.
    pub dns: Dns,
    /// How long one delivery may take up to the final dot, over all hosts.
    pub budget: Duration,
    /// How long the reply to the final dot may take: [`AFTER_DOT`], but for tests.
    pub after_dot: Duration,
}

/// Delivers directly to the next hop.
#[derive(Debug)]
pub struct Outbound {
    options: Options,
    tls: Connectors,
}

impl Outbound {
    /// Reads the system's trusted roots only when a smarthost is to be verified.
    ///
    /// # Errors
    /// When there are none (on Debian: the package `ca-certificates`).
    pub fn new(options: Options) -> Result<Self, rustls::Error> {
        let verifies = options.smarthost.as_ref().is_some_and(|smarthost| smarthost.scheme.verifies());
        let tls = if verifies { Connectors::with_system_roots()? } else { Connectors::opportunistic()? };
        Ok(Self::with_connectors(options, tls))
    }

    /// With TLS configurations of the caller's making.
    #[must_use]
    pub fn with_connectors(options: Options, tls: Connectors) -> Self {
        Self { options, tls }
    }

    async fn try_hosts(&self, job: &Job) -> Outcome {
        let next_hop = match self.next_hop(job).await {
            Ok(next_hop) => next_hop,
            Err(outcome) => return outcome,
        };
        let mut failures = Failures::default();
        for (host, others) in with_others(next_hop.hosts.iter().take(MAX_HOSTS), Others::None) {
            match self.try_host(&next_hop, host, others, job).await {
                Attempt::Definite(outcome) => return outcome,
                Attempt::Next(outcome) => failures.add(outcome),
            }
        }
        if next_hop.hosts.len() > MAX_HOSTS {
            failures.add(untried());
        }
        failures.most_telling()
    }

    async fn next_hop(&self, job: &Job) -> Result<NextHop, Outcome> {
        let find = NextHop::find(&self.options, &job.to);
        timeout_at(job.deadline, find).await.unwrap_or_else(|_| Err(route::dns_too_slow()))
    }

    async fn try_host(&self, next_hop: &NextHop, host: &HostName, others: Others, job: &Job) -> Attempt {
        let addresses = match self.addresses(next_hop, host, job).await {
            Ok(addresses) => addresses,
            Err(outcome) => return Attempt::Next(outcome),
        };
        let mut failures = Failures::default();
        if addresses.len() > MAX_ADDRESSES {
            failures.add(untried());
        }
        for (ip, others) in with_others(addresses.into_iter().take(MAX_ADDRESSES), others) {
            if Instant::now() >= job.deadline {
                failures.add(untried());
                break;
            }
            let open_until = match others {
                Others::Left => half_way_to(job.deadline),
                Others::None => job.deadline,
            };
            let target = Target { next_hop, host, ip, open_until };
            match self.try_address(&target, job).await {
                Attempt::Definite(outcome) => return Attempt::Definite(outcome),
                Attempt::Next(outcome) => failures.add(outcome),
            }
        }
        Attempt::Next(failures.most_telling())
    }

    async fn addresses(&self, hop: &NextHop, host: &HostName, job: &Job) -> Result<Vec<IpAddr>, Outcome> {
        let name = match host {
            HostName::Ip(ip) => return Ok(vec![*ip]),
            HostName::Name(name) => name,
        };
        let look_up = self.options.dns.addresses(name, hop.search);
        let found = timeout_at(job.deadline, look_up).await.map_err(|_| route::dns_too_slow())?;
        found.map_err(|failure| hop.unknown_host(host, &failure))
    }

    async fn try_address(&self, target: &Target<'_>, job: &Job) -> Attempt {
        if self.options.ourselves.are_at(target.socket()) {
            return Attempt::Next(target.loops());
        }
        let attempt = match self.open(target, job).await {
            Ok(connection) => converse(connection, job).await,
            Err(outcome) => Attempt::Next(outcome),
        };
        let (Attempt::Definite(outcome) | Attempt::Next(outcome)) = &attempt;
        debug!(delivery = %job.id, host = %target.label(), outcome = %kind(outcome), "host tried");
        attempt
    }

    /// Connects; when a handshake that nobody insisted on fails, once more in clear (RFC 7435, section 3).
    async fn open(&self, target: &Target<'_>, job: &Job) -> Result<Connection, Outcome> {
        match Connection::open(target, self.settings(target, target.tls_mode()), &self.tls).await {
            Ok(connection) => Ok(connection),
            Err(OpenError::Handshake(_)) if target.may_go_clear() => {
                debug!(delivery = %job.id, host = %target.label(), "TLS handshake failed, trying in clear");
                let settings = self.settings(target, TlsMode::Never);
                Connection::open(target, settings, &self.tls).await.map_err(OpenError::into_outcome)
            }
            Err(error) => Err(error.into_outcome()),
        }
    }

    fn settings(&self, target: &Target<'_>, tls: TlsMode) -> Arc<Settings> {
        let credentials = target.next_hop.login.as_ref().map(|login| Credentials {
            user: login.user.clone(),
            password: login.password.clone(),
            in_clear: target.in_clear(),
        });
        Arc::new(Settings { helo: self.options.hostname.clone(), tls, credentials })
    }
}

impl Transport for Outbound {
    async fn deliver(&self, delivery: Delivery) -> Outcome {
        let content = &delivery.content;
        if has_bare_newline(&content.head) || has_bare_newline(&content.body) {
            return rejected(554, (5, 6, 0), "the message has a CR or LF that is not part of a CRLF");
        }
        let job = Job::new(delivery, &self.options);
        let outcome = self.try_hosts(&job).await;
        debug!(delivery = %job.id, outcome = %kind(&outcome), "delivery tried");
        outcome
    }
}

/// One delivery, ready to be sent.
struct Job {
    id: String,
    to: crate::mail::Address,
    envelope: Envelope,
    segments: [Bytes; 2],
    /// For all up to the final dot.
    deadline: Instant,
    after_dot: Duration,
}

impl Job {
    fn new(delivery: Delivery, options: &Options) -> Self {
        let Delivery { id, from, to, content } = delivery;
        let envelope = Envelope {
            from,
            recipients: vec![to.clone()],
            size: (content.head.len() + content.body.len()) as u64,
            eight_bit: content.eight_bit,
            smtputf8: content.smtputf8,
        };
        let deadline = Instant::now() + options.budget;
        let segments = [content.head, content.body];
        Self { id, to, envelope, segments, deadline, after_dot: options.after_dot }
    }
}

/// One address of one host.
struct Target<'a> {
    next_hop: &'a NextHop,
    host: &'a HostName,
    ip: IpAddr,
    /// When the session must be open.
    open_until: Instant,
}

impl Target<'_> {
    fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.next_hop.port)
    }

    /// The host as reports name it: `mx.example.net[192.0.2.1]:25`.
    fn label(&self) -> String {
        match self.host {
            HostName::Name(name) => format!("{name}[{}]:{}", self.ip, self.next_hop.port),
            HostName::Ip(_) => self.socket().to_string(),
        }
    }

    /// Mail would come back to us. With a smarthost that is a mistake of ours, and no reason to return mail.
    fn loops(&self) -> Outcome {
        let text =
            "this address is our own: mail would come back to this host, which does not know the recipient";
        match self.next_hop.search {
            Search::Allowed => deferred((4, 4, 6), text),
            Search::Never => rejected(554, (5, 4, 6), text),
        }
    }

    fn tls_mode(&self) -> TlsMode {
        match self.next_hop.scheme {
            Scheme::Smtp => TlsMode::Opportunistic,
            Scheme::StartTls => TlsMode::Required,
            // There is TLS before the first command.
            Scheme::Smtps => TlsMode::Never,
        }
    }

    fn in_clear(&self) -> InClear {
        let harmless = self.next_hop.scheme == Scheme::Smtp && self.ip.is_loopback();
        if harmless { InClear::Allowed } else { InClear::Refused }
    }

    /// A login would be refused in clear anyway; then the failed handshake is the better report.
    fn may_go_clear(&self) -> bool {
        let login_allows = self.next_hop.login.is_none() || self.in_clear() == InClear::Allowed;
        self.next_hop.scheme == Scheme::Smtp && login_allows
    }
}

/// What trying one host or address led to.
enum Attempt {
    /// The delivery is over.
    Definite(Outcome),
    /// Another host may do better.
    Next(Outcome),
}

/// Whether there is somebody else to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Left,
    None,
}

/// Each with whether others are left after it; `last` is what counts for the last.
fn with_others<T>(list: impl Iterator<Item = T>, last: Others) -> impl Iterator<Item = (T, Others)> {
    let mut list = list.peekable();
    std::iter::from_fn(move || {
        let item = list.next()?;
        Some((item, if list.peek().is_some() { Others::Left } else { last }))
    })
}

async fn converse(mut connection: Connection, job: &Job) -> Attempt {
    let answer = connection.deliver(job).await;
    connection.farewell();
    match answer {
        Ok(outcome @ Outcome::Deferred(_)) | Err(outcome) => Attempt::Next(outcome),
        Ok(outcome) => Attempt::Definite(outcome),
    }
}

/// The failures of all hosts that were tried; keeps the most telling one, the first among equals.
#[derive(Default)]
struct Failures(Option<Outcome>);

impl Failures {
    fn add(&mut self, outcome: Outcome) {
        if self.0.as_ref().is_none_or(|kept| weight(kept) < weight(&outcome)) {
            self.0 = Some(outcome);
        }
    }

    fn most_telling(self) -> Outcome {
        self.0.unwrap_or_else(|| {
            deferred((4, 4, 1), "the time for this delivery was over before a host was reached")
        })
    }
}

/// "Not now" outweighs "never" (a host that was away might have taken the message), and what a server said outweighs
/// what the network did (status codes x.4.x, RFC 3463, section 3.5).
fn weight(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Delivered(_) | Outcome::Uncertain(_) => 3,
        Outcome::Deferred(failure) if failure.enhanced.1 != 4 => 2,
        Outcome::Deferred(_) => 1,
        Outcome::Rejected(_) => 0,
    }
}

fn kind(outcome: &Outcome) -> String {
    let with = |word: &str, failure: &Failure| {
        let (class, subject, detail) = failure.enhanced;
        format!("{word} {} {class}.{subject}.{detail}", failure.code)
    };
    match outcome {
        Outcome::Delivered(_) => "delivered".to_owned(),
        Outcome::Rejected(failure) => with("rejected", failure),
        Outcome::Deferred(failure) => with("deferred", failure),
        Outcome::Uncertain(failure) => with("uncertain", failure),
    }
}

/// Of those that were not tried nobody knows whether they would have taken the message.
fn untried() -> Outcome {
    deferred((4, 4, 1), "not all hosts of this destination could be tried")
}

fn rejected(code: u16, enhanced: (u8, u16, u16), text: &str) -> Outcome {
    Outcome::Rejected(Failure { code, enhanced, text: text.to_owned(), words: Words::Ours, host: None })
}

fn deferred(enhanced: (u8, u16, u16), text: &str) -> Outcome {
    Outcome::Deferred(Failure { code: 451, enhanced, text: text.to_owned(), words: Words::Ours, host: None })
}

/// The same outcome, with the host that it is about.
fn at_host(outcome: Outcome, host: &HostName) -> Outcome {
    let named = |failure| Failure { host: Some(host.to_string()), ..failure };
    match outcome {
        Outcome::Delivered(_) => outcome,
        Outcome::Rejected(failure) => Outcome::Rejected(named(failure)),
        Outcome::Deferred(failure) => Outcome::Deferred(named(failure)),
        Outcome::Uncertain(failure) => Outcome::Uncertain(named(failure)),
    }
}

#[cfg(test)]
mod tests;

//! One delivery on its way through the hosts of its next hop.
//!
//! Hosts are tried in their order, all addresses of each, until one gives a definite answer: 2xx and 5xx end it, and so
//! does a final dot without an answer, since a second host could deliver twice. A host that cannot be reached, says 4xx
//! or lacks what the message needs only leads to the next. When all have failed the most telling failure is reported; it
//! is permanent only if every host's is. Hosts that could not be reached lately come last.
//!
//! For each host a connection that rests is used first. Should it turn out to have ended meanwhile, that is no failure of
//! the host: a new connection is opened, once. [`Client::was_stale`](crate::smtp::client::Client::was_stale) tells why
//! this delivers nothing twice.
//!
//! While another host or address could be tried, opening a session (connect, greeting, EHLO, TLS, login) gets half of the
//! time that is left up to the final dot, so a host that is dead or silent does not use it up. When not all could be tried
//! the outcome is never a refusal for good.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::connection::{Answer, Connection, OpenError, Server, half_way_to};
use super::pool::Key;
use super::route::{self, NextHop};
use super::sites::Slot;
use super::{Job, Outcome, Scheme, Search, Settings, Shared, TlsMode, deferred, rejected};
use crate::net::smarthost::HostName;
use crate::smtp::Failure;
use crate::smtp::client::{Credentials, InClear};

/// Hosts of one next hop that are tried; a domain may list thousands.
pub(super) const MAX_HOSTS: usize = 10;
/// Addresses of one host that are tried.
const MAX_ADDRESSES: usize = 8;

/// A delivery that has its slot.
pub(super) struct Errand<'a> {
    pub(super) shared: &'a Shared,
    pub(super) next_hop: &'a NextHop,
    pub(super) slot: &'a Slot,
    pub(super) job: &'a Job,
}

impl Errand<'_> {
    /// Tries the hosts, and tells the site how it went.
    pub(super) async fn run(&self) -> Outcome {
        let mut tried = Tried::default();
        let end = self.try_hosts(&mut tried).await;
        tried.report(self.slot);
        let outcome = match end {
            ControlFlow::Break(outcome) => outcome,
            ControlFlow::Continue(()) => tried.most_telling(),
        };
        debug!(delivery = %self.job.id, outcome = %kind(&outcome), "delivery tried");
        outcome
    }

    async fn try_hosts(&self, tried: &mut Tried) -> ControlFlow<Outcome> {
        let hosts = self.next_hop.hosts.get(..MAX_HOSTS).unwrap_or(&self.next_hop.hosts);
        let away = self.next_hop.site.away(hosts);
        let (mut order, mut last) = (Vec::with_capacity(hosts.len()), Vec::new());
        for (bit, host) in hosts.iter().enumerate() {
            if away >> bit & 1 == 0 { order.push(host) } else { last.push(host) }
        }
        order.append(&mut last);
        for (host, others) in with_others(order.into_iter(), Others::None) {
            self.try_host(host, others, tried).await?;
        }
        if self.next_hop.hosts.len() > MAX_HOSTS {
            tried.add(untried());
        }
        ControlFlow::Continue(())
    }

    async fn try_host(&self, host: &HostName, others: Others, tried: &mut Tried) -> ControlFlow<Outcome> {
        if let Some(end) = self.reuse(host, tried).await {
            return end;
        }
        let addresses = match self.addresses(host).await {
            Ok(addresses) => addresses,
            Err(outcome) => {
                tried.add(outcome);
                return ControlFlow::Continue(());
            }
        };
        if addresses.len() > MAX_ADDRESSES {
            tried.add(untried());
        }
        for (ip, others) in with_others(addresses.into_iter().take(MAX_ADDRESSES), others) {
            if Instant::now() >= self.job.deadline {
                tried.add(untried());
                break;
            }
            let open_until = match others {
                Others::Left => half_way_to(self.job.deadline),
                Others::None => self.job.deadline,
            };
            self.try_address(&Target { next_hop: self.next_hop, host, ip, open_until }, tried).await?;
        }
        ControlFlow::Continue(())
    }

    /// `None` when no connection rests that is still of use.
    async fn reuse(&self, host: &HostName, tried: &mut Tried) -> Option<ControlFlow<Outcome>> {
        let key = Key { site: self.next_hop.site.number, host, tls: self.next_hop.tls_mode() };
        let mut connection = self.shared.pool.take(key)?;
        let answer = self.send(&mut connection).await;
        if answer.was_stale {
            debug!(delivery = %self.job.id, host = connection.label(), "the connection had ended");
            return None;
        }
        self.shared.meters.reused(connection.secrecy());
        Some(self.conclude(connection, answer, tried))
    }

    async fn try_address(&self, target: &Target<'_>, tried: &mut Tried) -> ControlFlow<Outcome> {
        if self.shared.options.ourselves.are_at(target.socket()) {
            tried.add(target.loops());
            return ControlFlow::Continue(());
        }
        let opened = self.open(target).await;
        let is_away = matches!(opened, Err(OpenError::Failed(_) | OpenError::Handshake(_)));
        self.next_hop.site.note_host(target.host, is_away);
        match opened {
            Ok(mut connection) => {
                self.slot.opened();
                self.shared.meters.opened(connection.secrecy());
                // Those that rest are for other hosts of the site.
                self.shared
                    .pool
                    .trim(self.next_hop.site.number, self.next_hop.site.room(0).saturating_sub(1));
                let answer = self.send(&mut connection).await;
                self.conclude(connection, answer, tried)
            }
            Err(error) => {
                let outcome = error.into_outcome();
                debug!(delivery = %self.job.id, host = %target.label(), outcome = %kind(&outcome), "not open");
                if is_away {
                    tried.could_not_open(outcome);
                } else {
                    tried.add(outcome);
                }
                ControlFlow::Continue(())
            }
        }
    }

    async fn send(&self, connection: &mut Connection) -> Answer {
        let _connected = self.next_hop.site.connected();
        let answer = connection.deliver(self.job).await;
        let (Ok(outcome) | Err(outcome)) = &answer.outcome;
        debug!(delivery = %self.job.id, host = connection.label(), outcome = %kind(outcome), "host tried");
        answer
    }

    /// The connection goes back before the slot does: whose turn is next finds it.
    fn conclude(
        &self,
        connection: Box<Connection>,
        answer: Answer,
        tried: &mut Tried,
    ) -> ControlFlow<Outcome> {
        let room = self.next_hop.site.room(connection.messages());
        self.shared.pool.keep(connection, room);
        tried.heard(&answer);
        match answer.outcome {
            Ok(outcome @ Outcome::Deferred(_)) | Err(outcome) => {
                tried.add(outcome);
                ControlFlow::Continue(())
            }
            Ok(outcome) => ControlFlow::Break(outcome),
        }
    }

    async fn addresses(&self, host: &HostName) -> Result<Vec<IpAddr>, Outcome> {
        let name = match host {
            HostName::Ip(ip) => return Ok(vec![*ip]),
            HostName::Name(name) => name,
        };
        let look_up = self.shared.options.dns.addresses(name, self.next_hop.search);
        let found = timeout_at(self.job.deadline, look_up).await.map_err(|_| route::dns_too_slow())?;
        found.map_err(|failure| self.next_hop.unknown_host(host, &failure))
    }

    /// Connects; when a handshake that nobody insisted on fails, once more in clear (RFC 7435, section 3).
    async fn open(&self, target: &Target<'_>) -> Result<Box<Connection>, OpenError> {
        let tls = &self.shared.tls;
        let settings = self.settings(target, self.next_hop.tls_mode());
        let opened = match Connection::open(target, settings, tls).await {
            Err(OpenError::Handshake(_)) if target.may_go_clear() => {
                debug!(delivery = %self.job.id, host = %target.label(), "TLS handshake failed, trying in clear");
                let settings = self.settings(target, TlsMode::Never);
                Connection::open(target, settings, tls).await
            }
            opened => opened,
        };
        opened.map(Box::new)
    }

    /// Made for each connection that is opened, and kept by it.
    fn settings(&self, target: &Target<'_>, tls: TlsMode) -> Arc<Settings> {
        let credentials = self.next_hop.login.as_ref().map(|login| Credentials {
            user: login.user.clone(),
            password: login.password.clone(),
            in_clear: target.in_clear(),
        });
        Arc::new(Settings { helo: self.shared.options.hostname.clone(), tls, credentials })
    }
}

/// One address of one host.
pub(super) struct Target<'a> {
    pub(super) next_hop: &'a NextHop,
    pub(super) host: &'a HostName,
    pub(super) ip: IpAddr,
    /// When the session must be open.
    pub(super) open_until: Instant,
}

impl Target<'_> {
    pub(super) fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.next_hop.port)
    }

    /// The host as reports name it: `mx.example.net[192.0.2.1]:25`.
    pub(super) fn label(&self) -> String {
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

    pub(super) fn in_clear(&self) -> InClear {
        let harmless = self.next_hop.scheme == Scheme::Smtp && self.ip.is_loopback();
        if harmless { InClear::Allowed } else { InClear::Refused }
    }

    /// A login would be refused in clear anyway; then the failed handshake is the better report.
    pub(super) fn may_go_clear(&self) -> bool {
        let login_allows = self.next_hop.login.is_none() || self.in_clear() == InClear::Allowed;
        self.next_hop.scheme == Scheme::Smtp && login_allows
    }
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

/// What has been tried so far.
#[derive(Default)]
pub(super) struct Tried {
    /// The most telling failure, the first among equals.
    failure: Option<Outcome>,
    /// A server spoke with us in order.
    worked: bool,
    /// A server was in trouble, or out of reach.
    trouble: Option<Failure>,
}

impl Tried {
    pub(super) fn add(&mut self, outcome: Outcome) {
        if self.failure.as_ref().is_none_or(|kept| weight(kept) < weight(&outcome)) {
            self.failure = Some(outcome);
        }
    }

    /// Not for a server that refuses us for good: it is not in trouble.
    fn could_not_open(&mut self, outcome: Outcome) {
        if let Outcome::Deferred(failure) = &outcome {
            self.trouble = Some(failure.clone());
        }
        self.add(outcome);
    }

    fn heard(&mut self, answer: &Answer) {
        match (answer.server, &answer.outcome) {
            (Server::Works, _) => self.worked = true,
            (Server::InTrouble, Ok(Outcome::Deferred(failure) | Outcome::Uncertain(failure))) => {
                self.trouble = Some(failure.clone());
            }
            _ => {}
        }
    }

    /// One host that works is enough for a site.
    fn report(&mut self, slot: &Slot) {
        match self.trouble.take() {
            _ if self.worked => slot.worked(),
            Some(failure) => slot.failed(failure),
            None => {}
        }
    }

    pub(super) fn most_telling(self) -> Outcome {
        self.failure.unwrap_or_else(|| {
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

/// Of those that were not tried nobody knows whether they would have taken the message.
fn untried() -> Outcome {
    deferred((4, 4, 1), "not all hosts of this destination could be tried")
}

/// An outcome on one line, without the server's words.
pub(super) fn kind(outcome: &Outcome) -> String {
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

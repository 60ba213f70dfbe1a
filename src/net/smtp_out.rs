//! Sends a message to its next hop: over a connection that rests, or over a new one.
//!
//! The next hop is the smarthost, or the MX hosts of the recipient's domain, or an address literal. Before anything is
//! sent the delivery gets a slot of its site ([`sites`]); then its hosts are tried ([`errand`]). All of this up to the
//! final dot ends at the deadline of [`Options::budget`]: a delivery that waited for a slot has less time left for the
//! rest.
//!
//! The reply to the final dot has [`AFTER_DOT`], whatever the budget: to give up there would deliver the message twice.
//!
//! What it does not do: no queue, no second try later, no MTA-STS and no DANE.

mod connection;
mod errand;
mod ourselves;
mod pool;
mod route;
mod sites;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::dns::{Dns, Search};
use super::meters::OutboundMeters;
use super::smarthost::{HostName, Scheme, Smarthost};
use super::tls::Connectors;
use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::pacing::{Admit, Limits};
use crate::relay::ports::{Content, Delivery, Outcome, ReportRequest, Transport};
use crate::relay::site::{Destination, SiteName};
use crate::smtp::client::{Envelope, Recipient, Settings, TlsMode};
use crate::smtp::stuffing::has_bare_newline;
use crate::smtp::{Failure, ReversePath, Words};

pub use ourselves::Ourselves;

use errand::Errand;
use pool::Pool;
use route::NextHop;
use sites::{Overall, Site, Sites};

/// How long the reply to the final dot may take. RFC 5321 (section 4.5.3.2.6) has ten minutes, for servers that deliver
/// before they answer; those that do not answer after five will not.
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

/// How much goes out at a time.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Connections in use, over all sites.
    overall: usize,
    /// Connections at rest, over all sites.
    resting: usize,
    /// Of a site.
    site: Limits,
    /// Of the smarthost.
    smarthost: Limits,
}

const BOUNDS: Bounds =
    Bounds { overall: 2000, resting: 250, site: Limits::STRANGERS, smarthost: Limits::SMARTHOST };

/// Delivers directly to the next hop. Clones share their connections and what they know of sites.
#[derive(Debug, Clone)]
pub struct Outbound {
    shared: Arc<Shared>,
    budget: Duration,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    tls: Connectors,
    smarthost: Option<(SiteName, NextHop)>,
    sites: Sites,
    overall: Overall,
    pool: Arc<Pool>,
    meters: OutboundMeters,
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
        Self::with_bounds(options, tls, BOUNDS)
    }

    fn with_bounds(options: Options, tls: Connectors, bounds: Bounds) -> Self {
        let smarthost = options.smarthost.as_ref().map(|smarthost| {
            let name = SiteName::of_smarthost(&smarthost.host.to_string(), smarthost.port);
            (name, NextHop::smarthost(smarthost, bounds.smarthost))
        });
        let budget = options.budget;
        let shared = Shared {
            options,
            tls,
            smarthost,
            sites: Sites::new(bounds.site),
            overall: Overall::new(bounds.overall),
            pool: Pool::new(bounds.resting),
            meters: OutboundMeters::register(),
        };
        Self { shared: Arc::new(shared), budget }
    }

    /// The same, with another time for each delivery: nobody waits for those that come out of a queue.
    #[must_use]
    pub fn with_budget(&self, budget: Duration) -> Self {
        Self { shared: Arc::clone(&self.shared), budget }
    }

    /// Ends the connections that rest, with QUIT, within a few seconds. For the end of the program, after the last
    /// delivery; one that comes later still goes out, on a connection of its own.
    pub async fn close(&self) {
        self.shared.pool.close().await;
    }

    /// Brings the figures up to date that nothing else changes: how many sites are left alone. For whoever is about to
    /// read them.
    pub fn measure(&self) {
        let now = sites::now();
        let is_paused = |site: &Site| matches!(site.admit(now), Admit::At(_));
        let smarthost = self.shared.smarthost.iter().filter(|(_, next_hop)| is_paused(&next_hop.site));
        let strangers = self.shared.sites.all().into_iter().filter(|site| is_paused(site));
        self.shared.meters.paused(smarthost.count() + strangers.count());
    }

    async fn try_once(&self, delivery: Delivery) -> Outcome {
        let deadline = Instant::now() + self.budget;
        match &self.shared.smarthost {
            Some((_, next_hop)) => self.go(next_hop, delivery, deadline).await,
            None => match self.find(&delivery.to, deadline).await {
                Ok(next_hop) => self.go(&next_hop, delivery, deadline).await,
                Err(outcome) => outcome,
            },
        }
    }

    async fn find(&self, to: &Address, deadline: Instant) -> Result<NextHop, Outcome> {
        let find = NextHop::find(&self.shared.options, &self.shared.sites, to);
        timeout_at(deadline, find).await.unwrap_or_else(|_| Err(route::dns_too_slow()))
    }

    async fn go(&self, next_hop: &NextHop, delivery: Delivery, deadline: Instant) -> Outcome {
        match next_hop.site.slot(&self.shared.overall, deadline).await {
            Ok(slot) => {
                let job = Job::new(delivery, deadline, self.shared.options.after_dot);
                Errand { shared: &self.shared, next_hop, slot: &slot, job: &job }.run().await
            }
            Err(outcome) => outcome,
        }
    }
}

impl Transport for Outbound {
    async fn deliver(&self, delivery: Delivery) -> Outcome {
        let content = &delivery.content;
        if has_bare_newline(&content.head) || has_bare_newline(&content.body) {
            return rejected(554, (5, 6, 0), "the message has a CR or LF that is not part of a CRLF");
        }
        self.try_once(delivery).await
    }

    fn destination<'a>(&'a self, to: &'a Address) -> Destination<'a> {
        match &self.shared.smarthost {
            Some((name, _)) => Destination::Smarthost(name),
            None => Destination::of(to),
        }
    }

    fn admit(&self, to: &Address, now: Timestamp) -> Admit {
        match &self.shared.smarthost {
            Some((_, next_hop)) => next_hop.site.admit(now),
            None => route::remembered(&self.shared.sites, to).map_or(Admit::Now, |site| site.admit(now)),
        }
    }

    fn most_at_once(&self, to: &Address) -> u32 {
        match &self.shared.smarthost {
            Some((_, next_hop)) => next_hop.site.allowed(),
            None => route::remembered(&self.shared.sites, to)
                .map_or(self.shared.sites.initial(), |site| site.allowed()),
        }
    }

    fn resume(&self, to: &Address) {
        match &self.shared.smarthost {
            Some((_, next_hop)) => next_hop.site.resume(),
            None => route::remembered(&self.shared.sites, to).iter().for_each(|site| site.resume()),
        }
    }
}

/// One delivery, ready to be sent.
struct Job {
    id: String,
    envelope: Arc<Envelope>,
    segments: [Bytes; 2],
    /// For all up to the final dot.
    deadline: Instant,
    after_dot: Duration,
}

impl Job {
    fn new(delivery: Delivery, deadline: Instant, after_dot: Duration) -> Self {
        let Delivery { id, from, to, content, dsn, privacy: _ } = delivery;
        let asked = dsn.map(|asked| *asked).unwrap_or_default();
        let envelope = Arc::new(envelope(from, to, asked, &content));
        Self { id, envelope, segments: [content.head, content.body], deadline, after_dot }
    }
}

fn envelope(from: ReversePath, to: Address, asked: ReportRequest, content: &Content) -> Envelope {
    Envelope {
        from,
        recipients: vec![Recipient { address: to, dsn: asked.recipient }],
        size: (content.head.len() + content.body.len()) as u64,
        eight_bit: content.eight_bit,
        smtputf8: content.smtputf8,
        dsn: asked.message,
    }
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

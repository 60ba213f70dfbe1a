//! How many connections a site may have at a time, and when it is left alone.
//!
//! A site starts with a few connections. Each one that opens while all are in use allows one more, so the number doubles
//! as long as the site keeps up with it. A failure halves it; from there on it grows slowly, one more after as many
//! openings as there are connections. The second failure without a success in between means that the site has no use
//! for us now: it is left alone for a while, twice as long after each further one, and then asked with one connection.
//!
//! A failure is one of a *connection*: it does not open, it breaks, the server says 421, or 4.7.x before it knows the
//! recipient. A 4xx to a recipient says nothing about the site and is not reported here.
//!
//! Connections that were under way together fail together, and that is one failure: each attempt carries a [`Ticket`] of
//! the round in which it began, and a failure ends the round.
//!
//! It knows no clock and no randomness. Times come from the wall clock, because a scheduler writes them to its tables;
//! should that clock be set back, no pause gets longer than [`Limits::longest_pause`].

use std::time::Duration;

use crate::mail::Timestamp;

/// The bounds of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections that a site gets at first, at least 1.
    pub initial: u32,
    /// Connections that it gets at most, at least `initial`.
    pub most: u32,
    /// How long it is left alone the first time.
    pub first_pause: Duration,
    /// The longest pause, before it is spread.
    pub longest_pause: Duration,
    /// Messages that one connection carries, at least 1.
    pub messages_per_session: u32,
}

impl Limits {
    /// For the hosts of strangers. Twenty connections is what the most common servers give one client without complaint.
    pub const STRANGERS: Self = Self {
        initial: 2,
        most: 20,
        first_pause: Duration::from_secs(5),
        longest_pause: Duration::from_secs(15 * 60),
        messages_per_session: 100,
    };

    /// For the one host that takes all mail. It stays below the 50 connections beyond which a Postfix in its default
    /// configuration sends a client away.
    pub const SMARTHOST: Self = Self { most: 48, longest_pause: Duration::from_secs(60), ..Self::STRANGERS };
}

/// Whether a delivery may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// Yes.
    Now,
    /// The site is left alone until then.
    At(Timestamp),
    /// As many as are allowed are under way.
    Full,
}

/// The round in which an attempt began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// What is known of one site.
#[derive(Debug, Clone)]
pub struct Pacing {
    limits: Limits,
    /// From 1 to `limits.most`.
    allowed: u32,
    in_use: u32,
    /// Where growth becomes slow.
    slow_from: u32,
    /// Openings that count towards the next step of slow growth.
    credit: u32,
    round: u64,
    /// Rounds that failed without a success in between.
    failures: u32,
    paused_until: Option<Timestamp>,
}

impl Pacing {
    /// A site of which nothing is known.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            allowed: limits.initial.max(1),
            in_use: 0,
            slow_from: u32::MAX,
            credit: 0,
            round: 0,
            failures: 0,
            paused_until: None,
        }
    }

    /// Whether a delivery may begin now.
    #[must_use]
    pub fn admit(&self, now: Timestamp) -> Admit {
        match self.pause(now) {
            Some(until) => Admit::At(until),
            None if self.in_use < self.allowed => Admit::Now,
            None => Admit::Full,
        }
    }

    /// A delivery begins and uses one of the connections, until [`Pacing::end`].
    pub fn begin(&mut self) -> Ticket {
        self.in_use = self.in_use.saturating_add(1);
        Ticket(self.round)
    }

    /// A delivery is over.
    pub fn end(&mut self) {
        self.in_use = self.in_use.saturating_sub(1);
    }

    /// A session was opened: the server has greeted us and takes mail. Nothing grows that is not made use of.
    pub fn opened(&mut self, ticket: Ticket) {
        if ticket.0 != self.round || self.in_use < self.allowed || self.allowed >= self.limits.most {
            return;
        }
        self.credit += 1;
        if self.allowed < self.slow_from || self.credit >= self.allowed {
            self.allowed += 1;
            self.credit = 0;
        }
    }

    /// A delivery ran to its end in order, whatever became of the message. An attempt of an earlier round counts as well:
    /// a site that serves some of our connections is not away.
    pub fn worked(&mut self) {
        self.failures = 0;
    }

    /// A connection failed. `random` (any number) spreads the end of a pause by a quarter to both sides, so that not all
    /// who wait for a site come back at once.
    pub fn failed(&mut self, ticket: Ticket, now: Timestamp, random: u64) {
        if ticket.0 != self.round {
            return;
        }
        self.round += 1;
        self.failures = self.failures.saturating_add(1);
        self.allowed = (self.allowed / 2).max(1);
        self.slow_from = self.allowed;
        self.credit = 0;
        if self.failures >= 2 {
            self.allowed = 1;
            self.paused_until = Some(now.later_by(spread(self.pause_length(), random)));
        }
    }

    /// An admin wants the site tried now: the pause is over, though not forgotten.
    pub fn resume(&mut self) {
        self.paused_until = None;
    }

    /// Connections that the site may have, used and unused together.
    #[must_use]
    pub fn allowed(&self) -> u32 {
        self.allowed
    }

    /// Whether a connection that has carried so many messages may carry another one.
    #[must_use]
    pub fn may_carry_another(&self, messages: u32) -> bool {
        messages < self.limits.messages_per_session
    }

    /// Whether there is nothing to remember: no delivery under way, no failure, no pause.
    #[must_use]
    pub fn is_forgettable(&self) -> bool {
        self.in_use == 0 && self.failures == 0
    }

    fn pause(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.paused_until.filter(|until| *until > now)?;
        Some(until.min(now.later_by(self.limits.longest_pause * 5 / 4)))
    }

    fn pause_length(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(2));
        self.limits.first_pause.saturating_mul(doubled).min(self.limits.longest_pause)
    }
}

/// From three to five quarters of `length`.
fn spread(length: Duration, random: u64) -> Duration {
    let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2);
    Duration::from_millis(millis - millis / 4 + random % (millis / 2 + 1))
}

#[cfg(test)]
mod tests;

//! What is counted of connections in and out: names, labels and handles.
//!
//! A handle belongs to the recorder under which it was made: each `register` is called once, while the daemon is put
//! together.

use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, gauge};

use super::listener::Overload;
use crate::queue::meters::Stage;

/// Counter: connections of clients, by `outcome`.
pub const CONNECTIONS: &str = "aliasd_smtp_connections_total";
/// Gauge: connections of clients that are open now.
pub const CONNECTIONS_OPEN: &str = "aliasd_smtp_connections_open";
/// Counter: how often something was refused because of a limit, by `limit`.
pub const LIMITS_HIT: &str = "aliasd_limits_hit_total";
/// Counter: connections to next hops that a message was sent on, by `source` and `channel`.
pub const OUTBOUND: &str = "aliasd_outbound_connections_total";
/// Gauge: sites that are left alone now.
pub const SITES_PAUSED: &str = "aliasd_outbound_sites_paused";

/// Mail coming in.
#[derive(Debug)]
pub(super) struct InboundMeters {
    accepted: Counter,
    refused: Counter,
    open: Gauge,
    total: Counter,
    per_ip: Counter,
    memory: Counter,
    pub(super) receive: Histogram,
}

impl InboundMeters {
    pub(super) fn register() -> Self {
        describe_counter!(
            CONNECTIONS,
            Unit::Count,
            "Connections of SMTP clients: accepted, or refused because there are too many."
        );
        describe_gauge!(CONNECTIONS_OPEN, Unit::Count, "Connections of SMTP clients that are open now.");
        describe_counter!(
            LIMITS_HIT,
            Unit::Count,
            "How often something was refused because of a limit of the configuration."
        );
        let connections = |outcome: &'static str| counter!(CONNECTIONS, "outcome" => outcome);
        let limit = |limit: &'static str| counter!(LIMITS_HIT, "limit" => limit);
        Self {
            accepted: connections("accepted"),
            refused: connections("refused"),
            open: gauge!(CONNECTIONS_OPEN),
            total: limit("connections"),
            per_ip: limit("connections_per_ip"),
            memory: limit("message_memory"),
            receive: Stage::Receive.register(),
        }
    }

    /// A connection was accepted and is open until this is dropped.
    pub(super) fn opened(&self) -> Open {
        self.accepted.increment(1);
        self.open.increment(1);
        Open(self.open.clone())
    }

    pub(super) fn refused(&self, overload: Overload) {
        self.refused.increment(1);
        match overload {
            Overload::Total => self.total.increment(1),
            Overload::Address => self.per_ip.increment(1),
        }
    }

    /// A message did not fit into `delivery.max_memory`.
    pub(super) fn out_of_memory(&self) {
        self.memory.increment(1);
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Whether anybody on the way can read a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    Tls,
    Clear,
}

/// Mail going out.
#[derive(Debug)]
pub(super) struct OutboundMeters {
    opened: ByChannel,
    reused: ByChannel,
    paused: Gauge,
}

#[derive(Debug)]
struct ByChannel {
    tls: Counter,
    clear: Counter,
}

impl OutboundMeters {
    pub(super) fn register() -> Self {
        describe_counter!(
            OUTBOUND,
            Unit::Count,
            "Connections to next hops that a message was sent on: opened for it or reused, with TLS or in clear."
        );
        describe_gauge!(
            SITES_PAUSED,
            Unit::Count,
            "Destinations that are left alone now because connections to them failed."
        );
        Self {
            opened: ByChannel::register("opened"),
            reused: ByChannel::register("reused"),
            paused: gauge!(SITES_PAUSED),
        }
    }

    pub(super) fn opened(&self, secrecy: Secrecy) {
        self.opened.of(secrecy).increment(1);
    }

    pub(super) fn reused(&self, secrecy: Secrecy) {
        self.reused.of(secrecy).increment(1);
    }

    pub(super) fn paused(&self, sites: usize) {
        self.paused.set(sites as f64);
    }
}

impl ByChannel {
    fn register(source: &'static str) -> Self {
        let counter = |channel: &'static str| counter!(OUTBOUND, "source" => source, "channel" => channel);
        Self { tls: counter("tls"), clear: counter("clear") }
    }

    fn of(&self, secrecy: Secrecy) -> &Counter {
        match secrecy {
            Secrecy::Tls => &self.tls,
            Secrecy::Clear => &self.clear,
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_connection_is_open_until_it_is_dropped() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let meters = metrics::with_local_recorder(&recorder, InboundMeters::register);
        let shows = |line: &str| recorder.handle().render().lines().any(|found| found == line);
        let (one, two) = (meters.opened(), meters.opened());
        assert!(shows("aliasd_smtp_connections_open 2"));
        drop(one);
        meters.refused(Overload::Address);
        meters.refused(Overload::Total);
        meters.refused(Overload::Address);
        assert!(shows("aliasd_smtp_connections_open 1"));
        drop(two);
        assert!(shows("aliasd_smtp_connections_open 0"));
        assert!(shows("aliasd_smtp_connections_total{outcome=\"accepted\"} 2"));
        assert!(shows("aliasd_smtp_connections_total{outcome=\"refused\"} 3"));
        assert!(shows("aliasd_limits_hit_total{limit=\"connections_per_ip\"} 2"));
        assert!(shows("aliasd_limits_hit_total{limit=\"connections\"} 1"));
    }

    #[test]
    fn connections_out_count_by_source_and_channel() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let meters = metrics::with_local_recorder(&recorder, OutboundMeters::register);
        meters.opened(Secrecy::Tls);
        meters.reused(Secrecy::Clear);
        meters.reused(Secrecy::Clear);
        meters.paused(7);
        let shown = recorder.handle().render();
        for line in [
            "aliasd_outbound_connections_total{source=\"opened\",channel=\"tls\"} 1",
            "aliasd_outbound_connections_total{source=\"opened\",channel=\"clear\"} 0",
            "aliasd_outbound_connections_total{source=\"reused\",channel=\"clear\"} 2",
            "aliasd_outbound_sites_paused 7",
        ] {
            assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
        }
    }
}

//! The figures of one daemon, as Prometheus reads them.
//!
//! Parts count through the facade `metrics`: they ask it for handles when they are put together, and from then on a count
//! is one atomic addition. A handle belongs to the recorder under which it was made, and a recorder to a daemon: what is
//! made inside [`Metrics::within`] counts there, and what is made anywhere else counts nowhere. So two daemons in one
//! process do not mix their figures, a command that ends at once keeps none, and nothing global is to be reset by tests.
//!
//! Each area keeps its names, labels and descriptions in a `meters.rs` of its own (`queue`, `net`, `store`). Names are
//! `aliasd_<area>_<what>_{total,seconds,bytes}`, without the suffix for what can go down again. Labels come from small
//! closed sets: never an address, a domain, a host or an id.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::mail::Timestamp;
use crate::queue::spool::Depth;

/// Upper bounds of the buckets of every histogram of times, in seconds: from an answer of the cache to the longest wait for
/// the reply to a final dot.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0, 300.0,
];
/// How often what was measured is put into the buckets; until then every single measurement is kept.
const UPKEEP: Duration = Duration::from_secs(5);

/// Gauge: deliveries in the queue, by `state`.
pub const QUEUE_DELIVERIES: &str = "aliasd_queue_deliveries";
/// Gauge: how long ago the oldest waiting one was accepted.
pub const QUEUE_OLDEST: &str = "aliasd_queue_oldest_seconds";

/// Where a daemon's figures come together. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    shown: PrometheusHandle,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at nought.
    #[must_use]
    pub fn new() -> Self {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, SECONDS);
        // It only refuses an empty list.
        let recorder = builder.unwrap_or_default().build_recorder();
        Self { shown: recorder.handle(), recorder: Arc::new(recorder) }
    }

    /// Puts a part together: the handles that it makes meanwhile count here.
    pub fn within<T>(&self, make: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&*self.recorder, make)
    }

    /// Everything in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.shown.render()
    }

    /// Keeps measurements from piling up while nobody asks, until `stop`.
    pub async fn keep(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.shown.run_upkeep(),
            }
        }
    }
}

/// The queue in numbers, as it was when somebody looked.
#[derive(Debug, Clone)]
pub struct QueueGauges {
    waiting: Gauge,
    held: Gauge,
    damaged: Gauge,
    oldest: Gauge,
}

impl QueueGauges {
    /// Under the recorder of this moment.
    #[must_use]
    pub fn register() -> Self {
        describe_gauge!(QUEUE_DELIVERIES, Unit::Count, "Deliveries in the queue, of all nodes, by state.");
        describe_gauge!(
            QUEUE_OLDEST,
            Unit::Seconds,
            "Time since the oldest waiting delivery was accepted; 0 when none waits."
        );
        let deliveries = |state: &'static str| gauge!(QUEUE_DELIVERIES, "state" => state);
        Self {
            waiting: deliveries("waiting"),
            held: deliveries("held"),
            damaged: deliveries("damaged"),
            oldest: gauge!(QUEUE_OLDEST),
        }
    }

    /// Shows `depth`, seen at `now`.
    pub fn set(&self, depth: &Depth, now: Timestamp) {
        let age = depth.oldest.map_or(0, |oldest| now.as_millis().saturating_sub(oldest.as_millis()));
        let age = Duration::from_millis(u64::try_from(age).unwrap_or_default());
        self.waiting.set(depth.waiting as f64);
        self.held.set(depth.held as f64);
        self.damaged.set(depth.damaged as f64);
        self.oldest.set(age);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::{counter, histogram};

    #[test]
    fn two_daemons_do_not_mix_and_what_is_outside_counts_nowhere() {
        let (one, two) = (Metrics::new(), Metrics::new());
        let [mine, yours] = [&one, &two].map(|each| each.within(|| counter!("aliasd_test_total")));
        mine.increment(3);
        yours.increment(4);
        counter!("aliasd_test_total").increment(50);
        assert!(one.render().contains("\naliasd_test_total 3\n"), "{}", one.render());
        assert!(two.render().contains("\naliasd_test_total 4\n"), "{}", two.render());
    }

    #[test]
    fn a_handle_counts_wherever_it_is_used() {
        let metrics = Metrics::new();
        let counted = metrics.within(|| counter!("aliasd_test_total"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| counted.increment(1)));
            }
        });
        assert!(metrics.render().contains("\naliasd_test_total 4000\n"));
    }

    #[test]
    fn times_have_buckets() {
        let metrics = Metrics::new();
        metrics.within(|| histogram!("aliasd_test_seconds")).record(Duration::from_millis(3));
        let shown = metrics.render();
        for line in [
            "# TYPE aliasd_test_seconds histogram",
            "aliasd_test_seconds_bucket{le=\"0.0025\"} 0",
            "aliasd_test_seconds_bucket{le=\"0.005\"} 1",
            "aliasd_test_seconds_bucket{le=\"+Inf\"} 1",
            "aliasd_test_seconds_sum 0.003",
        ] {
            assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn upkeep_ends_when_it_is_told_to() {
        let (metrics, stop) = (Metrics::new(), CancellationToken::new());
        metrics.within(|| histogram!("aliasd_test_seconds")).record(1.0);
        let keeping = tokio::spawn({
            let (metrics, stop) = (metrics.clone(), stop.clone());
            async move { metrics.keep(stop).await }
        });
        tokio::time::sleep(3 * UPKEEP).await;
        stop.cancel();
        keeping.await.unwrap();
        assert!(metrics.render().contains("\naliasd_test_seconds_count 1\n"));
    }

    #[test]
    fn the_queue_shows_its_depth_and_age() {
        let metrics = Metrics::new();
        let gauges = metrics.within(QueueGauges::register);
        let at = Timestamp::from_millis;
        let depth = Depth { waiting: 3, held: 2, damaged: 1, oldest: Some(at(1_000)) };
        for (depth, now, oldest) in
            [(depth, at(91_500), "90.5"), (depth, at(500), "0"), (Depth::default(), at(91_500), "0")]
        {
            gauges.set(&depth, now);
            let shown = metrics.render();
            let states = [("waiting", depth.waiting), ("held", depth.held), ("damaged", depth.damaged)];
            let mut expected = vec![format!("{QUEUE_OLDEST} {oldest}")];
            expected.extend(
                states.map(|(state, number)| format!("{QUEUE_DELIVERIES}{{state=\"{state}\"}} {number}")),
            );
            for line in expected {
                assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
            }
        }
    }
}

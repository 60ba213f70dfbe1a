//! What is counted of the database and the caches before it: names, labels and handles.

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

/// Counter: questions to the caches, by `cache` and `answer`.
pub const LOOKUPS: &str = "aliasd_cache_lookups_total";
/// Histogram: how long the database took, by `operation`.
pub const QUERIES: &str = "aliasd_database_query_seconds";

/// Handles of the recorder under which they were made; by default, handles that count nowhere.
#[derive(Debug, Clone)]
pub struct Meters {
    pub(super) domains: LookupMeters,
    pub(super) names: LookupMeters,
    pub(super) contacts: LookupMeters,
    pub(super) certificates: LookupMeters,
    pub(super) queries: QueryMeters,
}

/// Questions to one cache. An answer "there is none" that is there is a hit as well.
#[derive(Debug, Clone)]
pub(super) struct LookupMeters {
    hits: Counter,
    misses: Counter,
}

/// Times, the wait for a connection among them.
#[derive(Debug, Clone)]
pub(super) struct QueryMeters {
    pub(super) reads: Histogram,
    /// Whole transactions, from their begin to their commit.
    pub(super) changes: Histogram,
}

impl Meters {
    /// Under the recorder of this moment.
    #[must_use]
    pub fn register() -> Self {
        describe_counter!(
            LOOKUPS,
            Unit::Count,
            "Questions that the caches answered (hit) or that went on to the database (miss)."
        );
        describe_histogram!(
            QUERIES,
            Unit::Seconds,
            "How long the database took for a read and for a change, the wait for a connection included."
        );
        Self {
            domains: LookupMeters::register("domains"),
            names: LookupMeters::register("names"),
            contacts: LookupMeters::register("contacts"),
            certificates: LookupMeters::register("certificates"),
            queries: QueryMeters {
                reads: histogram!(QUERIES, "operation" => "read"),
                changes: histogram!(QUERIES, "operation" => "change"),
            },
        }
    }
}

impl Default for Meters {
    fn default() -> Self {
        let cache = LookupMeters { hits: Counter::noop(), misses: Counter::noop() };
        let queries = QueryMeters { reads: Histogram::noop(), changes: Histogram::noop() };
        let [domains, names, contacts, certificates] = std::array::from_fn(|_| cache.clone());
        Self { domains, names, contacts, certificates, queries }
    }
}

impl LookupMeters {
    pub(super) fn register(cache: &'static str) -> Self {
        let counter = |answer: &'static str| counter!(LOOKUPS, "cache" => cache, "answer" => answer);
        Self { hits: counter("hit"), misses: counter("miss") }
    }

    /// Counts what a cache answered.
    pub(super) fn count<V>(&self, answer: Option<&V>) {
        if answer.is_some() { self.hits.increment(1) } else { self.misses.increment(1) }
    }
}

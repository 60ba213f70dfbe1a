//! The store on both engines. Every test is written once and runs on SQLite, and on a MariaDB server whose URL (without a
//! database) is in `ALIASD_TEST_MYSQL_URL`; each has a database of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]
#![expect(clippy::cognitive_complexity, reason = "a list of assertions is long, not complex")]

mod harness;

mod contacts;
mod keys;
mod lookup;
mod nodes;
mod outage;
mod queue;
mod races;
mod recipients;
mod registry;
mod schema;

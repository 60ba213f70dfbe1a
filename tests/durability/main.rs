//! Accepted means safe: the real binary is killed, stopped and replaced under load, and afterwards every message is
//! accounted for.
//!
//! Three witnesses write what they see into one record: the senders what they sent and were told, the next hop what it
//! was handed and whether it said so, the test when each daemon began and ended. `ledger` draws the balance.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by failing, also in the functions that its tests share"
)]

/// Makes two tests of each function that takes an engine: one on SQLite, one on the MariaDB of `./test`.
macro_rules! on_both_engines {
    ($($scenario:ident),+ $(,)?) => {
        mod on_sqlite {
            use crate::support::database::Engine;
            $(#[test] fn $scenario() { super::$scenario(Engine::Sqlite); })+
        }
        mod on_mariadb {
            use crate::support::database::Engine;
            $(#[test] #[ignore = "needs MariaDB: run ./test"] fn $scenario() { super::$scenario(Engine::MariaDb); })+
        }
    };
}

mod crash;
mod dice;
mod ledger;
mod letter;
mod next_hop;
mod node;
mod record;
mod senders;
mod stop;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the relay's tests use the rest of it")]
mod support;
mod takeover;

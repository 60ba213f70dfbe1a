//! The relay from outside: the real binary between real peers, against what it promises in words (`README.md`).
//!
//! What needs no server runs with `cargo test`; the rest is ignored there and run by `./test`, which starts what it needs.

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

mod bounces;
mod letters;
mod lifecycle;
mod messages;
mod metrics;
mod next_hop;
mod nodes;
mod openpgp;
mod outage;
mod peers;
mod postfix;
mod queue_commands;
mod redaction;
mod refusals;
mod reports;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the tests of durability use the rest of it")]
mod support;
mod threads;

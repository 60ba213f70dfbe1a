//! The peers of the tests that run the whole relay: the real daemon, a real Postfix, a real MariaDB, a server that records
//! what it is handed, and a client that sends exact bytes. What is not real here is only what a test has to look into.

pub mod client;
pub mod daemon;
pub mod database;
pub mod disk;
pub mod dns;
pub mod gnupg;
pub mod http;
pub mod leftovers;
pub mod mariadb;
pub mod postfix;
pub mod process;
pub mod report;
pub mod sink;
pub mod threading;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Generous: it is reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer, for what tells nobody when it is ready (a port that opens, a file that appears).
///
/// # Panics
/// When [`PATIENCE`] ends first.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A loopback address on which nothing listens. Below the range from which the kernel takes ports for outgoing
/// connections, so that no other test gets it by chance; two runs at once start at different places.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 16_000;
    const COUNT: u16 = 16_000;
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("below COUNT");
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (u32::from(start) * 97 + u32::from(step)).rem_euclid(u32::from(COUNT)) as u16;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

//! OpenPGP against GnuPG: it decrypts what we encrypt, makes the certificates and messages that we judge, and reads what we
//! publish.
//!
//! The tests that run GnuPG are ignored by `cargo test` and run by `./test`, which installs it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod certificates;
mod decrypting;
#[path = "../support/gnupg.rs"]
mod gnupg;
mod publishing;
mod sq;

use aliasd::mail::Timestamp;
use aliasd::relay::openpgp::{Certificate, Inspected, Origin};

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("a clock that is right");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("a clock that is right"))
}

fn as_stored(inspected: &Inspected) -> Certificate {
    Certificate {
        fingerprint: inspected.fingerprint.clone(),
        data: inspected.data.as_slice().into(),
        origin: Origin::Imported,
    }
}

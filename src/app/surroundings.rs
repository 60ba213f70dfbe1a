//! The clock and the randomness of the running daemon.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::mail::Timestamp;
use crate::relay::ports::Surroundings;

/// The machine's.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Surroundings for System {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// # Panics
    /// When the system gives no random bytes: guessable reverse aliases and ids would be worse than a stopped task.
    fn random(&self, into: &mut [u8]) {
        let filled = aws_lc_rs::rand::fill(into);
        assert!(filled.is_ok(), "the system gives no random bytes");
    }
}

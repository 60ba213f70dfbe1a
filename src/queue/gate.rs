//! Whether the queue's tables can be written to. While they cannot, no new mail is taken and nothing is delivered: what
//! could not be committed would have to be forgotten or repeated.
//!
//! Whoever commits, or looks for what is due, tells the gate how it went. A failure closes it; only a probe that was committed opens it again.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::relay::ports::Unavailable;

/// The gate of one node.
#[derive(Debug)]
pub struct Gate {
    open: AtomicBool,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: AtomicBool::new(true) }
    }
}

impl Gate {
    /// Whether nothing has failed since the last probe.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes note of how a commit or a look went.
    pub(super) fn watch<T>(&self, result: Result<T, Unavailable>) -> Result<T, Unavailable> {
        if let Err(error) = &result
            && self.open.swap(false, Ordering::Relaxed)
        {
            tracing::error!(%error, "the queue cannot be written to: no mail is taken and none is delivered until it can");
        }
        result
    }

    /// A probe was committed.
    pub(super) fn reopen(&self) {
        if !self.open.swap(true, Ordering::Relaxed) {
            tracing::info!("the queue can be written to again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_closes_it_and_a_probe_opens_it() {
        let gate = Gate::default();
        assert_eq!(gate.watch(Ok(7)).unwrap(), 7);
        assert!(gate.is_open());
        assert!(gate.watch::<()>(Err(Unavailable("full".to_owned()))).is_err());
        assert!(gate.watch(Ok(())).is_ok() && !gate.is_open(), "one that slipped through proves nothing");
        gate.reopen();
        assert!(gate.is_open());
    }
}

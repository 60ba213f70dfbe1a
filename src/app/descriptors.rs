//! File descriptors: a connection takes one, and its delivery another.
//!
//! Many systems start a process with room for 1,024 and let it raise that to far more. Nothing here is fatal: with too few
//! descriptors the daemon works until they are used up, and then accepts again as they become free.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of this process as far as it may, and warns when it is too low for so many connections.
pub fn make_room(max_connections: usize) {
    let allowed = raised(getrlimit(Resource::Nofile));
    let needed = needed(max_connections);
    if allowed.is_some_and(|allowed| allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            "too few file descriptors for smtp.max_connections, each of which may take two; \
             raise LimitNOFILE= of the service (or ulimit -n), or lower smtp.max_connections"
        );
    }
}

/// What is allowed afterwards; none is no limit.
fn raised(limit: Rlimit) -> Option<u64> {
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of file descriptors cannot be raised");
            limit.current
        }
    }
}

/// In and out.
fn needed(max_connections: usize) -> u64 {
    (max_connections as u64).saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let before = getrlimit(Resource::Nofile);
        assert_eq!(raised(before), before.maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
        assert_eq!(needed(10_000), 20_000);
    }
}

//! Whether an address is one that this daemon listens on.

use std::net::{SocketAddr, UdpSocket};

/// Where this daemon listens.
#[derive(Debug, Clone, Default)]
pub struct Ourselves(Vec<SocketAddr>);

impl Ourselves {
    /// The addresses as they were bound, with their ports. `0.0.0.0` and `[::]` stand for every address of the machine.
    #[must_use]
    pub fn listening_on(addresses: &[SocketAddr]) -> Self {
        Self(addresses.to_vec())
    }

    /// Whether who connects there reaches us.
    #[must_use]
    pub fn are_at(&self, target: SocketAddr) -> bool {
        let target = SocketAddr::new(target.ip().to_canonical(), target.port());
        self.0.iter().any(|bound| {
            let all = bound.ip().is_unspecified();
            bound.port() == target.port()
                && (bound.ip().to_canonical() == target.ip() || all && is_of_this_machine(target))
        })
    }
}

/// Only an address of this machine can be bound. Nothing is sent.
fn is_of_this_machine(target: SocketAddr) -> bool {
    UdpSocket::bind((target.ip(), 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_ours_when_we_listen_there() {
        for (bound, target, expected) in [
            ("127.0.0.1:25", "127.0.0.1:25", true),
            ("127.0.0.1:25", "[::ffff:127.0.0.1]:25", true),
            ("127.0.0.1:25", "127.0.0.1:26", false),
            ("127.0.0.1:25", "127.0.0.2:25", false),
            ("0.0.0.0:25", "127.0.0.2:25", true),
            ("[::]:25", "127.0.0.1:25", true),
            ("[::]:25", "192.0.2.1:25", false),
        ] {
            let ourselves = Ourselves::listening_on(&[bound.parse().unwrap()]);
            assert_eq!(ourselves.are_at(target.parse().unwrap()), expected, "{bound} {target}");
        }
    }
}

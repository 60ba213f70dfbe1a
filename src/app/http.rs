//! HTTP listeners: one for admins on `api.listen`, one for strangers on `web.listen`. Each has its own paths and its own
//! room, so that strangers can neither reach what is for admins nor take its place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::net::listener::{BindError, Drained, Ends, Limits, Listener, Overload, Protocol, Slot};

/// Connections at a time, and from one address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    total: usize,
    per_address: usize,
}

impl Room {
    /// A few that look in often, not the world.
    pub(super) const FOR_ADMINS: Self = Self { total: 128, per_address: 64 };
    /// The world, which asks now and then. All of it may come through one proxy.
    pub(super) const FOR_STRANGERS: Self = Self { total: 512, per_address: 256 };
}

/// How long answers under way may take at the end.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// Addresses that are taken and not yet served.
#[derive(Debug)]
pub(super) struct Bound(Listener);

impl Bound {
    pub(super) fn bind(addresses: &[SocketAddr]) -> Result<Self, BindError> {
        Listener::bind(addresses).map(Self)
    }

    /// Serves until [`Http::stop`].
    pub(super) fn serve(self, router: Router, room: Room) -> Http {
        let Self(listener) = self;
        let (addresses, stopping) = (listener.addresses().to_vec(), CancellationToken::new());
        let limits = Limits {
            max_connections: room.total,
            max_connections_per_ip: room.per_address,
            shutdown_deadline: SHUTDOWN_DEADLINE,
        };
        let serving = tokio::spawn(listener.run(Arc::new(Door { router }), limits, stopping.clone()));
        Http { addresses, stopping, serving }
    }
}

/// HTTP that is being served.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) addresses: Vec<SocketAddr>,
    stopping: CancellationToken,
    serving: JoinHandle<Drained>,
}

impl Http {
    /// Waits until it ends without having been told to.
    pub(super) async fn broken(&mut self) {
        let _ = (&mut self.serving).await;
    }

    /// Takes no more connections, and answers what was asked.
    pub(super) async fn stop(self) {
        self.stopping.cancel();
        super::tasks::ended("HTTP listener", self.serving).await;
    }
}

/// HTTP as the protocol of a listener.
struct Door {
    router: Router,
}

impl Protocol for Door {
    async fn serve(self: Arc<Self>, stream: TcpStream, _: Ends, slot: Slot, stopping: CancellationToken) {
        api::serve(self.router.clone(), stream, stopping).await;
        drop(slot);
    }

    fn refusal(&self, _: Overload) -> Vec<u8> {
        api::TOO_MANY.to_vec()
    }
}

#[cfg(test)]
mod tests;

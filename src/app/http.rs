//! HTTP for admins: accepts on `api.listen`, and answers from what the daemon knows of itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::net::listener::{BindError, Drained, Ends, Limits, Listener, Overload, Protocol, Slot};

use super::status::DaemonStatus;

/// Connections at a time, and from one address: a few that look in often, not the world.
const MAX_CONNECTIONS: usize = 128;
const MAX_CONNECTIONS_PER_IP: usize = 64;
/// How long answers under way may take at the end.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// The address of `api.listen`, taken and not yet served.
#[derive(Debug)]
pub(super) struct Bound(Listener);

impl Bound {
    pub(super) fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Listener::bind(&[address]).map(Self)
    }

    /// Serves until [`Http::stop`].
    pub(super) fn serve(self, status: Arc<DaemonStatus>) -> Http {
        let Self(listener) = self;
        let (address, stopping) = (listener.addresses().first().copied(), CancellationToken::new());
        let limits = Limits {
            max_connections: MAX_CONNECTIONS,
            max_connections_per_ip: MAX_CONNECTIONS_PER_IP,
            shutdown_deadline: SHUTDOWN_DEADLINE,
        };
        let door = Arc::new(Door { router: api::router(status) });
        let serving = tokio::spawn(listener.run(door, limits, stopping.clone()));
        Http { address, stopping, serving }
    }
}

/// HTTP that is being served.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) address: Option<SocketAddr>,
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

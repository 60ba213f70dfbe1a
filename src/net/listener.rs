//! Listening sockets: binds them, accepts while the daemon runs, keeps the connections within their limits, and waits
//! for them at the end.
//!
//! It does not know what is spoken on a connection: that is a [`Protocol`]. A failed `accept` is never fatal (when no file
//! descriptor is left it pauses and goes on); only an address that cannot be bound is, and that shows before anything runs.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// How long to wait when the system has no file descriptor or memory for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// While that lasts the log is told no more often than this.
const ACCEPT_WARNING: Duration = Duration::from_secs(60);

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// As configured.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// How many connections there may be, and how they end.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Altogether.
    pub max_connections: usize,
    /// From one IPv4 address or one IPv6 /64.
    pub max_connections_per_ip: usize,
    /// How long running connections are waited for at the end.
    pub shutdown_deadline: Duration,
}

/// Which limit stands in the way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    /// `max_connections`.
    Total,
    /// `max_connections_per_ip`.
    Address,
}

/// What is spoken on the connections.
pub trait Protocol: Send + Sync + 'static {
    /// Serves one connection to its end. `stopping` is cancelled when the daemon stops: finish, then return. The slot is
    /// what the connection counts by; drop it as soon as the client may come back.
    fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        ends: Ends,
        slot: Slot,
        stopping: CancellationToken,
    ) -> impl Future<Output = ()> + Send;

    /// What a client is told that cannot be served.
    fn refusal(&self, overload: Overload) -> Vec<u8>;
}

/// The two ends of a connection. IPv4 addresses are IPv4, also on a dual-stack socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub remote: SocketAddr,
    /// Ourselves.
    pub local: SocketAddr,
}

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off at the deadline.
    pub cut_off: usize,
}

/// Sockets that are bound and not yet served.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Listener {
    /// Binds all addresses; must be called within a runtime. `[::]` takes IPv4 as well, unless `0.0.0.0` with the same port
    /// is in the list.
    ///
    /// # Errors
    /// Names the first address that cannot be bound; then none is.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, BindError> {
        let bind = |&address: &SocketAddr| {
            bind_one(address, stack(address, addresses)).map_err(|source| BindError { address, source })
        };
        let sockets = addresses.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let bound = |(socket, &address): (&TcpListener, &SocketAddr)| {
            socket.local_addr().map_err(|source| BindError { address, source })
        };
        let addresses = sockets.iter().zip(addresses).map(bound).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { sockets, addresses })
    }

    /// Where it listens, in the order of `bind`, with the ports that the system chose for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `stopping` is cancelled and the connections have ended, or their deadline is over.
    pub async fn run<P: Protocol>(
        self,
        protocol: Arc<P>,
        limits: Limits,
        stopping: CancellationToken,
    ) -> Drained {
        let deadline = limits.shutdown_deadline;
        let acceptor = Acceptor {
            protocol,
            places: Arc::new(Places::new(limits)),
            tracker: TaskTracker::new(),
            stopping: stopping.clone(),
            cut: CancellationToken::new(),
        };
        let accepting = TaskTracker::new();
        for socket in self.sockets {
            accepting.spawn(acceptor.clone().accept(socket));
        }
        accepting.close();
        accepting.wait().await;
        acceptor.drain(deadline).await
    }
}

/// What `[::]` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    /// IPv6 and IPv4.
    Dual,
    /// IPv6 alone.
    V6Only,
}

fn stack(address: SocketAddr, all: &[SocketAddr]) -> Stack {
    let v4_too = |other: &SocketAddr| {
        other.is_ipv4()
            && other.ip().is_unspecified()
            && other.port() == address.port()
            && address.port() != 0
    };
    if all.iter().any(v4_too) { Stack::V6Only } else { Stack::Dual }
}

fn bind_one(address: SocketAddr, stack: Stack) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(stack == Stack::V6Only)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What the accepting tasks share.
struct Acceptor<P> {
    protocol: Arc<P>,
    places: Arc<Places>,
    tracker: TaskTracker,
    stopping: CancellationToken,
    /// Cancelled when the deadline is over.
    cut: CancellationToken,
}

impl<P> Clone for Acceptor<P> {
    fn clone(&self) -> Self {
        Self {
            protocol: Arc::clone(&self.protocol),
            places: Arc::clone(&self.places),
            tracker: self.tracker.clone(),
            stopping: self.stopping.clone(),
            cut: self.cut.clone(),
        }
    }
}

impl<P: Protocol> Acceptor<P> {
    async fn accept(self, socket: TcpListener) {
        let mut quiet = Quiet::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => self.admit(stream, remote),
                Err(error) if is_about_one_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                Err(error) => {
                    if quiet.is_over(Instant::now()) {
                        tracing::warn!(%error, "cannot accept connections, trying again");
                    }
                    self.pause().await;
                }
            }
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = self.stopping.cancelled() => {}
            () = tokio::time::sleep(ACCEPT_PAUSE) => {}
        }
    }

    fn admit(&self, stream: TcpStream, remote: SocketAddr) {
        let Ok(local) = stream.local_addr() else { return };
        let ends = Ends { remote: canonical(remote), local: canonical(local) };
        match Places::take(&self.places, ends.remote.ip()) {
            Ok(slot) => self.spawn(stream, ends, slot),
            Err(overload) => {
                tracing::debug!(remote = %ends.remote, ?overload, "connection refused");
                turn_away(stream, &self.protocol.refusal(overload));
            }
        }
    }

    fn spawn(&self, stream: TcpStream, ends: Ends, slot: Slot) {
        // Small replies must not wait for the acknowledgement of the ones before.
        let _ = stream.set_nodelay(true);
        let serving = Arc::clone(&self.protocol).serve(stream, ends, slot, self.stopping.clone());
        let cut = self.cut.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = serving => {}
                () = cut.cancelled() => {}
            }
        });
    }

    async fn drain(self, deadline: Duration) -> Drained {
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok() {
            return Drained { cut_off: 0 };
        }
        let cut_off = self.tracker.len();
        self.cut.cancel();
        self.tracker.wait().await;
        Drained { cut_off }
    }
}

/// Keeps a warning that repeats itself from filling the log.
#[derive(Debug, Default)]
struct Quiet {
    until: Option<Instant>,
}

impl Quiet {
    /// Whether to warn now; if so, silence begins anew.
    fn is_over(&mut self, now: Instant) -> bool {
        let over = self.until.is_none_or(|until| now >= until);
        if over {
            self.until = Some(now + ACCEPT_WARNING);
        }
        over
    }
}

/// Errors that the next `accept` is not going to meet again (accept(2)).
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Says a last word without waiting: the send buffer of a new connection is empty, so one short write goes out or the
/// client is gone.
fn turn_away(stream: TcpStream, word: &[u8]) {
    use io::Write as _;
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(word);
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
}

/// The connections that are there.
#[derive(Debug)]
struct Places {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

impl Places {
    fn new(limits: Limits) -> Self {
        Self { limits, taken: Mutex::default() }
    }

    fn take(places: &Arc<Self>, ip: IpAddr) -> Result<Slot, Overload> {
        let client = client_of(ip);
        let mut taken = places.taken.lock();
        if taken.total >= places.limits.max_connections {
            return Err(Overload::Total);
        }
        let own = taken.by_client.entry(client).or_default();
        if *own >= places.limits.max_connections_per_ip {
            if *own == 0 {
                taken.by_client.remove(&client);
            }
            return Err(Overload::Address);
        }
        *own += 1;
        taken.total += 1;
        drop(taken);
        Ok(Slot { places: Arc::clone(places), client })
    }
}

/// Whom a connection is counted for: one host usually has a whole IPv6 /64.
fn client_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// The place of one connection; free again when it is dropped.
#[derive(Debug)]
pub struct Slot {
    places: Arc<Places>,
    client: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.total = taken.total.saturating_sub(1);
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(total: usize, per_ip: usize) -> Arc<Places> {
        Arc::new(Places::new(Limits {
            max_connections: total,
            max_connections_per_ip: per_ip,
            shutdown_deadline: Duration::ZERO,
        }))
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let places = places(3, 2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let one = Places::take(&places, ip("192.0.2.1")).unwrap();
        let _two = Places::take(&places, ip("192.0.2.1")).unwrap();
        assert_eq!(Places::take(&places, ip("192.0.2.1")).unwrap_err(), Overload::Address);
        let _other = Places::take(&places, ip("192.0.2.2")).unwrap();
        assert_eq!(Places::take(&places, ip("192.0.2.3")).unwrap_err(), Overload::Total);
        drop(one);
        drop(Places::take(&places, ip("192.0.2.1")).unwrap());
        assert_eq!(places.taken.lock().total, 2);
        assert_eq!(places.taken.lock().by_client.len(), 2);
    }

    #[test]
    fn refused_clients_leave_nothing_behind() {
        let places = places(3, 0);
        assert_eq!(Places::take(&places, "192.0.2.1".parse().unwrap()).unwrap_err(), Overload::Address);
        assert!(places.taken.lock().by_client.is_empty());
    }

    #[test]
    fn a_warning_is_given_once_a_minute() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        let answers = [0, 1, 59, 60, 61].map(|second| quiet.is_over(now + Duration::from_secs(second)));
        assert_eq!(answers, [true, false, false, true, false]);
    }

    #[test]
    fn a_v6_network_is_one_client() {
        let client = |text: &str| client_of(text.parse().unwrap());
        assert_eq!(client("2001:db8:0:1::1"), client("2001:db8:0:1:ffff::2"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8:0:2::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(canonical("[::ffff:192.0.2.1]:25".parse().unwrap()), "192.0.2.1:25".parse().unwrap());
    }

    #[test]
    fn both_stacks_on_one_port_do_not_collide() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let all = [address("[::]:25"), address("0.0.0.0:25")];
        assert_eq!(stack(all[0], &all), Stack::V6Only);
        assert_eq!(stack(all[0], &all[..1]), Stack::Dual);
        assert_eq!(stack(all[0], &[all[0], address("0.0.0.0:26")]), Stack::Dual);
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let first = Listener::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = first.addresses()[0];
        assert_ne!(address.port(), 0);
        let error = Listener::bind(&[address]).unwrap_err();
        assert_eq!(error.address, address);
        assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
    }
}

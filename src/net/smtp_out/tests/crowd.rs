//! Many deliveries at once, to a server that counts them and can be held up.

use super::*;
use futures_util::future::join_all;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::watch;

/// The address that answers at once; the others wait for the gate.
const FAST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const SLOW: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));

/// What waits for the gate on slow addresses.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    Greeting,
    FinalDot,
}

/// Takes any number of connections at all addresses of this machine.
struct Crowd {
    port: u16,
    gate: watch::Sender<bool>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    most: AtomicUsize,
    connections: AtomicUsize,
}

impl Crowd {
    async fn start(held: Held) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (gate, opens) = watch::channel(false);
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (counts, opens) = (Arc::clone(&shared), opens.clone());
                tokio::spawn(async move { counts.serve(stream, held, opens).await });
            }
        });
        Self { port, gate, counts }
    }

    fn outbound(&self, site: Limits, overall: usize) -> Outbound {
        let unused = SocketAddr::from(([127, 0, 0, 1], 1));
        let options = Options { port: self.port, ..options(unused) };
        Outbound::with_bounds(
            options,
            Connectors::opportunistic().unwrap(),
            Bounds { overall, site, ..BOUNDS },
        )
    }

    fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until so many connections are open.
    async fn has(&self, open: usize) {
        while self.counts.open.load(Ordering::SeqCst) != open {
            tokio::task::yield_now().await;
        }
    }
}

impl Counts {
    async fn serve(&self, stream: TcpStream, held: Held, opens: watch::Receiver<bool>) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _ = converse(stream, held, opens).await;
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn converse(stream: TcpStream, held: Held, mut opens: watch::Receiver<bool>) -> std::io::Result<()> {
    let held = Some(held).filter(|_| stream.local_addr().is_ok_and(|address| address.ip() != FAST));
    let mut stream = BufReader::new(stream);
    if held == Some(Held::Greeting) {
        let _ = opens.wait_for(|open| *open).await;
    }
    stream.write_all(b"220 mx\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let reply = match line.get(..4) {
            Some("EHLO") => "250-mx\r\n250 PIPELINING\r\n",
            Some("DATA") => "354 go\r\n",
            Some("MAIL" | "RCPT" | "RSET") => "250 ok\r\n",
            Some("QUIT") => "221 bye\r\n",
            _ if line == ".\r\n" => "250 taken\r\n",
            _ => continue,
        };
        if held == Some(Held::FinalDot) && line == ".\r\n" {
            tokio::select! {
                _ = opens.wait_for(|open| *open) => {}
                // The client has gone.
                _ = stream.fill_buf() => return Ok(()),
            }
        }
        stream.write_all(reply.as_bytes()).await?;
    }
}

async fn deliver_to(outbound: &Outbound, ip: IpAddr) -> String {
    let to = Address::parse(&format!("jane@[{ip}]")).unwrap();
    kind(&outbound.deliver(Delivery { to, ..message(b"hello\r\n") }).await)
}

fn at_most(most: u32) -> Limits {
    Limits { most, messages_per_session: 1000, ..Limits::STRANGERS }
}

fn assert_all_delivered(outcomes: &[String]) {
    assert!(outcomes.iter().all(|outcome| outcome == "delivered"), "{outcomes:?}");
}

#[tokio::test]
async fn a_site_gets_as_many_connections_as_its_cap_and_no_more() {
    let crowd = Crowd::start(Held::FinalDot).await;
    let outbound = crowd.outbound(at_most(5), 1000);
    let all = join_all((0..200).map(|_| deliver_to(&outbound, SLOW)));
    let opened = async {
        crowd.has(5).await;
        crowd.open_gate();
    };
    let (outcomes, ()) = tokio::join!(all, opened);
    assert_all_delivered(&outcomes);
    assert_eq!(crowd.counts.most.load(Ordering::SeqCst), 5);
    assert_eq!(crowd.counts.connections.load(Ordering::SeqCst), 5);
}

/// Connections to one host make room for those to another one.
#[tokio::test]
async fn the_hosts_of_a_site_share_its_cap() {
    const ZONE: zone::Records = &[
        ("example.net.", "MX", "10 a.example.net."),
        ("example.net.", "MX", "10 b.example.net."),
        ("a.example.net.", "A", "127.0.0.4"),
        ("b.example.net.", "A", "127.0.0.5"),
    ];
    let crowd = Crowd::start(Held::FinalDot).await;
    crowd.open_gate();
    let outbound = Outbound::with_bounds(
        Options { port: crowd.port, ..options(zone::serve(ZONE).await) },
        Connectors::opportunistic().unwrap(),
        Bounds { site: at_most(3), ..BOUNDS },
    );
    for _ in 0..10 {
        let outcomes = join_all((0..20).map(|_| deliver(&outbound))).await;
        assert_all_delivered(&outcomes);
        assert!((1..=3).contains(&outbound.shared.pool.len()));
    }
}

#[tokio::test]
async fn all_sites_together_get_no_more_than_the_overall_cap() {
    let crowd = Crowd::start(Held::FinalDot).await;
    let bounded = Outbound::with_bounds(
        Options { port: crowd.port, ..options(SocketAddr::from(([127, 0, 0, 1], 1))) },
        Connectors::opportunistic().unwrap(),
        Bounds { overall: 8, resting: 0, ..BOUNDS },
    );
    let all = join_all((1..=40).map(|n| deliver_to(&bounded, IpAddr::from([127, 0, 1, n]))));
    let opened = async {
        // Nothing is known of these sites: they get three quarters.
        crowd.has(6).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(crowd.counts.most.load(Ordering::SeqCst), 6);
        crowd.open_gate();
    };
    let (outcomes, ()) = tokio::join!(all, opened);
    assert_all_delivered(&outcomes);
}

#[tokio::test]
async fn who_waits_for_a_slot_waits_no_longer_than_its_budget() {
    let crowd = Crowd::start(Held::FinalDot).await;
    let mut outbound = crowd.outbound(at_most(2), 1000);
    options_of(&mut outbound).after_dot = Duration::from_millis(300);
    let hasty = outbound.with_budget(Duration::from_millis(300));
    let outcomes = join_all((0..10).map(|_| deliver_to(&hasty, SLOW))).await;
    let count = |kind| outcomes.iter().filter(|outcome| *outcome == kind).count();
    // The two that are under way have sent their final dot.
    assert_eq!((count("uncertain 451 4.4.2"), count("deferred 451 4.4.5")), (2, 8), "{outcomes:?}");
    // That was our time, not the server's failure.
    assert_eq!(outbound.admit(&Address::parse("jane@[127.0.0.4]").unwrap(), sites::now()), Admit::Now);
    crowd.open_gate();
    assert_eq!(deliver_to(&outbound, SLOW).await, "delivered");
}

#[tokio::test]
async fn a_delivery_that_is_given_up_gives_its_slot_back() {
    let crowd = Crowd::start(Held::FinalDot).await;
    let outbound = crowd.outbound(at_most(2), 1000);
    for _ in 0..5 {
        let all = join_all((0..10).map(|_| deliver_to(&outbound, SLOW)));
        tokio::select! {
            _ = all => panic!("the gate is closed"),
            () = crowd.has(2) => {}
        }
        crowd.has(0).await;
    }
    crowd.open_gate();
    assert_eq!(deliver_to(&outbound, SLOW).await, "delivered");
}

/// Three thousand destinations that take a connection and say nothing. Mail to the one that works passes them.
#[tokio::test]
async fn thousands_of_silent_destinations_do_not_hold_up_another_one() {
    let crowd = Crowd::start(Held::Greeting).await;
    let outbound = crowd.outbound(Limits::STRANGERS, 40);
    assert_eq!(deliver_to(&outbound, FAST).await, "delivered");
    let silent = (0..3000_u32).map(|n| {
        let [_, _, high, low] = n.to_be_bytes();
        let outbound = outbound.clone();
        tokio::spawn(async move { deliver_to(&outbound, IpAddr::from([127, 1, high, low])).await })
    });
    let silent: Vec<_> = silent.collect();
    // The connection to the fast one rests, and is the thirty-first.
    crowd.has(31).await;
    let outcomes = join_all((0..200).map(|_| deliver_to(&outbound, FAST))).await;
    assert_all_delivered(&outcomes);
    assert!(silent.iter().all(|delivery| !delivery.is_finished()), "one was over already");
    silent.iter().for_each(JoinHandle::abort);
}

//! Deliveries over loopback to a server that follows a script.
//!
//! A script has one step a line: `S:` it sends a line, `C:` a line must come that starts with this, `C=` one that is this
//! and no more, `TEXT` reads up to the final dot, `CLOSE` breaks off, `TLS` shakes hands, `WAIT` is silent for so many milliseconds. A script that
//! ends waits for the client to close, which an [`Outbound`] does when it is dropped.

mod crowd;
mod reuse;

use super::errand::{Target, Tried, kind};
use super::*;
use crate::net::dns::zone;
use crate::net::smarthost::HostName;
use crate::net::tls::provider;
use crate::smtp::client::InClear;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// A connection seen from the server.
struct Scripted {
    stream: Option<Either<TcpStream, Box<TlsStream<TcpStream>>>>,
    unread: Vec<u8>,
    text: Vec<u8>,
    tls: Option<Arc<ServerConfig>>,
}

impl Scripted {
    async fn follow(mut self, script: &str) -> Vec<u8> {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("S:", text) => self.say(text).await,
                ("C:", text) => {
                    let heard = self.hear(b"\r\n").await;
                    assert!(heard.starts_with(text.as_bytes()), "{text} is not {}", heard.escape_ascii());
                }
                ("C=", text) => {
                    let heard = self.hear(b"\r\n").await;
                    assert_eq!(heard.escape_ascii().to_string(), format!("{text}\\r\\n"));
                }
                ("TEXT", _) => self.text = self.hear(b"\r\n.\r\n").await,
                ("TLS", _) => self.shake_hands().await,
                ("WAIT", text) => tokio::time::sleep(Duration::from_millis(text.parse().unwrap())).await,
                ("REST", _) => break,
                ("CLOSE", _) => return self.text,
                _ => panic!("no such step: {line}"),
            }
        }
        let _ = self.stream().read_to_end(&mut Vec::new()).await;
        self.text
    }

    fn stream(&mut self) -> &mut Either<TcpStream, Box<TlsStream<TcpStream>>> {
        self.stream.as_mut().unwrap()
    }

    async fn say(&mut self, text: &str) {
        let line = format!("{}\r\n", text.replace("\\n", "\r\n"));
        self.stream().write_all(line.as_bytes()).await.unwrap();
        self.stream().flush().await.unwrap();
    }

    async fn hear(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.unread, end) {
                return self.unread.drain(..at + end.len()).collect();
            }
            let mut unread = std::mem::take(&mut self.unread);
            let length = self.stream().read_buf(&mut unread).await.unwrap();
            assert_ne!(length, 0, "closed after {}", unread.escape_ascii());
            self.unread = unread;
        }
    }

    async fn shake_hands(&mut self) {
        assert!(self.unread.is_empty());
        let Some(Either::Left(tcp)) = self.stream.take() else { panic!("TLS in TLS") };
        let acceptor = TlsAcceptor::from(self.tls.clone().unwrap());
        self.stream = Some(Either::Right(Box::new(acceptor.accept(tcp).await.unwrap())));
    }
}

/// Follows one script for each connection, in their order; gives the messages that came.
struct Server {
    address: SocketAddr,
    task: JoinHandle<Vec<Vec<u8>>>,
}

impl Server {
    async fn start(scripts: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", scripts, None).await
    }

    async fn start_at(address: &str, scripts: &[&str], tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let scripts: Vec<String> = scripts.iter().map(|&script| script.to_owned()).collect();
        let task = tokio::spawn(async move {
            let mut texts = Vec::new();
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                let stream = Some(Either::Left(stream));
                let connection = Scripted { stream, unread: Vec::new(), text: Vec::new(), tls: tls.clone() };
                texts.push(connection.follow(&script).await);
            }
            texts
        });
        Self { address, task }
    }

    /// The message of each connection, as it came over the wire.
    async fn texts(self) -> Vec<Vec<u8>> {
        self.task.await.unwrap()
    }
}

struct Pki {
    server: Arc<ServerConfig>,
    client: ClientConfig,
}

fn pki() -> Pki {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let server =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let server =
        server.with_no_client_auth().with_single_cert(vec![certificate.clone()], key.into()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    Pki { server: Arc::new(server), client: client.with_root_certificates(roots).with_no_client_auth() }
}

fn options(dns: SocketAddr) -> Options {
    Options {
        hostname: DomainName::parse("relay.example.com").unwrap(),
        smarthost: None,
        ourselves: Ourselves::default(),
        port: 25,
        dns: Dns::new(&[dns]).unwrap(),
        budget: Duration::from_secs(20),
        after_dot: AFTER_DOT,
    }
}

fn to_smarthost_by(url: &str, tls: Connectors, bounds: Bounds) -> Outbound {
    let unused = SocketAddr::from(([127, 0, 0, 1], 1));
    Outbound::with_bounds(Options { smarthost: Some(url.parse().unwrap()), ..options(unused) }, tls, bounds)
}

/// Sends all mail to `url`.
fn to_smarthost(url: &str) -> Outbound {
    to_smarthost_by(url, Connectors::opportunistic().unwrap(), BOUNDS)
}

/// As that, and trusts whom `client` trusts.
fn verified(url: &str, client: &ClientConfig) -> Outbound {
    to_smarthost_by(url, Connectors::opportunistic().unwrap().verified_by(client.clone()), BOUNDS)
}

/// Of one that has no clones yet.
fn options_of(outbound: &mut Outbound) -> &mut Options {
    &mut Arc::get_mut(&mut outbound.shared).unwrap().options
}

fn to(server: &Server) -> Outbound {
    to_smarthost(&format!("smtp://{}", server.address))
}

async fn to_mx(records: zone::Records, port: u16) -> Outbound {
    let options = Options { port, ..options(zone::serve(records).await) };
    Outbound::with_connectors(options, Connectors::opportunistic().unwrap())
}

fn message(body: &[u8]) -> Delivery {
    let content = Content {
        head: Bytes::from_static(b"Subject: x\r\n\r\n"),
        body: Bytes::copy_from_slice(body),
        eight_bit: false,
        smtputf8: false,
    };
    let to = Address::parse("jane@example.net").unwrap();
    Delivery {
        id: "1".to_owned(),
        from: ReversePath::Null,
        to,
        content,
        dsn: None,
        privacy: crate::relay::openpgp::Privacy::Open,
    }
}

async fn deliver(outbound: &Outbound) -> String {
    kind(&outbound.deliver(message(b"hello\r\n")).await)
}

const HELLO: &str = "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 PIPELINING\n";
const ENVELOPE: &str = "C: MAIL FROM:<>\nC: RCPT TO:<jane@example.net>\nC: DATA\n";
const TAKEN: &str = "S: 250 ok\\n250 ok\\n354 go\nTEXT\nS: 250 2.0.0 taken\n";

fn taking() -> String {
    format!("{HELLO}{ENVELOPE}{TAKEN}")
}

#[tokio::test]
async fn a_message_arrives_as_it_was() {
    let server = Server::start(&[&taking()]).await;
    let body = b".\r\n..a\r\n\r\n.b\r\nno end".repeat(50_000);
    let outcome = to(&server).deliver(message(&body)).await;
    let Outcome::Delivered(delivered) = outcome else { panic!("{outcome:?}") };
    assert_eq!(delivered.reply, "250 2.0.0 taken");
    assert_eq!(delivered.host, server.address.to_string());
    let text = String::from_utf8(server.texts().await.remove(0)).unwrap();
    let text = text.strip_suffix(".\r\n").unwrap();
    let unstuffed: Vec<&str> =
        text.split("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
    assert_eq!(
        unstuffed.join("\r\n").as_bytes(),
        [b"Subject: x\r\n\r\n".as_slice(), &body, b"\r\n"].concat()
    );
}

#[tokio::test]
async fn refusals_at_every_turn() {
    for (script, expected) in [
        ("S: 554 5.3.2 no mail here".to_owned(), "deferred 451 4.3.2"),
        ("S: 421 4.3.2 busy".to_owned(), "deferred 421 4.3.2"),
        ("S: junk".to_owned(), "deferred 451 4.5.0"),
        ("S: 220 mx\nC: EHLO\nS: 550 no\nC: HELO\nS: 550 no".to_owned(), "deferred 451 4.0.0"),
        (format!("{HELLO}{ENVELOPE}S: 450 4.7.1 wait\\n503 no\\n503 no"), "deferred 450 4.7.1"),
        (format!("{HELLO}{ENVELOPE}S: 550 5.7.1 no\\n503 no\\n503 no"), "rejected 550 5.7.1"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n450 4.2.1 x\\n503 no"), "deferred 450 4.2.1"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n550 5.1.1 x\\n554 no"), "rejected 550 5.1.1"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n550 5.1.1 x\\n354 go"), "rejected 550 5.1.1"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n451 4.3.0 x"), "deferred 451 4.3.0"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nTEXT\nS: 451 4.3.0 x"), "deferred 451 4.3.0"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nTEXT\nS: 554 5.7.1 x"), "rejected 554 5.7.1"),
    ] {
        let server = Server::start(&[&script]).await;
        assert_eq!(deliver(&to(&server)).await, expected, "{script}");
        server.texts().await;
    }
}

#[tokio::test]
async fn a_lost_connection_is_uncertain_only_after_the_dot() {
    for (script, expected) in [
        ("CLOSE".to_owned(), "deferred 451 4.4.2"),
        (format!("{HELLO}{ENVELOPE}CLOSE"), "deferred 451 4.4.2"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\nCLOSE"), "deferred 451 4.4.2"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nTEXT\nCLOSE"), "uncertain 451 4.4.2"),
        (
            format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nTEXT\nS: 250-half\nCLOSE"),
            "uncertain 451 4.4.2",
        ),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nTEXT\nS: junk"), "uncertain 451 4.5.0"),
    ] {
        let server = Server::start(&[&script]).await;
        assert_eq!(deliver(&to(&server)).await, expected, "{script}");
    }
}

/// The message is far larger than all socket buffers, so the break comes while it is being written.
#[tokio::test]
async fn a_server_that_breaks_off_within_the_message_has_not_taken_it() {
    for (end, expected) in
        [("CLOSE", "deferred 451 4.4.2"), ("S: 552 5.3.4 too big\nCLOSE", "rejected 552 5.3.4")]
    {
        let script = format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nC: Subject\n{end}");
        let server = Server::start(&[&script]).await;
        let body = b"0123456789012345678901234567890\r\n".repeat(1_000_000);
        assert_eq!(kind(&to(&server).deliver(message(&body)).await), expected, "{end}");
    }
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_budget() {
    for (script, expected) in [
        (String::new(), "deferred 451 4.4.2"),
        (format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nTEXT"), "uncertain 451 4.4.2"),
    ] {
        let server = Server::start(&[&script]).await;
        let mut outbound = to(&server);
        options_of(&mut outbound).after_dot = Duration::from_millis(300);
        let outbound = outbound.with_budget(Duration::from_millis(300));
        assert_eq!(deliver(&outbound).await, expected);
    }
}

/// To give up would be to deliver it again with the next try.
#[tokio::test]
async fn a_server_may_need_longer_than_the_budget_after_the_dot() {
    let slow = format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nTEXT\nWAIT 900\nS: 250 ok");
    let server = Server::start(&[&slow]).await;
    let outbound = to(&server).with_budget(Duration::from_millis(600));
    assert_eq!(deliver(&outbound).await, "delivered");
}

/// What was said before the dot is not the answer to it. The message is larger than all socket buffers.
#[tokio::test]
async fn a_reply_before_the_dot_does_not_count() {
    let body = b"0123456789012345678901234567890\r\n".repeat(1_000_000);
    for (stray, expected) in [("250 2.0.0 ok", "deferred 451 4.5.0"), ("451 4.3.0 x", "deferred 451 4.3.0")] {
        let script = format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nC: Subject\nS: {stray}\nREST");
        let server = Server::start(&[&script]).await;
        assert_eq!(kind(&to(&server).deliver(message(&body)).await), expected, "{stray}");
    }
}

#[tokio::test]
async fn a_message_that_could_smuggle_is_not_sent() {
    let outbound = to_smarthost("smtp://127.0.0.1:1");
    for body in [b"a\n.\nb\r\n".as_slice(), b"a\r.\rb\r\n", b"a\r\n\r"] {
        assert_eq!(kind(&outbound.deliver(message(body)).await), "rejected 554 5.6.0");
    }
}

const STARTTLS: &str =
    "S: 220 mx\nC: EHLO relay.example.com\nS: 250-mx\nS: 250-PIPELINING\nS: 250 STARTTLS\nC: STARTTLS\n";
const HELLO_AGAIN: &str = "TLS\nC: EHLO relay.example.com\nS: 250-mx\nS: 250 PIPELINING\n";

#[tokio::test]
async fn opportunistic_tls_takes_any_certificate() {
    let pki = pki();
    let script = format!("{STARTTLS}S: 220 go\n{HELLO_AGAIN}{ENVELOPE}{TAKEN}");
    let server = Server::start_at("127.0.0.1:0", &[&script], Some(pki.server)).await;
    assert_eq!(deliver(&to(&server)).await, "delivered");
    assert_eq!(server.texts().await, [b"Subject: x\r\n\r\nhello\r\n.\r\n"]);
}

#[tokio::test]
async fn a_large_message_arrives_through_tls() {
    let pki = pki();
    let script = format!("{STARTTLS}S: 220 go\n{HELLO_AGAIN}{ENVELOPE}{TAKEN}");
    let server = Server::start_at("127.0.0.1:0", &[&script], Some(pki.server)).await;
    let body = b"0123456789.\r\n".repeat(100_000);
    assert_eq!(kind(&to(&server).deliver(message(&body)).await), "delivered");
    let text = server.texts().await.remove(0);
    assert_eq!(text, [b"Subject: x\r\n\r\n".as_slice(), &body, b".\r\n"].concat());
}

#[tokio::test]
async fn a_failed_handshake_is_tried_again_in_clear() {
    let broken = format!("{STARTTLS}S: 220 go\nS: this is no TLS");
    let server = Server::start(&[&broken, &taking()]).await;
    assert_eq!(deliver(&to(&server)).await, "delivered");
    server.texts().await;
}

/// Octets right behind the 220 (CVE-2011-0411) end the connection; they are never taken for replies inside TLS.
#[tokio::test]
async fn injected_replies_end_the_connection() {
    let attack = "S: 220 go\\n250-mx\\n250 AUTH PLAIN";
    let server = Server::start(&[&format!("{STARTTLS}{attack}")]).await;
    assert_eq!(deliver(&to(&server)).await, "deferred 451 4.5.0");
    server.texts().await;
}

#[tokio::test]
async fn verified_tls_wants_a_trusted_certificate() {
    let (good, other) = (pki(), pki());
    for (scheme, open) in
        [("smtp+starttls", format!("{STARTTLS}S: 220 go\n{HELLO_AGAIN}")), ("smtps", format!("TLS\n{HELLO}"))]
    {
        for (trusted, expected) in [(&good.client, "delivered"), (&other.client, "deferred 451")] {
            let script = format!("{open}{ENVELOPE}{TAKEN}");
            let server = Server::start_at("127.0.0.1:0", &[&script], Some(Arc::clone(&good.server))).await;
            let outbound = verified(&format!("{scheme}://{}", server.address), trusted);
            let outcome = deliver(&outbound).await;
            assert!(outcome.starts_with(expected), "{scheme}: {outcome} is not {expected}");
        }
    }
}

#[tokio::test]
async fn starttls_that_is_not_offered_defers_where_it_is_required() {
    let server = Server::start(&[HELLO]).await;
    let outbound = verified(&format!("smtp+starttls://{}", server.address), &pki().client);
    assert_eq!(deliver(&outbound).await, "deferred 454 4.7.10");
}

#[tokio::test]
async fn a_login_goes_to_the_smarthost() {
    let hello = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250-PIPELINING\nS: 250 AUTH PLAIN LOGIN\nC: AUTH PLAIN AGphbmUAcy9jcmV0\n";
    for (answer, expected) in [
        (format!("S: 235 2.7.0 ok\n{ENVELOPE}{TAKEN}"), "delivered"),
        ("S: 535 5.7.8 wrong".to_owned(), "deferred 454 4.7.8"),
    ] {
        let server = Server::start(&[&format!("{hello}{answer}")]).await;
        let outbound = to_smarthost(&format!("smtp://jane:s%2Fcret@{}", server.address));
        assert_eq!(deliver(&outbound).await, expected);
        drop(outbound);
        server.texts().await;
    }
}

#[test]
fn a_password_leaves_this_machine_only_in_tls() {
    let smarthost: Smarthost = "smtp://127.0.0.1".parse().unwrap();
    let next_hop = |scheme| NextHop { scheme, ..NextHop::smarthost(&smarthost, Limits::SMARTHOST) };
    for (scheme, ip, expected) in [
        (Scheme::Smtp, "127.0.0.1", InClear::Allowed),
        (Scheme::Smtp, "192.0.2.1", InClear::Refused),
        (Scheme::StartTls, "127.0.0.1", InClear::Refused),
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        let target =
            Target { next_hop: &next_hop(scheme), host: &HostName::Ip(ip), ip, open_until: Instant::now() };
        assert_eq!(target.in_clear(), expected, "{scheme:?} {ip}");
    }
}

/// The first host refuses the connection: nobody listens there on this port.
const TWO_HOSTS: zone::Records = &[
    ("example.net.", "MX", "10 a.example.net."),
    ("example.net.", "MX", "20 b.example.net."),
    ("a.example.net.", "A", "127.0.0.3"),
    ("b.example.net.", "A", "127.0.0.2"),
];

#[tokio::test]
async fn the_second_host_is_tried_when_the_first_is_away() {
    let server = Server::start_at("127.0.0.2:0", &[&taking()], None).await;
    let port = server.address.port();
    let outcome = to_mx(TWO_HOSTS, port).await.deliver(message(b"hello\r\n")).await;
    let Outcome::Delivered(delivered) = outcome else { panic!("{outcome:?}") };
    assert_eq!(delivered.host, format!("b.example.net[127.0.0.2]:{port}"));
    server.texts().await;
}

#[tokio::test]
async fn mail_does_not_come_back_to_ourselves() {
    let server = Server::start_at("127.0.0.2:0", &[&taking()], None).await;
    let port = server.address.port();
    let at = |ip: [u8; 4]| SocketAddr::from((ip, port));
    for (ours, expected) in [
        (vec![at([127, 0, 0, 3])], "delivered"),
        (vec![at([127, 0, 0, 3]), at([127, 0, 0, 2])], "rejected 554 5.4.6"),
    ] {
        let mut outbound = to_mx(TWO_HOSTS, port).await;
        options_of(&mut outbound).ourselves = Ourselves::listening_on(&ours);
        assert_eq!(deliver(&outbound).await, expected);
    }
}

/// It takes the connection and says nothing.
#[tokio::test]
async fn a_silent_host_leaves_time_for_the_second() {
    let silent = Server::start_at("127.0.0.3:0", &[""], None).await;
    let port = silent.address.port();
    let second = Server::start_at(&format!("127.0.0.2:{port}"), &[&taking()], None).await;
    let outbound = to_mx(TWO_HOSTS, port).await.with_budget(Duration::from_secs(2));
    assert_eq!(deliver(&outbound).await, "delivered");
    second.texts().await;
}

/// Ten hosts are tried, all of which lack an extension; the eleventh might have it.
#[tokio::test]
async fn hosts_that_were_not_tried_refuse_nothing() {
    const MANY: zone::Records = &[
        ("example.net.", "MX", "1 h.example.net."),
        ("example.net.", "MX", "2 h.example.net."),
        ("example.net.", "MX", "3 h.example.net."),
        ("example.net.", "MX", "4 h.example.net."),
        ("example.net.", "MX", "5 h.example.net."),
        ("example.net.", "MX", "6 h.example.net."),
        ("example.net.", "MX", "7 h.example.net."),
        ("example.net.", "MX", "8 h.example.net."),
        ("example.net.", "MX", "9 h.example.net."),
        ("example.net.", "MX", "10 h.example.net."),
        ("example.net.", "MX", "11 h.example.net."),
        ("h.example.net.", "A", "127.0.0.3"),
    ];
    let server = Server::start_at("127.0.0.3:0", &[HELLO; errand::MAX_HOSTS], None).await;
    let outbound = to_mx(MANY, server.address.port()).await;
    let mut eight_bit = message("grüße\r\n".as_bytes());
    eight_bit.content.eight_bit = true;
    assert_eq!(kind(&outbound.deliver(eight_bit).await), "deferred 451 4.4.1");
}

#[tokio::test]
async fn the_second_host_is_asked_only_when_the_first_was_not_definite() {
    let greylisted = format!("{HELLO}{ENVELOPE}S: 250 ok\\n450 4.7.1 later\\n503 no");
    let unknown = format!("{HELLO}{ENVELOPE}S: 250 ok\\n550 5.1.1 no\\n503 no");
    let silent = format!("{HELLO}{ENVELOPE}S: 250 ok\\n250 ok\\n354 go\nTEXT\nCLOSE");
    for (first, second, expected) in [
        (&greylisted, Some(taking()), "delivered"),
        (&greylisted, None, "deferred 450 4.7.1"),
        (&unknown, Some(taking()), "rejected 550 5.1.1"),
        (&silent, Some(taking()), "uncertain 451 4.4.2"),
    ] {
        let first = Server::start_at("127.0.0.3:0", &[first], None).await;
        let port = first.address.port();
        if let Some(second) = second {
            Server::start_at(&format!("127.0.0.2:{port}"), &[&second], None).await;
        }
        assert_eq!(deliver(&to_mx(TWO_HOSTS, port).await).await, expected);
    }
}

#[tokio::test]
async fn a_host_that_lacks_an_extension_leads_to_the_next() {
    let first = Server::start_at("127.0.0.3:0", &[HELLO, HELLO], None).await;
    let port = first.address.port();
    let capable = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250-PIPELINING\nS: 250 8BITMIME\nC: MAIL FROM:<> BODY=8BITMIME\nC: RCPT\nC: DATA\n";
    let second =
        Server::start_at(&format!("127.0.0.2:{port}"), &[&format!("{capable}{TAKEN}"), HELLO], None).await;
    let mut eight_bit = message("grüße\r\n".as_bytes());
    eight_bit.content.eight_bit = true;
    for expected in ["delivered", "rejected 550 5.6.3"] {
        let outcome = to_mx(TWO_HOSTS, port).await.deliver(eight_bit.clone()).await;
        assert_eq!(kind(&outcome), expected);
    }
    second.texts().await;
}

#[tokio::test]
async fn domains_without_a_host_for_us() {
    const ZONE: zone::Records = &[
        ("null.example.net.", "MX", "0 ."),
        ("loop.example.net.", "MX", "10 relay.example.com."),
        ("loop.example.net.", "MX", "20 a.example.net."),
        ("empty.example.net.", "TXT", ""),
        ("fail.example.net.", "FAIL", ""),
        ("lost.example.net.", "MX", "10 gone.example.net."),
    ];
    let outbound = to_mx(ZONE, 1).await;
    for (domain, expected) in [
        ("null.example.net", "rejected 556 5.1.10"),
        ("loop.example.net", "rejected 554 5.4.6"),
        ("empty.example.net", "rejected 550 5.4.4"),
        ("fail.example.net", "deferred 451 4.4.3"),
        ("gone.example.net", "rejected 550 5.1.2"),
        ("lost.example.net", "rejected 550 5.4.4"),
        ("[127.0.0.1]", "deferred 451 4.4.1"),
        ("[IPv6:::1]", "deferred 451 4.4.1"),
    ] {
        let to = Address::parse(&format!("jane@{domain}")).unwrap();
        let outcome = outbound.deliver(Delivery { to, ..message(b"x\r\n") }).await;
        assert_eq!(kind(&outcome), expected, "{domain}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_smarthost_that_is_not_found_returns_no_mail() {
    let dns = zone::serve(&[]).await;
    let smarthost = Some("smtp://smarthost.example.com".parse().unwrap());
    let options = Options { smarthost, ..options(dns) };
    let outbound = Outbound::with_connectors(options, Connectors::opportunistic().unwrap());
    assert_eq!(deliver(&outbound).await, "deferred 451 4.4.4");
}

#[test]
fn the_most_telling_failure_is_reported() {
    let failure =
        |enhanced| Failure { code: 451, enhanced, text: String::new(), words: Words::Ours, host: None };
    let said = || Outcome::Deferred(failure((4, 7, 1)));
    let away = || Outcome::Deferred(failure((4, 4, 1)));
    let lacks = || Outcome::Rejected(failure((5, 6, 3)));
    for (list, expected) in [
        (vec![away(), said(), lacks()], said()),
        (vec![lacks(), away()], away()),
        (vec![lacks()], lacks()),
        (vec![said(), Outcome::Deferred(failure((4, 2, 2)))], said()),
    ] {
        let mut tried = Tried::default();
        list.into_iter().for_each(|outcome| tried.add(outcome));
        assert_eq!(tried.most_telling(), expected);
    }
}

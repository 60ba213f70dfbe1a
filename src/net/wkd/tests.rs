use std::net::Ipv4Addr;

use parking_lot::Mutex;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::dns::zone::{self, Records};
use super::super::tls::provider;
use super::*;

/// What a server does with each request.
#[derive(Clone)]
enum Answer {
    /// Sends this and closes.
    Send(Vec<u8>),
    /// Sends this and stays silent.
    Hang(Vec<u8>),
    /// This octet without end.
    Flood(u8),
}

/// A TLS server on loopback.
struct Server {
    address: SocketAddr,
    tls: Connectors,
    /// First lines and hosts of the requests so far.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Has a certificate for these names.
    async fn start(names: &[&str], answer: Answer) -> Self {
        let (server, tls) = pki(names);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer, log) = (server.clone(), answer.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        speak(stream, answer, &log).await;
                    }
                });
            }
        });
        Self { address, tls, asked }
    }

    async fn client(&self, records: Records, reach: Reach) -> Wkd {
        let dns = Dns::new(&[zone::serve(records).await]).unwrap();
        Wkd::new(Options { dns, tls: self.tls.clone(), reach, port: self.address.port() }).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

fn pki(names: &[&str]) -> (TlsAcceptor, Connectors) {
    let made =
        rcgen::generate_simple_self_signed(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    let made = made.unwrap();
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
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), Connectors::opportunistic().unwrap().verified_by(client))
}

type Stream = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

async fn speak(mut stream: Stream, answer: Answer, log: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("-");
    let host = host.split(':').next().unwrap_or("-");
    log.lock().push(format!("{host} {}", head.lines().next().unwrap()));
    // The client may have gone.
    match answer {
        Answer::Send(octets) => {
            let _ = stream.write_all(&octets).await;
            let _ = stream.shutdown().await;
        }
        Answer::Hang(octets) => {
            let _ = stream.write_all(&octets).await;
            let _ = stream.flush().await;
            std::future::pending::<()>().await;
        }
        Answer::Flood(octet) => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let piece = vec![octet; 16 * 1024];
            while stream.write_all(&piece).await.is_ok() {}
        }
    }
}

fn response(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

const NAMES: &[&str] = &["openpgpkey.example.org", "example.org"];
const BOTH: Records = &[("openpgpkey.example.org.", "A", "127.0.0.1"), ("example.org.", "A", "127.0.0.1")];
const DIRECT_ONLY: Records = &[("example.org.", "A", "127.0.0.1")];
const HASH: &str = "iy9q119eutrkn8s1mk4r39qejnbu3n5q";

fn joe() -> Address {
    "Joe.Doe@example.org".parse().unwrap()
}

async fn outcome(answer: Answer) -> Result<Vec<u8>, String> {
    let server = Server::start(NAMES, answer).await;
    let found = server.client(BOTH, Reach::Anywhere).await.discover(&joe()).await;
    found.map_err(|DiscoveryFailed(why)| why)
}

#[tokio::test]
async fn the_host_of_its_own_is_asked_first() {
    let server = Server::start(NAMES, Answer::Send(response("200 OK", "", b"certificate"))).await;
    let found = server.client(BOTH, Reach::Anywhere).await.discover(&joe()).await;
    assert_eq!(found, Ok(b"certificate".to_vec()));
    let path = format!("GET /.well-known/openpgpkey/example.org/hu/{HASH}?l=Joe.Doe HTTP/1.1");
    assert_eq!(server.asked(), [format!("openpgpkey.example.org {path}")]);
}

#[tokio::test]
async fn the_domain_itself_is_asked_when_that_host_is_not_there() {
    let server = Server::start(NAMES, Answer::Send(response("200 OK", "", b"certificate"))).await;
    let found = server.client(DIRECT_ONLY, Reach::Anywhere).await.discover(&joe()).await;
    assert_eq!(found, Ok(b"certificate".to_vec()));
    let path = format!("GET /.well-known/openpgpkey/hu/{HASH}?l=Joe.Doe HTTP/1.1");
    assert_eq!(server.asked(), [format!("example.org {path}")]);
}

#[tokio::test]
async fn the_domain_itself_is_not_asked_when_that_host_has_nothing_or_fails() {
    for (status, expected) in [("404 Not Found", Ok(())), ("410 Gone", Ok(())), ("503 Busy", Err(()))] {
        let server = Server::start(NAMES, Answer::Send(response(status, "", b"no such key"))).await;
        let found = server.client(BOTH, Reach::Anywhere).await.discover(&joe()).await;
        assert_eq!(found.map(|file| assert!(file.is_empty())).map_err(drop), expected, "{status}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_domain_without_hosts_publishes_nothing() {
    let server = Server::start(NAMES, Answer::Send(Vec::new())).await;
    let client = server.client(&[], Reach::Anywhere).await;
    assert_eq!(client.discover(&joe()).await, Ok(Vec::new()));
    assert_eq!(client.discover(&"joe@[127.0.0.1]".parse().unwrap()).await, Ok(Vec::new()));
    assert_eq!(server.asked(), [""; 0]);
}

#[tokio::test]
async fn a_silent_name_server_is_a_failure() {
    const FAILS: Records = &[("openpgpkey.example.org.", "FAIL", ""), ("example.org.", "A", "127.0.0.1")];
    let server = Server::start(NAMES, Answer::Send(response("200 OK", "", b"certificate"))).await;
    let DiscoveryFailed(why) =
        server.client(FAILS, Reach::Anywhere).await.discover(&joe()).await.unwrap_err();
    assert!(why.starts_with("openpgpkey.example.org: the DNS gave no answer"), "{why}");
    assert_eq!(server.asked(), [""; 0]);
}

#[tokio::test]
async fn nobody_is_connected_to_who_is_not_public() {
    const CLOSED: Records = &[
        ("openpgpkey.example.org.", "A", "127.0.0.1"),
        ("openpgpkey.example.org.", "A", "10.0.0.1"),
        ("openpgpkey.example.org.", "AAAA", "::1"),
        ("openpgpkey.example.org.", "AAAA", "fd00::1"),
        ("openpgpkey.example.org.", "AAAA", "::ffff:127.0.0.1"),
    ];
    let server = Server::start(NAMES, Answer::Send(response("200 OK", "", b"secret"))).await;
    let DiscoveryFailed(why) = server.client(CLOSED, Reach::Public).await.discover(&joe()).await.unwrap_err();
    assert!(why.ends_with("it has no public address"), "{why}");
    assert!(!why.to_lowercase().contains("joe"), "{why}");
    assert_eq!(server.asked(), [""; 0]);
}

#[tokio::test]
async fn a_domain_that_is_an_address_in_a_url_is_not_asked() {
    const ADDRESSES: Records =
        &[("127.0.0.1.", "A", "8.8.8.8"), ("0x7f000001.", "A", "8.8.8.8"), ("127.1.", "A", "8.8.8.8")];
    let server = Server::start(NAMES, Answer::Send(response("200 OK", "", b"secret"))).await;
    let client = server.client(ADDRESSES, Reach::Anywhere).await;
    for host in ["127.0.0.1", "0x7f000001", "127.1"] {
        let address = format!("joe@{host}").parse().unwrap();
        let DiscoveryFailed(why) = client.discover(&address).await.unwrap_err();
        assert!(why.ends_with("this cannot be the name of a host"), "{host}: {why}");
    }
    assert_eq!(server.asked(), [""; 0]);
}

#[tokio::test]
async fn the_certificate_must_be_for_the_host() {
    let server = Server::start(&["www.example.org"], Answer::Send(response("200 OK", "", b"key"))).await;
    let DiscoveryFailed(why) = server.client(BOTH, Reach::Anywhere).await.discover(&joe()).await.unwrap_err();
    assert!(why.contains("certificate"), "{why}");
    let other = pki(NAMES).1;
    let server = Server { tls: other, ..Server::start(NAMES, Answer::Send(Vec::new())).await };
    let DiscoveryFailed(why) = server.client(BOTH, Reach::Anywhere).await.discover(&joe()).await.unwrap_err();
    assert!(why.contains("certificate"), "{why}");
    assert_eq!(server.asked(), [""; 0]);
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let elsewhere = "Location: https://example.org/key\r\n";
        let why = outcome(Answer::Send(response(status, elsewhere, b""))).await.unwrap_err();
        assert_eq!(why, "openpgpkey.example.org: it answered with a redirection, which is not followed");
    }
}

#[tokio::test]
async fn any_type_is_taken() {
    let html = response("200 OK", "Content-Type: text/html\r\n", b"<html>");
    assert_eq!(outcome(Answer::Send(html)).await, Ok(b"<html>".to_vec()));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_short() {
    let large = vec![0; MAX_ANSWER + 1];
    let told = Answer::Send(response("200 OK", "", &large));
    for answer in [Answer::Flood(0), told] {
        let why = outcome(answer).await.unwrap_err();
        assert!(why.ends_with("it answered with more than 256 KiB"), "{why}");
    }
    let most = vec![0; MAX_ANSWER];
    let found = outcome(Answer::Send(response("200 OK", "", &most))).await;
    assert_eq!(found.map(|file| file.len()), Ok(MAX_ANSWER));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure() {
    for octets in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"220 mx.example.org ESMTP\r\n",
        b"",
    ] {
        let why = outcome(Answer::Send(octets.to_vec())).await.unwrap_err();
        assert!(why.starts_with("openpgpkey.example.org: "), "{why}");
        assert!(!why.to_lowercase().contains("joe") && !why.contains(HASH), "{why}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_given_up() {
    let begun = [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"];
    let started = tokio::time::Instant::now();
    let all = begun.map(|octets| outcome(Answer::Hang(octets.to_vec())));
    for found in futures_util::future::join_all(all).await {
        assert_eq!(found, Err("example.org did not answer within 5 seconds".to_owned()));
    }
    assert!(started.elapsed() < 2 * PATIENCE, "{:?}", started.elapsed());
}

#[test]
fn without_roots_there_is_no_client() {
    let dns = Dns::new(&[SocketAddr::from(([127, 0, 0, 1], 53))]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made =
        runtime.block_on(async { Wkd::new(Options::public(dns, Connectors::opportunistic().unwrap())) });
    assert!(made.is_err());
}

use std::net::SocketAddr;

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// A client's end of a connection that is being served.
struct Served {
    stream: TcpStream,
    serving: JoinHandle<()>,
    stopping: CancellationToken,
}

async fn connect() -> Served {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let router = Router::new().route("/hello", get(async || "hello"));
    let stopping = CancellationToken::new();
    let serving = tokio::spawn(serve(router, accepted, stopping.clone()));
    Served { stream, serving, stopping }
}

impl Served {
    async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    /// One response with this body.
    async fn until(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            assert_ne!(self.stream.read_buf(&mut heard).await.unwrap(), 0, "{heard:?}");
        }
        String::from_utf8(heard).unwrap()
    }

    /// Everything until the server closes.
    async fn rest(mut self) -> String {
        let mut heard = Vec::new();
        // A reset after the last answer is an end as well.
        let _ = self.stream.read_to_end(&mut heard).await;
        self.serving.await.unwrap();
        String::from_utf8(heard).unwrap()
    }
}

const REQUEST: &[u8] = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_connection_takes_request_after_request_until_the_server_stops() {
    let mut served = connect().await;
    for _ in 0..3 {
        served.send(REQUEST).await;
        assert!(served.until("hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    served.stopping.cancel();
    assert_eq!(served.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_let_go() {
    for begun in [&b""[..], b"GET /hello HTTP/1.1\r\nHost: local"] {
        let mut served = connect().await;
        served.send(begun).await;
        let started = tokio::time::Instant::now();
        let heard = served.rest().await;
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 408"), "{heard}");
        assert!(started.elapsed() <= 2 * HEAD_TIME, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_quiet_after_an_answer_is_let_go() {
    let mut served = connect().await;
    served.send(REQUEST).await;
    served.until("hello").await;
    let started = tokio::time::Instant::now();
    served.rest().await;
    assert!(started.elapsed() <= 2 * HEAD_TIME, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let long = format!("GET /hello HTTP/1.1\r\nHost: x\r\nLong: {}\r\n\r\n", "x".repeat(2 * HEAD_OCTETS));
    let many = format!("GET /hello HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(HEAD_FIELDS + 1));
    for request in [long, many] {
        let mut served = connect().await;
        // The server may close before it has taken everything.
        let _ = served.stream.write_all(request.as_bytes()).await;
        let heard = served.rest().await;
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 431"), "{heard}");
        assert!(!heard.contains("hello"), "{heard}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    for octets in [&b"EHLO client.example.org\r\n\r\n"[..], b"\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n"] {
        let mut served = connect().await;
        served.send(octets).await;
        assert!(served.rest().await.starts_with("HTTP/1.1 400"));
    }
}

#[test]
fn the_refusal_is_a_whole_response() {
    let text = std::str::from_utf8(TOO_MANY).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.lines().any(|line| line == format!("Content-Length: {}", body.len())), "{}", body.len());
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["status"], 503);
}

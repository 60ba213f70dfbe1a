//! HTTP/1.1 on one connection, within limits: how long a client may take over the head of a request, how large that may be,
//! and how long a connection lives.
//!
//! Whatever goes wrong here costs one connection.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long a client may take over the head of a request, the wait for its first octet included.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// Octets and fields of a head. More is answered with 431.
const HEAD_OCTETS: usize = 16 * 1024;
const HEAD_FIELDS: usize = 64;
/// How long a connection lives; a client that reads no answers would keep it for ever.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// How long the request under way may take once the connection is to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a client is told for whom there is no room, ready to be sent.
pub const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: application/problem+json\r\nContent-Length: 114\r\nConnection: close\r\nRetry-After: 1\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"too many connections, try again later\"}";

/// Answers the requests of one connection, until it ends or `stopping` is cancelled; then the one under way is still
/// answered.
pub async fn serve(router: Router, stream: TcpStream, stopping: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_OCTETS)
            .max_headers(HEAD_FIELDS)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = stopping.cancelled() => {}
        () = sleep(LONGEST) => {}
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(FAREWELL, connection).await {
        note(ended);
    }
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended badly");
    }
}

#[cfg(test)]
mod tests;

//! How the daemon is: alive, ready, and in figures.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::problem::Problem;

/// The media type of Prometheus' text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Octets of a request's body that are read at most.
const MAX_BODY: usize = 64 * 1024;

/// A part of the daemon, and whether it can do its work now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// As it is shown: `database`.
    pub name: &'static str,
    /// It can.
    pub ready: bool,
}

/// Who knows how the daemon is.
pub trait Status: Send + Sync + 'static {
    /// All parts that mail needs. Answers within a few seconds, whatever is the matter.
    fn parts(&self) -> impl Future<Output = Vec<Part>> + Send;

    /// The figures, in the text format of Prometheus.
    fn metrics(&self) -> impl Future<Output = String> + Send;
}

/// All paths.
pub fn router<S: Status>(status: Arc<S>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz::<S>))
        .route("/metrics", get(metrics::<S>))
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::map_response(not_stored))
        .with_state(status)
}

/// An answer is about this moment.
async fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn healthz() -> Response {
    found(&json!({ "alive": true }))
}

async fn readyz<S: Status>(State(status): State<Arc<S>>) -> Response {
    let parts = status.parts().await;
    let shown: Map<String, Value> =
        parts.iter().map(|part| (part.name.to_owned(), json!(part.ready))).collect();
    let missing: Vec<&str> = parts.iter().filter(|part| !part.ready).map(|part| part.name).collect();
    if missing.is_empty() {
        return found(&json!({ "ready": true, "parts": shown }));
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}", missing.join(", ")))
        .with("ready", json!(false))
        .with("parts", Value::Object(shown))
        .into_response()
}

async fn metrics<S: Status>(State(status): State<Arc<S>>) -> Response {
    ([(header::CONTENT_TYPE, PROMETHEUS)], status.metrics().await).into_response()
}

fn found(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests;

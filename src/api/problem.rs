//! Errors as problem details (RFC 9457): the one place where an error becomes an HTTP response.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// An error that a client is told.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    /// What is the matter this time, for people.
    detail: String,
    /// Members beyond those that every problem has (RFC 9457, section 3.2).
    more: Map<String, Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), more: Map::new() }
    }

    /// The same with another member.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// A path that is not there.
    pub(super) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such path here")
    }

    /// A path that takes other methods, which stand in `Allow`.
    pub(super) fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut members = self.more;
        // No document says more about it than its status does (section 4.2.1).
        members.insert("type".to_owned(), json!("about:blank"));
        members.insert("title".to_owned(), json!(self.status.canonical_reason().unwrap_or("Error")));
        members.insert("status".to_owned(), json!(self.status.as_u16()));
        members.insert("detail".to_owned(), json!(self.detail));
        let body = Value::Object(members).to_string();
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

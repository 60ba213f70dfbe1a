use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use tower::ServiceExt as _;

use super::*;

/// A daemon whose parts are as told.
struct Told(Vec<Part>);

impl Status for Told {
    async fn parts(&self) -> Vec<Part> {
        self.0.clone()
    }

    async fn metrics(&self) -> String {
        "aliasd_test_total 1\n".to_owned()
    }
}

async fn ask(parts: &[Part], method: Method, path: &str) -> (u16, HeaderMap, String) {
    let router = router(Arc::new(Told(parts.to_vec())));
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const DATABASE: Part = Part { name: "database", ready: true };
const NO_DATABASE: Part = Part { name: "database", ready: false };
const LISTENERS: Part = Part { name: "listeners", ready: true };
const NO_LISTENERS: Part = Part { name: "listeners", ready: false };

#[tokio::test]
async fn it_lives_also_when_nothing_is_ready() {
    let (status, headers, body) = ask(&[NO_DATABASE, NO_LISTENERS], Method::GET, "/healthz").await;
    assert_eq!((status, json(&body)), (200, json!({ "alive": true })));
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn it_is_ready_when_every_part_is() {
    let (status, _, body) = ask(&[DATABASE, LISTENERS], Method::GET, "/readyz").await;
    assert_eq!(status, 200);
    assert_eq!(json(&body), json!({ "ready": true, "parts": { "database": true, "listeners": true } }));
}

#[tokio::test]
async fn what_is_not_ready_is_named() {
    for (parts, detail) in [
        ([NO_DATABASE, LISTENERS], "not ready: database"),
        ([DATABASE, NO_LISTENERS], "not ready: listeners"),
        ([NO_DATABASE, NO_LISTENERS], "not ready: database, listeners"),
    ] {
        let (status, headers, body) = ask(&parts, Method::GET, "/readyz").await;
        assert_eq!(status, 503);
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        let body = json(&body);
        assert_eq!(body["detail"], detail);
        assert_eq!(body["status"], 503);
        for part in parts {
            assert_eq!(body["parts"][part.name], part.ready, "{body}");
        }
    }
}

#[tokio::test]
async fn figures_are_for_prometheus() {
    let (status, headers, body) = ask(&[NO_DATABASE], Method::GET, "/metrics").await;
    assert_eq!((status, body.as_str()), (200, "aliasd_test_total 1\n"));
    assert_eq!(headers[header::CONTENT_TYPE], PROMETHEUS);
}

#[tokio::test]
async fn a_head_has_no_body() {
    for path in ["/healthz", "/readyz", "/metrics"] {
        let (status, _, body) = ask(&[DATABASE], Method::HEAD, path).await;
        assert_eq!((status, body.as_str()), (200, ""), "{path}");
    }
}

#[tokio::test]
async fn anything_else_is_a_problem_with_its_members() {
    for (method, path, expected, title) in [
        (Method::GET, "/", 404, "Not Found"),
        (Method::GET, "/healthz/", 404, "Not Found"),
        (Method::GET, "/admin/v1/aliases", 404, "Not Found"),
        (Method::GET, "/../metrics%00", 404, "Not Found"),
        (Method::POST, "/nothing", 404, "Not Found"),
        (Method::POST, "/metrics", 405, "Method Not Allowed"),
        (Method::DELETE, "/healthz", 405, "Method Not Allowed"),
        (Method::PUT, "/readyz", 405, "Method Not Allowed"),
    ] {
        let (status, headers, body) = ask(&[DATABASE], method.clone(), path).await;
        assert_eq!(status, expected, "{method} {path}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json", "{method} {path}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{method} {path}");
        if expected == 405 {
            assert_eq!(headers[header::ALLOW], "GET,HEAD", "{method} {path}");
        }
        let problem = json(&body);
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["title"], title);
        assert_eq!(problem["status"], expected);
        assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
}

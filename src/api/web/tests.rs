use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use parking_lot::Mutex;
use proptest::prelude::*;
use tower::ServiceExt as _;

use super::*;

/// `Joe.Doe`, as the draft has it, and `shop`.
const JOE: &str = "iy9q119eutrkn8s1mk4r39qejnbu3n5q";

/// Has a certificate for `joe.doe@example.org`, and owns `example.org`.
#[derive(Default)]
struct Told {
    away: bool,
    asked: Mutex<Vec<String>>,
}

impl KeyDirectory for Told {
    async fn published(&self, address: &Address) -> Result<Option<Vec<u8>>, Unavailable> {
        self.asked.lock().push(address.to_string());
        if self.away {
            return Err(Unavailable("connection refused".to_owned()));
        }
        Ok((address.as_normal() == "joe.doe@example.org").then(|| b"certificate".to_vec()))
    }

    async fn is_ours(&self, domain: &DomainName) -> Result<bool, Unavailable> {
        if self.away {
            return Err(Unavailable("connection refused".to_owned()));
        }
        Ok(domain.as_str() == "example.org")
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

async fn ask_with(keys: Arc<Told>, method: Method, host: Option<&str>, target: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(target);
    if let Some(host) = host {
        request = request.header(header::HOST, host);
    }
    let response = router(keys).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

async fn ask(host: &str, target: &str) -> Answer {
    ask_with(Arc::default(), Method::GET, Some(host), target).await
}

#[tokio::test]
async fn both_methods_give_the_certificate() {
    for (host, target) in [
        ("openpgpkey.example.org", format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=Joe.Doe")),
        ("anything.example.net", format!("/.well-known/openpgpkey/EXAMPLE.org/hu/{JOE}?l=joe.doe")),
        ("example.org", format!("/.well-known/openpgpkey/hu/{JOE}?l=Joe.Doe")),
        ("Example.ORG:8080", format!("/.well-known/openpgpkey/hu/{JOE}?x=1&l=J%6fe%2EDoe&y=2")),
    ] {
        let answer = ask(host, &target).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"certificate"[..]), "{target}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/octet-stream");
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
}

#[tokio::test]
async fn a_head_has_the_fields_alone() {
    let target = format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=Joe.Doe");
    let answer = ask_with(Arc::default(), Method::HEAD, None, &target).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.headers[header::CONTENT_LENGTH], "11");
}

#[tokio::test]
async fn everything_else_looks_the_same() {
    let nobody = wkd::hash("nobody");
    let plain = ask("example.org", "/").await;
    assert_eq!(plain.status, 404);
    for (host, target) in [
        ("example.org", format!("/.well-known/openpgpkey/example.org/hu/{nobody}?l=nobody")),
        ("example.org", format!("/.well-known/openpgpkey/hu/{nobody}?l=nobody")),
        ("example.org", format!("/.well-known/openpgpkey/example.org/hu/{JOE}")),
        ("example.org", format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=")),
        ("example.org", format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=nobody")),
        ("example.org", format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=%zz")),
        ("example.org", format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=%ff")),
        ("example.org", format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=%e")),
        ("example.org", format!("/.well-known/openpgpkey/example.org/hu/{}?l=Joe.Doe", JOE.to_uppercase())),
        ("example.org", format!("/.well-known/openpgpkey/example.net/hu/{JOE}?l=Joe.Doe")),
        ("example.org", format!("/.well-known/openpgpkey/%ff/hu/{JOE}?l=Joe.Doe")),
        ("example.org", format!("/.well-known/openpgpkey/..%2f..%2fetc/hu/{JOE}?l=Joe.Doe")),
        ("www.example.org", format!("/.well-known/openpgpkey/hu/{JOE}?l=Joe.Doe")),
        ("[::1]:80", format!("/.well-known/openpgpkey/hu/{JOE}?l=Joe.Doe")),
        ("", format!("/.well-known/openpgpkey/hu/{JOE}?l=Joe.Doe")),
        ("example.org", "/.well-known/openpgpkey/example.net/policy".to_owned()),
        ("example.net", "/.well-known/openpgpkey/policy".to_owned()),
        ("example.org", "/.well-known/openpgpkey/".to_owned()),
        ("example.org", "/healthz".to_owned()),
        ("example.org", "/metrics".to_owned()),
        ("example.org", "/admin/v1/aliases".to_owned()),
    ] {
        assert_eq!(ask(host, &target).await, plain, "{host} {target}");
    }
    let target = format!("/.well-known/openpgpkey/hu/{JOE}?l=Joe.Doe");
    assert_eq!(ask_with(Arc::default(), Method::GET, None, &target).await, plain, "no host");
}

#[tokio::test]
async fn other_methods_learn_nothing() {
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let target = |local| format!("/.well-known/openpgpkey/example.org/hu/{}?l={local}", wkd::hash(local));
        let keys = Arc::new(Told::default());
        let one = ask_with(Arc::clone(&keys), method.clone(), None, &target("joe.doe")).await;
        let other = ask_with(Arc::clone(&keys), method, None, &target("nobody")).await;
        assert_eq!((one.status, &one), (405, &other));
        assert!(keys.asked.lock().is_empty());
    }
}

#[tokio::test]
async fn nobody_is_looked_up_whose_hash_is_wrong() {
    let keys = Arc::new(Told::default());
    for target in [
        format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=nobody"),
        format!("/.well-known/openpgpkey/example.org/hu/{}?l=Joe+Doe", wkd::hash("joe doe")),
        format!("/.well-known/openpgpkey/example.org/hu/{}?l=joe%2Bdoe", wkd::hash("joe+doe")),
        format!("/.well-known/openpgpkey/example.org/hu/{}?l=joe+doe", wkd::hash("joe+doe")),
    ] {
        assert_eq!(ask_with(Arc::clone(&keys), Method::GET, None, &target).await.status, 404);
    }
    assert_eq!(*keys.asked.lock(), ["joe+doe@example.org", "joe+doe@example.org"]);
}

#[tokio::test]
async fn the_policy_of_our_domains_is_empty() {
    for (host, target) in [
        ("openpgpkey.example.org", "/.well-known/openpgpkey/example.org/policy"),
        ("example.org", "/.well-known/openpgpkey/policy"),
    ] {
        let answer = ask(host, target).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{target}");
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
}

#[tokio::test]
async fn without_the_database_they_are_to_come_back() {
    let keys = Arc::new(Told { away: true, ..Told::default() });
    for target in [
        format!("/.well-known/openpgpkey/example.org/hu/{JOE}?l=Joe.Doe"),
        "/.well-known/openpgpkey/example.org/policy".to_owned(),
    ] {
        let answer = ask_with(Arc::clone(&keys), Method::GET, None, &target).await;
        assert_eq!(answer.status, 503, "{target}");
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
        let body = String::from_utf8(answer.body).unwrap();
        assert!(!body.contains("refused"), "{body}");
    }
}

proptest! {
    #[test]
    fn any_text_is_decoded_or_not(text in "[%0-9a-fA-FxX+é]{0,24}") {
        let decoded = percent_decoded(&text);
        prop_assert!(decoded.is_none_or(|decoded| decoded.len() <= text.len()));
    }

    #[test]
    fn what_is_encoded_is_decoded(text in "\\PC{0,16}") {
        let encoded: String = text.bytes().map(|octet| format!("%{octet:02x}")).collect();
        prop_assert_eq!(percent_decoded(&encoded), Some(text));
    }
}

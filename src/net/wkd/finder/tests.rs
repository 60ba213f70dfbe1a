use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::relay::openpgp::{Certificate, Fingerprint, Inspected, Unusable};
use crate::relay::ports::Content;

/// Gives one answer, and counts how often it was asked.
#[derive(Clone)]
struct Told {
    answer: Arc<Mutex<Result<Vec<u8>, DiscoveryFailed>>>,
    asked: Arc<AtomicUsize>,
}

impl KeyDiscovery for Told {
    async fn discover(&self, _: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answer.lock().clone()
    }
}

/// Takes `good` for a certificate of `jane@example.org`, and cuts it to `go`.
struct Simple;

impl OpenPgp for Simple {
    fn inspect(&self, file: &[u8], _: Timestamp) -> Result<Vec<Inspected>, Unusable> {
        if file != b"good" {
            return Err(Unusable("no certificate".to_owned()));
        }
        let fingerprint = Fingerprint::parse(&"A".repeat(40)).unwrap();
        let addresses = vec!["jane@example.org".parse().unwrap()];
        Ok(vec![Inspected { fingerprint, addresses, expires_at: None, data: b"go".to_vec() }])
    }

    fn check(&self, _: &[Certificate], _: Timestamp) -> Result<(), Unusable> {
        Ok(())
    }

    fn encrypt(&self, content: &Content, _: &[Certificate], _: Timestamp) -> Result<Content, Unusable> {
        Ok(content.clone())
    }
}

#[derive(Clone, Default)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Surroundings for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn random(&self, _: &mut [u8]) {}
}

struct Scene {
    told: Told,
    clock: Clock,
    finder: Finder<Told, Simple, Clock>,
}

impl Scene {
    fn with(answer: Result<&[u8], &str>) -> Self {
        let told = Told { answer: Arc::new(Mutex::new(own(answer))), asked: Arc::default() };
        let clock = Clock::default();
        let finder = Finder::new(told.clone(), Simple, clock.clone());
        Self { told, clock, finder }
    }

    fn now_answers(&self, answer: Result<&[u8], &str>) {
        *self.told.answer.lock() = own(answer);
    }

    async fn find(&self, address: &str) -> Result<Vec<u8>, DiscoveryFailed> {
        self.finder.discover(&address.parse().unwrap()).await
    }

    fn asked(&self) -> usize {
        self.told.asked.load(Ordering::SeqCst)
    }
}

fn own(answer: Result<&[u8], &str>) -> Result<Vec<u8>, DiscoveryFailed> {
    answer.map(<[u8]>::to_vec).map_err(|why| DiscoveryFailed(why.to_owned()))
}

const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn what_can_be_used_is_given_on() {
    let scene = Scene::with(Ok(b"good"));
    assert_eq!(scene.find("Jane@example.org").await, own(Ok(b"go")));
    assert_eq!(scene.find("jane@example.org").await, own(Ok(b"go")));
    assert_eq!(scene.asked(), 2, "it is not kept");
}

#[tokio::test]
async fn nothing_is_believed_for_a_day() {
    let useless = "what is published cannot be used: no certificate";
    for (found, told) in [(&b""[..], own(Ok(b""))), (b"<html>", own(Err(useless)))] {
        let scene = Scene::with(Ok(found));
        assert_eq!(scene.find("jane@example.org").await, told);
        scene.now_answers(Ok(b"good"));
        scene.clock.advance(NOTHING - MOMENT);
        assert_eq!(scene.find("JANE@example.org").await, told);
        assert_eq!(scene.asked(), 1);
        scene.clock.advance(MOMENT);
        assert_eq!(scene.find("jane@example.org").await, own(Ok(b"go")));
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_of_no_use() {
    let scene = Scene::with(Ok(b"good"));
    let told =
        own(Err(&format!("what is published cannot be used: {} names other addresses", "A".repeat(40))));
    assert_eq!(scene.find("joe@example.org").await, told);
    assert_eq!(scene.find("joe@example.org").await, told);
    assert_eq!(scene.asked(), 1);
    assert_eq!(scene.find("jane@example.org").await, own(Ok(b"go")));
}

#[tokio::test]
async fn a_domain_that_failed_is_left_alone_for_five_minutes() {
    let scene = Scene::with(Err("it is away"));
    assert_eq!(scene.find("jane@example.org").await, own(Err("it is away")));
    scene.now_answers(Ok(b"good"));
    scene.clock.advance(FAILURE - MOMENT);
    assert_eq!(scene.find("joe@example.org").await, own(Err("it is away")));
    assert_eq!(scene.asked(), 1);
    assert!(scene.find("jane@example.net").await.is_err());
    assert_eq!(scene.asked(), 2, "another domain is asked");
    scene.clock.advance(MOMENT);
    assert_eq!(scene.find("jane@example.org").await, own(Ok(b"go")));
}

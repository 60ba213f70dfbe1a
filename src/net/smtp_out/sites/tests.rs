//! Turns without a socket.

use super::*;
use crate::smtp::Words;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::time::pause;

const TWO: Limits = Limits { initial: 2, most: 2, ..Limits::STRANGERS };

fn failure() -> Failure {
    Failure { code: 421, enhanced: (4, 3, 2), text: "busy".to_owned(), words: Words::Theirs, host: None }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn turns_come_in_the_order_of_coming() {
    let (site, overall) = (Arc::new(Site::new(1, TWO)), Overall::new(100));
    let mut held = VecDeque::new();
    for _ in 0..2 {
        held.push_back(site.slot(&overall, soon()).await.unwrap());
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for number in 0..20 {
        let (site, order) = (Arc::clone(&site), Arc::clone(&order));
        waiting.push(tokio::spawn(async move {
            let slot = site.slot(&Overall::new(100), soon()).await;
            order.lock().push(number);
            drop(slot);
        }));
        tokio::task::yield_now().await;
    }
    assert!(order.lock().is_empty());
    held.clear();
    for task in waiting {
        task.await.unwrap();
    }
    assert_eq!(*order.lock(), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_has_gone_is_passed_over() {
    let (site, overall) = (Arc::new(Site::new(1, TWO)), Overall::new(100));
    let held = [site.slot(&overall, soon()).await.unwrap(), site.slot(&overall, soon()).await.unwrap()];
    for _ in 0..1000 {
        let mut gone = pin!(site.slot(&overall, soon()));
        assert!(is_pending(gone.as_mut()).await);
    }
    let mut last = pin!(site.slot(&overall, soon()));
    assert!(is_pending(last.as_mut()).await);
    drop(held);
    assert!(last.await.is_ok());
    assert!(site.is_forgettable());
}

#[tokio::test]
async fn a_pause_ends_all_waiting_at_once() {
    let (site, overall) = (Arc::new(Site::new(1, TWO)), Overall::new(100));
    site.slot(&overall, soon()).await.unwrap().failed(failure());
    let slot = site.slot(&overall, soon()).await.unwrap();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let site = Arc::clone(&site);
            tokio::spawn(async move { site.slot(&Overall::new(1), soon()).await.is_err() })
        })
        .collect();
    tokio::task::yield_now().await;
    slot.failed(failure());
    for task in waiting {
        assert!(task.await.unwrap());
    }
    assert!(matches!(site.admit(now()), Admit::At(_)));
}

#[tokio::test]
async fn a_part_of_the_whole_is_for_prompt_sites() {
    pause();
    let overall = Overall::new(8);
    let slow: Vec<_> = (0..10).map(|number| Arc::new(Site::new(number, TWO))).collect();
    let mut held = Vec::new();
    for site in &slow[..6] {
        held.push(site.slot(&overall, soon()).await.unwrap());
    }
    assert!(slow[6].slot(&overall, soon()).await.is_err());
    let prompt = Arc::new(Site::new(99, TWO));
    prompt.prompt.store(true, Ordering::Relaxed);
    assert!(prompt.slot(&overall, soon()).await.is_ok());
}

#[tokio::test]
async fn a_site_is_prompt_as_long_as_its_deliveries_are() {
    pause();
    let (site, overall) = (Arc::new(Site::new(1, TWO)), Overall::new(100));
    for (takes, prompt) in [(1, true), (6, false), (1, true)] {
        let slot = site.slot(&overall, soon()).await.unwrap();
        tokio::time::advance(Duration::from_secs(takes)).await;
        slot.worked();
        drop(slot);
        assert_eq!(site.prompt.load(Ordering::Relaxed), prompt, "{takes} s");
    }
}

#[tokio::test]
async fn hosts_that_are_away_are_known_for_a_minute() {
    pause();
    let site = Site::new(1, TWO);
    let hosts: Vec<HostName> = (1..4).map(|n| HostName::Ip([192, 0, 2, n].into())).collect();
    assert_eq!(site.away(&hosts), 0);
    site.note_host(&hosts[0], true);
    site.note_host(&hosts[2], true);
    assert_eq!(site.away(&hosts), 0b101);
    site.note_host(&hosts[2], false);
    assert_eq!(site.away(&hosts), 0b001);
    tokio::time::advance(AWAY).await;
    assert_eq!(site.away(&hosts), 0);
}

#[test]
fn what_is_remembered_is_bounded_and_what_matters_is_kept() {
    let sites = Sites::new(TWO);
    let name = |number: u32| SiteName::of_hosts(&[number.to_string()]);
    let busy = sites.named(name(0));
    busy.state.lock().pacing.begin();
    for number in 1..2 * u32::try_from(MAX_REMEMBERED).unwrap() {
        sites.named(name(number));
        let domain = DomainName::parse(&format!("d{number}.example.com")).unwrap();
        sites.learn(&domain, &busy);
    }
    let known = sites.known.lock();
    assert!(known.by_name.len() <= MAX_REMEMBERED && known.by_domain.len() <= MAX_REMEMBERED);
    assert!(known.by_name.get(&name(0)).is_some_and(|site| Arc::ptr_eq(site, &busy)));
}

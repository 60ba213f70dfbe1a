use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Semaphore, oneshot};

use super::*;
use crate::relay::alias::AliasId;

/// A number, or none; what the "table" holds for a name.
#[derive(Debug, Clone, PartialEq)]
struct Number(Option<u32>);

impl Answer for Number {
    type Key = Arc<str>;

    fn is_miss(&self) -> bool {
        self.0.is_none()
    }

    fn subjects<'a>(&'a self, key: &'a Arc<str>) -> [Subject<'a>; 3] {
        match self.0 {
            Some(_) => [Subject::Alias(AliasId(1)); 3],
            None => [Subject::NameMade(key); 3],
        }
    }
}

fn cache() -> (Arc<Cache<Number>>, Arc<Marks>) {
    let marks = Arc::new(Marks::new());
    (Arc::new(Cache::new(100, 100, Arc::clone(&marks), LookupMeters::register("names"))), marks)
}

fn key(name: &str) -> Arc<str> {
    Arc::from(name)
}

async fn read(cache: &Cache<Number>, name: &str, loads: &AtomicU32, value: Option<u32>) -> Number {
    let load = || async {
        loads.fetch_add(1, Ordering::SeqCst);
        Ok(Number(value))
    };
    cache.get(&key(name), load).await.unwrap()
}

#[tokio::test]
async fn hits_and_misses_are_loaded_once() {
    let (cache, _) = cache();
    let loads = AtomicU32::new(0);
    for value in [Some(7), None] {
        let name = format!("{value:?}");
        for _ in 0..3 {
            assert_eq!(read(&cache, &name, &loads, value).await, Number(value));
        }
    }
    assert_eq!(loads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_read() {
    let (cache, marks) = cache();
    let loads = AtomicU32::new(0);
    read(&cache, "a", &loads, None).await;
    marks.touch(&Subject::NameMade("a"));
    assert_eq!(read(&cache, "a", &loads, Some(1)).await, Number(Some(1)));
    marks.touch(&Subject::Alias(AliasId(1)));
    assert_eq!(read(&cache, "a", &loads, Some(2)).await, Number(Some(2)));
    marks.touch_everything();
    assert_eq!(read(&cache, "a", &loads, None).await, Number(None));
}

/// A load reads the old value, the value is changed and the change applied, and only then the load ends.
#[tokio::test]
async fn a_load_under_way_during_a_change_does_not_bring_the_old_value_back() {
    let (cache, marks) = cache();
    let (read_old, has_read) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    let gates = parking_lot::Mutex::new(Some((read_old, may_go_on)));
    let slow = {
        let cache = Arc::clone(&cache);
        tokio::spawn(async move {
            let load = || async {
                let Some((read_old, may_go_on)) = gates.lock().take() else { return Ok(Number(Some(2))) };
                read_old.send(()).unwrap();
                may_go_on.await.unwrap();
                Ok(Number(Some(1)))
            };
            cache.get(&key("a"), load).await.unwrap()
        })
    };
    has_read.await.unwrap();
    marks.touch(&Subject::Alias(AliasId(1)));
    let loads = AtomicU32::new(0);
    // Joins the load that is under way, and must not believe it.
    let (after, ()) = tokio::join!(read(&cache, "a", &loads, Some(2)), async {
        tokio::task::yield_now().await;
        go_on.send(()).unwrap();
    });
    assert_eq!(after, Number(Some(2)));
    assert_eq!(slow.await.unwrap(), Number(Some(2)));
    assert_eq!(cache.peek(&key("a")).await, Some(Number(Some(2))));
}

#[tokio::test]
async fn an_old_answer_that_is_put_late_is_not_believed() {
    let (cache, marks) = cache();
    let since = marks.now();
    marks.touch(&Subject::Alias(AliasId(1)));
    cache.put(key("a"), Number(Some(1)), since).await;
    assert_eq!(cache.peek(&key("a")).await, None);
}

#[tokio::test]
async fn many_who_ask_at_once_cause_one_load() {
    for value in [Some(1), None] {
        let (cache, _) = cache();
        let (loads, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (cache, loads, gate) = (Arc::clone(&cache), Arc::clone(&loads), Arc::clone(&gate));
                tokio::spawn(async move {
                    let load = || async {
                        loads.fetch_add(1, Ordering::SeqCst);
                        let _permit = gate.acquire().await.unwrap();
                        Ok(Number(value))
                    };
                    cache.get(&key("a"), load).await.unwrap()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.add_permits(1);
        for task in tasks {
            assert_eq!(task.await.unwrap(), Number(value));
        }
        assert_eq!(loads.load(Ordering::SeqCst), 1, "{value:?}");
    }
}

#[tokio::test]
async fn an_error_is_told_and_not_kept() {
    let (cache, _) = cache();
    let failing = || async { Err(StoreError::Unavailable("away".to_owned())) };
    let error = cache.get(&key("a"), failing).await.unwrap_err();
    assert_eq!(error, StoreError::Unavailable("away".to_owned()));
    assert_eq!(read(&cache, "a", &AtomicU32::new(0), Some(1)).await, Number(Some(1)));
}

#[tokio::test]
async fn a_flood_of_unknown_names_pushes_nothing_out() {
    let (cache, _) = cache();
    let loads = AtomicU32::new(0);
    read(&cache, "known", &loads, Some(1)).await;
    for n in 0..10_000 {
        read(&cache, &format!("guess{n}"), &loads, None).await;
    }
    cache.misses.run_pending_tasks().await;
    assert!(cache.misses.entry_count() <= 100);
    assert_eq!(cache.peek(&key("known")).await, Some(Number(Some(1))));
}

#[tokio::test]
async fn a_key_that_changes_all_the_time_is_still_answered() {
    let (cache, marks) = cache();
    let load = || async {
        marks.touch(&Subject::Alias(AliasId(1)));
        Ok(Number(Some(1)))
    };
    assert_eq!(cache.get(&key("a"), load).await.unwrap(), Number(Some(1)));
}

#[tokio::test]
async fn answers_from_memory_and_others_are_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let (cache, _) = metrics::with_local_recorder(&recorder, cache);
    let loads = AtomicU32::new(0);
    for (name, value) in [("a", Some(1)), ("a", Some(1)), ("nobody", None), ("nobody", None), ("a", Some(1))]
    {
        read(&cache, name, &loads, value).await;
    }
    let shown = recorder.handle().render();
    for line in [
        "aliasd_cache_lookups_total{cache=\"names\",answer=\"hit\"} 3",
        "aliasd_cache_lookups_total{cache=\"names\",answer=\"miss\"} 2",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
    }
}

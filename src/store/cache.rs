//! A bounded cache of what the database answered, with the answer "there is none" in a part of its own, so that a flood
//! of guessed names does not push out what mail needs. Loads of one key at the same time are one load. Errors are not
//! kept. Whether an answer is still true is asked at every read: see [`super::marks`].

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache as Bounded;

use super::contract::StoreError;
use super::marks::{Marks, Slot, Subject};
use super::meters::LookupMeters;

/// How long an answer is believed at most: the last line of defence, should a change have been missed.
const TIME_TO_LIVE: Duration = Duration::from_secs(300);
/// How often a load is shared with others before a key that changes all the time is loaded alone.
const SHARED_ROUNDS: u32 = 4;

/// An answer of the database.
pub(super) trait Answer: Clone + Send + Sync + 'static {
    /// What is asked for.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;

    /// Whether this says that there is no such thing.
    fn is_miss(&self) -> bool;

    /// How much it takes of the room of its part; at least 1.
    fn weight(&self) -> u32 {
        1
    }

    /// What this answer depends on.
    fn subjects<'a>(&'a self, key: &'a Self::Key) -> [Subject<'a>; 3];
}

/// An answer with what it takes to tell whether it is fresh.
#[derive(Clone)]
struct Dated<V> {
    value: V,
    since: u64,
    slots: [Slot; 3],
}

/// Why a load put nothing into the cache of hits.
enum NotAHit<V> {
    Miss(Dated<V>),
    Failed(StoreError),
}

/// See the module.
pub(super) struct Cache<V: Answer> {
    hits: Bounded<V::Key, Dated<V>>,
    misses: Bounded<V::Key, Dated<V>>,
    marks: Arc<Marks>,
    meters: LookupMeters,
}

impl<V: Answer> Cache<V> {
    /// Keeps answers of at most the weight `hits`, and of `misses` those that say "none".
    pub(super) fn new(hits: u64, misses: u64, marks: Arc<Marks>, meters: LookupMeters) -> Self {
        let bounded = |room| {
            let weigh = |_: &V::Key, found: &Dated<V>| found.value.weight();
            Bounded::builder().max_capacity(room).weigher(weigh).time_to_live(TIME_TO_LIVE).build()
        };
        Self { hits: bounded(hits), misses: bounded(misses), marks, meters }
    }

    /// The answer for `key`, from the cache or by `load`. It is at least as new as this call.
    pub(super) async fn get<F>(&self, key: &V::Key, load: impl Fn() -> F) -> Result<V, StoreError>
    where
        F: Future<Output = Result<V, StoreError>>,
    {
        if let Some(value) = self.peek(key).await {
            return Ok(value);
        }
        // On the heap, so that a connection that only ever finds what it wants does not carry the room for a load.
        Box::pin(self.load(key, load)).await
    }

    async fn load<F>(&self, key: &V::Key, load: impl Fn() -> F) -> Result<V, StoreError>
    where
        F: Future<Output = Result<V, StoreError>>,
    {
        for _ in 0..SHARED_ROUNDS {
            if let Some(value) = self.load_shared(key, &load).await? {
                return Ok(value);
            }
        }
        load().await
    }

    /// The answer for `key` if it is there and fresh.
    pub(super) async fn peek(&self, key: &V::Key) -> Option<V> {
        let found = self.look(key).await;
        self.meters.count(found.as_ref());
        found
    }

    async fn look(&self, key: &V::Key) -> Option<V> {
        if let Some(hit) = self.hits.get(key).await.and_then(|found| self.if_fresh(found)) {
            return Some(hit);
        }
        self.misses.get(key).await.and_then(|found| self.if_fresh(found))
    }

    /// Takes in an answer that was loaded otherwise, beginning at `since`.
    pub(super) async fn put(&self, key: V::Key, value: V, since: u64) {
        let dated = self.dated(&key, value, since);
        let part = if dated.value.is_miss() { &self.misses } else { &self.hits };
        part.insert(key, dated).await;
    }

    /// One load that all who ask for `key` now share. `None` when it is stale already, which also happens when somebody
    /// else's load began before the change that our caller knows of.
    async fn load_shared<F>(&self, key: &V::Key, load: &impl Fn() -> F) -> Result<Option<V>, StoreError>
    where
        F: Future<Output = Result<V, StoreError>>,
    {
        let loading = async {
            let since = self.marks.now();
            let value = load().await.map_err(NotAHit::Failed)?;
            let dated = self.dated(key, value, since);
            if !dated.value.is_miss() {
                return Ok(dated);
            }
            self.misses.insert(key.clone(), dated.clone()).await;
            Err(NotAHit::Miss(dated))
        };
        match self.hits.try_get_with_by_ref(key, loading).await {
            Ok(found) => {
                let fresh = self.if_fresh(found);
                if fresh.is_none() {
                    self.hits.invalidate(key).await;
                }
                Ok(fresh)
            }
            Err(reason) => match &*reason {
                NotAHit::Miss(found) => Ok(self.if_fresh(found.clone())),
                NotAHit::Failed(error) => Err(error.clone()),
            },
        }
    }

    fn dated(&self, key: &V::Key, value: V, since: u64) -> Dated<V> {
        let slots = value.subjects(key).map(|subject| self.marks.slot(&subject));
        Dated { value, since, slots }
    }

    fn if_fresh(&self, found: Dated<V>) -> Option<V> {
        self.marks.is_fresh(found.since, &found.slots).then_some(found.value)
    }
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;

//! Requests of many connections that go to the database together.
//!
//! A request that comes when few are under way goes at once, alone. Those that come while as many as allowed are under way
//! wait, and the next that is free takes them all along. So nobody waits for company, and a hundred connections cost the
//! database as many transactions as it has time for.
//!
//! A task of its own carries the requests: whoever asked first may be dropped, and the others still wait for the answer.

use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Store;

/// A request that can go together with others of its kind.
pub(super) trait Joint: Sized + Send + 'static {
    /// What it is answered.
    type Answer: Send + 'static;

    /// The weight that goes together at most. One that is heavier goes alone.
    const MOST: usize;

    /// What it adds to the weight.
    fn weight(&self) -> usize;

    /// Where requests of the kind wait.
    fn line(store: &Store) -> &Line<Self>;

    /// Answers all, in their order.
    fn carry(store: &Store, requests: Vec<Self>) -> impl Future<Output = Vec<Self::Answer>> + Send;
}

/// Who waits for the answer.
type Asker<J> = oneshot::Sender<<J as Joint>::Answer>;

/// Requests of one kind that wait.
pub(in super::super) struct Line<J: Joint> {
    /// How many tasks may carry requests at the same time.
    carriers: usize,
    waiting: Mutex<Waiting<J>>,
}

struct Waiting<J: Joint> {
    /// How many tasks carry requests, and look for more when they are back.
    carrying: usize,
    requests: VecDeque<(J, Asker<J>)>,
}

impl<J: Joint> Line<J> {
    pub(in super::super) fn new(carriers: usize) -> Self {
        Self { carriers, waiting: Mutex::new(Waiting { carrying: 0, requests: VecDeque::new() }) }
    }

    /// Puts a request into the line. True when the caller must start a task that carries requests.
    fn put(&self, request: J, asker: Asker<J>) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.requests.push_back((request, asker));
        let is_free = waiting.carrying < self.carriers;
        waiting.carrying += usize::from(is_free);
        is_free
    }

    /// What goes next. When nobody waits it is none, and the carrier that asked is done.
    fn take(&self) -> Option<(Vec<J>, Vec<Asker<J>>)> {
        let mut waiting = self.waiting.lock();
        let (mut taken, mut weight) = (Vec::new(), 0);
        while let Some((request, _)) = waiting.requests.front() {
            weight += request.weight();
            if weight > J::MOST && !taken.is_empty() {
                break;
            }
            taken.extend(waiting.requests.pop_front());
        }
        if taken.is_empty() {
            waiting.carrying -= 1;
            return None;
        }
        Some(taken.into_iter().unzip())
    }

    /// A carrier broke down: who waits might wait for ever, and is sent away.
    fn break_down(&self) {
        let mut waiting = self.waiting.lock();
        waiting.carrying -= 1;
        waiting.requests.clear();
    }
}

/// Puts a request into its line, and waits for the answer; none when there will be none.
pub(super) async fn ask<J: Joint>(store: &Store, request: J) -> Option<J::Answer> {
    let (answer, answered) = oneshot::channel();
    if J::line(store).put(request, answer) {
        tokio::spawn(carry_all::<J>(store.clone()));
    }
    answered.await.ok()
}

async fn carry_all<J: Joint>(store: Store) {
    let carrier = Carrier::<J>(store, PhantomData);
    while let Some((requests, askers)) = J::line(&carrier.0).take() {
        let answers = J::carry(&carrier.0, requests).await;
        for (asker, answer) in askers.into_iter().zip(answers) {
            // Who does not listen any more has no use for it.
            let _ = asker.send(answer);
        }
    }
}

/// Carries requests of one kind.
struct Carrier<J: Joint>(Store, PhantomData<J>);

impl<J: Joint> Drop for Carrier<J> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            J::line(&self.0).break_down();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weighs what it says.
    struct Weight(usize);

    impl Joint for Weight {
        type Answer = ();
        const MOST: usize = 10;
        fn weight(&self) -> usize {
            self.0
        }
        fn line(_: &Store) -> &Line<Self> {
            unreachable!("no store is needed here")
        }
        async fn carry(_: &Store, requests: Vec<Self>) -> Vec<()> {
            vec![(); requests.len()]
        }
    }

    fn put(line: &Line<Weight>, weight: usize) -> bool {
        line.put(Weight(weight), oneshot::channel().0)
    }

    fn take(line: &Line<Weight>) -> Option<Vec<usize>> {
        line.take().map(|(taken, _)| taken.iter().map(|weight| weight.0).collect())
    }

    #[test]
    fn who_comes_meanwhile_goes_next() {
        let line = Line::new(1);
        assert!(put(&line, 1), "nobody carries yet");
        assert_eq!(take(&line), Some(vec![1]), "one alone waits for nobody");
        assert!(!put(&line, 2) && !put(&line, 3));
        assert_eq!(take(&line), Some(vec![2, 3]));
        assert_eq!(take(&line), None);
        assert!(put(&line, 4), "nobody carries any more");
    }

    #[test]
    fn as_many_carry_as_allowed() {
        let line = Line::new(2);
        assert!(put(&line, 1) && put(&line, 2) && !put(&line, 3));
        assert_eq!(take(&line), Some(vec![1, 2, 3]));
        assert_eq!(take(&line), None);
        assert!(put(&line, 4) && !put(&line, 5));
    }

    #[test]
    fn what_goes_together_has_a_limit() {
        let line = Line::new(1);
        for weight in [4, 6, 1, 30, 2] {
            put(&line, weight);
        }
        let taken: Vec<_> = std::iter::from_fn(|| take(&line)).collect();
        assert_eq!(taken, [vec![4, 6], vec![1], vec![30], vec![2]]);
    }

    #[test]
    fn a_carrier_that_breaks_down_sends_those_away_who_wait() {
        let line = Line::new(1);
        put(&line, 1);
        let (answer, mut answered) = oneshot::channel();
        line.put(Weight(2), answer);
        line.break_down();
        assert_eq!(answered.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(put(&line, 3), "another can begin");
    }
}

//! Random choices that a seed repeats. What threads do with them still depends on their timing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough to choose a behaviour.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for a part of the test, so that it draws the same whatever the others do.
    pub fn for_part(&self, part: u64) -> Self {
        Self::new(Self(self.0 ^ part.wrapping_mul(0xd1b5_4a32_d192_ed03)).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, without `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.below(u64::try_from(choices.len()).expect("a short list"));
        choices[usize::try_from(index).expect("below a length")]
    }
}

/// `ALIASD_TEST_SEED`, else another one each time.
pub fn seed() -> u64 {
    if let Ok(typed) = std::env::var("ALIASD_TEST_SEED") {
        return typed.parse().expect("ALIASD_TEST_SEED is a number");
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::from(since.subsec_nanos()) ^ since.as_secs()
}

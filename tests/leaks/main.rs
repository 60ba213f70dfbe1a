//! Nobody learns the mailbox: letters that hide it in every way go through the real composition of replies, and the leak
//! finder (`support/leaks`) looks for it in what leaves.
//!
//! The finder and the methods of hiding are tested on each other: what a method hides, the finder must find before
//! anything was scrubbed, and it must find nothing of anybody else.

#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by failing, also in the functions that its tests share"
)]

#[path = "../durability/dice.rs"]
#[expect(dead_code, reason = "the tests of durability use the rest of it")]
mod dice;
mod encode;
mod finder;
mod found;
mod generated;
mod keyring;
#[path = "../support/leaks/mod.rs"]
mod leaks;
mod letters;
mod methods;
mod owner;
mod relay;
mod scene;
mod seeds;
mod untouched;
mod written;

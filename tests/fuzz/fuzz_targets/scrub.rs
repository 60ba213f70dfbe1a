//! Whatever the owner of an alias writes: nothing that leaves shows the mailbox.

#![no_main]

#[path = "../../durability/dice.rs"]
#[expect(dead_code, reason = "other targets use the rest of it")]
mod dice;
#[path = "../../support/leaks/mod.rs"]
mod leaks;
#[path = "../../leaks/owner.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod owner;
#[path = "../../leaks/relay.rs"]
mod relay;

use leaks::{Effort, Secret};
use libfuzzer_sys::fuzz_target;
use owner::OWNERS;

const PEOPLE: &[u8] = b"From: zq7.owner@example.net\r\nTo: jane@ra.example.com\r\n";

fuzz_target!(|rest: &[u8]| {
    let owner = &OWNERS[1];
    let letter = [PEOPLE, rest].concat();
    let Some(left) = relay::leaves(&letter, owner) else { return };
    let secrets: Vec<_> = owner.addresses().map(|address| Secret::of(&address)).collect();
    let found = leaks::find(&left, &secrets, Effort::Declared);
    assert!(found.is_empty(), "{found:#?}\n{}", String::from_utf8_lossy(&left));
});

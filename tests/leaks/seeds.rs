//! Letters for the fuzzer to begin with: `ALIASD_TEST_SEEDS` names the folder that they are written to, else they go
//! with the test.

use std::fs;
use std::path::PathBuf;

use crate::letters::Plan;
use crate::methods::{self, Reach};
use crate::owner::OWNERS;

/// What the target `scrub` puts before every letter itself.
const LEFT_OUT: [&str; 2] = ["From: ", "To: "];

#[test]
fn seeds_are_written_down() {
    let scratch = tempfile::tempdir().expect("a folder of its own");
    let named = std::env::var_os("ALIASD_TEST_SEEDS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| scratch.path().to_owned());
    fs::create_dir_all(&folder).expect("a folder that can be made");
    let methods = methods::all().iter().filter(|method| method.reach != Reach::Beyond);
    let mut made = 0;
    for method in methods {
        made += 1;
        let letter = without_people(&Plan::of(method, &OWNERS[1], 1).letter());
        let name: String =
            method.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        fs::write(folder.join(name), letter).expect("a seed that can be written");
    }
    let written = fs::read_dir(&folder).expect("the folder").count();
    assert!(written >= made, "only {written} seeds");
}

fn without_people(letter: &[u8]) -> Vec<u8> {
    let end = letter.windows(4).position(|window| window == b"\r\n\r\n").map_or(letter.len(), |end| end + 2);
    let (head, rest) = letter.split_at(end);
    let lines = head.split_inclusive(|octet| *octet == b'\n');
    let kept = lines.filter(|line| !LEFT_OUT.iter().any(|name| line.starts_with(name.as_bytes())));
    kept.flatten().copied().chain(rest.iter().copied()).collect()
}

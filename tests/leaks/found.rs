//! Letters that once leaked, as they were found by fuzzing: `fixtures/leaks/*`, or another folder that
//! `ALIASD_TEST_INPUTS` names. Each is a letter of the second owner without its `From` and `To`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::leaks::{self, Effort, Secret};
use crate::owner::OWNERS;
use crate::relay::leaves;

const PEOPLE: &[u8] = b"From: zq7.owner@example.net\r\nTo: jane@ra.example.com\r\n";

fn folder() -> PathBuf {
    let named = std::env::var_os("ALIASD_TEST_INPUTS").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/leaks"))
}

/// What the finder finds in what leaves.
fn leaks_of(input: &[u8]) -> Option<String> {
    let owner = &OWNERS[1];
    let left = leaves(&[PEOPLE, input].concat(), owner)?;
    let secrets: Vec<_> = owner.addresses().map(|address| Secret::of(&address)).collect();
    let found = leaks::find(&left, &secrets, Effort::Declared);
    let shown = |leak: &leaks::Leak| format!("{leak}\n");
    (!found.is_empty()).then(|| found.iter().map(shown).collect())
}

#[test]
fn letters_that_leaked_do_so_no_more() {
    let files =
        fs::read_dir(folder()).expect("a folder of letters").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = files.collect();
    files.retain(|file| file.extension().is_none_or(|extension| extension != "md"));
    files.sort();
    assert!(!files.is_empty(), "no letters");
    let leaking = files.iter().filter_map(|file| {
        let found = leaks_of(&fs::read(file).expect("a letter"))?;
        Some(format!("{}:\n{found}", file.display()))
    });
    let leaking: Vec<String> = leaking.collect();
    assert!(leaking.is_empty(), "{} of {} leak:\n{}", leaking.len(), files.len(), leaking.join("\n"));
}

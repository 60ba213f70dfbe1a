//! The letters under `fixtures/`: those that owners wrote, and those that came in and are answered or sent on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::leaks::{self, Effort};
use crate::letters::secrets;
use crate::owner::OWNERS;
use crate::relay::leaves;

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let mut found: Vec<_> =
        fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("a file").path()).collect();
    found.sort();
    found
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> =
        text.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    lines.join(&b"\r\n"[..])
}

/// A contact's own id, whose provider is that of the mailbox. In case 38 it comes with proof that it is not the owner's.
const OF_A_CONTACT: &[u8] = b"<37@mail.example.net>";

/// Whether it left; fails when the mailbox shows.
fn sent(file: &Path, letter: &[u8]) -> bool {
    let owner = &OWNERS[0];
    let Some(left) = leaves(letter, owner) else { return false };
    let leaks =
        leaks::find(&replaced(&left, OF_A_CONTACT, b"<37@example.org>"), &secrets(owner), Effort::Everything);
    assert!(leaks.is_empty(), "{}: {leaks:#?}", file.display());
    true
}

#[test]
fn replies_of_the_fixtures_leak_nothing() {
    let replies = fixtures("relay").into_iter().filter(|folder| folder.to_string_lossy().contains("reply"));
    let files = replies.map(|folder| folder.join("in.eml"));
    let left = files.filter(|file| sent(file, &with_crlf(&fs::read(file).expect("a letter")))).count();
    assert!(left >= 5, "only {left} replies left");
}

/// Everything that came for the alias came to the mailbox in the end: it is sent on as an attachment, and as it is.
#[test]
fn messages_of_the_fixtures_leak_nothing_when_they_are_sent_on() {
    const AUTHOR: &str = "From: me@example.net\r\nTo: jane@ra.example.com\r\nMIME-Version: 1.0\r\n";
    let mut left = 0;
    for file in fixtures("messages/accepted") {
        let raw = fs::read(&file).expect("a message");
        let came = replaced(&raw, b"shop@example.com", b"me@example.net");
        let attached = [
            AUTHOR.as_bytes(),
            b"Content-Type: message/rfc822\r\n\r\nReceived: by mail.example.net; x\r\n",
            &came,
        ]
        .concat();
        let quoted = [AUTHOR.as_bytes(), b"Content-Type: text/plain\r\n\r\n", &came].concat();
        left += usize::from(sent(&file, &attached)) + usize::from(sent(&file, &quoted));
    }
    assert!(left >= 20, "only {left} messages left");
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

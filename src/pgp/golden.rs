//! Golden cases of header protection: each folder of `fixtures/pgp` has a message (`in.eml`), the fields that it has
//! outside when it is encrypted (`outer.txt`) and what is encrypted (`inner.eml`). In a folder whose name has `shown`
//! the subject may be seen. `ALIASD_BLESS=1 cargo test --lib golden` writes what comes out now; read the difference
//! before committing it.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::header_protection::{Heads, OuterSubject, divide};
use crate::mail::Message;

/// What becomes of a case, by file.
fn outcome(folder: &Path) -> [(PathBuf, Vec<u8>); 2] {
    let raw = std::fs::read_to_string(folder.join("in.eml")).unwrap().replace('\n', "\r\n");
    let message = Message::parse(Bytes::from(raw));
    let is_shown = folder.file_name().unwrap().to_string_lossy().contains("shown");
    let subject = if is_shown { OuterSubject::Shown } else { OuterSubject::Hidden };
    let Heads { outer, inner } = divide(&Message::parse(message.head()), &message.body(), subject);
    let inner = [&inner[..], &message.body()].concat();
    [("outer.txt", outer), ("inner.eml", inner)].map(|(file, text)| {
        let text = String::from_utf8(text).unwrap();
        assert!(text.replace("\r\n", "").find(['\r', '\n']).is_none(), "{}", folder.display());
        (folder.join(file), text.replace("\r\n", "\n").into_bytes())
    })
}

#[test]
fn golden_cases_come_out_as_they_are_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pgp");
    let mut folders: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 10, "only {} cases in {}", folders.len(), root.display());
    let mut wrong = Vec::new();
    for (file, found) in folders.iter().flat_map(|folder| outcome(folder)) {
        if std::env::var_os("ALIASD_BLESS").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        if std::fs::read(&file).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{}", file.display(), String::from_utf8_lossy(&found)));
        }
    }
    assert!(wrong.is_empty(), "these cases come out differently:\n{}", wrong.join("\n"));
}

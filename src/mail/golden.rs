//! Numbered messages under `fixtures/mail`: `in.eml`, what is seen in it (`expect.txt`), and why it is there (`README`).
//!
//! With `ALIASD_WRITE_FIXTURES` set the test writes `expect.txt` where it is missing, for a person to read and commit.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::address_list::{self, Entry, Member, NamedAddress};
use super::auth_results;
use super::edit::Edits;
use super::message::{Field, Message};
use super::message_id;

#[test]
fn fixtures_are_seen_as_expected() {
    let folders = folders();
    assert!(folders.len() >= 25, "only {} fixtures were found", folders.len());
    for folder in folders {
        let raw = Bytes::from(fs::read(folder.join("in.eml")).unwrap());
        assert!(folder.join("README").is_file(), "{} has no README", folder.display());
        let message = Message::parse(raw.clone());
        compare(&folder.join("expect.txt"), &describe(&message));
        let unedited = Edits::new(&message).render();
        assert_eq!([unedited.head, unedited.body].concat(), raw, "{}", folder.display());
    }
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mail");
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn compare(expected: &Path, seen: &str) {
    if !expected.exists() && std::env::var_os("ALIASD_WRITE_FIXTURES").is_some() {
        fs::write(expected, seen).unwrap();
    }
    let text = fs::read_to_string(expected).unwrap_or_default();
    assert_eq!(text, seen, "{}", expected.display());
}

fn describe(message: &Message) -> String {
    let names: Vec<_> =
        message.fields().iter().map(|field| message.name(field).unwrap_or("(opaque)")).collect();
    let mut out = format!("fields: {}\nbody: {} octets\n", names.join(", "), message.body().len());
    for field in message.fields() {
        describe_field(&mut out, message, field);
    }
    out
}

fn describe_field(out: &mut String, message: &Message, field: &Field) {
    let value = message.value(field);
    let Some(name) = message.name(field) else {
        return;
    };
    match name.to_ascii_lowercase().as_str() {
        "from" | "sender" | "reply-to" | "to" | "cc" => describe_list(out, name, value),
        "references" | "in-reply-to" | "message-id" => {
            for span in message_id::spans(value) {
                let _ = writeln!(out, "{name}: {}", value[span].escape_ascii());
            }
        }
        "authentication-results" => {
            let _ = writeln!(out, "{name}: by {:?}", auth_results::authserv_id(value));
        }
        _ => {}
    }
}

fn describe_list(out: &mut String, name: &str, value: &[u8]) {
    let list = address_list::parse(value);
    if list.entries.is_empty() {
        let _ = writeln!(out, "{name}: empty");
    }
    for entry in &list.entries {
        let _ = match entry {
            Entry::Mailbox(mailbox) => writeln!(out, "{name}: {}", mailbox_line(mailbox)),
            Entry::Malformed(span) => {
                writeln!(out, "{name}: malformed {}", value[span.clone()].escape_ascii())
            }
            Entry::Group(group) => writeln!(out, "{name}: group {:?}", group.name.as_deref().unwrap_or("")),
        };
        if let Entry::Group(group) = entry {
            group.members.iter().for_each(|member| describe_member(out, name, value, member));
        }
    }
}

fn describe_member(out: &mut String, name: &str, value: &[u8], member: &Member) {
    let _ = match member {
        Member::Mailbox(mailbox) => writeln!(out, "{name}:   {}", mailbox_line(mailbox)),
        Member::Malformed(span) => {
            writeln!(out, "{name}:   malformed {}", value[span.clone()].escape_ascii())
        }
    };
}

fn mailbox_line(mailbox: &NamedAddress) -> String {
    match &mailbox.name {
        Some(name) => format!("{name:?} <{}>", mailbox.address),
        None => format!("<{}>", mailbox.address),
    }
}

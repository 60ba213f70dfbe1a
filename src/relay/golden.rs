//! Golden cases: each folder of `fixtures/relay` has a message (`in.eml`) and what becomes of it (`out.eml`, or `refused.txt`).
//! A folder whose name has `forward` is mail for `shop@example.com`; one with `reply` is mail from its owner to contacts.
//! `ALIASD_BLESS=1 cargo test --lib golden` writes what comes out now; read the difference before committing it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::alias::{Alias, Contact, ContactId, Lookup};
use super::correspondents::{self, Known, MAX_CONTACTS};
use super::forward::{self, Forward};
use super::keys::Keys;
use super::ports::Content;
use super::refusal::Refused;
use super::reply::{self, Evidence, ReplyMessage};
use super::reverse::{self, Readability};
use super::screening;
use super::scrub;
use super::testing::{self, alias};
use super::trace::Trace;
use super::transaction::TransactionId;
use crate::mail::{Address, DomainName, Message, Timestamp};

const NOW: Timestamp = Timestamp::EPOCH;

fn contact_for(address: &Address, name: Option<String>) -> Contact {
    let domain = DomainName::parse("example.com").unwrap();
    // The token is the start of the address, so that the cases can be read.
    let mut token = [0; reverse::TOKEN_BYTES];
    token.iter_mut().zip(address.as_normal().bytes()).for_each(|(to, from)| *to = from);
    let reverse_alias = reverse::compose(address, &domain, Readability::Readable, token).unwrap();
    Contact {
        id: ContactId(1),
        alias: alias().id,
        address: address.clone(),
        name,
        reverse_alias,
        blocked: false,
    }
}

fn known(message: &Message, alias: &Alias) -> Known {
    let mut known = Known::default();
    for person in correspondents::of(message, alias) {
        let is_author = correspondents::author(message).is_ok_and(|author| author.address == person.address);
        if !is_author && person.address.domain() == alias.address.domain() {
            known.ours.insert(person.address);
        } else if known.contacts.len() < MAX_CONTACTS {
            let contact = contact_for(&person.address, person.name);
            known.contacts.insert(person.address, contact);
        }
    }
    known
}

fn trace(hostname: &DomainName) -> Trace<'_> {
    Trace {
        hostname,
        id: TransactionId::new(NOW, [0; 10]),
        now: NOW,
        helo: "mx.example.org",
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        esmtp: true,
        smtputf8: false,
    }
}

fn forwarded(message: &Message) -> Result<Content, Refused> {
    let (alias, keys, hostname) =
        (alias(), Keys::derive(&[7; 32]), DomainName::parse("mx.example.com").unwrap());
    screening::screen(message)?;
    let author = correspondents::author(message)?;
    forward::check_loop(message, &alias, &keys)?;
    let known = known(message, &alias);
    let given = Address::parse("shop+tag@example.com").unwrap();
    let trace = trace(&hostname);
    let forward =
        Forward { message, alias: &alias, given: &given, author: &author, known: &known, trace: &trace };
    Ok(forward.compose(&keys))
}

/// Whom the local part of an address at our domain stands for, in the reply cases.
fn answer(address: &Address) -> Lookup {
    let contact = |who: &str, name: Option<&str>| {
        let address = Address::parse(who).unwrap();
        std::sync::Arc::new(contact_for(&address, name.map(str::to_owned)))
    };
    let owner = std::sync::Arc::new(alias());
    let other = std::sync::Arc::new(Alias { id: super::alias::AliasId(12), ..alias() });
    match address.as_normal() {
        "jane@ra.example.com" => Lookup::ReverseAlias(owner, contact("jane@example.org", Some("Jane Doe"))),
        "plain@ra.example.com" => Lookup::ReverseAlias(owner, contact("plain@example.org", None)),
        "umlaut@ra.example.com" => {
            Lookup::ReverseAlias(owner, contact("u@example.org", Some("Jürgen, the \"first\"")))
        }
        "other@ra.example.com" => Lookup::ReverseAlias(other, contact("x@example.org", None)),
        "shop@example.com" => Lookup::Alias(owner),
        _ => Lookup::ForeignDomain,
    }
}

fn replied(message: &Message) -> Result<Content, Refused> {
    let (alias, keys, hostname) =
        (alias(), Keys::derive(&[7; 32]), DomainName::parse("mx.example.com").unwrap());
    screening::screen(message)?;
    reply::authorize(message, &alias, Evidence::TrustedNetwork, NOW)?;
    let answers: HashMap<_, _> =
        reply::addressed(message)?.into_iter().map(|address| (address.clone(), answer(&address))).collect();
    reply::check_addressed(&alias, &answers)?;
    let quoted = scrub::candidates(message, alias.address.domain().unwrap());
    let quoted = quoted.into_iter().filter_map(|address| match answer(&address) {
        Lookup::ReverseAlias(owner, contact) if owner.id == alias.id => Some((address, contact)),
        _ => None,
    });
    let scrubbed = &testing::scrubbed(message, &alias, &quoted.collect(), &keys)?;
    let trace = &trace(&hostname);
    Ok(ReplyMessage { message, alias: &alias, answers: &answers, scrubbed, trace }.compose(&keys))
}

fn outcome(folder: &Path) -> (PathBuf, Vec<u8>) {
    let raw = std::fs::read(folder.join("in.eml")).unwrap();
    let raw = String::from_utf8(raw).unwrap().replace("\r\n", "\n").replace('\n', "\r\n");
    let message = Message::parse(Bytes::from(raw));
    let is_reply = folder.file_name().unwrap().to_string_lossy().contains("reply");
    match if is_reply { replied(&message) } else { forwarded(&message) } {
        Ok(content) => {
            let is_touched = content.body != message.body();
            assert!(is_reply || !is_touched, "{}: the body was touched", folder.display());
            let whole = [content.head.as_ref(), content.body.as_ref()].concat();
            (folder.join("out.eml"), String::from_utf8(whole).unwrap().replace("\r\n", "\n").into_bytes())
        }
        Err(refused) => (folder.join("refused.txt"), format!("{}\n", refused.reply()).into_bytes()),
    }
}

#[test]
fn golden_cases_come_out_as_they_are_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/relay");
    let mut folders: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 20, "only {} cases in {}", folders.len(), root.display());
    let mut wrong = Vec::new();
    for folder in folders {
        let (file, found) = outcome(&folder);
        if std::env::var_os("ALIASD_BLESS").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read(&file).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{}:\n{}", file.display(), String::from_utf8_lossy(&found)));
        }
    }
    assert!(wrong.is_empty(), "these cases come out differently:\n{}", wrong.join("\n"));
}

//! The finder itself: it finds what every method hides, and nothing else.

use std::collections::BTreeMap;

use crate::leaks::{self, Effort, Leak, Reader, Rule, Secret, What};
use crate::letters::{Plan, secrets};
use crate::methods::{self, Method};
use crate::owner::{NOBODY, OWNERS, Owner};

const NEUTRAL: &str = "The Shop <shop@example.com>";
/// Letters of each method.
const LETTERS: u64 = 6;

fn found(plan: &Plan) -> Vec<Leak> {
    leaks::find(&plan.letter_from(NEUTRAL), &secrets(plan.owner), Effort::Everything)
}

/// One letter a method and owner, in turn.
fn plans(method: &'static Method) -> impl Iterator<Item = Plan> {
    (0..LETTERS).map(move |seed| {
        let owner: &'static Owner = &OWNERS[usize::try_from(seed).expect("small") % OWNERS.len()];
        Plan::of(method, owner, seed * 1_000_003 + 17)
    })
}

#[test]
fn it_finds_what_each_method_hides() {
    let mut missed = BTreeMap::new();
    for method in methods::all() {
        let blind =
            plans(method).filter(|plan| found(plan).is_empty()).map(|plan| plan.seed).collect::<Vec<_>>();
        if !blind.is_empty() {
            missed.insert(&method.name, blind);
        }
    }
    assert!(methods::all().len() >= 300, "only {} methods", methods::all().len());
    assert!(missed.is_empty(), "not found, by seeds: {missed:#?}");
}

#[test]
fn methods_have_names_of_their_own() {
    let mut names: Vec<_> = methods::all().iter().map(|method| &method.name).collect();
    names.sort();
    let pairs = names.windows(2).filter(|pair| pair[0] == pair[1]);
    assert_eq!(pairs.count(), 0);
}

#[test]
fn it_finds_nothing_of_anybody_else() {
    let everybody: Vec<Secret> = OWNERS.iter().flat_map(secrets).collect();
    for method in methods::all() {
        let letter = Plan::of(method, &NOBODY, 4711).letter_from(NEUTRAL);
        let leaks = leaks::find(&letter, &everybody, Effort::Everything);
        let shown = String::from_utf8_lossy(&letter);
        assert!(leaks.is_empty(), "{}: {leaks:?}\n{shown}", method.name);
    }
}

#[test]
fn all_readers_find_what_is_plain() {
    let letter = b"From: a@example.org\r\nContent-Type: text/plain\r\n\r\nfrom me@example.net\r\n";
    let readers: Vec<_> = leaks::find(letter, &[Secret::of("me@example.net")], Effort::Everything)
        .iter()
        .map(|leak| leak.reader)
        .collect();
    assert_eq!(readers, [Reader::Walk, Reader::MailParser, Reader::Brute]);
}

#[test]
fn what_nothing_declares_is_shown_by_no_program() {
    let found = |encoding: &str, effort| {
        let head = format!("Content-Type: text/plain\r\nContent-Transfer-Encoding: {encoding}\r\n");
        let letter = format!("{head}\r\nfrom me=40example.net\r\n");
        !leaks::find(letter.as_bytes(), &[Secret::of("me@example.net")], effort).is_empty()
    };
    assert!(found("7bit", Effort::Everything) && !found("7bit", Effort::Declared));
    assert!(found("quoted-printable", Effort::Declared));
}

#[test]
fn a_domain_may_stand_in_prose_and_nowhere_else() {
    let secret = [Secret::of("me@example.net")];
    let letter = |field: &str, body: &str| {
        format!("{field}\r\nContent-Type: text/plain\r\n\r\n{body}\r\n").into_bytes()
    };
    let clean = [
        letter("Subject: example.net is down", "see https://mail.example.net/ and me too"),
        letter("Content-Description: photo of example.net", "info@example.net"),
        letter(
            "From: \"example.net\" <other@example.net>",
            "notme@example.net, not.me@example.net, me@example.net.au, me@example.network",
        ),
        letter("Content-Disposition: inline; filename=me.jpg", "me"),
        letter("Message-ID: <1@notexample.net>", "x"),
    ];
    for letter in clean {
        let leaks = leaks::find(&letter, &secret, Effort::Everything);
        assert!(leaks.is_empty(), "{leaks:?}");
    }
    for (field, what) in [
        ("Message-ID: <1@mail.example.net>", What::Domain),
        ("Content-ID: <a.zq7.owner-1@example.org>", What::LocalPart),
        ("Content-Disposition: inline; filename=\"example.net.txt\"", What::Domain),
        ("Subject: for Me+Shop@Example.NET.", What::Address),
    ] {
        let leaks = leaks::find(
            &letter(field, "x"),
            &[Secret::of("me@example.net"), Secret::of("zq7.owner@example.net")],
            Effort::Everything,
        );
        assert!(leaks.iter().any(|leak| leak.what == what), "{field}: {leaks:?}");
    }
}

#[test]
fn a_local_part_in_a_name_must_tell_who_it_is() {
    let shows = |address: &str, text: &str| {
        let shown = Secret::of(address).shows(text, Rule::FileName);
        shown.iter().any(|(what, _)| *what == What::LocalPart)
    };
    assert!(!shows("me@example.net", "read me.txt"));
    assert!(shows("zq7@example.net", "letter of zq7.txt"));
    assert!(shows("wxyzowner@example.net", "wxyzowner"));
    assert!(!shows("wxyzowner@example.net", "wxyzowners"));
}

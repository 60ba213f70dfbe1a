use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::mail::fold::FieldWriter;

/// One line an entry: `name <address>`, `group(…)`, `!malformed`.
fn seen(value: &[u8]) -> Vec<String> {
    parse(value).entries.iter().map(|entry| show(value, entry)).collect()
}

fn show(value: &[u8], entry: &Entry) -> String {
    match entry {
        Entry::Mailbox(mailbox) => show_mailbox(mailbox),
        Entry::Malformed(span) => format!("!{}", value[span.clone()].escape_ascii()),
        Entry::Group(group) => {
            let members: Vec<_> =
                group.members.iter().map(|member| show(value, &Entry::from(member.clone()))).collect();
            format!("{}({})", group.name.as_deref().unwrap_or(""), members.join(" + "))
        }
    }
}

fn show_mailbox(mailbox: &NamedAddress) -> String {
    match &mailbox.name {
        Some(name) => format!("{name} <{}>", mailbox.address),
        None => mailbox.address.to_string(),
    }
}

#[test]
fn forms_of_mailboxes() {
    for (value, expected) in [
        ("jane@example.com", "jane@example.com"),
        (" <jane@example.com> ", "jane@example.com"),
        ("Jane Doe <jane@example.com>", "Jane Doe <jane@example.com>"),
        ("\"Doe, Jane\" <jane@example.com>", "Doe, Jane <jane@example.com>"),
        ("jane@example.com (Jane Doe)", "Jane Doe <jane@example.com>"),
        ("Jane (of old) <jane@example.com> (x)", "Jane <jane@example.com>"),
        ("Jane Q. Doe <jane@example.com>", "Jane Q. Doe <jane@example.com>"),
        ("jane@example.org <jane@example.com>", "jane@example.org <jane@example.com>"),
        ("[List] Jane <jane@example.com>", "[List] Jane <jane@example.com>"),
        ("J\u{fc}rgen <j\u{fc}rgen@b\u{fc}cher.example>", "J\u{fc}rgen <j\u{fc}rgen@xn--bcher-kva.example>"),
        ("=?UTF-8?Q?Doe,_Jane?= <jane@example.com>", "Doe, Jane <jane@example.com>"),
        ("=?UTF-8?Q?J=C3?=\r\n =?UTF-8?Q?=BCrgen?= <j@example.com>", "J\u{fc}rgen <j@example.com>"),
        ("jane . doe (x) @ (y) example . com", "jane.doe@example.com"),
        ("\"jane doe\"@example.com", "\"jane doe\"@example.com"),
        ("\"jane\".doe@example.com", "jane.doe@example.com"),
        ("<@a.example,@b.example:jane@example.com>", "jane@example.com"),
        ("Jane <jane@[192.0.2.1]>", "Jane <jane@[192.0.2.1]>"),
        ("jane..doe.@example.com", "\"jane..doe.\"@example.com"),
        ("(first) jane@example.com (second)", "first <jane@example.com>"),
        ("\"\" <jane@example.com>", "jane@example.com"),
    ] {
        assert_eq!(seen(value.as_bytes()), [expected], "{value:?}");
    }
}

#[test]
fn forms_of_lists() {
    for (value, expected) in [
        ("", vec![]),
        (" , ,, (nothing) ,", vec![]),
        (",,a@example.com,,b@example.com,", vec!["a@example.com", "b@example.com"]),
        ("a@example.com; b@example.com", vec!["a@example.com", "b@example.com"]),
        ("undisclosed-recipients:;", vec!["undisclosed-recipients()"]),
        (
            "Team: a@example.com, B <b@example.com>,; , c@example.com",
            vec!["Team(a@example.com + B <b@example.com>)", "c@example.com"],
        ),
        ("Team: a@example.com", vec!["Team(a@example.com)"]),
        ("A: x@example.com; B: ; y@example.com", vec!["A(x@example.com)", "B()", "y@example.com"]),
        (": a@example.com;", vec!["(a@example.com)"]),
    ] {
        assert_eq!(seen(value.as_bytes()), expected, "{value:?}");
    }
}

#[test]
fn one_broken_entry_leaves_the_others_readable() {
    for (value, broken) in [
        ("Jane Doe", "!Jane Doe"),
        ("Jane <jane@example.com", "!Jane <jane@example.com"),
        ("<>", "!<>"),
        ("<jane>", "!<jane>"),
        ("<@example.org>", "!<@example.org>"),
        ("a@example.com b@example.com", "!a@example.com b@example.com"),
        ("<a@example.com> <b@example.com>", "!<a@example.com> <b@example.com>"),
        ("<a@example.com> b", "!<a@example.com> b"),
        ("a@b@example.com", "!a@b@example.com"),
        ("<a b@example.com>", "!<a b@example.com>"),
        ("<mailto:a@example.com>", "!<mailto:a@example.com>"),
        ("a@-example.com", "!a@-example.com"),
        ("\"a\"\"b\"@example.com", r#"!\"a\"\"b\"@example.com"#),
        ("jane\0@example.com", "!jane\\x00@example.com"),
    ] {
        let list = format!("x@example.com, {value}, y@example.com");
        let expected = ["x@example.com", broken, "y@example.com"];
        assert_eq!(seen(list.as_bytes()), expected, "{value:?}");
        assert!(!parse(list.as_bytes()).is_wholly_readable());
    }
    assert_eq!(seen(b"j\xfcrgen@example.com"), ["!j\\xfcrgen@example.com"]);
    assert_eq!(seen(b"G: a: b@example.com, c@example.com;"), ["G(!a: b@example.com + c@example.com)"]);
    assert_eq!(seen(b"a@example.com, \"open, b@example.com"), ["a@example.com", r#"!\"open, b@example.com"#]);
}

#[test]
fn spans_are_those_of_the_entry_and_of_the_address() {
    let value = b" Jane (x) <@r.example:jane@example.com> (y) , Team : a@example.com ;";
    let list = parse(value);
    let jane = list.first_mailbox().unwrap();
    assert_eq!(&value[jane.span.clone()], b"Jane (x) <@r.example:jane@example.com> (y)");
    assert_eq!(&value[jane.address_span.clone()], b"jane@example.com");
    let Entry::Group(team) = &list.entries[1] else { panic!("{list:?}") };
    assert_eq!(&value[team.span.clone()], b"Team : a@example.com ;");
    assert_eq!(&value[team.name_span.clone()], b"Team");
}

#[test]
fn entries_are_bounded() {
    let list = parse("a@example.com,".repeat(MAX_ENTRIES + 10).as_bytes());
    assert_eq!(list.entries.len(), MAX_ENTRIES + 1);
    assert!(matches!(list.entries.last(), Some(Entry::Malformed(_))));
    assert!(parse("a ".repeat(2_000).as_bytes()).entries.iter().all(|e| matches!(e, Entry::Malformed(_))));
}

#[test]
fn a_megabyte_of_anything_is_read_at_once() {
    let pieces = [
        "(", "\"", "<", ",", ":", ";", "@", "[", "a", ".", " ", "\\", "()", "<@", "a:;", "=?", "=?a?q?",
        "<a,", "\r\n",
    ];
    for piece in pieces {
        let value = piece.repeat(1_000_000 / piece.len());
        let start = Instant::now();
        let list = parse(value.as_bytes());
        assert!(start.elapsed() < Duration::from_secs(5), "{piece:?} took {:?}", start.elapsed());
        assert!(list.entries.len() <= MAX_ENTRIES + 1, "{piece:?}");
    }
}

// Rewriting.

fn rewritten(
    value: &str,
    on_malformed: OnMalformed,
    decide: impl FnMut(&NamedAddress) -> Decision,
) -> String {
    match parse(value.as_bytes()).rewrite("To", value.as_bytes(), (on_malformed, OnGroup::Keep), decide) {
        Rewritten::Unchanged => "unchanged".to_owned(),
        Rewritten::Empty => "empty".to_owned(),
        Rewritten::Field(field) => String::from_utf8(field.as_bytes().to_vec()).unwrap(),
    }
}

/// `old@…` is replaced, `gone@…` dropped, all else kept.
fn by_local_part(mailbox: &NamedAddress) -> Decision {
    match mailbox.address.local() {
        "old" => Decision::Replace {
            name: mailbox.name.clone(),
            address: Address::parse("new@example.org").unwrap(),
        },
        "gone" => Decision::Drop,
        _ => Decision::Keep,
    }
}

#[test]
fn entries_are_rewritten_one_by_one() {
    for (value, expected) in [
        (" a@example.com,,  b@example.com", "unchanged"),
        ("undisclosed-recipients:;", "unchanged"),
        ("", "unchanged"),
        ("gone@example.com, <gone@example.net>", "empty"),
        ("G: gone@example.com;", "empty"),
        ("Jane <old@example.com>", "To: Jane <new@example.org>\r\n"),
        (
            "\"J\\. D\"\r\n <a@example.com>, gone@example.com, old@example.com (J. D.)",
            "To: \"J\\. D\"\r\n <a@example.com>, \"J. D.\" <new@example.org>\r\n",
        ),
        (
            "The  Team: a@example.com (x), gone@example.com, old@example.com;, E:;",
            "To: The  Team: a@example.com (x), new@example.org;, E:;\r\n",
        ),
        ("Team: a@example.com; gone@example.com", "To: Team: a@example.com;\r\n"),
    ] {
        assert_eq!(rewritten(value, OnMalformed::Keep, by_local_part), expected, "{value:?}");
    }
}

#[test]
fn malformed_entries_follow_the_policy() {
    let value = "broken, a@example.com, G: bro ken, old@example.com;";
    assert_eq!(
        rewritten(value, OnMalformed::Keep, by_local_part),
        "To: broken, a@example.com, G: bro ken, new@example.org;\r\n"
    );
    assert_eq!(
        rewritten(value, OnMalformed::Drop, by_local_part),
        "To: a@example.com, G: new@example.org;\r\n"
    );
    assert_eq!(rewritten("broken", OnMalformed::Keep, by_local_part), "unchanged");
    assert_eq!(rewritten("broken", OnMalformed::Drop, by_local_part), "empty");
}

// Properties.

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"<"[..],
        b">",
        b",",
        b";",
        b":",
        b"@",
        b"\"",
        b"(",
        b")",
        b"[",
        b"]",
        b"\\",
        b".",
        b" ",
        b"\r\n ",
        b"\n",
        b"\0",
        b"a",
        b"b.example",
        b"=?utf-8?q?a?=",
        b"\xc3\xa9",
        b"\xff",
        b"a@b.example",
        b"<c@d.example>",
        b"G:",
    ]);
    let pieces = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat());
    prop_oneof![pieces, prop::collection::vec(any::<u8>(), 0..100)]
}

fn spans_of(entry: &Entry) -> Vec<Range<usize>> {
    match entry {
        Entry::Mailbox(mailbox) => vec![mailbox.span.clone()],
        Entry::Malformed(span) => vec![span.clone()],
        Entry::Group(group) => {
            let members = group.members.iter().flat_map(|member| spans_of(&Entry::from(member.clone())));
            std::iter::once(group.name_span.clone()).chain(members).collect()
        }
    }
}

fn address() -> impl Strategy<Value = Address> {
    let local =
        prop_oneof!["[a-z0-9+_-]{1,12}(\\.[a-z0-9]{1,8}){0,2}", "[ -~]{1,20}", "[a-z\u{e9}\u{4e2d}]{1,6}"];
    (local, "[a-z]{1,10}\\.example").prop_map(|(local, domain)| {
        Address::from_parts(&local, crate::mail::Host::parse(&domain).unwrap()).unwrap()
    })
}

fn name() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[!-~\u{e9}\u{4e2d}]{1,20}( [!-~\u{e9}\u{4e2d}]{1,30}){0,4}")
}

proptest! {
    #[test]
    fn spans_are_in_order_and_within_the_value(value in hostile()) {
        let mut at = 0;
        for span in parse(&value).entries.iter().flat_map(spans_of) {
            prop_assert!(span.start >= at && span.end >= span.start && span.end <= value.len());
            at = span.end;
        }
    }

    #[test]
    fn no_octet_of_weight_is_left_out(value in hostile()) {
        let list = parse(&value);
        let first = list.entries.iter().flat_map(spans_of).map(|span| span.start).min().unwrap_or(value.len());
        let before = parse(&value[..first]);
        prop_assert!(before.entries.is_empty(), "{:?}", before);
    }

    #[test]
    fn a_rewritten_list_is_one_field_with_what_was_kept(value in hostile()) {
        let list = parse(&value);
        let keep_even = |mailbox: &NamedAddress| {
            if mailbox.span.start.is_multiple_of(2) { Decision::Keep } else { Decision::Drop }
        };
        if let Rewritten::Field(field) = list.rewrite("To", &value, (OnMalformed::Drop, OnGroup::Keep), keep_even) {
            let message = crate::mail::Message::parse(bytes::Bytes::copy_from_slice(field.as_bytes()));
            prop_assert_eq!(message.fields().len(), 1);
            let again = parse(message.value(&message.fields()[0]));
            prop_assert!(again.is_wholly_readable());
            let kept: Vec<_> = list.mailboxes().filter(|m| m.span.start.is_multiple_of(2)).map(|m| &m.address).collect();
            let left: Vec<_> = again.mailboxes().map(|m| &m.address).collect();
            prop_assert_eq!(left, kept);
        }
    }

    #[test]
    fn what_is_written_reads_back(mailboxes in prop::collection::vec((name(), address()), 1..6)) {
        let mut field = FieldWriter::new("To");
        for (index, (name, address)) in mailboxes.iter().enumerate() {
            if index > 0 {
                field.glue(',');
            }
            field.mailbox(name.as_deref(), address);
        }
        let field = field.finish();
        let list = parse(&field.as_bytes()[3..]);
        prop_assert!(list.is_wholly_readable());
        let read: Vec<_> = list.mailboxes().map(|m| (m.name.clone(), m.address.clone())).collect();
        prop_assert_eq!(read, mailboxes);
    }
}

// The oracle: mail-parser reads well-formed lists as we do.

fn well_formed_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z][a-z]{1,8}( [A-Z][a-z]{1,8}){0,2} ",
        "\"[A-Za-z,.;:@<>]{1,10}( [a-z(),]{1,10}){0,2}\" ",
        "[a-z\u{e9}\u{4e2d}]{1,30}( [a-z\u{e9}]{1,20}){0,3}".prop_map(|text| {
            format!("{}\r\n ", crate::mail::encoded_word::encode(&text, 75).join("\r\n "))
        }),
    ]
}

fn well_formed_mailbox() -> impl Strategy<Value = String> {
    let address = "[a-z]{1,8}(\\.[a-z]{1,8})?@[a-z]{1,8}\\.example";
    prop_oneof![
        address,
        (well_formed_name(), address).prop_map(|(name, address)| format!("{name}<{address}>")),
        address.prop_map(|address| format!("<{address}>")),
    ]
}

fn well_formed_list() -> impl Strategy<Value = String> {
    let list = |size| prop::collection::vec(well_formed_mailbox(), size).prop_map(|list| list.join(",\r\n "));
    prop_oneof![
        list(1..6),
        ("[A-Z][a-z]{1,8}", list(1..4)).prop_map(|(name, list)| format!("{name}: {list};"))
    ]
}

fn oracle(value: &str) -> Vec<(Option<String>, String)> {
    let raw = format!("To: {value}\r\n\r\n");
    let message = mail_parser::MessageParser::default().parse(raw.as_bytes()).unwrap();
    let to = message.to().unwrap();
    to.iter().map(|a| (a.name().map(str::to_owned), a.address().unwrap_or("").to_owned())).collect()
}

proptest! {
    #[test]
    fn well_formed_lists_are_read_as_mail_parser_reads_them(value in well_formed_list()) {
        let list = parse(value.as_bytes());
        prop_assert!(list.is_wholly_readable());
        let read: Vec<_> = list.mailboxes().map(|m| (m.name.clone(), m.address.to_string())).collect();
        prop_assert_eq!(read, oracle(&value));
    }
}

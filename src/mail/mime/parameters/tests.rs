use proptest::prelude::*;

use super::*;

fn read(value: &str) -> (String, Vec<(String, String)>) {
    let parsed = Parameterized::parse(value.as_bytes());
    (parsed.word, parsed.parameters.into_iter().map(|p| (p.name, p.value)).collect())
}

#[test]
fn parameters_are_read() {
    for (value, word, parameters) in [
        (" text/plain; charset=utf-8", "text/plain", vec![("charset", "utf-8")]),
        (" Text / HTML (c; d) ;CHARSET = \"UTF-8\" (x)", "text/html", vec![("charset", "UTF-8")]),
        ("multipart/mixed;\r\n\tboundary=\"a b\\\"=_;\"", "multipart/mixed", vec![("boundary", "a b\"=_;")]),
        ("a/b; name=my file (1).txt; x", "a/b", vec![("name", "my file (1).txt"), ("x", "")]),
        ("a/b; name=\"=?utf-8?Q?caf=C3=A9?=\"", "a/b", vec![("name", "caf\u{e9}")]),
        ("a/b; name*=utf-8'en'caf%C3%A9%zz", "a/b", vec![("name", "caf\u{e9}%zz")]),
        ("a/b; name*=caf%c3%a9", "a/b", vec![("name", "caf\u{e9}")]),
        ("a/b; n*1=\" b\"; n*0*=iso-8859-1''%e9; n*2*=%e9", "a/b", vec![("n", "\u{e9} b\u{e9}")]),
        ("a/b; n*10=c; n*0=a; n*1=b; n=x", "a/b", vec![("n", "abc"), ("n", "x")]),
        ("a/b; n=\"open; x=y", "a/b", vec![("n", "open; x=y")]),
        ("a/b; n=caf\u{e9};; ;", "a/b", vec![("n", "caf\u{e9}")]),
        ("attachment", "attachment", vec![]),
        ("text/html rubbish / x; a=b", "text/html", vec![("a", "b")]),
        ("", "", vec![]),
    ] {
        let expected: Vec<_> = parameters.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        assert_eq!(read(value), (word.to_owned(), expected), "{value}");
    }
}

#[test]
fn what_stays_keeps_its_bytes() {
    let value = b" Text/Plain (c); charset= \"us-ascii\" ; name=a.txt; n*0=a; x=1; n*1=b";
    let parsed = Parameterized::parse(value);
    let field = parsed.rewrite("Content-Type", value, None, |_, parameter| match parameter.name.as_str() {
        "n" => Change::Set("caf\u{e9}".to_owned()),
        "x" => Change::Drop,
        _ => Change::Keep,
    });
    assert_eq!(
        std::str::from_utf8(field.as_bytes()).unwrap(),
        "Content-Type: Text/Plain (c); charset= \"us-ascii\"; name=a.txt;\r\n n*=utf-8''caf%C3%A9\r\n"
    );
}

#[test]
fn what_belongs_to_nothing_is_rubbish() {
    assert_eq!(rubbish(b"a/b; name=\"x\" (c) d; y=z (e) f"), b"(c) d (e) ");
    assert_eq!(rubbish(b"a/b; name=x"), b"");
}

#[test]
fn values_are_written_by_the_rules() {
    for (value, written) in [
        ("a.txt", "name=a.txt"),
        ("a b\"\\.txt", "name=\"a b\\\"\\\\.txt\""),
        ("", "name=\"\""),
        ("caf\u{e9}", "name*=utf-8''caf%C3%A9"),
        ("=?x", "name*=utf-8''%3D%3Fx"),
        ("a\nb", "name*=utf-8''a%0Ab"),
    ] {
        assert_eq!(write::pieces("name", value), [written]);
    }
    assert_eq!(write::pieces("name", &"x".repeat(100)).len(), 2);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in "[\\PC\r\n\"\\\\;=?*' ]{0,150}") {
        let parsed = Parameterized::parse(b"a/b; name=x; z=1");
        let field = parsed.rewrite("Content-Type", b"a/b; name=x; z=1", Some("c/d"), |_, parameter| {
            if parameter.name == "name" { Change::Set(value.clone()) } else { Change::Keep }
        });
        let message = crate::mail::Message::parse(bytes::Bytes::copy_from_slice(field.as_bytes()));
        prop_assert_eq!(message.fields().len(), 1);
        let again = Parameterized::parse(message.value(&message.fields()[0]));
        prop_assert_eq!(again.get("name"), Some(value.as_str()));
        prop_assert_eq!((again.word.as_str(), again.get("z"), again.parameters.len()), ("c/d", Some("1"), 2));
    }

    #[test]
    fn hostile_bytes_are_read_somehow(value in prop::collection::vec(prop_oneof![
        any::<u8>(), prop::sample::select(&b"=;*0'\"\\(%\r\n a"[..])], 0..200)) {
        let parsed = Parameterized::parse(&value);
        for (span, index) in &parsed.pieces {
            prop_assert!(span.end <= value.len() && *index < parsed.parameters.len());
        }
        let field = parsed.rewrite("X", &value, None, |_, _| Change::Keep);
        prop_assert_eq!(crate::mail::Message::parse(bytes::Bytes::copy_from_slice(field.as_bytes())).fields().len(), 1);
    }
}

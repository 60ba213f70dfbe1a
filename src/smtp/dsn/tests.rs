use proptest::prelude::*;

use super::*;

fn envid(value: &str) -> Option<String> {
    EnvelopeId::parse(value.as_bytes()).map(|id| id.as_str().to_owned())
}

/// Kind and address.
fn orcpt(value: &str) -> Option<(String, String)> {
    let original = OriginalRecipient::parse(value.as_bytes())?;
    Some((original.kind().to_owned(), original.address().to_owned()))
}

#[test]
fn envelope_ids() {
    for (value, text) in [
        ("QQ314159", "QQ314159"),
        ("a+2Bb+3Dc+20d", "a+b=c d"),
        ("<x@example.org>", "<x@example.org>"),
        ("+41", "A"),
    ] {
        assert_eq!(envid(value).as_deref(), Some(text), "{value}");
    }
    for wrong in ["", "a=b", "a b", "+", "+4", "+4g", "+2b", "a+", "+0D+0A", "+00", "+7F", "+C3+BC", "\u{fc}"]
    {
        assert_eq!(envid(wrong), None, "{wrong}");
    }
    assert!(envid(&"x".repeat(100)).is_some() && envid(&"x".repeat(101)).is_none());
}

#[test]
fn notifications() {
    for (value, written) in [
        ("never", "NEVER"),
        ("SUCCESS", "SUCCESS"),
        ("delay,Failure", "FAILURE,DELAY"),
        ("SUCCESS,FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"),
        ("FAILURE,FAILURE", "FAILURE"),
    ] {
        assert_eq!(Notify::parse(value.as_bytes()).unwrap().to_string(), written, "{value}");
    }
    for wrong in ["", ",", "NEVER,DELAY", "DELAY,NEVER", "FAILURE,", ",FAILURE", "FAILURE DELAY", "ALWAYS"] {
        assert_eq!(Notify::parse(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn how_much_comes_back() {
    assert_eq!(Ret::parse(b"full"), Some(Ret::Full));
    assert_eq!(Ret::parse(b"HDRS"), Some(Ret::Headers));
    for wrong in [&b""[..], b"HEADERS", b"FULL,HDRS"] {
        assert_eq!(Ret::parse(wrong), None);
    }
}

#[test]
fn original_recipients() {
    for (value, kind, address) in [
        ("rfc822;Bob@Example.COM", "rfc822", "Bob@Example.COM"),
        ("RFC822;George+20@Tax-+20ME+20.GOV", "rfc822", "George @Tax- ME .GOV"),
        ("rfc822;shop+2Btag@example.com", "rfc822", "shop+tag@example.com"),
        ("rfc822;a;b", "rfc822", "a;b"),
        ("x400;/S=Jones/".replace('=', "+3D").as_str(), "x400", "/S=Jones/"),
        ("utf-8;j\\x{FC}rgen@example.org", "utf-8", "j\\x{FC}rgen@example.org"),
        ("UTF-8;j\u{fc}rgen@example.org", "utf-8", "j\\x{FC}rgen@example.org"),
        ("utf-8;\\x{10FFFF}\u{1f600}", "utf-8", "\\x{10FFFF}\\x{1F600}"),
    ] {
        assert_eq!(orcpt(value), Some((kind.to_owned(), address.to_owned())), "{value}");
    }
    for wrong in [
        "",
        "rfc822",
        "rfc822;",
        ";a@example.org",
        "rfc 822;a@example.org",
        "rfc822;a b",
        "rfc822;a=b",
        "rfc822;a+2b",
        "rfc822;+0A",
        "rfc822;j\u{fc}rgen@example.org",
        "utf-8;",
        "utf-8;a+2Bb",
        "utf-8;a\\",
        "utf-8;a\\x{}",
        "utf-8;a\\x{1234567}",
        "utf-8;a\\x{FG}",
        "utf-8;a\\x{FC",
        "utf-8;a\u{85}",
        "utf-8;a b",
    ] {
        assert_eq!(orcpt(wrong), None, "{wrong}");
    }
    assert_eq!(OriginalRecipient::parse(b"utf-8;\xff"), None);
    let longest = format!("rfc822;{}", "x".repeat(MAX_ORCPT - 7));
    assert!(orcpt(&longest).is_some() && orcpt(&format!("{longest}x")).is_none());
}

#[test]
fn addresses_of_ours() {
    let written = |text: &str| OriginalRecipient::of(&text.parse().unwrap()).map(|orcpt| orcpt.to_string());
    assert_eq!(written("shop+a@example.com").as_deref(), Some("rfc822;shop+2Ba@example.com"));
    assert_eq!(written("\"a b\"@example.com").as_deref(), Some("rfc822;\"a+20b\"@example.com"));
    assert_eq!(written("j\u{fc}r+gen@example.org").as_deref(), Some("utf-8;j\\x{FC}r\\x{2B}gen@example.org"));
    let long = format!("\u{fc}{}@{}example.org", "=".repeat(62), "abcdefghi.".repeat(24));
    assert_eq!(written(&long), None);
}

#[test]
fn requests_are_written_as_parameters() {
    let message = MessageRequest { ret: Some(Ret::Full), envid: EnvelopeId::parse(b"a+20b") };
    assert_eq!(message.to_string(), " RET=FULL ENVID=a+20b");
    let recipient = RecipientRequest {
        notify: Notify::parse(b"FAILURE,DELAY"),
        orcpt: OriginalRecipient::parse(b"rfc822;a@example.org"),
    };
    assert_eq!(recipient.to_string(), " NOTIFY=FAILURE,DELAY ORCPT=rfc822;a@example.org");
    assert_eq!(MessageRequest::default().to_string() + &RecipientRequest::default().to_string(), "");
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

proptest! {
    #[test]
    fn xtext_holds_every_printable_text(text in "[ -~]{1,400}") {
        let encoded = xtext_encode(&text);
        prop_assert!(encoded.bytes().all(|b| b.is_ascii_graphic() && b != b'='));
        let decoded = xtext_decode(encoded.as_bytes());
        prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
    }

    #[test]
    fn what_is_taken_is_printable_and_can_be_written(
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            "(rfc822|utf-8|x);([!-~]|\\+[0-9A-F]{2}|\\\\x\\{[0-9A-F]{1,6}\\}|[\u{fc}\u{20ac}]){0,80}"
                .prop_map(String::into_bytes),
        ],
    ) {
        if let Some(id) = EnvelopeId::parse(&value) {
            prop_assert!(is_printable(id.as_str()) && id.as_str().len() <= MAX_ENVID);
            prop_assert_eq!(EnvelopeId::parse(id.to_xtext().as_bytes()), Some(id));
        }
        if let Some(orcpt) = OriginalRecipient::parse(&value) {
            prop_assert!(is_printable(orcpt.address()) && is_printable(orcpt.kind()));
            prop_assert!(orcpt.address().len() <= 4 * MAX_ORCPT);
            let written = orcpt.to_string();
            prop_assert!(written.bytes().all(|b| b.is_ascii_graphic()));
            if written.len() <= MAX_ORCPT {
                prop_assert_eq!(OriginalRecipient::parse(written.as_bytes()), Some(orcpt));
            }
        }
    }

    #[test]
    fn every_notification_reads_as_it_is_written(success: bool, failure: bool, delay: bool) {
        let notify = Notify { success, failure, delay };
        prop_assert_eq!(Notify::parse(notify.to_string().as_bytes()), Some(notify));
    }
}

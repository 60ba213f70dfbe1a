use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use proptest::prelude::*;

use super::*;
use crate::mail::encoded_word;

const THEN: Timestamp = Timestamp::EPOCH;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn failed(to: &str) -> Recipient {
    Recipient {
        original: None,
        address: address(to),
        action: Action::Failed,
        status: (5, 1, 1),
        remote_mta: None,
        diagnostic: None,
        last_attempt: None,
        reason: String::new(),
    }
}

/// A report of these recipients, about this message.
struct Desk {
    host: DomainName,
    to: Address,
    recipients: Vec<Recipient>,
    head: Bytes,
    body: Bytes,
    wanted: Returned,
    envelope_id: Option<String>,
}

impl Desk {
    fn new(recipients: Vec<Recipient>, head: &[u8], body: &[u8]) -> Self {
        Self {
            host: DomainName::parse("mx.example.com").unwrap(),
            to: address("jane@example.org"),
            recipients,
            head: Bytes::copy_from_slice(head),
            body: Bytes::copy_from_slice(body),
            wanted: Returned::Full,
            envelope_id: None,
        }
    }

    fn report<'a>(&'a self, boundary: &'a str) -> Report<'a> {
        Report {
            reporting_mta: &self.host,
            to: &self.to,
            date: THEN,
            id: "01TEST",
            boundary,
            arrival: THEN,
            envelope_id: self.envelope_id.as_deref(),
            recipients: &self.recipients,
            original: Original { head: &self.head, body: &self.body, wanted: self.wanted },
        }
    }

    fn whole(&self) -> Vec<u8> {
        let composed = self.report("bound").compose();
        [composed.head, composed.body].concat()
    }
}

/// What another reader finds.
struct Read {
    types: Vec<String>,
    text: String,
    /// The fields of each group, names in lower case, white space in a row as one.
    status: Vec<Vec<(String, String)>>,
    returned: Vec<u8>,
}

fn read(whole: &[u8]) -> Read {
    let message = MessageParser::default().parse(whole).unwrap();
    let root = message.content_type().unwrap();
    assert_eq!((root.ctype(), root.subtype()), ("multipart", Some("report")));
    assert_eq!(root.attribute("report-type"), Some("delivery-status"));
    let PartType::Multipart(parts) = &message.parts[0].body else { panic!("not a multipart") };
    let [text, status, returned] = parts.as_slice() else { panic!("{} parts", parts.len()) };
    let part = |at: &u32| message.part(*at).unwrap();
    let returned = part(returned);
    let returned_octets = match &returned.body {
        PartType::Message(_) => message.raw_message
            [returned.raw_body_offset() as usize..returned.raw_end_offset() as usize]
            .to_vec(),
        _ => returned.contents().to_vec(),
    };
    Read {
        types: [part(text), part(status), returned]
            .map(|part| {
                let kind = part.content_type().unwrap();
                format!("{}/{}", kind.ctype(), kind.subtype().unwrap())
            })
            .to_vec(),
        text: String::from_utf8(part(text).contents().to_vec()).unwrap(),
        status: groups(part(status).contents()),
        returned: returned_octets,
    }
}

fn groups(status: &[u8]) -> Vec<Vec<(String, String)>> {
    let text = std::str::from_utf8(status).unwrap();
    text.trim_end().split("\r\n\r\n").map(|group| fields(&format!("{group}\r\n\r\n"))).collect()
}

fn fields(group: &str) -> Vec<(String, String)> {
    let message = MessageParser::default().parse(group.as_bytes()).unwrap();
    let read = |(name, value): (&str, &str)| {
        (name.to_ascii_lowercase(), even(&encoded_word::decode(value.as_bytes())))
    };
    message.headers_raw().map(read).collect()
}

/// On one line, with single spaces.
fn even(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn value<'a>(group: &'a [(String, String)], name: &str) -> Option<&'a str> {
    group.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

const HEAD: &[u8] = b"Subject: a\r\nMessage-ID: <1@example.org>\r\n\r\n";

#[test]
fn what_comes_back_depends_on_the_message() {
    let long = [b'x'; 999];
    let large = b"x\r\n".repeat(MAX_RETURNED / 3);
    let delayed = Recipient { action: Action::Delayed(THEN), ..failed("shop@example.com") };
    let failed = failed("shop@example.com");
    for (recipient, head, body, wanted, kind, encoding) in [
        (&failed, HEAD, &b"b\r\n"[..], Returned::Full, "message/rfc822", "7bit"),
        (&failed, HEAD, b"\xff\r\n", Returned::Full, "message/rfc822", "8bit"),
        (&failed, HEAD, b"b\r\n", Returned::Headers, "text/rfc822-headers", "7bit"),
        (&delayed, HEAD, b"b\r\n", Returned::Full, "text/rfc822-headers", "7bit"),
        (&failed, HEAD, &large, Returned::Full, "text/rfc822-headers", "7bit"),
        (&failed, HEAD, &long, Returned::Full, "text/rfc822-headers", "7bit"),
        (&failed, HEAD, b"\0", Returned::Full, "text/rfc822-headers", "7bit"),
        (&failed, b"Subject: \xc3\xbc\r\n\r\n", b"b", Returned::Full, "message/global", "8bit"),
        (&failed, b"Subject: \xfc\r\n\r\n", b"b", Returned::Full, "message/rfc822", "8bit"),
        (
            &failed,
            b"Subject: \xfc\r\n\r\n",
            b"b",
            Returned::Headers,
            "text/rfc822-headers",
            "quoted-printable",
        ),
        (
            &failed,
            b"Subject: \xc3\xbc",
            b"",
            Returned::Headers,
            "text/rfc822-headers; charset=utf-8",
            "quoted-printable",
        ),
        (&failed, &long, b"", Returned::Full, "text/rfc822-headers", "quoted-printable"),
    ] {
        let desk = Desk { wanted, ..Desk::new(vec![recipient.clone()], head, body) };
        let part = original::part(&desk.report("x"));
        assert_eq!((part.content_type, part.encoding), (kind, encoding), "{}", head.escape_ascii());
        let composed = desk.report("x").compose();
        assert_eq!((composed.eight_bit, composed.smtputf8), (encoding == "8bit", false));
        let declared =
            String::from_utf8_lossy(&composed.head).contains("\r\nContent-Transfer-Encoding: 8bit");
        assert_eq!(declared, composed.eight_bit);
    }
}

#[test]
fn who_has_an_address_in_utf8_gets_utf8() {
    let head = "Subject: \u{fc}\r\n\r\n".as_bytes();
    let mut desk = Desk::new(vec![failed("j\u{fc}rgen@example.com")], head, b"b\r\n");
    desk.wanted = Returned::Headers;
    let plain = read(&desk.whole());
    assert_eq!(plain.types, ["text/plain", "message/delivery-status", "text/rfc822-headers"]);
    assert_eq!(value(&plain.status[1], "final-recipient"), Some("utf-8; j\\x{FC}rgen@example.com"));
    assert!(!desk.report("x").compose().eight_bit && plain.text.contains("<j\u{fc}rgen@example.com>"));
    desk.to = address("j\u{fc}rgen@example.org");
    let utf8 = read(&desk.whole());
    assert_eq!(utf8.types, ["text/plain", "message/global-delivery-status", "message/global-headers"]);
    assert_eq!(value(&utf8.status[1], "final-recipient"), Some("utf-8; j\u{fc}rgen@example.com"));
    assert!(desk.report("x").compose().smtputf8);
}

#[test]
fn only_an_id_that_may_stand_in_a_field_is_answered() {
    for (id, answered) in [
        ("<1@example.org>", Some("<1@example.org>")),
        ("\r\n <1@example.org> (x)", Some("<1@example.org>")),
        ("<a b@example.org>", None),
        ("<\u{fc}@example.org>", None),
        ("none", None),
    ] {
        let desk =
            Desk::new(vec![failed("a@example.com")], format!("Message-ID: {id}\r\n\r\n").as_bytes(), b"");
        let whole = desk.whole();
        let message = MessageParser::default().parse(&whole).unwrap();
        for name in ["In-Reply-To", "References"] {
            assert_eq!(message.header_raw(name).map(str::trim), answered, "{id}");
        }
    }
}

#[test]
fn what_the_sender_gave_comes_back_as_it_was() {
    let text = "=?utf-8?q?a?=  =?b";
    let original = Some(("rfc822".to_owned(), text.to_owned()));
    let mut desk = Desk::new(vec![Recipient { original, ..failed("a@example.com") }], HEAD, b"");
    desk.envelope_id = Some(text.to_owned());
    let whole = String::from_utf8(desk.whole()).unwrap();
    assert!(whole.contains(&format!("\r\nOriginal-Envelope-Id: {text}\r\n")), "{whole}");
    assert!(whole.contains(&format!("\r\nOriginal-Recipient: rfc822; {text}\r\n")), "{whole}");
}

#[test]
fn the_worst_gives_the_subject() {
    let with = |actions: &[Action]| {
        let recipients = actions.iter().map(|&action| Recipient { action, ..failed("a@example.com") });
        let whole = Desk::new(recipients.collect(), HEAD, b"").whole();
        MessageParser::default().parse(&whole).unwrap().subject().unwrap().to_owned()
    };
    assert_eq!(with(&[Action::Relayed, Action::Delayed(THEN)]), "Your message is delayed");
    assert_eq!(with(&[Action::Delayed(THEN), Action::Failed]), "Your message could not be delivered");
    assert_eq!(with(&[Action::Delivered, Action::Relayed]), "Your message was passed on");
    assert_eq!(with(&[Action::Delivered]), "Your message was delivered");
}

#[test]
fn a_boundary_is_made_free() {
    let desk = Desk::new(vec![failed("a@example.com")], HEAD, b"--bound\r\n\r\n--bound--\r\n");
    assert_eq!(read(&desk.whole()).returned, [HEAD, b"--bound\r\n\r\n--bound--\r\n"].concat());
    for hostile in ["", "\"\r\nX: y\r\n", "\u{fc}", &"b".repeat(500)] {
        let composed = desk.report(hostile).compose();
        assert_eq!(read(&[composed.head, composed.body].concat()).status.len(), 2, "{hostile}");
    }
}

/// Text of all kinds, line ends and beginnings of encoded-words among it.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,60}", "\\PC{0,40}", "(=\\?|utf-8|\\?q\\?|[a \r\n\t\u{fc}]){0,30}", "x{1100}"]
}

fn recipient() -> impl Strategy<Value = Recipient> {
    let action =
        prop::sample::select(vec![Action::Failed, Action::Delayed(THEN), Action::Relayed, Action::Delivered]);
    let address_text =
        prop::sample::select(vec!["shop@example.com", "\"a b\"@example.com", "j\u{fc}@example.com"]);
    let texts = (proptest::option::of(any_text()), proptest::option::of(any_text()), any_text());
    let status = (2u8..6, 0u16..1000, 0u16..1000);
    let original = proptest::option::of("[!-~]( ?[!-~]){0,40}");
    (action, address_text, texts, status, original).prop_map(|(action, to, texts, status, original)| {
        Recipient {
            original: original.map(|original| ("rfc822".to_owned(), original)),
            action,
            status,
            remote_mta: texts.0,
            diagnostic: texts.1,
            reason: texts.2,
            last_attempt: Some(THEN),
            ..failed(to)
        }
    })
}

/// A line that no server needs to take.
const LONG_FIELD: &[u8] = &{
    let mut field = [b'x'; 1200];
    field[1] = b':';
    field[1198] = b'\r';
    field[1199] = b'\n';
    field
};

fn message() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let line = prop::sample::select(vec![
        &b"Subject: hello\r\n"[..],
        b"Message-ID: <1@example.org>\r\n",
        "Subject: \u{fc}\r\n".as_bytes(),
        b"X: \xff\r\n",
        b"no field\r\n",
        b"X: \0\r\n",
        LONG_FIELD,
    ]);
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "([a-z\u{fc}]{0,9}\r\n){0,9}".prop_map(Into::into)
    ];
    (prop::collection::vec(line, 1..5).prop_map(|lines| [lines.concat(), b"\r\n".to_vec()].concat()), body)
}

fn check(desk: &Desk) -> Result<(), TestCaseError> {
    let composed = desk.report("bound").compose();
    let whole = [composed.head.clone(), composed.body].concat();
    prop_assert_eq!(composed.eight_bit, !whole.is_ascii());
    prop_assert_eq!(composed.smtputf8, !composed.head.is_ascii());
    let is_fair = |line: &[u8]| line.len() <= 999 && !line.contains(&0);
    prop_assert!(whole.split(|&b| b == b'\n').all(is_fair));
    let read = read(&whole);
    prop_assert_eq!(read.status.len(), desk.recipients.len() + 1);
    prop_assert_eq!(value(&read.status[0], "reporting-mta"), Some("dns; mx.example.com"));
    for (recipient, group) in desk.recipients.iter().zip(&read.status[1..]) {
        check_recipient(recipient, group)?;
        let shown = format!("<{}>", recipient.address);
        prop_assert!(read.text.contains(&shown));
    }
    let original = [&desk.head[..], &desk.body].concat();
    if read.types[2].starts_with("message/rfc822") || read.types[2] == "message/global" {
        prop_assert_eq!(&read.returned, &original);
    } else if original.is_ascii() {
        prop_assert_eq!(&read.returned, desk.head.strip_suffix(b"\r\n").unwrap());
    }
    Ok(())
}

fn check_recipient(recipient: &Recipient, group: &[(String, String)]) -> Result<(), TestCaseError> {
    let (class, subject, detail) = recipient.status;
    let status = format!("{class}.{subject}.{detail}");
    prop_assert_eq!(value(group, "status"), Some(status.as_str()));
    prop_assert_eq!(value(group, "action"), Some(recipient.action.word()));
    prop_assert_eq!(value(group, "will-retry-until").is_some(), recipient.action == Action::Delayed(THEN));
    let named = [
        ("original-recipient", recipient.original.as_ref().map(|(_, address)| format!("rfc822; {address}"))),
        ("remote-mta", recipient.remote_mta.as_ref().map(|host| format!("dns; {host}"))),
        ("diagnostic-code", recipient.diagnostic.as_ref().map(|said| format!("smtp; {}", cut(said)))),
    ];
    let optional = named.iter().filter(|(_, text)| text.is_some()).count();
    let until = usize::from(recipient.action == Action::Delayed(THEN));
    // Final-Recipient, Action, Status and Last-Attempt-Date are always there.
    prop_assert_eq!(group.len(), 4 + optional + until, "{:?}", group);
    for (name, text) in named {
        // A text without a space for a thousand octets gets some; an encoded-word in it may be read as one.
        let readable = text.as_deref().is_none_or(|text| !text.contains("=?") && text.len() < 900);
        if readable {
            let text = text.as_deref().map(even);
            prop_assert_eq!(value(group, name), text.as_deref());
        }
    }
    Ok(())
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(1000)]
}

proptest! {
    #[test]
    fn another_reader_finds_what_was_put_in(
        recipients in prop::collection::vec(recipient(), 1..4),
        (head, body) in message(),
        headers_only: bool,
        utf8_sender: bool,
        envelope_id in proptest::option::of("[!-~]{1,100}"),
    ) {
        let mut desk = Desk::new(recipients, &head, &body);
        desk.envelope_id = envelope_id;
        if headers_only {
            desk.wanted = Returned::Headers;
        }
        if utf8_sender {
            desk.to = address("j\u{fc}rgen@example.org");
        }
        check(&desk)?;
    }
}

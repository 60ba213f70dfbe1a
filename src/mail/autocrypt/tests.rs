use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_790_000_000_000;

fn jane() -> Address {
    Address::parse("jane@example.org").unwrap()
}

fn read(head: &str) -> Option<Harvest> {
    let message = Message::parse(Bytes::from(format!("{head}\r\n\r\nbody")));
    harvest(&message, &jane(), Timestamp::from_millis(NOW))
}

/// A message whose only field of interest has this value.
fn field(value: &str) -> Option<Harvest> {
    read(&format!("From: jane@example.org\r\nAutocrypt: {value}"))
}

#[test]
fn a_field_is_read_over_its_folds() {
    let found = read(
        "From: Jane Doe <jane@example.org>\r\nDate: Mon, 21 Sep 2026 10:00:00 +0000\r\n\
         Autocrypt: addr=Jane@Example.org; prefer-encrypt=mutual; _color=blue;\r\n keydata=\r\n\taGVs\r\n bG8=\r\n\
         Subject: hello",
    );
    let date = Timestamp::parse_rfc3339("2026-09-21T10:00:00Z").unwrap();
    assert_eq!(found, Some(Harvest { address: jane(), keydata: b"hello".to_vec(), mutual: true, date }));
}

#[test]
fn only_mutual_is_a_preference() {
    for (value, expected) in [
        ("addr=jane@example.org; keydata=aGk=", false),
        ("addr=jane@example.org; prefer-encrypt=nopreference; keydata=aGk=", false),
        ("addr=jane@example.org; prefer-encrypt=MUTUAL; keydata=aGk=", false),
        ("addr=jane@example.org; prefer-encrypt=mutual; keydata=aGk=", true),
        ("prefer-encrypt = mutual ; keydata = aGk= ; addr = jane@example.org ;", true),
    ] {
        assert_eq!(field(value).map(|found| found.mutual), Some(expected), "{value}");
    }
}

#[test]
fn what_is_not_valid_brings_nothing() {
    for value in [
        "",
        "addr=jane@example.org",
        "keydata=aGk=",
        "addr=jane@example.org; keydata=",
        "addr=jane@example.org; keydata=a_b-",
        "addr=jane@example.org; keydata=aGk",
        "addr=jane; keydata=aGk=",
        "addr=joe@example.org; keydata=aGk=",
        "addr=jane@example.org; color=blue; keydata=aGk=",
        "addr=jane@example.org; Prefer-Encrypt=mutual; keydata=aGk=",
        "addr=jane@example.org; type=1; keydata=aGk=",
        "addr=jane@example.org; addr=jane@example.org; keydata=aGk=",
        "addr=jane@example.org; keydata=aGk=; keydata=aGk=",
        "addr=jane@example.org; prefer-encrypt=mutual; prefer-encrypt=mutual; keydata=aGk=",
        "addr=jane@example.org; keydata",
        "addr=jane@example.org; keydata=aGk=\u{e9}",
    ] {
        assert_eq!(field(value), None, "{value}");
    }
}

#[test]
fn of_several_fields_one_must_be_valid_alone() {
    let good = "Autocrypt: addr=jane@example.org; keydata=aGk=";
    let other = "Autocrypt: addr=joe@example.org; keydata=aGk=";
    let broken = "autocrypt: addr=jane@example.org";
    for (fields, expected) in [
        (vec![good], true),
        (vec![other, good, broken], true),
        (vec![good, good], false),
        (vec![good, other, "AUTOCRYPT : addr=jane@example.org; keydata=aGVsbG8="], false),
        (vec![other], false),
        (vec!["Autocrypt-Gossip: addr=jane@example.org; keydata=aGk="], false),
        (vec![], false),
    ] {
        let head = format!("From: jane@example.org\r\n{}\r\nSubject: x", fields.join("\r\n"));
        assert_eq!(read(&head).is_some(), expected, "{head}");
    }
}

#[test]
fn a_field_may_have_so_many_octets() {
    let value = |length: usize| format!("addr=jane@example.org; keydata={}", "QUFB".repeat(length / 4));
    let room = MAX_FIELD - value(0).len() - 4;
    assert!(field(&value(room)).is_some());
    assert!(field(&value(room + 8)).is_none());
}

#[test]
fn reports_bring_nothing() {
    let with_type = |value: &str| {
        read(&format!("Content-Type: {value}\r\nAutocrypt: addr=jane@example.org; keydata=aGk=")).is_some()
    };
    for report in [
        "multipart/report; report-type=delivery-status; boundary=x",
        "Multipart/Report",
        "multipart/report",
        "(a comment) multipart (another)\r\n / report ; boundary=x",
        "text/plain\r\nContent-Type: multipart/report",
    ] {
        assert!(!with_type(report), "{report}");
    }
    for other in ["text/plain", "multipart/mixed; boundary=\"multipart/report\"", "multipart/reports", ""] {
        assert!(with_type(other), "{other}");
    }
}

#[test]
fn the_date_is_never_later_than_now() {
    let dated = |dates: &str| {
        let head = format!("{dates}Autocrypt: addr=jane@example.org; keydata=aGk=");
        read(&head).map(|found| found.date.as_millis())
    };
    assert_eq!(dated(""), Some(NOW));
    assert_eq!(dated("Date: soon\r\n"), Some(NOW));
    assert_eq!(dated("Date: Mon, 21 Sep 2099 10:00:00 +0000\r\n"), Some(NOW));
    assert_eq!(dated("Date: Mon, 21 Sep 2026 14:13:19 +0000\r\n"), Some(NOW - 1_000));
    let two = "Date: Mon, 21 Sep 2026 14:13:19 +0000\r\nDate: Mon, 21 Sep 2026 14:13:18 +0000\r\n";
    assert_eq!(dated(two), Some(NOW - 2_000));
}

/// A piece of a field.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("addr=jane@example.org".to_owned()),
        Just("keydata=aGk=".to_owned()),
        Just("prefer-encrypt=mutual".to_owned()),
        Just("_x=1".to_owned()),
        Just("x=1".to_owned()),
        "[ -~\t]{0,12}",
        "\\PC{0,8}",
    ]
}

proptest! {
    #[test]
    fn what_counts_keeps_the_rules(
        pieces in prop::collection::vec(piece(), 0..6),
        separator in prop::sample::select(vec![";", "; ", ";\r\n ", " ;\t"]),
    ) {
        let value = pieces.join(separator);
        if let Some(found) = field(&value) {
            prop_assert_eq!(found.address, jane());
            prop_assert!(!found.keydata.is_empty() && found.keydata.len() < value.len());
            prop_assert!(found.date <= Timestamp::from_millis(NOW));
            prop_assert!(value.contains("addr") && value.contains("keydata"));
            prop_assert!(!pieces.contains(&"x=1".to_owned()));
        }
    }

    #[test]
    fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let raw = [b"From: jane@example.org\r\nAutocrypt: ", &octets[..]].concat();
        let found = harvest(&Message::parse(Bytes::from(raw)), &jane(), Timestamp::from_millis(NOW));
        prop_assert!(found.is_none_or(|found| found.keydata.len() < octets.len()));
    }

    #[test]
    fn what_is_written_is_read(
        keydata in prop::collection::vec(any::<u8>(), 1..600),
        width in 1_usize..80,
        mutual in any::<bool>(),
    ) {
        let symbols = BASE64.encode(&keydata);
        let lines: Vec<&str> =
            symbols.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let preference = if mutual { "prefer-encrypt=mutual; " } else { "" };
        let value = format!("addr=jane@example.org; {preference}keydata=\r\n {}", lines.join("\r\n "));
        let found = field(&value).unwrap();
        prop_assert_eq!((found.keydata, found.mutual), (keydata, mutual));
    }
}

/// Another implementation writes fields that we read.
#[test]
fn fields_of_others_are_read() {
    use sequoia_autocrypt::AutocryptHeader;
    use sequoia_openpgp::cert::CertBuilder;
    use sequoia_openpgp::policy::StandardPolicy;
    use sequoia_openpgp::serialize::SerializeInto as _;

    let cert = CertBuilder::general_purpose(Some("Jane <jane@example.org>")).generate().unwrap().0;
    for (preference, mutual) in [(Some("mutual"), true), (None, false)] {
        let header =
            AutocryptHeader::new_sender(&StandardPolicy::new(), &cert, "jane@example.org", preference)
                .unwrap();
        let mut value = Vec::new();
        header.serialize(&mut value).unwrap();
        let found = field(std::str::from_utf8(&value).unwrap()).unwrap();
        assert_eq!(found.mutual, mutual);
        assert_eq!(found.keydata, header.key.unwrap().to_vec().unwrap());
    }
}

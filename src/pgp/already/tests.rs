use std::io::{Read, Write};

use proptest::prelude::*;
use sequoia_openpgp::armor::{Kind, Reader, ReaderMode, Writer};

use super::super::testing::{armored, at, certificate, content, jane};
use super::*;
use crate::pgp::Engine;
use crate::relay::ports::OpenPgp;

const HEAD: &str = "From: jane@example.org\r\nSubject: Plans\r\n\r\n";
const TYPE: &str = "multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"x\"";

/// A letter to Jane: what we make of it.
fn sealed() -> Content {
    Engine::new(true).encrypt(&content(HEAD, b"Hello\r\n"), &[certificate(&jane())], at()).unwrap()
}

/// Armor with an encrypted message in it, in lines that end in CRLF.
fn message() -> String {
    String::from_utf8(armored(&sealed().body).to_vec()).unwrap()
}

fn judged(fields: &str, body: &str) -> bool {
    is_encrypted(&content(&format!("From: jane@example.org\r\n{fields}\r\n"), body.as_bytes()))
}

fn pgp_mime(message: &str) -> String {
    format!(
        "--x\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--x\r\n\
         Content-Type: application/octet-stream\r\n\r\n{message}\r\n--x--\r\n"
    )
}

fn is_pgp_mime(body: &str) -> bool {
    judged(&format!("Content-Type: {TYPE}\r\n"), body)
}

#[test]
fn what_we_encrypted_comes_back_as_it_is() {
    let sealed = sealed();
    assert!(is_encrypted(&sealed));
    let again = Engine::new(true).encrypt(&sealed, &[certificate(&jane())], at()).unwrap();
    assert_eq!((again.head, again.body), (sealed.head, sealed.body));
}

#[test]
fn pgp_mime_is_known_in_the_forms_that_programs_write() {
    let message = message();
    let body = pgp_mime(&message);
    assert!(is_pgp_mime(&body));
    assert!(is_pgp_mime(&format!("This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)\r\n{body}")));
    assert!(is_pgp_mime(&format!("\r\n{body}\r\n\r\n")));
    assert!(is_pgp_mime(body.trim_end()));
    assert!(is_pgp_mime(&body.replace("--x\r\n", "--x \t\r\n")));
    assert!(is_pgp_mime(&body.replace("\r\n\r\n-----BEGIN", "\r\nContent-Description: d\r\n\r\n-----BEGIN")));
    assert!(is_pgp_mime(&pgp_mime(&message.replacen(
        "-----\r\n\r\n",
        "-----\r\nVersion: GnuPG v2\r\n\r\n",
        1
    ))));
}

/// The message with the tag of its second packet changed.
fn with_tag(message: &str, tag: u8) -> String {
    let mut data = Vec::new();
    Reader::from_bytes(message.as_bytes(), ReaderMode::Tolerant(None)).read_to_end(&mut data).unwrap();
    let second = 2 + usize::from(data[1]);
    assert_eq!((data[0], data[second]), (0xC0 | 1, 0xC0 | 18), "a session key and encrypted data");
    data[second] = 0xC0 | tag;
    let mut writer = Writer::new(Vec::new(), Kind::Message).unwrap();
    writer.write_all(&data).unwrap();
    String::from_utf8(writer.finalize().unwrap()).unwrap().replace('\n', "\r\n")
}

#[test]
fn the_data_packet_of_a_later_gnupg_is_known_and_no_other() {
    let message = message();
    for (tag, is_known) in [(18, true), (20, true), (11, false), (9, false), (60, false)] {
        assert_eq!(is_pgp_mime(&pgp_mime(&with_tag(&message, tag))), is_known, "{tag}");
    }
}

#[test]
fn pgp_mime_with_anything_in_clear_is_not_encrypted() {
    let message = message();
    let body = pgp_mime(&message);
    let signed = message.replace("MESSAGE", "SIGNED MESSAGE");
    let long = format!("-----\r\nComment: {}\r\n\r\n", "secret ".repeat(100));
    let part = "--x\r\nContent-Type: text/plain\r\n\r\nsecret\r\n--x--";
    for (what, body) in [
        ("nothing", String::new()),
        ("text before", format!("secret\r\n{body}")),
        ("text after", format!("{body}secret\r\n")),
        ("a third part", body.replace("--x--", part)),
        ("no end", body.replace("--x--\r\n", "")),
        ("an end too early", body.replacen("--x\r\n", "--x--\r\n", 1)),
        ("a delimiter within a line", body.replace("Version: 1\r\n\r\n--x", "Version: 1 --x")),
        ("text in the control part", body.replace("Version: 1\r\n", "Version: 1\r\nsecret\r\n")),
        ("text in a field", body.replace("\r\n\r\nVersion", "\r\nX-Secret: secret\r\n\r\nVersion")),
        (
            "a letter in a field",
            body.replace("\r\n\r\nVersion", &format!("\r\nContent-Description: {long}\r\n\r\nVersion")),
        ),
        ("no field", body.replace("\r\n\r\nVersion", "\r\nsecret\r\n\r\nVersion")),
        ("two types", body.replace("octet-stream\r\n", "octet-stream\r\nContent-Type: text/plain\r\n")),
        ("the wrong type", body.replace("octet-stream", "pdf")),
        (
            "an unknown encoding",
            body.replace("octet-stream\r\n", "octet-stream\r\nContent-Transfer-Encoding: x\r\n"),
        ),
        ("text before the armor", pgp_mime(&format!("secret\r\n{message}"))),
        ("text after the armor", pgp_mime(&format!("{message}secret\r\n"))),
        ("two messages", pgp_mime(&format!("{message}\r\nsecret\r\n{message}"))),
        ("another kind", pgp_mime(&signed)),
        ("text in the armor", pgp_mime(&message.replacen("-----\r\n\r\n", "-----\r\nsecret\r\n\r\n", 1))),
        ("a letter in the armor", pgp_mime(&message.replacen("-----\r\n\r\n", &long, 1))),
        ("text within the data", pgp_mime(&message.replacen("\r\n\r\n", "\r\n\r\nfor your eyes!\r\n", 1))),
        ("cut short", pgp_mime(&cut(&message))),
    ] {
        assert!(!is_pgp_mime(&body), "{what}");
    }
}

/// Without its last line of data and the checksum.
fn cut(message: &str) -> String {
    let lines: Vec<&str> = message.split_inclusive("\r\n").collect();
    let (kept, end) = (&lines[..lines.len() - 3], lines[lines.len() - 1]);
    format!("{}{end}", kept.concat())
}

#[test]
fn the_fields_must_leave_no_choice() {
    let body = pgp_mime(&message());
    for fields in [
        String::new(),
        format!("Content-Type: {TYPE}\r\nContent-Type: text/plain\r\n"),
        format!("Content-Type: {TYPE}; boundary=y\r\n"),
        format!("Content-Type: {}\r\n", TYPE.replace("encrypted;", "mixed;")),
        format!("Content-Type: {}\r\n", TYPE.replace("pgp-encrypted", "pkcs7")),
        format!("Content-Type: {}\r\n", TYPE.replace("\"x\"", "\"\"")),
        "Content-Type: multipart/encrypted\r\n".to_owned(),
    ] {
        assert!(!judged(&fields, &body), "{fields}");
    }
}

#[test]
fn a_text_that_is_one_message_is_encrypted() {
    let message = message();
    let base64 = BASE64_MIME.encode(message.as_bytes());
    let quoted = message.replace('=', "=3D");
    for fields in ["", "Content-Type: text/plain; charset=utf-8\r\n", "Content-Transfer-Encoding: 7bit\r\n"] {
        assert!(judged(fields, &message) && judged(fields, &format!("\r\n \r\n{message}\r\n")), "{fields}");
        assert!(!judged(fields, &format!("Hello\r\n{message}")), "{fields}");
        assert!(!judged(fields, &format!("{message}Regards\r\n")), "{fields}");
    }
    assert!(judged("Content-Transfer-Encoding: base64\r\n", &base64));
    assert!(judged("Content-Transfer-Encoding: Quoted-Printable\r\n", &quoted));
    assert!(!judged("Content-Transfer-Encoding: base64\r\n", &format!("{base64}Regards\r\n")));
    assert!(!judged("Content-Type: text/html\r\n", &message));
    assert!(!judged("Content-Type: multipart/mixed; boundary=x\r\n", &message));
}

#[test]
fn enveloped_data_is_encrypted_and_signed_data_is_not() {
    const ENVELOPED: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
    const AUTHENTICATED: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";
    const SIGNED: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    const CONTENT: &[u8] = b"\xa0\x82\x00\x05\x30\x03\x02\x01\x00";
    const STREAMED: &[u8] = b"\xa0\x80\x30\x80\x02\x01\x00\x00\x00\x00\x00";
    let whole = |parts: &[&[u8]]| {
        let inside = parts.concat();
        [&[0x30, u8::try_from(inside.len()).unwrap()], &inside[..]].concat()
    };
    let judged = |data: &[u8]| {
        let fields = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\
                      Content-Transfer-Encoding: base64\r\n";
        judged(fields, &BASE64_MIME.encode(data))
    };
    assert!(judged(&whole(&[ENVELOPED, CONTENT])));
    assert!(judged(&whole(&[AUTHENTICATED, CONTENT])));
    assert!(judged(&[b"\x30\x80", ENVELOPED, STREAMED, b"\0\0"].concat()));
    assert!(!judged(&whole(&[SIGNED, CONTENT])));
    assert!(!judged(&whole(&[ENVELOPED])));
    assert!(!judged(&whole(&[ENVELOPED, CONTENT, b"\x04\x06secret"])));
    assert!(!judged(&[&whole(&[ENVELOPED, CONTENT])[..], b"secret"].concat()));
    assert!(!judged(&[b"\x30\x80", ENVELOPED, STREAMED].concat()));
    assert!(!judged(b""));
    assert!(!judged(&b"\x30\x80".repeat(10_000)), "depth is bounded");
    let fields = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n";
    assert!(!super::tests::judged(fields, "secret"));
}

proptest! {
    #[test]
    fn hostile_messages_are_judged_without_a_panic(
        change in any::<prop::sample::Index>(), octets in prop::collection::vec(any::<u8>(), 0..20), kind in 0..4_usize,
    ) {
        let fields = [
            format!("Content-Type: {TYPE}\r\n"),
            "Content-Type: text/plain\r\n".to_owned(),
            "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n".to_owned(),
            "Content-Transfer-Encoding: quoted-printable\r\n".to_owned(),
        ];
        let mut body = BODIES[kind % 2].clone().into_bytes();
        let at = change.index(body.len());
        body.splice(at..at, octets);
        is_encrypted(&content(&format!("{}\r\n", fields[kind]), &body));
    }

    /// A readable word is never let through, wherever in the message it is put.
    #[test]
    fn a_word_in_clear_is_seen(place in any::<prop::sample::Index>()) {
        let body = &BODIES[0];
        let at = place.index(body.len());
        let changed = format!("{}\r\nfor your eyes, only\r\n{}", &body[..at], &body[at..]);
        prop_assert!(!is_pgp_mime(&changed), "{}", changed);
    }
}

static BODIES: std::sync::LazyLock<[String; 2]> = std::sync::LazyLock::new(|| {
    let message = message();
    [pgp_mime(&message), message]
});

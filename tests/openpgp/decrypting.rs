//! What we encrypt, decrypted by GnuPG.

use aliasd::mail::Message;
use aliasd::pgp::Engine;
use aliasd::relay::openpgp::Certificate;
use aliasd::relay::ports::{Content, OpenPgp};
use bytes::Bytes;

use crate::gnupg::{Gnupg, JANE, Wanted};
use crate::{as_stored, now};

const HEAD: &[u8] = b"Received: from mx.example.org by mx.example.com; Mon, 21 Sep 2026 14:13:20 +0000\r\n\
    From: \"Jane - jane at example.org\" <jane.token@example.com>\r\nTo: shop@example.com\r\n\
    Subject: =?utf-8?q?Caf=C3=A9?=\r\n plans\r\nDate: Mon, 21 Sep 2026 14:13:20 +0000\r\n\
    MIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=\"a;b\"\r\n\
    Content-Transfer-Encoding: 8bit\r\n\r\n";

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn curve25519() {
    decrypts("ed25519", "cv25519");
}

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn rsa_2048() {
    decrypts("rsa2048", "rsa2048");
}

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn rsa_4096() {
    decrypts("rsa4096", "rsa4096");
}

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn nist_p256() {
    decrypts("nistp256", "nistp256");
}

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn one_message_for_two() {
    let gnupg = Gnupg::new();
    let jane = stored(&gnupg, &JANE);
    let second = Wanted {
        user: "Second <second@example.net>",
        algorithm: "rsa2048",
        encryption: Some("rsa2048"),
        ..JANE
    };
    let other = Gnupg::new();
    let certificates = [jane, stored(&other, &second)];
    let sealed = Engine::new(true).encrypt(&content(b"Hello\r\n"), &certificates, now()).expect("encrypted");
    assert_eq!(gnupg.decrypt(&armored(&sealed)), other.decrypt(&armored(&sealed)));
}

/// For a key of these algorithms, from nothing to 20 MB.
fn decrypts(primary: &str, encryption: &str) {
    let gnupg = Gnupg::new();
    let wanted = Wanted { algorithm: primary, encryption: Some(encryption), ..JANE };
    let certificate = stored(&gnupg, &wanted);
    let engine = Engine::new(true);
    for length in [0, 1, 10_000, 20_000_000] {
        let original = content(&bytes(length));
        let sealed = engine.encrypt(&original, std::slice::from_ref(&certificate), now()).expect("encrypted");
        let plain = gnupg.decrypt(&armored(&sealed));
        is_the_original(&plain, &original);
    }
}

fn stored(gnupg: &Gnupg, wanted: &Wanted<'_>) -> Certificate {
    let fingerprint = gnupg.make(wanted);
    let inspected = Engine::new(true).inspect(&gnupg.export(&fingerprint), now()).expect("usable");
    let [inspected] = inspected.as_slice() else { panic!("one certificate: {inspected:?}") };
    assert_eq!(inspected.fingerprint.as_str(), fingerprint);
    as_stored(inspected)
}

pub fn content(body: &[u8]) -> Content {
    let (head, body) = (Bytes::from_static(HEAD), Bytes::copy_from_slice(body));
    Content { head, body, eight_bit: true, smtputf8: false }
}

/// Every octet there is, without a period that a cipher or a line has.
pub fn bytes(length: u32) -> Vec<u8> {
    (0..length).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// The second part of the encrypted message, found by a MIME parser.
pub fn armored(sealed: &Content) -> Vec<u8> {
    let raw = [&sealed.head[..], &sealed.body[..]].concat();
    let message = mail_parser::MessageParser::new().parse(&raw).expect("a message");
    assert_eq!(message.parts.len(), 3, "a container and two parts");
    assert_eq!(message.subject(), Some("[...]"));
    message.parts[2].contents().to_vec()
}

/// The body is the same octets, and so is every field but the two that must differ.
pub fn is_the_original(plain: &[u8], original: &Content) {
    assert!(plain.ends_with(&original.body));
    let inner = Message::parse(Bytes::copy_from_slice(plain));
    assert!(inner.body() == original.body, "the body is not what it was");
    let fields = |message: &Message| -> Vec<Vec<u8>> {
        let fields = message.fields().iter().filter(|field| {
            !["content-type", "received", "hp-outer"].iter().any(|name| message.is(field, name))
        });
        fields.map(|field| message.raw_field(field).to_vec()).collect()
    };
    assert_eq!(fields(&inner), fields(&Message::parse(original.head.clone())));
    let parsed = mail_parser::MessageParser::new().parse_headers(plain).expect("a head");
    let content_type = mail_parser::MimeHeaders::content_type(&parsed).expect("a type");
    assert_eq!(content_type.attribute("hp"), Some("cipher"));
    assert_eq!(content_type.attribute("protected-headers"), Some("v1"));
    assert_eq!(content_type.attribute("name"), Some("a;b"));
}

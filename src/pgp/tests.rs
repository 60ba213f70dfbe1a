//! The engine as its callers see it.

use sequoia_openpgp::Profile;

use super::testing::{armored, at, certificate, content, decrypt, jane};
use super::*;

const HEAD: &str = "Received: from mx\r\nFrom: Jane <jane@example.org>\r\nSubject: Plans\r\n\
                    Content-Type: text/plain; charset=utf-8\r\n\r\n";

#[test]
fn what_is_encrypted_decrypts_to_the_same_body() {
    let engine = Engine::new(true);
    let key = jane();
    for length in [0, 1, 47, 48, 49, 10_000] {
        let body: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[0]).collect();
        let sealed = engine.encrypt(&content(HEAD, &body), &[certificate(&key)], at()).unwrap();
        let (_, plain) = decrypt(&key, armored(&sealed.body));
        assert!(plain.ends_with(&body), "{length}");
        let head = &plain[..plain.len() - body.len()];
        assert!(head.ends_with(b"\r\n\r\n") && head.starts_with(b"From: "), "{head:?}");
        assert!(!sealed.eight_bit && !sealed.smtputf8);
    }
}

#[test]
fn fields_are_where_they_belong() {
    let key = jane();
    let sealed = Engine::new(true).encrypt(&content(HEAD, b"Hello\r\n"), &[certificate(&key)], at()).unwrap();
    let head = String::from_utf8(sealed.head.to_vec()).unwrap();
    let (fields, boundary) = head.split_once(" boundary=\"").unwrap();
    assert_eq!(
        fields,
        "Received: from mx\r\nFrom: Jane <jane@example.org>\r\nSubject: [...]\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n"
    );
    assert!(boundary.ends_with("\"\r\n\r\n"));
    let (_, plain) = decrypt(&key, armored(&sealed.body));
    assert_eq!(
        String::from_utf8(plain).unwrap(),
        "From: Jane <jane@example.org>\r\nSubject: Plans\r\nContent-Type: text/plain; charset=utf-8;\r\n \
         hp=\"cipher\"; protected-headers=\"v1\"\r\nHP-Outer: From: Jane <jane@example.org>\r\n\
         HP-Outer: Subject: [...]\r\n\r\nHello\r\n"
    );
    let shown = Engine::new(false).encrypt(&content(HEAD, b""), &[certificate(&key)], at()).unwrap();
    assert!(String::from_utf8(shown.head.to_vec()).unwrap().contains("Subject: Plans\r\n"));
}

#[test]
fn what_the_outer_fields_ask_of_the_next_hop_is_said() {
    let engine = Engine::new(true);
    let seal = |head: &str| {
        let content = Content { smtputf8: true, ..content(head, "Caf\u{e9}\r\n".as_bytes()) };
        let sealed = engine.encrypt(&content, &[certificate(&jane())], at()).unwrap();
        (sealed.eight_bit, sealed.smtputf8)
    };
    assert_eq!(seal("From: jane@example.org\r\nSubject: Caf\u{e9}\r\n\r\n"), (false, false));
    assert_eq!(seal("From: Ren\u{e9} <jane@example.org>\r\n\r\n"), (true, true));
}

#[test]
fn one_usable_certificate_is_enough_and_none_is_an_error_with_every_reason() {
    let (good, other) = (jane(), jane());
    let expired = testing::builder().set_validity_period(5 * testing::DAY).generate().unwrap().0;
    let damaged = Certificate { data: b"damaged".as_slice().into(), ..certificate(&good) };
    let exchanged = Certificate { data: certificate(&other).data, ..certificate(&good) };
    let engine = Engine::new(true);
    let bad = [certificate(&expired), damaged, exchanged];
    let Unusable(words) = engine.check(&bad, at()).unwrap_err();
    for reason in
        [&expired.fingerprint().to_hex(), "expired at 2026-09-16", "cannot be read", "another certificate"]
    {
        assert!(words.contains(reason), "{reason}: {words}");
    }
    let letter = content(HEAD, b"Hello\r\n");
    assert_eq!(engine.encrypt(&letter, &bad, at()).unwrap_err().0, words);
    assert!(engine.check(&[], at()).is_err() && engine.encrypt(&letter, &[], at()).is_err());

    let [first, second, third] = bad;
    let mixed = [first, second, certificate(&good), third];
    engine.check(&mixed, at()).unwrap();
    let sealed = engine.encrypt(&letter, &mixed, at()).unwrap();
    assert!(decrypt(&good, armored(&sealed.body)).1.ends_with(b"Hello\r\n"));
}

#[test]
fn what_can_be_used_is_judged_anew_each_time() {
    let cert = testing::builder().set_validity_period(12 * testing::DAY).generate().unwrap().0;
    let (engine, certificates) = (Engine::new(true), [certificate(&cert)]);
    let day = 86_400_000;
    for (days, usable) in [(-11, false), (-9, true), (1, true), (3, false), (0, true), (90_000, false)] {
        let then = Timestamp::from_millis(at().as_millis() + days * day);
        assert_eq!(engine.check(&certificates, then).is_ok(), usable, "{days}");
    }
    assert!(engine.check(&certificates, Timestamp::EPOCH).is_err());
    assert!(engine.check(&certificates, Timestamp::from_millis(i64::MAX)).is_err());
}

#[test]
fn a_head_that_is_too_long_is_not_encrypted() {
    let head = "A: b\r\n".repeat(3_000) + "\r\n";
    let Unusable(words) =
        Engine::new(true).encrypt(&content(&head, b""), &[certificate(&jane())], at()).unwrap_err();
    assert!(words.contains("header fields"), "{words}");
}

#[test]
fn version_2_is_written_when_all_announce_it() {
    let v4 = testing::builder().set_profile(Profile::RFC4880).unwrap().generate().unwrap().0;
    let v6 = testing::builder().set_profile(Profile::RFC9580).unwrap().generate().unwrap().0;
    let engine = Engine::new(true);
    for (keys, version) in [(vec![&v4], 1), (vec![&v6], 2), (vec![&v6, &v4], 1)] {
        let certificates: Vec<Certificate> = keys.iter().map(|key| certificate(key)).collect();
        let sealed = engine.encrypt(&content(HEAD, b"Hello\r\n"), &certificates, at()).unwrap();
        for key in keys {
            assert_eq!(decrypt(key, armored(&sealed.body)).0, version);
        }
    }
}

/// What screening lets in, with what a forward puts on top.
#[test]
fn a_head_at_the_limit_with_our_own_fields_is_encrypted() {
    use crate::mail::message::MAX_FIELDS;
    let (engine, certificates) = (Engine::new(true), [super::testing::certificate(&super::testing::jane())]);
    let head = format!("From: a@example.org\r\n{}\r\n", "X-A: b\r\n".repeat(MAX_FIELDS + 3));
    let content = super::testing::content(&head, b"Hi\r\n");
    engine.encrypt(&content, &certificates, super::testing::at()).unwrap();
}

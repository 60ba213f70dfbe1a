use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::mail::Edits;
use crate::relay::testing::{alias, contact};

/// Ids that show what they stand for only to who knows the sum.
pub(super) struct TestIds;

impl SealIds for TestIds {
    fn message_id(&self, id: &[u8]) -> String {
        format!("<m{}@example.com>", sum(id))
    }

    fn content_id(&self, id: &[u8]) -> String {
        format!("c{}@example.com", sum(id))
    }
}

fn sum(id: &[u8]) -> u64 {
    let id = id.strip_prefix(b"<").unwrap_or(id);
    let id = id.strip_suffix(b">").unwrap_or(id);
    id.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Those of `shop@example.com`, with Jane's reverse alias.
pub(super) fn secrets() -> Secrets {
    static SECRETS: LazyLock<Secrets> = LazyLock::new(|| {
        let jane = contact();
        Secrets::new(&alias(), &HashMap::from([(jane.reverse_alias.clone(), Arc::new(jane))]))
    });
    SECRETS.clone()
}

fn scrub_with(raw: &[u8], opaque: OpaqueParts) -> Result<(Vec<u8>, Scrubbed), Refused> {
    let message = Message::parse(Bytes::copy_from_slice(raw));
    let scrubbed = scrub(&message, &secrets(), &TestIds, opaque)?;
    let mut edits = Edits::new(&message);
    scrubbed.fields.apply(&mut edits);
    Ok(([&edits.render().head[..], &scrubbed.body[..]].concat(), scrubbed))
}

fn scrubbed(raw: &str) -> String {
    let (out, _) = scrub_with(raw.as_bytes(), OpaqueParts::Allow).unwrap();
    String::from_utf8(out).unwrap()
}

/// A message with one part: its header fields and its body.
fn single(fields: &str, body: &str) -> String {
    format!("Subject: x\r\nMIME-Version: 1.0\r\n{fields}\r\n\r\n{body}")
}

/// The parts between boundaries `b`.
fn mixed(parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--b\r\n{part}\r\n")).collect();
    single("Content-Type: multipart/mixed; boundary=b", &format!("{parts}--b--\r\n"))
}

fn base64(octets: &[u8]) -> String {
    String::from_utf8(crate::mail::mime::transfer::encode_base64(octets)).unwrap()
}

#[test]
fn a_clean_message_keeps_every_byte() {
    let clean = [
        single("X: y", "Hello\r\n"),
        single("Content-Type: multipart/mixed; boundary=b", "no parts\r\n"),
        mixed(&[
            "\r\nHello =40 me\r\n",
            "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>caf=C3=A9</b>\r\n",
            "Content-Type: image/png; name=\"me.png\"\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <ii_1>\r\n\r\niVBORw0KGgo=\r\n",
            "Content-Type: message/rfc822\r\n\r\nFrom: jane@example.org\r\nSubject: Hi\r\n\r\nHello\r\n",
        ]),
    ];
    for raw in clean {
        let (out, result) = scrub_with(raw.as_bytes(), OpaqueParts::Refuse).unwrap();
        assert_eq!((String::from_utf8(out).unwrap(), result.changed), (raw, false));
        assert!(result.fields.is_empty());
    }
}

#[test]
fn an_unchanged_body_is_the_same_memory() {
    let message = Message::parse(Bytes::from(mixed(&["\r\nHello"])));
    let result = scrub(&message, &secrets(), &TestIds, OpaqueParts::Allow).unwrap();
    assert_eq!(result.body.as_ptr(), message.body().as_ptr());
}

#[test]
fn texts_are_cleaned_in_their_own_encoding() {
    let utf16: Vec<u8> = "to me@example.net!".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_new: Vec<u8> = "to shop@example.com!".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (fields, body, new) in [
        (
            "X: y",
            "to me@example.net, caf\u{e9}\r\n".to_owned(),
            "to shop@example.com, caf\u{e9}\r\n".to_owned(),
        ),
        (
            "Content-Transfer-Encoding: quoted-printable",
            "caf=e9 =\r\nau lait\r\nme=40exam=\r\nple.net\r\n".to_owned(),
            "caf=e9 =\r\nau lait\r\nshop@example.com\r\n".to_owned(),
        ),
        ("Content-Transfer-Encoding: BASE64", base64(b"to me@example.net"), base64(b"to shop@example.com")),
        (
            "Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64",
            base64(&utf16),
            base64(&utf16_new),
        ),
        (
            "Content-Type: text/plain; charset=utf-7",
            "to me+AEA-example.net\r\n".to_owned(),
            "to shop@example.com\r\n".to_owned(),
        ),
        (
            "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a.ics",
            "BEGIN:VEVENT\r\nORGANIZER:mailto:me@exa\r\n mple.net\r\n".to_owned(),
            "BEGIN:VEVENT\r\nORGANIZER:mailto:shop@\r\n example.com\r\n".to_owned(),
        ),
    ] {
        assert_eq!(scrubbed(&single(fields, &body)), single(fields, &new));
    }
}

#[test]
fn octets_that_are_no_text_stay() {
    let head = b"Subject: x\r\nContent-Type: text/plain; charset=shift_jis\r\n\r\n";
    let raw = [&head[..], b"\x81 \xff me@example.net \x93\xfa\r\n"].concat();
    let (out, _) = scrub_with(&raw, OpaqueParts::Allow).unwrap();
    assert_eq!(out, [&head[..], b"\x81 \xff shop@example.com \x93\xfa\r\n"].concat());
}

#[test]
fn reverse_aliases_become_contacts() {
    let raw = single("X: y", "jane_at_example_org.aaaaaaaaaaaaaaaa@example.com wrote\r\n");
    assert_eq!(scrubbed(&raw), single("X: y", "jane@example.org wrote\r\n"));
}

#[test]
fn what_a_charset_lacks_makes_it_utf8() {
    let mut owner = alias();
    owner.address = crate::mail::Address::parse("b\u{fc}ro@example.com").unwrap();
    let secrets = Secrets::new(&owner, &HashMap::new());
    for (fields, expected) in [
        (
            "Content-Type: text/plain; charset=us-ascii",
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\
             MIME-Version: 1.0\r\n\r\nb=C3=BCro@example.com\r\n",
        ),
        (
            "X: y",
            "X: y\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\
             MIME-Version: 1.0\r\n\r\nb=C3=BCro@example.com\r\n",
        ),
    ] {
        let message = Message::parse(Bytes::from(format!("{fields}\r\n\r\nme@example.net\r\n")));
        let result = scrub(&message, &secrets, &TestIds, OpaqueParts::Allow).unwrap();
        let mut edits = Edits::new(&message);
        result.fields.apply(&mut edits);
        let out = [&edits.render().head[..], &result.body[..]].concat();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn header_fields_of_parts_are_cleaned() {
    for (field, new) in [
        (
            "Content-Type: a/b; name=\"for me@example.net.pdf\"",
            Some("Content-Type: a/b; name=\"for shop@example.com.pdf\""),
        ),
        (
            "Content-Type: a/b; name*=utf-8''me%40example.net",
            Some("Content-Type: a/b; name=\"shop@example.com\""),
        ),
        (
            "Content-Type: a/b; name*0=me@exa; name*1=mple.net",
            Some("Content-Type: a/b; name=\"shop@example.com\""),
        ),
        ("Content-Type: a/b; name=\"a.txt\" (example.net)", Some("Content-Type: a/b; name=a.txt")),
        ("Content-Type: a/b (me@example.net); x=y", Some("Content-Type: a/b; x=y")),
        (
            "Content-Disposition: inline; filename=\"=?utf-8?B?bWVAZXhhbXBsZS5uZXQ=?=\"",
            Some("Content-Disposition: inline; filename=\"shop@example.com\""),
        ),
        (
            "Content-Description: =?utf-8?Q?me=40example=2Enet?=",
            Some("Content-Description: shop@example.com"),
        ),
        ("Content-Location: http://mail.example.net/a", None),
        ("X-Sender: me@example.net", None),
        ("Received: from laptop by mx.example.org", None),
        ("Content-ID: <ii_1>", Some("Content-ID: <ii_1>")),
    ] {
        let out = scrubbed(&mixed(&[&format!("{field}\r\nX-Last: 1\r\n\r\n\u{0}")]));
        let part = out.split("--b\r\n").nth(1).unwrap();
        match new {
            Some(new) => assert!(part.starts_with(&format!("{new}\r\nX-Last")), "{field}: {part}"),
            None => assert!(!part.contains("example.net") && part.contains("X-Last"), "{field}: {part}"),
        }
    }
}

#[test]
fn content_ids_and_links_go_together() {
    let new = TestIds.content_id(b"a1@laptop.example.net");
    let out = scrubbed(&mixed(&[
        "Content-Type: text/html\r\n\r\n<img src=\"cid:a1%40laptop.example.net\">",
        "Content-Type: image/png\r\nContent-ID: <a1@laptop.example.net>\r\n\r\n\u{0}",
        "Content-Type: multipart/related; start=\"<a1@laptop.example.net>\"; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--",
    ]));
    assert!(out.contains(&format!("<img src=\"cid:{new}\">")), "{out}");
    assert!(out.contains(&format!("Content-ID: <{new}>")), "{out}");
    assert!(out.contains(&format!("start=\"<{new}>\"")), "{out}");
}

#[test]
fn boundaries_are_replaced_everywhere() {
    let raw = single(
        "Content-Type: multipart/mixed; boundary=\"x-mail.example.net\"",
        "pre\r\n--x-mail.example.net\r\n\r\na\r\n--x-mail.example.net \r\n\r\nb\r\n--x-mail.example.net--\r\nepi\r\n",
    );
    let out = scrubbed(&raw);
    let token = TestIds.content_id(b"x-mail.example.net");
    let boundary = format!("=_{}", token.split('@').next().unwrap());
    assert_eq!(
        out,
        single(
            &format!("Content-Type: multipart/mixed; boundary=\"{boundary}\""),
            &format!("pre\r\n--{boundary}\r\n\r\na\r\n--{boundary}\r\n\r\nb\r\n--{boundary}--\r\nepi\r\n"),
        )
    );
}

#[test]
fn preamble_and_epilogue_with_a_trace_go() {
    let raw = single(
        "Content-Type: multipart/mixed; boundary=b",
        "made at mail.example.net\r\n--b\r\n\r\nx\r\n--b--\r\nfor me@example.net",
    );
    assert_eq!(
        scrubbed(&raw),
        single("Content-Type: multipart/mixed; boundary=b", "\r\n--b\r\n\r\nx\r\n--b--\r\n")
    );
}

#[test]
fn messages_within_are_cleaned_as_a_whole() {
    let inner = "Received: from a by b\r\nReturn-Path: <me@example.net>\r\nFrom: Me <me@example.net>\r\n\
        To: jane_at_example_org.aaaaaaaaaaaaaaaa@example.com\r\nSubject: =?utf-8?Q?for_me=40example.net?=\r\n\
        Message-ID: <1@laptop.example.net>\r\nReferences: <0@example.org> <1@laptop.example.net>\r\nX-Owner: me@example.net\r\n\
        Aliasd-Alias: shop@example.com\r\nDate: x\r\n\r\nto me@example.net\r\n";
    let id = TestIds.message_id(b"1@laptop.example.net");
    let new = format!(
        "From: Me <shop@example.com>\r\nTo: <jane@example.org>\r\nSubject: for shop@example.com\r\nMessage-ID: {id}\r\n\
         References: <0@example.org> {id}\r\nDate: x\r\n\r\nto shop@example.com\r\n"
    );
    let folded =
        |text: &str| text.replace("\r\n ", " ").replace("To: jane@example.org", "To: <jane@example.org>");
    let part = |head: &str, body: &str| mixed(&[&format!("{head}\r\n\r\n{body}")]);
    assert_eq!(
        folded(&scrubbed(&part("Content-Type: message/rfc822", inner))),
        part("Content-Type: message/rfc822", &new)
    );
    let attached = "Content-Type: application/octet-stream; name=a.eml\r\nContent-Transfer-Encoding: base64";
    let out = scrubbed(&part(attached, &base64(inner.replace("\r\n", "\n").as_bytes())));
    assert_eq!(folded(&decoded_last_part(&out)), new);
}

fn decoded_last_part(message: &str) -> String {
    let body = message.split("\r\n--b--").next().unwrap().trim_end().rsplit("\r\n\r\n").next().unwrap();
    String::from_utf8(crate::mail::mime::transfer::decode_base64(body.as_bytes())).unwrap()
}

#[test]
fn header_sections_and_reports_are_cleaned() {
    let out = scrubbed(&mixed(&[
        "Content-Type: text/rfc822-headers\r\n\r\nFrom: me@example.net\r\nX: y\r\n",
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.net\r\n\r\nFinal-Recipient: rfc822; me@example.net\r\n",
    ]));
    assert!(out.contains("From: shop@example.com") || out.contains("From: <shop@example.com>"), "{out}");
    assert!(
        !out.contains("example.net") && out.contains("Final-Recipient: rfc822; shop@example.com"),
        "{out}"
    );
}

fn armored(kind: &str, data: &[u8]) -> String {
    format!("-----BEGIN PGP {kind}-----\r\n\r\n{}-----END PGP {kind}-----\r\n", base64(data))
}

#[test]
fn keys_that_name_the_mailbox_are_left_out() {
    let key = armored("PUBLIC KEY BLOCK", b"\x99\x01\x00 Me <me@example.net>");
    let out = scrubbed(&mixed(&[
        &format!("Content-Type: text/plain\r\n\r\nmy key:\r\n{key}"),
        &format!(
            "Content-Type: application/pgp-keys; name=key.asc\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{key}"
        ),
    ]));
    assert!(!out.contains("BEGIN PGP"), "{out}");
    assert!(out.contains("Content-Type: text/plain; name=key.asc; charset=us-ascii\r\n"), "{out}");
    assert_eq!(out.matches(armor::KEY_LEFT_OUT).count(), 2);
    let other = mixed(&[&format!(
        "Content-Type: application/pgp-keys\r\n\r\n{}",
        armored("PUBLIC KEY BLOCK", b"\x99Jane <jane@example.org>")
    )]);
    assert_eq!(scrubbed(&other), other);
}

fn signed(text: &str, signature: &[u8]) -> String {
    let signature = armored("SIGNATURE", signature);
    single(
        "Content-Type: multipart/signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"; boundary=b",
        &format!(
            "--b\r\n\r\n{text}\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n{signature}\r\n--b--\r\n"
        ),
    )
}

#[test]
fn signatures_stay_only_when_they_hold_and_say_nothing() {
    let clean = signed("Hello", b"\x88signature");
    assert_eq!(scrubbed(&clean), clean);
    let kept = |text: &str| {
        single("Content-Type: multipart/mixed; boundary=b", &format!("--b\r\n\r\n{text}\r\n--b--\r\n"))
    };
    assert_eq!(scrubbed(&signed("to me@example.net", b"\x88signature")), kept("to shop@example.com"));
    assert_eq!(scrubbed(&signed("Hello", b"\x88signature me@example.net")), kept("Hello"));
    assert!(matches!(scrub_with(clean.as_bytes(), OpaqueParts::Refuse), Err(Refused::OpaquePart(_))));
}

#[test]
fn encrypted_parts_are_for_the_owner_to_decide_about() {
    let message = armored("MESSAGE", b"\xc1me@example.net");
    let enveloped = base64(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03 me@example.net");
    for raw in [
        single(
            "Content-Type: multipart/encrypted; boundary=b",
            &format!("--b\r\n\r\nVersion: 1\r\n--b\r\n\r\n{message}\r\n--b--\r\n"),
        ),
        single("X: y", &message),
        single(
            "Content-Type: application/pkcs7-mime; name=smime.p7m\r\nContent-Transfer-Encoding: base64",
            &enveloped,
        ),
    ] {
        assert_eq!(scrubbed(&raw), raw);
        assert!(matches!(scrub_with(raw.as_bytes(), OpaqueParts::Refuse), Err(Refused::OpaquePart(_))));
    }
}

#[test]
fn what_cannot_be_changed_is_refused() {
    let signed = base64(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02 me@example.net");
    let binary = base64(b"\0\x01me@example.net\0");
    for (part, place) in [
        (
            format!(
                "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n{signed}"
            ),
            "part 1 (application/pkcs7-mime)",
        ),
        (
            format!("Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n{binary}"),
            "part 1 (application/ms-tnef)",
        ),
        (
            format!("Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{binary}"),
            "part 1 (application/pdf)",
        ),
        (armored("MESSAGE", b"\xcbme@example.net"), "part 1 (text/plain)"),
    ] {
        let refused = scrub_with(mixed(&[&part]).as_bytes(), OpaqueParts::Allow).unwrap_err();
        assert_eq!(refused, Refused::UnchangeablePart(place.to_owned()));
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_read_in_one_afterwards() {
    let out = scrubbed(&mixed(&[
        "Content-Type: text/plain; charset=utf-8; charset=utf-7\r\nContent-Type: text/html\r\n\r\nx",
        "Content-Type: text/plain\r\nno field\r\n\r\nx",
    ]));
    assert!(out.contains("--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nx"), "{out}");
    assert!(out.contains("--b\r\nContent-Type: text/plain\r\n\r\nno field\r\n\r\nx"), "{out}");
}

#[test]
fn a_multipart_that_is_encoded_for_transfer_is_looked_into() {
    let inner = "--b\r\n\r\nto me@example.net\r\n--b--\r\n";
    let fields = "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64";
    let expected = base64(inner.replace("me@example.net", "shop@example.com").as_bytes());
    assert_eq!(scrubbed(&single(fields, &base64(inner.as_bytes()))), single(fields, &expected));
}

#[test]
fn a_multipart_with_another_boundary_than_it_says_is_mended() {
    let body = "--c\r\nContent-Transfer-Encoding: base64\r\n\r\nbWVAZXhhbXBsZS5uZXQ=\r\n--c--\r\n";
    let new = body.replace("bWVAZXhhbXBsZS5uZXQ=", base64(b"shop@example.com").trim_end());
    assert_eq!(
        scrubbed(&single("Content-Type: multipart/mixed; boundary=b", body)),
        single("Content-Type: multipart/mixed; boundary=c", &new.replace("\r\n--c--", "\r\n\r\n--c--"))
    );
}

#[test]
fn rubbish_in_base64_goes_when_it_says_something() {
    let fields = "Content-Transfer-Encoding: base64";
    let raw = single(fields, &format!("{}-- \r\nme@example.net\r\n", base64(b"Hello you")));
    assert!(!scrubbed(&raw).contains("example.net"));
}

#[test]
fn depth_and_number_of_parts_are_bounded() {
    let deep: String = (0..60)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}x\r\n\r\n--b{n}x\r\n"))
        .collect();
    let wide = single("Content-Type: multipart/mixed; boundary=b", &"--b\r\n\r\n".repeat(100_000));
    let many: String = (0..10_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}x\r\n\r\n--b{n}x\r\n"))
        .collect();
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(100);
    for raw in [deep, wide, many, nested] {
        assert_eq!(scrub_with(raw.as_bytes(), OpaqueParts::Allow).unwrap_err(), Refused::TooManyParts);
    }
}

#[test]
fn reverse_aliases_are_found_anywhere() {
    let name = |letter: &str| format!("{}@example.com", letter.repeat(16));
    let quoted = base64(format!("for {}", name("c")).as_bytes());
    let raw = mixed(&[
        &format!("Content-Description: {}\r\n\r\nask {}", name("a"), name("b")),
        &format!("Content-Transfer-Encoding: base64\r\n\r\n{quoted}"),
        &format!("Content-Type: message/rfc822\r\n\r\nTo: {}\r\n\r\nx", name("d")),
        &format!("Content-Type: image/png; name=\"{}\"\r\n\r\n\u{0}", name("e")),
        &format!("Content-Type: application/x-any\r\n\r\n{} {}", name("f"), name("a")),
    ]);
    let domain = crate::mail::DomainName::parse("example.com").unwrap();
    let mut found: Vec<_> =
        candidates(&Message::parse(Bytes::from(raw)), &domain).iter().map(ToString::to_string).collect();
    found.sort();
    assert_eq!(found, ["a", "b", "c", "d", "e", "f"].map(name));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn hostile_messages_come_out_clean_or_not_at_all(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: text/html\r\n", "Content-Type: message/rfc822\r\n",
            "Content-Type: multipart/signed; boundary=\"c.example.net\"\r\n", "Content-Transfer-Encoding: base64\r\n",
            "Content-Transfer-Encoding: quoted-printable\r\n", "Content-Disposition: inline; filename*0=\"me@exa\"; filename*1=mple.net\r\n",
            "From: me@example.net\r\n", "X-Y: (me@example.net\r\n", "\r\n", "--b\r\n", "--b--\r\n", "--c.example.net\r\n",
            " me@example.net ", " me=40example.net ", "bWVAZXhhbXBsZS5uZXQ=", "\r\n ", "-----BEGIN PGP MESSAGE-----\r\n",
            "-----END PGP MESSAGE-----\r\n", "\u{e9}", "\0", "no field", " ", "cid:a@mail.example.net\r\n",
            "Content-ID: <a@mail.example.net>\r\n", "Content-Type: text/plain; charset=utf-16\r\n", "<", ">", "=\r\n",
        ]), 0..40),
        noise in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut raw = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{}", pieces.concat()).into_bytes();
        raw.extend(noise);
        let message = Message::parse(Bytes::from(raw.clone()));
        let domain = crate::mail::DomainName::parse("example.com").unwrap();
        prop_assert!(candidates(&message, &domain).is_empty());
        if let Ok((out, _)) = scrub_with(&raw, OpaqueParts::Allow) {
            let lower = out.to_ascii_lowercase();
            prop_assert!(memchr::memmem::find(&lower, b"me@example.net").is_none(), "{}", String::from_utf8_lossy(&out));
            let again = scrub_with(&out, OpaqueParts::Allow).unwrap().0;
            prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&out));
        }
    }

    #[test]
    fn clean_messages_keep_every_byte(body in "[a-zA-Z0-9=\r\n<>&;%:/ +-]{0,300}", kind in prop::sample::select(vec![
        "text/plain", "text/html", "multipart/mixed; boundary=b", "application/json", "application/octet-stream", "text/calendar",
    ]), transfer in prop::sample::select(vec!["7bit", "base64", "quoted-printable"])) {
        let raw = format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {transfer}\r\n\r\n{body}");
        let (out, result) = scrub_with(raw.as_bytes(), OpaqueParts::Allow).unwrap();
        prop_assert!(!result.changed && result.fields.is_empty());
        prop_assert_eq!(String::from_utf8(out).unwrap(), raw);
    }
}

#[test]
fn a_text_in_two_octets_a_letter_within_a_message_keeps_its_letters() {
    let mut raw = b"Content-Type: message/rfc822\r\n\r\nFrom: jane@example.org\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/vcard; charset=utf-16\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\xfe"
        .to_vec();
    let card = "BEGIN:VCARD\r\nEMAIL:ME@EXAMPLE\r\n .NET\r\nEND:VCARD\r\n";
    raw.extend(card.encode_utf16().flat_map(u16::to_le_bytes));
    let message = Message::parse(raw.into());
    let body = scrub(&message, &secrets(), &TestIds, OpaqueParts::Allow).unwrap().body;
    let start = body.windows(2).position(|pair| pair == b"\xff\xfe").unwrap() + 2;
    let letters: Vec<u16> =
        body[start..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let left = String::from_utf16(&letters).unwrap();
    assert!(left.starts_with("BEGIN:VCARD\r\nEMAIL:") && left.ends_with("\r\nEND:VCARD\r\n"), "{left}");
    assert!(!left.contains("ME@") && left.contains("shop@"), "{left}");
}

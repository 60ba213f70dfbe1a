use std::ops::Range;
use std::sync::LazyLock;

use proptest::prelude::*;
use sequoia_openpgp::Profile;
use sequoia_openpgp::cert::{
    CertBuilder, CertRevocationBuilder, SubkeyRevocationBuilder, UserIDRevocationBuilder,
};
use sequoia_openpgp::crypto::Signer;
use sequoia_openpgp::packet::UserAttribute;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::user_attribute::{Image, Subpacket};
use sequoia_openpgp::packet::{Signature, UserID};
use sequoia_openpgp::types::{KeyFlags, ReasonForRevocation, SignatureType};

use super::super::testing::{DAY, at, builder, jane, now};
use super::*;
use crate::mail::Address;

fn armored(cert: &Cert) -> Vec<u8> {
    cert.armored().to_vec().unwrap()
}

fn one(file: &[u8]) -> Inspected {
    let found = inspect(file, at()).unwrap();
    assert_eq!(found.len(), 1);
    found.into_iter().next().unwrap()
}

fn refusal(file: &[u8]) -> String {
    let words = inspect(file, at()).unwrap_err().0;
    assert!(!words.contains("example") && words.contains(' '), "{words}");
    words
}

fn refusal_of(cert: &Cert) -> String {
    let words = refusal(&cert.to_vec().unwrap());
    assert!(words.contains(&cert.fingerprint().to_hex()), "{words}");
    words
}

fn after(days: u32) -> Timestamp {
    Timestamp::from_millis(at().as_millis() + i64::try_from((days * DAY).as_millis()).unwrap())
}

#[test]
fn a_certificate_is_read_in_every_form() {
    let cert = jane();
    let text = String::from_utf8(armored(&cert)).unwrap();
    let utf_16: Vec<u8> =
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let forms = [
        cert.to_vec().unwrap(),
        text.clone().into_bytes(),
        text.replace('\n', "\r\n").into_bytes(),
        format!("\u{feff}Here is my key:\n\n{text}\nRegards\n").into_bytes(),
        utf_16,
    ];
    for form in forms {
        let found = one(&form);
        assert_eq!(found.fingerprint.as_str(), cert.fingerprint().to_hex());
        assert_eq!(found.addresses, [Address::parse("jane@example.net").unwrap()]);
        assert_eq!(found.data, cert.clone().strip_secret_key_material().to_vec().unwrap());
    }
}

#[test]
fn several_certificates_are_read_from_one_file() {
    let (first, second) = (jane(), builder().set_profile(Profile::RFC9580).unwrap().generate().unwrap().0);
    let binary = [first.to_vec().unwrap(), second.to_vec().unwrap()].concat();
    let blocks = [armored(&first), b"and\n".to_vec(), armored(&second), armored(&first)].concat();
    for file in [binary, blocks] {
        let found = inspect(&file, at()).unwrap();
        let names: Vec<&str> = found.iter().map(|found| found.fingerprint.as_str()).collect();
        assert_eq!(names, [first.fingerprint().to_hex(), second.fingerprint().to_hex()]);
    }
}

#[test]
fn one_that_cannot_be_used_refuses_the_file() {
    let (bad, _) = CertBuilder::new().add_userid("Jane").set_creation_time(now() - DAY).generate().unwrap();
    let file = [armored(&jane()), armored(&bad)].concat();
    assert!(refusal(&file).contains("no key for encryption"));
}

#[test]
fn what_is_no_certificate_is_refused_with_what_it_is() {
    let message = "-----BEGIN PGP MESSAGE-----\n\nwxsAAA==\n-----END PGP MESSAGE-----\n";
    let key = armored(&jane());
    let cases: [(&[u8], &str); 9] = [
        (b"", "holds no OpenPGP certificate"),
        (b"Hello\n", "holds no OpenPGP certificate"),
        (b"\x99\x01", "cannot be read"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "cannot be read"),
        (&key[..key.len() / 2], "has no end"),
        (message.as_bytes(), "message, not a certificate"),
        (message.replace("MESSAGE", "SIGNATURE").leak().as_bytes(), "signature, not a certificate"),
        (message.replace("MESSAGE", "PUBLIC KEY BLOCK").leak().as_bytes(), "cannot be read"),
        (message.replace("MESSAGE", "PRIVATE KEY BLOCK").leak().as_bytes(), "secret key"),
    ];
    for (file, words) in cases {
        assert!(refusal(file).contains(words), "{words}: {}", refusal(file));
    }
    assert!(refusal(&vec![0x99; MAX_FILE + 1]).contains("larger than 1 MiB"));
}

#[test]
fn more_than_twenty_certificates_are_refused() {
    let certs: Vec<Vec<u8>> = (0..=MAX_CERTIFICATES).map(|_| jane().to_vec().unwrap()).collect();
    assert_eq!(inspect(&certs[..MAX_CERTIFICATES].concat(), at()).unwrap().len(), MAX_CERTIFICATES);
    assert!(refusal(&certs.concat()).contains("more than 20"));
}

#[test]
fn more_than_a_hundred_user_ids_are_refused_before_anything_is_checked() {
    let users = |range: Range<u32>| -> Vec<u8> {
        range.flat_map(|number| Packet::from(UserID::from(number.to_string())).to_vec().unwrap()).collect()
    };
    let key = jane().to_vec().unwrap();
    assert!(inspect(&[key.clone(), users(0..60)].concat(), at()).is_ok());
    for file in [users(0..50_000), [users(0..60), key.clone(), users(60..120)].concat()] {
        assert!(refusal(&[key.clone(), file].concat()).contains("more than 100 keys and user ids"));
    }
}

#[test]
fn a_secret_key_is_refused() {
    let binary = jane().as_tsk().to_vec().unwrap();
    let armored = jane().as_tsk().armored().to_vec().unwrap();
    for file in [binary, armored] {
        assert!(refusal(&file).contains("gpg --export"));
    }
}

#[test]
fn its_end_is_when_the_first_thing_that_it_needs_ends() {
    let primary = builder().set_validity_period(40 * DAY).generate().unwrap().0;
    assert_eq!(one(&armored(&primary)).expires_at, Some(after(30)));
    let subkeys = with_subkeys(&[Some(20), Some(70)]);
    assert_eq!(one(&armored(&subkeys)).expires_at, Some(after(60)));
    let endless = with_subkeys(&[Some(20), None]);
    assert_eq!(one(&armored(&endless)).expires_at, None);
}

/// A primary key without an end, and encryption keys that end so many days after they were made, ten days ago.
fn with_subkeys(days: &[Option<u32>]) -> Cert {
    let builder =
        CertBuilder::new().add_userid("Jane Doe <jane@example.net>").set_creation_time(now() - 10 * DAY);
    let flags = KeyFlags::empty().set_transport_encryption();
    let builder = days
        .iter()
        .fold(builder, |builder, days| builder.add_subkey(flags.clone(), days.map(|days| days * DAY), None));
    builder.generate().unwrap().0
}

#[test]
fn what_expired_is_refused_with_the_time() {
    let cert = builder().set_validity_period(5 * DAY).generate().unwrap().0;
    assert!(refusal_of(&cert).contains("it expired at 2026-09-16T14:13:20"));
    assert!(refusal_of(&with_subkeys(&[Some(2), Some(5)])).contains("key expired at 2026-09-16T14:13:20"));
    let early = builder().set_creation_time(now() + DAY).generate().unwrap().0;
    assert!(refusal_of(&early).contains("begins only at 2026-09-22T"));
}

#[test]
fn what_was_revoked_is_refused_with_the_reason() {
    let cert = jane();
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let whole = CertRevocationBuilder::new()
        .set_signature_creation_time(now() - DAY)
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"mail jane@example.org now")
        .unwrap()
        .build(&mut signer, &cert, None)
        .unwrap();
    let revoked = cert.clone().insert_packets([whole]).unwrap().0;
    assert!(refusal_of(&revoked).contains("revoked (Key is retired"), "{}", refusal_of(&revoked));

    let subkeys = cert.keys().subkeys().map(|key| {
        let revocation = SubkeyRevocationBuilder::new()
            .set_signature_creation_time(now() - DAY)
            .unwrap()
            .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"")
            .unwrap();
        revocation.build(&mut signer, &cert, key.key(), None).unwrap()
    });
    let revoked = cert.clone().insert_packets(subkeys.collect::<Vec<_>>()).unwrap().0;
    assert!(refusal_of(&revoked).contains("encryption key was revoked (Key material has been compromised"));
}

/// What somebody else has signed about a user id.
fn certify(cert: &Cert, user: &UserID, signer: &mut dyn Signer) -> Signature {
    let builder = SignatureBuilder::new(SignatureType::GenericCertification);
    let builder = builder.set_signature_creation_time(now() - DAY).unwrap();
    builder.sign_userid_binding(signer, cert.primary_key().key(), user).unwrap()
}

#[test]
fn only_what_the_certificate_says_of_itself_is_kept() {
    let picture = UserAttribute::new(&[Subpacket::Image(Image::JPEG(vec![7; 500].into()))]).unwrap();
    let cert = builder().add_userid("old@example.net").add_user_attribute(picture).generate().unwrap().0;
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let old = cert.userids().find(|user| user.userid().value() == b"old@example.net").unwrap();
    let revocation = UserIDRevocationBuilder::new()
        .set_signature_creation_time(now() - DAY)
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::UIDRetired, b"")
        .unwrap()
        .build(&mut signer, &cert, old.userid(), None)
        .unwrap();
    let other = builder().generate().unwrap().0;
    let mut other_signer =
        other.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let unknown = UserID::from("stranger@example.org");
    let foreign = certify(&cert, old.userid(), &mut other_signer);
    let foreign_user = certify(&cert, &unknown, &mut other_signer);
    let packets: Vec<Packet> = vec![revocation.into(), foreign.into(), unknown.into(), foreign_user.into()];
    let crowded = cert.insert_packets(packets).unwrap().0;

    let found = one(&crowded.to_vec().unwrap());
    assert_eq!(found.addresses, [Address::parse("jane@example.net").unwrap()]);
    let kept = Cert::from_bytes(&found.data).unwrap();
    assert_eq!((kept.userids().count(), kept.user_attributes().count()), (2, 0));
    assert_eq!(kept.userids().map(|user| user.certifications().count()).sum::<usize>(), 0);
    assert_eq!(kept.userids().map(|user| user.self_revocations().count()).sum::<usize>(), 1);
    assert!(memmem::find(&found.data, b"stranger").is_none());
    assert_eq!(one(&found.data), found);
}

/// Of both versions.
static KEYS: LazyLock<[Cert; 2]> = LazyLock::new(|| {
    let make = |profile| builder().set_profile(profile).unwrap().generate().unwrap().0;
    [make(Profile::RFC4880), make(Profile::RFC9580)]
});

proptest! {
    /// What is taken from damaged data can be taken again, and is no secret.
    #[test]
    fn hostile_data_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(), is_cut in prop::bool::weighted(0.2), is_armored in any::<bool>(),
        is_v6 in any::<bool>(), is_secret in prop::bool::weighted(0.2),
    ) {
        let cert = &KEYS[usize::from(is_v6)];
        let mut file = match (is_secret, is_armored) {
            (true, _) => cert.as_tsk().to_vec().unwrap(),
            (false, true) => armored(cert),
            (false, false) => cert.to_vec().unwrap(),
        };
        for (index, octet) in changes {
            let length = file.len();
            file[index.index(length)] = octet;
        }
        if is_cut {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(found) = inspect(&file, at()) {
            for one in found {
                prop_assert!(!Cert::from_bytes(&one.data).unwrap().is_tsk());
                prop_assert_eq!(inspect(&one.data, at()).unwrap(), vec![one]);
            }
        }
    }

    #[test]
    fn any_octets_are_refused_in_words(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(Unusable(words)) = inspect(&octets, at()) {
            prop_assert!(words.len() > 20);
        }
    }
}

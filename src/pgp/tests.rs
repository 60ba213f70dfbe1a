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

//! Certificates and messages that GnuPG made, as we judge them.

use aliasd::pgp::Engine;
use aliasd::relay::openpgp::Unusable;
use aliasd::relay::ports::{Content, OpenPgp};

use crate::gnupg::{Gnupg, JANE, Wanted};
use crate::{as_stored, now};

/// The words with which a file is refused.
fn refusal(file: &[u8]) -> String {
    let Err(Unusable(words)) = Engine::new(true).inspect(file, now()) else { panic!("it was taken") };
    assert!(!words.contains('@'), "{words}");
    words
}

fn refused(wanted: &Wanted<'_>) -> String {
    let gnupg = Gnupg::new();
    let fingerprint = gnupg.make(wanted);
    let words = refusal(&gnupg.export(&fingerprint));
    assert!(words.contains(&fingerprint), "{words}");
    words
}

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn what_cannot_be_encrypted_to_is_refused_with_the_reason() {
    let only_signs = Wanted { encryption: None, ..JANE };
    assert!(refused(&only_signs).contains("no key for encryption"));
    let expired = Wanted { validity: "1d", with: &["--faked-system-time", "20250101T000000"], ..JANE };
    assert!(refused(&expired).contains("expired at 2025-01-02T00:00:"));
    let short = Wanted { algorithm: "rsa1024", encryption: Some("rsa1024"), ..JANE };
    assert!(refused(&short).contains("too short"));
    let old_hash = Wanted {
        algorithm: "rsa2048",
        encryption: Some("rsa2048"),
        with: &["--cert-digest-algo", "SHA1"],
        ..JANE
    };
    assert!(refused(&old_hash).contains("SHA-1"));
}

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn a_revoked_certificate_is_refused() {
    let gnupg = Gnupg::new();
    let fingerprint = gnupg.make(&JANE);
    gnupg.revoke(&fingerprint);
    assert!(refusal(&gnupg.export(&fingerprint)).contains("revoked"));
}

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn a_secret_key_is_refused_in_either_form() {
    let gnupg = Gnupg::new();
    let fingerprint = gnupg.make(&JANE);
    for form in [&["--export-secret-keys"][..], &["--armor", "--export-secret-keys"]] {
        let file = gnupg.ask(&[form, &[&fingerprint]].concat(), b"");
        assert!(refusal(&file).contains("gpg --export"), "{form:?}");
    }
}

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn messages_that_gnupg_encrypted_are_left_alone() {
    let gnupg = Gnupg::new();
    let fingerprint = gnupg.make(&JANE);
    let engine = Engine::new(true);
    let certificate = engine.inspect(&gnupg.export(&fingerprint), now()).expect("usable").remove(0);
    let certificates = [as_stored(&certificate)];
    let comes_back = |arguments: &[&str]| {
        let body = gnupg.ask(&[&["--armor"], arguments].concat(), b"A letter\r\n");
        let head = "From: jane@example.org\r\nSubject: Plans\r\n\r\n".into();
        let content = Content { head, body: body.into(), eight_bit: false, smtputf8: false };
        engine.encrypt(&content, &certificates, now()).expect("encrypted").body == content.body
    };
    assert!(comes_back(&["--encrypt", "--recipient", &fingerprint]));
    assert!(comes_back(&["--encrypt", "--sign", "--recipient", &fingerprint]));
    assert!(comes_back(&["--encrypt", "--throw-keyids", "--comment", "Hello", "--recipient", &fingerprint]));
    assert!(comes_back(&["--passphrase", "open sesame", "--symmetric"]));
    for in_clear in ["--sign", "--clearsign", "--store", "--detach-sign"] {
        assert!(!comes_back(&[in_clear]), "{in_clear}");
    }
}

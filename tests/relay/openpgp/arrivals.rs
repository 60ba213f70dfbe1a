//! What GnuPG finds in the encrypted messages that arrive at a mailbox.

use std::time::Instant;

use aliasd::mail::Message;
use bytes::Bytes;

use super::{
    ALIAS, CONTACT, EFFECTIVE, MAILBOX, MODES, SUBJECT, TEXT, accepted, ciphertext, import, installation,
    letter, letter_with, send, wait_for_empty_queue,
};
use crate::support::daemon::{Daemon, Installation};
use crate::support::database::Engine;
use crate::support::gnupg::{Gnupg, Wanted};
use crate::support::sink::{Script, Sink};

with_gnupg_on_both_engines!(
    it_is_what_was_sent_for_rsa,
    it_is_what_was_sent_for_curve25519,
    what_is_encrypted_already_arrives_as_it_is,
    what_only_claims_to_be_encrypted_is_encrypted,
);

pub const OWNER: Wanted<'_> = Wanted {
    user: "Owner <inbox-7f3k@example.net>",
    algorithm: "ed25519",
    encryption: Some("cv25519"),
    validity: "never",
    with: &[],
};

fn it_is_what_was_sent_for_rsa(engine: Engine) {
    let rsa = Wanted { algorithm: "rsa3072", encryption: Some("rsa3072"), ..OWNER };
    is_what_was_sent(engine, &rsa);
}

fn it_is_what_was_sent_for_curve25519(engine: Engine) {
    is_what_was_sent(engine, &OWNER);
}

fn is_what_was_sent(engine: Engine, wanted: &Wanted<'_>) {
    let gnupg = Gnupg::new();
    let fingerprint = gnupg.make(wanted);
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let aliasd = installation(engine, mode, &sink);
        let daemon = aliasd.serve();
        accepted(&send(&daemon, &letter(0)));
        assert!(sink.next().text().contains(TEXT), "nobody has asked for encryption");
        import(&aliasd, MAILBOX, &gnupg.export(&fingerprint)).succeeded();
        wait_for_encryption(&daemon, &sink);
        for (number, letter) in letters().iter().enumerate() {
            accepted(&send(&daemon, letter));
            let taken = sink.next();
            assert_eq!(taken.recipients, [MAILBOX]);
            is_the_letter(&gnupg.decrypt(&ciphertext(&taken)), letter, &format!("{mode}, letter {number}"));
        }
        wait_for_empty_queue(&aliasd);
        daemon.stop();
        assert_eq!(sink.waiting(), 0, "more left than was sent");
    }
}

/// Sends until a letter arrives encrypted, which is to be soon.
fn wait_for_encryption(daemon: &Daemon, sink: &Sink) {
    let imported = Instant::now();
    for number in 1000.. {
        accepted(&send(daemon, &letter(number)));
        let taken = sink.next();
        if !taken.text().contains(TEXT) {
            ciphertext(&taken);
            return;
        }
        // As much again for a machine that is busy with other tests.
        assert!(imported.elapsed() < 2 * EFFECTIVE, "the certificate is not seen");
    }
}

/// From nothing to 20 MB.
fn letters() -> Vec<Vec<u8>> {
    let latin: Vec<u8> = (0..2000_u32)
        .map(|at| if at % 72 > 69 { b"\r\n"[(at % 72 - 70) as usize] } else { 0xa1 + (at % 90) as u8 })
        .collect();
    let parts = format!(
        "A preamble.\r\n--=_b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         {TEXT}Caf=C3=A9=20\r\n.\r\n--=_b\r\nContent-Type: application/pdf; name=\"plan.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"plan.pdf\"\r\n\r\nJVBERi0xLjQKJSVFT0YK\r\n--=_b--\r\nAn epilogue.\r\n\r\n"
    );
    let huge = format!("{TEXT}.dots\r\n{}\r\n", "x".repeat(74)).repeat(200_000);
    let plain = "Content-Type: text/plain; charset=us-ascii\r\n";
    let eight_bit = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n";
    vec![
        letter_with(1, plain, b""),
        letter_with(2, "", TEXT.as_bytes()),
        letter_with(3, eight_bit, &[&latin[..], b"\r\n"].concat()),
        letter_with(4, "Content-Type: multipart/mixed; boundary=\"=_b\"\r\n", parts.as_bytes()),
        letter_with(5, plain, huge.as_bytes()),
    ]
}

/// The body is the same octets, and the fields that a forward leaves alone are.
fn is_the_letter(plain: &[u8], letter: &[u8], which: &str) {
    let inner = Message::parse(Bytes::copy_from_slice(plain));
    let sent = Message::parse(Bytes::copy_from_slice(letter));
    assert!(inner.body() == sent.body(), "{which}: the body is not what it was");
    for name in ["Subject", "Date", "Message-ID", "MIME-Version", "Content-Transfer-Encoding"] {
        let fields = |message: &Message| -> Vec<Vec<u8>> {
            message.named(name).map(|(_, field)| message.raw_field(field).to_vec()).collect()
        };
        assert_eq!(fields(&inner), fields(&sent), "{which}");
    }
    let parsed = mail_parser::MessageParser::new().parse_headers(plain).expect("a head");
    assert_eq!(parsed.subject(), Some(SUBJECT), "{which}");
}

/// An installation whose mailbox encrypts, and its keys.
fn with_keys(engine: Engine, mode: &str, sink: &Sink) -> (Installation, Gnupg, String) {
    let gnupg = Gnupg::new();
    let fingerprint = gnupg.make(&OWNER);
    let aliasd = installation(engine, mode, sink);
    import(&aliasd, MAILBOX, &gnupg.export(&fingerprint)).succeeded();
    (aliasd, gnupg, fingerprint)
}

const PGP_MIME: &str =
    "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n";

fn pgp_mime(number: usize, content: &[u8]) -> Vec<u8> {
    let start = b"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
        --b\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n";
    letter_with(number, PGP_MIME, &[start, content, b"\r\n--b--\r\n"].concat())
}

fn what_is_encrypted_already_arrives_as_it_is(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let (aliasd, gnupg, fingerprint) = with_keys(engine, mode, &sink);
        let armored = gnupg.ask(&["--armor", "--encrypt", "--recipient", &fingerprint], TEXT.as_bytes());
        let armored = String::from_utf8(armored).expect("ASCII").replace('\n', "\r\n");
        let daemon = aliasd.serve();
        for letter in [
            pgp_mime(1, armored.as_bytes()),
            letter_with(2, "Content-Type: text/plain; charset=us-ascii\r\n", armored.as_bytes()),
        ] {
            accepted(&send(&daemon, &letter));
            let (sent, taken) = (Message::parse(letter.into()), Message::parse(sink.next().message.into()));
            assert!(sent.body() == taken.body(), "{mode}: {}", String::from_utf8_lossy(&taken.body()));
        }
        daemon.stop();
    }
}

fn what_only_claims_to_be_encrypted_is_encrypted(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let (aliasd, gnupg, _) = with_keys(engine, mode, &sink);
        let daemon = aliasd.serve();
        let armor = format!("-----BEGIN PGP MESSAGE-----\r\n\r\n{TEXT}-----END PGP MESSAGE-----\r\n");
        for letter in [
            pgp_mime(1, TEXT.as_bytes()),
            pgp_mime(2, armor.as_bytes()),
            letter_with(3, "", armor.as_bytes()),
            letter_with(
                4,
                "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n",
                TEXT.as_bytes(),
            ),
        ] {
            accepted(&daemon.greet().deliver(CONTACT, ALIAS, &letter));
            is_the_letter(&gnupg.decrypt(&ciphertext(&sink.next())), &letter, mode);
        }
        daemon.stop();
    }
}

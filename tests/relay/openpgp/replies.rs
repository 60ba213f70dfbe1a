//! What leaves as the alias, and what else is written because of it.

use data_encoding::BASE64;

use super::arrivals::OWNER;
use super::{
    ALIAS, CONTACT, MAILBOX, MODES, SECOND, SUBJECT, TEXT, accepted, ciphertext, import, installation,
    letter_with, send, wait_for_empty_queue,
};
use crate::support::daemon::{Daemon, Installation};
use crate::support::database::Engine;
use crate::support::eventually;
use crate::support::gnupg::{Gnupg, JANE, Wanted};
use crate::support::sink::{Script, Sink, Taken};

with_gnupg_on_both_engines!(
    a_reply_to_a_contact_with_a_certificate_is_encrypted_and_scrubbed,
    a_copy_for_another_mailbox_is_encrypted_to_that,
    a_certificate_that_came_with_a_letter_is_used_for_the_answer,
    a_report_for_the_owner_is_encrypted,
);

const JANE_AT_HOME: Wanted<'_> = Wanted { user: "Jane Doe <jane@example.org>", ..JANE };

/// Keys, and their public part.
fn keys_of(wanted: &Wanted<'_>) -> (Gnupg, Vec<u8>) {
    let gnupg = Gnupg::new();
    let fingerprint = gnupg.make(wanted);
    let certificate = gnupg.export(&fingerprint);
    (gnupg, certificate)
}

/// Answers the contact from the mailbox, with the mailbox's address wherever a mail program puts it.
fn answer(daemon: &Daemon, reverse_alias: &str) {
    let letter = format!(
        "From: The Owner <{MAILBOX}>\r\nTo: {reverse_alias}\r\nSubject: {SUBJECT}\r\n\
         Date: Mon, 21 Sep 2026 16:13:20 +0200\r\nMessage-ID: <4711@example.net>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\n{TEXT}\r\n> To: {MAILBOX}\r\n-- \r\n{MAILBOX}\r\n"
    );
    accepted(&daemon.greet().deliver(MAILBOX, reverse_alias, letter.as_bytes()));
}

/// From the alias, and nothing of the mailbox anywhere: outside, and in what was encrypted.
fn is_discreet(taken: &Taken, plain: &[u8]) {
    let plain = String::from_utf8_lossy(plain);
    for text in [&*taken.text(), &*plain] {
        let from = text.lines().find(|line| line.starts_with("From:")).expect("an author");
        assert!(from.contains(ALIAS), "{text}");
        for secret in ["inbox-7f3k", "INBOX-7F3K", "example.net"] {
            assert!(!text.contains(secret), "{secret} shows:\n{text}");
        }
    }
    assert!(!taken.from.contains("inbox-7f3k"), "{}", taken.from);
    for part in [TEXT, &format!("Subject: {SUBJECT}\r\n"), &format!("> To: {ALIAS}\r\n-- \r\n{ALIAS}\r\n")] {
        assert!(plain.contains(part), "{part:?} is missing in:\n{plain}");
    }
}

fn a_reply_to_a_contact_with_a_certificate_is_encrypted_and_scrubbed(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let aliasd = installation(engine, mode, &sink);
        let reverse_alias = aliasd.reverse_alias(ALIAS, CONTACT);
        let (jane, certificate) = keys_of(&JANE_AT_HOME);
        import(&aliasd, CONTACT, &certificate).succeeded();
        let daemon = aliasd.serve();
        answer(&daemon, &reverse_alias);
        let taken = sink.next();
        assert_eq!(taken.recipients, [CONTACT]);
        is_discreet(&taken, &jane.decrypt(&ciphertext(&taken)));
        daemon.stop();
    }
}

fn a_copy_for_another_mailbox_is_encrypted_to_that(engine: Engine) {
    let copies = [("ALIASD_REPLY__COPIES_TO_OTHER_MAILBOXES", "true")];
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let aliasd = installation(engine, mode, &sink)
            .and_mailbox(SECOND)
            .and_alias("both@example.com", &[MAILBOX, SECOND]);
        let reverse_alias = aliasd.reverse_alias("both@example.com", CONTACT);
        let (second, certificate) = keys_of(&Wanted { user: "Second <second@example.net>", ..OWNER });
        import(&aliasd, SECOND, &certificate).succeeded();
        let daemon = aliasd.serve_with(&copies);
        answer(&daemon, &reverse_alias);
        let mut both = [sink.next(), sink.next()];
        both.sort_by_key(|taken| taken.recipients != [CONTACT]);
        let [reply, copy] = both;
        assert_eq!(reply.recipients, [CONTACT]);
        assert!(reply.text().contains(TEXT), "{}", reply.text());
        assert_eq!(copy.recipients, [SECOND]);
        let plain = second.decrypt(&ciphertext(&copy));
        assert!(String::from_utf8_lossy(&plain).contains(TEXT));
        wait_for_empty_queue(&aliasd);
        daemon.stop();
    }
}

fn a_certificate_that_came_with_a_letter_is_used_for_the_answer(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let aliasd = installation(engine, mode, &sink).setting("pgp.autocrypt = true");
        let reverse_alias = aliasd.reverse_alias(ALIAS, CONTACT);
        let (jane, certificate) = keys_of(&JANE_AT_HOME);
        let daemon = aliasd.serve();
        accepted(&send(&daemon, &letter_with(1, &autocrypt(&certificate), TEXT.as_bytes())));
        assert_eq!(sink.next().recipients, [MAILBOX]);
        answer(&daemon, &reverse_alias);
        let taken = sink.next();
        assert_eq!(taken.recipients, [CONTACT]);
        is_discreet(&taken, &jane.decrypt(&ciphertext(&taken)));
        daemon.stop();
    }
}

/// The field, folded (Autocrypt Level 1, section 2.1).
fn autocrypt(certificate: &[u8]) -> String {
    let keydata = BASE64.encode(certificate);
    let lines = keydata.as_bytes().chunks(72).map(|line| format!("\r\n {}", String::from_utf8_lossy(line)));
    format!("Autocrypt: addr={CONTACT}; prefer-encrypt=mutual; keydata={}\r\n", lines.collect::<String>())
}

/// The contact's server takes nothing now and refuses for good later, so that the owner is told by a report.
fn a_report_for_the_owner_is_encrypted(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(Script::accept().refuse_recipient(CONTACT, "451 4.2.1 come back later"));
        let aliasd = installation(engine, mode, &sink);
        let reverse_alias = aliasd.reverse_alias(ALIAS, CONTACT);
        let (owner, certificate) = keys_of(&OWNER);
        import(&aliasd, MAILBOX, &certificate).succeeded();
        let daemon = aliasd.serve();
        answer(&daemon, &reverse_alias);
        sink.behave(Script::accept().refuse_recipient(CONTACT, "550 5.1.1 no such user"));
        let report = wait_for_report(&aliasd, &sink);
        assert_eq!(
            (report.from.as_str(), report.recipients.as_slice()),
            ("", [MAILBOX.to_owned()].as_slice())
        );
        let plain = owner.decrypt(&ciphertext(&report));
        let plain = String::from_utf8_lossy(&plain);
        for part in ["multipart/report", "no such user", &reverse_alias, SUBJECT] {
            assert!(plain.contains(part), "{part} is missing in:\n{plain}");
        }
        wait_for_empty_queue(&aliasd);
        daemon.stop();
    }
}

/// The first attempt may still be under way, and what is under way cannot be ordered to be tried.
fn wait_for_report(aliasd: &Installation, sink: &Sink) -> Taken {
    eventually("a report comes", || {
        aliasd.run(&["queue", "retry", "--all"]).succeeded();
        (sink.waiting() > 0).then(|| sink.next())
    })
}

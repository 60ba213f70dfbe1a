//! What cannot be encrypted stays with its sender.

use std::time::{Duration, SystemTime};

use super::certificates::{Unfit, before_and_after_revocation, expiring, usable, usable_for_jane};
use super::{
    ALIAS, CONTACT, MAILBOX, MODES, SECOND, SUBJECT, TEXT, accepted, assert_notice, ciphertext, import,
    installation, is_notice, letter, queue, send, wait_for_empty_queue,
};
use crate::support::daemon::Installation;
use crate::support::database::Engine;
use crate::support::eventually;
use crate::support::sink::{Script, Sink};

on_both_engines!(
    what_is_of_no_use_is_not_imported,
    what_became_of_no_use_stops_the_mail,
    what_runs_out_stops_the_mail,
    each_of_two_mailboxes_gets_what_it_should,
    a_reply_that_cannot_be_encrypted_is_refused_with_the_reason,
);

fn what_is_of_no_use_is_not_imported(engine: Engine) {
    let sink = Sink::start(Script::accept());
    let aliasd = installation(engine, "direct", &sink);
    for kind in Unfit::ALL {
        let refused = import(&aliasd, MAILBOX, &kind.make().data).ended_with(1).stderr;
        assert!(refused.contains(kind.words()) && !refused.trim().is_empty(), "{kind:?}: {refused}");
    }
    assert_eq!(aliasd.ask(&["key", "list"])["items"], serde_json::json!([]));

    let [good, revoked] = before_and_after_revocation();
    import(&aliasd, MAILBOX, &good.data).succeeded();
    let refused = import(&aliasd, MAILBOX, &revoked.data).ended_with(1).stderr;
    assert!(refused.contains("revoked"), "{refused}");
    let listed = aliasd.ask(&["key", "list"]);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["items"][0]["fingerprint"], good.fingerprint.as_str());
}

fn what_became_of_no_use_stops_the_mail(engine: Engine) {
    for mode in MODES {
        for kind in Unfit::ALL {
            let sink = Sink::start(Script::accept());
            let aliasd = installation(engine, mode, &sink);
            import(&aliasd, MAILBOX, &usable().data).succeeded();
            kind.make().put_into(&aliasd);
            stops_until_there_is_a_good_one(&aliasd, &sink, kind);
        }
    }
}

fn stops_until_there_is_a_good_one(aliasd: &Installation, sink: &Sink, kind: Unfit) {
    let daemon = aliasd.serve();
    for number in 0..3 {
        let reply = send(&daemon, &letter(number));
        assert_eq!(reply.codes(), (451, "4.7.5"), "{kind:?}: {reply}");
        for secret in [MAILBOX, "expired", "revoked"] {
            assert!(!reply.text.contains(secret), "the sender is told of {secret}: {reply}");
        }
    }
    let notice = sink.next();
    assert_notice(&notice, MAILBOX);
    assert!(notice.text().replace("\r\n", " ").contains(kind.words()), "{kind:?}:\n{}", notice.text());

    import(aliasd, MAILBOX, &usable().data).succeeded();
    eventually("the good one is seen", || (send(&daemon, &letter(0)).code == 250).then_some(()));
    ciphertext(&sink.next());
    wait_for_empty_queue(aliasd);
    daemon.stop();
    assert_eq!(sink.waiting(), 0, "{kind:?}: something else left");
}

/// Whatever leaves while the certificate runs out is encrypted, but the notice.
fn what_runs_out_stops_the_mail(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let aliasd = installation(engine, mode, &sink);
        import(&aliasd, MAILBOX, &expiring(SystemTime::now() + Duration::from_secs(6)).data).succeeded();
        let daemon = aliasd.serve();
        let mut numbers = 0..;
        let refused = eventually("mail is refused", || {
            let reply = send(&daemon, &letter(numbers.next().expect("another number")));
            (reply.code != 250).then_some(reply)
        });
        assert_eq!(refused.codes(), (451, "4.7.5"), "{refused}");
        assert!(numbers.start > 1, "it ran out before there was any mail");
        let mut notice = sink.next();
        // There is another notice, encrypted: that the certificate expires soon.
        while !is_notice(&notice) {
            ciphertext(&notice);
            notice = sink.next();
        }
        assert_notice(&notice, MAILBOX);
        daemon.stop();
        while sink.waiting() > 0 {
            ciphertext(&sink.next());
        }
    }
}

fn each_of_two_mailboxes_gets_what_it_should(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let aliasd = installation(engine, mode, &sink)
            .and_mailbox(SECOND)
            .and_alias("both@example.com", &[MAILBOX, SECOND]);
        import(&aliasd, MAILBOX, &usable().data).succeeded();
        one_reads_it_and_the_other_decrypts_it(&aliasd, &sink);
        Unfit::Expired.make().put_into(&aliasd);
        one_reads_it_and_the_other_waits(&aliasd, &sink);
    }
}

fn one_reads_it_and_the_other_decrypts_it(aliasd: &Installation, sink: &Sink) {
    let daemon = aliasd.serve();
    accepted(&daemon.greet().deliver(CONTACT, "both@example.com", &letter(1)));
    let mut both = [sink.next(), sink.next()];
    both.sort_by_key(|taken| taken.recipients.clone());
    let [first, second] = both;
    assert_eq!(
        (first.recipients.as_slice(), second.recipients.as_slice()),
        ([MAILBOX.to_owned()].as_slice(), [SECOND.to_owned()].as_slice())
    );
    ciphertext(&first);
    let text = second.text();
    assert!(text.contains(TEXT) && text.contains(SUBJECT), "{text}");
    daemon.stop();
}

fn one_reads_it_and_the_other_waits(aliasd: &Installation, sink: &Sink) {
    let daemon = aliasd.serve();
    accepted(&daemon.greet().deliver(CONTACT, "both@example.com", &letter(2)));
    // The other mailbox can be told, so the notice goes there.
    let mut both = [sink.next(), sink.next()];
    both.sort_by_key(|taken| !taken.from.is_empty());
    let [notice, second] = both;
    assert_notice(&notice, SECOND);
    assert_eq!(second.recipients, [SECOND]);
    assert!(second.text().contains(TEXT), "{}", second.text());
    let waiting = eventually("it waits", || queue(aliasd).pop().filter(|item| item["attempts"] != 0));
    assert_eq!(
        (&waiting["recipient"], &waiting["state"]),
        (&MAILBOX.into(), &"deferred".into()),
        "{waiting}"
    );
    daemon.stop();
    assert_eq!(sink.waiting(), 0, "something else left");
}

/// Its author is told why. No notice is needed.
fn a_reply_that_cannot_be_encrypted_is_refused_with_the_reason(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(Script::accept());
        let aliasd = installation(engine, mode, &sink);
        let reverse_alias = aliasd.reverse_alias(ALIAS, CONTACT);
        import(&aliasd, CONTACT, &usable_for_jane().data).succeeded();
        Unfit::Expired.make().put_into(&aliasd);
        let daemon = aliasd.serve();
        let reply = format!("From: {MAILBOX}\r\nTo: {reverse_alias}\r\nSubject: {SUBJECT}\r\n\r\n{TEXT}");
        let refused = daemon.greet().deliver(MAILBOX, &reverse_alias, reply.as_bytes());
        assert_eq!(refused.codes(), (451, "4.7.5"), "{refused}");
        assert!(refused.text.contains(Unfit::Expired.words()), "{refused}");
        wait_for_empty_queue(&aliasd);
        daemon.stop();
        assert_eq!(sink.waiting(), 0, "something left");
    }
}

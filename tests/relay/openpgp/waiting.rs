//! Mail that waits in the queue is encrypted to the certificates that there are when it leaves.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::certificates::{Unfit, expiring, usable};
use super::{
    ALIAS, EFFECTIVE, MAILBOX, MODES, accepted, assert_notice, ciphertext, import, installation, letter,
    queue, send, wait_for_empty_queue,
};
use crate::support::daemon::{Daemon, Installation};
use crate::support::database::Engine;
use crate::support::eventually;
use crate::support::sink::{Answer, Script, Sink, Taken};

on_both_engines!(
    what_waits_is_encrypted_when_a_certificate_has_come,
    what_waits_stays_when_its_certificate_is_of_no_use_any_more,
    what_waits_stays_when_its_certificate_has_run_out,
);

/// The next hop takes nothing now.
fn away() -> Script {
    Script::accept().at_rcpt(Answer::Refuse("451 4.2.1 come back later"))
}

/// Sends a letter that must wait, and has.
fn queued(aliasd: &Installation, daemon: &Daemon) {
    accepted(&send(daemon, &letter(1)));
    eventually("the letter waits for its next attempt", || {
        letter_in_queue(aliasd).filter(|item| item["attempts"] == 1)
    });
}

fn retry(aliasd: &Installation) {
    aliasd.run(&["queue", "retry", "--all"]).succeeded();
}

fn what_waits_is_encrypted_when_a_certificate_has_come(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(away());
        let aliasd = installation(engine, mode, &sink);
        let daemon = aliasd.serve();
        queued(&aliasd, &daemon);
        import(&aliasd, MAILBOX, &usable().data).succeeded();
        // Nothing tells when a running daemon has seen it.
        std::thread::sleep(EFFECTIVE);
        sink.behave(Script::accept());
        retry(&aliasd);
        ciphertext(&sink.next());
        wait_for_empty_queue(&aliasd);
        daemon.stop();
        assert_eq!(sink.waiting(), 0, "something else left");
    }
}

fn what_waits_stays_when_its_certificate_is_of_no_use_any_more(engine: Engine) {
    for mode in MODES {
        for kind in Unfit::ALL {
            let sink = Sink::start(away());
            let aliasd = installation(engine, mode, &sink);
            import(&aliasd, MAILBOX, &usable().data).succeeded();
            let daemon = aliasd.serve();
            queued(&aliasd, &daemon);
            daemon.stop();
            kind.make().put_into(&aliasd);
            sink.behave(Script::accept());
            let daemon = aliasd.serve();
            stays_until_there_is_a_good_one(&aliasd, &sink, kind);
            daemon.stop();
        }
    }
}

fn what_waits_stays_when_its_certificate_has_run_out(engine: Engine) {
    for mode in MODES {
        let sink = Sink::start(away());
        let aliasd = installation(engine, mode, &sink);
        let end = SystemTime::now() + Duration::from_secs(10);
        import(&aliasd, MAILBOX, &expiring(end).data).succeeded();
        let daemon = aliasd.serve();
        queued(&aliasd, &daemon);
        // The clock is what is waited for. Certificates expire at whole seconds.
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        std::thread::sleep(left + Duration::from_secs(1));
        sink.behave(Script::accept());
        stays_until_there_is_a_good_one(&aliasd, &sink, Unfit::Expired);
        daemon.stop();
    }
}

/// The letter itself: notices wait beside it.
fn letter_in_queue(aliasd: &Installation) -> Option<Value> {
    queue(aliasd).into_iter().find(|item| item["alias"] == ALIAS)
}

fn stays_until_there_is_a_good_one(aliasd: &Installation, sink: &Sink, kind: Unfit) {
    retry(aliasd);
    let item = eventually("the queue says why it stays", || {
        letter_in_queue(aliasd).filter(|item| item["last_reply"].to_string().contains("4.7.5"))
    });
    let reply = item["last_reply"].as_str().expect("a text");
    assert!(reply.contains("cannot be encrypted") && reply.contains(kind.words()), "{kind:?}: {reply}");
    assert_eq!((&item["state"], &item["recipient"]), (&"deferred".into(), &MAILBOX.into()), "{item}");
    assert_notice(&sink.next(), MAILBOX);
    assert_eq!(sink.waiting(), 0, "{kind:?}: something else left");

    import(aliasd, MAILBOX, &usable().data).succeeded();
    eventually("the good one is seen", || {
        retry(aliasd);
        queue(aliasd).is_empty().then_some(())
    });
    let left: Vec<Taken> = (0..sink.waiting()).map(|_| sink.next()).collect();
    left.iter().for_each(|taken| _ = ciphertext(taken));
    let letters = left.iter().filter(|taken| !taken.from.is_empty());
    assert_eq!(letters.count(), 1, "{kind:?}");
}

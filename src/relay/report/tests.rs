use super::*;
use crate::smtp::dsn::OriginalRecipient;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::EPOCH;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn failure() -> Failure {
    Failure {
        code: 550,
        enhanced: (5, 1, 1),
        text: "<me@example.net> is no user of mx.example.net".to_owned(),
        words: crate::smtp::Words::Theirs,
        host: Some("mx.example.net[192.0.2.1]:25".to_owned()),
    }
}

fn told(direction: Direction, event: &Event) -> dsn::Recipient {
    let (jane, shop) = (address("jane@example.org"), address("shop+tag@example.com"));
    let asked = RecipientRequest {
        notify: Notify::parse(b"SUCCESS,FAILURE,DELAY"),
        orcpt: OriginalRecipient::parse(b"rfc822;first@example.org"),
    };
    let return_path = ReturnPath::Proven(&jane);
    let case = Case { direction, return_path, asked: &asked, named: &shop, event, at: NOW };
    let notice = decide(&case).unwrap();
    assert_eq!(notice.to, jane);
    notice.recipient
}

fn events() -> [Event; 4] {
    let problem = Problem::from(&failure());
    [
        Event::Failed(problem.clone()),
        Event::Expired(problem.clone()),
        Event::Delayed(problem, NOW),
        Event::Relayed,
    ]
}

/// Of which events a sender hears: failed, expired, delayed, relayed.
#[test]
fn who_is_told_of_what() {
    use Silence::{NotAsked, NullSender, Unproven};
    let jane = address("jane@example.org");
    let proven = ReturnPath::Proven(&jane);
    let (tells, not_asked) = (None, Some(NotAsked));
    for (return_path, notify, expected) in [
        (proven, "", [tells, tells, tells, not_asked]),
        (proven, "NEVER", [not_asked; 4]),
        (proven, "FAILURE", [tells, tells, not_asked, not_asked]),
        (proven, "DELAY", [not_asked, not_asked, tells, not_asked]),
        (proven, "SUCCESS", [not_asked, not_asked, not_asked, tells]),
        (proven, "SUCCESS,FAILURE,DELAY", [tells; 4]),
        (ReturnPath::Null, "", [Some(NullSender); 4]),
        (ReturnPath::Null, "SUCCESS,FAILURE,DELAY", [Some(NullSender); 4]),
        (ReturnPath::Unproven, "", [Some(Unproven), Some(Unproven), Some(Unproven), not_asked]),
        (ReturnPath::Unproven, "NEVER", [not_asked; 4]),
    ] {
        let asked = RecipientRequest { notify: Notify::parse(notify.as_bytes()), orcpt: None };
        for (event, expected) in events().iter().zip(expected) {
            for direction in [Direction::Forward, Direction::Reply] {
                let named = address("shop@example.com");
                let case = Case { direction, return_path, asked: &asked, named: &named, event, at: NOW };
                assert_eq!(decide(&case).err(), expected, "{return_path:?} {notify} {event:?}");
            }
        }
    }
}

#[test]
fn a_return_path_is_proven_by_the_network_that_it_came_from() {
    let jane = ReversePath::Address(address("jane@example.org"));
    let ReversePath::Address(given) = &jane else { unreachable!() };
    assert_eq!(ReturnPath::new(&jane, Evidence::TrustedNetwork), ReturnPath::Proven(given));
    assert_eq!(ReturnPath::new(&jane, Evidence::None), ReturnPath::Unproven);
    for evidence in [Evidence::TrustedNetwork, Evidence::None] {
        assert_eq!(ReturnPath::new(&ReversePath::Null, evidence), ReturnPath::Null);
    }
}

#[test]
fn a_sender_hears_the_codes_in_our_words() {
    let [failed, expired, delayed, relayed] = events().map(|event| told(Direction::Forward, &event));
    assert_eq!(failed.status, (5, 1, 1));
    assert_eq!(failed.diagnostic.as_deref(), Some("550 5.1.1 The destination does not know this address."));
    assert_eq!(
        failed.reason,
        "The destination does not know this address. (5.1.1) Check the address for mistakes, or ask for another one."
    );
    assert_eq!((failed.remote_mta.as_deref(), failed.action), (None, Action::Failed));
    assert_eq!(failed.address.to_string(), "shop+tag@example.com");
    assert_eq!(failed.original, Some(("rfc822".to_owned(), "first@example.org".to_owned())));
    assert_eq!((expired.status, expired.action), ((4, 4, 7), Action::Failed));
    assert_eq!((delayed.status, delayed.action), ((4, 0, 0), Action::Delayed(NOW)));
    assert_eq!((relayed.status, relayed.action), ((2, 0, 0), Action::Relayed));
    assert_eq!((relayed.diagnostic, relayed.reason.as_str()), (None, ""));
}

#[test]
fn an_owner_hears_what_the_remote_host_said() {
    let failed = told(Direction::Reply, &Event::Failed(Problem::from(&failure())));
    let said = "550 5.1.1 <me@example.net> is no user of mx.example.net";
    assert_eq!(failed.diagnostic.as_deref(), Some(said));
    assert_eq!(failed.remote_mta.as_deref(), Some("mx.example.net"));
    let by_address = Failure { host: Some("[2001:db8::1]:25".to_owned()), ..failure() };
    let failed = told(Direction::Reply, &Event::Failed(Problem::from(&by_address)));
    assert_eq!(failed.remote_mta.as_deref(), Some("[2001:db8::1]:25"));
}

#[test]
fn our_own_refusals_are_told_as_they_are() {
    let reply = Reply::new(554, Enhanced(5, 4, 6), "mail loop: this message has been here before");
    let failed = told(Direction::Forward, &Event::Failed(Problem::from(&reply)));
    assert_eq!(failed.diagnostic.as_deref(), Some("554 5.4.6 mail loop: this message has been here before"));
    assert!(failed.reason.starts_with("mail loop: this message has been here before (5.4.6)"));
}

#[test]
fn fates_become_events() {
    let refused = Reply::new(550, Enhanced(5, 7, 1), "no");
    let later = Reply::new(451, Enhanced(4, 3, 0), "later");
    for (fate, expected) in [
        (Fate::Accepted, Some(Event::Relayed)),
        (Fate::Undecided, None),
        (
            Fate::Rejected(552, Enhanced(5, 2, 2)),
            Some(Event::Failed(Problem::of_next_hop(552, Enhanced(5, 2, 2)))),
        ),
        (Fate::Refused(refused.clone()), Some(Event::Failed(Problem::from(&refused)))),
        (Fate::Refused(later), None),
    ] {
        assert_eq!(Event::of(&fate), expected, "{fate:?}");
    }
}

#[test]
fn the_class_of_a_status_goes_with_what_happened() {
    let odd = Problem::of_next_hop(450, Enhanced(4, 2, 2));
    assert_eq!(told(Direction::Forward, &Event::Failed(odd.clone())).status, (5, 0, 0));
    assert_eq!(told(Direction::Forward, &Event::Delayed(odd, NOW)).status, (4, 2, 2));
    let strange = Problem::of_next_hop(599, Enhanced(5, 999, 999));
    let told = told(Direction::Forward, &Event::Failed(strange));
    assert_eq!(
        told.reason,
        "The destination refused the message. (5.999.999) Check the address, or ask for another one."
    );
}

fn letter<'a>(
    hostname: &'a DomainName,
    asked: &'a MessageRequest,
    head: &'a Bytes,
    body: &'a Bytes,
) -> Letter<'a> {
    Letter { hostname, now: NOW, id: "id", boundary: "bound", arrival: NOW, asked, head, body }
}

#[test]
fn notices_about_one_message_make_one_report() {
    let (hostname, asked) = (DomainName::parse("mx.example.com").unwrap(), MessageRequest::default());
    let (head, body) = (Bytes::from("Subject: a\r\n\r\n"), Bytes::from("b\r\n"));
    let letter = letter(&hostname, &asked, &head, &body);
    assert!(letter.compose(&[]).is_none());
    let notices = events()
        .map(|event| Notice { to: address("jane@example.org"), recipient: told(Direction::Forward, &event) });
    let (to, content) = letter.compose(&notices).unwrap();
    assert_eq!(
        (to.to_string().as_str(), content.eight_bit, content.smtputf8),
        ("jane@example.org", false, false)
    );
    let body = String::from_utf8(content.body.to_vec()).unwrap();
    assert_eq!(body.matches("\r\nFinal-Recipient: ").count(), 4);
}

proptest! {
    /// Whatever a remote host says, a sender of a forward reads the same report.
    #[test]
    fn no_octet_of_a_remote_text_reaches_the_sender(
        text in ".{0,300}|(me|example\\.net|[ <>@\r\n]){0,40}",
        host in proptest::option::of(".{0,60}"),
        code in 0u16..1000,
        enhanced in (0u8..10, 0u16..1000, 0u16..1000),
    ) {
        let failure = Failure { code, enhanced, text, words: crate::smtp::Words::Theirs, host };
        let of = Problem::from(&failure);
        let without = Problem::from(&Failure { text: String::new(), host: None, ..failure });
        for (event, expected) in [
            (Event::Failed(of.clone()), Event::Failed(without.clone())),
            (Event::Expired(of.clone()), Event::Expired(without.clone())),
            (Event::Delayed(of, NOW), Event::Delayed(without, NOW)),
        ] {
            prop_assert_eq!(told(Direction::Forward, &event), told(Direction::Forward, &expected));
        }
    }
}

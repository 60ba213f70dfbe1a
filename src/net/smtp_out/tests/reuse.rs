//! One connection for several messages, and what becomes of it.

use super::*;
use crate::smtp::dsn::{EnvelopeId, MessageRequest, Notify, OriginalRecipient, RecipientRequest, Ret};
use tokio::time::{Instant, advance, pause};

const OK: &str = "S: 250 ok\\n250 ok\\n354 go\nTEXT\nS: 250 2.0.0 taken\n";
const QUIT: &str = "C: QUIT\nS: 221 bye\n";

fn one_more() -> String {
    format!("{ENVELOPE}{OK}")
}

fn with_limits(server: &Server, smarthost: Limits) -> Outbound {
    let url = format!("smtp://{}", server.address);
    to_smarthost_by(&url, Connectors::opportunistic().unwrap(), Bounds { smarthost, ..BOUNDS })
}

#[tokio::test]
async fn one_connection_carries_one_message_after_another() {
    let server = Server::start(&[&format!("{HELLO}{}", one_more().repeat(20))]).await;
    let outbound = to(&server);
    for _ in 0..20 {
        assert_eq!(deliver(&outbound).await, "delivered");
    }
    drop(outbound);
    server.texts().await;
}

#[tokio::test]
async fn it_is_used_again_after_refusals_and_reset_where_needed() {
    let unknown = format!("{ENVELOPE}S: 250 ok\\n550 5.1.1 no\\n503 no\n");
    let after_reset =
        format!("C: RSET\n{ENVELOPE}S: 250 ok\\n250 ok\\n250 ok\\n354 go\nTEXT\nS: 554 5.6.0 no\n");
    let server = Server::start(&[&format!("{HELLO}{unknown}{after_reset}{}", one_more())]).await;
    let outbound = to(&server);
    for expected in ["rejected 550 5.1.1", "rejected 554 5.6.0", "delivered"] {
        assert_eq!(deliver(&outbound).await, expected);
    }
    drop(outbound);
    server.texts().await;
}

#[tokio::test]
async fn it_is_used_again_within_tls() {
    let pki = pki();
    let script = format!("{STARTTLS}S: 220 go\n{HELLO_AGAIN}{}", one_more().repeat(3));
    let server = Server::start_at("127.0.0.1:0", &[&script], Some(pki.server)).await;
    let outbound = to(&server);
    for _ in 0..3 {
        assert_eq!(deliver(&outbound).await, "delivered");
    }
    drop(outbound);
    server.texts().await;
}

/// A message whose sender asks for all that can be asked.
fn asking() -> Delivery {
    let asked = ReportRequest {
        message: MessageRequest { ret: Some(Ret::Full), envid: EnvelopeId::parse(b"id-1") },
        recipient: RecipientRequest {
            notify: Notify::parse(b"FAILURE,DELAY"),
            orcpt: OriginalRecipient::parse(b"rfc822;shop@example.com"),
        },
    };
    Delivery { dsn: Some(Box::new(asked)), ..message(b"hello\r\n") }
}

/// The first server offers DSN, and its connection still knows when it is used again; the second does not.
#[tokio::test]
async fn what_a_server_offers_is_remembered_with_its_connection() {
    let hello = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250-DSN\nS: 250 PIPELINING\n";
    let asked = "C= MAIL FROM:<> RET=FULL ENVID=id-1\n\
                 C= RCPT TO:<jane@example.net> NOTIFY=FAILURE,DELAY ORCPT=rfc822;shop@example.com\nC: DATA\n";
    let not_asked = "C= MAIL FROM:<>\nC= RCPT TO:<jane@example.net>\nC: DATA\n";
    let first = format!("{hello}{asked}{OK}{not_asked}{OK}{asked}{OK}C: MAIL\nCLOSE");
    let second = format!("{HELLO}{not_asked}{OK}{not_asked}{OK}");
    let server = Server::start(&[&first, &second]).await;
    let outbound = to(&server);
    for delivery in [asking(), message(b"hello\r\n"), asking(), asking(), asking()] {
        assert_eq!(kind(&outbound.deliver(delivery).await), "delivered");
    }
    drop(outbound);
    server.texts().await;
}

/// Five ways in which a server ends a connection that rests; the message goes out on another one.
#[tokio::test]
async fn a_connection_that_ended_is_replaced() {
    for end in [
        "CLOSE",
        "S: 421 4.4.2 idle too long\nCLOSE",
        "C: MAIL\nCLOSE",
        "C: MAIL\nS: 421 4.7.0 that was enough for one session\nCLOSE",
        "C: MAIL\nS: junk\nCLOSE",
    ] {
        let first = format!("{HELLO}{}{end}", one_more());
        let server = Server::start(&[&first, &taking()]).await;
        let outbound = to(&server);
        assert_eq!(deliver(&outbound).await, "delivered");
        assert_eq!(deliver(&outbound).await, "delivered", "{end}");
        assert_eq!(outbound.admit(&message(b"").to, sites::now()), Admit::Now);
        drop(outbound);
        server.texts().await;
    }
}

#[tokio::test]
async fn a_server_that_ends_sessions_after_some_messages_gets_all() {
    let three = format!("{HELLO}{}C: MAIL\nS: 421 4.7.0 enough\nCLOSE", one_more().repeat(3));
    let server = Server::start(&[&three, &three, &taking()]).await;
    let outbound = to(&server);
    for _ in 0..7 {
        assert_eq!(deliver(&outbound).await, "delivered");
    }
    drop(outbound);
    server.texts().await;
}

/// Once the server has answered in a transaction it was not the rest that ended the connection, and after the final dot
/// the message may have been taken. The second script would take it again.
#[tokio::test]
async fn a_connection_that_breaks_later_is_not_replaced() {
    for (end, expected) in [
        ("S: 250 ok\nCLOSE", "deferred 451 4.4.2"),
        ("S: 250 ok\\n250 ok\nCLOSE", "deferred 451 4.4.2"),
        ("S: 250 ok\\n421 4.3.2 going down\nCLOSE", "deferred 421 4.3.2"),
        ("S: 250 ok\\n250 ok\\n354 go\nTEXT\nCLOSE", "uncertain 451 4.4.2"),
        ("S: 250 ok\\n250 ok\\n354 go\nTEXT\nS: 421 4.3.2 going down\nCLOSE", "deferred 421 4.3.2"),
    ] {
        let first = format!("{HELLO}{}{ENVELOPE}{end}", one_more());
        let server = Server::start(&[&first, &taking()]).await;
        let outbound = to(&server);
        assert_eq!(deliver(&outbound).await, "delivered");
        assert_eq!(deliver(&outbound).await, expected, "{end}");
        // The second script is still to be had.
        assert_eq!(deliver(&outbound).await, "delivered", "{end}");
        drop(outbound);
        server.texts().await;
    }
}

/// A fresh connection that breaks is not replaced as well.
#[tokio::test]
async fn a_replacement_is_made_once() {
    let first = format!("{HELLO}{}C: MAIL\nCLOSE", one_more());
    let second = format!("{HELLO}C: MAIL\nCLOSE");
    let server = Server::start(&[&first, &second, &taking()]).await;
    let outbound = to(&server);
    for expected in ["delivered", "deferred 451 4.4.2", "delivered"] {
        assert_eq!(deliver(&outbound).await, expected);
    }
    drop(outbound);
    server.texts().await;
}

#[tokio::test]
async fn a_session_carries_no_more_than_its_share() {
    let limits = Limits { messages_per_session: 2, ..Limits::SMARTHOST };
    let two = format!("{HELLO}{}{QUIT}", one_more().repeat(2));
    let server = Server::start(&[&two, &taking()]).await;
    let outbound = with_limits(&server, limits);
    for _ in 0..3 {
        assert_eq!(deliver(&outbound).await, "delivered");
    }
    drop(outbound);
    server.texts().await;
}

#[tokio::test]
async fn a_server_that_says_421_twice_is_left_alone() {
    let busy = format!("{HELLO}{ENVELOPE}S: 250 ok\\n421 4.3.2 busy\nCLOSE");
    let server = Server::start(&[&busy, &busy, &taking()]).await;
    let outbound = to(&server);
    let jane = message(b"").to;
    assert_eq!(deliver(&outbound).await, "deferred 421 4.3.2");
    assert_eq!(outbound.admit(&jane, sites::now()), Admit::Now);
    assert_eq!(deliver(&outbound).await, "deferred 421 4.3.2");

    let now = sites::now();
    let Admit::At(until) = outbound.admit(&jane, now) else { panic!("not left alone") };
    assert!(until > now);
    let Outcome::Deferred(failure) = outbound.deliver(message(b"x\r\n")).await else {
        panic!("not deferred")
    };
    assert_eq!((failure.code, failure.enhanced), (421, (4, 3, 2)));
    assert!(failure.text.starts_with("busy (not tried again before "), "{}", failure.text);

    outbound.resume(&jane);
    assert_eq!(deliver(&outbound).await, "delivered");
    drop(outbound);
    server.texts().await;
}

/// Its mail waits, and the site is not paused: a server that wants no mail of ours is in order.
#[tokio::test]
async fn a_server_that_refuses_us_for_good_is_not_in_trouble() {
    let server = Server::start(&["S: 554 5.7.1 not you"; 3]).await;
    let outbound = to(&server);
    for _ in 0..3 {
        assert_eq!(deliver(&outbound).await, "deferred 451 4.7.1");
        assert_eq!(outbound.admit(&message(b"").to, sites::now()), Admit::Now);
    }
}

#[tokio::test]
async fn refusals_of_a_recipient_do_not_count_against_the_site() {
    let greylisted = format!("{ENVELOPE}S: 250 ok\\n450 4.7.1 greylisted\\n503 no\n");
    let again = format!("C: RSET\n{ENVELOPE}S: 250 ok\\n250 ok\\n450 4.7.1 greylisted\\n503 no\n");
    let server = Server::start(&[&format!("{HELLO}{greylisted}{}", again.repeat(9))]).await;
    let outbound = to(&server);
    for _ in 0..10 {
        assert_eq!(deliver(&outbound).await, "deferred 450 4.7.1");
        assert_eq!(outbound.admit(&message(b"").to, sites::now()), Admit::Now);
    }
    drop(outbound);
    server.texts().await;
}

#[tokio::test]
async fn a_site_is_known_by_its_domain_once_it_was_used() {
    const ZONE: zone::Records =
        &[("example.net.", "MX", "10 b.example.net."), ("b.example.net.", "A", "127.0.0.2")];
    let busy = "S: 421 4.3.2 busy\nCLOSE";
    let server = Server::start_at("127.0.0.2:0", &[busy, busy], None).await;
    let outbound = to_mx(ZONE, server.address.port()).await;
    let (jane, other) = (message(b"").to, Address::parse("jane@example.org").unwrap());
    assert_eq!(outbound.destination(&jane), Destination::Host(jane.host()));
    for _ in 0..2 {
        assert_eq!(outbound.admit(&jane, sites::now()), Admit::Now);
        assert_eq!(deliver(&outbound).await, "deferred 421 4.3.2");
    }
    assert!(matches!(outbound.admit(&jane, sites::now()), Admit::At(_)));
    assert_eq!(outbound.admit(&other, sites::now()), Admit::Now);
}

/// The first of two hosts is away. It is asked once, and comes last from then on.
#[tokio::test]
async fn a_host_that_is_away_comes_last() {
    let once = format!("{}CLOSE", taking());
    let second = Server::start_at("127.0.0.2:0", &[&once, &taking()], None).await;
    let port = second.address.port();
    let outbound = to_mx(TWO_HOSTS, port).await;
    assert_eq!(deliver(&outbound).await, "delivered");
    // Were it asked, it would take the next message.
    let _first = Server::start_at(&format!("127.0.0.3:{port}"), &[&taking()], None).await;
    let Outcome::Delivered(delivered) = outbound.deliver(message(b"x\r\n")).await else { panic!() };
    assert_eq!(delivered.host, format!("b.example.net[127.0.0.2]:{port}"));
    drop(outbound);
    second.texts().await;
}

#[tokio::test]
async fn a_connection_rests_for_half_a_minute() {
    let server = Server::start(&[&format!("{}{QUIT}", taking())]).await;
    let outbound = to(&server);
    assert_eq!(deliver(&outbound).await, "delivered");
    pause();
    let begin = Instant::now();
    advance(pool::IDLE_TIME - Duration::from_secs(1)).await;
    assert_eq!(outbound.shared.pool.len(), 1);
    server.texts().await;
    let rested = begin.elapsed();
    let expected = pool::IDLE_TIME - Duration::from_secs(1)..pool::IDLE_TIME + Duration::from_secs(6);
    assert!(expected.contains(&rested), "{rested:?}");
    assert_eq!(outbound.shared.pool.len(), 0);
}

#[tokio::test]
async fn at_the_end_resting_connections_are_ended_in_order() {
    let ended = format!("{}{QUIT}", taking());
    let server = Server::start(&[&ended, &ended]).await;
    let outbound = to(&server);
    assert_eq!(deliver(&outbound).await, "delivered");
    outbound.close().await;
    assert_eq!(outbound.shared.pool.len(), 0);
    // A late delivery goes out, and its connection is not kept.
    assert_eq!(deliver(&outbound).await, "delivered");
    server.texts().await;
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_server_that_says_no_goodbye() {
    let server = Server::start(&[&taking()]).await;
    let outbound = to(&server);
    assert_eq!(deliver(&outbound).await, "delivered");
    pause();
    let begin = Instant::now();
    outbound.close().await;
    assert!(begin.elapsed() <= Duration::from_secs(6), "{:?}", begin.elapsed());
    server.texts().await;
}

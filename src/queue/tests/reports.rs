//! What of a sender's wishes for reports goes out with the deliveries.

use super::*;
use crate::relay::ports::ReportRequest;
use crate::smtp::dsn::{EnvelopeId, Notify, OriginalRecipient, Ret};

const STRANGER: &str = "198.51.100.1";
const TRUSTED: &str = "192.0.2.9";

fn message() -> MessageRequest {
    MessageRequest { ret: Some(Ret::Headers), envid: EnvelopeId::parse(b"id-1") }
}

fn recipient(notify: &str) -> RecipientRequest {
    let orcpt = OriginalRecipient::parse(b"rfc822;before@example.org");
    RecipientRequest { notify: Notify::parse(notify.as_bytes()), orcpt }
}

impl World {
    /// What goes out when a message for these recipients comes, with the `NOTIFY` of each.
    async fn asked(&self, client: &str, from: &str, to: &[(&str, &str)], raw: &str) -> Vec<Option<String>> {
        let mut recipients = Vec::new();
        for (to, notify) in to {
            recipients.push(Accepted { dsn: recipient(notify), ..self.begins(from, to).await });
        }
        let reply = self.hands_over_and_asks(client, from, recipients, message(), raw).await;
        assert!(reply.starts_with("250 "), "{reply}");
        self.sent().into_iter().map(|delivery| delivery.dsn.map(|asked| written(&asked))).collect()
    }
}

fn written(asked: &ReportRequest) -> String {
    format!("{}{}", asked.message, asked.recipient)
}

#[tokio::test]
async fn a_forward_asks_for_what_we_need_at_every_mailbox() {
    let world = world(Book::of([two_mailboxes()]));
    let asked = world
        .asked(STRANGER, "jane@example.org", &[("shop+tag@example.com", "SUCCESS,DELAY")], FROM_JANE)
        .await;
    let onward = " RET=HDRS ENVID=id-1 NOTIFY=FAILURE,DELAY ORCPT=rfc822;shop+2Btag@example.com";
    assert_eq!(asked, [Some(onward.to_owned()), Some(onward.to_owned())]);
}

#[tokio::test]
async fn each_recipient_has_wishes_of_its_own() {
    let club = Alias { id: AliasId(12), address: address("club@example.com"), ..testing::alias() };
    let world = world(Book::of([testing::alias(), club]));
    let to = [("shop@example.com", "NEVER"), ("club@example.com", "DELAY")];
    let asked = world.asked(STRANGER, "jane@example.org", &to, FROM_JANE).await;
    let onward = [
        " RET=HDRS ENVID=id-1 NOTIFY=FAILURE ORCPT=rfc822;shop@example.com",
        " RET=HDRS ENVID=id-1 NOTIFY=FAILURE,DELAY ORCPT=rfc822;club@example.com",
    ];
    assert_eq!(asked, onward.map(|asked| Some(asked.to_owned())));
}

#[tokio::test]
async fn of_two_names_of_one_place_the_first_counts() {
    let world = world(Book::of([testing::alias()]));
    let to = [("shop+one@example.com", "DELAY"), ("shop+two@example.com", "NEVER")];
    let asked = world.asked(STRANGER, "jane@example.org", &to, FROM_JANE).await;
    let onward = " RET=HDRS ENVID=id-1 NOTIFY=FAILURE,DELAY ORCPT=rfc822;shop+2Bone@example.com";
    assert_eq!(asked, [Some(onward.to_owned())]);
}

#[tokio::test]
async fn a_reply_tells_neither_the_id_nor_the_reverse_alias() {
    let world = world(Book::of([testing::alias()]));
    world.jane_writes(&["shop@example.com"]).await;
    world.sent();
    let reverse = world.book.contacts.lock().values().next().unwrap().reverse_alias.to_string();
    let answer = format!("From: me@example.net\r\nTo: {reverse}\r\n\r\nHo\r\n");
    for (notify, onward) in [("SUCCESS", " RET=HDRS NOTIFY=FAILURE"), ("", " RET=HDRS")] {
        let asked = world.asked(TRUSTED, "me@example.net", &[(&reverse, notify)], &answer).await;
        assert_eq!(asked, [Some(onward.to_owned())]);
    }
    let asked = world.asked(TRUSTED, "", &[(&reverse, "DELAY")], &answer).await;
    assert_eq!(asked, [None], "under <>");

    world.takes(TRUSTED, "me@example.net", &[&reverse], &answer).await;
    assert_eq!(world.sent()[0].dsn, None, "nothing was asked");
}

#[tokio::test]
async fn what_goes_out_under_the_null_path_asks_for_nothing() {
    let world = world(Book::of([testing::alias()]));
    world.jane_writes(&["shop@example.com"]).await;
    let path = world.return_path_of_last();
    for (from, to) in [
        ("", "shop@example.com"),
        ("jane@example.org", &path),
        ("jane@example.org", "abuse@example.com"),
        ("", "postmaster@example.com"),
    ] {
        let asked = world.asked(STRANGER, from, &[(to, "SUCCESS,FAILURE,DELAY")], FROM_JANE).await;
        assert_eq!(asked, [None], "from <{from}> to {to}");
    }
}

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::names::Names;
use super::{MAX_IDS, MAX_OCTETS, Outward};
use crate::mail::{Address, DomainName, Message, Timestamp, message_id};
use crate::relay::alias::{Alias, Mailbox};
use crate::relay::correspondents::{Correspondent, Known};
use crate::relay::forward::Forward;
use crate::relay::ids::{Ids, normal};
use crate::relay::keys::Keys;
use crate::relay::ports::Content;
use crate::relay::reply::ReplyMessage;
use crate::relay::testing;
use crate::relay::trace::Trace;
use crate::relay::transaction::TransactionId;

fn keys() -> Keys {
    Keys::derive(&[7; 32])
}

/// An alias with one mailbox.
fn alias(mailbox: &str) -> Alias {
    let mut alias = testing::alias();
    let like = alias.mailboxes.remove(0);
    alias.mailboxes.push(Mailbox { address: Address::parse(mailbox).unwrap(), ..like });
    alias
}

fn seal(alias: &Alias, id: &str) -> String {
    Ids::new(&keys(), alias).seal(id.as_bytes())
}

fn mark(alias: &Alias, id: &str) -> String {
    Ids::new(&keys(), alias).mark(id.as_bytes())
}

fn message(head: &str) -> Message {
    Message::parse(Bytes::from(format!("{head}\r\nbody\r\n")))
}

fn parsed(content: &Content) -> Message {
    Message::parse(Bytes::from([content.head.as_ref(), content.body.as_ref()].concat()))
}

fn trace(hostname: &DomainName, smtputf8: bool) -> Trace<'_> {
    Trace {
        hostname,
        id: TransactionId::new(Timestamp::EPOCH, [0; 10]),
        now: Timestamp::EPOCH,
        helo: "mx.example.org",
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        esmtp: true,
        smtputf8,
    }
}

fn forwarded_with(keys: &Keys, alias: &Alias, message: &Message, smtputf8: bool) -> Message {
    let author = Correspondent { address: Address::parse("jane@example.org").unwrap(), name: None };
    let (known, hostname) = (Known::default(), DomainName::parse("mx.example.com").unwrap());
    let trace = trace(&hostname, smtputf8);
    let given = &alias.address;
    let forward = Forward { message, alias, given, author: &author, known: &known, trace: &trace };
    parsed(&forward.compose(keys))
}

fn forwarded(alias: &Alias, message: &Message) -> Message {
    forwarded_with(&keys(), alias, message, false)
}

fn replied_with(keys: &Keys, alias: &Alias, message: &Message) -> Message {
    let (answers, hostname) =
        (std::collections::HashMap::new(), DomainName::parse("mx.example.com").unwrap());
    let scrubbed = &testing::scrubbed(message, alias, &std::collections::HashMap::new(), keys).unwrap();
    let trace = &trace(&hostname, false);
    let reply = ReplyMessage { message, alias, answers: &answers, scrubbed, trace };
    parsed(&reply.compose(keys))
}

fn replied(alias: &Alias, message: &Message) -> Message {
    replied_with(&keys(), alias, message)
}

/// The field, unfolded; empty when it is not there.
fn value(message: &Message, name: &'static str) -> String {
    let mut fields = message.named(name);
    let value = fields.next().map_or(String::new(), |(_, field)| {
        String::from_utf8_lossy(message.value(field)).replace("\r\n", "").trim().to_owned()
    });
    assert!(fields.next().is_none(), "more than one {name}");
    value
}

fn ids(message: &Message, name: &'static str) -> Vec<String> {
    let value = value(message, name);
    message_id::spans(value.as_bytes()).into_iter().map(|span| value[span].to_owned()).collect()
}

fn id(message: &Message) -> String {
    let [only] = ids(message, "Message-ID").try_into().unwrap();
    only
}

fn raw(message: &Message, name: &'static str) -> Vec<u8> {
    message.named(name).flat_map(|(_, field)| message.raw_field(field)).copied().collect()
}

/// A first message.
fn written(id: &str) -> Message {
    message(&format!("From: x\r\nDate: today\r\nMessage-ID: {id}\r\n"))
}

/// An answer as mail programs write it (RFC 5322, section 3.6.4).
fn answer(parent: &Message, own: &str) -> Message {
    let mut references = ids(parent, "References");
    if references.is_empty() {
        references = ids(parent, "In-Reply-To");
    }
    references.push(id(parent));
    message(&format!(
        "From: x\r\nDate: today\r\nMessage-ID: {own}\r\nIn-Reply-To: {}\r\nReferences: {}\r\n",
        id(parent),
        references.join("\r\n ")
    ))
}

#[test]
fn a_reply_shows_no_id_of_the_owners() {
    let alias = alias("me@example.net");
    let own = "<2@laptop.local>";
    let reply = message(&format!(
        "From: x\r\nMessage-ID: {own}\r\nIn-Reply-To: <1@mail.example.net>\r\n\
         References: <c1@example.org>\r\n\t<1@mail.example.net> <0@laptop.local>\r\n <7@other.local>\r\n"
    ));
    let out = replied(&alias, &reply);
    assert_eq!(id(&out), seal(&alias, own));
    assert_eq!(value(&out, "In-Reply-To"), seal(&alias, "<1@mail.example.net>"));
    let expected = [
        "<c1@example.org>".to_owned(),
        seal(&alias, "<1@mail.example.net>"),
        seal(&alias, "<0@laptop.local>"),
        seal(&alias, "<7@other.local>"),
    ];
    assert_eq!(ids(&out, "References"), expected);

    // Without `References` no mark could say that another machine is somebody else's.
    for (parent, expected) in [("<7@other.local>", "<7@other.local>"), ("<0@laptop.local>", &expected[2])] {
        let out = replied(&alias, &message(&format!("Message-ID: {own}\r\nIn-Reply-To: {parent}\r\n")));
        assert_eq!(value(&out, "In-Reply-To"), expected);
    }
}

#[test]
fn a_field_without_an_id_of_the_owners_keeps_its_bytes() {
    let alias = alias("inbox-7f3k@example.net");
    let token = seal(&alias, "<0@example.net>");
    let head = format!(
        "From: x\r\nMessage-ID: <2@example.net>\r\nIn-Reply-To:<a@example.org>  \r\n\
         REFERENCES:  <a@example.org><b>\r\n\t  {token}\r\n <weird \"id\" @ \u{e9}.example>\r\n"
    );
    let reply = message(&head);
    let out = replied(&alias, &reply);
    for name in ["In-Reply-To", "References"] {
        assert_eq!(raw(&out, name), raw(&reply, name), "{name}");
    }

    let contacts = message(&head.replace("<2@example.net>", "<2@example.org> (mine)").replace(&token, ""));
    let out = forwarded(&alias, &contacts);
    for name in ["Message-ID", "In-Reply-To", "References"] {
        assert_eq!(raw(&out, name), raw(&contacts, name), "{name}");
    }
}

#[test]
fn what_is_no_id_does_not_leave() {
    let alias = alias("me@example.net");
    for (field, expected) in [
        ("In-Reply-To: Your note to me@example.net (<a@example.org>)", "In-Reply-To: <a@example.org>\r\n"),
        ("References: <a@example.org>, <b@example.org>", "References: <a@example.org> <b@example.org>\r\n"),
        ("References: <a@example.org> <me@example.net", "References: <a@example.org>\r\n"),
        (
            "References: <a@example.org>\r\nReferences: <b@example.org>",
            "References: <a@example.org> <b@example.org>\r\n",
        ),
        ("References: <a@example.org> <>", "References: <a@example.org>\r\n"),
        ("In-Reply-To: me@example.net", ""),
        ("In-Reply-To:", ""),
    ] {
        let out = replied(&alias, &message(&format!("Message-ID: <1@x>\r\n{field}\r\n")));
        let name = if field.starts_with("In") { "In-Reply-To" } else { "References" };
        assert_eq!(String::from_utf8(raw(&out, name)).unwrap(), expected, "{field}");
    }
}

#[test]
fn a_reply_has_one_id_whatever_it_came_with() {
    let alias = alias("me@example.net");
    let ours = "<00000000000000000000000000@example.com>";
    for (fields, expected) in [
        ("", ours.to_owned()),
        ("Message-ID: me@example.net\r\n", ours.to_owned()),
        ("Message-ID:\r\n", ours.to_owned()),
        ("Message-ID: (me@example.net) <1@x> <2@x>\r\n", seal(&alias, "<1@x>")),
        ("Message-ID: <1@x>\r\nMessage-Id: <2@x>\r\n", seal(&alias, "<1@x>")),
        ("Message-ID: <c1@example.org>\r\n", seal(&alias, "<c1@example.org>")),
    ] {
        let out = replied(&alias, &message(&format!("From: x\r\n{fields}")));
        assert_eq!(value(&out, "Message-ID"), expected, "{fields}");
    }
}

#[test]
fn a_forward_opens_what_this_alias_has_sealed() {
    let alias = alias("me@example.net");
    let (one, two) = ("<1@example.net>", "<2@laptop.example.net>");
    let tokens = [seal(&alias, one), seal(&alias, two)];
    let contacts = message(&format!(
        "From: x\r\nMessage-ID: {0}\r\nOriginal-Message-ID: {0} \r\nIn-Reply-To: {1}\r\n\
         References: <a@example.org>\r\n\t{0}\r\n {1}\r\nX-About: {0}\r\n",
        tokens[0], tokens[1]
    ));
    let out = forwarded(&alias, &contacts);
    assert_eq!((value(&out, "Message-ID"), value(&out, "Original-Message-ID")), (one.into(), one.into()));
    assert_eq!(value(&out, "In-Reply-To"), two);
    assert_eq!(ids(&out, "References"), ["<a@example.org>", one, two]);
    assert_eq!(value(&out, "X-About"), tokens[0]);

    let stranger = Alias { id: crate::relay::alias::AliasId(12), ..alias };
    let out = forwarded(&stranger, &contacts);
    for name in ["Message-ID", "In-Reply-To", "References"] {
        assert_eq!(raw(&out, name), raw(&contacts, name), "{name}");
    }
}

#[test]
fn an_id_that_names_no_mailbox_comes_with_its_sealed_form() {
    let alias = alias("me@example.net");
    let (own, next) = ("<1@laptop.local>", "<2@phone.local>");
    let token = seal(&alias, own);
    let forward = forwarded(&alias, &answer(&written(&token), "<c1@example.org>"));
    assert_eq!(ids(&forward, "References"), [token.as_str(), own]);
    assert_eq!(value(&forward, "In-Reply-To"), own);
    // Another program of the owner's answers: its own right side tells nothing.
    let out = replied(&alias, &answer(&forward, next));
    assert_eq!(ids(&out, "References"), [token.as_str(), "<c1@example.org>"]);
    // It answers the owner's own message.
    let again =
        message(&format!("Message-ID: {next}\r\nIn-Reply-To: {own}\r\nReferences: {own} {token}\r\n"));
    let out = replied(&alias, &again);
    assert_eq!((value(&out, "In-Reply-To"), value(&out, "References")), (token.clone(), token));
}

#[test]
fn an_id_that_might_be_the_owners_comes_with_a_mark() {
    for (mailbox, theirs, ours) in [
        ("me@example.net", "<c1@mail.example.net>", "<1@mail.example.net>"),
        ("mail@example.net", "<c1@mail.example.org>", "<1@example.net>"),
        ("inbox@example.net", "<c1@localhost>", "<1@localhost>"),
    ] {
        let alias = alias(mailbox);
        let mark = mark(&alias, theirs);
        let first = forwarded(&alias, &written(theirs));
        assert_eq!((id(&first), value(&first, "References")), (theirs.to_owned(), mark.clone()));
        let reply = replied(&alias, &answer(&first, ours));
        assert_eq!(
            (value(&reply, "In-Reply-To"), value(&reply, "References")),
            (theirs.into(), theirs.into())
        );
        // Without the mark nobody could know.
        let unmarked = replied(&alias, &answer(&written(theirs), ours));
        assert_eq!(value(&unmarked, "References"), seal(&alias, theirs));
        // A mark of another id is none of this one.
        let other = super::tests::mark(&alias, "<c2@mail.example.net>");
        let forged = message(&format!("Message-ID: {ours}\r\nReferences: {other} {theirs}\r\n"));
        assert_eq!(value(&replied(&alias, &forged), "References"), seal(&alias, theirs));
    }
}

#[test]
fn a_parent_that_only_in_reply_to_names_stays_the_parent() {
    let alias = alias("me@example.net");
    let (theirs, ours) = ("<c1@mail.example.net>", "<1@laptop.local>");
    let token = seal(&alias, ours);
    let contacts = message(&format!("Message-ID: {theirs}\r\nIn-Reply-To: {token}\r\n"));
    let out = forwarded(&alias, &contacts);
    assert_eq!(value(&out, "In-Reply-To"), ours);
    assert_eq!(ids(&out, "References"), [mark(&alias, theirs).as_str(), &token, ours]);
    // Nothing to explain: no field is added.
    let contacts = message(&format!(
        "Message-ID: <c1@example.org>\r\nIn-Reply-To: {}\r\n",
        seal(&alias, "<1@example.net>")
    ));
    let out = forwarded(&alias, &contacts);
    assert_eq!(
        (value(&out, "In-Reply-To"), value(&out, "References")),
        ("<1@example.net>".into(), String::new())
    );
}

#[test]
fn octets_beyond_ascii_are_opened_where_the_session_allows_them() {
    let alias = alias("me@example.net");
    let own = "<\u{fc}@example.net>";
    let token = seal(&alias, own);
    let contacts = answer(&written(&token), "<c1@example.org>");
    assert_eq!(value(&forwarded_with(&keys(), &alias, &contacts, true), "References"), own);
    assert_eq!(value(&forwarded(&alias, &contacts), "References"), token);
}

#[test]
fn a_replaced_master_key_breaks_no_thread_that_was_answered() {
    let alias = alias("me@example.net");
    let (old, new) = (keys(), Keys::derive_with_older(&[8; 32], &[Zeroizing::new([7; 32])]));
    let theirs = "<c1@mail.example.net>";
    let token = id(&replied_with(&old, &alias, &answer(&written(theirs), "<1@example.net>")));
    let marked = forwarded_with(&old, &alias, &written(theirs), false);
    let forward = forwarded_with(&new, &alias, &answer(&written(&token), "<c2@example.org>"), false);
    assert_eq!(ids(&forward, "References"), [token.as_str(), "<1@example.net>"]);
    let reply = replied_with(&new, &alias, &answer(&forward, "<2@example.net>"));
    assert_eq!(ids(&reply, "References"), [token.as_str(), "<c2@example.org>"]);
    let reply = replied_with(&new, &alias, &answer(&marked, "<3@example.net>"));
    assert_eq!(value(&reply, "References"), theirs);
}

#[test]
fn long_chains_keep_the_first_id_and_the_newest_ones() {
    let alias = alias("me@example.net");
    let chain = |count: usize, padding: usize, host: &str| {
        let padding = "x".repeat(padding);
        let ids: Vec<_> = (0..count).map(|number| format!("<{number}.{padding}@{host}>")).collect();
        message(&format!("Message-ID: <1@example.net>\r\nReferences: {}\r\n", ids.join("\r\n ")))
    };
    for (count, padding, host) in [
        (MAX_IDS + 500, 0, "example.org"),
        (MAX_IDS + 500, 0, "example.net"),
        (700, 200, "example.org"),
        (700, 200, "example.net"),
    ] {
        let long = chain(count, padding, host);
        for out in [replied(&alias, &long), forwarded(&alias, &long)] {
            let (before, after) = (ids(&long, "References"), ids(&out, "References"));
            let is_forward = id(&out) == "<1@example.net>";
            assert!(after.len() <= MAX_IDS && raw(&out, "References").len() <= MAX_OCTETS + 20);
            assert!(after.len() > 150, "{count} {padding} {host}: {}", after.len());
            let (first, last) = (before.first().unwrap(), before.last().unwrap());
            let as_seen =
                |id: &String| if is_forward || host == "example.org" { id.clone() } else { seal(&alias, id) };
            assert_eq!(after.last(), Some(&as_seen(last)));
            assert!(after.iter().take(2).any(|id| *id == as_seen(first)));
        }
    }
}

#[test]
fn ids_elsewhere_in_a_reply_are_judged_alike() {
    let alias = alias("me@example.net");
    let keys = keys();
    let ids = Ids::new(&keys, &alias);
    let (theirs, ours) = ("<c1@mail.example.net>", "<1@laptop.local>");
    let reply = message(&format!(
        "Message-ID: <2@phone.local>\r\nReferences: {} {theirs} {} {ours}\r\n",
        mark(&alias, theirs),
        seal(&alias, ours)
    ));
    let outward = Outward::of(&reply, ids);
    assert_eq!(outward.sealed(theirs.as_bytes()), None);
    assert_eq!(outward.sealed(ours.as_bytes()), Some(seal(&alias, ours)));
    assert_eq!(outward.sealed(b"9@phone.local"), Some(seal(&alias, "<9@phone.local>")));
    assert_eq!(outward.sealed(b"<3@example.net>"), Some(seal(&alias, "<3@example.net>")));
    assert_eq!(outward.sealed(b"<c9@example.org>"), None);
    assert_eq!(outward.sealed(seal(&alias, ours).as_bytes()), None);
}

/// Owner, two contacts, five exchanges. `ours` and `theirs` make the ids of what the owner's programs and the contacts
/// write.
fn converse(mailbox: &str, ours: impl Fn(u8) -> String, theirs: impl Fn(u8) -> String) {
    let alias = alias(mailbox);
    let out = |number: u8| seal(&alias, &ours(number));
    // What somebody sees of a message: its id, and those that it goes back to.
    let at_contact = |message: &Message, own: String, chain: &[String]| {
        assert_eq!(id(message), own);
        assert_eq!(ids(message, "References"), chain);
        assert_eq!(ids(message, "In-Reply-To").first(), chain.last());
    };
    let at_owner = |message: &Message, own: String, chain: &[String]| {
        assert_eq!(id(message), own);
        let references = ids(message, "References");
        let all_there: Vec<_> = references.iter().filter(|id| chain.contains(id)).cloned().collect();
        assert_eq!(all_there, chain, "{references:?}");
        assert_eq!(ids(message, "In-Reply-To").first(), chain.last());
        if !chain.is_empty() {
            assert_eq!(references.last(), chain.last());
        }
    };

    let c1 = written(&theirs(1));
    let c1_in = forwarded(&alias, &c1);
    at_owner(&c1_in, theirs(1), &[]);
    let o1 = replied(&alias, &answer(&c1_in, &ours(1)));
    at_contact(&o1, out(1), &[theirs(1)]);

    // The second contact, who got the owner's answer as well, answers everybody.
    let c2 = answer(&o1, &theirs(2));
    let c2_in = forwarded(&alias, &c2);
    at_owner(&c2_in, theirs(2), &[theirs(1), ours(1)]);
    let o2 = replied(&alias, &answer(&c2_in, &ours(2)));
    at_contact(&o2, out(2), &[theirs(1), out(1), theirs(2)]);

    // The first contact answers what the second one wrote.
    let c3_in = forwarded(&alias, &answer(&c2, &theirs(3)));
    at_owner(&c3_in, theirs(3), &[theirs(1), ours(1), theirs(2)]);
    let o3 = replied(&alias, &answer(&c3_in, &ours(3)));
    at_contact(&o3, out(3), &[theirs(1), out(1), theirs(2), theirs(3)]);

    // And what the owner wrote, twice in a row from the owner.
    let c4_in = forwarded(&alias, &answer(&o2, &theirs(4)));
    at_owner(&c4_in, theirs(4), &[theirs(1), ours(1), theirs(2), ours(2)]);
    let o4_sent = answer(&c4_in, &ours(4));
    let o4 = replied(&alias, &o4_sent);
    at_contact(&o4, out(4), &[theirs(1), out(1), theirs(2), out(2), theirs(4)]);

    let c5_in = forwarded(&alias, &answer(&o4, &theirs(5)));
    let all = [theirs(1), ours(1), theirs(2), ours(2), theirs(4), ours(4)];
    at_owner(&c5_in, theirs(5), &all);
    let o5 = replied(&alias, &answer(&c5_in, &ours(5)));
    at_contact(&o5, out(5), &[theirs(1), out(1), theirs(2), out(2), theirs(4), out(4), theirs(5)]);
}

#[test]
fn five_exchanges_hold_together_on_both_sides() {
    let numbered = |left: &'static str, host: &'static str| move |n: u8| format!("<{left}{n}@{host}>");
    // At a domain of the owner's.
    converse("me@example.net", numbered("o", "example.net"), numbered("c", "example.org"));
    // A machine that calls itself something.
    converse("me@example.net", numbered("o", "macbook.local"), numbered("c", "example.org"));
    // Another provider than the mailbox's, from two programs.
    let two =
        |n: u8| format!("<o{n}@{}>", if n.is_multiple_of(2) { "mail.example.org" } else { "phone.lan" });
    converse("me@example.net", two, numbered("c", "example.org"));
    // Everybody at one provider.
    converse("me@example.net", numbered("o", "mail.example.net"), numbered("c", "mail.example.net"));
    // The local part is a common word, and everybody's machine is called alike.
    converse("mail@example.net", numbered("o", "localhost"), numbered("c", "localhost"));
    converse("mail@example.net", two, numbered("c", "mail.example.org"));
}

fn host() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &[
            "example.net",
            "mail.example.net",
            "Example.NET",
            "example.org",
            "mail.example.org",
            "laptop.local",
            "phone.lan",
            "localhost",
            "[192.168.0.1]",
            "example.com",
        ][..],
    )
}

/// What correspondents see in one chain: an id of theirs, or the sealed form of one of the owner's.
fn link() -> impl Strategy<Value = (bool, String)> {
    (any::<bool>(), "[a-zA-Z0-9.=%+\"_-]{0,12}", 0..1_000_000_u32, host()).prop_map(
        |(is_ours, left, number, host)| {
            // The owner's programs know the mailbox only; an id at the alias's domain is one that was sealed.
            let host = if is_ours && host == "example.com" { "example.net" } else { host };
            (is_ours, format!("<{left}{number}-{is_ours}@{host}>"))
        },
    )
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"<".to_vec()),
        Just(b"> ".to_vec()),
        Just(b"\r\n ".to_vec()),
        Just(b"(me@example.net)".to_vec()),
        Just(b"me".to_vec()),
        Just(b"<1@laptop.example.net>".to_vec()),
        Just(b"<f@example.com>".to_vec()),
        link().prop_map(|(_, id)| id.into_bytes()),
        link().prop_map(|(_, id)| seal(&alias("me@example.net"), &id).into_bytes()),
        link().prop_map(|(_, id)| mark(&alias("me@example.net"), &id).into_bytes()),
        prop::collection::vec(any::<u8>().prop_filter("a line end", |b| !b"\r\n".contains(b)), 0..6),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn with_fields(fields: [(&str, &[u8]); 3]) -> Message {
    let mut raw = Vec::from(&b"From: x\r\n"[..]);
    for (name, value) in fields {
        raw.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    raw.extend_from_slice(b"\r\n");
    Message::parse(Bytes::from(raw))
}

proptest! {
    /// Whatever a contact's chain is made of: after a round through the owner's program it comes back as it was.
    #[test]
    fn a_chain_comes_back_as_it_went(links in prop::collection::vec(link(), 0..12), own in link(), next in link()) {
        let alias = alias("me@example.net");
        let as_sent: Vec<_> =
            links.iter().map(|(is_ours, id)| if *is_ours { seal(&alias, id) } else { id.clone() }).collect();
        prop_assume!(!as_sent.contains(&own.1));
        let mut unique = as_sent.clone();
        unique.sort();
        unique.dedup();
        prop_assume!(unique.len() == as_sent.len());
        let references = as_sent.join("\r\n ");
        let contacts = message(&format!("Message-ID: {}\r\nReferences: {references}\r\n", own.1));

        let forward = forwarded(&alias, &contacts);
        let seen = ids(&forward, "References");
        let opened: Vec<_> = links.iter().map(|(_, id)| id.clone()).collect();
        let there: Vec<_> = seen.iter().filter(|id| opened.contains(id)).cloned().collect();
        prop_assert_eq!(there, opened);
        prop_assert!(links.is_empty() || seen.last() == links.last().map(|(_, id)| id));

        let reply = replied(&alias, &answer(&forward, &next.1));
        let mut expected = as_sent;
        expected.push(own.1.clone());
        prop_assert_eq!(ids(&reply, "References"), expected);
        prop_assert_eq!(value(&reply, "In-Reply-To"), own.1);
    }

    /// Whatever the owner's program writes: no word of a mailbox leaves in these fields, but in ids that are marked; what
    /// tells nothing is there in its order, byte for byte.
    #[test]
    fn nothing_of_a_mailbox_leaves(own in hostile(), parents in hostile(), references in hostile()) {
        let alias = alias("me@example.net");
        let names = Names::of(&alias);
        let reply = with_fields([("Message-ID", &own), ("In-Reply-To", &parents), ("References", &references)]);
        let out = replied(&alias, &reply);
        let all = [&parents, &references].map(|value| {
            let spans = message_id::spans(value);
            spans.into_iter().map(|span| value[span].to_vec()).collect::<Vec<_>>()
        });
        let keys = keys();
        let ids = Ids::new(&keys, &alias);
        let marks: Vec<_> = all.iter().flatten().filter(|id| ids.is_mark(id)).map(|id| normal(id)).collect();
        let is_marked = |id: &[u8]| ids.marks(id).iter().any(|mark| marks.contains(&mark.clone().into_bytes()));
        for (name, before) in [("In-Reply-To", &all[0]), ("References", &all[1])] {
            let value = raw(&out, name);
            let after: Vec<_> = message_id::spans(&value).into_iter().map(|span| value[span].to_vec()).collect();
            for id in &after {
                prop_assert!(!names.are_in(id) || is_marked(id), "{:?}", String::from_utf8_lossy(id));
                prop_assert!(!ids.is_mark(id));
            }
            let is_foreign = |id: &&Vec<u8>| {
                before.contains(id) && after.contains(id) && !ids.is_at_alias(id)
            };
            let kept: Vec<_> = before.iter().filter(is_foreign).collect();
            prop_assert_eq!(after.iter().filter(is_foreign).collect::<Vec<_>>(), kept);
        }
        let own = raw(&out, "Message-ID");
        prop_assert!(!names.are_in(&own), "{:?}", String::from_utf8_lossy(&own));
        prop_assert_eq!(message_id::spans(&own).len(), 1);
    }

    #[test]
    fn a_forward_of_anything_has_the_same_fields(own in hostile(), parents in hostile(), references in hostile()) {
        let alias = alias("me@example.net");
        let contacts = with_fields([("Message-ID", &own), ("In-Reply-To", &parents), ("References", &references)]);
        let out = forwarded(&alias, &contacts);
        for name in ["Message-ID", "In-Reply-To", "References"] {
            prop_assert!(out.named(name).count() <= 1);
        }
        prop_assert!(raw(&out, "References").len() <= MAX_OCTETS + 20);
        for line in out.head().split(|&b| b == b'\n') {
            prop_assert!(line.len() <= 999);
        }
    }
}

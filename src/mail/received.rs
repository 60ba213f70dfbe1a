//! The `Received` field that a relay puts on top (RFC 5321, section 4.4), and the count that ends mail loops.

use std::net::IpAddr;

use super::address::{Address, DomainName};
use super::date::Timestamp;
use super::fold::{FieldWriter, HeaderField};
use super::message::Message;

/// Longest piece of a stranger's text that is shown, in octets.
const LONGEST_SHOWN: usize = 255;

/// How a message came in (RFC 3848, RFC 6531, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum Protocol {
    Smtp,
    Esmtp,
    Esmtps,
    Esmtpa,
    Esmtpsa,
    Utf8Smtp,
    Utf8Smtps,
    Utf8Smtpa,
    Utf8Smtpsa,
}

impl Protocol {
    /// The registered keyword.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Esmtp => "ESMTP",
            Self::Esmtps => "ESMTPS",
            Self::Esmtpa => "ESMTPA",
            Self::Esmtpsa => "ESMTPSA",
            Self::Utf8Smtp => "UTF8SMTP",
            Self::Utf8Smtps => "UTF8SMTPS",
            Self::Utf8Smtpa => "UTF8SMTPA",
            Self::Utf8Smtpsa => "UTF8SMTPSA",
        }
    }
}

/// The client that handed a message over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client<'a> {
    /// What it called itself: anything.
    pub helo: &'a str,
    /// Where it connected from.
    pub ip: IpAddr,
}

/// What a `Received` field tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<'a> {
    /// Left out of a reply: there it is the owner's server, which must not show.
    pub from: Option<Client<'a>>,
    /// Our host name.
    pub by: &'a DomainName,
    /// How it came in.
    pub with: Protocol,
    /// The id of the transaction.
    pub id: &'a str,
    /// The recipient, if it may show and there is only one. An address that is not ASCII makes the header section need
    /// SMTPUTF8.
    pub recipient: Option<&'a Address>,
    /// When it was taken.
    pub at: Timestamp,
}

impl Received<'_> {
    /// The field.
    #[must_use]
    pub fn to_field(&self) -> HeaderField {
        let mut field = FieldWriter::new("Received");
        if let Some(client) = &self.from {
            field.token("from").token(&shown(client.helo)).token(&format!("({})", literal(client.ip)));
        }
        field.token("by").token(self.by.as_str()).token("(aliasd)");
        field.token("with").token(self.with.as_str()).token("id").token(&shown(self.id));
        if let Some(address) = self.recipient {
            field.token("for").token(&format!("<{address}>"));
        }
        field.glue(';').token(&self.at.to_rfc5322());
        field.finish()
    }
}

/// How many servers say that they have had this message. Loops are told by it (RFC 5321, section 6.3).
#[must_use]
pub fn count(message: &Message) -> usize {
    message.named("Received").count()
}

/// The address as a literal (RFC 5321, section 4.1.3).
fn literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

/// A stranger's text as one harmless word: what no host name or address literal has becomes `?`.
fn shown(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    let word: String = text.chars().take(LONGEST_SHOWN).map(|c| if harmless(c) { c } else { '?' }).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn written(received: &Received<'_>) -> String {
        String::from_utf8(received.to_field().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_field_tells_where_it_came_from_and_for_whom() {
        let by = DomainName::parse("mx.example.com").unwrap();
        let alias = Address::parse("shop@example.com").unwrap();
        let mut received = Received {
            from: Some(Client { helo: "mail.example.org", ip: "192.0.2.1".parse().unwrap() }),
            by: &by,
            with: Protocol::Esmtp,
            id: "01JABC",
            recipient: Some(&alias),
            at: Timestamp::from_millis(1_790_000_000_000),
        };
        assert_eq!(
            written(&received),
            "Received: from mail.example.org ([192.0.2.1]) by mx.example.com (aliasd) with\r\n \
             ESMTP id 01JABC for <shop@example.com>; Mon, 21 Sep 2026 14:13:20 +0000\r\n"
        );
        received.from = None;
        received.recipient = None;
        assert_eq!(
            written(&received),
            "Received: by mx.example.com (aliasd) with ESMTP id 01JABC;\r\n Mon, 21 Sep 2026 14:13:20 +0000\r\n"
        );
    }

    #[test]
    fn a_hostile_greeting_becomes_one_word() {
        assert_eq!(shown("a (b) by c;\r\nd"), "a??b??by?c???d");
        assert_eq!(shown(""), "unknown");
        assert_eq!(shown(&"x".repeat(9_000)).len(), LONGEST_SHOWN);
    }

    #[test]
    fn mapped_and_real_ipv6_addresses_are_told_apart() {
        assert_eq!(literal("::ffff:192.0.2.1".parse().unwrap()), "[192.0.2.1]");
        assert_eq!(literal("2001:db8::1".parse().unwrap()), "[IPv6:2001:db8::1]");
    }

    #[test]
    fn fields_are_counted() {
        let text = "Received: a\r\nX: b\r\nreceived : c\r\n d\r\n\r\nReceived: body\r\n";
        assert_eq!(count(&Message::parse(Bytes::from_static(text.as_bytes()))), 2);
    }
}

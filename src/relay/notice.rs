//! What owners are told about their certificates, as messages of our own.
//!
//! A notice names a mailbox of its reader, fingerprints and times. It holds nothing of any letter: who wrote, to which
//! alias, about what. So it may be sent in clear where nothing else may, when there is no other way to tell the owner that
//! mail waits.

use bytes::Bytes;

use crate::mail::{Address, DomainName, FieldWriter, HeaderField, Timestamp, message, message_id};

use super::openpgp::{Fingerprint, Unusable};
use super::ports::{Content, Warned};

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Mail for a mailbox cannot be encrypted, and is not sent.
    NotEncrypted {
        /// The mailbox.
        mailbox: &'a Address,
        /// What is wrong with its certificates.
        why: &'a Unusable,
    },
    /// A certificate of a mailbox expires, or has expired.
    Expiring {
        /// The mailbox.
        mailbox: &'a Address,
        /// The certificate.
        fingerprint: &'a Fingerprint,
        /// When.
        at: Timestamp,
        /// How near that is.
        stage: Warned,
    },
}

/// What a notice is written with.
#[derive(Debug, Clone)]
pub struct Desk<'a> {
    /// Our name.
    pub hostname: &'a DomainName,
    /// Now.
    pub now: Timestamp,
    /// What stands before the `@` of the `Message-ID`.
    pub id: &'a str,
}

impl Notice<'_> {
    /// The message that tells it, for a mailbox of the owner; it is sent with the return path `<>`.
    #[must_use]
    pub fn compose(&self, desk: &Desk<'_>, to: &Address) -> Content {
        let text = self.text().replace('\n', "\r\n");
        let head = self.head(desk, to, text.is_ascii());
        let smtputf8 = message::needs_eight_bit(&head);
        let eight_bit = smtputf8 || !text.is_ascii();
        Content { head, body: Bytes::from(text), eight_bit, smtputf8 }
    }

    fn head(&self, desk: &Desk<'_>, to: &Address, is_ascii: bool) -> Bytes {
        let mut from = FieldWriter::new("From");
        from.display_name("aliasd").token(&format!("<MAILER-DAEMON@{}>", desk.hostname));
        let mut recipient = FieldWriter::new("To");
        recipient.token(&to.to_string());
        let charset = if is_ascii { "us-ascii" } else { "utf-8" };
        let encoding = if is_ascii { "7bit" } else { "8bit" };
        let fields = [
            from.finish(),
            recipient.finish(),
            HeaderField::unstructured("Subject", self.subject()),
            HeaderField::unstructured("Date", &desk.now.to_rfc5322()),
            message_id::field(desk.id, desk.hostname),
            // RFC 3834, section 5: not in response to a message, and not by a person.
            HeaderField::unstructured("Auto-Submitted", "auto-generated"),
            HeaderField::unstructured("MIME-Version", "1.0"),
            HeaderField::unstructured("Content-Type", &format!("text/plain; charset={charset}")),
            HeaderField::unstructured("Content-Transfer-Encoding", encoding),
        ];
        let mut head: Vec<u8> = fields.iter().flat_map(HeaderField::as_bytes).copied().collect();
        head.extend_from_slice(b"\r\n");
        head.into()
    }

    fn subject(&self) -> &'static str {
        match self {
            Self::NotEncrypted { .. } => "Mail for you cannot be encrypted and is held back",
            Self::Expiring { stage: Warned::Expired, .. } => "Your OpenPGP certificate has expired",
            Self::Expiring { .. } => "Your OpenPGP certificate expires soon",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::NotEncrypted { mailbox, why } => format!(
                "Somebody wrote to an alias of yours. The message is to be encrypted for\n{mailbox}, and that\n\
                 cannot be done. It is not sent in clear: its sender keeps it and tries again, and what\n\
                 waits in the queue here waits on.\n\n{why}\n\n\
                 What to do: put in a certificate that can be used,\n    \
                 aliasd key import {mailbox} FILE\n\
                 and take out the old one (aliasd key list, aliasd key remove). Without any\n\
                 certificate mail for this mailbox is no longer encrypted.\n\n\
                 You are told this once a day while it lasts.\n"
            ),
            Self::Expiring { mailbox, fingerprint, at, stage } => {
                let happens = if *stage == Warned::Expired { "has expired" } else { "expires" };
                format!(
                    "The OpenPGP certificate\n    {fingerprint}\nof {mailbox}\n{happens} on {}.\n\n\
                     Mail for this mailbox is encrypted to its certificates, and held back when there is\n\
                     none that can be used. What to do: extend the certificate with your OpenPGP program,\n\
                     export its public part, and put it in again,\n    aliasd key import {mailbox} FILE\n",
                    at.to_rfc5322()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(notice: &Notice<'_>) -> String {
        let hostname = DomainName::parse("mx.example.com").unwrap();
        let desk = Desk { hostname: &hostname, now: Timestamp::EPOCH, id: "01" };
        let content = notice.compose(&desk, &"you@example.net".parse().unwrap());
        assert!(!content.eight_bit && !content.smtputf8);
        String::from_utf8([&content.head[..], &content.body].concat()).unwrap()
    }

    #[test]
    fn a_notice_says_what_is_wrong_and_what_to_do() {
        let (mailbox, why) = ("me@example.net".parse().unwrap(), Unusable("0123 has expired".to_owned()));
        let text = composed(&Notice::NotEncrypted { mailbox: &mailbox, why: &why });
        assert!(
            text.starts_with("From: aliasd <MAILER-DAEMON@mx.example.com>\r\nTo: you@example.net\r\n"),
            "{text}"
        );
        for part in
            ["Auto-Submitted: auto-generated", "0123 has expired", "aliasd key import me@example.net FILE"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn an_expiry_is_told_as_what_it_is() {
        let (mailbox, fingerprint) =
            ("me@example.net".parse().unwrap(), Fingerprint::parse(&"a".repeat(40)).unwrap());
        for (stage, subject, happens) in [
            (Warned::MonthAhead, "expires soon", "expires on Thu, 1 Jan 1970"),
            (Warned::Expired, "has expired", "has expired on Thu, 1 Jan 1970"),
        ] {
            let notice = Notice::Expiring {
                mailbox: &mailbox,
                fingerprint: &fingerprint,
                at: Timestamp::EPOCH,
                stage,
            };
            let text = composed(&notice);
            assert!(text.contains(&format!("Subject: Your OpenPGP certificate {subject}\r\n")), "{text}");
            assert!(text.contains(happens) && text.contains(fingerprint.as_str()), "{text}");
        }
    }
}

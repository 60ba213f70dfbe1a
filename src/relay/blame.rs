//! Whether a refusal for good is about the message and its recipient, or about us: our address, its name, our reputation.
//!
//! A refusal of us is no news for the sender: it would read "no such user" for an address that is fine. It is put off once
//! and the people who run this server are alarmed; should it be repeated, it is taken as it is.
//!
//! Enhanced codes tell (RFC 7372, RFC 8601 and what large providers send). `5.7.1` says "not authorized" and stands for
//! nearly everything; it is about us unless the text speaks of the message or of its recipient.

use crate::smtp::{Failure, Words};

/// Details of `5.7.x` that are about who sends: SPF (23, 24), the reverse name (25), authentication as such (26), the
/// rate (28), our authentication of others (29), and the lists of providers (27 is a null MX of the sender's domain).
const ABOUT_US: [u16; 7] = [23, 24, 25, 26, 27, 28, 29];

/// What a `5.7.1` speaks of when it is about this message or its recipient.
const ABOUT_MESSAGE: [&str; 15] = [
    "spam",
    "content",
    "virus",
    "malware",
    "phish",
    "attachment",
    "message size",
    "subject",
    "recipient",
    "mailbox",
    "user",
    "no such",
    "unsolicited",
    "header",
    "dmarc",
];

/// Whether the next hop refuses us, not the message.
#[must_use]
pub fn is_about_us(failure: &Failure) -> bool {
    match failure.enhanced {
        // Our own verdicts are never about our reputation.
        _ if failure.words == Words::Ours => false,
        (5, 7, detail) if ABOUT_US.contains(&detail) => true,
        (5, 7, 1) => !speaks_of_message(&failure.text),
        _ => false,
    }
}

fn speaks_of_message(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ABOUT_MESSAGE.iter().any(|word| text.contains(word)) && !speaks_of_lists(&text)
}

/// "Spam" is also in the names of the lists that an address is on.
fn speaks_of_lists(text: &str) -> bool {
    [
        "blocked using",
        "block list",
        "blocklist",
        "blacklist",
        "spamhaus",
        "spamcop",
        "reputation",
        "client host",
    ]
    .iter()
    .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about_us(enhanced: (u8, u16, u16), text: &str) -> bool {
        is_about_us(&Failure { code: 550, enhanced, text: text.to_owned(), words: Words::Theirs, host: None })
    }

    #[test]
    fn who_is_refused() {
        for (enhanced, text, us) in [
            (
                (5, 7, 1),
                "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.example",
                true,
            ),
            ((5, 7, 1), "Your network is on our block list (S3140)", true),
            ((5, 7, 1), "Relay access denied", true),
            ((5, 7, 1), "", true),
            ((5, 7, 1), "Message rejected as spam by content scanning", false),
            ((5, 7, 1), "<me@example.net>: Recipient address rejected: Access denied", false),
            ((5, 7, 1), "virus found", false),
            ((5, 7, 25), "The IP address has no PTR record", true),
            ((5, 7, 26), "This mail is unauthenticated", true),
            ((5, 7, 23), "SPF validation failed", true),
            ((5, 1, 1), "blocked using nothing", false),
            ((5, 2, 2), "mailbox full", false),
            ((5, 7, 509), "DMARC", false),
            ((4, 7, 1), "greylisted", false),
        ] {
            assert_eq!(about_us(enhanced, text), us, "{enhanced:?} {text}");
        }
        let ours =
            Failure { code: 550, enhanced: (5, 7, 26), text: String::new(), words: Words::Ours, host: None };
        assert!(!is_about_us(&ours));
    }
}

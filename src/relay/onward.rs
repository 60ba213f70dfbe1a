//! What of a sender's wishes for reports (RFC 3461) goes on to the next hop.
//!
//! The envelope sender of what we send is our own return path, so every report of a next hop comes to us and never to
//! the sender; what the sender is told we decide ourselves ([`super::report`]). A next hop is therefore asked for what
//! *we* need:
//!
//! - failures always, also where the sender wants to hear of nothing: they tell that a mailbox is gone;
//! - delays when the sender asked for them;
//! - success never: we answer `NOTIFY=SUCCESS` with a report of our own that says *relayed* (RFC 3461, section 5.2.2), and
//!   the report of a mailbox's server would name the mailbox.
//!
//! A message that must not be answered (`<>`) asks for nothing.

use crate::mail::Address;
use crate::smtp::dsn::{MessageRequest, Notify, OriginalRecipient, RecipientRequest};

use super::ports::ReportRequest;

/// What the mailbox's server is asked about a forward.
///
/// The original recipient is the alias as it was used, whatever the sender's was: that one may name an address which
/// the owner's provider has no business to know. The sender's `ENVID` goes along, so that a report which comes back
/// still has it.
#[must_use]
pub fn of_forward(message: &MessageRequest, recipient: &RecipientRequest, used: &Address) -> ReportRequest {
    ReportRequest {
        message: message.clone(),
        recipient: RecipientRequest {
            notify: recipient.notify.map(for_us),
            orcpt: OriginalRecipient::of(used),
        },
    }
}

/// What the contact's server is asked about a reply. `ENVID` stays here: mail programs put their host's name into it,
/// and that may be the mailbox's domain. So does `ORCPT`, which is the reverse alias.
#[must_use]
pub fn of_reply(message: &MessageRequest, recipient: &RecipientRequest) -> ReportRequest {
    ReportRequest {
        message: MessageRequest { ret: message.ret, envid: None },
        recipient: RecipientRequest { notify: recipient.notify.map(for_us), orcpt: None },
    }
}

/// A sender that says nothing leaves the choice to the next hop, which is failures and perhaps delays.
fn for_us(asked: Notify) -> Notify {
    Notify { success: false, failure: true, delay: asked.delay }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::dsn::{EnvelopeId, Ret};

    fn message() -> MessageRequest {
        MessageRequest { ret: Some(Ret::Full), envid: EnvelopeId::parse(b"id-of.example.net") }
    }

    fn recipient(notify: &str) -> RecipientRequest {
        let orcpt = OriginalRecipient::parse(b"rfc822;before@example.org");
        RecipientRequest { notify: Notify::parse(notify.as_bytes()), orcpt }
    }

    fn written(request: &ReportRequest) -> String {
        format!("{}{}", request.message, request.recipient)
    }

    #[test]
    fn the_next_hop_is_asked_for_what_we_need() {
        let alias: Address = "shop+tag@example.com".parse().unwrap();
        for (asked, onward) in [
            ("", ""),
            ("NEVER", " NOTIFY=FAILURE"),
            ("SUCCESS", " NOTIFY=FAILURE"),
            ("FAILURE", " NOTIFY=FAILURE"),
            ("SUCCESS,DELAY", " NOTIFY=FAILURE,DELAY"),
        ] {
            let forward = of_forward(&message(), &recipient(asked), &alias);
            let expected =
                format!(" RET=FULL ENVID=id-of.example.net{onward} ORCPT=rfc822;shop+2Btag@example.com");
            assert_eq!(written(&forward), expected, "{asked}");
            assert_eq!(written(&of_reply(&message(), &recipient(asked))), format!(" RET=FULL{onward}"));
        }
    }

    #[test]
    fn an_alias_in_utf8_is_named_in_ascii() {
        let forward = of_forward(
            &MessageRequest::default(),
            &recipient(""),
            &"j\u{fc}rgen@example.com".parse().unwrap(),
        );
        assert_eq!(written(&forward), " ORCPT=utf-8;j\\x{FC}rgen@example.com");
    }
}

//! What is found in a text is gone when it was replaced.

#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use aliasd::mail::Address;
use aliasd::relay::alias::{AccountId, Alias, AliasId, Mailbox, MailboxId, Mode, NameFormat, Refusal};
use aliasd::relay::scrub::{Secrets, Syntax};
use libfuzzer_sys::fuzz_target;

static SECRETS: LazyLock<Secrets> = LazyLock::new(|| Secrets::new(&alias(), &HashMap::new()));

fuzz_target!(|octets: &[u8]| {
    let text = String::from_utf8_lossy(octets);
    for syntax in [Syntax::Plain, Syntax::Html, Syntax::Folded, Syntax::Escaped] {
        let prose = SECRETS.replace_prose(&text, syntax);
        assert_eq!(prose.is_some(), SECRETS.address_in(&text, syntax), "{syntax:?}");
        if let Some(prose) = prose {
            assert!(!SECRETS.address_in(&prose, syntax), "{syntax:?}: {prose:?}");
        }
        if let Some(all) = SECRETS.replace_everything(&text, syntax) {
            assert!(!SECRETS.trace_in(&all, syntax), "{syntax:?}: {all:?}");
        }
    }
});

fn alias() -> Alias {
    let address = |text| Address::parse(text).expect("an address");
    let mailbox =
        |text| Mailbox { id: MailboxId(21), address: address(text), paused: false, encrypts: false };
    Alias {
        id: AliasId(11),
        account: AccountId(1),
        address: address("shop@example.com"),
        enabled: true,
        expires_at: None,
        mode: Mode::Reverse,
        display_name: None,
        refusal: Refusal::Reject,
        name_format: NameFormat::NameAt,
        opaque_reverse_aliases: false,
        has_blocked_contacts: false,
        mailboxes: vec![mailbox("zq7.owner@example.net"), mailbox("j\u{fc}rgen@b\u{fc}cher.example.net")],
    }
}

//! An id that was sealed opens again, whatever is in it; one that was not does not.

#![no_main]

use aliasd::mail::{Address, message_id};
use aliasd::relay::alias::{AccountId, Alias, AliasId, Mode, NameFormat, Refusal};
use aliasd::relay::ids::{self, Ids, LONGEST_SEALED};
use aliasd::relay::keys::Keys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|id: &[u8]| {
    let (keys, alias) = (Keys::derive(&[7; 32]), alias());
    let ids = Ids::new(&keys, &alias);
    let normal = ids::normal(id);
    let sealed = ids.seal(id);
    assert_eq!(sealed, ids.seal(&[b"<", normal.as_slice(), b">"].concat()), "folds and brackets matter");
    assert!(ids.is_at_alias(sealed.as_bytes()) && sealed.is_ascii());
    let opened = ids.open(sealed.as_bytes());
    let expected = (normal.len() <= LONGEST_SEALED).then(|| [b"<", normal.as_slice(), b">"].concat());
    assert_eq!(opened, expected);
    if let Some(opened) = ids.open(id) {
        assert_eq!(
            ids::normal(ids.seal(&opened).as_bytes()).to_ascii_lowercase(),
            normal.to_ascii_lowercase()
        );
    }
    assert!(ids.is_mark(ids.mark(id).as_bytes()));
    for span in message_id::spans(id) {
        assert!(span.start <= span.end && span.end <= id.len());
    }
});

fn alias() -> Alias {
    Alias {
        id: AliasId(11),
        account: AccountId(1),
        address: Address::parse("shop@example.com").expect("an address"),
        enabled: true,
        expires_at: None,
        mode: Mode::Reverse,
        display_name: None,
        refusal: Refusal::Reject,
        name_format: NameFormat::NameAt,
        opaque_reverse_aliases: false,
        has_blocked_contacts: false,
        mailboxes: Vec::new(),
    }
}

//! Making aliases: which mailbox when none is named, and addresses that nobody had to think up.

use crate::mail::address::Host;
use crate::mail::{Address, DomainName, Timestamp};
use crate::relay::alias::{AccountId, Mode};
use crate::relay::ports::Surroundings;

use super::local_part::{self, Kind, RANDOM_BYTES};
use super::records::{Alias, NewAlias, Page};
use super::{Registry, RegistryError};

/// So often another address is tried when a random one is taken; among a hundred million even two misses are rare.
const ATTEMPTS: u32 = 5;

/// What the new alias is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This.
    Address(Address),
    /// Anything at this domain.
    Random(DomainName, Kind),
}

/// What is known of a new alias besides its address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Where its mail goes; empty means the account's only mailbox.
    pub mailboxes: Vec<Address>,
    /// The display name that replies carry.
    pub name: Option<String>,
    /// The owner's remark.
    pub note: Option<String>,
    /// What a forward changes.
    pub mode: Mode,
    /// It takes mail until then.
    pub expires_at: Option<Timestamp>,
}

/// Adds an alias.
///
/// # Errors
/// Those of [`Registry::add_alias`]; `mailboxes` is invalid when none is named and the account has none or several.
pub async fn add<R: Registry, S: Surroundings>(
    registry: &R,
    surroundings: &S,
    account: AccountId,
    wanted: &Wanted,
    draft: Draft,
) -> Result<Alias, RegistryError> {
    check_mode(draft.mode)?;
    let draft = Draft { mailboxes: mailboxes(registry, account, draft.mailboxes).await?, ..draft };
    match wanted {
        Wanted::Address(address) => {
            registry.add_alias(account, &new(address.clone(), &draft), surroundings.now()).await
        }
        Wanted::Random(domain, kind) => {
            add_random(registry, surroundings, account, (domain, *kind), &draft).await
        }
    }
}

async fn add_random<R: Registry, S: Surroundings>(
    registry: &R,
    surroundings: &S,
    account: AccountId,
    (domain, kind): (&DomainName, Kind),
    draft: &Draft,
) -> Result<Alias, RegistryError> {
    let mut attempt = 1;
    loop {
        let new = new(random_address(surroundings, domain, kind)?, draft);
        match registry.add_alias(account, &new, surroundings.now()).await {
            Err(RegistryError::Conflict { what: "alias", .. }) if attempt < ATTEMPTS => attempt += 1,
            added => return added,
        }
    }
}

fn random_address<S: Surroundings>(
    surroundings: &S,
    domain: &DomainName,
    kind: Kind,
) -> Result<Address, RegistryError> {
    let mut random = [0; RANDOM_BYTES];
    surroundings.random(&mut random);
    Address::from_parts(&local_part::make(kind, random), Host::Domain(domain.clone()))
        .map_err(|e| RegistryError::Invalid { field: "address", detail: e.to_string() })
}

fn new(address: Address, draft: &Draft) -> NewAlias {
    let Draft { mailboxes, name, note, mode, expires_at } = draft.clone();
    NewAlias { address, mailboxes, name, note, mode, expires_at }
}

/// The mailboxes that were named, or the account's only one.
/// Refuses a mode that forwards do not know yet.
///
/// # Errors
/// [`RegistryError::Invalid`] for [`Mode::Preserve`].
pub fn check_mode(mode: Mode) -> Result<(), RegistryError> {
    match mode {
        Mode::Reverse => Ok(()),
        Mode::Preserve => Err(RegistryError::Invalid {
            field: "mode",
            detail: "\"preserve\" is not available yet; \"reverse\" is the only mode now".to_owned(),
        }),
    }
}

async fn mailboxes<R: Registry>(
    registry: &R,
    account: AccountId,
    named: Vec<Address>,
) -> Result<Vec<Address>, RegistryError> {
    if !named.is_empty() {
        return Ok(named);
    }
    let invalid = |detail: String| RegistryError::Invalid { field: "mailboxes", detail };
    let page = Page { limit: 4, after: None };
    match registry.mailboxes(account, &page).await?.as_slice() {
        [] => Err(invalid("the account has no mailbox yet; add one first".to_owned())),
        [only] => {
            Ok(vec![only.address.parse().map_err(|_| invalid(format!("cannot read {:?}", only.address)))?])
        }
        several => {
            let names: Vec<_> = several.iter().map(|mailbox| mailbox.address.as_str()).collect();
            Err(invalid(format!("the account has several; say which ({}, …)", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Clockwork, Fake};
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    async fn with_mailboxes(addresses: &[&str]) -> Fake {
        let fake = Fake::default();
        let domain = "example.com".parse().unwrap();
        fake.add_domain(AccountId(1), &domain, None, Timestamp::from_millis(0)).await.unwrap();
        for text in addresses {
            fake.add_mailbox(AccountId(1), &address(text), true, Timestamp::from_millis(0)).await.unwrap();
        }
        fake
    }

    fn random(kind: Kind) -> Wanted {
        Wanted::Random("example.com".parse().unwrap(), kind)
    }

    #[tokio::test]
    async fn the_only_mailbox_need_not_be_named() {
        let fake = with_mailboxes(&["jane@example.net"]).await;
        let wanted = Wanted::Address(address("shop@example.com"));
        let alias = add(&fake, &Clockwork::default(), AccountId(1), &wanted, Draft::default()).await.unwrap();
        assert_eq!(alias.mailboxes.len(), 1);
        assert_eq!(alias.mailboxes[0].address, "jane@example.net");
    }

    #[tokio::test]
    async fn none_or_several_mailboxes_must_be_settled_by_a_person() {
        for (mailboxes, part) in
            [(&[][..], "no mailbox yet"), (&["a@example.net", "b@example.net"], "say which")]
        {
            let fake = with_mailboxes(mailboxes).await;
            let wanted = Wanted::Address(address("shop@example.com"));
            let refused =
                add(&fake, &Clockwork::default(), AccountId(1), &wanted, Draft::default()).await.unwrap_err();
            assert!(refused.to_string().contains(part), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_random_address_that_is_taken_is_made_again() {
        let fake = with_mailboxes(&["jane@example.net"]).await;
        // The second call starts with the same bytes as the first and must go on to others.
        let mut made = Vec::new();
        for _ in 0..2 {
            let clockwork = Clockwork::default();
            let alias =
                add(&fake, &clockwork, AccountId(1), &random(Kind::Chars), Draft::default()).await.unwrap();
            made.push(alias.address);
        }
        assert_ne!(made[0], made[1]);
    }

    #[tokio::test]
    async fn it_gives_up_when_every_address_is_taken() {
        let fake = with_mailboxes(&["jane@example.net"]).await;
        let stuck = Clockwork::stuck();
        add(&fake, &stuck, AccountId(1), &random(Kind::Word), Draft::default()).await.unwrap();
        let refused =
            add(&fake, &stuck, AccountId(1), &random(Kind::Word), Draft::default()).await.unwrap_err();
        assert!(matches!(refused, RegistryError::Conflict { what: "alias", .. }), "{refused}");
    }
}

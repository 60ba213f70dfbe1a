//! Adding a contact: a reverse alias for somebody who has not written yet.

use crate::mail::Address;
use crate::relay::ports::Surroundings;
use crate::relay::reverse::{self, Readability, TOKEN_BYTES};

use super::records::{Account, Contact};
use super::{Registry, RegistryError};

/// Adds a contact to an alias, with a reverse alias of the kind that the account asks for, or returns the contact that is
/// there (with a new name, when one is given).
///
/// # Errors
/// Those of [`Registry::alias`] and [`Registry::add_contact`].
pub async fn add<R: Registry, S: Surroundings>(
    registry: &R,
    surroundings: &S,
    account: &Account,
    alias: &Address,
    address: &Address,
    name: Option<&str>,
) -> Result<Contact, RegistryError> {
    let found = registry.alias(account.id, alias).await?;
    let domain = alias
        .domain()
        .ok_or_else(|| RegistryError::NotFound { what: "alias", name: found.address.clone() })?;
    let mut random = [0; TOKEN_BYTES];
    surroundings.random(&mut random);
    let readability = Readability::from_opaque(account.opaque_reverse_aliases);
    let reverse_alias = reverse::compose(address, domain, readability, random)
        .map_err(|error| RegistryError::Invalid { field: "address", detail: error.to_string() })?;
    registry.add_contact(account.id, alias, address, name, &reverse_alias, surroundings.now()).await
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Clockwork, Fake};
    use super::*;

    #[tokio::test]
    async fn the_reverse_alias_lies_at_the_alias_s_domain() {
        let fake = Fake::with_alias("shop@example.com", "jane@example.net").await;
        let account = fake.account("default").await.unwrap();
        let (alias, outside) = ("Shop@Example.com".parse().unwrap(), "info@example.org".parse().unwrap());
        let clockwork = Clockwork::default();
        let contact = add(&fake, &clockwork, &account, &alias, &outside, Some("Info")).await.unwrap();
        assert!(contact.reverse_alias.ends_with("@example.com"), "{}", contact.reverse_alias);
        assert_eq!((contact.address.as_str(), contact.name.as_deref()), ("info@example.org", Some("Info")));

        let again = add(&fake, &clockwork, &account, &alias, &outside, None).await.unwrap();
        assert_eq!(again, contact);
    }

    #[tokio::test]
    async fn an_unknown_alias_is_named() {
        let fake = Fake::default();
        let account = fake.account("default").await.unwrap();
        let (alias, outside) = ("no@example.com".parse().unwrap(), "info@example.org".parse().unwrap());
        let refused = add(&fake, &Clockwork::default(), &account, &alias, &outside, None).await.unwrap_err();
        assert_eq!(refused.to_string(), "there is no alias \"no@example.com\"");
    }
}

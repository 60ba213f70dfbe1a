//! Looking for certificates where a domain publishes them, because an admin says so.

use crate::admin::records::{Holder, Key};
use crate::admin::{Registry, RegistryError};
use crate::mail::{Address, Timestamp};
use crate::relay::alias::AccountId;
use crate::relay::keyring;
use crate::relay::openpgp::{Origin, Unusable};
use crate::relay::ports::{DiscoveryFailed, KeyDiscovery, OpenPgp};

/// Why no certificate was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDiscovered {
    /// There is none.
    #[error("no certificate is published for {0}: its domain has none in a Web Key Directory")]
    Nothing(Address),
    /// There is something.
    #[error("what is published for {0} cannot be used: {1}")]
    Unusable(Address, #[source] Unusable),
    /// Nobody knows; it may go well later.
    #[error("cannot find out what is published for {0}: {1}")]
    Failed(Address, #[source] DiscoveryFailed),
    /// The address is not one to look for, or the certificate is not taken.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Asks the domain of `address` for its certificates and takes those that can be used and name it: at least one. What goes
/// to the address is encrypted to them from then on.
///
/// # Errors
/// [`NotDiscovered`]. Nothing is asked for an alias, since that would be ourselves.
pub async fn discover<R: Registry, P: OpenPgp, D: KeyDiscovery>(
    registry: &R,
    openpgp: &P,
    discovery: &D,
    account: AccountId,
    address: &Address,
    now: Timestamp,
) -> Result<Vec<Key>, NotDiscovered> {
    check_holder(registry.key_holder(account, address).await?, address)?;
    let file = discovery.discover(address).await;
    let file = file.map_err(|failure| NotDiscovered::Failed(address.clone(), failure))?;
    let found = keyring::usable_for(openpgp, &file, address, now);
    let found = found.map_err(|why| NotDiscovered::Unusable(address.clone(), why))?;
    if found.is_empty() {
        return Err(NotDiscovered::Nothing(address.clone()));
    }
    let mut keys = Vec::with_capacity(found.len());
    for certificate in &found {
        keys.push(registry.add_key(account, address, certificate, Origin::Wkd, now).await?);
    }
    Ok(keys)
}

fn check_holder(holder: Holder, address: &Address) -> Result<(), RegistryError> {
    match holder {
        Holder::Mailbox | Holder::Contact => Ok(()),
        Holder::Alias => Err(RegistryError::Invalid {
            field: "address",
            detail: format!(
                "{address} is an alias, whose certificate comes from its owner: aliasd key import {address} FILE"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::admin::fake::{Fake, FakePgp};
    use crate::admin::records::{KeyOrigin, Page};

    const EVERYTHING: Page = Page { limit: 100, after: None };

    /// Gives one answer.
    struct Told {
        answer: Result<&'static str, &'static str>,
        asked: Mutex<Vec<String>>,
    }

    impl KeyDiscovery for Told {
        async fn discover(&self, address: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
            self.asked.lock().push(address.to_string());
            self.answer.map(|file| file.as_bytes().to_vec()).map_err(|why| DiscoveryFailed(why.to_owned()))
        }
    }

    struct Outcome {
        answer: Result<Vec<Key>, NotDiscovered>,
        stored: Vec<Key>,
        asked: Vec<String>,
    }

    async fn outcome(address: &str, answer: Result<&'static str, &'static str>) -> Outcome {
        let registry = Fake::with_alias("shop@example.com", "jane@example.net").await;
        let account = registry.account("default").await.unwrap().id;
        let told = Told { answer, asked: Mutex::default() };
        let address = address.parse().unwrap();
        let now = Timestamp::from_millis(1_790_000_000_000);
        let answer = discover(&registry, &FakePgp, &told, account, &address, now).await;
        let stored = registry.keys(account, None, &EVERYTHING).await.unwrap();
        Outcome { answer, stored, asked: told.asked.into_inner() }
    }

    #[tokio::test]
    async fn what_names_the_address_is_taken() {
        for (address, holder) in [("bob@example.org", Holder::Contact), ("jane@example.net", Holder::Mailbox)]
        {
            let Outcome { answer, stored, .. } =
                outcome(address, Ok("A bob@example.org jane@example.net\nB joe@example.org")).await;
            let found = answer.unwrap();
            assert_eq!(found, stored);
            let [only] = &*found else { panic!("{found:?}") };
            assert_eq!((only.address.as_str(), only.holder, only.origin), (address, holder, KeyOrigin::Wkd));
            assert_eq!(only.fingerprint.as_str(), "A".repeat(40));
        }
    }

    #[tokio::test]
    async fn otherwise_it_is_said_why_not_and_nothing_is_kept() {
        for (answer, text) in [
            (
                Ok(""),
                "no certificate is published for bob@example.org: its domain has none in a Web Key Directory",
            ),
            (
                Ok("old bob@example.org"),
                "what is published for bob@example.org cannot be used: \"old bob@example.org\" has expired",
            ),
            (
                Ok("C joe@example.org"),
                "what is published for bob@example.org cannot be used: \
                 CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC names other addresses",
            ),
            (
                Err("example.org did not answer within 5 seconds"),
                "cannot find out what is published for bob@example.org: example.org did not answer within 5 seconds",
            ),
        ] {
            let Outcome { answer, stored, asked } = outcome("bob@example.org", answer).await;
            assert_eq!(answer.unwrap_err().to_string(), text);
            assert_eq!((stored, asked), (vec![], vec!["bob@example.org".to_owned()]));
        }
    }

    #[tokio::test]
    async fn our_own_domains_are_not_asked() {
        for (address, text) in [
            ("shop@example.com", "is an alias, whose certificate comes from its owner"),
            ("nobody@example.com", "there is no alias"),
        ] {
            let Outcome { answer, asked, .. } = outcome(address, Ok("A shop@example.com")).await;
            let why = answer.unwrap_err().to_string();
            assert!(why.contains(text), "{why}");
            assert_eq!(asked, [""; 0]);
        }
    }
}

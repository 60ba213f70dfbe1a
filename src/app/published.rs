//! What the Web Key Directory publishes: the certificates that an account has imported for an alias.

use std::collections::HashMap;

use crate::api::web::KeyDirectory;
use crate::mail::{Address, DomainName, Host};
use crate::pgp;
use crate::relay::alias::{AccountId, Alias, Lookup};
use crate::relay::openpgp::{Certificate, Origin};
use crate::relay::ports::{Directory, Unavailable};
use crate::relay::scrub::Secrets;

/// No account has this number.
const NO_ACCOUNT: AccountId = AccountId(0);
/// A local part that every domain has (RFC 5321, section 4.5.1).
const POSTMASTER: &str = "postmaster";

/// See the module.
#[derive(Debug)]
pub(super) struct Published<D>(D);

impl<D: Directory> Published<D> {
    pub(super) fn new(directory: D) -> Self {
        Self(directory)
    }
}

impl<D: Directory> KeyDirectory for Published<D> {
    /// Certificates are asked for also when there is no alias, so that nobody tells by the time.
    async fn published(&self, address: &Address) -> Result<Option<Vec<u8>>, Unavailable> {
        let alias = match self.0.lookup(address).await? {
            Lookup::Alias(alias) if alias.address == *address => Some(alias),
            _ => None,
        };
        let account = alias.as_ref().map_or(NO_ACCOUNT, |alias| alias.account);
        let certificates = self.0.certificates(account, address).await?;
        match alias {
            Some(alias) => self.file(&alias, &certificates).await,
            None => Ok(None),
        }
    }

    async fn is_ours(&self, domain: &DomainName) -> Result<bool, Unavailable> {
        match Address::from_parts(POSTMASTER, Host::Domain(domain.clone())) {
            Ok(somebody) => Ok(!matches!(self.0.lookup(&somebody).await?, Lookup::ForeignDomain)),
            Err(_) => Ok(false),
        }
    }
}

impl<D: Directory> Published<D> {
    /// Those that were imported, one after the other; none when there is none.
    async fn file(
        &self,
        alias: &Alias,
        certificates: &[Certificate],
    ) -> Result<Option<Vec<u8>>, Unavailable> {
        let secrets = Secrets::new(alias, &HashMap::new());
        let imported = certificates.iter().filter(|certificate| certificate.origin == Origin::Imported);
        let files = imported.filter_map(|certificate| pgp::naming_only(&certificate.data, &alias.address));
        let files: Vec<Vec<u8>> = files.filter(|file| !shows_a_mailbox(file, &secrets)).collect();
        if files.is_empty() {
            return Ok(None);
        }
        let others = self.of_mailboxes(alias).await?;
        let file = files.into_iter().filter(|file| !leads_to_a_mailbox(file, &others)).flatten().collect();
        Ok(Some(file).filter(|file: &Vec<u8>| !file.is_empty()))
    }

    /// All certificates of the alias's mailboxes.
    async fn of_mailboxes(&self, alias: &Alias) -> Result<Vec<Certificate>, Unavailable> {
        let mut found = Vec::new();
        for mailbox in &alias.mailboxes {
            found.extend_from_slice(&self.0.certificates(alias.account, &mailbox.address).await?);
        }
        Ok(found)
    }
}

/// A user id can name the alias as its address and the mailbox in its words.
fn shows_a_mailbox(file: &[u8], secrets: &Secrets) -> bool {
    let shows = secrets.trace_in_bytes(file) || secrets.trace_in_name(&String::from_utf8_lossy(file));
    if shows {
        tracing::warn!("a certificate of an alias is not published: it shows a mailbox of the alias");
    }
    shows
}

/// The same key under the address of a mailbox tells whose alias it is.
fn leads_to_a_mailbox(file: &[u8], of_mailboxes: &[Certificate]) -> bool {
    let leads = of_mailboxes.iter().any(|other| pgp::share_a_key(file, &other.data));
    if leads {
        tracing::warn!("a certificate of an alias is not published: a mailbox of the alias has the same key");
    }
    leads
}

#[cfg(test)]
mod tests;

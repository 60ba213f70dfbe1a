//! What the Web Key Directory publishes: the certificates that an account has imported for an alias.

use crate::api::web::KeyDirectory;
use crate::mail::{Address, DomainName, Host};
use crate::pgp;
use crate::relay::alias::{AccountId, Alias, Lookup};
use crate::relay::openpgp::{Certificate, Origin};
use crate::relay::ports::{Directory, Unavailable};

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
        Ok(alias.and_then(|alias| file(&alias, &certificates)))
    }

    async fn is_ours(&self, domain: &DomainName) -> Result<bool, Unavailable> {
        match Address::from_parts(POSTMASTER, Host::Domain(domain.clone())) {
            Ok(somebody) => Ok(!matches!(self.0.lookup(&somebody).await?, Lookup::ForeignDomain)),
            Err(_) => Ok(false),
        }
    }
}

/// Those that were imported, one after the other; none when there is none.
fn file(alias: &Alias, certificates: &[Certificate]) -> Option<Vec<u8>> {
    let imported = certificates.iter().filter(|certificate| certificate.origin == Origin::Imported);
    let files = imported.filter_map(|certificate| pgp::naming_only(&certificate.data, &alias.address));
    let file: Vec<u8> = files.filter(|file| !shows_a_mailbox(file, alias)).flatten().collect();
    (!file.is_empty()).then_some(file)
}

/// A user id can name the alias as its address and the mailbox in its words.
fn shows_a_mailbox(file: &[u8], alias: &Alias) -> bool {
    let text = file.to_ascii_lowercase();
    let shows = alias
        .mailboxes
        .iter()
        .any(|mailbox| memchr::memmem::find(&text, mailbox.address.as_normal().as_bytes()).is_some());
    if shows {
        tracing::warn!("a certificate of an alias is not published: it shows a mailbox of the alias");
    }
    shows
}

#[cfg(test)]
mod tests;

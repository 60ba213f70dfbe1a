//! Certificates, and mailboxes that come with them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::admin::Registry;
use crate::admin::keys::{self, LARGEST_FILE};
use crate::admin::records::{Key, Page};
use crate::mail::Address;
use crate::relay::alias::AccountId;
use crate::relay::openpgp::Fingerprint;
use crate::relay::ports::{KeyDiscovery, OpenPgp, Surroundings};

use super::{Desk, Done, list};
use crate::cli::arguments::{Form, KeyCommand, Owner};
use crate::cli::failure::Failure;
use crate::cli::output::{self, print_json, print_one};

impl<R: Registry, P: OpenPgp, S: Surroundings, W: Write> Desk<'_, R, P, S, W> {
    pub(super) async fn key<D: KeyDiscovery>(&mut self, command: KeyCommand, discovery: &D) -> Done {
        match command {
            KeyCommand::Import { mailbox, file, owner, form } => {
                self.import(&mailbox, &file, &owner, form).await
            }
            KeyCommand::List { address, owner, form } => {
                let id = self.id(&owner).await?;
                let fetch = async |page: &Page| self.registry.keys(id, address.as_ref(), page).await;
                list(self.out, form, fetch, &when_empty(address.as_ref())).await
            }
            KeyCommand::Remove { fingerprint, address, owner } => {
                self.remove_key(&fingerprint, address.as_ref(), &owner).await
            }
            KeyCommand::Discover { address, owner, form } => {
                let (id, now) = (self.id(&owner).await?, self.surroundings.now());
                let found = keys::discover(self.registry, self.openpgp, discovery, id, &address, now).await?;
                self.print_keys(form, &found)
            }
        }
    }

    async fn import(&mut self, holder: &Address, file: &Path, owner: &Owner, form: Form) -> Done {
        let (file, id, now) = (read(file)?, self.id(owner).await?, self.surroundings.now());
        let imported = keys::import(self.registry, self.openpgp, id, holder, &file, now).await?;
        self.print_keys(form, &imported.keys)?;
        self.remark(form, &imported.remarks)
    }

    fn print_keys(&mut self, form: Form, keys: &[Key]) -> Done {
        for (number, key) in keys.iter().enumerate() {
            match output::Form::from(form) {
                output::Form::Json => print_json(self.out, key)?,
                output::Form::Plain => {
                    if number > 0 {
                        writeln!(self.out)?;
                    }
                    print_one(self.out, output::Form::Plain, key)?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn add_mailbox_with_keys(
        &mut self,
        (account, address): (AccountId, &Address),
        verified: bool,
        file: &Path,
        form: Form,
    ) -> Done {
        let (file, now) = (read(file)?, self.surroundings.now());
        let place = (account, address);
        let (added, remarks) =
            keys::add_mailbox(self.registry, self.openpgp, place, verified, &file, now).await?;
        self.print(form, &added)?;
        self.remark(form, &remarks)
    }

    async fn remove_key(
        &mut self,
        fingerprint: &Fingerprint,
        address: Option<&Address>,
        owner: &Owner,
    ) -> Done {
        let id = self.id(owner).await?;
        let (removed, meaning) = keys::remove(self.registry, id, address, fingerprint).await?;
        writeln!(self.out, "removed key {fingerprint} of {}", removed.key.address)?;
        if let Some(meaning) = meaning {
            writeln!(self.out, "{meaning}")?;
        }
        Ok(())
    }

    /// Where people see it, and programs do not stumble over it.
    fn remark(&mut self, form: Form, remarks: &[String]) -> Done {
        for remark in remarks {
            if form.json {
                // Nobody is left to be told that standard error is gone.
                let _ = writeln!(io::stderr(), "aliasd: warning: {remark}");
            } else {
                writeln!(self.out, "warning: {remark}")?;
            }
        }
        Ok(())
    }
}

fn when_empty(address: Option<&Address>) -> String {
    match address {
        None => "no certificates yet: aliasd key import you@example.net FILE".to_owned(),
        Some(address) => format!("no certificates for {address}: aliasd key import {address} FILE"),
    }
}

/// What is in the file, or the beginning of one that is too large anyway.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let longest = LARGEST_FILE as u64 + 1;
    let done = if file.as_os_str() == "-" {
        io::stdin().lock().take(longest).read_to_end(&mut content)
    } else {
        File::open(file).and_then(|opened| opened.take(longest).read_to_end(&mut content))
    };
    match done {
        Ok(_) => Ok(content),
        Err(error) => Err(Failure::Refused(format!("cannot read {}: {error}", file.display()))),
    }
}

//! The commands on accounts, domains, mailboxes, aliases, contacts and certificates, over any [`Registry`].

mod keys;

use std::io::Write;

use crate::admin::aliases::{self, Draft, Wanted};
use crate::admin::lists::{Numbered, each_page};
use crate::admin::records::{AccountChange, AliasChange, MailboxChange, Page};
use crate::admin::{Registry, RegistryError, contacts};
use crate::mail::Timestamp;
use crate::relay::alias::AccountId;
use crate::relay::ports::{KeyDiscovery, OpenPgp, Surroundings};

use super::arguments::{
    AccountCommand, AccountOptions, AdminCommand, AliasAdd, AliasCommand, AliasOptions, ContactCommand,
    DomainCommand, MailboxCommand, MailboxOptions, OnRefusal, Owner, ReverseAliases,
};
use super::expiry::Expiry;
use super::failure::Failure;
use super::output::{Form, List, View, print_json, print_one};

type Done = Result<(), Failure>;

/// Does what the command says and prints the answer.
///
/// # Errors
/// What the registry says, or that the answer cannot be printed.
pub async fn run<R: Registry, P: OpenPgp, D: KeyDiscovery, S: Surroundings, W: Write>(
    command: AdminCommand,
    registry: &R,
    openpgp: &P,
    discovery: &D,
    surroundings: &S,
    out: &mut W,
) -> Done {
    let mut desk = Desk { registry, openpgp, surroundings, out };
    match command {
        AdminCommand::Account(command) => desk.account(command).await,
        AdminCommand::Domain(command) => desk.domain(command).await,
        AdminCommand::Mailbox(command) => desk.mailbox(command).await,
        AdminCommand::Alias(command) => desk.alias(command).await,
        AdminCommand::Contact(command) => desk.contact(command).await,
        AdminCommand::Key(command) => desk.key(command, discovery).await,
    }
}

/// Where commands are done.
struct Desk<'a, R, P, S, W> {
    registry: &'a R,
    openpgp: &'a P,
    surroundings: &'a S,
    out: &'a mut W,
}

impl<R: Registry, P: OpenPgp, S: Surroundings, W: Write> Desk<'_, R, P, S, W> {
    async fn account(&mut self, command: AccountCommand) -> Done {
        match command {
            AccountCommand::Add { name, form } => {
                let added = self.registry.add_account(&name, self.surroundings.now()).await?;
                self.print(form, &added)
            }
            AccountCommand::List { form } => {
                let fetch = async |page: &Page| self.registry.accounts(page).await;
                list(self.out, form, fetch, "no accounts").await
            }
            AccountCommand::Show { name, form } => {
                let found = self.registry.account(&name).await?;
                self.print(form, &found)
            }
            AccountCommand::Set { name, change, form } => {
                let changed = self.registry.set_account(&name, &account_change(&change)).await?;
                self.print(form, &changed)
            }
            AccountCommand::Remove { name } => {
                self.registry.remove_account(&name).await?;
                self.removed("account", &name)
            }
        }
    }

    async fn domain(&mut self, command: DomainCommand) -> Done {
        match command {
            DomainCommand::Add { name, catch_all, owner, form } => {
                let (id, now) = (self.id(&owner).await?, self.surroundings.now());
                let added = self.registry.add_domain(id, &name, catch_all.as_ref(), now).await?;
                self.print(form, &added)
            }
            DomainCommand::List { owner, form } => {
                let id = self.id(&owner).await?;
                let fetch = async |page: &Page| self.registry.domains(id, page).await;
                list(self.out, form, fetch, "no domains yet: aliasd domain add example.com").await
            }
            DomainCommand::Remove { name, owner } => {
                self.registry.remove_domain(self.id(&owner).await?, &name).await?;
                self.removed("domain", &name)
            }
        }
    }

    async fn mailbox(&mut self, command: MailboxCommand) -> Done {
        match command {
            MailboxCommand::Add { address, unverified, pgp_key: Some(file), owner, form } => {
                let id = self.id(&owner).await?;
                self.add_mailbox_with_keys((id, &address), !unverified, &file, form).await
            }
            MailboxCommand::Add { address, unverified, pgp_key: None, owner, form } => {
                let (id, now) = (self.id(&owner).await?, self.surroundings.now());
                let added = self.registry.add_mailbox(id, &address, !unverified, now).await?;
                self.print(form, &added)
            }
            MailboxCommand::List { owner, form } => {
                let id = self.id(&owner).await?;
                let fetch = async |page: &Page| self.registry.mailboxes(id, page).await;
                list(self.out, form, fetch, "no mailboxes yet: aliasd mailbox add you@example.net").await
            }
            MailboxCommand::Set { address, change, owner, form } => {
                let id = self.id(&owner).await?;
                let changed = self.registry.set_mailbox(id, &address, &mailbox_change(&change)).await?;
                self.print(form, &changed)
            }
            MailboxCommand::Remove { address, owner } => {
                self.registry.remove_mailbox(self.id(&owner).await?, &address).await?;
                self.removed("mailbox", &address)
            }
        }
    }

    async fn alias(&mut self, command: AliasCommand) -> Done {
        match command {
            AliasCommand::Add(add) => self.add_alias(*add).await,
            AliasCommand::List { search, owner, form } => {
                self.list_aliases(search.as_deref(), &owner, form).await
            }
            AliasCommand::Show { address, owner, form } => {
                let found = self.registry.alias(self.id(&owner).await?, &address).await?;
                self.print(form, &found)
            }
            AliasCommand::Enable { address, owner, form } => {
                let change = AliasChange { enabled: Some(true), ..AliasChange::default() };
                let changed = self.registry.set_alias(self.id(&owner).await?, &address, &change).await?;
                self.print(form, &changed)
            }
            AliasCommand::Disable { address, owner, form } => {
                let change = AliasChange { enabled: Some(false), ..AliasChange::default() };
                let changed = self.registry.set_alias(self.id(&owner).await?, &address, &change).await?;
                self.print(form, &changed)
            }
            AliasCommand::Set { address, change, owner, form } => {
                let change = alias_change(*change, self.surroundings.now())?;
                let changed = self.registry.set_alias(self.id(&owner).await?, &address, &change).await?;
                self.print(form, &changed)
            }
            AliasCommand::Remove { address, owner } => {
                let id = self.id(&owner).await?;
                self.registry.remove_alias(id, &address, self.surroundings.now()).await?;
                self.removed("alias", &address)
            }
        }
    }

    async fn add_alias(&mut self, add: AliasAdd) -> Done {
        let AliasAdd { address, random, domain, mailbox, name, note, mode, expires, owner, form } = add;
        let wanted = match (address, random, domain) {
            (Some(address), ..) => Wanted::Address(address),
            (None, Some(kind), Some(domain)) => Wanted::Random(domain, kind),
            (None, ..) => {
                return Err(Failure::Usage("name an address, or --random with --domain".to_owned()));
            }
        };
        let expires_at = expires.map(|expiry| self.expiry(expiry)).transpose()?;
        let draft = Draft { mailboxes: mailbox, name, note, mode, expires_at };
        let id = self.id(&owner).await?;
        let added = aliases::add(self.registry, self.surroundings, id, &wanted, draft).await?;
        self.print(form, &added)
    }

    async fn list_aliases(
        &mut self,
        search: Option<&str>,
        owner: &Owner,
        form: super::arguments::Form,
    ) -> Done {
        let id = self.id(owner).await?;
        let fetch = async |page: &Page| self.registry.aliases(id, search, page).await;
        let when_empty = match search {
            Some(_) => "no alias has this in its address, name or note",
            None => "no aliases yet: aliasd alias add shop@example.com --mailbox you@example.net",
        };
        list(self.out, form, fetch, when_empty).await
    }

    async fn contact(&mut self, command: ContactCommand) -> Done {
        match command {
            ContactCommand::Add { pair, name, owner, form } => {
                let account = self.registry.account(&owner.account).await?;
                let (alias, address) = (&pair.alias, &pair.address);
                let added = contacts::add(
                    self.registry,
                    self.surroundings,
                    &account,
                    alias,
                    address,
                    name.as_deref(),
                )
                .await?;
                match Form::from(form) {
                    Form::Json => Ok(print_json(self.out, &added)?),
                    // Alone on its line: it is what one wants to paste.
                    Form::Plain => Ok(writeln!(self.out, "{}", added.reverse_alias)?),
                }
            }
            ContactCommand::List { alias, owner, form } => {
                let id = self.id(&owner).await?;
                let fetch = async |page: &Page| self.registry.contacts_of(id, &alias, page).await;
                let when_empty = format!("no contacts yet: aliasd contact add {alias} somebody@example.org");
                list(self.out, form, fetch, &when_empty).await
            }
            ContactCommand::Block { pair, owner, form } => {
                let id = self.id(&owner).await?;
                let changed = self.registry.block_contact(id, &pair.alias, &pair.address, true).await?;
                self.print(form, &changed)
            }
            ContactCommand::Unblock { pair, owner, form } => {
                let id = self.id(&owner).await?;
                let changed = self.registry.block_contact(id, &pair.alias, &pair.address, false).await?;
                self.print(form, &changed)
            }
            ContactCommand::Remove { pair, owner } => {
                self.registry.remove_contact(self.id(&owner).await?, &pair.alias, &pair.address).await?;
                self.removed("contact", &pair.address)
            }
        }
    }

    async fn id(&self, owner: &Owner) -> Result<AccountId, RegistryError> {
        self.registry.account(&owner.account).await.map(|account| account.id)
    }

    fn expiry(&self, expiry: Expiry) -> Result<Timestamp, Failure> {
        expires_at(expiry, self.surroundings.now())
    }

    fn print(&mut self, form: super::arguments::Form, view: &impl View) -> Done {
        Ok(print_one(self.out, form.into(), view)?)
    }

    fn removed(&mut self, what: &str, name: &impl std::fmt::Display) -> Done {
        Ok(writeln!(self.out, "removed {what} {name}")?)
    }
}

impl From<super::arguments::Form> for Form {
    fn from(form: super::arguments::Form) -> Self {
        if form.json { Self::Json } else { Self::Plain }
    }
}

async fn list<V: View + Numbered, W: Write>(
    out: &mut W,
    form: super::arguments::Form,
    fetch: impl AsyncFn(&Page) -> Result<Vec<V>, RegistryError>,
    when_empty: &str,
) -> Done {
    let mut list = List::start(out, form.into())?;
    each_page(fetch, |rows| list.page(&rows).map_err(Failure::from)).await?;
    Ok(list.finish(when_empty)?)
}

fn account_change(options: &AccountOptions) -> AccountChange {
    AccountChange {
        name_format: options.name_format,
        refusal: options.on_refusal,
        opaque_reverse_aliases: options.reverse_aliases.map(|form| form == ReverseAliases::Opaque),
    }
}

fn mailbox_change(options: &MailboxOptions) -> MailboxChange {
    MailboxChange {
        verified: either(options.verified, options.unverified),
        paused: either(options.pause, options.resume),
    }
}

fn alias_change(options: AliasOptions, now: Timestamp) -> Result<AliasChange, Failure> {
    options.mode.map_or(Ok(()), aliases::check_mode)?;
    let expires_at = options.expires.map(|expiry| expires_at(expiry, now)).transpose()?;
    Ok(AliasChange {
        enabled: None,
        mailboxes: Some(options.mailbox).filter(|mailboxes| !mailboxes.is_empty()),
        name: set_or_clear(options.name, options.no_name),
        note: set_or_clear(options.note, options.no_note),
        pinned: either(options.pin, options.unpin),
        mode: options.mode,
        expires_at: set_or_clear(expires_at, options.no_expires),
        refusal: options.on_refusal.map(|answer| match answer {
            OnRefusal::Account => None,
            OnRefusal::Alias(refusal) => Some(refusal),
        }),
    })
}

fn expires_at(expiry: Expiry, now: Timestamp) -> Result<Timestamp, Failure> {
    expiry.seen_from(now).map_err(|passed| Failure::Refused(format!("--expires: {passed}")))
}

/// One flag, the other, or neither.
fn either(on: bool, off: bool) -> Option<bool> {
    (on || off).then_some(on)
}

/// A new value, none in its place, or no change.
fn set_or_clear<T>(value: Option<T>, clear: bool) -> Option<Option<T>> {
    (value.is_some() || clear).then_some(value)
}

#[cfg(test)]
mod tests;

//! What people see of each record.

use crate::admin::records::{Account, Alias, Contact, Domain, Holder, Key, KeyOrigin, Mailbox};
use crate::mail::Timestamp;
use crate::relay::alias::{Mode, NameFormat, Refusal};

use super::output::View;

impl View for Account {
    const COLUMNS: &'static [&'static str] = &["name", "name format", "on refusal", "reverse aliases"];

    fn row(&self) -> Vec<String> {
        vec![self.name.clone(), name_format(self), refusal(self), reverse_aliases(self)]
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.to_string()),
            ("name", self.name.clone()),
            ("name format", name_format(self)),
            ("on refusal", refusal(self)),
            ("reverse aliases", reverse_aliases(self)),
            ("created", self.created_at.to_rfc3339()),
        ]
    }
}

fn name_format(account: &Account) -> String {
    match account.name_format {
        NameFormat::NameAt => "name_at",
        NameFormat::NameAddress => "name_address",
        NameFormat::Name => "name",
        NameFormat::Address => "address",
        NameFormat::None => "none",
    }
    .to_owned()
}

fn refusal(account: &Account) -> String {
    match account.refusal {
        Refusal::Reject => "reject",
        Refusal::Discard => "discard",
    }
    .to_owned()
}

fn reverse_aliases(account: &Account) -> String {
    if account.opaque_reverse_aliases { "opaque" } else { "readable" }.to_owned()
}

impl View for Domain {
    const COLUMNS: &'static [&'static str] = &["domain", "takes mail", "catch-all"];

    fn row(&self) -> Vec<String> {
        vec![self.name.clone(), yes(self.verified), or_dash(self.catch_all.as_deref())]
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.to_string()),
            ("domain", self.name.clone()),
            ("takes mail", yes(self.verified)),
            ("catch-all", or_dash(self.catch_all.as_deref())),
            ("created", self.created_at.to_rfc3339()),
        ]
    }
}

impl View for Mailbox {
    const COLUMNS: &'static [&'static str] = &["mailbox", "verified", "paused", "encrypted"];

    fn row(&self) -> Vec<String> {
        let encrypted = self.pgp_fingerprint.is_some();
        vec![self.address.clone(), yes(self.verified), yes(self.paused), yes(encrypted)]
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.to_string()),
            ("mailbox", self.address.clone()),
            ("verified", yes(self.verified)),
            ("paused", yes(self.paused)),
            ("encrypted to", or_dash(self.pgp_fingerprint.as_deref())),
            ("created", self.created_at.to_rfc3339()),
        ]
    }
}

impl View for Alias {
    const COLUMNS: &'static [&'static str] =
        &["alias", "enabled", "mailboxes", "forwarded", "replied", "blocked", "note"];

    fn row(&self) -> Vec<String> {
        vec![
            self.address.clone(),
            yes(self.enabled),
            mailboxes(self),
            self.forwarded.to_string(),
            self.replied.to_string(),
            self.blocked.to_string(),
            self.note.clone().unwrap_or_default(),
        ]
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.to_string()),
            ("alias", self.address.clone()),
            ("enabled", yes(self.enabled)),
            ("mailboxes", mailboxes(self)),
            ("name", or_dash(self.name.as_deref())),
            ("note", or_dash(self.note.as_deref())),
            ("pinned", yes(self.pinned)),
            ("mode", mode(self.mode).to_owned()),
            ("expires", or_dash(self.expires_at.map(Timestamp::to_rfc3339).as_deref())),
            ("forwarded", self.forwarded.to_string()),
            ("replied", self.replied.to_string()),
            ("blocked", self.blocked.to_string()),
            ("created", self.created_at.to_rfc3339()),
        ]
    }
}

fn mailboxes(alias: &Alias) -> String {
    alias.mailboxes.iter().map(|mailbox| mailbox.address.as_str()).collect::<Vec<_>>().join(", ")
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Reverse => "reverse",
        Mode::Preserve => "preserve",
    }
}

impl View for Contact {
    const COLUMNS: &'static [&'static str] = &["contact", "name", "reverse alias", "blocked"];

    fn row(&self) -> Vec<String> {
        vec![
            self.address.clone(),
            or_dash(self.name.as_deref()),
            self.reverse_alias.clone(),
            yes(self.blocked),
        ]
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.to_string()),
            ("contact", self.address.clone()),
            ("name", or_dash(self.name.as_deref())),
            ("reverse alias", self.reverse_alias.clone()),
            ("blocked", yes(self.blocked)),
            ("created", self.created_at.to_rfc3339()),
        ]
    }
}

impl View for Key {
    const COLUMNS: &'static [&'static str] = &["address", "of", "fingerprint", "origin", "expires"];

    fn row(&self) -> Vec<String> {
        vec![
            self.address.clone(),
            holder(self).to_owned(),
            self.fingerprint.to_string(),
            origin(self).to_owned(),
            or_dash(self.expires_at.map(Timestamp::to_rfc3339).as_deref()),
        ]
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let mut details = vec![
            ("id", self.id.to_string()),
            ("address", self.address.clone()),
            ("of", holder(self).to_owned()),
            ("fingerprint", self.fingerprint.to_string()),
            ("origin", origin(self).to_owned()),
            ("expires", or_dash(self.expires_at.map(Timestamp::to_rfc3339).as_deref())),
            ("created", self.created_at.to_rfc3339()),
        ];
        details.extend(self.mutual.map(|mutual| ("wants encryption", yes(mutual))));
        details
    }
}

fn holder(key: &Key) -> &'static str {
    match key.holder {
        Holder::Mailbox => "mailbox",
        Holder::Alias => "alias",
        Holder::Contact => "contact",
    }
}

fn origin(key: &Key) -> &'static str {
    match key.origin {
        KeyOrigin::Imported => "imported",
        KeyOrigin::Wkd => "wkd",
        KeyOrigin::Autocrypt => "autocrypt",
    }
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn or_dash(value: Option<&str>) -> String {
    value.unwrap_or("-").to_owned()
}

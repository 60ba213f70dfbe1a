//! Accounts.

use super::{Answer, bounds, conflict, invalid, not_found};
use crate::admin::records::{Account, AccountChange, Page};
use crate::mail::Timestamp;
use crate::relay::alias::{AccountId, NameFormat, Refusal};
use crate::store::Store;
use crate::store::changes::Change;
use crate::store::contract::Fault;
use crate::store::engine::{Inserted, Transaction, values};
use crate::store::rows::{AccountRow, TextRow, Word};
use crate::store::statements;

/// The account that is there from the start.
const DEFAULT: &str = "default";
/// Longest name, in characters; the column has no more.
const LONGEST_NAME: usize = 64;

pub(super) fn check_name(name: &str) -> Answer<()> {
    let problem = if name.is_empty() {
        "an account needs a name"
    } else if name.chars().count() > LONGEST_NAME {
        "a name has at most 64 characters"
    } else if name.trim() != name || name.chars().any(char::is_control) {
        "a name has no white space at its ends and no control characters"
    } else {
        return Ok(());
    };
    Err(invalid("name", problem))
}

pub(super) async fn add(tx: &mut Transaction, name: &str, now: Timestamp) -> Result<Account, Fault> {
    let (format, refusal) = (NameFormat::default(), Refusal::default());
    let values = values![name, format.word(), refusal.word(), false, now.as_millis()];
    match tx.insert(&statements::INSERT_ACCOUNT, values).await? {
        Inserted::Duplicate => Err(conflict("account", name, "exists already").into()),
        Inserted::Row(id) => Ok(Account {
            id: AccountId(id),
            name: name.to_owned(),
            name_format: format,
            refusal,
            opaque_reverse_aliases: false,
            created_at: now,
        }),
    }
}

pub(super) async fn list(store: &Store, page: &Page) -> Answer<Vec<Account>> {
    let (after, limit) = bounds(page);
    let rows: Vec<AccountRow> = store.engine().all(&statements::LIST_ACCOUNTS, values![after, limit]).await?;
    Ok(rows.into_iter().map(Account::try_from).collect::<Result<_, _>>()?)
}

pub(super) async fn show(store: &Store, name: &str) -> Answer<Account> {
    let row: Option<AccountRow> = store.engine().one(&statements::ACCOUNT_BY_NAME, values![name]).await?;
    Ok(Account::try_from(row.ok_or_else(|| not_found("account", name))?)?)
}

pub(super) async fn set(tx: &mut Transaction, name: &str, change: &AccountChange) -> Result<Account, Fault> {
    let mut account = lock(tx, name).await?;
    account.name_format = change.name_format.unwrap_or(account.name_format);
    account.refusal = change.refusal.unwrap_or(account.refusal);
    account.opaque_reverse_aliases = change.opaque_reverse_aliases.unwrap_or(account.opaque_reverse_aliases);
    let values = values![
        account.name_format.word(),
        account.refusal.word(),
        account.opaque_reverse_aliases,
        account.id.0
    ];
    tx.execute(&statements::UPDATE_ACCOUNT, values).await?;
    tx.changed(Change::Account(account.id));
    Ok(account)
}

pub(super) async fn remove(tx: &mut Transaction, name: &str) -> Result<(), Fault> {
    if name == DEFAULT {
        return Err(conflict("account", name, "is always there and cannot be removed").into());
    }
    let account = lock(tx, name).await?;
    for (what, sql) in [
        ("alias", statements::ACCOUNT_OWNS_ALIAS),
        ("domain", statements::ACCOUNT_OWNS_DOMAIN),
        ("mailbox", statements::ACCOUNT_OWNS_MAILBOX),
    ] {
        let owned: Option<TextRow> = tx.one(&sql, values![account.id.0]).await?;
        if let Some(row) = owned {
            let why = format!("still owns the {what} {}; remove what it owns first", row.text);
            return Err(conflict("account", name, why).into());
        }
    }
    // Those of contacts are left.
    tx.execute(&statements::DELETE_CERTIFICATES_OF_ACCOUNT, values![account.id.0]).await?;
    tx.execute(&statements::DELETE_ACCOUNT, values![account.id.0]).await?;
    tx.changed(Change::Account(account.id));
    Ok(())
}

async fn lock(tx: &mut Transaction, name: &str) -> Result<Account, Fault> {
    let row: Option<AccountRow> = tx.one(&statements::LOCK_ACCOUNT_BY_NAME, values![name]).await?;
    let row = row.ok_or_else(|| Fault::from(not_found("account", name)))?;
    Account::try_from(row).map_err(Fault::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["default", "Jane Doe", &"ü".repeat(64)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", &"ü".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}

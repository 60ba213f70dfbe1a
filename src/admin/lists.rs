//! Walking a list to its end, a page at a time, so that a list of millions never lies in memory.

use super::RegistryError;
use super::records::{Account, Alias, Contact, Domain, Key, Mailbox, Page};

/// Rows of a page when the whole list is wanted.
pub const PAGE: u32 = 500;

/// A row that pages are counted by.
pub trait Numbered {
    /// Its row's id: lists are in the order of it.
    fn number(&self) -> i64;
}

macro_rules! numbered {
    ($($record:ty),*) => {
        $(impl Numbered for $record {
            fn number(&self) -> i64 {
                self.id.0
            }
        })*
    };
}

numbered!(Account, Domain, Mailbox, Alias, Contact, Key);

/// Fetches page after page and hands each to `take`, until one is not full.
///
/// # Errors
/// The first error of either.
pub async fn each_page<T: Numbered, E: From<RegistryError>>(
    fetch: impl AsyncFn(&Page) -> Result<Vec<T>, RegistryError>,
    mut take: impl FnMut(Vec<T>) -> Result<(), E>,
) -> Result<(), E> {
    let mut page = Page { limit: PAGE, after: None };
    loop {
        let rows = fetch(&page).await?;
        let is_full = rows.len() >= PAGE as usize;
        let last = rows.last().map(Numbered::number);
        // A page that does not move on would be asked for again and again.
        let moves_on = last > page.after;
        if !rows.is_empty() {
            take(rows)?;
        }
        if !is_full || !moves_on {
            return Ok(());
        }
        page.after = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(i64);

    impl Numbered for Row {
        fn number(&self) -> i64 {
            self.0
        }
    }

    async fn walk(rows: i64) -> Vec<usize> {
        let mut pages = Vec::new();
        let fetch = async |page: &Page| {
            let start = page.after.unwrap_or(0) + 1;
            Ok((start..=rows).take(page.limit as usize).map(Row).collect())
        };
        let take = |rows: Vec<Row>| {
            pages.push(rows.len());
            Ok::<_, RegistryError>(())
        };
        each_page(fetch, take).await.unwrap();
        pages
    }

    #[tokio::test]
    async fn a_list_is_walked_to_its_end() {
        assert_eq!(walk(0).await, [] as [usize; 0]);
        assert_eq!(walk(3).await, [3]);
        assert_eq!(walk(500).await, [500]);
        assert_eq!(walk(1201).await, [500, 500, 201]);
    }

    #[tokio::test]
    async fn an_error_ends_the_walk() {
        let fetch = async |_: &Page| Err::<Vec<Row>, _>(RegistryError::Unavailable("gone".into()));
        let walked = each_page(fetch, |_| Ok::<_, RegistryError>(())).await;
        assert_eq!(walked, Err(RegistryError::Unavailable("gone".into())));
    }
}

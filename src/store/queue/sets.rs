//! Statements for sets of ids, and for rows that are inserted together.

use super::super::contract::Fault;
use super::super::engine::{Record, Transaction, Value};
use super::super::statements::{MANY, RowsSql, SetSql, Sql};

/// All rows that the statement gives for these ids; `first` are its other parameters, which come first.
pub(super) async fn all<T: Record>(
    tx: &mut Transaction,
    set: &SetSql,
    first: &[Value<'_>],
    ids: &[i64],
) -> Result<Vec<T>, Fault> {
    let mut rows = Vec::new();
    for batch in ids.chunks(MANY) {
        let (sql, values) = with_ids(set, first, batch);
        rows.append(&mut tx.all(sql, &values).await?);
    }
    Ok(rows)
}

/// Runs the statement for these ids; gives how many rows it changed. No id may be there twice.
pub(super) async fn change(
    tx: &mut Transaction,
    set: &SetSql,
    first: &[Value<'_>],
    ids: &[i64],
) -> Result<u64, Fault> {
    let mut changed = 0;
    for batch in ids.chunks(MANY) {
        let (sql, values) = with_ids(set, first, batch);
        changed += tx.change(sql, &values).await?;
    }
    Ok(changed)
}

/// Inserts rows, in their order; gives the id of the only one.
pub(super) async fn insert<'r, R, const PLACES: usize>(
    tx: &mut Transaction,
    set: &RowsSql,
    rows: &'r [R],
    values: impl Fn(&'r R) -> [Value<'r>; PLACES],
) -> Result<i64, Fault> {
    let (mut rest, mut id) = (rows, 0);
    while !rest.is_empty() {
        let (sql, count) = set.for_rows(rest.len());
        let (now, later) = rest.split_at(count.min(rest.len()));
        let values: Vec<_> = now.iter().flat_map(&values).collect();
        id = tx.execute(sql, &values).await?;
        rest = later;
    }
    Ok(id)
}

/// A statement for these ids.
fn with_ids<'a, 's>(set: &'s SetSql, first: &[Value<'a>], ids: &[i64]) -> (&'s Sql, Vec<Value<'a>>) {
    let (sql, places) = set.for_keys(ids.len());
    let ids = filled(ids, places).map(|id| Value::from(*id));
    (sql, first.iter().copied().chain(ids).collect())
}

/// As many keys as there are places: the last is repeated.
pub(super) fn filled<T>(keys: &[T], places: usize) -> impl Iterator<Item = &T> {
    let missing = places.saturating_sub(keys.len());
    let padding = keys.last().into_iter().flat_map(move |last| std::iter::repeat_n(last, missing));
    keys.iter().chain(padding)
}

#[cfg(test)]
mod tests {
    use super::super::statements;
    use super::*;

    #[test]
    fn ids_fill_all_places() {
        for (count, places) in [(1, 4), (4, 4), (5, 50), (50, 50)] {
            let ids: Vec<i64> = (1..=count).collect();
            let (sql, values) = with_ids(&statements::RENEW, &[7.into(), 8.into()], &ids);
            assert_eq!(values.len(), places + 2);
            assert_eq!(sql.mysql.matches('?').count(), values.len());
            assert!(matches!(values.last(), Some(Value::Int(Some(last))) if *last == count));
        }
    }
}

//! The search over tables: those of the registry hold addresses by right, all others must hold no secret.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, Row, SqliteConnection};

use super::files::{self, Class, Report};
use super::secrets::Secrets;

/// Where addresses stand in clear.
const REGISTRY: &str = "'accounts', 'mailboxes', 'domains', 'aliases', 'alias_mailboxes', 'contacts', 'changes', 'openpgp_certs'";

/// All rows of one table, or of one column of it, without what is null.
struct Rows {
    place: String,
    values: Vec<Vec<u8>>,
}

/// Every SQLite file below a folder.
///
/// # Panics
/// When there is none.
pub fn search_sqlite(root: &Path, secrets: &Secrets, report: &mut Report) {
    let files = files::all_files(root);
    let databases = files.iter().filter(|file| file.ends_with("aliasd.db"));
    for file in databases {
        let place = file.strip_prefix(root).unwrap_or(file).display().to_string();
        run(async {
            for column in sqlite_columns(file, &place).await? {
                search_rows(&column, secrets, report);
            }
            Ok(())
        });
    }
    report.must_have_searched(&[Class::Rows]);
}

/// Every schema of the daemons on this server.
///
/// # Panics
/// When there is none.
pub fn search_mariadb(server: &str, secrets: &Secrets, report: &mut Report) {
    let mut count = 0;
    run(async {
        let mut connection = MySqlConnection::connect(server).await?;
        let tables = format!(
            "SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), \
                 CAST(GROUP_CONCAT(CONCAT('CAST(`', column_name, '` AS BINARY)')) AS CHAR) \
             FROM information_schema.columns \
             WHERE table_schema LIKE 'aliasd\\_relay\\_%' AND table_name NOT IN ({REGISTRY}) \
             GROUP BY table_schema, table_name"
        );
        for row in sqlx::query(AssertSqlSafe(tables)).fetch_all(&mut connection).await? {
            let [schema, table, columns] = [row.get::<String, _>(0), row.get(1), row.get(2)];
            let select = format!("SELECT CONCAT_WS(0x0a, {columns}) FROM `{schema}`.`{table}`");
            let values = sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(&mut connection).await?;
            search_rows(&Rows { place: format!("{schema}.{table}"), values }, secrets, report);
            count += 1;
        }
        connection.close().await
    });
    assert!(count > 0, "no schema of a daemon on the server");
}

/// Of a copy: to look into a database is to change its files.
async fn sqlite_columns(file: &Path, place: &str) -> Result<Vec<Rows>, sqlx::Error> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("aliasd.db");
    for end in ["", "-wal"] {
        let name = format!("{}{end}", file.display());
        if Path::new(&name).exists() {
            std::fs::copy(&name, format!("{}{end}", copy.display()))?;
        }
    }
    let mut connection = hasty(&copy).await?;
    let tables = format!(
        "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns \
         WHERE tables.type = 'table' AND tables.name NOT IN ({REGISTRY})"
    );
    let mut columns = Vec::new();
    for row in sqlx::query(AssertSqlSafe(tables)).fetch_all(&mut connection).await? {
        let [table, column] = [row.get::<String, _>(0), row.get(1)];
        let select =
            format!("SELECT CAST(\"{column}\" AS BLOB) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
        let values = sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(&mut connection).await?;
        columns.push(Rows { place: format!("{place}: {table}.{column}"), values });
    }
    connection.close().await?;
    Ok(columns)
}

/// Does not wait for the disk: what it opens is thrown away.
async fn hasty(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
        .connect()
        .await
}

fn search_rows(rows: &Rows, secrets: &Secrets, report: &mut Report) {
    report.search(&rows.place, Class::Rows, &rows.values.join(&b'\n'), b"", secrets);
}

fn run(search: impl Future<Output = Result<(), sqlx::Error>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(search).expect("a database that can be read");
}

/// An address may stand in a table of the registry and in no other, whatever that is called.
#[test]
fn an_address_in_another_table_is_found() {
    let secrets = Secrets::of([(b"jane@example.org".to_vec(), super::secrets::Kind::Address)].into());
    for (table, found) in [("contacts", false), ("queue_deliveries", true), ("of_a_later_version", true)] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("aliasd.db");
        run(async {
            let mut connection = hasty(&file).await?;
            let statements = format!(
                "CREATE TABLE harmless (a TEXT); INSERT INTO harmless VALUES ('a');
                 CREATE TABLE {table} (a INTEGER, b BLOB); INSERT INTO {table} VALUES (1, 'x<Jane@example.org>')"
            );
            sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
            let mut report = Report::default();
            let columns = sqlite_columns(&file, "it").await?;
            columns.iter().for_each(|column| search_rows(column, &secrets, &mut report));
            let outcome = std::panic::catch_unwind(|| report.must_be_clean());
            assert_eq!(outcome.is_err(), found, "{table}");
            connection.close().await
        });
    }
}

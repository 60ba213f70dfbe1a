//! The search at the end of `./test`, over all files that the suite left behind (`ALIASD_TEST_LEFTOVERS`, written by
//! `tests/support/leftovers.rs`): no log and no error at default settings names an address of a mailbox or contact, and
//! neither these nor a database shows a subject or a line of a letter, as it was or in an encoding.
//!
//! What is a secret comes from what the tests sent, so the daemon's own words are none. Addresses stand in the tables of
//! the registry by right; in all other tables, those of the queue among them, they must not, nor may there be any other file.
//!
//! The search itself is in `after_the_suite`, which `cargo test` ignores; the rest here are tests of the search.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod files;
mod matcher;
mod rows;
mod secrets;
mod views;

use std::path::PathBuf;

use files::{Class, Report};
use secrets::Secrets;

/// The folder of what is left.
fn root() -> PathBuf {
    std::env::var_os("ALIASD_TEST_LEFTOVERS")
        .map(PathBuf::from)
        .expect("ALIASD_TEST_LEFTOVERS names a folder")
}

mod after_the_suite {
    use super::{Class, Report, Secrets, files, root, rows};

    /// While MariaDB still runs.
    #[test]
    #[ignore = "searches what a run of ./test leaves"]
    fn no_table_but_the_registry_names_anyone() {
        let secrets = Secrets::gather(&root());
        let mut report = Report::default();
        rows::search_sqlite(&root(), &secrets, &mut report);
        if let Ok(server) = std::env::var("ALIASD_TEST_MYSQL_URL") {
            rows::search_mariadb(&server, &secrets, &mut report);
        }
        println!("{secrets}\n{report}");
        report.must_be_clean();
        report.must_have_searched(&[Class::Rows]);
    }

    /// After MariaDB has written everything and ended.
    #[test]
    #[ignore = "searches what a run of ./test leaves"]
    fn no_file_shows_a_letter_and_no_log_an_address() {
        let secrets = Secrets::gather(&root());
        files::try_search(&root(), &secrets);
        let report = files::search(&root(), &secrets);
        println!("{secrets}\n{report}");
        report.must_be_clean();
        report.must_have_searched(&[Class::Log, Class::Sqlite, Class::MariaDb]);
    }
}

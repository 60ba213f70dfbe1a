//! The shape of the URLs in the settings: enough to find a slip when it is made. What uses a URL takes it apart.
//! No text of a URL gets into an error: a password may stand in it.

use std::path::PathBuf;

use secrecy::SecretString;

use super::settings::Database;

const DATABASE: &str = "\"sqlite:FILE\" or \"mysql://USER:PASSWORD@HOST:3306/NAME\"";

/// Reads `sqlite:FILE`, `sqlite:///FILE` or `mysql://…`.
///
/// # Errors
/// What was found and what was expected.
pub(super) fn database(text: &str) -> Result<Database, String> {
    match text.split_once(':') {
        Some(("sqlite", rest)) => sqlite_file(rest).map(Database::Sqlite),
        Some(("mysql" | "mariadb", rest)) => {
            check_mysql(rest)?;
            Ok(Database::MySql(SecretString::from(text)))
        }
        Some((scheme, _)) if is_scheme(scheme) => {
            Err(format!("found a URL that starts with \"{scheme}:\", expected {DATABASE}"))
        }
        _ => Err(format!("found a string that is no URL, expected {DATABASE}")),
    }
}

fn sqlite_file(rest: &str) -> Result<PathBuf, String> {
    let file = rest.strip_prefix("//").unwrap_or(rest);
    if file.is_empty() {
        return Err(
            "found no file after \"sqlite:\", expected such as \"sqlite:aliasd-data/aliasd.db\"".into()
        );
    }
    if file == ":memory:" {
        return Err("found a database in memory, which forgets everything; expected \"sqlite:FILE\"".into());
    }
    if file.contains('?') {
        return Err("found options after a \"?\", which are not taken; expected \"sqlite:FILE\"".into());
    }
    Ok(file.into())
}

/// `//[user[:password]@]host[:port]/name[?options]`
fn check_mysql(rest: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("found a URL {what}, expected {DATABASE}"));
    let Some(rest) = rest.strip_prefix("//") else { return wrong("without \"//\"") };
    let (server, name) = rest.split_once('/').unwrap_or((rest, ""));
    if has_no_host(server) {
        return wrong("without a host");
    }
    if name.split('?').next().unwrap_or_default().is_empty() {
        return wrong("without the name of a database");
    }
    Ok(())
}

/// Whether nothing stands between the login and the port.
fn has_no_host(server: &str) -> bool {
    let host = server.rsplit('@').next().unwrap_or_default();
    host.is_empty() || host.starts_with(':') || host.starts_with('/')
}

/// Only what cannot be a password is repeated to people.
fn is_scheme(text: &str) -> bool {
    let known =
        ["postgres", "postgresql", "sqlite3", "file", "http", "https", "tcp", "unix", "lmtp", "redis"];
    known.contains(&text)
}

/// The URL with its password replaced.
pub(super) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    match rest.rsplit_once('@') {
        Some((login, server)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:(hidden)@{server}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_files_are_relative_or_absolute() {
        for (url, file) in [
            ("sqlite:aliasd-data/aliasd.db", "aliasd-data/aliasd.db"),
            ("sqlite:/var/lib/aliasd/aliasd.db", "/var/lib/aliasd/aliasd.db"),
            ("sqlite:///var/lib/aliasd/aliasd.db", "/var/lib/aliasd/aliasd.db"),
            ("sqlite://aliasd.db", "aliasd.db"),
        ] {
            match database(url) {
                Ok(Database::Sqlite(path)) => assert_eq!(path, PathBuf::from(file), "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
    }

    #[test]
    fn broken_urls_say_what_is_missing_and_never_a_password() {
        for (url, part) in [
            ("mysql:aliasd", "without \"//\""),
            ("mysql://user:tops3cret@/aliasd", "without a host"),
            ("mysql://user:tops3cret@db.example.com", "without the name"),
            ("tops3cret://x", "no URL"),
            ("postgres://x:tops3cret@y/z", "starts with \"postgres:\""),
        ] {
            let problem = database(url).unwrap_err();
            assert!(problem.contains(part), "{url}: {problem}");
            assert!(!problem.contains("tops3cret"), "{problem}");
        }
    }

    #[test]
    fn a_password_is_hidden_also_when_an_at_sign_is_in_it() {
        assert_eq!(
            without_password("mysql://me:a@b@db.example.com/x"),
            "mysql://me:(hidden)@db.example.com/x"
        );
        assert_eq!(without_password("smtp://127.0.0.1:25"), "smtp://127.0.0.1:25");
        assert_eq!(without_password("sqlite:a.db"), "sqlite:a.db");
    }
}

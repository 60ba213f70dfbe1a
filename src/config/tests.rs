use std::fs;
use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::smtp::BareNewline;
use crate::telemetry::LogFormat;

fn machine() -> Environment {
    Environment::default().on_machine("mx.example.com")
}

fn variables(list: &[(&str, &str)]) -> Environment {
    Environment::new(list.iter().copied()).on_machine("mx.example.com")
}

fn settings(text: &str, environment: &Environment) -> Settings {
    from_text("aliasd.toml", text, environment).unwrap().settings
}

fn errors(text: &str, environment: &Environment) -> String {
    from_text("aliasd.toml", text, environment).unwrap_err().to_string()
}

fn sqlite(settings: &Settings) -> &Path {
    match &settings.database {
        Database::Sqlite(path) => path,
        Database::MySql(_) => panic!("not SQLite"),
    }
}

#[test]
fn every_default_can_be_read_and_means_itself() {
    let defaults = settings("", &machine());
    assert_eq!(defaults.hostname.as_str(), "mx.example.com");
    assert_eq!(defaults.data_dir, Path::new("aliasd-data"));
    assert_eq!(sqlite(&defaults), Path::new("aliasd-data/aliasd.db"));
    assert_eq!(defaults.master_key, Path::new("aliasd-data/master.key"));
    assert_eq!(defaults.smtp.listen, ["127.0.0.1:2525".parse().unwrap()]);
    assert_eq!(defaults.smtp.max_message_size, 50 * 1024 * 1024);
    assert_eq!(defaults.smtp.max_recipients, 100);
    assert_eq!(defaults.smtp.max_connections, 10_000);
    assert_eq!(defaults.smtp.max_connections_per_ip, 50);
    assert_eq!(defaults.smtp.bare_newline, BareNewline::Reject);
    assert_eq!(defaults.smtp.postmaster, None);
    assert_eq!(defaults.api_listen, Some("127.0.0.1:8025".parse().unwrap()));
    assert_eq!(defaults.delivery.direct_timeout, Duration::from_secs(20));
    assert!(defaults.delivery.smarthost.is_none());
    assert_eq!(defaults.delivery.max_memory, 256 * 1024 * 1024);
    assert!(defaults.dns_servers.is_empty() && defaults.trusted_networks.is_empty());
    assert_eq!(defaults.telemetry.log, "info");
    assert_eq!(defaults.telemetry.log_format, LogFormat::Text);
    assert!(defaults.telemetry.redact);
}

#[test]
fn every_key_has_an_explanation_a_section_and_one_place() {
    let mut seen = std::collections::BTreeSet::new();
    for section in table::SECTIONS {
        for key in section.keys {
            let spec = key.spec();
            assert!(seen.insert(spec.path), "{} twice", spec.path);
            assert!(!spec.doc.is_empty(), "{}", spec.path);
            let expected = spec.path.rsplit_once('.').map_or("", |(section, _)| section);
            assert_eq!(expected, section.name, "{}", spec.path);
        }
    }
}

#[test]
fn sizes_times_networks_and_addresses_are_read() {
    let text = r#"
        [smtp]
        listen = ["[::]:25", "192.0.2.1:25"]
        max_message_size = 1048576
        bare_newline = "normalize"
        postmaster = "Jane@example.net"
        [delivery]
        direct_timeout = "1m 30s"
        smarthost = "SMTP://user:pw@127.0.0.1:2526"
        max_memory = "1.5GiB"
        [dns]
        servers = ["127.0.0.1:5353", "::1"]
        [authentication]
        trusted_networks = ["192.0.2.7/24", "2001:db8::1"]
        [telemetry]
        log = "warn,aliasd::smtp=trace"
    "#;
    let read = settings(text, &machine());
    assert_eq!(read.smtp.listen, ["[::]:25".parse().unwrap(), "192.0.2.1:25".parse().unwrap()]);
    assert_eq!(read.smtp.max_message_size, 1024 * 1024);
    assert_eq!(read.smtp.bare_newline, BareNewline::Normalize);
    assert_eq!(read.smtp.postmaster.unwrap().as_normal(), "jane@example.net");
    assert_eq!(read.delivery.direct_timeout, Duration::from_secs(90));
    assert_eq!(read.delivery.smarthost.unwrap().to_string(), "smtp://user@127.0.0.1:2526");
    assert_eq!(read.delivery.max_memory, 3 * 512 * 1024 * 1024);
    assert_eq!(read.dns_servers, ["127.0.0.1:5353".parse().unwrap(), "[::1]:53".parse().unwrap()]);
    assert_eq!(read.trusted_networks, ["192.0.2.0/24".parse().unwrap(), "2001:db8::1/128".parse().unwrap()]);
}

#[test]
fn http_can_be_switched_off() {
    assert_eq!(settings("api.listen = \"\"", &machine()).api_listen, None);
    let port = settings("api.listen = \"[::1]:80\"", &machine()).api_listen;
    assert_eq!(port, Some("[::1]:80".parse().unwrap()));
}

#[test]
fn the_environment_overrides_the_file() {
    let environment = variables(&[
        ("ALIASD_HOSTNAME", "mx1.example.com"),
        ("ALIASD_PORT", "tcp://10.0.0.1:25"),
        ("ALIASD_PORT_25_TCP_ADDR", "10.0.0.1"),
        ("ALIASD_SERVICE_HOST", "10.0.0.1"),
        ("ALIASD_SERVICE_PORT_SMTP", "25"),
        ("ALIASD_SMTP__LISTEN", "[\"[::1]:25\"]"),
        ("ALIASD_SMTP__MAX_RECIPIENTS", "7"),
        ("ALIASD_SMTP__MAX_MESSAGE_SIZE", "25MiB"),
        ("ALIASD_TELEMETRY__REDACT", "false"),
        ("ALIASD_TELEMETRY__LOG", "\"debug\""),
        ("ALIASD_CONFIG", "not-a-key"),
        ("PATH", "/bin"),
    ]);
    let read = settings("hostname = \"a.example.com\"\nsmtp.max_recipients = 9\n", &environment);
    assert_eq!(read.hostname.as_str(), "mx1.example.com");
    assert_eq!(read.smtp.listen, ["[::1]:25".parse().unwrap()]);
    assert_eq!(read.smtp.max_recipients, 7);
    assert_eq!(read.smtp.max_message_size, 25 * 1024 * 1024);
    assert!(!read.telemetry.redact);
    assert_eq!(read.telemetry.log, "debug");
}

#[test]
fn a_later_feature_takes_its_default_in_any_spelling_and_nothing_else() {
    for fine in [
        "retention.activity = \"2160h\"",
        "limits.messages_per_alias = \"60/60s\"",
        "smtp.proxy_protocol_from = []",
        "cluster.redis_url = \"\"",
    ] {
        settings(fine, &machine());
    }
    for (later, value) in [
        ("retention.activity", "\"4d\""),
        ("limits.messages_per_alias", "\"0\""),
        ("smtp.tls.key", "\"key.pem\""),
        ("cluster.redis_url", "\"redis://:tops3cret@127.0.0.1\""),
    ] {
        let text = errors(&format!("{later} = {value}"), &machine());
        assert!(text.contains(later) && text.contains("not available yet"), "{text}");
        assert!(!text.contains("tops3cret"), "{text}");
    }
}

#[test]
fn the_database_and_the_key_lie_in_the_data_folder_unless_set() {
    let state = variables(&[("STATE_DIRECTORY", "/var/lib/aliasd:/var/lib/other")]);
    let read = settings("", &state);
    assert_eq!(read.data_dir, Path::new("/var/lib/aliasd"));
    assert_eq!(sqlite(&read), Path::new("/var/lib/aliasd/aliasd.db"));
    assert_eq!(read.master_key, Path::new("/var/lib/aliasd/master.key"));

    let read = settings("data_dir = \"/srv\"\ndatabase.url = \"sqlite:other.db\"\n", &state);
    assert_eq!(sqlite(&read), Path::new("other.db"));
    assert_eq!(read.master_key, Path::new("/srv/master.key"));

    let read = settings("", &variables(&[("ALIASD_DATA_DIR", "/data")]));
    assert_eq!(sqlite(&read), Path::new("/data/aliasd.db"));
}

#[test]
fn secrets_may_lie_in_files_and_in_the_credentials_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("database-url");
    fs::write(&file, "mysql://me:tops3cret@db.example.com/aliasd\n").unwrap();
    let credentials = variables(&[("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())]);
    let named = format!("database.url = {{ file = {:?} }}", file.to_str().unwrap());
    for (text, environment) in
        [(named.as_str(), &machine()), ("database.url = { file = \"database-url\" }", &credentials)]
    {
        let Database::MySql(url) = settings(text, environment).database else { panic!("{text}") };
        assert_eq!(url.expose_secret(), "mysql://me:tops3cret@db.example.com/aliasd");
    }
    let missing = errors("database.url = { file = \"no-such-file\" }", &credentials);
    assert!(missing.starts_with("aliasd.toml:1:16: database.url: cannot read"), "{missing}");

    fs::write(folder.path().join("master.key"), [7; 32]).unwrap();
    let read = settings("secrets.master_key = { file = \"master.key\" }", &credentials);
    assert_eq!(read.master_key, folder.path().join("master.key"));
}

#[test]
fn no_secret_is_shown() {
    let text = "database.url = \"mysql://me:tops3cret@db.example.com/aliasd\"\n\
                delivery.smarthost = \"smtps://me:tops3cret@mail.example.net\"\n";
    let loaded = from_text("aliasd.toml", text, &machine()).unwrap();
    let shown = loaded.show();
    assert!(
        shown.contains("url = \"mysql://me:(hidden)@db.example.com/aliasd\"  # aliasd.toml:1:16"),
        "{shown}"
    );
    assert!(
        shown.contains("smarthost = \"smtps://me:(hidden)@mail.example.net\"  # aliasd.toml:2:22"),
        "{shown}"
    );
    assert!(!shown.contains("tops3cret"));
    assert!(!format!("{:?}", loaded.settings).contains("tops3cret"));
    assert!(!format!("{loaded:?}").contains("tops3cret"));
}

#[test]
fn what_is_shown_names_the_sources_and_is_toml_with_the_same_meaning() {
    let environment = variables(&[("ALIASD_SMTP__MAX_RECIPIENTS", "7")]);
    let shown = from_text("aliasd.toml", "[telemetry]\nlog = \"debug\"\n", &environment).unwrap().show();
    for line in [
        "hostname = \"mx.example.com\"  # the machine's name",
        "data_dir = \"aliasd-data\"  # default",
        "master_key = { file = \"aliasd-data/master.key\" }  # default, in data_dir",
        "max_recipients = 7  # $ALIASD_SMTP__MAX_RECIPIENTS",
        "listen = [\"127.0.0.1:2525\"]  # default",
        "log = \"debug\"  # aliasd.toml:2:7",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    let again = settings(&shown, &Environment::default());
    assert_eq!(again.smtp.max_recipients, 7);
    assert_eq!(again.hostname.as_str(), "mx.example.com");
}

#[test]
fn a_machine_whose_name_is_unusable_is_told_to_set_one() {
    let text = errors("", &Environment::default().on_machine("my machine"));
    assert!(text.contains("hostname") && text.contains("set hostname"), "{text}");
    assert_eq!(settings("", &Environment::default()).hostname.as_str(), "localhost");
}

#[test]
fn errors_come_in_the_order_of_the_file_and_all_at_once() {
    let text = "[telemetry]\nredact = 1\n[smtp]\nlisten = []\nlisen = 1\n";
    let places: Vec<_> = from_text("f", text, &variables(&[("ALIASD_SMPT__LISTEN", "x")]))
        .unwrap_err()
        .iter()
        .map(|error| error.place.to_string())
        .collect();
    assert_eq!(places, ["f:2:10", "f:4:10", "f:5:1", "$ALIASD_SMPT__LISTEN"]);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = from_text("f", &text, &machine());
    }

    #[test]
    fn no_value_makes_it_panic(
        key in proptest::sample::select(known_keys().collect::<Vec<_>>()),
        value in r#"("[^"\\\n]{0,40}"|-?[0-9]{1,40}|\["[^"\\\n]{0,20}"\]|\{ file = "[a-z/]{0,8}" \}|true|1e9|2020-01-01)"#,
    ) {
        if let Err(errors) = from_text("f", &format!("{key} = {value}"), &machine()) {
            for error in errors.iter() {
                prop_assert!(!error.problem.is_empty());
                prop_assert!(error.to_string().len() < 1000);
            }
        }
    }

    #[test]
    fn no_variable_makes_it_panic(value in any::<String>(), name in "ALIASD_[A-Z_]{0,30}") {
        let _ = from_text("f", "", &variables(&[(&name, &value), ("ALIASD_SMTP__LISTEN", &value)]));
    }

    #[test]
    fn a_password_never_gets_into_an_error(scheme in "[a-z+]{0,8}:?/?/?", host in "[a-z@:/?]{0,8}") {
        for key in ["database.url", "delivery.smarthost", "cluster.redis_url"] {
            let text = format!("{key} = \"{scheme}user:tops3cret@{host}\"");
            if let Err(errors) = from_text("f", &text, &machine()) {
                prop_assert!(!errors.to_string().contains("tops3cret"), "{errors}");
            }
        }
    }
}

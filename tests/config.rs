//! The configuration as people meet it: the default file in the repository, the keys that are promised, and the exact
//! words of every kind of mistake.
//!
//! Each folder of `fixtures/config` holds a wrong `aliasd.toml` (or none), perhaps an `environment` (lines of
//! `NAME=VALUE`), and the `stderr.txt` that `aliasd config show` must give. `UPDATE_FIXTURES=1 cargo test --test config`
//! writes the latter anew: read what it wrote.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aliasd::config::{self, Environment, Settings};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// `aliasd` in this folder, with no environment but `variables`.
fn aliasd(folder: &Path, variables: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliasd"));
    command.current_dir(folder).env_clear().args(arguments);
    command.envs(variables.lines().filter_map(|line| line.split_once('=')));
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn default_file() -> String {
    fs::read_to_string(Path::new(ROOT).join("config/aliasd.toml")).unwrap()
}

/// The machine that the examples of the default file are written for.
fn machine() -> Environment {
    Environment::default().on_machine("mx.example.com")
}

fn settings(text: &str) -> Settings {
    config::from_text("aliasd.toml", text, &machine()).unwrap().settings
}

/// Takes the `#` from each line that is a key or a section and not a sentence.
fn with_everything_on(text: &str) -> String {
    let is_off = |rest: &str| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase());
    text.lines()
        .map(|line| line.strip_prefix('#').filter(|rest| is_off(rest)).unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_default_file_of_the_repository_is_the_one_that_the_command_prints() {
    let printed = aliasd(Path::new(ROOT), "", &["config", "default"]);
    assert!(printed.status.success());
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(Path::new(ROOT).join("config/aliasd.toml"), &printed.stdout).unwrap();
    }
    assert_eq!(default_file(), String::from_utf8(printed.stdout).unwrap());
}

#[test]
fn the_default_file_means_the_defaults_also_with_every_setting_on() {
    let defaults = format!("{:#?}", settings(""));
    assert_eq!(format!("{:#?}", settings(&default_file())), defaults);
    assert_eq!(format!("{:#?}", settings(&with_everything_on(&default_file()))), defaults);
}

#[test]
fn the_default_file_names_every_key() {
    let table: toml::Table = with_everything_on(&default_file()).parse().unwrap();
    for key in config::known_keys() {
        let step = |table: &toml::Value, name: &str| table.get(name).cloned();
        let found = key.split('.').try_fold(toml::Value::Table(table.clone()), |at, name| step(&at, name));
        assert!(found.is_some(), "{key}");
    }
}

#[test]
fn every_promised_key_is_known_and_no_other() {
    let promised = [
        "hostname",
        "data_dir",
        "database.url",
        "smtp.listen",
        "smtp.max_message_size",
        "smtp.max_recipients",
        "smtp.max_connections",
        "smtp.max_connections_per_ip",
        "smtp.bare_newline",
        "smtp.proxy_protocol_from",
        "smtp.postmaster",
        "smtp.tls.certificate",
        "smtp.tls.key",
        "submission.listen",
        "api.listen",
        "web.listen",
        "web.base_url",
        "delivery.mode",
        "delivery.direct_timeout",
        "delivery.smarthost",
        "delivery.retry",
        "delivery.max_age",
        "delivery.max_memory",
        "delivery.lease",
        "reply.opaque_parts",
        "reply.copies_to_other_mailboxes",
        "secrets.master_key",
        "dns.servers",
        "authentication.dmarc",
        "authentication.reply",
        "authentication.trusted_networks",
        "pgp.hide_subject",
        "pgp.wkd",
        "pgp.autocrypt",
        "limits.messages_per_alias",
        "limits.messages_per_ip",
        "limits.replies_per_account",
        "limits.new_contacts_per_alias",
        "limits.new_aliases_per_domain",
        "retention.activity",
        "telemetry.log",
        "telemetry.log_format",
        "telemetry.redact",
        "telemetry.otlp_endpoint",
        "cluster.redis_url",
    ];
    assert_eq!(config::known_keys().collect::<Vec<_>>(), promised);
}

#[test]
fn every_mistake_is_told_in_these_words() {
    let mut cases: Vec<PathBuf> = fs::read_dir(Path::new(ROOT).join("fixtures/config"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| differs(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs one case.
fn differs(case: &Path) -> Result<(), String> {
    let variables = fs::read_to_string(case.join("environment")).unwrap_or_default();
    let output = aliasd(case, &variables, &["--config", "aliasd.toml", "config", "show"]);
    let found = stderr(&output);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(case.join("stderr.txt"), &found).unwrap();
    }
    let expected = fs::read_to_string(case.join("stderr.txt")).unwrap_or_default();
    if output.status.code() != Some(78) || found != expected || found.is_empty() || !output.stdout.is_empty()
    {
        let name = case.file_name().unwrap_or_default().display();
        return Err(format!("{name}: {}\nexpected:\n{expected}found:\n{found}", output.status));
    }
    Ok(())
}

#[test]
fn the_file_is_found_by_option_then_variable_then_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, host: &str| {
        fs::write(folder.path().join(name), format!("hostname = \"{host}\"\n")).unwrap();
    };
    let shown = |variables: &str, arguments: &[&str]| {
        let output = aliasd(folder.path(), variables, &[arguments, &["config", "show"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    write("option.toml", "option.example.com");
    write("variable.toml", "variable.example.com");
    assert!(shown("", &[]).starts_with("# The settings in effect. No file was read.\n"));
    write("aliasd.toml", "place.example.com");
    for (variables, arguments, host) in [
        ("", &[][..], "place.example.com"),
        ("ALIASD_CONFIG=", &[], "place.example.com"),
        ("ALIASD_CONFIG=variable.toml", &[], "variable.example.com"),
        ("ALIASD_CONFIG=variable.toml", &["--config", "option.toml"], "option.example.com"),
    ] {
        let text = shown(variables, arguments);
        assert!(text.contains(&format!("hostname = \"{host}\"")), "{text}");
    }
    let missing = aliasd(folder.path(), "ALIASD_CONFIG=missing.toml", &["config", "show"]);
    assert_eq!(missing.status.code(), Some(78));
    assert!(stderr(&missing).starts_with("aliasd: missing.toml: cannot read"), "{}", stderr(&missing));
}

#[test]
fn the_shell_is_told_of_bad_usage_and_of_help() {
    let here = Path::new(ROOT);
    assert_eq!(aliasd(here, "", &["frobnicate"]).status.code(), Some(64));
    assert_eq!(aliasd(here, "", &["config", "default", "--json"]).status.code(), Some(64));
    assert_eq!(aliasd(here, "", &["--help"]).status.code(), Some(0));
    assert_eq!(aliasd(here, "", &["--version"]).status.code(), Some(0));
    let script = aliasd(here, "", &["completions", "bash"]);
    assert!(script.status.success() && String::from_utf8_lossy(&script.stdout).contains("_aliasd"));
}

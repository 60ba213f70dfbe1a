//! Starting, stopping, and how a command ends when something is wrong.

use crate::support::daemon::Installation;
use crate::support::database::Engine;
use crate::support::free_address;
use crate::support::sink::{Script, Sink};

const ALIAS: &str = "shop@example.com";
const MAILBOX: &str = "inbox-7f3k@example.net";

/// An installation whose next hop does not matter.
fn installation() -> Installation {
    Installation::unmigrated(Engine::Sqlite, free_address())
}

#[test]
fn serve_makes_its_database_and_ends_in_its_order() {
    let aliasd = installation();
    let daemon = aliasd.serve();
    assert_eq!(daemon.greet().command("NOOP").code, 250);
    daemon.stop();
}

#[test]
fn serve_ends_in_its_order_with_a_session_open() {
    let daemon = installation().serve();
    let mut client = daemon.greet();
    assert_eq!(client.command("MAIL FROM:<jane@example.org>").code, 250);
    daemon.stop();
}

#[test]
fn commands_make_the_database_and_work_while_the_daemon_runs() {
    let aliasd = installation();
    aliasd.run(&["domain", "add", "example.com"]).succeeded();
    let daemon = aliasd.serve();
    aliasd.run(&["mailbox", "add", MAILBOX]).succeeded();
    let alias = aliasd.ask(&["alias", "add", ALIAS, "--mailbox", MAILBOX, "--name", "Shop"]);
    assert_eq!(alias["address"], ALIAS);
    assert_eq!(alias["enabled"], true);
    assert_eq!(alias["name"], "Shop");
    assert_eq!(alias["mailboxes"][0]["address"], MAILBOX);
    let listed = aliasd.ask(&["alias", "list"]);
    assert_eq!(listed["items"][0]["id"], alias["id"]);
    let mut client = daemon.greet();
    crate::support::eventually("the daemon sees the alias", || {
        (client.envelope("jane@example.org", ALIAS).code == 250).then_some(())
    });
    drop(client);
    daemon.stop();
}

#[test]
fn config_show_tells_what_is_in_effect() {
    let aliasd = installation();
    let shown = aliasd.run_with(&["config", "show"], &[("ALIASD_SMTP__MAX_RECIPIENTS", "7")]).succeeded();
    assert!(shown.contains("\"mx.example.com\""), "the file counts:\n{shown}");
    assert!(shown.contains("max_recipients = 7"), "the environment counts more:\n{shown}");
    let hidden = [("ALIASD_DATABASE__URL", "mysql://aliasd:hunter2@127.0.0.1:3306/aliasd")];
    let shown = aliasd.run_with(&["config", "show"], &hidden).succeeded();
    assert!(!shown.contains("hunter2"), "a secret shows:\n{shown}");
}

#[test]
fn a_wrong_command_line_is_64() {
    let aliasd = installation();
    for arguments in [&["nonsense"][..], &["alias", "add"], &["serve", "--nonsense"], &[]] {
        aliasd.run(arguments).ended_with(64);
    }
}

#[test]
fn a_wrong_configuration_is_78_and_says_where() {
    let aliasd = installation();
    aliasd.run_with(&["config", "show"], &[("ALIASD_SMTP__MAX_RECIPIENTS", "many")]).ended_with(78);
    let file = aliasd.config_file();
    let text = std::fs::read_to_string(&file).expect("our configuration");
    std::fs::write(&file, text.replace("postmaster =", "postmastre =")).expect("our configuration");
    let wrong = aliasd.run(&["serve"]).ended_with(78).stderr;
    for part in ["aliasd.toml", "postmastre", "postmaster"] {
        assert!(wrong.contains(part), "{part} is missing in: {wrong}");
    }
    std::fs::remove_file(&file).expect("our configuration");
    let missing = aliasd.run(&["serve"]).ended_with(78).stderr;
    assert!(missing.contains("aliasd.toml"), "{missing}");
}

#[test]
fn a_database_that_is_away_is_75() {
    let aliasd = installation();
    let url = format!("mysql://root@{}/aliasd", free_address());
    for arguments in [&["serve"][..], &["migrate"], &["domain", "add", "example.com"]] {
        aliasd.run_with(arguments, &[("ALIASD_DATABASE__URL", &url)]).ended_with(75);
    }
}

#[test]
fn what_is_not_there_and_what_is_there_already_are_1() {
    let aliasd = installation();
    aliasd.run(&["domain", "add", "example.com"]).succeeded();
    for arguments in [
        &["domain", "add", "example.com"][..],
        &["alias", "show", ALIAS],
        &["alias", "add", ALIAS, "--mailbox", MAILBOX],
        &["alias", "add", "shop@example.org", "--mailbox", MAILBOX],
    ] {
        let refused = aliasd.run(arguments).ended_with(1);
        assert!(!refused.stderr.trim().is_empty(), "{arguments:?} says nothing");
    }
}

#[test]
#[ignore = "needs MariaDB: run ./test"]
fn serve_refuses_an_unmigrated_mariadb() {
    let aliasd = Installation::unmigrated(Engine::MariaDb, free_address());
    let refused = aliasd.run(&["serve"]).ended_with(1).stderr;
    assert!(refused.contains("migrate"), "says what to do: {refused}");
    aliasd.run(&["migrate"]).succeeded();
    aliasd.run(&["migrate"]).succeeded();
    aliasd.serve().stop();
}

/// Addresses are hashed in the log unless `telemetry.redact` is off.
#[test]
fn the_log_names_neither_mailbox_nor_contact() {
    let sink = Sink::start(Script::accept());
    let aliasd = Installation::new(Engine::Sqlite, sink.address()).with_alias(ALIAS, MAILBOX);
    let daemon = aliasd.serve();
    let message = b"From: jane@example.org\r\nSubject: hello\r\n\r\nA line.\r\n";
    let reply = daemon.greet().deliver("jane@example.org", ALIAS, message);
    assert_eq!(reply.codes(), (250, "2.0.0"), "{reply}");
    let transaction = reply.text.rsplit(' ').next().expect("the transaction's id").to_owned();
    let log = crate::support::eventually("a log line with the transaction's id", || {
        Some(daemon.log()).filter(|log| log.contains(&transaction))
    });
    for address in [MAILBOX, "jane@example.org", ALIAS] {
        assert!(!log.contains(address), "{address} is in the log:\n{log}");
    }
    daemon.stop();
}

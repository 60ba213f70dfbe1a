use clap::Parser;
use serde_json::Value;

use crate::admin::fake::{Clockwork, Fake, FakePgp};
use crate::cli::arguments::{Arguments, Command};

use super::*;
use crate::mail::Address;
use crate::relay::ports::DiscoveryFailed;

/// What domains publish: for bob two certificates, for others nothing, or what is of no use, and one is away.
struct Published;

impl KeyDiscovery for Published {
    async fn discover(&self, address: &Address) -> Result<Vec<u8>, DiscoveryFailed> {
        match address.as_normal() {
            "bob@example.org" => Ok(b"A bob@example.org\nB bob@example.org".to_vec()),
            "old@example.org" => Ok(b"old old@example.org".to_vec()),
            "jane@away.example.org" => {
                Err(DiscoveryFailed("away.example.org: connection refused".to_owned()))
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// A shell with a registry of its own.
struct Shell {
    registry: Fake,
    surroundings: Clockwork,
}

impl Shell {
    fn new() -> Self {
        Self { registry: Fake::default(), surroundings: Clockwork::default() }
    }

    /// With a domain, a mailbox and an alias.
    async fn furnished() -> Self {
        Self { registry: Fake::with_alias("shop@example.com", "jane@example.net").await, ..Self::new() }
    }

    async fn try_to(&self, line: &str) -> Result<String, Failure> {
        let arguments = Arguments::try_parse_from(format!("aliasd {line}").split(' ')).unwrap();
        let Command::Admin(command) = arguments.command else { panic!("{line}") };
        let mut out = Vec::new();
        run(command, &self.registry, &FakePgp, &Published, &self.surroundings, &mut out).await?;
        Ok(String::from_utf8(out).unwrap())
    }

    async fn says(&self, line: &str) -> String {
        self.try_to(line).await.unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    async fn json(&self, line: &str) -> Value {
        let text = self.says(&format!("{line} --json")).await;
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn refuses(&self, line: &str) -> String {
        let failure = self.try_to(line).await.unwrap_err();
        assert_eq!(failure.code(), 1, "{failure}");
        failure.to_string()
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_first_alias_of_a_new_installation() {
    let shell = Shell::new();
    shell.says("domain add example.com").await;
    shell.says("mailbox add jane@example.net").await;
    let text = shell.says("alias add shop@example.com --mailbox jane@example.net --note shops").await;
    assert!(text.contains("alias:      shop@example.com\n"), "{text}");
    assert!(text.contains("mailboxes:  jane@example.net\n"), "{text}");
    let list = shell.says("alias list").await;
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines[0], "ALIAS             ENABLED  MAILBOXES         FORWARDED  REPLIED  BLOCKED  NOTE");
    assert_eq!(lines[1], "shop@example.com  yes      jane@example.net  0          0        0        shops");
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn json_has_the_fields_of_the_api() {
    let shell = Shell::furnished().await;
    let alias = shell.json("alias show shop@example.com").await;
    let fields = [
        "address",
        "blocked",
        "created_at",
        "enabled",
        "expires_at",
        "forwarded",
        "id",
        "mailboxes",
        "mode",
        "name",
        "note",
        "pinned",
        "replied",
    ];
    assert_eq!(keys(&alias), fields);
    assert_eq!(keys(&alias["mailboxes"][0]), ["address", "id"]);
    let contact = shell.json("contact add shop@example.com info@example.org").await;
    assert_eq!(keys(&contact), ["address", "blocked", "created_at", "id", "name", "reverse_alias"]);
    let mailbox = shell.json("mailbox add work@example.org").await;
    assert_eq!(keys(&mailbox), ["address", "created_at", "id", "paused", "pgp_fingerprint", "verified"]);
    let domain = shell.json("domain add example.net").await;
    assert_eq!(keys(&domain), ["catch_all", "created_at", "id", "name", "verified"]);
}

#[tokio::test]
async fn every_list_is_an_object_with_items() {
    let shell = Shell::furnished().await;
    for (line, items) in [
        ("account list", 1),
        ("domain list", 1),
        ("mailbox list", 1),
        ("alias list", 1),
        ("alias list --search nothing", 0),
        ("contact list shop@example.com", 0),
        ("key list", 0),
    ] {
        let list = shell.json(line).await;
        assert_eq!(keys(&list), ["items"], "{line}");
        assert_eq!(list["items"].as_array().unwrap().len(), items, "{line}");
    }
}

#[tokio::test]
async fn an_empty_list_says_what_to_type() {
    let shell = Shell::new();
    for (line, part) in [
        ("domain list", "aliasd domain add "),
        ("mailbox list", "aliasd mailbox add "),
        ("alias list", "aliasd alias add "),
        ("alias list --search x", "no alias has this"),
        ("key list", "aliasd key import "),
        ("key list bob@example.org", "aliasd key import bob@example.org "),
    ] {
        let text = shell.says(line).await;
        assert!(text.contains(part), "{text}");
    }
    let text = Shell::furnished().await.says("contact list shop@example.com").await;
    assert!(text.contains("aliasd contact add shop@example.com "), "{text}");
}

#[tokio::test]
async fn long_lists_are_printed_whole() {
    let shell = Shell::furnished().await;
    for number in 0..1200 {
        shell.says(&format!("alias add a{number}@example.com")).await;
    }
    assert_eq!(shell.says("alias list").await.lines().count(), 1 + 1201);
    assert_eq!(shell.json("alias list").await["items"].as_array().unwrap().len(), 1201);
}

#[tokio::test]
async fn an_alias_is_changed_field_by_field() {
    let shell = Shell::furnished().await;
    for (change, field, value) in [
        ("set shop@example.com --name Jane", "name", Value::from("Jane")),
        ("set shop@example.com --no-name", "name", Value::Null),
        ("set shop@example.com --note x", "note", Value::from("x")),
        ("set shop@example.com --no-note", "note", Value::Null),
        ("set shop@example.com --mode reverse", "mode", Value::from("reverse")),
        ("set shop@example.com --expires 1d", "expires_at", Value::from("2026-09-22T14:13:20.000Z")),
        ("set shop@example.com --pin", "pinned", Value::from(true)),
        ("set shop@example.com --no-expires", "expires_at", Value::Null),
        ("set shop@example.com --unpin", "pinned", Value::from(false)),
        ("disable shop@example.com", "enabled", Value::from(false)),
        ("enable shop@example.com", "enabled", Value::from(true)),
    ] {
        let alias = shell.json(&format!("alias {change}")).await;
        assert_eq!(alias[field], value, "{change}");
    }
    let refused = shell.refuses("alias set shop@example.com --expires 2020-01-01").await;
    assert_eq!(refused, "--expires: 2020-01-01T23:59:59.999Z has passed");
    for early in ["set shop@example.com", "add new@example.com"] {
        let refused = shell.refuses(&format!("alias {early} --mode preserve")).await;
        assert_eq!(
            refused, "mode: \"preserve\" is not available yet; \"reverse\" is the only mode now",
            "{early}"
        );
    }
}

#[tokio::test]
async fn mailboxes_and_accounts_are_changed() {
    let shell = Shell::furnished().await;
    for (change, field, value) in [
        ("mailbox set jane@example.net --unverified", "verified", Value::from(false)),
        ("mailbox set jane@example.net --verified", "verified", Value::from(true)),
        ("mailbox set jane@example.net --pause", "paused", Value::from(true)),
        ("mailbox set jane@example.net --resume", "paused", Value::from(false)),
        ("account set --name-format none", "name_format", Value::from("none")),
        ("account set default --on-refusal discard", "refusal", Value::from("discard")),
        ("account set --reverse-aliases opaque", "opaque_reverse_aliases", Value::from(true)),
        ("account set --reverse-aliases readable", "opaque_reverse_aliases", Value::from(false)),
    ] {
        assert_eq!(shell.json(change).await[field], value, "{change}");
    }
}

#[tokio::test]
async fn only_an_unverified_mailbox_that_was_asked_for_is_unverified() {
    let shell = Shell::new();
    assert_eq!(shell.json("mailbox add a@example.net").await["verified"], true);
    assert_eq!(shell.json("mailbox add b@example.net --unverified").await["verified"], false);
}

#[tokio::test]
async fn a_contact_s_reverse_alias_stands_alone_on_its_line() {
    let shell = Shell::furnished().await;
    let text = shell.says("contact add shop@example.com info@example.org").await;
    let reverse_alias: crate::mail::Address = text.trim_end().parse().unwrap();
    assert_eq!(reverse_alias.domain().unwrap().as_str(), "example.com");
    assert_eq!(shell.json("contact block shop@example.com info@example.org").await["blocked"], true);
    assert_eq!(shell.json("contact unblock shop@example.com info@example.org").await["blocked"], false);
    let list = shell.says("contact list shop@example.com").await;
    assert!(list.contains(reverse_alias.as_normal()), "{list}");
}

#[tokio::test]
async fn what_was_removed_is_said_and_gone() {
    let shell = Shell::furnished().await;
    shell.says("contact add shop@example.com info@example.org").await;
    shell.says("account add other").await;
    for (line, says) in [
        ("contact remove shop@example.com info@example.org", "removed contact info@example.org\n"),
        ("alias remove shop@example.com", "removed alias shop@example.com\n"),
        ("mailbox remove jane@example.net", "removed mailbox jane@example.net\n"),
        ("domain remove example.com", "removed domain example.com\n"),
        ("account remove other", "removed account other\n"),
    ] {
        assert_eq!(shell.says(line).await, says);
        assert!(shell.refuses(line).await.starts_with("there is no "), "{line}");
    }
}

#[tokio::test]
async fn accounts_do_not_see_one_another() {
    let shell = Shell::furnished().await;
    shell.says("account add other").await;
    assert_eq!(shell.json("alias list --account other").await["items"].as_array().unwrap().len(), 0);
    let refused = shell.refuses("alias show shop@example.com --account other").await;
    assert_eq!(refused, "there is no alias \"shop@example.com\"");
    assert_eq!(shell.refuses("alias list --account nobody").await, "there is no account \"nobody\"");
}

#[tokio::test]
async fn random_aliases_look_as_asked() {
    let shell = Shell::furnished().await;
    for (kind, length) in [("", 5..=24), ("=word", 5..=24), ("=chars", 12..=12), ("=uuid", 36..=36)] {
        let alias = shell.json(&format!("alias add --random{kind} --domain example.com")).await;
        let local = alias["address"].as_str().unwrap().strip_suffix("@example.com").unwrap();
        assert!(length.contains(&local.len()), "{local}");
    }
}

/// A file with certificates as [`FakePgp`] reads them, and its path.
fn file(content: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.asc");
    std::fs::write(&path, content).unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn certificates_are_imported_listed_and_removed() {
    let shell = Shell::furnished().await;
    let (_directory, path) = file("A jane@example.net\nB j@example.org");
    let text = shell.says(&format!("key import jane@example.net {path}")).await;
    assert_eq!(text.matches("of:           mailbox\n").count(), 2, "{text}");
    assert!(text.ends_with("does not name jane@example.net, but j@example.org\n"), "{text}");
    let lines = shell.says("key list jane@example.net").await;
    let lines: Vec<_> = lines.lines().collect();
    let fingerprint = "A".repeat(40);
    assert_eq!(lines[1], format!("jane@example.net  mailbox  {fingerprint}  imported  -"));
    assert_eq!(lines.len(), 3);
    assert_eq!(shell.says("key list bob@example.org").await.lines().count(), 1);

    let removed = shell.says(&format!("key remove {fingerprint}")).await;
    assert_eq!(removed, format!("removed key {fingerprint} of jane@example.net\n"));
    let last = "B".repeat(40);
    let removed = shell.says(&format!("key remove {last} --address jane@example.net")).await;
    assert!(removed.ends_with("mail to jane@example.net is NOT encrypted from now on\n"), "{removed}");
    assert!(shell.refuses(&format!("key remove {last}")).await.starts_with("there is no key"));
}

#[tokio::test]
async fn an_imported_certificate_is_an_object_on_one_line() {
    let shell = Shell::furnished().await;
    let (_directory, path) = file("A j@example.org");
    let key = shell.json(&format!("key import jane@example.net {path}")).await;
    assert_eq!(keys(&key), ["address", "created_at", "expires_at", "fingerprint", "holder", "id", "origin"]);
    assert_eq!((&key["holder"], &key["origin"]), (&Value::from("mailbox"), &Value::from("imported")));
    assert_eq!(key["expires_at"], Value::Null);
}

#[tokio::test]
async fn a_mailbox_is_added_with_its_certificate() {
    let shell = Shell::furnished().await;
    let (_directory, path) = file("A work@example.org");
    let mailbox = shell.json(&format!("mailbox add work@example.org --pgp-key {path}")).await;
    assert_eq!(mailbox["pgp_fingerprint"], Value::from("A".repeat(40)));
    let (_other, useless) = file("old work2@example.org");
    let refused = shell.refuses(&format!("mailbox add work2@example.org --pgp-key {useless}")).await;
    assert!(refused.contains("has expired"), "{refused}");
    let refused = shell.refuses("mailbox add work2@example.org --pgp-key no-such-file.asc").await;
    assert!(refused.starts_with("cannot read no-such-file.asc: "), "{refused}");
    assert_eq!(shell.json("mailbox list").await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_taken_is_refused_with_the_reason() {
    let shell = Shell::furnished().await;
    let (directory, path) = file("A mallory@example.org");
    let refused = shell.refuses(&format!("key import bob@example.org {path}")).await;
    assert!(refused.contains("names bob@example.org, only mallory@example.org"), "{refused}");
    let refused = shell.refuses(&format!("key import jane@example.net {}", directory.path().display())).await;
    assert!(refused.starts_with("cannot read "), "{refused}");
    let (_huge, path) = file(&"x".repeat(2 << 20));
    let refused = shell.refuses(&format!("key import jane@example.net {path}")).await;
    assert!(refused.contains("larger than"), "{refused}");
    assert_eq!(shell.says("key list").await.lines().count(), 1);
}

#[tokio::test]
async fn certificates_are_looked_for() {
    let shell = Shell::furnished().await;
    let text = shell.says("key discover bob@example.org").await;
    assert_eq!(text.matches("origin:").count(), 2, "{text}");
    assert!(text.contains("wkd\n") && text.contains("contact\n"), "{text}");
    assert_eq!(shell.says("key list bob@example.org").await.lines().count(), 3);

    let text = shell.says("key discover bob@example.org --json").await;
    let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0]["origin"], &found[0]["holder"]), (&"wkd".into(), &"contact".into()));
}

#[tokio::test]
async fn who_looks_for_certificates_in_vain_is_told_why() {
    let shell = Shell::furnished().await;
    for (address, text) in [
        ("joe@example.org", "no certificate is published for joe@example.org"),
        ("old@example.org", "what is published for old@example.org cannot be used: "),
        ("shop@example.com", "address: shop@example.com is an alias"),
        ("nobody@example.com", "there is no alias"),
    ] {
        let why = shell.refuses(&format!("key discover {address}")).await;
        assert!(why.starts_with(text), "{why}");
    }
    let away = shell.try_to("key discover jane@away.example.org").await.unwrap_err();
    assert_eq!(away.code(), 75);
    let why = "cannot find out what is published for jane@away.example.org: \
        away.example.org: connection refused; try again later";
    assert_eq!(away.to_string(), why);
    assert_eq!(shell.json("key list").await["items"], Value::Array(vec![]));
}

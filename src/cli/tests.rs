use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use crate::admin::local_part::Kind;
use crate::mail::{Address, DomainName, Timestamp};
use crate::queue::inspect::Standing;
use crate::relay::alias::{Mode, NameFormat, Refusal};
use crate::relay::openpgp::Fingerprint;

use super::arguments::*;
use super::expiry::Expiry;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split(' '))
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn domain(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn owner() -> Owner {
    Owner { account: "default".to_owned() }
}

fn shop() -> Owner {
    Owner { account: "shop".to_owned() }
}

fn pair() -> Pair {
    Pair { alias: address("shop@example.com"), address: address("info@example.org") }
}

const PLAIN: Form = Form { json: false };
const JSON: Form = Form { json: true };

fn check(table: Vec<(&str, Command)>) {
    for (line, command) in table {
        let parsed = parse(&format!("aliasd {line}")).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(parsed, Arguments { config: None, command }, "{line}");
    }
}

fn accounts(command: AccountCommand) -> Command {
    Command::Admin(AdminCommand::Account(command))
}

fn domains(command: DomainCommand) -> Command {
    Command::Admin(AdminCommand::Domain(command))
}

fn mailboxes(command: MailboxCommand) -> Command {
    Command::Admin(AdminCommand::Mailbox(command))
}

fn aliases(command: AliasCommand) -> Command {
    Command::Admin(AdminCommand::Alias(command))
}

fn contacts(command: ContactCommand) -> Command {
    Command::Admin(AdminCommand::Contact(command))
}

#[test]
fn the_definition_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn the_relay_and_its_settings() {
    check(vec![
        ("serve", Command::Serve { migrate: false }),
        ("serve --migrate", Command::Serve { migrate: true }),
        ("demo", Command::Demo { keep: false }),
        ("demo --keep", Command::Demo { keep: true }),
        ("migrate", Command::Migrate),
        ("config default", Command::Config(ConfigCommand::Default)),
        ("config show", Command::Config(ConfigCommand::Show)),
        ("health", Command::Health),
        ("completions bash", Command::Completions { shell: Shell::Bash }),
        ("completions zsh", Command::Completions { shell: Shell::Zsh }),
        ("completions fish", Command::Completions { shell: Shell::Fish }),
    ]);
}

#[test]
fn the_file_may_stand_before_or_after_the_command() {
    for line in
        ["aliasd --config x.toml serve", "aliasd serve --config x.toml", "aliasd config --config=x.toml show"]
    {
        assert_eq!(parse(line).unwrap().config, Some(PathBuf::from("x.toml")), "{line}");
    }
}

#[test]
fn accounts_are_managed() {
    let name = "shop".to_owned();
    let set =
        |name: &str, change| accounts(AccountCommand::Set { name: name.to_owned(), change, form: PLAIN });
    let nothing = AccountOptions { name_format: None, on_refusal: None, reverse_aliases: None };
    let all = AccountOptions {
        name_format: Some(NameFormat::NameAddress),
        on_refusal: Some(Refusal::Discard),
        reverse_aliases: Some(ReverseAliases::Opaque),
    };
    let reject = AccountOptions { on_refusal: Some(Refusal::Reject), ..nothing };
    check(vec![
        ("account add shop", accounts(AccountCommand::Add { name: name.clone(), form: PLAIN })),
        ("account add shop --json", accounts(AccountCommand::Add { name: name.clone(), form: JSON })),
        ("account list --json", accounts(AccountCommand::List { form: JSON })),
        ("account show", accounts(AccountCommand::Show { name: "default".to_owned(), form: PLAIN })),
        ("account show shop --json", accounts(AccountCommand::Show { name: name.clone(), form: JSON })),
        (
            "account set shop --name-format name_address --on-refusal discard --reverse-aliases opaque",
            set("shop", all),
        ),
        ("account set --on-refusal reject", set("default", reject)),
        ("account remove shop", accounts(AccountCommand::Remove { name })),
    ]);
}

#[test]
fn domains_are_managed() {
    let name = domain("example.com");
    let add = |catch_all, owner, form| {
        domains(DomainCommand::Add { name: domain("example.com"), catch_all, owner, form })
    };
    check(vec![
        ("domain add Example.com", add(None, owner(), PLAIN)),
        (
            "domain add example.com --catch-all jane@example.net --account shop --json",
            add(Some(address("jane@example.net")), shop(), JSON),
        ),
        ("domain list --json", domains(DomainCommand::List { owner: owner(), form: JSON })),
        ("domain remove example.com", domains(DomainCommand::Remove { name, owner: owner() })),
    ]);
}

#[test]
fn mailboxes_are_managed() {
    let jane = || address("jane@example.net");
    let add = |unverified, owner, form| {
        mailboxes(MailboxCommand::Add { address: jane(), unverified, pgp_key: None, owner, form })
    };
    let pgp_key = Some(PathBuf::from("jane.asc"));
    let encrypted =
        MailboxCommand::Add { address: jane(), unverified: false, pgp_key, owner: owner(), form: PLAIN };
    let set =
        |change| mailboxes(MailboxCommand::Set { address: jane(), change, owner: owner(), form: PLAIN });
    let with = |change: fn(&mut MailboxOptions)| {
        let mut options = MailboxOptions::default();
        change(&mut options);
        set(options)
    };
    check(vec![
        ("mailbox add jane@example.net", add(false, owner(), PLAIN)),
        ("mailbox add jane@example.net --unverified --account shop --json", add(true, shop(), JSON)),
        ("mailbox add jane@example.net --pgp-key jane.asc", mailboxes(encrypted)),
        ("mailbox list --account shop", mailboxes(MailboxCommand::List { owner: shop(), form: PLAIN })),
        ("mailbox set jane@example.net --verified", with(|o| o.verified = true)),
        ("mailbox set jane@example.net --unverified", with(|o| o.unverified = true)),
        ("mailbox set jane@example.net --pause", with(|o| o.pause = true)),
        ("mailbox set jane@example.net --resume", with(|o| o.resume = true)),
        (
            "mailbox remove jane@example.net",
            mailboxes(MailboxCommand::Remove { address: jane(), owner: owner() }),
        ),
    ]);
}

#[test]
fn certificates_are_managed() {
    let keys = |command| Command::Admin(AdminCommand::Key(command));
    let import = |file: &str, owner, form| {
        let (mailbox, file) = (address("jane@example.net"), PathBuf::from(file));
        keys(KeyCommand::Import { mailbox, file, owner, form })
    };
    let discover =
        |owner, form| keys(KeyCommand::Discover { address: address("jane@example.net"), owner, form });
    let list = |address, owner, form| keys(KeyCommand::List { address, owner, form });
    let fingerprint = || Fingerprint::parse(&"A".repeat(40)).unwrap();
    let remove = |address, owner| keys(KeyCommand::Remove { fingerprint: fingerprint(), address, owner });
    let digits = "a".repeat(40);
    let bob = || Some(address("bob@example.org"));
    check(vec![
        ("key import jane@example.net jane.asc", import("jane.asc", owner(), PLAIN)),
        ("key import jane@example.net - --account shop --json", import("-", shop(), JSON)),
        ("key discover jane@example.net", discover(owner(), PLAIN)),
        ("key discover jane@example.net --account shop --json", discover(shop(), JSON)),
        ("key list", list(None, owner(), PLAIN)),
        ("key list bob@example.org --account shop --json", list(bob(), shop(), JSON)),
        (&format!("key remove {digits}"), remove(None, owner())),
        (&format!("key remove {digits} --address bob@example.org --account shop"), remove(bob(), shop())),
    ]);
    let spaced = format!("{0} {0} {0} {0} {0}  {0} {0} {0} {0} {0}", "aaAA");
    let parsed = Arguments::try_parse_from(["aliasd", "key", "remove", &spaced]).unwrap();
    assert_eq!(parsed.command, remove(None, owner()));
}

fn plain_add() -> AliasAdd {
    AliasAdd {
        address: Some(address("shop@example.com")),
        random: None,
        domain: None,
        mailbox: vec![address("jane@example.net")],
        name: None,
        note: None,
        mode: Mode::Reverse,
        expires: None,
        owner: owner(),
        form: PLAIN,
    }
}

fn random_add(kind: Kind) -> AliasAdd {
    AliasAdd {
        address: None,
        random: Some(kind),
        domain: Some(domain("example.com")),
        mailbox: Vec::new(),
        ..plain_add()
    }
}

#[test]
fn aliases_are_added() {
    let add = |add: AliasAdd| aliases(AliasCommand::Add(Box::new(add)));
    let full = AliasAdd {
        mailbox: vec![address("jane@example.net"), address("work@example.org")],
        name: Some("Jane".to_owned()),
        note: Some("shops".to_owned()),
        mode: Mode::Preserve,
        expires: Some(Expiry::In(Duration::from_hours(30 * 24))),
        owner: shop(),
        form: JSON,
        ..plain_add()
    };
    let until = Timestamp::parse_rfc3339("2030-12-31T18:00:00Z").unwrap();
    check(vec![
        ("alias add shop@example.com --mailbox jane@example.net", add(plain_add())),
        (
            "alias add shop@example.com --mailbox jane@example.net --mailbox work@example.org --name Jane --note shops \
             --mode preserve --expires 30d --account shop --json",
            add(full),
        ),
        (
            "alias add shop@example.com --mailbox jane@example.net --expires 2030-12-31T18:00:00Z",
            add(AliasAdd { expires: Some(Expiry::At(until)), ..plain_add() }),
        ),
        ("alias add --random --domain example.com", add(random_add(Kind::Word))),
        ("alias add --random=chars --domain example.com", add(random_add(Kind::Chars))),
        ("alias add --domain example.com --random=uuid", add(random_add(Kind::Uuid))),
    ]);
}

#[test]
fn aliases_are_managed() {
    let shop_alias = || address("shop@example.com");
    let list = |search: Option<&str>, form| {
        aliases(AliasCommand::List { search: search.map(str::to_owned), owner: owner(), form })
    };
    let show = AliasCommand::Show { address: shop_alias(), owner: owner(), form: JSON };
    let enable = AliasCommand::Enable { address: shop_alias(), owner: owner(), form: PLAIN };
    let disable = AliasCommand::Disable { address: shop_alias(), owner: shop(), form: PLAIN };
    let remove = AliasCommand::Remove { address: shop_alias(), owner: owner() };
    check(vec![
        ("alias list", list(None, PLAIN)),
        ("alias list --search sho --json", list(Some("sho"), JSON)),
        ("alias show shop@example.com --json", aliases(show)),
        ("alias enable shop@example.com", aliases(enable)),
        ("alias disable shop@example.com --account shop", aliases(disable)),
        ("alias remove shop@example.com", aliases(remove)),
    ]);
}

#[test]
fn aliases_are_changed() {
    let set = |change: AliasOptions| {
        let (address, change) = (address("shop@example.com"), Box::new(change));
        aliases(AliasCommand::Set { address, change, owner: owner(), form: PLAIN })
    };
    let none = AliasOptions::default;
    let refusal = |answer| set(AliasOptions { on_refusal: Some(answer), ..none() });
    let table = vec![
        ("--name Jane", set(AliasOptions { name: Some("Jane".into()), ..none() })),
        ("--no-name", set(AliasOptions { no_name: true, ..none() })),
        ("--note x", set(AliasOptions { note: Some("x".into()), ..none() })),
        ("--no-note", set(AliasOptions { no_note: true, ..none() })),
        (
            "--mailbox a@example.net --mailbox b@example.net",
            set(AliasOptions { mailbox: vec![address("a@example.net"), address("b@example.net")], ..none() }),
        ),
        ("--mode preserve", set(AliasOptions { mode: Some(Mode::Preserve), ..none() })),
        ("--expires 1h", set(AliasOptions { expires: Some(Expiry::In(Duration::from_hours(1))), ..none() })),
        ("--no-expires", set(AliasOptions { no_expires: true, ..none() })),
        ("--pin", set(AliasOptions { pin: true, ..none() })),
        ("--unpin", set(AliasOptions { unpin: true, ..none() })),
        ("--on-refusal reject", refusal(OnRefusal::Alias(Refusal::Reject))),
        ("--on-refusal discard", refusal(OnRefusal::Alias(Refusal::Discard))),
        ("--on-refusal account", refusal(OnRefusal::Account)),
    ];
    for (options, command) in table {
        check(vec![(&format!("alias set shop@example.com {options}"), command)]);
    }
}

#[test]
fn contacts_are_managed() {
    let named =
        ContactCommand::Add { pair: pair(), name: Some("Info".to_owned()), owner: shop(), form: JSON };
    let added = ContactCommand::Add { pair: pair(), name: None, owner: owner(), form: PLAIN };
    let listed = ContactCommand::List { alias: address("shop@example.com"), owner: owner(), form: JSON };
    let blocked = ContactCommand::Block { pair: pair(), owner: owner(), form: PLAIN };
    let unblocked = ContactCommand::Unblock { pair: pair(), owner: owner(), form: PLAIN };
    let removed = ContactCommand::Remove { pair: pair(), owner: owner() };
    check(vec![
        ("contact add shop@example.com info@example.org", contacts(added)),
        ("contact add shop@example.com info@example.org --name Info --account shop --json", contacts(named)),
        ("contact list shop@example.com --json", contacts(listed)),
        ("contact block shop@example.com info@example.org", contacts(blocked)),
        ("contact unblock shop@example.com info@example.org", contacts(unblocked)),
        ("contact remove shop@example.com info@example.org", contacts(removed)),
    ]);
}

#[test]
fn the_queue_is_looked_at() {
    let list = |state, domain, limit, form| Command::Queue(QueueCommand::List { state, domain, limit, form });
    let show = |form| Command::Queue(QueueCommand::Show { id: 7, form });
    check(vec![
        ("queue list", list(None, None, None, PLAIN)),
        ("queue list --json --limit 20", list(None, None, Some(20), JSON)),
        ("queue list --state in_flight", list(Some(Standing::InFlight), None, None, PLAIN)),
        ("queue list --domain Example.net", list(None, Some(domain("example.net")), None, PLAIN)),
        ("queue show 7", show(PLAIN)),
        ("queue show 7 --json", show(JSON)),
    ]);
}

#[test]
fn deliveries_are_ordered_about() {
    let these = |ids: &[i64]| Deliveries { ids: ids.to_vec(), all: false };
    let all = || Deliveries { ids: Vec::new(), all: true };
    let drop = |ids: &[i64]| Command::Queue(QueueCommand::Drop { ids: ids.to_vec() });
    check(vec![
        ("queue retry 7", Command::Queue(QueueCommand::Retry(these(&[7])))),
        ("queue retry 7 8 9", Command::Queue(QueueCommand::Retry(these(&[7, 8, 9])))),
        ("queue retry --all", Command::Queue(QueueCommand::Retry(all()))),
        ("queue hold 7", Command::Queue(QueueCommand::Hold(these(&[7])))),
        ("queue hold --all", Command::Queue(QueueCommand::Hold(all()))),
        ("queue release 7 8", Command::Queue(QueueCommand::Release(these(&[7, 8])))),
        ("queue release --all", Command::Queue(QueueCommand::Release(all()))),
        ("queue drop 7", drop(&[7])),
        ("queue drop 7 8", drop(&[7, 8])),
    ]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "aliasd",
        "aliasd frobnicate",
        "aliasd config",
        "aliasd domain add exa mple.com",
        "aliasd mailbox add jane",
        "aliasd mailbox set jane@example.net",
        "aliasd mailbox set jane@example.net --verified --unverified",
        "aliasd mailbox set jane@example.net --pause --resume",
        "aliasd account set default",
        "aliasd account set default --name-format shouting",
        "aliasd alias add",
        "aliasd alias add --random",
        "aliasd alias add --random=emoji --domain example.com",
        "aliasd alias add shop@example.com --random --domain example.com",
        "aliasd alias add shop@example.com --domain example.com",
        "aliasd alias add shop@example.com --expires tomorrow",
        "aliasd alias set shop@example.com",
        "aliasd alias set shop@example.com --name Jane --no-name",
        "aliasd alias set shop@example.com --pin --unpin",
        "aliasd contact add shop@example.com",
        "aliasd key import jane@example.net",
        "aliasd key import jane jane.asc",
        "aliasd key discover",
        "aliasd key discover jane",
        "aliasd key remove",
        "aliasd key remove 0123456789ABCDEF",
        "aliasd queue",
        "aliasd queue list --state frozen",
        "aliasd queue list --limit 0",
        "aliasd queue show",
        "aliasd queue show x",
        "aliasd queue show 7 8",
        "aliasd queue retry",
        "aliasd queue retry 0",
        "aliasd queue retry -1",
        "aliasd queue retry 7 --all",
        "aliasd queue hold 9223372036854775808",
        "aliasd queue drop",
        "aliasd queue drop --all",
        "aliasd completions",
    ] {
        assert!(parse(line).is_err_and(|e| e.use_stderr()), "{line}");
    }
    for line in ["aliasd --help", "aliasd --version", "aliasd alias add --help"] {
        assert!(parse(line).is_err_and(|e| !e.use_stderr()), "{line}");
    }
}

//! Conversations as real mail programs see them: Dovecot, which threads as Zawinski describes it (`THREAD=REFERENCES` of
//! RFC 5256), and notmuch, which has a way of its own. Both get a folder of messages and say what answers what.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Dovecot gives nobody's mail to root.
const NOBODY: u32 = 65_534;
const IMAP: &str = "/usr/lib/dovecot/imap";

/// What answers what in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Forest {
    /// For each `Message-ID` that of the message that it is shown below.
    pub parents: BTreeMap<String, Option<String>>,
    /// How many conversations the program sees.
    pub threads: usize,
}

/// As Dovecot shows it to an IMAP client.
pub fn by_dovecot(messages: &[String]) -> Forest {
    let folder = Maildir::with(messages);
    let said = folder.imap(
        "a SELECT INBOX\r\n\
         b UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])\r\n\
         c UID THREAD REFERENCES UTF-8 ALL\r\n\
         d LOGOUT\r\n",
    );
    let ids = fetched_ids(&said);
    assert_eq!(ids.len(), messages.len(), "{said}");
    let threads = said.lines().find_map(|line| line.strip_prefix("* THREAD ")).expect("an answer to THREAD");
    let mut forest = Forest { parents: BTreeMap::new(), threads: 0 };
    for thread in lists(threads) {
        forest.threads += 1;
        add_list(&mut forest, thread, None, &ids);
    }
    assert_eq!(forest.parents.len(), messages.len(), "{said}");
    forest
}

/// As `notmuch show` nests it.
pub fn by_notmuch(messages: &[String]) -> Forest {
    let folder = Maildir::with(messages);
    folder.notmuch(&["new"]);
    let shown = folder.notmuch(&["show", "--format=json", "--body=false", "--entire-thread=true", "*"]);
    let threads: Value = serde_json::from_slice(&shown.stdout).expect("JSON from notmuch");
    let threads = threads.as_array().expect("a list of threads");
    let mut forest = Forest { parents: BTreeMap::new(), threads: threads.len() };
    for thread in threads {
        add_shown(&mut forest, thread, None);
    }
    assert_eq!(forest.parents.len(), messages.len(), "{threads:?}");
    forest
}

/// A maildir, with a configuration of each program beside it.
struct Maildir(TempDir);

impl Maildir {
    fn with(messages: &[String]) -> Self {
        let folder = TempDir::with_prefix("aliasd-").expect("a temporary folder");
        let maildir = folder.path().join("mail");
        for name in ["", "cur", "new", "tmp"] {
            std::fs::create_dir(maildir.join(name)).expect("a folder");
        }
        for (number, message) in messages.iter().enumerate() {
            let file = maildir.join("cur").join(format!("{}.M{number}.host:2,S", 1_790_000_000 + number));
            std::fs::write(file, message).expect("a file");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What Dovecot's IMAP server says to these commands, from somebody who is logged in already.
    fn imap(&self, commands: &str) -> String {
        let (config, home) = (self.path("dovecot.conf"), self.0.path());
        let (user, group) = self.owner();
        let text = format!(
            "base_dir = {run}\nstate_dir = {run}\nmail_location = maildir:{mail}\nssl = no\n\
             mail_uid = {user}\nmail_gid = {group}\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n",
            run = self.path("run").display(),
            mail = self.path("mail").display(),
        );
        std::fs::write(&config, text).expect("a configuration file");
        let mut command = Command::new(IMAP);
        command.arg("-c").arg(&config).env("HOME", home).env("USER", "somebody").current_dir(home);
        let output = ran(&mut command, commands);
        String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
    }

    /// Whose the folder is: ours, unless we are root.
    fn owner(&self) -> (u32, u32) {
        let ours = std::fs::metadata(self.0.path()).expect("a folder");
        if ours.uid() != 0 {
            return (ours.uid(), ours.gid());
        }
        std::fs::set_permissions(self.0.path(), PermissionsExt::from_mode(0o755)).expect("a folder of ours");
        give_away(self.0.path());
        (NOBODY, NOBODY)
    }

    fn notmuch(&self, arguments: &[&str]) -> Output {
        let config = self.path("notmuch.conf");
        let text = format!("[database]\npath={}\n[user]\nname=Somebody\n", self.path("mail").display());
        std::fs::write(&config, text).expect("a configuration file");
        let mut command = Command::new("notmuch");
        command.env("NOTMUCH_CONFIG", &config).env("HOME", self.0.path()).args(arguments);
        ran(&mut command, "")
    }
}

fn give_away(folder: &Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).expect("root may");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            give_away(&path);
        } else {
            chown(&path, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
    }
}

fn ran(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}. Installed? Run ./test"));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("a child of ours");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    output
}

/// The ids by the numbers that IMAP gives the messages.
fn fetched_ids(said: &str) -> BTreeMap<u32, String> {
    let answers = said.split("\n* ").filter(|answer| answer.contains("FETCH (UID "));
    let ids = answers.map(|answer| {
        let (_, rest) = answer.split_once("(UID ").expect("a number");
        let number = rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
        let id = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("an id").0;
        (number, format!("<{id}>"))
    });
    ids.collect()
}

/// The lists of a text that is a row of parenthesized lists, without their parentheses.
fn lists(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => {
                depth += 1;
                start = if depth == 1 { at + 1 } else { start };
            }
            ')' => {
                depth -= 1;
                if depth == 0 {
                    found.push(&text[start..at]);
                }
            }
            _ => {}
        }
    }
    found
}

/// `1 2 (3)(4 5)`: each number is below the one before, each list below the last number.
fn add_list(forest: &mut Forest, list: &str, parent: Option<String>, ids: &BTreeMap<u32, String>) {
    let (numbers, inner) = list.split_at(list.find('(').unwrap_or(list.len()));
    let mut parent = parent;
    for number in numbers.split_whitespace() {
        let id = ids[&number.parse::<u32>().expect("a number")].clone();
        forest.parents.insert(id.clone(), parent.replace(id));
    }
    for list in lists(inner) {
        add_list(forest, list, parent.clone(), ids);
    }
}

/// A list of pairs: a message, and the list of what answers it.
fn add_shown(forest: &mut Forest, list: &Value, parent: Option<&str>) {
    for pair in list.as_array().expect("a list") {
        let id = format!("<{}>", pair[0]["id"].as_str().expect("a message that is shown"));
        add_shown(forest, &pair[1], Some(&id));
        forest.parents.insert(id, parent.map(str::to_owned));
    }
}

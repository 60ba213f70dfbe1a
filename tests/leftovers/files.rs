//! The search over files, and what it has to say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::secrets::{Kind, Secrets};
use super::views;

/// What may stand in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The log of a daemon at default settings, or an error of a command: no secret at all.
    Log,
    /// A log that was asked to say more: addresses may stand in it.
    TalkativeLog,
    /// A file of a database: addresses may stand in it.
    Sqlite,
    /// The same.
    MariaDb,
    /// Rows of a table that is not of the registry: no secret at all.
    Rows,
    /// Anything else: no secret at all.
    Other,
}

impl Class {
    fn permits(self, kind: Kind) -> bool {
        (self == Self::TalkativeLog || self.is_database()) && !kind.is_content()
    }

    fn is_database(self) -> bool {
        matches!(self, Self::Sqlite | Self::MariaDb)
    }
}

/// What was searched and what was found.
#[derive(Debug, Default)]
pub struct Report {
    /// For each class: how many files or columns, and octets.
    searched: BTreeMap<Class, (usize, usize)>,
    findings: Vec<String>,
}

/// So many are told for each file.
const TOLD: usize = 3;

impl Report {
    /// Searches the bytes of one place. Secrets that are in `given` may stand there.
    pub fn search(&mut self, place: &str, class: Class, bytes: &[u8], given: &[u8], secrets: &Secrets) {
        let (count, octets) = self.searched.entry(class).or_default();
        *count += 1;
        *octets += bytes.len();
        let matcher = if class.is_database() { &secrets.coarse } else { &secrets.sharp };
        let mut findings = Vec::new();
        for (start, written) in written(bytes) {
            for (shift, form, said) in views::of(written) {
                for (at, secret, &kind) in matcher.find(&said) {
                    let is_given = memchr::memmem::find(given, secret).is_some();
                    if !class.permits(kind) && !is_given {
                        let start = start + shift;
                        findings.push(format!("{place}: {kind:?} at byte {start} + {at}, {form}"));
                    }
                }
            }
        }
        if findings.len() > TOLD {
            findings[TOLD] = format!("{place}: {} more", findings.len() - TOLD);
            findings.truncate(TOLD + 1);
        }
        self.findings.append(&mut findings);
    }

    /// # Panics
    /// With everything that was found.
    pub fn must_be_clean(&self) {
        assert!(
            self.findings.is_empty(),
            "{}\n(if these are words of the daemon's own, the letter of a test must not use them)",
            self.findings.join("\n")
        );
    }

    /// # Panics
    /// When there was nothing to search of one of these.
    pub fn must_have_searched(&self, classes: &[Class]) {
        for class in classes {
            assert!(self.searched.get(class).is_some_and(|(_, octets)| *octets > 0), "no {class:?}: {self}");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let searched = self.searched.iter().map(|(class, (count, octets))| {
            let what = if *class == Class::Rows { "tables or columns" } else { "files" };
            format!("{class:?}: {count} {what}, {octets} octets")
        });
        write!(f, "searched: {}", searched.collect::<Vec<_>>().join("; "))
    }
}

/// A database reserves more than it has written.
const PAGE: &[u8] = &[0; 4096];

/// The stretches between empty pages, and where they begin.
fn written(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes[at..].starts_with(PAGE) {
            at += PAGE.len();
        }
        let start = at;
        while at < bytes.len() && !bytes[at..].starts_with(PAGE) {
            at = bytes.len().min(at + PAGE.len());
        }
        (start < at).then(|| (start, &bytes[start..at]))
    })
}

/// Searches every file in a folder.
pub fn search(root: &Path, secrets: &Secrets) -> Report {
    let mut report = Report::default();
    for (file, class) in classified(root) {
        let place = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        report.search(&place, class, &contents(&file), &given(&file), secrets);
    }
    report
}

/// Plants a secret of each kind in a copy of one file of each class, and looks whether the search sees it.
///
/// # Panics
/// When it does not.
pub fn try_search(root: &Path, secrets: &Secrets) {
    let samples: BTreeMap<Class, PathBuf> =
        classified(root).into_iter().map(|(file, class)| (class, file)).collect();
    for (class, file) in samples {
        let bytes = contents(&file);
        for (kind, secret) in Kind::ALL.iter().zip(&secrets.longest) {
            let mut bytes = bytes.clone();
            let middle = bytes.len() / 2;
            bytes.splice(middle..middle, [b"\n", secret.as_slice(), b"\n"].concat());
            let mut report = Report::default();
            report.search("", class, &bytes, b"", secrets);
            let is_seen = !report.findings.is_empty();
            assert!(is_seen || class.permits(*kind), "{kind:?} not seen in {}", file.display());
        }
    }
}

fn contents(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The files to search.
fn classified(root: &Path) -> Vec<(PathBuf, Class)> {
    let class = |file: &PathBuf| class_of(root, file.strip_prefix(root).unwrap_or(file));
    all_files(root).into_iter().filter_map(|file| class(&file).map(|class| (file, class))).collect()
}

/// What a command was told may stand in what it says about that; in lower case.
fn given(file: &Path) -> Vec<u8> {
    let is_of_command = file.extension().is_some_and(|extension| extension == "stderr");
    let given =
        if is_of_command { std::fs::read(file.with_extension("given")).expect("a file") } else { Vec::new() };
    given.to_ascii_lowercase()
}

/// The files below a folder. Sockets and pipes are none.
pub fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let kind = entry.file_type().expect("an entry");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

/// What a file below the folder of leftovers is; none for what the tests themselves have written, and for the tables with
/// which MariaDB comes.
fn class_of(root: &Path, place: &Path) -> Option<Class> {
    let parts: Vec<String> =
        place.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["sent" | "said", ..] => None,
        [folder, rest @ ..] if folder.starts_with("aliasd-") => {
            class_in_installation(rest, root.join(folder).join("talkative").exists())
        }
        [folder, "data", rest @ ..] if folder.starts_with("mariadb") => {
            let comes_with_it = matches!(rest, ["mysql" | "sys" | "performance_schema", ..]);
            (!comes_with_it).then_some(Class::MariaDb)
        }
        _ => Some(Class::Other),
    }
}

fn class_in_installation(parts: &[&str], is_talkative: bool) -> Option<Class> {
    match parts {
        ["aliasd.toml" | "talkative"] => None,
        ["commands", name] if name.ends_with(".given") => None,
        ["serve.log"] | ["commands", _] if is_talkative => Some(Class::TalkativeLog),
        ["serve.log"] | ["commands", _] => Some(Class::Log),
        [_, name] if name.starts_with("aliasd.db") => Some(Class::Sqlite),
        _ => Some(Class::Other),
    }
}

/// Plants each kind of secret in each kind of file, in several forms, and finds it exactly where it must not be.
#[test]
fn what_is_planted_is_found() {
    let planted = [
        (Kind::Address, "Jane@example.org"),
        (Kind::LocalPart, "inbox-7f3k"),
        (Kind::Subject, "Your order of today"),
        (Kind::Line, "A line of the letter"),
    ];
    let secrets = Secrets::of(
        planted.iter().map(|(kind, text)| (text.as_bytes().to_ascii_lowercase(), *kind)).collect(),
    );
    for place in
        ["aliasd-1/serve.log", "aliasd-1/data/aliasd.db-wal", "mariadb/data/aliasd_1/a.ibd", "aliasd-1/tmp/x"]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(place);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        let noise: Vec<u8> =
            (0..50_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for (kind, text) in planted {
            for hidden in [text.to_uppercase(), data_encoding::BASE64.encode(text.as_bytes()), String::new()]
            {
                std::fs::write(&file, [&noise, hidden.as_bytes(), &noise].concat()).expect("a file");
                let report = search(folder.path(), &secrets);
                let class = class_of(folder.path(), Path::new(place)).expect("a class");
                let found = usize::from(!hidden.is_empty() && (kind.is_content() || !class.is_database()));
                assert_eq!(report.findings.len(), found, "{kind:?} in {place}: {:?}", report.findings);
                report.must_have_searched(&[class]);
            }
        }
    }
}

#[test]
fn a_command_may_repeat_what_it_was_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let commands = folder.path().join("aliasd-1/commands");
    std::fs::create_dir_all(&commands).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(commands.join(name), text).expect("a file");
    write("1.given", "alias show Shop@example.com");
    write("1.stderr", "no alias shop@example.com");
    write("2.given", "alias show all");
    write("2.stderr", "no alias shop@example.com");
    let secrets = Secrets::of([(b"shop@example.com".to_vec(), Kind::Address)].into());
    let report = search(folder.path(), &secrets);
    let [only] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert!(only.starts_with("aliasd-1/commands/2.stderr: Address at byte 0 + 9"), "{only}");
}

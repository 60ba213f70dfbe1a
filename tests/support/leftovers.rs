//! What the tests leave behind for the search that ends `./test` (`tests/leftovers`): the folders of the daemons and of their
//! databases, and what no trace of may be found in them. Nothing is left unless `ALIASD_TEST_LEFTOVERS` names a folder.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// Says of an installation that its log was asked for more than by default.
const TALKATIVE: &str = "talkative";

fn root() -> Option<PathBuf> {
    std::env::var_os("ALIASD_TEST_LEFTOVERS").map(PathBuf::from)
}

/// Whether anything is left behind.
pub fn are_kept() -> bool {
    root().is_some()
}

/// A new folder, which outlives its value when what is in it is to be searched.
pub fn folder(prefix: &str) -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    let made = match root() {
        None => builder.tempdir(),
        Some(root) => builder.disable_cleanup(true).tempdir_in(root),
    };
    made.expect("a temporary folder")
}

/// A message that a test hands to a daemon.
pub fn sent(message: &[u8]) {
    let Some(folder) = root().map(|root| root.join("sent")) else { return };
    // The same message is often sent again.
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    let file = folder.join(format!("{:016x}", hasher.finish()));
    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(file, message)).expect("a kept message");
}

/// A command line or SMTP command, for the addresses in it.
pub fn said(words: &str) {
    let Some(folder) = root().filter(|_| words.contains('@')).map(|root| root.join("said")) else { return };
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(std::process::id().to_string());
    let mut file = File::options().create(true).append(true).open(file).expect("a file");
    file.write_all(format!("{}\n", words.replace(['\r', '\n'], " ")).as_bytes()).expect("a file");
}

/// What a command of the daemon in this folder was given, and what it wrote to its standard error.
pub fn complained(installation: &Path, given: &str, stderr: &[u8]) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if !are_kept() || stderr.is_empty() {
        return;
    }
    let folder = installation.join("commands");
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(format!("{number}.given")), given).expect("a file");
    std::fs::write(folder.join(format!("{number}.stderr")), stderr).expect("a file");
}

/// The daemon in this folder runs with these variables. Those that change the log leave a mark.
pub fn runs_with(installation: &Path, environment: &[(&str, &str)]) {
    if are_kept() && environment.iter().any(|(name, _)| name.starts_with("ALIASD_TELEMETRY__")) {
        std::fs::write(installation.join(TALKATIVE), b"").expect("a file");
    }
}

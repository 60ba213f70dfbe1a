//! A GnuPG with a home of its own, which goes when the test ends.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Keys, and the program that has them.
pub struct Gnupg {
    home: TempDir,
}

/// What to make.
pub struct Wanted<'a> {
    pub user: &'a str,
    /// Of the primary key, as GnuPG calls it.
    pub algorithm: &'a str,
    /// Of the encryption key; none for a key that only signs.
    pub encryption: Option<&'a str>,
    /// `never`, or days like `1d`.
    pub validity: &'a str,
    /// Further arguments.
    pub with: &'a [&'a str],
}

pub const JANE: Wanted<'_> = Wanted {
    user: "Jane Doe <jane@example.net>",
    algorithm: "ed25519",
    encryption: Some("cv25519"),
    validity: "never",
    with: &[],
};

impl Gnupg {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("gnupg").tempdir().expect("a folder");
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).expect("a folder of ours");
        Self { home }
    }

    /// Makes a key without a passphrase; its fingerprint.
    pub fn make(&self, wanted: &Wanted<'_>) -> String {
        let primary = ["--quick-generate-key", wanted.user, wanted.algorithm, "cert,sign", wanted.validity];
        self.ask(&[wanted.with, &primary].concat(), b"");
        let fingerprint = self.fingerprint_of(wanted.user);
        if let Some(algorithm) = wanted.encryption {
            let subkey = ["--quick-add-key", &fingerprint, algorithm, "encr", wanted.validity];
            self.ask(&[wanted.with, &subkey].concat(), b"");
        }
        fingerprint
    }

    fn fingerprint_of(&self, user: &str) -> String {
        let listing = self.ask(&["--with-colons", "--list-keys", user], b"");
        let listing = String::from_utf8(listing).expect("a listing");
        let line = listing.lines().find_map(|line| line.strip_prefix("fpr:")).expect("a fingerprint");
        line.trim_matches(':').to_owned()
    }

    /// The public part, binary.
    pub fn export(&self, fingerprint: &str) -> Vec<u8> {
        self.ask(&["--export", fingerprint], b"")
    }

    /// What GnuPG wrote when the key was made, in case it must be revoked one day, put in force.
    pub fn revoke(&self, fingerprint: &str) {
        let path = self.home.path().join(format!("openpgp-revocs.d/{fingerprint}.rev"));
        let prepared = std::fs::read_to_string(path).expect("a revocation");
        self.ask(&["--import"], prepared.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    }

    /// What the message says.
    pub fn decrypt(&self, armored: &[u8]) -> Vec<u8> {
        self.ask(&["--decrypt"], armored)
    }

    /// What it writes, given this to read.
    ///
    /// # Panics
    /// With its words, when it fails.
    pub fn ask(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let Output { status, stdout, stderr } = self.run(arguments, input);
        assert!(status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&stderr));
        stdout
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home.path());
        command.args(["--batch", "--yes", "--no-tty", "--quiet", "--no-auto-check-trustdb"]);
        command.args(["--trust-model", "always", "--pinentry-mode", "loopback", "--passphrase", ""]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("gpg cannot be started: {error}"));
        let mut stdin = child.stdin.take().expect("a pipe");
        std::thread::scope(|scope| {
            // It may stop reading when it has seen enough; its status tells.
            scope.spawn(move || _ = stdin.write_all(input));
            child.wait_with_output().expect("a child of ours")
        })
    }
}

impl Drop for Gnupg {
    /// The agent would outlive us.
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        command.arg("--homedir").arg(self.home.path()).args(["--kill", "all"]);
        _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

//! A MariaDB of one test's own, which may be stopped, killed and started again.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::Process;
use super::{free_address, leftovers};

/// A server that listens on loopback, with a `root` who has no password. What it has committed survives its being killed.
pub struct MariaDb {
    folder: TempDir,
    address: SocketAddr,
    running: Option<Process>,
}

impl MariaDb {
    /// # Panics
    /// When MariaDB is not installed.
    pub fn start() -> Self {
        let folder = leftovers::folder("mariadb-");
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
        install.args(user(folder.path())).arg(format!("--datadir={}/data", folder.path().display()));
        let output = install.stdin(Stdio::null()).output().expect("MariaDB is not installed: run ./test");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut server = Self { folder, address: free_address(), running: None };
        server.start_again();
        server
    }

    /// For [`super::database::Database::on`].
    pub fn url(&self) -> String {
        format!("mysql://root@{}/", self.address)
    }

    /// Starts it after [`Self::end_by`] and waits until it takes connections.
    pub fn start_again(&mut self) {
        let here = self.folder.path().display();
        let mut command = Command::new("mariadbd");
        command.arg("--no-defaults").args(user(self.folder.path())).args([
            format!("--datadir={here}/data"),
            format!("--socket={here}/socket"),
            format!("--pid-file={here}/pid"),
            format!("--port={}", self.address.port()),
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--skip-log-bin".to_owned(),
        ]);
        let mut process = Process::start(&mut command, &self.folder.path().join("server.log"));
        process.until("MariaDB takes connections", || TcpStream::connect(self.address).ok());
        self.running = Some(process);
    }

    /// Ends it with a signal of this name.
    pub fn end_by(&mut self, signal: &str) {
        if let Some(process) = self.running.take() {
            process.end_by(signal);
        }
    }

    /// Sends it a signal of this name: `STOP` and `CONT` freeze it and let it go on.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.running {
            process.signal(name);
        }
    }
}

/// It refuses to run as root unless it is told to.
fn user(folder: &Path) -> Option<&'static str> {
    let is_root = folder.metadata().is_ok_and(|folder| folder.uid() == 0);
    is_root.then_some("--user=root")
}

//! The real aliasd: its binary, a configuration in a folder of its own, its commands and its server process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::client::Client;
use super::database::{Database, Engine};
use super::process::Process;
use super::{free_address, leftovers};

/// An aliasd with its settings and database, running or not.
pub struct Installation {
    folder: TempDir,
    database: Arc<Database>,
    master_key: PathBuf,
    hostname: &'static str,
    listen: SocketAddr,
    api: SocketAddr,
    next_hop: SocketAddr,
    trusted_networks: Vec<&'static str>,
    /// Set, mail goes where this DNS server says, and not to `next_hop`.
    dns: Option<SocketAddr>,
    /// Further lines of the section `[delivery]`.
    delivery: String,
    /// Lines before all sections.
    settings: String,
}

impl Installation {
    /// One node on a fresh database of this engine, brought to the binary's version, that hands everything to
    /// `next_hop` and trusts nobody.
    pub fn new(engine: Engine, next_hop: SocketAddr) -> Self {
        let installation = Self::unmigrated(engine, next_hop);
        installation.run(&["migrate"]).succeeded();
        installation
    }

    /// The same, its database still empty.
    pub fn unmigrated(engine: Engine, next_hop: SocketAddr) -> Self {
        Self::unmigrated_on(Database::fresh(engine), next_hop)
    }

    /// The same, on a database that the test brings.
    pub fn unmigrated_on(database: Database, next_hop: SocketAddr) -> Self {
        let folder = leftovers::folder("aliasd-");
        let database = Arc::new(database);
        if leftovers::are_kept() {
            // Nobody lets go of this one, so the schema stays.
            std::mem::forget(Arc::clone(&database));
        }
        let installation = Self {
            master_key: folder.path().join("data/master.key"),
            folder,
            database,
            hostname: "mx.example.com",
            listen: free_address(),
            api: free_address(),
            next_hop,
            trusted_networks: Vec::new(),
            dns: None,
            delivery: String::new(),
            settings: String::new(),
        };
        installation.write_config();
        installation
    }

    /// Mail from this network counts as authenticated.
    pub fn trusting(mut self, network: &'static str) -> Self {
        self.trusted_networks.push(network);
        self.write_config();
        self
    }

    /// Mail goes to the MX of its domain, as this DNS server tells.
    pub fn asking(mut self, dns: SocketAddr) -> Self {
        self.dns = Some(dns);
        self.write_config();
        self
    }

    /// With this line in the section `[delivery]`.
    pub fn delivering(mut self, line: &str) -> Self {
        let lines = format!("{}{line}\n", self.delivery);
        self.set_delivery(&lines);
        self
    }

    /// With another setting, its key written in full: `pgp.autocrypt = true`.
    pub fn setting(mut self, line: &str) -> Self {
        self.settings = format!("{}{line}\n", self.settings);
        self.write_config();
        self
    }

    /// Other lines for the section `delivery` of the configuration; the next start reads them.
    pub fn set_delivery(&mut self, lines: &str) {
        lines.clone_into(&mut self.delivery);
        self.write_config();
    }

    /// A second node: another name, other ports and folders, the same database and master key.
    pub fn another_node(&self) -> Self {
        let node = Self {
            folder: leftovers::folder("aliasd-"),
            database: Arc::clone(&self.database),
            master_key: self.master_key.clone(),
            hostname: "mx2.example.com",
            listen: free_address(),
            api: free_address(),
            next_hop: self.next_hop,
            trusted_networks: self.trusted_networks.clone(),
            dns: self.dns,
            delivery: self.delivery.clone(),
            settings: self.settings.clone(),
        };
        node.write_config();
        node
    }

    /// Where it takes mail, once it runs.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Where it answers HTTP, once it runs.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// The value of `database.url`.
    pub fn database_url(&self) -> String {
        self.database.url(&self.folder.path().join("data"))
    }

    /// Its name in `EHLO`.
    pub fn hostname(&self) -> &'static str {
        self.hostname
    }

    /// The file of the master key; made when the daemon starts.
    pub fn master_key(&self) -> &Path {
        &self.master_key
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("aliasd.toml")
    }

    /// What its servers have logged, one after the other.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("serve.log")
    }

    /// Where its SQLite file and its master key are.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where its temporary files go.
    fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    fn write_config(&self) {
        let data_dir = self.data_dir();
        let networks: Vec<String> =
            self.trusted_networks.iter().map(|network| format!("{network:?}")).collect();
        let smarthost = match self.dns {
            None => format!("smtp://{}", self.next_hop),
            Some(_) => String::new(),
        };
        let servers: Vec<String> = self.dns.iter().map(|server| format!("\"{server}\"")).collect();
        let text = format!(
            "hostname = {hostname:?}\n\
             data_dir = {data_dir:?}\n\
             {settings}\
             [database]\n\
             url = {url:?}\n\
             [secrets]\n\
             master_key = {{ file = {master_key:?} }}\n\
             [smtp]\n\
             listen = [\"{listen}\"]\n\
             postmaster = \"postmaster@example.net\"\n\
             [api]\n\
             listen = \"{api}\"\n\
             [delivery]\n\
             smarthost = {smarthost:?}\n\
             {delivery}\n\
             [authentication]\n\
             trusted_networks = [{networks}]\n\
             [dns]\n\
             servers = [{servers}]\n",
            hostname = self.hostname,
            delivery = self.delivery,
            settings = self.settings,
            url = self.database.url(&data_dir),
            master_key = self.master_key,
            listen = self.listen,
            api = self.api,
            networks = networks.join(", "),
            servers = servers.join(", "),
        );
        std::fs::write(self.config_file(), text).expect("a configuration file");
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    /// Runs a command with these environment variables.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = self.command();
        let output = command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("the aliasd binary can be run");
        let words = arguments.join(" ");
        leftovers::said(&words);
        leftovers::runs_with(self.folder.path(), environment);
        leftovers::complained(self.folder.path(), &format!("{words} {environment:?}"), &output.stderr);
        Ran {
            command: words,
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a listing or creating command and reads what it prints as JSON.
    pub fn ask(&self, arguments: &[&str]) -> Value {
        let printed = self.run(&[arguments, &["--json"]].concat()).succeeded();
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("{arguments:?} --json: {error} in {printed}"))
    }

    /// Adds a domain of ours, a mailbox, and an alias that goes to it.
    pub fn with_alias(self, alias: &str, mailbox: &str) -> Self {
        let (_, domain) = alias.split_once('@').expect("an address");
        self.run(&["domain", "add", domain]).succeeded();
        self.run(&["mailbox", "add", mailbox]).succeeded();
        self.and_alias(alias, &[mailbox])
    }

    /// Adds a mailbox.
    pub fn and_mailbox(self, mailbox: &str) -> Self {
        self.run(&["mailbox", "add", mailbox]).succeeded();
        self
    }

    /// Adds an alias at a domain that is there.
    pub fn and_alias(self, alias: &str, mailboxes: &[&str]) -> Self {
        let named = mailboxes.iter().flat_map(|mailbox| ["--mailbox", mailbox]);
        let arguments: Vec<&str> = ["alias", "add", alias].into_iter().chain(named).collect();
        self.run(&arguments).succeeded();
        self
    }

    /// The reverse alias for a contact of an alias.
    pub fn reverse_alias(&self, alias: &str, contact: &str) -> String {
        let added = self.ask(&["contact", "add", alias, contact]);
        added["reverse_alias"].as_str().expect("the field reverse_alias").to_owned()
    }

    /// Starts the server and waits until it greets.
    pub fn serve(&self) -> Daemon {
        self.serve_with(&[])
    }

    /// The same, with these environment variables.
    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        leftovers::runs_with(self.folder.path(), environment);
        self.until_it_greets(self.started(command))
    }

    /// The same, started by another program whose command line begins like this and that turns into what it starts.
    pub fn serve_through(&self, starter: &[&str]) -> Daemon {
        self.until_it_greets(self.started(started_by(starter, &self.command())))
    }

    /// Starts the server and does not wait.
    pub fn start(&self) -> Daemon {
        self.started(self.command())
    }

    fn until_it_greets(&self, mut daemon: Daemon) -> Daemon {
        daemon.process.until("aliasd greets", || greets(self.listen));
        daemon
    }

    fn started(&self, mut command: Command) -> Daemon {
        let process = Process::start(command.arg("serve"), &self.log_file());
        Daemon { process, address: self.listen }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aliasd"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ALIASD_") {
                command.env_remove(name);
            }
        }
        command.env_remove("STATE_DIRECTORY").env_remove("CREDENTIALS_DIRECTORY");
        std::fs::create_dir_all(self.temporary()).expect("a folder of ours");
        command.env("TMPDIR", self.temporary());
        command.current_dir(self.folder.path()).arg("--config").arg(self.config_file());
        command
    }
}

/// The same command as the arguments of another program.
fn started_by(starter: &[&str], command: &Command) -> Command {
    let mut words = starter.iter().map(OsStr::new).chain([command.get_program()]).chain(command.get_args());
    let mut started = Command::new(words.next().unwrap_or_default());
    started.args(words);
    command.get_current_dir().map(|folder| started.current_dir(folder));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => started.env(name, value),
            None => started.env_remove(name),
        };
    }
    started
}

/// Something on this address opens its session with a 220.
pub fn greets(address: SocketAddr) -> Option<()> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(super::PATIENCE)).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.starts_with("220").then_some(())
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    command: String,
    /// The exit status; absent when a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// # Panics
    /// When the exit status is not 0.
    pub fn succeeded(self) -> String {
        self.ended_with(0).stdout
    }

    /// # Panics
    /// When the exit status is another one.
    pub fn ended_with(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "aliasd {}\n{}{}", self.command, self.stdout, self.stderr);
        self
    }
}

/// A running server.
pub struct Daemon {
    process: Process,
    address: SocketAddr,
}

impl Daemon {
    /// A new session with it.
    pub fn greet(&self) -> Client {
        Client::greet(self.address)
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it with SIGKILL, and returns when it is gone.
    ///
    /// # Panics
    /// When it has ended before, by itself.
    pub fn kill(mut self) {
        self.process.must_run("it is killed");
    }

    /// Asks it to stop; it must end in its order. Gives its whole log.
    pub fn stop(self) -> String {
        let (status, log) = self.process.terminate();
        assert_eq!(status.code(), Some(0), "the exit status after SIGTERM: {status}\n{log}");
        log
    }
}

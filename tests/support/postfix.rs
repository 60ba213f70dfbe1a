//! A real Postfix of its own: configuration, queue and data in a temporary folder, on a free port, without chroot and
//! without DNS. Needs root, as Postfix does.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::daemon::greets;
use super::process::signal_group;
use super::{eventually, free_address, leftovers};

/// Whose the delivered mail is; Postfix does not deliver as root.
const NOBODY: u32 = 65_534;

/// What a Postfix is to do with mail.
#[derive(Default)]
pub struct Routes {
    relay_everything_to: Option<SocketAddr>,
    transports: Vec<(String, SocketAddr)>,
    mailboxes: Vec<String>,
    soft_bounce: bool,
}

impl Routes {
    pub fn relay_everything_to(address: SocketAddr) -> Self {
        Self { relay_everything_to: Some(address), ..Self::default() }
    }

    /// Mail for `domain` goes there.
    pub fn relay(mut self, domain: &str, address: SocketAddr) -> Self {
        self.transports.push((domain.to_owned(), address));
        self
    }

    /// Mail for this address is kept in a maildir.
    pub fn keep(mut self, mailbox: &str) -> Self {
        self.mailboxes.push(mailbox.to_owned());
        self
    }

    /// What it would refuse for good is refused for now.
    pub fn bouncing_softly(self) -> Self {
        Self { soft_bounce: true, ..self }
    }
}

/// A running Postfix.
pub struct Postfix {
    folder: TempDir,
    hostname: String,
    address: SocketAddr,
}

impl Postfix {
    /// Starts a Postfix that calls itself `hostname`.
    pub fn start(hostname: &str, address: SocketAddr, routes: &Routes) -> Self {
        let folder = short_folder();
        prepare(folder.path(), hostname, address, routes);
        let postfix = Self { folder, hostname: hostname.to_owned(), address };
        postfix.run();
        postfix
    }

    fn run(&self) {
        let mut command = Command::new("postfix");
        command.arg("-c").arg(self.folder.path()).arg("start").stdin(Stdio::null());
        let output = command.output().expect("Postfix is not installed: run ./test");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "postfix start: {}\n{said}{}", output.status, self.log());
        eventually("Postfix greets", || greets(self.address));
    }

    /// Ends it and starts it again, with other routes. It keeps its queue and the mail that was delivered.
    pub fn restart(&self, routes: &Routes) {
        self.end();
        let main_cf = main_cf(self.folder.path(), &self.hostname, routes);
        std::fs::write(self.folder.path().join("main.cf"), main_cf).expect("our folder");
        self.run();
    }

    /// A Postfix on any free port.
    pub fn anywhere(hostname: &str, routes: &Routes) -> Self {
        Self::start(hostname, free_address(), routes)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Injects a message with its `sendmail`, as a user of that machine would.
    pub fn submit(&self, from: &str, to: &str, message: &str) {
        self.submit_asking(&[], from, to, message);
    }

    /// The same, with further arguments for `sendmail`.
    pub fn submit_asking(&self, wishes: &[&str], from: &str, to: &str, message: &str) {
        leftovers::said(&format!("MAIL FROM:<{from}> RCPT TO:<{to}>"));
        leftovers::sent(message.as_bytes());
        let mut command = Command::new("sendmail");
        command.arg("-C").arg(self.folder.path()).args(wishes).args(["-i", "-f", from, "--", to]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("Postfix's sendmail");
        child.stdin.take().expect("a pipe").write_all(message.as_bytes()).expect("sendmail reads");
        let status = child.wait().expect("a child of ours");
        assert!(status.success(), "sendmail: {status}\n{}", self.log());
    }

    /// The next message in the maildir of a mailbox, taken out of it; waits for it.
    pub fn next_message_for(&self, mailbox: &str) -> String {
        let new = self.folder.path().join("mail").join(mailbox).join("new");
        let file = eventually(&format!("mail for {mailbox}\n{}", self.log()), || first_file(&new));
        let message = std::fs::read(&file).expect("a delivered message");
        std::fs::remove_file(&file).expect("a delivered message");
        String::from_utf8_lossy(&message).into_owned()
    }

    /// The log line that says what became of a message for this recipient; waits for it.
    pub fn fate_of_mail_for(&self, recipient: &str) -> String {
        let to = format!("to=<{recipient}>");
        let wanted = |line: &&str| line.contains(&to) && line.contains("status=");
        eventually(&format!("Postfix's log says what became of mail for {recipient}"), || {
            self.log().lines().find(wanted).map(str::to_owned)
        })
    }

    /// The log line that says that this recipient was refused to a client; waits for it.
    pub fn refusal_of(&self, recipient: &str) -> String {
        let to = format!("<{recipient}>");
        let wanted = |line: &&str| line.contains("NOQUEUE: reject: RCPT") && line.contains(&to);
        eventually(&format!("Postfix refuses {recipient}"), || {
            self.log().lines().find(wanted).map(str::to_owned)
        })
    }

    fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("mail.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// `postfix stop` does the same, a second at a time.
    fn end(&self) {
        if let Some(master) = self.master() {
            signal_group(master, "KILL");
            let its_files = format!("/proc/{master}");
            eventually("Postfix ends", || (!Path::new(&its_files).exists()).then_some(()));
        }
    }

    /// The process of its `master`, which heads the group of all its programs.
    fn master(&self) -> Option<u32> {
        let pid = std::fs::read_to_string(self.folder.path().join("spool/pid/master.pid")).ok()?;
        pid.trim().parse().ok()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Postfix at {}\n{}---", self.address, self.log());
        }
        // It must have ended before its queue is removed.
        self.end();
    }
}

/// Postfix names its sockets under its queue, and a socket's path has at most 107 octets.
fn short_folder() -> TempDir {
    let folder = TempDir::with_prefix("pf-").expect("a temporary folder");
    assert!(
        folder.path().as_os_str().len() < 60,
        "TMPDIR is too long for Postfix: {}",
        folder.path().display()
    );
    folder
}

fn first_file(folder: &Path) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).min()
}

fn prepare(folder: &Path, hostname: &str, address: SocketAddr, routes: &Routes) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("our folder");
    for name in ["spool", "data", "mail"] {
        std::fs::create_dir(folder.join(name)).expect("our folder");
    }
    let owner = user_id("postfix").expect("Postfix is not installed (no user `postfix`): run ./test");
    chown(folder.join("data"), Some(owner), None).expect("only root may start a Postfix");
    chown(folder.join("mail"), Some(NOBODY), Some(NOBODY)).expect("only root may start a Postfix");
    std::fs::write(folder.join("main.cf"), main_cf(folder, hostname, routes)).expect("our folder");
    std::fs::write(folder.join("master.cf"), master_cf(address)).expect("our folder");
}

fn user_id(name: &str) -> Option<u32> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let user = users.lines().find(|line| line.split(':').next() == Some(name))?;
    user.split(':').nth(2)?.parse().ok()
}

fn main_cf(folder: &Path, hostname: &str, routes: &Routes) -> String {
    let here = folder.display();
    let transports: Vec<String> = routes
        .transports
        .iter()
        .map(|(domain, to)| format!("{{ {domain} = smtp:{} }}", bracketed(*to)))
        .collect();
    let mailboxes: Vec<String> =
        routes.mailboxes.iter().map(|mailbox| format!("{{ {mailbox} = {mailbox}/ }}")).collect();
    let domains: Vec<&str> =
        routes.mailboxes.iter().filter_map(|mailbox| Some(mailbox.split_once('@')?.1)).collect();
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {here}/spool\n\
         data_directory = {here}/data\n\
         maillog_file = {here}/mail.log\n\
         maillog_file_prefixes = {here}\n\
         myhostname = {hostname}\n\
         mydestination =\n\
         mynetworks = 127.0.0.0/8\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\n\
         smtpd_peername_lookup = no\n\
         smtp_dns_support_level = disabled\n\
         smtp_host_lookup = native\n\
         smtp_tls_security_level = none\n\
         smtputf8_enable = yes\n\
         message_size_limit = 60000000\n\
         mailbox_size_limit = 0\n\
         virtual_mailbox_limit = 0\n\
         alias_maps =\n\
         alias_database =\n\
         local_recipient_maps =\n\
         biff = no\n\
         bounce_queue_lifetime = 0\n\
         maximal_queue_lifetime = 1h\n\
         minimal_backoff_time = 1s\n\
         queue_run_delay = 1s\n\
         soft_bounce = {soft_bounce}\n\
         relayhost = {relayhost}\n\
         transport_maps = inline:{{ {transports} }}\n\
         virtual_mailbox_domains = {domains}\n\
         virtual_mailbox_base = {here}/mail\n\
         virtual_mailbox_maps = inline:{{ {mailboxes} }}\n\
         virtual_minimum_uid = 1\n\
         virtual_uid_maps = static:{NOBODY}\n\
         virtual_gid_maps = static:{NOBODY}\n",
        soft_bounce = if routes.soft_bounce { "yes" } else { "no" },
        relayhost = routes.relay_everything_to.map(bracketed).unwrap_or_default(),
        // An inline table must not be empty.
        transports = or_nothing(&transports),
        mailboxes = or_nothing(&mailboxes),
        domains = domains.join(", "),
    )
}

fn or_nothing(entries: &[String]) -> String {
    if entries.is_empty() { "{ nothing.invalid = error:unused }".to_owned() } else { entries.join(", ") }
}

/// Brackets: the address as it is, without a look-up.
fn bracketed(address: SocketAddr) -> String {
    format!("[{}]:{}", address.ip(), address.port())
}

/// The services of a Postfix that relays and delivers to maildirs; column five: none runs in a chroot.
fn master_cf(address: SocketAddr) -> String {
    format!(
        "{address} inet n - n - - smtpd\n\
         pickup unix n - n 1 1 pickup\n\
         cleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 1 1 qmgr\n\
         rewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\n\
         verify unix - - n - 1 verify\n\
         flush unix n - n 1000? 0 flush\n\
         proxymap unix - - n - - proxymap\n\
         smtp unix - - n - - smtp\n\
         relay unix - - n - - smtp\n\
         error unix - - n - - error\n\
         retry unix - - n - - error\n\
         discard unix - - n - - discard\n\
         virtual unix - n n - - virtual\n\
         anvil unix - - n - 1 anvil\n\
         scache unix - - n - 1 scache\n\
         showq unix n - n - - showq\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    )
}

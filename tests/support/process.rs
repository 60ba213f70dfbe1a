//! A child process that does not outlive its test.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::eventually;

/// A running program whose output goes to a file. Dropping it kills it and everything that it started.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` as the head of a process group of its own. It adds to the log of an earlier start.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("a log file");
        let errors = output.try_clone().expect("a log file");
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Its number, which is also that of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` says so.
    ///
    /// # Panics
    /// With the log, when the process ends before that.
    pub fn until<T>(&mut self, what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
        eventually(what, || {
            let answer = ready();
            if answer.is_none() {
                self.must_run(what);
            }
            answer
        })
    }

    /// # Panics
    /// With the log, when the process has ended.
    pub fn must_run(&mut self, what: &str) {
        if let Some(status) = self.child.try_wait().expect("a child of ours") {
            panic!("ended with {status} while it should have come to this: {what}\n{}", self.log());
        }
    }

    /// Asks it to stop and waits until it has; how it ended and all that it has written.
    pub fn terminate(self) -> (ExitStatus, String) {
        self.end_by("TERM")
    }

    /// The same, with a signal of this name.
    pub fn end_by(mut self, signal: &str) -> (ExitStatus, String) {
        self.signal(signal);
        let status = eventually("the process ends", || self.child.try_wait().expect("a child of ours"));
        (status, self.log())
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends a signal to the process and all that it started.
    pub fn signal(&self, name: &str) {
        signal_group(self.child.id(), name);
    }
}

/// Sends a signal to a process group; one that is gone already is fine.
pub fn signal_group(group: u32, name: &str) {
    let kill = format!("kill -{name} -{group}");
    let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}\n{}---", self.log.display(), self.log());
        }
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

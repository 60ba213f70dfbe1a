//! What the settings may depend on outside the file: environment variables and the machine's name. Taken once and
//! handed in, so that tests need no global state.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A snapshot of the variables and of the machine's name.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    machine_name: Option<String>,
}

impl Environment {
    /// These variables, and no machine name.
    pub fn new<K: Into<String>, V: Into<OsString>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, machine_name: None }
    }

    /// The same with a machine name.
    #[must_use]
    pub fn on_machine(mut self, name: &str) -> Self {
        self.machine_name = Some(name.to_owned());
        self
    }

    /// The variables of this process and the name of this machine. A variable whose name is not UTF-8 is none of ours
    /// and is left out.
    #[must_use]
    pub fn of_process() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let here = Self::new(std::env::vars_os().filter_map(named));
        Self { machine_name: machine_name(), ..here }
    }

    /// The variables whose name starts with `prefix`, by name.
    pub(super) fn with_prefix<'a>(
        &'a self,
        prefix: &'static str,
    ) -> impl Iterator<Item = (&'a str, &'a OsStr)> {
        self.variables
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.as_os_str()))
    }

    /// A variable that holds a path; one that is empty counts as absent.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The first folder of a variable that lists folders with `:` between, as systemd sets `$STATE_DIRECTORY`.
    pub(super) fn first_folder(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.variables.get(name)?).find(|folder| !folder.as_os_str().is_empty())
    }

    pub(super) fn machine_name(&self) -> Option<&str> {
        self.machine_name.as_deref()
    }
}

/// The name of this machine as the kernel or `/etc/hostname` knows it.
fn machine_name() -> Option<String> {
    ["/proc/sys/kernel/hostname", "/etc/hostname"].into_iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
        (name != "(none)").then(|| name.to_owned())
    })
}

//! How a command fails, and what the shell is told. The codes are those of `sysexits.h`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::admin::RegistryError;
use crate::admin::keys::NotDiscovered;
use crate::config::ConfigErrors;

/// The status for a command line that makes no sense.
pub(super) const USAGE: u8 = 64;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused, or it went wrong.
    #[error("{0}")]
    Refused(String),
    /// It may go well later: the database or the network is away.
    #[error("{0}")]
    TryAgain(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A file, a key or a value that the configuration names is missing or wrong.
    #[error("{0}")]
    Setup(String),
    /// What was typed makes no sense, beyond what the parser of the command line finds.
    #[error("{0}")]
    Usage(String),
    /// The answer could not be printed.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The exit status: 1 refused, 64 usage, 75 try again, 78 configuration.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            // Whoever reads our output has seen enough (`aliasd alias list | head`).
            Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Refused(_) | Self::Output(_) => 1,
            Self::Usage(_) => USAGE,
            Self::TryAgain(_) => 75,
            Self::Config(_) | Self::Setup(_) => 78,
        }
    }

    /// Tells standard error, each line as `aliasd: …`, and the shell.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        let code = self.code();
        if code != 0 {
            // Nobody is left to be told that standard error is gone.
            let _ = self.complain(&mut io::stderr().lock());
        }
        ExitCode::from(code)
    }

    fn complain(&self, to: &mut (impl Write + IsTerminal)) -> io::Result<()> {
        let coloured = to.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let name = if coloured { "\x1b[1;31maliasd:\x1b[0m" } else { "aliasd:" };
        self.to_string().lines().try_for_each(|line| writeln!(to, "{name} {line}"))
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Unavailable(_) => Self::TryAgain(format!("{error}; try again")),
            RegistryError::NotFound { .. }
            | RegistryError::Conflict { .. }
            | RegistryError::Invalid { .. } => Self::Refused(error.to_string()),
        }
    }
}

impl From<NotDiscovered> for Failure {
    fn from(error: NotDiscovered) -> Self {
        match error {
            NotDiscovered::Registry(error) => error.into(),
            NotDiscovered::Failed(..) => Self::TryAgain(format!("{error}; try again later")),
            NotDiscovered::Nothing(_) | NotDiscovered::Unusable(..) => Self::Refused(error.to_string()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    /// A failure that was passed up keeps its status; anything else is a refusal with all its causes.
    fn from(error: anyhow::Error) -> Self {
        error
            .downcast::<Self>()
            .or_else(|error| error.downcast::<ConfigErrors>().map(Self::from))
            .or_else(|error| error.downcast::<RegistryError>().map(Self::from))
            .unwrap_or_else(|error| Self::Refused(format!("{error:#}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_status() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        let away = RegistryError::Unavailable("connection refused".into());
        let missing = RegistryError::NotFound { what: "alias", name: "a@example.com".into() };
        for (failure, code) in [
            (Failure::Refused("no".into()), 1),
            (Failure::from(missing), 1),
            (Failure::from(io::Error::from(io::ErrorKind::StorageFull)), 1),
            (Failure::Usage("what?".into()), 64),
            (Failure::from(away.clone()), 75),
            (Failure::from(pipe), 0),
            (Failure::from(anyhow::Error::from(away)), 75),
            (Failure::from(anyhow::anyhow!("broken").context("while starting")), 1),
        ] {
            assert_eq!(failure.code(), code, "{failure}");
        }
    }
}

//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

/// Where a value was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file; line and column (in characters) count from 1.
    Position {
        /// As it was named.
        file: String,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The file as a whole.
    File(String),
    /// In this environment variable.
    Variable(String),
    /// It was not typed but found: how, such as `the machine's name`.
    Found(&'static str),
    /// Nowhere: the default.
    Default,
}

impl Place {
    /// Errors are shown in the order of the file, then those of the environment.
    fn order(&self) -> (u8, usize, usize) {
        match self {
            Self::File(_) => (0, 0, 0),
            Self::Position { line, column, .. } => (1, *line, *column),
            Self::Variable(_) => (2, 0, 0),
            Self::Found(_) | Self::Default => (3, 0, 0),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::File(file) => f.write_str(file),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Found(how) => f.write_str(how),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {}{problem}", prefix(.key))]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// The key with its sections (`smtp.listen`), or a section; empty for what is wrong with the file itself.
    pub key: String,
    /// What was found, what was expected, what to do.
    pub problem: String,
}

fn prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

/// All that is wrong, at least one thing; one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// `Ok` when nothing is wrong.
    pub(super) fn check(mut errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by_key(|error| error.place.order());
        Err(Self(errors))
    }

    /// In the order of the file, then by variable.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

//! Settings: one TOML file, overridden by the environment, over built-in defaults.
//!
//! What was *typed* (`layers`) and what it *means* ([`Settings`]) are two types. One table (`table`) says of every key
//! what it is called, what it takes, its default and its explanation; parsing, error texts, the default file
//! ([`default_file`]) and the report of what is in effect ([`Loaded::show`]) all come from it.
//!
//! Every error is fatal, and all of them are reported together, each with its place. What this module does not do: it
//! opens no database, binds no address and makes no directory; a setting that only fails when it is used (a port that is
//! taken) is not found here.

mod environment;
mod error;
mod keys;
mod layers;
mod nearest;
mod raw;
mod read;
mod settings;
mod source;
mod table;
mod url;
mod write;

use std::path::{Path, PathBuf};

pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors, Place};
pub use settings::{Database, Delivery, Pgp, Settings, Smtp, Telemetry};
pub use write::default_file;

use layers::Layers;
use source::Source;

/// The variable that names the configuration file when the command line does not.
pub const FILE_VARIABLE: &str = "ALIASD_CONFIG";
/// The file that is read when it is there and none was named.
pub const FILE_NAME: &str = "aliasd.toml";

/// Settings together with what was typed.
pub struct Loaded {
    /// What the typed values mean.
    pub settings: Settings,
    /// The file that was read; none when only defaults and the environment count.
    pub file: Option<PathBuf>,
    layers: Layers,
}

impl Loaded {
    /// The settings in effect as TOML, each with its source as a comment; secrets are hidden.
    #[must_use]
    pub fn show(&self) -> String {
        write::effective(&self.layers, self.file.as_deref())
    }
}

/// Reads the settings from `path`, else from the file that `$ALIASD_CONFIG` names, else from `./aliasd.toml` if it is
/// there, else only the defaults count; then come the overrides of the environment.
///
/// # Errors
/// All that is wrong with the file and the variables. A file that was named must be there.
pub fn load(path: Option<&Path>, environment: &Environment) -> Result<Loaded, ConfigErrors> {
    let file = chosen_file(path, environment);
    let source = file.as_deref().map(Source::read).transpose()?;
    meaning(file, source, environment)
}

/// Reads the settings from a text; `name` stands for the file in error texts.
///
/// # Errors
/// All that is wrong with the text and the variables.
pub fn from_text(name: &str, text: &str, environment: &Environment) -> Result<Loaded, ConfigErrors> {
    meaning(Some(PathBuf::from(name)), Some(Source::new(name, text)), environment)
}

/// The paths of all keys, in the order of the default file.
pub fn known_keys() -> impl Iterator<Item = &'static str> {
    table::all().map(|key| key.spec().path)
}

impl std::fmt::Debug for Loaded {
    /// Without what was typed: secrets are in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("settings", &self.settings)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

fn chosen_file(path: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    let named = path.map(Path::to_owned).or_else(|| environment.path(FILE_VARIABLE));
    let in_place = || Some(PathBuf::from(FILE_NAME)).filter(|file| file.exists());
    named.or_else(in_place)
}

fn meaning(
    file: Option<PathBuf>,
    source: Option<Source>,
    environment: &Environment,
) -> Result<Loaded, ConfigErrors> {
    let layers = Layers::read(source, environment)?;
    let settings = Settings::from_layers(&layers, environment)?;
    Ok(Loaded { settings, file, layers })
}

#[cfg(test)]
mod tests;

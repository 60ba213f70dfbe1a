//! A configuration file's text, and the way from a byte in it to a line and a column.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::error::{ConfigError, Place};

/// No configuration file is longer; a device or a mail folder named by mistake is not read to its end.
const MAX_FILE: u64 = 1024 * 1024;

/// A text and the name that errors give it.
pub(super) struct Source {
    name: String,
    text: String,
}

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned() }
    }

    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let fault = |place, problem| ConfigError { place, key: String::new(), problem };
        let bytes = read_limited(path, MAX_FILE).map_err(|e| {
            fault(Place::File(name.clone()), format!("cannot read the configuration file: {e}"))
        })?;
        String::from_utf8(bytes).map(|text| Self::new(&name, &text)).map_err(|e| {
            let valid = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]);
            let place = Self::new(&name, &valid).place(&(valid.len()..valid.len()));
            fault(place, "found a byte that is not UTF-8, expected a TOML file in UTF-8".to_owned())
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where `span` starts.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place::Position { file: self.name.clone(), line, column }
    }
}

/// Reads a file of at most `limit` bytes.
pub(super) fn read_limited(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(std::io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

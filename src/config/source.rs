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

    /// The key that is being set at `span`, as far as lines tell: for texts that are not TOML.
    pub(super) fn key_near(&self, span: &Range<usize>) -> String {
        let end = self
            .text
            .get(span.start..)
            .and_then(|rest| rest.find('\n'))
            .map_or(self.text.len(), |at| span.start + at);
        let (mut section, mut key) = ("", "");
        for line in self.text.get(..end).unwrap_or_default().lines().map(str::trim) {
            if let Some(name) = header(line) {
                (section, key) = (name, "");
            } else if let Some(name) = assigned(line) {
                key = name;
            }
        }
        [section, key].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
    }
}

/// The name in a line that starts a section.
fn header(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?.trim_start_matches('[');
    let name = inner.split(']').next()?.trim();
    is_path(name).then_some(name)
}

/// The key in a line that sets one.
fn assigned(line: &str) -> Option<&str> {
    let name = line.split_once('=')?.0.trim();
    is_path(name).then_some(name)
}

fn is_path(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
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

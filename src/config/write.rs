//! Settings as text: the default file, and what is in effect.

use std::fmt::Write;
use std::path::Path;

use super::keys::{Available, Default, Section, Spec};
use super::layers::{Entry, Layers, Origin};
use super::raw::{self, Kind};
use super::{table, url};

const HEAD: &str = "\
# aliasd: every setting with its default.
#
# A setting that starts with \"#\" is off: its default depends on the machine, or its feature is not there yet.
# The environment overrides this file: ALIASD_SMTP__LISTEN='[\"[::]:25\"]' sets listen in [smtp].
# Sizes: \"25MiB\"; times: \"20s\", \"1h 30m\". Paths are relative to the folder that aliasd is started in.
# `aliasd config show` prints what is in effect, and where each value comes from.
";

/// The commented default file.
#[must_use]
pub fn default_file() -> String {
    let mut text = HEAD.to_owned();
    for section in table::SECTIONS {
        // Nothing is lost: a `String` takes every write.
        let _ = default_section(&mut text, section);
    }
    text
}

fn default_section(text: &mut String, section: &Section) -> std::fmt::Result {
    let later = section.keys.iter().all(|key| key.spec().available == Available::NotYet);
    writeln!(text)?;
    if !section.name.is_empty() {
        let off = if later { "#" } else { "" };
        writeln!(text, "# {}{}", section.doc, if later { " Not available yet." } else { "" })?;
        writeln!(text, "{off}[{}]", section.name)?;
    }
    for (index, key) in section.keys.iter().enumerate() {
        if index > 0 {
            writeln!(text)?;
        }
        default_key(text, key.spec(), later)?;
    }
    Ok(())
}

fn default_key(text: &mut String, spec: &Spec, section_is_later: bool) -> std::fmt::Result {
    for line in spec.doc.lines() {
        writeln!(text, "# {line}")?;
    }
    if let Default::Found { how, .. } = spec.default {
        writeln!(text, "# Default: {how}.")?;
    }
    let later = spec.available == Available::NotYet;
    if later && !section_is_later {
        writeln!(text, "# Not available yet.")?;
    }
    let off = if later || matches!(spec.default, Default::Found { .. }) { "#" } else { "" };
    writeln!(text, "{off}{} = {}", spec.name(), spec.default_text())
}

/// The settings in effect, each with its source as a comment; features that are not there yet are left out.
pub(super) fn effective(layers: &Layers, file: Option<&Path>) -> String {
    let mut text = match file {
        Some(file) => format!("# The settings in effect. File: {}\n", file.display()),
        None => "# The settings in effect. No file was read.\n".to_owned(),
    };
    for section in table::SECTIONS {
        let _ = effective_section(&mut text, section, layers);
    }
    text
}

fn effective_section(text: &mut String, section: &Section, layers: &Layers) -> std::fmt::Result {
    let mut specs =
        section.keys.iter().map(|key| key.spec()).filter(|s| s.available != Available::NotYet).peekable();
    if specs.peek().is_none() {
        return Ok(());
    }
    writeln!(text)?;
    if !section.name.is_empty() {
        writeln!(text, "[{}]", section.name)?;
    }
    for (spec, entry) in specs.filter_map(|spec| Some((spec, layers.entry(spec)?))) {
        let value = if spec.secret { hidden(&entry) } else { entry.value.to_toml() };
        writeln!(text, "{} = {value}  # {}", spec.name(), origin(layers, spec, &entry))?;
    }
    Ok(())
}

fn hidden(entry: &Entry) -> String {
    match &entry.value.kind {
        Kind::Text(text) => raw::quoted(&url::without_password(text)),
        // A file's name is no secret.
        _ => entry.value.to_toml(),
    }
}

fn origin(layers: &Layers, spec: &Spec, entry: &Entry) -> String {
    match &entry.origin {
        Origin::File | Origin::Variable(_) => layers.place(spec).to_string(),
        Origin::Found(how) => (*how).to_owned(),
        Origin::Default => "default".to_owned(),
    }
}

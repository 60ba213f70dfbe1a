//! `Content-Type` and `Content-Disposition`.

use crate::mail::mime::{Change, Parameter, Parameterized, parameters};
use crate::mail::{FieldWriter, HeaderField};

use super::super::marks::other_content_id;
use super::super::view::Syntax;
use super::{Description, Fate, Fields, value_of};

/// Parameters without which a part is not what it was. Programs differ about which of two they believe.
const ESSENTIAL: [&str; 2] = ["boundary", "charset"];

impl Fields<'_> {
    /// `Content-Type`, with what a changed body asks of it.
    pub(super) fn content_type(&self, name: &str, value: &[u8], description: &Description) -> Fate {
        let parsed = Parameterized::parse(value);
        let mut changes = self.parameter_changes(&parsed);
        for (wanted, change) in &description.parameters {
            let found = parsed.parameters.iter().position(|parameter| parameter.name == *wanted);
            if let Some(known) = found.and_then(|index| changes.get_mut(index)) {
                *known = change.clone();
            }
        }
        let added = description.parameters.iter().filter(|(wanted, _)| parsed.get(wanted).is_none());
        let added: Vec<_> = added.map(|(name, change)| (*name, change)).collect();
        let word = description.media_type.map(str::to_owned).or_else(|| self.other_word(&parsed.word));
        if word.is_none() && added.is_empty() && changes.iter().all(|change| *change == Change::Keep) {
            return if self.has_trace_besides_names(value, &parsed) {
                self.rebuilt(name, &parsed, word.as_deref(), &changes)
            } else {
                Fate::Stays
            };
        }
        let field = parsed.rewrite(name, value, word.as_deref(), |index, _| change_at(&changes, index));
        let field = with_added(field, &added);
        if self.has_trace_besides_names(value_of(&field), &Parameterized::parse(value_of(&field))) {
            return self.rebuilt(name, &parsed, word.as_deref(), &changes);
        }
        Fate::Becomes(field)
    }

    pub(super) fn parameterized(&self, name: &str, value: &[u8]) -> Fate {
        self.content_type(name, value, &Description::default())
    }

    /// Comments and other things beside the parameters have a trace: the field is made of the parameters alone.
    fn rebuilt(&self, name: &str, parsed: &Parameterized, word: Option<&str>, changes: &[Change]) -> Fate {
        let written = |index: usize, parameter: &Parameter| match change_at(changes, index) {
            Change::Keep => Change::Set(parameter.value.clone()),
            change => change,
        };
        let field = parsed.rewrite(name, b"", Some(word.unwrap_or(&parsed.word)), written);
        if !self.has_trace_besides_names(value_of(&field), &Parameterized::parse(value_of(&field))) {
            return Fate::Becomes(field);
        }
        let essential = |index: usize, parameter: &Parameter| match written(index, parameter) {
            Change::Set(value) if ESSENTIAL.contains(&parameter.name.as_str()) => Change::Set(value),
            _ => Change::Drop,
        };
        let field = parsed.rewrite(name, b"", Some(word.unwrap_or(&parsed.word)), essential);
        self.becomes_if_clean(field)
    }

    /// A trace in the whole value. A short local part that stands in a file name is none.
    fn has_trace_besides_names(&self, value: &[u8], parsed: &Parameterized) -> bool {
        if !self.has_trace(value) {
            return false;
        }
        let names: Vec<_> = parsed.parameters.iter().filter(|parameter| is_name(parameter)).collect();
        if names.is_empty() {
            return true;
        }
        let without =
            parsed.rewrite(
                "X",
                value,
                None,
                |_, parameter| {
                    if is_name(parameter) { Change::Drop } else { Change::Keep }
                },
            );
        let rubbish = parameters::rubbish(value);
        self.has_trace(&rubbish)
            || self.has_trace(value_of(&without))
            || names.iter().any(|name| self.secrets.trace_in_name(&name.value))
    }

    fn parameter_changes(&self, parsed: &Parameterized) -> Vec<Change> {
        let is_repeated = |index: usize, name: &str| {
            ESSENTIAL.contains(&name)
                && parsed.parameters.iter().take(index).any(|earlier| earlier.name == name)
        };
        let change = |(index, parameter): (usize, &Parameter)| {
            if is_repeated(index, &parameter.name) { Change::Drop } else { self.parameter_change(parameter) }
        };
        parsed.parameters.iter().enumerate().map(change).collect()
    }

    fn parameter_change(&self, parameter: &Parameter) -> Change {
        let (name, value) = (parameter.name.as_str(), parameter.value.as_str());
        if self.secrets.trace_in(name, Syntax::Plain) {
            return Change::Drop;
        }
        // The root of a multipart/related (RFC 2387) goes along with its Content-ID.
        if name == "start" {
            let other = other_content_id(value, self.secrets, self.ids);
            return other.map_or(Change::Keep, |other| Change::Set(format!("<{other}>")));
        }
        let is_name = is_name(parameter);
        let has_trace = |text: &str| match is_name {
            true => self.secrets.trace_in_name(text),
            false => self.secrets.trace_in(text, Syntax::Plain),
        };
        if !has_trace(value) {
            return Change::Keep;
        }
        let replaced = match is_name {
            true => self.other_name(value),
            false => self.secrets.replace_everything(value, Syntax::Plain),
        };
        replaced.filter(|new| !has_trace(new)).map_or(Change::Drop, Change::Set)
    }

    /// A file name may be an address and an extension, which together look like another address.
    fn other_name(&self, name: &str) -> Option<String> {
        let stem = name.rsplit_once('.').filter(|(stem, _)| self.secrets.address_in(stem, Syntax::Plain));
        let whole = stem.and_then(|(stem, extension)| {
            self.secrets.replace_name(stem).map(|stem| format!("{stem}.{extension}"))
        });
        match whole {
            Some(name) => Some(self.secrets.replace_name(&name).unwrap_or(name)),
            None => self.secrets.replace_name(name),
        }
    }

    /// A type with a trace says nothing that programs understand.
    fn other_word(&self, word: &str) -> Option<String> {
        self.secrets.trace_in(word, Syntax::Plain).then(|| {
            let is_type = word.contains('/');
            if is_type { "application/octet-stream" } else { "attachment" }.to_owned()
        })
    }
}

fn is_name(parameter: &Parameter) -> bool {
    matches!(parameter.name.as_str(), "name" | "filename")
}

fn change_at(changes: &[Change], index: usize) -> Change {
    changes.get(index).cloned().unwrap_or(Change::Keep)
}

fn with_added(field: HeaderField, added: &[(&'static str, &Change)]) -> HeaderField {
    let mut out = FieldWriter::new("Content-Type");
    let values: Vec<_> = added.iter().filter_map(|(name, change)| set_value(name, change)).collect();
    if values.is_empty() {
        return field;
    }
    out.raw(value_of(&field));
    for value in values {
        out.glue(';').token(&value);
    }
    out.finish()
}

fn set_value(name: &str, change: &Change) -> Option<String> {
    match change {
        Change::Set(value) => Some(format!("{name}={value}")),
        Change::Keep | Change::Drop => None,
    }
}

/// The field for a part that had none and needs one: it was plain text.
pub(super) fn new_type(description: &Description) -> HeaderField {
    let mut field = FieldWriter::new("Content-Type");
    field.token(description.media_type.unwrap_or("text/plain"));
    for value in description.parameters.iter().filter_map(|(name, change)| set_value(name, change)) {
        field.glue(';').token(&value);
    }
    field.finish()
}

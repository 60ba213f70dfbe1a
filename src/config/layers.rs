//! What was typed, per source: the file, the environment, and what the machine answers for keys whose default depends
//! on it. A later source counts more than an earlier one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::environment::Environment;
use super::error::{ConfigError, ConfigErrors, Place};
use super::keys::{AnyKey, Default, Key, PREFIX, Section, Spec};
use super::nearest::nearest;
use super::raw::{Fault, Kind, Raw, Value, Word};
use super::source::Source;
use super::{FILE_VARIABLE, table};

/// One typed value.
#[derive(Clone)]
pub(super) struct Entry {
    pub value: Value,
    pub origin: Origin,
    /// The text as it stood in the environment.
    plain: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    File,
    Variable(String),
    /// Found, and how: `the machine's name`.
    Found(&'static str),
    Default,
}

/// All that was typed.
pub(super) struct Layers {
    source: Option<Source>,
    /// By path; the file's, the environment's and the machine's.
    file: BTreeMap<&'static str, Entry>,
    variables: BTreeMap<&'static str, Entry>,
    found: BTreeMap<&'static str, Entry>,
}

impl Layers {
    /// Reads all sources; every value can be read when this succeeds.
    pub(super) fn read(source: Option<Source>, environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut layers =
            Self { source, file: BTreeMap::new(), variables: BTreeMap::new(), found: BTreeMap::new() };
        let mut errors = layers.read_file()?;
        errors.extend(layers.read_variables(environment));
        errors.extend(layers.check(environment));
        layers.find_defaults(environment);
        ConfigErrors::check(errors).map(|()| layers)
    }

    /// What counts for this key.
    pub(super) fn entry(&self, spec: &Spec) -> Option<Entry> {
        let typed =
            [&self.variables, &self.file, &self.found].into_iter().find_map(|layer| layer.get(spec.path));
        typed.cloned().or_else(|| default_entry(spec))
    }

    /// What this key means here.
    pub(super) fn get<T>(&self, key: &Key<T>, environment: &Environment) -> Result<T, ConfigError> {
        let spec = &key.spec;
        let Some(entry) = self.entry(spec) else {
            return Err(ConfigError {
                place: Place::Default,
                key: spec.path.to_owned(),
                problem: "there is no default on this machine; set it".to_owned(),
            });
        };
        (key.read)(&entry.raw(spec, environment)).map_err(|fault| self.error(spec, &entry.origin, fault))
    }

    /// Where the value that counts for this key was typed.
    pub(super) fn place(&self, spec: &Spec) -> Place {
        self.entry(spec).map_or(Place::Default, |entry| self.place_of(&entry.origin, &entry.value.span))
    }

    /// Whether this key was typed at all.
    pub(super) fn is_typed(&self, spec: &Spec) -> bool {
        self.variables.contains_key(spec.path) || self.file.contains_key(spec.path)
    }

    fn read_file(&mut self) -> Result<Vec<ConfigError>, ConfigErrors> {
        let Some(source) = &self.source else { return Ok(Vec::new()) };
        let (document, faults) = DeTable::parse_recoverable(source.text());
        ConfigErrors::check(faults.iter().map(|fault| syntax_error(source, fault)).collect())?;
        let root =
            Value::from(toml::Spanned::new(document.span(), toml::de::DeValue::Table(document.into_inner())));
        let mut walk = Walk { source, entries: BTreeMap::new(), errors: Vec::new() };
        if let (Kind::Table(entries), Some(top)) = (root.kind, table::find_section("")) {
            walk.section(top, entries);
        }
        let Walk { entries, errors, .. } = walk;
        self.file = entries;
        Ok(errors)
    }

    fn read_variables(&mut self, environment: &Environment) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        for (name, value) in environment.with_prefix(PREFIX).filter(|(name, _)| is_for_us(name)) {
            match variable_entry(name, value) {
                Ok((path, entry)) => drop(self.variables.insert(path, entry)),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// Reads every typed value, also those that another source overrides.
    fn check(&self, environment: &Environment) -> Vec<ConfigError> {
        let faults = |key: &'static dyn AnyKey| {
            let spec = key.spec();
            let typed = [&self.file, &self.variables].into_iter().filter_map(|layer| layer.get(spec.path));
            typed.filter_map(move |entry| {
                let fault = key.check(&entry.raw(spec, environment)).err()?;
                Some(self.error(spec, &entry.origin, fault))
            })
        };
        table::all().flat_map(faults).collect()
    }

    fn error(&self, spec: &Spec, origin: &Origin, fault: Fault) -> ConfigError {
        let place = self.place_of(origin, &fault.span);
        let problem = match origin {
            Origin::Found(_) => format!("{}; set {} to something else", fault.problem, spec.path),
            _ => fault.problem,
        };
        ConfigError { place, key: spec.path.to_owned(), problem }
    }

    fn place_of(&self, origin: &Origin, span: &Range<usize>) -> Place {
        match (origin, &self.source) {
            (Origin::File, Some(source)) => source.place(span),
            (Origin::Variable(name), _) => Place::Variable(name.clone()),
            (Origin::Found(how), _) => Place::Found(how),
            _ => Place::Default,
        }
    }

    /// The defaults that depend on the machine or on other keys.
    fn find_defaults(&mut self, environment: &Environment) {
        let (name, how) = match environment.machine_name() {
            Some(name) => (name, "the machine's name"),
            None => ("localhost", "default, as this machine has no name"),
        };
        self.insert_found(&table::HOSTNAME.spec, Value::text(name), how);

        let state = environment.first_folder("STATE_DIRECTORY");
        let how = if state.is_some() { "$STATE_DIRECTORY" } else { "default" };
        let data_dir = state.unwrap_or_else(|| "aliasd-data".into());
        self.insert_found(&table::DATA_DIR.spec, Value::text(data_dir.display().to_string()), how);

        let Some(data_dir) = self.get(&table::DATA_DIR, environment).ok() else { return };
        let url = format!("sqlite:{}", data_dir.join("aliasd.db").display());
        self.insert_found(&table::DATABASE_URL.spec, Value::text(url), "default, in data_dir");
        let file = file_table(&data_dir.join("master.key"));
        self.insert_found(&table::MASTER_KEY.spec, file, "default, in data_dir");
    }

    fn insert_found(&mut self, spec: &Spec, value: Value, how: &'static str) {
        self.found.insert(spec.path, Entry { value, origin: Origin::Found(how), plain: None });
    }
}

impl Entry {
    fn raw<'a>(&'a self, spec: &Spec, environment: &'a Environment) -> Raw<'a> {
        Raw { value: &self.value, plain: self.plain.as_deref(), secret: spec.secret, environment }
    }
}

fn default_entry(spec: &Spec) -> Option<Entry> {
    match spec.default {
        Default::Value(text) => {
            Value::parse(text).map(|value| Entry { value, origin: Origin::Default, plain: None })
        }
        Default::Found { .. } => None,
    }
}

fn file_table(path: &Path) -> Value {
    let word = Word { text: "file".to_owned(), span: 0..0 };
    Value { kind: Kind::Table(vec![(word, Value::text(path.display().to_string()))]), span: 0..0 }
}

fn syntax_error(source: &Source, fault: &toml::de::Error) -> ConfigError {
    let span = fault.span().unwrap_or(0..0);
    let problem = format!("this is not TOML: {}", fault.message());
    ConfigError { place: source.place(&span), key: source.key_near(&span), problem }
}

/// One way through a file's tables.
struct Walk<'a> {
    source: &'a Source,
    entries: BTreeMap<&'static str, Entry>,
    errors: Vec<ConfigError>,
}

impl Walk<'_> {
    fn section(&mut self, section: &'static Section, entries: Vec<(Word, Value)>) {
        for (word, value) in entries {
            let path = join(section.name, &word.text);
            match (table::find(&path), table::find_section(&path)) {
                (Some(key), _) => self.key(key.spec(), value),
                (None, Some(inner)) => self.subsection(inner, &word, value),
                (None, None) => self.unknown(section, &word, &value),
            }
        }
    }

    fn key(&mut self, spec: &'static Spec, value: Value) {
        self.entries.insert(spec.path, Entry { value, origin: Origin::File, plain: None });
    }

    fn subsection(&mut self, section: &'static Section, word: &Word, value: Value) {
        let name = section.name;
        match value.kind {
            // An empty section asks for the feature as much as a full one does.
            Kind::Table(entries) if entries.is_empty() && name == "smtp.tls" => {
                self.error(
                    word,
                    name,
                    "not available yet: found this section, but it is only taken when it is absent"
                        .to_owned(),
                );
            }
            Kind::Table(entries) => self.section(section, entries),
            Kind::Array(_) => self.error(word, name, format!("found an array, expected a section: [{name}]")),
            _ => self.error(word, name, format!("found a value, expected a section: [{name}]")),
        }
    }

    fn unknown(&mut self, section: &'static Section, word: &Word, value: &Value) {
        let path = join(section.name, &word.text);
        let problem = match value.kind {
            Kind::Table(_) => format!("there is no such section; {}", section_hint(&path)),
            _ => format!("there is no such key; {}", table::hint(section, &word.text)),
        };
        self.error(word, &path, problem);
    }

    fn error(&mut self, word: &Word, key: &str, problem: String) {
        let place = self.source.place(&word.span);
        self.errors.push(ConfigError { place, key: key.to_owned(), problem });
    }
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

fn section_hint(path: &str) -> String {
    let names = || table::SECTIONS.iter().map(|section| section.name).filter(|name| !name.is_empty());
    match nearest(path, names()) {
        Some(name) => format!("the nearest is [{name}]"),
        None => format!("the sections are: {}", names().collect::<Vec<_>>().join(", ")),
    }
}

/// Kubernetes and Docker tell every container of a service that is called aliasd where it is, with variables that look
/// like ours. No key is named so: there is no section "port" or "service".
fn is_for_us(name: &str) -> bool {
    let is_link = |name: &str| name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_");
    name != FILE_VARIABLE && !name.strip_prefix(PREFIX).is_some_and(is_link)
}

/// What a variable sets, and to what.
fn variable_entry(name: &str, value: &OsStr) -> Result<(&'static str, Entry), ConfigError> {
    let key = table::all().map(|key| key.spec()).find(|spec| spec.variable() == name);
    let error = |key: &str, problem: String| ConfigError {
        place: Place::Variable(name.to_owned()),
        key: key.to_owned(),
        problem,
    };
    let spec = key.ok_or_else(|| error("", format!("there is no such key; {}", variable_hint(name))))?;
    let text =
        value.to_str().ok_or_else(|| error(spec.path, "found a value that is not UTF-8".to_owned()))?;
    let value = Value::parse(text).unwrap_or_else(|| Value::text(text));
    let origin = Origin::Variable(name.to_owned());
    Ok((spec.path, Entry { value, origin, plain: Some(text.to_owned()) }))
}

fn variable_hint(name: &str) -> String {
    // Without the prefix, which would make any two of them look alike.
    let known: Vec<String> = table::all().map(|key| key.spec().variable()).collect();
    let known =
        known.iter().map(String::as_str).chain([FILE_VARIABLE]).filter_map(|name| name.strip_prefix(PREFIX));
    match name.strip_prefix(PREFIX).and_then(|name| nearest(name, known)) {
        Some(near) => format!("the nearest is ${PREFIX}{near}"),
        None => "a key is named ALIASD_SECTION__KEY, such as $ALIASD_SMTP__LISTEN".to_owned(),
    }
}

//! What a key is. The table of all of them is in [`super::table`].
//!
//! A [`Key`] knows the type of what it means, so that asking for a setting cannot give a value of another kind.

use super::raw::{Fault, Raw, Value};

/// What counts when a key is not set.
#[derive(Clone, Copy)]
pub(super) enum Default {
    /// This value, as TOML.
    Value(&'static str),
    /// It depends on the machine or on other keys.
    Found {
        /// An example, as TOML.
        example: &'static str,
        /// How it is found, for people.
        how: &'static str,
    },
}

/// Whether this version can do what a key asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Available {
    /// It can.
    Yes,
    /// The feature is not there yet: only the default is taken, so that nobody relies on it.
    NotYet,
}

/// What is known of a key whatever its type.
pub(super) struct Spec {
    /// Sections and name: `smtp.tls.key`.
    pub path: &'static str,
    pub default: Default,
    pub available: Available,
    /// Its value must not be shown.
    pub secret: bool,
    /// Lines of the default file, without `# `.
    pub doc: &'static str,
}

impl Spec {
    /// The part of the path that stands before the `=`.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The environment variable that overrides it.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.replace('.', "__").to_ascii_uppercase())
    }

    /// The default or an example of it, as TOML.
    pub(super) fn default_text(&self) -> &'static str {
        match self.default {
            Default::Value(text) | Default::Found { example: text, .. } => text,
        }
    }
}

/// Every variable that starts so must be a key's, or [`super::FILE_VARIABLE`].
pub(super) const PREFIX: &str = "ALIASD_";

/// From a value as it was typed to what it means.
pub(super) type Reader<T> = fn(&Raw<'_>) -> Result<T, Fault>;

/// A key whose value means a `T`.
pub(super) struct Key<T: 'static> {
    pub spec: Spec,
    pub read: Reader<T>,
    /// Whether two values mean the same; only where that matters.
    same: Option<fn(&Self, &Raw<'_>, &Raw<'_>) -> bool>,
}

impl<T> Key<T> {
    /// A key with a default that is the same everywhere, as TOML.
    pub(super) const fn new(
        path: &'static str,
        default: &'static str,
        read: Reader<T>,
        doc: &'static str,
    ) -> Self {
        let spec =
            Spec { path, default: Default::Value(default), available: Available::Yes, secret: false, doc };
        Self { spec, read, same: None }
    }

    /// The default is not the same everywhere: the one given was an example.
    pub(super) const fn found(mut self, how: &'static str) -> Self {
        if let Default::Value(example) = self.spec.default {
            self.spec.default = Default::Found { example, how };
        }
        self
    }

    /// The value must not be shown.
    pub(super) const fn secret(mut self) -> Self {
        self.spec.secret = true;
        self
    }
}

impl<T: PartialEq> Key<T> {
    /// The feature is not there yet.
    pub(super) const fn not_yet(mut self) -> Self {
        self.spec.available = Available::NotYet;
        self.same = Some(means_the_same);
        self
    }
}

fn means_the_same<T: PartialEq>(key: &Key<T>, a: &Raw<'_>, b: &Raw<'_>) -> bool {
    matches!(((key.read)(a), (key.read)(b)), (Ok(a), Ok(b)) if a == b)
}

/// A key of any type.
pub(super) trait AnyKey: Sync {
    fn spec(&self) -> &Spec;

    /// Whether the value can be read and this version can do what it asks for.
    fn check(&self, raw: &Raw<'_>) -> Result<(), Fault>;
}

impl<T> AnyKey for Key<T> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn check(&self, raw: &Raw<'_>) -> Result<(), Fault> {
        (self.read)(raw)?;
        let Some(same) = self.same else { return Ok(()) };
        let default = Value::parse(self.spec.default_text());
        let is_default = |default: &Value| same(self, raw, &Raw { plain: None, value: default, ..*raw });
        if default.as_ref().is_some_and(is_default) {
            return Ok(());
        }
        let (found, default) = (raw.found(), self.spec.default_text());
        Err(raw.fault(format!(
            "not available yet: found {found}, but only the default, {default}, is taken now"
        )))
    }
}

/// A part of the file.
pub(super) struct Section {
    /// Empty at the top of the file.
    pub name: &'static str,
    /// Lines of the default file, without `# `.
    pub doc: &'static str,
    pub keys: &'static [&'static dyn AnyKey],
}

//! One value as it was typed, and what may be said of it when it is wrong.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::environment::Environment;

/// Longest value that an error text repeats, in characters.
const MAX_SHOWN: usize = 60;

/// A value of a TOML text. No `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) struct Value {
    pub kind: Kind,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// What a value is.
#[derive(Clone)]
pub(super) enum Kind {
    Text(String),
    /// A number beyond the range stands at its end.
    Integer(i128),
    /// As it was written.
    Float(String),
    Boolean(bool),
    /// As it was written.
    Date(String),
    Array(Vec<Value>),
    /// The keys in their order, each with its place.
    Table(Vec<(Word, Value)>),
}

/// A key in a table.
#[derive(Clone)]
pub(super) struct Word {
    pub text: String,
    pub span: Range<usize>,
}

impl Value {
    /// A text that nobody typed.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { kind: Kind::Text(text.into()), span: 0..0 }
    }

    /// The value as it stands after a `=`.
    pub(super) fn to_toml(&self) -> String {
        match &self.kind {
            Kind::Text(text) => quoted(text),
            Kind::Integer(number) => number.to_string(),
            Kind::Float(text) | Kind::Date(text) => text.clone(),
            Kind::Boolean(value) => value.to_string(),
            Kind::Array(values) => {
                format!("[{}]", values.iter().map(Self::to_toml).collect::<Vec<_>>().join(", "))
            }
            Kind::Table(entries) => {
                let pairs =
                    entries.iter().map(|(word, value)| format!("{} = {}", word.text, value.to_toml()));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Reads one value as it stands after a `=`; none when it is not TOML.
    pub(super) fn parse(text: &str) -> Option<Self> {
        DeValue::parse(text).ok().map(Self::from)
    }
}

impl From<Spanned<DeValue<'_>>> for Value {
    fn from(value: Spanned<DeValue<'_>>) -> Self {
        let span = value.span();
        let kind = match value.into_inner() {
            DeValue::String(text) => Kind::Text(text.into_owned()),
            DeValue::Integer(number) => Kind::Integer(integer(&number)),
            DeValue::Float(number) => Kind::Float(number.to_string()),
            DeValue::Boolean(value) => Kind::Boolean(value),
            DeValue::Datetime(at) => Kind::Date(at.to_string()),
            DeValue::Array(values) => Kind::Array(values.into_iter().map(Self::from).collect()),
            DeValue::Table(entries) => {
                let mut entries: Vec<_> = entries.into_iter().map(entry).collect();
                entries.sort_by_key(|(word, _)| word.span.start);
                Kind::Table(entries)
            }
        };
        Self { kind, span }
    }
}

fn entry((key, value): (Spanned<std::borrow::Cow<'_, str>>, Spanned<DeValue<'_>>)) -> (Word, Value) {
    (Word { span: key.span(), text: key.into_inner().into_owned() }, Value::from(value))
}

fn integer(number: &DeInteger<'_>) -> i128 {
    let text = number.as_str();
    let beyond = if text.starts_with('-') { i128::MIN } else { i128::MAX };
    i128::from_str_radix(text, number.radix()).unwrap_or(beyond)
}

/// A value under the eyes of a reader.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    /// The value.
    pub value: &'a Value,
    /// The text as it stood in an environment variable, where nothing tells a number from a text.
    pub plain: Option<&'a str>,
    /// Error texts must not repeat it.
    pub secret: bool,
    /// Where secret files may lie.
    pub environment: &'a Environment,
}

impl<'a> Raw<'a> {
    pub(super) fn kind(&self) -> &'a Kind {
        &self.value.kind
    }

    /// An element of this array or table.
    pub(super) fn inner(&self, value: &'a Value) -> Self {
        Self { value, plain: None, ..*self }
    }

    /// The text, if it is one. In the environment a word that looks like a number is a text as well.
    pub(super) fn text(&self) -> Option<&'a str> {
        match self.kind() {
            Kind::Text(text) => Some(text),
            Kind::Integer(_) | Kind::Float(_) | Kind::Boolean(_) | Kind::Date(_) => self.plain,
            Kind::Array(_) | Kind::Table(_) => None,
        }
    }

    /// What was found, for people.
    pub(super) fn found(&self) -> String {
        match self.kind() {
            Kind::Table(_) => "a table".to_owned(),
            _ if self.secret => "a value that is not shown, as it may be a secret".to_owned(),
            Kind::Array(_) => format!("the array {}", cut(&self.value.to_toml())),
            Kind::Text(text) => format!("the string {}", cut(&format!("{text:?}"))),
            Kind::Integer(number) if *number == i128::MAX || *number == i128::MIN => {
                "a huge number".to_owned()
            }
            Kind::Integer(number) => format!("the number {number}"),
            Kind::Float(number) => format!("the number {number}"),
            Kind::Boolean(value) => value.to_string(),
            Kind::Date(at) => format!("the date {at}"),
        }
    }

    /// The fault of a value that is not what it should be.
    pub(super) fn expected(&self, expected: impl std::fmt::Display) -> Fault {
        self.fault(format!("found {}, expected {expected}", self.found()))
    }

    /// A fault in other words.
    pub(super) fn fault(&self, problem: impl Into<String>) -> Fault {
        Fault { span: self.value.span.clone(), problem: problem.into() }
    }
}

/// A string as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What is wrong with a value, and where in its source.
#[derive(Debug)]
pub(super) struct Fault {
    /// Bytes of the source.
    pub span: Range<usize>,
    /// What was found and what was expected.
    pub problem: String,
}

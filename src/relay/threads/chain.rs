//! The ids of one field name: read from all fields of that name, written as one field.

use std::borrow::Cow;

use crate::mail::{Edits, FieldWriter, HeaderField, Message, message_id};
use crate::relay::ids;

/// Most ids that a chain of ours has.
pub const MAX_IDS: usize = 1_000;
/// Most octets that a chain of ours has, its name aside.
pub const MAX_OCTETS: usize = 64 * 1024;
/// A longer id is not written: it would not be sure to fit a line (RFC 5322, section 2.1.1).
const LONGEST_ID: usize = 900;

/// The ids under one field name, in order.
#[derive(Debug)]
pub(super) struct Chain<'m> {
    name: &'static str,
    /// The fields that they stand in.
    fields: Vec<usize>,
    /// In their brackets, as they came.
    pub ids: Vec<&'m [u8]>,
    /// There is nothing else: one field, nothing but white space between the ids, within our bounds.
    pub is_plain: bool,
}

impl<'m> Chain<'m> {
    pub fn read(message: &'m Message, name: &'static str) -> Self {
        let mut chain = Self { name, fields: Vec::new(), ids: Vec::new(), is_plain: true };
        for (index, field) in message.named(name) {
            chain.fields.push(index);
            chain.add(message.value(field));
        }
        chain.is_plain &= chain.fields.len() <= 1 && chain.ids.len() <= MAX_IDS;
        chain
    }

    fn add(&mut self, value: &'m [u8]) {
        let mut between = 0;
        let part = |from, to| value.get(from..to).unwrap_or_default();
        let mut is_plain = value.len() <= MAX_OCTETS;
        for span in message_id::spans(value) {
            is_plain &= is_blank(part(between, span.start));
            between = span.end;
            let id = part(span.start, span.end);
            if ids::normal(id).is_empty() {
                is_plain = false;
            } else {
                self.ids.push(id);
            }
        }
        self.is_plain &= is_plain && is_blank(part(between, value.len()));
    }

    /// Puts a field with these links in the place of what was read; without a link, nothing.
    pub fn put(&self, edits: &mut Edits<'_>, links: &[Link<'_>]) {
        let field = write(self.name, links);
        let Some((&first, further)) = self.fields.split_first() else {
            field.map(|field| edits.append(field));
            return;
        };
        match field {
            Some(field) => edits.replace(first, field),
            None => edits.remove(first),
        };
        for &index in further {
            edits.remove(index);
        }
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// One id of a chain, and the id that stands before it for our sake.
#[derive(Debug)]
pub(super) struct Link<'m> {
    pub companion: Option<String>,
    /// Borrowed when it is as it came.
    pub id: Cow<'m, [u8]>,
}

impl<'m> Link<'m> {
    pub fn plain(id: impl Into<Cow<'m, [u8]>>) -> Self {
        Self { companion: None, id: id.into() }
    }

    /// Whether a chain with this link is another one than that which came.
    pub fn is_new(&self) -> bool {
        self.companion.is_some() || matches!(self.id, Cow::Owned(_))
    }

    /// With what separates it from the next one.
    fn octets(&self) -> usize {
        self.id.len() + self.companion.as_ref().map_or(0, |companion| companion.len() + 3) + 3
    }

    fn count(&self) -> usize {
        1 + usize::from(self.companion.is_some())
    }
}

fn write(name: &str, links: &[Link<'_>]) -> Option<HeaderField> {
    let links: Vec<_> = links.iter().filter(|link| link.id.len() <= LONGEST_ID).collect();
    let (first, rest) = links.split_first()?;
    let mut field = FieldWriter::new(name);
    for link in [first].into_iter().chain(newest(rest, first)) {
        if let Some(companion) = &link.companion {
            field.token(companion);
        }
        field.raw(&link.id);
    }
    Some(field.finish())
}

/// As many of the last links as have room beside the first one.
fn newest<'l, 'm>(links: &'l [&'l Link<'m>], first: &Link<'m>) -> &'l [&'l Link<'m>] {
    let (mut count, mut octets) = (first.count(), first.octets());
    let fitting = links.iter().rev().take_while(|link| {
        count += link.count();
        octets += link.octets();
        count <= MAX_IDS && octets <= MAX_OCTETS
    });
    links.get(links.len() - fitting.count()..).unwrap_or_default()
}

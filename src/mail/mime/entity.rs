//! A part of a message: where its header section ends and its body begins.
//!
//! Readers agree on that only where the header section is well formed. A line that is no field makes some of them end it
//! there, and go on with the body; others skip the line. This one ends it, and says in [`Entity::is_split_by_force`] that
//! an empty line must be put in when the part is written, so that there is one reading from then on.

use bytes::Bytes;

use super::super::message::{HeadError, Message};

/// A part, or a message within a message: header fields and a body.
#[derive(Debug, Clone)]
pub struct Entity {
    head: Message,
    body: Bytes,
    is_split_by_force: bool,
}

impl Entity {
    /// Tells header fields and body apart. Lines are expected to end in CRLF (see [`super::transfer::with_crlf`]).
    #[must_use]
    pub fn parse(raw: Bytes) -> Self {
        let whole = Message::parse(raw);
        match length_of_fields(&whole) {
            Some(length) => Self {
                head: Message::parse(whole.raw().slice(..length)),
                body: whole.raw().slice(length..),
                is_split_by_force: true,
            },
            None => Self { body: whole.body(), head: whole, is_split_by_force: false },
        }
    }

    /// The header fields, as a message whose body is of no interest.
    #[must_use]
    pub fn head(&self) -> &Message {
        &self.head
    }

    /// What follows the header section: a shared slice of the original bytes.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether a line that is no field ended the header section, and no empty line stands before the body.
    #[must_use]
    pub fn is_split_by_force(&self) -> bool {
        self.is_split_by_force
    }

    /// Whether the header section is within bounds.
    ///
    /// # Errors
    /// Names the bound. Not all fields are known then.
    pub fn check(&self) -> Result<(), HeadError> {
        self.head.check()
    }

    /// The value of the first field of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.head.named(name).next().map(|(_, field)| self.head.value(field))
    }
}

/// The length of the fields before the first line that is none; `None` when there is no such line. The line that begins a
/// message in a mailbox file (`From jane@example.org Sat Jan …`) is no field either, and readers step over it.
fn length_of_fields(message: &Message) -> Option<usize> {
    let mut length = 0;
    for (index, field) in message.fields().iter().enumerate() {
        let line = message.raw_field(field);
        if message.name(field).is_none() && !(index == 0 && is_mailbox_file_line(line)) {
            return Some(length);
        }
        length += line.len();
    }
    None
}

/// Whether this is the line before a message in a mailbox file.
#[must_use]
pub fn is_mailbox_file_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(raw: &str) -> (String, String, bool) {
        let entity = Entity::parse(Bytes::from(raw.to_owned()));
        let head: Vec<u8> =
            entity.head.fields().iter().flat_map(|field| entity.head.raw_field(field).to_vec()).collect();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&head), text(&entity.body), entity.is_split_by_force)
    }

    #[test]
    fn fields_and_body_are_told_apart() {
        for (raw, head, body, forced) in [
            ("A: 1\r\nB: 2\r\n\r\nbody\r\n", "A: 1\r\nB: 2\r\n", "body\r\n", false),
            ("\r\nbody", "", "body", false),
            ("A: 1", "A: 1", "", false),
            ("", "", "", false),
            ("no field", "", "no field", true),
            ("A: 1\r\n more\r\nno field\r\n\r\nbody", "A: 1\r\n more\r\n", "no field\r\n\r\nbody", true),
            ("From jane Sat\r\nA: 1\r\n\r\nbody", "From jane Sat\r\nA: 1\r\n", "body", false),
        ] {
            assert_eq!(parts(raw), (head.to_owned(), body.to_owned(), forced), "{raw:?}");
        }
    }

    #[test]
    fn too_many_fields_are_told() {
        assert!(Entity::parse(Bytes::from("A: 1\r\n".repeat(2_001))).check().is_err());
    }

    proptest! {
        #[test]
        fn nothing_is_lost(raw in prop::collection::vec(prop_oneof![
            any::<u8>(), prop::sample::select(&b"a:\r\n "[..])], 0..200)) {
            let entity = Entity::parse(Bytes::from(raw.clone()));
            let head = entity.head().head();
            prop_assert_eq!([&head[..], &entity.body()[..]].concat(), raw);
        }
    }
}

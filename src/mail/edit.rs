//! Edits of a header section that leave every other byte alone.
//!
//! Fields that no edit names come out byte-identical and in order; the body is not looked at, and the result shares it
//! with the original. Only a [`HeaderField`] can be put in, so an edit can neither break a line nor end the section.
//!
//! One line may fall victim: a continuation line at the very start of a message continues nothing. When a field is put
//! before it, it would become that field's own (a stranger's words in our `Authentication-Results`), so it is left out.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::fold::HeaderField;
use super::message::{Message, is_newline, is_wsp};

/// A message after its edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The header section with the empty line that ends it; without that line only when the message came without it
    /// and the body is therefore empty.
    pub head: Bytes,
    /// The original's body: the same memory.
    pub body: Bytes,
}

/// Edits of one message, collected and then rendered.
#[derive(Debug, Clone)]
pub struct Edits<'m> {
    message: &'m Message,
    top: Vec<HeaderField>,
    /// By index: what stands there instead; `None` for nothing.
    changes: BTreeMap<usize, Option<HeaderField>>,
    end: Vec<HeaderField>,
}

impl<'m> Edits<'m> {
    /// No edits yet.
    #[must_use]
    pub fn new(message: &'m Message) -> Self {
        Self { message, top: Vec::new(), changes: BTreeMap::new(), end: Vec::new() }
    }

    /// Leaves out the field (or opaque line) with this index; an index that no field has does nothing.
    pub fn remove(&mut self, index: usize) -> &mut Self {
        self.change(index, None)
    }

    /// Puts `field` in the place of the one with this index; the last word about an index counts.
    pub fn replace(&mut self, index: usize, field: HeaderField) -> &mut Self {
        self.change(index, Some(field))
    }

    /// Adds a field before all others, below those that were added so before.
    pub fn insert_top(&mut self, field: HeaderField) -> &mut Self {
        self.top.push(field);
        self
    }

    /// Adds a field at the end of the header section.
    pub fn append(&mut self, field: HeaderField) -> &mut Self {
        self.end.push(field);
        self
    }

    /// The message with these edits.
    #[must_use]
    pub fn render(&self) -> Rendered {
        let head = if self.is_empty() { self.message.head() } else { self.write_head().into() };
        Rendered { head, body: self.message.body() }
    }

    fn change(&mut self, index: usize, to: Option<HeaderField>) -> &mut Self {
        if index < self.message.fields().len() {
            self.changes.insert(index, to);
        }
        self
    }

    fn is_empty(&self) -> bool {
        self.top.is_empty() && self.changes.is_empty() && self.end.is_empty()
    }

    fn write_head(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.message.head().len() + self.added());
        write_all(&mut out, &self.top);
        self.write_fields(&mut out);
        if !self.end.is_empty() || !self.message.separator().is_empty() {
            end_line(&mut out);
        }
        write_all(&mut out, &self.end);
        out.extend_from_slice(self.message.separator());
        out
    }

    /// Runs of untouched fields are copied whole, changed ones replaced in between.
    fn write_fields(&self, out: &mut Vec<u8>) {
        let mut next = self.first_kept();
        for (&index, change) in self.changes.range(next..) {
            out.extend_from_slice(self.message.fields_between(next..index));
            if let Some(field) = change {
                out.extend_from_slice(field.as_bytes());
            }
            next = index + 1;
        }
        out.extend_from_slice(self.message.fields_from(next));
    }

    /// 1 when the first line would continue a field that is put before it, else 0.
    fn first_kept(&self) -> usize {
        usize::from(starts_dangling(self.message) && !self.top.is_empty() && !self.changes.contains_key(&0))
    }

    fn added(&self) -> usize {
        let fields = self.top.iter().chain(self.changes.values().flatten()).chain(&self.end);
        fields.map(|field| field.as_bytes().len()).sum()
    }
}

/// Whether the first line, put after another, would be taken for a part of that one.
fn starts_dangling(message: &Message) -> bool {
    message.fields_from(0).first().is_some_and(|&b| is_wsp(b) || is_newline(b))
}

fn write_all(out: &mut Vec<u8>, fields: &[HeaderField]) {
    for field in fields {
        out.extend_from_slice(field.as_bytes());
    }
}

/// A message without an empty line may end in the middle of a line; a field that now is the last one, in a bare LF.
fn end_line(out: &mut Vec<u8>) {
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(text: &str) -> HeaderField {
        let (name, value) = text.split_once(": ").unwrap();
        HeaderField::unstructured(name, value)
    }

    fn edited(text: &str, edit: impl FnOnce(&mut Edits<'_>)) -> String {
        let message = Message::parse(Bytes::copy_from_slice(text.as_bytes()));
        let mut edits = Edits::new(&message);
        edit(&mut edits);
        let Rendered { head, body } = edits.render();
        String::from_utf8([head, body].concat()).unwrap()
    }

    #[test]
    fn each_edit_lands_in_its_place() {
        let text = "A: 1\r\nB:  2\r\n x\r\nC:3\r\n\r\nbody\r\n";
        let result = edited(text, |edits| {
            edits.append(field("Z: 9")).insert_top(field("T: 1")).insert_top(field("T: 2"));
            edits.remove(0).replace(2, field("C: new")).remove(77);
        });
        assert_eq!(result, "T: 1\r\nT: 2\r\nB:  2\r\n x\r\nC: new\r\nZ: 9\r\n\r\nbody\r\n");
    }

    #[test]
    fn the_last_word_about_a_field_counts() {
        let result = edited("A: 1\r\nB: 2\r\n\r\n", |edits| {
            edits.remove(0).replace(0, field("A: 2")).replace(1, field("B: 3")).remove(1);
        });
        assert_eq!(result, "A: 2\r\n\r\n");
    }

    fn appended(text: &str) -> String {
        edited(text, |edits| _ = edits.append(field("B: 2")))
    }

    fn topped(text: &str) -> String {
        edited(text, |edits| _ = edits.insert_top(field("B: 2")))
    }

    #[test]
    fn a_missing_empty_line_stays_missing_and_an_open_line_is_closed() {
        assert_eq!(edited("A: 1", |_| ()), "A: 1");
        assert_eq!(appended("A: 1"), "A: 1\r\nB: 2\r\n");
        assert_eq!(appended("A: 1\r\n"), "A: 1\r\nB: 2\r\n");
        assert_eq!(topped("A: 1"), "B: 2\r\nA: 1");
        assert_eq!(appended(""), "B: 2\r\n");
        assert_eq!(appended("\r\nbody"), "B: 2\r\n\r\nbody");
    }

    #[test]
    fn a_dangling_continuation_never_joins_our_field() {
        let text = " forged\r\nA: 1\r\n\r\n";
        assert_eq!(appended(text), " forged\r\nA: 1\r\nB: 2\r\n\r\n");
        assert_eq!(topped(text), "B: 2\r\nA: 1\r\n\r\n");
    }

    #[test]
    fn the_body_stays_the_body_when_a_bare_line_feed_becomes_the_last_line_end() {
        let result = edited("A: 1\nB: 2\r\n\r\nbody", |edits| _ = edits.remove(1));
        assert_eq!(result, "A: 1\n\r\n\r\nbody");
    }

    #[test]
    fn removing_a_field_never_leaves_an_empty_line() {
        for text in ["A: 1\r\nB: 2\r\r\nC: 3\r\n\r\n", "A: 1\r\nB: 2\n\r\nC: 3\r\n\r\n"] {
            let result = edited(text, |edits| {
                edits.remove(1);
            });
            assert_eq!(result, "A: 1\r\nC: 3\r\n\r\n", "{text:?}");
        }
    }

    #[test]
    fn the_body_is_the_same_memory() {
        let message = Message::parse(Bytes::from_static(b"A: 1\r\n\r\nbody"));
        let mut edits = Edits::new(&message);
        edits.remove(0);
        assert_eq!(edits.render().body.as_ptr(), message.raw()[8..].as_ptr());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Remove(usize),
        Replace(usize),
        Top,
        Append,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..12_usize).prop_map(Step::Remove),
            (0..12_usize).prop_map(Step::Replace),
            Just(Step::Top),
            Just(Step::Append),
        ];
        prop::collection::vec(step, 0..8)
    }

    fn raw_message() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "A: 1\r\n",
            "Bb:2\r\n\tx\r\n",
            "junk\r\n",
            "C : 3\r\n",
            " cont\r\n",
            "D: \u{e9}\r\n",
            "\r\n",
            "x",
            "\n",
            "\r",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn without_edits_nothing_changes(raw in raw_message()) {
            let message = Message::parse(Bytes::from(raw.clone()));
            let Rendered { head, body } = Edits::new(&message).render();
            prop_assert_eq!([head, body].concat(), raw);
        }

        #[test]
        fn untouched_fields_stay_identical_and_in_order(raw in raw_message(), steps in steps()) {
            let message = Message::parse(Bytes::from(raw));
            let mut edits = Edits::new(&message);
            let (mut touched, mut on_top) = (Vec::new(), false);
            for step in steps {
                match step {
                    Step::Remove(at) => { edits.remove(at); touched.push(at); }
                    Step::Replace(at) => { edits.replace(at, field("Ours: x")); touched.push(at); }
                    Step::Top => { edits.insert_top(field("Ours: t")); on_top = true; }
                    Step::Append => { edits.append(field("Ours: e")); }
                }
            }
            let Rendered { head, body } = edits.render();
            prop_assert_eq!(&body, &message.body());
            let again = Message::parse(Bytes::from([head, body].concat()));
            prop_assert_eq!(&again.body(), &message.body());
            let dropped = |at: usize| {
                touched.contains(&at) || (at == 0 && on_top && starts_dangling(&message))
            };
            let kept = message.fields().iter().enumerate().filter(|(at, _)| !dropped(*at));
            let kept: Vec<_> = kept.map(|(_, field)| message.value(field)).collect();
            let left: Vec<_> = again.fields().iter().filter(|field| !again.is(field, "Ours"))
                .map(|field| again.value(field)).collect();
            prop_assert_eq!(left, kept);
        }
    }
}

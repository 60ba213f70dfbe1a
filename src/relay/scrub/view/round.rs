//! One round of decoding.

use super::letters::{fold_into, is_invisible};
use super::markup::Markup;
use super::{Kind, Patch, Syntax, entities, escapes};

/// What a round takes off: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layers(u8);

impl Layers {
    /// Percent-encoding, entities, backslashes, characters that fold, characters that do not show.
    const BASE: Self = Self(1);
    /// Line ends with a blank behind them.
    const FOLDS: Self = Self(2);
    /// Tags and comments.
    pub(super) const TAGS: Self = Self(4);
    /// Quoted-printable.
    pub(super) const QUOTED: Self = Self(8);

    /// What every round of a syntax takes off.
    pub(super) fn of(syntax: Syntax) -> Self {
        match syntax {
            Syntax::Folded => Self::BASE.with(Self::FOLDS),
            Syntax::Plain | Syntax::Html | Syntax::Escaped => Self::BASE,
        }
    }

    /// What any round of a syntax takes off.
    pub(super) fn any_of(syntax: Syntax) -> Self {
        match syntax {
            Syntax::Plain => Self::BASE,
            Syntax::Html | Syntax::Escaped => Self::BASE.with(Self::TAGS),
            Syntax::Folded => Self::BASE.with(Self::FOLDS).with(Self::TAGS).with(Self::QUOTED),
        }
    }

    /// Both.
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether a text has a character that one of them may start with.
    pub(super) fn meet(self, text: &str) -> bool {
        self.next(text.as_bytes(), 0).is_some()
    }

    /// The next byte that one of them may start with.
    fn next(self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        rest.iter().position(|&byte| TRIGGERS[usize::from(byte)] & self.0 != 0).map(|found| from + found)
    }
}

/// For each byte, the layers that it may start.
static TRIGGERS: [u8; 256] = triggers();

const fn triggers() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'%' | b'&' | b'\\' => Layers::BASE.0,
            b'\r' | b'\n' => Layers::FOLDS.0,
            b'\t' => 0,
            0..0x20 | 0x7f.. => Layers::BASE.0,
            b'<' => Layers::TAGS.0,
            b'=' => Layers::QUOTED.0,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// Something that reads otherwise than it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// Bytes that it is written in.
    pub len: usize,
    pub shows: Shows,
}

/// What a reader sees of a [`Unit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    Nothing(Kind),
    Char(char),
    /// A letter and the mark on it.
    Marked(char, char),
}

/// Decodes once. Nothing when there was nothing to decode.
pub(super) fn run(parent: &str, layers: Layers) -> Option<(String, Vec<Patch>)> {
    #[cfg(test)]
    super::steps::add(parent.len());
    let mut markup = Markup::new(parent);
    let mut builder = Builder::new(parent);
    let mut at = 0;
    while let Some(start) = layers.next(parent.as_bytes(), at) {
        at = match unit_at(parent, start, layers, &mut markup) {
            Some(unit) => builder.put(start, unit),
            None => parent.ceil_char_boundary(start + 1),
        };
    }
    builder.finish()
}

fn unit_at(text: &str, start: usize, layers: Layers, markup: &mut Markup<'_>) -> Option<Unit> {
    let rest = text.get(start..)?;
    match rest.as_bytes().first()? {
        b'%' => escapes::percent(rest.as_bytes()),
        b'&' => entities::entity(rest.as_bytes()),
        b'\\' => escapes::backslash(rest.as_bytes()),
        b'=' => escapes::quoted_printable(rest.as_bytes()),
        b'<' => markup.tag(start),
        b'\r' | b'\n' if layers.has(Layers::FOLDS) => escapes::fold(rest.as_bytes()),
        _ => character(rest.chars().next()?),
    }
}

fn character(c: char) -> Option<Unit> {
    let len = c.len_utf8();
    if is_invisible(c) {
        return Some(Unit { len, shows: Shows::Nothing(Kind::Invisible) });
    }
    (!c.is_ascii()).then_some(Unit { len, shows: Shows::Char(c) })
}

struct Builder<'p> {
    parent: &'p str,
    /// So much of the parent is in the text.
    copied: usize,
    text: String,
    patches: Vec<Patch>,
}

impl<'p> Builder<'p> {
    fn new(parent: &'p str) -> Self {
        Self { parent, copied: 0, text: String::new(), patches: Vec::new() }
    }

    /// Puts what shows of a unit in the place of what is written; returns where the unit ends.
    fn put(&mut self, start: usize, unit: Unit) -> usize {
        let end = start + unit.len;
        let before = self.text.len();
        self.text.push_str(self.parent.get(self.copied..start).unwrap_or_default());
        let at = self.text.len();
        let kind = self.write(unit.shows);
        if self.parent.get(start..end) == self.text.get(at..) {
            self.text.truncate(before);
            return end;
        }
        self.patches.push(Patch {
            at: at as u32,
            len: (self.text.len() - at) as u32,
            from: start as u32,
            to: end as u32,
            kind,
        });
        self.copied = end;
        end
    }

    fn write(&mut self, shows: Shows) -> Kind {
        let before = self.text.len();
        match shows {
            Shows::Nothing(kind) => return kind,
            Shows::Char(c) if c.is_ascii() && is_invisible(c) => {}
            Shows::Char(c) => fold_into(c, &mut self.text),
            Shows::Marked(letter, mark) => self.text.extend([letter, mark]),
        }
        if self.text.len() == before { Kind::Invisible } else { Kind::Letter }
    }

    fn finish(mut self) -> Option<(String, Vec<Patch>)> {
        if self.patches.is_empty() {
            return None;
        }
        self.text.push_str(self.parent.get(self.copied..).unwrap_or_default());
        Some((self.text, self.patches))
    }
}

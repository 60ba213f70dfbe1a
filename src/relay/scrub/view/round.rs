//! One round of decoding.

use super::escapes::Numbers;
use super::letters::{Letters, fold_into, is_folded, is_invisible};
use super::markup::Markup;
use super::{Kind, Patch, entities, escapes};

/// What a round takes off: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layers(u8);

impl Layers {
    /// Percent-encoding, entities, backslashes, characters that fold to ASCII, characters that do not show.
    pub(super) const BASE: Self = Self(0);
    /// Line ends with a blank behind them.
    pub(super) const FOLDS: Self = Self(1);
    /// Tags and comments.
    pub(super) const TAGS: Self = Self(2);
    /// Quoted-printable.
    pub(super) const QUOTED: Self = Self(4);
    /// Characters that fold to others beyond ASCII.
    pub(super) const LETTERS: Self = Self(8);
    /// Numbers behind a backslash mean what they do in programs.
    pub(super) const PROGRAM: Self = Self(16);

    /// Both.
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// A byte that one of the layers starts with; where that is not wanted, one that is looked for anyway.
    const fn when(self, layer: Self, byte: u8) -> u8 {
        if self.has(layer) { byte } else { b'%' }
    }

    /// The first byte at or behind `from` that one of them may start with.
    fn next(self, bytes: &[u8], from: usize) -> Option<usize> {
        let signs = Signs::of(self);
        let (chunks, last) = bytes.get(from..)?.as_chunks::<CHUNK>();
        // Whole chunks are looked at without a branch, which the compiler turns into vector instructions.
        let is_clean = |chunk: &[u8; CHUNK]| chunk.iter().fold(0, |met, &byte| met | signs.has(byte)) == 0;
        let skipped = chunks.iter().take_while(|chunk| is_clean(chunk)).count();
        let at = from + skipped * CHUNK;
        let rest = chunks.get(skipped).map_or(last, |chunk| chunk.as_slice());
        rest.iter()
            .position(|&byte| LAYERS_OF[usize::from(byte)] & (self.0 | ALWAYS) != 0)
            .map(|found| at + found)
    }
}

/// Bytes that are looked at together.
const CHUNK: usize = 32;
/// Stands in [`LAYERS_OF`] for what every round looks at.
const ALWAYS: u8 = 0x80;

/// For each byte, the layers that it may start: [`Signs`] as a table.
static LAYERS_OF: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut layer = 1;
        while layer <= Layers::PROGRAM.0 {
            table[byte] |= layer * Signs::of(Layers(layer)).has(byte as u8);
            layer *= 2;
        }
        table[byte] |= ALWAYS * Signs::of(Layers::BASE).has(byte as u8);
        byte += 1;
    }
    table
};

/// Which bytes start something, as comparisons.
#[derive(Clone, Copy)]
struct Signs {
    /// Besides those of all rounds.
    more: [u8; 4],
    letters: bool,
}

impl Signs {
    const fn of(layers: Layers) -> Self {
        let more = [
            layers.when(Layers::FOLDS, b'\r'),
            layers.when(Layers::FOLDS, b'\n'),
            layers.when(Layers::TAGS, b'<'),
            layers.when(Layers::QUOTED, b'='),
        ];
        Self { more, letters: layers.has(Layers::LETTERS) }
    }

    /// 1 for a byte that may start something, else 0.
    const fn has(self, byte: u8) -> u8 {
        let [cr, lf, tag, quoted] = self.more;
        let escape = (byte == b'%') | (byte == b'&') | (byte == b'\\');
        let more = (byte == cr) | (byte == lf) | (byte == tag) | (byte == quoted);
        let control = ((byte < b' ') & (byte != b'\t') & (byte != b'\r') & (byte != b'\n')) | (byte == 0x7f);
        // First bytes of characters. In the blocks that are left out nothing folds to ASCII or does not show.
        let folding = (byte == 0xc2)
            | ((byte >= 0xc4) & (byte <= 0xcd))
            | (byte == 0xd8)
            | ((byte >= 0xe1) & (byte <= 0xe3))
            | (byte >= 0xef);
        (escape | more | control | folding | (self.letters & (byte >= 0xc2))) as u8
    }
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
        b'\\' if layers.has(Layers::PROGRAM) => escapes::backslash(rest.as_bytes(), Numbers::Program),
        b'\\' => escapes::backslash(rest.as_bytes(), Numbers::StyleSheet),
        b'=' => escapes::quoted_printable(rest.as_bytes()),
        b'<' => markup.tag(start),
        b'\r' | b'\n' => escapes::fold(rest.as_bytes()),
        _ => character(rest.chars().next()?, layers),
    }
}

fn character(c: char, layers: Layers) -> Option<Unit> {
    let len = c.len_utf8();
    if is_invisible(c) {
        return Some(Unit { len, shows: Shows::Nothing(Kind::Invisible) });
    }
    let letters = if layers.has(Layers::LETTERS) { Letters::All } else { Letters::Ascii };
    (!c.is_ascii() && letters.fold(c) && !is_folded(c)).then_some(Unit { len, shows: Shows::Char(c) })
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
        self.text.push_str(self.parent.get(self.copied..start).unwrap_or_default());
        let at = self.text.len();
        let kind = self.write(unit.shows);
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

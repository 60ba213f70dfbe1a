//! Text as its readers see it, with the way back to how it is written.
//!
//! An address can be written so that nobody who searches the text finds it, while every reader sees it: `me%40example.net`,
//! `me&#64;example.net`, `me<wbr>@example.net`. A [`Chain`] decodes a text in rounds. Each round reads the text that the
//! round before has made, from left to right, and takes every disguise that it meets off by one layer (layers of the same
//! kind at once: `%252540` is `@` after one round). A round's result is a [`View`]: the text, and where it differs from what
//! it was made of, so that a place in it can be followed back to the source.
//!
//! There are several chains because a reader may understand the same characters in different ways: `<me@example.net>` is an
//! address in one and a tag in another. What a text hides is whatever any view of any chain shows.
//!
//! ASCII letters keep their case here; other characters are folded ([`letters`]), so a search must ignore ASCII case and fold
//! what it looks for in the same way.
//!
//! Time and memory are linear in the text: the number of chains and rounds is fixed, a round never reads a stretch again, and
//! long texts are read in windows ([`windows`]).

use std::ops::Range;
use std::rc::Rc;

mod entities;
mod escapes;
pub(super) mod letters;
mod markup;
mod round;
#[cfg(test)]
pub(super) mod steps;
#[cfg(test)]
mod tests;

use letters::Letters;
use round::Layers;

/// How a text is written, beyond its character set and transfer encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// Text for people: bodies, subjects, display names. Percent-encoding, entities and escapes count all the same: links are
    /// pasted, and some programs unescape what is plain.
    Plain,
    /// HTML and XML: tags and comments inside of an address do not show.
    Html,
    /// iCalendar (RFC 5545, section 3.1) and vCard (RFC 6350, section 3.2): a line end with a blank behind it is nothing;
    /// values of vCard 2.1 may be quoted-printable.
    Folded,
    /// JSON, scripts, style sheets, RTF.
    Escaped,
}

/// Rounds after which what is still disguised stays so.
const ROUNDS: usize = 4;
/// Longer texts are read in windows of this size, in bytes,
const WINDOW: usize = 512 * 1024;
/// which see that much of their neighbours: what is hidden in one piece longer than this may be missed at their border.
const MARGIN: usize = 16 * 1024;

/// A part of a long text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window<'t> {
    /// The text that can be seen.
    pub text: &'t str,
    /// Where it starts in the whole text.
    pub offset: usize,
    /// Where in the whole text its own part starts: what starts before belongs to the window before.
    own_start: usize,
    own_end: usize,
}

impl Window<'_> {
    /// Whether what starts at this byte of the whole text is for this window to tell.
    pub(super) fn owns(&self, start: usize) -> bool {
        (self.own_start..self.own_end).contains(&start)
    }
}

/// The text in parts that overlap.
pub(super) fn windows(text: &str) -> impl Iterator<Item = Window<'_>> {
    windows_of(text, WINDOW, MARGIN)
}

fn windows_of(text: &str, size: usize, margin: usize) -> impl Iterator<Item = Window<'_>> {
    let count = text.len().div_ceil(size).max(1);
    (0..count).map(move |index| {
        let last = index + 1 == count;
        let own_start = text.floor_char_boundary(index * size);
        let own_end = if last { text.len() + 1 } else { text.floor_char_boundary((index + 1) * size) };
        let offset = text.floor_char_boundary(own_start.saturating_sub(margin));
        let end = text.floor_char_boundary((own_end + margin).min(text.len()));
        Window { text: text.get(offset..end).unwrap_or_default(), offset, own_start, own_end }
    })
}

/// What is written between two characters that a reader sees next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another spelling of characters that show.
    Letter,
    /// A tag or a comment.
    Tag,
    /// A line end that is none.
    Fold,
    /// A character without width.
    Invisible,
}

/// A place where a view differs from what it was made of.
#[derive(Debug, Clone, Copy)]
struct Patch {
    /// Where in the view, and how many bytes; none for what does not show.
    at: u32,
    len: u32,
    /// What it was made of.
    from: u32,
    to: u32,
    kind: Kind,
}

impl Patch {
    fn end(&self) -> usize {
        (self.at + self.len) as usize
    }
}

/// The outcome of a round.
#[derive(Debug)]
struct View {
    text: String,
    /// In order, apart from one another.
    patches: Vec<Patch>,
}

impl View {
    /// Where the character behind `at` starts in the text that this was made of.
    fn start(&self, at: usize) -> usize {
        let before = self.patches.partition_point(|patch| patch.end() <= at);
        match self.patches.get(before) {
            Some(patch) if (patch.at as usize) < at => patch.from as usize,
            _ => self.plain(before, at),
        }
    }

    /// Where the character before `at` ends in the text that this was made of.
    fn end(&self, at: usize) -> usize {
        let before = self.patches.partition_point(|patch| (patch.at as usize) < at);
        match before.checked_sub(1).and_then(|last| self.patches.get(last)) {
            Some(patch) if at <= patch.end() => patch.to as usize,
            _ => self.plain(before, at),
        }
    }

    /// Between patches the distance to the last one is the same on both sides.
    fn plain(&self, patches_before: usize, at: usize) -> usize {
        match patches_before.checked_sub(1).and_then(|last| self.patches.get(last)) {
            Some(patch) => patch.to as usize + (at - patch.end()),
            None => at,
        }
    }

    /// What does not show between the characters of this range.
    fn hidden_within(&self, range: &Range<usize>) -> impl Iterator<Item = &Patch> {
        let first = self.patches.partition_point(|patch| patch.at as usize <= range.start);
        let end = range.end;
        let inside = self.patches.get(first..).unwrap_or_default().iter();
        inside.take_while(move |patch| (patch.at as usize) < end).filter(|patch| patch.len == 0)
    }
}

/// Something that does not show, inside of something that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seam {
    /// Where in the source.
    pub source: Range<usize>,
    pub kind: Kind,
}

/// A text and what its rounds have made of it.
#[derive(Debug, Clone)]
pub(super) struct Chain<'t> {
    source: &'t str,
    views: Vec<Rc<View>>,
}

impl<'t> Chain<'t> {
    /// The text as it is written.
    fn plain(source: &'t str) -> Self {
        Self { source, views: Vec::new() }
    }

    /// Its first round alone.
    fn first_round(&self) -> Self {
        Self { source: self.source, views: self.views.iter().take(1).cloned().collect() }
    }

    /// With all rounds that are missing: `first`, then as often as there is something to decode `then`.
    fn decode(mut self, first: Layers, then: Layers) -> Self {
        let mut layers = first;
        while self.views.len() < ROUNDS {
            let Some((text, patches)) = round::run(self.last(), layers) else { break };
            self.views.push(Rc::new(View { text, patches }));
            layers = then;
        }
        self
    }

    fn last(&self) -> &str {
        self.views.last().map_or(self.source, |view| &view.text)
    }

    /// Shows each round's text, but not the source, until `see` answers `true`. Returns whether it did.
    fn any(&self, see: &mut impl FnMut(&Reading<'_>) -> bool) -> bool {
        let mut views = (1..).zip(&self.views);
        views.any(|(level, view)| see(&Reading { chain: self, level, text: &view.text }))
    }
}

/// One of the texts that a reader may see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'c> {
    chain: &'c Chain<'c>,
    /// Rounds that it took; 0 is the source.
    level: usize,
    /// The text.
    pub text: &'c str,
}

impl Reading<'_> {
    fn views(&self) -> &[Rc<View>] {
        self.chain.views.get(..self.level).unwrap_or_default()
    }

    /// Where a range of it is written in the source; what does not show at either end is not in it.
    pub(super) fn source(&self, range: &Range<usize>) -> Range<usize> {
        follow(self.views(), range)
    }

    /// Whether something that does not show stands at this place.
    pub(super) fn is_seam(&self, at: usize) -> bool {
        let views = self.views();
        let end = views.iter().rev().fold(at, |at, view| view.end(at));
        let start = views.iter().rev().fold(at, |at, view| view.start(at));
        start != end
    }

    /// What does not show inside of a range, in the order of the source.
    pub(super) fn seams(&self, range: &Range<usize>) -> Vec<Seam> {
        let mut seams = Vec::new();
        let mut range = range.clone();
        for (depth, view) in self.views().iter().enumerate().rev() {
            let below = self.views().get(..depth).unwrap_or_default();
            for patch in view.hidden_within(&range) {
                let source = follow(below, &(patch.from as usize..patch.to as usize));
                seams.push(Seam { source, kind: patch.kind });
            }
            range = view.start(range.start)..view.end(range.end);
        }
        seams.sort_by_key(|seam| seam.source.start);
        seams
    }
}

fn follow(views: &[Rc<View>], range: &Range<usize>) -> Range<usize> {
    let mut range = range.clone();
    for view in views.iter().rev() {
        let start = view.start(range.start);
        range = start..view.end(range.end).max(start);
    }
    range
}

/// Somebody who reads texts of one syntax, and looks for certain letters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    syntax: Syntax,
    /// What every round takes off.
    base: Layers,
}

impl Reader {
    pub(super) fn new(syntax: Syntax, letters: Letters) -> Self {
        let folds = if syntax == Syntax::Folded { Layers::FOLDS } else { Layers::BASE };
        let letters = if letters == Letters::All { Layers::LETTERS } else { Layers::BASE };
        Self { syntax, base: folds.with(letters) }
    }

    /// Shows `see` the text and all that readers may see in it, until it answers `true`. Returns whether it did.
    pub(super) fn any(self, text: &str, mut see: impl FnMut(&Reading<'_>) -> bool) -> bool {
        let plain = Chain::plain(text);
        if see(&Reading { chain: &plain, level: 0, text }) {
            return true;
        }
        let base = plain.clone().decode(self.base, self.base);
        base.any(&mut see) || self.variants(&plain, &base).any(|chain| chain.any(&mut see))
    }

    /// The other ways to read a text. Tags are taken out in one round only, the first or the second: a `<` that only shows
    /// when entities are decoded may be the one before an address.
    fn variants<'c>(self, plain: &'c Chain<'_>, base: &'c Chain<'_>) -> impl Iterator<Item = Chain<'c>> {
        let text = plain.source;
        let has_markup = self.syntax != Syntax::Plain;
        let decoded = base.first_round();
        let shows_more = has_markup && markup::openings(decoded.last()) > markup::openings(text);
        let needed = [
            (has_markup && markup::openings(text) > 0).then_some((plain.clone(), Layers::TAGS)),
            shows_more.then_some((decoded, Layers::TAGS)),
            (self.syntax == Syntax::Folded && markup::names_quoted_printable(text))
                .then_some((plain.clone(), Layers::QUOTED)),
            (self.syntax == Syntax::Escaped && escapes::has_program_numbers(text))
                .then_some((plain.clone(), Layers::PROGRAM)),
        ];
        needed.into_iter().flatten().map(move |(chain, more)| chain.decode(self.base.with(more), self.base))
    }
}

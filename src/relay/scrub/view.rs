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

mod entities;
mod escapes;
pub(super) mod letters;
mod markup;
mod round;
#[cfg(test)]
pub(super) mod steps;
#[cfg(test)]
mod tests;

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
    /// JSON, scripts, style sheets.
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
#[derive(Debug)]
pub(super) struct Chain<'t> {
    source: &'t str,
    views: Vec<View>,
}

impl<'t> Chain<'t> {
    /// The text as it is written.
    fn plain(source: &'t str) -> Self {
        Self { source, views: Vec::new() }
    }

    fn decode(source: &'t str, layers: impl Fn(usize) -> Layers) -> Self {
        let mut chain = Self::plain(source);
        for number in 0..ROUNDS {
            let Some((text, patches)) = round::run(chain.last(), layers(number)) else { break };
            chain.views.push(View { text, patches });
        }
        chain
    }

    fn last(&self) -> &str {
        self.views.last().map_or(self.source, |view| &view.text)
    }

    /// Each round's text; the source is not among them.
    fn readings(&self) -> impl Iterator<Item = Reading<'_>> {
        self.views.iter().enumerate().map(|(index, view)| Reading {
            chain: self,
            level: index + 1,
            text: &view.text,
        })
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
    fn views(&self) -> &[View] {
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

fn follow(views: &[View], range: &Range<usize>) -> Range<usize> {
    let mut range = range.clone();
    for view in views.iter().rev() {
        let start = view.start(range.start);
        range = start..view.end(range.end).max(start);
    }
    range
}

/// Shows `see` the text and all that readers may see in it, until it answers `true`. Returns whether it did.
pub(super) fn any_reading(text: &str, syntax: Syntax, mut see: impl FnMut(&Reading<'_>) -> bool) -> bool {
    let plain = Chain::plain(text);
    if see(&Reading { chain: &plain, level: 0, text }) {
        return true;
    }
    if !Layers::any_of(syntax).meet(text) {
        return false;
    }
    chains(text, syntax).any(|chain| chain.readings().any(|reading| see(&reading)))
}

/// The chains that a text of this syntax needs. Tags are taken out in one round only, the first or the second: a `<` that
/// only shows when entities are decoded may be the one before an address.
fn chains(text: &str, syntax: Syntax) -> impl Iterator<Item = Chain<'_>> {
    let base = Layers::of(syntax);
    let has_markup = syntax != Syntax::Plain;
    let tags_in = move |wanted: usize| {
        move |number: usize| if number == wanted { base.with(Layers::TAGS) } else { base }
    };
    let first = std::iter::once_with(move || Chain::decode(text, |_| base));
    let written = has_markup && Layers::TAGS.meet(text);
    let encoded = has_markup && markup::may_be_encoded(text);
    let quoted = syntax == Syntax::Folded && markup::names_quoted_printable(text);
    first
        .chain(written.then(|| Chain::decode(text, tags_in(0))))
        .chain(encoded.then(|| Chain::decode(text, tags_in(1))))
        .chain(quoted.then(|| {
            Chain::decode(text, |number| if number == 0 { base.with(Layers::QUOTED) } else { base })
        }))
}

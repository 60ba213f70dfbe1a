//! A text while it is changed: what was found in it, and what is put there.

use std::cmp::Reverse;
use std::ops::Range;

use super::super::view::{Kind, Reading, Seam};

/// A place in the source.
#[derive(Debug)]
pub(super) struct Hit {
    pub range: Range<usize>,
    /// It may stay, and so may what is inside of it.
    pub known: bool,
    /// What is put where, in order.
    pub pieces: Vec<Piece>,
}

/// A part of a [`Hit`].
#[derive(Debug)]
pub(super) struct Piece {
    pub range: Range<usize>,
    pub text: String,
}

impl Hit {
    /// The same in a text in which `offset` bytes stand before.
    pub(super) fn behind(mut self, offset: usize) -> Self {
        let moved = |range: &Range<usize>| range.start + offset..range.end + offset;
        self.range = moved(&self.range);
        self.pieces.iter_mut().for_each(|piece| piece.range = moved(&piece.range));
        self
    }
}

impl Piece {
    /// Puts `text` where `range` is written. Tags inside of it follow; of line ends that are none, one goes before it.
    pub(super) fn new(reading: &Reading<'_>, range: &Range<usize>, text: &str, source: &str) -> Self {
        let place = reading.source(range);
        let mut put = String::new();
        let seams = reading.seams(range);
        let written = |seam: &Seam| source.get(seam.source.clone()).unwrap_or_default();
        if let Some(fold) = seams.iter().find(|seam| seam.kind == Kind::Fold)
            && !source.get(..place.start).unwrap_or_default().ends_with(['\n', '\r', ' ', '\t'])
        {
            put.push_str(written(fold));
        }
        put.push_str(text);
        seams.iter().filter(|seam| seam.kind == Kind::Tag).for_each(|seam| put.push_str(written(seam)));
        Self { range: place, text: put }
    }
}

/// What is done with a [`Hit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Its pieces are put in.
    Replace,
    /// All of it goes.
    Cut,
}

/// A text that is changed from its start to its end.
#[derive(Debug)]
pub(super) struct Draft<'t> {
    text: &'t str,
    out: String,
    /// So much of the text is in `out`.
    copied: usize,
    /// Where the last hit ends, and the last one that may stay.
    end: usize,
    known_end: usize,
}

impl<'t> Draft<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, out: String::new(), copied: 0, end: 0, known_end: 0 }
    }

    /// Those that count: nothing inside of what may stay, and of what overlaps the first and longest. What is given in later
    /// calls starts behind.
    pub(super) fn settle(&mut self, mut hits: Vec<Hit>) -> Vec<Hit> {
        hits.sort_by_key(|hit| (hit.range.start, Reverse(hit.range.end), !hit.known));
        hits.retain(|hit| {
            if hit.known {
                self.known_end = self.known_end.max(hit.range.end);
                return false;
            }
            let counts = hit.range.end > self.known_end && hit.range.start >= self.end;
            if counts {
                self.end = hit.range.end;
            }
            counts
        });
        hits
    }

    /// Makes changes that were settled.
    pub(super) fn apply(&mut self, hits: Vec<Hit>, change: Change) {
        for hit in hits {
            match change {
                Change::Replace => hit.pieces.iter().for_each(|piece| self.put(&piece.range, &piece.text)),
                Change::Cut => self.put(&hit.range, ""),
            }
        }
    }

    fn put(&mut self, range: &Range<usize>, text: &str) {
        if self.out.is_empty() {
            self.out.reserve(self.text.len() + 64);
        }
        self.out.push_str(self.text.get(self.copied..range.start).unwrap_or_default());
        self.out.push_str(text);
        self.copied = range.end;
    }

    /// The text with its changes; nothing when there was none.
    pub(super) fn finish(mut self) -> Option<String> {
        if self.end == 0 {
            return None;
        }
        self.out.push_str(self.text.get(self.copied..).unwrap_or_default());
        Some(self.out)
    }
}

//! Tags and comments of HTML, as far as it takes to know what is between them.

use memchr::memmem;

use super::Kind;
use super::round::{Shows, Unit};

/// How many tags there may be.
pub(super) fn openings(text: &str) -> usize {
    memchr::memchr_iter(b'<', text.as_bytes()).count()
}

/// Whether the text says that some of it is quoted-printable (vCard 2.1, section 2.1.5).
pub(super) fn names_quoted_printable(text: &str) -> bool {
    const NAME: &[u8] = b"quoted-printable";
    memchr::memchr2_iter(b'q', b'Q', text.as_bytes()).any(|at| {
        text.as_bytes().get(at..at + NAME.len()).is_some_and(|found| found.eq_ignore_ascii_case(NAME))
    })
}

/// Finds where tags end. Never reads a stretch twice, however many `<` there are.
pub(super) struct Markup<'t> {
    bytes: &'t [u8],
    close: Next,
    double: Next,
    single: Next,
    comment: Next,
    /// A tag was met that never ends if quotes are obeyed: from then on they are not.
    quotes_are_broken: bool,
}

impl<'t> Markup<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            bytes: text.as_bytes(),
            close: Next::of(b">"),
            double: Next::of(b"\""),
            single: Next::of(b"'"),
            comment: Next::of(b"-->"),
            quotes_are_broken: false,
        }
    }

    /// The tag or comment that starts here, if one does.
    pub(super) fn tag(&mut self, start: usize) -> Option<Unit> {
        let rest = self.bytes.get(start..)?;
        let end = match rest {
            [b'<', b'!', b'-', b'-', ..] => self.comment_end(start),
            [b'<', b'/' | b'!' | b'?', ..] => self.close.from(self.bytes, start).map(|at| at + 1),
            [b'<', letter, ..] if letter.is_ascii_alphabetic() => self.tag_end(start),
            _ => None,
        }?;
        Some(Unit { len: end - start, shows: Shows::Nothing(Kind::Tag) })
    }

    /// `<!-->` and `<!--->` are comments, too; one that never ends is taken as far as the next `>`.
    fn comment_end(&mut self, start: usize) -> Option<usize> {
        match self.comment.from(self.bytes, start + 2) {
            Some(at) => Some(at + 3),
            None => self.close.from(self.bytes, start).map(|at| at + 1),
        }
    }

    /// Behind the `>` that stands in no quoted value.
    fn tag_end(&mut self, start: usize) -> Option<usize> {
        let first = self.close.from(self.bytes, start)?;
        if self.quotes_are_broken {
            return Some(first + 1);
        }
        let end = self.unquoted_end(start, first);
        self.quotes_are_broken = end.is_none();
        Some(end.unwrap_or(first) + 1)
    }

    fn unquoted_end(&mut self, start: usize, first: usize) -> Option<usize> {
        let (mut from, mut end) = (start, first);
        while let Some((quote, opened)) = opening_quote(self.bytes.get(from..end)?) {
            #[cfg(test)]
            super::steps::add(end - from);
            let closing = if quote == b'"' { &mut self.double } else { &mut self.single };
            from = closing.from(self.bytes, from + opened + 1)? + 1;
            end = self.close.from(self.bytes, from)?;
        }
        Some(end)
    }
}

/// The first quote that starts a value: only behind `=`.
fn opening_quote(bytes: &[u8]) -> Option<(u8, usize)> {
    memchr::memchr2_iter(b'"', b'\'', bytes).find_map(|at| {
        let before = bytes.get(..at)?.trim_ascii_end();
        (before.last() == Some(&b'=')).then_some((*bytes.get(at)?, at))
    })
}

/// The next occurrence of some bytes, remembered.
struct Next {
    wanted: &'static [u8],
    /// Where it was looked for last, and what was found.
    known: Option<(usize, Option<usize>)>,
}

impl Next {
    fn of(wanted: &'static [u8]) -> Self {
        Self { wanted, known: None }
    }

    /// The first one at or behind `from`.
    fn from(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        match self.known {
            Some((searched, None)) if searched <= from => None,
            Some((searched, Some(found))) if searched <= from && from <= found => Some(found),
            _ => {
                let found = bytes.get(from..).and_then(|rest| memmem::find(rest, self.wanted));
                #[cfg(test)]
                super::steps::add(found.unwrap_or(bytes.len().saturating_sub(from)));
                self.known = Some((from, found.map(|at| from + at)));
                found.map(|at| from + at)
            }
        }
    }
}

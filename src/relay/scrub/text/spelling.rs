//! How people write an address: `me@example.net`, `me at example.net`, `me [at] example [dot] net`, `me=example.net`.
//!
//! All functions get a decoded text and compare ASCII without regard to case.

use std::ops::Range;

use super::super::view::letters::joins_words;

/// Blanks that may stand beside an `@` or a spelled-out one.
const BLANKS: usize = 4;
/// How far back a local part may reach in a text, in bytes.
const LONGEST_LOCAL: usize = 320;

/// One label of a host name, in A-label form and, if that differs, as people read it (folded).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Label {
    pub ascii: String,
    pub shown: Option<String>,
}

impl Label {
    /// All its spellings.
    pub(in super::super) fn spellings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.ascii.as_str()).chain(self.shown.as_deref())
    }

    fn strip<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.spellings().find_map(|spelling| strip_prefix(text, spelling))
    }
}

/// How a local part and its host are held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Joint {
    /// `@`, or what people write for it.
    At,
    /// `=` or `%`, as in return paths and old source routes.
    Sign,
}

/// A host name in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostFound {
    /// Where it ends.
    pub end: usize,
    /// Its first dot when that is spelled out.
    pub dot: Option<Range<usize>>,
}

/// The host name that starts at `start`.
pub(super) fn host(text: &str, start: usize, labels: &[Label]) -> Option<HostFound> {
    let mut rest = text.get(start..)?;
    let mut dot = None;
    for (index, label) in labels.iter().enumerate() {
        if index > 0 {
            let behind = strip_dot(rest)?;
            let found = text.len() - rest.len()..text.len() - behind.len();
            if index == 1 && found.len() > 1 {
                dot = Some(found);
            }
            rest = behind;
        }
        rest = label.strip(rest)?;
    }
    Some(HostFound { end: text.len() - rest.len(), dot })
}

/// Behind `.`, ` dot `, `[dot]`, `(.)`, ` . `.
fn strip_dot(text: &str) -> Option<&str> {
    if let Some(behind) = text.strip_prefix('.') {
        return Some(behind);
    }
    let inner = skip_blanks(text);
    if let Some(bracketed) = inner.strip_prefix(['[', '(', '{', '<']) {
        let word = skip_blanks(bracketed);
        let behind = strip_prefix(word, "dot").or_else(|| word.strip_prefix('.'))?;
        return Some(skip_blanks(skip_blanks(behind).strip_prefix([']', ')', '}', '>'])?));
    }
    let behind = strip_prefix(inner, "dot").or_else(|| inner.strip_prefix('.'))?;
    let spaced = inner.len() < text.len() && skip_blanks(behind).len() < behind.len();
    spaced.then(|| skip_blanks(behind))
}

/// Where the local part ends whose host starts at the end of `before`, and what is between them.
pub(super) fn joint(before: &str) -> Option<(usize, Joint)> {
    if let Some(local) = before.strip_suffix(['=', '%']) {
        return Some((local.len(), Joint::Sign));
    }
    strip_at(before).map(|local| (local.len(), Joint::At))
}

fn strip_at(before: &str) -> Option<&str> {
    let inner = drop_blanks(before);
    if let Some(local) = inner.strip_suffix('@') {
        return Some(drop_blanks(local));
    }
    if let Some(bracketed) = inner.strip_suffix([']', ')', '}', '>']) {
        let word = drop_blanks(bracketed);
        let behind = strip_suffix(word, "at").or_else(|| word.strip_suffix('@'))?;
        return Some(drop_blanks(drop_blanks(behind).strip_suffix(['[', '(', '{', '<'])?));
    }
    let behind = strip_suffix(inner, "at")?;
    let local = drop_blanks(behind);
    (inner.len() < before.len() && local.len() < behind.len()).then_some(local)
}

/// Where `local` starts when it is what `before` ends with: bare, in quotes, or with a `+tag` when `tags` says so. The
/// caller looks at what stands before it.
pub(in super::super) fn local_starts<'a>(
    before: &'a str,
    local: &'a str,
    tags: bool,
) -> impl Iterator<Item = usize> + 'a {
    let bare = strip_suffix(before, local).map(str::len);
    let quoted = quoted_local(before).filter(|(_, content)| is_local(content, local, tags));
    let tagged = tags.then(|| tagged_starts(before, local)).into_iter().flatten();
    quoted.map(|(start, _)| start).into_iter().chain(bare).chain(tagged)
}

fn is_local(content: &str, local: &str, tags: bool) -> bool {
    strip_prefix(content, local).is_some_and(|rest| rest.is_empty() || (tags && rest.starts_with('+')))
}

/// The quoted string at the end (RFC 5322, section 3.2.4): where it starts, and its content.
fn quoted_local(before: &str) -> Option<(usize, String)> {
    let inner = before.strip_suffix('"')?;
    let from = inner.floor_char_boundary(inner.len().saturating_sub(LONGEST_LOCAL));
    let start = from + inner.get(from..)?.rfind('"')?;
    let content = inner.get(start + 1..)?;
    Some((start, content.replace('\\', "")))
}

/// `local+tag`: for every `+` of the atoms at the end, what stands before it.
fn tagged_starts<'a>(before: &'a str, local: &'a str) -> impl Iterator<Item = usize> + 'a {
    let in_tag = |c: char| crate::mail::address::is_atext(c) || c == '.';
    let reach = before.floor_char_boundary(before.len().saturating_sub(LONGEST_LOCAL));
    let atoms = before.get(reach..).unwrap_or_default();
    let start =
        atoms.char_indices().rev().take_while(|&(_, c)| in_tag(c)).last().map_or(atoms.len(), |(at, _)| at);
    let pluses = atoms.char_indices().filter(move |&(at, c)| at >= start && c == '+');
    pluses.filter_map(move |(at, _)| strip_suffix(before.get(..reach + at)?, local).map(str::len))
}

/// `example.net=me` and `example.net!me`: where the local part behind a host ends.
pub(super) fn reversed_local(text: &str, host_end: usize, local: &str) -> Option<Range<usize>> {
    let behind = text.get(host_end..)?.strip_prefix(['=', '!'])?;
    let rest = strip_prefix(behind, local)?;
    (!rest.starts_with(joins_words)).then(|| text.len() - behind.len()..text.len() - rest.len())
}

/// Whether an address may start behind this: not when it is the end of a longer local part.
pub(in super::super) fn may_start_address(before: &str, joint: Joint) -> bool {
    match joint {
        Joint::Sign => may_start_word(before),
        Joint::At => {
            let mut joined = before.chars().rev().take(LONGEST_LOCAL);
            !joined.find(|c| !matches!(c, '.' | '-' | '_' | '+')).is_some_and(joins_words)
        }
    }
}

/// Whether an address may end before this: not when it is the start of a longer host name.
pub(super) fn may_end_address(text: &str, end: usize) -> bool {
    let (before, rest) = (text.get(..end).unwrap_or_default(), text.get(end..).unwrap_or_default());
    let mut behind = rest.chars();
    match behind.next() {
        Some('-') => !behind.next().is_some_and(joins_words),
        Some('.') => match behind.next() {
            // `example.net.Regards` is the end of a sentence.
            Some(next) if next.is_ascii_uppercase() => before.ends_with(|c: char| c.is_ascii_lowercase()),
            next => !next.is_some_and(joins_words),
        },
        next => !next.is_some_and(joins_words),
    }
}

/// Whether a word may start behind this.
pub(super) fn may_start_word(before: &str) -> bool {
    !before.ends_with(joins_words)
}

/// Whether a word may end before this.
pub(super) fn may_end_word(rest: &str) -> bool {
    !rest.starts_with(joins_words)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{a0}')
}

fn skip_blanks(text: &str) -> &str {
    let blanks = text.chars().take(BLANKS).take_while(|&c| is_blank(c)).map(char::len_utf8).sum();
    text.get(blanks..).unwrap_or_default()
}

fn drop_blanks(text: &str) -> &str {
    let blanks: usize =
        text.chars().rev().take(BLANKS).take_while(|&c| is_blank(c)).map(char::len_utf8).sum();
    text.get(..text.len() - blanks).unwrap_or_default()
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.as_bytes().get(..prefix.len())?;
    if !start.eq_ignore_ascii_case(prefix.as_bytes()) {
        return None;
    }
    text.get(prefix.len()..)
}

/// What stands before `suffix` at the end of a text.
pub(in super::super) fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    let end = text.as_bytes().get(at..)?;
    if !end.eq_ignore_ascii_case(suffix.as_bytes()) {
        return None;
    }
    text.get(..at)
}

/// What a reverse alias may be made of, at the end of a text.
pub(super) fn last_atoms(before: &str) -> &str {
    let belongs = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    let length = before.bytes().rev().take(LONGEST_LOCAL).take_while(belongs).count();
    before.get(before.len() - length..).unwrap_or_default().trim_start_matches(['.', '_', '-'])
}

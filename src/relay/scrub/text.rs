//! Finding secrets in one decoded text, and putting something else in their place.
//!
//! A text is searched in every form in which a reader may see it ([`super::view`]). What is found there is followed back to
//! the source, and only its characters are replaced: a tag inside of an address stays, and so does the way in which its `@`
//! is written. What is put in is escaped for its place.
//!
//! What is returned has been searched again. If something is still found (a replacement may join what stood apart), it is
//! replaced again, then cut out; a text that resists even that comes back empty.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;

mod place;
mod spelling;
#[cfg(test)]
mod tests;

use super::view::{Kind, Reading, Syntax, any_reading, windows};
use crate::mail::{Address, DomainName, Host as MailHost};
use crate::relay::reverse;
use place::Place;
pub(super) use spelling::Label;
use spelling::{HostFound, Joint};

/// Times that a result is searched and replaced again.
const REPLACEMENTS: usize = 3;
/// Times that what is still found is cut out.
const CUTS: usize = 8;
/// Reverse aliases that are told of one text.
const MOST_CANDIDATES: usize = 1000;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Addresses.
    Addresses,
    /// And domains, and local parts that tell somebody.
    Names,
    /// And all local parts.
    Everything,
}

/// An address in its two parts, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    pub local: String,
    pub host: String,
}

impl Parts {
    pub(super) fn of(address: &Address) -> Self {
        let host = address.host().as_str().to_owned();
        let mut local = address.to_string();
        local.truncate(local.len() - host.len() - 1);
        Self { local, host }
    }
}

/// A local part that is known at a host.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// Folded.
    pub local: String,
    /// Whether it is the same with any `+tag`.
    pub tags: bool,
    /// What is shown for it; nothing when it may stay.
    pub becomes: Option<Parts>,
}

/// A host at which addresses are known.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub labels: Vec<Label>,
    /// The longest local parts first.
    pub people: Vec<Person>,
    /// Whether its name is a secret,
    pub secret: bool,
    /// unless this stands before it: it is the alias's domain then.
    pub exempt_behind: Option<String>,
}

/// A local part that is secret by itself.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// Folded.
    pub text: String,
    /// Nobody would write it who means something else.
    pub telling: bool,
}

/// A search for some addresses, domains and words.
#[derive(Debug, Clone)]
pub(super) struct Search {
    hosts: Vec<Host>,
    words: Vec<Word>,
    /// What domains and words become.
    alias: Parts,
    /// First labels; for each pattern its host.
    anchors: AhoCorasick,
    hosts_of_anchors: Vec<usize>,
    /// The same patterns, and behind them the words.
    anchors_and_words: AhoCorasick,
}

/// A place in a reading.
#[derive(Debug)]
struct Found<'s> {
    range: Range<usize>,
    what: What<'s>,
}

#[derive(Debug)]
enum What<'s> {
    /// An address that may stay.
    Known,
    Address {
        local: Range<usize>,
        host: Range<usize>,
        dot: Option<Range<usize>>,
        becomes: &'s Parts,
    },
    Domain {
        dot: Option<Range<usize>>,
    },
    Word,
}

/// A place in the source.
#[derive(Debug)]
struct Hit {
    range: Range<usize>,
    /// It may stay, and so may what is inside of it.
    known: bool,
    /// What is put where, in order.
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    range: Range<usize>,
    text: String,
}

impl Search {
    pub(super) fn new(hosts: Vec<Host>, words: Vec<Word>, alias: Parts) -> Self {
        let mut patterns = Vec::new();
        let mut hosts_of_anchors = Vec::new();
        for (index, first) in hosts.iter().enumerate().filter_map(|(i, host)| Some((i, host.labels.first()?)))
        {
            for spelling in first.spellings() {
                patterns.push(spelling);
                hosts_of_anchors.push(index);
            }
        }
        let anchors = automaton(&patterns);
        patterns.extend(words.iter().map(|word| word.text.as_str()));
        let anchors_and_words = automaton(&patterns);
        Self { anchors, anchors_and_words, hosts_of_anchors, hosts, words, alias }
    }

    /// Whether a text has something of this scope.
    pub(super) fn finds(&self, text: &str, syntax: Syntax, scope: Scope) -> bool {
        let mut is_secret = |found: Found<'_>| !matches!(found.what, What::Known);
        let seen = windows(text).any(|window| {
            any_reading(window.text, syntax, |reading| self.look(reading, scope, &mut is_secret))
        });
        seen && !self.hits(text, syntax, scope).is_empty()
    }

    /// The text without what is of this scope; nothing when it has none.
    pub(super) fn replace(&self, text: &str, syntax: Syntax, scope: Scope) -> Option<String> {
        if !self.finds(text, syntax, scope) {
            return None;
        }
        let mut now = text.to_owned();
        for _ in 0..REPLACEMENTS {
            let hits = self.hits(&now, syntax, scope);
            if hits.is_empty() {
                return Some(now);
            }
            now = splice(&now, &hits);
        }
        for _ in 0..CUTS {
            let hits = self.hits(&now, syntax, scope);
            if hits.is_empty() {
                return Some(now);
            }
            now = cut(&now, &hits);
        }
        Some(if self.finds(&now, syntax, scope) { String::new() } else { now })
    }

    /// What is to be replaced, in order, apart from one another.
    fn hits(&self, text: &str, syntax: Syntax, scope: Scope) -> Vec<Hit> {
        let mut hits = Vec::new();
        for window in windows(text) {
            any_reading(window.text, syntax, |reading| {
                self.look(reading, scope, &mut |found| {
                    let source = reading.source(&found.range);
                    if window.owns(window.offset + source.start) {
                        hits.push(self.hit(reading, &found, window.text, syntax, window.offset));
                    }
                    false
                });
                false
            });
        }
        settle(hits)
    }

    /// Tells what a reading shows, until `tell` answers `true`. Returns whether it did.
    fn look<'s>(
        &'s self,
        reading: &Reading<'_>,
        scope: Scope,
        tell: &mut impl FnMut(Found<'s>) -> bool,
    ) -> bool {
        let automaton = if scope == Scope::Addresses { &self.anchors } else { &self.anchors_and_words };
        automaton.find_overlapping_iter(reading.text).any(|anchor| {
            let pattern = anchor.pattern().as_usize();
            let found = match self.hosts_of_anchors.get(pattern) {
                Some(&host) => {
                    self.hosts.get(host).and_then(|host| at_host(reading, anchor.start(), host, scope))
                }
                None => self.at_word(reading, anchor.range(), pattern - self.hosts_of_anchors.len(), scope),
            };
            found.is_some_and(&mut *tell)
        })
    }

    fn at_word(
        &self,
        reading: &Reading<'_>,
        range: Range<usize>,
        word: usize,
        scope: Scope,
    ) -> Option<Found<'_>> {
        let word = self.words.get(word)?;
        let counts = scope == Scope::Everything || word.telling;
        (counts && is_word(reading, &range)).then_some(Found { range, what: What::Word })
    }

    fn hit(
        &self,
        reading: &Reading<'_>,
        found: &Found<'_>,
        text: &str,
        syntax: Syntax,
        offset: usize,
    ) -> Hit {
        let source = reading.source(&found.range);
        let place = Place::new(syntax, text.get(source.clone()).unwrap_or_default());
        let piece = |range: &Range<usize>, new: &str| Piece::new(reading, range, &place.escape(new), text);
        let mut pieces = match &found.what {
            What::Known => Vec::new(),
            What::Word => vec![piece(&found.range, &self.alias.local)],
            What::Domain { dot } => {
                vec![piece(&found.range, &dotted(&self.alias.host, dot.as_ref(), reading))]
            }
            What::Address { local, host, dot, becomes } => {
                vec![piece(local, &becomes.local), piece(host, &dotted(&becomes.host, dot.as_ref(), reading))]
            }
        };
        pieces.sort_by_key(|piece| piece.range.start);
        if let [first, second] = pieces.as_mut_slice() {
            let joint = text.get(first.range.end..second.range.start).unwrap_or_default();
            second.text.insert_str(0, place::terminator(joint));
        }
        for piece in &mut pieces {
            piece.range = piece.range.start + offset..piece.range.end + offset;
        }
        Hit {
            range: source.start + offset..source.end + offset,
            known: matches!(found.what, What::Known),
            pieces,
        }
    }
}

fn automaton(patterns: &[&str]) -> AhoCorasick {
    #[expect(
        clippy::expect_used,
        reason = "some hundred names of 64 octets: far below what the builder refuses"
    )]
    AhoCorasick::builder().ascii_case_insensitive(true).build(patterns).expect("few and short patterns")
}

/// What stands where the first label of a host was seen.
fn at_host<'s>(reading: &Reading<'_>, start: usize, host: &'s Host, scope: Scope) -> Option<Found<'s>> {
    let found = spelling::host(reading.text, start, &host.labels)?;
    if let Some(address) = address(reading, start, &found, host) {
        return Some(address);
    }
    let counts = scope != Scope::Addresses && host.secret && !is_exempt(reading.text, start, host);
    let range = start..found.end;
    (counts && is_word(reading, &range)).then_some(Found { range, what: What::Domain { dot: found.dot } })
}

fn is_exempt(text: &str, start: usize, host: &Host) -> bool {
    let before = text.get(..start).unwrap_or_default();
    let rest = host.exempt_behind.as_ref().and_then(|prefix| spelling::strip_suffix(before, prefix));
    rest.is_some_and(spelling::may_start_word)
}

fn address<'s>(reading: &Reading<'_>, start: usize, found: &HostFound, host: &'s Host) -> Option<Found<'s>> {
    let text = reading.text;
    if let Some((end, joint)) = spelling::joint(text.get(..start)?)
        && ends_address(reading, found.end)
        && let Some((local, person)) = person_before(reading, end, joint, &host.people)
    {
        return Some(known_or(local.start..found.end, local, start, found, person));
    }
    if !starts_word(reading, start) {
        return None;
    }
    host.people.iter().find_map(|person| {
        let local = spelling::reversed_local(text, found.end, &person.local)?;
        Some(known_or(start..local.end, local, start, found, person))
    })
}

fn known_or<'s>(
    range: Range<usize>,
    local: Range<usize>,
    host_start: usize,
    host: &HostFound,
    person: &'s Person,
) -> Found<'s> {
    let what = match &person.becomes {
        None => What::Known,
        Some(becomes) => What::Address { local, host: host_start..host.end, dot: host.dot.clone(), becomes },
    };
    Found { range, what }
}

fn person_before<'s>(
    reading: &Reading<'_>,
    end: usize,
    joint: Joint,
    people: &'s [Person],
) -> Option<(Range<usize>, &'s Person)> {
    let before = reading.text.get(..end)?;
    people.iter().find_map(|person| {
        let mut starts = spelling::local_starts(before, &person.local, person.tags);
        let start = starts.find(|&start| {
            reading.is_seam(start)
                || before.get(..start).is_some_and(|b| spelling::may_start_address(b, joint))
        })?;
        Some((start..end, person))
    })
}

fn ends_address(reading: &Reading<'_>, end: usize) -> bool {
    spelling::may_end_address(reading.text, end) || reading.is_seam(end)
}

fn starts_word(reading: &Reading<'_>, start: usize) -> bool {
    reading.text.get(..start).is_some_and(spelling::may_start_word) || reading.is_seam(start)
}

fn is_word(reading: &Reading<'_>, range: &Range<usize>) -> bool {
    let ends =
        reading.text.get(range.end..).is_some_and(spelling::may_end_word) || reading.is_seam(range.end);
    ends && starts_word(reading, range.start)
}

/// A host name with its dots written as they were in what it replaces.
fn dotted(host: &str, dot: Option<&Range<usize>>, reading: &Reading<'_>) -> String {
    match dot.and_then(|dot| reading.text.get(dot.clone())) {
        Some(dot) => host.replace('.', dot),
        None => host.to_owned(),
    }
}

impl Piece {
    /// Puts `text` where `range` is written. Tags inside of it follow; of line ends that are none, one goes before it.
    fn new(reading: &Reading<'_>, range: &Range<usize>, text: &str, source: &str) -> Self {
        let place = reading.source(range);
        let mut put = String::new();
        let seams = reading.seams(range);
        let written = |seam: &super::view::Seam| source.get(seam.source.clone()).unwrap_or_default();
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

/// What is to be replaced: nothing inside of what may stay, and of what overlaps the first and longest.
fn settle(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|hit| (hit.range.start, Reverse(hit.range.end), !hit.known));
    let mut settled: Vec<Hit> = Vec::new();
    let (mut known_end, mut end) = (0, 0);
    for hit in hits {
        if hit.known {
            known_end = known_end.max(hit.range.end);
        } else if hit.range.end > known_end && hit.range.start >= end {
            end = hit.range.end;
            settled.push(hit);
        }
    }
    settled
}

fn splice(text: &str, hits: &[Hit]) -> String {
    let mut out = String::with_capacity(text.len() + hits.len() * 16);
    let mut copied = 0;
    for piece in hits.iter().flat_map(|hit| &hit.pieces) {
        out.push_str(text.get(copied..piece.range.start).unwrap_or_default());
        out.push_str(&piece.text);
        copied = piece.range.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

fn cut(text: &str, hits: &[Hit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for hit in hits {
        out.push_str(text.get(copied..hit.range.start).unwrap_or_default());
        copied = hit.range.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// Addresses at `domain` in a text that have the shape of reverse aliases, each once, at most [`MOST_CANDIDATES`]. Whether
/// they are somebody's, the directory knows.
pub fn reverse_aliases_in(
    text: &str,
    domain: &DomainName,
    syntax: Syntax,
) -> impl Iterator<Item = Address> + use<> {
    let labels = super::secrets::labels(domain.as_str());
    let anchors: Vec<&str> = labels.first().into_iter().flat_map(Label::spellings).collect();
    let anchors = automaton(&anchors);
    let mut candidates = BTreeSet::new();
    for window in windows(text) {
        any_reading(window.text, syntax, |reading| {
            anchors.find_overlapping_iter(reading.text).any(|anchor| {
                candidates.extend(candidate(reading.text, anchor.start(), &labels, domain));
                candidates.len() >= MOST_CANDIDATES
            })
        });
    }
    candidates.into_iter()
}

fn candidate(text: &str, start: usize, labels: &[Label], domain: &DomainName) -> Option<Address> {
    spelling::host(text, start, labels)?;
    let (end, _) = spelling::joint(text.get(..start)?)?;
    let local = spelling::last_atoms(text.get(..end)?);
    let host = MailHost::Domain(domain.clone());
    Address::from_parts(&local.to_ascii_lowercase(), host).ok().filter(reverse::has_shape)
}

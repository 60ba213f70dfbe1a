//! Finding secrets in one decoded text, and putting something else in their place.
//!
//! A text is searched in every form in which a reader may see it ([`super::view`]). What is found there is followed back to
//! the source, and only its characters are replaced: a tag inside of an address stays, and so does the way in which its `@`
//! is written. What is put in is escaped for its place.
//!
//! What is returned has been searched again. If something is still found (a replacement may join what stood apart), it is
//! replaced again, then cut out; a text that resists even that comes back empty.

use std::collections::BTreeSet;
use std::ops::Range;

mod draft;
pub(super) mod needle;
mod place;
pub(super) mod spelling;
#[cfg(test)]
mod tests;

use super::view::letters::Letters;
use super::view::{Reader, Reading, Syntax, Window, windows};
use crate::mail::{Address, DomainName, Host as MailHost};
use crate::relay::reverse;
use draft::{Change, Draft, Hit, Piece};
use needle::Needle;
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

impl Scope {
    fn counts(self, word: &Word) -> bool {
        match self {
            Self::Addresses => false,
            Self::Names => word.telling,
            Self::Everything => true,
        }
    }
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
    hosts: Vec<Anchored<Host>>,
    words: Vec<Anchored<Word>>,
    /// What domains and words become.
    alias: Parts,
    letters: Letters,
}

/// Something and what it starts with, in all spellings.
#[derive(Debug, Clone)]
struct Anchored<T> {
    starts: Vec<Needle>,
    it: T,
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

impl Search {
    pub(super) fn new(hosts: Vec<Host>, words: Vec<Word>, alias: Parts) -> Self {
        let labels = hosts.iter().flat_map(|host| &host.labels).flat_map(Label::spellings);
        let people = hosts.iter().flat_map(|host| &host.people).map(|person| person.local.as_str());
        let letters = Letters::of(labels.chain(people).chain(words.iter().map(|word| word.text.as_str())));
        let anchored = |host: Host| Anchored { starts: first_label(&host.labels), it: host };
        let word = |word: Word| Anchored {
            starts: Needle::new(word.text.as_bytes()).into_iter().collect(),
            it: word,
        };
        let (hosts, words) =
            (hosts.into_iter().map(anchored).collect(), words.into_iter().map(word).collect());
        Self { hosts, words, alias, letters }
    }

    /// Whether a text has something of this scope.
    pub(super) fn finds(&self, text: &str, syntax: Syntax, scope: Scope) -> bool {
        let mut draft = Draft::new(text);
        self.glimpses(text, syntax, scope)
            && windows(text).any(|window| !draft.settle(self.hits(&window, syntax, scope)).is_empty())
    }

    /// The text without what is of this scope; nothing when it has none.
    pub(super) fn replace(&self, text: &str, syntax: Syntax, scope: Scope) -> Option<String> {
        if !self.glimpses(text, syntax, scope) {
            return None;
        }
        let mut now = None;
        let changes = std::iter::repeat_n(Change::Replace, REPLACEMENTS);
        for change in changes.chain(std::iter::repeat_n(Change::Cut, CUTS)) {
            match self.change(now.as_deref().unwrap_or(text), syntax, scope, change) {
                Some(changed) => now = Some(changed),
                None => return now,
            }
        }
        now.map(|now| if self.finds(&now, syntax, scope) { String::new() } else { now })
    }

    /// Makes one kind of change wherever something is found. Nothing when there is nothing.
    fn change(&self, text: &str, syntax: Syntax, scope: Scope, change: Change) -> Option<String> {
        let mut draft = Draft::new(text);
        for window in windows(text) {
            let hits = draft.settle(self.hits(&window, syntax, scope));
            draft.apply(hits, change);
        }
        draft.finish()
    }

    /// Whether there is something that may turn out to be part of what may stay. Most texts have nothing, and this is quick.
    fn glimpses(&self, text: &str, syntax: Syntax, scope: Scope) -> bool {
        let reader = Reader::new(syntax, self.letters);
        let mut is_secret = |found: Found<'_>| !matches!(found.what, What::Known);
        windows(text)
            .any(|window| reader.any(window.text, |reading| self.look(reading, scope, &mut is_secret)))
    }

    /// What a window shows, with the places in the whole text.
    fn hits(&self, window: &Window<'_>, syntax: Syntax, scope: Scope) -> Vec<Hit> {
        let mut hits = Vec::new();
        Reader::new(syntax, self.letters).any(window.text, |reading| {
            self.look(reading, scope, &mut |found| {
                let source = reading.source(&found.range);
                if window.owns(window.offset + source.start) {
                    hits.push(self.hit(reading, &found, window.text, syntax).behind(window.offset));
                }
                false
            })
        });
        hits
    }

    /// Tells what a reading shows, until `tell` answers `true`. Returns whether it did.
    fn look<'s>(
        &'s self,
        reading: &Reading<'_>,
        scope: Scope,
        tell: &mut impl FnMut(Found<'s>) -> bool,
    ) -> bool {
        for Anchored { starts, it: host } in &self.hosts {
            let mut found =
                anchors(starts, reading.text).filter_map(|at| host_at(reading, at.start, host, scope));
            if found.any(&mut *tell) {
                return true;
            }
        }
        let words = self.words.iter().filter(|word| scope.counts(&word.it));
        let mut places = words.flat_map(|word| anchors(&word.starts, reading.text));
        places.any(|range| is_word(reading, &range) && tell(Found { range, what: What::Word }))
    }

    fn hit(&self, reading: &Reading<'_>, found: &Found<'_>, text: &str, syntax: Syntax) -> Hit {
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
        Hit { range: source, known: matches!(found.what, What::Known), pieces }
    }
}

/// Where one of them stands.
fn anchors<'a>(needles: &'a [Needle], text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    needles.iter().flat_map(|needle| needle.starts(text.as_bytes()).map(|start| start..start + needle.len()))
}

fn first_label(labels: &[Label]) -> Vec<Needle> {
    let first = labels.first().into_iter().flat_map(Label::spellings);
    first.filter_map(|label| Needle::new(label.as_bytes())).collect()
}

/// What stands where the first label of a host was seen.
fn host_at<'s>(reading: &Reading<'_>, start: usize, host: &'s Host, scope: Scope) -> Option<Found<'s>> {
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

/// Addresses at `domain` in a text that have the shape of reverse aliases, each once, at most [`MOST_CANDIDATES`]. Whether
/// they are somebody's, the directory knows.
pub fn reverse_aliases_in(
    text: &str,
    domain: &DomainName,
    syntax: Syntax,
) -> impl Iterator<Item = Address> + use<> {
    let labels = super::secrets::labels(domain.as_str());
    let needles = first_label(&labels);
    let reader = Reader::new(syntax, Letters::of(labels.iter().flat_map(Label::spellings)));
    let mut candidates = BTreeSet::new();
    for window in windows(text) {
        reader.any(window.text, |reading| {
            anchors(&needles, reading.text).any(|anchor| {
                candidates.extend(candidate(reading.text, anchor.start, &labels, domain));
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

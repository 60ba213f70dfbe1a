//! Reading an address list: the value is cut into elements at its separators, and each element is read by itself.
//!
//! Cutting goes token by token and never back, so it is linear; memory is bounded by [`MAX_ENTRIES`] and
//! [`MAX_TOKENS`].

use std::ops::Range;

use super::super::address::{Address, Host, is_atext};
use super::super::phrase;
use super::super::structured::{Kind, Token, Tokens, unquote};
use super::{AddressList, Entry, Group, Member, NamedAddress};

/// Most entries (members of groups included) that are read; all that follows is one malformed entry.
pub const MAX_ENTRIES: usize = 5_000;
/// An element of more tokens is malformed.
const MAX_TOKENS: usize = 1_000;

/// Reads the value of an address field. Never fails; see [`AddressList::is_wholly_readable`].
#[must_use]
pub fn parse(value: &[u8]) -> AddressList {
    let mut parser = Parser { value, entries: Vec::new(), group: None, count: 0 };
    let mut elements = Elements { tokens: Tokens::new(value) };
    let mut element = Element::default();
    loop {
        elements.read_into(&mut element, parser.group.is_some());
        parser.take(&element);
        if element.ended == Ended::EndOfValue {
            break;
        }
        if parser.count >= MAX_ENTRIES {
            parser.give_up(elements.tokens);
            break;
        }
    }
    parser.finish()
}

/// The separator that ended an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Ended {
    /// None came.
    #[default]
    EndOfValue,
    /// `,`
    Comma,
    /// `:` after the name of a group, at the position given.
    Colon(usize),
    /// `;`, which is at the position given.
    Semicolon(usize),
}

/// What stands between two separators.
#[derive(Debug, Default)]
struct Element {
    /// At most [`MAX_TOKENS`].
    tokens: Vec<Token>,
    /// From the first to the last token, also of those that are not in `tokens`.
    span: Option<Range<usize>>,
    /// It has too many tokens, or one that can't stand where it does.
    broken: bool,
    ended: Ended,
}

impl Element {
    fn clear(&mut self) {
        self.tokens.clear();
        self.span = None;
        self.broken = false;
        self.ended = Ended::EndOfValue;
    }

    fn push(&mut self, token: Token) {
        self.broken |= self.tokens.len() >= MAX_TOKENS || token.kind == Kind::Unterminated;
        if self.tokens.len() < MAX_TOKENS {
            self.tokens.push(token);
        }
        let start = self.span.as_ref().map_or(token.start, |span| span.start);
        self.span = Some(start..token.end);
    }

    fn is_blank(&self) -> bool {
        !self.broken && self.tokens.iter().all(Token::is_comment)
    }
}

/// Where in an element the cutting is, as far as angle brackets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Angle {
    Before,
    /// Right after `<`.
    Opened,
    /// In a route, whose commas and colon separate nothing (RFC 5322, section 4.4: `<@a.example,@b.example:c@d.example>`).
    Route,
    Inside,
    After,
}

/// Cuts a value into elements.
struct Elements<'v> {
    tokens: Tokens<'v>,
}

impl Elements<'_> {
    fn read_into(&mut self, element: &mut Element, in_group: bool) {
        element.clear();
        let mut angle = Angle::Before;
        for token in self.tokens.by_ref() {
            if let Some(ended) = separator(token, angle, in_group, element) {
                element.ended = ended;
                return;
            }
            angle = step(token, angle, element);
            element.push(token);
        }
    }
}

/// Whether the token ends the element.
fn separator(token: Token, angle: Angle, in_group: bool, element: &Element) -> Option<Ended> {
    match token.kind {
        Kind::Special(b',') if angle != Angle::Route => Some(Ended::Comma),
        Kind::Special(b';') => Some(Ended::Semicolon(token.start)),
        Kind::Special(b':') if angle == Angle::Before && !in_group && !element.broken => {
            Some(Ended::Colon(token.start))
        }
        _ => None,
    }
}

/// Follows the angle brackets; a token that can't stand there breaks the element.
fn step(token: Token, angle: Angle, element: &mut Element) -> Angle {
    match (token.kind, angle) {
        (Kind::Comment, _) => angle,
        (Kind::Special(b'<'), Angle::Before) => Angle::Opened,
        (Kind::Special(b'>'), Angle::Opened | Angle::Inside) => Angle::After,
        (Kind::Special(b'@'), Angle::Opened) => Angle::Route,
        (Kind::Special(b':'), Angle::Route) => Angle::Inside,
        (Kind::Special(b'>'), Angle::Route) => {
            element.broken = true;
            Angle::After
        }
        (Kind::Special(b'<' | b'>' | b':'), _) | (_, Angle::After) => {
            element.broken = true;
            angle
        }
        (_, Angle::Opened) => Angle::Inside,
        _ => angle,
    }
}

/// Collects entries.
struct Parser<'v> {
    value: &'v [u8],
    entries: Vec<Entry>,
    /// The group whose members are being read.
    group: Option<Group>,
    count: usize,
}

impl Parser<'_> {
    fn take(&mut self, element: &Element) {
        if let Ended::Colon(at) = element.ended {
            self.open_group(element, at);
            return;
        }
        self.add(element);
        if let Ended::Semicolon(at) = element.ended {
            self.close_group(at + 1);
        }
    }

    fn open_group(&mut self, element: &Element, colon: usize) {
        let name_span = element.span.clone().unwrap_or(colon..colon);
        self.count += 1;
        self.group = Some(Group {
            name: phrase::read(self.value, &element.tokens),
            members: Vec::new(),
            span: name_span.start..colon + 1,
            name_span,
        });
    }

    fn add(&mut self, element: &Element) {
        let Some(span) = element.span.clone().filter(|_| !element.is_blank()) else {
            return;
        };
        self.count += 1;
        let member = match read_mailbox(self.value, element) {
            Some(mailbox) => Member::Mailbox(mailbox),
            None => Member::Malformed(span.clone()),
        };
        match &mut self.group {
            Some(group) => {
                group.span.end = span.end;
                group.members.push(member);
            }
            None => self.entries.push(member.into()),
        }
    }

    /// A `;` outside a group only separates.
    fn close_group(&mut self, end: usize) {
        if let Some(mut group) = self.group.take() {
            group.span.end = end;
            self.entries.push(Entry::Group(group));
        }
    }

    /// Takes all that is left for one malformed entry.
    fn give_up(&mut self, mut left: Tokens<'_>) {
        let Some(first) = left.next() else {
            return;
        };
        let end = left.last().map_or(first.end, |last| last.end);
        self.close_open_group();
        self.entries.push(Entry::Malformed(first.start..end));
    }

    fn finish(mut self) -> AddressList {
        self.close_open_group();
        AddressList { entries: self.entries }
    }

    /// A group without its `;` ends with its last member.
    fn close_open_group(&mut self) {
        let end = self.group.as_ref().map(|group| group.span.end);
        if let Some(end) = end {
            self.close_group(end);
        }
    }
}

/// A mailbox: `name <address>` or `address`; the first comment beside the address is the name when there is no other.
fn read_mailbox(value: &[u8], element: &Element) -> Option<NamedAddress> {
    if element.broken {
        return None;
    }
    let tokens = &element.tokens[..];
    let angle = tokens.iter().position(|token| token.is(b'<'));
    let (phrase, bracketed) = tokens.split_at(angle.unwrap_or(0));
    let spec = if angle.is_some() { within_angle(bracketed)? } else { bracketed };
    let (address, address_span) = read_address(value, spec)?;
    let is_outside = |token: &Token| token.end <= address_span.start || token.start >= address_span.end;
    let comment = || tokens.iter().copied().find(|token| token.is_comment() && is_outside(token));
    let name = phrase::read(value, phrase).or_else(|| phrase::read_comment(value, comment()?));
    Some(NamedAddress { name, address, span: element.span.clone()?, address_span })
}

/// What stands between `<` (or the route after it) and `>`.
fn within_angle(bracketed: &[Token]) -> Option<&[Token]> {
    let end = bracketed.iter().position(|token| token.is(b'>'))?;
    let inside = bracketed.get(1..end)?;
    let route = inside.iter().position(|token| token.is(b':')).map_or(0, |at| at + 1);
    inside.get(route..)
}

/// An address, its parts possibly with comments and white space between them (RFC 5322, section 4.4).
fn read_address(value: &[u8], tokens: &[Token]) -> Option<(Address, Range<usize>)> {
    let tokens: Vec<Token> = tokens.iter().copied().filter(|token| !token.is_comment()).collect();
    let at = tokens.iter().position(|token| token.is(b'@'))?;
    let (local, host) = (tokens.get(..at)?, tokens.get(at + 1..)?);
    let span = local.first()?.start..host.last()?.end;
    let address = Address::from_parts(&read_local(value, local)?, read_host(value, host)?).ok()?;
    Some((address, span))
}

/// Atoms and quoted strings with dots between them, as one unquoted text.
fn read_local(value: &[u8], tokens: &[Token]) -> Option<String> {
    join(value, tokens, |token| match token.kind {
        Kind::Quoted => String::from_utf8(unquote(token.of(value))).ok(),
        _ => read_atom(value, token).map(str::to_owned),
    })
}

fn read_host(value: &[u8], tokens: &[Token]) -> Option<Host> {
    let text = join(value, tokens, |token| match token.kind {
        Kind::Literal => std::str::from_utf8(token.of(value)).ok().map(str::to_owned),
        _ => read_atom(value, token).map(str::to_owned),
    })?;
    Host::parse(&text).ok()
}

/// The texts of the tokens in a row, if each two of them have a dot between them.
fn join(value: &[u8], tokens: &[Token], read: impl Fn(Token) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    let mut dotted = true;
    for &token in tokens {
        let atom = if token.kind == Kind::Atom { token.of(value) } else { b"" };
        if !dotted && !atom.starts_with(b".") {
            return None;
        }
        text.push_str(&read(token)?);
        dotted = atom.ends_with(b".");
    }
    Some(text)
}

fn read_atom(value: &[u8], token: Token) -> Option<&str> {
    let text = std::str::from_utf8(token.of(value)).ok()?;
    let allowed = token.kind == Kind::Atom && text.chars().all(|c| is_atext(c) || c == '.');
    allowed.then_some(text)
}

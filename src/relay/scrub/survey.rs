//! Which reverse aliases a message names, anywhere.

use std::collections::HashSet;

use ::bytes::Bytes;

use crate::mail::mime::{
    Entity, MAX_DEPTH, MAX_PARTS, Parameterized, Transfer, charset, multipart, transfer,
};
use crate::mail::{Address, DomainName, Message};

use super::fields::readings;
use super::kind::{Content, Kind};
use super::leaf::is_text;
use super::text::reverse_aliases_in;
use super::view::Syntax;

/// Most addresses that one message has looked up.
pub const MAX_CANDIDATES: usize = 200;
/// So much of a part of unknown type shows whether it is text.
const SAMPLE: usize = 4_096;

/// What looks like a reverse alias at this domain, anywhere in the message: in fields, names of files, texts, messages in
/// parts. Each once, [`MAX_CANDIDATES`] at most. What the walk of the scrub would refuse is passed over.
#[must_use]
pub fn candidates(message: &Message, domain: &DomainName) -> Vec<Address> {
    let mut survey = Survey { domain, found: Vec::new(), known: HashSet::new(), parts_left: MAX_PARTS };
    survey.fields(message);
    survey.body(&Content::of(message, "text/plain"), &message.body(), 0);
    survey.found
}

struct Survey<'d> {
    domain: &'d DomainName,
    found: Vec<Address>,
    known: HashSet<Address>,
    parts_left: usize,
}

impl Survey<'_> {
    fn entity(&mut self, raw: Bytes, depth: usize) {
        let entity = Entity::parse(raw);
        self.fields(entity.head());
        self.body(&Content::of(entity.head(), "text/plain"), entity.body(), depth);
    }

    fn fields(&mut self, head: &Message) {
        for field in head.fields() {
            let value = head.value(field);
            for (text, syntax) in readings(value) {
                self.text(&text, syntax);
            }
            if head.is(field, "Content-Type") || head.is(field, "Content-Disposition") {
                for parameter in Parameterized::parse(value).parameters {
                    self.text(&parameter.value, Syntax::Plain);
                }
            }
        }
    }

    fn body(&mut self, content: &Content, body: &Bytes, depth: usize) {
        if depth > MAX_DEPTH || self.found.len() >= MAX_CANDIDATES {
            return;
        }
        match content.kind() {
            Kind::Multipart(boundary) => self.multipart(content, body, &boundary, depth),
            Kind::Undivided => match multipart::guess(body).and_then(|found| std::str::from_utf8(found).ok())
            {
                Some(boundary) => self.multipart(content, body, boundary, depth),
                None => self.leaf(content, body, None),
            },
            Kind::Message | Kind::Headers => self.entity(decoded(content, body), depth + 1),
            Kind::Prose(Syntax::Plain) | Kind::Keys => self.leaf(content, body, None),
            Kind::Prose(syntax) => self.leaf(content, body, Some(syntax)),
            Kind::Machine => self.leaf(content, body, Some(Syntax::Plain)),
            Kind::Unknown if seems_text(content.transfer, body) => self.leaf(content, body, None),
            Kind::Unknown | Kind::Pkcs7 | Kind::Tnef => {}
        }
    }

    fn multipart(&mut self, content: &Content, body: &Bytes, boundary: &str, depth: usize) {
        let mut split = multipart::split(body, boundary.as_bytes(), self.parts_left);
        let mut divided = body.clone();
        if split.pieces.is_empty() {
            divided = decoded(content, body);
            split = multipart::split(&divided, boundary.as_bytes(), self.parts_left);
        }
        if split.pieces.is_empty() {
            return self.leaf(content, body, None);
        }
        for piece in split.pieces {
            self.parts_left = self.parts_left.saturating_sub(1);
            self.entity(divided.slice(piece.content), depth + 1);
        }
    }

    fn leaf(&mut self, content: &Content, body: &Bytes, syntax: Option<Syntax>) {
        let octets = content.transfer.decode(body);
        let read = charset::decode(&octets, content.charset());
        let syntax = syntax.unwrap_or_else(|| content.syntax_of(&read.text));
        self.text(&read.text, syntax);
    }

    fn text(&mut self, text: &str, syntax: Syntax) {
        for address in reverse_aliases_in(text, self.domain, syntax) {
            if self.found.len() >= MAX_CANDIDATES {
                return;
            }
            if self.known.insert(address.clone()) {
                self.found.push(address);
            }
        }
    }
}

fn decoded(content: &Content, body: &Bytes) -> Bytes {
    let octets = content.transfer.decode(body);
    match transfer::with_crlf(&octets) {
        std::borrow::Cow::Borrowed(_) if content.transfer == Transfer::Identity => body.clone(),
        octets => Bytes::from(octets.into_owned()),
    }
}

fn seems_text(transfer: Transfer, body: &Bytes) -> bool {
    let sample = body.slice(..body.len().min(SAMPLE));
    let octets = transfer.decode(&sample);
    // A character may be cut at the end of the sample.
    is_text(&octets)
        || octets
            .utf8_chunks()
            .next()
            .is_some_and(|chunk| chunk.valid().len() + 4 > octets.len() && !chunk.valid().contains('\0'))
}

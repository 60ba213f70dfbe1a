//! The walk through a message: parts, parts of parts, messages in parts.
//!
//! What comes out is a row of slices: those of the original where nothing changes, new ones in between. They are put
//! together once, at the end, so that depth costs no copies.

use ::bytes::{Bytes, BytesMut};

use crate::mail::mime::multipart::{self, Multipart, Piece};
use crate::mail::mime::transfer::{self, Transfer};
use crate::mail::mime::{Change, Entity, MAX_DEPTH, MAX_PARTS};
use crate::mail::{Edits, Message, quoted_printable};

use super::doubt::{self, Doubt};
use super::fields::{Description, FieldEdits, Fields, Scope};
use super::kind::{Content, Kind};
use super::marks::other_boundary;
use super::secrets::Secrets;
use super::view::Syntax;
use super::{OpaqueParts, SealIds};
use crate::relay::refusal::Refused;

/// Octets in slices.
pub(super) type Rope = Vec<Bytes>;

/// What a part is when it does not say.
const DEFAULT_TYPE: &str = "text/plain";
/// Within a `multipart/digest` (RFC 2046, section 5.1.5).
const DEFAULT_IN_DIGEST: &str = "message/rfc822";

/// What becomes of a body.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The new body; `None` when it keeps its bytes.
    pub body: Option<Rope>,
    /// What the fields must say of it.
    pub description: Description,
}

/// Works through one message.
pub(super) struct Scrubber<'a> {
    pub secrets: &'a Secrets,
    pub ids: &'a dyn SealIds,
    pub opaque: OpaqueParts,
    pub doubt: Doubt,
    /// Parts that may still come.
    parts_left: usize,
    /// Where we are: the number of each part on the way, from 1.
    path: Vec<usize>,
}

impl<'a> Scrubber<'a> {
    pub fn new(secrets: &'a Secrets, ids: &'a dyn SealIds, opaque: OpaqueParts) -> Self {
        Self { secrets, ids, opaque, doubt: Doubt::default(), parts_left: MAX_PARTS, path: Vec::new() }
    }

    /// The reply itself: edits of its header section, and its body if that changes.
    pub fn message(&mut self, message: &Message) -> Result<(FieldEdits, Option<Bytes>), Refused> {
        message.check().map_err(Refused::HeaderSection)?;
        self.doubt.arises_if(doubt::is_strange_head(message));
        let content = Content::of(message, DEFAULT_TYPE);
        let outcome = self.body(&content, &message.body())?;
        let edits = self.fields(message, Scope::Root).edits(&outcome.description);
        Ok((edits, outcome.body.map(joined)))
    }

    fn fields<'f>(&'f self, head: &'f Message, scope: Scope) -> Fields<'f> {
        Fields { secrets: self.secrets, ids: self.ids, head, scope }
    }

    /// A part or a message within: `None` when it keeps its bytes.
    fn entity(&mut self, raw: Bytes, default_type: &str) -> Result<Option<Rope>, Refused> {
        let entity = Entity::parse(raw);
        entity.check().map_err(Refused::HeaderSection)?;
        self.doubt.arises_if(doubt::is_strange(&entity));
        let head = entity.head();
        let outcome = self.body(&Content::of(head, default_type), entity.body())?;
        let edits = self.fields(head, Scope::Nested).edits(&outcome.description);
        let must_split = entity.is_split_by_force() && !entity.body().is_empty();
        if edits.is_empty() && outcome.body.is_none() && !must_split {
            return Ok(None);
        }
        let mut rope = vec![rendered(head, &edits)];
        if must_split {
            rope.push(Bytes::from_static(b"\r\n"));
        }
        rope.extend(outcome.body.unwrap_or_else(|| vec![entity.body().clone()]));
        Ok(Some(rope))
    }

    pub fn body(&mut self, content: &Content, body: &Bytes) -> Result<Outcome, Refused> {
        if self.path.len() > MAX_DEPTH {
            return Err(Refused::TooManyParts);
        }
        self.doubt.arises_if(doubt::is_strange_type(&content.media.word));
        match content.kind() {
            Kind::Multipart(boundary) => self.multipart(content, body, &boundary),
            Kind::Undivided => self.undivided(content, body),
            Kind::Message => self.nested(content, body, false),
            Kind::Headers => self.nested(content, body, true),
            kind => self.leaf(&kind, content, body),
        }
    }

    /// A message in a part, or its header section alone. One that is encoded for transfer is encoded again.
    fn nested(&mut self, content: &Content, body: &Bytes, is_head_only: bool) -> Result<Outcome, Refused> {
        let raw = match content.transfer {
            Transfer::Identity => body.clone(),
            encoded => Bytes::from(encoded.decode(body).into_owned()),
        };
        self.doubt.arises_if(doubt::has_strange_line_ends(&raw));
        // Where there are octets of zero, line feeds may be halves of characters.
        let raw = match transfer::with_crlf(&raw) {
            std::borrow::Cow::Owned(new) if memchr::memchr(0, &raw).is_none() => Bytes::from(new),
            _ => raw,
        };
        // Many programs step over empty lines before the first field.
        let raw = raw.slice(raw.iter().take_while(|b| b"\r\n".contains(b)).count()..);
        self.path.push(1);
        let rope = if is_head_only { self.head_only(raw)? } else { self.entity(raw, DEFAULT_TYPE)? };
        self.path.pop();
        Ok(rope.map(|rope| reencoded(content.transfer, rope)).unwrap_or_default())
    }

    /// Whatever follows the header section, programs show it as text.
    fn head_only(&mut self, raw: Bytes) -> Result<Option<Rope>, Refused> {
        let entity = Entity::parse(raw);
        entity.check().map_err(Refused::HeaderSection)?;
        let edits = self.fields(entity.head(), Scope::Nested).edits(&Description::default());
        let rest = self.text_in(entity.body(), Syntax::Plain)?;
        if edits.is_empty() && rest.is_none() {
            return Ok(None);
        }
        let head = rendered(entity.head(), &edits);
        Ok(Some(vec![head, rest.map_or_else(|| entity.body().clone(), Bytes::from)]))
    }

    fn multipart(&mut self, content: &Content, body: &Bytes, boundary: &str) -> Result<Outcome, Refused> {
        let is_signed = content.is("multipart/signed");
        if self.opaque == OpaqueParts::Refuse && (is_signed || content.is("multipart/encrypted")) {
            return Err(Refused::OpaquePart(self.place(content)));
        }
        let split = multipart::split(body, boundary.as_bytes(), self.parts_left);
        if split.pieces.is_empty() {
            self.doubt.arises();
            return self.without_parts(content, body, boundary);
        }
        self.doubt
            .arises_if(doubt::is_strange_boundary(boundary) || doubt::is_strange_division(body, &split));
        self.parts_left = self.parts_left.checked_sub(split.pieces.len()).ok_or(Refused::TooManyParts)?;
        let mut parts = self.parts(content, body, &split)?;
        let mut description = Description::default();
        if is_signed && parts.drop_broken_signature(&split) {
            description.media_type = Some("multipart/mixed");
            description.parameters = vec![("protocol", Change::Drop), ("micalg", Change::Drop)];
        }
        let other = other_boundary(boundary, self.secrets, self.ids);
        if let Some(other) = &other {
            description.parameters.push(("boundary", Change::Set(other.clone())));
        }
        let body = parts.assemble(body, &split, other.as_deref());
        Ok(Outcome { body, description })
    }

    fn parts(&mut self, content: &Content, body: &Bytes, split: &Multipart) -> Result<Parts, Refused> {
        let default_type = if content.is("multipart/digest") { DEFAULT_IN_DIGEST } else { DEFAULT_TYPE };
        let preamble = self.margin(&body.slice(split.preamble.clone()));
        let mut contents = Vec::with_capacity(split.pieces.len());
        for (index, piece) in split.pieces.iter().enumerate() {
            let raw = body.slice(piece.content.clone());
            let is_signature = index > 0 && content.is("multipart/signed");
            contents.push(if piece.is_closing {
                self.margin(&raw)
            } else if is_signature && self.signature_has_trace(raw.clone()) {
                PieceFate::Goes
            } else {
                self.path.push(index + 1);
                let part = self.entity(raw, default_type)?;
                self.path.pop();
                part.map_or(PieceFate::Stays, PieceFate::Becomes)
            });
        }
        Ok(Parts { preamble, contents, rubbish: self.rubbish(body, split) })
    }

    /// A preamble or an epilogue: nobody reads them, so one with a trace goes.
    fn margin(&self, octets: &[u8]) -> PieceFate {
        if octets.trim_ascii().is_empty()
            || !self.secrets.trace_in(&String::from_utf8_lossy(octets), Syntax::Plain)
        {
            return PieceFate::Stays;
        }
        PieceFate::Becomes(Vec::new())
    }

    /// Which delimiter lines say something besides the boundary that must not be seen.
    fn rubbish(&self, body: &[u8], split: &Multipart) -> Vec<bool> {
        let has_rubbish = |piece: &Piece| {
            let after = body.get(piece.boundary.end..piece.delimiter.end).unwrap_or_default();
            let after = after.strip_prefix(b"--").unwrap_or(after).trim_ascii();
            !after.is_empty() && self.secrets.trace_in(&String::from_utf8_lossy(after), Syntax::Plain)
        };
        split.pieces.iter().map(has_rubbish).collect()
    }

    /// A multipart body without a delimiter: it has another boundary than it says, it is encoded for transfer as it must not
    /// be, or it is no multipart at all.
    fn without_parts(&mut self, content: &Content, body: &Bytes, boundary: &str) -> Result<Outcome, Refused> {
        if let Some(guessed) = multipart::guess(body).and_then(|guessed| std::str::from_utf8(guessed).ok()) {
            let mut outcome = self.multipart(content, body, guessed)?;
            let is_set = outcome.description.parameters.iter().any(|(name, _)| *name == "boundary");
            if !is_set {
                outcome.description.parameters.push(("boundary", Change::Set(guessed.to_owned())));
            }
            return Ok(outcome);
        }
        if content.transfer != Transfer::Identity {
            let decoded = Bytes::from(transfer::with_crlf(&content.transfer.decode(body)).into_owned());
            if !multipart::split(&decoded, boundary.as_bytes(), 1).pieces.is_empty() {
                let outcome = self.multipart(content, &decoded, boundary)?;
                let again = outcome.body.map(|rope| reencoded(content.transfer, rope)).unwrap_or_default();
                let mut description = outcome.description;
                description.transfer = again.description.transfer;
                return Ok(Outcome { body: again.body, description });
            }
        }
        let mut outcome = self.leaf(&Kind::Machine, content, body)?;
        if let Some(other) = other_boundary(boundary, self.secrets, self.ids) {
            outcome.description.parameters.push(("boundary", Change::Set(other)));
        }
        Ok(outcome)
    }

    /// A multipart that does not name its boundary: some programs guess it, and others show all of it as text.
    fn undivided(&mut self, content: &Content, body: &Bytes) -> Result<Outcome, Refused> {
        self.doubt.arises();
        let guessed = multipart::guess(body).and_then(|guessed| std::str::from_utf8(guessed).ok());
        let divided = guessed.map(|guessed| self.multipart(content, body, guessed)).transpose()?;
        let divided = divided.unwrap_or_default();
        let now = divided.body.clone().map_or_else(|| body.clone(), joined);
        let as_text = self.leaf(&Kind::Prose(Syntax::Plain), content, &now)?;
        Ok(if as_text.body.is_some() { as_text } else { divided })
    }

    /// How the owner finds the part that we are at: `part 2.1 (application/pdf)`.
    pub fn place(&self, content: &Content) -> String {
        let word: String = content
            .media
            .word
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "/.+-".contains(*c))
            .take(80)
            .collect();
        let numbers: Vec<String> = self.path.iter().map(ToString::to_string).collect();
        if numbers.is_empty() {
            format!("the message ({word})")
        } else {
            format!("part {} ({word})", numbers.join("."))
        }
    }
}

/// What becomes of a preamble, a part or an epilogue.
#[derive(Debug)]
enum PieceFate {
    Stays,
    Becomes(Rope),
    /// With its delimiter.
    Goes,
}

/// The pieces of a multipart body after they were looked through.
struct Parts {
    preamble: PieceFate,
    /// In the order of the pieces.
    contents: Vec<PieceFate>,
    /// Whether a delimiter line is to be written anew.
    rubbish: Vec<bool>,
}

impl Parts {
    /// Drops the signature of a `multipart/signed` when it names a mailbox, or the signed part had to be changed: it would
    /// not hold any more. Whether it did.
    fn drop_broken_signature(&mut self, split: &Multipart) -> bool {
        let is_changed = !matches!(self.contents.first(), Some(PieceFate::Stays));
        let is_broken = is_changed || self.contents.iter().any(|fate| matches!(fate, PieceFate::Goes));
        if is_broken {
            for (fate, _) in
                self.contents.iter_mut().zip(&split.pieces).skip(1).filter(|(_, piece)| !piece.is_closing)
            {
                *fate = PieceFate::Goes;
            }
        }
        is_broken
    }

    /// The body with these pieces, unless it is the same.
    fn assemble(self, body: &Bytes, split: &Multipart, boundary: Option<&str>) -> Option<Rope> {
        let stays = |fate: &PieceFate| matches!(fate, PieceFate::Stays);
        let is_same = boundary.is_none() && !self.rubbish.contains(&true) && stays(&self.preamble);
        if is_same && self.contents.iter().all(stays) {
            return None;
        }
        let mut rope = Rope::new();
        put(&mut rope, self.preamble, || body.slice(split.preamble.clone()));
        for ((fate, piece), rubbish) in self.contents.into_iter().zip(&split.pieces).zip(self.rubbish) {
            if matches!(fate, PieceFate::Goes) {
                continue;
            }
            if boundary.is_none() && !rubbish {
                rope.push(body.slice(piece.delimiter.clone()));
            } else {
                rope.push(delimiter(body, piece, boundary));
            }
            put(&mut rope, fate, || body.slice(piece.content.clone()));
        }
        Some(rope)
    }
}

fn put(rope: &mut Rope, fate: PieceFate, original: impl FnOnce() -> Bytes) {
    match fate {
        PieceFate::Stays => rope.push(original()),
        PieceFate::Becomes(new) => rope.extend(new),
        PieceFate::Goes => {}
    }
}

/// A delimiter line with another boundary, and with nothing else on it.
fn delimiter(body: &Bytes, piece: &Piece, boundary: Option<&str>) -> Bytes {
    let old = body.get(piece.boundary.clone()).unwrap_or_default();
    let before = body.get(piece.delimiter.start..piece.boundary.start).unwrap_or_default();
    let line = body.get(piece.boundary.end..piece.delimiter.end).unwrap_or_default();
    let end = line.iter().rposition(|b| !b"\r\n".contains(b)).map_or(0, |last| last + 1);
    let dashes: &[u8] = if piece.is_closing { b"--" } else { b"" };
    let new = [before, boundary.map_or(old, str::as_bytes), dashes, line.get(end..).unwrap_or_default()];
    Bytes::from(new.concat())
}

fn rendered(head: &Message, edits: &FieldEdits) -> Bytes {
    let mut all = Edits::new(head);
    edits.apply(&mut all);
    all.render().head
}

/// A composite body in the transfer encoding that it came in.
fn reencoded(transfer: Transfer, rope: Rope) -> Outcome {
    let encode: fn(&[u8]) -> Vec<u8> = match transfer {
        Transfer::Identity => return Outcome { body: Some(rope), ..Outcome::default() },
        Transfer::QuotedPrintable => quoted_printable::encode,
        Transfer::Base64 | Transfer::Uuencode => transfer::encode_base64,
    };
    let body = Some(vec![Bytes::from(encode(&joined(rope)))]);
    let other = (transfer == Transfer::Uuencode).then_some("base64");
    Outcome { body, description: Description { transfer: other, ..Description::default() } }
}

pub(super) fn joined(mut rope: Rope) -> Bytes {
    if let [_] = rope.as_slice() {
        return rope.swap_remove(0);
    }
    let mut out = BytesMut::with_capacity(rope.iter().map(Bytes::len).sum());
    for slice in rope {
        out.extend_from_slice(&slice);
    }
    out.freeze()
}

//! Parts without parts: texts are cleaned, other things are only looked at.

use ::bytes::Bytes;

use crate::mail::mime::charset::{self, Decoded};
use crate::mail::mime::transfer::{self, Transfer};
use crate::mail::mime::{Change, Charset};
use crate::mail::quoted_printable;

use super::OpaqueParts;
use super::armor::{self, Block, BlockKind, KEY_LEFT_OUT};
use super::binary;
use super::doubt;
use super::entity::{Outcome, Scrubber};
use super::fields::Description;
use super::flowed;
use super::kind::{Content, Kind};
use super::marks;
use super::records;
use super::view::Syntax;
use crate::mail::mime::Entity;
use crate::relay::refusal::Refused;

/// Most octets of a line (RFC 5322, section 2.1.1).
const LONGEST_LINE: usize = 998;
/// Where the type of S/MIME content stands within its first octets.
const PKCS7_BEGINNING: usize = 64;

/// Who reads a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// People: a bare domain or local part may stay.
    Person,
    /// Programs.
    Program,
}

/// A way to clean a text; nothing when it finds nothing.
type Step<'s> = &'s dyn Fn(&str) -> Option<String>;

impl Scrubber<'_> {
    pub(super) fn leaf(&self, kind: &Kind, content: &Content, body: &Bytes) -> Result<Outcome, Refused> {
        self.doubt.arises_if(content.transfer == Transfer::Base64 && doubt::is_strange_base64(body));
        match kind {
            Kind::Prose(Syntax::Plain) => self.text(content, body, None, Reader::Person),
            Kind::Prose(syntax) => self.text(content, body, Some(*syntax), Reader::Person),
            Kind::Machine => self.text(content, body, Some(Syntax::Plain), Reader::Program),
            Kind::Keys => self.keys(content, body),
            Kind::Pkcs7 => self.pkcs7(content, body),
            Kind::Tnef => self.tnef(content, body),
            Kind::Unknown | Kind::Multipart(_) | Kind::Undivided | Kind::Message | Kind::Headers => {
                self.unknown(content, body)
            }
        }
    }

    fn text(
        &self,
        content: &Content,
        body: &Bytes,
        syntax: Option<Syntax>,
        reader: Reader,
    ) -> Result<Outcome, Refused> {
        let octets = content.transfer.decode(body);
        self.decoded_text(content, body, &octets, syntax, reader)
    }

    /// Text that was decoded for transfer.
    fn decoded_text(
        &self,
        content: &Content,
        body: &Bytes,
        octets: &[u8],
        syntax: Option<Syntax>,
        reader: Reader,
    ) -> Result<Outcome, Refused> {
        let read = charset::decode(octets, content.charset());
        let syntax = syntax.unwrap_or_else(|| content.syntax_of(&read.text));
        let new = match self.replaced(content, &read.text, syntax, reader)? {
            Some(new) => Some(self.exactly(content, octets, &read, new, (syntax, reader))?),
            None if read.charset.is_doubtful() => self.as_octets(content, octets, (syntax, reader))?,
            None => None,
        };
        let new = self.as_utf8(content, octets, new, (syntax, reader))?;
        Ok(match new {
            Some((new, charset)) => written(content, body, octets, &new, charset),
            None => self.without_foreign_octets(content, body, octets),
        })
    }

    /// The changed text, in a charset that gives back what did not change.
    fn exactly(
        &self,
        content: &Content,
        octets: &[u8],
        read: &Decoded<'_>,
        new: String,
        reader: (Syntax, Reader),
    ) -> Result<(String, Charset), Refused> {
        let better = if read.charset.is_doubtful() && read.exact || !read.charset.shows_ascii() {
            let written = read.charset.encode(&new).unwrap_or_default();
            self.as_octets(content, &written, reader)?
        } else if !read.exact {
            self.as_octets(content, octets, reader)?
        } else {
            None
        };
        // What is only to be seen in its own charset is written anew as a whole.
        Ok(better.unwrap_or((new, read.charset)))
    }

    /// The changed text when it is taken for octets in ASCII and others, as a program does that knows no better.
    fn as_octets(
        &self,
        content: &Content,
        octets: &[u8],
        (syntax, reader): (Syntax, Reader),
    ) -> Result<Option<(String, Charset)>, Refused> {
        let plain = charset::decode_as_octets(octets);
        let changed = self.replaced(content, &plain.text, syntax, reader)?;
        Ok(changed.map(|changed| (changed, plain.charset)))
    }

    /// The changed text when octets are UTF-8 as far as they can be, whatever their label says: so programs read that know
    /// that labels are often wrong. `new` is what was made of it under its label.
    fn as_utf8(
        &self,
        content: &Content,
        octets: &[u8],
        new: Option<(String, Charset)>,
        (syntax, reader): (Syntax, Reader),
    ) -> Result<Option<(String, Charset)>, Refused> {
        if octets.is_ascii() || matches!(new, Some((_, Charset::Utf8 | Charset::MostlyUtf8))) {
            return Ok(new);
        }
        let written = new.as_ref().and_then(|(text, charset)| charset.encode(text));
        let read = charset::decode(written.as_deref().unwrap_or(octets), Some("utf-8"));
        let changed = self.replaced(content, &read.text, syntax, reader)?;
        Ok(changed.map(|changed| (changed, read.charset)).or(new))
    }

    /// The text without traces; nothing when there is none.
    fn replaced(
        &self,
        content: &Content,
        text: &str,
        syntax: Syntax,
        reader: Reader,
    ) -> Result<Option<String>, Refused> {
        let mut changed = self.without_blocks(content, text)?;
        let steps: [Step<'_>; 5] = [
            &|text| marks::rewrite_links(text, self.secrets, self.ids),
            &|text| self.replace_twice(text, syntax, reader),
            &|text| self.replace_joined(content, text, syntax, reader),
            &|text| self.replace_xtext(text, reader),
            &|text| self.replace_in_ids(text, syntax),
        ];
        for step in steps {
            changed = step(changed.as_deref().unwrap_or(text)).or(changed);
        }
        let now = changed.as_deref();
        if now.is_some_and(|now| self.secrets.address_in(now, syntax)) {
            return Err(Refused::UnchangeablePart(self.place(content)));
        }
        Ok(changed)
    }

    /// What is put in may make something out of what stands beside it.
    fn replace_twice(&self, text: &str, syntax: Syntax, reader: Reader) -> Option<String> {
        let once = self.replace(text, syntax, reader)?;
        Some(self.replace(&once, syntax, reader).unwrap_or(once))
    }

    /// An address may stand in two lines that readers join.
    fn replace_joined(
        &self,
        content: &Content,
        text: &str,
        syntax: Syntax,
        reader: Reader,
    ) -> Option<String> {
        if !content.joins_lines() {
            return None;
        }
        self.replace(&flowed::joined(text), syntax, reader)
    }

    /// Reports write addresses as envelopes do (`xtext` of RFC 3461, section 4).
    fn replace_xtext(&self, text: &str, reader: Reader) -> Option<String> {
        if reader == Reader::Person {
            return None;
        }
        let decoded = text.replace("+40", "@").replace("+2B", "+").replace("+2b", "+");
        if decoded == text { None } else { self.replace(&decoded, Syntax::Plain, reader) }
    }

    fn replace(&self, text: &str, syntax: Syntax, reader: Reader) -> Option<String> {
        match reader {
            Reader::Person => self.secrets.replace_prose(text, syntax),
            Reader::Program => self.secrets.replace_everything(text, syntax),
        }
    }

    /// The ids of calendars and address books are not for people.
    fn replace_in_ids(&self, text: &str, syntax: Syntax) -> Option<String> {
        if syntax != Syntax::Folded {
            return None;
        }
        records::replace_ids(text, |line| self.secrets.replace_everything(line, Syntax::Folded))
    }

    /// Text that stands by itself, as octets (see [`Charset::Octets`] for what is not UTF-8).
    pub(super) fn text_in(&self, octets: &[u8], syntax: Syntax) -> Result<Option<Vec<u8>>, Refused> {
        let content = Content::of(Entity::parse(Bytes::new()).head(), "text/plain");
        let read = charset::decode(octets, None);
        let new = self.replaced(&content, &read.text, syntax, Reader::Person)?;
        Ok(new.map(|new| read.charset.encode(&new).unwrap_or_else(|| new.into_bytes())))
    }

    /// The text without OpenPGP keys and signatures that name a mailbox.
    fn without_blocks(&self, content: &Content, text: &str) -> Result<Option<String>, Refused> {
        let mut out = String::new();
        let mut copied = 0;
        for block in armor::blocks(text) {
            let Some(instead) = self.in_place_of(content, text, &block)? else { continue };
            out.push_str(text.get(copied..block.span.start).unwrap_or_default());
            out.push_str(instead);
            copied = block.span.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Ok((copied > 0).then_some(out))
    }

    fn in_place_of(
        &self,
        content: &Content,
        text: &str,
        block: &Block,
    ) -> Result<Option<&'static str>, Refused> {
        let opened = armor::open(text.get(block.span.clone()).unwrap_or_default());
        match block.content {
            BlockKind::Message if self.opaque == OpaqueParts::Refuse => {
                Err(Refused::OpaquePart(self.place(content)))
            }
            BlockKind::Message if opened.is_encrypted() => Ok(None),
            BlockKind::Message if opened.is_compressed() || opened.has_trace(self.secrets) => {
                Err(Refused::UnchangeablePart(self.place(content)))
            }
            BlockKind::Key if opened.has_trace(self.secrets) => Ok(Some(KEY_LEFT_OUT)),
            BlockKind::Signature if opened.has_trace(self.secrets) => Ok(Some("")),
            _ => Ok(None),
        }
    }

    /// What stands between the characters of base64 belongs to nothing, and still can be read by who looks.
    fn without_foreign_octets(&self, content: &Content, body: &Bytes, octets: &[u8]) -> Outcome {
        let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=\r\n".contains(b);
        if content.transfer != Transfer::Base64
            || body.iter().all(is_base64)
            || !self.secrets.trace_in_bytes(body)
        {
            return Outcome::default();
        }
        Outcome { body: Some(vec![Bytes::from(transfer::encode_base64(octets))]), ..Outcome::default() }
    }

    /// Text, if it turns out to be text; else something that can only be looked at.
    fn unknown(&self, content: &Content, body: &Bytes) -> Result<Outcome, Refused> {
        let octets = content.transfer.decode(body);
        if is_text(&octets) {
            return self.decoded_text(content, body, &octets, None, Reader::Person);
        }
        let is_compressed =
            content.has_openpgp_name() && armor::Opened::binary(octets.to_vec()).is_compressed();
        let names_somebody = content.has_openpgp_name() && armor::has_trace(&octets, self.secrets);
        if is_compressed || names_somebody || binary::has_address(&octets, self.secrets) {
            return Err(Refused::UnchangeablePart(self.place(content)));
        }
        Ok(self.without_foreign_octets(content, body, &octets))
    }

    /// A part with certificates becomes a line of text when one of them names a mailbox.
    fn keys(&self, content: &Content, body: &Bytes) -> Result<Outcome, Refused> {
        let octets = content.transfer.decode(body);
        if !armor::has_trace(&octets, self.secrets) {
            let outcome = self.decoded_text(content, body, &octets, Some(Syntax::Plain), Reader::Person)?;
            if outcome.body.is_none() {
                return Ok(outcome);
            }
        }
        let description = Description {
            media_type: Some("text/plain"),
            parameters: vec![("charset", Change::Set("us-ascii".to_owned()))],
            transfer: Some("7bit"),
        };
        Ok(Outcome { body: Some(vec![Bytes::from(format!("{KEY_LEFT_OUT}\r\n"))]), description })
    }

    /// S/MIME: encrypted, or signed in a form that leaves nothing to be changed (RFC 8551, section 3).
    fn pkcs7(&self, content: &Content, body: &Bytes) -> Result<Outcome, Refused> {
        if self.opaque == OpaqueParts::Refuse {
            return Err(Refused::OpaquePart(self.place(content)));
        }
        let octets = content.transfer.decode(body);
        if !is_enveloped(&octets) && binary::has_trace(&octets, self.secrets) {
            return Err(Refused::UnchangeablePart(self.place(content)));
        }
        Ok(self.without_foreign_octets(content, body, &octets))
    }

    fn tnef(&self, content: &Content, body: &Bytes) -> Result<Outcome, Refused> {
        let octets = content.transfer.decode(body);
        if binary::has_trace(&octets, self.secrets) {
            return Err(Refused::UnchangeablePart(self.place(content)));
        }
        Ok(self.without_foreign_octets(content, body, &octets))
    }

    /// Whether a signature names a mailbox: an OpenPGP signature its maker's user id, an S/MIME signature a certificate.
    pub(super) fn signature_has_trace(&self, part: Bytes) -> bool {
        let entity = Entity::parse(part);
        let content = Content::of(entity.head(), "text/plain");
        let octets = content.transfer.decode(entity.body());
        armor::has_trace(&octets, self.secrets)
    }
}

/// Enveloped or authenticated-enveloped data (RFC 5652, RFC 5083): its object identifier is among the first octets.
fn is_enveloped(octets: &[u8]) -> bool {
    const ENVELOPED: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
    const AUTHENTICATED: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";
    let start = octets.get(..octets.len().min(PKCS7_BEGINNING)).unwrap_or_default();
    [ENVELOPED, AUTHENTICATED].iter().any(|id| memchr::memmem::find(start, id).is_some())
}

/// Whether octets without a type are text: UTF-8 without NUL, or UTF-16 that says so.
pub(super) fn is_text(octets: &[u8]) -> bool {
    let has_mark = octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff");
    has_mark || (memchr::memchr(0, octets).is_none() && std::str::from_utf8(octets).is_ok())
}

/// The new text as the body of its part, with what the fields must say of it.
fn written(content: &Content, body: &Bytes, old: &[u8], text: &str, charset: Charset) -> Outcome {
    let mut description = Description::default();
    let (octets, charset) = match charset.encode(text) {
        Some(octets) => (octets, charset),
        None => {
            description.parameters.push(("charset", Change::Set("utf-8".to_owned())));
            (text.as_bytes().to_vec(), Charset::Utf8)
        }
    };
    if says_less_than_utf8(content) && charset == Charset::Utf8 && !octets.is_ascii() && old.is_ascii() {
        description.parameters = vec![("charset", Change::Set("utf-8".to_owned()))];
    }
    let new = match content.transfer {
        Transfer::Identity if !needs_encoding(body, &octets) => octets,
        Transfer::Identity if charset.shows_ascii() => {
            description.transfer = Some("quoted-printable");
            quoted_printable::encode(&octets)
        }
        Transfer::QuotedPrintable if charset.shows_ascii() => transfer::requote(body, &octets),
        Transfer::QuotedPrintable => quoted_printable::encode(&octets),
        Transfer::Base64 => transfer::encode_base64(&octets),
        Transfer::Identity | Transfer::Uuencode => {
            description.transfer = Some("base64");
            transfer::encode_base64(&octets)
        }
    };
    Outcome { body: Some(vec![Bytes::from(new)]), description }
}

/// Whether text beyond ASCII in UTF-8 would be read wrongly under the label that the part has.
fn says_less_than_utf8(content: &Content) -> bool {
    content.charset().is_none_or(|label| !label.trim().eq_ignore_ascii_case("utf-8"))
}

/// Whether a body as it is can no longer be sent in the form that the old one had.
fn needs_encoding(old: &[u8], new: &[u8]) -> bool {
    (old.is_ascii() && !new.is_ascii()) || (has_long_line(new) && !has_long_line(old))
}

fn has_long_line(octets: &[u8]) -> bool {
    octets.split(|&b| b == b'\n').any(|line| line.len() > LONGEST_LINE + 1)
}

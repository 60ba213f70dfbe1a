//! Whether a message is wholly encrypted as it came, so that encrypting it again would only be in the way.
//!
//! Yes only when nothing of its body could be read by somebody without a key:
//!
//! - PGP/MIME (RFC 3156, section 4): `multipart/encrypted` with the control part and one part of ciphertext, and
//!   nothing before, between or after them but the sentence that some programs put there.
//! - One armored OpenPGP message as the whole of a text body, with nothing but empty lines around it.
//! - S/MIME (RFC 8551, section 3.3): `application/pkcs7-mime` that holds enveloped data.
//!
//! Anything else is not: a part in clear, two fields of one name that readers may choose from, an unknown transfer
//! encoding, broken data. Such a message is encrypted as a whole. What the ciphertext decrypts to, and for whom, cannot
//! be known here.

use std::borrow::Cow;

use bytes::Bytes;
use data_encoding::BASE64_MIME;
use mail_parser::ContentType;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::parsers::MessageStream;
use memchr::memmem;

use crate::mail::Message;
use crate::relay::ports::Content;

use super::ciphertext;

/// Longest header section of a part, so that no letter hides in one.
const MAX_PART_HEAD: usize = 1024;

/// Whether the body of the message is ciphertext and nothing else.
pub(super) fn is_encrypted(content: &Content) -> bool {
    judge(&Message::parse(content.head.clone()), &content.body).unwrap_or(false)
}

/// None where the message cannot be understood.
fn judge(head: &Message, body: &Bytes) -> Option<bool> {
    let entity = Entity::read(head)?;
    if entity.is("multipart", "encrypted") {
        return is_pgp_mime(entity.content_type.as_ref()?, body);
    }
    if entity.is("application", "pkcs7-mime") || entity.is("application", "x-pkcs7-mime") {
        let is_base64 = entity.encoding == Encoding::Base64;
        return Some(is_base64 && ciphertext::is_enveloped(&entity.encoding.decode(body)?));
    }
    let is_text = entity.content_type.is_none() || entity.is("text", "plain");
    Some(is_text && looks_armored(entity.encoding, body) && entity.is_armored(body)?)
}

/// So that an ordinary text is not decoded for nothing. In base64 nothing can stand before the armor.
fn looks_armored(encoding: Encoding, body: &[u8]) -> bool {
    let start: &[u8] = match encoding {
        Encoding::None | Encoding::QuotedPrintable => b"-----BEGIN PGP MESSAGE",
        // The same, as far as whole groups go.
        Encoding::Base64 => b"LS0tLS1CRUdJTiBQR1AgTUVTU0FH",
    };
    body.trim_ascii_start().starts_with(start)
}

/// The MIME fields of a message or part that matter here.
struct Entity {
    content_type: Option<ContentType<'static>>,
    encoding: Encoding,
}

impl Entity {
    /// None when a field is there twice or cannot be read.
    fn read(head: &Message) -> Option<Self> {
        let content_type = match only(head, "content-type")? {
            Some(value) => Some(parse_type(value)?),
            None => None,
        };
        let encoding =
            only(head, "content-transfer-encoding")?.map_or(Some(Encoding::None), Encoding::read)?;
        Some(Self { content_type, encoding })
    }

    fn is(&self, kind: &str, subtype: &str) -> bool {
        self.content_type.as_ref().is_some_and(|found| {
            found.ctype().eq_ignore_ascii_case(kind)
                && found.subtype().is_some_and(|found| found.eq_ignore_ascii_case(subtype))
        })
    }

    fn is_armored(&self, body: &[u8]) -> Option<bool> {
        Some(ciphertext::is_armored(&self.encoding.decode(body)?))
    }
}

/// The value of a field that is there once, if it is there; none when it is there more than once.
fn only<'m>(head: &'m Message, name: &str) -> Option<Option<&'m [u8]>> {
    let mut values = head.fields().iter().filter(|field| head.is(field, name)).map(|field| head.value(field));
    let value = values.next();
    values.next().is_none().then_some(value)
}

/// The parser wants a line end.
fn parse_type(value: &[u8]) -> Option<ContentType<'static>> {
    let line = [value, b"\r\n"].concat();
    MessageStream::new(&line).parse_content_type().into_owned().into_content_type()
}

/// Transfer encodings (RFC 2045, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    None,
    Base64,
    QuotedPrintable,
}

impl Encoding {
    fn read(value: &[u8]) -> Option<Self> {
        match value.trim_ascii().to_ascii_lowercase().as_slice() {
            b"7bit" | b"8bit" | b"binary" => Some(Self::None),
            b"base64" => Some(Self::Base64),
            b"quoted-printable" => Some(Self::QuotedPrintable),
            _ => None,
        }
    }

    fn decode(self, body: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::None => Some(Cow::Borrowed(body)),
            Self::Base64 => BASE64_MIME.decode(body).ok().map(Cow::Owned),
            Self::QuotedPrintable => quoted_printable_decode(body).map(Cow::Owned),
        }
    }
}

fn is_pgp_mime(content_type: &ContentType<'_>, body: &Bytes) -> Option<bool> {
    let protocol = parameter(content_type, "protocol")?;
    if !protocol.eq_ignore_ascii_case("application/pgp-encrypted") {
        return Some(false);
    }
    let [control, data] = two_parts(parameter(content_type, "boundary")?, body)?;
    Some(is_control(&control)? && is_data(&data)?)
}

/// A parameter that is there once.
fn parameter<'t>(content_type: &'t ContentType<'_>, name: &str) -> Option<&'t str> {
    let mut values = content_type.attributes()?.iter().filter(|found| found.name.eq_ignore_ascii_case(name));
    let value = values.next()?;
    values.next().is_none().then_some(&*value.value)
}

/// The two parts, when there are exactly two and nothing around them.
fn two_parts(boundary: &str, body: &Bytes) -> Option<[Message; 2]> {
    let delimiter = format!("--{boundary}");
    let mut starts = memmem::find_iter(body, delimiter.as_bytes());
    let lines = [starts.next()?, starts.next()?, starts.next()?];
    if boundary.is_empty() || starts.next().is_some() {
        return None;
    }
    let [first, second, last] = lines.map(|start| Delimiter::read(body, start, delimiter.len()));
    let (first, second, last) = (first?, second?, last?);
    let kinds = [first.is_close, second.is_close, last.is_close];
    let around = (body.get(..first.start)?, body.get(last.end..)?);
    if kinds != [false, false, true] || !is_preamble(around.0) || !is_blank(around.1) {
        return None;
    }
    let part = |from: &Delimiter, to: &Delimiter| Message::parse(body.slice(from.end..to.start));
    (first.end <= second.start && second.end <= last.start)
        .then(|| [part(&first, &second), part(&second, &last)])
}

/// A line that ends a part (RFC 2046, section 5.1.1).
struct Delimiter {
    start: usize,
    /// After its line end.
    end: usize,
    is_close: bool,
}

impl Delimiter {
    /// None when what stands at `start` is not a whole line.
    fn read(body: &[u8], start: usize, length: usize) -> Option<Self> {
        let is_at_start = start == 0 || body.get(..start)?.ends_with(b"\r\n");
        let rest = body.get(start + length..)?;
        let line_length = memmem::find(rest, b"\r\n").unwrap_or(rest.len());
        let line = rest.get(..line_length)?.trim_ascii_end();
        let end = (start + length + line_length + 2).min(body.len());
        let is_close = line == b"--";
        (is_at_start && (is_close || line.is_empty())).then_some(Self { start, end, is_close })
    }
}

fn is_blank(text: &[u8]) -> bool {
    text.trim_ascii().is_empty()
}

/// Empty, or the one sentence that Thunderbird, Enigmail and GPGMail write.
fn is_preamble(text: &[u8]) -> bool {
    const SENTENCE: &[u8] = b"This is an OpenPGP/MIME encrypted message (RFC ";
    const RFCS: [&[u8]; 3] = [b"2440 and 3156)", b"4880 and 3156)", b"9580 and 3156)"];
    let text = text.trim_ascii();
    text.is_empty() || text.strip_prefix(SENTENCE).is_some_and(|rest| RFCS.contains(&rest))
}

fn is_control(part: &Message) -> Option<bool> {
    let entity = Entity::read(part)?;
    let text = part.body();
    Some(
        has_plain_head(part)
            && entity.is("application", "pgp-encrypted")
            && entity.encoding.decode(&text)?.trim_ascii() == b"Version: 1",
    )
}

fn is_data(part: &Message) -> Option<bool> {
    let entity = Entity::read(part)?;
    let is_data = has_plain_head(part) && entity.is("application", "octet-stream");
    Some(is_data && entity.is_armored(&part.body())?)
}

/// A few MIME fields only, and the empty line.
fn has_plain_head(part: &Message) -> bool {
    let is_mime = |name: &str| name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"));
    let head = part.head();
    head.len() <= MAX_PART_HEAD
        && head.ends_with(b"\r\n\r\n")
        && part.fields().iter().all(|field| part.name(field).is_some_and(is_mime))
}

#[cfg(test)]
mod tests;

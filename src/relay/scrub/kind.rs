//! What a part is, by its header fields: its media type, its name and its transfer encoding.

use crate::mail::Message;
use crate::mail::mime::{Parameterized, Transfer};

use super::view::Syntax;

pub(super) const TYPE: &str = "Content-Type";
pub(super) const TRANSFER: &str = "Content-Transfer-Encoding";
pub(super) const DISPOSITION: &str = "Content-Disposition";

/// The index of the field that counts, of those with this name: the first, but for one that makes more of the body (a type
/// with parts, an encoding). Programs differ about it, so the others go.
pub(super) fn deciding(head: &Message, name: &str) -> Option<usize> {
    let mut fields = head.named(name);
    let (first, _) = fields.next()?;
    let makes_more = |value: &[u8]| match name {
        TYPE => {
            matches!(Parameterized::parse(value).word.split_once('/'), Some(("multipart" | "message", _)))
        }
        TRANSFER => Transfer::from_value(value) != Transfer::Identity,
        _ => false,
    };
    // With one field there is nothing to be decided.
    if fields.next().is_none() {
        return Some(first);
    }
    Some(head.named(name).find(|(_, field)| makes_more(head.value(field))).map_or(first, |(index, _)| index))
}

/// What a part is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Parts between delimiters with this boundary.
    Multipart(String),
    /// Parts between delimiters, and nobody says with which boundary.
    Undivided,
    /// A message within the message.
    Message,
    /// The header section of another message.
    Headers,
    /// Text for people.
    Prose(Syntax),
    /// Text for programs: reports and their like, in which host names say too much as well.
    Machine,
    /// OpenPGP certificates.
    Keys,
    /// S/MIME (RFC 8551).
    Pkcs7,
    /// The attachments of a mail program that says everything in a format of its own.
    Tnef,
    /// Text if it turns out to be text.
    Unknown,
}

/// The type, name and encoding of a part.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub media: Parameterized,
    pub transfer: Transfer,
    /// The name that it is to be stored under, if it has one; in lower case.
    name: Option<String>,
}

impl Content {
    /// What the fields say that [`deciding`] names.
    pub fn of(head: &Message, default_type: &str) -> Self {
        let value = |name| {
            deciding(head, name).and_then(|index| head.fields().get(index)).map(|field| head.value(field))
        };
        let media = Parameterized::parse(value(TYPE).unwrap_or(default_type.as_bytes()));
        let disposition = value(DISPOSITION).map(Parameterized::parse);
        let file = disposition.as_ref().and_then(|disposition| disposition.get("filename"));
        let name = file.or_else(|| media.get("name")).map(|name| name.trim().to_lowercase());
        let transfer = value(TRANSFER).map_or(Transfer::Identity, Transfer::from_value);
        Self { media, transfer, name }
    }

    pub fn charset(&self) -> Option<&str> {
        self.media.get("charset")
    }

    /// Whether its readers join lines that end in a blank, and leave that blank out.
    pub fn joins_lines(&self) -> bool {
        let says = |name, wanted: &str| {
            self.media.get(name).is_some_and(|said| said.trim().eq_ignore_ascii_case(wanted))
        };
        says("format", "flowed") && says("delsp", "yes")
    }

    /// Whether its name says that it holds OpenPGP data.
    pub fn has_openpgp_name(&self) -> bool {
        self.has_extension(&["gpg", "pgp", "asc", "sig"])
    }

    pub fn is(&self, media_type: &str) -> bool {
        self.media.word == media_type
    }

    pub fn kind(&self) -> Kind {
        let (family, subtype) = self.media.word.split_once('/').unwrap_or((&self.media.word, ""));
        match (family, subtype) {
            ("multipart", _) => match self.media.get("boundary").map(str::trim_end) {
                Some(boundary) if !boundary.contains(['\r', '\n']) => Kind::Multipart(boundary.to_owned()),
                _ => Kind::Undivided,
            },
            ("message", "rfc822" | "global" | "news" | "external-body") => Kind::Message,
            ("text", "rfc822-headers") | ("message", "global-headers") => Kind::Headers,
            ("message", "partial") => Kind::Prose(Syntax::Plain),
            ("message", _) => Kind::Machine,
            _ if self.has_extension(&["eml", "mht", "mhtml"]) => Kind::Message,
            ("text", _) => Kind::Prose(text_syntax(subtype)),
            ("application", "pgp-keys") => Kind::Keys,
            ("application", "pkcs7-mime" | "x-pkcs7-mime") => Kind::Pkcs7,
            ("application", "ms-tnef" | "vnd.ms-tnef") => Kind::Tnef,
            _ if self.has_extension(&["p7m"]) => Kind::Pkcs7,
            _ if self.name.as_deref() == Some("winmail.dat") => Kind::Tnef,
            (_, subtype) => markup_or_script(subtype).map_or(Kind::Unknown, Kind::Prose),
        }
    }

    /// How a text of unknown type is written: by its name, else by how it begins.
    pub fn syntax_of(&self, text: &str) -> Syntax {
        if self.has_extension(&["ics", "ical", "ifb", "vcf", "vcard", "vcs"]) {
            return Syntax::Folded;
        }
        if self.has_extension(&["html", "htm", "xhtml", "xml", "svg"]) {
            return Syntax::Html;
        }
        if self.has_extension(&["json", "js", "css", "rtf"]) {
            return Syntax::Escaped;
        }
        beginning_syntax(text)
    }

    fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension =
            self.name.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
        extension.is_some_and(|extension| extensions.contains(&extension))
    }
}

/// How text of this subtype is written.
fn text_syntax(subtype: &str) -> Syntax {
    match subtype {
        "html" | "enriched" | "richtext" => Syntax::Html,
        "calendar" | "vcard" | "x-vcard" | "directory" | "x-vcalendar" => Syntax::Folded,
        "rtf" | "x-rtf" => Syntax::Escaped,
        _ => markup_or_script(subtype).unwrap_or(Syntax::Plain),
    }
}

/// Text under a type that is not called text.
fn markup_or_script(subtype: &str) -> Option<Syntax> {
    match subtype {
        "xml" | "xhtml" => Some(Syntax::Html),
        _ if subtype.ends_with("+xml") => Some(Syntax::Html),
        "ics" | "x-ics" | "calendar" | "vcard" => Some(Syntax::Folded),
        "json" | "javascript" | "x-javascript" | "ecmascript" | "rtf" | "css" => Some(Syntax::Escaped),
        _ if subtype.ends_with("+json") => Some(Syntax::Escaped),
        _ => None,
    }
}

/// How a text is written, by its first characters.
pub(super) fn beginning_syntax(text: &str) -> Syntax {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let begins = |with: &str| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if begins("BEGIN:V") {
        return Syntax::Folded;
    }
    if begins("<!doctype") || begins("<html") || begins("<?xml") || begins("<svg") {
        return Syntax::Html;
    }
    if begins("{") || begins("[") {
        return Syntax::Escaped;
    }
    Syntax::Plain
}

#[cfg(test)]
mod tests {
    use ::bytes::Bytes;

    use super::*;

    fn kind(head: &str) -> Kind {
        Content::of(&Message::parse(Bytes::from(format!("{head}\r\n\r\n"))), "text/plain").kind()
    }

    #[test]
    fn parts_are_told_apart() {
        for (head, expected) in [
            ("X: y", Kind::Prose(Syntax::Plain)),
            ("Content-Type: multipart/mixed; boundary=\"b \"", Kind::Multipart("b".to_owned())),
            ("Content-Type: multipart/mixed", Kind::Undivided),
            ("Content-Type: Message/RFC822", Kind::Message),
            ("Content-Type: application/octet-stream; name=A.EML", Kind::Message),
            ("Content-Type: text/rfc822-headers", Kind::Headers),
            ("Content-Type: message/delivery-status", Kind::Machine),
            ("Content-Type: text/html; charset=utf-8", Kind::Prose(Syntax::Html)),
            ("Content-Type: text/calendar", Kind::Prose(Syntax::Folded)),
            ("Content-Type: application/ics", Kind::Prose(Syntax::Folded)),
            ("Content-Type: image/svg+xml", Kind::Prose(Syntax::Html)),
            ("Content-Type: application/ld+json", Kind::Prose(Syntax::Escaped)),
            ("Content-Type: application/pgp-keys", Kind::Keys),
            ("Content-Type: application/x-pkcs7-mime", Kind::Pkcs7),
            ("Content-Disposition: attachment; filename=WINMAIL.DAT\r\nContent-Type: a/b", Kind::Tnef),
            ("Content-Type: image/png", Kind::Unknown),
            ("Content-Type: rubbish", Kind::Unknown),
        ] {
            assert_eq!(kind(head), expected, "{head}");
        }
    }

    #[test]
    fn the_beginning_tells_how_text_is_written() {
        for (text, syntax) in [
            ("BEGIN:VCARD\r\n", Syntax::Folded),
            ("\u{feff} <!DOCTYPE html>", Syntax::Html),
            ("{\"a\": 1}", Syntax::Escaped),
            ("Hello", Syntax::Plain),
            ("", Syntax::Plain),
            ("\u{e9}", Syntax::Plain),
        ] {
            assert_eq!(beginning_syntax(text), syntax, "{text}");
        }
    }
}

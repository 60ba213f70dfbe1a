//! A MIME reader that wants to see everything: every header field that decides something counts, also the second and third
//! of a name; every transfer encoding is undone; a header section ends at any kind of empty line.

use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::{Packet, PacketPile};

use super::fields::{self, Field, Parameterized};
use super::{Effort, Hunt, Reader, Rule, bytes, transfer, views};

const MAX_DEPTH: usize = 60;
const ARMOR: &[u8] = b"-----BEGIN PGP";

/// Looks at a whole message.
pub fn walk(message: &[u8], hunt: &mut Hunt<'_>) {
    Walk { hunt }.entity(message, "message", "text/plain", 0);
}

struct Walk<'a, 'b> {
    hunt: &'a mut Hunt<'b>,
}

/// What the header fields of an entity say about its body.
struct Shape {
    types: Vec<Parameterized>,
    encodings: Vec<String>,
}

impl Shape {
    fn of(fields: &[Field], default_type: &str) -> Self {
        let named = |name: &'static str| fields.iter().filter(move |field| field.name == name);
        let mut types: Vec<_> =
            named("content-type").map(|field| Parameterized::read(&field.value)).collect();
        if types.is_empty() {
            types.push(Parameterized { main: default_type.to_owned(), ..Parameterized::default() });
        }
        let encoding = |field: &Field| Parameterized::read(&field.value).main;
        let mut encodings: Vec<_> = named("content-transfer-encoding").map(encoding).collect();
        encodings.push(String::new());
        encodings.dedup();
        Self { types, encodings }
    }

    fn is(&self, test: fn(&str) -> bool) -> bool {
        self.types.iter().any(|kind| test(&kind.main))
    }

    fn parameters(&self, name: &str) -> Vec<String> {
        self.types.iter().flat_map(|kind| kind.readings(name)).cloned().collect()
    }
}

impl Walk<'_, '_> {
    fn entity(&mut self, octets: &[u8], place: &str, default_type: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for (head, body) in splits(octets) {
            let fields = fields::fields(head);
            for field in &fields {
                self.field(field, place);
            }
            self.body(body, &Shape::of(&fields, default_type), place, depth);
        }
    }

    fn field(&mut self, field: &Field, place: &str) {
        let place =
            format!("{place}, field {}", if field.name.is_empty() { "without a name" } else { &field.name });
        let rule = fields::rule(&field.name);
        self.hunt.bytes(Reader::Walk, &place, &field.value, &[], rule);
        let is_parameterized = matches!(field.name.as_str(), "content-type" | "content-disposition");
        if is_parameterized && self.hunt.effort == Effort::Everything {
            let read = Parameterized::read(&field.value);
            for text in [&read.main, &read.comments] {
                self.hunt.text(Reader::Walk, &place, text, Rule::Trace);
            }
            for (name, readings) in read.parameters {
                let place = format!("{place}, parameter {name}");
                self.hunt.text(Reader::Walk, &place, &name, Rule::Trace);
                for reading in readings {
                    self.hunt.text(Reader::Walk, &place, &reading, fields::parameter_rule(&name));
                }
            }
        }
    }

    fn body(&mut self, body: &[u8], shape: &Shape, place: &str, depth: usize) {
        for encoding in &shape.encodings {
            for decoded in transfer::decode(encoding, body) {
                self.decoded_body(&decoded, shape, place, depth);
            }
        }
    }

    fn decoded_body(&mut self, body: &[u8], shape: &Shape, place: &str, depth: usize) {
        let mut is_leaf = true;
        if shape.is(|kind| kind.starts_with("multipart/")) {
            is_leaf = !self.multipart(body, shape, place, depth);
        }
        if shape.is(|kind| kind.starts_with("message/") || kind == "text/rfc822-headers") {
            is_leaf = false;
            self.message(body, shape, place, depth);
        }
        if is_leaf {
            self.leaf(body, shape, place);
        }
    }

    /// Whether it has any part.
    fn multipart(&mut self, body: &[u8], shape: &Shape, place: &str, depth: usize) -> bool {
        let in_digest = shape.is(|kind| kind == "multipart/digest");
        let default_type = if in_digest { "message/rfc822" } else { "text/plain" };
        let mut has_parts = false;
        for boundary in shape.parameters("boundary") {
            let parts = parts(body, boundary.trim_end().as_bytes());
            has_parts |= !parts.inside.is_empty();
            for outside in parts.outside {
                self.hunt.bytes(
                    Reader::Walk,
                    &format!("{place}, outside its parts"),
                    outside,
                    &[],
                    Rule::Trace,
                );
            }
            for (number, part) in parts.inside.into_iter().enumerate() {
                self.entity(part, &format!("{place} / part {}", number + 1), default_type, depth + 1);
            }
        }
        has_parts
    }

    /// A message in a message; of a report (RFC 3464), each of its blocks is a header section.
    fn message(&mut self, body: &[u8], shape: &Shape, place: &str, depth: usize) {
        let is_message = |kind: &str| matches!(kind, "message/rfc822" | "message/global" | "message/news");
        let place = format!("{place} / message");
        if shape.is(is_message) {
            self.entity(body, &place, "text/plain", depth + 1);
            let begin = body.iter().take_while(|octet| b"\r\n".contains(octet)).count();
            if begin > 0 {
                self.entity(&body[begin..], &place, "text/plain", depth + 1);
            }
            return;
        }
        let mut rest = body;
        while !rest.is_empty() {
            let (head, behind) = splits(rest).swap_remove(0);
            for field in fields::fields(head) {
                self.field(&field, &place);
            }
            rest = behind;
        }
        self.hunt.bytes(Reader::Walk, &place, body, &[], Rule::Prose);
    }

    fn leaf(&mut self, body: &[u8], shape: &Shape, place: &str) {
        let charsets = shape.parameters("charset");
        let made_by_programs = shape.is(|kind| {
            matches!(kind, "application/pgp-signature" | "application/pgp-keys")
                || kind.contains("pkcs7-signature")
        });
        let rule = if made_by_programs { Rule::Trace } else { Rule::Prose };
        let place = format!("{place}, body");
        self.hunt.bytes(Reader::Walk, &place, body, &charsets, rule);
        if shape.is(|kind| kind.contains("html")) && self.hunt.effort == Effort::Everything {
            self.links_to_ids(body, &charsets, &place);
        }
        self.openpgp(body, &place);
    }

    /// `cid:` and `mid:` links (RFC 2392) are ids, wherever they stand.
    fn links_to_ids(&mut self, body: &[u8], charsets: &[String], place: &str) {
        for view in views::all(bytes::texts(body, charsets)) {
            let lower = view.to_ascii_lowercase();
            for (at, _) in lower.match_indices("cid:").chain(lower.match_indices("mid:")) {
                let link = &lower[at..];
                let end =
                    link.find(|c: char| c.is_whitespace() || "\"'<>)".contains(c)).unwrap_or(link.len());
                self.hunt.text(Reader::Walk, &format!("{place}, link"), &link[..end], Rule::Trace);
            }
        }
    }

    /// User ids, subpackets and plain contents of OpenPGP data, armored or not.
    fn openpgp(&mut self, body: &[u8], place: &str) {
        let is_binary = body.first().is_some_and(|octet| octet & 0x80 != 0);
        let armors = body.windows(ARMOR.len()).enumerate().filter(|(_, window)| *window == ARMOR);
        let starts: Vec<usize> = armors.map(|(at, _)| at).chain(is_binary.then_some(0)).collect();
        for start in starts {
            let Ok(pile) = PacketPile::from_bytes(&body[start..]) else { continue };
            for packet in pile.descendants() {
                let place = format!("{place}, OpenPGP {}", packet.tag());
                self.packet(packet, &place);
            }
        }
    }

    fn packet(&mut self, packet: &Packet, place: &str) {
        match packet {
            Packet::UserID(id) => self.hunt.bytes(Reader::Walk, place, id.value(), &[], Rule::Trace),
            Packet::Literal(literal) => {
                self.hunt.bytes(Reader::Walk, place, literal.body(), &[], Rule::Prose);
                let name = literal.filename().unwrap_or_default();
                self.hunt.bytes(Reader::Walk, place, name, &[], Rule::FileName);
            }
            Packet::Signature(signature) => {
                let areas = [signature.hashed_area(), signature.unhashed_area()];
                for subpacket in areas.into_iter().flat_map(|area| area.iter()) {
                    let shown = format!("{:?}", subpacket.value());
                    self.hunt.text(Reader::Walk, place, &shown, Rule::Trace);
                    if let sequoia_openpgp::packet::signature::subpacket::SubpacketValue::SignersUserID(id) =
                        subpacket.value()
                    {
                        self.hunt.bytes(Reader::Walk, place, id, &[], Rule::Trace);
                    }
                    if let sequoia_openpgp::packet::signature::subpacket::SubpacketValue::NotationData(note) =
                        subpacket.value()
                    {
                        self.hunt.bytes(Reader::Walk, place, note.value(), &[], Rule::Trace);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Header section and body: at the first empty line of any kind, and at the first that is CRLF CRLF when that is another.
fn splits(octets: &[u8]) -> Vec<(&[u8], &[u8])> {
    let strict = empty_line(octets, &[b"\r\n\r\n"]);
    let lenient = empty_line(octets, &[b"\n\r\n", b"\n\n"]);
    let mut at: Vec<_> = [strict, lenient].into_iter().flatten().collect();
    at.dedup();
    if octets.starts_with(b"\r\n") {
        at = vec![(0, 2)];
    } else if octets.starts_with(b"\n") {
        at = vec![(0, 1)];
    }
    if at.is_empty() {
        return vec![(octets, &[])];
    }
    at.into_iter().map(|(head, body)| (&octets[..head], &octets[body..])).collect()
}

/// Where the head ends and where the body begins.
fn empty_line(octets: &[u8], kinds: &[&[u8]]) -> Option<(usize, usize)> {
    let find =
        |kind: &[u8]| octets.windows(kind.len()).position(|window| window == kind).map(|at| (at, kind.len()));
    let first = kinds.iter().filter_map(|kind| find(kind)).min()?;
    let line_end = if first.1 == 4 { 2 } else { 1 };
    Some((first.0 + line_end, first.0 + first.1))
}

/// The parts between delimiters, and what stands before the first and behind the last.
struct Parts<'a> {
    inside: Vec<&'a [u8]>,
    outside: Vec<&'a [u8]>,
}

fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Parts<'a> {
    let mut parts = Parts { inside: Vec::new(), outside: Vec::new() };
    let (mut start, mut at, mut is_inside) = (0, 0, false);
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        let begin = at;
        at += line.len();
        let Some(closes) = delimiter(line, boundary) else { continue };
        let piece = &body[start..begin];
        if is_inside {
            parts.inside.push(piece);
        } else {
            parts.outside.push(piece);
        }
        (start, is_inside) = (at, !closes);
    }
    let last = &body[start..];
    if is_inside {
        parts.inside.push(last);
    } else {
        parts.outside.push(last);
    }
    parts
}

/// Whether the line is a delimiter, and if so, whether it is the closing one.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?.trim_ascii_end();
    match rest {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

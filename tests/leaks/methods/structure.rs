//! In the structure of multiparts.

use super::Entry;
use crate::encode;
use crate::scene::{Frame, Part, Scene, clean_part, mixed_case};

pub const METHODS: &[Entry] = &[
    ("boundary", |s| {
        let trace = s.trace().replace(['\'', '@'], "=");
        bounded(s, format!("----=_{trace}_1"), None);
    }),
    ("boundary that is the address", |s| {
        let address = s.address();
        bounded(s, address, None);
    }),
    ("boundary in pieces", |s| {
        let host = s.host();
        let (one, two) = encode::cut(&host, &mut s.dice);
        bounded(s, format!("={host}"), Some(format!("boundary*0=\"={one}\"; boundary*1=\"{two}\"")));
    }),
    ("boundary in quoted pairs", |s| {
        let host = s.host();
        let written = format!("boundary=\"={}\"", host.replace('.', "\\."));
        bounded(s, format!("={host}"), Some(written));
    }),
    ("boundary of an inner multipart", |s| {
        let host = s.host();
        let mut frame = Frame::new("mixed", &mut s.dice);
        frame.boundary = format!("b1_{host}");
        let inner = frame.around(&[clean_part(), clean_part()]);
        s.part(inner);
    }),
    ("boundary that an outer one begins with", |s| {
        let text = body(s);
        let (mut outer, mut inner) = (Frame::new("mixed", &mut s.dice), Frame::new("mixed", &mut s.dice));
        outer.boundary = "=_x".to_owned();
        inner.boundary = "=_x1".to_owned();
        let inner = inner.around(&[text, clean_part()]);
        s.parts.push(outer.around(&[inner, clean_part()]));
    }),
    ("boundary that is never used", |s| {
        let host = s.host();
        s.part(Part::new(format!("Content-Type: multipart/mixed; boundary=\"{host}\"\r\n"), "no parts\r\n"));
    }),
    ("all before a boundary that does not come", |s| {
        let trace = s.trace();
        let body = format!("--b\r\nContent-Type: text/plain\r\nX-Host: {trace}\r\n\r\nx\r\n--b--\r\n");
        s.part(Part::new("Content-Type: multipart/mixed; boundary=a\r\n", body));
    }),
    ("preamble", |s| {
        let trace = s.trace();
        framed(s, |frame| frame.preamble = format!("This is a message in MIME format by {trace}.\r\n"));
    }),
    ("epilogue", |s| {
        let trace = s.trace();
        framed(s, |frame| frame.epilogue = format!("sent by {trace}\r\n"));
    }),
    ("preamble and epilogue of an inner multipart", |s| {
        let mut frame = Frame::new("alternative", &mut s.dice);
        (frame.preamble, frame.epilogue) = (format!("{}\r\n", s.trace()), format!("{}\r\n", s.trace()));
        let inner = frame.around(&[clean_part()]);
        s.part(inner);
    }),
    ("parameter of a multipart", |s| {
        let trace = s.trace();
        framed(s, |frame| frame.parameters = format!("; x-origin={trace}"));
    }),
    ("comment in the type of a multipart", |s| {
        let trace = s.trace();
        framed(s, |frame| frame.parameters = format!("\r\n\t({trace})"));
    }),
    ("two boundaries, the second is used", |s| {
        let text = body(s);
        let mut frame = Frame::new("mixed", &mut s.dice);
        frame.written_boundary = Some(format!("boundary=other; boundary=\"{}\"", frame.boundary));
        s.parts.push(frame.around(&[text]));
    }),
    ("boundary that is not named", |s| {
        let text = body_in(s, "base64");
        let mut frame = Frame::new("mixed", &mut s.dice);
        frame.written_boundary = Some("charset=utf-8".to_owned());
        s.parts.push(frame.around(&[text]));
    }),
    ("boundary in other case", |s| {
        let text = body_in(s, "base64");
        let mut frame = Frame::new("mixed", &mut s.dice);
        frame.written_boundary = Some(format!("boundary=\"{}\"", frame.boundary.to_uppercase()));
        s.parts.push(frame.around(&[text]));
    }),
    ("boundary with blanks and quotes", |s| {
        let text = body_in(s, "quoted-printable");
        let mut frame = Frame::new("mixed", &mut s.dice);
        frame.boundary = "a b'(c)+_,-./:=?d".to_owned();
        s.parts.push(frame.around(&[text]));
    }),
    ("empty boundary", |s| {
        let text = body_in(s, "base64");
        let mut frame = Frame::new("mixed", &mut s.dice);
        frame.boundary = String::new();
        s.parts.push(frame.around(&[text]));
    }),
    ("parts behind the end", |s| {
        let text = body_in(s, "base64");
        let mut frame = Frame::new("mixed", &mut s.dice);
        let again = frame.around(&[text]);
        frame.epilogue = String::from_utf8_lossy(&again.body).into_owned();
        s.parts.push(frame.around(&[clean_part()]));
    }),
    ("the last of many parts", |s| {
        let text = body(s);
        let parts: Vec<Part> = (0..60).map(|_| clean_part()).chain([text]).collect();
        let many = s.multipart("mixed", &parts);
        s.parts.push(many);
    }),
    ("multipart without an end", |s| {
        let text = body(s);
        let mut frame = Frame::new("mixed", &mut s.dice);
        frame.is_closed = false;
        s.parts.push(frame.around(&[clean_part(), text]));
    }),
    ("letter without an end", |s| {
        let text = body(s);
        s.parts.push(text);
        framed(s, |frame| frame.is_closed = false);
    }),
    ("blanks behind the boundary", |s| {
        let text = body(s);
        s.parts.push(text);
        let padding = s.dice.pick(&[" ", "  \t", "\t"]);
        framed(s, |frame| frame.padding = padding);
    }),
    ("twenty multiparts deep", |s| deep(s, 20)),
    ("some multiparts deep", |s| {
        let depth = s.dice.below(12) + 2;
        deep(s, depth);
    }),
    ("type in mixed case", |s| {
        let text = body(s);
        framed(s, |frame| frame.subtype = mixed_case("alternative"));
        s.parts.push(text);
    }),
    ("unknown multipart", |s| {
        let text = body(s);
        framed(s, |frame| frame.subtype = "x-mixed-replace".to_owned());
        s.parts.push(text);
    }),
    ("part without a head", |s| {
        let address = s.address();
        s.parts.push(Part::new("", format!("{address} wrote this\r\n")));
    }),
    ("part without a body", |s| {
        let host = s.host();
        s.parts.push(Part::new(format!("Content-Type: text/plain\r\nX-Host: {host}\r\n"), ""));
    }),
    ("part whose type is unreadable", |s| {
        let address = s.address();
        let kind = s.dice.pick(&["", "text", "/", "text/", ";;", "\"text/plain\"", "text/plain, text/html"]);
        s.parts.push(Part::new(format!("Content-Type: {kind}\r\n"), format!("by {address}\r\n")));
    }),
    ("two types, the second is another", |s| {
        let address = s.address().replace('@', "&#64;");
        let head = "Content-Type: text/plain\r\nContent-Type: text/html\r\n";
        s.part(Part::new(head, format!("<p>{address}</p>\r\n")));
    }),
    ("two types, the first is a multipart", |s| {
        let text = body(s);
        let inner = Frame::new("mixed", &mut s.dice).around(&[text]);
        s.part(inner.with("Content-Type: text/plain"));
    }),
    ("two transfer encodings", |s| {
        let text = body_in(s, "base64");
        let field = s.dice.pick(&["7bit", "8bit", "binary"]);
        s.part(text.with(&format!("Content-Transfer-Encoding: {field}")));
    }),
    ("multipart with a transfer encoding", |s| {
        let text = body_in(s, "base64");
        let multipart = s.multipart("mixed", &[text]);
        s.part(multipart.with("Content-Transfer-Encoding: 8bit"));
    }),
    ("multipart that is itself in base64", |s| {
        let text = body(s);
        let multipart = s.multipart("mixed", &[text]);
        let body = encode::base64(&multipart.body, &mut s.dice);
        s.part(Part::new(multipart.head, body).with("Content-Transfer-Encoding: base64"));
    }),
];

/// A text part with the address in it.
fn body(s: &mut Scene<'_>) -> Part {
    let address = s.address();
    s.written_text("text/plain", &format!("Write to {address} instead.\r\n"))
}

fn body_in(s: &mut Scene<'_>, encoding: &str) -> Part {
    let address = s.address();
    s.encoded("text/plain; charset=utf-8", format!("Write to {address} instead.\r\n").as_bytes(), encoding)
}

fn framed(s: &mut Scene<'_>, change: impl FnOnce(&mut Frame)) {
    let mut frame = s.frame.take().unwrap_or_else(|| Frame::new("mixed", &mut s.dice));
    change(&mut frame);
    s.frame = Some(frame);
}

fn bounded(s: &mut Scene<'_>, boundary: String, written: Option<String>) {
    framed(s, |frame| (frame.boundary, frame.written_boundary) = (boundary, written));
}

fn deep(s: &mut Scene<'_>, depth: u64) {
    let mut part = body(s);
    for _ in 0..depth {
        let subtype = s.dice.pick(&["mixed", "related", "alternative"]);
        part = s.multipart(subtype, &[part]);
    }
    s.parts.push(part);
}

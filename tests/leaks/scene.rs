//! A letter in the making: methods of hiding put their pieces into it, and then it is written down.

use crate::dice::Dice;
use crate::encode;
use crate::owner::Mailbox;

/// A MIME part: its header fields and its body, as they are written.
#[derive(Debug, Clone)]
pub struct Part {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Part {
    pub fn new(head: impl Into<Vec<u8>>, body: impl Into<Vec<u8>>) -> Self {
        Self { head: head.into(), body: body.into() }
    }

    /// With another header field.
    pub fn with(mut self, field: &str) -> Self {
        self.head.extend_from_slice(field.as_bytes());
        self.head.extend_from_slice(b"\r\n");
        self
    }

    fn written(&self) -> Vec<u8> {
        [&self.head[..], b"\r\n", &self.body].concat()
    }
}

/// How a multipart is put together.
#[derive(Debug, Clone)]
pub struct Frame {
    pub subtype: String,
    pub boundary: String,
    /// The parameter as it is written, when that is not just the boundary in quotes.
    pub written_boundary: Option<String>,
    /// More of the `Content-Type` field.
    pub parameters: String,
    pub preamble: String,
    pub epilogue: String,
    pub is_closed: bool,
    /// What stands behind the boundary in a delimiter line.
    pub padding: &'static str,
}

impl Frame {
    pub fn new(subtype: &str, dice: &mut Dice) -> Self {
        Self {
            subtype: subtype.to_owned(),
            boundary: format!("=_part{:08x}", dice.below(1 << 32)),
            written_boundary: None,
            parameters: String::new(),
            preamble: String::new(),
            epilogue: String::new(),
            is_closed: true,
            padding: "",
        }
    }

    pub fn around(&self, parts: &[Part]) -> Part {
        let written =
            self.written_boundary.clone().unwrap_or_else(|| format!("boundary=\"{}\"", self.boundary));
        let head = format!("Content-Type: multipart/{};\r\n {written}{}\r\n", self.subtype, self.parameters);
        let mut body = self.preamble.clone().into_bytes();
        let boundary = &self.boundary;
        for part in parts {
            body.extend_from_slice(format!("\r\n--{boundary}{}\r\n", self.padding).as_bytes());
            body.extend(part.written());
        }
        if self.is_closed {
            body.extend_from_slice(format!("\r\n--{boundary}--\r\n{}", self.epilogue).as_bytes());
        }
        Part::new(head, body)
    }
}

/// The letter, and the mailbox that is hidden in it.
pub struct Scene<'a> {
    pub dice: Dice,
    pub mailbox: &'a Mailbox,
    /// Header fields of the letter. Those that are not given are made up.
    pub fields: Vec<String>,
    pub parts: Vec<Part>,
    /// The multipart around all parts, when it is to be a special one.
    pub frame: Option<Frame>,
    /// More of the letter's `Content-Type` field.
    pub parameters: String,
}

impl<'a> Scene<'a> {
    pub fn new(mailbox: &'a Mailbox, dice: Dice) -> Self {
        Self { dice, mailbox, fields: Vec::new(), parts: Vec::new(), frame: None, parameters: String::new() }
    }

    pub fn address(&mut self) -> String {
        self.mailbox.spelled(&mut self.dice)
    }

    pub fn host(&mut self) -> String {
        self.mailbox.host(&mut self.dice)
    }

    /// The local part; of a very short one, which tells nothing by itself, the domain.
    pub fn word(&mut self) -> String {
        if self.mailbox.local.len() < 3 { self.host() } else { self.mailbox.word(&mut self.dice) }
    }

    /// The address, the domain or the local part: whatever programs put into ids.
    pub fn trace(&mut self) -> String {
        match self.dice.below(4) {
            0 => self.address(),
            1 => self.word(),
            _ => self.host(),
        }
    }

    pub fn number(&mut self) -> u64 {
        self.dice.below(1_000_000)
    }

    pub fn field(&mut self, field: impl Into<String>) {
        self.fields.push(field.into());
    }

    pub fn part(&mut self, part: Part) {
        let part = self.deeper(part);
        self.parts.push(part);
    }

    /// A text part in a charset and a transfer encoding that fit.
    pub fn text_part(&mut self, kind: &str, text: &str) {
        let part = self.written_text(kind, text);
        self.part(part);
    }

    pub fn written_text(&mut self, kind: &str, text: &str) -> Part {
        let charset = if self.dice.one_in(2) { "utf-8" } else { self.dice.pick(&encode::CHARSETS) };
        let (charset, octets) = match encode::in_charset(text, charset) {
            Some(octets) => (charset, octets),
            None => ("utf-8", text.as_bytes().to_vec()),
        };
        let encoding = self.dice.pick(&encode::TRANSFER_ENCODINGS);
        let encoding = if encode::fits(&octets, encoding) { encoding } else { "base64" };
        self.encoded(&format!("{kind}; charset={charset}"), &octets, encoding)
    }

    pub fn encoded(&mut self, kind: &str, octets: &[u8], encoding: &str) -> Part {
        let kind = if self.dice.one_in(6) { mixed_case(kind) } else { kind.to_owned() };
        let head = format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n");
        Part::new(head, encode::transfer(octets, encoding, &mut self.dice))
    }

    pub fn multipart(&mut self, subtype: &str, parts: &[Part]) -> Part {
        Frame::new(subtype, &mut self.dice).around(parts)
    }

    /// A message as an attachment.
    pub fn nested(&mut self, head: &str, part: &Part) -> Part {
        let inner = [head.as_bytes(), &part.written()].concat();
        Part::new("Content-Type: message/rfc822\r\n", inner)
    }

    /// Sometimes inside another multipart or message.
    fn deeper(&mut self, part: Part) -> Part {
        match self.dice.below(12) {
            0 => self.multipart("alternative", &[clean_part(), part]),
            1 => self.multipart("related", &[part, clean_part()]),
            2 => self.nested("From: jane@example.org\r\nSubject: Order\r\nMIME-Version: 1.0\r\n", &part),
            _ => part,
        }
    }

    /// The letter, from this author.
    pub fn written(mut self, author: &str) -> Vec<u8> {
        let whole = self.whole();
        let mut fields = self.fields;
        for (name, value) in [
            ("From", author),
            ("To", "\"Jane Doe - jane at example.org\" <jane@ra.example.com>"),
            ("Subject", "Re: Order"),
            ("Date", "Thu, 1 Jan 1970 02:00:00 +0200"),
            ("Message-ID", "<c0ffee.1@example.org>"),
            ("MIME-Version", "1.0"),
        ] {
            if !fields.iter().any(|field| is_named(field, name)) {
                fields.push(format!("{name}: {value}"));
            }
        }
        let mut out: Vec<u8> = fields.iter().flat_map(|field| [field.as_bytes(), b"\r\n"].concat()).collect();
        out.extend(whole.written());
        out
    }

    /// One part, or all parts in a multipart.
    fn whole(&mut self) -> Part {
        let mut parts = std::mem::take(&mut self.parts);
        let frame = self.frame.take();
        let mut whole = if frame.is_none() && (parts.is_empty() || (parts.len() == 1 && self.dice.one_in(3)))
        {
            parts.pop().unwrap_or_else(clean_part)
        } else {
            let frame = frame.unwrap_or_else(|| Frame::new("mixed", &mut self.dice));
            parts.insert(0, clean_part());
            frame.around(&parts)
        };
        if !self.parameters.is_empty() {
            whole.head = with_parameters(&whole.head, &self.parameters);
        }
        whole
    }
}

/// A part that says nothing.
pub fn clean_part() -> Part {
    Part::new("Content-Type: text/plain; charset=utf-8\r\n", "Thank you for the order.\r\n")
}

fn is_named(field: &str, name: &str) -> bool {
    field.split_once(':').is_some_and(|(found, _)| found.trim().eq_ignore_ascii_case(name))
}

/// The parameters are put behind the first field, which is `Content-Type` in parts that are made here, or before all.
fn with_parameters(head: &[u8], parameters: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(head).into_owned();
    let is_first = text.to_ascii_lowercase().starts_with("content-type");
    let mut end = 0;
    while let Some(length) = text[end..].find("\r\n") {
        end += length;
        if !text[end + 2..].starts_with([' ', '\t']) {
            break;
        }
        end += 2;
    }
    if !is_first || end == 0 {
        return format!("Content-Type: text/plain{parameters}\r\n{text}").into_bytes();
    }
    format!("{}{parameters}{}", &text[..end], &text[end..]).into_bytes()
}

pub fn mixed_case(text: &str) -> String {
    text.chars().enumerate().map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect()
}

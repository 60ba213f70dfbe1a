//! What a sender asks about reports: the parameters of RFC 3461, and RFC 6533 for addresses in UTF-8.
//!
//! Reading is strict and bounded. What a value says is kept decoded and holds nothing but printable ASCII, so it can be
//! written into a report, a command or a log without another look. Writing gives the form of the wire again.
//!
//! Who gets a report, and what of these wishes goes on to the next hop, is decided elsewhere.

use std::fmt;

use crate::mail::Address;
use crate::mail::utf8_address::{escape, is_qchar};

/// Longest value of ENVID on the wire (RFC 3461, section 4.4).
pub const MAX_ENVID: usize = 100;
/// Longest value of ORCPT on the wire (RFC 3461, section 4.2).
pub const MAX_ORCPT: usize = 500;
/// The address type whose addresses are not xtext (RFC 6533, section 3).
const UTF8: &str = "utf-8";
const RFC822: &str = "rfc822";

/// What is asked for a whole message, with MAIL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageRequest {
    /// `RET=`.
    pub ret: Option<Ret>,
    /// `ENVID=`.
    pub envid: Option<EnvelopeId>,
}

/// What is asked for one recipient, with RCPT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipientRequest {
    /// `NOTIFY=`. Nothing said means: of a failure, and of a delay if we like (RFC 3461, section 4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=`.
    pub orcpt: Option<OriginalRecipient>,
}

/// The parameters of MAIL, each with a space before it.
impl fmt::Display for MessageRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ret.iter().try_for_each(|ret| write!(f, " RET={ret}"))?;
        self.envid.iter().try_for_each(|envid| write!(f, " ENVID={}", envid.to_xtext()))
    }
}

/// The parameters of RCPT, each with a space before it.
impl fmt::Display for RecipientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notify.iter().try_for_each(|notify| write!(f, " NOTIFY={notify}"))?;
        self.orcpt.iter().try_for_each(|orcpt| write!(f, " ORCPT={orcpt}"))
    }
}

/// How much of the message comes back with a report of a failure (RFC 3461, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header section.
    Headers,
}

impl Ret {
    /// Reads the value of `RET=`, in any case.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.eq_ignore_ascii_case(b"FULL") {
            Some(Self::Full)
        } else if value.eq_ignore_ascii_case(b"HDRS") {
            Some(Self::Headers)
        } else {
            None
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// The sender's own name for a transaction (RFC 3461, section 4.4): printable ASCII, at most 100 octets, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    /// Reads the value of `ENVID=`, which is xtext.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        (value.len() <= MAX_ENVID).then(|| xtext_decode(value)).flatten().map(Self)
    }

    /// The name, decoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it is written in a command.
    #[must_use]
    pub fn to_xtext(&self) -> String {
        xtext_encode(&self.0)
    }
}

/// Of what a report is wanted (RFC 3461, section 4.1). Nothing at all is `NEVER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify {
    /// The message has arrived, or went where nothing more will be heard of it.
    pub success: bool,
    /// It will not arrive.
    pub failure: bool,
    /// It takes unusually long.
    pub delay: bool,
}

impl Notify {
    /// Of nothing.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };

    /// Reads the value of `NOTIFY=`, in any case: `NEVER` alone, or a list of the others.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.eq_ignore_ascii_case(b"NEVER") {
            return Some(Self::NEVER);
        }
        value.split(|&b| b == b',').try_fold(Self::NEVER, Self::with)
    }

    fn with(self, word: &[u8]) -> Option<Self> {
        if word.eq_ignore_ascii_case(b"SUCCESS") {
            Some(Self { success: true, ..self })
        } else if word.eq_ignore_ascii_case(b"FAILURE") {
            Some(Self { failure: true, ..self })
        } else if word.eq_ignore_ascii_case(b"DELAY") {
            Some(Self { delay: true, ..self })
        } else {
            None
        }
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("NEVER");
        }
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let wanted: Vec<_> = words.iter().filter(|(wanted, _)| *wanted).map(|(_, word)| *word).collect();
        f.write_str(&wanted.join(","))
    }
}

/// The recipient as the first sender wrote it (RFC 3461, section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient {
    /// The registered name of the kind of address, in lower case.
    kind: Box<str>,
    /// Printable ASCII. Of the kind `utf-8` it is in the form that escapes everything else (RFC 6533, section 3).
    address: Box<str>,
}

impl OriginalRecipient {
    /// Reads the value of `ORCPT=`: `rfc822;` and xtext, or `utf-8;` and an address in one of the forms of RFC 6533,
    /// section 3. Other kinds of addresses are read as xtext.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() > MAX_ORCPT {
            return None;
        }
        let semicolon = value.iter().position(|&b| b == b';')?;
        let (kind, address) = value.split_at_checked(semicolon)?;
        let kind = std::str::from_utf8(kind).ok().filter(|kind| is_atom(kind))?.to_ascii_lowercase();
        let address = address.strip_prefix(b";")?;
        let address = if kind == UTF8 { escaped(address)? } else { xtext_decode(address)? };
        Some(Self { kind: kind.into(), address })
    }

    /// From what [`Self::kind`] and [`Self::address`] gave. Longer ones than a command may have are taken: escapes are longer
    /// than what they stand for.
    #[must_use]
    pub fn from_parts(kind: &str, address: &str) -> Option<Self> {
        let is_printable = !address.is_empty() && address.bytes().all(|b| (b' '..=b'~').contains(&b));
        (is_atom(kind) && is_printable).then(|| Self { kind: kind.into(), address: address.into() })
    }

    /// An address of ours to be passed on. None when its escaped form is longer than [`MAX_ORCPT`].
    #[must_use]
    pub fn of(address: &Address) -> Option<Self> {
        let text = address.to_string();
        let original = if text.is_ascii() {
            Self { kind: RFC822.into(), address: text.into() }
        } else {
            Self { kind: UTF8.into(), address: escape(&text).into() }
        };
        (original.to_string().len() <= MAX_ORCPT).then_some(original)
    }

    /// `rfc822`, `utf-8`, or another name; lower case.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The address: decoded; of the kind `utf-8` with escapes (`\x{FC}`).
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// As it is written in a command.
impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if &*self.kind == UTF8 {
            return write!(f, "{UTF8};{}", self.address);
        }
        write!(f, "{};{}", self.kind, xtext_encode(&self.address))
    }
}

/// The name of a kind of address (RFC 3461, section 4.2; RFC 5322, section 3.2.3).
fn is_atom(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*-/?^_`{|}~.".contains(&b))
}

/// What stands for itself in xtext (RFC 3461, section 4).
fn is_xchar(b: u8) -> bool {
    b.is_ascii_graphic() && b != b'+' && b != b'='
}

/// Decodes xtext: one octet at least, and what comes out must be printable ASCII, which sections 4.2 and 4.4 ask for.
fn xtext_decode(value: &[u8]) -> Option<Box<str>> {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, after)) = rest.split_first() {
        let (octet, after) = match (first, after) {
            (b'+', [high, low, beyond @ ..]) => (upper_hex(*high)? << 4 | upper_hex(*low)?, beyond),
            (b, _) if is_xchar(b) => (b, after),
            _ => return None,
        };
        text.push(Some(octet).filter(|b| (b' '..=b'~').contains(b))?.into());
        rest = after;
    }
    (!text.is_empty()).then(|| text.into())
}

/// Only upper case: "two upper case hexadecimal digits" (RFC 3461, section 4).
fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn xtext_encode(text: &str) -> String {
    let octet = |b: u8| if is_xchar(b) { char::from(b).to_string() } else { format!("+{b:02X}") };
    text.bytes().map(octet).collect()
}

/// Reads either form of a `utf-8` address and gives the escaped one. What the escapes mean is not looked at: the value
/// is only ever passed on.
fn escaped(value: &[u8]) -> Option<Box<str>> {
    let mut out = String::with_capacity(value.len());
    let mut rest = std::str::from_utf8(value).ok()?;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' => escape_length(rest)?,
            c if is_qchar(c) || !(c.is_ascii() || c.is_control()) => c.len_utf8(),
            _ => return None,
        };
        let (piece, after) = rest.split_at_checked(length)?;
        if c == '\\' {
            out.push_str(piece);
        } else {
            out.push_str(&escape(piece));
        }
        rest = after;
    }
    (!out.is_empty()).then(|| out.into())
}

/// The length of `\x{` one to six hexadecimal digits `}` at the start of the text.
fn escape_length(text: &str) -> Option<usize> {
    let (digits, _) = text.strip_prefix("\\x{")?.split_once('}')?;
    let fits = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then_some(digits.len() + "\\x{}".len())
}

#[cfg(test)]
mod tests;

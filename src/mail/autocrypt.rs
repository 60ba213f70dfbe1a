//! The `Autocrypt` field, with which an author sends a certificate along (Autocrypt Level 1, sections 2.1 and 2.3).
//!
//! This module reads the field and says whether it counts. It does not open the certificate, and does not know whether the
//! author is who the message says: only when that is proven a [`Harvest`] may be kept.

use data_encoding::BASE64;

use super::date::{self, Timestamp};
use super::structured::{Kind, Tokens};
use super::{Address, Message};

/// Octets that a field may have. Real ones have some hundred to some thousand.
const MAX_FIELD: usize = 64 * 1024;

/// A certificate that came with a message, and what its author says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Harvest {
    /// The author: what the field says, and `From` as well.
    pub address: Address,
    /// The certificate, binary, as it came.
    pub keydata: Vec<u8>,
    /// The author prefers that answers are encrypted (`prefer-encrypt=mutual`).
    pub mutual: bool,
    /// When the message was written, and never later than now: an older one does not take the place of what a newer one
    /// brought.
    pub date: Timestamp,
}

/// What the message brings for `author`, the only address of its only `From`; none unless exactly one of its fields is valid.
/// Reports bring nothing: the certificate of whom they quote is not theirs.
#[must_use]
pub fn harvest(message: &Message, author: &Address, now: Timestamp) -> Option<Harvest> {
    if is_report(message) {
        return None;
    }
    let fields = message.named("Autocrypt").map(|(_, field)| message.value(field));
    let mut valid = fields.filter_map(Attributes::parse).filter(|found| found.address == *author);
    let (Attributes { address, keydata, mutual }, None) = (valid.next()?, valid.next()) else { return None };
    Some(Harvest { address, keydata, mutual, date: effective_date(message, now) })
}

/// Whether any `Content-Type` says `multipart/report`.
fn is_report(message: &Message) -> bool {
    let types = message.named("Content-Type").map(|(_, field)| media_type(message.value(field)));
    types.into_iter().any(|found| found == b"multipart/report")
}

/// Lower case, without parameters, comments and white space.
fn media_type(value: &[u8]) -> Vec<u8> {
    let words = Tokens::new(value).filter(|token| !token.is_comment());
    let atoms = words.take_while(|token| token.kind == Kind::Atom).flat_map(|token| token.of(value));
    atoms.map(u8::to_ascii_lowercase).collect()
}

/// A date in the future, or none, is now (section 2.3).
fn effective_date(message: &Message, now: Timestamp) -> Timestamp {
    let dates = message.named("Date").filter_map(|(_, field)| date::parse_rfc5322(message.value(field)));
    dates.fold(now, Timestamp::min)
}

/// A field that is valid by itself.
struct Attributes {
    address: Address,
    keydata: Vec<u8>,
    mutual: bool,
}

impl Attributes {
    /// `addr=…; prefer-encrypt=…; keydata=…`. Other attributes are passed over when their name begins with an underscore,
    /// and make the field invalid when it does not: they may change what it means.
    fn parse(value: &[u8]) -> Option<Self> {
        if value.len() > MAX_FIELD {
            return None;
        }
        let text = std::str::from_utf8(value).ok()?;
        let (mut address, mut keydata, mut preference) = (None, None, None);
        for attribute in text.split(';').map(str::trim).filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=')?;
            let place = match name.trim_end() {
                "addr" => &mut address,
                "keydata" => &mut keydata,
                "prefer-encrypt" => &mut preference,
                other if other.starts_with('_') => continue,
                _ => return None,
            };
            // Of two, nobody knows which one counts.
            if place.replace(value.trim()).is_some() {
                return None;
            }
        }
        Some(Self {
            address: Address::parse(address?).ok()?,
            keydata: decode(keydata?)?,
            mutual: preference == Some("mutual"),
        })
    }
}

/// Base64 with folds in it.
fn decode(keydata: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = keydata.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    BASE64.decode(&symbols).ok().filter(|octets| !octets.is_empty())
}

#[cfg(test)]
mod tests;

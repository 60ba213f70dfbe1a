//! Finding secrets in data that is no text: ASCII or UTF-8, and UTF-16 in both byte orders, in any ASCII case.

use super::text::needle::Needle;
use super::text::{Host, Person, spelling};

/// A search for addresses, domains and words.
#[derive(Debug, Clone)]
pub(super) struct ByteSearch {
    wanted: Vec<Wanted>,
}

#[derive(Debug, Clone)]
struct Wanted {
    needle: Needle,
    width: Width,
    what: What,
}

/// What a needle is.
#[derive(Debug, Clone)]
enum What {
    /// A host, and who is secret there.
    Host {
        people: Vec<Person>,
        secret: bool,
        exempt_behind: Option<String>,
    },
    Word,
}

/// How an ASCII character is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    One,
    LittleEndian,
    BigEndian,
}

/// Bytes of a local part that are looked at before a host.
const LOCAL_PART: usize = 256;

impl ByteSearch {
    pub(super) fn new() -> Self {
        Self { wanted: Vec::new() }
    }

    /// A host in one of its spellings, with what is secret of it.
    pub(super) fn add_host(&mut self, name: &str, host: &Host) {
        let people: Vec<_> = host.people.iter().filter(|person| person.becomes.is_some()).cloned().collect();
        if host.secret || !people.is_empty() {
            let exempt_behind = host.exempt_behind.clone();
            self.add(name, &What::Host { people, secret: host.secret, exempt_behind });
        }
    }

    pub(super) fn add_word(&mut self, word: &str) {
        self.add(word, &What::Word);
    }

    fn add(&mut self, word: &str, what: &What) {
        for width in [Width::One, Width::LittleEndian, Width::BigEndian] {
            let needle = Needle::new(&width.encode(word));
            self.wanted.extend(needle.map(|needle| Wanted { needle, width, what: what.clone() }));
        }
    }

    /// Whether there is an address.
    pub(super) fn finds_address(&self, bytes: &[u8]) -> bool {
        self.finds(bytes, |wanted, before| wanted.is_address(before))
    }

    /// Whether there is an address, a secret domain or a word.
    pub(super) fn finds_trace(&self, bytes: &[u8]) -> bool {
        self.finds(bytes, |wanted, before| wanted.is_trace(before) || wanted.is_address(before))
    }

    fn finds(&self, bytes: &[u8], counts: impl Fn(&Wanted, &[u8]) -> bool) -> bool {
        self.wanted.iter().any(|wanted| {
            wanted.needle.starts(bytes).any(|start| {
                let behind = bytes.get(start + wanted.needle.len()..).unwrap_or_default();
                let ends = !wanted.width.first(behind).is_some_and(|b| b.is_ascii_alphanumeric());
                ends && counts(wanted, bytes.get(..start).unwrap_or_default())
            })
        })
    }
}

impl Wanted {
    fn is_trace(&self, before: &[u8]) -> bool {
        let counts = match &self.what {
            What::Word => true,
            What::Host { secret, exempt_behind: None, .. } => *secret,
            What::Host { secret, exempt_behind: Some(prefix), .. } => {
                *secret && spelling::strip_suffix(&self.width.decode_end(before), prefix).is_none()
            }
        };
        counts && !self.width.last(before).is_some_and(|b| b.is_ascii_alphanumeric())
    }

    fn is_address(&self, before: &[u8]) -> bool {
        let What::Host { people, .. } = &self.what else { return false };
        if people.is_empty() || self.width.last(before) != Some(b'@') {
            return false;
        }
        let local = self.width.decode_end(before);
        let local = local.strip_suffix('@').unwrap_or(&local);
        people.iter().any(|person| {
            spelling::local_starts(local, &person.local, person.tags).any(|start| {
                local
                    .get(..start)
                    .is_some_and(|before| spelling::may_start_address(before, spelling::Joint::At))
            })
        })
    }
}

impl Width {
    fn encode(self, word: &str) -> Vec<u8> {
        match self {
            Self::One => word.as_bytes().to_vec(),
            Self::LittleEndian => word.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::BigEndian => word.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }

    /// What stands at the end of the data; anything that is no character becomes one that belongs to no word.
    fn decode_end(self, bytes: &[u8]) -> String {
        let end = bytes.get(bytes.len().saturating_sub(LOCAL_PART)..).unwrap_or_default();
        let unit = match self {
            Self::One => return String::from_utf8_lossy(end).into_owned(),
            Self::LittleEndian => u16::from_le_bytes,
            Self::BigEndian => u16::from_be_bytes,
        };
        let units = end.rchunks_exact(2).rev().filter_map(|pair| pair.try_into().ok().map(unit));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }

    /// The ASCII character that comes next. A byte that is left over may be one in the other order.
    fn first(self, bytes: &[u8]) -> Option<u8> {
        match (self, bytes) {
            (Self::One, [b, ..])
            | (Self::LittleEndian, [b, 0, ..])
            | (Self::BigEndian, [0, b, ..])
            | (_, [b]) => Some(*b),
            _ => None,
        }
    }

    fn last(self, bytes: &[u8]) -> Option<u8> {
        match (self, bytes) {
            (Self::One, [.., b])
            | (Self::LittleEndian, [.., b, 0])
            | (Self::BigEndian, [.., 0, b])
            | (_, [b]) => Some(*b),
            _ => None,
        }
    }
}

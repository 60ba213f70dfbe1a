//! OpenPGP blocks in texts (RFC 9580, section 6.2): keys and signatures whose user ids name a mailbox.
//!
//! A block is read as programs find it in mail: quoted with `>`, or between tags. What it holds is octets, in which names
//! stand as they are; a key cannot be changed, so one that names the mailbox is left out and a line says so.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use crate::mail::mime::transfer::decode_base64;

use super::binary;
use super::packets;
use super::secrets::Secrets;
use super::view::Syntax;

/// What stands in the place of a key.
pub(super) const KEY_LEFT_OUT: &str =
    "[An OpenPGP key was left out here: it names the mailbox of its owner.]";

const BEGIN: &str = "-----BEGIN PGP ";
const END: &str = "-----END PGP ";

/// A block in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// From the dashes before `BEGIN` to those after `END`.
    pub span: Range<usize>,
    pub content: BlockKind,
}

/// What a block is, by the words in its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// A public or a secret key.
    Key,
    /// A signature, of the text before it or of something else.
    Signature,
    /// A message: encrypted, as a rule.
    Message,
}

/// The blocks of a text. One without an end is none: no program reads it.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let ends = memmem::Finder::new(END);
    let mut found = Vec::new();
    let mut at = 0;
    for start in memmem::find_iter(text.as_bytes(), BEGIN) {
        let Some(content) =
            (start >= at).then(|| text.get(start + BEGIN.len()..).and_then(kind_of)).flatten()
        else {
            continue;
        };
        let Some(end) = text.as_bytes().get(start..).and_then(|rest| ends.find(rest)) else { break };
        let last_line = start + end + END.len();
        at = last_line + text.get(last_line..).map_or(0, last_line_length);
        found.push(Block { span: start..at, content });
    }
    found
}

fn kind_of(words: &str) -> Option<BlockKind> {
    [
        ("PUBLIC KEY", BlockKind::Key),
        ("PRIVATE KEY", BlockKind::Key),
        ("SECRET KEY", BlockKind::Key),
        ("SIGNATURE", BlockKind::Signature),
        ("MESSAGE", BlockKind::Message),
    ]
    .into_iter()
    .find_map(|(start, kind)| words.starts_with(start).then_some(kind))
}

/// The length of what follows `-----END PGP `, with its dashes.
fn last_line_length(rest: &str) -> usize {
    let words = rest.bytes().take_while(|b| b.is_ascii_uppercase() || *b == b' ').count();
    let dashes = rest.bytes().skip(words).take(5).take_while(|b| *b == b'-').count();
    words + dashes
}

/// A block taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opened {
    /// The lines before the data: `Comment: …`.
    headers: String,
    data: Vec<u8>,
}

/// Takes a block apart, or a file that is one.
pub(super) fn open(block: &str) -> Opened {
    let mut headers = String::new();
    let mut data = String::new();
    for line in without_tags(block).lines() {
        let line = line.trim_start_matches(['>', ' ', '\t']).trim_end();
        if line.starts_with("-----") || line.starts_with('=') {
            continue;
        }
        let into = if line.contains(": ") || line.ends_with(':') { &mut headers } else { &mut data };
        into.push_str(line);
        into.push('\n');
    }
    Opened { headers, data: decode_base64(data.as_bytes()) }
}

/// The block without tags, each of which ends a line.
fn without_tags(block: &str) -> Cow<'_, str> {
    if !block.contains(['<', '&']) {
        return Cow::Borrowed(block);
    }
    let mut is_tag = false;
    let shown = block.chars().filter_map(|c| match c {
        '<' => {
            is_tag = true;
            Some('\n')
        }
        '>' if is_tag => {
            is_tag = false;
            None
        }
        _ => (!is_tag).then_some(c),
    });
    Cow::Owned(shown.collect::<String>().replace("&gt;", ">"))
}

impl Opened {
    /// Whether it names a mailbox.
    pub fn has_trace(&self, secrets: &Secrets) -> bool {
        data_has_trace(&self.data, secrets) || secrets.trace_in(&self.headers, Syntax::Plain)
    }

    /// Data that was not armored.
    pub fn binary(data: Vec<u8>) -> Self {
        Self { headers: String::new(), data }
    }

    /// Whether the data is compressed, so that nobody knows what it names.
    pub fn is_compressed(&self) -> bool {
        self.tag() == Some(8)
    }

    /// Whether the data is encrypted: it begins with a session key for somebody, or with encrypted data (RFC 9580, section 5).
    pub fn is_encrypted(&self) -> bool {
        matches!(self.tag(), Some(1 | 3 | 9 | 18 | 20))
    }

    /// The type of the first packet (RFC 9580, section 4.2).
    fn tag(&self) -> Option<u8> {
        let &first = self.data.first().filter(|&&first| first & 0x80 != 0)?;
        Some(if first & 0x40 == 0 { first >> 2 & 0x0f } else { first & 0x3f })
    }
}

fn data_has_trace(data: &[u8], secrets: &Secrets) -> bool {
    binary::has_trace(data, secrets)
        || packets::texts(data).into_iter().any(|text| secrets.trace_in_bytes(text))
}

/// What a file of OpenPGP data says that is not armored, or armored.
pub(super) fn has_trace(octets: &[u8], secrets: &Secrets) -> bool {
    if data_has_trace(octets, secrets) {
        return true;
    }
    let text = String::from_utf8_lossy(octets);
    blocks(&text)
        .iter()
        .any(|block| text.get(block.span.clone()).is_some_and(|block| open(block).has_trace(secrets)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::secrets;
    use super::*;

    fn armored(kind: &str, header: &str, data: &[u8]) -> String {
        let data = data_encoding::BASE64.encode(data);
        format!("-----BEGIN PGP {kind}-----\r\n{header}\r\n\r\n{data}\r\n=abcd\r\n-----END PGP {kind}-----")
    }

    #[test]
    fn blocks_are_found() {
        let key = armored("PUBLIC KEY BLOCK", "Version: 1", b"Me <me@example.net>");
        let text = format!(
            "Hello\r\n{key}\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n-----BEGIN PGP MESSAGE-----\r\nopen"
        );
        let found = blocks(&text);
        assert_eq!(found, [Block { span: 7..7 + key.len(), content: BlockKind::Key }]);
        assert!(open(&key).has_trace(&secrets()) && has_trace(text.as_bytes(), &secrets()));
        assert!(
            !open(&armored("PUBLIC KEY BLOCK", "Version: 1", b"\x99Jane <jane@example.org>"))
                .has_trace(&secrets())
        );
        assert!(open(&armored("PUBLIC KEY BLOCK", "Comment: me@example.net", b"x")).has_trace(&secrets()));
    }

    #[test]
    fn quoted_blocks_are_read() {
        let key = armored("PUBLIC KEY BLOCK", "Version: 1", b"Me <me@example.net>");
        let quoted = key.replace("\r\n", "<br>\r\n&gt; ").replace("<br>", "<br class=\"x\">");
        assert!(open(&quoted).has_trace(&secrets()));
        assert!(open(&key.replace("\r\n", "\r\n> > ")).has_trace(&secrets()));
        assert!(open(&key.replace("\r\n", "<br\r\n>")).has_trace(&secrets()));
    }

    #[test]
    fn encrypted_data_is_known_by_its_first_packet() {
        for (first, is_encrypted) in
            [(0xc1, true), (0xd2, true), (0x84, true), (0xc4, false), (0x98, false), (0xcb, false)]
        {
            assert_eq!(open(&armored("MESSAGE", "", &[first, 0])).is_encrypted(), is_encrypted, "{first:x}");
        }
    }

    #[test]
    fn a_hundred_thousand_beginnings_take_no_time() {
        assert!(blocks(&"-----BEGIN PGP MESSAGE-----\n".repeat(100_000)).is_empty());
        assert_eq!(blocks(&"-----BEGIN PGP MESSAGE----------END PGP X-----".repeat(10_000)).len(), 10_000);
    }
}

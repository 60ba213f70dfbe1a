//! Finding secrets in data that is no text: ASCII or UTF-8, and UTF-16 in both byte orders, in any ASCII case.

use aho_corasick::AhoCorasick;

/// A search for some words.
#[derive(Debug, Clone)]
pub(super) struct ByteSearch {
    automaton: AhoCorasick,
    /// For each pattern.
    widths: Vec<Width>,
}

/// How an ASCII character is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    One,
    LittleEndian,
    BigEndian,
}

impl ByteSearch {
    pub(super) fn new<'w>(words: impl Iterator<Item = &'w String>) -> Self {
        let (mut patterns, mut widths) = (Vec::new(), Vec::new());
        for word in words {
            patterns.push(word.as_bytes().to_vec());
            patterns.push(word.encode_utf16().flat_map(u16::to_le_bytes).collect());
            patterns.push(word.encode_utf16().flat_map(u16::to_be_bytes).collect());
            widths.extend([Width::One, Width::LittleEndian, Width::BigEndian]);
        }
        #[expect(
            clippy::expect_used,
            reason = "some hundred words of 320 octets: far below what the builder refuses"
        )]
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(patterns)
            .expect("few and short patterns");
        Self { automaton, widths }
    }

    /// Whether one of the words is there, with neither a letter nor a digit of ASCII beside it.
    pub(super) fn finds(&self, bytes: &[u8]) -> bool {
        self.automaton.find_overlapping_iter(bytes).any(|found| {
            let width = self.widths.get(found.pattern().as_usize()).copied().unwrap_or(Width::One);
            let before = bytes.get(..found.start()).and_then(|before| width.last(before));
            let behind = bytes.get(found.end()..).and_then(|behind| width.first(behind));
            ![before, behind].into_iter().flatten().any(|b| b.is_ascii_alphanumeric())
        })
    }
}

impl Width {
    fn first(self, bytes: &[u8]) -> Option<u8> {
        match (self, bytes) {
            (Self::One, [b, ..]) | (Self::LittleEndian, [b, 0, ..]) | (Self::BigEndian, [0, b, ..]) => {
                Some(*b)
            }
            _ => None,
        }
    }

    fn last(self, bytes: &[u8]) -> Option<u8> {
        match (self, bytes) {
            (Self::One, [.., b]) | (Self::LittleEndian, [.., b, 0]) | (Self::BigEndian, [.., 0, b]) => {
                Some(*b)
            }
            _ => None,
        }
    }
}

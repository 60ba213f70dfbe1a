//! Finding one short word in a long text, whatever the case of its ASCII letters.
//!
//! The text is searched for the word's rarest byte with `memchr`; where that is, the rest is compared.

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Needle {
    /// ASCII letters in lower case.
    word: Box<[u8]>,
    /// Which of its bytes is the rarest, and that byte in both cases.
    rarest: usize,
    cases: [u8; 2],
}

impl Needle {
    /// Nothing when the word is empty: that would be everywhere.
    pub(in super::super) fn new(word: &[u8]) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let (rarest, &byte) = word.iter().enumerate().min_by_key(|&(_, &byte)| commonness(byte))?;
        Some(Self { rarest, cases: [byte, byte.to_ascii_uppercase()], word: word.into() })
    }

    /// Where it starts, overlaps included.
    pub(in super::super) fn starts<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let [lower, upper] = self.cases;
        memchr::memchr2_iter(lower, upper, text).filter_map(|at| {
            let start = at.checked_sub(self.rarest)?;
            let found = text.get(start..start + self.word.len())?;
            found.eq_ignore_ascii_case(&self.word).then_some(start)
        })
    }

    /// Bytes of the word.
    pub(in super::super) fn len(&self) -> usize {
        self.word.len()
    }
}

/// How often a byte is met in mail; those not listed are rare.
fn commonness(byte: u8) -> usize {
    const FROM_RARE: &[u8] = b"zqxjkv7896543w2-_10.+ybgfpmuchdlrsnioat e";
    match byte {
        0 => FROM_RARE.len(),
        _ => FROM_RARE.iter().position(|&listed| listed == byte.to_ascii_lowercase()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(word: &str, text: &str) -> Vec<usize> {
        Needle::new(word.as_bytes()).unwrap().starts(text.as_bytes()).collect()
    }

    #[test]
    fn words_are_found_in_any_case_and_everywhere() {
        assert_eq!(starts("Example", "eXampleExample exampl"), [0, 7]);
        assert_eq!(starts("aa", "aaaa"), [0, 1, 2]);
        assert_eq!(starts("x", "xX"), [0, 1]);
        assert_eq!(starts("b\u{fc}cher", "B\u{fc}cherb\u{fc}che"), [0]);
        assert_eq!(starts("long", "lo"), [] as [usize; 0]);
        assert_eq!(Needle::new(b""), None);
    }
}

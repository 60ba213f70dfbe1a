//! Finds which of very many strings occur in very many bytes, in any case of ASCII letters.
//!
//! Of each string a window of a few octets is known for every phase of a stride; of the bytes, only each window at a
//! multiple of the stride is looked up. Wherever a string stands, one of its windows is at such a place.

/// Octets of a window.
const WIDTH: usize = 5;

/// Strings to look for.
pub struct Matcher<T> {
    stride: usize,
    /// One bit for each hash of a window: most bytes are done with after a look at it.
    filter: Vec<bool>,
    /// In the order of the windows: a window, the place of its string, and where in that it stands.
    windows: Vec<(u64, u32, u8)>,
    strings: Vec<(Vec<u8>, T)>,
}

const FILTER: u32 = 24;

impl<T> Matcher<T> {
    /// Strings shorter than [`Self::shortest`] are left out.
    pub fn new(stride: usize, strings: impl IntoIterator<Item = (Vec<u8>, T)>) -> Self {
        let strings: Vec<(Vec<u8>, T)> = strings
            .into_iter()
            .filter(|(string, _)| string.len() >= Self::shortest(stride))
            .map(|(string, kind)| (string.to_ascii_lowercase(), kind))
            .collect();
        let mut matcher =
            Self { stride, filter: vec![false; 1 << FILTER], windows: Vec::new(), strings: Vec::new() };
        for (number, (string, _)) in (0..).zip(&strings) {
            for phase in 0..stride {
                let window = window_at(string, phase).expect("long enough");
                matcher.windows.push((window, number, u8::try_from(phase).expect("a small stride")));
                matcher.filter[hash(window)] = true;
            }
        }
        matcher.windows.sort_unstable();
        matcher.strings = strings;
        matcher
    }

    /// The length from which a string is found wherever it stands.
    pub fn shortest(stride: usize) -> usize {
        WIDTH + stride - 1
    }

    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Where strings of ours stand; `text` is in lower case.
    pub fn find<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, &'a [u8], &'a T)> {
        let last = text.len().saturating_sub(WIDTH - 1);
        let places = (0..last).step_by(self.stride).filter(|&at| self.may_be_at(text, at));
        places.flat_map(move |at| self.find_at(text, at))
    }

    fn may_be_at(&self, text: &[u8], at: usize) -> bool {
        window_at(text, at).is_some_and(|window| self.filter[hash(window)])
    }

    fn find_at<'a>(
        &'a self,
        text: &'a [u8],
        at: usize,
    ) -> impl Iterator<Item = (usize, &'a [u8], &'a T)> + use<'a, T> {
        let same = window_at(text, at).map_or(&[][..], |window| {
            let start = self.windows.partition_point(|(other, ..)| *other < window);
            let rest = &self.windows[start..];
            &rest[..rest.partition_point(|(other, ..)| *other == window)]
        });
        same.iter().filter_map(move |&(_, number, phase)| {
            let (string, kind) = &self.strings[number as usize];
            let start = at.checked_sub(usize::from(phase))?;
            let is_there = text.get(start..start + string.len()) == Some(string);
            is_there.then_some((start, string.as_slice(), kind))
        })
    }
}

fn window_at(text: &[u8], at: usize) -> Option<u64> {
    let bytes = text.get(at..at + WIDTH)?;
    let mut window = [0; 8];
    window[..WIDTH].copy_from_slice(bytes);
    Some(u64::from_le_bytes(window))
}

fn hash(window: u64) -> usize {
    (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER)) as usize
}

#[test]
fn strings_are_found_wherever_they_stand() {
    let strings = ["a line of a letter", "a line of another", "twelve.bytes"];
    for stride in [1, 4, 7] {
        let matcher = Matcher::new(stride, strings.map(|string| (string.as_bytes().to_vec(), ())));
        assert_eq!(matcher.len(), 3, "{stride}");
        for string in strings {
            for before in 0..20 {
                let text = ["x".repeat(before).as_bytes(), string.as_bytes(), b"\0"].concat();
                let found: Vec<_> = matcher.find(&text).map(|(at, found, ())| (at, found)).collect();
                assert_eq!(found, [(before, string.as_bytes())], "{stride} {before}");
                assert_eq!(matcher.find(&text[..text.len() - 2]).count(), 0, "{stride} {before}");
            }
        }
    }
}

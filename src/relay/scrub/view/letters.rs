//! How characters beyond ASCII are compared: in lower case, without differences that do not show.
//!
//! `＠` (U+FF20), `@` in bold mathematical letters or a ligature are their plain characters (compatibility decomposition,
//! Unicode Standard Annex 15), and `ü` is the same in one character or in two. ASCII characters stay as they are.

use unicode_normalization::char::decompose_compatible;

/// Which letters are looked for, and so which have to be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Letters {
    /// ASCII alone: what does not become ASCII may stay as it is.
    Ascii,
    All,
}

impl Letters {
    /// What it takes to find these words.
    pub(in super::super) fn of<'w>(mut words: impl Iterator<Item = &'w str>) -> Self {
        if words.all(str::is_ascii) { Self::Ascii } else { Self::All }
    }

    /// Whether a character beyond ASCII has to be folded.
    pub(super) fn fold(self, c: char) -> bool {
        match self {
            Self::Ascii => becomes_ascii(c),
            Self::All => true,
        }
    }
}

fn becomes_ascii(c: char) -> bool {
    match c {
        '\u{2010}' | '\u{2011}' | '\u{3002}' | '\u{ff61}' => true,
        _ if is_itself(c) => false,
        _ => {
            let mut ascii = true;
            decompose_compatible(c, |part| ascii &= part.is_ascii());
            ascii
        }
    }
}

/// A text as it is compared, ASCII letters in lower case as well.
pub(in super::super) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| fold_into(c, &mut out));
    out.make_ascii_lowercase();
    out
}

/// Writes a character as it is compared.
pub(super) fn fold_into(c: char, out: &mut String) {
    match c {
        _ if c.is_ascii() => out.push(c),
        '\u{2010}' | '\u{2011}' => out.push('-'),
        '\u{3002}' | '\u{ff61}' => out.push('.'),
        'ς' => out.push('σ'),
        _ if is_invisible(c) => {}
        _ if is_itself(c) => out.extend(c.to_lowercase()),
        _ => decompose_compatible(c, |part| {
            if part.is_ascii() {
                out.push(part);
            } else {
                out.extend(part.to_lowercase());
            }
        }),
    }
}

/// Whether folding leaves a character as it is.
pub(super) fn is_folded(c: char) -> bool {
    let mut folded = String::new();
    fold_into(c, &mut folded);
    folded.strip_prefix(c).is_some_and(str::is_empty)
}

/// Whether a character takes no room: soft hyphens, joiners, marks of direction, selectors, fillers (the Unicode property
/// Default_Ignorable_Code_Point, without what is not assigned), and control characters that no reader shows.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\x7f'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Scripts in which nothing stands for another character often enough to pay for looking: Greek to Mongolian, kana, Han,
/// Hangul. Not looking makes long texts in them cheap.
fn is_itself(c: char) -> bool {
    matches!(c, '\u{400}'..='\u{1c7f}' | '\u{3041}'..='\u{312f}' | '\u{3400}'..='\u{d7ff}')
}

/// Whether a word goes on over this character. Where a script puts no blanks between words (Thai, Khmer, Han, kana, Hangul
/// particles), an address ends all the same. Marks count since letters are decomposed.
pub(in super::super) fn joins_words(c: char) -> bool {
    let is_mark = matches!(c, '\u{300}'..='\u{36f}');
    c.is_ascii_alphanumeric() || is_mark || (!c.is_ascii() && c.is_alphanumeric() && !is_unspaced(c))
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{ffff}')
}

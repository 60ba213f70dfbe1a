//! Character references of HTML (HTML Living Standard, section 13.5), with or without the `;`.
//!
//! Known by name are those of ASCII characters, of characters that do not show, of blanks, and of letters that addresses
//! have: others cannot hide any part of an address.

use super::Kind;
use super::round::{Shows, Unit};

/// Longest name that is looked up.
const LONGEST: usize = 24;

/// `&#64;`, `&#x40;`, `&commat;`, also when its `&` is itself written as `&amp;`.
pub(super) fn entity(rest: &[u8]) -> Option<Unit> {
    let layers = layers_of_amp(rest);
    let inner = rest.get(layers..)?;
    let found = numeric(inner).or_else(|| named(inner));
    match found {
        Some((shows, len)) => Some(Unit { len: layers + len, shows }),
        None if layers > 1 => Some(Unit { len: layers, shows: Shows::Char('&') }),
        None => None,
    }
}

/// How long `&amp;amp;` is; 1 for `&`.
fn layers_of_amp(rest: &[u8]) -> usize {
    const SPELLINGS: [&[u8]; 4] = [b"amp;", b"#38;", b"#x26;", b"#038;"];
    let mut at = 1;
    let prefix = |at: usize| {
        let same = |spelling: &&[u8]| {
            rest.get(at..at + spelling.len()).is_some_and(|s| s.eq_ignore_ascii_case(spelling))
        };
        SPELLINGS.into_iter().find(same).map(<[u8]>::len)
    };
    while let Some(len) = prefix(at) {
        at += len;
    }
    at
}

fn numeric(rest: &[u8]) -> Option<(Shows, usize)> {
    let (radix, start) = match rest {
        [b'#', b'x' | b'X', ..] => (16, 2),
        [b'#', ..] => (10, 1),
        _ => return None,
    };
    let digits = rest.get(start..)?;
    let count = digits.iter().take_while(|&&b| char::from(b).is_digit(radix)).count();
    let number = value(digits.get(..count)?, radix)?;
    let c = char::from_u32(number).filter(|_| count > 0)?;
    Some((Shows::Char(c), start + count + semicolon(digits.get(count..)?)))
}

/// Any number of zeros may come first; a number that is no character is none.
fn value(digits: &[u8], radix: u32) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, &digit| {
        number.checked_mul(radix)?.checked_add(char::from(digit).to_digit(radix)?)
    })
}

fn semicolon(rest: &[u8]) -> usize {
    usize::from(rest.first() == Some(&b';'))
}

/// The whole name when a `;` ends it, else the longest that the letters start with.
fn named(rest: &[u8]) -> Option<(Shows, usize)> {
    let count = rest.iter().take(LONGEST).take_while(|b| b.is_ascii_alphanumeric()).count();
    let mut buffer = [0; LONGEST];
    let lower = buffer.get_mut(..count)?;
    lower.copy_from_slice(rest.get(..count)?);
    lower.make_ascii_lowercase();
    let lower = std::str::from_utf8(lower).ok()?;
    let lengths = if rest.get(count) == Some(&b';') { count..=count } else { 2..=count };
    lengths.rev().find_map(|len| {
        let shows = lookup(lower.get(..len)?)?;
        Some((shows, len + semicolon(rest.get(len..)?)))
    })
}

fn lookup(name: &str) -> Option<Shows> {
    if let Some(c) = character(name) {
        return Some(Shows::Char(c));
    }
    if is_invisible(name) {
        return Some(Shows::Nothing(Kind::Invisible));
    }
    let mut letters = name.chars();
    let letter = letters.next().filter(char::is_ascii_lowercase)?;
    match letters.as_str() {
        "fr" | "opf" | "scr" => Some(Shows::Char(letter)),
        accent => Some(Shows::Marked(letter, mark(accent)?)),
    }
}

/// The combining mark that an accent's name stands for: letters are compared decomposed.
fn mark(accent: &str) -> Option<char> {
    Some(match accent {
        "grave" => '\u{300}',
        "acute" => '\u{301}',
        "circ" => '\u{302}',
        "tilde" => '\u{303}',
        "macr" => '\u{304}',
        "breve" => '\u{306}',
        "dot" => '\u{307}',
        "uml" => '\u{308}',
        "ring" => '\u{30a}',
        "dblac" => '\u{30b}',
        "caron" => '\u{30c}',
        "cedil" => '\u{327}',
        "ogon" => '\u{328}',
        _ => return None,
    })
}

/// Whether this is the name of a character that does not show.
fn is_invisible(name: &str) -> bool {
    matches!(
        name,
        "af" | "applyfunction"
            | "ic"
            | "invisiblecomma"
            | "invisibletimes"
            | "it"
            | "lrm"
            | "negativemediumspace"
            | "negativethickspace"
            | "negativethinspace"
            | "negativeverythinspace"
            | "nobreak"
            | "rlm"
            | "shy"
            | "zerowidthjoiner"
            | "zerowidthnonjoiner"
            | "zerowidthspace"
            | "zwj"
            | "zwnj"
    )
}

/// Characters by their names in lower case.
fn character(name: &str) -> Option<char> {
    Some(match name {
        "aelig" => 'æ',
        "amp" => '&',
        "apos" => '\'',
        "ast" | "midast" => '*',
        "bne" | "equals" => '=',
        "bsol" => '\\',
        "colon" => ':',
        "comma" => ',',
        "commat" => '@',
        "dash" | "hyphen" => '-',
        "dd" => 'd',
        "diacriticalgrave" | "grave" => '`',
        "dollar" => '$',
        "dstrok" => 'đ',
        "ee" | "exponentiale" => 'e',
        "emsp" | "ensp" | "hairsp" | "nbsp" | "nonbreakingspace" | "numsp" | "puncsp" | "thickspace"
        | "thinsp" | "thinspace" => ' ',
        "eng" => 'ŋ',
        "eth" => 'ð',
        "excl" => '!',
        "feff" => '\u{feff}',
        "ffilig" => 'ﬃ',
        "fflig" => 'ﬀ',
        "ffllig" => 'ﬄ',
        "filig" => 'ﬁ',
        "fllig" => 'ﬂ',
        "gt" => '>',
        "hat" => '^',
        "hstrok" => 'ħ',
        "ii" | "imaginaryi" => 'i',
        "imath" | "inodot" => 'ı',
        "lbrace" | "lcub" => '{',
        "lbrack" | "lsqb" => '[',
        "lowbar" | "underbar" => '_',
        "lpar" => '(',
        "lstrok" => 'ł',
        "lt" => '<',
        "newline" => '\n',
        "num" => '#',
        "oelig" => 'œ',
        "oslash" => 'ø',
        "percnt" => '%',
        "period" => '.',
        "plus" => '+',
        "quest" => '?',
        "quot" => '"',
        "rbrace" | "rcub" => '}',
        "rbrack" | "rsqb" => ']',
        "rpar" => ')',
        "semi" => ';',
        "sol" => '/',
        "szlig" => 'ß',
        "tab" => '\t',
        "thorn" => 'þ',
        "verbar" | "vert" | "verticalline" => '|',
        "yen" => '¥',
        _ => return None,
    })
}

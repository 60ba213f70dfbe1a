//! An address hidden in any way that is known is found, and gone afterwards: judged by a decoder that shares nothing with
//! the one under test.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const HIDDEN: &str = "kim.smith+a@example.net";
/// What must not be left of it.
const SECRET: [&str; 2] = ["kim.smith@example.net", "kim.smith+a@example.net"];

/// Ways to write a character.
#[derive(Debug, Clone, Copy)]
enum Disguise {
    Plain,
    Upper,
    Percent,
    PercentTwice,
    PercentThrice,
    Decimal,
    Hexadecimal,
    OpenDecimal,
    Named,
    EscapedEntity,
    PercentInEntity,
    EntityInPercent,
    Unicode,
    UnicodeTwice,
    Hex,
    Wide,
    Bold,
}

const DISGUISES: [Disguise; 21] = {
    use Disguise::*;
    [
        Plain,
        Plain,
        Plain,
        Plain,
        Plain,
        Upper,
        Percent,
        PercentTwice,
        PercentThrice,
        Decimal,
        Hexadecimal,
        OpenDecimal,
        Named,
        EscapedEntity,
        PercentInEntity,
        EntityInPercent,
        Unicode,
        UnicodeTwice,
        Hex,
        Wide,
        Bold,
    ]
};

impl Disguise {
    fn write(self, c: char) -> String {
        let n = u32::from(c);
        match self {
            Self::Plain => c.to_string(),
            Self::Upper => c.to_ascii_uppercase().to_string(),
            Self::Percent => format!("%{n:02X}"),
            Self::PercentTwice => format!("%25{n:02x}"),
            Self::PercentThrice => format!("%2525{n:02x}"),
            Self::Decimal => format!("&#{n};"),
            Self::Hexadecimal => format!("&#x00{n:X};"),
            Self::OpenDecimal => format!("&#{n}"),
            Self::Named => match c {
                '@' => "&commat;".to_owned(),
                '.' => "&period;".to_owned(),
                '+' => "&plus;".to_owned(),
                _ => c.to_string(),
            },
            Self::EscapedEntity => format!("&amp;#{n};"),
            Self::PercentInEntity => format!("&#37;{n:02x}"),
            Self::EntityInPercent => format!("%26%23{n}%3B"),
            Self::Unicode => format!("\\u{n:04x}"),
            Self::UnicodeTwice => format!("\\\\u{n:04X}"),
            Self::Hex => format!("\\x{n:02X}"),
            Self::Wide => char::from_u32(0xff00 + n - 0x20).unwrap().to_string(),
            Self::Bold if c.is_ascii_lowercase() => char::from_u32(0x1d41a + n - 0x61).unwrap().to_string(),
            Self::Bold => c.to_string(),
        }
    }
}

/// What may stand between two characters without showing.
fn gaps(syntax: Syntax) -> Vec<&'static str> {
    let mut gaps = vec!["", "", "", "", "", "", "\u{200b}", "\u{ad}", "&shy;", "&#8203;", "%E2%80%8B"];
    match syntax {
        Syntax::Html => gaps.extend(["<wbr>", "<b>", "</b>", "<a title='>'>", "<!-- > -->", "<br/>"]),
        Syntax::Folded => gaps.extend(["\r\n ", "\n\t"]),
        Syntax::Escaped => gaps.push("\\u200b"),
        Syntax::Plain => {}
    }
    gaps
}

fn syntax() -> impl Strategy<Value = Syntax> {
    select(vec![Syntax::Plain, Syntax::Html, Syntax::Folded, Syntax::Escaped])
}

fn around() -> impl Strategy<Value = String> {
    let words = vec![
        "Hello",
        " ",
        " ",
        "<b>",
        "</p>",
        "1 &lt; 2",
        "\u{fc}ber",
        "\u{65e5}\u{672c}",
        "100%",
        ", ",
        ".\r\n",
        "a&b",
        "\u{1f600}",
    ];
    prop::collection::vec(select(words), 0..6).prop_map(|words| words.concat())
}

/// A text with the address hidden in it: what stands before, the address, what stands behind.
fn hidden(syntax: Syntax) -> impl Strategy<Value = (String, String, String)> {
    let length = HIDDEN.chars().count();
    let before = (around(), select(vec![" ", "(", ":", "\"", " &lt;", "%20", "&nbsp;", "'"]));
    let behind = (select(vec![" ", ")", ". ", "&gt;", "\"", "\r\n", ", "]), around());
    let disguises = prop::collection::vec(select(DISGUISES.to_vec()), length);
    let gaps = prop::collection::vec(select(gaps(syntax)), length - 1);
    (before, disguises, gaps, behind).prop_map(|(before, disguises, gaps, behind)| {
        let address = write(&disguises, &gaps);
        (format!("{}{}", before.0, before.1), address, format!("{}{}", behind.0, behind.1))
    })
}

fn write(disguises: &[Disguise], gaps: &[&str]) -> String {
    let mut out = String::new();
    let pieces = HIDDEN.chars().zip(disguises).map(|(c, disguise)| disguise.write(c));
    for (index, piece) in pieces.enumerate() {
        let gap = index.checked_sub(1).map_or("", |before| gaps[before]);
        let next = if gap.is_empty() { piece.as_str() } else { gap };
        // A number without its `;` goes on over digits.
        if is_open(&out) && next.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            out.push(';');
        }
        out.push_str(gap);
        out.push_str(&piece);
    }
    if is_open(&out) {
        out.push(';');
    }
    out
}

fn is_open(text: &str) -> bool {
    text.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with("&#") && !text.ends_with('#')
}

/// Decodes by replacing whatever is known, over and over, and compares without any care for what stands around it.
fn leaks(text: &str) -> bool {
    let mut seen = vec![text.to_owned(), without_tags(text)];
    for _ in 0..8 {
        let shows = |text: &String| SECRET.iter().any(|secret| text.to_lowercase().contains(secret));
        if seen.iter().any(shows) {
            return true;
        }
        seen = seen.iter().map(|text| decode_simply(text)).collect();
    }
    false
}

fn without_tags(text: &str) -> String {
    let mut out = text.to_owned();
    while let Some(start) = out.find("<!--") {
        let end = out[start..].find("-->").map_or(out.len(), |at| start + at + 3);
        out.replace_range(start..end, "");
    }
    for tag in ["<wbr>", "<b>", "</b>", "<a title='>'>", "<br/>", "</p>"] {
        out = out.replace(tag, "");
    }
    out
}

fn decode_simply(text: &str) -> String {
    let mut out = text.replace("\r\n ", "").replace("\n\t", "");
    for (name, c) in [
        ("&commat;", "@"),
        ("&period;", "."),
        ("&plus;", "+"),
        ("&amp;", "&"),
        ("&shy;", ""),
        ("%E2%80%8B", ""),
    ] {
        out = out.replace(name, c);
    }
    for n in (0x20..0x7f).chain([0x200b, 0xad]) {
        let c = char::from_u32(n).filter(char::is_ascii).map(String::from).unwrap_or_default();
        let spellings = [
            format!("%{n:02X}"),
            format!("%{n:02x}"),
            format!("&#{n};"),
            format!("&#x00{n:X};"),
            format!("\\u{n:04x}"),
            format!("\\u{n:04X}"),
            format!("\\x{n:02X}"),
        ];
        for spelling in spellings.iter().filter(|_| n != 0x5c) {
            out = out.replace(spelling, &c);
        }
    }
    let open = |out: &str, n: u32| out.replace(&format!("&#{n}"), &char::from_u32(n).unwrap().to_string());
    out = (0x2b..0x7f).rev().fold(out, |out, n| open(&out, n)).replace("\\\\", "\\");
    out.chars().filter(|c| !matches!(c, '\u{200b}' | '\u{ad}')).map(narrow).collect()
}

fn narrow(c: char) -> char {
    let n = u32::from(c);
    match n {
        0xff01..=0xff5e => char::from_u32(n - 0xff00 + 0x20).unwrap(),
        0x1d41a..=0x1d433 => char::from_u32(n - 0x1d41a + 0x61).unwrap(),
        _ => c,
    }
}

fn secrets() -> Secrets {
    Secrets::new(&alias_of(&["kim.smith@example.net"]), &HashMap::new())
}

#[test]
fn the_judge_sees_what_is_hidden() {
    assert!(leaks("kim.smith%2540example&period;net") && leaks("KIM&#46smith@exa<wbr>mple.net"));
    assert!(!leaks("kim.smith at example.net") && !leaks("shop@example.com"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_hidden_address_is_found_and_gone((syntax, (before, address, behind)) in syntax().prop_flat_map(|s| (Just(s), hidden(s)))) {
        let text = format!("{before}{address}{behind}");
        let secrets = secrets();
        prop_assert!(secrets.address_in(&text, syntax));
        let replaced = secrets.replace_prose(&text, syntax).unwrap();
        prop_assert!(!leaks(&replaced), "{replaced}");
        prop_assert!(!secrets.address_in(&replaced, syntax));
        prop_assert!(replaced.starts_with(&before) && replaced.ends_with(&behind), "{replaced}");
        prop_assert!(secrets.trace_in(&text, syntax));
        let replaced = secrets.replace_everything(&text, syntax).unwrap();
        prop_assert!(!secrets.trace_in(&replaced, syntax), "{replaced}");
    }

    /// Without an `x` in any disguise there is no `example`.
    #[test]
    fn a_text_without_it_stays(syntax in syntax(), text in "[a-wyz@.%&\\\\<>\"'= +\\-\r\n\u{fc}\u{200b}]{0,200}") {
        let secrets = secrets();
        prop_assert_eq!(secrets.replace_prose(&text, syntax), None);
        prop_assert!(!secrets.address_in(&text, syntax));
    }

    #[test]
    fn hostile_texts_are_survived(syntax in syntax(), pieces in prop::collection::vec(select(HOSTILE.to_vec()), 0..60)) {
        let (text, secrets) = (pieces.concat(), secrets());
        if let Some(replaced) = secrets.replace_everything(&text, syntax) {
            prop_assert!(!secrets.trace_in(&replaced, syntax), "{replaced}");
        }
        if let Some(replaced) = secrets.replace_prose(&text, syntax) {
            prop_assert!(!secrets.address_in(&replaced, syntax), "{replaced}");
        }
    }

    #[test]
    fn any_bytes_are_survived(syntax in syntax(), bytes: Vec<u8>) {
        let secrets = secrets();
        prop_assert_eq!(secrets.replace_everything(&String::from_utf8_lossy(&bytes), syntax), None);
        prop_assert!(!secrets.trace_in_bytes(&bytes));
    }
}

const HOSTILE: [&str; 44] = [
    "%",
    "%25",
    "%2",
    "%u",
    "%u00",
    "&",
    "&amp;",
    "&#",
    "&#x",
    "&#x110000;",
    "&#99999999999;",
    ";",
    "\\",
    "\\u",
    "\\u{",
    "\\U0011",
    "\\x",
    "\\10",
    "<",
    "<a ",
    "='",
    "=\"",
    "\"",
    "'",
    ">",
    "<!--",
    "-->",
    "=",
    "=\r\n",
    "\r\n ",
    "\n",
    "\u{200b}",
    "\u{ff20}",
    "\u{1f600}",
    "e\u{301}",
    "QUOTED-PRINTABLE",
    "kim.smith",
    "@",
    "example",
    ".net",
    "example.net",
    "kim.smith@example.net",
    " at ",
    "[dot]",
];

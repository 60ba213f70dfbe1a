//! In HTML.

use super::{Entry, Text};
use crate::encode;
use crate::scene::Scene;

pub const TEXTS: &[Text] = &[
    ("as it is", |s| format!("<html><body><p>Write to {}</p></body></html>\r\n", escaped(s))),
    ("decimal entities", |s| page(s, |c, _| format!("&#{};", u32::from(c)))),
    ("hexadecimal entities", |s| page(s, |c, _| format!("&#x{:X};", u32::from(c)))),
    ("entities with zeros before", |s| page(s, |c, _| format!("&#000{};", u32::from(c)))),
    ("entities without semicolons", |s| {
        page(
            s,
            |c, next| if next.is_ascii_hexdigit() { c.to_string() } else { format!("&#x{:x}", u32::from(c)) },
        )
    }),
    ("named entities", |s| {
        page(s, |c, _| match c {
            '@' => "&commat;".to_owned(),
            '.' => "&period;".to_owned(),
            '+' => "&plus;".to_owned(),
            '_' => "&lowbar;".to_owned(),
            '\u{fc}' => "&uuml;".to_owned(),
            other => other.to_string(),
        })
    }),
    ("some entities", |s| {
        let mut dice = s.dice.for_part(1);
        page(s, move |c, _| if dice.one_in(3) { format!("&#{};", u32::from(c)) } else { c.to_string() })
    }),
    ("tags inside", |s| {
        let between = s.dice.pick(&[
            "<wbr>",
            "<b></b>",
            "<span style=\"x\">",
            "</i>",
            "<br/>",
            "<wbr\r\n>",
            "<FONT color=red>",
        ]);
        cut(s, between)
    }),
    ("a comment inside", |s| {
        let between = s.dice.pick(&["<!---->", "<!-- > -->", "<!--\r\n-->", "<!--<b>-->"]);
        cut(s, between)
    }),
    ("invisible characters inside", |s| {
        let between = s.dice.pick(&[
            "&shy;",
            "&zwnj;",
            "&#8203;",
            "&#xFEFF;",
            "\u{200b}",
            "&ZeroWidthSpace;",
            "&NoBreak;",
        ]);
        cut(s, between)
    }),
    ("entities in capitals", |s| {
        page(s, |c, _| if c == '@' { "&COMMAT;".to_owned() } else { format!("&#X{:x};", u32::from(c)) })
    }),
    ("line ends as entities inside", |s| {
        let between = s.dice.pick(&["<span\r\n\tid=\"a>b\">", "<!-- a\r\n\r\nb -->", "<b\t>", "<?xml?>"]);
        cut(s, between)
    }),
    ("many tags inside", |s| {
        let mut dice = s.dice.for_part(1);
        page(s, move |c, _| format!("<span style=\"order:{}\">{c}</span>", dice.below(9)))
    }),
    ("a tag around the @", |s| format!("<p>{}</p>", escaped(s).replace('@', "<span>@</span>"))),
    ("mailto link", |s| {
        let address = escaped(s);
        format!("<a href=\"mailto:{address}\">{address}</a>")
    }),
    ("mailto link in percent codes", |s| {
        let address = s.address();
        format!("<a href='mailto:{}'>me</a>", encode::percent(&address, &mut s.dice))
    }),
    ("mailto link in percent codes and entities", |s| {
        let address = s.address();
        let codes = encode::percent(&address, &mut s.dice).replace('%', "&#37;");
        format!("<a href=\"mailto:{codes}\">me</a>")
    }),
    ("link through a tracker", |s| {
        let address = s.address();
        let inner = format!("https://www.example.org/?e={}", encode::percent(&address, &mut s.dice));
        format!(
            "<a href=\"https://www.example.org/r?u={}&amp;x\">go</a>",
            encode::percent(&inner, &mut s.dice)
        )
    }),
    ("picture", |s| {
        let address = s.address();
        format!("<img src=\"https://www.example.org/open.gif?u={}\">", encode::percent(&address, &mut s.dice))
    }),
    ("attributes", |s| {
        let attribute = s.dice.pick(&["title", "alt", "data-from", "aria-label", "id", "x-y"]);
        format!("<p {attribute}={}>x</p>", escaped(s))
    }),
    ("comment", |s| format!("<p>x</p><!-- from {} -->", escaped(s))),
    ("conditional comment", |s| format!("<!--[if mso]><p>{}</p><![endif]-->", escaped(s))),
    ("head", |s| {
        format!(
            "<html><head><title>{}</title><meta name=author content=\"{}\"></head></html>",
            escaped(s),
            escaped(s)
        )
    }),
    ("quotation", |s| {
        format!(
            "<blockquote cite=\"mid:1@example.org\"><b>From:</b> The Owner &lt;{}&gt;</blockquote>",
            escaped(s)
        )
    }),
    ("script", |s| {
        let address = s.address().replace('@', s.dice.pick(&["\\u0040", "\\x40", "\\u{40}"]));
        format!("<script>var a = \"{address}\";</script>")
    }),
    ("linked data", |s| {
        let address = s.address().replace('@', "\\u0040");
        format!("<script type=\"application/ld+json\">{{\"email\":\"{address}\"}}</script>")
    }),
    ("style", |s| {
        let address = s.address().replace('@', "\\40 ");
        format!("<style>p::after {{ content: \"{address}\" }}</style>")
    }),
    ("preformatted and wrapped", |s| format!("<pre>\r\n&gt; {}\r\n</pre>", escaped(s))),
    ("unfinished tag", |s| format!("<p>{}<a href=\"x", escaped(s))),
    ("declaration and CDATA", |s| format!("<!DOCTYPE html><![CDATA[{}]]>", s.address())),
    ("table cell after cell", |s| format!("<table><tr><td>Mail</td><td>{}</td></tr></table>", escaped(s))),
];

pub const BEYOND: &[Entry] = &[("data URL", |s| {
    let content = data_encoding::BASE64.encode(format!("<p>{}</p>", s.address()).as_bytes());
    s.text_part("text/html", &format!("<iframe src=\"data:text/html;base64,{content}\"></iframe>"));
})];

/// With the characters that HTML has for itself as entities.
fn escaped(s: &mut Scene<'_>) -> String {
    s.address().replace('&', "&amp;").replace('\'', "&#39;")
}

/// A page with every character of the address written in some way; that way is told the next character.
fn page(s: &mut Scene<'_>, mut write: impl FnMut(char, char) -> String) -> String {
    let address = s.address();
    let next = address.chars().skip(1).chain([' ']);
    let written: String = address.chars().zip(next).map(|(c, next)| write(c, next)).collect();
    format!("<p>Write to {written} .</p>")
}

fn cut(s: &mut Scene<'_>, between: &str) -> String {
    let address = s.address();
    let (one, two) = encode::cut(&address, &mut s.dice);
    format!("<p>Write to {one}{between}{two}.</p>")
}

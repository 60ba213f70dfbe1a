//! In texts without markup.

use super::{Entry, Text};
use crate::encode;
use crate::scene::Part;

pub const TEXTS: &[Text] = &[
    ("as it is", |s| format!("Write to {} from now on.\r\n", s.address())),
    ("at the very start", |s| format!("{}\r\n", s.address())),
    ("at the very end", |s| format!("Yours\r\n{}", s.address())),
    ("in angle brackets", |s| format!("The Owner <{}> said so.\r\n", s.address())),
    ("with marks around it", |s| {
        let marks = s.dice.pick(&[
            ("(", ")"),
            ("[", "]"),
            ("\"", "\""),
            ("'", "'"),
            ("*", "*"),
            ("_", "_"),
            ("=", "="),
            (":", ","),
            ("/", "/"),
            ("\u{201c}", "\u{201d}"),
        ]);
        format!("This is {}{}{}, you see.\r\n", marks.0, s.address(), marks.1)
    }),
    ("at the end of a sentence", |s| format!("My address is {}. Bye.\r\n", s.address())),
    ("mailto link", |s| format!("<mailto:{}?subject=Hi>\r\n", s.address())),
    ("mailto link in percent codes", |s| {
        let address = s.address();
        format!("mailto:{}\r\n", encode::percent(&address, &mut s.dice))
    }),
    ("attribution of a quotation", |s| {
        format!(
            "Thanks.\r\n\r\nOn Thu, 1 Jan 1970 at 02:00, The Owner <{}> wrote:\r\n> Hello\r\n",
            s.address()
        )
    }),
    ("attribution that was wrapped", |s| {
        format!("> On Thu, 1 Jan 1970, The Owner <\r\n> {}> wrote:\r\n>> Hello\r\n", s.address())
    }),
    ("head of a quoted letter", |s| {
        format!(
            "-----Original Message-----\r\nFrom: The Owner [mailto:{}]\r\nSent: Thursday\r\nTo: {}; Jane\r\n\r\nHello\r\n",
            s.address(),
            s.address()
        )
    }),
    ("deep in quotations", |s| format!("> > >> write to {}\r\n> x\r\n", s.address())),
    ("signature", |s| format!("Bye\r\n-- \r\nThe Owner\r\n{}\r\n", s.address())),
    ("many times", |s| (0..20).map(|_| format!("{} ", s.address())).collect()),
    ("in the query of a URL", |s| {
        let address = s.address();
        format!("https://www.example.org/unsubscribe?u={}&x=1\r\n", encode::percent(&address, &mut s.dice))
    }),
    ("in percent codes twice", |s| {
        let address = s.address();
        let once = encode::percent(&address, &mut s.dice);
        format!("https://www.example.org/r?to={}\r\n", once.replace('%', "%25"))
    }),
    ("as the user of a URL", |s| format!("imap://{}/INBOX\r\n", s.address())),
    ("zero width characters inside", |s| {
        let address = s.address();
        let (one, two) = encode::cut(&address, &mut s.dice);
        let between = s.dice.pick(&["\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}"]);
        format!("Write to {one}{between}{two}.\r\n")
    }),
    ("quoted local part", |s| {
        let address = s.address();
        let (local, domain) = address.rsplit_once('@').unwrap_or_default();
        format!("\"{local}\"@{domain} is mine\r\n")
    }),
    ("domain with a dot at its end", |s| format!("dig MX, then <{}.>\r\n", s.address())),
    ("in percent codes three times", |s| {
        let address = s.address();
        let once = encode::percent(&address, &mut s.dice);
        format!("https://www.example.org/r?to={}\r\n", once.replace('%', "%2525"))
    }),
    ("beside letters of other scripts", |s| {
        format!("\u{43f}\u{438}\u{448}\u{438}: {} \u{4e2d}\u{6587}\r\n", s.address())
    }),
    ("at the end of a very long line", |s| format!("{} {}\r\n", "lorem ipsum".repeat(80), s.address())),
    ("behind what looks like a boundary", |s| {
        format!("--=_part\r\nContent-Type: text/html\r\n\r\n{}\r\n--=_part--\r\n", s.address())
    }),
    ("behind what looks like a header section", |s| {
        format!("Return-Path: <{}>\r\nContent-Transfer-Encoding: base64\r\n\r\nHello\r\n", s.address())
    }),
];

pub const BEYOND: &[Entry] = &[
    ("blanks around the @", |s| {
        let text = s.address().replace('@', " @ ");
        s.text_part("text/plain", &format!("Write to {text}.\r\n"));
    }),
    ("full width letters", |s| {
        let wide = |c: char| match c {
            '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
            other => other,
        };
        let text: String = s.address().chars().map(wide).collect();
        s.text_part("text/plain", &format!("Write to {text}\r\n"));
    }),
    ("decomposed letters", |s| {
        // Everybody's `@` has a compatibility form; only some have letters that can be taken apart.
        let text = s.address().replace('\u{fc}', "u\u{308}").replace('@', "\u{fe6b}");
        s.text_part("text/plain", &format!("Write to {text}\r\n"));
    }),
    ("base64 in a URL", |s| {
        let token = data_encoding::BASE64URL_NOPAD.encode(s.address().as_bytes());
        s.text_part("text/plain", &format!("https://www.example.org/u/{token}/off\r\n"));
    }),
    ("entities in plain text", |s| {
        let text = s.address().replace('@', "&#64;");
        s.text_part("text/plain", &format!("Write to {text}\r\n"));
    }),
    ("encoded word in a text", |s| {
        let address = s.address();
        let word = encode::encoded_word(&address, "utf-8", 'Q', &mut s.dice);
        s.text_part("text/plain", &format!("From: {word} <jane@example.org>\r\n"));
    }),
    ("uuencoded inside a text", |s| {
        let file = encode::uuencode(s.address().as_bytes());
        s.part(Part::new("Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uue\r\n", file));
    }),
    ("quoted-printable that is not said to be", |s| {
        let text = s.address().replace('@', "=40");
        s.part(Part::new("Content-Type: text/plain\r\n", format!("> write to {text}\r\n")));
    }),
    ("base64 that is not said to be", |s| {
        let text =
            encode::base64(format!("Please write to {} instead.", s.address()).as_bytes(), &mut s.dice);
        s.part(Part::new("Content-Type: text/plain\r\n", text));
    }),
    ("utf-7 that is not said to be", |s| {
        let text = encode::utf_7(&s.address());
        s.part(Part::new("Content-Type: text/plain; charset=us-ascii\r\n", text));
    }),
    ("hexadecimal escapes in plain text", |s| {
        let text = s.address().replace('@', "\\x40");
        s.text_part("text/plain", &format!("printf '{text}'\r\n"));
    }),
];

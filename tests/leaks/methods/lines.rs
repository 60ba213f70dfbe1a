//! In line ends and in transfer encodings that are not quite as they should be.

use super::Entry;
use crate::encode;
use crate::scene::{Part, Scene};

const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";

pub const METHODS: &[Entry] = &[
    ("LF only in the text", |s| {
        let address = s.address();
        s.part(Part::new(TEXT, format!("one\ntwo {address}\nthree\n")));
    }),
    ("LF only, html over lines", |s| {
        let address = s.address().replace('@', "&commat;<wbr\n>");
        s.part(Part::new("Content-Type: text/html\r\n", format!("<p>\n{address}\n</p>\n")));
    }),
    ("CR only in the text", |s| {
        let address = s.address();
        s.part(Part::new(TEXT, format!("one\rtwo {address}\rthree\r")));
    }),
    ("LF only between head and body of a part", |s| {
        let text = base64_of_address(s);
        s.parts.push(Part::new("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n", text));
    }),
    ("LF only in the head of a part", |s| {
        let host = s.host();
        s.parts.push(Part::new(
            format!("Content-Type: text/plain\nContent-ID: <1@{host}>\nX-A: b\r\n"),
            "x\r\n",
        ));
    }),
    ("quoted-printable with LF only", |s| {
        let address = s.address();
        let text = encode::quoted_printable(format!("Hello {address}, bye").as_bytes(), &mut s.dice);
        let text: Vec<u8> = text.into_iter().filter(|octet| *octet != b'\r').collect();
        s.part(Part::new(format!("{TEXT}Content-Transfer-Encoding: quoted-printable\r\n"), text));
    }),
    ("quoted-printable, soft breaks everywhere", |s| {
        let text: String = s.address().bytes().map(|octet| format!("={octet:02X}=\r\n")).collect();
        s.part(Part::new(format!("{TEXT}Content-Transfer-Encoding: quoted-printable\r\n"), text));
    }),
    ("quoted-printable, soft break at the end", |s| {
        let text = s.address().replace('@', "=40=\r\n") + "=";
        s.part(Part::new(format!("{TEXT}Content-Transfer-Encoding: quoted-printable\r\n"), text));
    }),
    ("quoted-printable with broken codes", |s| {
        let text = s.address().replace('@', "=40");
        s.part(Part::new(
            format!("{TEXT}Content-Transfer-Encoding: quoted-printable\r\n"),
            format!("50 =% off =4 =ZZ {text} ==\r\n"),
        ));
    }),
    ("base64 with line ends of all kinds", |s| {
        let text = base64_of_address(s);
        let text =
            String::from_utf8_lossy(&text).replace("\r\n", s.dice.pick(&["\n", "\r", "\r\n\r\n", " \r\n\t"]));
        s.part(base64_part(text.as_bytes()));
    }),
    ("base64 with other characters in it", |s| {
        let text = base64_of_address(s);
        let at = s.dice.below(text.len() as u64) as usize;
        let text = [&text[..at], s.dice.pick(&[&b"*"[..], b" ", b"!", b"\x80", b"."]), &text[at..]].concat();
        s.part(base64_part(&text));
    }),
    ("base64 without padding", |s| {
        let text = base64_of_address(s);
        let text: Vec<u8> = text.into_iter().filter(|octet| *octet != b'=').collect();
        s.part(base64_part(&text));
    }),
    ("base64 that goes on behind a padding", |s| {
        let address = s.address();
        let one = data_encoding::BASE64.encode(b"Hello, this is ");
        let one = data_encoding::BASE64.encode(b"x") + &one;
        let two = data_encoding::BASE64.encode(address.as_bytes());
        s.part(base64_part(format!("{one}{two}\r\n").as_bytes()));
    }),
    ("base64 with words behind it", |s| {
        let text = base64_of_address(s);
        s.part(base64_part(&[&text[..], b"=\r\n-- \r\nThis mail was scanned.\r\n"].concat()));
    }),
    ("base64, a character a line", |s| {
        let address = s.address();
        let text = data_encoding::BASE64.encode(format!("Write to {address}.").as_bytes());
        s.part(base64_part(&encode::in_lines(&text, 1)));
    }),
    ("base64 that is not said to be", |s| {
        let text = base64_of_address(s);
        s.part(Part::new(
            format!("{TEXT}Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n"),
            text,
        ));
    }),
    ("transfer encoding in quotes", |s| encoding_named(s, "\"base64\"")),
    ("transfer encoding with a comment", |s| encoding_named(s, "(really) BASE64 (yes)")),
    ("transfer encoding with a semicolon", |s| encoding_named(s, "Base64;")),
    ("transfer encoding, folded", |s| encoding_named(s, "\r\n\tbase64")),
    ("transfer encoding, blank before the colon", |s| {
        let text = base64_of_address(s);
        s.part(Part::new("Content-Type: text/plain\r\nContent-Transfer-Encoding : base64\r\n", text));
    }),
    ("uuencoded", |s| {
        let address = s.address();
        let body = encode::uuencode(format!("Write to {address}, not to me.").as_bytes());
        s.part(Part::new(format!("{TEXT}Content-Transfer-Encoding: x-uuencode\r\n"), body));
    }),
    ("wrong charset", |s| {
        let address = s.address();
        s.part(Part::new(
            "Content-Type: text/plain; charset=utf-8\r\n",
            [b"caf\xe9 ", address.as_bytes(), b"\xff\r\n"].concat(),
        ));
    }),
    ("unknown charset", |s| {
        let address = s.address();
        s.part(Part::new("Content-Type: text/plain; charset=x-unknown\r\n", format!("by {address}\r\n")));
    }),
    ("unknown charset and soft breaks", |s| {
        let address = s.address();
        let text = encode::quoted_printable(format!("by {address}").as_bytes(), &mut s.dice);
        let head =
            "Content-Type: text/plain; charset=\"\"\r\nContent-Transfer-Encoding: Quoted-Printable\r\n";
        s.part(Part::new(head, text));
    }),
    ("utf-16 without saying so", |s| {
        let address = s.address();
        let octets = encode::in_charset(&format!("Write to {address}."), "utf-16").unwrap_or_default();
        let part = s.encoded("text/plain; charset=utf-8", &octets, "base64");
        s.part(part);
    }),
    ("byte order mark", |s| {
        let address = s.address();
        let charset = s.dice.pick(&["utf-8", "us-ascii", "iso-8859-1"]);
        s.part(Part::new(
            format!("Content-Type: text/plain; charset={charset}\r\n"),
            format!("\u{feff}{address}\r\n"),
        ));
    }),
    ("utf-16 of the other order", |s| {
        let mut octets = vec![0xfe, 0xff];
        octets.extend(encode::in_charset(&s.address(), "utf-16be").unwrap_or_default());
        let part = s.encoded("text/plain; charset=utf-16", &octets, "base64");
        s.part(part);
    }),
    ("utf-16 without a mark", |s| {
        let order = s.dice.pick(&["utf-16be", "utf-16le"]);
        let octets = encode::in_charset(&s.address(), order).unwrap_or_default();
        let part = s.encoded("text/plain; charset=utf-16", &octets, "base64");
        s.part(part);
    }),
    ("utf-16 without a mark in the wrong order", |s| {
        let octets = encode::in_charset(&s.address(), "utf-16be").unwrap_or_default();
        let part = s.encoded("text/plain; charset=utf-16le", &octets, "base64");
        s.part(part);
    }),
    ("other names of charsets", |s| {
        let name = s.dice.pick(&[
            "\" UTF-8 \"",
            "'utf-8'",
            "UTF8",
            "csUTF8",
            "utf_8",
            "unicode-1-1-utf-8",
            "x-sjis",
            "cp1252",
            "ansi_x3.4-1968",
            "cp437",
            "ibm850",
        ]);
        let address = s.address();
        s.part(Part::new(
            format!("Content-Type: text/plain; charset={name}\r\n"),
            format!("by {address}\r\n"),
        ));
    }),
    ("other names of utf-7", |s| {
        let name = s.dice.pick(&["UTF-7", "unicode-1-1-utf-7", "csUnicode11UTF7", "x-unicode-2-0-utf-7"]);
        let text = encode::utf_7(&s.address());
        s.part(Part::new(format!("Content-Type: text/plain; charset={name}\r\n"), text));
    }),
    ("two charsets", |s| {
        let octets = encode::in_charset(&s.address(), "utf-16le").unwrap_or_default();
        let part = s.encoded("text/plain; charset=us-ascii; charset=utf-16le", &octets, "base64");
        s.part(part);
    }),
    ("a line of 900 characters", |s| {
        let address = s.address();
        s.part(Part::new(TEXT, format!("{}{address}{}\r\n", "lorem ".repeat(70), " ipsum".repeat(70))));
    }),
    ("NUL and control characters around it", |s| {
        let address = s.address();
        s.part(Part::new(TEXT, format!("\x01\x02{address}\x7f\x0c\r\n")));
    }),
];

fn base64_of_address(s: &mut Scene<'_>) -> Vec<u8> {
    let address = s.address();
    encode::base64(format!("Please write to {address} from now on.\r\n").as_bytes(), &mut s.dice)
}

fn base64_part(text: &[u8]) -> Part {
    Part::new(format!("{TEXT}Content-Transfer-Encoding: base64\r\n"), text)
}

fn encoding_named(s: &mut Scene<'_>, name: &str) {
    let text = base64_of_address(s);
    s.part(Part::new(format!("{TEXT}Content-Transfer-Encoding: {name}\r\n"), text));
}

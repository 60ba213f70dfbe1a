//! In parts of other types that are text.

use super::Entry;
use crate::encode;
use crate::scene::{Part, Scene};

pub const METHODS: &[Entry] = &[
    ("no type", |s| {
        let address = s.address();
        s.part(Part::new("X-Type: none\r\n", format!("by {address}\r\n")));
    }),
    ("octets that are a text", |s| {
        attached(s, "application/octet-stream", "notes.txt", "base64", str::to_owned);
    }),
    ("octets that are a text, soft breaks", |s| {
        attached(s, "application/octet-stream", "notes.txt", "quoted-printable", str::to_owned);
    }),
    ("octets that are a page", |s| {
        attached(s, "application/octet-stream", "page.html", "base64", |a| {
            format!("<p>{}</p>", a.replace('@', "&commat;"))
        });
    }),
    ("octets that are a letter", |s| {
        attached(s, "application/octet-stream", "old.eml", "base64", |a| {
            format!("From: {a}\r\nTo: jane@example.org\r\n\r\nHello\r\n")
        });
    }),
    ("unknown type", |s| attached(s, "application/x-unknown", "a.bin", "7bit", str::to_owned)),
    ("unknown main type", |s| attached(s, "x-thing/x-other", "a.bin", "base64", str::to_owned)),
    ("type in mixed case", |s| {
        attached(s, "TeXt/HtMl", "A.HTM", "QUOTED-PRINTABLE", |a| {
            format!("<p>{}</p>", a.replace('@', "&#64;"))
        });
    }),
    ("json", |s| attached(s, "application/json", "a.json", "7bit", |a| format!("{{\"from\": \"{a}\"}}"))),
    ("json with escapes", |s| {
        attached(s, "application/json", "a.json", "base64", |a| {
            format!("{{\"from\": \"{}\"}}", utf_16_escapes(a))
        });
    }),
    ("javascript", |s| {
        attached(s, "text/javascript", "a.js", "7bit", |a| format!("x('{}')", a.replace('@', "\\x40")));
    }),
    ("xml", |s| {
        attached(s, "application/xml", "a.xml", "base64", |a| {
            format!("<a><b>{}</b></a>", a.replace('@', "&#x40;"))
        });
    }),
    ("xml text", |s| {
        attached(s, "text/xml", "a.xml", "quoted-printable", |a| {
            format!("<?xml version=\"1.0\"?><a b=\"{}\"/>", a.replace('@', "&#64;"))
        });
    }),
    ("xhtml", |s| {
        attached(s, "application/xhtml+xml", "a.xhtml", "base64", |a| {
            format!("<p>{}</p>", a.replace('@', "<b>@</b>"))
        });
    }),
    ("svg", |s| {
        attached(s, "image/svg+xml", "a.svg", "base64", |a| {
            format!("<svg><text>{}</text></svg>", a.replace('@', "&#64;"))
        });
    }),
    ("csv", |s| {
        attached(s, "text/csv", "a.csv", "quoted-printable", |a| format!("name;mail\r\nOwner;\"{a}\"\r\n"));
    }),
    ("markdown", |s| {
        attached(s, "text/markdown", "a.md", "8bit", |a| format!("[me](mailto:{})", a.replace('@', "%40")));
    }),
    ("enriched", |s| attached(s, "text/enriched", "a.txt", "7bit", |a| format!("<bold>{a}</bold>"))),
    ("form", |s| {
        let mut dice = s.dice.for_part(1);
        attached(s, "application/x-www-form-urlencoded", "a", "7bit", move |a| {
            format!("mail={}&x=1", encode::percent(a, &mut dice))
        });
    }),
    ("shell script", |s| {
        attached(s, "application/x-sh", "a.sh", "7bit", |a| format!("#!/bin/sh\nmail {a}\n"));
    }),
    ("source text", |s| {
        attached(s, "text/x-patch", "0001.patch", "8bit", |a| {
            format!("From 1234 Mon Sep 17\nFrom: Owner <{a}>\nSigned-off-by: Owner <{a}>\n")
        });
    }),
    ("log", |s| {
        attached(s, "text/x-log", "mail.log", "base64", |a| format!("postfix/smtp: to=<{a}>, status=sent\n"));
    }),
    ("watch", |s| {
        attached(s, "text/watch-html", "w.html", "quoted-printable", |a| {
            format!("<p>{}</p>", a.replace('@', "&#64;"))
        });
    }),
    ("amp", |s| {
        attached(s, "text/x-amp-html", "a.html", "base64", |a| {
            format!("<html amp4email><p>{}</p></html>", a.replace('.', "&period;"))
        });
    }),
];

pub const BEYOND: &[Entry] = &[
    ("rich text", |s| {
        attached(s, "application/rtf", "a.rtf", "7bit", |a| {
            format!("{{\\rtf1 {}}}", a.replace('@', "\\'40"))
        });
    }),
    ("base64 in a vCard", |s| {
        let note = data_encoding::BASE64.encode(s.address().as_bytes());
        s.text_part(
            "text/vcard",
            &format!("BEGIN:VCARD\r\nVERSION:3.0\r\nNOTE;ENCODING=b:{note}\r\nEND:VCARD\r\n"),
        );
    }),
];

fn attached(
    s: &mut Scene<'_>,
    kind: &str,
    name: &str,
    encoding: &str,
    mut write: impl FnMut(&str) -> String,
) {
    let address = s.address();
    let text = write(&address) + "\r\n";
    let head = format!("Content-Type: {kind}; name=\"{name}\"\r\nContent-Transfer-Encoding: {encoding}\r\n");
    let body = encode::transfer(text.as_bytes(), &encoding.to_ascii_lowercase(), &mut s.dice);
    s.part(Part::new(head, body).with(&format!("Content-Disposition: attachment; filename=\"{name}\"")));
}

/// Every third character as JSON writes it when it must.
fn utf_16_escapes(text: &str) -> String {
    let escape = |c: char| -> String {
        c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    text.chars()
        .enumerate()
        .map(|(at, c)| if at % 3 == 0 || c == '@' { escape(c) } else { c.to_string() })
        .collect()
}

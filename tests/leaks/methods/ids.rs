//! In ids and what points at them.

use super::Entry;
use crate::encode;
use crate::scene::{Part, Scene, clean_part};

pub const METHODS: &[Entry] = &[
    ("message-id at the domain", |s| {
        let (number, host) = (s.number(), s.host());
        s.field(format!("Message-ID: <{number}.x@{host}>"));
    }),
    ("message-id with the local part", |s| {
        let (number, word) = (s.number(), s.word());
        s.field(format!("Message-ID: <{number}.{word}@example.org>"));
    }),
    ("message-id that is the address", |s| {
        let address = s.address();
        s.field(format!("Message-ID: <{address}>"));
    }),
    ("message-id without brackets", |s| {
        let host = s.host();
        s.field(format!("Message-ID: 1@{host}"));
    }),
    ("message-id with a comment", |s| {
        let host = s.host();
        s.field(format!("Message-ID: <1@example.org> (at {host})"));
    }),
    ("message-id, quoted", |s| {
        let host = s.host();
        s.field(format!("Message-ID: <\"a b\"@[{host}]>"));
    }),
    ("message-id twice", |s| {
        let (one, two) = (s.host(), s.host());
        s.field("Message-ID: <1@example.org>");
        s.field(format!("Message-ID: <1@{one}>"));
        s.field(format!("MESSAGE-ID: <2@{two}>"));
    }),
    ("message-id, folded inside", |s| {
        let (one, two) = ("1234@", s.host());
        s.field(format!("Message-ID:\r\n <{one}\r\n {two}>"));
    }),
    ("message-id, empty but for the domain", |s| {
        let host = s.host();
        s.field(format!("Message-ID: <@{host}>"));
    }),
    ("in-reply-to, own id", |s| {
        let host = s.host();
        s.field(format!("In-Reply-To: <77@{host}>"));
    }),
    ("in-reply-to, words", |s| {
        let address = s.address();
        s.field(format!("In-Reply-To: Your message of Thursday to {address} <1@example.org>"));
    }),
    ("references, own id among others", |s| {
        let (one, two) = (s.host(), s.host());
        s.field(format!("References: <1@example.org> <2@{one}> <3@example.org>\r\n <4@{two}>"));
    }),
    ("references, a long chain", |s| {
        let chain: Vec<String> = (0..30).map(|at| format!("<{at}@{}>", s.host())).collect();
        s.field(format!("References: {}", chain.join("\r\n ")));
    }),
    ("references, ids without blanks", |s| {
        let (one, two) = (s.host(), s.host());
        s.field(format!("References: <1@example.org><2@{one}><3@{two}>"));
    }),
    ("references, comment", |s| {
        let address = s.address();
        s.field(format!("References: <1@example.org> ({address})"));
    }),
    ("content-id of the letter", |s| {
        let trace = s.trace();
        s.field(format!("Content-ID: <1.{trace}>"));
    }),
    ("content-id of a part", |s| {
        let trace = s.trace();
        s.part(image(&format!("part1.{trace}")));
    }),
    ("content-id and its link", |s| linked(s, str::to_owned)),
    ("content-id and its link in percent codes", |s| {
        let mut dice = s.dice.for_part(1);
        linked(s, move |id| encode::percent(id, &mut dice));
    }),
    ("content-id and its link in entities", |s| {
        linked(s, |id| id.replace('@', "&#64;").replace('.', "&period;"));
    }),
    ("content-id and its link in a style", |s| {
        let host = s.host();
        let html = format!("<div style=\"background:url(cid:1@{host})\">x</div>");
        let html = s.written_text("text/html", &html);
        let related = s.multipart("related", &[html, image(&format!("1@{host}"))]);
        s.part(related);
    }),
    ("a link to an id that is not there", |s| {
        let host = s.host();
        s.text_part("text/html", &format!("<p><img src=\"cid:gone.2@{host}\"></p>"));
    }),
    ("a link to a message", |s| {
        let host = s.host();
        s.text_part("text/html", &format!("<p><a href=\"mid:99%25@{host}\">this</a></p>"));
    }),
    ("content-id without brackets", |s| {
        let host = s.host();
        s.part(Part::new(format!("Content-Type: text/plain\r\nContent-ID: 7@{host}\r\n"), "x\r\n"));
    }),
    ("content-id twice", |s| {
        let host = s.host();
        s.part(image("7@example.org").with(&format!("Content-Id:\r\n <8@{host}>")));
    }),
    ("content-id and its link in capitals", |s| {
        let host = s.host();
        let html = s.written_text("text/html", &format!("<img src='CID:1@{host}'><img src=cid:1@{host}>"));
        let related = s.multipart("related", &[html, image(&format!("1@{host}"))]);
        s.part(related);
    }),
    ("start of a multipart/related", |s| {
        let host = s.host();
        let mut frame = crate::scene::Frame::new("related", &mut s.dice);
        frame.parameters = format!(";\r\n start=\"<root@{host}>\"; type=\"text/html\"");
        let html = Part::new("Content-Type: text/html\r\n", "<p>x</p>\r\n")
            .with(&format!("Content-ID: <root@{host}>"));
        let related = frame.around(&[html, image("2@example.org")]);
        s.part(related);
    }),
    ("content-location of a part and its link", |s| {
        let host = s.host();
        let part = image("1@example.org").with(&format!("Content-Location: http://{host}/logo.png"));
        let html = clean_part();
        let related = s.multipart("related", &[html, part]);
        s.part(related);
    }),
    ("x-attachment-id of a part", |s| {
        let trace = s.trace();
        s.part(image("1@example.org").with(&format!("X-Attachment-Id: f_{trace}")));
    }),
];

fn image(id: &str) -> Part {
    let head =
        format!("Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <{id}>\r\n");
    Part::new(head, "iVBORw0KGgoAAAANSUhEUg==\r\n")
}

fn linked(s: &mut Scene<'_>, mut link: impl FnMut(&str) -> String) {
    let trace = if s.dice.one_in(2) { s.address() } else { format!("1.2@{}", s.host()) };
    let html = format!("<html><body><img src=\"cid:{}\"></body></html>", link(&trace));
    let html = s.written_text("text/html", &html);
    let related = s.multipart("related", &[html, image(&trace)]);
    s.part(related);
}

//! In file names, descriptions and other parameters of parts.

use super::Entry;
use crate::encode;
use crate::scene::{Part, Scene};

pub const METHODS: &[Entry] = &[
    ("file name", |s| named(s, |name, _| format!("filename=\"{name}\""))),
    ("file name without quotes", |s| named(s, |name, _| format!("filename={name}"))),
    ("file name in quoted pairs", |s| {
        named(s, |name, _| format!("filename=\"{}\"", name.replace('@', "\\@").replace('.', "\\.")));
    }),
    ("file name in percent codes", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| format!("filename*=utf-8''{}", encode::percent(name, &mut dice)));
    }),
    ("file name in percent codes, latin", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| match encode::in_charset(name, "iso-8859-1") {
            Some(octets) => {
                let codes: String = octets.iter().map(|octet| format!("%{octet:02X}")).collect();
                format!("filename*=iso-8859-1'en'{codes}")
            }
            None => format!("filename*=UTF-8'en'{}", encode::percent(name, &mut dice)),
        });
    }),
    ("file name in percent codes in quotes", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| format!("filename*=\"utf-8''{}\"", encode::percent(name, &mut dice)));
    }),
    ("file name in pieces", |s| {
        named(s, |name, cut| {
            format!("filename*0=\"{}\";\r\n filename*1=\"{}\"", cut.0, &name[cut.0.len()..])
        });
    }),
    ("file name in pieces, out of order", |s| {
        named(s, |_, cut| format!("filename*1=\"{}\";\r\n filename*0=\"{}\"", cut.1, cut.0));
    }),
    ("file name in pieces, one of them in percent codes", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |_, cut| {
            let (one, two) = (encode::percent(cut.0, &mut dice), plain_piece(cut.1));
            format!("filename*0*=utf-8''{one};\r\n filename*1=\"{two}\"")
        });
    }),
    ("file name in pieces, all in percent codes", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |_, cut| {
            let (one, two) = (encode::percent(cut.0, &mut dice), encode::percent(cut.1, &mut dice));
            format!("filename*0*=utf-8''{one};\r\n filename*1*={two}")
        });
    }),
    ("file name in an encoded word", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| {
            format!("filename=\"{}\"", encode::encoded_word(name, "utf-8", 'Q', &mut dice))
        });
    }),
    ("file name in two encoded words", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |_, cut| {
            let one = encode::encoded_word(cut.0, "utf-8", 'B', &mut dice);
            let two = encode::encoded_word(cut.1, "utf-8", 'B', &mut dice);
            format!("filename=\"{one}\r\n {two}\"")
        });
    }),
    ("file name in many pieces", |s| {
        named(s, |name, _| {
            let pieces = name.chars().enumerate().map(|(at, c)| format!("filename*{at}=\"{c}\""));
            pieces.collect::<Vec<_>>().join(";\r\n ")
        });
    }),
    ("file name in percent codes without a charset", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| format!("filename*=''{}", encode::percent(name, &mut dice)));
    }),
    ("file name in percent codes without their prefix", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| format!("filename*={}", encode::percent(name, &mut dice)));
    }),
    ("file name in percent codes without a star", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| format!("filename=\"{}\"", encode::percent(name, &mut dice)));
    }),
    ("file name in an encoded word without quotes", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| format!("filename={}", encode::encoded_word(name, "utf-8", 'B', &mut dice)));
    }),
    ("file name, a path", |s| named(s, |name, _| format!("filename=\"C:\\\\Users\\\\{name}\""))),
    ("file name behind a second semicolon", |s| named(s, |name, _| format!(";; filename = {name};"))),
    ("file name twice", |s| named(s, |name, _| format!("filename=\"order.txt\"; filename=\"{name}\""))),
    ("file name, plain and in percent codes", |s| {
        let mut dice = s.dice.for_part(1);
        named(s, move |name, _| {
            format!("filename=\"order.txt\";\r\n filename*=utf-8''{}", encode::percent(name, &mut dice))
        });
    }),
    ("file name, parameter in other case", |s| named(s, |name, _| format!("FileName = \"{name}\""))),
    ("file name, quote not closed", |s| named(s, |name, _| format!("filename=\"{name}"))),
    ("name of the type", |s| {
        let name = file_name(s);
        s.part(Part::new(format!("Content-Type: text/plain;\r\n\tname=\"{name}\"\r\n"), "x\r\n"));
    }),
    ("name of the type, encoded word", |s| {
        let name = file_name(s);
        let word = encode::encoded_word(&name, "utf-8", 'B', &mut s.dice);
        s.part(Part::new(format!("Content-Type: application/octet-stream; name=\"{word}\"\r\n"), "x\r\n"));
    }),
    ("name of the type of a picture", |s| {
        let name = file_name(s);
        let head =
            format!("Content-Type: image/png; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n");
        s.part(Part::new(head, "iVBORw0KGgoAAAANSUhEUg==\r\n"));
    }),
    ("parameter that nobody knows", |s| {
        let trace = s.trace();
        s.part(Part::new(format!("Content-Type: text/plain; x-mailer-host={trace}\r\n"), "x\r\n"));
    }),
    ("parameter of the disposition that nobody knows", |s| {
        let trace = s.trace();
        let part = Part::new("Content-Type: text/plain\r\n", "x\r\n");
        s.part(part.with(&format!(
            "Content-Disposition: attachment; filename=a.txt; x-path=\"/home/{trace}/a.txt\""
        )));
    }),
    ("comment in the type of a part", |s| {
        let trace = s.trace();
        s.part(Part::new(format!("Content-Type: text/plain (by {trace}); charset=utf-8\r\n"), "x\r\n"));
    }),
    ("charset", |s| {
        let host = s.host();
        s.part(Part::new(format!("Content-Type: text/plain; charset=\"{host}\"\r\n"), "x\r\n"));
    }),
    ("disposition", |s| {
        let host = s.host();
        s.part(
            Part::new("Content-Type: text/plain\r\n", "x\r\n")
                .with(&format!("Content-Disposition: x-{host}")),
        );
    }),
    ("subtype", |s| {
        let host = s.host();
        s.part(Part::new(format!("Content-Type: application/x-{host}\r\n"), "x\r\n"));
    }),
    ("description", |s| described(s, str::to_owned)),
    ("description, encoded word", |s| {
        let mut dice = s.dice.for_part(1);
        described(s, move |text| encode::encoded_word(text, "utf-8", 'q', &mut dice));
    }),
    ("description, folded", |s| described(s, |text| text.replace('@', "@\r\n "))),
    ("a field of a part that nobody knows", |s| {
        let trace = s.trace();
        s.part(Part::new("Content-Type: text/plain\r\n", "x\r\n").with(&format!("X-Sender-Host: {trace}")));
    }),
    ("received field of a part", |s| {
        let host = s.host();
        s.part(
            Part::new("Content-Type: text/plain\r\n", "x\r\n")
                .with(&format!("Received: from a by {host}; x")),
        );
    }),
    ("a line of a part's head that is no field", |s| {
        let address = s.address();
        s.part(Part::new(format!("Content-Type: text/plain\r\nwritten by {address}\r\n"), "x\r\n"));
    }),
];

/// With the address, the domain, or the local part when that tells who it is.
fn file_name(s: &mut Scene<'_>) -> String {
    let local = s.mailbox.local;
    let telling = local.chars().count() >= 8 || !local.chars().all(char::is_alphabetic);
    match s.dice.below(3) {
        0 => format!("list {}.txt", s.host()),
        1 if telling => format!("letter-{}-2.txt", s.word()),
        _ => format!("{}.txt", s.address()),
    }
}

/// `write` gets the name, and the name cut in two.
fn named(s: &mut Scene<'_>, mut write: impl FnMut(&str, (&str, &str)) -> String) {
    let name = file_name(s).replace(' ', "_");
    let cut = encode::cut(&name, &mut s.dice);
    let parameter = write(&name, cut);
    let part = Part::new("Content-Type: application/octet-stream\r\n", "x\r\n");
    s.part(part.with(&format!("Content-Disposition: attachment;\r\n {parameter}")));
}

fn described(s: &mut Scene<'_>, mut write: impl FnMut(&str) -> String) {
    let address = s.address();
    let part = Part::new("Content-Type: text/plain\r\n", "x\r\n");
    let description = write(&address);
    s.part(part.with(&format!("Content-Description: {description}")));
}

/// A piece that stays as it is: percent codes mean nothing there.
fn plain_piece(piece: &str) -> String {
    piece.replace('"', "")
}

//! In calendars and address books.

use super::Entry;
use crate::encode;
use crate::scene::{Part, Scene};

pub const METHODS: &[Entry] = &[
    ("attendee", |s| {
        let address = s.address();
        calendar(s, &format!("ATTENDEE;CN=Owner;RSVP=TRUE:mailto:{address}"));
    }),
    ("organizer, folded inside", |s| {
        let address = s.address();
        let (one, two) = encode::cut(&address, &mut s.dice);
        let fold = s.dice.pick(&["\r\n ", "\r\n\t", "\n "]);
        calendar(s, &format!("ORGANIZER:MAILTO:{one}{fold}{two}"));
    }),
    ("organizer, folded every few octets", |s| {
        let line = format!("ORGANIZER;CN=\"The Owner\":mailto:{}", s.address());
        let chars: Vec<char> = line.chars().collect();
        let folded: Vec<String> = chars.chunks(7).map(|piece| piece.iter().collect()).collect();
        calendar(s, &folded.join("\r\n "));
    }),
    ("parameter of a property", |s| {
        let (one, two) = (s.address(), s.address());
        calendar(s, &format!("ATTENDEE;CN=\"{one}\";SENT-BY=\"mailto:{two}\":mailto:jane@example.org"));
    }),
    ("attendee, folded inside a character", |s| {
        let line = format!("ATTENDEE:mailto:{}", s.address());
        let folded: Vec<u8> = line.as_bytes().chunks(5).collect::<Vec<_>>().join(&b"\r\n "[..]);
        let text =
            [&b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"[..], &folded, b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"]
                .concat();
        let encoding = s.dice.pick(&["8bit", "base64"]);
        let part = s.encoded("text/calendar; charset=utf-8", &text, encoding);
        s.part(part);
    }),
    ("calendar in utf-16", |s| {
        let address = s.address();
        let text = in_calendar(&format!("ATTENDEE:mailto:{}\r\n {}", &address[..1], &address[1..]));
        let octets = encode::in_charset(&text, "utf-16").unwrap_or_default();
        let part = s.encoded("text/calendar; charset=utf-16", &octets, "base64");
        s.part(part);
    }),
    ("uid", |s| {
        let address = s.address();
        calendar(s, &format!("UID:20260101T000000/{address}"));
    }),
    ("description with escapes", |s| {
        let address = s.address();
        calendar(s, &format!("DESCRIPTION:Call\\, or write:\\n{address}\\;thanks\\n"));
    }),
    ("x property in percent codes", |s| {
        let address = s.address();
        let codes = encode::percent(&address, &mut s.dice);
        calendar(s, &format!("X-ALT-DESC;FMTTYPE=text/html:<a href=\"mailto:{codes}\">x</a>"));
    }),
    ("calendar as a file", |s| {
        let address = s.address();
        let text = in_calendar(&format!("ATTENDEE:mailto:{address}"));
        let part = s.encoded("application/ics; name=\"invite.ics\"", text.as_bytes(), "base64");
        s.part(part);
    }),
    ("calendar as octets", |s| {
        let address = s.address();
        let (one, two) = encode::cut(&address, &mut s.dice);
        let text = in_calendar(&format!("ATTENDEE:mailto:{one}\r\n {two}"));
        let part = s.encoded("application/octet-stream; name=\"invite.ics\"", text.as_bytes(), "base64");
        s.part(part);
    }),
    ("vCard", |s| {
        let address = s.address();
        card(s, "3.0", &format!("EMAIL;TYPE=INTERNET:{address}"));
    }),
    ("vCard, folded inside", |s| {
        let address = s.address();
        let (one, two) = encode::cut(&address, &mut s.dice);
        card(s, "4.0", &format!("item1.EMAIL;PREF=1:{one}\r\n {two}"));
    }),
    ("vCard 2.1, quoted-printable", |s| {
        let address = s.address();
        let text: String = address.bytes().map(|octet| format!("={octet:02X}")).collect();
        card(s, "2.1", &format!("NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{text}"));
    }),
    ("vCard 2.1, soft break inside", |s| {
        let address = s.address();
        let (one, two) = encode::cut(&address, &mut s.dice);
        card(s, "2.1", &format!("LABEL;ENCODING=QUOTED-PRINTABLE:mail =\r\n to {one}=\r\n{two}"));
    }),
    ("vCard, url and impp", |s| {
        let address = s.address();
        let codes = encode::percent(&address, &mut s.dice);
        card(
            s,
            "3.0",
            &format!("IMPP;X-SERVICE-TYPE=x:xmpp:{codes}\r\nURL:https://www.example.org/~{codes}"),
        );
    }),
    ("vCard as octets", |s| {
        let address = s.address();
        let text = in_card("3.0", &format!("EMAIL:{address}"));
        let part = s.encoded("application/octet-stream; name=owner.vcf", text.as_bytes(), "base64");
        s.part(part);
    }),
    ("jCal", |s| {
        let address = s.address().replace('@', "\\u0040");
        let text = format!(
            "[\"vcalendar\",[],[[\"vevent\",[[\"attendee\",{{}},\"cal-address\",\"mailto:{address}\"]],[]]]]"
        );
        s.text_part("application/calendar+json", &text);
    }),
    ("xCard", |s| {
        let address = s.address().replace('@', "&#64;");
        s.text_part(
            "application/vcard+xml",
            &format!("<vcards><vcard><email><text>{address}</text></email></vcard></vcards>"),
        );
    }),
    ("format=flowed, soft break inside", |s| {
        let address = s.address();
        let (one, two) = encode::cut(&address, &mut s.dice);
        let part = Part::new(
            "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\r\n",
            format!("Write to {one} \r\n{two} from now on.\r\n"),
        );
        s.part(part);
    }),
    ("format=flowed, soft break inside a quotation", |s| {
        let address = s.address();
        let (one, two) = encode::cut(&address, &mut s.dice);
        let part = Part::new(
            "Content-Type: text/plain; charset=utf-8; DelSp=Yes; Format=Flowed\r\n",
            format!("> Write to {one} \r\n> {two}\r\n"),
        );
        s.part(part);
    }),
];

fn in_calendar(property: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nSUMMARY:Call\r\n{property}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn calendar(s: &mut Scene<'_>, property: &str) {
    s.text_part("text/calendar; method=REPLY", &in_calendar(property));
}

fn in_card(version: &str, property: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:{version}\r\nFN:The Owner\r\n{property}\r\nEND:VCARD\r\n")
}

fn card(s: &mut Scene<'_>, version: &str, property: &str) {
    let kind = s.dice.pick(&["text/vcard", "text/x-vcard", "text/directory", "application/vcard"]);
    s.text_part(kind, &in_card(version, property));
}

//! In the header fields that a reply may carry.

use super::Entry;
use crate::encode;
use crate::scene::Scene;

pub const METHODS: &[Entry] = &[
    ("subject", |s| written(s, "Subject")),
    ("subject, name in other case", |s| written(s, "sUBJECT")),
    ("subject, blank before the colon", |s| written(s, "Subject ")),
    ("subject, encoded word Q", |s| word(s, "Subject", 'q', "utf-8")),
    ("subject, encoded word B", |s| word(s, "Subject", 'b', "utf-8")),
    ("subject, encoded word in iso-8859-1", |s| word(s, "Subject", 'Q', "iso-8859-1")),
    ("subject, encoded word in utf-7", |s| word(s, "Subject", 'Q', "utf-7")),
    ("subject, encoded word in utf-16", |s| word(s, "Subject", 'B', "utf-16be")),
    ("subject, encoded word in iso-2022-jp", |s| word(s, "Subject", 'B', "iso-2022-jp")),
    ("subject, cut into two encoded words", |s| two_words(s, "Subject")),
    ("subject, one encoded word and one plain", half_a_word),
    ("subject, encoded word with a language", language),
    ("subject, folded inside", folded),
    ("subject twice", subject_twice),
    ("date, comment", |s| {
        let address = s.address();
        s.field(format!("Date: Thu, 1 Jan 1970 02:00:00 +0200 ({address})"));
    }),
    ("to, display name", |s| {
        let address = s.address();
        s.field(format!("To: \"{address}\" <jane@ra.example.com>"));
    }),
    ("to, group", |s| {
        let address = s.address();
        s.field(format!("To: \"friends of {address}\": jane@ra.example.com, plain@ra.example.com;"));
    }),
    ("to, comment", |s| {
        let address = s.address();
        s.field(format!("To: ({address}) jane@ra.example.com (from {address})"));
    }),
    ("to, encoded word", |s| {
        let address = s.address();
        let word = encode::encoded_word(&address, "utf-8", 'B', &mut s.dice);
        s.field(format!("To: {word} <jane@ra.example.com>"));
    }),
    ("cc, display name", |s| {
        let address = s.address();
        s.field(format!("Cc: \"{address}\" <umlaut@ra.example.com>"));
    }),
    ("mime-version, comment", |s| {
        let trace = s.trace();
        s.field(format!("MIME-Version: 1.0 (Mailer at {trace})"));
    }),
    ("auto-submitted, parameter", |s| traced(s, "Auto-Submitted", "auto-replied; owner-email=")),
    ("auto-submitted, comment", |s| traced(s, "Auto-Submitted", "no (")),
    ("importance", |s| traced(s, "Importance", "high ")),
    ("x-priority", |s| traced(s, "X-Priority", "1 (Highest for ")),
    ("priority", |s| traced(s, "Priority", "urgent ")),
    ("content-description", |s| written(s, "Content-Description")),
    ("content-description, encoded word", |s| word(s, "Content-Description", 'b', "utf-8")),
    ("content-disposition, file name", |s| {
        let address = s.address();
        s.field(format!("Content-Disposition: inline; filename=\"{address}.txt\""));
    }),
    ("content-disposition, unknown parameter", |s| traced(s, "Content-Disposition", "inline; x-host=")),
    ("content-location", |s| traced(s, "Content-Location", "http://")),
    ("content-base", |s| traced(s, "Content-Base", "http://")),
    ("content-language, comment", |s| traced(s, "Content-Language", "en (")),
    ("content-md5, comment", |s| traced(s, "Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ== (")),
    ("content-features", |s| traced(s, "Content-features", "(host=")),
    ("content-transfer-encoding, comment", |s| {
        let (trace, part) = (s.trace(), s.written_text("text/plain", "Thanks."));
        let head = String::from_utf8_lossy(&part.head).into_owned();
        let head = head.trim_end().to_owned() + &format!(" ({trace})\r\n");
        s.part(crate::scene::Part::new(head, part.body));
    }),
    ("content-class", |s| traced(s, "Content-class", "urn:content-classes:")),
    ("content-, a field nobody knows", |s| traced(s, "Content-X-Sender", "")),
    ("content-, encoded word in a field nobody knows", |s| word(s, "Content-X-Sender", 'q', "utf-8")),
    ("content-type, unknown parameter", |s| parameter(s, "; x-origin=\"", "\"")),
    ("content-type, comment", |s| parameter(s, " (", ")")),
    ("content-type, parameter in percent codes", |s| {
        let address = s.address();
        let value = encode::percent(&address, &mut s.dice);
        s.parameters = format!(";\r\n x-origin*=utf-8''{value}");
    }),
    ("content-type, parameter in pieces", |s| {
        let address = s.address();
        let (one, two) = encode::cut(&address, &mut s.dice);
        s.parameters = format!(";\r\n x-origin*0=\"{one}\";\r\n x-origin*1=\"{two}\"");
    }),
    ("content-type, parameter name", |s| {
        let host = s.host();
        s.parameters = format!("; x-{host}=yes");
    }),
    ("content-type, quoted pairs in a parameter", |s| {
        let address: String = s.address().chars().flat_map(|c| ['\\', c]).collect();
        s.parameters = format!("; x-origin=\"{address}\"");
    }),
    ("subject, a line of blanks inside", |s| {
        let address = s.address();
        s.field(format!("Subject: order\r\n \r\n of {address}"));
    }),
    ("subject, bare CR inside", |s| {
        let (address, host) = (s.address(), s.host());
        s.field(format!("Subject: order\rMessage-ID: <1@{host}>\rX-From: {address}"));
    }),
    ("subject, bare LF inside", |s| {
        let (address, host) = (s.address(), s.host());
        s.field(format!("Subject: order\nX-Host: {host}\n of {address}"));
    }),
    ("subject, encoded word with blanks in it", |s| {
        let address = q_codes(&s.address());
        s.field(format!("Subject: =?utf-8?Q?for {address} only?="));
    }),
    ("subject, encoded word without an end", |s| {
        let address = s.address();
        s.field(format!("Subject: =?utf-8?Q?for {address}"));
    }),
    ("subject, encoded word without padding", |s| {
        let content = data_encoding::BASE64_NOPAD.encode(s.address().as_bytes());
        s.field(format!("Subject: =?UTF-8?B?{content}?="));
    }),
    ("subject, a character in two encoded words", |s| {
        let octets = format!("\u{fc} {}", s.address()).into_bytes();
        let (one, two) = octets.split_at(1);
        let (one, two) = (data_encoding::BASE64.encode(one), data_encoding::BASE64.encode(two));
        s.field(format!("Subject: =?utf-8?B?{one}?= =?utf-8?B?{two}?="));
    }),
    ("subject, encoded word in an unknown charset", |s| {
        let address = q_codes(&s.address());
        s.field(format!("Subject: =?x-unknown?Q?{address}?="));
    }),
    ("content-type, folded inside the type", |s| {
        let address = s.address().replace('@', "&#64;");
        s.part(crate::scene::Part::new("Content-Type: text\r\n /html\r\n", format!("<p>{address}</p>\r\n")));
    }),
    ("content-disposition twice", |s| {
        let address = s.address();
        s.field("Content-Disposition: inline; filename=a.txt");
        s.field(format!("Content-Disposition: attachment; filename=\"{address}\""));
    }),
    ("removed fields", |s| {
        let (address, host) = (s.address(), s.host());
        for field in
            ["Reply-To", "Sender", "Return-Path", "Disposition-Notification-To", "Resent-From", "X-Sender"]
        {
            s.field(format!("{field}: <{address}>"));
        }
        s.field(format!("Received: from laptop.{host} by mail.{host}; Thu, 1 Jan 1970 00:00:00 +0000"));
        s.field(format!("Autocrypt: addr={address}; keydata=AAAA"));
    }),
    ("lines that are no fields", |s| {
        let address = s.address();
        s.fields.insert(0, format!("From {address} Thu Jan  1 00:00:00 1970"));
        s.field(format!("this is {address}"));
        s.field(format!("Fr om: {address}"));
    }),
];

fn written(s: &mut Scene<'_>, name: &str) {
    let address = s.address();
    s.field(format!("{name}: Re: mail to {address} came back"));
}

fn traced(s: &mut Scene<'_>, name: &str, before: &str) {
    let trace = s.trace();
    let after = if before.contains('(') { ")" } else { "" };
    s.field(format!("{name}: {before}{trace}{after}"));
}

fn parameter(s: &mut Scene<'_>, before: &str, after: &str) {
    let trace = s.trace();
    s.parameters = format!("{before}{trace}{after}");
}

fn word(s: &mut Scene<'_>, name: &str, kind: char, charset: &str) {
    let address = s.address();
    let word = encode::encoded_word(&address, charset, kind, &mut s.dice);
    s.field(format!("{name}: about {word} and more"));
}

fn q_codes(text: &str) -> String {
    text.bytes()
        .map(|octet| {
            if octet.is_ascii_alphanumeric() {
                char::from(octet).to_string()
            } else {
                format!("={octet:02X}")
            }
        })
        .collect()
}

fn two_words(s: &mut Scene<'_>, name: &str) {
    let address = s.address();
    let (one, two) = encode::cut(&address, &mut s.dice);
    let kinds = s.dice.pick(&[('q', 'q'), ('b', 'q'), ('B', 'B'), ('Q', 'b')]);
    let one = encode::encoded_word(one, "utf-8", kinds.0, &mut s.dice);
    let two = encode::encoded_word(two, s.dice.pick(&["utf-8", "iso-8859-1"]), kinds.1, &mut s.dice);
    let between = s.dice.pick(&[" ", "\r\n ", " \r\n\t"]);
    s.field(format!("{name}: {one}{between}{two}"));
}

/// Not as RFC 2047 wants it, and read by everybody.
fn half_a_word(s: &mut Scene<'_>) {
    let address = s.address();
    let (one, two) = encode::cut(&address, &mut s.dice);
    let word = encode::encoded_word(one, "utf-8", 'q', &mut s.dice);
    s.field(format!("Subject: {word}{two}"));
}

fn language(s: &mut Scene<'_>) {
    let address = s.address();
    let content = data_encoding::BASE64.encode(address.as_bytes());
    s.field(format!("Subject: =?utf-8*en?B?{content}?="));
}

fn folded(s: &mut Scene<'_>) {
    let address = s.address();
    let at = address.find('@').map_or(0, |at| at + 1);
    let (one, two) = address.split_at(at);
    s.field(format!("Subject: about {one}\r\n {two}"));
}

fn subject_twice(s: &mut Scene<'_>) {
    let address = s.address();
    s.field("Subject: Order");
    s.field(format!("Subject: {address}"));
}

//! In messages inside the letter, and in reports.

use super::Entry;
use crate::encode;
use crate::scene::{Part, Scene, clean_part};

pub const METHODS: &[Entry] = &[
    ("from", |s| headed(s, |s| format!("From: The Owner <{}>", s.address()))),
    ("from, quoted local part", |s| {
        headed(s, |s| {
            let address = s.address();
            let (local, domain) = address.rsplit_once('@').unwrap_or_default();
            format!("From: \"{local}\"@{domain}")
        });
    }),
    ("from, comments and blanks", |s| {
        headed(s, |s| {
            let address = s.address();
            let (local, domain) = address.rsplit_once('@').unwrap_or_default();
            format!("From: {local} (at) @ (the) {domain}")
        });
    }),
    ("to, encoded word", |s| {
        headed(s, |s| {
            let address = s.address();
            format!("To: {} <jane@example.org>", encode::encoded_word(&address, "utf-8", 'b', &mut s.dice))
        });
    }),
    ("cc among others", |s| {
        headed(s, |s| format!("Cc: jane@example.org, friends: {}, plain@example.org;", s.address()));
    }),
    ("subject", |s| {
        headed(s, |s| {
            let address = s.address();
            format!("Subject: {}", encode::encoded_word(&address, "iso-8859-1", 'q', &mut s.dice))
        });
    }),
    ("received for", |s| {
        headed(s, |s| format!("Received: from mx.example.org by mx.example.org for <{}>; x", s.address()));
    }),
    ("received by", |s| {
        headed(s, |s| {
            format!(
                "Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby {} (Postfix) with ESMTP; x",
                s.host()
            )
        });
    }),
    ("return-path", |s| headed(s, |s| format!("Return-Path: <{}>", s.address()))),
    ("return-path, rewritten", |s| {
        headed(s, |s| format!("Return-Path: <bounce-{}@example.org>", s.address().replace('@', "=")));
    }),
    ("delivered-to", |s| {
        headed(s, |s| format!("Delivered-To: {}\r\nX-Original-To: {}", s.address(), s.address()));
    }),
    ("message-id", |s| headed(s, |s| format!("Message-ID: <9@{}>", s.host()))),
    ("references", |s| headed(s, |s| format!("References: <9@{}>\r\n <8@example.org>", s.host()))),
    ("signature of the domain", |s| {
        headed(s, |s| {
            format!("DKIM-Signature: v=1; a=rsa-sha256; d={};\r\n s=x; i=@{}; b=AAAA", s.host(), s.host())
        });
    }),
    ("authentication-results", |s| {
        headed(s, |s| format!("Authentication-Results: {}; spf=pass smtp.mailfrom={}", s.host(), s.host()));
    }),
    ("list-unsubscribe", |s| {
        headed(s, |s| {
            let address = s.address();
            format!(
                "List-Unsubscribe: <https://www.example.org/u?{}>",
                encode::percent(&address, &mut s.dice)
            )
        });
    }),
    ("a field nobody knows", |s| headed(s, |s| format!("X-MS-Exchange-Something: {}", s.trace()))),
    ("a line that is no field", |s| headed(s, |s| format!("From {} Thu Jan  1 00:00:00 1970", s.address()))),
    ("autocrypt", |s| {
        headed(s, |s| {
            let user_id = format!("The Owner <{}>", s.address());
            format!(
                "Autocrypt: addr=x@example.org; keydata={}",
                data_encoding::BASE64.encode(user_id.as_bytes())
            )
        });
    }),
    ("body", |s| {
        let body = body(s);
        let message = s.nested("From: jane@example.org\r\nMIME-Version: 1.0\r\n", &body);
        s.part(message);
    }),
    ("body, three messages deep", |s| {
        let mut part = body(s);
        for _ in 0..3 {
            part = s.nested("From: jane@example.org\r\nMIME-Version: 1.0\r\n", &part);
        }
        s.part(part);
    }),
    ("message in base64", |s| encoded(s, "base64")),
    ("message in quoted-printable", |s| encoded(s, "quoted-printable")),
    ("message/global", |s| {
        let body = body(s);
        let mut message = s.nested("From: jane@example.org\r\nMIME-Version: 1.0\r\n", &body);
        message.head = b"Content-Type: message/global\r\n".to_vec();
        s.part(message);
    }),
    ("message in mixed case with a file name", |s| {
        let body = body(s);
        let message = s.nested("From: jane@example.org\r\nMIME-Version: 1.0\r\n", &body);
        s.part(Part::new("Content-Type: Message/RFC822; name=\"old.eml\"\r\n", message.body));
    }),
    ("digest", |s| {
        let body = body(s);
        let message = s.nested("From: jane@example.org\r\nMIME-Version: 1.0\r\n", &body);
        let digest = s.multipart("digest", &[Part::new("", message.body)]);
        s.part(digest);
    }),
    ("header section only", |s| {
        let head =
            format!("Return-Path: <{}>\r\nReceived: by {}; x\r\nSubject: x\r\n", s.address(), s.host());
        s.part(Part::new("Content-Type: text/rfc822-headers\r\n", head));
    }),
    ("delivery status", |s| {
        let blocks = format!(
            "Reporting-MTA: dns; {}\r\nX-Postfix-Sender: rfc822; {}\r\n\r\nFinal-Recipient: rfc822; {}\r\nAction: failed\r\n\
             Diagnostic-Code: smtp; 550 {} is unknown\r\n",
            s.host(),
            s.address(),
            s.address(),
            s.address(),
        );
        report(s, "delivery-status", &blocks);
    }),
    ("message in base64 with a part in base64", |s| {
        let text = format!("Write to {}.\r\n", s.address());
        let inner = s.encoded("text/plain; charset=utf-8", text.as_bytes(), "base64");
        let message = s.nested("From: jane@example.org\r\nMIME-Version: 1.0\r\n", &inner);
        let body = encode::base64(&message.body, &mut s.dice);
        s.part(Part::new(message.head, body).with("Content-Transfer-Encoding: base64"));
    }),
    ("twelve messages deep", |s| {
        let mut part = body(s);
        for _ in 0..12 {
            part = s.nested("From: jane@example.org\r\nMIME-Version: 1.0\r\n", &part);
        }
        s.part(part);
    }),
    ("message without an empty line", |s| {
        let host = s.host();
        s.part(Part::new("Content-Type: message/rfc822\r\n", format!("Subject: x\r\nX-Host: {host}\r\n")));
    }),
    ("message behind a line of a mailbox file", |s| {
        let address = s.address();
        let text = format!("From {address} Thu Jan  1 00:00:00 1970\r\nSubject: x\r\n\r\nhello\r\n");
        s.part(Part::new("Content-Type: message/rfc822\r\n", text));
    }),
    ("message behind empty lines", |s| {
        let host = s.host();
        s.part(Part::new(
            "Content-Type: message/rfc822\r\n",
            format!("\r\n\r\nReceived: by {host}; x\r\nSubject: x\r\n\r\nhello\r\n"),
        ));
    }),
    ("delivery status, xtext", |s| {
        let address = s.address().replace('+', "+2B").replace('@', "+40");
        report(
            s,
            "delivery-status",
            &format!("Reporting-MTA: dns; {}\r\nOriginal-Envelope-Id: {address}\r\n", s.mailbox.domain),
        );
    }),
    ("disposition notification", |s| {
        let blocks = format!(
            "Reporting-UA: {}; Mailer\r\nFinal-Recipient: rfc822; {}\r\nOriginal-Message-ID: <5@{}>\r\n",
            s.host(),
            s.address(),
            s.host()
        );
        report(s, "disposition-notification", &blocks);
    }),
    ("feedback report", |s| {
        let blocks = format!(
            "Feedback-Type: abuse\r\nOriginal-Rcpt-To: {}\r\nReported-Domain: {}\r\n",
            s.address(),
            s.host()
        );
        report(s, "feedback-report", &blocks);
    }),
    ("external body", |s| {
        let head = format!(
            "Content-Type: message/external-body; access-type=anon-ftp;\r\n site=\"{}\"; name=\"a.txt\"\r\n",
            s.host()
        );
        s.part(Part::new(head, "Content-Type: text/plain\r\n\r\n"));
    }),
    ("external body, its head", |s| {
        let head =
            "Content-Type: message/external-body; access-type=URL; URL=\"http://www.example.org/\"\r\n";
        let body = format!("Content-Type: text/plain\r\nContent-ID: <7@{}>\r\n\r\n", s.host());
        s.part(Part::new(head, body));
    }),
    ("partial message", |s| {
        let head = format!("Content-Type: message/partial; id=\"3@{}\"; number=1; total=2\r\n", s.host());
        let body = format!("From: {}\r\n\r\nThe first half\r\n", s.address());
        s.part(Part::new(head, body));
    }),
];

pub const BEYOND: &[Entry] = &[("base64 in a field nobody knows", |s| {
    let token = data_encoding::BASE64.encode(format!("user={}&x=1", s.address()).as_bytes());
    headed(s, |_| format!("X-Session: {token}"));
})];

/// A text part with the address in it.
fn body(s: &mut Scene<'_>) -> Part {
    let address = s.address();
    s.written_text("text/plain", &format!("Write to {address} instead.\r\n"))
}

/// A nested message with another header field, before or behind the usual ones.
fn headed(s: &mut Scene<'_>, field: impl FnOnce(&mut Scene<'_>) -> String) {
    let field = field(s);
    let usual = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nSubject: Order\r\nMIME-Version: 1.0\r\n";
    let head = if s.dice.one_in(2) { format!("{field}\r\n{usual}") } else { format!("{usual}{field}\r\n") };
    let message = s.nested(&head, &clean_part());
    s.part(message);
}

fn encoded(s: &mut Scene<'_>, encoding: &str) {
    let body = body(s);
    let host = s.host();
    let message = s.nested(&format!("Received: by {host}; x\r\nMIME-Version: 1.0\r\n"), &body);
    let body = encode::transfer(&message.body, encoding, &mut s.dice);
    s.part(Part::new(message.head, body).with(&format!("Content-Transfer-Encoding: {encoding}")));
}

fn report(s: &mut Scene<'_>, kind: &str, blocks: &str) {
    let status = Part::new(format!("Content-Type: message/{kind}\r\n"), blocks);
    let mut frame = crate::scene::Frame::new("report", &mut s.dice);
    frame.parameters = format!("; report-type={kind}");
    let report = frame.around(&[clean_part(), status]);
    s.part(report);
}

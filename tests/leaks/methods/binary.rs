//! In what is not text at all, or must not be changed.

use super::Entry;
use crate::encode;
use crate::scene::{Frame, Part, Scene, clean_part};

pub const METHODS: &[Entry] = &[
    ("author of a PDF", |s| {
        let address = s.address();
        let pdf = [
            b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Author (",
            address.as_bytes(),
            b") >>\nendobj\n\0\x01\x02",
        ]
        .concat();
        file(s, "application/pdf", "a.pdf", &pdf);
    }),
    ("author in UTF-16", |s| {
        let author = encode::in_charset(&s.address(), "utf-16le").unwrap_or_default();
        let document = [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0"[..], &author, b"\0\0\xfe\xff"].concat();
        file(s, "application/msword", "a.doc", &document);
    }),
    ("text of a picture", |s| {
        let text = [b"\x89PNG\r\n\x1a\n\0\0\0\x20tEXtAuthor\0", s.address().as_bytes(), b"\xae\x42\x60\x82"]
            .concat();
        file(s, "image/png", "a.png", &text);
    }),
    ("file in an archive that does not compress", |s| {
        let text =
            [b"PK\x03\x04\x0a\0\0\0\0\0a.txtMail: ", s.address().as_bytes(), b"\nPK\x05\x06\0\0"].concat();
        file(s, "application/zip", "a.zip", &text);
    }),
    ("properties of Outlook", |s| {
        let text =
            [b"\x78\x9f\x3e\x22\x01\0SMTP:", s.address().to_uppercase().as_bytes(), b"\0\xff"].concat();
        file(s, "application/ms-tnef", "winmail.dat", &text);
    }),
    ("S/MIME signature", |s| {
        let signature = der(s);
        let mut frame = Frame::new("signed", &mut s.dice);
        frame.parameters = "; micalg=sha-256; protocol=\"application/pkcs7-signature\"".to_owned();
        let signature = s.encoded("application/pkcs7-signature; name=\"smime.p7s\"", &signature, "base64");
        let signed = frame.around(&[clean_part(), signature]);
        s.parts.push(signed);
    }),
    ("S/MIME signature of an older program", |s| {
        let signature = der(s);
        let part = s.encoded("application/x-pkcs7-signature; name=\"smime.p7s\"", &signature, "base64");
        s.part(part);
    }),
    ("S/MIME signed data", |s| {
        let data = der(s);
        let part =
            s.encoded("application/pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"", &data, "base64");
        s.parts = vec![part];
    }),
];

/// Like a certificate: an address of the kind that X.509 has (RFC 5280, section 4.2.1.6) between other octets.
fn der(s: &mut Scene<'_>) -> Vec<u8> {
    let address = s.address();
    let length = u8::try_from(address.len()).unwrap_or(0x7f);
    [
        &[0x30, 0x82, 0x01, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x11, 0x81, length][..],
        address.as_bytes(),
        &[0xa3, 0x82, 0, 0xff],
    ]
    .concat()
}

fn file(s: &mut Scene<'_>, kind: &str, name: &str, octets: &[u8]) {
    let part: Part = s.encoded(&format!("{kind}; name=\"{name}\""), octets, "base64");
    s.part(part.with(&format!("Content-Disposition: attachment; filename=\"{name}\"")));
}

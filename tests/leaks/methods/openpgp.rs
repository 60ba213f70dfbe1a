//! In keys and signatures of OpenPGP.

use super::Entry;
use crate::encode;
use crate::keyring::{self, Material};
use crate::scene::{Frame, Part, Scene, clean_part};

/// Keys: the user id can go, or the key.
pub const METHODS: &[Entry] = &[
    ("key as a part", |s| {
        let key = material(s).armored_key.clone();
        let encoding = s.dice.pick(&["7bit", "quoted-printable", "base64"]);
        let part = s.encoded("application/pgp-keys; name=\"OpenPGP_0x01.asc\"", &key, encoding);
        s.part(part.with("Content-Description: OpenPGP public key"));
    }),
    ("key inside a text", |s| {
        let key = material(s).armored_key.clone();
        let text = [b"This is my key:\r\n\r\n", &key[..], b"\r\nBye\r\n"].concat();
        let part = s.encoded("text/plain; charset=utf-8", &text, "quoted-printable");
        s.part(part);
    }),
    ("key inside a quotation", |s| {
        let key = String::from_utf8_lossy(&material(s).armored_key).into_owned();
        let quoted: String = key.lines().map(|line| format!("> {line}\r\n")).collect();
        s.text_part("text/plain", &quoted);
    }),
    ("key as octets", |s| {
        let key = material(s).binary_key.clone();
        let kind = s.dice.pick(&[
            "application/octet-stream; name=key.gpg",
            "application/pgp-keys",
            "application/pgp-encrypted",
        ]);
        let part = s.encoded(kind, &key, "base64");
        s.part(part);
    }),
    ("armored key as octets", |s| {
        let key = material(s).armored_key.clone();
        let part = s.encoded("application/octet-stream; name=\"key.asc\"", &key, "base64");
        s.part(part);
    }),
    ("key in an autocrypt field of a message", |s| {
        let key = encode::in_lines(&data_encoding::BASE64.encode(&material(s).binary_key), 70);
        let key = String::from_utf8_lossy(&key).trim_end().replace("\r\n", "\r\n ");
        let address = s.address();
        let head = format!(
            "From: jane@example.org\r\nAutocrypt: addr={address}; prefer-encrypt=mutual; keydata=\r\n {key}\r\n"
        );
        let message = s.nested(&head, &clean_part());
        s.part(message);
    }),
    ("comment of an armor", |s| {
        let address = s.address();
        let armor = format!(
            "-----BEGIN PGP MESSAGE-----\r\nComment: for {address}\r\n\r\nwcBMA5Ll\r\n=aBcD\r\n-----END PGP MESSAGE-----\r\n"
        );
        s.text_part("text/plain", &armor);
    }),
];

/// What is signed cannot be changed.
pub const SIGNED: &[Entry] = &[
    ("signature that names its signer", |s| {
        let signature = material(s).signature.clone();
        signed(s, clean_part(), &signature);
    }),
    ("signature with a notation", |s| {
        let signature = material(s).noted_signature.clone();
        signed(s, clean_part(), &signature);
    }),
    ("signature as a file", |s| {
        let signature = material(s).signature.clone();
        let part = s.encoded("application/octet-stream; name=\"a.txt.asc\"", &signature, "base64");
        s.part(part);
    }),
    ("signed part with the address", |s| {
        let address = s.address();
        let text = Part::new("Content-Type: text/plain\r\n", format!("by {address}\r\n"));
        signed(
            s,
            text,
            b"-----BEGIN PGP SIGNATURE-----\r\n\r\niHUEABYK\r\n=aBcD\r\n-----END PGP SIGNATURE-----\r\n",
        );
    }),
    ("clear-signed text", |s| {
        let text = material(s).clear_signed.clone();
        let part = s.encoded("text/plain; charset=utf-8", &text, "8bit");
        s.part(part);
    }),
    ("compressed message", |s| {
        let message = material(s).compressed.clone();
        let part = s.encoded("text/plain", &message, "7bit");
        s.part(part);
    }),
    ("compressed message as octets", |s| {
        let message = material(s).compressed.clone();
        let part = s.encoded("application/octet-stream; name=\"message.asc\"", &message, "base64");
        s.part(part);
    }),
];

fn material(s: &Scene<'_>) -> &'static Material {
    keyring::of(s.mailbox)
}

fn signed(s: &mut Scene<'_>, part: Part, signature: &[u8]) {
    let mut frame = Frame::new("signed", &mut s.dice);
    frame.parameters = "; micalg=pgp-sha512;\r\n protocol=\"application/pgp-signature\"".to_owned();
    let signature =
        Part::new("Content-Type: application/pgp-signature; name=\"signature.asc\"\r\n", signature);
    let signed = frame.around(&[part, signature]);
    s.parts.push(signed);
}

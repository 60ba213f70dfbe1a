//! Parts cover their body without a gap, parameters are read, and what is encoded is read again.

#![no_main]

use aliasd::mail::mime::transfer::{encode_base64, requote, with_crlf};
use aliasd::mail::mime::{Change, Entity, Parameterized, Transfer, charset, multipart};
use libfuzzer_sys::fuzz_target;

/// Most parts that are looked for.
const MOST: usize = 50;

fuzz_target!(|input: &[u8]| {
    let (value, body) = match input.iter().position(|octet| *octet == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, input),
    };
    parameters(value);
    let read = Parameterized::parse(value);
    parts(body, read.get("boundary").unwrap_or(&read.word).as_bytes());
    transfer(body);
    let _ = charset::decode(body, read.get("charset"));
    let entity = Entity::parse(input.to_vec().into());
    assert!(entity.head().raw().len() <= input.len() && entity.body().len() <= input.len());
});

fn parameters(value: &[u8]) {
    let read = Parameterized::parse(value);
    let kept = read.rewrite("Content-Type", value, None, |_, _| Change::Keep);
    let set = read.rewrite("Content-Type", value, None, |_, _| Change::Set("\u{fc} b\"\\".to_owned()));
    let _ = (kept, set);
}

fn parts(body: &[u8], boundary: &[u8]) {
    let split = multipart::split(body, boundary, MOST);
    assert!(split.pieces.len() <= MOST + 1);
    let mut end = split.preamble.end;
    assert_eq!(split.preamble.start, 0);
    for piece in &split.pieces {
        assert_eq!(piece.delimiter.start, end);
        assert_eq!(piece.content.start, piece.delimiter.end);
        assert_eq!(&body[piece.boundary.clone()][..boundary.len()], boundary);
        end = piece.content.end;
    }
    assert_eq!(end, body.len());
    let _ = multipart::guess(body);
}

fn transfer(body: &[u8]) {
    assert_eq!(Transfer::Base64.decode(&encode_base64(body)), body);
    let decoded = Transfer::QuotedPrintable.decode(body).into_owned();
    let requoted = requote(body, &decoded);
    assert_eq!(with_crlf(&Transfer::QuotedPrintable.decode(&requoted)), with_crlf(&decoded));
    let _ = Transfer::Uuencode.decode(body);
}

//! Every charset in every transfer encoding.

use super::{Method, Reach};
use crate::encode::{self, CHARSETS, TRANSFER_ENCODINGS};
use crate::scene::Scene;

pub fn all() -> impl Iterator<Item = Method> {
    let pairs =
        CHARSETS.into_iter().flat_map(|charset| TRANSFER_ENCODINGS.map(|encoding| (charset, encoding)));
    // What needs octets beyond 127, or zeros, is not written with less.
    let possible = pairs.filter(|(charset, encoding)| {
        let sample = encode::in_charset("a", charset).unwrap_or_default();
        encode::fits(&sample, encoding)
    });
    possible.map(|(charset, encoding)| {
        Method::new(format!("charset: {charset} in {encoding}"), Reach::Promised, move |scene| {
            plant(scene, charset, encoding);
        })
    })
}

fn plant(s: &mut Scene<'_>, charset: &'static str, encoding: &'static str) {
    let kind = s.dice.pick(&["text/plain", "text/plain", "text/html"]);
    let address = s.address();
    let sentence = format!("Hello,\r\nplease write to {address} from now on.\r\n");
    let (charset, octets) = match encode::in_charset(&sentence, charset) {
        Some(octets) => (charset, octets),
        // The charset has not the letters of this mailbox.
        None => ("utf-8", sentence.into_bytes()),
    };
    let encoding = if encode::fits(&octets, encoding) { encoding } else { "8bit" };
    let quoted = s.dice.pick(&["", "\""]);
    let part = s.encoded(&format!("{kind}; charset={quoted}{charset}{quoted}"), &octets, encoding);
    s.part(part);
}

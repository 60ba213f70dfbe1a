//! Octets as text: in the charset that is declared, and in those that they may be in.

use encoding_rs::{Encoding, ISO_2022_JP, WINDOWS_1252};

const ESCAPE: u8 = 0x1b;

/// Every text that the octets may be. Each is given once.
pub fn texts(octets: &[u8], charsets: &[String]) -> Vec<String> {
    let mut texts = vec![String::from_utf8_lossy(octets).into_owned()];
    if texts[0].contains(char::REPLACEMENT_CHARACTER) {
        texts.push(WINDOWS_1252.decode_without_bom_handling(octets).0.into_owned());
    }
    if octets.contains(&0) {
        texts.push(without_zeros(octets));
    }
    if octets.contains(&ESCAPE) {
        texts.push(ISO_2022_JP.decode_without_bom_handling(octets).0.into_owned());
    }
    texts.extend(charsets.iter().filter_map(|charset| in_charset(octets, charset)));
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn in_charset(octets: &[u8], charset: &str) -> Option<String> {
    let label = charset.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c));
    let label = label.split('*').next()?;
    // ASCII is the same in them all, but for those with states and those of two octets.
    if octets.is_ascii() && !octets.contains(&ESCAPE) && !label.to_ascii_lowercase().starts_with("utf-16") {
        return None;
    }
    let encoding = Encoding::for_label(label.as_bytes())?;
    Some(encoding.decode(octets).0.into_owned())
}

/// UTF-16 of either order, as far as it is Latin: single zeros belong to a letter, several part words.
fn without_zeros(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len() / 2);
    let mut zeros = 0;
    for octet in octets {
        if *octet == 0 {
            zeros += 1;
            continue;
        }
        if zeros > 1 {
            out.push('\0');
        }
        zeros = 0;
        out.push(char::from(*octet));
    }
    out
}

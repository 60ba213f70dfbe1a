//! Transfer encodings, read as the most forgiving mail program would.

/// What the octets are under a `Content-Transfer-Encoding`; every reading where readers differ.
pub fn decode(encoding: &str, octets: &[u8]) -> Vec<Vec<u8>> {
    let mut encoding = encoding.to_ascii_lowercase();
    encoding.retain(|c| c.is_ascii_alphanumeric());
    match encoding.as_str() {
        name if name.starts_with("base64") => base64_readings(octets),
        name if name.starts_with("quotedprintable") => vec![quoted_printable(octets)],
        "xuuencode" | "uuencode" | "xuue" | "uue" => vec![uuencoded(octets)],
        _ => vec![octets.to_vec()],
    }
}

/// Base64 with anything else skipped: once going on behind a padding, once ending there.
fn base64_readings(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut readings = vec![base64(octets)];
    if let Some(end) = octets.iter().position(|octet| *octet == b'=') {
        readings.push(base64(&octets[..end]));
        readings.dedup();
    }
    readings
}

/// Decodes base64 (RFC 4648, both alphabets). Other octets are skipped; a padding ends a group of four, not the text.
pub fn base64(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() / 4 * 3);
    let (mut group, mut bits) = (0_u32, 0_u32);
    for octet in octets {
        let Some(value) = six_bits(*octet) else {
            if *octet == b'=' {
                (group, bits) = (0, 0);
            }
            continue;
        };
        group = (group << 6) | value;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((group >> bits & 0xff) as u8);
            group &= (1 << bits) - 1;
        }
    }
    out
}

pub fn six_bits(octet: u8) -> Option<u32> {
    Some(match octet {
        b'A'..=b'Z' => u32::from(octet - b'A'),
        b'a'..=b'z' => u32::from(octet - b'a') + 26,
        b'0'..=b'9' => u32::from(octet - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Decodes quoted-printable (RFC 2045, section 6.7): soft breaks with any line end, digits in either case; what is no code stays.
pub fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'=' {
            out.push(octet);
        } else if let Some((value, behind)) = two_digits(after) {
            out.push(value);
            rest = behind;
        } else if let Some(behind) = soft_break(after) {
            rest = behind;
        } else {
            out.push(octet);
        }
    }
    out
}

/// The value of two hexadecimal digits, and what follows them.
pub fn two_digits(octets: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, behind) = octets.split_at_checked(2)?;
    let value = |digit: u8| char::from(digit).to_digit(16);
    let octet = u8::try_from(value(digits[0])? * 16 + value(digits[1])?).ok()?;
    Some((octet, behind))
}

fn soft_break(octets: &[u8]) -> Option<&[u8]> {
    let blanks = octets.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    let rest = &octets[blanks..];
    rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).or_else(|| rest.strip_prefix(b"\r"))
}

/// Decodes the lines of a uuencoded file; lines that are none give rubbish, which does no harm here.
pub fn uuencoded(octets: &[u8]) -> Vec<u8> {
    let lines = octets.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.starts_with(b"begin ") && *line != b"end").flat_map(uu_line).collect()
}

fn uu_line(line: &[u8]) -> Vec<u8> {
    let Some((length, digits)) = line.split_first() else { return Vec::new() };
    let value = |octet: &u8| u32::from(octet.wrapping_sub(0x20) & 0x3f);
    let mut out = Vec::new();
    for group in digits.chunks(4) {
        let bits = (0..4).fold(0, |bits, at| bits << 6 | group.get(at).map_or(0, value));
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    out.truncate(value(length) as usize);
    out
}

//! ASCII armor of a message (RFC 9580, section 6.2), with CRLF line ends and straight into the buffer of a mail body.
//!
//! sequoia's own armor writer ends lines in LF and encodes each piece into a buffer of its own first, which for a large
//! message costs a third of its size once more.

use std::io;

use data_encoding::{BASE64, Encoding, Specification};

const BEGIN: &[u8] = b"-----BEGIN PGP MESSAGE-----\r\n\r\n";
const END: &[u8] = b"-----END PGP MESSAGE-----\r\n";

/// Octets of data on a line of 64 characters.
const LINE: usize = 48;

/// Whether a checksum follows the data. RFC 9580, section 6.1: not after version 2 of encrypted data; programs before
/// it may ask for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    Given,
    Omitted,
}

/// Writes armor to the end of a buffer.
pub(super) struct Armor<'b> {
    buffer: &'b mut Vec<u8>,
    lines: Encoding,
    /// What does not fill a line yet.
    rest: Vec<u8>,
    checksum: Option<Crc24>,
}

/// How many octets the armor of so much data has.
pub(super) fn armored_length(data: usize) -> usize {
    BEGIN.len() + data.div_ceil(LINE) * 66 + "=abcd\r\n".len() + END.len()
}

impl<'b> Armor<'b> {
    /// Begins with the first line.
    ///
    /// # Errors
    /// Never, as long as the alphabet is a valid one.
    pub(super) fn begin(buffer: &'b mut Vec<u8>, checksum: Checksum) -> io::Result<Self> {
        let lines = lines()?;
        buffer.extend_from_slice(BEGIN);
        let checksum = (checksum == Checksum::Given).then(Crc24::new);
        Ok(Self { buffer, lines, rest: Vec::with_capacity(LINE), checksum })
    }

    /// Writes what is left, and the last line.
    pub(super) fn finish(mut self) {
        let rest = std::mem::take(&mut self.rest);
        self.encode(&rest);
        if let Some(checksum) = &self.checksum {
            let line = format!("={}\r\n", BASE64.encode(&checksum.octets()));
            self.buffer.extend_from_slice(line.as_bytes());
        }
        self.buffer.extend_from_slice(END);
    }

    /// Whole lines, except at the end.
    fn encode(&mut self, data: &[u8]) {
        let start = self.buffer.len();
        self.buffer.resize(start + self.lines.encode_len(data.len()), 0);
        if let Some(to) = self.buffer.get_mut(start..) {
            self.lines.encode_mut(data, to);
        }
    }
}

impl io::Write for Armor<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(data);
        }
        let (first, data_after) = data.split_at(data.len().min((LINE - self.rest.len()) % LINE));
        self.rest.extend_from_slice(first);
        if self.rest.len() == LINE {
            let line = std::mem::replace(&mut self.rest, Vec::with_capacity(LINE));
            self.encode(&line);
        }
        let (whole, rest) = data_after.split_at(data_after.len() - data_after.len() % LINE);
        self.encode(whole);
        self.rest.extend_from_slice(rest);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// base64 in lines of 64 characters.
fn lines() -> io::Result<Encoding> {
    let mut specification: Specification = BASE64.specification();
    specification.wrap.width = 64;
    specification.wrap.separator.push_str("\r\n");
    specification.encoding().map_err(io::Error::other)
}

/// The checksum of RFC 9580, section 6.1.1, in the upper three octets.
///
/// Eight octets at a time: one at a time it takes longer than the encryption.
struct Crc24(u32);

impl Crc24 {
    fn new() -> Self {
        Self(0xB704_CE00)
    }

    fn update(&mut self, data: &[u8]) {
        let (eights, rest) = data.as_chunks::<8>();
        for eight in eights {
            self.update_eight(*eight);
        }
        for &octet in rest {
            let [first, ..] = self.0.to_be_bytes();
            self.0 = self.0 << 8 ^ step(0, first ^ octet);
        }
    }

    fn update_eight(&mut self, [a, b, c, d, e, f, g, h]: [u8; 8]) {
        let [w, x, y, z] = (self.0 ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
        let before = step(7, w) ^ step(6, x) ^ step(5, y) ^ step(4, z);
        self.0 = before ^ step(3, e) ^ step(2, f) ^ step(1, g) ^ step(0, h);
    }

    fn octets(&self) -> [u8; 3] {
        let [a, b, c, _] = self.0.to_be_bytes();
        [a, b, c]
    }
}

/// What an octet adds to the checksum when `after` (up to seven) octets follow it.
fn step(after: usize, octet: u8) -> u32 {
    CRC_TABLES[after][usize::from(octet)]
}

static CRC_TABLES: [[u32; 256]; 8] = crc_tables();

const fn crc_tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut octet = 0;
    while octet < 256 {
        let mut value = (octet as u32) << 24;
        let mut after = 0;
        while after < 8 {
            value = shift_eight(value);
            tables[after][octet] = value;
            after += 1;
        }
        octet += 1;
    }
    tables
}

const fn shift_eight(mut value: u32) -> u32 {
    let mut bit = 0;
    while bit < 8 {
        let is_carried = value & 0x8000_0000 != 0;
        value <<= 1;
        if is_carried {
            value ^= 0x864C_FB00;
        }
        bit += 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use proptest::prelude::*;
    use sequoia_openpgp::armor::{Kind, Reader, ReaderMode, Writer};

    use super::*;

    fn armored(pieces: &[&[u8]], checksum: Checksum) -> Vec<u8> {
        let mut buffer = Vec::new();
        let mut armor = Armor::begin(&mut buffer, checksum).unwrap();
        for piece in pieces {
            armor.write_all(piece).unwrap();
        }
        armor.finish();
        buffer
    }

    proptest! {
        #[test]
        fn it_is_what_sequoia_writes_but_for_the_line_ends(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..8)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let mut writer = Writer::new(Vec::new(), Kind::Message).unwrap();
            writer.write_all(&pieces.concat()).unwrap();
            let expected = String::from_utf8(writer.finalize().unwrap()).unwrap().replace('\n', "\r\n");
            let found = armored(&pieces, Checksum::Given);
            prop_assert_eq!(std::str::from_utf8(&found).unwrap(), expected);
            prop_assert!(found.len() <= armored_length(pieces.concat().len()));
        }
    }

    #[test]
    fn without_a_checksum_it_reads_as_well() {
        let found = armored(&[b"Hello"], Checksum::Omitted);
        assert_eq!(found, b"-----BEGIN PGP MESSAGE-----\r\n\r\nSGVsbG8=\r\n-----END PGP MESSAGE-----\r\n");
        let mut data = Vec::new();
        Reader::from_bytes(&found, ReaderMode::Tolerant(Some(Kind::Message))).read_to_end(&mut data).unwrap();
        assert_eq!(data, b"Hello");
    }
}

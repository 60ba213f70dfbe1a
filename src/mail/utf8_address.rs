//! Addresses in UTF-8 where only ASCII may stand: the escaped form of RFC 6533, section 3 (`utf-8-addr-xtext`).

/// What stands for itself (`QCHAR`).
#[must_use]
pub fn is_qchar(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '\\' | '+' | '=')
}

/// The address with `\x{…}` for every other character: `jürgen@example.org` gives `j\x{FC}rgen@example.org`.
#[must_use]
pub fn escape(address: &str) -> String {
    let one = |c: char| if is_qchar(c) { c.to_string() } else { format!("\\x{{{:02X}}}", u32::from(c)) };
    address.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_escaped() {
        for (address, escaped) in [
            ("a.b-c@example.org", "a.b-c@example.org"),
            ("j\u{fc}rgen@example.org", "j\\x{FC}rgen@example.org"),
            ("\u{1f600}+=\\ ", "\\x{1F600}\\x{2B}\\x{3D}\\x{5C}\\x{20}"),
        ] {
            assert_eq!(escape(address), escaped);
        }
    }
}

//! Display names: how they are read from a phrase (RFC 5322, section 3.2.5), and how they are written.
//!
//! What is read is for people: decoded, on one line, without the characters that could make a name show as something
//! else than it is. Names are read tolerantly (unquoted dots, `@` and 8-bit text are all sent) and written strictly: atoms,
//! else a quoted string, else encoded-words.

use super::address::{Address, is_atext};
use super::encoded_word;
use super::fold::{FieldWriter, without_controls};
use super::structured::{Kind, Token, unquote};

/// The text of a phrase, or nothing if it shows nothing. Comments are not part of it.
pub(super) fn read(value: &[u8], tokens: &[Token]) -> Option<String> {
    let mut bytes = Vec::new();
    let mut end = None;
    for token in tokens.iter().filter(|token| !token.is_comment()) {
        if end.is_some_and(|end| end < token.start) {
            bytes.push(b' ');
        }
        end = Some(token.end);
        match token.kind {
            Kind::Quoted => bytes.extend(unquote(token.of(value))),
            _ => bytes.extend_from_slice(token.of(value)),
        }
    }
    for_people(&encoded_word::decode(&bytes))
}

/// The text of a comment: the old way to give a name.
pub(super) fn read_comment(value: &[u8], comment: Token) -> Option<String> {
    for_people(&encoded_word::decode(&unquote(comment.of(value))))
}

/// One line of visible text. Controls become spaces; marks that change the direction of what follows are taken out,
/// because they can make the rest of a line (an address, say) read as another.
fn for_people(text: &str) -> Option<String> {
    let visible: String = without_controls(text).chars().filter(|&c| !is_direction_mark(c)).collect();
    let name = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

impl FieldWriter {
    /// Writes a display name: atoms if it can be, else a quoted string, else encoded-words.
    pub fn display_name(&mut self, name: &str) -> &mut Self {
        let name = without_controls(name);
        let name = name.trim_matches(' ');
        if name.is_empty() || name.split(' ').all(is_ascii_atom) {
            self.plain(name)
        } else if name.split(' ').any(encoded_word::needs_encoding) {
            self.encoded(1, name)
        } else {
            self.plain(&quote(name))
        }
    }

    /// Writes a mailbox: `Jane Doe <jane@example.com>`, or the address alone when there is no name to show.
    pub fn mailbox(&mut self, name: Option<&str>, address: &Address) -> &mut Self {
        match name.filter(|name| !name.trim().is_empty()) {
            Some(name) => self.display_name(name).token(&format!("<{address}>")),
            None => self.token(&address.to_string()),
        }
    }
}

fn is_ascii_atom(word: &str) -> bool {
    !word.is_empty() && !encoded_word::needs_encoding(word) && word.chars().all(is_atext)
}

fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::structured::Tokens;

    fn read_text(value: &str) -> Option<String> {
        let tokens: Vec<_> = Tokens::new(value.as_bytes()).collect();
        read(value.as_bytes(), &tokens)
    }

    fn written(name: &str) -> String {
        let mut field = FieldWriter::new("X");
        field.display_name(name);
        String::from_utf8(field.finish().as_bytes().to_vec())
            .unwrap()
            .trim_start_matches("X:")
            .trim()
            .to_owned()
    }

    #[test]
    fn names_are_read_for_people() {
        for (value, name) in [
            ("Jane Doe", Some("Jane Doe")),
            ("Jane \r\n Q. (the one)   Doe", Some("Jane Q. Doe")),
            ("\"Doe, \\\"Jane\\\"\"", Some("Doe, \"Jane\"")),
            ("\"=?UTF-8?Q?J=C3=BCrgen?=\"", Some("J\u{fc}rgen")),
            ("=?UTF-8?Q?a?= =?UTF-8?Q?b?= c", Some("ab c")),
            ("=?UTF-8?Q?a=0D=0ABcc:_x=00?=", Some("a Bcc: x")),
            ("a\u{202e}b", Some("ab")),
            ("\"\"", None),
            ("\" \"", None),
        ] {
            assert_eq!(read_text(value).as_deref(), name, "{value:?}");
        }
    }

    #[test]
    fn names_are_written_in_the_plainest_form() {
        for (name, form) in [
            ("Jane Doe", "Jane Doe"),
            ("Jane Q. Doe", "\"Jane Q. Doe\""),
            ("Jane  Doe", "\"Jane  Doe\""),
            ("Doe, \"J\\\"", "\"Doe, \\\"J\\\\\\\"\""),
            ("Jane Doe - jane at example.org", "\"Jane Doe - jane at example.org\""),
            ("J\u{fc}rgen", "=?UTF-8?Q?J=C3=BCrgen?="),
            ("=?UTF-8?Q?a?=", "=?UTF-8?B?PT9VVEYtOD9RP2E/PQ==?="),
            ("a\r\nb", "\"a  b\""),
        ] {
            assert_eq!(written(name), form, "{name:?}");
        }
    }

    #[test]
    fn a_mailbox_without_a_name_is_the_address_alone() {
        let address = Address::parse("jane@example.com").unwrap();
        let mut field = FieldWriter::new("From");
        field.mailbox(Some(" "), &address).glue(',').mailbox(Some("Jane"), &address);
        assert_eq!(field.finish().as_bytes(), b"From: jane@example.com, Jane <jane@example.com>\r\n");
    }

    proptest! {
        #[test]
        fn a_written_name_reads_back(name in "[!-~\u{e9}\u{4e2d}]{1,40}( [!-~\u{e9}\u{4e2d}]{1,40}){0,5}") {
            prop_assert_eq!(read_text(&written(&name)), Some(name));
        }
    }
}

//! Text whose lines are joined by its readers: `format=flowed` with `delsp=yes` (RFC 3676).

/// The signature line, which ends in a blank and is not joined to anything (section 4.3).
const SIGNATURE: &str = "-- ";

/// The text as it is read: a line that ends in a blank goes on, without that blank, in the next one of the same quotation.
pub(super) fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut flows_at = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        let (depth, said) = quoted(content);
        let starts_anew = flows_at != Some(depth);
        if starts_anew && flows_at.is_some() {
            out.push_str("\r\n");
        }
        out.push_str(if starts_anew {
            content.strip_suffix(' ').unwrap_or(content)
        } else {
            without_blank(said)
        });
        let flows = content.ends_with(' ') && said != SIGNATURE;
        if !flows {
            out.push_str(if content.ends_with(' ') { " " } else { "" });
            out.push_str(&line[content.len()..]);
        }
        flows_at = flows.then_some(depth);
    }
    out
}

/// How often a line is quoted, and what it says, without the blank that may stand before that (section 4.4).
fn quoted(line: &str) -> (usize, &str) {
    let said = line.trim_start_matches('>');
    (line.len() - said.len(), said.strip_prefix(' ').unwrap_or(said))
}

fn without_blank(said: &str) -> &str {
    said.strip_suffix(' ').unwrap_or(said)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_that_flow_are_joined() {
        for (text, read) in [
            ("me@exa \r\nmple.net\r\nx\r\n", "me@example.net\r\nx\r\n"),
            ("> me@exa \r\n> mple.net\r\nx", "> me@example.net\r\nx"),
            ("> a \r\nb \r\n c\r\n", "> a\r\nbc\r\n"),
            ("-- \r\nme\r\n", "-- \r\nme\r\n"),
            ("a \r\n", "a"),
            ("a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"),
            ("", ""),
        ] {
            assert_eq!(joined(text), read, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn only_line_ends_and_marks_go(text in "[a> \r\n\u{e9}-]{0,80}") {
            let letters = |text: &str| text.chars().filter(|c| matches!(c, 'a' | '\u{e9}')).count();
            prop_assert_eq!(letters(&joined(&text)), letters(&text));
        }
    }
}

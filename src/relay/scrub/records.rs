//! Calendars and address books (RFC 5545, RFC 6350), line by line.

/// Properties that programs make up, and nobody reads.
const IDS: [&str; 4] = ["UID", "RELATED-TO", "RECURRENCE-ID", "PRODID"];

/// The text with other ids, as `replace` has them; nothing when it changes none. It is given whole lines, folds included.
pub(super) fn replace_ids(text: &str, replace: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let length = line_length(rest);
        let line = rest.get(..length).unwrap_or(rest);
        if let Some(new) = Some(line).filter(|line| is_id(line)).and_then(&replace) {
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str(&new);
            copied = at + length;
        }
        at += length.max(1);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    (copied > 0).then_some(out)
}

/// The length of the line at the start, with the lines that continue it and its end.
fn line_length(text: &str) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        if length > 0 && !line.starts_with([' ', '\t']) {
            break;
        }
        length += line.len();
    }
    length
}

/// `UID:…`, `item1.X-…;…:…`: the properties above, and extensions.
fn is_id(line: &str) -> bool {
    let name = line.split([':', ';']).next().unwrap_or_default();
    let name = name.rsplit_once('.').map_or(name, |(_, name)| name).trim();
    let is_extension = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
    is_extension || IDS.iter().any(|id| name.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_change() {
        let replace = |line: &str| line.contains("me").then(|| line.replace("me", "shop"));
        let text = "SUMMARY:me\r\nUID:1-me@x\r\n  me\r\nitem1.x-A;b=me:1\r\nUID:2";
        let new = "SUMMARY:me\r\nUID:1-shop@x\r\n  shop\r\nitem1.x-A;b=shop:1\r\nUID:2";
        assert_eq!(replace_ids(text, replace).as_deref(), Some(new));
        assert_eq!(replace_ids("UID:1\r\nX", replace), None);
        assert_eq!(replace_ids("", replace), None);
    }
}

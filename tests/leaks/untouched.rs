//! What names no mailbox stays as it is: the same texts and attachments with somebody else in them leave with the same bytes.
//! Ids, boundaries and traces are not among them, which may change whoever they name.

use crate::letters::Plan;
use crate::methods;
use crate::owner::{NOBODY, OWNERS};
use crate::relay::leaves;

/// Kinds of methods that write into contents.
const CONTENTS: [&str; 8] = ["plain", "html", "charset", "type", "record", "binary", "openpgp", "beyond"];
/// A field of a nested message that goes, and contents that are refused because nobody can see into them.
const NOT_KEPT: [&str; 3] = [
    "openpgp: key in an autocrypt field of a message",
    "openpgp: compressed message",
    "openpgp: compressed message as octets",
];

#[test]
fn contents_that_name_somebody_else_keep_their_bytes() {
    let author = OWNERS[0].mailboxes[0].address();
    let mut kept = 0;
    for method in methods::all() {
        let kind = method.name.split_once(':').map_or("", |(kind, _)| kind);
        if !CONTENTS.contains(&kind) || NOT_KEPT.contains(&method.name.as_str()) {
            continue;
        }
        let letter = Plan::of(method, &NOBODY, 4711).letter_from(&author);
        let left = leaves(&letter, &OWNERS[0]);
        assert!(left.is_some(), "{} is refused", method.name);
        assert_eq!(left.as_deref().map(body), Some(body(&letter)), "{} is changed", method.name);
        kept += 1;
    }
    assert!(kept >= 150, "only {kept} contents");
}

fn body(message: &[u8]) -> &[u8] {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(&[], |end| &message[end + 4..])
}

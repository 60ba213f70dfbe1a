use super::*;

/// Everything that readers may see in a text.
fn readings(text: &str, syntax: Syntax) -> Vec<String> {
    let mut all = Vec::new();
    Reader::new(syntax, Letters::All).any(text, |reading| {
        all.push(reading.text.to_owned());
        false
    });
    all
}

#[test]
fn each_round_takes_one_layer_off() {
    assert_eq!(readings("a%2540&#37;41", Syntax::Plain), ["a%2540&#37;41", "a@%41", "a@A"]);
    assert_eq!(readings("plain < text", Syntax::Plain), ["plain < text"]);
}

#[test]
fn long_texts_are_read_in_windows() {
    let text = "\u{fc}bcdefghij".repeat(10);
    for (size, margin) in [(7, 3), (10, 0), (110, 4), (200, 1)] {
        let windows: Vec<_> = windows_of(&text, size, margin).collect();
        for (at, _) in text.char_indices() {
            let owners: Vec<_> = windows.iter().filter(|window| window.owns(at)).collect();
            assert_eq!(owners.len(), 1, "{at} of {size}");
            assert!(owners[0].offset <= at && at < owners[0].offset + owners[0].text.len());
        }
    }
}

#[test]
fn time_is_linear() {
    for (syntax, piece) in [
        (Syntax::Html, "<"),
        (Syntax::Html, "<a"),
        (Syntax::Html, "<a x=\">"),
        (Syntax::Html, "<!--"),
        (Syntax::Html, "<a b='"),
        (Syntax::Plain, "%25252540"),
        (Syntax::Plain, "&amp;"),
        (Syntax::Plain, "&#"),
        (Syntax::Escaped, "\\"),
        (Syntax::Folded, "QUOTED-PRINTABLE=\r\n "),
    ] {
        let text = piece.repeat(200_000 / piece.len());
        let steps = steps::of(|| drop(readings(&text, syntax)));
        assert!(steps < text.len() * 24, "{piece:?}: {steps} steps for {} bytes", text.len());
    }
}

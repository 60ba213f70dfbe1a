//! What somebody who made a typing error may have meant.

/// Below this likeness two words have nothing to do with one another.
const ALIKE: f64 = 0.8;

/// The candidate that is most like `word`, if one is like it at all.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (likeness(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Jaro-Winkler forgives a wrong ending, Damerau-Levenshtein swapped letters; a name of which words were forgotten
/// (`max_size` for `max_message_size`) is just alike.
fn likeness(typed: &str, candidate: &str) -> f64 {
    let forgotten = typed.split('_').all(|word| candidate.split('_').any(|other| other == word));
    let least = if forgotten { ALIKE } else { 0.0 };
    strsim::jaro_winkler(typed, candidate)
        .max(strsim::normalized_damerau_levenshtein(typed, candidate))
        .max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_word() {
        let words = ["listen", "max_message_size", "max_recipients", "postmaster"];
        for (typed, meant) in [
            ("lisen", Some("listen")),
            ("max_size", Some("max_message_size")),
            ("max_recipient", Some("max_recipients")),
            ("post_master", Some("postmaster")),
            ("colour", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
    }
}

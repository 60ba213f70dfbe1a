//! What a mailbox looks like in a text.

use unicode_normalization::char::{compose, decompose_compatible};

use super::{Rule, What};

/// Characters of the text around a find that are shown.
const CONTEXT: usize = 32;
/// A local part with fewer characters tells nothing by itself.
const SHORTEST_WORD: usize = 3;
/// Local parts of that many octets do not occur by chance.
const SELDOM: usize = 6;
/// Longest tag that is looked at.
const LONGEST_TAG: usize = 80;

/// A mailbox that must not show.
#[derive(Debug, Clone)]
pub struct Secret {
    local: String,
    /// The domain in A-labels, and in letters when that is different.
    domains: Vec<String>,
}

impl Secret {
    /// Of an address: what stands before the last `@` (without quotes) and what stands behind it.
    pub fn of(address: &str) -> Self {
        let (local, domain) = address.rsplit_once('@').unwrap_or(("", address));
        let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
        let unicode = fold(&idna::domain_to_unicode(&ascii).0);
        let mut domains = vec![fold(&ascii), unicode];
        domains.dedup();
        Self { local: fold(local.trim_matches('"')), domains }
    }

    /// What of it shows in a folded text, with the text around it.
    pub fn shows(&self, folded: &str, rule: Rule) -> Vec<(What, String)> {
        let mut found = Vec::new();
        if let Some(at) = self.address_in(folded) {
            found.push((What::Address, excerpt(folded, at)));
        }
        if matches!(rule, Rule::FileName | Rule::Trace)
            && let Some(at) = self.domains.iter().find_map(|domain| word_in(folded, domain))
        {
            found.push((What::Domain, excerpt(folded, at)));
        }
        if self.local_part_matters(rule)
            && self.means_something_in(folded)
            && let Some(at) = word_in(folded, &self.local)
        {
            found.push((What::LocalPart, excerpt(folded, at)));
        }
        found
    }

    /// Two or three letters occur by chance where something was decoded that was no text.
    fn means_something_in(&self, text: &str) -> bool {
        let is_text = || text.bytes().all(|octet| octet.is_ascii_graphic() || b" \t\r\n".contains(&octet));
        self.local.len() >= SELDOM || is_text()
    }

    fn local_part_matters(&self, rule: Rule) -> bool {
        match rule {
            Rule::Prose => false,
            _ if self.local.chars().count() < SHORTEST_WORD => false,
            Rule::Description | Rule::FileName => {
                self.local.chars().count() >= 8 || !self.local.chars().all(char::is_alphabetic)
            }
            Rule::Trace => true,
        }
    }

    fn address_in(&self, text: &str) -> Option<usize> {
        text.match_indices(self.local.as_str())
            .filter(|(at, _)| !is_end_of_another(&text[..*at]))
            .find(|(at, local)| self.domain_follows(&text[at + local.len()..]))
            .map(|(at, _)| at)
    }

    /// Whether what follows a local part makes it the address: perhaps a tag, a quote, white space; `@` and the domain.
    fn domain_follows(&self, rest: &str) -> bool {
        let rest = without_tag(rest);
        let rest = rest.strip_prefix('"').unwrap_or(rest).trim_start();
        let Some(rest) = rest.strip_prefix('@') else { return false };
        let rest = rest.trim_start();
        self.domains
            .iter()
            .any(|domain| rest.strip_prefix(domain.as_str()).is_some_and(|after| !goes_on_as_a_name(after)))
    }
}

/// Makes texts that people read alike the same: case, compatibility forms, invisible characters.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
        } else if is_its_own_form(c) {
            folded.extend(c.to_lowercase());
        } else if !is_invisible(c) {
            decompose_compatible(c, |piece| push_composed(&mut folded, piece));
        }
    }
    folded
}

/// A mark goes together with the letter before it.
fn push_composed(folded: &mut String, c: char) {
    let whole = folded.chars().next_back().and_then(|last| compose(last, c));
    if whole.is_some() {
        folded.pop();
    }
    folded.extend(whole.unwrap_or(c).to_lowercase());
}

/// Western letters, quotation marks and what stands for octets that are no character: the most, and the slow way changes none.
fn is_its_own_form(c: char) -> bool {
    matches!(c, '\0'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '\u{2010}'..='\u{2023}' | '\u{2030}'..='\u{203a}' | '\u{20ac}' | '\u{2122}' | '\u{fffd}')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

fn without_tag(rest: &str) -> &str {
    if !rest.starts_with('+') {
        return rest;
    }
    let end = rest.find(|c: char| c == '@' || c == '"' || c.is_whitespace()).unwrap_or(rest.len());
    if end > LONGEST_TAG { rest } else { &rest[end..] }
}

/// `example.net` is not shown by `example.network`, `example.net.au` or `example.net-work`.
fn goes_on_as_a_name(after: &str) -> bool {
    let mut chars = after.chars();
    match chars.next() {
        Some('.' | '-') => chars.next().is_some_and(char::is_alphanumeric),
        Some(c) => c.is_alphanumeric(),
        None => false,
    }
}

/// `john.smith@example.net` does not show `smith@example.net`.
fn is_end_of_another(before: &str) -> bool {
    ends_in_a_word(before.strip_suffix(['.', '-', '_']).unwrap_or(before))
}

fn ends_in_a_word(before: &str) -> bool {
    before.chars().next_back().is_some_and(char::is_alphanumeric)
}

/// Where a word stands that has no letter or digit on either side.
fn word_in(text: &str, word: &str) -> Option<usize> {
    let stands_alone = |at: usize| {
        let after = text[at + word.len()..].chars().next();
        !ends_in_a_word(&text[..at]) && !after.is_some_and(char::is_alphanumeric)
    };
    text.match_indices(word).map(|(at, _)| at).find(|at| stands_alone(*at))
}

fn excerpt(text: &str, at: usize) -> String {
    let before: Vec<char> = text[..at].chars().rev().take(CONTEXT).collect();
    before.into_iter().rev().chain(text[at..].chars().take(2 * CONTEXT)).collect()
}

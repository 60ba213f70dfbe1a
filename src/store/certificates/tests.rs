use super::*;
use crate::relay::openpgp::Fingerprint;

fn fingerprint(digit: char) -> Fingerprint {
    Fingerprint::parse(&digit.to_string().repeat(40)).unwrap()
}

fn certificate(digit: char, origin: Origin) -> Certificate {
    Certificate { fingerprint: fingerprint(digit), data: Arc::from([1, 2, 3].as_slice()), origin }
}

#[test]
fn a_certificate_of_a_letter_counts_only_alone() {
    let letter = certificate('A', Origin::Autocrypt { mutual: true });
    let imported = certificate('B', Origin::Imported);
    let found = certificate('C', Origin::Wkd);
    assert_eq!(that_count(vec![letter.clone()]), std::slice::from_ref(&letter));
    assert_eq!(
        that_count(vec![letter, imported.clone(), found.clone()]),
        [imported, found],
        "in the order in which they came"
    );
    assert_eq!(that_count(vec![]), []);
}

#[test]
fn the_weight_of_an_answer_is_that_of_its_certificates() {
    assert_eq!(Held(Arc::default()).weight(), 1, "a bounded number of empty answers");
    let two = [certificate('A', Origin::Imported), certificate('B', Origin::Wkd)];
    assert_eq!(Held(Arc::from(two)).weight(), 7);
}

#[test]
fn only_a_newer_letter_is_news() {
    let address = "bob@example.org".parse().unwrap();
    let found =
        Inspected { fingerprint: fingerprint('A'), addresses: vec![], expires_at: None, data: vec![1, 2, 3] };
    let there = |digit: char, mutual, seen_at| AutocryptRow {
        id: 1,
        fingerprint: fingerprint(digit).to_string(),
        data: vec![1, 2, 3],
        mutual,
        seen_at: Some(seen_at),
    };
    let day = 24 * SEEN_AGAIN_AFTER;
    let seen_at = Timestamp::from_millis(day);
    let harvest = Harvest {
        account: AccountId(1),
        address: &address,
        found: &found,
        mutual: true,
        seen_at,
        now: seen_at,
    };
    for (row, news, why) in [
        (there('B', true, day - 1), true, "another certificate"),
        (there('A', false, day - 1), true, "another preference"),
        (there('B', true, day), false, "no newer"),
        (there('B', true, day + 1), false, "older"),
        (there('A', true, day - 1), false, "the same, just now"),
        (there('A', true, 0), true, "the same, long ago"),
        (AutocryptRow { seen_at: None, ..there('A', true, 0) }, true, "nobody knows when"),
    ] {
        assert_eq!(harvest.is_news_after(&row), news, "{why}");
    }
}

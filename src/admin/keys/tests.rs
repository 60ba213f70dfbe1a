use super::super::fake::{Fake, FakePgp};
use super::super::records::{KeyOrigin, NewAlias, Page};
use super::*;
use crate::relay::alias::Mode;

const ACCOUNT: AccountId = AccountId(1);
fn now() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}
const EVERYTHING: Page = Page { limit: 100, after: None };

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

async fn registry() -> Fake {
    Fake::with_alias("shop@example.com", "jane@example.net").await
}

async fn import_for(registry: &Fake, holder: &str, file: &str) -> Result<Imported, RegistryError> {
    import(registry, &FakePgp, ACCOUNT, &address(holder), file.as_bytes(), now()).await
}

/// Why the file is refused; nothing of it was taken.
async fn refused(registry: &Fake, holder: &str, file: &str) -> String {
    let error = import_for(registry, holder, file).await.unwrap_err();
    assert!(registry.keys(ACCOUNT, None, &EVERYTHING).await.unwrap().is_empty(), "{file}");
    error.to_string()
}

#[tokio::test]
async fn a_mailbox_takes_any_certificate_that_can_be_used() {
    let registry = registry().await;
    let imported =
        import_for(&registry, "jane@example.net", "A jane@example.net\nB j@example.org").await.unwrap();
    let found: Vec<_> =
        imported.keys.iter().map(|key| (key.holder, key.origin, key.address.as_str())).collect();
    assert_eq!(found, [(Holder::Mailbox, KeyOrigin::Imported, "jane@example.net"); 2]);
    let remark = "does not name jane@example.net, but j@example.org";
    assert!(matches!(&*imported.remarks, [only] if only.contains(remark)), "{:?}", imported.remarks);
    let nameless = import_for(&registry, "jane@example.net", "C").await.unwrap().remarks;
    assert!(nameless[0].ends_with("but no address at all"), "{nameless:?}");
}

#[tokio::test]
async fn of_a_file_with_a_useless_certificate_nothing_is_taken() {
    let registry = registry().await;
    let file = "A jane@example.net\nold jane@example.net";
    assert_eq!(
        refused(&registry, "jane@example.net", file).await,
        "key: \"old jane@example.net\" has expired"
    );
    assert_eq!(refused(&registry, "jane@example.net", "").await, "key: there is no certificate in it");
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_a_way_out() {
    let registry = registry().await;
    let huge = "x".repeat(LARGEST_FILE + 1);
    assert!(refused(&registry, "jane@example.net", &huge).await.contains("larger than 1048576 octets"));
    let signed_by_all = format!("A {}", "jane@example.net ".repeat(10_000)).trim_end().to_owned();
    let text = refused(&registry, "jane@example.net", &signed_by_all).await;
    assert!(text.contains("export-minimal"), "{text}");
}

#[tokio::test]
async fn a_contact_s_certificate_names_the_contact() {
    let registry = registry().await;
    let wrong = "A bob@example.org\nB mallory@example.org";
    let text = refused(&registry, "bob@example.org", wrong).await;
    assert!(text.contains("names bob@example.org, only mallory@example.org"), "{text}");
    let imported = import_for(&registry, "Bob@example.org", "A x@example.org BOB@Example.Org").await.unwrap();
    assert_eq!((imported.keys[0].holder, imported.remarks), (Holder::Contact, vec![]));
}

#[tokio::test]
async fn an_alias_s_certificate_names_the_alias_and_no_mailbox() {
    let registry = registry().await;
    for (file, part) in [
        ("A shop@example.com jane@example.net", "names the mailbox jane@example.net"),
        ("A Jane+pgp@Example.NET shop@example.com", "names the mailbox Jane+pgp@example.net"),
        ("A shop@example.com\nB shop@example.com jane@example.net", "names the mailbox"),
        ("A other@example.com", "names shop@example.com, only other@example.com"),
        ("A", "only no address at all"),
    ] {
        let text = refused(&registry, "shop@example.com", file).await;
        assert!(text.contains(part), "{text}");
    }
    let file = "A shop@example.com jane.doe@example.org other@example.com";
    let imported = import_for(&registry, "shop@example.com", file).await.unwrap();
    assert_eq!(imported.keys[0].holder, Holder::Alias);
}

#[tokio::test]
async fn a_mistyped_alias_is_no_contact() {
    let text = refused(&registry().await, "shp@example.com", "A shp@example.com").await;
    assert_eq!(text, "there is no alias \"shp@example.com\"");
}

#[tokio::test]
async fn a_mailbox_is_added_with_its_certificates_or_not_at_all() {
    let registry = registry().await;
    let work = address("work@example.net");
    let add = async |file: &str| {
        add_mailbox(&registry, &FakePgp, (ACCOUNT, &work), true, file.as_bytes(), now()).await
    };
    assert!(add("old").await.is_err());
    assert_eq!(registry.mailboxes(ACCOUNT, &EVERYTHING).await.unwrap().len(), 1);
    let (mailbox, remarks) = add("A work@example.net\nB w@example.net").await.unwrap();
    assert_eq!(mailbox.pgp_fingerprint, Some("B".repeat(40)));
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert_eq!(registry.keys(ACCOUNT, Some(&work), &EVERYTHING).await.unwrap().len(), 2);
}

#[tokio::test]
async fn who_removes_the_last_certificate_is_told_what_that_means() {
    let registry = registry().await;
    let new = NewAlias {
        address: address("blog@example.com"),
        mailboxes: vec![address("jane@example.net")],
        name: None,
        note: None,
        mode: Mode::Reverse,
        expires_at: None,
    };
    registry.add_alias(ACCOUNT, &new, now()).await.unwrap();
    import_for(&registry, "jane@example.net", "A\nB").await.unwrap();
    import_for(&registry, "blog@example.com", "C blog@example.com").await.unwrap();
    import_for(&registry, "bob@example.org", "D bob@example.org").await.unwrap();
    for (digit, part) in [
        ("A", None),
        ("B", Some("mail to jane@example.net is NOT encrypted from now on")),
        ("C", Some("no longer published")),
        ("D", Some("replies to bob@example.org may leave in the clear")),
    ] {
        let fingerprint = Fingerprint::parse(&digit.repeat(40)).unwrap();
        let (removed, meaning) = remove(&registry, ACCOUNT, None, &fingerprint).await.unwrap();
        assert_eq!(removed.key.fingerprint, fingerprint);
        assert_eq!(meaning.is_some(), part.is_some(), "{meaning:?}");
        assert!(meaning.unwrap_or_default().contains(part.unwrap_or_default()), "{digit}");
    }
}

#[tokio::test]
async fn an_alias_shares_its_certificate_with_nobody() {
    for (first, second) in
        [("jane@example.net", "shop@example.com"), ("shop@example.com", "jane@example.net")]
    {
        let registry = registry().await;
        import_for(&registry, first, &format!("A {first}")).await.unwrap();
        // The same primary key with another user id: its fingerprint leads from the one to the other.
        let refused = import_for(&registry, second, &format!("A {second}")).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("that of {first} as well")), "{refused}");
        import_for(&registry, first, &format!("A {first}")).await.unwrap();
        import_for(&registry, second, &format!("B {second}")).await.unwrap();
    }
}

#[tokio::test]
async fn who_brings_the_revoked_form_of_a_certificate_in_use_is_told_what_to_do() {
    let registry = registry().await;
    import_for(&registry, "jane@example.net", "A jane@example.net").await.unwrap();
    let revoked = format!("{} was-revoked", "A".repeat(40));
    let told = import_for(&registry, "jane@example.net", &revoked).await.unwrap_err().to_string();
    assert!(told.contains(&format!("aliasd key remove {}", "A".repeat(40))), "{told}");
    let other = format!("{} was-revoked", "B".repeat(40));
    let told = import_for(&registry, "jane@example.net", &other).await.unwrap_err().to_string();
    assert!(!told.contains("key remove"), "{told}");
}

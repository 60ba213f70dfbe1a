//! What is published for an alias, as GnuPG reads it.

use aliasd::mail::Address;
use aliasd::pgp;
use aliasd::relay::wkd;

use crate::gnupg::{Gnupg, JANE};

#[test]
#[ignore = "needs GnuPG: run ./test"]
fn an_alias_s_certificate_has_one_name_where_gnupg_looks_for_it() {
    let owner = Gnupg::new();
    let fingerprint = owner.make(&JANE);
    owner.ask(&["--quick-add-uid", &fingerprint, "The Shop <Shop.1+x@example.com>"], b"");
    let alias: Address = "shop.1+x@example.com".parse().expect("an address");
    let published =
        pgp::naming_only(&owner.export(&fingerprint), &alias).expect("a certificate with that name");

    let contact = Gnupg::new();
    let listing = contact.ask(&["--with-wkd-hash", "--show-keys"], &published);
    let listing = String::from_utf8(listing).expect("a listing");
    assert!(listing.contains(&fingerprint) && listing.contains("The Shop"), "{listing}");
    assert!(!listing.contains("jane"), "{listing}");
    let place = format!("{}@example.com", wkd::hash("Shop.1+x"));
    assert!(listing.lines().any(|line| line.trim() == place), "{listing}");

    contact.ask(&["--import"], &published);
    let sealed = contact.ask(&["--encrypt", "--recipient", "shop.1+x@example.com"], b"A letter");
    assert_eq!(owner.decrypt(&sealed), b"A letter");
}

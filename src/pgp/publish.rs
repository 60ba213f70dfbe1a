//! A certificate as strangers may see it: with the user ids of one address alone.

use std::collections::HashSet;

use sequoia_openpgp::Cert;
use sequoia_openpgp::packet::UserID;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::SerializeInto;

use crate::mail::Address;

/// The certificate, binary, without the user ids that name anybody but `address` and without what others have signed, which
/// would tell who knows its owner. None when no user id is left, or it cannot be read.
///
/// Whether it is still good is not asked: also who has it already wants to know that it was revoked.
#[must_use]
pub fn naming_only(certificate: &[u8], address: &Address) -> Option<Vec<u8>> {
    let cert = Cert::from_bytes(certificate).ok()?;
    // First what is the owner's own, then the names.
    let own = Cert::from_packets(super::inspect::own_packets(&cert).into_iter()).ok()?;
    let own =
        own.retain_user_attributes(|_| false).retain_userids(|user_id| names(user_id.userid(), address));
    own.userids().next()?;
    own.export_to_vec().ok()
}

/// Whether two certificates have a key in common, primary or not: whoever finds the one under one address, and the other under
/// another, knows that both are one person's. What cannot be read may have any key.
#[must_use]
pub fn share_a_key(one: &[u8], other: &[u8]) -> bool {
    let (Ok(one), Ok(other)) = (Cert::from_bytes(one), Cert::from_bytes(other)) else { return true };
    let keys: HashSet<_> = one.keys().map(|key| key.key().fingerprint()).collect();
    other.keys().any(|key| keys.contains(&key.key().fingerprint()))
}

fn names(user_id: &UserID, address: &Address) -> bool {
    let named = user_id.email().ok().flatten().and_then(|text| Address::parse(text).ok());
    named.is_some_and(|named| named == *address)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use memchr::memmem;
    use sequoia_openpgp::cert::CertBuilder;
    use sequoia_openpgp::packet::UserID;
    use sequoia_openpgp::policy::StandardPolicy;

    use super::super::testing::{DAY, at, builder, jane, now};
    use super::*;
    use crate::relay::openpgp::Unusable;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn two_names() -> Cert {
        builder().add_userid("The Shop <Shop@example.com>").generate().unwrap().0
    }

    #[test]
    fn one_name_is_left_and_it_can_be_encrypted_to() {
        let file = naming_only(&two_names().to_vec().unwrap(), &address("shop@example.com")).unwrap();
        let found = super::super::inspect::inspect(&file, at()).unwrap();
        assert_eq!(found[0].addresses, [address("shop@example.com")]);
        assert!(memmem::find(&file, b"jane").is_none());
    }

    #[test]
    fn keys_in_common_are_seen() {
        let (one, other) = (two_names().to_vec().unwrap(), two_names().to_vec().unwrap());
        let shop = naming_only(&one, &address("shop@example.com")).unwrap();
        assert!(share_a_key(&one, &shop));
        assert!(!share_a_key(&one, &other));
        assert!(share_a_key(&one, b"rubbish"));
    }

    #[test]
    fn without_the_name_there_is_nothing() {
        let file = jane().to_vec().unwrap();
        assert_eq!(naming_only(&file, &address("shop@example.com")), None);
        assert_eq!(naming_only(&file, &address("jane+shop@example.net")), None);
        assert_eq!(naming_only(b"<html>", &address("jane@example.net")), None);
        assert_eq!(naming_only(b"", &address("jane@example.net")), None);
    }

    #[test]
    fn who_has_signed_it_does_not_show() {
        let (shop, signer) = (two_names(), jane());
        let mut key = signer.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let name = UserID::from("The Shop <Shop@example.com>");
        let known = name.certify(&mut key, &shop, None, None, now() - DAY).unwrap();
        let shop = shop.insert_packets(vec![known]).unwrap().0;
        let signer = signer.fingerprint();
        assert!(memmem::find(&shop.to_vec().unwrap(), signer.as_bytes()).is_some());
        let file = naming_only(&shop.to_vec().unwrap(), &address("shop@example.com")).unwrap();
        assert!(memmem::find(&file, signer.as_bytes()).is_none());
    }

    #[test]
    fn a_revocation_is_told() {
        let (cert, revocation) = builder().generate().unwrap();
        let revoked = cert.insert_packets(vec![revocation]).unwrap().0;
        let file = naming_only(&revoked.to_vec().unwrap(), &address("jane@example.net")).unwrap();
        let Unusable(why) = super::super::inspect::inspect(&file, at()).unwrap_err();
        assert!(why.contains("revoked"), "{why}");
    }

    #[test]
    fn a_secret_is_never_told() {
        let cert = CertBuilder::general_purpose(Some("jane@example.net"))
            .set_creation_time(now() - Duration::from_secs(60))
            .generate()
            .unwrap()
            .0;
        let secret = cert.as_tsk().to_vec().unwrap();
        let file = naming_only(&secret, &address("jane@example.net")).unwrap();
        let shown = Cert::from_bytes(&file).unwrap();
        assert!(!shown.is_tsk() && shown.with_policy(&StandardPolicy::new(), now()).is_ok());
    }
}

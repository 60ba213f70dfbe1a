use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sequoia_openpgp::Cert;
use sequoia_openpgp::cert::CertBuilder;
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::super::http::{Bound, Room};
use super::super::surroundings::System;
use super::*;
use crate::api;
use crate::net::dns::Dns;
use crate::net::dns::zone::{self, Records};
use crate::net::tls::{Connectors, provider};
use crate::net::wkd::{self, Wkd};
use crate::relay::alias::{AliasId, CatchAll, Contact, DomainId};
use crate::relay::keyring;
use crate::relay::openpgp::Fingerprint;
use crate::relay::ports::{Counted, WantedContact};
use crate::relay::ports::{KeyDiscovery as _, Surroundings as _};
use crate::relay::testing;

/// Knows the alias `shop@example.com` with these certificates, a reverse alias of it, and a catch-all at `example.net`.
#[derive(Default)]
struct Fake {
    certificates: Vec<Certificate>,
    of_mailbox: Vec<Certificate>,
    asked: Mutex<Vec<String>>,
}

impl Directory for Fake {
    async fn lookup(&self, address: &Address) -> Result<Lookup, Unavailable> {
        self.asked.lock().push("lookup".to_owned());
        let alias = Arc::new(testing::alias());
        let (base, contact) = (address.without_tag(), testing::contact());
        Ok(match address.domain().map(DomainName::as_str) {
            Some("example.com") if base.as_ref().unwrap_or(address) == &alias.address => Lookup::Alias(alias),
            Some("example.com") if *address == contact.reverse_alias => {
                Lookup::ReverseAlias(alias, Arc::new(contact))
            }
            Some("example.com") => Lookup::Unknown,
            Some("example.net") => Lookup::Creatable(Arc::new(CatchAll {
                domain_id: DomainId(1),
                account: alias.account,
                domain: address.domain().unwrap().clone(),
                mailbox: None,
            })),
            _ => Lookup::ForeignDomain,
        })
    }

    async fn alias_with_id(&self, _: AliasId) -> Result<Option<Arc<Alias>>, Unavailable> {
        Ok(None)
    }

    async fn find_contact(&self, _: AliasId, _: &Address) -> Result<Option<Contact>, Unavailable> {
        Ok(None)
    }

    async fn contacts(&self, _: &Alias, _: &[WantedContact]) -> Result<Vec<Contact>, Unavailable> {
        Ok(Vec::new())
    }

    async fn create_alias(&self, _: &CatchAll, _: &Address) -> Result<Arc<Alias>, Unavailable> {
        Err(Unavailable("nothing is made here".to_owned()))
    }

    async fn certificates(
        &self,
        account: AccountId,
        address: &Address,
    ) -> Result<Arc<[Certificate]>, Unavailable> {
        self.asked.lock().push("certificates".to_owned());
        Ok(match address {
            _ if account != testing::alias().account => Arc::default(),
            _ if testing::alias().mailboxes.iter().any(|mailbox| mailbox.address == *address) => {
                self.of_mailbox.clone().into()
            }
            _ => self.certificates.clone().into(),
        })
    }

    async fn encrypting_owner(&self, _: &Address) -> Result<Option<AccountId>, Unavailable> {
        Ok(None)
    }

    fn count(&self, _: AliasId, _: Counted) {}
}

fn certificate(origin: Origin, names: &[&str]) -> Certificate {
    let builder = names.iter().fold(CertBuilder::new(), |builder, &name| builder.add_userid(name));
    let cert = builder.add_transport_encryption_subkey().generate().unwrap().0;
    let fingerprint = Fingerprint::parse(&cert.fingerprint().to_hex()).unwrap();
    Certificate { fingerprint, data: cert.to_vec().unwrap().into(), origin }
}

async fn published(certificates: Vec<Certificate>, address: &str) -> Option<Vec<u8>> {
    let fake = Fake { certificates, ..Fake::default() };
    let answer = Published::new(fake).published(&address.parse().unwrap()).await;
    answer.unwrap()
}

const SHOP: &str = "The Shop <shop@example.com>";

#[tokio::test]
async fn an_alias_shows_under_its_own_name_alone() {
    let ours = certificate(Origin::Imported, &["Me <me@example.net>", SHOP]);
    let fingerprint = ours.fingerprint.clone();
    let file = published(vec![ours], "Shop@example.com").await.unwrap();
    let shown = Cert::from_bytes(&file).unwrap();
    let names: Vec<_> = shown.userids().map(|name| name.userid().to_string()).collect();
    assert_eq!((shown.fingerprint().to_hex().as_str(), names), (fingerprint.as_str(), vec![SHOP.to_owned()]));
}

#[tokio::test]
async fn only_what_was_imported_for_an_alias_is_published() {
    let imported = || vec![certificate(Origin::Imported, &[SHOP])];
    assert!(published(imported(), "shop@example.com").await.is_some());
    for address in [
        "shop+tag@example.com",
        "nobody@example.com",
        "jane_at_example_org.aaaaaaaaaaaaaaaa@example.com",
        "shop@example.net",
        "shop@example.org",
    ] {
        assert_eq!(published(imported(), address).await, None, "{address}");
    }
    for origin in [Origin::Wkd, Origin::Autocrypt { mutual: true }] {
        assert_eq!(published(vec![certificate(origin, &[SHOP])], "shop@example.com").await, None);
    }
    let other = certificate(Origin::Imported, &["me@example.net"]);
    assert_eq!(published(vec![other], "shop@example.com").await, None);
    assert_eq!(published(vec![], "shop@example.com").await, None);
}

#[tokio::test]
async fn a_name_that_shows_the_mailbox_is_not_published() {
    let shows = certificate(Origin::Imported, &["Shop (ask ME@Example.net) <shop@example.com>"]);
    assert_eq!(published(vec![shows], "shop@example.com").await, None);
}

#[tokio::test]
async fn a_key_of_a_mailbox_is_not_published() {
    let both = certificate(Origin::Imported, &["Me <me@example.net>", SHOP]);
    let other = certificate(Origin::Imported, &["Me <me@example.net>"]);
    for (of_mailbox, is_published) in [(both.clone(), false), (other, true)] {
        let fake = Fake { certificates: vec![both.clone()], of_mailbox: vec![of_mailbox], ..Fake::default() };
        let answer = Published::new(fake).published(&"shop@example.com".parse().unwrap()).await.unwrap();
        assert_eq!(answer.is_some(), is_published);
    }
}

#[tokio::test]
async fn several_are_published_one_after_the_other() {
    let two = vec![certificate(Origin::Imported, &[SHOP]), certificate(Origin::Imported, &[SHOP])];
    let file = published(two.clone(), "shop@example.com").await.unwrap();
    let shown = sequoia_openpgp::cert::CertParser::from_bytes(&file).unwrap();
    let shown: Vec<_> = shown.map(|cert| cert.unwrap().fingerprint().to_hex()).collect();
    assert_eq!(shown, two.iter().map(|one| one.fingerprint.as_str().to_owned()).collect::<Vec<_>>());
}

#[tokio::test]
async fn nobody_costs_as_much_as_an_alias() {
    for address in ["shop@example.com", "nobody@example.com", "shop@example.org"] {
        let published = Published::new(Fake::default());
        assert_eq!(published.published(&address.parse().unwrap()).await.unwrap(), None);
        assert_eq!(*published.0.asked.lock(), ["lookup", "certificates"], "{address}");
    }
}

#[tokio::test]
async fn our_domains_are_known() {
    let published = Published::new(Fake::default());
    for (domain, expected) in [("example.com", true), ("example.net", true), ("example.org", false)] {
        assert_eq!(published.is_ours(&domain.parse().unwrap()).await.unwrap(), expected, "{domain}");
    }
}

/// A proxy that speaks TLS under these names and hands on to `behind`; where it is, and who trusts it.
async fn tls_in_front_of(behind: SocketAddr, names: &[&str]) -> (SocketAddr, Connectors) {
    let made =
        rcgen::generate_simple_self_signed(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    let made = made.unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let server =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let server =
        server.with_no_client_auth().with_single_cert(vec![certificate.clone()], key.into()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outside = acceptor.accept(stream).await.unwrap();
                let mut inside = TcpStream::connect(behind).await.unwrap();
                // Either side may be the first to leave.
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    (address, Connectors::opportunistic().unwrap().verified_by(client))
}

/// The whole way: our own look-up finds what our own listener publishes, by either method.
#[tokio::test]
async fn what_is_published_is_found() {
    const ADVANCED: Records = &[("openpgpkey.example.com.", "A", "127.0.0.1")];
    const DIRECT: Records = &[("example.com.", "A", "127.0.0.1")];
    for (records, host) in [(ADVANCED, "openpgpkey.example.com"), (DIRECT, "example.com")] {
        let ours = certificate(Origin::Imported, &[SHOP, "Me <me@example.net>"]);
        let fingerprint = ours.fingerprint.clone();
        let fake = Fake { certificates: vec![ours], ..Fake::default() };
        let web = Bound::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let web = web.serve(api::web::router(Arc::new(Published::new(fake))), Room::FOR_STRANGERS);
        let (address, tls) = tls_in_front_of(web.addresses[0], &[host]).await;

        let dns = Dns::new(&[zone::serve(records).await]).unwrap();
        let options = wkd::Options { dns, tls, reach: wkd::Reach::Anywhere, port: address.port() };
        let client = Wkd::new(options).unwrap();
        let engine = pgp::Engine::new(true);
        let shop: Address = "Shop@example.com".parse().unwrap();
        let file = client.discover(&shop).await.unwrap();
        let found = keyring::usable_for(&engine, &file, &shop, System.now()).unwrap();
        assert_eq!((found.len(), &found[0].fingerprint), (1, &fingerprint), "{host}");
        assert_eq!(found[0].addresses, [shop]);
        assert_eq!(client.discover(&"nobody@example.com".parse().unwrap()).await, Ok(Vec::new()));
        web.stop().await;
    }
}

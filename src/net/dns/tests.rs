use super::*;
use proptest::prelude::*;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn hosts(list: &[(u16, &str)]) -> Vec<MailHost> {
    list.iter().map(|&(preference, text)| MailHost { preference, name: name(text) }).collect()
}

fn records(list: &[(u16, &str)]) -> Vec<(u16, String)> {
    list.iter().map(|&(preference, text)| (preference, text.to_owned())).collect()
}

#[test]
fn mx_records_become_hosts_in_order() {
    let found =
        mail_hosts_of(records(&[(20, "b.example.net."), (10, "A.example.net."), (20, "c.example.net")]));
    assert_eq!(found, Ok(hosts(&[(10, "a.example.net"), (20, "b.example.net"), (20, "c.example.net")])));
}

#[test]
fn null_mx_and_records_of_no_use() {
    for (list, expected) in [
        (records(&[(0, ".")]), Err(DnsFailure::NullMx)),
        (records(&[(10, ".")]), Err(DnsFailure::NullMx)),
        (records(&[]), Err(DnsFailure::NoData)),
        (records(&[(10, "not a host.")]), Err(DnsFailure::NoData)),
        (records(&[(0, "."), (10, "mx.example.net.")]), Ok(hosts(&[(10, "mx.example.net")]))),
    ] {
        assert_eq!(mail_hosts_of(list.clone()), expected, "{list:?}");
    }
}

#[test]
fn mail_never_comes_back_to_us() {
    let us = name("us.example.com");
    for (before, after) in [
        (hosts(&[(10, "a.example.net")]), Ok(hosts(&[(10, "a.example.net")]))),
        (
            hosts(&[
                (10, "a.example.net"),
                (20, "US.example.com"),
                (20, "b.example.net"),
                (30, "c.example.net"),
            ]),
            Ok(hosts(&[(10, "a.example.net")])),
        ),
        (hosts(&[(10, "us.example.com")]), Err(DnsFailure::Loop)),
        (hosts(&[(10, "a.example.net"), (10, "us.example.com")]), Err(DnsFailure::Loop)),
        (
            hosts(&[(5, "a.example.net"), (10, "us.example.com"), (20, "us.example.com")]),
            Ok(hosts(&[(5, "a.example.net")])),
        ),
    ] {
        assert_eq!(before_ourselves(before.clone(), &us), after, "{before:?}");
    }
}

#[test]
fn equal_hosts_change_places_and_others_do_not() {
    let sorted =
        hosts(&[(1, "a.example.net"), (2, "b.example.net"), (2, "c.example.net"), (3, "d.example.net")]);
    let mut shuffled = sorted.clone();
    shuffle_equal(&mut shuffled, || 0);
    assert_eq!(shuffled, [sorted[0].clone(), sorted[2].clone(), sorted[1].clone(), sorted[3].clone()]);
}

#[test]
fn one_kind_of_address_is_enough() {
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let v4: IpAddr = "192.0.2.1".parse().unwrap();
    let away = || DnsFailure::Temporary("servfail".to_owned());
    for (sixes, fours, expected) in [
        (Ok(vec![v6, v6]), Ok(vec![v4]), Ok(vec![v6, v4, v6])),
        (Ok(vec![v6]), Err(away()), Ok(vec![v6])),
        (Err(DnsFailure::NoData), Ok(vec![v4]), Ok(vec![v4])),
        (Err(away()), Err(DnsFailure::NoData), Err(away())),
        (Err(DnsFailure::NoData), Err(away()), Err(away())),
        (Err(DnsFailure::NoData), Err(DnsFailure::NoData), Err(DnsFailure::NoData)),
        (Err(DnsFailure::NoSuchName), Err(DnsFailure::NoSuchName), Err(DnsFailure::NoSuchName)),
    ] {
        assert_eq!(join_addresses(sixes, fours), expected);
    }
}

proptest! {
    #[test]
    fn shuffling_keeps_hosts_and_order(preferences in prop::collection::vec(0..4u16, 0..12), seed in any::<u64>()) {
        let all = preferences.iter().enumerate();
        let all = all.map(|(i, preference)| (*preference, format!("h{i}.example.net."))).collect();
        let Ok(mut hosts) = mail_hosts_of(all) else { return Ok(()) };
        let mut before = hosts.clone();
        let mut random = seed;
        shuffle_equal(&mut hosts, || { random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); random >> 32 });
        prop_assert!(hosts.is_sorted_by_key(|host| host.preference));
        before.sort_by(|a, b| a.name.cmp(&b.name));
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        prop_assert_eq!(before, hosts);
    }
}

const ZONE: zone::Records = &[
    ("mx.example.net.", "MX", "20 b.example.net."),
    ("mx.example.net.", "MX", "10 a.example.net."),
    ("null.example.net.", "MX", "0 ."),
    ("plain.example.net.", "A", "192.0.2.1"),
    ("empty.example.net.", "TXT", ""),
    ("fail.example.net.", "FAIL", ""),
    ("alias.example.net.", "CNAME", "mx.example.net."),
    ("both.example.net.", "A", "192.0.2.1"),
    ("both.example.net.", "AAAA", "2001:db8::1"),
];

#[tokio::test]
async fn mail_hosts_are_looked_up() {
    let dns = Dns::new(&[zone::serve(ZONE).await]).unwrap();
    let both = hosts(&[(10, "a.example.net"), (20, "b.example.net")]);
    for (domain, expected) in [
        ("mx.example.net", Ok(both.clone())),
        ("alias.example.net", Ok(both)),
        ("null.example.net", Err(DnsFailure::NullMx)),
        ("plain.example.net", Ok(hosts(&[(0, "plain.example.net")]))),
        ("empty.example.net", Err(DnsFailure::NoData)),
        ("gone.example.net", Err(DnsFailure::NoSuchName)),
    ] {
        assert_eq!(dns.mail_hosts(&name(domain)).await, expected, "{domain}");
    }
    let failed = dns.mail_hosts(&name("fail.example.net")).await;
    assert!(matches!(failed, Err(DnsFailure::Temporary(_))), "{failed:?}");
}

#[tokio::test]
async fn addresses_of_both_kinds_are_looked_up() {
    let dns = Dns::new(&[zone::serve(ZONE).await]).unwrap();
    let found = dns.addresses(&name("both.example.net"), Search::Never).await.unwrap();
    assert_eq!(found, ["2001:db8::1".parse::<IpAddr>().unwrap(), "192.0.2.1".parse().unwrap()]);
    let failed = dns.addresses(&name("fail.example.net"), Search::Never).await;
    assert!(matches!(failed, Err(DnsFailure::Temporary(_))), "{failed:?}");
}

#[tokio::test]
async fn a_dead_name_server_is_a_temporary_failure() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let dns = Dns::with_timeout(&[address], Duration::from_millis(20)).unwrap();
    let failed = dns.mail_hosts(&name("example.net")).await;
    assert!(matches!(failed, Err(DnsFailure::Temporary(_))), "{failed:?}");
}

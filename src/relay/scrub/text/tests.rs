use std::collections::HashMap;
use std::sync::Arc;

mod hiding;

use super::*;
use crate::relay::alias::{Alias, Contact, Mailbox};
use crate::relay::scrub::Secrets;
use crate::relay::testing;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox { address: address(text), ..testing::alias().mailboxes.remove(0) }
}

fn alias_of(mailboxes: &[&str]) -> Alias {
    Alias { mailboxes: mailboxes.iter().map(|text| mailbox(text)).collect(), ..testing::alias() }
}

/// `me@example.net` behind `shop@example.com`, and Jane Doe's reverse alias.
fn secrets() -> Secrets {
    let contact = testing::contact();
    Secrets::new(&testing::alias(), &HashMap::from([(contact.reverse_alias.clone(), Arc::new(contact))]))
}

fn prose(text: &str, syntax: Syntax) -> String {
    let secrets = secrets();
    match secrets.replace_prose(text, syntax) {
        Some(replaced) => {
            assert!(!secrets.address_in(&replaced, syntax), "{text:?} -> {replaced:?}");
            replaced
        }
        None => text.to_owned(),
    }
}

fn check(syntax: Syntax, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(prose(text, syntax), *expected, "{text:?}");
    }
}

#[test]
fn addresses_in_prose_become_the_alias() {
    check(
        Syntax::Plain,
        &[
            ("Write to me@example.net, or call.", "Write to shop@example.com, or call."),
            ("<me@example.net>", "<shop@example.com>"),
            ("(ME@Example.Net)", "(shop@example.com)"),
            ("'me@example.net'", "'shop@example.com'"),
            ("_me@example.net_", "_shop@example.com_"),
            ("me@example.net.", "shop@example.com."),
            ("me@example.net.\nRegards", "shop@example.com.\nRegards"),
            ("me@example.net.Regards", "shop@example.com.Regards"),
            ("-- me@example.net--", "-- shop@example.com--"),
            ("me+news=2019@example.net", "shop@example.com"),
            ("x=me@example.net&y", "x=shop@example.com&y"),
            ("mailto:me@example.net?cc=jane@example.org", "mailto:shop@example.com?cc=jane@example.org"),
            ("\"me\"@example.net", "shop@example.com"),
            ("\"m\\e+x\"@example.net", "shop@example.com"),
            ("me @ example.net", "shop @ example.com"),
            ("Jane Doe - me at example.net", "Jane Doe - shop at example.com"),
            ("me [at] example [dot] net", "shop [at] example [dot] com"),
            ("me(at)example(dot)net", "shop(at)example(dot)com"),
            ("ME AT EXAMPLE DOT NET", "shop AT example DOT com"),
            ("bounce-me=example.net@lists.example.org", "bounce-shop=example.com@lists.example.org"),
            ("SRS0=ab=cd=example.net=me@example.org", "SRS0=ab=cd=example.com=shop@example.org"),
            ("写信到me@example.net吧", "写信到shop@example.com吧"),
            ("me\u{ff20}example\u{ff0e}net", "shop\u{ff20}example.com"),
            ("\u{ff4d}\u{ff45}@\u{1d41e}xample\u{3002}net", "shop@example.com"),
            ("m\u{200b}e@exam\u{ad}ple.net", "shop@example.com"),
            ("JANE_at_example_org.aaaaaaaaaaaaaaaa@example.com", "jane@example.org"),
        ],
    );
}

#[test]
fn other_addresses_stay() {
    let secrets = secrets();
    for text in [
        "",
        "some@example.net",
        "so.me@example.net",
        "so-me@example.net",
        "me+@example.org",
        "j\u{e9}r\u{f4}me@example.net",
        "me@example.network",
        "me@example.net.evil.org",
        "me@example.net-works.org",
        "me@sub.example.net",
        "me@my-example.net",
        "me and example.net",
        "shop@example.com",
        "jane@example.org",
        "me at home, example.net",
        "100% & \\ <b> < me > \u{fc}",
    ] {
        for syntax in [Syntax::Plain, Syntax::Html, Syntax::Folded, Syntax::Escaped] {
            assert_eq!(secrets.replace_prose(text, syntax), None, "{text:?} {syntax:?}");
        }
    }
}

#[test]
fn encodings_are_seen_through() {
    check(
        Syntax::Plain,
        &[
            ("?to=me%40example.net&x", "?to=shop%40example.com&x"),
            ("%3Cme%40example.net%3E", "%3Cshop%40example.com%3E"),
            ("%6De%40example%2enet", "shop%40example.com"),
            ("me%2540example.net", "shop%2540example.com"),
            ("me%252540example%25252enet", "shop%252540example.com"),
            ("me%u0040example.net", "shop%u0040example.com"),
            ("me%2Bshop%40example.net", "shop%40example.com"),
            ("me%EF%BC%A0example.net", "shop%EF%BC%A0example.com"),
            ("me%26%2364%3Bexample.net", "shop%26%2364%3Bexample.com"),
            ("\\\"me\\\"\\u0040example.net", "shop\\u0040example.com"),
        ],
    );
}

#[test]
fn html_is_seen_through() {
    check(
        Syntax::Html,
        &[
            ("me&commat;example&period;net", "shop&commat;example.com"),
            ("me&#64;example.net", "shop&#64;example.com"),
            ("me&#0000064example.net", "shop&#0000064;example.com"),
            ("me&#x40example.net", "me&#x40example.net"),
            ("me&#X0040;example.net", "shop&#X0040;example.com"),
            ("&lt;me&amp;#64;example.net&gt;", "&lt;shop&amp;#64;example.com&gt;"),
            ("&ltme&commat;example.net", "&ltshop&commat;example.com"),
            ("&ltme&commatexample&periodnet", "&ltshop&commat;example.com"),
            ("Me &nbsp;&#64;&nbsp;example.net", "shop &nbsp;&#64;&nbsp;example.com"),
            ("&mopf;&escr;&#xFE6B;&efr;xample.net", "shop&#xFE6B;example.com"),
            ("me&amp;amp;amp;commat;example.net", "shop&amp;amp;amp;commat;example.com"),
            ("me<wbr>@<b>example</b>.net", "shop<wbr>@<b>example.com</b>"),
            ("m<!-- > -->e@exam<a title=\">\">ple.net", "shop<!-- > -->@example.com<a title=\">\">"),
            ("m&shy;e@example&ZeroWidthSpace;.net", "shop@example.com"),
            (
                "<a href=\"mailto:me%40example.net\">me&#64;exa<wbr>mple.net</a>",
                "<a href=\"mailto:shop%40example.com\">shop&#64;example.com<wbr></a>",
            ),
            (
                "<td>Mail</td><td>me&#64;ex<wbr>ample.net</td><td>x",
                "<td>Mail</td><td>shop&#64;example.com<wbr></td><td>x",
            ),
            ("a='me&lt;b&gt;@&lt;/b&gt;example.net'", "a='shop&lt;b&gt;@&lt;/b&gt;example.com'"),
            ("&lt;me&#37;40ex<wbr>ample.net&gt;", "&lt;shop&#37;40example.com<wbr>&gt;"),
        ],
    );
}

#[test]
fn folds_are_seen_through() {
    check(
        Syntax::Folded,
        &[
            ("ATTENDEE:mailto:me@exam\r\n ple.net\r\nX:1", "ATTENDEE:mailto:shop@\r\n example.com\r\nX:1"),
            ("ATTENDEE:mailto:m\r\n\te@example.net", "ATTENDEE:mailto:\r\n\tshop@example.com"),
            ("X-ALT:<b>me</b>@ex\n ample.net", "X-ALT:<b>shop</b>@\n example.com"),
            ("NOTE:a\\nme@example.net\\, b", "NOTE:a\\nshop@example.com\\, b"),
            ("EMAIL;X=ab@c:me@exam\r\n ple.net", "EMAIL;X=ab@c:shop@\r\n example.com"),
            (
                "EMAIL;ENCODING=QUOTED-PRINTABLE:m=65=40exam=\r\nple.net",
                "EMAIL;ENCODING=QUOTED-PRINTABLE:shop=40=\r\nexample.com",
            ),
        ],
    );
}

#[test]
fn scripts_are_seen_through() {
    check(
        Syntax::Escaped,
        &[
            ("{\"a\":\"x\\nme\\u0040example.net\"}", "{\"a\":\"x\\nshop\\u0040example.com\"}"),
            ("'me\\x40example.net'", "'shop\\x40example.com'"),
            ("'me\\100example.net'", "'shop\\100example.com'"),
            ("'me\\100example\\056net'", "'shop\\100example.com'"),
            ("{\\rtf1 me\\'40example.net}", "{\\rtf1 shop\\'40example.com}"),
            ("'me\\u{40}example.net'", "'shop\\u{40}example.com'"),
            ("content: \"me\\000040example\\00002enet\"", "content: \"shop\\000040example.com\""),
            ("content: \"me\\40 example.net\"", "content: \"shop\\40 example.com\""),
            ("\"me\\u003cb\\u003e@example.net\"", "\"shop\\u003cb\\u003e@example.com\""),
            ("\"me\\\\\\\\u0040example.net\"", "\"shop\\\\\\\\u0040example.com\""),
        ],
    );
}

fn everything(text: &str) -> String {
    let secrets = secrets();
    let replaced = secrets.replace_everything(text, Syntax::Plain);
    assert_eq!(replaced.is_some(), secrets.trace_in(text, Syntax::Plain), "{text:?}");
    let replaced = replaced.unwrap_or_else(|| text.to_owned());
    assert!(!secrets.trace_in(&replaced, Syntax::Plain), "{text:?} -> {replaced:?}");
    replaced
}

#[test]
fn ids_lose_the_domain() {
    for (text, expected) in [
        ("<1.2@mail.example.net>", "<1.2@mail.example.com>"),
        ("----=_Part_1_example.net-7", "----=_Part_1_example.com-7"),
        ("EXAMPLE.NET.1", "example.com.1"),
        ("x%2Eexample%2Enet", "x%2Eexample.com"),
        ("me@sub.example.net", "me@sub.example.com"),
        ("<me.1234@example.org>", "<me.1234@example.org>"),
        ("example.network", "example.network"),
        ("myexample.net", "myexample.net"),
    ] {
        assert_eq!(everything(text), expected, "{text:?}");
    }
}

#[test]
fn bare_local_parts_are_words_of_three_letters() {
    let secrets = Secrets::new(&alias_of(&["kim@example.net", "kim.smith@example.net"]), &HashMap::new());
    for (text, expected) in
        [("_kim_", Some("_shop_")), ("Kim.Smith.pdf", Some("shop.pdf")), ("kimono, skim, 7kim", None)]
    {
        assert_eq!(secrets.replace_everything(text, Syntax::Plain).as_deref(), expected, "{text:?}");
    }
    assert_eq!(secrets.replace_name("Kim and kim.smith.pdf").as_deref(), Some("Kim and shop.pdf"));
    assert!(!secrets.trace_in_name("photo of Kim.jpg"));
}

#[test]
fn reverse_aliases_are_told() {
    let domain = DomainName::parse("example.com").unwrap();
    let told = |text: &str, syntax| -> Vec<String> {
        reverse_aliases_in(text, &domain, syntax).map(|address| address.to_string()).collect()
    };
    assert_eq!(
        told(
            "To: <jane_at_example_org.aaaaaaaaaaaaaaaa@example.com>, bbbbbbbbbbbbbbbb%40Example.com shop@example.com",
            Syntax::Plain
        ),
        ["bbbbbbbbbbbbbbbb@example.com", "jane_at_example_org.aaaaaaaaaaaaaaaa@example.com"]
    );
    assert!(told("aaaaaaaaaaaaaaaa@example.net aaaaaaaaaaaaaaaa@sub.example.com", Syntax::Plain).is_empty());
}

#[test]
fn international_mailboxes_are_known_in_all_forms() {
    let secrets = Secrets::new(&alias_of(&["j\u{fc}rgen@b\u{fc}cher.example"]), &HashMap::new());
    for text in [
        "j\u{fc}rgen@b\u{fc}cher.example",
        "J\u{dc}RGEN@B\u{dc}CHER.EXAMPLE",
        "ju\u{308}rgen@xn--bcher-kva.example",
        "j%C3%BCrgen%40b%c3%bccher.example",
        "j%FCrgen@b%FCcher.example",
        "j&uuml;rgen@b&#252;cher.example",
        "j\\u00fcrgen@b\\xfccher.example",
    ] {
        assert!(secrets.address_in(text, Syntax::Html), "{text}");
        let replaced = secrets.replace_prose(text, Syntax::Html).unwrap();
        assert!(replaced.starts_with("shop") && replaced.ends_with("example.com"), "{text} -> {replaced}");
    }
    assert!(secrets.trace_in("mail.b\u{fc}cher.example", Syntax::Plain));
    assert!(secrets.trace_in_bytes("x XN--BCHER-kva.example".as_bytes()));
    assert!(secrets.trace_in_bytes("x b\u{fc}cher.example".as_bytes()));
    assert_eq!(secrets.replace_prose("jorgen@bucher.example", Syntax::Plain), None);
}

#[test]
fn what_is_put_in_is_escaped_for_its_place() {
    let mut alias = testing::alias();
    alias.address = address("\"a&'b\"@example.com");
    let secrets = Secrets::new(&alias, &HashMap::new());
    for (syntax, text, expected) in [
        (Syntax::Plain, "me@example.net", "a&'b@example.com"),
        (Syntax::Html, "me@example.net", "a&amp;&#39;b@example.com"),
        (Syntax::Html, "me%40example.net", "a%26%27b%40example.com"),
        (Syntax::Plain, "me&#64;example.net", "a&amp;&#39;b&#64;example.com"),
    ] {
        assert_eq!(secrets.replace_prose(text, syntax).as_deref(), Some(expected), "{text}");
    }
    alias.address = address("\"a=\u{fc} b\"@example.com");
    let secrets = Secrets::new(&alias, &HashMap::new());
    for (syntax, text, expected) in [
        (Syntax::Escaped, "\"me@example.net\"", "\"\\\"a=\u{fc} b\\\"@example.com\""),
        (Syntax::Escaped, "'me\\u0040example.net'", "'\\\"a=\\u00fc b\\\"\\u0040example.com'"),
        (
            Syntax::Folded,
            "N;QUOTED-PRINTABLE:me=40example.net",
            "N;QUOTED-PRINTABLE:\"a=3D=C3=BC b\"=40example.com",
        ),
    ] {
        assert_eq!(secrets.replace_prose(text, syntax).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn all_mailboxes_are_secret_with_and_without_their_tags() {
    let secrets = Secrets::new(&alias_of(&["me+inbox@example.net", "kim@example.org"]), &HashMap::new());
    let text = "me@example.net me+inbox@example.net me+x@example.net Kim@Example.org";
    assert_eq!(
        secrets.replace_prose(text, Syntax::Plain).unwrap(),
        "shop@example.com shop@example.com shop@example.com shop@example.com"
    );
}

#[test]
fn a_mailbox_at_the_domain_of_the_alias_leaves_the_domain_alone() {
    let secrets = Secrets::new(&alias_of(&["kim@example.com", "kim@home.example.com"]), &HashMap::new());
    assert_eq!(secrets.replace_everything("<1@example.com> <2@mail.example.com>", Syntax::Plain), None);
    assert_eq!(
        secrets.replace_everything("kim@example.com 1@pc.home.example.com", Syntax::Plain).unwrap(),
        "shop@example.com 1@pc.example.com"
    );
    assert!(secrets.trace_in_bytes(b"(kim+x@example.com)") && !secrets.trace_in_bytes(b"(skim@example.com)"));
}

#[test]
fn an_alias_below_the_domain_of_the_mailbox_stays() {
    let mut alias = alias_of(&["kim@example.net"]);
    alias.address = address("shop@alias.example.net");
    let secrets = Secrets::new(&alias, &HashMap::new());
    assert_eq!(
        secrets.replace_everything("shop@alias.example.net 1@x.alias.example.net", Syntax::Plain),
        None
    );
    assert!(!secrets.trace_in_bytes(b"shop@alias.example.net"));
    assert_eq!(
        secrets.replace_everything("1@mail.example.net, 2@Alias.Example.Net", Syntax::Plain).unwrap(),
        "1@mail.alias.example.net, 2@Alias.Example.Net"
    );
    assert!(secrets.trace_in_bytes(b"1@mail.example.net"));
}

#[test]
fn contacts_at_the_provider_of_the_mailbox_stay() {
    let contact = Contact { address: address("jane@example.net"), ..testing::contact() };
    let reverse = contact.reverse_alias.to_string();
    let secrets = Secrets::new(
        &alias_of(&["kim@example.net"]),
        &HashMap::from([(contact.reverse_alias.clone(), Arc::new(contact))]),
    );
    let replaced = secrets.replace_everything(&format!("{reverse} 1@example.net"), Syntax::Plain).unwrap();
    assert_eq!(replaced, "jane@example.net 1@example.com");
    assert_eq!(secrets.replace_everything("mailto:jane%40example.net", Syntax::Html), None);
}

#[test]
fn the_owner_as_a_contact_shows_as_the_alias() {
    let contact = Contact { address: address("me+test@example.net"), ..testing::contact() };
    let reverse = contact.reverse_alias.to_string();
    let secrets =
        Secrets::new(&testing::alias(), &HashMap::from([(contact.reverse_alias.clone(), Arc::new(contact))]));
    assert_eq!(secrets.replace_prose(&reverse, Syntax::Plain).unwrap(), "shop@example.com");
}

#[test]
fn a_word_of_the_alias_is_no_secret() {
    let mut alias = alias_of(&["kim@example.net"]);
    alias.address = address("kim-shop@example.com");
    let secrets = Secrets::new(&alias, &HashMap::new());
    assert_eq!(secrets.replace_everything("kim 1@example.net", Syntax::Plain).unwrap(), "kim 1@example.com");
}

#[test]
fn binary_data_is_searched_in_all_widths() {
    let secrets = Secrets::new(&alias_of(&["kim.smith@example.net"]), &HashMap::new());
    let wide =
        |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    for text in ["\0Kim.Smith@Example.NET\0", "x@mail.example.net", "kim.smith"] {
        for bytes in [text.as_bytes().to_vec(), wide(text, u16::to_le_bytes), wide(text, u16::to_be_bytes)] {
            assert!(secrets.trace_in_bytes(&bytes), "{text}");
            assert_eq!(secrets.address_in_bytes(&bytes), text.contains("Smith@"), "{text}");
        }
    }
    for text in ["akim.smith@example.network", "kim", "example.netx", "myexample.net", ""] {
        for bytes in [text.as_bytes().to_vec(), wide(text, u16::to_le_bytes), wide(text, u16::to_be_bytes)] {
            assert!(!secrets.trace_in_bytes(&bytes), "{text}");
        }
    }
}

#[test]
fn long_texts_are_changed_everywhere() {
    let text = "Write to me&#64;exam&shy;ple.net. ".repeat(40_000);
    let replaced = prose(&text, Syntax::Html);
    assert!(replaced == "Write to shop&#64;example.com. ".repeat(40_000));
}

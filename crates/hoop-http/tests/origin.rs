//! Who a request comes from: by the book, by what proxies really send, and by those who lie.

use core::net::IpAddr;

use hoop_http::{Client, Origin, ProxyField, ProxyParts, ProxyRules, ProxyWriting, Scheme, TrustedNetworks};
use proptest::prelude::*;

const ALL: ProxyParts = ProxyParts { client: true, proto: true, host: true, port: true, prefix: true };

fn rules(writing: ProxyWriting, parts: ProxyParts) -> ProxyRules {
    let trusted = TrustedNetworks::parse(["10.0.0.0/8", "fd00::/8"]).expect("networks");
    ProxyRules { trusted, writing, parts }
}

fn x_forwarded(headers: &[(ProxyField, &str)]) -> Option<Origin> {
    origin(&rules(ProxyWriting::XForwarded, ALL), headers)
}

fn forwarded(lines: &[&str]) -> Option<Origin> {
    let headers: Vec<_> = lines.iter().map(|line| (ProxyField::Forwarded, *line)).collect();
    origin(&rules(ProxyWriting::Forwarded, ALL), &headers)
}

fn origin(rules: &ProxyRules, headers: &[(ProxyField, &str)]) -> Option<Origin> {
    rules.origin(|field| {
        headers.iter().filter(|(each, _)| *each == field).map(|(_, value)| value.as_bytes()).collect()
    })
}

fn address(text: &str) -> Client {
    Client::Address(text.parse().expect("an address"), None)
}

fn from(text: &str) -> Option<Origin> {
    Some(Origin { client: address(text), ..Origin::default() })
}

use ProxyField::{For, Forwarded, Host, Port, Prefix, Proto};

#[test]
fn the_client_is_the_rightmost_address_that_is_not_trusted() {
    for (list, client) in [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4, 10.0.0.1", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.2, 10.0.0.1", "1.2.3.4"),
        ("10.0.0.9, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("2001:db8::1,fd00::1", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        (" ,1.2.3.4 ,, ", "1.2.3.4"),
    ] {
        assert_eq!(x_forwarded(&[(For, list)]), from(client), "{list}");
    }
}

#[test]
fn lines_of_a_header_are_one_list() {
    let lines = [(For, "6.6.6.6"), (For, "1.2.3.4, 10.0.0.2"), (For, "10.0.0.1")];
    assert_eq!(x_forwarded(&lines), from("1.2.3.4"));
    assert_eq!(forwarded(&["for=6.6.6.6", "for=1.2.3.4, for=10.0.0.2", "for=10.0.0.1"]), from("1.2.3.4"));
}

#[test]
fn what_the_client_wrote_itself_is_not_looked_at() {
    for invented in ["localhost", "10.0.0.1:x", "\"", "127.0.0.1\u{1}"] {
        assert_eq!(x_forwarded(&[(For, &format!("{invented}, 1.2.3.4"))]), from("1.2.3.4"), "{invented}");
        assert_eq!(forwarded(&[invented, "for=1.2.3.4"]), from("1.2.3.4"), "{invented}");
    }
}

#[test]
fn what_a_trusted_proxy_wrote_is_malformed_as_a_whole() {
    let proto = (Proto, "https");
    for malformed in ["localhost", "1.2.3.4 5.6.7.8", "1.2.3.4, localhost", "1.2.3.4, x, 10.0.0.1"] {
        assert_eq!(x_forwarded(&[(For, malformed), proto]), None, "{malformed}");
    }
    assert_eq!(x_forwarded(&[(For, "1.2.3.4"), (Proto, "gopher")]), None);
    assert_eq!(x_forwarded(&[(For, "1.2.3.4"), (Host, "a/b")]), None);
    assert_eq!(x_forwarded(&[(For, "1.2.3.4"), (Port, "0")]), None);
    assert_eq!(x_forwarded(&[(For, "1.2.3.4"), (Prefix, "//evil.example")]), None);
    assert_eq!(x_forwarded(&[(For, "1.2.3.4"), (Prefix, "/a"), (Prefix, "/b")]), None);
    assert_eq!(forwarded(&["for=1.2.3.4;proto=gopher"]), None);
    assert_eq!(forwarded(&["for=1.2.3.4;host=\"a/b\""]), None);
    assert_eq!(forwarded(&["for=1.2.3.4; proto=https"]), None);
    assert_eq!(forwarded(&["for=2001:db8::1"]), None);
}

#[test]
fn the_nameless_are_unknown() {
    let unknown = Some(Origin { client: Client::Unknown, ..Origin::default() });
    assert_eq!(x_forwarded(&[(For, "1.2.3.4, unknown, 10.0.0.1")]), unknown);
    assert_eq!(forwarded(&["for=1.2.3.4, for=_hidden"]), unknown);
}

#[test]
fn proto_host_and_port_are_those_of_the_client() {
    for (list, proto, scheme) in [
        ("1.2.3.4", "https", Scheme::Secure),
        ("1.2.3.4", "https, http", Scheme::Plain),
        ("1.2.3.4, 10.0.0.1", "https, http", Scheme::Secure),
        ("1.2.3.4, 10.0.0.1", "http, https, http", Scheme::Secure),
        ("1.2.3.4, 10.0.0.1", "WSS", Scheme::Secure),
        ("1.2.3.4, 10.0.0.2, 10.0.0.1", "ws, http", Scheme::Plain),
    ] {
        let origin = x_forwarded(&[(For, list), (Proto, proto)]).expect("an origin");
        assert_eq!(origin.scheme, Some(scheme), "{list} {proto}");
    }
    let headers = [(Proto, "https"), (Host, "evil, shop.example:1"), (Port, "8443"), (Prefix, "/shop/")];
    let expected = Origin {
        client: Client::Peer,
        scheme: Some(Scheme::Secure),
        host: Some("shop.example:1".to_owned()),
        port: Some(8443),
        prefix: Some("/shop".to_owned()),
    };
    assert_eq!(x_forwarded(&headers), Some(expected));
    let origin = forwarded(&["for=1.2.3.4;proto=https;host=\"a:1\", for=10.0.0.1;proto=http;host=b"]);
    let expected = Origin {
        scheme: Some(Scheme::Secure),
        host: Some("a:1".to_owned()),
        ..from("1.2.3.4").unwrap_or_default()
    };
    assert_eq!(origin, Some(expected));
}

#[test]
fn only_one_kind_of_header_is_read() {
    let both = [(For, "1.1.1.1"), (Proto, "https"), (Forwarded, "for=2.2.2.2")];
    let parts = ProxyParts { client: true, ..ProxyParts::default() };
    assert_eq!(origin(&rules(ProxyWriting::XForwarded, parts), &both), from("1.1.1.1"));
    assert_eq!(origin(&rules(ProxyWriting::Forwarded, parts), &both), from("2.2.2.2"));
    assert_eq!(x_forwarded(&[(Forwarded, "for=2.2.2.2")]), None);
    assert_eq!(origin(&rules(ProxyWriting::Forwarded, ALL), &[(For, "1.1.1.1"), (Prefix, "/a")]), None);
}

#[test]
fn what_is_not_wanted_is_not_read_either() {
    let headers = [(For, "1.2.3.4"), (Host, "a/b"), (Proto, "gopher"), (Prefix, "x"), (Port, "x")];
    let parts = ProxyParts { client: true, ..ProxyParts::default() };
    assert_eq!(origin(&rules(ProxyWriting::XForwarded, parts), &headers), from("1.2.3.4"));
    let parts = ProxyParts { proto: true, ..ProxyParts::default() };
    let secure = Some(Origin { scheme: Some(Scheme::Secure), ..Origin::default() });
    let headers = [(For, "1.2.3.4"), (Proto, "https")];
    assert_eq!(origin(&rules(ProxyWriting::XForwarded, parts), &headers), secure);
    assert_eq!(
        origin(&rules(ProxyWriting::Forwarded, parts), &[(Forwarded, "for=1.2.3.4;proto=https")]),
        secure
    );
}

#[test]
fn nothing_said_is_nothing_known() {
    assert_eq!(x_forwarded(&[]), None);
    assert_eq!(x_forwarded(&[(For, " , ")]), None);
    assert_eq!(forwarded(&[]), None);
    assert_eq!(forwarded(&[","]), None);
}

#[test]
fn a_prefix_leads_nowhere_else() {
    for bad in [
        "shop",
        "/a//b",
        "/..",
        "/a/../b",
        "/a/.",
        "/a b",
        "/a?b",
        "/%2e%2e",
        "/ä",
        &format!("/{}", "a".repeat(256)),
    ] {
        assert_eq!(x_forwarded(&[(Prefix, bad)]), None, "{bad}");
    }
    assert_eq!(x_forwarded(&[(Prefix, "/")]).and_then(|origin| origin.prefix).as_deref(), Some(""));
}

/// A proxy's own name for an address, in the notation of either header.
fn written(address: IpAddr, port: Option<u16>) -> (String, String) {
    let text = match (address, port) {
        (IpAddr::V6(v6), None) => format!("[{v6}]"),
        (IpAddr::V6(v6), Some(port)) => format!("[{v6}]:{port}"),
        (v4, None) => v4.to_string(),
        (v4, Some(port)) => format!("{v4}:{port}"),
    };
    (text.clone(), format!("for=\"{text}\""))
}

fn outside() -> impl Strategy<Value = IpAddr> {
    any::<IpAddr>().prop_filter("outside", |address| {
        let trusted = TrustedNetworks::parse(["10.0.0.0/8", "fd00::/8"]).expect("networks");
        // An IPv4 address inside an IPv6 one is told as what it is.
        !trusted.trusts(*address) && address.to_canonical() == *address
    })
}

fn inside() -> impl Strategy<Value = IpAddr> {
    any::<[u8; 3]>().prop_map(|[a, b, c]| IpAddr::from([10, a, b, c]))
}

proptest! {
    /// Whatever a client sends ahead: proxies that append tell who it is.
    #[test]
    fn no_client_can_pass_for_another(
        invented in "[^\\x00]{0,60}",
        client in outside(),
        port in proptest::option::of(1_u16..),
        proxies in proptest::collection::vec(inside(), 0..4),
    ) {
        let told: Vec<_> =
            std::iter::once(written(client, port)).chain(proxies.iter().map(|it| written(*it, None))).collect();
        let x: Vec<&str> = told.iter().map(|(x, _)| x.as_str()).collect();
        let f: Vec<&str> = told.iter().map(|(_, forwarded)| forwarded.as_str()).collect();
        let expected = Some(Origin { client: Client::Address(client, port), ..Origin::default() });
        prop_assert_eq!(x_forwarded(&[(For, &format!("{invented},{}", x.join(",")))]), expected.clone());
        // One line for the client's own, as it came, and one of the proxies.
        prop_assert_eq!(forwarded(&[&invented, &f.join(", ")]), expected.clone());
        // In one line it may break the grammar; then nothing is taken over.
        let joined = forwarded(&[&format!("{invented},{}", f.join(","))]);
        prop_assert!(joined.is_none() || joined == expected, "{:?}", joined);
    }

    /// Nothing that arrives makes it panic, or take over a part of what it does not understand.
    #[test]
    fn any_bytes_are_survived(
        lines in proptest::collection::vec((0_usize..6, proptest::collection::vec(any::<u8>(), 0..40)), 0..6),
    ) {
        let fields = [Forwarded, For, Proto, Host, Port, Prefix];
        for writing in [ProxyWriting::Forwarded, ProxyWriting::XForwarded] {
            let origin = rules(writing, ALL).origin(|field| {
                lines.iter().filter(|(each, _)| fields[*each] == field).map(|(_, line)| line.as_slice()).collect()
            });
            if let Some(Origin { host: Some(host), .. }) = &origin {
                prop_assert!(host.bytes().all(|byte| byte.is_ascii_graphic()));
            }
            if let Some(Origin { prefix: Some(prefix), .. }) = &origin {
                prop_assert!(prefix.is_empty() || prefix.starts_with('/') && !prefix.starts_with("//"));
            }
        }
    }
}

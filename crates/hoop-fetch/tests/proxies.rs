//! Proxies: what their URLs say, which URLs go through them, and what is said to them.

use hoop_fetch::{
    ProxyAddress, ProxyFault, ProxyScheme, Socks5, SocksFault, TunnelAnswer, TunnelFault, UrlPattern,
    connect_request,
};
use proptest::prelude::*;
use url::Url;

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

#[test]
fn a_proxys_url_says_where_it_is_and_who_we_are() {
    let login = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
    for (text, scheme, host, port, expected) in [
        ("http://proxy", ProxyScheme::Http, "proxy", 80, None),
        ("proxy.example:3128", ProxyScheme::Http, "proxy.example", 3128, None),
        (" HTTPS://Proxy ", ProxyScheme::Https, "proxy", 443, None),
        ("https://proxy:80", ProxyScheme::Https, "proxy", 80, None),
        ("http://proxy:443", ProxyScheme::Http, "proxy", 443, None),
        ("socks5://[::1]", ProxyScheme::Socks5, "::1", 1080, None),
        ("socks5h://10.0.0.1:80", ProxyScheme::Socks5, "10.0.0.1", 80, None),
        ("socks://localhost:1080/", ProxyScheme::Socks5, "localhost", 1080, None),
        ("http://a%40b:p%3Ass@proxy/", ProxyScheme::Http, "proxy", 80, login("a@b", "p:ss")),
        ("user@proxy:1", ProxyScheme::Http, "proxy", 1, login("user", "")),
    ] {
        let address = ProxyAddress::parse(text).expect(text);
        let read = (address.scheme, address.host.as_str(), address.port, address.login.clone());
        assert_eq!(read, (scheme, host, port, expected), "{text}");
        assert!(!format!("{address:?} {address}").contains("ss@"), "{text}");
    }
    assert_eq!(
        format!("{:?}", ProxyAddress::parse("socks5://u:p@[::1]:1").expect("one")),
        "socks5://[::1]:1"
    );
    for text in ["ftp://proxy", "socks4://proxy", "http://", "http://a b", "http://u:secret@:80", ""] {
        let fault = ProxyAddress::parse(text).expect_err(text);
        assert!(!fault.to_string().contains("secret"));
    }
    assert_eq!(ProxyAddress::parse("Quic://x"), Err(ProxyFault::OtherScheme("quic".to_owned())));
}

#[test]
fn patterns_match_and_the_most_special_comes_first() {
    for (pattern, matching, other) in [
        ("all://", "https://a/", None),
        ("all://*", "http://a/", None),
        ("https://", "https://a/", Some("http://a/")),
        ("all://example.com", "http://Example.com:81/", Some("http://a.example.com/")),
        ("all://*.example.com", "http://a.example.com/", Some("http://example.com/")),
        ("all://*example.com", "http://example.com/", Some("http://badexample.com/")),
        ("all://*example.com", "http://a.example.com/", Some("http://example.org/")),
        ("http://example.com:80", "http://example.com/", Some("http://example.com:81/")),
        ("https://*:8443", "https://a:8443/", Some("https://a/")),
        ("all://[::1]:80", "http://[::1]/", Some("http://[::2]/")),
        ("all://bücher.de", "http://xn--bcher-kva.de/", Some("http://bucher.de/")),
    ] {
        let read = UrlPattern::parse(pattern).expect(pattern);
        assert!(read.matches(&url(matching)), "{pattern} {matching}");
        assert!(!other.is_some_and(|other| read.matches(&url(other))), "{pattern} {other:?}");
    }
    let in_order =
        ["http://a:80", "all://:80", "all://*.longer.example", "http://a", "all://a", "http://", "all://"];
    let mut sorted: Vec<_> = in_order.iter().map(|text| UrlPattern::parse(text).expect(text)).collect();
    let expected = sorted.clone();
    sorted.reverse();
    sorted.sort();
    assert_eq!(sorted, expected);
    for text in ["", "example.com", "ws://", "all://a/b", "all://a:b", "all://u@a", "all://a:70000"] {
        assert!(UrlPattern::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_tunnel_is_asked_for_and_only_a_clean_answer_gives_one() {
    assert_eq!(
        connect_request("::1", 443, &[("x-a", b"1")]),
        b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nx-a: 1\r\n\r\n"
    );
    let read = |bytes: &str| TunnelAnswer::read(bytes.as_bytes());
    let whole = "HTTP/1.1 200 Connection \u{7}established\r\nx: y\r\n\r\n";
    for end in 0..whole.len() {
        assert_eq!(read(&whole[..end]), Ok(None), "{end}");
    }
    let answer = read(whole).expect("HTTP").expect("whole");
    assert_eq!((answer.status, answer.reason.as_str()), (200, "Connection established"));
    let refused = read("HTTP/1.0 403 No\r\ncontent-length: 2\r\n\r\nno").expect("HTTP").expect("whole");
    assert_eq!((refused.status, refused.reason.as_str()), (403, "No"));
    assert_eq!(read("HTTP/1.1 200\r\n\r\nsmuggled"), Err(TunnelFault::Surplus(8)));
    for bytes in ["HTTQ", "\0", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n", "HTTP/1.1\r\n\r\n"] {
        assert_eq!(read(bytes), Err(TunnelFault::NoHttp), "{bytes:?}");
    }
    assert_eq!(read(&format!("HTTP/1.1 200 OK\r\n{}", "x".repeat(40_000))), Err(TunnelFault::TooLong));
}

#[test]
fn socks_goes_from_a_greeting_to_a_connection() {
    let (mut socks, greeting) = Socks5::begin("example.com", 443, Some(("user", "pass"))).expect("it fits");
    assert_eq!(greeting, [5, 2, 0, 2]);
    assert_eq!(socks.take(&[5, 2]), Ok(&b"\x01\x04user\x04pass"[..]));
    assert_eq!(socks.take(&[1, 0]), Ok(&b"\x05\x01\x00\x03\x0bexample.com\x01\xbb"[..]));
    assert_eq!(socks.needs(), 5);
    assert_eq!(socks.take(&[5, 0, 0, 3, 9]), Ok(&[][..]));
    assert_eq!(socks.needs(), 11);
    assert_eq!(socks.take(&[0; 11]), Ok(&[][..]));
    assert_eq!(socks.needs(), 0);
    let (mut socks, greeting) = Socks5::begin("::1", 80, None).expect("it fits");
    assert_eq!(greeting, [5, 1, 0]);
    let request = socks.take(&[5, 0]).expect("no login");
    assert_eq!((request.get(3), request.len()), (Some(&4), 22));
    let long = "x".repeat(256);
    assert!(matches!(Socks5::begin(&long, 80, None), Err(SocksFault::TooLong("host"))));
    assert!(matches!(Socks5::begin("a", 80, Some(("a", &long))), Err(SocksFault::TooLong("password"))));
}

proptest! {
    #[test]
    fn no_answer_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        let _ = (TunnelAnswer::read(&bytes), ProxyAddress::parse(&text), UrlPattern::parse(&text));
        let mut rest = bytes.as_slice();
        let (mut socks, _) = Socks5::begin("a", 1, Some(("b", "c"))).expect("it fits");
        while socks.needs() > 0 && rest.len() >= socks.needs() {
            let (now, after) = rest.split_at(socks.needs());
            if socks.take(now).is_err() {
                break;
            }
            rest = after;
        }
    }
}

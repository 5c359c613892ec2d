//! Redirects, proxies, logins and charsets: where a request goes, and as whom.

use hoop_fetch::{Login, Netrc, Proxies, RedirectFault, charset, is_same_origin, redirect};
use proptest::prelude::*;
use url::Url;

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

#[test]
fn methods_change_as_rfc_9110_says() {
    let from = url("https://a.example/form");
    for (status, method, becomes_get) in [
        (301, "POST", Some(true)),
        (302, "POST", Some(true)),
        (301, "PUT", Some(false)),
        (302, "DELETE", Some(false)),
        (303, "PUT", Some(true)),
        (303, "HEAD", Some(false)),
        (303, "GET", Some(false)),
        (307, "POST", Some(false)),
        (308, "POST", Some(false)),
        (200, "POST", None),
        (300, "GET", None),
        (304, "GET", None),
        (305, "GET", None),
    ] {
        let step = redirect(status, method, &from, Some(b"/next"));
        assert_eq!(step.map(|step| step.expect("followed").becomes_get), becomes_get, "{status} {method}");
    }
    assert_eq!(redirect(302, "GET", &from, None), None, "without Location it is an answer");
}

#[test]
fn locations_are_resolved_against_what_was_asked() {
    let from = url("https://a.example:8443/one/two?q=1#part");
    for (location, to) in [
        (&b"three"[..], "https://a.example:8443/one/three#part"),
        (b"/three#own", "https://a.example:8443/three#own"),
        (b"//b.example/", "https://b.example/#part"),
        (b"?x=\xe4", "https://a.example:8443/one/two?x=%C3%A4#part"),
        ("/\u{e4}".as_bytes(), "https://a.example:8443/%C3%A4#part"),
        (b" http://B.example:80/a b ", "http://b.example/a%20b#part"),
        (b"", "https://a.example:8443/one/two?q=1#part"),
    ] {
        let step = redirect(302, "GET", &from, Some(location)).expect("a redirect").expect("followed");
        assert_eq!(step.url.as_str(), to);
    }
    for location in [&b"ftp://a.example/"[..], b"javascript:alert(1)", b"file:///etc/passwd"] {
        let fault = redirect(302, "GET", &from, Some(location)).expect("a redirect");
        assert!(matches!(fault, Err(RedirectFault::OtherScheme(_))), "{location:?}");
    }
    let fault = redirect(302, "GET", &from, Some(b"http://[")).expect("a redirect");
    assert!(matches!(fault, Err(RedirectFault::BadLocation(_))));
}

#[test]
fn secrets_stay_with_their_origin() {
    let from = url("https://a.example/");
    let to = |location: &str| {
        redirect(307, "POST", &from, Some(location.as_bytes())).expect("a redirect").expect("followed")
    };
    assert!(!to("/x").drops("authorization") && !to("https://A.EXAMPLE:443/").drops("authorization"));
    for other in
        ["https://b.example/", "https://a.example:444/", "http://a.example/", "https://a.example.evil/"]
    {
        let step = to(other);
        assert!(
            step.leaves_origin && step.drops("authorization") && step.drops("proxy-authorization"),
            "{other}"
        );
        assert!(!step.drops("accept") && !step.drops("content-type"));
    }
    assert!(to("http://a.example/").loses_tls && !to("https://b.example/").loses_tls);
    assert!(to("/x").drops("cookie"), "it is made anew");
    assert!(!to("/x").drops("host") && to("https://b.example/").drops("host"), "it names the first origin");
    let step = redirect(303, "POST", &from, Some(b"/x")).expect("a redirect").expect("followed");
    for name in ["content-type", "content-length", "transfer-encoding", "expect"] {
        assert!(step.drops(name), "{name} describes a body that is gone");
    }
    assert!(is_same_origin(&url("http://a/"), &url("http://a:80/b")));
}

fn environment(variables: &[(&str, &str)]) -> Proxies {
    Proxies::from_environment(|name| {
        variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn proxies_are_chosen_by_scheme() {
    let proxies = environment(&[
        ("HTTPS_PROXY", "http://s:1"),
        ("https_proxy", "http://t:1"),
        ("all_proxy", "socks5://a:1"),
    ]);
    assert_eq!(proxies.for_url(&url("https://x/")), Some("http://t:1"), "lower case counts first");
    assert_eq!(proxies.for_url(&url("wss://x/")), Some("http://t:1"));
    assert_eq!(proxies.for_url(&url("http://x/")), Some("socks5://a:1"));
    assert_eq!(proxies.for_url(&url("ftp://x/")), None);
    assert_eq!(environment(&[("http_proxy", " ")]), Proxies::default());
    let in_a_cgi = environment(&[("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")]);
    assert_eq!(in_a_cgi.for_url(&url("http://x/")), None);
}

#[test]
fn exceptions_are_hosts_ports_and_networks() {
    for (no_proxy, without, with) in [
        (
            "example.com",
            &["http://example.com/", "http://a.b.Example.com:81/"][..],
            &["http://badexample.com/"][..],
        ),
        (".example.com", &["http://a.example.com/", "http://example.com/"], &["http://xexample.com/"]),
        ("*.example.com", &["http://a.example.com/"], &["http://example.org/"]),
        ("example.com:8080", &["http://example.com:8080/"], &["http://example.com/"]),
        ("example.com:80", &["http://example.com/"], &["https://example.com/"]),
        ("a.org, b.org c.org", &["http://a.org/", "http://b.org/", "http://c.org/"], &["http://d.org/"]),
        ("*", &["http://a.org/", "http://[::1]/"], &[]),
        ("10.0.0.0/8", &["http://10.1.2.3/"], &["http://11.0.0.1/", "http://ten.example/", "http://[::1]/"]),
        ("10.1.2.3", &["http://10.1.2.3/", "http://10.1.2.3:8/"], &["http://10.1.2.30/"]),
        ("10.1.2.3:8", &["http://10.1.2.3:8/"], &["http://10.1.2.3/"]),
        (
            "fd00::/8,[::1]:8000",
            &["http://[fd12::1]/", "http://[::1]:8000/"],
            &["http://[::1]/", "http://[fe00::]/"],
        ),
        ("::1", &["http://[::1]/"], &["http://[::2]/"]),
        ("0.0.0.0/0", &["http://1.2.3.4/"], &["http://[::1]/"]),
        ("0.0.3", &[], &["http://10.0.0.3/"]),
        ("b\u{fc}cher.de", &["http://www.xn--bcher-kva.de/"], &["http://bucher.de/"]),
        ("10.0.0.0/99,a:b:c,, ,:", &[], &["http://10.0.0.1/", "http://a/"]),
    ] {
        let proxies = environment(&[("all_proxy", "http://p"), ("NO_PROXY", no_proxy)]);
        for target in without {
            assert_eq!(proxies.for_url(&url(target)), None, "{target} with {no_proxy}");
        }
        for target in with {
            assert_eq!(proxies.for_url(&url(target)), Some("http://p"), "{target} with {no_proxy}");
        }
    }
}

#[test]
fn logins_are_read_as_words() {
    let text = "# mine\nmachine A.example login ann password \"two words\" account x\n\
                macdef init\n cd /tmp\n machine b.example login no\n\n\
                machine b.example\n\tlogin bob\n\tpassword se\\cret\nmachine a.example login late\n\
                default login anonymous password me@home";
    let netrc = Netrc::parse(text).expect("it is one");
    let login = |name: &str, password: &str| Login { name: name.into(), password: password.into() };
    assert_eq!(netrc.login("a.example"), Some(&login("ann", "two words")));
    assert_eq!(netrc.login("B.EXAMPLE"), Some(&login("bob", "secret")));
    assert_eq!(netrc.login("c.example"), Some(&login("anonymous", "me@home")));
    assert_eq!(Netrc::parse("").expect("empty").login("a"), None);
    for (text, said) in [
        ("machine a\nlogin", "line 2 of the netrc: 'login' has no value"),
        ("\n\nlogin x", "line 3 of the netrc: 'login' belongs to no machine"),
        ("machine a user b pasword c", "line 1 of the netrc: a word there is none of a netrc"),
    ] {
        assert_eq!(Netrc::parse(text).expect_err("malformed").to_string(), said);
    }
}

#[test]
fn charsets_are_found_wherever_they_stand() {
    for (content_type, expected) in [
        ("text/html; charset=UTF-8", Some("utf-8")),
        ("text/html;charset=\"iso-8859-1\"; x=y", Some("iso-8859-1")),
        ("text/html; a=\"; charset=no\"; Charset = Shift_JIS ", Some("shift_jis")),
        ("text/html; flag; charset=utf-8", Some("utf-8")),
        ("text/html", None),
        ("text/html; charset=", None),
        ("text/html; xcharset=utf-8", None),
        ("text/html; a=\"never ends; charset=utf-8", None),
        ("charset=utf-8", None),
    ] {
        assert_eq!(charset(content_type.as_bytes()).as_deref(), expected, "{content_type}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>(), words in "([a-z#\"\\\\ \n=;/:.]|machine |login |default |macdef ){0,60}") {
        let _ = (Netrc::parse(&text), Netrc::parse(&words), charset(text.as_bytes()), charset(words.as_bytes()));
        let proxies = environment(&[("all_proxy", "p"), ("no_proxy", &text), ("https_proxy", &words)]);
        let _ = proxies.for_url(&url("http://10.0.0.1/"));
        let _ = redirect(302, "GET", &url("http://a/b"), Some(text.as_bytes()));
    }
}

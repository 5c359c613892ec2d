//! Cookies: what is kept, what is sent, and to whom. The groups are those of the http-state suite (IETF
//! httpstate working group: parser, domain, path, dates); the cases are written for this crate.

use hoop_fetch::{CookieFault, CookieJar, JarLimits, SetCookie, cookie_date};
use proptest::prelude::*;
use url::Url;

const NOW: u64 = 1_700_000_000;

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn store(jar: &mut CookieJar, from: &str, set_cookie: &str) -> Result<(), CookieFault> {
    jar.store(&url(from), set_cookie.as_bytes(), NOW)
}

fn sent(jar: &mut CookieJar, to: &str) -> String {
    jar.header(&url(to), NOW).map_or(String::new(), |header| String::from_utf8(header).expect("text"))
}

/// What is sent back to the place that the cookies came from.
fn echo(set_cookies: &[&str]) -> String {
    let mut jar = CookieJar::default();
    for set_cookie in set_cookies {
        let _ = store(&mut jar, "https://home.example.org/cookie-parser?number=1", set_cookie);
    }
    sent(&mut jar, "https://home.example.org/cookie-parser-result?number=1")
}

#[test]
fn names_and_values_are_taken_as_they_are() {
    for (set_cookie, expected) in [
        ("foo=bar", "foo=bar"),
        ("foo=bar; Expires=Fri, 07 Aug 2099 08:04:19 GMT", "foo=bar"),
        ("  foo  =  bar  ;", "foo=bar"),
        ("foo=bar=baz", "foo=bar=baz"),
        ("foo=\"quoted; not really\"", "foo=\"quoted"),
        ("foo=bar, baz=qux", "foo=bar, baz=qux"),
        ("foo=", "foo="),
        ("=bar", "bar"),
        ("bar", "bar"),
        ("foo=\u{e4}", "foo=\u{e4}"),
        ("foo\tbar=1", "foo\tbar=1"),
        (";", ""),
        ("=", ""),
        ("", ""),
        ("foo=bar; Max-Age=0", ""),
        ("foo=bar; max-age=-1", ""),
        ("foo=bar; Max-Age=1000", "foo=bar"),
        ("foo=bar; Max-Age=1e3", "foo=bar"),
        ("foo=bar; Expires=Thu, 01 Jan 1970 00:00:01 GMT", ""),
        ("foo=bar; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=60", "foo=bar"),
        ("foo=bar; Expires=never", "foo=bar"),
        ("foo=bar; SeCuRe; HttpOnly; SameSite=Strict; Priority=High", "foo=bar"),
    ] {
        assert_eq!(echo(&[set_cookie]), expected, "{set_cookie:?}");
    }
}

/// In the http-state suite a value without a name is dropped (RFC 6265); its revision keeps it.
#[test]
fn attributes_are_read_with_room_around_them_and_the_last_counts() {
    for (attributes, is_sent_without_tls, path) in [
        ("Secure", false, "/in"),
        ("  sEcUrE  ;", false, "/in"),
        ("Secure=no", false, "/in"),
        ("Secure =x; rest", false, "/in"),
        ("Secure rest", true, "/in"),
        ("\"Secure\"", true, "/in"),
        ("Path", true, "/in"),
        ("Path=; Path", true, "/in"),
        ("Path  =   /out  ; x", true, "/out"),
        ("Path=/out; path=/in/deep", true, "/in/deep"),
        ("x=\"a;Secure\"", true, "/in"),
        ("Version=1; Comment=none; ;;; =", true, "/in"),
    ] {
        let mut jar = CookieJar::default();
        store(&mut jar, "https://a.example.com/in/here", &format!("name=value; {attributes}")).expect("kept");
        let [cookie] = jar.cookies()[..] else { panic!("one cookie") };
        assert_eq!(
            (!cookie.is_secure, &*cookie.path),
            (is_sent_without_tls, path.as_bytes()),
            "{attributes}"
        );
    }
}

#[test]
fn what_comes_later_replaces_and_takes_back() {
    assert_eq!(echo(&["foo=bar", "foo=qux"]), "foo=qux");
    assert_eq!(echo(&["foo=bar", "a=1", "foo=qux"]), "foo=qux; a=1", "it keeps its place");
    assert_eq!(echo(&["foo=bar", "foo=; Max-Age=0"]), "");
    assert_eq!(echo(&["foo=bar", "foo=; Path=/elsewhere; Max-Age=0"]), "foo=bar");
    assert_eq!(echo(&["foo=1", "Foo=2"]), "foo=1; Foo=2", "names have two cases");
}

#[test]
fn what_is_malformed_or_too_long_is_refused() {
    let long = "x".repeat(4096);
    for (set_cookie, fault) in [
        ("foo=b\0ar", CookieFault::Control),
        ("foo=bar; Path=/\r", CookieFault::Control),
        ("foo=bar\x7f", CookieFault::Control),
        ("; Path=/", CookieFault::Empty),
        (&*format!("f={long}"), CookieFault::TooLong),
    ] {
        assert_eq!(SetCookie::parse(set_cookie.as_bytes(), NOW), Err(fault));
    }
    let read =
        SetCookie::parse(format!("f=1; Path=/{long}; Domain=A.example.").as_bytes(), NOW).expect("read");
    assert_eq!((read.path, read.domain.as_deref()), (None, Some("a.example.")));
    let read = SetCookie::parse(b"f=1; Max-Age=99999999999999999999999", NOW).expect("read");
    assert_eq!(read.expires, Some(NOW + 400 * 86_400), "nothing lives longer than 400 days");
}

#[test]
fn domains_bound_who_may_set_and_who_gets_it() {
    let set = |from: &str, domain: &str| {
        let mut jar = CookieJar::default();
        let kept = store(&mut jar, from, &format!("a=1; Domain={domain}"));
        (jar, kept)
    };
    let (mut jar, kept) = set("http://www.shop.example.com/", ".Example.com");
    assert_eq!(kept, Ok(()));
    for (to, goes) in [
        ("http://example.com/", true),
        ("http://deep.down.example.com/", true),
        ("http://badexample.com/", false),
        ("http://example.com.evil.net/", false),
        ("http://com/", false),
    ] {
        assert_eq!(!sent(&mut jar, to).is_empty(), goes, "{to}");
    }
    for (from, domain, fault) in [
        ("http://shop.example.com/", "other.com", CookieFault::ForeignDomain),
        ("http://example.com/", "www.example.com", CookieFault::ForeignDomain),
        ("http://xexample.com/", "example.com", CookieFault::ForeignDomain),
        ("http://shop.example.com/", "com", CookieFault::PublicSuffix),
        ("http://shop.co.uk/", "co.uk", CookieFault::PublicSuffix),
        ("http://me.github.io/", "github.io", CookieFault::PublicSuffix),
        ("http://printer.local/", "local", CookieFault::PublicSuffix),
        ("http://127.0.0.1/", "0.0.1", CookieFault::ForeignDomain),
        ("http://127.0.0.1/", "1", CookieFault::ForeignDomain),
        ("http://example.com/", "exa mple.com", CookieFault::ForeignDomain),
    ] {
        assert_eq!(set(from, domain).1, Err(fault), "{domain} from {from}");
    }
    // What names itself is for itself alone, where it is no domain of anybody's.
    for from in ["http://github.io/", "http://127.0.0.1/", "http://localhost/", "http://[::1]/"] {
        let host = url(from).host_str().expect("a host").to_owned();
        let (mut jar, kept) = set(from, &host);
        assert_eq!(kept, Ok(()), "{from}");
        assert_eq!(sent(&mut jar, from), "a=1");
        assert!(jar.cookies().iter().all(|cookie| cookie.is_host_only), "{from}");
    }
    let (mut jar, kept) = set("http://www.b\u{fc}cher.de/", "b\u{fc}cher.de");
    assert_eq!(kept, Ok(()));
    assert_eq!(sent(&mut jar, "http://xn--bcher-kva.de/"), "a=1");
    let mut jar = CookieJar::default();
    store(&mut jar, "http://example.com/", "a=1").expect("kept");
    assert_eq!(sent(&mut jar, "http://www.example.com/"), "", "without Domain it is the host's own");
}

#[test]
fn paths_bound_what_it_is_sent_with_and_longer_ones_come_first() {
    let mut jar = CookieJar::default();
    let from = "http://a.example.com/one/two/three?four";
    for set_cookie in
        ["none=1", "root=1; Path=/", "one=1; Path=/one", "odd=1; Path=two", "deep=1; Path=/one/two/"]
    {
        store(&mut jar, from, set_cookie).expect("kept");
    }
    let at = |jar: &mut CookieJar, path: &str| sent(jar, &format!("http://a.example.com{path}"));
    assert_eq!(at(&mut jar, "/one/two/x"), "deep=1; none=1; odd=1; one=1; root=1");
    assert_eq!(at(&mut jar, "/one/two"), "none=1; odd=1; one=1; root=1");
    assert_eq!(at(&mut jar, "/one"), "one=1; root=1");
    assert_eq!(at(&mut jar, "/onerous"), "root=1");
    assert_eq!(at(&mut jar, "/"), "root=1");
}

#[test]
fn secure_cookies_are_left_alone_by_what_is_not() {
    let mut jar = CookieJar::default();
    assert_eq!(store(&mut jar, "http://a.example.com/", "id=1; Secure"), Err(CookieFault::Insecure));
    store(&mut jar, "https://a.example.com/", "id=1; Secure; Path=/in").expect("kept");
    assert_eq!(sent(&mut jar, "http://a.example.com/in"), "");
    assert_eq!(sent(&mut jar, "wss://a.example.com/in"), "id=1");
    for set_cookie in ["id=evil; Path=/in", "id=evil; Path=/in/deep", "id=evil; Path=/in; Domain=example.com"]
    {
        assert_eq!(
            store(&mut jar, "http://a.example.com/", set_cookie),
            Err(CookieFault::Insecure),
            "{set_cookie}"
        );
    }
    store(&mut jar, "http://a.example.com/", "id=other; Path=/").expect("elsewhere it may");
}

#[test]
fn prefixes_promise_what_they_say() {
    for (set_cookie, is_kept) in [
        ("__Secure-a=1; Secure", true),
        ("__secure-a=1", false),
        ("__Host-a=1; Secure; Path=/", true),
        ("__Host-a=1; Secure", false),
        ("__HOST-a=1; Secure; Path=/in", false),
        ("__Host-a=1; Secure; Path=/; Domain=example.org", false),
        ("__Host-a=1; Path=/", false),
        ("=__Host-a=1; Secure; Path=/", false),
        ("__Hostile=1", true),
    ] {
        assert_eq!(!echo(&[set_cookie]).is_empty(), is_kept, "{set_cookie}");
    }
}

#[test]
fn dates_are_read_gently() {
    let time = Some(784_111_777);
    for (date, expected) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", time),
        ("Sunday, 06-Nov-94 08:49:37 GMT", time),
        ("Sun Nov  6 08:49:37 1994", time),
        ("6 nOvEmBeR 1994 8:49:37+0100", time),
        ("1994 08:49:37 06 nov", time),
        ("06 1994 08:49:37 nov", time),
        ("Wed, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
        ("Mon, 29 Feb 2100 00:00:00 GMT", None),
        ("31 Apr 2020 00:00:00", None),
        ("1 Jan 70 00:00:00", Some(0)),
        ("31 Dec 1969 23:59:59", Some(0)),
        ("1 Jan 69 00:00:00", Some(3_124_224_000)),
        ("1 Jan 1600 00:00:00", None),
        ("1 Jan 2020 24:00:00", None),
        ("1 Jan 2020 00:60:00", None),
        ("32 Jan 2020 00:00:00", None),
        ("1 Jan 2020", None),
        ("", None),
        ("\u{fffd}\u{0}", None),
    ] {
        assert_eq!(cookie_date(date.as_bytes()), expected, "{date:?}");
    }
}

#[test]
fn the_jar_is_bounded_and_forgets_what_was_not_used() {
    let mut jar = CookieJar::new(JarLimits { of_a_domain: 3, in_all: 6 });
    for name in ["a", "b", "c"] {
        store(&mut jar, "https://one.example.com/", &format!("{name}=1; Path=/{name}")).expect("kept");
    }
    assert_eq!(sent(&mut jar, "https://one.example.com/a"), "a=1");
    store(&mut jar, "https://one.example.com/", "d=1; Path=/d").expect("kept");
    assert_eq!(sent(&mut jar, "https://one.example.com/a"), "a=1");
    assert_eq!(sent(&mut jar, "https://one.example.com/b"), "", "the one not used for longest went");
    for number in 0..50 {
        store(&mut jar, &format!("https://h{number}.example.net/"), "n=1").expect("kept");
        assert!(jar.len() <= 6);
    }
    assert_eq!(sent(&mut jar, "https://h49.example.net/"), "n=1");
    jar.remove(|_| true);
    assert!(jar.is_empty());
}

#[test]
fn the_programs_own_cookies_go_to_whom_it_asks_and_no_server_drives_them_out() {
    let mut jar = CookieJar::new(JarLimits { of_a_domain: 1, in_all: 1 });
    jar.put(b"own", b"1", "", b"/");
    jar.put(b"own", b"2", "", b"/");
    jar.put(b"wide", b"3", ".Example.com", b"/deep");
    assert_eq!(sent(&mut jar, "http://else.example.net/"), "own=2");
    assert_eq!(sent(&mut jar, "http://a.example.com/deep/er"), "wide=3; own=2");
    let to = url("http://a.example.com/deep");
    let led: Vec<_> = jar.for_url(&to, false, NOW).iter().map(|cookie| cookie.name.clone()).collect();
    assert_eq!(led, [b"wide".to_vec()], "who was led there by another server takes no cookies for all along");
    for name in ["x", "y", "z"] {
        store(&mut jar, "http://else.example.net/", &format!("{name}=1")).expect("kept");
    }
    assert_eq!(sent(&mut jar, "http://else.example.net/"), "own=2; z=1");
    store(&mut jar, "http://else.example.net/", "own=server").expect("kept");
    assert_eq!(sent(&mut jar, "http://else.example.net/"), "own=server", "what the server says anew counts");
    assert_eq!(sent(&mut jar, "http://example.org/"), "own=2");
}

proptest! {
    /// Whatever servers send, the jar neither panics nor grows, and what it sends has no line of its own.
    #[test]
    fn any_bytes_do_no_harm(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..30)) {
        let mut jar = CookieJar::new(JarLimits { of_a_domain: 5, in_all: 5 });
        for line in &lines {
            let _ = jar.store(&url("https://a.example.com/x/y"), line, NOW);
            prop_assert!(jar.len() <= 5);
        }
        if let Some(header) = jar.header(&url("https://a.example.com/x/z"), NOW) {
            prop_assert!(!header.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
    }

    #[test]
    fn any_bytes_are_a_date_or_none(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = cookie_date(&bytes);
    }

    /// A date is the same in each of the forms that servers use.
    #[test]
    fn forms_of_a_date_agree(day in 1u64..29, hour in 0u64..24, minute in 0u64..60, year in 1970u64..2069) {
        let long = cookie_date(format!("Mon, {day:02} Mar {year} {hour:02}:{minute:02}:09 GMT").as_bytes());
        let short = cookie_date(format!("Mon, {day:02}-Mar-{:02} {hour:02}:{minute:02}:09 GMT", year % 100).as_bytes());
        prop_assert!(long.is_some());
        prop_assert_eq!(long, short);
    }
}

#[test]
fn cookies_of_another_jar_stay_as_they_are_and_take_places() {
    let (mut one, mut other) = (CookieJar::default(), CookieJar::default());
    store(&mut one, "https://a.example.org/", "host=1; Path=/; Secure").expect("kept");
    store(&mut one, "https://a.example.org/", "ends=1; Path=/; Max-Age=10").expect("kept");
    other.put(b"host", b"old", "a.example.org", b"/");
    other.merge(one.cookies().into_iter().cloned().collect(), NOW);
    assert_eq!(sent(&mut other, "https://a.example.org/"), "host=1; ends=1");
    assert_eq!(sent(&mut other, "http://a.example.org/"), "ends=1");
    assert_eq!(sent(&mut other, "https://b.a.example.org/"), "");
    assert_eq!(other.header(&url("http://a.example.org/"), NOW + 11), None);
}

#[test]
fn a_jar_stays_bounded_whatever_is_merged() {
    let mut jar = CookieJar::new(JarLimits { of_a_domain: 2, in_all: 3 });
    for name in ["a", "b", "c"] {
        let mut other = CookieJar::default();
        store(&mut other, "https://one.example.org/", &format!("{name}=1; Path=/")).expect("kept");
        jar.merge(other.cookies().into_iter().cloned().collect(), NOW);
    }
    assert_eq!(sent(&mut jar, "https://one.example.org/"), "b=1; c=1");
}

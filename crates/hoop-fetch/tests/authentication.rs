//! Challenges and their answers, by the examples of RFC 7616 section 3.9.1, RFC 2617 section 3.5 and RFC
//! 7617 section 2.

use hoop_fetch::{Algorithm, Challenge, Digest, DigestFault, basic, challenges};
use proptest::prelude::*;

const OF_RFC_7616: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5,
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

fn offered(text: &str) -> Vec<Challenge> {
    challenges(&text.replace('\n', ""))
}

fn answer(digest: &mut Digest) -> String {
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    digest.authorization("Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce)
}

#[test]
fn the_examples_of_rfc_7616_come_out() {
    let both = offered(OF_RFC_7616);
    assert_eq!(both.len(), 2);
    for (challenge, response) in both.iter().zip([
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        "8ca523f5e9506fed4657c9700eebdbec",
    ]) {
        let answer = answer(&mut Digest::new(challenge).expect("it can be answered"));
        assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
        assert!(
            answer.starts_with("Digest username=\"Mufasa\", realm=\"http-auth@example.org\""),
            "{answer}"
        );
        assert!(answer.contains("qop=auth, nc=00000001, algorithm="), "{answer}");
        assert!(answer.contains("opaque=\"FQhe/"), "{answer}");
    }
}

#[test]
fn the_example_of_rfc_2617_comes_out_and_so_does_its_forerunner() {
    let with = r#"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#;
    let mut digest = Digest::new(&offered(with)[0]).expect("it can be answered");
    let answer = digest.authorization("Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b");
    assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
    let without = with.replace(r#"qop="auth,auth-int", "#, "");
    let mut digest = Digest::new(&offered(&without)[0]).expect("it can be answered");
    let answer = digest.authorization("Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b");
    // As curl answers it: KD(H(A1), nonce:H(A2)).
    assert!(answer.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""), "{answer}");
    assert!(!answer.contains("nc=") && !answer.contains("cnonce"), "{answer}");
}

#[test]
fn the_strongest_is_answered_whatever_the_order_and_requests_are_counted() {
    let mut both = offered(OF_RFC_7616);
    for _ in 0..2 {
        both.reverse();
        let mut digest = Digest::strongest(&both).expect("one of them");
        assert!(answer(&mut digest).contains("algorithm=SHA-256"));
        assert!(answer(&mut digest).contains("nc=00000002"));
    }
    assert!(Algorithm::Md5 < Algorithm::Sha256 && Algorithm::Sha256 < Algorithm::Sha512T256);
    assert_eq!(Digest::strongest(&offered("Basic realm=x, Digest realm=x")), None);
}

#[test]
fn sessions_hashed_names_and_names_beyond_ascii() {
    let answer = |text: &str| {
        let mut digest = Digest::new(&offered(text)[0]).expect("it can be answered");
        digest.authorization("J\u{e4}s\u{f8}n", "pass", "GET", "/", "c")
    };
    let session = answer("Digest realm=r, nonce=n, algorithm=MD5-sess, qop=auth");
    assert!(session.contains("algorithm=MD5-sess") && session.contains("cnonce=\"c\""), "{session}");
    assert_ne!(session, answer("Digest realm=r, nonce=n, algorithm=MD5, qop=auth"));
    let named = answer("Digest realm=r, nonce=n, charset=UTF-8");
    assert!(named.starts_with("Digest username*=UTF-8''%4A%C3%A4%73%C3%B8%6E, "), "{named}");
    let hashed = answer("Digest realm=r, nonce=n, userhash=true, algorithm=SHA-512-256");
    assert!(hashed.contains("userhash=true") && !hashed.contains('\u{e4}'), "{hashed}");
}

#[test]
fn what_cannot_be_answered_says_why() {
    let fault = |text: &str| Digest::new(&offered(text)[0]).expect_err("no answer");
    assert_eq!(fault("Digest realm=r"), DigestFault::Missing("nonce"));
    assert_eq!(fault("Digest nonce=n"), DigestFault::Missing("realm"));
    assert_eq!(
        fault("Digest realm=r, nonce=n, qop=auth-int"),
        DigestFault::Unknown("qop", "auth-int".into())
    );
    let other = fault("Digest realm=r, nonce=n, algorithm=WHIRL");
    assert_eq!(other.to_string(), "the challenge asks for the algorithm 'WHIRL', which is not supported");
}

#[test]
fn nothing_that_a_server_sends_makes_a_header_of_its_own() {
    let hostile = Challenge {
        scheme: "digest".into(),
        token: None,
        parameters: vec![("realm".into(), "a\"b\\\r\nX: 1".into()), ("nonce".into(), "n\n".into())],
    };
    let answer = Digest::new(&hostile).expect("read").authorization("u\r\n", "p", "GET", "/", "c");
    assert!(answer.contains(r#"realm="a\"b\\X: 1", nonce="n""#), "{answer}");
    assert!(!answer.contains(['\r', '\n']), "{answer}");
}

#[test]
fn challenges_are_told_apart_in_one_line() {
    let all = offered(
        r#"Newauth realm="apps, \"and\" more" , type=1, Basic realm=simple, Negotiate abc+/==, Bearer"#,
    );
    let schemes: Vec<&str> = all.iter().map(|challenge| challenge.scheme.as_str()).collect();
    assert_eq!(schemes, ["newauth", "basic", "negotiate", "bearer"]);
    assert_eq!(all[0].parameter("realm"), Some("apps, \"and\" more"));
    assert_eq!(all[0].parameter("type"), Some("1"));
    assert_eq!(all[2].token.as_deref(), Some("abc+/=="));
    assert_eq!(offered("Basic realm=\"never ends").len(), 1);
    assert_eq!(offered(""), []);
}

#[test]
fn basic_is_as_in_rfc_7617() {
    assert_eq!(basic("Aladdin", "open sesame").as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(basic("test", "123\u{a3}").as_deref(), Some("Basic dGVzdDoxMjPCow=="));
    assert_eq!(basic("a:b", "c"), None);
    assert_eq!(basic("a", "c\n"), None);
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        for challenge in challenges(&text) {
            let _ = Digest::new(&challenge);
        }
    }
}

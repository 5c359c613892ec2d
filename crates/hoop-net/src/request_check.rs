//! What hyper lets pass and a server must not: ambiguous framing and unclear targets.

use http::header::{HOST, HeaderMap, TRANSFER_ENCODING};
use http::{Method, Request, Version};

/// Why a request is refused with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// RFC 9112 section 6.1: HTTP/1.0 knows no transfer codings.
    #[error("Transfer-Encoding needs HTTP/1.1")]
    TransferEncodingInOldVersion,
    /// RFC 9112 section 3.2: an HTTP/1.1 request has exactly one Host.
    #[error("a request needs exactly one Host header")]
    HostCount,
    /// RFC 9110 section 7.2.
    #[error("the Host header is malformed")]
    MalformedHost,
    /// RFC 9112 section 3.2.3: authority-form is for CONNECT alone.
    #[error("the request target is malformed")]
    MalformedTarget,
}

/// Checks the head of an HTTP/1 request.
pub fn check_request<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.method() != Method::CONNECT && request.uri().path().is_empty() {
        return Err(Refusal::MalformedTarget);
    }
    // With a Content-Length beside it hyper believes the coding and closes the connection after the
    // response, as section 6.1 of RFC 9112 demands.
    if request.headers().contains_key(TRANSFER_ENCODING) && request.version() < Version::HTTP_11 {
        return Err(Refusal::TransferEncodingInOldVersion);
    }
    check_host(request.headers(), request.version())
}

/// Checks the head of an HTTP/2 request, whose framing hyper has checked.
pub fn check_request_http2<B>(request: &Request<B>) -> Result<(), Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::HostCount);
    }
    // RFC 9113 section 8.3.1: one of the two, and the same where there are both.
    match (request.uri().authority(), host) {
        (None, None) => Err(Refusal::HostCount),
        (Some(authority), Some(host))
            if !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) =>
        {
            Err(Refusal::MalformedHost)
        }
        (Some(authority), _) => well_formed(authority.as_str().as_bytes()),
        (None, Some(host)) => well_formed(host.as_bytes()),
    }
}

fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return if version < Version::HTTP_11 { Ok(()) } else { Err(Refusal::HostCount) };
    };
    if hosts.next().is_some() {
        return Err(Refusal::HostCount);
    }
    well_formed(host.as_bytes())
}

fn well_formed(host: &[u8]) -> Result<(), Refusal> {
    // RFC 3986 section 3.2.2: reg-name, IPv4 or [IPv6], then an optional port; no user, no path.
    let fits = host.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'[' | b']')
            || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
    });
    if fits { Ok(()) } else { Err(Refusal::MalformedHost) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Result<(), Refusal> {
        let builder = Request::builder().method("POST").uri("/path").version(Version::HTTP_11);
        check_request(&build(builder).body(()).expect("a request"))
    }

    #[test]
    fn an_ordinary_request_passes() {
        assert_eq!(checked(|request| request.header("host", "example.org:8000")), Ok(()));
        assert_eq!(checked(|request| request.header("host", "[::1]:80")), Ok(()));
        assert_eq!(checked(|request| request.version(Version::HTTP_10)), Ok(()));
        assert_eq!(checked(|request| request.header("host", "")), Ok(()));
    }

    #[test]
    fn chunks_in_an_old_version_are_refused() {
        let old = checked(|request| request.version(Version::HTTP_10).header("transfer-encoding", "chunked"));
        assert_eq!(old, Err(Refusal::TransferEncodingInOldVersion));
    }

    #[test]
    fn the_host_must_be_there_once_and_well_formed() {
        assert_eq!(checked(|request| request), Err(Refusal::HostCount));
        let twice = checked(|request| request.header("host", "a").header("host", "b"));
        assert_eq!(twice, Err(Refusal::HostCount));
        for malformed in ["a b", "user@host", "a/b", "a\tb"] {
            let answer = checked(|request| request.header("host", malformed));
            assert_eq!(answer, Err(Refusal::MalformedHost), "{malformed:?}");
        }
    }

    #[test]
    fn http2_has_its_host_in_either_place_and_no_two_of_them() {
        let checked = |uri: &str, hosts: &[&str]| {
            let request = Request::builder().uri(uri).version(Version::HTTP_2);
            let request = hosts.iter().fold(request, |request, host| request.header("host", *host));
            check_request_http2(&request.body(()).expect("a request"))
        };
        assert_eq!(checked("https://example.org:1/", &[]), Ok(()));
        assert_eq!(checked("https://example.org:1/", &["Example.org:1"]), Ok(()));
        assert_eq!(checked("/", &["example.org"]), Ok(()));
        assert_eq!(checked("/", &[]), Err(Refusal::HostCount));
        assert_eq!(checked("https://a/", &["a", "a"]), Err(Refusal::HostCount));
        assert_eq!(checked("https://a/", &["b"]), Err(Refusal::MalformedHost));
        assert_eq!(checked("https://user@a/", &[]), Err(Refusal::MalformedHost));
    }

    #[test]
    fn authority_form_is_for_connect_alone() {
        let target = checked(|request| request.method("GET").uri("example.org:80").header("host", "a"));
        assert_eq!(target, Err(Refusal::MalformedTarget));
    }
}

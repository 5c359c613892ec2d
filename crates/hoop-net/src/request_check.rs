//! What is checked of a request once it is parsed: that it names one host.

use hoop_http::is_host;
use hoop_http1::{MessageLimits, Refusal};
use http::header::{HOST, HeaderMap};
use http::{Request, Version};
use http_body::Body;

/// RFC 9112 section 3.2: an HTTP/1.1 request has exactly one Host, and it is well formed.
pub fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return if version < Version::HTTP_11 { Ok(()) } else { Err(Refusal::HostCount) };
    };
    if hosts.next().is_some() {
        return Err(Refusal::HostCount);
    }
    well_formed(host.as_bytes())
}

/// Checks the head of an HTTP/2 request, whose framing hyper has checked.
pub fn check_request_http2<B>(request: &Request<B>) -> Result<(), Refusal> {
    // RFC 9110 section 5.1: names are tokens. The type of a name sees to all of it but this.
    if request.headers().keys().any(|name| name.as_str().contains('"')) {
        return Err(Refusal::FieldName);
    }
    // RFC 9113 section 8.2.1.
    if request.headers().values().any(|value| has_space_around(value.as_bytes())) {
        return Err(Refusal::FieldValue);
    }
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

/// Checks the size of an HTTP/2 request by its head; hyper has checked that of the head as a whole.
pub fn check_size_http2<B: Body>(request: &Request<B>, limits: &MessageLimits) -> Result<(), Refusal> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target {
        return Err(Refusal::TargetTooLong);
    }
    if request.headers().len() > limits.fields {
        return Err(Refusal::TooManyFields);
    }
    // The least that it will be: its Content-Length, if there is one.
    if request.body().size_hint().lower() > limits.body { Err(Refusal::BodyTooLarge) } else { Ok(()) }
}

fn has_space_around(value: &[u8]) -> bool {
    [value.first(), value.last()].into_iter().flatten().any(|byte| matches!(byte, b' ' | b'\t'))
}

fn well_formed(host: &[u8]) -> Result<(), Refusal> {
    if is_host(host) { Ok(()) } else { Err(Refusal::MalformedHost) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn checked(hosts: &[&'static str], version: Version) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        check_host(&headers, version)
    }

    #[test]
    fn an_ordinary_host_passes() {
        for host in ["example.org:8000", "[::1]:80", ""] {
            assert_eq!(checked(&[host], Version::HTTP_11), Ok(()), "{host}");
        }
        assert_eq!(checked(&[], Version::HTTP_10), Ok(()));
    }

    #[test]
    fn the_host_must_be_there_once_and_well_formed() {
        assert_eq!(checked(&[], Version::HTTP_11), Err(Refusal::HostCount));
        assert_eq!(checked(&["a", "b"], Version::HTTP_11), Err(Refusal::HostCount));
        assert_eq!(checked(&["a", "a"], Version::HTTP_10), Err(Refusal::HostCount));
        // What a Host may look like is tested where that is said (hoop_http::is_host).
        for malformed in ["a b", "user@host", "::1"] {
            assert_eq!(checked(&[malformed], Version::HTTP_11), Err(Refusal::MalformedHost), "{malformed:?}");
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
    fn no_value_begins_or_ends_with_a_space() {
        for (value, fits) in [("a b", true), ("", true), (" a", false), ("a\t", false), (" ", false)] {
            let request = Request::builder().uri("https://a/").header("x-name", value).body(());
            assert_eq!(check_request_http2(&request.expect("a request")).is_ok(), fits, "{value:?}");
        }
    }
}

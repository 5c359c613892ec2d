//! A request as the engine hands it on, made of the bytes of its head.

use bytes::Bytes;
use hoop_http1::{Refusal, RequestHead};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

/// Makes a request of a head that was read. `headers` is an empty map whose memory is used.
pub fn request(head: &RequestHead, bytes: &Bytes, mut headers: HeaderMap) -> Result<Request<()>, Refusal> {
    for (name, value) in &head.fields {
        let name = bytes.get(name.clone()).and_then(|name| HeaderName::from_bytes(name).ok());
        let name = name.ok_or(Refusal::FieldName)?;
        let value = HeaderValue::from_maybe_shared(part(bytes, value)).map_err(|_| Refusal::FieldValue)?;
        headers.try_append(name, value).map_err(|_| Refusal::TooManyFields)?;
    }
    let method = bytes.get(head.method.clone()).and_then(|method| Method::from_bytes(method).ok());
    let mut request = Request::new(());
    *request.method_mut() = method.ok_or(Refusal::RequestLine)?;
    *request.uri_mut() = Uri::from_maybe_shared(part(bytes, &head.target)).map_err(|_| Refusal::Target)?;
    *request.version_mut() = if head.meaning.is_old { Version::HTTP_10 } else { Version::HTTP_11 };
    *request.headers_mut() = headers;
    Ok(request)
}

/// A part of a head, without a copy.
fn part(bytes: &Bytes, place: &std::ops::Range<usize>) -> Bytes {
    if place.start <= place.end && place.end <= bytes.len() {
        bytes.slice(place.clone())
    } else {
        Bytes::new()
    }
}

#[cfg(test)]
mod tests {
    use hoop_http1::{MessageLimits, Piece, RequestReader};

    use super::*;

    fn read(text: &'static str) -> Result<Request<()>, Refusal> {
        let mut reader = RequestReader::new(MessageLimits::default());
        assert_eq!(reader.next_piece(text.as_bytes()), Ok(Piece::Head(text.len())));
        request(reader.head(), &Bytes::from_static(text.as_bytes()), HeaderMap::new())
    }

    #[test]
    fn a_head_becomes_a_request() {
        let text = "PUT /a?b=c HTTP/1.1\r\nHost: example.org\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\n\r\n";
        let request = read(text).expect("a request");
        assert_eq!((request.method(), request.version()), (&Method::PUT, Version::HTTP_11));
        assert_eq!((request.uri().path(), request.uri().query()), ("/a", Some("b=c")));
        assert_eq!(request.headers()["host"], "example.org");
        assert_eq!(request.headers()["x-empty"], "");
        assert!(request.headers().get_all("x-a").iter().eq(["1", "2"]));
    }

    #[test]
    fn every_form_of_target_is_kept() {
        for (text, target) in [
            ("OPTIONS * HTTP/1.1\r\n\r\n", "*"),
            ("GET http://example.org:80/a HTTP/1.1\r\n\r\n", "http://example.org:80/a"),
            ("CONNECT example.org:80 HTTP/1.0\r\n\r\n", "example.org:80"),
        ] {
            assert_eq!(read(text).expect(target).uri().to_string(), target);
        }
    }

    #[test]
    fn a_target_that_is_no_uri_is_refused() {
        assert!(matches!(read("GET http://[::1/ HTTP/1.1\r\n\r\n"), Err(Refusal::Target)));
    }
}

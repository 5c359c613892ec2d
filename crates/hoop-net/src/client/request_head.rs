//! The head of a request in HTTP/1, written once for requests that are alike.

use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method};

use super::destination::Destination;
use super::exchange::Outgoing;
use super::proxy::Via;
use crate::websocket::has_token;

/// The head of the last request of a connection: the next is as a rule to the same place, with the same fields.
#[derive(Default)]
pub struct RequestHead {
    of: Option<(Method, Arc<Destination>, Arc<HeaderMap>)>,
    text: Vec<u8>,
    closes: bool,
}

/// A head that has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written<'a> {
    /// The request line and the fields, all but those that frame the body.
    pub text: &'a [u8],
    /// Whether it says that the connection ends with this exchange (RFC 9112 section 9.6).
    pub closes: bool,
}

impl RequestHead {
    /// The head of this request.
    pub fn of(&mut self, request: &Outgoing) -> Written<'_> {
        let Outgoing { method, destination, headers, .. } = request;
        let is_known = self.of.as_ref().is_some_and(|(known, place, fields)| {
            // Neither changes while it is held here.
            Arc::ptr_eq(place, destination) && Arc::ptr_eq(fields, headers) && known == method
        });
        if !is_known {
            self.text.clear();
            write(method, destination, headers, &mut self.text);
            self.closes = headers.get_all(CONNECTION).iter().any(|value| has_token(value, "close"));
            self.of = Some((method.clone(), destination.clone(), headers.clone()));
        }
        Written { text: &self.text, closes: self.closes }
    }
}

/// Host comes first (RFC 9110 section 7.2). What frames the body is left out, whoever asked for it: beside
/// the engine's own framing it would make two requests of one (RFC 9112 section 11.2).
fn write(method: &Method, destination: &Destination, headers: &HeaderMap, text: &mut Vec<u8>) {
    let target = &destination.relative;
    let is_absolute = target.authority().is_some();
    let whole = if is_absolute { target.to_string() } else { String::new() };
    let path = target.path_and_query().map_or("/", |target| target.as_str());
    for part in [method.as_str(), " ", if is_absolute { &whole } else { path }, " HTTP/1.1\r\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    let own_host = (!headers.contains_key(HOST)).then_some((&HOST, &destination.host));
    // What a proxy is told stands for what the program says to it.
    let of_proxy: Vec<_> = destination.origin.via.iter().flat_map(Via::fields).collect();
    let given = headers.iter().filter(|(name, _)| !of_proxy.iter().any(|(own, _)| own == name));
    for (name, value) in own_host.into_iter().chain(given).chain(of_proxy.iter().copied()) {
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            continue;
        }
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use url::Url;

    use super::*;
    use crate::client::Payload;

    fn outgoing(url: &str, fields: &[(&'static str, &'static str)]) -> Outgoing {
        let url = Url::parse(url).expect("a URL");
        Outgoing {
            method: Method::GET,
            destination: Arc::new(Destination::of(&url, None).expect("it leads somewhere")),
            headers: Arc::new(
                fields
                    .iter()
                    .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
                    .collect(),
            ),
            payload: Payload::Empty,
        }
    }

    #[test]
    fn a_head_is_written_for_the_request_at_hand() {
        let mut head = RequestHead::default();
        let mut request = outgoing("http://a.example/b?c=1", &[("x-d", "e")]);
        let first = b"GET /b?c=1 HTTP/1.1\r\nhost: a.example\r\nx-d: e\r\n";
        assert_eq!(head.of(&request).text, first);
        assert_eq!(head.of(&request).text, first, "and is the same for the same");
        request.method = Method::HEAD;
        assert!(head.of(&request).text.starts_with(b"HEAD "));
        let other = outgoing("http://a.example/", &[("host", "given")]);
        assert_eq!(head.of(&other).text, b"GET / HTTP/1.1\r\nhost: given\r\n");
    }

    #[test]
    fn nobody_frames_the_body_beside_the_engine() {
        let fields = [("transfer-encoding", "chunked"), ("content-length", "3"), ("x-d", "e")];
        let mut head = RequestHead::default();
        let written = head.of(&outgoing("http://a.example/", &fields)).text.to_vec();
        assert_eq!(written, b"GET / HTTP/1.1\r\nhost: a.example\r\nx-d: e\r\n");
    }

    #[test]
    fn a_head_that_ends_its_connection_is_known() {
        let mut head = RequestHead::default();
        for (value, closes) in
            [("close", true), ("x-d, Close", true), ("keep-alive", false), ("x-close", false)]
        {
            let request = outgoing("http://a.example/", &[("connection", value)]);
            assert_eq!(head.of(&request).closes, closes, "{value}");
            assert_eq!(head.of(&request).closes, closes, "{value}, once more");
        }
    }
}

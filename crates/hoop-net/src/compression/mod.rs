//! Compressing what the application sends: what of it, for whom, and how (ADR 0029).

mod compressed_body;
mod encoder;

use hoop_http::{Coding, EntityTag, Preferences, Tags, is_compressible, merged_vary};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;

use crate::body::ResponseBody;
use crate::files::joined;

pub use compressed_body::CompressedBody;
use encoder::Encoder;
pub use encoder::Levels;

/// A body up to this size is compressed in one go, before its head is sent, and has a length.
const AT_ONCE: usize = 32 * 1024;

/// Fields that vouch for the very bytes of a body: these would not be true any more.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// How an application's responses are compressed.
#[derive(Debug, Clone)]
pub struct Compression {
    /// The codings, the best first.
    pub codings: Vec<Coding>,
    /// A body of fewer bytes is left alone.
    pub least: u64,
    /// How much work each coding makes of it.
    pub levels: Levels,
}

/// What of a request counts for the compression of its response.
#[derive(Debug, Clone)]
pub struct Asked {
    preferences: Preferences,
    answers_head: bool,
    known: Option<HeaderValue>,
}

impl Compression {
    /// Looks at a request.
    pub fn asked<B>(&self, request: &Request<B>) -> Asked {
        let accepted = joined(request.headers(), &ACCEPT_ENCODING).unwrap_or_default();
        Asked {
            preferences: Preferences::parse(&accepted),
            answers_head: request.method() == Method::HEAD,
            known: request.headers().get(IF_NONE_MATCH).cloned(),
        }
    }

    /// Compresses a response, if it is to be and the client takes it.
    pub fn apply(&self, asked: &Asked, response: &mut Response<ResponseBody>) {
        if response.status() == StatusCode::NOT_MODIFIED {
            as_it_was(asked, response.headers_mut());
            return;
        }
        if !self.is_for(response) {
            return;
        }
        vary(response.headers_mut());
        let Some(coding) = asked.preferences.choose(self.codings.iter().copied()) else { return };
        let body = std::mem::replace(response.body_mut(), ResponseBody::from(""));
        *response.body_mut() = match body {
            ResponseBody::Whole(bytes) if bytes.len() <= AT_ONCE && !asked.answers_head => {
                let compressed = Encoder::new(coding, &self.levels, Some(bytes.len() as u64))
                    .and_then(|encoder| encoder.whole(&bytes))
                    .ok()
                    .filter(|compressed| compressed.len() < bytes.len());
                let Some(compressed) = compressed else {
                    *response.body_mut() = ResponseBody::Whole(bytes);
                    return;
                };
                ResponseBody::Whole(compressed)
            }
            // Of the answer to a HEAD only the head is sent; its body is never asked for anything.
            body => ResponseBody::Compressed(Box::new(CompressedBody::new(body, coding, self.levels))),
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        headers.remove(CONTENT_LENGTH);
        // They would be ranges of what it was.
        headers.remove(ACCEPT_RANGES);
        weaken(headers);
    }

    fn is_for(&self, response: &Response<ResponseBody>) -> bool {
        let headers = response.headers();
        let status = response.status();
        let has_whole = !status.is_informational()
            && !matches!(
                status,
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
            );
        has_whole
            && headers.get(CONTENT_TYPE).is_some_and(|kind| is_compressible(kind.as_bytes()))
            && self.is_large_enough(response)
            && ![CONTENT_ENCODING, CONTENT_RANGE]
                .iter()
                .chain(&DIGESTS)
                .any(|name| headers.contains_key(name))
            && !forbids_transformation(headers)
    }

    /// Nobody knows how large a stream will be. To a HEAD an application may answer with the length alone.
    fn is_large_enough(&self, response: &Response<ResponseBody>) -> bool {
        let declared =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        declared.or(response.body().size_hint().exact()).is_none_or(|size: u64| size >= self.least.max(1))
    }
}

/// RFC 9111 section 5.2.2.6.
fn forbids_transformation(headers: &HeaderMap) -> bool {
    let mut directives =
        headers.get_all(CACHE_CONTROL).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    directives.any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

fn vary(headers: &mut HeaderMap) {
    let merged = merged_vary(headers.get_all(VARY).iter().map(HeaderValue::as_bytes), "accept-encoding");
    if let Some(Ok(value)) = merged.map(|merged| HeaderValue::from_bytes(&merged)) {
        headers.insert(VARY, value);
    }
}

/// RFC 9110 section 8.8.3.3: the bytes are others now, and what they mean is not.
fn weaken(headers: &mut HeaderMap) {
    let Some(value) = headers.get(ETAG) else { return };
    if EntityTag::parse(value.as_bytes()).is_some_and(|tag| !tag.is_weak())
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", value.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

/// A client that has a compressed response knows it by its weak tag, and the 304 is to name that one.
fn as_it_was(asked: &Asked, headers: &mut HeaderMap) {
    let Some(current) = headers.get(ETAG).and_then(|value| EntityTag::parse(value.as_bytes())) else {
        return;
    };
    let Some(Tags::These(known)) = asked.known.as_ref().map(|known| Tags::parse(known.as_bytes())) else {
        return;
    };
    if known.iter().any(|tag| tag.is_weak() && tag.is_like(&current)) {
        weaken(headers);
        vary(headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compression() -> Compression {
        Compression { codings: vec![Coding::Gzip], least: 10, levels: Levels::default() }
    }

    fn answered(headers: &[(&'static str, &'static str)], body: &'static str) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::from(body));
        for (name, value) in headers {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let request = Request::builder().header("accept-encoding", "gzip").body(()).expect("a request");
        let compression = compression();
        compression.apply(&compression.asked(&request), &mut response);
        response
    }

    const TEXT: &str =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn headers_tell_the_truth_about_what_is_compressed() {
        let headers = [
            ("content-type", "text/plain"),
            ("content-length", "86"),
            ("etag", "\"1\""),
            ("vary", "Cookie"),
            ("accept-ranges", "bytes"),
        ];
        let response = answered(&headers, TEXT);
        let text = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text"));
        assert_eq!(text("content-encoding"), Some("gzip"));
        assert_eq!(text("vary"), Some("Cookie, accept-encoding"));
        assert_eq!(text("etag"), Some("W/\"1\""));
        assert_eq!((text("content-length"), text("accept-ranges")), (None, None));
        assert!(response.body().size_hint().exact().is_some_and(|size| size < 86));
    }

    #[test]
    fn what_is_not_to_be_changed_is_left_alone() {
        for extra in [
            ("content-encoding", "br"),
            ("content-range", "bytes 0-1/2"),
            ("cache-control", "public, No-Transform"),
            ("content-digest", "sha-256=:x:"),
            ("content-length", "9"),
        ] {
            let response = answered(&[("content-type", "text/plain"), extra], TEXT);
            assert_eq!(response.body().size_hint().exact(), Some(TEXT.len() as u64), "{extra:?}");
            assert!(!response.headers().contains_key("vary"), "{extra:?}");
        }
        for headers in [&[("content-type", "image/png")][..], &[]] {
            assert_eq!(answered(headers, TEXT).body().size_hint().exact(), Some(TEXT.len() as u64));
        }
        let small = answered(&[("content-type", "text/plain")], "small");
        assert_eq!(small.body().size_hint().exact(), Some(5));
        let random = answered(&[("content-type", "text/plain")], "q8Zt!x0P_y");
        assert_eq!(random.body().size_hint().exact(), Some(10), "larger than it was");
        assert!(random.headers().contains_key("vary") && !random.headers().contains_key("content-encoding"));
    }
}

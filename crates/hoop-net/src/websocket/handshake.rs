//! The opening handshake: an Upgrade in HTTP/1.1 (RFC 6455 section 4), a CONNECT in HTTP/2 (RFC 8441).

use std::rc::Rc;

use bytes::Bytes;
use data_encoding::BASE64;
use hoop_websocket::{Agreement, negotiate};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use sha1::{Digest, Sha1};
use tokio::sync::oneshot;

use super::carrier::Carrier;
use super::{PendingWebSocket, WebSocketOptions};
use crate::body::ResponseBody;
use crate::incoming_body::IncomingBody;
use crate::passage::{CarriedWebSocket, Passage};

/// Where the WebSocket will be once the answer is on its way.
pub enum Upgrade {
    Http1(oneshot::Receiver<Carrier>),
    Http2(OnUpgrade),
}

impl Upgrade {
    /// Waits for it; `None` if the client left meanwhile.
    pub async fn carrier(self) -> Option<Carrier> {
        match self {
            Self::Http1(receiver) => receiver.await.ok(),
            Self::Http2(upgrade) => upgrade.await.ok().map(Carrier::from),
        }
    }
}

/// A request to become a WebSocket, not yet answered.
pub struct WebSocketHandshake {
    /// The request's head.
    pub parts: Parts,
    upgrade: Upgrade,
    /// Over HTTP/2 there is none.
    accept_key: Option<HeaderValue>,
    /// Over HTTP/2: what the connection counts it as.
    carried: Option<CarriedWebSocket>,
}

impl WebSocketHandshake {
    /// Whether a request asks for a WebSocket at all.
    pub(crate) fn is_asked_for<B>(request: &Request<B>) -> bool {
        if request.version() == Version::HTTP_2 {
            let protocol = request.extensions().get::<Protocol>();
            return request.method() == Method::CONNECT
                && protocol.is_some_and(|protocol| protocol.as_str() == "websocket");
        }
        request.headers().get(UPGRADE).is_some_and(|value| has_token(value, "websocket"))
            && request.headers().get_all(CONNECTION).iter().any(|value| has_token(value, "upgrade"))
    }

    /// Checks the rest of the handshake (RFC 6455 section 4.2.1); the error is the response to give.
    #[expect(clippy::result_large_err, reason = "the error is an answer and is moved once")]
    pub(crate) fn new(
        request: Request<IncomingBody>,
        upgraded: oneshot::Receiver<Carrier>,
    ) -> Result<Self, Response<ResponseBody>> {
        if request.method() != Method::GET || request.version() != Version::HTTP_11 {
            return Err(refuse("a WebSocket handshake is a GET over HTTP/1.1"));
        }
        if !request.body().is_end_stream() {
            // It would be taken for frames.
            return Err(refuse("a WebSocket handshake has no body"));
        }
        check_version(&request)?;
        let key = request.headers().get(SEC_WEBSOCKET_KEY).filter(|key| is_websocket_key(key.as_bytes()));
        let Some(key) = key else {
            return Err(refuse("Sec-WebSocket-Key is missing or is not 16 bytes in base64"));
        };
        let Ok(accept_key) = HeaderValue::try_from(accept_key(key.as_bytes())) else {
            return Err(refuse("Sec-WebSocket-Key is malformed"));
        };
        let upgrade = Upgrade::Http1(upgraded);
        Ok(Self { parts: request.into_parts().0, upgrade, accept_key: Some(accept_key), carried: None })
    }

    /// Checks the rest of a handshake over HTTP/2 (RFC 8441 section 5); the error is the response to give.
    #[expect(clippy::result_large_err, reason = "the error is an answer and is moved once")]
    pub(crate) fn new_http2(
        mut request: Request<Incoming>,
        passage: &Rc<Passage>,
    ) -> Result<Self, Response<ResponseBody>> {
        check_version(&request)?;
        let upgrade = Upgrade::Http2(hyper::upgrade::on(&mut request));
        let carried = Some(passage.carries_websocket());
        Ok(Self { parts: request.into_parts().0, upgrade, accept_key: None, carried })
    }

    /// Accepts: the response to give, and the WebSocket that opens once it has been sent.
    pub fn accept(
        self,
        headers: HeaderMap,
        options: &WebSocketOptions,
    ) -> (Response<ResponseBody>, PendingWebSocket) {
        let agreement = if options.compress { self.agreement() } else { None };
        let mut response = Response::new(ResponseBody::Whole(Bytes::new()));
        *response.headers_mut() = headers;
        let headers = response.headers_mut();
        // What the frames look like is the server's to say, whatever the application says.
        headers.remove(SEC_WEBSOCKET_EXTENSIONS);
        if let Some(agreed) = agreement.and_then(|agreed| HeaderValue::try_from(agreed.header()).ok()) {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, agreed);
        }
        if let Some(accept_key) = self.accept_key {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept_key);
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        let (upgrade, carried) = (self.upgrade, self.carried);
        (response, PendingWebSocket { upgrade, agreement, options: options.clone(), carried })
    }

    fn agreement(&self) -> Option<Agreement> {
        let offers = self.parts.headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
        negotiate(offers.iter().filter_map(|offer| offer.to_str().ok()))
    }
}

fn refuse(text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(text));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

#[expect(clippy::result_large_err, reason = "the error is an answer and is moved once")]
fn check_version<B>(request: &Request<B>) -> Result<(), Response<ResponseBody>> {
    if request.headers().get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13") {
        return Ok(());
    }
    let mut response = refuse("only WebSocket version 13 is known here");
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    Err(response)
}

/// RFC 6455 section 4.2.2: proves that the server knows what it is asked for.
pub(crate) fn accept_key(key: &[u8]) -> String {
    let hash = Sha1::new().chain_update(key).chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(&hash.finalize())
}

/// RFC 6455 section 4.1: 16 bytes in base64, which makes 22 letters and two signs of filling.
fn is_websocket_key(key: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|letters| letters.len() == 22 && letters.iter().all(is_letter))
}

pub(crate) fn has_token(value: &HeaderValue, token: &str) -> bool {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

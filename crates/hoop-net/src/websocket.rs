//! The server's side of WebSocket (RFC 6455): handshake, then messages both ways.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWrite;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error};

use bytes::Bytes;

use crate::body::ResponseBody;

/// The largest message that is taken, in bytes; a larger one closes with 1009.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;
/// Memory that every connection keeps for reading, in bytes.
const READ_BUFFER: usize = 4 * 1024;

/// Codes of RFC 6455 section 7.4.1 that no close frame carries.
const CLOSED_WITHOUT_STATUS: u16 = 1005;
const CLOSED_ABNORMALLY: u16 = 1006;
const PROTOCOL_ERROR: u16 = 1002;
const INVALID_TEXT: u16 = 1007;
const TOO_LARGE: u16 = 1009;

/// What travels over a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; always valid UTF-8.
    Text(String),
    /// Bytes.
    Binary(Bytes),
    /// The end. Received: once, and last. Sent: nothing may follow.
    Close {
        /// RFC 6455 section 7.4.
        code: u16,
        /// At most 123 bytes.
        reason: String,
    },
}

/// A request to become a WebSocket, not yet answered.
pub struct WebSocketHandshake {
    /// The request's head.
    pub parts: Parts,
    upgrade: OnUpgrade,
    /// Over HTTP/2 there is none.
    accept_key: Option<HeaderValue>,
}

impl WebSocketHandshake {
    /// Whether a request asks for a WebSocket at all.
    pub fn is_asked_for(request: &Request<Incoming>) -> bool {
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
    pub fn new(mut request: Request<Incoming>) -> Result<Self, Response<ResponseBody>> {
        if request.method() != Method::GET || request.version() != Version::HTTP_11 {
            return Err(refuse("a WebSocket handshake is a GET over HTTP/1.1"));
        }
        check_version(&request)?;
        let key = request.headers().get(SEC_WEBSOCKET_KEY).filter(|key| is_websocket_key(key.as_bytes()));
        let Some(key) = key else {
            return Err(refuse("Sec-WebSocket-Key is missing or is not 16 bytes in base64"));
        };
        let Ok(accept_key) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) else {
            return Err(refuse("Sec-WebSocket-Key is malformed"));
        };
        let upgrade = hyper::upgrade::on(&mut request);
        Ok(Self { parts: request.into_parts().0, upgrade, accept_key: Some(accept_key) })
    }

    /// Checks the rest of a handshake over HTTP/2 (RFC 8441 section 5); the error is the response to give.
    #[expect(clippy::result_large_err, reason = "the error is an answer and is moved once")]
    pub fn new_http2(mut request: Request<Incoming>) -> Result<Self, Response<ResponseBody>> {
        check_version(&request)?;
        let upgrade = hyper::upgrade::on(&mut request);
        Ok(Self { parts: request.into_parts().0, upgrade, accept_key: None })
    }

    /// Accepts: the response to give, and the WebSocket that opens once it has been sent.
    pub fn accept(self, headers: HeaderMap) -> (Response<ResponseBody>, PendingWebSocket) {
        let mut response = Response::new(ResponseBody::Whole(Bytes::new()));
        *response.headers_mut() = headers;
        if let Some(accept_key) = self.accept_key {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept_key);
        }
        (response, PendingWebSocket(self.upgrade))
    }
}

fn refuse(text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(text));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

#[expect(clippy::result_large_err, reason = "the error is an answer and is moved once")]
fn check_version(request: &Request<Incoming>) -> Result<(), Response<ResponseBody>> {
    if request.headers().get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13") {
        return Ok(());
    }
    let mut response = refuse("only WebSocket version 13 is known here");
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    Err(response)
}

/// RFC 6455 section 4.1: 16 bytes in base64, which makes 22 letters and two signs of filling.
fn is_websocket_key(key: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|letters| letters.len() == 22 && letters.iter().all(is_letter))
}

fn has_token(value: &HeaderValue, token: &str) -> bool {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// A WebSocket whose handshake was accepted and is on its way.
pub struct PendingWebSocket(OnUpgrade);

impl PendingWebSocket {
    /// Waits for the handshake to be sent; `None` if the client left meanwhile.
    pub async fn open(self) -> Option<WebSocket> {
        let upgraded = self.0.await.ok()?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let stream =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        Some(WebSocket { stream, close_code: None, ended: false })
    }
}

/// An open WebSocket.
pub struct WebSocket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    /// What the peer's close frame said.
    close_code: Option<(u16, String)>,
    ended: bool,
}

impl WebSocket {
    /// The next message. The last one is always a [`Message::Close`]; after it there is nothing.
    pub fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let Poll::Ready(next) = Pin::new(&mut self.stream).poll_next(cx) else { return Poll::Pending };
            match next {
                Some(Ok(tungstenite::Message::Text(text))) => {
                    return Poll::Ready(Some(Message::Text(text.as_str().to_owned())));
                }
                Some(Ok(tungstenite::Message::Binary(bytes))) => {
                    return Poll::Ready(Some(Message::Binary(bytes)));
                }
                Some(Ok(tungstenite::Message::Close(frame))) => {
                    self.close_code = Some(frame.map_or_else(
                        || (CLOSED_WITHOUT_STATUS, String::new()),
                        |frame| (frame.code.into(), frame.reason.as_str().to_owned()),
                    ));
                }
                // Pings are answered by tungstenite, pongs need no answer.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(self.failed(cx, &error))),
                None => return Poll::Ready(Some(self.end(CLOSED_ABNORMALLY, ""))),
            }
        }
    }

    /// Takes a message for sending; [`Self::poll_flush`] sends it. `Err` if the WebSocket is closed.
    pub fn queue(&mut self, cx: &mut Context<'_>, message: Message) -> Result<(), Message> {
        match Pin::new(&mut self.stream).poll_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Pending => return Err(message),
            Poll::Ready(Err(_)) => return Ok(()),
        }
        let frame = match message {
            Message::Text(text) => tungstenite::Message::Text(text.into()),
            Message::Binary(bytes) => tungstenite::Message::Binary(bytes),
            Message::Close { code, reason } => tungstenite::Message::Close(Some(CloseFrame {
                code: CloseCode::from(code),
                reason: reason.into(),
            })),
        };
        // A connection that has failed tells so to the reader.
        let _ = Pin::new(&mut self.stream).start_send(frame);
        Ok(())
    }

    /// Sends what was queued; ready once all of it has been handed to the system, or never can be.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.stream).poll_flush(cx).map(drop)
    }

    /// Ends the connection under the WebSocket so that the peer reads all that was sent to it.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(self.stream.get_mut()).poll_shutdown(cx).map(drop)
    }

    fn end(&mut self, code: u16, reason: &str) -> Message {
        self.ended = true;
        let (code, reason) = self.close_code.take().unwrap_or_else(|| (code, reason.to_owned()));
        Message::Close { code, reason }
    }

    /// Tells the peer what it did wrong (RFC 6455 section 7.1.7), as far as it still listens.
    fn failed(&mut self, cx: &mut Context<'_>, error: &Error) -> Message {
        let (code, reason) = match error {
            Error::Capacity(_) => (TOO_LARGE, "message too large"),
            Error::Utf8(_) => (INVALID_TEXT, "text is not valid UTF-8"),
            Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                return self.end(CLOSED_ABNORMALLY, "");
            }
            Error::Protocol(_) => (PROTOCOL_ERROR, "protocol error"),
            _ => return self.end(CLOSED_ABNORMALLY, ""),
        };
        if self.queue(cx, Message::Close { code, reason: reason.to_owned() }).is_ok() {
            let _ = self.poll_flush(cx);
        }
        self.end(code, reason)
    }
}

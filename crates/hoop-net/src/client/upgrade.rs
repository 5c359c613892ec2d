//! A request that turns its connection into a WebSocket (RFC 6455 section 4.1).

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;
use hoop_websocket::{Agreement, MaskKeys, Offer};
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, LOCATION, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::{SecureRandom, ring};

use super::Client;
use super::destination::Destination;
use super::download::Whole;
use super::failure::{Failure, Fault, Phase};
use super::patience::Patience;
use super::stream::ClientStream;
use crate::websocket::{WebSocket, WebSocketOptions, accept_key, has_token};

/// So much is kept of the body of a refusal.
const LARGEST_REFUSAL: usize = 64 * 1024;
/// What of a handshake is the engine's to say. What might compress a refusal goes as well.
const OWN_FIELDS: [HeaderName; 9] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What a handshake asks for.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// permessage-deflate, on these terms.
    pub offer: Option<Offer>,
    /// Subprotocols, the most wanted first.
    pub subprotocols: Vec<String>,
    /// How the WebSocket is kept.
    pub options: WebSocketOptions,
}

/// A WebSocket, and the handshake that has opened it.
pub struct Opened {
    /// It is open.
    pub socket: WebSocket<ClientStream>,
    /// The head of the answer.
    pub head: Parts,
    /// What the server has chosen of those that were asked for.
    pub subprotocol: Option<String>,
}

/// An answer that opens no WebSocket.
pub struct Refused {
    /// Its head.
    pub head: Parts,
    /// The beginning of its body.
    pub body: Whole,
    /// What is wrong with it.
    pub reason: String,
}

/// An answer, and its connection as long as it may become a WebSocket.
struct Answered {
    head: Parts,
    body: Bytes,
    freed: Option<http1::Parts<TokioIo<ClientStream>>>,
}

impl Client {
    /// Opens a WebSocket on a connection of its own.
    pub async fn open_websocket(
        self: &Rc<Self>,
        destination: &Destination,
        headers: &HeaderMap,
        opening: &Opening,
        patience: &mut Patience,
    ) -> Result<Result<Opened, Refused>, Failure> {
        if self.is_closed() {
            return Err(Failure::new(Phase::Pool, Fault::Closed, "the client is closed"));
        }
        let key = key();
        let request = request(destination, headers, opening, &key)?;
        let (origin, _) = destination.end_to_end();
        let dialed = Box::pin(self.dialer.dial_http1(origin, patience)).await?;
        let answering = Box::pin(answered(dialed.stream, request, patience));
        let Answered { head, body, freed } = answering.await?;
        let agreed = checked(&head, &key, opening);
        Ok(match (agreed, freed) {
            (Ok((agreement, subprotocol)), Some(freed)) => {
                let stream = freed.io.into_inner();
                let keys = MaskKeys::new(fill_randomly);
                let options = &opening.options;
                let socket = WebSocket::of_client(stream, &freed.read_buf, agreement, keys, options);
                Ok(Opened { socket, head, subprotocol })
            }
            (Ok(_), None) => Err(Refused {
                head,
                body: Whole::of(body),
                reason: "the connection did not become a WebSocket".to_owned(),
            }),
            (Err(reason), _) => Err(Refused { head, body: Whole::of(body), reason }),
        })
    }
}

/// The operating system's randomness, as rustls has it.
fn fill_randomly(bytes: &mut [u8]) {
    static RANDOM: OnceLock<&'static dyn SecureRandom> = OnceLock::new();
    let random = RANDOM.get_or_init(|| ring::default_provider().secure_random);
    // It fails where the system has none, and there no TLS works either: masks are then the weaker.
    let _ = random.fill(bytes);
}

/// 16 random bytes in base64.
fn key() -> String {
    let mut bytes = [0; 16];
    fill_randomly(&mut bytes);
    BASE64.encode(&bytes)
}

fn request(
    destination: &Destination,
    given: &HeaderMap,
    opening: &Opening,
    key: &str,
) -> Result<Request<Empty<Bytes>>, Failure> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = destination.end_to_end().1.clone();
    let mut headers = HeaderMap::with_capacity(given.len() + 7);
    headers.insert(HOST, given.get(HOST).unwrap_or(&destination.host).clone());
    for (name, value) in given {
        if name != HOST && !OWN_FIELDS.contains(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    let unfit = |what: &str| Failure::new(Phase::Connect, Fault::Local, format!("{what} cannot be sent"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::from_str(key).map_err(|_| unfit("the key"))?;
    headers.insert(SEC_WEBSOCKET_KEY, key);
    if let Some(offer) = &opening.offer {
        let offer = HeaderValue::from_str(&offer.header()).map_err(|_| unfit("the offer"))?;
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, offer);
    }
    if !opening.subprotocols.is_empty() {
        let wanted = HeaderValue::from_str(&opening.subprotocols.join(", "));
        headers.insert(SEC_WEBSOCKET_PROTOCOL, wanted.map_err(|_| unfit("a subprotocol"))?);
    }
    *request.headers_mut() = headers;
    Ok(request)
}

/// Sends the request, and awaits its answer; hyper's connection is driven right here.
async fn answered(
    stream: ClientStream,
    request: Request<Empty<Bytes>>,
    patience: &mut Patience,
) -> Result<Answered, Failure> {
    let failed = |error: hyper::Error| {
        let mut failure = Failure::http(Phase::Read, &error);
        if error.is_incomplete_message() {
            failure.detail = "the server closed the connection before its answer".to_owned();
        }
        failure
    };
    let (mut sender, connection) =
        http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let mut connection = pin!(connection.without_shutdown());
    let mut freed = None;
    let response = alongside(&mut freed, connection.as_mut(), sender.send_request(request));
    let response = patience.within(Phase::Read, response).await?;
    let (head, body) = response.map_err(failed)?.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        drop(body);
        let freed = match freed {
            Some(freed) => freed,
            None => patience.within(Phase::Read, connection).await?,
        };
        return Ok(Answered { head, body: Bytes::new(), freed: freed.ok() });
    }
    let mut kept = BytesMut::new();
    let reading = alongside(&mut freed, connection, beginning(body, &mut kept));
    // It is a refusal, whether or not its body ends in time.
    let _ = patience.within(Phase::Read, reading).await;
    Ok(Answered { head, body: kept.freeze(), freed: None })
}

/// Awaits `future` while the connection is driven, whose outcome is kept.
async fn alongside<T, C>(
    outcome: &mut Option<C>,
    mut connection: Pin<&mut impl Future<Output = C>>,
    future: impl Future<Output = T>,
) -> T {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if outcome.is_none()
            && let Poll::Ready(ended) = connection.as_mut().poll(cx)
        {
            *outcome = Some(ended);
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// Keeps as much of a body as is kept of a refusal, and as has come before it broke off.
async fn beginning(mut body: Incoming, kept: &mut BytesMut) {
    while let Some(Ok(frame)) = body.frame().await {
        let Some(piece) = frame.data_ref() else { continue };
        kept.extend_from_slice(piece.get(..LARGEST_REFUSAL - kept.len()).unwrap_or(piece));
        if kept.len() == LARGEST_REFUSAL {
            break;
        }
    }
}

/// What was agreed on (RFC 6455 section 4.1); the error says why it is no WebSocket.
fn checked(
    head: &Parts,
    key: &str,
    opening: &Opening,
) -> Result<(Option<Agreement>, Option<String>), String> {
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        let status = head.status;
        return Err(match head.headers.get(LOCATION).filter(|_| status.is_redirection()) {
            Some(place) => {
                format!("the server redirects to {}: {status}", String::from_utf8_lossy(place.as_bytes()))
            }
            None => format!("the server refuses: {status}"),
        });
    }
    let has = |name: HeaderName, token: &str| {
        head.headers.get_all(name).iter().any(|value| has_token(value, token))
    };
    if !has(UPGRADE, "websocket") || !has(CONNECTION, "upgrade") {
        return Err("the server upgrades to something else than a WebSocket".to_owned());
    }
    let mut accepts = head.headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
    let is_accepted = accepts.next().is_some_and(|accept| *accept == accept_key(key.as_bytes()).as_str());
    if !is_accepted || accepts.next().is_some() {
        return Err("Sec-WebSocket-Accept is missing or wrong".to_owned());
    }
    let mut texts = Vec::new();
    for value in head.headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        texts.push(value.to_str().map_err(|_| "Sec-WebSocket-Extensions is malformed".to_owned())?);
    }
    let agreement = match &opening.offer {
        Some(offer) => offer.answered(texts.into_iter()).map_err(|misfit| misfit.to_string())?,
        None if texts.iter().all(|text| text.trim().is_empty()) => None,
        None => return Err(format!("the server takes extensions, and none was offered: {texts:?}")),
    };
    let mut chosen = head.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let subprotocol = match (chosen.next(), chosen.next()) {
        (None, _) => None,
        (Some(one), None) => {
            let one = String::from_utf8_lossy(one.as_bytes()).into_owned();
            if !opening.subprotocols.contains(&one) {
                return Err(format!("the server chooses the subprotocol {one:?}, which was not offered"));
            }
            Some(one)
        }
        _ => return Err("the server chooses several subprotocols".to_owned()),
    };
    Ok((agreement, subprotocol))
}

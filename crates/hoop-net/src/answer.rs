//! The way of one request: checked, then to the application as a request or as a handshake.

use std::pin::pin;
use std::rc::Rc;

use hoop_http1::Refusal;
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use tokio::sync::oneshot;

use crate::application::Application;
use crate::body::ResponseBody;
use crate::compression::Asked;
use crate::entrance::{Entrance, Overloaded};
use crate::incoming_body::{IncomingBody, Verdict};
use crate::limiter::Limiter;
use crate::passage::Passage;
use crate::request_check::{check_host, check_request_http2, check_size_http2};
use crate::websocket::{Carrier, WebSocketHandshake};

/// When a client that found the server overloaded may come again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Answers a request of HTTP/1, or refuses it before the application sees it. `upgraded` is where the connection
/// will be, if the request asks for a WebSocket.
pub async fn answer_http1<A: Application>(
    application: &Rc<A>,
    connection: &Rc<A::Connection>,
    request: Request<IncomingBody>,
    upgraded: Option<oneshot::Receiver<Carrier>>,
    entrance: &Entrance,
    passage: &Passage,
) -> Response<ResponseBody> {
    if let Err(refusal) = check_host(request.headers(), request.version()) {
        return refuse_http1(&**application, connection, refusal);
    }
    if let Some(upgraded) = upgraded {
        return websocket(application, connection, WebSocketHandshake::new(request, upgraded)).await;
    }
    if let Some(response) = file_for(&**application, &request) {
        return with_file(&**application, connection, request, response);
    }
    let asked = asked(&**application, &request);
    passage.queue(true);
    let place = entrance.enter().await;
    passage.queue(false);
    let response = match place {
        Ok(_place) => application.respond(connection, request).await,
        Err(Overloaded) => return overloaded(),
    };
    compressed(&**application, asked, response)
}

/// The answer to a request for one of the server's own files.
fn file_for<A: Application, B>(application: &A, request: &Request<B>) -> Option<Response<ResponseBody>> {
    application.files()?.answer(request)
}

fn with_file<A: Application, B>(
    application: &A,
    connection: &A::Connection,
    request: Request<B>,
    mut response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    application.answered_with_file(connection, request.into_parts().0, &mut response);
    response
}

/// What of a request counts for the compression of its response, if there is any.
fn asked<A: Application, B>(application: &A, request: &Request<B>) -> Option<Box<Asked>> {
    Some(Box::new(application.compression()?.asked(request)))
}

fn compressed<A: Application>(
    application: &A,
    asked: Option<Box<Asked>>,
    mut response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    if let (Some(compression), Some(asked)) = (application.compression(), asked) {
        compression.apply(&asked, &mut response);
    }
    response
}

/// Answers a request of HTTP/2. What frames it was checked by hyper.
pub async fn answer_http2<A: Application>(
    application: &Rc<A>,
    connection: &Rc<A::Connection>,
    mut request: Request<Incoming>,
    limiter: &Limiter,
    passage: &Rc<Passage>,
) -> Response<ResponseBody> {
    let checked = check_request_http2(&request);
    if let Err(refusal) = checked.and_then(|()| check_size_http2(&request, &limiter.limits().message)) {
        return refuse(&**application, connection, refusal);
    }
    like_http1(&mut request);
    if request.method() == Method::CONNECT {
        if !WebSocketHandshake::is_asked_for(&request) {
            // A tunnel to somewhere else, which is a proxy's business.
            return plain(StatusCode::NOT_IMPLEMENTED, "CONNECT is for WebSockets here");
        }
        return websocket(application, connection, WebSocketHandshake::new_http2(request, passage)).await;
    }
    let answers_head = request.method() == Method::HEAD;
    let mut response = if let Some(response) = file_for(&**application, &request) {
        with_file(&**application, connection, request, response)
    } else {
        let asked = asked(&**application, &request);
        let response = match limiter.entrance.enter().await {
            Ok(_place) => respond_http2(application, connection, request, limiter).await,
            Err(Overloaded) => overloaded(),
        };
        compressed(&**application, asked, response)
    };
    if answers_head || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        without_body(&mut response);
    }
    response
}

/// Brings a request to the application, and answers in its stead if the body turns out to be one that is
/// refused.
async fn respond_http2<A: Application>(
    application: &Rc<A>,
    connection: &Rc<A::Connection>,
    request: Request<Incoming>,
    limiter: &Limiter,
) -> Response<ResponseBody> {
    if request.body().is_end_stream() {
        return application.respond(connection, request.map(IncomingBody::passed)).await;
    }
    let (told, of) = (application.clone(), connection.clone());
    let verdict = Verdict::new(move |refusal| told.refused(&of, refusal));
    let request = request.map(|body| IncomingBody::watched(body, limiter.limits(), verdict.clone()));
    let answering = pin!(application.respond(connection, request));
    verdict.unless_refused(answering).await.unwrap_or_else(refused)
}

async fn websocket<A: Application>(
    application: &Rc<A>,
    connection: &Rc<A::Connection>,
    handshake: Result<WebSocketHandshake, Response<ResponseBody>>,
) -> Response<ResponseBody> {
    match handshake {
        Ok(handshake) => application.websocket(connection, handshake).await,
        Err(response) => response,
    }
}

fn refuse<A: Application>(
    application: &A,
    connection: &A::Connection,
    refusal: Refusal,
) -> Response<ResponseBody> {
    application.refused(connection, refusal);
    refused(refusal)
}

/// What tells a client that it was refused.
fn refused(refusal: Refusal) -> Response<ResponseBody> {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    plain(status, status.canonical_reason().unwrap_or_default())
}

/// Refuses a request of HTTP/1, and with it the rest of its connection: what follows cannot be trusted
/// to begin where it seems to.
pub fn refuse_http1<A: Application>(
    application: &A,
    connection: &A::Connection,
    refusal: Refusal,
) -> Response<ResponseBody> {
    let mut response = refuse(application, connection, refusal);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Too much is at work: said at once, without any work.
fn overloaded() -> Response<ResponseBody> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(text));
    *response.status_mut() = status;
    response
}

/// Gives a request of HTTP/2 the headers that it would have in HTTP/1.1.
fn like_http1(request: &mut Request<Incoming>) {
    if let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
    // RFC 9113 section 8.2.3: HTTP/2 may split them, and whoever reads them knows one line alone.
    let mut cookies = request.headers().get_all(COOKIE).iter();
    if let (Some(first), Some(second)) = (cookies.next(), cookies.next()) {
        let joined = cookies
            .fold([first.as_bytes(), second.as_bytes()].join(&b"; "[..]), |joined, cookie| {
                [joined.as_slice(), cookie.as_bytes()].join(&b"; "[..])
            });
        if let Ok(joined) = HeaderValue::from_bytes(&joined) {
            request.headers_mut().insert(COOKIE, joined);
        }
    }
}

/// RFC 9110 section 6.4.1: these have a head only, which may tell how long a body would be. In
/// HTTP/1 the head's writer sees to it; hyper leaves it to the service in HTTP/2.
fn without_body(response: &mut Response<ResponseBody>) {
    let length = response.body().size_hint().exact().filter(|length| *length > 0);
    if let Some(length) = length
        && response.status() != StatusCode::NO_CONTENT
        && !response.headers().contains_key(CONTENT_LENGTH)
    {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = ResponseBody::from("");
}

//! The way of one request: checked, then to the application as a request or as a handshake.

use std::rc::Rc;

use hoop_http1::Refusal;
use http::header::{CONNECTION, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::application::Application;
use crate::body::ResponseBody;
use crate::entrance::{Entrance, Overloaded};
use crate::request_check::check_host;
use crate::websocket::WebSocketHandshake;

/// When a client that found the server overloaded may come again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Answers a request, or refuses it before the application sees it.
pub async fn answer<A: Application>(
    application: &Rc<A>,
    connection: &Rc<A::Connection>,
    request: Request<Incoming>,
    asks_for_websocket: bool,
    entrance: &Entrance,
) -> Response<ResponseBody> {
    if let Err(refusal) = check_host(request.headers(), request.version()) {
        return refused(&**application, connection, refusal);
    }
    if asks_for_websocket {
        return match WebSocketHandshake::new(request) {
            Ok(handshake) => application.websocket(connection, handshake).await,
            Err(response) => response,
        };
    }
    match entrance.enter().await {
        Ok(_place) => application.respond(connection, request).await,
        Err(Overloaded) => overloaded(),
    }
}

/// Too much is at work: said at once, without any work.
fn overloaded() -> Response<ResponseBody> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response = Response::new(ResponseBody::from(status.canonical_reason().unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    response
}

/// Refuses a request, and with it the rest of its connection: what follows cannot be trusted to begin
/// where it seems to.
pub fn refused<A: Application>(
    application: &A,
    connection: &A::Connection,
    refusal: Refusal,
) -> Response<ResponseBody> {
    application.refused(connection, refusal);
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = Response::new(ResponseBody::from(status.canonical_reason().unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

//! The way of one request: checked, then to the application as a request or as a handshake.

use std::rc::Rc;

use hoop_http1::Refusal;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::application::Application;
use crate::body::ResponseBody;
use crate::request_check::check_host;
use crate::websocket::WebSocketHandshake;

/// Answers a request, or refuses it before the application sees it.
pub async fn answer<A: Application>(
    application: &Rc<A>,
    connection: &Rc<A::Connection>,
    request: Request<Incoming>,
    asks_for_websocket: bool,
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
    application.respond(connection, request).await
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

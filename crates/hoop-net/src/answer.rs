//! The way of one request: checked, then to the application as a request or as a handshake.

use std::rc::Rc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::application::Application;
use crate::body::ResponseBody;
use crate::request_check::check_request;
use crate::websocket::WebSocketHandshake;

/// Answers a request, or refuses it before the application sees it.
pub async fn answer<A: Application>(
    application: &Rc<A>,
    connection: &Rc<A::Connection>,
    request: Request<Incoming>,
    asks_for_websocket: bool,
) -> Response<ResponseBody> {
    if let Err(refusal) = check_request(&request) {
        application.refused(connection, refusal);
        let mut response = Response::new(ResponseBody::from("Bad Request"));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        // What follows on this connection cannot be trusted to begin where it seems to.
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        return response;
    }
    if asks_for_websocket {
        return match WebSocketHandshake::new(request) {
            Ok(handshake) => application.websocket(connection, handshake).await,
            Err(response) => response,
        };
    }
    application.respond(connection, request).await
}

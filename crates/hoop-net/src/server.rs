//! The accept loop, and the life of one HTTP/1.1 connection from handshake to graceful end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::body::ResponseBody;
use crate::give_way::give_way;
use crate::listener::{Address, Connected, Listener};
use crate::request_check::{Refusal, check_request};
use crate::shutdown::{OpenConnection, Phase, Shutdown};
use crate::websocket::WebSocketHandshake;
use crate::wire::{PeerSends, Wire};

/// How long the accept loop rests when the system has no descriptor or memory left.
const REST_WHEN_EXHAUSTED: Duration = Duration::from_millis(100);

/// Connections accepted before those that are open get their turn.
const ACCEPTED_AT_ONCE: u32 = 64;

/// Where the engine's tasks run. They are not `Send`: one thread drives them all.
pub trait Executor: Clone + 'static {
    /// Runs a task to its end.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
}

/// What answers requests.
pub trait Application: 'static {
    /// What the application remembers of a connection for all its requests.
    type Connection: 'static;

    /// Called once for every connection, with both its ends.
    fn connected(&self, peer: &Address, local: &Address) -> Self::Connection;

    /// Answers a request. Dropping the future means that the client has gone.
    fn respond(
        self: &Rc<Self>,
        connection: &Rc<Self::Connection>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ResponseBody>> + 'static;

    /// Answers a WebSocket handshake: by accepting it, or with any other response.
    fn websocket(
        self: &Rc<Self>,
        connection: &Rc<Self::Connection>,
        handshake: WebSocketHandshake,
    ) -> impl Future<Output = Response<ResponseBody>> + 'static;

    /// A request was refused before the application could see it.
    fn refused(&self, connection: &Self::Connection, refusal: Refusal);

    /// Accepting connections fails for want of resources; it is tried again.
    fn accept_failed(&self, error: &io::Error);
}

/// Accepts connections until the shutdown begins.
pub async fn serve<A: Application, E: Executor>(
    listener: Listener,
    application: Rc<A>,
    executor: E,
    shutdown: Shutdown,
) {
    let mut accepted_at_once = 0;
    loop {
        accepted_at_once += 1;
        if accepted_at_once == ACCEPTED_AT_ONCE {
            accepted_at_once = 0;
            give_way().await;
        }
        let accepted = tokio::select! {
            biased;
            () = shutdown.begun() => return,
            accepted = listener.accept() => accepted,
        };
        let open = shutdown.opened();
        let application = application.clone();
        match accepted {
            Ok(Connected::Tcp { stream, peer, local }) => {
                let (peer, local) = (Address::Ip(peer), Address::Ip(local));
                executor.spawn(connection(stream, peer, local, application, open));
            }
            Ok(Connected::Unix { stream }) => {
                let local = listener.address().unwrap_or(Address::Unix(None));
                executor.spawn(connection(stream, Address::Unix(None), local, application, open));
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                application.accept_failed(&error);
                drop(open);
                tokio::time::sleep(REST_WHEN_EXHAUSTED).await;
            }
        }
    }
}

/// The peer gave up while it waited to be accepted; the next one may be well.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

async fn connection<A: Application>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Address,
    local: Address,
    application: Rc<A>,
    open: OpenConnection,
) {
    let remembered = Rc::new(application.connected(&peer, &local));
    let peer_sends = PeerSends::default();
    let told = peer_sends.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let asks_for_websocket = WebSocketHandshake::is_asked_for(&request);
        // A WebSocket is one more thing whose peer may send until the end.
        told.set(asks_for_websocket || !request.body().is_end_stream());
        let (application, remembered) = (application.clone(), remembered.clone());
        async move { Ok::<_, Infallible>(answer(&application, &remembered, request, asks_for_websocket).await) }
    });
    // Without `pipeline_flush`: with it hyper takes in a streamed body however slow its reader is.
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(Wire::new(stream, peer_sends.clone())), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut draining = false;
    poll_fn(|cx| {
        open.remember(cx.waker());
        let phase = open.phase();
        // Before the connection is polled: else it would begin on the next pipelined request.
        if phase != Phase::Serving && !draining {
            draining = true;
            connection.as_mut().graceful_shutdown();
        }
        // Its errors are the peer's: it broke the protocol or left. Both end the connection.
        match connection.as_mut().poll(cx) {
            Poll::Pending if phase != Phase::Closing => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

async fn answer<A: Application>(
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

//! What the engine asks of its embedder: where tasks run, and who answers requests.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use hoop_http1::Refusal;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::address::Address;
use crate::body::ResponseBody;
use crate::connection::{ConnectionFacts, HandshakeFailure};
use crate::tls::Renewal;
use crate::websocket::WebSocketHandshake;

/// Where the engine's tasks run. They are not `Send`: one thread drives them all.
pub trait Executor: Clone + 'static {
    /// Runs a task to its end.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
}

/// What answers requests.
pub trait Application: 'static {
    /// What the application remembers of a connection for all its requests.
    type Connection: 'static;

    /// Called once for every connection, before its first request.
    fn connected(&self, facts: &ConnectionFacts) -> Self::Connection;

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

    /// A connection ended before its first request.
    fn handshake_failed(&self, peer: &Address, failure: &HandshakeFailure);

    /// The files of the server's certificate have changed.
    fn certificates_renewed(&self, renewal: &Renewal);

    /// Accepting connections fails for want of resources; it is tried again.
    fn accept_failed(&self, error: &io::Error);

    /// So many requests were refused since this was told last: too many are at work, and too many wait.
    fn overloaded(&self, requests: u64);

    /// Called now and then while connections are open, with the time since the server began, which
    /// stands still while the thread is held up.
    fn tick(&self, now: Duration);
}

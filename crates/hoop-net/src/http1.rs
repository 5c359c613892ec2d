//! The life of one HTTP/1.1 connection, from its first request to its graceful end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::answer::answer_http1;
use crate::application::Application;
use crate::interim::InterimResponses;
use crate::shutdown::{OpenConnection, Phase};
use crate::transport::Transport;
use crate::websocket::WebSocketHandshake;
use crate::wire::{PeerSends, Wire};

/// Serves a connection until it ends.
pub async fn serve_http1<A: Application>(
    transport: Transport,
    remembered: Rc<A::Connection>,
    application: Rc<A>,
    interim: InterimResponses,
    open: OpenConnection,
) {
    let peer_sends = PeerSends::default();
    let told = peer_sends.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let asks_for_websocket = WebSocketHandshake::is_asked_for(&request);
        // A WebSocket is one more thing whose peer may send until the end.
        told.set(asks_for_websocket || !request.body().is_end_stream());
        let (application, remembered) = (application.clone(), remembered.clone());
        async move {
            Ok::<_, Infallible>(answer_http1(&application, &remembered, request, asks_for_websocket).await)
        }
    });
    // Without `pipeline_flush`: with it hyper takes in a streamed body however slow its reader is.
    let wire = Wire::new(transport, peer_sends.clone()).with_interim(interim);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(wire), service).with_upgrades();
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

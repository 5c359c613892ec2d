//! The life of one HTTP/1.1 connection, from its first request to its graceful end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use hoop_http1::{Gate, MessageLimits, Refusal};
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::answer::{answer_http1, refuse_http1};
use crate::answered_body::{Answered, AnsweredBody};
use crate::application::Application;
use crate::body::ResponseBody;
use crate::drive::drive;
use crate::gated_wire::GatedWire;
use crate::interim::InterimResponses;
use crate::limiter::WatchedConnection;
use crate::passage::{Number, Passage};
use crate::shutdown::OpenConnection;
use crate::transport::Transport;
use crate::websocket::WebSocketHandshake;
use crate::wire::{PeerSends, Wire};

/// What hyper takes without being told.
const FIELDS_OF_HYPER: usize = 100;
const HEAD_OF_HYPER: usize = 400 * 1024;
/// The most that it can be told to take, less some room.
const MOST_FIELDS: usize = 32_000;
const LARGEST_HEAD: usize = 16 * 1024 * 1024;
const LONGEST_TARGET: usize = 65_000;
const HEAD_ROOM: usize = 8 * 1024;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Serves a connection until it ends.
pub async fn serve_http1<A: Application>(
    transport: Transport,
    remembered: Rc<A::Connection>,
    application: Rc<A>,
    interim: InterimResponses,
    open: OpenConnection,
    watched: WatchedConnection,
) {
    let limits = watched.limiter().limits();
    let message = within_hyper(limits.message);
    let peer_sends = PeerSends::default();
    let wire = Wire::new(transport, peer_sends.clone()).with_interim(interim);
    let passage = watched.passage().clone();
    let gate = Gate::new(message);
    let gated = GatedWire::new(wire, gate, passage.clone(), limits.pipelined.unwrap_or(u32::MAX));
    let entrance = watched.limiter().entrance.clone();
    let shutdown = open.shutdown();
    let service = service_fn(move |request: Request<Incoming>| {
        let asks_for_websocket = WebSocketHandshake::is_asked_for(&request);
        let number = passage.begin();
        // A WebSocket is one more thing whose peer may send until the end, and so is a bad request.
        peer_sends.set(asks_for_websocket || number.is_err() || !request.body().is_end_stream());
        let (application, remembered, passage) = (application.clone(), remembered.clone(), passage.clone());
        let (entrance, shutdown) = (entrance.clone(), shutdown.clone());
        async move {
            let mut response = match number {
                Ok(number) => {
                    let connects = request.method() == Method::CONNECT;
                    // Made where it stays: it has the request in it.
                    let answering =
                        pin!(answer_http1(&application, &remembered, request, asks_for_websocket, &entrance));
                    let response = unless_refused(answering, &passage, number)
                        .await
                        .unwrap_or_else(|refusal| refuse_http1(&*application, &remembered, refusal));
                    passage.decide(number, leaves_http(response.status(), connects));
                    response
                }
                Err(refusal) => refuse_http1(&*application, &remembered, refusal),
            };
            if shutdown.has_begun() {
                // It came while the connection lingered, and is the last; hyper knows nothing of that.
                response.headers_mut().entry(CONNECTION).or_insert(CLOSE);
            }
            Ok::<_, Infallible>(response.map(|body| AnsweredBody::new(body, Answered::new(passage))))
        }
    });
    // Without `pipeline_flush`: with it hyper takes in a streamed body however slow its reader is.
    let connection = builder(&message).serve_connection(TokioIo::new(gated), service).with_upgrades();
    drive(connection, |it| it.graceful_shutdown(), || false, open, watched).await;
}

/// Limits that hyper can keep: what passes the gate must not be refused behind it.
fn within_hyper(limits: MessageLimits) -> MessageLimits {
    MessageLimits {
        target: limits.target.min(LONGEST_TARGET),
        head: limits.head.min(LARGEST_HEAD),
        fields: limits.fields.min(MOST_FIELDS),
        ..limits
    }
}

/// hyper, set to take all that passes the gate.
fn builder(limits: &MessageLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    if limits.fields > FIELDS_OF_HYPER {
        builder.max_headers(limits.fields);
    }
    if limits.head > HEAD_OF_HYPER {
        builder.max_buf_size(limits.head + HEAD_ROOM);
    }
    builder
}

/// Awaits the application's answer; `Err` if the body turns out to be one that is refused.
async fn unless_refused(
    mut answering: Pin<&mut impl Future<Output = Response<ResponseBody>>>,
    passage: &Passage,
    number: Number,
) -> Result<Response<ResponseBody>, Refusal> {
    poll_fn(|cx| match passage.refused_body(number) {
        Some(refusal) => Poll::Ready(Err(refusal)),
        None => answering.as_mut().poll(cx).map(Ok),
    })
    .await
}

/// Whether a connection becomes something else with this answer: a WebSocket, or a tunnel.
fn leaves_http(status: StatusCode, connects: bool) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || connects && status.is_success()
}

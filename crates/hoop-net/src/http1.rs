//! The life of one HTTP/1.1 connection, from its first request to its graceful end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use hoop_http1::{Gate, MessageLimits, Refusal};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::{self, Parts};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWrite;

use crate::answer::{answer_http1, refuse_http1};
use crate::answered_body::{Answered, AnsweredBody};
use crate::application::Application;
use crate::body::ResponseBody;
use crate::drive::{Left, drive};
use crate::gated_wire::GatedWire;
use crate::interim::InterimResponses;
use crate::limiter::WatchedConnection;
use crate::passage::{Number, Passage};
use crate::shutdown::{OpenConnection, Phase};
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
    let outbox = watched.limiter().outbox.clone();
    let is_bare = transport.is_bare();
    let wire = Wire::new(transport, peer_sends.clone()).with_interim(interim).through(outbox);
    // TLS keeps back what it has made of it.
    let straight = is_bare.then(|| wire.straight());
    let passage = watched.passage().clone();
    let at_rest = passage.clone();
    let gate = Gate::new(message);
    // Behind a pointer, as it goes to hyper and back.
    let mut gated =
        Box::new(GatedWire::new(wire, gate, passage.clone(), limits.pipelined.unwrap_or(u32::MAX)));
    let entrance = watched.limiter().entrance.clone();
    let shutdown = open.shutdown();
    let (told, told_of, half_closing) = (application.clone(), remembered.clone(), passage.clone());
    let service = Rc::new(service_fn(move |request: Request<Incoming>| {
        let asks_for_websocket = WebSocketHandshake::is_asked_for(&request);
        let number = passage.begin();
        // A WebSocket is one more thing whose peer may send until the end, and so is a bad request.
        peer_sends.set(asks_for_websocket || number.is_err() || !request.body().is_end_stream());
        let (application, remembered, passage) = (application.clone(), remembered.clone(), passage.clone());
        let (entrance, shutdown) = (entrance.clone(), shutdown.clone());
        let straight = straight.clone().filter(|_| takes_chunks(&request));
        async move {
            let mut response = match number {
                Ok(number) => {
                    let connects = request.method() == Method::CONNECT;
                    // Made where it stays: it has the request in it.
                    let answering = pin!(answer_http1(
                        &application,
                        &remembered,
                        request,
                        asks_for_websocket,
                        &entrance,
                        &passage
                    ));
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
            if let Some(straight) = straight.filter(|_| is_put_into_chunks(&response))
                && let ResponseBody::Stream(stream) = response.body()
            {
                stream.may_go(straight);
            }
            Ok::<_, Infallible>(response.map(|body| AnsweredBody::new(body, Answered::new(passage))))
        }
    }));
    let tell = || {
        if half_closing.take_half_closed() {
            told.half_closed(&told_of);
        }
        false
    };
    loop {
        // Without `pipeline_flush`: with it hyper takes in a streamed body however slow its reader is.
        let connection =
            builder(&message).serve_connection(TokioIo::new(gated), service.clone()).with_upgrades();
        let mut connection = Box::pin(connection);
        if drive(connection.as_mut(), |it| it.graceful_shutdown(), tell, &open, &watched).await == Left::Ended
        {
            return;
        }
        // What hyper has for a connection is ten times what is needed to wait for its next request.
        let Some(Parts { io, read_buf, .. }) = Pin::into_inner(connection).into_parts() else { return };
        gated = io.into_inner();
        gated.rest(&read_buf);
        // It is as large as ever, empty or not.
        drop(read_buf);
        match rest(&mut gated, &open, &watched).await {
            Waking::Bytes => at_rest.awakes(),
            Waking::End => return,
        }
    }
}

/// Why a rest ends.
enum Waking {
    /// The client has said something, or has left.
    Bytes,
    /// The server stops, or the connection was to end.
    End,
}

/// Waits for the client without anything but its socket.
async fn rest(
    gated: &mut GatedWire<Transport>,
    open: &OpenConnection,
    watched: &WatchedConnection,
) -> Waking {
    let woken = poll_fn(|cx| {
        open.remember(cx.waker());
        watched.remember(cx.waker());
        if gated.poll_stir(cx).is_ready() {
            return Poll::Ready(Waking::Bytes);
        }
        let stops = matches!(open.phase(), Phase::Draining | Phase::Closing);
        if stops || watched.passage().ending().is_some() {
            return Poll::Ready(Waking::End);
        }
        if watched.is_to_make_room() {
            return Poll::Ready(Waking::End);
        }
        Poll::Pending
    })
    .await;
    if matches!(woken, Waking::End) {
        poll_fn(|cx| match Pin::new(&mut *gated).poll_shutdown(cx) {
            Poll::Pending if open.phase() != Phase::Closing => Poll::Pending,
            // A client that has gone is told nothing.
            _ => Poll::Ready(()),
        })
        .await;
    }
    woken
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

/// Whether a response to this may come in chunks.
fn takes_chunks(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_11 && !matches!(*request.method(), Method::HEAD | Method::CONNECT)
}

/// Whether hyper puts the body of a response into chunks (RFC 9112 section 6.1), and nothing else into them.
fn is_put_into_chunks(response: &Response<ResponseBody>) -> bool {
    let (status, headers) = (response.status(), response.headers());
    let has_body =
        !status.is_informational() && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    has_body
        && response.body().size_hint().exact().is_none()
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
}

/// Whether a connection becomes something else with this answer: a WebSocket, or a tunnel.
fn leaves_http(status: StatusCode, connects: bool) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || connects && status.is_success()
}

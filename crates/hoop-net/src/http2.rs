//! The life of one HTTP/2 connection: its streams, its limits, its graceful end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hoop_http2::Flaw;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::answer::answer_http2;
use crate::answered_body::{Answered, AnsweredBody};
use crate::application::{Application, Executor};
use crate::connection::Serving;
use crate::drive::{Left, drive};
use crate::http2_wire::Http2Wire;
use crate::limiter::WatchedConnection;
use crate::reset_budget::{ResetBudget, UnderWay};
use crate::shutdown::OpenConnection;
use crate::transport::Transport;
use crate::wire::{PeerSends, Wire};

/// Streams that a client has opened and reset before they were even looked at: more is an attack
/// ("rapid reset", CVE-2023-44487) and ends the connection.
const RESETS_WAITING: usize = 20;
/// Streams that the server had to reset for the client's errors (CVE-2025-8671, "made you reset").
const RESETS_FOR_ERRORS: usize = 128;
/// Bytes of a head at the most, whatever the limit is; each field counts with 32 more (RFC 9113 section
/// 6.5.2).
const LARGEST_HEAD: u32 = 16 * 1024 * 1024;
/// Bytes of request bodies that wait for the application: of one stream, and of all together.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of a response that wait for the client; then its application waits too.
const SEND_AHEAD: usize = 64 * 1024;

/// How HTTP/2 is spoken.
#[derive(Debug, Clone)]
pub struct Http2Options {
    /// Requests that one connection may have under way.
    pub streams_at_once: u32,
    /// A client that is silent for so long is asked whether it is there.
    pub ping_interval: Option<Duration>,
    /// It is given up if it stays silent for so long after that.
    pub ping_timeout: Duration,
}

impl Default for Http2Options {
    fn default() -> Self {
        Self {
            streams_at_once: 128,
            ping_interval: Some(Duration::from_secs(30)),
            ping_timeout: Duration::from_secs(20),
        }
    }
}

/// Runs hyper's tasks, one for each stream, where all the engine's tasks run.
#[derive(Clone)]
struct StreamTasks<E>(E);

impl<E: Executor, F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for StreamTasks<E> {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// Serves a connection until it ends.
pub async fn serve_http2<A: Application, E: Executor>(
    transport: Transport,
    remembered: Rc<A::Connection>,
    serving: &Serving<A, E>,
    options: &Http2Options,
    open: OpenConnection,
    watched: WatchedConnection,
) {
    let limiter = watched.limiter().clone();
    let head = limiter.limits().message.head;
    let passage = watched.passage().clone();
    let application = serving.application.clone();
    let resets = ResetBudget::new(Instant::now());
    let told = resets.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (application, remembered) = (application.clone(), remembered.clone());
        let under_way = UnderWay::new(told.clone());
        let (limiter, passage) = (limiter.clone(), passage.clone());
        passage.pass();
        let answered = Answered::new(passage.clone());
        async move {
            let response = answer_http2(&application, &remembered, request, &limiter, &passage).await;
            under_way.answered();
            Ok::<_, Infallible>(response.map(|body| AnsweredBody::new(body, answered, passage)))
        }
    });
    let peer_sends = PeerSends::default();
    // Whatever its requests are: a client of HTTP/2 acknowledges settings and pings.
    peer_sends.set(true);
    let mut wire = Wire::new(transport, peer_sends);
    wire.keep_lean();
    let wire = Http2Wire::new(wire, watched.passage().clone());
    let connection = http2::Builder::new(StreamTasks(serving.executor.clone()))
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(options.streams_at_once)
        .max_pending_accept_reset_streams(RESETS_WAITING)
        .max_local_error_reset_streams(RESETS_FOR_ERRORS)
        .max_header_list_size(u32::try_from(head).map_or(LARGEST_HEAD, |head| head.min(LARGEST_HEAD)))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_AHEAD)
        .keep_alive_interval(options.ping_interval)
        .keep_alive_timeout(options.ping_timeout)
        .serve_connection(TokioIo::new(wire.clone()), service);
    // Winding down is a GOAWAY; the streams that are open go on.
    let mut connection = pin!(connection);
    // What it has for its streams is its peer's state too, so it goes on without a rest.
    while drive(connection.as_mut(), |it| it.graceful_shutdown(), || resets.is_spent(), &open, &watched).await
        == Left::Resting
    {}
    open.unless_stopping(wire.part(resets.is_spent().then_some(Flaw::GivenUp))).await;
}

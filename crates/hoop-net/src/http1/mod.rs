//! The life of one HTTP/1.1 connection, from its first request to its graceful end (docs/adr/0053).

mod inflow;
mod outgoing;
mod request_head;
mod response_head;
mod stream;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use hoop_http1::{HeadMeaning, MessageLimits, Refusal};
use http::header::HeaderMap;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use tokio::sync::oneshot;

use crate::answer::{answer_http1, refuse_http1};
use crate::application::Application;
use crate::body::ResponseBody;
use crate::drive::{Left, drive};
use crate::entrance::Entrance;
use crate::give_way::give_way;
use crate::incoming_body::IncomingBody;
use crate::interim::InterimResponses;
use crate::limiter::WatchedConnection;
use crate::line::StraightLine;
use crate::passage::Passage;
use crate::shutdown::{OpenConnection, Shutdown};
use crate::transport::Transport;
use crate::websocket::{Carrier, WebSocketHandshake};
use crate::wire::{PeerSends, Wire};

pub use inflow::InflowReader;
use outgoing::Outgoing;
use response_head::{Asked, Framing, write_head};
use stream::{Arrived, Lost, Stream};

/// The most fields that a map of them holds, less some room.
const MOST_FIELDS: usize = 32_000;
/// The longest target that a URI may have, less some room.
const LONGEST_TARGET: usize = 65_000;
/// The largest head, whatever the settings say: all of it is held.
const LARGEST_HEAD: usize = 16 * 1024 * 1024;
/// So many requests of one connection are answered in a row, if they are there, before others have their turn.
const IN_A_ROW: u32 = 16;

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
    let peer_sends = PeerSends::default();
    let is_bare = transport.is_bare();
    let wire = Wire::new(transport, peer_sends.clone())
        .with_interim(interim)
        .through(watched.limiter().outbox.clone());
    // TLS keeps back what it has made of it.
    let straight = is_bare.then(|| wire.straight());
    let passage = watched.passage().clone();
    let depth = limits.pipelined.unwrap_or(u32::MAX);
    let stream = Stream::new(wire, within_reason(limits.message), passage.clone(), depth);
    let server = Server {
        application,
        remembered,
        entrance: watched.limiter().entrance.clone(),
        shutdown: open.shutdown(),
        passage: passage.clone(),
        peer_sends,
        straight,
    };
    let signals = Signals::default();
    let mut connection = pin!(server.converse(stream, &signals));
    let tell = || {
        if passage.take_half_closed() {
            server.application.half_closed(&server.remembered);
        }
        false
    };
    while drive(connection.as_mut(), |_| signals.is_last.set(true), tell, &open, &watched).await
        == Left::Resting
    {
        signals.rests.set(true);
    }
}

/// What a connection is told from outside.
#[derive(Default)]
struct Signals {
    /// It ends once the request at hand is answered.
    is_last: Cell<bool>,
    /// It has been quiet for a while.
    rests: Cell<bool>,
}

/// What all requests of a connection have in common.
struct Server<A: Application> {
    application: Rc<A>,
    remembered: Rc<A::Connection>,
    entrance: Entrance,
    shutdown: Shutdown,
    passage: Rc<Passage>,
    peer_sends: PeerSends,
    straight: Option<Rc<dyn StraightLine>>,
}

/// What becomes of a connection behind a response.
enum Next {
    /// Another request may follow.
    Goes,
    /// It ends in order.
    Ends,
    /// It has ended.
    Ended,
    /// It is something other than HTTP.
    Leaves,
}

type Upgrade = oneshot::Sender<Carrier>;

impl<A: Application> Server<A> {
    /// Answers one request after the other.
    async fn converse(&self, mut stream: Stream, signals: &Signals) {
        // The answer at work, which has the request in it: its room serves all of them.
        let mut room = None;
        // What a response was described with serves the next request.
        let mut headers = HeaderMap::new();
        let mut in_a_row = 0;
        loop {
            let head = poll_fn(|cx| {
                if signals.rests.take() {
                    stream.rest();
                    (room, headers) = (None, HeaderMap::new());
                }
                poll_next(&mut stream, cx, &mut headers, signals)
            });
            let mut upgrade = None;
            let (response, exchange) = match head.await {
                Ok(None) => break,
                Ok(Some((request, meaning))) => {
                    let mut exchange = Exchange::new(&request, meaning);
                    let room = room.get_or_insert_with(|| Box::pin(None));
                    let upgraded = self.upgraded(&request, &mut upgrade);
                    if upgraded.is_some() {
                        stream.begin_handshake();
                    }
                    room.set(Some(answer_http1(
                        &self.application,
                        &self.remembered,
                        request,
                        upgraded,
                        &self.entrance,
                        &self.passage,
                    )));
                    let answered =
                        poll_fn(|cx| poll_answer(room.as_mut().as_pin_mut(), &mut stream, cx)).await;
                    room.set(None);
                    match answered {
                        Ok(response) => (response, exchange),
                        Err(Lost::Client) => return,
                        Err(Lost::Refused(refusal)) => {
                            exchange.asked.stays = false;
                            (self.refuse(refusal), exchange)
                        }
                    }
                }
                Err(refusal) => (self.refuse(refusal), Exchange::refused(&stream)),
            };
            let response = with_final_status(response, upgrade.is_some());
            match self.respond(&mut stream, response, exchange, signals, &mut headers).await {
                Next::Goes => {}
                Next::Ends => break,
                Next::Ended => return,
                Next::Leaves => return leave(stream, upgrade),
            }
            in_a_row = if stream.holds() { in_a_row + 1 } else { 0 };
            if in_a_row == IN_A_ROW {
                in_a_row = 0;
                let _ = poll_fn(|cx| Poll::Ready(stream.poll_flush(cx))).await;
                give_way().await;
            }
        }
        // A client that has gone is told nothing.
        let _ = poll_fn(|cx| stream.poll_shutdown(cx)).await;
    }

    /// Where the connection will be, if the request asks for a WebSocket and gets it.
    fn upgraded(
        &self,
        request: &Request<IncomingBody>,
        upgrade: &mut Option<Upgrade>,
    ) -> Option<oneshot::Receiver<Carrier>> {
        let asks_for_websocket = WebSocketHandshake::is_asked_for(request);
        // A WebSocket is one more thing whose peer may send until the end.
        self.peer_sends.set(asks_for_websocket || !request.body().is_end_stream());
        let (sender, receiver) = asks_for_websocket.then(oneshot::channel).unzip();
        *upgrade = sender;
        receiver
    }

    fn refuse(&self, refusal: Refusal) -> Response<ResponseBody> {
        self.passage.stop();
        // It may have waited for its turn.
        self.passage.queue(false);
        self.peer_sends.set(true);
        refuse_http1(&*self.application, &self.remembered, refusal)
    }

    async fn respond(
        &self,
        stream: &mut Stream,
        response: Response<ResponseBody>,
        exchange: Exchange,
        signals: &Signals,
        headers: &mut HeaderMap,
    ) -> Next {
        let mut asked = exchange.asked;
        asked.stays &= !self.shutdown.has_begun() && !signals.is_last.get() && !stream.owes_continue();
        let (mut parts, body) = response.into_parts();
        let length = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
        let begun = stream.queue_head(|out| write_head(out, parts.status, &parts.headers, length, asked));
        parts.headers.clear();
        *headers = parts.headers;
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return Next::Leaves;
        }
        if let (Framing::Chunked, Some(straight), ResponseBody::Stream(body)) =
            (begun.framing, &self.straight, &body)
        {
            body.may_go(straight.clone());
        }
        let mut outgoing = Outgoing::new(body, begun.framing, exchange.takes_trailers);
        let sent = poll_fn(|cx| {
            let sent = outgoing.poll_send(cx, stream).map_err(drop);
            let is_lost = sent.is_pending()
                && (matches!(stream.attend(cx), Err(Lost::Client)) || fails_to_flush(stream, cx));
            if is_lost { Poll::Ready(Err(())) } else { sent }
        })
        .await;
        drop(outgoing);
        self.passage.answered();
        if sent.is_err() {
            return Next::Ended;
        }
        if begun.is_last || !self.is_through(stream, signals).await { Next::Ends } else { Next::Goes }
    }

    /// Comes to the end of a request that is answered; whether there is one.
    async fn is_through(&self, stream: &mut Stream, signals: &Signals) -> bool {
        if stream.is_in_body() {
            poll_fn(|cx| {
                let left = stream.poll_leave_body(cx);
                let is_over = signals.is_last.get() || left.is_pending() && fails_to_flush(stream, cx);
                if is_over { Poll::Ready(()) } else { left }
            })
            .await;
        }
        stream.goes_on();
        stream.is_between()
    }
}

/// What of a request its response needs to know.
struct Exchange {
    asked: Asked,
    takes_trailers: bool,
}

impl Exchange {
    fn new(request: &Request<IncomingBody>, meaning: HeadMeaning) -> Self {
        let asked = Asked {
            is_old: meaning.is_old,
            is_head: *request.method() == Method::HEAD,
            is_connect: *request.method() == Method::CONNECT,
            stays: meaning.keeps_alive,
        };
        Self { asked, takes_trailers: meaning.takes_trailers }
    }

    /// Of a request that was none.
    fn refused(stream: &Stream) -> Self {
        let asked = Asked { is_head: stream.refuses_head_method(), ..Asked::default() };
        Self { asked, takes_trailers: false }
    }
}

/// Sends what was added; whether that has failed for good.
fn fails_to_flush(stream: &mut Stream, cx: &mut Context<'_>) -> bool {
    matches!(stream.poll_flush(cx), Poll::Ready(Err(_)))
}

/// The next request, unless the connection ends; what was to be sent is, while there is none.
fn poll_next(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    headers: &mut HeaderMap,
    signals: &Signals,
) -> Poll<Result<Option<Arrived>, Refusal>> {
    if signals.is_last.get() {
        return Poll::Ready(Ok(None));
    }
    let head = stream.poll_head(cx, headers);
    if head.is_pending() && fails_to_flush(stream, cx) { Poll::Ready(Ok(None)) } else { head }
}

/// The answer to a request, unless it is lost. While there is none, what has to be said meanwhile is sent:
/// hints, and that the body may come.
fn poll_answer<F: Future>(
    answering: Option<Pin<&mut F>>,
    stream: &mut Stream,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Lost>> {
    let answer = answering.map_or(Poll::Pending, |answering| answering.poll(cx));
    if let Poll::Ready(answer) = answer {
        return Poll::Ready(Ok(answer));
    }
    if let Err(lost) = stream.attend(cx) {
        // The answer is not asked again: an application that is told that its client has gone may give one.
        return Poll::Ready(Err(lost));
    }
    if fails_to_flush(stream, cx) { Poll::Ready(Err(Lost::Client)) } else { Poll::Pending }
}

/// A response that may follow its request: interim ones have another way, and nobody would wait for the next.
fn with_final_status(response: Response<ResponseBody>, may_upgrade: bool) -> Response<ResponseBody> {
    let status = response.status();
    if !status.is_informational() || may_upgrade && status == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let mut failure = Response::new(ResponseBody::from("Internal Server Error"));
    *failure.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    failure
}

/// Hands a connection over to whoever goes on with it, if somebody does.
fn leave(stream: Stream, upgrade: Option<Upgrade>) {
    let (wire, ahead) = stream.into_parts();
    if let Some(upgrade) = upgrade {
        let _ = upgrade.send(Carrier::Wire(Box::new(wire), ahead));
    }
}

/// Limits that a request can keep: what is read must not be refused when it becomes one, and fits into memory.
fn within_reason(limits: MessageLimits) -> MessageLimits {
    MessageLimits {
        target: limits.target.min(LONGEST_TARGET),
        head: limits.head.min(LARGEST_HEAD),
        fields: limits.fields.min(MOST_FIELDS),
        ..limits
    }
}

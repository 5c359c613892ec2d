//! One WebSocket session.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hoop_asgi::{CloseStep, Fault, SessionState};
use hoop_net::{
    BodySender, Message, OpenConnection, PendingWebSocket, ResponseBody, WebSocket, WebSocketHandshake,
};
use http::{Response, StatusCode};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use tokio::time::{sleep, timeout};

use super::conversation::{Conversation, Step};
use super::denial::Denial;
use super::message;
use super::reply::{Answer, Replies, Reply, client_closed, plain};
use super::request_line::{Outcome, RequestLine};
use super::scope::Ends;
use super::server_state::{Ending, ServerState};
use super::session_events::{disconnected, event, received};
use crate::errors::client_disconnected;
use crate::event_loop::promise::Waiters;
use crate::gil_cell::GilCell;

/// So many bytes may wait for the client before `send()` waits too.
const SEND_AHEAD: usize = 64 * 1024;
/// So many bytes or messages may wait for the application before the connection is not read on.
const RECEIVE_AHEAD: usize = 64 * 1024;
const MESSAGES_AHEAD: usize = 64;
/// How long the application may take to answer what came right before the client's close frame.
const LAST_ANSWERS: Duration = Duration::from_millis(250);
/// How long a client may take to answer a close frame.
const CLOSING_PATIENCE: Duration = Duration::from_secs(5);

/// Close codes of RFC 6455 section 7.4.1 that the server itself sends or reports.
const NORMAL: u16 = 1000;
const ABNORMAL: u16 = 1006;
const INTERNAL_ERROR: u16 = 1011;
/// Registered with IANA: the server restarts or stops.
const SERVICE_RESTART: u16 = 1012;
const STOPPING: &str = "the server is stopping";

#[derive(Default)]
struct Progress {
    state: SessionState,
    handshake: Option<WebSocketHandshake>,
    /// The response that the application gives instead.
    denial: Option<Denial>,
    /// Whether 'websocket.connect' was received.
    announced: bool,
    incoming: VecDeque<Message>,
    incoming_bytes: usize,
    /// The connection is not read on until the application has caught up.
    held_up: bool,
    /// The application has taken all there was, and waits for more.
    is_waiting: bool,
    /// The client's end of it is kept back until then.
    end_is_held: bool,
    outgoing: VecDeque<Message>,
    /// Bytes that the application has sent and the system has not taken.
    unsent: usize,
    /// How the session ended, once it has; the answer to every further `receive()`.
    end: Option<(u16, String)>,
    /// The session's task, which moves messages between here and the connection.
    carrier: Option<Waker>,
    /// The server gives up on the connection.
    aborted: bool,
    /// Of the answer to the handshake, once it was given.
    status: Option<StatusCode>,
    /// It has become a WebSocket.
    accepted: bool,
    /// Bytes of messages that came and went.
    received: u64,
    sent: u64,
    /// It was logged and counted.
    finished: bool,
}

impl Progress {
    fn may_take_more(&self) -> bool {
        self.incoming_bytes < RECEIVE_AHEAD && self.incoming.len() < MESSAGES_AHEAD
    }

    fn push_outgoing(&mut self, message: Message) -> Option<Waker> {
        self.unsent += size(&message);
        self.outgoing.push_back(message);
        self.carrier.take()
    }
}

/// A WebSocket from handshake to end.
pub struct Session {
    server: Arc<ServerState>,
    line: RequestLine,
    progress: GilCell<Progress>,
    reply: Reply,
    receivers: Waiters,
    senders: Waiters,
    /// Until the session's task takes it.
    open: GilCell<Option<OpenConnection>>,
}

/// Enters the application with a handshake; what hyper awaits is its answer.
pub fn begin(
    server: &Arc<ServerState>,
    ends: &Ends,
    mut handshake: WebSocketHandshake,
    open: OpenConnection,
) -> Answer<Session> {
    Python::attach(|py| {
        let (caller, id) = server.caller(py, &handshake.parts, ends);
        let scope = server.scopes.websocket(py, &handshake.parts, ends, &caller, id.as_deref());
        let line = RequestLine::new(py, server, &caller, id, &mut handshake.parts);
        let session = Arc::new(Session {
            server: server.clone(),
            line,
            progress: GilCell::new(Progress { handshake: Some(handshake), ..Progress::default() }),
            reply: Reply::default(),
            receivers: Waiters::default(),
            senders: Waiters::default(),
            open: GilCell::new(Some(open)),
        });
        server.remember(py, &session);
        server.start(py, scope, session.clone());
        Answer(session)
    })
}

impl Session {
    fn answer(&self, py: Python<'_>, mut response: Response<ResponseBody>) {
        self.line.stamp(&self.server, response.headers_mut());
        self.progress.borrow_mut(py).status = Some(response.status());
        self.reply.give(py, response);
    }

    /// It is over, and so is its connection: logs and counts it, once.
    fn finish(&self, py: Python<'_>) {
        let outcome = {
            let mut progress = self.progress.borrow_mut(py);
            if std::mem::replace(&mut progress.finished, true) {
                return;
            }
            let code = progress.end.as_ref().map_or(ABNORMAL, |(code, _)| *code);
            Outcome {
                status: progress.status.unwrap_or_else(client_closed),
                received: progress.received,
                sent: progress.sent,
                complete: progress.status.is_some(),
                close_code: progress.accepted.then_some(code),
            }
        };
        {
            let mut tally = self.server.tally.borrow_mut(py);
            match outcome.close_code {
                Some(_) => tally.sockets.closed += 1,
                None => {
                    tally.begin();
                    tally.sockets.denied += 1;
                }
            }
        }
        self.line.finished(py, &self.server, &outcome);
    }

    /// The session is over; whoever waits for it learns it.
    fn over(&self, py: Python<'_>, code: u16, reason: String) {
        self.progress.borrow_mut(py).end.get_or_insert((code, reason));
        self.receivers.wake(py);
        self.senders.wake(py);
    }

    fn accept(self: &Arc<Self>, py: Python<'_>, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let headers = message::websocket_accept(dict)?;
        let handshake = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.end.is_some() {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            progress.state.accept().map_err(message::fault)?;
            progress.accepted = true;
            progress.handshake.take()
        };
        let Some(handshake) = handshake else { return Ok(()) };
        self.server.tally.borrow_mut(py).sockets.opened += 1;
        let (response, pending) = handshake.accept(headers, &self.server.websocket);
        self.answer(py, response);
        let (session, open) = (self.clone(), self.open.take(py));
        self.server.spawn(py, async move {
            carry(session.clone(), pending).await;
            Python::attach(|py| session.finish(py));
            drop(open);
        });
        Ok(())
    }

    fn send_message(&self, py: Python<'_>, message: Message) -> PyResult<()> {
        let carrier = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.end.is_some() {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            progress.state.send().map_err(message::fault)?;
            progress.sent += payload(&message) as u64;
            progress.push_outgoing(message)
        };
        self.server.tally.borrow_mut(py).sockets.sent += 1;
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        Ok(())
    }

    /// Refuses the handshake or sends a close frame, whichever it is time for.
    fn close(
        &self,
        py: Python<'_>,
        code: u16,
        reason: String,
        refusal: Response<ResponseBody>,
    ) -> PyResult<()> {
        let (step, ended, carrier) = {
            let mut progress = self.progress.borrow_mut(py);
            let step = progress.state.close().map_err(message::fault)?;
            let ended = progress.end.is_some();
            let carrier = match step {
                CloseStep::Close if !ended => progress.push_outgoing(Message::Close { code, reason }),
                _ => None,
            };
            (step, ended, carrier)
        };
        if step == CloseStep::Refuse && !ended {
            drop(self.progress.borrow_mut(py).handshake.take());
            drop(self.open.take(py));
            self.answer(py, refusal);
            // ASGI: "Disconnect ... also if the connection was refused".
            self.over(py, ABNORMAL, String::new());
        }
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        Ok(())
    }

    fn begin_denial(&self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = dict.py();
        let start = Denial::read_start(dict)?;
        let mut progress = self.progress.borrow_mut(py);
        if progress.end.is_some() {
            drop(progress);
            return Err(client_disconnected(py, &self.line.name()));
        }
        progress.state.deny().map_err(message::fault)?;
        progress.denial.get_or_insert_with(Denial::new).start(start)
    }

    /// Sends a piece of the response that stands for the WebSocket; with the first one it is refused.
    fn deny(self: &Arc<Self>, py: Python<'_>, bytes: Bytes, more: bool) -> PyResult<()> {
        let response = {
            let mut progress = self.progress.borrow_mut(py);
            let is_begun = !progress.state.is_connecting();
            let reader_gone =
                progress.denial.as_ref().and_then(Denial::stream).is_some_and(BodySender::is_reader_gone);
            if reader_gone || (progress.end.is_some() && !is_begun) {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            let Some(denial) = &mut progress.denial else {
                return Err(message::fault(Fault::DenialBeforeStart));
            };
            let response = denial.body(bytes, more)?;
            if response.is_some() {
                progress.state.close().map_err(message::fault)?;
                drop(progress.handshake.take());
            }
            response
        };
        if let Some(response) = response {
            drop(self.open.take(py));
            self.answer(py, response);
            self.over(py, ABNORMAL, String::new());
        }
        Ok(())
    }

    /// The server stops: says so to the client and, through it, to the application.
    pub fn going_away(&self, py: Python<'_>) {
        let refusal = plain(StatusCode::SERVICE_UNAVAILABLE);
        // An error here means that the application has closed it already.
        if self.close(py, SERVICE_RESTART, STOPPING.to_owned(), refusal).is_ok() {
            self.over(py, SERVICE_RESTART, STOPPING.to_owned());
        }
    }

    /// The server is out of patience: ends the connection as it is.
    pub fn abort(&self, py: Python<'_>) {
        let carrier = {
            let mut progress = self.progress.borrow_mut(py);
            progress.aborted = true;
            progress.carrier.take()
        };
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        self.over(py, ABNORMAL, String::new());
    }

    /// Moves messages both ways until nothing can be moved. Ready once the session is over.
    fn carry_some(&self, py: Python<'_>, socket: &mut WebSocket, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.progress.borrow(py).aborted {
                return Poll::Ready(());
            }
            self.write_some(py, socket, cx);
            let (may_take_more, is_caught_up) = {
                let progress = self.progress.borrow(py);
                // Once the application has closed, only the peer's own close is of interest.
                let is_closed = progress.state.is_closed();
                (progress.may_take_more() || is_closed, progress.is_waiting || is_closed)
            };
            if is_caught_up {
                socket.caught_up();
            }
            self.progress.borrow_mut(py).held_up = !may_take_more;
            if !may_take_more {
                break;
            }
            match socket.poll_receive(cx) {
                Poll::Ready(Some(Message::Close { code, reason })) => {
                    self.over(py, code, reason);
                    return Poll::Ready(());
                }
                Poll::Ready(Some(message)) => {
                    let mut progress = self.progress.borrow_mut(py);
                    // An application that has closed reads nothing any more.
                    if !progress.state.is_closed() {
                        progress.is_waiting = false;
                        progress.incoming_bytes += size(&message);
                        progress.received += payload(&message) as u64;
                        progress.incoming.push_back(message);
                        self.server.tally.borrow_mut(py).sockets.received += 1;
                    }
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let has_news = !self.progress.borrow(py).incoming.is_empty();
        if has_news {
            self.receivers.wake(py);
        }
        let mut progress = self.progress.borrow_mut(py);
        progress.end_is_held = socket.holds_end();
        progress.carrier = Some(cx.waker().clone());
        Poll::Pending
    }

    fn write_some(&self, py: Python<'_>, socket: &mut WebSocket, cx: &mut Context<'_>) {
        loop {
            let next = self.progress.borrow_mut(py).outgoing.pop_front();
            let Some(message) = next else { break };
            if let Err(message) = socket.queue(cx, message) {
                self.progress.borrow_mut(py).outgoing.push_front(message);
                return;
            }
        }
        if self.progress.borrow(py).unsent > 0 && socket.poll_flush(cx).is_ready() {
            self.progress.borrow_mut(py).unsent = 0;
            self.senders.wake(py);
        }
    }
}

/// The session's task: opens the WebSocket, then carries messages until it is over.
async fn carry(session: Arc<Session>, pending: PendingWebSocket) {
    let Some(mut socket) = pending.open().await else {
        return Python::attach(|py| session.over(py, ABNORMAL, String::new()));
    };
    let (mut patience, mut last_answers) = (None, None);
    poll_fn(|cx| {
        Python::attach(|py| {
            if session.carry_some(py, &mut socket, cx).is_ready() {
                return Poll::Ready(());
            }
            if socket.holds_end() {
                let last_answers = last_answers.get_or_insert_with(|| Box::pin(sleep(LAST_ANSWERS)));
                if last_answers.as_mut().poll(cx).is_ready() {
                    socket.caught_up();
                    return session.carry_some(py, &mut socket, cx);
                }
            }
            if !session.progress.borrow(py).state.is_closed() {
                return Poll::Pending;
            }
            let patience = patience.get_or_insert_with(|| Box::pin(sleep(CLOSING_PATIENCE)));
            patience.as_mut().poll(cx)
        })
    })
    .await;
    let aborted = Python::attach(|py| {
        session.over(py, ABNORMAL, String::new());
        session.progress.borrow(py).aborted
    });
    if !aborted {
        // The last words, such as the answer to the client's close, should reach it.
        let last_words = async {
            poll_fn(|cx| socket.poll_flush(cx)).await;
            poll_fn(|cx| socket.poll_shutdown(cx)).await;
        };
        let _ = timeout(CLOSING_PATIENCE, last_words).await;
    }
}

impl Conversation for Session {
    fn receive(self: Arc<Self>, py: Python<'_>) -> PyResult<Step> {
        let mut progress = self.progress.borrow_mut(py);
        if !progress.announced {
            progress.announced = true;
            drop(progress);
            return event(py, intern!(py, "websocket.connect"), |_| Ok(()));
        }
        if let Some(message) = progress.incoming.pop_front() {
            progress.incoming_bytes -= size(&message);
            // The connection may be read on.
            let carrier = if progress.held_up && progress.may_take_more() {
                progress.held_up = false;
                progress.carrier.take()
            } else {
                None
            };
            drop(progress);
            if let Some(carrier) = carrier {
                carrier.wake();
            }
            return received(py, message);
        }
        if let Some((code, reason)) = progress.end.clone() {
            drop(progress);
            return disconnected(py, code, &reason);
        }
        progress.is_waiting = true;
        let carrier = if progress.end_is_held { progress.carrier.take() } else { None };
        drop(progress);
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        Ok(Step::Wait(self.receivers.wait(self.server.python_loop(py))?))
    }

    fn send(self: Arc<Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = message.py();
        let (dict, kind) = message::dict_and_type(message)?;
        match kind.to_str()? {
            "websocket.accept" => self.accept(py, dict),
            "websocket.send" => self.send_message(py, message::websocket_send(dict)?),
            "websocket.http.response.start" => self.begin_denial(dict),
            "websocket.http.response.body" => self.deny(py, message::body(dict)?, message::more_body(dict)?),
            "websocket.close" => {
                let (code, reason) = message::websocket_close(dict)?;
                if self.progress.borrow(py).end.is_some() {
                    // It crossed with the other side's: nothing is left to close.
                    return Ok(());
                }
                // ASGI WebSocket spec, "Close": before the handshake it means 403.
                self.close(py, code, reason, plain(StatusCode::FORBIDDEN))
            }
            other => Err(PyValueError::new_err(format!(
                "a WebSocket application sends 'websocket.accept', 'websocket.send', 'websocket.close' and \
                 what scope['extensions'] names, not {other:?}"
            ))),
        }
    }

    fn congestion(self: Arc<Self>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let ahead = {
            let progress = self.progress.borrow(py);
            if let Some(stream) = progress.denial.as_ref().and_then(Denial::stream) {
                if stream.buffered() <= SEND_AHEAD as u64 {
                    return Ok(None);
                }
                let session = self.clone();
                stream.when_drained(move || Python::attach(|py| session.senders.wake(py)));
                drop(progress);
                return self.senders.wait(self.server.python_loop(py)).map(Some);
            }
            progress.end.is_none() && progress.unsent > SEND_AHEAD
        };
        if !ahead {
            return Ok(None);
        }
        self.senders.wait(self.server.python_loop(py)).map(Some)
    }
}

impl Replies for Session {
    fn reply(&self) -> &Reply {
        &self.reply
    }

    fn abandoned(&self, py: Python<'_>) {
        drop(self.open.take(py));
        self.over(py, ABNORMAL, String::new());
    }
}

impl Ending for Session {
    fn ended(&self, py: Python<'_>, failure: Option<PyErr>) {
        let (connecting, client_gone) = {
            let progress = self.progress.borrow(py);
            (progress.state.is_connecting(), progress.end.is_some())
        };
        let (code, reason, refusal) = match &failure {
            Some(error) if self.server.has_cancelled(py, error) => {
                (SERVICE_RESTART, STOPPING, StatusCode::SERVICE_UNAVAILABLE)
            }
            Some(_) => (INTERNAL_ERROR, "internal error", StatusCode::INTERNAL_SERVER_ERROR),
            None => (NORMAL, "", StatusCode::INTERNAL_SERVER_ERROR),
        };
        match failure {
            Some(error) => self.server.application_failed(py, error, &self.line, client_gone),
            None if connecting && !client_gone => {
                let details = (self.line.name(), false, self.line.id(py));
                self.server.tell(py, "application_stopped_short", details);
            }
            None => {}
        }
        // A denial that is not complete breaks off.
        let denial = self.progress.borrow_mut(py).denial.take();
        drop(denial);
        // An error here means that the application has closed it, as it should.
        let _ = self.close(py, code, reason.to_owned(), plain(refusal));
        if !self.progress.borrow(py).accepted {
            self.finish(py);
        }
    }

    fn request_id(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.line.id(py)
    }
}

/// What a message counts for in the limits; its own bookkeeping included.
fn size(message: &Message) -> usize {
    payload(message) + size_of::<Message>()
}

fn payload(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
        Message::Close { reason, .. } => reason.len(),
    }
}

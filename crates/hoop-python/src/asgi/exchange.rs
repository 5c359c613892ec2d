//! One HTTP request and its response.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hoop_asgi::{BodyStep, ResponseState};
use hoop_net::{BodyError, BodySender, IncomingBody, Piece, ResponseBody, give_way};
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::conversation::{Conversation, Step};
use super::file_message::{path_send, zero_copy_send};
use super::message;
use super::reply::{Answer, Replies, Reply, client_closed, plain};
use super::request_body::{Reading, RequestBody, poll_chunk};
use super::request_line::{Outcome, RequestLine};
use super::scope::Ends;
use super::server_state::{Ending, ServerState, is_cancellation};
use crate::errors::client_disconnected;
use crate::event_loop::promise::Waiters;
use crate::gil_cell::GilCell;

/// A streamed body may run ahead of the connection by so many bytes before `send()` waits.
const STREAM_AHEAD: u64 = 64 * 1024;

struct Progress {
    body: RequestBody,
    state: ResponseState,
    head: Option<(StatusCode, HeaderMap)>,
    stream: Option<BodySender>,
    /// Trailers that wait for the last of them.
    trailers: Option<Box<HeaderMap>>,
    client_gone: bool,
    /// The client sends nothing more. Whether it is there shows when something is sent to it.
    half_closed: bool,
    /// The application took too long, and somebody else has answered.
    overdue: bool,
    /// Of the response, once it has begun.
    status: Option<StatusCode>,
    /// Bytes of the body that the application has taken, and of the response's that it has given.
    received: u64,
    sent: u64,
    /// It was logged and counted.
    finished: bool,
}

/// A request being answered.
pub struct Exchange {
    server: Arc<ServerState>,
    line: RequestLine,
    ends: Arc<Ends>,
    /// RFC 9110 section 15.2: a client of HTTP/1.0 does not know 103.
    takes_interim: bool,
    progress: GilCell<Progress>,
    reply: Reply,
    /// Calls of `receive()` that wait for the next event.
    receivers: Waiters,
    /// Calls of `send()` that wait for the client to catch up.
    senders: Waiters,
}

/// Enters the application with a request; what hyper awaits is its answer.
pub fn begin(
    server: &Arc<ServerState>,
    ends: &Arc<Ends>,
    request: Request<IncomingBody>,
) -> Answer<Exchange> {
    Python::attach(|py| {
        ends.end_outlived(py);
        let (mut parts, body) = request.into_parts();
        let takes_interim = parts.version == Version::HTTP_11;
        let answers_head = parts.method == Method::HEAD;
        let (caller, id) = server.caller(py, &parts, ends);
        let scope = server.scopes.http(py, &parts, ends, &caller, id.as_deref());
        server.tally.borrow_mut(py).begin();
        let exchange = Arc::new(Exchange {
            server: server.clone(),
            line: RequestLine::new(py, server, &caller, id, &mut parts),
            ends: ends.clone(),
            takes_interim,
            progress: GilCell::new(Progress {
                body: RequestBody::new(body),
                state: ResponseState::new(answers_head),
                head: None,
                stream: None,
                trailers: None,
                client_gone: false,
                half_closed: ends.has_half_closed.load(Ordering::Relaxed),
                overdue: false,
                status: None,
                received: 0,
                sent: 0,
                finished: false,
            }),
            reply: Reply::default(),
            receivers: Waiters::default(),
            senders: Waiters::default(),
        });
        if ends.interim.is_some() {
            drop(ends.last.replace(py, Arc::downgrade(&exchange)));
        }
        server.start(py, scope, exchange.clone());
        Answer(exchange)
    })
}

impl Exchange {
    fn answer(&self, py: Python<'_>, mut response: Response<ResponseBody>) {
        if let Some(interim) = &self.ends.interim {
            interim.forget();
        }
        self.line.stamp(&self.server, response.headers_mut());
        self.progress.borrow_mut(py).status = Some(response.status());
        self.reply.give(py, response);
    }

    /// Answers in the application's stead.
    fn answer_plainly(&self, py: Python<'_>, status: StatusCode) {
        let response = plain(status);
        {
            let mut progress = self.progress.borrow_mut(py);
            if !progress.state.is_bodyless() {
                progress.sent = response.body().size_hint().lower();
            }
        }
        self.answer(py, response);
        self.finish(py, true);
    }

    /// Nothing more is to be said of the response: logs and counts it, once.
    fn finish(&self, py: Python<'_>, complete: bool) {
        let outcome = {
            let mut progress = self.progress.borrow_mut(py);
            if std::mem::replace(&mut progress.finished, true) {
                return;
            }
            Outcome {
                status: progress.status.unwrap_or_else(client_closed),
                received: progress.received,
                sent: progress.sent,
                complete,
                close_code: None,
            }
        };
        self.line.finished(py, &self.server, &outcome);
    }

    pub fn client_left(&self, py: Python<'_>) {
        self.progress.borrow_mut(py).client_gone = true;
        self.receivers.wake(py);
        self.senders.wake(py);
    }

    /// An application that waits for its client to leave is told that it has.
    pub fn half_closed(&self, py: Python<'_>) {
        self.progress.borrow_mut(py).half_closed = true;
        self.receivers.wake(py);
    }

    /// The body's next chunk is not there yet: a task waits for it in the application's stead, so
    /// that it is not lost when the application gives up waiting.
    fn read(self: Arc<Self>, py: Python<'_>, mut body: IncomingBody) {
        let exchange = self.clone();
        let task = self.server.spawn(py, async move {
            let chunk = poll_fn(|cx| poll_chunk(&mut body, cx)).await;
            Python::attach(|py| exchange.chunk_read(py, body, chunk));
        });
        self.set_body(py, RequestBody::BeingRead(task.map(Reading)));
    }

    /// What it was before is dropped outside the borrow.
    fn set_body(&self, py: Python<'_>, body: RequestBody) {
        let before = std::mem::replace(&mut self.progress.borrow_mut(py).body, body);
        drop(before);
    }

    fn chunk_read(&self, py: Python<'_>, body: IncomingBody, chunk: Option<Result<Bytes, BodyError>>) {
        match RequestBody::after(body, chunk) {
            Ok(body) => {
                self.set_body(py, body);
                self.receivers.wake(py);
            }
            Err(_) => self.client_left(py),
        }
    }

    fn start_response(&self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let status = message::status(dict)?;
        let mut headers = message::headers(dict)?;
        // Nearly always the three keys are type, status and headers.
        let trailers = (dict.len() != 3 || headers.is_empty()) && message::trailers(dict)?;
        if trailers {
            // In HTTP/1.1 trailers follow chunks, and what has a length has no chunks.
            headers.remove(CONTENT_LENGTH);
        }
        let declared = message::declared_length(&headers)?;
        let mut progress = self.progress.borrow_mut(dict.py());
        progress.state.start(status.as_u16(), declared, trailers).map_err(message::fault)?;
        progress.head = Some((status, headers));
        Ok(())
    }

    fn send_body(self: &Arc<Self>, py: Python<'_>, piece: Piece, more: bool) -> PyResult<()> {
        let is_complete;
        let step = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.client_gone && !progress.state.is_complete() {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            let step = progress.state.body(piece.len(), more).map_err(message::fault)?;
            if !progress.state.is_bodyless() {
                progress.sent += piece.len();
            }
            is_complete = progress.state.is_complete();
            step
        };
        match (step, piece) {
            (BodyStep::Whole, Piece::Bytes(bytes)) => {
                let response = self.with_head(py, ResponseBody::Whole(bytes));
                self.answer(py, response);
            }
            (BodyStep::Whole, file @ Piece::File(_)) => {
                let length = file.len();
                self.begin_stream(py, file, Some(length));
                self.end_stream(py, None);
            }
            (BodyStep::Begin, piece) => {
                let length = self.progress.borrow(py).state.declared_length();
                self.begin_stream(py, piece, length);
            }
            (BodyStep::Continue, piece) => {
                if let Some(stream) = &self.progress.borrow(py).stream {
                    stream.push(piece);
                }
            }
            (BodyStep::End, piece) => self.end_stream(py, Some(piece)),
        }
        if is_complete {
            self.complete(py);
        }
        Ok(())
    }

    /// The response is complete: nobody reads the request any more.
    fn complete(&self, py: Python<'_>) {
        self.set_body(py, RequestBody::Taken);
        self.receivers.wake(py);
        self.finish(py, true);
    }

    fn send_trailers(&self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = dict.py();
        let fields = message::headers(dict)?;
        let more = message::more_trailers(dict)?;
        let last = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.client_gone && !progress.state.is_complete() {
                drop(progress);
                return Err(client_disconnected(py, &self.line.name()));
            }
            progress.state.trailers(more).map_err(message::fault)?;
            progress.trailers.get_or_insert_default().extend(fields);
            if more {
                return Ok(());
            }
            progress.stream.take().zip(progress.trailers.take())
        };
        if let Some((stream, trailers)) = last {
            stream.finish_with(*trailers);
        }
        self.complete(py);
        Ok(())
    }

    fn send_hint(&self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = dict.py();
        let links = message::links(dict)?;
        self.progress.borrow(py).state.hint().map_err(message::fault)?;
        // Where it was not announced it is left out: a hint may be.
        if let Some(interim) = self.ends.interim.as_ref().filter(|_| self.takes_interim) {
            interim.early_hints(&links);
            self.reply.nudge(py);
        }
        Ok(())
    }

    /// What an application says for its developers alone (ASGI extension "Debug").
    fn send_debug(&self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = dict.py();
        let Some(info) = dict.get_item(intern!(py, "info"))? else {
            return Err(PyValueError::new_err("'http.response.debug' needs 'info'"));
        };
        self.progress.borrow(py).state.debug().map_err(message::fault)?;
        self.server.tell(py, "debug_info", (self.line.name(), info, self.line.id(py)));
        Ok(())
    }

    fn begin_stream(self: &Arc<Self>, py: Python<'_>, piece: Piece, length: Option<u64>) {
        let (sender, body) = ResponseBody::stream(length);
        let exchange = self.clone();
        sender.when_gone(move || Python::attach(|py| exchange.stream_gone(py)));
        if self.progress.borrow(py).state.is_bodyless() {
            drop(self.ends.outlived.replace(py, Some(Arc::downgrade(self))));
        }
        sender.push(piece);
        self.progress.borrow_mut(py).stream = Some(sender);
        let response = self.with_head(py, body);
        self.answer(py, response);
    }

    fn end_stream(&self, py: Python<'_>, last: Option<Piece>) {
        let stream = self.progress.borrow_mut(py).stream.take();
        if let Some(stream) = stream {
            if let Some(piece) = last {
                stream.push(piece);
            }
            stream.finish();
        }
    }

    fn with_head(&self, py: Python<'_>, body: ResponseBody) -> Response<ResponseBody> {
        let (status, headers) = self.progress.borrow_mut(py).head.take().unwrap_or_default();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// hyper let go of the streamed body: either all of it went out, or the client has gone.
    fn stream_gone(&self, py: Python<'_>) {
        let left = {
            let state = &self.progress.borrow(py).state;
            // Where no body goes, hyper has no use for the stream from the start.
            !state.is_complete() && !state.is_bodyless()
        };
        if left {
            self.client_left(py);
        }
    }
}

impl Conversation for Exchange {
    fn receive(self: Arc<Self>, py: Python<'_>) -> PyResult<Step> {
        let body = {
            let mut progress = self.progress.borrow_mut(py);
            // ASGI, "Disconnect": also once the response has been sent.
            if progress.client_gone || progress.state.is_complete() {
                drop(progress);
                return disconnect_event(py);
            }
            match progress.body {
                RequestBody::Taken if progress.half_closed => {
                    // Told that nobody is there, it sends to nobody.
                    progress.client_gone = true;
                    drop(progress);
                    return disconnect_event(py);
                }
                RequestBody::BeingRead(_) => None,
                _ => Some(std::mem::replace(&mut progress.body, RequestBody::Taken)),
            }
        };
        let body = match body {
            Some(RequestBody::Unread(mut body)) => {
                match poll_chunk(&mut body, &mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(chunk) => RequestBody::after(body, chunk).map(Some),
                    Poll::Pending => {
                        self.clone().read(py, body);
                        Ok(None)
                    }
                }
            }
            other => Ok(other),
        };
        match body {
            Ok(Some(RequestBody::Arrived(bytes, rest))) => {
                let more = rest.is_some();
                if !bytes.is_empty() {
                    self.progress.borrow_mut(py).received += bytes.len() as u64;
                }
                self.set_body(py, rest.map_or(RequestBody::Taken, RequestBody::Unread));
                request_event(py, &bytes, more)
            }
            Ok(_) => Ok(Step::Wait(self.receivers.wait(self.server.python_loop(py))?)),
            Err(_) => {
                self.client_left(py);
                disconnect_event(py)
            }
        }
    }

    fn send(self: Arc<Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = message.py();
        let (dict, kind) = message::dict_and_type(message)?;
        match kind.to_str()? {
            "http.response.start" => self.start_response(dict),
            "http.response.body" => {
                self.send_body(py, message::body(dict)?.into(), message::more_body(dict)?)
            }
            "http.response.trailers" => self.send_trailers(dict),
            "http.response.early_hint" => self.send_hint(dict),
            "http.response.debug" if self.server.scopes.announces_debug() => self.send_debug(dict),
            "http.response.pathsend" => self.send_body(py, path_send(dict)?.into(), false),
            "http.response.zerocopysend" => {
                self.send_body(py, zero_copy_send(dict)?.into(), message::more_body(dict)?)
            }
            other => Err(PyValueError::new_err(format!(
                "an HTTP application sends 'http.response.start', 'http.response.body' and what \
                 scope['extensions'] names, not {other:?}"
            ))),
        }
    }

    fn congestion(self: Arc<Self>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        {
            let progress = self.progress.borrow(py);
            let Some(stream) = progress.stream.as_ref().filter(|_| !progress.client_gone) else {
                return Ok(None);
            };
            let exchange = self.clone();
            if stream.is_reader_gone() {
                // Nothing holds back a body that goes nowhere, so the others are given their turn.
                self.server.spawn(py, async move {
                    give_way().await;
                    Python::attach(|py| exchange.senders.wake(py));
                });
            } else if stream.buffered() > STREAM_AHEAD {
                stream.when_drained(move || Python::attach(|py| exchange.senders.wake(py)));
            } else {
                return Ok(None);
            }
        }
        self.senders.wait(self.server.python_loop(py)).map(Some)
    }
}

impl Replies for Exchange {
    fn reply(&self) -> &Reply {
        &self.reply
    }

    fn abandoned(&self, py: Python<'_>) {
        self.client_left(py);
    }
}

impl Ending for Exchange {
    fn ended(&self, py: Python<'_>, failure: Option<PyErr>) {
        // A reference however weak keeps the memory of it all, and its connection may be idle for long.
        if std::ptr::eq(self.ends.last.borrow(py).as_ptr(), self) {
            drop(self.ends.last.replace(py, Weak::new()));
        }
        let (complete, committed, client_gone, overdue, stream) = {
            let mut progress = self.progress.borrow_mut(py);
            let complete = progress.state.is_complete();
            let committed = progress.state.is_committed();
            progress.state.finish();
            (complete, committed, progress.client_gone, progress.overdue, progress.stream.take())
        };
        let status = match &failure {
            Some(error) if self.server.has_cancelled(py, error) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match failure {
            // Asked for, and told already.
            Some(error) if overdue && is_cancellation(py, &error) => {}
            Some(error) => self.server.application_failed(py, error, &self.line, client_gone),
            None if !complete && !client_gone => {
                let details = (self.line.name(), committed, self.line.id(py));
                self.server.tell(py, "application_stopped_short", details);
            }
            None => {}
        }
        self.set_body(py, RequestBody::Taken);
        // A stream dropped unfinished is an abort: the client must not take it for complete.
        drop(stream);
        if client_gone && !committed {
            // Nobody reads it, but hyper holds the connection until it has an answer.
            self.reply.give(py, plain(status));
        } else if !committed {
            self.answer_plainly(py, status);
        }
        self.finish(py, complete);
        self.receivers.wake(py);
        self.senders.wake(py);
    }

    fn request_id(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.line.id(py)
    }

    fn owes_an_answer(&self, py: Python<'_>) -> bool {
        let progress = self.progress.borrow(py);
        // Whoever waits for the client's body cannot answer; the connection has a limit for that.
        !progress.state.is_committed() && !matches!(progress.body, RequestBody::BeingRead(_))
    }

    fn overdue(&self, py: Python<'_>, limit: Duration) {
        let client_gone = {
            let mut progress = self.progress.borrow_mut(py);
            progress.overdue = true;
            std::mem::replace(&mut progress.client_gone, true)
        };
        self.server.tally.borrow_mut(py).overdue += 1;
        self.server.tell(py, "overdue", (self.line.name(), limit.as_secs_f64(), self.line.id(py)));
        if !client_gone {
            self.answer_plainly(py, StatusCode::GATEWAY_TIMEOUT);
        }
    }
}

fn request_event(py: Python<'_>, bytes: &[u8], more: bool) -> PyResult<Step> {
    let event = PyDict::new(py);
    event.set_item(intern!(py, "type"), intern!(py, "http.request"))?;
    event.set_item(intern!(py, "body"), PyBytes::new(py, bytes))?;
    event.set_item(intern!(py, "more_body"), more)?;
    Ok(Step::Done(event.into_any().unbind()))
}

fn disconnect_event(py: Python<'_>) -> PyResult<Step> {
    let event = PyDict::new(py);
    event.set_item(intern!(py, "type"), intern!(py, "http.disconnect"))?;
    Ok(Step::Done(event.into_any().unbind()))
}

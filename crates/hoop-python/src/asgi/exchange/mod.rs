//! One HTTP request and its response.
//!
//! - here: its life, and what an application receives.
//! - `sending`: what an application sends; `ending`: how its part ends.
//! - `following`: a stream as one of many that are sent the same.
//! - `routed`: a request whose handler is called without ASGI; `arrival`: what Python sees of it.

mod arrival;
mod ending;
mod following;
mod routed;
mod sending;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hoop_asgi::ResponseState;
use hoop_net::{BodyError, BodySender, IncomingBody, ResponseBody, give_way};
use http::header::HeaderMap;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::audience::{Follower, Memberships};
use super::conversation::Conversation;
use super::file_message::{path_send, zero_copy_send};
use super::message::HttpMessage;
use super::reply::{Answer, Replies, Reply, client_closed, plain};
use super::request_body::{Reading, RequestBody, poll_chunk};
use super::request_line::{Outcome, RequestLine};
use super::scope::Ends;
use super::server_state::ServerState;
use crate::event_loop::promise::Waiters;
use crate::event_loop::stepwise::Step;
use crate::gil_cell::GilCell;
pub use arrival::Arrival;
use routed::{Approach, Original, Routed};

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
    /// We have cancelled its task: it took too long, or nobody waits for it any more.
    cancelled: bool,
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
    /// The request as it came, where its scope may be asked for later.
    original: GilCell<Option<Box<Original>>>,
    /// Its route, until that has returned.
    routed: GilCell<Option<Box<Routed>>>,
    reply: Reply,
    /// Calls of `receive()` that wait for the next event.
    receivers: Waiters,
    /// Calls of `send()` that wait for the client to catch up.
    senders: Waiters,
    /// The channels whose events it streams.
    memberships: Memberships,
}

/// Enters the application with a request; what its connection awaits is its answer.
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
        let approach = Approach::of(py, server, ends, &parts, &caller, id.as_deref());
        server.tally.borrow_mut(py).begin();
        let (line, original) = match &approach {
            Approach::Route(_) => {
                let (method, uri) = (parts.method.clone(), parts.uri.clone());
                let line = RequestLine::new(py, server, &caller, id, &mut parts);
                (parts.method, parts.uri) = (method, uri);
                (line, Some(Box::new(Original { parts, caller })))
            }
            _ => (RequestLine::new(py, server, &caller, id, &mut parts), None),
        };
        let exchange = Arc::new(Exchange {
            server: server.clone(),
            line,
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
                cancelled: false,
                status: None,
                received: 0,
                sent: 0,
                finished: false,
            }),
            original: GilCell::new(original),
            routed: GilCell::default(),
            reply: Reply::default(),
            receivers: Waiters::default(),
            senders: Waiters::default(),
            memberships: Memberships::default(),
        });
        if ends.interim.borrow(py).is_some() {
            drop(ends.last.replace(py, Arc::downgrade(&exchange)));
        }
        match approach {
            Approach::Asgi(scope) => server.start(py, scope, exchange.clone()),
            Approach::Route(matched) => exchange.follow(py, matched),
            Approach::Refused(refusal) => exchange.refuse(py, refusal),
        }
        Answer(exchange)
    })
}

impl Exchange {
    fn answer(&self, py: Python<'_>, mut response: Response<ResponseBody>) {
        if let Some(interim) = &*self.ends.interim.borrow(py) {
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
        self.memberships.end(py);
        self.receivers.wake(py);
        self.senders.wake(py);
        self.cancel(py);
    }

    /// An application that waits for its client to leave is told that it has.
    pub fn half_closed(&self, py: Python<'_>) {
        self.progress.borrow_mut(py).half_closed = true;
        self.receivers.wake(py);
        self.cancel(py);
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

    /// The response is complete: nobody reads the request any more.
    fn complete(&self, py: Python<'_>) {
        self.set_body(py, RequestBody::Taken);
        self.receivers.wake(py);
        self.finish(py, true);
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
        let message = HttpMessage::read(message)?;
        let dict = message.dict;
        match message.kind.to_str()? {
            "http.response.start" => self.start_response(&message),
            "http.response.body" => self.send_body(py, message.body()?.into(), message.more_body()?),
            "http.response.trailers" => self.send_trailers(dict),
            "http.response.early_hint" => self.send_hint(dict),
            "http.response.debug" if self.server.scopes.announces_debug() => self.send_debug(dict),
            "http.response.pathsend" => self.send_body(py, path_send(dict)?.into(), false),
            "http.response.zerocopysend" => {
                self.send_body(py, zero_copy_send(dict)?.into(), message.more_body()?)
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

    fn follower(self: Arc<Self>) -> Arc<dyn Follower> {
        self
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

//! One HTTP request and its response: the `receive` and `send` that an application is given.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hoop_net::{BodySender, Incoming, ResponseBody};
use http::header::HeaderMap;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::completed::Completed;
use super::message;
use super::response_state::{BodyStep, ResponseState};
use super::scope::Ends;
use super::server_state::{Ending, ServerState};
use crate::errors::client_disconnected;
use crate::event_loop::promise::Promise;
use crate::gil_cell::GilCell;

/// A streamed body may run ahead of the connection by so many bytes before `send()` waits.
const STREAM_AHEAD: usize = 64 * 1024;

/// The request's body, as far as it was read.
enum RequestBody {
    Unread(Incoming),
    /// A task waits for the next chunk.
    BeingRead,
    /// A chunk that arrived after its `receive()` was cancelled: it belongs to the next one.
    Arrived(Option<Incoming>, Bytes),
    Read,
}

struct Progress {
    body: RequestBody,
    /// Who waits for the body's next chunk.
    reader: Option<Promise>,
    /// Who waits to hear that the client is gone.
    leavers: Vec<Promise>,
    state: ResponseState,
    head: Option<(StatusCode, HeaderMap)>,
    stream: Option<BodySender>,
    /// The response on its way to hyper, and hyper's waker.
    answer: Option<Response<ResponseBody>>,
    waker: Option<Waker>,
    answered: bool,
    client_gone: bool,
}

/// What the access log says of a request.
struct Line {
    client: Py<PyAny>,
    method: String,
    target: String,
    version: Version,
}

/// A request being answered.
pub struct Exchange {
    server: Arc<ServerState>,
    progress: GilCell<Progress>,
    line: Option<Line>,
    target: String,
}

/// Enters the application with a request; what hyper awaits is its answer.
pub fn begin(server: &Arc<ServerState>, ends: &Ends, request: Request<Incoming>) -> Answer {
    Python::attach(|py| {
        let (parts, body) = request.into_parts();
        let scope = server.scopes.http(py, &parts, ends);
        let exchange = Arc::new(Exchange::new(py, server, ends, &parts, body));
        let answer = Answer(exchange.clone());
        let entered = scope.and_then(|scope| {
            let receive = Py::new(py, HttpReceive(exchange.clone()))?.into_any();
            let send = Py::new(py, HttpSend(exchange.clone()))?.into_any();
            server.start(py, scope, receive, send, exchange.clone());
            Ok(())
        });
        if let Err(error) = entered {
            exchange.ended(py, Some(error));
        }
        answer
    })
}

impl Exchange {
    fn new(py: Python<'_>, server: &Arc<ServerState>, ends: &Ends, parts: &Parts, body: Incoming) -> Self {
        let target = || parts.uri.path_and_query().map_or("*", |target| target.as_str()).to_owned();
        let line = server.access_log.then(|| Line {
            client: ends.client.clone_ref(py),
            method: parts.method.to_string(),
            target: target(),
            version: parts.version,
        });
        Self {
            server: server.clone(),
            progress: GilCell::new(Progress {
                body: if body.is_end_stream() { RequestBody::Read } else { RequestBody::Unread(body) },
                reader: None,
                leavers: Vec::new(),
                state: ResponseState::new(parts.method == Method::HEAD),
                head: None,
                stream: None,
                answer: None,
                waker: None,
                answered: false,
                client_gone: false,
            }),
            line,
            target: format!("{} {}", parts.method, target()),
        }
    }

    /// Hands a response to hyper.
    fn answer(&self, py: Python<'_>, response: Response<ResponseBody>) {
        let status = response.status();
        let waker = {
            let mut progress = self.progress.borrow_mut(py);
            progress.answer = Some(response);
            progress.answered = true;
            progress.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.log_access(py, status);
    }

    fn log_access(&self, py: Python<'_>, status: StatusCode) {
        if let Some(line) = &self.line {
            let version = if line.version == Version::HTTP_10 { "1.0" } else { "1.1" };
            let details = (line.client.clone_ref(py), &line.method, &line.target, version, status.as_u16());
            self.server.tell(py, "access", details);
        }
    }

    /// The client has gone or the response is complete: nobody need wait for either any more.
    fn release_waiters(&self, py: Python<'_>) {
        let (leavers, reader) = {
            let mut progress = self.progress.borrow_mut(py);
            let reader = if progress.client_gone { progress.reader.take() } else { None };
            (std::mem::take(&mut progress.leavers), reader)
        };
        for promise in leavers.into_iter().chain(reader) {
            let told = disconnect_message(py).and_then(|message| promise.settle(py, message));
            if let Err(error) = told {
                error.write_unraisable(py, None);
            }
        }
    }

    fn client_left(&self, py: Python<'_>) {
        self.progress.borrow_mut(py).client_gone = true;
        self.release_waiters(py);
    }

    /// `receive()`: the next of the body, then word that the client has gone.
    fn receive(self: &Arc<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let body = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.client_gone {
                drop(progress);
                return Completed::with(py, disconnect_message(py)?);
            }
            match &progress.body {
                RequestBody::BeingRead => {
                    drop(progress);
                    return self.wait_for_reader(py);
                }
                _ => std::mem::replace(&mut progress.body, RequestBody::Read),
            }
        };
        match body {
            RequestBody::Unread(body) => self.read(py, body),
            RequestBody::Arrived(rest, chunk) => {
                let message = self.chunk_read(py, rest, chunk)?;
                Completed::with(py, message)
            }
            RequestBody::BeingRead | RequestBody::Read => self.after_the_body(py),
        }
    }

    fn new_promise(&self, py: Python<'_>) -> PyResult<Promise> {
        Promise::new(self.server.python_loop.bind(py))
    }

    /// A cancelled `receive()` left its task reading: the next call takes over what it reads.
    fn wait_for_reader(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let reader = self.progress.borrow_mut(py).reader.take();
        if let Some(reader) = reader
            && reader.is_awaited(py)
        {
            self.progress.borrow_mut(py).reader = Some(reader);
            return Err(PyRuntimeError::new_err("receive() is called while another receive() waits"));
        }
        let promise = self.new_promise(py)?;
        let awaitable = promise.awaitable(py);
        self.progress.borrow_mut(py).reader = Some(promise);
        Ok(awaitable)
    }

    fn read(self: &Arc<Self>, py: Python<'_>, mut body: Incoming) -> PyResult<Py<PyAny>> {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(chunk) = poll_chunk(&mut body, &mut cx) {
            let message = self.chunk_arrived(py, body, chunk)?;
            return Completed::with(py, message);
        }
        let promise = self.new_promise(py)?;
        let awaitable = promise.awaitable(py);
        {
            let mut progress = self.progress.borrow_mut(py);
            progress.body = RequestBody::BeingRead;
            progress.reader = Some(promise);
        }
        let exchange = self.clone();
        self.server.python_loop.get().state.spawn(py, async move {
            let chunk = poll_fn(|cx| poll_chunk(&mut body, cx)).await;
            Python::attach(|py| exchange.deliver(py, body, chunk));
        });
        Ok(awaitable)
    }

    /// The spawned read has come to an end: to its promise, or to the next `receive()`.
    fn deliver(&self, py: Python<'_>, body: Incoming, chunk: Option<Result<Bytes, hoop_net::BodyError>>) {
        let reader = self.progress.borrow_mut(py).reader.take();
        if let Some(promise) = reader.filter(|reader| reader.is_awaited(py)) {
            let told = self.chunk_arrived(py, body, chunk).and_then(|message| promise.settle(py, message));
            if let Err(error) = told {
                error.write_unraisable(py, None);
            }
            return;
        }
        let lost = matches!(chunk, Some(Err(_)));
        let mut progress = self.progress.borrow_mut(py);
        progress.client_gone |= lost;
        progress.body = match chunk {
            Some(Ok(bytes)) => RequestBody::Arrived((!body.is_end_stream()).then_some(body), bytes),
            Some(Err(_)) => RequestBody::Read,
            None => RequestBody::Arrived(None, Bytes::new()),
        };
    }

    fn chunk_arrived(
        &self,
        py: Python<'_>,
        body: Incoming,
        chunk: Option<Result<Bytes, hoop_net::BodyError>>,
    ) -> PyResult<Py<PyAny>> {
        match chunk {
            Some(Ok(bytes)) => self.chunk_read(py, (!body.is_end_stream()).then_some(body), bytes),
            None => self.chunk_read(py, None, Bytes::new()),
            Some(Err(_)) => {
                self.client_left(py);
                disconnect_message(py)
            }
        }
    }

    fn chunk_read(&self, py: Python<'_>, rest: Option<Incoming>, bytes: Bytes) -> PyResult<Py<PyAny>> {
        let more = rest.is_some();
        self.progress.borrow_mut(py).body = rest.map_or(RequestBody::Read, RequestBody::Unread);
        request_message(py, &bytes, more)
    }

    /// `receive()` once the body is read: waits until the client has gone or the response is complete.
    fn after_the_body(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if self.progress.borrow(py).state.is_complete() {
            return Completed::with(py, disconnect_message(py)?);
        }
        let promise = self.new_promise(py)?;
        let awaitable = promise.awaitable(py);
        self.progress.borrow_mut(py).leavers.push(promise);
        Ok(awaitable)
    }

    /// `send()`.
    fn send(self: &Arc<Self>, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = message.py();
        let (dict, kind) = message::dict_and_type(message)?;
        match kind.to_str()? {
            "http.response.start" => {
                let status = message::status(dict)?;
                let headers = message::headers(dict)?;
                let declared = message::declared_length(&headers)?;
                let mut progress = self.progress.borrow_mut(py);
                progress.state.start(status.as_u16(), declared).map_err(runtime_error)?;
                progress.head = Some((status, headers));
                drop(progress);
                Completed::none(py)
            }
            "http.response.body" => {
                let bytes = message::body(dict, intern!(py, "body"))?;
                let more = message::flag(dict, intern!(py, "more_body"))?;
                self.send_body(py, bytes, more)
            }
            other => Err(PyValueError::new_err(format!(
                "an HTTP application sends 'http.response.start' and 'http.response.body', not {other:?}"
            ))),
        }
    }

    fn send_body(self: &Arc<Self>, py: Python<'_>, bytes: Bytes, more: bool) -> PyResult<Py<PyAny>> {
        let step = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.client_gone && !progress.state.is_complete() {
                drop(progress);
                return Err(client_disconnected(py, &self.target));
            }
            progress.state.body(bytes.len() as u64, more).map_err(runtime_error)?
        };
        match step {
            BodyStep::Whole => {
                let response = self.with_head(py, ResponseBody::Whole(bytes));
                self.answer(py, response);
                self.release_waiters(py);
                Completed::none(py)
            }
            BodyStep::Begin => {
                let length = self.progress.borrow(py).state.declared_length();
                let (sender, body) = ResponseBody::stream(length);
                let exchange = self.clone();
                sender.when_gone(move || Python::attach(|py| exchange.stream_gone(py)));
                sender.push(bytes);
                self.progress.borrow_mut(py).stream = Some(sender);
                let response = self.with_head(py, body);
                self.answer(py, response);
                self.wait_if_ahead(py)
            }
            BodyStep::Continue => {
                if let Some(stream) = &self.progress.borrow(py).stream {
                    stream.push(bytes);
                }
                self.wait_if_ahead(py)
            }
            BodyStep::End => {
                let stream = self.progress.borrow_mut(py).stream.take();
                if let Some(stream) = stream {
                    stream.push(bytes);
                    stream.finish();
                }
                self.release_waiters(py);
                Completed::none(py)
            }
        }
    }

    fn with_head(&self, py: Python<'_>, body: ResponseBody) -> Response<ResponseBody> {
        let (status, headers) = self.progress.borrow_mut(py).head.take().unwrap_or_default();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// Backpressure: an application that is far ahead of its client waits until it is not.
    fn wait_if_ahead(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let ahead =
            self.progress.borrow(py).stream.as_ref().is_some_and(|stream| stream.buffered() > STREAM_AHEAD);
        if !ahead {
            return Completed::none(py);
        }
        let promise = self.new_promise(py)?;
        let awaitable = promise.awaitable(py);
        if let Some(stream) = &self.progress.borrow(py).stream {
            stream.when_drained(move || {
                Python::attach(|py| {
                    if let Err(error) = promise.settle(py, py.None()) {
                        error.write_unraisable(py, None);
                    }
                });
            });
        }
        Ok(awaitable)
    }

    /// hyper let go of the streamed body: either all of it went out, or the client has gone.
    fn stream_gone(&self, py: Python<'_>) {
        if !self.progress.borrow(py).state.is_complete() {
            self.client_left(py);
        }
    }

    /// hyper dropped the request before it was answered: the client has gone.
    fn abandoned(&self, py: Python<'_>) {
        if !self.progress.borrow(py).answered {
            self.client_left(py);
        }
    }

    fn answer_failure(&self, py: Python<'_>) {
        let mut response = Response::new(ResponseBody::from("Internal Server Error"));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
        self.answer(py, response);
    }
}

impl Ending for Exchange {
    fn ended(&self, py: Python<'_>, failure: Option<PyErr>) {
        let (complete, committed, client_gone, stream) = {
            let mut progress = self.progress.borrow_mut(py);
            let before = (
                progress.state.is_complete(),
                progress.state.is_committed(),
                progress.client_gone,
                progress.stream.take(),
            );
            progress.state.finish();
            (before.0, before.1, before.2, before.3)
        };
        match failure {
            Some(error) => {
                self.server.tell(py, "application_failed", (error.into_value(py), &self.target, client_gone));
            }
            None if !complete && !client_gone => {
                self.server.tell(py, "application_stopped_short", (&self.target, committed));
            }
            None => {}
        }
        // A stream dropped unfinished is an abort: the client must not take it for complete.
        drop(stream);
        if !committed && !client_gone {
            self.answer_failure(py);
        }
        self.release_waiters(py);
    }
}

fn poll_chunk(
    body: &mut Incoming,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, hoop_net::BodyError>>> {
    loop {
        let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else { return Poll::Pending };
        match frame {
            // Trailers have no place in ASGI.
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Poll::Ready(Some(Ok(bytes)));
                }
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        }
    }
}

fn runtime_error(fault: super::response_state::Fault) -> PyErr {
    PyRuntimeError::new_err(fault.to_string())
}

fn request_message(py: Python<'_>, bytes: &[u8], more: bool) -> PyResult<Py<PyAny>> {
    let message = PyDict::new(py);
    message.set_item(intern!(py, "type"), intern!(py, "http.request"))?;
    message.set_item(intern!(py, "body"), PyBytes::new(py, bytes))?;
    message.set_item(intern!(py, "more_body"), more)?;
    Ok(message.into_any().unbind())
}

fn disconnect_message(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let message = PyDict::new(py);
    message.set_item(intern!(py, "type"), intern!(py, "http.disconnect"))?;
    Ok(message.into_any().unbind())
}

/// The response as hyper awaits it. Dropped unanswered, it tells the application.
pub struct Answer(Arc<Exchange>);

impl Future for Answer {
    type Output = Response<ResponseBody>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Python::attach(|py| {
            let mut progress = self.0.progress.borrow_mut(py);
            match progress.answer.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    progress.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        Python::attach(|py| self.0.abandoned(py));
    }
}

/// The application's `receive`.
#[pyclass(frozen, module = "hoopsnake._native")]
struct HttpReceive(Arc<Exchange>);

#[pymethods]
impl HttpReceive {
    fn __call__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.receive(py)
    }
}

/// The application's `send`.
#[pyclass(frozen, module = "hoopsnake._native")]
struct HttpSend(Arc<Exchange>);

#[pymethods]
impl HttpSend {
    fn __call__(&self, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.0.send(message)
    }
}

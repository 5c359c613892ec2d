//! A request whose route the engine knows: its handler is called without ASGI in between.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use hoop_net::{BodyError, IncomingBody};
use http::StatusCode;
use http::request::Parts;
use http_body::Body;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::super::caller::Caller;
use super::super::reply::plain;
use super::super::request_body::{Reading, RequestBody, poll_chunk};
use super::super::request_id::RequestId;
use super::super::scope::Ends;
use super::super::server_state::{Ending, ServerState};
use super::Exchange;
use super::arrival::Arrival;
use crate::event_loop::calls;
use crate::web::{FormReader, Found, Made, Matched, Refusal, made_of_response};

/// How a request comes to the application.
pub enum Approach<'py> {
    /// With a scope.
    Asgi(PyResult<Bound<'py, PyDict>>),
    /// Straight to a handler.
    Route(Matched),
    /// Not at all: the engine answers.
    Refused(Refusal),
}

/// The request as it came.
pub struct Original {
    pub parts: Parts,
    pub caller: Caller,
}

/// A route at work.
pub struct Routed {
    matched: Matched,
    body: Option<Py<PyBytes>>,
    stage: Stage,
    /// If it did not return at once.
    pub task: Option<Py<PyAny>>,
}

/// Who is at work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The handler itself: what it returns is to be made a response, what it raises too.
    Handler,
    /// `hoopsnake.web`, which returns a response or has sent it, and raises what nobody answers.
    Framework,
}

impl<'py> Approach<'py> {
    pub fn of(
        py: Python<'py>,
        server: &ServerState,
        ends: &Ends,
        parts: &Parts,
        caller: &Caller,
        id: Option<&RequestId>,
    ) -> Self {
        // A prefix that a proxy took off, or the server itself, is for Python to tell from the path.
        let is_whole = caller.changed.as_ref().is_none_or(|changed| changed.prefix.is_empty());
        let door = server.door.as_ref().filter(|_| is_whole && server.scopes.has_no_root());
        match door.and_then(|door| door.get().find(py, parts)) {
            Some(Found::Route(matched)) => Self::Route(matched),
            Some(Found::Refused(refusal)) => Self::Refused(refusal),
            None => Self::Asgi(server.scopes.http(py, parts, ends, caller, id)),
        }
    }
}

impl Exchange {
    /// Answers in the framework's stead.
    pub(super) fn refuse(self: &Arc<Self>, py: Python<'_>, refusal: Refusal) {
        let sent = self.respond(py, refusal.status, refusal.headers, refusal.body.into());
        self.ended(py, sent.err());
    }

    /// Goes to the request's route, once its body is there if that is needed.
    pub(super) fn follow(self: &Arc<Self>, py: Python<'_>, matched: Matched) {
        let needs_body = matched.opened.way(matched.number).is_some_and(|way| way.needs_body);
        let routed = Box::new(Routed { matched, body: None, stage: Stage::Handler, task: None });
        drop(self.routed.replace(py, Some(routed)));
        if !needs_body {
            return self.enter(py);
        }
        let body = std::mem::replace(&mut self.progress.borrow_mut(py).body, RequestBody::Taken);
        let mut whole = match body {
            RequestBody::Unread(body) => WholeBody { body, first: Bytes::new(), all: BytesMut::new() },
            _ => return self.gathered(py, Ok(Bytes::new())),
        };
        if let Poll::Ready(body) = Pin::new(&mut whole).poll(&mut Context::from_waker(Waker::noop())) {
            return self.gathered(py, body);
        }
        let exchange = self.clone();
        let task = self.server.spawn(py, async move {
            let body = whole.await;
            Python::attach(|py| exchange.gathered(py, body));
        });
        self.set_body(py, RequestBody::BeingRead(task.map(Reading)));
    }

    fn gathered(self: &Arc<Self>, py: Python<'_>, body: Result<Bytes, BodyError>) {
        self.set_body(py, RequestBody::Taken);
        match body {
            Ok(bytes) => {
                self.progress.borrow_mut(py).received += bytes.len() as u64;
                let bytes = PyBytes::new(py, &bytes).unbind();
                if let Some(routed) = self.routed.borrow_mut(py).as_mut() {
                    routed.body = Some(bytes);
                }
                self.enter(py);
            }
            Err(_) => {
                // The client left, or was told already what is wrong. The connection is held until it has an
                // answer, which nobody reads.
                drop(self.routed.take(py));
                self.client_left(py);
                self.progress.borrow_mut(py).state.finish();
                self.reply.give(py, plain(StatusCode::BAD_REQUEST));
                self.finish(py, false);
            }
        }
    }

    /// Brings a form what of the body is there, as long as nobody has to be waited for; whether that was all.
    /// The rest, and what has gone wrong, is for `receive()`.
    pub(super) fn read_form(&self, py: Python<'_>, form: &FormReader) -> PyResult<bool> {
        let body = {
            let mut progress = self.progress.borrow_mut(py);
            match progress.body {
                RequestBody::Unread(_) if !progress.client_gone => {
                    std::mem::replace(&mut progress.body, RequestBody::Taken)
                }
                _ => return Ok(false),
            }
        };
        let RequestBody::Unread(mut body) = body else { return Ok(false) };
        loop {
            let chunk = match poll_chunk(&mut body, &mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(Ok(chunk))) => chunk,
                Poll::Ready(None) => return Ok(true),
                Poll::Ready(Some(Err(_))) => {
                    self.client_left(py);
                    return Ok(false);
                }
                Poll::Pending => {
                    self.set_body(py, RequestBody::Unread(body));
                    return Ok(false);
                }
            };
            self.progress.borrow_mut(py).received += chunk.len() as u64;
            let read = form.read(py, &chunk);
            if body.is_end_stream() {
                return read.map(|_| true);
            }
            if !matches!(read, Ok(false)) {
                self.set_body(py, RequestBody::Unread(body));
                return read.map(|_| false);
            }
        }
    }

    fn enter(self: &Arc<Self>, py: Python<'_>) {
        self.server.run(py, || self.call(py), self.clone());
    }

    /// Calls the handler, or the framework where there is more to do.
    fn call(self: &Arc<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        // Taken out while Python runs: nothing may be borrowed then.
        let Some(mut routed) = self.routed.take(py) else { return Ok(py.None()) };
        let matched = &routed.matched;
        let way = matched.opened.way(matched.number).filter(|_| matched.errors.is_none());
        let called = way.and_then(|way| way.call(py, &matched.arguments, routed.body.as_ref()));
        let called = called.unwrap_or_else(|| {
            routed.stage = Stage::Framework;
            let arrival = self.arrival(py, &routed)?;
            let number = routed.matched.number.into_pyobject(py)?.into_any().unbind();
            calls::call(py, routed.matched.opened.answer(), &[&number, arrival.as_any()])
        });
        drop(self.routed.replace(py, Some(routed)));
        called
    }

    fn arrival(self: &Arc<Self>, py: Python<'_>, routed: &Routed) -> PyResult<Py<Arrival>> {
        let matched = &routed.matched;
        Py::new(
            py,
            Arrival {
                exchange: self.clone(),
                arguments: PyList::new(py, &matched.arguments)?.unbind(),
                errors: matched.errors.as_ref().map(|errors| errors.clone_ref(py)),
                body: routed.body.as_ref().map(|body| body.clone_ref(py)),
            },
        )
    }

    /// What the handler or the framework has returned or raised.
    pub(super) fn returned_by_route(
        self: Arc<Self>,
        py: Python<'_>,
        routed: Box<Routed>,
        outcome: PyResult<Py<PyAny>>,
    ) {
        let (gone, committed) = {
            let progress = self.progress.borrow(py);
            (progress.client_gone, progress.state.is_committed())
        };
        if gone || committed {
            return self.ended(py, outcome.err());
        }
        let matched = &routed.matched;
        let made = outcome.and_then(|value| {
            let value = value.bind(py);
            let made = match (routed.stage, matched.opened.way(matched.number)) {
                (Stage::Handler, Some(way)) => way.made(&matched.opened, value)?,
                _ => made_of_response(&matched.opened, value)?,
            };
            self.send_made(py, made)?.then(|| Ok(value.clone().unbind())).transpose()
        });
        match (made, routed.stage) {
            (Ok(None), _) => self.ended(py, None),
            // A response that has to be sent piece by piece.
            (Ok(Some(response)), Stage::Handler) => self.go_on(py, routed, |opened, arrival| {
                calls::call(py, opened.finish(), &[arrival.as_any(), &response])
            }),
            (Ok(Some(_)), Stage::Framework) => self.ended(py, None),
            (Err(error), Stage::Handler) if error.is_instance_of::<PyException>(py) => {
                self.recover(py, routed, error);
            }
            (Err(error), _) => self.ended(py, Some(error)),
        }
    }

    /// Sends what is there at once; whether there is something else to be sent.
    fn send_made(self: &Arc<Self>, py: Python<'_>, made: Made) -> PyResult<bool> {
        match made {
            Made::Whole(status, headers, body) => self.respond(py, status, headers, body).map(|()| false),
            Made::Other => Ok(true),
        }
    }

    /// Answers for a handler that has raised: at once where that is simple, else as Python says.
    fn recover(self: &Arc<Self>, py: Python<'_>, routed: Box<Routed>, error: PyErr) {
        let opened = routed.matched.opened.clone();
        let value = error.clone_ref(py).into_value(py).into_any();
        let simple = calls::call(py, opened.response_to(), &[&value]).and_then(|response| {
            let response = response.bind(py);
            if response.is_none() {
                return Ok(false);
            }
            let made = made_of_response(&opened, response)?;
            self.send_made(py, made).map(|is_other| !is_other)
        });
        if matches!(simple, Ok(true)) {
            return self.ended(py, None);
        }
        let number = routed.matched.number;
        self.go_on(py, routed, |opened, arrival| {
            let number = number.into_pyobject(py)?.into_any().unbind();
            calls::call(py, opened.recover(), &[&number, arrival.as_any(), &value])
        });
    }

    /// Lets the framework go on where the handler has ended.
    fn go_on(
        self: &Arc<Self>,
        py: Python<'_>,
        mut routed: Box<Routed>,
        call: impl FnOnce(&crate::web::Opened, &Py<Arrival>) -> PyResult<Py<PyAny>>,
    ) {
        routed.stage = Stage::Framework;
        routed.task = None;
        let opened = routed.matched.opened.clone();
        let arrival = self.arrival(py, &routed);
        drop(self.routed.replace(py, Some(routed)));
        self.server.run(py, || call(&opened, &arrival?), self.clone());
    }

    /// Cancels a handler whose answer nobody waits for, if its route wants that.
    pub(super) fn cancel(&self, py: Python<'_>) {
        if self.progress.borrow(py).state.is_committed() {
            return;
        }
        let task = {
            let mut routed = self.routed.borrow_mut(py);
            let Some(routed) = routed.as_mut().filter(|routed| routed.is_cancelled_alone()) else { return };
            routed.task.take()
        };
        if let Some(task) = task {
            {
                let mut progress = self.progress.borrow_mut(py);
                (progress.client_gone, progress.cancelled) = (true, true);
            }
            if let Err(error) = task.call_method1(py, intern!(py, "cancel"), ("the client has left",)) {
                error.write_unraisable(py, Some(task.bind(py)));
            }
        }
    }
}

impl Routed {
    fn is_cancelled_alone(&self) -> bool {
        self.task.is_some() && self.matched.opened.way(self.matched.number).is_some_and(|way| way.cancels)
    }
}

/// All of a request's body.
struct WholeBody {
    body: IncomingBody,
    /// Of most bodies this is all there is.
    first: Bytes,
    all: BytesMut,
}

impl Future for WholeBody {
    type Output = Result<Bytes, BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let Poll::Ready(chunk) = poll_chunk(&mut this.body, cx) else { return Poll::Pending };
            match chunk {
                None if this.all.is_empty() => return Poll::Ready(Ok(std::mem::take(&mut this.first))),
                None => return Poll::Ready(Ok(std::mem::take(&mut this.all).freeze())),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                Some(Ok(bytes)) if this.first.is_empty() => this.first = bytes,
                Some(Ok(bytes)) => {
                    if this.all.is_empty() {
                        this.all.extend_from_slice(&this.first);
                    }
                    this.all.extend_from_slice(&bytes);
                }
            }
        }
    }
}

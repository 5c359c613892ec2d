//! `receive` and `send` as an application sees them, for every protocol alike.

use std::sync::Arc;

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::audience::Follower;
use super::direct_calls::{DirectCall, Place, always_done, callable};
use crate::event_loop::stepwise::{Step, Waiting, thrown};

/// The server's side of what one application call is about: a request, a WebSocket session.
pub trait Conversation: Send + Sync + 'static {
    /// Takes the next event for the application, if there is one.
    fn receive(self: Arc<Self>, py: Python<'_>) -> PyResult<Step>;

    /// Takes a message of the application's.
    fn send(self: Arc<Self>, message: &Bound<'_, PyAny>) -> PyResult<()>;

    /// The future to wait for before the application sends more, if it is far ahead of the peer.
    fn congestion(self: Arc<Self>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>>;

    /// As one of many that are sent the same.
    fn follower(self: Arc<Self>) -> Arc<dyn Follower>;
}

/// Whom this `send` of ours sends to; None if it is somebody else's.
pub fn follower_of(send: &Bound<'_, PyAny>) -> Option<Arc<dyn Follower>> {
    send.cast::<SendFunction>().ok().map(|send| send.get().conversation.clone().follower())
}

/// The application's `receive`.
#[pyclass(frozen, freelist = 64, module = "hoopsnake._native")]
pub struct ReceiveFunction {
    place: Place,
    conversation: Arc<dyn Conversation>,
}

impl ReceiveFunction {
    pub fn create(py: Python<'_>, conversation: Arc<dyn Conversation>) -> PyResult<Py<Self>> {
        static READY: PyOnceLock<()> = PyOnceLock::new();
        callable(py, &READY, Self { place: Place::of::<Self>(), conversation })
    }
}

#[pymethods]
impl ReceiveFunction {
    fn __call__(&self, py: Python<'_>) -> PyResult<Py<Operation>> {
        Operation::create(py, &self.conversation, Kind::Receive)
    }
}

impl DirectCall for ReceiveFunction {
    fn place(&self) -> &Place {
        &self.place
    }

    #[inline]
    fn call(&self, py: Python<'_>, arguments: &[Bound<'_, PyAny>]) -> Option<PyResult<Py<PyAny>>> {
        arguments.is_empty().then(|| self.__call__(py).map(Py::into_any))
    }
}

/// The application's `send`.
#[pyclass(frozen, freelist = 64, module = "hoopsnake._native")]
pub struct SendFunction {
    place: Place,
    conversation: Arc<dyn Conversation>,
}

impl SendFunction {
    pub fn create(py: Python<'_>, conversation: Arc<dyn Conversation>) -> PyResult<Py<Self>> {
        static READY: PyOnceLock<()> = PyOnceLock::new();
        callable(py, &READY, Self { place: Place::of::<Self>(), conversation })
    }
}

#[pymethods]
impl SendFunction {
    fn __call__(&self, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = message.py();
        self.conversation.clone().send(message)?;
        if let Some(future) = self.conversation.clone().congestion(py)? {
            let operation = Operation::create(py, &self.conversation, Kind::Send)?;
            operation.get().waiting.wait_for(py, &future)?;
            return Ok(operation.into_any());
        }
        Sent::shared(py)
    }
}

impl DirectCall for SendFunction {
    fn place(&self) -> &Place {
        &self.place
    }

    #[inline]
    fn call(&self, _py: Python<'_>, arguments: &[Bound<'_, PyAny>]) -> Option<PyResult<Py<PyAny>>> {
        match arguments {
            [message] => Some(self.__call__(message)),
            _ => None,
        }
    }
}

enum Kind {
    Receive,
    Send,
}

/// The awaitable of a `receive()`, or of a `send()` that has to wait.
///
/// It takes an event only in the moment that it hands it over: whoever gives up waiting leaves the
/// event to the next `receive()`.
#[pyclass(frozen, freelist = 64, module = "hoopsnake._native")]
pub struct Operation {
    conversation: Arc<dyn Conversation>,
    kind: Kind,
    waiting: Waiting,
}

impl Operation {
    fn create(py: Python<'_>, conversation: &Arc<dyn Conversation>, kind: Kind) -> PyResult<Py<Self>> {
        Py::new(py, Self { conversation: conversation.clone(), kind, waiting: Waiting::default() })
    }

    fn step(&self, py: Python<'_>) -> PyResult<Step> {
        match self.kind {
            Kind::Receive => self.conversation.clone().receive(py),
            // It has waited once, which is all that the peer's pace asks of it.
            Kind::Send => Ok(Step::Done(py.None())),
        }
    }
}

#[pymethods]
impl Operation {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.waiting.advance(py, || self.step(py))
    }

    /// With `throw` and `close`, what makes this a coroutine to `asyncio.create_task`.
    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__next__(py)
    }

    #[pyo3(signature = (kind, value=None, _traceback=None))]
    fn throw(
        &self,
        py: Python<'_>,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.close(py);
        Err(thrown(kind, value))
    }

    fn close(&self, py: Python<'_>) {
        self.waiting.give_up(py);
    }
}

/// The awaitable of a `send()` that nobody has to wait for. One object serves everybody.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Sent;

impl Sent {
    pub fn shared(py: Python<'_>) -> PyResult<Py<PyAny>> {
        static SENT: PyOnceLock<Py<Sent>> = PyOnceLock::new();
        let sent = SENT.get_or_try_init(py, || {
            let sent = Bound::new(py, Self)?;
            always_done(sent.as_any());
            PyResult::Ok(sent.unbind())
        })?;
        Ok(sent.clone_ref(py).into_any())
    }
}

#[pymethods]
impl Sent {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    fn send(&self, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Err(PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (kind, value=None, _traceback=None))]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        Err(thrown(kind, value))
    }

    fn close(&self) {}
}

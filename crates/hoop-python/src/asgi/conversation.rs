//! `receive` and `send` as an application sees them, for every protocol alike.

use std::sync::Arc;

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyIterator;

use super::direct_calls::{DirectCall, Place, always_done, callable};
use crate::gil_cell::GilCell;

/// How far an operation has come.
pub enum Step {
    /// Done, with its value.
    Done(Py<PyAny>),
    /// Look again when this future is done.
    Wait(Py<PyAny>),
}

/// The server's side of what one application call is about: a request, a WebSocket session.
pub trait Conversation: Send + Sync + 'static {
    /// Takes the next event for the application, if there is one.
    fn receive(self: Arc<Self>, py: Python<'_>) -> PyResult<Step>;

    /// Takes a message of the application's.
    fn send(self: Arc<Self>, message: &Bound<'_, PyAny>) -> PyResult<()>;

    /// The future to wait for before the application sends more, if it is far ahead of the peer.
    fn congestion(self: Arc<Self>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>>;
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
            operation.get().await_future(py, &future)?;
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
    /// The iterator of the future that is waited for.
    waiting: GilCell<Option<Py<PyIterator>>>,
}

impl Operation {
    fn create(py: Python<'_>, conversation: &Arc<dyn Conversation>, kind: Kind) -> PyResult<Py<Self>> {
        Py::new(py, Self { conversation: conversation.clone(), kind, waiting: GilCell::default() })
    }

    fn await_future(&self, py: Python<'_>, future: &Py<PyAny>) -> PyResult<()> {
        let iterator = future.bind(py).try_iter()?.unbind();
        drop(self.waiting.replace(py, Some(iterator)));
        Ok(())
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
        loop {
            if let Some(waiting) = self.waiting.take(py)
                && let Some(future) = waiting.bind(py).clone().next()
            {
                let future = future?.unbind();
                drop(self.waiting.replace(py, Some(waiting)));
                return Ok(future);
            }
            match self.step(py)? {
                // The value of an await is what StopIteration carries (PEP 492).
                Step::Done(value) => return Err(PyStopIteration::new_err(value)),
                Step::Wait(future) => self.await_future(py, &future)?,
            }
        }
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
        drop(self.waiting.take(py));
    }
}

/// The exception that the three forms of `throw()` mean.
fn thrown(kind: Bound<'_, PyAny>, value: Option<Bound<'_, PyAny>>) -> PyErr {
    PyErr::from_value(value.filter(|value| !value.is_none()).unwrap_or(kind))
}

/// The awaitable of a `send()` that nobody has to wait for. One object serves everybody.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Sent;

impl Sent {
    fn shared(py: Python<'_>) -> PyResult<Py<PyAny>> {
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

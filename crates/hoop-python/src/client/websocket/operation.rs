//! What a program awaits of a WebSocket: a coroutine that looks for itself.

use std::time::Instant;

use hoop_net::Message;
use pyo3::exceptions::{PyStopAsyncIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};

use super::socket::ClientWebSocket;
use crate::event_loop::stepwise::{Step, Waiting, thrown};

/// What is wanted.
pub enum Wish {
    Receive,
    /// The same; what ends it in order ends an iteration.
    Iterate,
    /// The same, read as JSON.
    ReceiveJson,
    /// For which there was no room at once.
    Send(Py<PyAny>),
    /// A ping, of this number.
    Pong(u32, Instant),
    /// The end of the connection.
    End,
}

/// The awaitable of `receive()` and its like.
#[pyclass(frozen, freelist = 64, module = "hoopsnake._native")]
pub struct WebSocketOperation {
    socket: Py<ClientWebSocket>,
    wish: Wish,
    waiting: Waiting,
}

impl WebSocketOperation {
    pub fn create(socket: &Bound<'_, ClientWebSocket>, wish: Wish) -> PyResult<Py<Self>> {
        let operation = Self { socket: socket.clone().unbind(), wish, waiting: Waiting::default() };
        Py::new(socket.py(), operation)
    }

    fn step(&self, py: Python<'_>) -> PyResult<Step> {
        let socket = self.socket.get();
        let talk = &socket.talk;
        let python_loop = talk.python_loop.bind(py);
        let wait = match &self.wish {
            Wish::Receive | Wish::Iterate | Wish::ReceiveJson => match talk.take(py) {
                Ok(Some(message)) => return self.received(py, message).map(Step::Done),
                Ok(None) => talk.receivers.wait(python_loop)?,
                Err(end) if matches!(self.wish, Wish::Iterate) && end.is_in_order() => {
                    return Err(PyStopAsyncIteration::new_err(()));
                }
                Err(end) => return Err(socket.closed(py, &end)),
            },
            Wish::Send(message) => {
                if socket.send_now(message.bind(py))? {
                    return Ok(Step::Done(py.None()));
                }
                talk.senders.wait(python_loop)?
            }
            Wish::Pong(number, since) => match talk.is_answered(py, *number) {
                Ok(true) => {
                    let seconds = since.elapsed().as_secs_f64();
                    return Ok(Step::Done(seconds.into_pyobject(py)?.into_any().unbind()));
                }
                Ok(false) => talk.askers.wait(python_loop)?,
                Err(end) => return Err(socket.closed(py, &end)),
            },
            Wish::End if talk.is_over(py) => return Ok(Step::Done(py.None())),
            Wish::End => talk.closers.wait(python_loop)?,
        };
        Ok(Step::Wait(wait))
    }

    fn received(&self, py: Python<'_>, message: Message) -> PyResult<Py<PyAny>> {
        static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let value = match message {
            Message::Text(text) => PyString::new(py, &text).into_any(),
            Message::Binary(bytes) => PyBytes::new(py, &bytes).into_any(),
            // Neither is ever received as a message.
            Message::Shared(_) | Message::Close { .. } => py.None().into_bound(py),
        };
        match self.wish {
            Wish::ReceiveJson => Ok(LOADS.import(py, "json", "loads")?.call1((value,))?.unbind()),
            _ => Ok(value.unbind()),
        }
    }
}

/// What a message is sent as: whether it is text, and its bytes.
pub fn with_payload<T>(
    message: &Bound<'_, PyAny>,
    act: impl FnOnce(bool, &[u8]) -> PyResult<T>,
) -> PyResult<T> {
    if let Ok(text) = message.cast::<PyString>() {
        return act(true, text.to_str()?.as_bytes());
    }
    if let Ok(bytes) = message.cast::<PyBytes>() {
        return act(false, bytes.as_bytes());
    }
    let py = message.py();
    for class in
        [py.get_type::<pyo3::types::PyByteArray>().into_any(), py.import("builtins")?.getattr("memoryview")?]
    {
        if message.is_instance(&class)? {
            let bytes = py.get_type::<PyBytes>().call1((message,))?;
            return act(false, bytes.cast::<PyBytes>()?.as_bytes());
        }
    }
    Err(PyTypeError::new_err(format!("a message is str or bytes, not {}", message.get_type())))
}

#[pymethods]
impl WebSocketOperation {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.waiting.advance(py, || self.step(py))
    }

    #[pyo3(signature = (value, /))]
    fn send(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        // What asyncio sends into a coroutine is always None.
        let _ = value;
        self.__next__(py)
    }

    #[pyo3(signature = (kind, value=None, traceback=None))]
    fn throw(
        &self,
        py: Python<'_>,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let _ = traceback;
        self.close(py);
        Err(thrown(kind, value))
    }

    fn close(&self, py: Python<'_>) {
        self.waiting.give_up(py);
    }
}

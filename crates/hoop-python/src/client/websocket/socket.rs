//! A WebSocket as a program sees it.

use std::sync::Arc;
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::operation::{WebSocketOperation, Wish, with_payload};
use super::talk::{End, Talk};
use crate::asgi::Sent;
use crate::client::response::Response;

/// The longest reason that fits into a close frame.
const LONGEST_REASON: usize = 123;

/// An open WebSocket; `client.websocket()` makes it.
#[pyclass(frozen, module = "hoopsnake", name = "ClientWebSocket")]
pub struct ClientWebSocket {
    pub talk: Arc<Talk>,
    response: Py<Response>,
    subprotocol: Option<String>,
}

impl End {
    /// Whether somebody has ended it who was done: as `websockets` and RFC 6455 section 7.4.1 have it.
    pub fn is_in_order(&self) -> bool {
        self.closed_by != "network" && matches!(self.code, 1000 | 1001 | 1005)
    }
}

impl ClientWebSocket {
    pub fn new(talk: Arc<Talk>, response: Py<Response>, subprotocol: Option<String>) -> Self {
        Self { talk, response, subprotocol }
    }

    /// What is raised of a WebSocket that has ended.
    pub fn closed(&self, py: Python<'_>, end: &End) -> PyErr {
        let arguments = (end.code, &end.reason, end.closed_by, end.is_in_order(), &self.response);
        let made = py
            .import("hoopsnake._client._websocket_errors")
            .and_then(|errors| errors.call_method1("closed", arguments));
        made.map_or_else(|error| error, PyErr::from_value)
    }

    /// Sends a message, if there is room for it.
    pub fn send_now(&self, message: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = message.py();
        with_payload(message, |is_text, payload| {
            self.talk.send(py, is_text, payload).map_err(|end| self.closed(py, &end))
        })
    }
}

impl Drop for ClientWebSocket {
    fn drop(&mut self) {
        Python::attach(|py| self.talk.forget(py));
    }
}

#[pymethods]
impl ClientWebSocket {
    /// The answer to the handshake.
    #[getter]
    fn response(&self, py: Python<'_>) -> Py<Response> {
        self.response.clone_ref(py)
    }

    /// What the server has chosen of the subprotocols that were asked for; None if it has not.
    #[getter]
    fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Whether it has ended.
    #[getter]
    fn is_closed(&self, py: Python<'_>) -> bool {
        self.talk.end(py).is_some()
    }

    /// The code with which it ended; None while it is open.
    #[getter]
    fn close_code(&self, py: Python<'_>) -> Option<u16> {
        self.talk.end(py).map(|end| end.code)
    }

    /// The reason that was given with it.
    #[getter]
    fn close_reason(&self, py: Python<'_>) -> Option<String> {
        self.talk.end(py).map(|end| end.reason)
    }

    /// Who has ended it: "server", "client" or "network"; None while it is open.
    #[getter]
    fn closed_by(&self, py: Python<'_>) -> Option<&'static str> {
        self.talk.end(py).map(|end| end.closed_by)
    }

    /// Sends a message: a str as text, bytes as they are. It is handed over whole or not at all: at once if
    /// there is room, else as soon as there is.
    #[pyo3(signature = (message, /))]
    fn send(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if slf.get().send_now(message)? {
            return Sent::shared(slf.py());
        }
        Ok(WebSocketOperation::create(slf, Wish::Send(message.clone().unbind()))?.into_any())
    }

    /// Sends a value as JSON, in a text message.
    #[pyo3(signature = (value, /))]
    fn send_json(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = slf.py();
        let keywords = PyDict::new(py);
        keywords.set_item("ensure_ascii", false)?;
        keywords.set_item("separators", (",", ":"))?;
        let text = DUMPS.import(py, "json", "dumps")?.call((value,), Some(&keywords))?;
        Self::send(slf, &text)
    }

    /// The next message.
    fn receive(slf: &Bound<'_, Self>) -> PyResult<Py<WebSocketOperation>> {
        WebSocketOperation::create(slf, Wish::Receive)
    }

    /// The next message, read as JSON.
    fn receive_json(slf: &Bound<'_, Self>) -> PyResult<Py<WebSocketOperation>> {
        WebSocketOperation::create(slf, Wish::ReceiveJson)
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__(slf: &Bound<'_, Self>) -> PyResult<Py<WebSocketOperation>> {
        WebSocketOperation::create(slf, Wish::Iterate)
    }

    /// Sends a ping; awaited, the seconds until its pong came.
    fn ping(slf: &Bound<'_, Self>) -> PyResult<Py<WebSocketOperation>> {
        let (py, this) = (slf.py(), slf.get());
        let number = this.talk.ping(py).map_err(|end| this.closed(py, &end))?;
        WebSocketOperation::create(slf, Wish::Pong(number, Instant::now()))
    }

    /// Closes it; awaited, until the connection has ended.
    #[pyo3(signature = (code=1000, reason=""))]
    fn close(slf: &Bound<'_, Self>, code: u16, reason: &str) -> PyResult<Py<WebSocketOperation>> {
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            return Err(PyValueError::new_err(format!("{code} is no code that may be sent (RFC 6455, 7.4)")));
        }
        if reason.len() > LONGEST_REASON {
            return Err(PyValueError::new_err(format!("a reason has at most {LONGEST_REASON} bytes")));
        }
        slf.get().talk.close(slf.py(), code, reason);
        WebSocketOperation::create(slf, Wish::End)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.talk.end(py) {
            None => "<ClientWebSocket, open>".to_owned(),
            Some(end) => format!("<ClientWebSocket, closed by the {}: {}>", end.closed_by, end.code),
        }
    }
}

//! The transport that carries a TLS connection's records.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::event_loop::calls;
use crate::event_loop::transport::SocketTransport;

/// A socket of this loop's, as a rule; or whatever a program has put there, such as TLS once more.
pub enum Below {
    Socket(Py<SocketTransport>),
    Other(Py<PyAny>),
}

impl Below {
    pub fn of(transport: &Bound<'_, PyAny>) -> Self {
        match transport.cast::<SocketTransport>() {
            Ok(socket) => Self::Socket(socket.clone().unbind()),
            Err(_) => Self::Other(transport.clone().unbind()),
        }
    }

    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Socket(socket) => Self::Socket(socket.clone_ref(py)),
            Self::Other(transport) => Self::Other(transport.clone_ref(py)),
        }
    }

    pub fn object(&self) -> &Py<PyAny> {
        match self {
            Self::Socket(socket) => socket.as_any(),
            Self::Other(transport) => transport,
        }
    }

    pub fn write(&self, records: &Bound<'_, PyBytes>) -> PyResult<()> {
        let py = records.py();
        match self {
            Self::Socket(socket) => SocketTransport::write(socket.bind(py), records.as_any()),
            Self::Other(transport) => {
                calls::call_method(transport, intern!(py, "write"), &[records.as_any().as_unbound()])
                    .map(drop)
            }
        }
    }

    pub fn pause_reading(&self, py: Python<'_>) -> PyResult<()> {
        calls::call_method(self.object(), intern!(py, "pause_reading"), &[]).map(drop)
    }

    pub fn resume_reading(&self, py: Python<'_>) -> PyResult<()> {
        calls::call_method(self.object(), intern!(py, "resume_reading"), &[]).map(drop)
    }

    pub fn close(&self, py: Python<'_>) -> PyResult<()> {
        calls::call_method(self.object(), intern!(py, "close"), &[]).map(drop)
    }

    /// Ends the connection at once, for a reason that `connection_lost` is told where there is a way.
    pub fn force_close(&self, py: Python<'_>, reason: Option<PyErr>) -> PyResult<()> {
        let transport = self.object().bind(py);
        let with_reason = intern!(py, "_force_close");
        if transport.hasattr(with_reason)? {
            transport.call_method1(with_reason, (reason.map(|reason| reason.into_value(py)),)).map(drop)
        } else {
            transport.call_method0(intern!(py, "abort")).map(drop)
        }
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.object())
    }
}

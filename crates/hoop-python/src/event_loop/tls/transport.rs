//! The application's side of a TLS connection: an asyncio transport.

use pyo3::exceptions::PyNotImplementedError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use super::{Link, TlsProtocol};
use crate::event_loop::LoopCore;
use crate::event_loop::endpoint::as_bytes;
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// What an application reads and writes TLS through.
#[pyclass(frozen, weakref, module = "hoopsnake", name = "TLSTransport")]
pub struct TlsTransport {
    python_loop: Py<LoopCore>,
    /// None once it was closed again: who holds on to a closed transport should not hold on to the
    /// session and its context as well.
    protocol: GilCell<Option<Py<TlsProtocol>>>,
    closed: GilCell<bool>,
}

impl TlsTransport {
    pub fn new(python_loop: Py<LoopCore>, protocol: Py<TlsProtocol>) -> Self {
        Self { python_loop, protocol: GilCell::new(Some(protocol)), closed: GilCell::new(false) }
    }

    pub fn mark_closed(&self, py: Python<'_>) {
        self.closed.set(py, true);
    }

    fn protocol<'py>(&self, py: Python<'py>) -> Option<Bound<'py, TlsProtocol>> {
        self.protocol.borrow(py).as_ref().map(|protocol| protocol.bind(py).clone())
    }

    /// Looks at the connection, or has nothing to look at.
    fn look<T: Default>(&self, py: Python<'_>, look: impl FnOnce(&Link) -> T) -> T {
        self.protocol(py).map_or_else(T::default, |protocol| look(&protocol.get().link.borrow(py)))
    }
}

#[pymethods]
impl TlsTransport {
    /// Encrypts and sends bytes; what the transport below does not take at once is buffered.
    fn write(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = as_bytes(data)?;
        match self.protocol(data.py()) {
            Some(protocol) if !bytes.as_bytes().is_empty() => TlsProtocol::write(&protocol, &bytes),
            _ => Ok(()),
        }
    }

    /// Writes several pieces as one.
    fn writelines(&self, list_of_data: &Bound<'_, PyAny>) -> PyResult<()> {
        let joined = PyBytes::new(list_of_data.py(), b"").call_method1("join", (list_of_data,))?;
        self.write(&joined)
    }

    fn can_write_eof(&self) -> bool {
        false
    }

    /// asyncio has no half-closed TLS connections either: NotImplementedError.
    fn write_eof(&self) -> PyResult<()> {
        Err(PyNotImplementedError::new_err("a TLS connection cannot be half-closed: close() it"))
    }

    /// Closes once what was written is sent, and both sides have said that they end.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.closed.get(py) {
            drop(self.protocol.take(py));
            return Ok(());
        }
        self.mark_closed(py);
        self.protocol(py).map_or(Ok(()), |protocol| TlsProtocol::start_shutdown(&protocol))
    }

    /// Closes at once; pending output is lost.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self._force_close(py, None)
    }

    /// Closes at once with a reason for `connection_lost`.
    fn _force_close(&self, py: Python<'_>, error: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        self.mark_closed(py);
        let reason = error.map(PyErr::from_value);
        self.protocol(py).map_or(Ok(()), |protocol| protocol.get().abort(py, reason))
    }

    fn is_closing(&self, py: Python<'_>) -> bool {
        self.closed.get(py)
    }

    /// Whether data that arrives is delivered to the protocol.
    fn is_reading(&self, py: Python<'_>) -> bool {
        self.look(py, |link| !link.reading_paused)
    }

    fn pause_reading(&self, py: Python<'_>) {
        if let Some(protocol) = self.protocol(py) {
            protocol.get().link.borrow_mut(py).reading_paused = true;
        }
    }

    fn resume_reading(&self, py: Python<'_>) -> PyResult<()> {
        let Some(protocol) = self.protocol(py) else { return Ok(()) };
        let was_paused = std::mem::take(&mut protocol.get().link.borrow_mut(py).reading_paused);
        if was_paused { TlsProtocol::call_soon(&protocol, "_resume") } else { Ok(()) }
    }

    /// Sets when the protocol is told to pause and to resume writing, in bytes.
    #[pyo3(signature = (high=None, low=None))]
    fn set_write_buffer_limits(&self, py: Python<'_>, high: Option<i64>, low: Option<i64>) -> PyResult<()> {
        let Some(protocol) = self.protocol(py) else { return Ok(()) };
        protocol.get().link.borrow_mut(py).outgoing.set_marks(high, low)?;
        TlsProtocol::control_writing(&protocol)
    }

    /// The low and the high mark, in bytes.
    fn get_write_buffer_limits(&self, py: Python<'_>) -> (usize, usize) {
        self.look(py, |link| link.outgoing.marks())
    }

    /// Bytes that wait to be encrypted or sent.
    fn get_write_buffer_size(&self, py: Python<'_>) -> PyResult<usize> {
        self.protocol(py).map_or(Ok(0), |protocol| protocol.get().unsent(py))
    }

    /// Sets how much may arrive, in bytes, before the transport below is held back, and when it may
    /// read on; as in asyncio, beyond its documented interface.
    #[pyo3(signature = (high=None, low=None))]
    fn set_read_buffer_limits(&self, py: Python<'_>, high: Option<i64>, low: Option<i64>) -> PyResult<()> {
        let Some(protocol) = self.protocol(py) else { return Ok(()) };
        protocol.get().link.borrow_mut(py).incoming.set_marks(high, low)?;
        protocol.get().control_reading(py)
    }

    fn get_read_buffer_limits(&self, py: Python<'_>) -> (usize, usize) {
        self.look(py, |link| link.incoming.marks())
    }

    /// Bytes that have arrived and were not decrypted yet.
    fn get_read_buffer_size(&self, py: Python<'_>) -> PyResult<usize> {
        self.protocol(py).map_or(Ok(0), |protocol| protocol.get().session.incoming_pending(py))
    }

    fn get_protocol(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.protocol(py).and_then(|protocol| protocol.get().application(py))
    }

    fn set_protocol(&self, py: Python<'_>, protocol: Py<PyAny>) {
        if let Some(tls) = self.protocol(py) {
            tls.get().set_application(py, protocol);
        }
    }

    /// Information about the connection: 'ssl_object', 'sslcontext', 'peercert', 'cipher' and
    /// 'compression', and what the transport below tells.
    #[pyo3(signature = (name, default=None))]
    fn get_extra_info(&self, py: Python<'_>, name: &str, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.protocol(py).map_or_else(
            || Ok(default.as_ref().map_or_else(|| py.None(), |default| default.clone_ref(py))),
            |protocol| protocol.get().extra_info(py, name, default.as_ref()),
        )
    }

    /// `loop.start_tls` may put TLS on top of this TLS.
    #[classattr]
    fn _start_tls_compatible() -> bool {
        true
    }

    /// `loop.sendfile` reads the file and writes it here: only so can it be encrypted.
    #[classattr]
    fn _sendfile_compatible(py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.import("asyncio.constants")?.getattr("_SendfileMode")?.getattr("FALLBACK")?.unbind())
    }

    /// Whether the protocol was told to stop writing; the stdlib's fallback for `sendfile` asks.
    #[getter]
    fn _protocol_paused(&self, py: Python<'_>) -> bool {
        self.look(py, |link| link.outgoing.is_paused())
    }

    #[getter]
    fn _ssl_protocol<'py>(&self, py: Python<'py>) -> Option<Bound<'py, TlsProtocol>> {
        self.protocol(py)
    }

    /// Fills what waits to be encrypted; CPython's own tests of TLS do, under this name.
    #[pyo3(name = "_test__append_write_backlog")]
    fn append_to_backlog(&self, data: &Bound<'_, PyBytes>) {
        if let Some(protocol) = self.protocol(data.py()) {
            protocol.get().push(data.py(), data);
        }
    }

    #[getter]
    fn _loop(&self, py: Python<'_>) -> Py<LoopCore> {
        self.python_loop.clone_ref(py)
    }

    #[getter]
    fn __class__(slf: &Bound<'_, Self>) -> PyResult<Py<PyType>> {
        Ok(Imports::asyncio_tls_transport(slf.py())?.clone_ref(slf.py()))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let state = if self.closed.get(py) { "closed" } else { "open" };
        let below = self.protocol(py).and_then(|protocol| protocol.get().below(py)).map_or_else(
            || Ok("nothing".to_owned()),
            |below| below.object().bind(py).repr().map(|text| text.to_string()),
        )?;
        Ok(format!("<TLSTransport {state} over {below}>"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.python_loop)?;
        self.protocol.for_collector().map_or(Ok(()), |protocol| visit.call(&*protocol))
    }
}

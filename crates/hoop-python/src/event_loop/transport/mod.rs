//! Stream transports over sockets: asyncio's `Transport` with a tokio task underneath.

pub mod connection;
mod io;
mod lifecycle;
mod output;
pub mod receiver;
mod write_buffer;

use std::os::fd::{OwnedFd, RawFd};
use std::task::Context;

use pyo3::exceptions::{PyConnectionError, PyRuntimeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};
use rustix::net::AddressFamily;
use tokio::io::Interest;

use self::connection::Connection;
use self::receiver::Receiver;
use super::LoopCore;
use super::call::Arguments;
use super::endpoint::names::Name;
use super::endpoint::{Drivable, Endpoint, Kind, as_bytes, borrow};
use super::promise::Promise;
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// A connected stream socket (TCP or Unix) of an event loop.
#[pyclass(frozen, weakref, module = "hoopsnake", name = "SocketTransport")]
pub struct SocketTransport {
    pub(super) endpoint: Endpoint,
    connection: GilCell<Connection>,
}

impl Drivable for SocketTransport {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn drive(transport: &Bound<'_, Self>, cx: &mut Context<'_>) {
        io::flush(transport, cx);
        io::read(transport, cx);
    }
}

impl Drop for SocketTransport {
    fn drop(&mut self) {
        self.endpoint.warn_if_unclosed("SocketTransport");
    }
}

/// The reactor tells of what arrives. Of room to write it would tell at once, of every new connection,
/// and wake the loop for it; so that is asked for when there is something to wait with.
const ARRIVALS: Interest = Interest::READABLE;
const ARRIVALS_AND_ROOM: Interest = Interest::READABLE.add(Interest::WRITABLE);

impl SocketTransport {
    /// A transport for a connection that the engine has accepted.
    pub fn accepted(
        python_loop: &Bound<'_, LoopCore>,
        descriptor: OwnedFd,
        kind: Kind,
        peer: Name,
        protocol: Py<PyAny>,
        server: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let endpoint = Endpoint::accepted(python_loop, (descriptor, kind), peer, protocol, ARRIVALS)?;
        Ok(Self::over(python_loop.py(), endpoint, kind.family, server))
    }

    /// Queues the beginning: tell the protocol in that context, then read.
    pub fn begin(slf: &Bound<'_, Self>, connection_made: Py<PyAny>, context: Py<PyAny>) -> PyResult<()> {
        let (py, endpoint) = (slf.py(), &slf.get().endpoint);
        Endpoint::adopt(slf);
        let transport = Arguments::One(slf.clone().into_any().unbind());
        endpoint.state().call_soon_in(py, connection_made, transport, context)?;
        let start = slf.getattr(intern!(py, "_start"))?.unbind();
        endpoint.state().call_soon_in(py, start, Arguments::None, endpoint.context.clone_ref(py))
    }

    fn over(py: Python<'_>, endpoint: Endpoint, family: u16, server: Option<Py<PyAny>>) -> Self {
        let is_unix = family == AddressFamily::UNIX.as_raw();
        if let Some(registration) = endpoint.registration(py).filter(|_| !is_unix) {
            // Not every stream socket knows the option; asyncio ignores that as well.
            let _ = rustix::net::sockopt::set_tcp_nodelay(borrow(&registration), true);
        }
        Self { endpoint, connection: GilCell::new(Connection::new(server, is_unix)) }
    }

    fn receiver(&self, py: Python<'_>) -> PyResult<Receiver> {
        if let Some(receiver) = self.connection.borrow(py).receiver {
            return Ok(receiver);
        }
        let protocol = self.endpoint.protocol(py);
        let receiver = Receiver::of(protocol.bind(py))?;
        self.connection.borrow_mut(py).receiver = Some(receiver);
        Ok(receiver)
    }

    /// Whether data that arrives should be read now.
    fn wants_data(&self, py: Python<'_>) -> bool {
        self.endpoint.wants_data(py) && !self.connection.borrow(py).end_of_file_received
    }
}

#[pymethods]
impl SocketTransport {
    /// Takes over a connected, non-blocking socket. `connection_made` is queued, then reading begins.
    #[new]
    #[pyo3(signature = (python_loop, socket, protocol, extra=None, server=None))]
    fn new(
        python_loop: &Bound<'_, LoopCore>,
        socket: Py<PyAny>,
        protocol: Py<PyAny>,
        extra: Option<Bound<'_, PyDict>>,
        server: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let py = python_loop.py();
        let family: u16 = socket.getattr(py, "family")?.extract(py)?;
        let endpoint = Endpoint::take_over(python_loop, socket, protocol, extra, ARRIVALS)?;
        Ok(Self::over(py, endpoint, family, server))
    }

    /// Tells the server that it was made with, if there is one, of its new connection.
    fn _attach(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::attach(slf)
    }

    /// Lets reading begin; queued behind `connection_made`.
    fn _start(slf: &Bound<'_, Self>) {
        Endpoint::start(slf);
    }

    /// Writes bytes; what the socket does not take at once is buffered (asyncio.WriteTransport).
    pub fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = as_bytes(data)?;
        {
            let connection = slf.get().connection.borrow(slf.py());
            if connection.write_ended {
                return Err(PyRuntimeError::new_err("Cannot call write() after write_eof()"));
            }
            if connection.when_written.is_some() {
                return Err(PyRuntimeError::new_err("unable to write; sendfile is in progress"));
            }
        }
        Self::write_bytes(slf, &bytes)
    }

    /// Writes several pieces as one.
    fn writelines(slf: &Bound<'_, Self>, list_of_data: &Bound<'_, PyAny>) -> PyResult<()> {
        let joined = PyBytes::new(slf.py(), b"").call_method1("join", (list_of_data,))?;
        Self::write(slf, &joined)
    }

    /// Ends the sending half once the pending output is written.
    fn write_eof(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        Self::send_held(slf);
        let drained = {
            let mut connection = this.connection.borrow_mut(py);
            if this.endpoint.is_closing(py) || connection.write_ended {
                return;
            }
            connection.write_ended = true;
            connection.output.is_empty()
        };
        if drained {
            this.shut_down_writing(py);
        }
    }

    fn can_write_eof(&self) -> bool {
        true
    }

    /// Closes once the pending output is written.
    fn close(slf: &Bound<'_, Self>) {
        Self::begin_close(slf);
    }

    /// Closes at once; pending output is lost.
    fn abort(slf: &Bound<'_, Self>) {
        Self::force_close(slf, None);
    }

    /// Closes at once with a reason for `connection_lost`; whoever puts TLS on top calls it.
    fn _force_close(slf: &Bound<'_, Self>, error: Option<Bound<'_, PyAny>>) {
        Self::force_close(slf, error.map(PyErr::from_value));
    }

    fn is_closing(&self, py: Python<'_>) -> bool {
        self.endpoint.is_closing(py)
    }

    /// Whether data that arrives is delivered to the protocol.
    fn is_reading(&self, py: Python<'_>) -> bool {
        self.endpoint.is_reading(py)
    }

    fn pause_reading(&self, py: Python<'_>) {
        self.endpoint.pause_reading(py);
    }

    fn resume_reading(&self, py: Python<'_>) {
        self.endpoint.resume_reading(py);
    }

    /// Sets when the protocol is told to pause and to resume writing, in bytes.
    #[pyo3(signature = (high=None, low=None))]
    fn set_write_buffer_limits(slf: &Bound<'_, Self>, high: Option<i64>, low: Option<i64>) -> PyResult<()> {
        let pending = Self::get_write_buffer_size(slf);
        slf.get().endpoint.set_water_marks(slf.as_any(), high, low, pending)
    }

    /// The low and the high mark, in bytes.
    fn get_write_buffer_limits(&self, py: Python<'_>) -> (usize, usize) {
        self.endpoint.water_marks(py)
    }

    /// Bytes that the socket did not take.
    fn get_write_buffer_size(slf: &Bound<'_, Self>) -> usize {
        Self::send_held(slf);
        slf.get().connection.borrow(slf.py()).output.len()
    }

    fn get_protocol(&self, py: Python<'_>) -> Py<PyAny> {
        self.endpoint.protocol(py)
    }

    fn set_protocol(&self, py: Python<'_>, protocol: Py<PyAny>) {
        self.endpoint.set_protocol(py, protocol);
        self.connection.borrow_mut(py).receiver = None;
    }

    /// Information about the connection: 'peername', 'sockname', 'socket' and what TLS adds.
    #[pyo3(signature = (name, default=None))]
    fn get_extra_info(slf: &Bound<'_, Self>, name: &str, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        if name == "socket" {
            // Whoever asks for it may write to it, or shut it down.
            Self::send_held(slf);
        }
        slf.get().endpoint.extra_info(slf.as_any(), name, default)
    }

    /// Ends the connection: tells the protocol, closes the socket, detaches from the server.
    fn _call_connection_lost(slf: &Bound<'_, Self>, reason: Py<PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let ended = this.endpoint.end(slf.as_any(), &reason);
        let (server, waiter) = {
            let mut connection = this.connection.borrow_mut(py);
            (connection.server.take(), connection.when_written.take())
        };
        if let Some(server) = server {
            Self::detach(slf, &server)?;
        }
        if let Some(waiter) = waiter {
            waiter.fail(py, PyConnectionError::new_err("Connection is closed by peer"))?;
        }
        ended
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.endpoint.visit(&visit)?;
        self.connection.for_collector().map_or(Ok(()), |connection| connection.visit(&visit))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.set_protocol(py, py.None());
    }

    /// `loop.start_tls` may put TLS on top.
    #[classattr]
    fn _start_tls_compatible() -> bool {
        true
    }

    /// `loop.sendfile` lets the kernel copy the file, as the standard library does it: it waits until
    /// what was written before is gone, and takes the socket for as long as it copies.
    #[classattr]
    fn _sendfile_compatible(py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.import("asyncio.constants")?.getattr("_SendfileMode")?.getattr("TRY_NATIVE")?.unbind())
    }

    /// A future that is done once all output is written; until it is reset, nothing may be written.
    fn _make_empty_waiter(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        if this.connection.borrow(py).when_written.is_some() {
            return Err(PyRuntimeError::new_err("Empty waiter is already set"));
        }
        Self::send_held(slf);
        let promise = Promise::new(this.endpoint.python_loop.bind(py))?;
        let awaitable = promise.awaitable(py);
        this.connection.borrow_mut(py).when_written = Some(promise);
        this.tell_if_written(py);
        Ok(awaitable)
    }

    fn _reset_empty_waiter(&self, py: Python<'_>) {
        let waiter = self.connection.borrow_mut(py).when_written.take();
        drop(waiter);
    }

    #[getter]
    fn _sock(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.endpoint.socket(py)
    }

    /// The descriptor's number; -1 once the connection is lost.
    #[getter]
    fn _sock_fd(&self, py: Python<'_>) -> RawFd {
        self.endpoint.fd(py)
    }

    /// Whether the protocol was told to stop writing; the stdlib's fallback for `sendfile` asks.
    #[getter]
    fn _protocol_paused(&self, py: Python<'_>) -> bool {
        self.endpoint.is_protocol_paused(py)
    }

    #[getter]
    fn _loop(&self, py: Python<'_>) -> Py<LoopCore> {
        self.endpoint.python_loop.clone_ref(py)
    }

    #[getter]
    fn __class__(slf: &Bound<'_, Self>) -> PyResult<Py<PyType>> {
        Ok(Imports::get(slf.py())?.asyncio_transport.clone_ref(slf.py()))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let unwritten = {
            let connection = self.connection.borrow(py);
            connection.output.len() + connection.held_length()
        };
        self.endpoint.describe(py, "SocketTransport", unwritten)
    }
}

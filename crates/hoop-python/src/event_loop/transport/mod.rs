//! Stream transports over sockets: asyncio's `Transport` with a tokio task underneath.

mod connection;
mod io;
mod lifecycle;
mod output;
mod receiver;
mod write_buffer;

use std::os::fd::{BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;

use pyo3::exceptions::{PyConnectionError, PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};
use tokio::io::unix::AsyncFd;

use self::connection::Connection;
use self::io::{Registration, SocketFd, SocketTask};
use self::lifecycle::detach;
use self::output::as_bytes;
use self::receiver::Receiver;
use super::LoopCore;
use super::calls;
use super::handle::current_context;
use super::promise::Promise;
use super::state::LoopState;
use crate::errors::os_error;
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// A connected stream socket (TCP or Unix) of an event loop.
#[pyclass(frozen, weakref, module = "hoopsnake", name = "SocketTransport")]
pub struct SocketTransport {
    python_loop: Py<PyAny>,
    pub(super) state: Arc<LoopState>,
    /// The context that protocol callbacks run in: that of the code that made the transport.
    context: Py<PyAny>,
    extra: Py<PyDict>,
    connection: GilCell<Connection>,
}

/// Registers a socket with the loop's reactor, and makes it ready for small writes.
fn register(py: Python<'_>, state: &LoopState, fd: RawFd) -> PyResult<Registration> {
    let runtime = state.runtime(py)?;
    let _context = runtime.enter();
    // SAFETY: the caller holds a reference on the Python socket that keeps `fd` open until the
    // registration is dropped (see `SocketFd`).
    let registration = unsafe { AsyncFd::register(SocketFd(fd)) }.map_err(|error| os_error(&error.into()))?;
    // SAFETY: as above. Not every stream socket knows the option; asyncio ignores that as well.
    let _ = rustix::net::sockopt::set_tcp_nodelay(unsafe { BorrowedFd::borrow_raw(fd) }, true);
    Ok(Rc::new(registration))
}

impl SocketTransport {
    /// Whether the connection is there to be read or written.
    pub(super) fn is_open(&self, py: Python<'_>) -> bool {
        self.connection.borrow(py).registration.is_some()
    }

    fn registration(&self, py: Python<'_>) -> Option<Registration> {
        self.connection.borrow(py).registration.clone()
    }

    fn receiver(&self, py: Python<'_>) -> PyResult<Receiver> {
        if let Some(receiver) = &self.connection.borrow(py).receiver {
            return Ok(receiver.clone_ref(py));
        }
        let protocol = self.protocol(py);
        let receiver = Receiver::of(protocol.bind(py))?;
        self.connection.borrow_mut(py).receiver = Some(receiver.clone_ref(py));
        Ok(receiver)
    }

    fn protocol(&self, py: Python<'_>) -> Py<PyAny> {
        self.connection.borrow(py).protocol.clone_ref(py)
    }
}

#[pymethods]
impl SocketTransport {
    /// Takes over a connected, non-blocking socket. `connection_made` is queued, then reading begins.
    #[new]
    #[pyo3(signature = (python_loop, socket, protocol, extra, server=None))]
    fn new(
        py: Python<'_>,
        python_loop: &Bound<'_, LoopCore>,
        socket: Py<PyAny>,
        protocol: Py<PyAny>,
        extra: Py<PyDict>,
        server: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let state = python_loop.get().state.clone();
        let fd: RawFd = socket.call_method0(py, "fileno")?.extract(py)?;
        let references = socket.getattr(py, "_io_refs").ok();
        if let Some(references) = &references {
            // Keeps the descriptor open until the transport is done with it (see `SocketFd`).
            socket.setattr(py, "_io_refs", references.bind(py).add(1)?)?;
        }
        let registration = match (register(py, &state, fd), references) {
            (Err(error), Some(references)) => {
                socket.setattr(py, "_io_refs", references)?;
                return Err(error);
            }
            (registration, _) => registration?,
        };
        let family: i32 = socket.getattr(py, "family")?.extract(py)?;
        let is_unix = family == i32::from(rustix::net::AddressFamily::UNIX.as_raw());
        Ok(Self {
            python_loop: python_loop.clone().into_any().unbind(),
            state,
            context: current_context(py)?,
            extra,
            connection: GilCell::new(Connection::new(registration, socket, server, protocol, is_unix)),
        })
    }

    /// Starts the task that reads and writes; queued behind `connection_made`.
    fn _start(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        this.connection.borrow_mut(py).started = true;
        let driven = this.state.keep_driven(py, slf.clone().unbind());
        this.state.spawn(py, SocketTask(driven));
    }

    /// Writes bytes; what the socket does not take at once is buffered (asyncio.WriteTransport).
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
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
            if connection.closing || connection.write_ended {
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

    /// Closes at once with a reason for `connection_lost`; the stdlib's TLS protocol calls it.
    fn _force_close(slf: &Bound<'_, Self>, error: Option<Bound<'_, PyAny>>) {
        Self::force_close(slf, error.map(PyErr::from_value));
    }

    /// Reports an exception and drops the connection; the stdlib's TLS protocol calls it.
    #[pyo3(signature = (exc, message = "Fatal error on transport"))]
    fn _fatal_error(slf: &Bound<'_, Self>, exc: Bound<'_, PyAny>, message: &str) {
        Self::fatal(slf, message, PyErr::from_value(exc));
    }

    fn is_closing(&self, py: Python<'_>) -> bool {
        self.connection.borrow(py).closing
    }

    /// Whether data that arrives is delivered to the protocol.
    fn is_reading(&self, py: Python<'_>) -> bool {
        let connection = self.connection.borrow(py);
        !connection.reading_paused && !connection.closing
    }

    fn pause_reading(&self, py: Python<'_>) {
        let mut connection = self.connection.borrow_mut(py);
        if !connection.closing {
            connection.reading_paused = true;
        }
    }

    fn resume_reading(&self, py: Python<'_>) {
        let mut connection = self.connection.borrow_mut(py);
        if connection.reading_paused && !connection.closing {
            connection.reading_paused = false;
            connection.wake_task();
        }
    }

    /// Sets when the protocol is told to pause and to resume writing, in bytes.
    #[pyo3(signature = (high=None, low=None))]
    fn set_write_buffer_limits(slf: &Bound<'_, Self>, high: Option<i64>, low: Option<i64>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        Self::send_held(slf);
        this.connection.borrow_mut(py).set_water_marks(high, low).map_err(|(high, low)| {
            PyValueError::new_err(format!("high ({high:?}) must be >= low ({low:?}) must be >= 0"))
        })?;
        Self::after_growth(slf);
        Ok(())
    }

    /// The low and the high mark, in bytes.
    fn get_write_buffer_limits(&self, py: Python<'_>) -> (usize, usize) {
        let connection = self.connection.borrow(py);
        (connection.low_water, connection.high_water)
    }

    /// Bytes that the socket did not take.
    fn get_write_buffer_size(slf: &Bound<'_, Self>) -> usize {
        Self::send_held(slf);
        slf.get().connection.borrow(slf.py()).output.len()
    }

    fn get_protocol(&self, py: Python<'_>) -> Py<PyAny> {
        self.protocol(py)
    }

    fn set_protocol(&self, py: Python<'_>, protocol: Py<PyAny>) {
        let replaced = {
            let mut connection = self.connection.borrow_mut(py);
            (std::mem::replace(&mut connection.protocol, protocol), connection.receiver.take())
        };
        drop(replaced);
    }

    /// Information about the connection: 'peername', 'sockname', 'socket' and what TLS adds.
    #[pyo3(signature = (name, default=None))]
    fn get_extra_info(slf: &Bound<'_, Self>, name: &str, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        if name == "socket" {
            // Whoever asks for it may write to it, or shut it down.
            Self::send_held(slf);
            if !this.extra.bind(py).contains(name)? {
                let socket = this.connection.borrow(py).socket.as_ref().map(|socket| socket.clone_ref(py));
                if let Some(socket) = socket {
                    let wrapped = Imports::get(py)?.transport_socket.call1(py, (socket, slf))?;
                    this.extra.bind(py).set_item(name, wrapped)?;
                }
            }
        }
        Ok(match this.extra.bind(py).get_item(name)? {
            Some(value) => value.unbind(),
            None => default.unwrap_or_else(|| py.None()),
        })
    }

    /// Ends the connection: tells the protocol, closes the socket, detaches from the server.
    fn _call_connection_lost(slf: &Bound<'_, Self>, reason: Py<PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let (registration, socket, server, receiver) = {
            let mut connection = this.connection.borrow_mut(py);
            connection.wake_task();
            (
                connection.registration.take(),
                // Kept too: `get_extra_info` still tells it.
                connection.socket.as_ref().map(|socket| socket.clone_ref(py)),
                connection.server.take(),
                connection.receiver.take(),
            )
        };
        let protocol = this.protocol(py);
        let told = calls::call_method(py, &protocol, "connection_lost", &[&reason]);
        // The reactor must forget the descriptor before its number can be given out again.
        drop(registration);
        drop(receiver);
        if let Some(socket) = socket {
            if socket.bind(py).hasattr("_decref_socketios")? {
                socket.call_method0(py, "_decref_socketios")?;
            }
            socket.call_method0(py, "close")?;
        }
        if let Some(server) = server {
            detach(slf, &server)?;
        }
        let waiter = this.connection.borrow_mut(py).when_written.take();
        if let Some(waiter) = waiter {
            waiter.fail(py, PyConnectionError::new_err("Connection is closed by peer"))?;
        }
        this.set_protocol(py, py.None());
        told.map(drop)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.python_loop)?;
        visit.call(&self.context)?;
        visit.call(&self.extra)?;
        self.connection.for_collector().map_or(Ok(()), |connection| connection.visit(&visit))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.set_protocol(py, py.None());
    }

    /// `loop.start_tls` may put the stdlib's TLS protocol on top.
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
        let promise = Promise::new(this.python_loop.bind(py).cast()?)?;
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
    fn _sock(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.connection.borrow(py).socket.as_ref().map(|socket| socket.clone_ref(py))
    }

    /// The descriptor's number; -1 once the connection is lost.
    #[getter]
    fn _sock_fd(&self, py: Python<'_>) -> RawFd {
        self.connection.borrow(py).registration.as_ref().map_or(-1, |registration| registration.get_ref().0)
    }

    /// Whether the protocol was told to stop writing; the stdlib's fallback for `sendfile` asks.
    #[getter]
    fn _protocol_paused(&self, py: Python<'_>) -> bool {
        self.connection.borrow(py).protocol_paused
    }

    #[getter]
    fn _loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.python_loop.clone_ref(py)
    }

    #[getter]
    fn __class__(slf: &Bound<'_, Self>) -> PyResult<Py<PyType>> {
        Ok(Imports::get(slf.py())?.asyncio_transport.clone_ref(slf.py()))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let connection = self.connection.borrow(py);
        let state = match (connection.lost, connection.closing) {
            (true, _) => "closed",
            (false, true) => "closing",
            (false, false) if connection.reading_paused => "open, reading paused",
            (false, false) => "open",
        };
        let fd = connection.registration.as_ref().map_or(-1, |registration| registration.get_ref().0);
        let unwritten = connection.output.len() + connection.held.as_ref().map_or(0, Vec::len);
        format!("<SocketTransport {state} fd={fd} unwritten={unwritten}>")
    }
}

//! Stream transports over sockets: asyncio's `Transport` with a tokio task underneath.

mod connection;
mod io;
mod receiver;
mod write_buffer;

use std::os::fd::{BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyMemoryView, PyType};
use tokio::io::unix::AsyncFd;

use self::connection::Connection;
use self::io::{Registration, SocketFd, SocketTask, send};
use self::receiver::Receiver;
use super::LoopCore;
use super::handle::{Arguments, current_context, in_context};
use super::state::LoopState;
use crate::errors::os_error;
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// asyncio warns when a program keeps writing to a connection that is gone.
const WRITES_AFTER_LOSS_BEFORE_WARNING: u32 = 5;

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

    /// Calls a protocol method that flow control needs; its exceptions go to the handler.
    fn tell_protocol(slf: &Bound<'_, Self>, method: &str) {
        let (py, this) = (slf.py(), slf.get());
        let protocol = this.protocol(py);
        let told = in_context_or_bare(py, &this.context, || protocol.call_method0(py, method).map(drop));
        if let Err(error) = told {
            Self::report(slf, &format!("protocol.{method}() failed"), error);
        }
    }

    /// Some output went out: the protocol may resume, a pending close or half-close may happen.
    fn output_shrank(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        if this.connection.borrow_mut(py).may_resume_writing() {
            Self::tell_protocol(slf, "resume_writing");
        }
        let (drained, closing, write_ended) = {
            let connection = this.connection.borrow(py);
            (connection.output.is_empty(), connection.closing, connection.write_ended)
        };
        if drained && closing {
            Self::lose(slf, None);
        } else if drained && write_ended {
            this.shut_down_writing(py);
        }
    }

    fn shut_down_writing(&self, py: Python<'_>) {
        if let Some(registration) = self.registration(py) {
            // SAFETY: the registration keeps the descriptor open. A peer that is gone is no error here.
            let fd = unsafe { BorrowedFd::borrow_raw(registration.get_ref().0) };
            let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Write);
        }
    }

    /// The peer ended its stream: the protocol decides whether the other half stays open.
    fn end_of_file(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        this.connection.borrow_mut(py).end_of_file_received = true;
        let protocol = this.protocol(py);
        let keep_open = in_context(py, &this.context, || {
            protocol.call_method0(py, "eof_received").and_then(|answer| answer.is_truthy(py))
        });
        match keep_open {
            Ok(true) => {}
            Ok(false) => Self::begin_close(slf),
            Err(error) => Self::fatal(slf, "Fatal error: protocol.eof_received() call failed.", error),
        }
    }

    fn io_failed(slf: &Bound<'_, Self>, message: &str, error: &std::io::Error) {
        Self::fatal(slf, message, os_error(error));
    }

    /// Reports an error, unless it is the everyday loss of a peer, and drops the connection.
    fn fatal(slf: &Bound<'_, Self>, message: &str, error: PyErr) {
        let py = slf.py();
        if super::handle::leaves_the_loop(py, &error) {
            slf.get().state.fail(py, error);
            return;
        }
        // asyncio keeps quiet about what the network does to a connection.
        if !error.is_instance_of::<PyOSError>(py) {
            Self::report(slf, message, error.clone_ref(py));
        }
        Self::force_close(slf, Some(error));
    }

    fn report(slf: &Bound<'_, Self>, message: &str, error: PyErr) {
        let (py, this) = (slf.py(), slf.get());
        let context = PyDict::new(py);
        let described =
            context.set_item("transport", slf).and_then(|()| context.set_item("protocol", this.protocol(py)));
        this.state.handle_exception(py, message, error, described.is_ok().then_some(&context));
    }

    /// Closes once the pending output is written.
    fn begin_close(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let drained = {
            let mut connection = this.connection.borrow_mut(py);
            if connection.closing {
                return;
            }
            connection.closing = true;
            connection.output.is_empty()
        };
        if drained {
            Self::lose(slf, None);
        }
    }

    /// Closes at once; pending output is lost.
    fn force_close(slf: &Bound<'_, Self>, error: Option<PyErr>) {
        let (py, this) = (slf.py(), slf.get());
        let dropped = {
            let mut connection = this.connection.borrow_mut(py);
            connection.closing = true;
            std::mem::take(&mut connection.output)
        };
        drop(dropped);
        Self::lose(slf, error);
    }

    /// Queues `connection_lost`, once.
    fn lose(slf: &Bound<'_, Self>, error: Option<PyErr>) {
        let (py, this) = (slf.py(), slf.get());
        {
            let mut connection = this.connection.borrow_mut(py);
            if std::mem::replace(&mut connection.lost, true) {
                return;
            }
        }
        let reason = error.map_or_else(|| py.None(), |error| error.into_value(py).into_any());
        let queued = slf.getattr("_call_connection_lost").and_then(|callback| {
            this.state.call_soon_in(py, callback.unbind(), Arguments::One(reason), this.context.clone_ref(py))
        });
        if let Err(error) = queued {
            this.state.handle_exception(py, "connection_lost() could not be queued", error, None);
        }
    }

    fn after_growth(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let pause = {
            let mut connection = this.connection.borrow_mut(py);
            connection.wake_task();
            connection.must_pause_writing()
        };
        if pause {
            Self::tell_protocol(slf, "pause_writing");
        }
    }

    /// Writes `bytes`: straight to the socket while nothing is pending, else behind what is.
    fn write_bytes(slf: &Bound<'_, Self>, bytes: &Bound<'_, PyBytes>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let data = bytes.as_bytes();
        if data.is_empty() || this.is_written_off(py)? {
            return Ok(());
        }
        let mut sent = 0;
        if this.connection.borrow(py).output.is_empty()
            && let Some(registration) = this.registration(py)
        {
            match send(&registration, data) {
                Ok(count) if count == data.len() => return Ok(()),
                Ok(count) => sent = count,
                Err(error) => {
                    Self::io_failed(slf, "Fatal write error on socket transport", &error);
                    return Ok(());
                }
            }
        }
        this.connection.borrow_mut(py).output.push(bytes, sent);
        Self::after_growth(slf);
        Ok(())
    }

    /// Whether the connection is lost, so that what is written now goes nowhere, as in asyncio.
    fn is_written_off(&self, py: Python<'_>) -> PyResult<bool> {
        let writes = {
            let mut connection = self.connection.borrow_mut(py);
            if !connection.lost {
                return Ok(false);
            }
            connection.writes_after_loss += 1;
            connection.writes_after_loss
        };
        if writes >= WRITES_AFTER_LOSS_BEFORE_WARNING {
            py.import("asyncio.log")?
                .getattr("logger")?
                .call_method1("warning", ("socket.send() raised exception.",))?;
        }
        Ok(true)
    }
}

/// Flow-control callbacks come from `write()` too, where the context is often entered already.
fn in_context_or_bare<T>(py: Python<'_>, context: &Py<PyAny>, work: impl Fn() -> PyResult<T>) -> PyResult<T> {
    // SAFETY: the GIL is held and the context is a live object.
    if unsafe { pyo3::ffi::PyContext_Enter(context.as_ptr()) } < 0 {
        drop(PyErr::take(py));
        return work();
    }
    let result = work();
    // SAFETY: as above; it was entered by this function.
    if unsafe { pyo3::ffi::PyContext_Exit(context.as_ptr()) } < 0 {
        return Err(PyErr::fetch(py));
    }
    result
}

/// Tells the server that one of its connections is gone.
fn detach(transport: &Bound<'_, SocketTransport>, server: &Py<PyAny>) -> PyResult<()> {
    let py = transport.py();
    if py.version_info() >= (3, 13) {
        server.call_method1(py, "_detach", (transport,))?;
    } else {
        server.call_method0(py, "_detach")?;
    }
    Ok(())
}

/// Accepts what asyncio accepts; mutable buffers are copied, as the caller may change them.
fn as_bytes<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if data.is_instance_of::<PyByteArray>() || data.is_instance_of::<PyMemoryView>() {
        return Ok(data.py().get_type::<PyBytes>().call1((data,))?.cast_into::<PyBytes>()?);
    }
    Err(PyTypeError::new_err(format!(
        "data argument must be a bytes-like object, not {:?}",
        data.get_type().name()?.to_string()
    )))
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
        if let Ok(references) = socket.getattr(py, "_io_refs") {
            // Keeps the descriptor open until the transport is done with it (see `SocketFd`).
            socket.setattr(py, "_io_refs", references.bind(py).add(1)?)?;
        }
        let registration = register(py, &state, fd)?;
        Ok(Self {
            python_loop: python_loop.clone().into_any().unbind(),
            state,
            context: current_context(py)?,
            extra,
            connection: GilCell::new(Connection::new(registration, socket, server, protocol)),
        })
    }

    /// Starts the task that reads and writes; queued behind `connection_made`.
    fn _start(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        this.connection.borrow_mut(py).started = true;
        this.state.spawn(py, SocketTask(slf.clone().unbind()));
    }

    /// Writes bytes; what the socket does not take at once is buffered (asyncio.WriteTransport).
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = as_bytes(data)?;
        if slf.get().connection.borrow(slf.py()).write_ended {
            return Err(PyRuntimeError::new_err("Cannot call write() after write_eof()"));
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

    fn get_write_buffer_size(&self, py: Python<'_>) -> usize {
        self.connection.borrow(py).output.len()
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
    fn get_extra_info(&self, py: Python<'_>, name: &str, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        if name == "socket" && !self.extra.bind(py).contains(name)? {
            let socket = self.connection.borrow(py).socket.as_ref().map(|socket| socket.clone_ref(py));
            if let Some(socket) = socket {
                let wrapped = Imports::get(py)?.transport_socket.call1(py, (socket,))?;
                self.extra.bind(py).set_item(name, wrapped)?;
            }
        }
        Ok(match self.extra.bind(py).get_item(name)? {
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
        let told = protocol.call_method1(py, "connection_lost", (reason,));
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

    /// `loop.sendfile` reads the file and writes it here.
    #[classattr]
    fn _sendfile_compatible(py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.import("asyncio.constants")?.getattr("_SendfileMode")?.getattr("FALLBACK")?.unbind())
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
        format!("<SocketTransport {state} fd={fd} unwritten={}>", connection.output.len())
    }
}

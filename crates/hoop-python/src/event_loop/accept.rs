//! Listening sockets of `create_server`: connections are accepted, and their transports made, natively.
//!
//! What is observable is that of CPython's `_accept_connection` and `_accept_connection2`: all that
//! waits is accepted in one callback, the protocols are made in the next turn, each in a context of its
//! own, and in the turn after that they are told. There is no task for each connection, though.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};

use super::LoopCore;
use super::call::{Arguments, current_context, leaves_the_loop};
use super::calls;
use super::endpoint::Kind;
use super::endpoint::names::Name;
use super::readers::Direction;
use super::tls::TlsProtocol;
use super::transport::SocketTransport;
use crate::errors::os_error;
use crate::gil_cell::GilSlot;

/// The callback of a listening socket: accepts whatever waits.
#[pyclass(frozen, module = "hoopsnake._native", name = "Acceptor")]
pub struct Acceptor {
    python_loop: Py<LoopCore>,
    /// What `loop._start_serving` was given; these below are of it.
    arguments: Py<PyTuple>,
    protocol_factory: Py<PyAny>,
    listener: Py<PyAny>,
    /// The listener's number, as long as nobody but the server closes it.
    number: RawFd,
    /// What accepted sockets are made of.
    kind: Kind,
    tls: Option<Tls>,
    server: Option<Py<PyAny>>,
    backlog: usize,
}

/// What TLS over accepted connections is made with.
struct Tls {
    context: Py<PyAny>,
    /// For the handshake and for the shutdown, in seconds.
    timeouts: (Option<f64>, Option<f64>),
}

/// The arguments of `loop._start_serving`, in their order.
type Given<'py> = (
    Py<PyAny>,
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
    Option<Py<PyAny>>,
    i64,
    Option<f64>,
    Option<f64>,
);

#[pymethods]
impl Acceptor {
    #[new]
    #[pyo3(signature = (python_loop, *arguments))]
    fn new(python_loop: Py<LoopCore>, arguments: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let (protocol_factory, listener, context, server, backlog, handshake_timeout, shutdown_timeout) =
            arguments.extract::<Given<'_>>()?;
        let tls = match context {
            Some(context) if context.is_truthy()? => {
                Some(Tls { context: context.unbind(), timeouts: (handshake_timeout, shutdown_timeout) })
            }
            _ => None,
        };
        Ok(Self {
            python_loop,
            arguments: arguments.clone().unbind(),
            protocol_factory,
            kind: Kind {
                family: listener.getattr("family")?.extract()?,
                kind: listener.getattr("type")?.extract()?,
                protocol: listener.getattr("proto")?.extract()?,
            },
            number: listener.call_method0("fileno")?.extract()?,
            listener: listener.unbind(),
            tls,
            server,
            // At least one, where asyncio takes a backlog of nothing at its word and never accepts.
            backlog: usize::try_from(backlog).unwrap_or(0).max(1),
        })
    }

    fn __call__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.python_loop.get().get_debug(py) {
            // It logs every connection, and reports what it otherwise keeps quiet about.
            let accept = this.python_loop.bind(py).getattr("_accept_connection")?;
            return calls::call_with(py, &accept.unbind(), this.arguments.bind(py), None).map(drop);
        }
        let fd: RawFd = this.listener.call_method0(py, intern!(py, "fileno"))?.extract(py)?;
        if fd != this.number {
            // Somebody else has closed it. Whoever has the number now is not ours to accept from.
            this.python_loop.get().unwatch(py, this.number, Direction::Read);
            return Ok(());
        }
        let (accepted, failure) = this.accept(py);
        for (descriptor, peer) in accepted {
            Self::queue(slf, descriptor, peer)?;
        }
        match failure {
            None => Ok(()),
            Some(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                let error = os_error(&error.into()).into_value(py);
                this.python_loop.call_method1(py, "_out_of_resources", (error, &this.arguments)).map(drop)
            }
            Some(error) => Err(os_error(&error.into())),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Acceptor of {}>", self.listener.bind(py).repr()?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.python_loop)?;
        visit.call(&self.arguments)?;
        visit.call(&self.protocol_factory)?;
        visit.call(&self.listener)?;
        visit.call(&self.server)?;
        self.tls.as_ref().map_or(Ok(()), |tls| visit.call(&tls.context))
    }
}

impl Acceptor {
    /// Accepts what waits, and says why it could not go on if that is an error.
    fn accept(&self, _py: Python<'_>) -> (Vec<(OwnedFd, Name)>, Option<Errno>) {
        let mut accepted = Vec::new();
        // SAFETY: Python's socket object has just told the number. Nothing of Python's, which could
        // close it, runs before this is done: the GIL is held, and no object is made.
        let listening = unsafe { BorrowedFd::borrow_raw(self.number) };
        while accepted.len() < self.backlog {
            match acceptfrom_with(listening, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok((descriptor, peer)) => accepted.push((descriptor, peer.into())),
                Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => break,
                Err(error) => return (accepted, Some(error)),
            }
        }
        (accepted, None)
    }

    /// Queues the making of one connection's protocol and transport.
    fn queue(slf: &Bound<'_, Self>, descriptor: OwnedFd, peer: Name) -> PyResult<()> {
        let (py, state) = (slf.py(), &slf.get().python_loop.get().state);
        let context = current_context(py)?;
        let accepted = Accepted {
            acceptor: slf.clone().unbind(),
            context: context.clone_ref(py),
            connection: GilSlot::new(Some((descriptor, peer))),
        };
        let callback = Py::new(py, accepted)?.into_any();
        state.call_soon_in(py, callback, Arguments::None, context)
    }

    /// Makes the protocol and the transport.
    fn begin(&self, py: Python<'_>, descriptor: OwnedFd, peer: Name, context: &Py<PyAny>) -> PyResult<()> {
        let protocol = calls::call(py, &self.protocol_factory, &[])?;
        let python_loop = self.python_loop.bind(py);
        let protocol = match &self.tls {
            Some(tls) => {
                let context = tls.context.bind(py);
                Py::new(py, TlsProtocol::of_server(python_loop, protocol, context, tls.timeouts)?)?.into_any()
            }
            None => protocol,
        };
        python_loop.get().state.transports.check_vacant(py, &descriptor)?;
        let made = protocol.getattr(py, intern!(py, "connection_made"))?;
        let server = self.server.as_ref().map(|server| server.clone_ref(py));
        let transport =
            SocketTransport::accepted(python_loop, descriptor, self.kind, peer, protocol, server)?;
        let transport = Bound::new(py, transport)?;
        SocketTransport::attach(&transport).or_else(|refused| {
            // The server was closed meanwhile.
            transport.get().endpoint.discard(py)?;
            Err(refused)
        })?;
        SocketTransport::begin(&transport, made, context.clone_ref(py))
    }
}

/// A connection whose protocol is to be made.
#[pyclass(frozen, module = "hoopsnake._native", name = "Accepted")]
struct Accepted {
    acceptor: Py<Acceptor>,
    /// That of the factory, and of `connection_made`.
    context: Py<PyAny>,
    connection: GilSlot<(OwnedFd, Name)>,
}

#[pymethods]
impl Accepted {
    /// Makes the protocol and the transport. As in asyncio, whatever fails there costs the connection
    /// and is kept quiet about, out of debug mode.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let Some((descriptor, peer)) = self.connection.take(py) else { return Ok(()) };
        match self.acceptor.get().begin(py, descriptor, peer, &self.context) {
            Err(error) if leaves_the_loop(py, &error) => Err(error),
            _ => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.acceptor)?;
        visit.call(&self.context)
    }
}

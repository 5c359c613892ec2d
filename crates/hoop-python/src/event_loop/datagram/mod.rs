//! Datagram transports over sockets: asyncio's `DatagramTransport` with a tokio task underneath.

mod address;
mod pending;
mod receive;
mod send;

use std::os::fd::RawFd;
use std::task::Context;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use rustix::net::AddressFamily;
use tokio::io::Interest;

use self::address::Sender;
use self::pending::Pending;
use super::LoopCore;
use super::endpoint::{Drivable, Endpoint};
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// The reactor tells of what arrives, and not of room to send: a socket has room again after every
/// datagram that it sends, which would wake the task once more for each.
const ARRIVALS: Interest = Interest::READABLE;

/// Whom a socket is connected to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Nobody,
    /// A Unix socket that is bound to no path: connected, but nothing that could be named.
    Unnamed,
    /// Somebody with an address; asyncio then sends to them whatever `sendto` names.
    Named,
}

/// A datagram socket (UDP or Unix) of an event loop.
#[pyclass(frozen, weakref, module = "hoopsnake", name = "DatagramTransport")]
pub struct DatagramTransport {
    endpoint: Endpoint,
    /// What the endpoint was made for with `remote_addr`: `sendto` may name nobody else.
    address: Option<Py<PyAny>>,
    peer: Peer,
    /// None for a socket whose own methods have to be called: of a family that the engine does not
    /// know, or of a class that overrides them.
    family: Option<AddressFamily>,
    /// From Python 3.13 on a datagram may be empty.
    sends_empty: bool,
    last_sender: GilCell<Option<Sender>>,
    pending: GilCell<Pending>,
}

impl Drivable for DatagramTransport {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn drive(transport: &Bound<'_, Self>, cx: &mut Context<'_>) {
        receive::receive(transport, cx);
    }
}

/// The family of a socket whose datagrams the engine may send and receive by itself.
fn native_family(socket: &Bound<'_, PyAny>) -> PyResult<Option<AddressFamily>> {
    let py = socket.py();
    let original = py.import("_socket")?.getattr("socket")?;
    for name in ["recvfrom", "send", "sendto"] {
        let method = socket.get_type().getattr_opt(name)?;
        if !method.is_some_and(|method| original.getattr(name).is_ok_and(|known| known.is(&method))) {
            return Ok(None);
        }
    }
    let family: u16 = socket.getattr("family")?.extract()?;
    let family = AddressFamily::from_raw(family);
    let known = [AddressFamily::INET, AddressFamily::INET6, AddressFamily::UNIX];
    Ok(known.contains(&family).then_some(family))
}

#[pymethods]
impl DatagramTransport {
    /// Takes over a non-blocking socket. `connection_made` is queued, then receiving begins.
    #[new]
    #[pyo3(signature = (python_loop, socket, protocol, extra, address=None))]
    fn new(
        python_loop: &Bound<'_, LoopCore>,
        socket: Py<PyAny>,
        protocol: Py<PyAny>,
        extra: Bound<'_, PyDict>,
        address: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let py = python_loop.py();
        let address = match address {
            Some(address) if address.is_truthy(py)? => Some(address),
            _ => None,
        };
        let peer = match extra.get_item(intern!(py, "peername"))? {
            Some(name) if name.is_truthy()? => Peer::Named,
            Some(name) if !name.is_none() => Peer::Unnamed,
            _ => Peer::Nobody,
        };
        let family = native_family(socket.bind(py))?;
        let is_3_13 = py.version_info() >= (3, 13);
        Ok(Self {
            endpoint: Endpoint::take_over(python_loop, socket, protocol, Some(extra), ARRIVALS)?,
            address,
            peer,
            family,
            sends_empty: is_3_13,
            last_sender: GilCell::default(),
            pending: GilCell::new(Pending::new(is_3_13)),
        })
    }

    /// Lets receiving begin; queued behind `connection_made`.
    fn _start(slf: &Bound<'_, Self>) {
        Endpoint::start(slf);
    }

    /// Sends a datagram; if the socket does not take it at once it waits (asyncio.DatagramTransport).
    #[pyo3(signature = (data, addr=None))]
    fn sendto(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        addr: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Self::send(slf, data, addr)
    }

    /// Sends what waits; the loop calls it when the socket has room.
    fn _send_pending(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::send_pending(slf)
    }

    /// Closes once what waits is sent.
    fn close(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        if this.endpoint.begin_closing(py) && this.pending.borrow(py).is_empty() {
            this.endpoint.lose(slf.as_any(), None);
        }
    }

    /// Closes at once; what waits is lost.
    fn abort(slf: &Bound<'_, Self>) {
        Self::force_close(slf, None);
    }

    fn is_closing(&self, py: Python<'_>) -> bool {
        self.endpoint.is_closing(py)
    }

    /// Whether datagrams that arrive are delivered to the protocol.
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
        let this = slf.get();
        let pending = this.get_write_buffer_size(slf.py());
        this.endpoint.set_water_marks(slf.as_any(), high, low, pending)
    }

    /// The low and the high mark, in bytes.
    fn get_write_buffer_limits(&self, py: Python<'_>) -> (usize, usize) {
        self.endpoint.water_marks(py)
    }

    /// Bytes that the socket did not take; from Python 3.13 on, with 8 for each datagram's header.
    fn get_write_buffer_size(&self, py: Python<'_>) -> usize {
        self.pending.borrow(py).size()
    }

    fn get_protocol(&self, py: Python<'_>) -> Py<PyAny> {
        self.endpoint.protocol(py)
    }

    fn set_protocol(&self, py: Python<'_>, protocol: Py<PyAny>) {
        self.endpoint.set_protocol(py, protocol);
    }

    /// Information about the endpoint: 'peername', 'sockname' and 'socket'.
    #[pyo3(signature = (name, default=None))]
    fn get_extra_info(slf: &Bound<'_, Self>, name: &str, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        slf.get().endpoint.extra_info(slf.as_any(), name, default)
    }

    /// Ends the endpoint: tells the protocol, closes the socket.
    fn _call_connection_lost(slf: &Bound<'_, Self>, reason: Py<PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        Self::forget_pending(slf);
        let ended = this.endpoint.end(slf.as_any(), &reason);
        drop(this.last_sender.take(py));
        ended
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.endpoint.visit(&visit)?;
        visit.call(&self.address)?;
        self.pending.for_collector().map_or(Ok(()), |pending| pending.visit(&visit))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.endpoint.set_protocol(py, py.None());
        drop(self.pending.borrow_mut(py).take_all());
    }

    #[getter]
    fn _sock(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.endpoint.socket(py)
    }

    /// The descriptor's number; -1 once the endpoint has ended.
    #[getter]
    fn _sock_fd(&self, py: Python<'_>) -> RawFd {
        self.endpoint.fd(py)
    }

    #[getter]
    fn _loop(&self, py: Python<'_>) -> Py<LoopCore> {
        self.endpoint.python_loop.clone_ref(py)
    }

    #[getter]
    fn __class__(slf: &Bound<'_, Self>) -> PyResult<Py<PyType>> {
        Ok(Imports::get(slf.py())?.asyncio_datagram_transport.clone_ref(slf.py()))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let unsent = self.get_write_buffer_size(py);
        self.endpoint.describe(py, "DatagramTransport", unsent)
    }
}

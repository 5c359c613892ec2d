//! What every transport over a socket has: its loop, its socket, its protocol, and one end of life.

mod driven;
mod extra_info;
mod flow_control;
mod lifecycle;
pub mod names;
mod payload;
mod socket;
mod table;
mod woken;

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::io::Interest;

pub use self::driven::{Drivable, Driven, Slot};
pub use self::flow_control::FlowControl;
use self::names::Name;
pub use self::payload::{WRITES_AFTER_LOSS_BEFORE_WARNING, as_bytes};
use self::socket::Socket;
pub use self::socket::{Kind, Registration, borrow, settle};
pub use self::table::Transports;
pub use self::woken::{Dispatcher, Woken};
use super::LoopCore;
use super::call::current_context;
use super::state::LoopState;
use crate::gil_cell::GilCell;

/// The names of what `get_extra_info` tells.
const PEER: &str = "peername";
const LOCAL: &str = "sockname";

/// The part of a transport that does not depend on what the socket carries.
pub struct Endpoint {
    pub python_loop: Py<LoopCore>,
    /// The context that protocol callbacks run in: that of the code that made the transport.
    pub context: Py<PyAny>,
    link: GilCell<Link>,
}

/// What changes of it.
struct Link {
    /// None once the connection is lost: then no I/O happens any more. It stands before the socket, as
    /// it has to be dropped first.
    registration: Option<Registration>,
    /// The descriptor's number, under which the loop knows the transport.
    number: RawFd,
    socket: Socket,
    protocol: Py<PyAny>,
    /// What `get_extra_info` has told, or was made with.
    extra: Option<Py<PyDict>>,
    /// The other end's address, from when the connection was made.
    peer: Name,
    /// This end's address, from when the connection was lost.
    local: Option<Box<Name>>,
    /// The loop keeps the transport, and drives it.
    adopted: bool,
    /// `connection_made` has been queued ahead, so reading may begin.
    started: bool,
    reading_paused: bool,
    closing: bool,
    /// `connection_lost` is queued, or was called.
    lost: bool,
    /// `loop.sendfile` has the descriptor for itself.
    lent: bool,
    writes_after_loss: u32,
    flow: FlowControl,
}

impl Link {
    /// The descriptor's number; -1 once the connection is lost.
    fn fd(&self) -> RawFd {
        if self.registration.is_some() { self.number } else { -1 }
    }
}

impl Endpoint {
    /// Takes over a non-blocking Python socket; the reactor tells of what is in `interest`.
    pub fn take_over(
        python_loop: &Bound<'_, LoopCore>,
        socket: Py<PyAny>,
        protocol: Py<PyAny>,
        extra: Option<Bound<'_, PyDict>>,
        interest: Interest,
    ) -> PyResult<Self> {
        let py = python_loop.py();
        let extra = extra.map(|extra| extra.copy()).transpose()?.map(Bound::unbind);
        let registration = socket::take_over(py, &python_loop.get().state, &socket, interest)?;
        let told = extra.as_ref().map(|extra| extra.bind(py).contains(PEER)).transpose()? == Some(true);
        // Asked now: nobody can tell it any more once the peer has left.
        let peer = if told { None } else { rustix::net::getpeername(borrow(&registration)).ok().flatten() };
        let peer = Name::from(peer);
        Self::new(python_loop, registration, Socket::Python(socket), peer, protocol, extra)
    }

    /// Takes a connection that the engine has accepted, and owns.
    pub fn accepted(
        python_loop: &Bound<'_, LoopCore>,
        (descriptor, kind): (OwnedFd, Kind),
        peer: Name,
        protocol: Py<PyAny>,
        interest: Interest,
    ) -> PyResult<Self> {
        let state = &python_loop.get().state;
        let registration = socket::register(python_loop.py(), state, descriptor.as_raw_fd(), interest)?;
        Self::new(python_loop, registration, Socket::Engine(descriptor, kind), peer, protocol, None)
    }

    fn new(
        python_loop: &Bound<'_, LoopCore>,
        registration: Registration,
        socket: Socket,
        peer: Name,
        protocol: Py<PyAny>,
        extra: Option<Py<PyDict>>,
    ) -> PyResult<Self> {
        Ok(Self {
            python_loop: python_loop.clone().unbind(),
            context: current_context(python_loop.py())?,
            link: GilCell::new(Link {
                number: registration.as_raw_fd(),
                registration: Some(registration),
                socket,
                protocol,
                extra,
                peer,
                local: None,
                adopted: false,
                started: false,
                reading_paused: false,
                closing: false,
                lost: false,
                lent: false,
                writes_after_loss: 0,
                flow: FlowControl::default(),
            }),
        })
    }

    /// What the loop shares with its transports.
    pub fn state(&self) -> &Arc<LoopState> {
        &self.python_loop.get().state
    }

    /// Whether the connection is there to be read or written.
    pub fn is_open(&self, py: Python<'_>) -> bool {
        self.link.borrow(py).registration.is_some()
    }

    pub fn registration(&self, py: Python<'_>) -> Option<Registration> {
        self.link.borrow(py).registration.clone()
    }

    /// Registers the socket anew, so that the reactor forgets what it has told. Whoever calls it has
    /// let go of the old registration. If it fails, no I/O happens any more.
    pub fn register_anew(&self, py: Python<'_>, interest: Interest) -> PyResult<()> {
        let old = self.link.borrow_mut(py).registration.take();
        if old.is_some() {
            drop(old);
            let number = self.link.borrow(py).number;
            let registration = socket::register(py, self.state(), number, interest)?;
            self.link.borrow_mut(py).registration = Some(registration);
        }
        Ok(())
    }

    /// The descriptor's number; -1 once the connection is lost.
    pub fn fd(&self, py: Python<'_>) -> RawFd {
        self.link.borrow(py).fd()
    }

    pub fn protocol(&self, py: Python<'_>) -> Py<PyAny> {
        self.link.borrow(py).protocol.clone_ref(py)
    }

    pub fn set_protocol(&self, py: Python<'_>, protocol: Py<PyAny>) {
        let replaced = std::mem::replace(&mut self.link.borrow_mut(py).protocol, protocol);
        drop(replaced);
    }

    /// Makes the loop keep the transport and drive it, until the connection is lost.
    pub fn adopt<T: Drivable>(transport: &Bound<'_, T>) {
        let (py, endpoint) = (transport.py(), transport.get().endpoint());
        let is_news = !std::mem::replace(&mut endpoint.link.borrow_mut(py).adopted, true);
        if is_news && endpoint.is_open(py) {
            endpoint.state().keep_driven(py, endpoint.fd(py), transport.clone().unbind());
        }
    }

    /// Lets reading begin; queued behind `connection_made`.
    pub fn start<T: Drivable>(transport: &Bound<'_, T>) {
        Self::adopt(transport);
        let (py, endpoint) = (transport.py(), transport.get().endpoint());
        endpoint.link.borrow_mut(py).started = true;
        endpoint.wake_up(py);
    }

    /// Whether `loop.sendfile` has the descriptor for itself, so that it may be watched.
    pub fn is_lent(&self, py: Python<'_>) -> bool {
        self.link.borrow(py).lent
    }

    pub fn set_lent(&self, py: Python<'_>, lent: bool) {
        self.link.borrow_mut(py).lent = lent;
    }

    /// Whether what arrives should be read now.
    pub fn wants_data(&self, py: Python<'_>) -> bool {
        let link = self.link.borrow(py);
        link.started && !link.reading_paused && !link.closing
    }

    pub fn is_reading(&self, py: Python<'_>) -> bool {
        let link = self.link.borrow(py);
        !link.reading_paused && !link.closing
    }

    pub fn pause_reading(&self, py: Python<'_>) {
        let mut link = self.link.borrow_mut(py);
        if !link.closing {
            link.reading_paused = true;
        }
    }

    pub fn resume_reading(&self, py: Python<'_>) {
        let resumed = {
            let mut link = self.link.borrow_mut(py);
            !link.closing && std::mem::take(&mut link.reading_paused)
        };
        if resumed {
            self.wake_up(py);
        }
    }

    /// Has the loop look at what changed.
    pub fn wake_up(&self, py: Python<'_>) {
        if let Some(slot) = self.state().transports.with_descriptor(py, self.fd(py)) {
            slot.wake_up();
        }
    }

    /// How a transport shows itself.
    pub fn describe(&self, py: Python<'_>, class_name: &str, unwritten: usize) -> String {
        let link = self.link.borrow(py);
        let state = match (link.lost, link.closing) {
            (true, _) => "closed",
            (false, true) => "closing",
            (false, false) if link.reading_paused => "open, reading paused",
            (false, false) => "open",
        };
        format!("<{class_name} {state} fd={} unwritten={unwritten}>", link.fd())
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.python_loop)?;
        visit.call(&self.context)?;
        self.link.for_collector().map_or(Ok(()), |link| {
            visit.call(&link.extra)?;
            if let Socket::Python(socket) = &link.socket {
                visit.call(socket)?;
            }
            visit.call(&link.protocol)
        })
    }
}

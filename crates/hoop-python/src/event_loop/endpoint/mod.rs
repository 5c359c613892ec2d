//! What every transport over a socket has: its loop, its socket, its protocol, and one end of life.

mod driven;
mod flow_control;
mod lifecycle;
mod payload;
mod socket;

use std::os::fd::RawFd;
use std::sync::Arc;
use std::task::{Context, Waker};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::io::Interest;

pub use self::driven::{Drivable, Driven, Slot};
pub use self::flow_control::FlowControl;
pub use self::payload::as_bytes;
pub use self::socket::{Registration, borrow, settle};
use super::LoopCore;
use super::handle::current_context;
use super::state::LoopState;
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// The part of a transport that does not depend on what the socket carries.
pub struct Endpoint {
    pub python_loop: Py<LoopCore>,
    pub state: Arc<LoopState>,
    /// The context that protocol callbacks run in: that of the code that made the transport.
    pub context: Py<PyAny>,
    extra: Py<PyDict>,
    link: GilCell<Link>,
}

/// What changes of it.
struct Link {
    /// None once the connection is lost: then no I/O happens any more.
    registration: Option<Registration>,
    /// Kept when the connection is lost: `get_extra_info` still tells it.
    socket: Py<PyAny>,
    protocol: Py<PyAny>,
    task_waker: Option<Waker>,
    /// `connection_made` has been queued ahead of the task, so reading may begin.
    started: bool,
    reading_paused: bool,
    closing: bool,
    /// `connection_lost` is queued, or was called.
    lost: bool,
    writes_after_loss: u32,
    flow: FlowControl,
}

impl Endpoint {
    /// Takes over a non-blocking Python socket; the reactor tells of what is in `interest`.
    pub fn take_over(
        python_loop: &Bound<'_, LoopCore>,
        socket: Py<PyAny>,
        protocol: Py<PyAny>,
        extra: Py<PyDict>,
        interest: Interest,
    ) -> PyResult<Self> {
        let py = python_loop.py();
        let state = python_loop.get().state.clone();
        let context = current_context(py)?;
        let registration = socket::take_over(py, &state, &socket, interest)?;
        Ok(Self {
            python_loop: python_loop.clone().unbind(),
            state,
            context,
            extra,
            link: GilCell::new(Link {
                registration: Some(registration),
                socket,
                protocol,
                task_waker: None,
                started: false,
                reading_paused: false,
                closing: false,
                lost: false,
                writes_after_loss: 0,
                flow: FlowControl::default(),
            }),
        })
    }

    /// Whether the connection is there to be read or written.
    pub fn is_open(&self, py: Python<'_>) -> bool {
        self.link.borrow(py).registration.is_some()
    }

    pub fn registration(&self, py: Python<'_>) -> Option<Registration> {
        self.link.borrow(py).registration.clone()
    }

    /// Registers the socket anew, so that the reactor forgets what it has told. Whoever calls it has
    /// let go of the old registration.
    pub fn register_anew(&self, py: Python<'_>, interest: Interest) -> PyResult<()> {
        let old = self.link.borrow_mut(py).registration.take();
        if let Some(old) = old {
            let fd = old.get_ref().0;
            drop(old);
            let registration = socket::register(py, &self.state, fd, interest)?;
            self.link.borrow_mut(py).registration = Some(registration);
        }
        Ok(())
    }

    /// The descriptor's number; -1 once the connection is lost.
    pub fn fd(&self, py: Python<'_>) -> RawFd {
        self.link.borrow(py).registration.as_ref().map_or(-1, |registration| registration.get_ref().0)
    }

    pub fn socket(&self, py: Python<'_>) -> Py<PyAny> {
        self.link.borrow(py).socket.clone_ref(py)
    }

    pub fn protocol(&self, py: Python<'_>) -> Py<PyAny> {
        self.link.borrow(py).protocol.clone_ref(py)
    }

    pub fn set_protocol(&self, py: Python<'_>, protocol: Py<PyAny>) {
        let replaced = std::mem::replace(&mut self.link.borrow_mut(py).protocol, protocol);
        drop(replaced);
    }

    /// Starts the task that drives the transport; queued behind `connection_made`.
    pub fn start<T: Drivable>(&self, transport: &Bound<'_, T>) -> Arc<Driven<T>> {
        let py = transport.py();
        self.link.borrow_mut(py).started = true;
        self.state.keep_driven(py, transport.clone().unbind())
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
        let mut link = self.link.borrow_mut(py);
        if link.reading_paused && !link.closing {
            link.reading_paused = false;
            link.wake_task();
        }
    }

    /// Remembers how to wake the transport's task.
    pub fn set_task_waker(&self, py: Python<'_>, cx: &Context<'_>) {
        let mut link = self.link.borrow_mut(py);
        if link.task_waker.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
            link.task_waker = Some(cx.waker().clone());
        }
    }

    /// Lets the transport's task look at what changed.
    pub fn wake_task(&self, py: Python<'_>) {
        self.link.borrow(py).wake_task();
    }

    /// What `get_extra_info` answers; the socket is wrapped when it is first asked for.
    pub fn extra_info(
        &self,
        transport: &Bound<'_, PyAny>,
        name: &str,
        default: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let py = transport.py();
        let extra = self.extra.bind(py);
        if name == "socket" && !extra.contains(name)? {
            let wrapped = Imports::get(py)?.transport_socket.call1(py, (self.socket(py), transport))?;
            extra.set_item(name, wrapped)?;
        }
        Ok(match extra.get_item(name)? {
            Some(value) => value.unbind(),
            None => default.unwrap_or_else(|| py.None()),
        })
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
        let fd = link.registration.as_ref().map_or(-1, |registration| registration.get_ref().0);
        format!("<{class_name} {state} fd={fd} unwritten={unwritten}>")
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.python_loop)?;
        visit.call(&self.context)?;
        visit.call(&self.extra)?;
        self.link.for_collector().map_or(Ok(()), |link| {
            visit.call(&link.socket)?;
            visit.call(&link.protocol)
        })
    }
}

impl Link {
    fn wake_task(&self) {
        if let Some(waker) = &self.task_waker {
            waker.wake_by_ref();
        }
    }
}

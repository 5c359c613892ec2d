//! Transports that a loop keeps alive and drives, each in a slot of its own.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use pyo3::PyClass;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::Endpoint;
use super::woken::Woken;
use crate::gil_cell::GilSlot;

/// A transport that is driven.
pub trait Drivable: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync {
    fn endpoint(&self) -> &Endpoint;
    /// Does what the reactor, or the program, has woken the transport for.
    fn drive(transport: &Bound<'_, Self>, cx: &mut Context<'_>);
}

/// A transport that the loop keeps alive because its connection is open.
///
/// The loop's table owns the slot. The reactor's wakers share it, and so do not own the transport: the
/// garbage collector sees through the loop, and not into tokio.
pub struct Driven<T> {
    transport: GilSlot<Py<T>>,
    woken: Arc<Woken>,
    /// Whether it is in the list of `woken`. The reactor wakes without the GIL.
    is_woken: AtomicBool,
}

impl<T> fmt::Debug for Driven<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Driven").field(&self.transport).finish()
    }
}

impl<T: Drivable> Driven<T> {
    pub fn new(transport: Py<T>, woken: Arc<Woken>) -> Self {
        Self { transport: GilSlot::new(Some(transport)), woken, is_woken: AtomicBool::new(false) }
    }

    fn transport(&self, py: Python<'_>) -> Option<Py<T>> {
        self.transport.look(py, |transport| transport.clone_ref(py))
    }
}

impl<T: Drivable> Wake for Driven<T> {
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            let woken = self.woken.clone();
            woken.push(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.woken.push(self.clone());
        }
    }
}

/// What the loop does with such a transport, of whichever class.
pub trait Slot: fmt::Debug + Send + Sync {
    /// Has the transport driven soon.
    fn wake_up(self: Arc<Self>);
    /// Drives the transport, if it is still there.
    fn drive(self: Arc<Self>, py: Python<'_>);
    /// Whether it is this transport's.
    fn belongs_to(&self, transport: &Bound<'_, PyAny>) -> bool;
    /// The transport, unless the loop has let go of it.
    fn shown(&self, py: Python<'_>) -> Option<Py<PyAny>>;
    /// Whether there is a transport whose connection is open.
    fn is_open(&self, py: Python<'_>) -> bool;
    /// Lets go of the transport.
    fn let_go(&self, py: Python<'_>);
    /// Shows the garbage collector the transport.
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

impl<T: Drivable> Slot for Driven<T> {
    fn wake_up(self: Arc<Self>) {
        self.wake();
    }

    fn drive(self: Arc<Self>, py: Python<'_>) {
        // What wakes it from now on, it may not have seen.
        self.is_woken.store(false, Ordering::Release);
        let Some(transport) = self.transport(py) else { return };
        let waker = Waker::from(self.clone());
        let driven = catch_unwind(AssertUnwindSafe(|| {
            T::drive(transport.bind(py), &mut Context::from_waker(&waker));
        }));
        if driven.is_err() {
            // A mistake of ours, which the panic has told: it costs this connection and no other.
            self.let_go(py);
        }
    }

    fn belongs_to(&self, transport: &Bound<'_, PyAny>) -> bool {
        self.transport.look(transport.py(), |known| transport.is(known)).unwrap_or(false)
    }

    fn shown(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.transport(py).map(Py::into_any)
    }

    fn is_open(&self, py: Python<'_>) -> bool {
        self.transport(py).is_some_and(|transport| transport.get().endpoint().is_open(py))
    }

    fn let_go(&self, py: Python<'_>) {
        drop(self.transport.take(py));
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.transport.look_for_collector(|transport| visit.call(transport)).unwrap_or(Ok(()))
    }
}

//! Transports that the loop keeps alive while their task runs.

use std::fmt;

use pyo3::PyClass;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::gil_cell::GilCell;

/// A transport that has a task.
pub trait Drivable: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync {
    /// Whether its connection is open.
    fn is_open(&self, py: Python<'_>) -> bool;
}

/// A transport that the loop keeps alive because its connection is open.
///
/// The task that drives it shares this slot and does not own the transport, so that the garbage
/// collector sees through the loop, and not into tokio, who does.
pub struct Driven<T>(GilCell<Option<Py<T>>>);

impl<T> fmt::Debug for Driven<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Driven").field(&self.0).finish()
    }
}

impl<T> Driven<T> {
    pub fn new(transport: Py<T>) -> Self {
        Self(GilCell::new(Some(transport)))
    }

    /// The transport, unless the loop has let go of it.
    pub fn transport(&self, py: Python<'_>) -> Option<Py<T>> {
        self.0.borrow(py).as_ref().map(|transport| transport.clone_ref(py))
    }
}

/// What the loop does with such a transport, of whichever class.
pub trait Slot: fmt::Debug {
    /// Whether there is a transport whose connection is open.
    fn is_open(&self, py: Python<'_>) -> bool;
    /// Lets go of the transport.
    fn let_go(&self, py: Python<'_>);
    /// Shows the garbage collector the transport.
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

impl<T: Drivable> Slot for Driven<T> {
    fn is_open(&self, py: Python<'_>) -> bool {
        self.transport(py).is_some_and(|transport| transport.get().is_open(py))
    }

    fn let_go(&self, py: Python<'_>) {
        drop(self.0.take(py));
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.for_collector().as_deref() {
            Some(Some(transport)) => visit.call(transport),
            _ => Ok(()),
        }
    }
}

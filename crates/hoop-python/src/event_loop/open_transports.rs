//! The transports of a loop: kept for as long as they are open, and found by their descriptors.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::endpoint::{Dispatcher, Drivable, Driven, Slot, Transports, Woken};
use crate::gil_cell::GilCell;

/// A loop's transports, and which of them have something to do.
#[derive(Debug, Default)]
pub struct OpenTransports {
    table: GilCell<Transports>,
    woken: Arc<Woken>,
    /// Whether the task that drives them was started.
    dispatching: GilCell<bool>,
}

impl OpenTransports {
    /// The task that is to drive them, if it was not taken before.
    pub fn take_dispatcher(&self, py: Python<'_>) -> Option<Dispatcher> {
        if self.dispatching.get(py) {
            return None;
        }
        self.dispatching.set(py, true);
        Some(Dispatcher::new(self.woken.clone()))
    }

    /// Keeps a transport alive until it is forgotten or the loop is closed.
    pub fn keep<T: Drivable>(&self, py: Python<'_>, fd: RawFd, transport: Py<T>) {
        let slot: Arc<dyn Slot> = Arc::new(Driven::new(transport, self.woken.clone()));
        let displaced = self.table.borrow_mut(py).put(fd, slot);
        if let Some(displaced) = displaced {
            // Somebody has closed its descriptor: it will not hear of anything again.
            displaced.let_go(py);
        }
    }

    /// Lets go of a transport whose connection is lost.
    pub fn forget(&self, fd: RawFd, transport: &Bound<'_, PyAny>) {
        let py = transport.py();
        let slot = self.table.borrow_mut(py).remove(fd, transport);
        if let Some(slot) = slot {
            slot.let_go(py);
        }
    }

    /// Refuses a new descriptor whose number an open transport has: somebody has closed it there, and
    /// what that one still writes would go to another peer.
    pub fn check_vacant(&self, py: Python<'_>, descriptor: &OwnedFd) -> PyResult<()> {
        let fd = descriptor.as_raw_fd();
        match self.with_descriptor(py, fd).and_then(|slot| slot.shown(py)) {
            Some(transport) if !transport.call_method0(py, intern!(py, "is_closing"))?.is_truthy(py)? => {
                let shown = transport.bind(py).repr()?;
                Err(PyRuntimeError::new_err(format!("File descriptor {fd} is used by transport {shown}")))
            }
            _ => Ok(()),
        }
    }

    /// The place of the transport that has a descriptor.
    pub fn with_descriptor(&self, py: Python<'_>, fd: RawFd) -> Option<Arc<dyn Slot>> {
        self.table.borrow(py).get(fd).cloned()
    }

    /// All of them, as Python has them.
    pub fn shown(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.table.borrow(py).iter().filter_map(|slot| slot.shown(py)).collect()
    }

    /// How many there are whose connection is open.
    pub fn open(&self, py: Python<'_>) -> usize {
        let slots: Vec<_> = self.table.borrow(py).iter().cloned().collect();
        slots.iter().filter(|slot| slot.is_open(py)).count()
    }

    /// Lets go of all of them, for a loop that will not run any more.
    pub fn clear(&self, py: Python<'_>) {
        drop(self.woken.take_all());
        let table = self.table.take(py);
        for slot in table.iter() {
            slot.let_go(py);
        }
    }

    /// Shows the garbage collector what is kept.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.table.for_collector() {
            Some(table) => table.iter().try_for_each(|slot| slot.visit(visit)),
            None => Ok(()),
        }
    }
}

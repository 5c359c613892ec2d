//! The connections of a server, as `asyncio.Server` counts and ends them from Python 3.13 on.
//!
//! Its own set of weak references takes 140 bytes for each connection, and the loop knows them anyway.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::LoopCore;
use super::state::LoopState;
use super::transport::SocketTransport;

/// `server._clients`: the transports that a server was told of, and not yet that they are gone.
#[pyclass(frozen, module = "hoopsnake._native", name = "Clients")]
pub struct Clients {
    state: Weak<LoopState>,
    count: Arc<AtomicUsize>,
}

/// A connection's part in the number of its server's. It goes with the transport, at the latest.
#[derive(Debug)]
pub struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[pymethods]
impl Clients {
    #[new]
    fn new(python_loop: &Bound<'_, LoopCore>) -> Self {
        Self { state: Arc::downgrade(&python_loop.get().state), count: Arc::default() }
    }

    /// A connection is there.
    fn add(&self, transport: &Bound<'_, SocketTransport>) {
        transport.get().set_counted(transport.py(), Some(Counted::new(&self.count)));
    }

    /// It is gone; harmless if that is known.
    fn discard(&self, transport: &Bound<'_, SocketTransport>) {
        transport.get().set_counted(transport.py(), None);
    }

    /// Those that are there.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let open = self.state.upgrade().map_or_else(Vec::new, |state| state.transports.shown(py));
        let is_ours = |transport: &Bound<'py, PyAny>| {
            transport.cast::<SocketTransport>().is_ok_and(|transport| {
                transport.get().is_counted(py, |counted| Arc::ptr_eq(&counted.0, &self.count))
            })
        };
        PyList::new(
            py,
            open.into_iter().map(|transport| transport.into_bound(py)).filter(is_ours).collect::<Vec<_>>(),
        )
    }

    fn __len__(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

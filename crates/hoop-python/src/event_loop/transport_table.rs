//! `loop._transports`: what the standard library's code asks and tells of descriptors that are taken.

use std::os::fd::RawFd;
use std::sync::{Arc, Weak};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

use super::LoopCore;
use super::datagram::DatagramTransport;
use super::endpoint::{Drivable, Endpoint};
use super::state::LoopState;
use super::transport::SocketTransport;

/// The loop's transports by their descriptors, but for those whose descriptor is lent.
#[pyclass(frozen, module = "hoopsnake._native", name = "TransportTable")]
pub struct TransportTable(Weak<LoopState>);

/// What is the same for both classes of transports.
fn endpoint<'a>(transport: &'a Bound<'_, PyAny>) -> Option<&'a Endpoint> {
    if let Ok(transport) = transport.cast::<SocketTransport>() {
        return Some(transport.get().endpoint());
    }
    transport.cast::<DatagramTransport>().ok().map(|transport| transport.get().endpoint())
}

impl TransportTable {
    fn find<'py>(&self, py: Python<'py>, fd: RawFd) -> Option<Bound<'py, PyAny>> {
        Some(self.0.upgrade()?.transports.with_descriptor(py, fd)?.shown(py)?.into_bound(py))
    }
}

#[pymethods]
impl TransportTable {
    #[new]
    fn new(python_loop: &Bound<'_, LoopCore>) -> Self {
        Self(Arc::downgrade(&python_loop.get().state))
    }

    /// The transport that has a descriptor for itself.
    #[pyo3(signature = (fd, default=None))]
    fn get(&self, py: Python<'_>, fd: RawFd, default: Option<Py<PyAny>>) -> Py<PyAny> {
        match self.find(py, fd) {
            Some(transport) if endpoint(&transport).is_some_and(|it| !it.is_lent(py)) => transport.unbind(),
            _ => default.unwrap_or_else(|| py.None()),
        }
    }

    fn __getitem__(&self, py: Python<'_>, fd: RawFd) -> PyResult<Py<PyAny>> {
        let found = self.get(py, fd, None);
        if found.is_none(py) { Err(PyKeyError::new_err(fd)) } else { Ok(found) }
    }

    /// `loop.sendfile` takes the descriptor for itself, to watch it.
    fn __delitem__(&self, py: Python<'_>, fd: RawFd) -> PyResult<()> {
        let transport = self.find(py, fd).ok_or_else(|| PyKeyError::new_err(fd))?;
        if let Some(endpoint) = endpoint(&transport) {
            endpoint.set_lent(py, true);
        }
        Ok(())
    }

    /// A new transport, or the end of such a loan.
    fn __setitem__(&self, py: Python<'_>, _fd: RawFd, transport: &Bound<'_, PyAny>) {
        if let Ok(transport) = transport.cast::<SocketTransport>() {
            Endpoint::adopt(transport);
        } else if let Ok(transport) = transport.cast::<DatagramTransport>() {
            Endpoint::adopt(transport);
        }
        if let Some(endpoint) = endpoint(transport) {
            endpoint.set_lent(py, false);
        }
    }
}

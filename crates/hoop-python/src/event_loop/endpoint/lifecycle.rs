//! How a transport ends, once, and whom it tells.

use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::Endpoint;
use crate::event_loop::call::{Arguments, leaves_the_loop};
use crate::event_loop::calls;

impl Endpoint {
    pub fn is_closing(&self, py: Python<'_>) -> bool {
        self.link.borrow(py).closing
    }

    /// From now on nothing is read; says whether that was news.
    pub fn begin_closing(&self, py: Python<'_>) -> bool {
        !std::mem::replace(&mut self.link.borrow_mut(py).closing, true)
    }

    /// Hands an exception to the loop's exception handler, with the transport and its protocol.
    pub fn report(&self, transport: &Bound<'_, PyAny>, message: &str, error: PyErr) {
        let py = transport.py();
        let context = PyDict::new(py);
        let described = context
            .set_item("transport", transport)
            .and_then(|()| context.set_item("protocol", self.protocol(py)));
        self.state().handle_exception(py, message, error, described.is_ok().then_some(&context));
    }

    /// Reports an error, unless it is the everyday loss of a peer. Says whether it ends the
    /// connection; if not, it ends the loop.
    pub fn ends_by(&self, transport: &Bound<'_, PyAny>, message: &str, error: &PyErr) -> bool {
        let py = transport.py();
        if leaves_the_loop(py, error) {
            self.state().fail(py, error.clone_ref(py));
            return false;
        }
        // asyncio keeps quiet about what the network does to a connection.
        if !error.is_instance_of::<PyOSError>(py) {
            self.report(transport, message, error.clone_ref(py));
        }
        true
    }

    /// Queues the transport's `_call_connection_lost`, once.
    pub fn lose(&self, transport: &Bound<'_, PyAny>, error: Option<PyErr>) {
        let py = transport.py();
        if std::mem::replace(&mut self.link.borrow_mut(py).lost, true) {
            return;
        }
        let reason = error.map_or_else(|| py.None(), |error| error.into_value(py).into_any());
        let queued = transport.getattr("_call_connection_lost").and_then(|callback| {
            let context = self.context.clone_ref(py);
            self.state().call_soon_in(py, callback.unbind(), Arguments::One(reason), context)
        });
        if let Err(error) = queued {
            self.state().handle_exception(py, "connection_lost() could not be queued", error, None);
        }
    }

    /// Calls `connection_lost`, closes the socket and forgets the protocol.
    pub fn end(&self, transport: &Bound<'_, PyAny>, reason: &Py<PyAny>) -> PyResult<()> {
        let py = transport.py();
        self.keep_local_name(py);
        let (registration, number) = {
            let mut link = self.link.borrow_mut(py);
            (link.registration.take(), link.number)
        };
        let told = calls::call_method(&self.protocol(py), intern!(py, "connection_lost"), &[reason]);
        self.state().transports.forget(number, transport);
        let closed = self.close_socket(py, registration);
        self.set_protocol(py, py.None());
        closed.and(told.map(drop))
    }
}

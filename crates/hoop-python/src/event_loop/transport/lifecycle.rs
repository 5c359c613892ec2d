//! How a transport ends: by end of file, by an error, by `close()` or `abort()`; but once.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::SocketTransport;
use crate::errors::os_error;
use crate::event_loop::call::in_context;
use crate::event_loop::calls;
use crate::event_loop::clients::Counted;

impl SocketTransport {
    /// The peer ended its stream: the protocol decides whether the other half stays open.
    pub(super) fn end_of_file(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        this.connection.borrow_mut(py).end_of_file_received = true;
        let protocol = this.endpoint.protocol(py);
        let keep_open = in_context(py, &this.endpoint.context, || {
            calls::call_method(&protocol, intern!(py, "eof_received"), &[])
                .and_then(|answer| answer.is_truthy(py))
        });
        match keep_open {
            Ok(true) => {}
            Ok(false) => Self::begin_close(slf),
            Err(error) => Self::fatal(slf, "Fatal error: protocol.eof_received() call failed.", error),
        }
    }

    pub(super) fn io_failed(slf: &Bound<'_, Self>, message: &str, error: &std::io::Error) {
        Self::fatal(slf, message, os_error(error));
    }

    /// Reports an error, unless it is the everyday loss of a peer, and drops the connection.
    pub(super) fn fatal(slf: &Bound<'_, Self>, message: &str, error: PyErr) {
        if slf.get().endpoint.ends_by(slf.as_any(), message, &error) {
            Self::force_close(slf, Some(error));
        }
    }

    /// Closes once the pending output is written.
    pub(super) fn begin_close(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        Self::send_held(slf);
        if this.endpoint.begin_closing(py) && this.connection.borrow(py).output.is_empty() {
            this.endpoint.lose(slf.as_any(), None);
        }
    }

    /// Closes at once; pending output is lost.
    pub(super) fn force_close(slf: &Bound<'_, Self>, error: Option<PyErr>) {
        let (py, this) = (slf.py(), slf.get());
        // What asyncio would have sent by now is sent; what the socket did not take is lost.
        Self::send_held(slf);
        this.endpoint.begin_closing(py);
        let dropped = std::mem::take(&mut this.connection.borrow_mut(py).output);
        drop(dropped);
        this.endpoint.lose(slf.as_any(), error);
    }

    /// Tells the server, if there is one, that it has a connection. A server that is closed refuses.
    pub fn attach(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let server = slf.get().connection.borrow(py).server.as_ref().map(|server| server.clone_ref(py));
        server.map_or(Ok(()), |server| Self::tell_server(slf, &server, intern!(py, "_attach")))
    }

    /// What the server counts this connection by.
    pub fn set_counted(&self, py: Python<'_>, counted: Option<Counted>) {
        self.connection.borrow_mut(py).counted = counted;
    }

    pub fn is_counted(&self, py: Python<'_>, by: impl FnOnce(&Counted) -> bool) -> bool {
        self.connection.borrow(py).counted.as_ref().is_some_and(by)
    }

    /// Tells the server that one of its connections is gone.
    pub(super) fn detach(slf: &Bound<'_, Self>, server: &Py<PyAny>) -> PyResult<()> {
        Self::tell_server(slf, server, intern!(slf.py(), "_detach"))
    }

    /// Servers know their connections from 3.13 on; before, they count them.
    fn tell_server(slf: &Bound<'_, Self>, server: &Py<PyAny>, method: &Bound<'_, PyString>) -> PyResult<()> {
        let told: &[&Py<PyAny>] = &[slf.as_any().as_unbound()];
        let told = if slf.py().version_info() >= (3, 13) { told } else { &[] };
        calls::call_method(server, method, told).map(drop)
    }
}

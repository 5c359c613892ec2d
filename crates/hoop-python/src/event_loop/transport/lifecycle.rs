//! How a transport ends: by end of file, by an error, by `close()` or `abort()`; but once.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::SocketTransport;
use crate::errors::os_error;
use crate::event_loop::calls;
use crate::event_loop::handle::{Arguments, in_context, leaves_the_loop};

impl SocketTransport {
    /// The peer ended its stream: the protocol decides whether the other half stays open.
    pub(super) fn end_of_file(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        this.connection.borrow_mut(py).end_of_file_received = true;
        let protocol = this.protocol(py);
        let keep_open = in_context(py, &this.context, || {
            calls::call_method(py, &protocol, "eof_received", &[]).and_then(|answer| answer.is_truthy(py))
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
        let py = slf.py();
        if leaves_the_loop(py, &error) {
            slf.get().state.fail(py, error);
            return;
        }
        // asyncio keeps quiet about what the network does to a connection.
        if !error.is_instance_of::<PyOSError>(py) {
            Self::report(slf, message, error.clone_ref(py));
        }
        Self::force_close(slf, Some(error));
    }

    pub(super) fn report(slf: &Bound<'_, Self>, message: &str, error: PyErr) {
        let (py, this) = (slf.py(), slf.get());
        let context = PyDict::new(py);
        let described =
            context.set_item("transport", slf).and_then(|()| context.set_item("protocol", this.protocol(py)));
        this.state.handle_exception(py, message, error, described.is_ok().then_some(&context));
    }

    /// Closes once the pending output is written.
    pub(super) fn begin_close(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        Self::send_held(slf);
        let drained = {
            let mut connection = this.connection.borrow_mut(py);
            if connection.closing {
                return;
            }
            connection.closing = true;
            connection.output.is_empty()
        };
        if drained {
            Self::lose(slf, None);
        }
    }

    /// Closes at once; pending output is lost.
    pub(super) fn force_close(slf: &Bound<'_, Self>, error: Option<PyErr>) {
        let (py, this) = (slf.py(), slf.get());
        // What asyncio would have sent by now is sent; what the socket did not take is lost.
        Self::send_held(slf);
        let dropped = {
            let mut connection = this.connection.borrow_mut(py);
            connection.closing = true;
            std::mem::take(&mut connection.output)
        };
        drop(dropped);
        Self::lose(slf, error);
    }

    /// Queues `connection_lost`, once.
    pub(super) fn lose(slf: &Bound<'_, Self>, error: Option<PyErr>) {
        let (py, this) = (slf.py(), slf.get());
        {
            let mut connection = this.connection.borrow_mut(py);
            if std::mem::replace(&mut connection.lost, true) {
                return;
            }
        }
        let reason = error.map_or_else(|| py.None(), |error| error.into_value(py).into_any());
        let queued = slf.getattr("_call_connection_lost").and_then(|callback| {
            this.state.call_soon_in(py, callback.unbind(), Arguments::One(reason), this.context.clone_ref(py))
        });
        if let Err(error) = queued {
            this.state.handle_exception(py, "connection_lost() could not be queued", error, None);
        }
    }
}

/// Tells the server that one of its connections is gone.
pub(super) fn detach(transport: &Bound<'_, SocketTransport>, server: &Py<PyAny>) -> PyResult<()> {
    let py = transport.py();
    if py.version_info() >= (3, 13) {
        server.call_method1(py, "_detach", (transport,))?;
    } else {
        server.call_method0(py, "_detach")?;
    }
    Ok(())
}

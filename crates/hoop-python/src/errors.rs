//! The one conversion of the engine's errors into Python exceptions.

use std::io;

use hoop_form::Flaw;
use hoop_net::{FilesError, ListenError, TlsError};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::imports::Imports;

/// An `OSError` with errno, so that Python picks the subclass (`ConnectionResetError`, …) itself.
pub fn os_error(error: &io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((number, text))
        }
        None => PyOSError::new_err(error.to_string()),
    }
}

/// asyncio's words for a loop that is used after `close()`.
pub fn loop_is_closed() -> PyErr {
    PyRuntimeError::new_err("Event loop is closed")
}

/// `hoopsnake.ClientDisconnected`, as `send()` raises it (ASGI HTTP spec 2.4, "Send").
pub fn client_disconnected(py: Python<'_>, request: &str) -> PyErr {
    let text = format!("{request}: the client has disconnected; nothing more can be sent to it");
    of_our_own(py, |imports| &imports.client_disconnected, text)
}

/// `hoopsnake.ListenError`.
pub fn listen_error(py: Python<'_>, error: &ListenError) -> PyErr {
    of_our_own(py, |imports| &imports.listen_error, error.to_string())
}

/// `hoopsnake.ServerError`, for a setting that cannot be meant.
pub fn server_error(py: Python<'_>, text: &str) -> PyErr {
    of_our_own(py, |imports| &imports.server_error, text.to_owned())
}

/// `hoopsnake.ServerError`, for TLS files that cannot be used.
pub fn tls_error(py: Python<'_>, error: &TlsError) -> PyErr {
    of_our_own(py, |imports| &imports.server_error, error.to_string())
}

/// `hoopsnake.ServerError`, for folders that cannot be served.
pub fn files_error(py: Python<'_>, error: &FilesError) -> PyErr {
    of_our_own(py, |imports| &imports.server_error, error.to_string())
}

/// A `ValueError` for a form that is refused: why, and whether it is only too large.
pub fn form_error(flaw: Flaw) -> PyErr {
    PyValueError::new_err((flaw.to_string(), flaw.problem.is_size()))
}

/// An exception of a class that is written in Python.
fn of_our_own(py: Python<'_>, class: impl FnOnce(&Imports) -> &Py<PyAny>, text: String) -> PyErr {
    Imports::get(py)
        .and_then(|imports| class(imports).call1(py, (text,)))
        .map_or_else(|error| error, |exception| PyErr::from_value(exception.into_bound(py)))
}

/// A fault of hoopsnake itself: say so, and ask for a report.
pub fn internal(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "hoopsnake: internal error: {what}. This is a bug in hoopsnake; please report it"
    ))
}

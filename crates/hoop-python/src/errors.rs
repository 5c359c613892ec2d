//! The one conversion of the engine's errors into Python exceptions.

use std::io;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;

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

/// A fault of hoopsnake itself: say so, and ask for a report.
pub fn internal(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "hoopsnake: internal error: {what}. This is a bug in hoopsnake; please report it"
    ))
}

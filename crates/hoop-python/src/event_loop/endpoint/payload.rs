//! What a program hands to a transport to be sent.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

use super::Endpoint;
use crate::imports::Imports;

/// asyncio warns when a program keeps writing to a connection that is gone.
pub const WRITES_AFTER_LOSS_BEFORE_WARNING: u32 = 5;

/// Accepts what asyncio accepts; mutable buffers are copied, as the caller may change them.
pub fn as_bytes<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if data.is_instance_of::<PyByteArray>() || data.is_instance_of::<PyMemoryView>() {
        return Ok(data.py().get_type::<PyBytes>().call1((data,))?.cast_into::<PyBytes>()?);
    }
    Err(PyTypeError::new_err(format!(
        "data argument must be a bytes-like object, not {}",
        data.get_type().name()?.repr()?
    )))
}

impl Endpoint {
    /// Whether the connection is lost, so that what is written now goes nowhere, as in asyncio.
    pub fn is_written_off(&self, py: Python<'_>) -> PyResult<bool> {
        let writes = {
            let mut link = self.link.borrow_mut(py);
            if !link.lost {
                return Ok(false);
            }
            link.writes_after_loss += 1;
            link.writes_after_loss
        };
        if writes >= WRITES_AFTER_LOSS_BEFORE_WARNING {
            let logger = Imports::get(py)?.asyncio_logger.bind(py);
            logger.call_method1("warning", ("socket.send() raised exception.",))?;
        }
        Ok(true)
    }
}

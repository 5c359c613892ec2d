//! The receiving half of a protocol: its methods are looked up by name, as asyncio does it, because to
//! keep them bound would take 64 bytes for each connection.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::event_loop::calls;
use crate::imports::Imports;

/// How a protocol takes its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// `asyncio.Protocol`: a new bytes object for every read.
    Streaming,
    /// `asyncio.BufferedProtocol`: the protocol lends the memory to read into.
    Buffered,
}

impl Receiver {
    pub fn of(protocol: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffered = Imports::get(protocol.py())?.asyncio_buffered_protocol.bind(protocol.py());
        Ok(if protocol.is_instance(buffered)? { Self::Buffered } else { Self::Streaming })
    }
}

/// Memory lent by `get_buffer()`, held until the read is done.
pub fn lend(py: Python<'_>, protocol: &Py<PyAny>) -> PyResult<PyBuffer<u8>> {
    let any_size = (-1i32).into_pyobject(py)?.into_any().unbind();
    let lent = calls::call_method(protocol, intern!(py, "get_buffer"), &[&any_size])?;
    let memory = PyBuffer::<u8>::get(lent.bind(py))?;
    if memory.len_bytes() == 0 {
        return Err(PyRuntimeError::new_err("get_buffer() returned an empty buffer"));
    }
    if memory.readonly() || !memory.is_c_contiguous() {
        return Err(PyRuntimeError::new_err("get_buffer() returned a buffer that cannot be written to"));
    }
    Ok(memory)
}

/// What one read brought.
pub enum Delivery {
    Bytes(Py<PyBytes>),
    Count(usize),
}

impl Delivery {
    pub fn call(self, py: Python<'_>, protocol: &Py<PyAny>) -> PyResult<()> {
        match self {
            Self::Bytes(bytes) => {
                calls::call_method(protocol, intern!(py, "data_received"), &[bytes.as_any()])
            }
            Self::Count(count) => {
                let count = count.into_pyobject(py)?.into_any().unbind();
                calls::call_method(protocol, intern!(py, "buffer_updated"), &[&count])
            }
        }
        .map(drop)
    }

    /// What is reported if the protocol does not take it.
    pub fn failure(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "Fatal error: protocol.data_received() call failed.",
            Self::Count(_) => "Fatal error: protocol.buffer_updated() call failed.",
        }
    }
}

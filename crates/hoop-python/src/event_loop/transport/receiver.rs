//! The receiving half of a protocol, its methods looked up once instead of once a message.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::event_loop::calls;
use crate::imports::Imports;

/// How a protocol takes its data.
pub enum Receiver {
    /// `asyncio.Protocol`: a new bytes object for every read.
    Streaming { data_received: Py<PyAny> },
    /// `asyncio.BufferedProtocol`: the protocol lends the memory to read into.
    Buffered { get_buffer: Py<PyAny>, buffer_updated: Py<PyAny> },
    /// A protocol that has no `data_received` (yet): reading is an error of the user's.
    Deaf { protocol: Py<PyAny> },
}

impl Receiver {
    pub fn of(protocol: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffered = Imports::get(protocol.py())?.asyncio_buffered_protocol.bind(protocol.py());
        if protocol.is_instance(buffered)? {
            return Ok(Self::Buffered {
                get_buffer: protocol.getattr("get_buffer")?.unbind(),
                buffer_updated: protocol.getattr("buffer_updated")?.unbind(),
            });
        }
        Ok(match protocol.getattr_opt("data_received")? {
            Some(method) => Self::Streaming { data_received: method.unbind() },
            None => Self::Deaf { protocol: protocol.clone().unbind() },
        })
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Streaming { data_received } => visit.call(data_received),
            Self::Buffered { get_buffer, buffer_updated } => {
                visit.call(get_buffer)?;
                visit.call(buffer_updated)
            }
            Self::Deaf { protocol } => visit.call(protocol),
        }
    }

    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Streaming { data_received } => {
                Self::Streaming { data_received: data_received.clone_ref(py) }
            }
            Self::Buffered { get_buffer, buffer_updated } => Self::Buffered {
                get_buffer: get_buffer.clone_ref(py),
                buffer_updated: buffer_updated.clone_ref(py),
            },
            Self::Deaf { protocol } => Self::Deaf { protocol: protocol.clone_ref(py) },
        }
    }
}

/// Memory lent by `get_buffer()`, held until the read is done.
pub fn lend(py: Python<'_>, get_buffer: &Py<PyAny>) -> PyResult<PyBuffer<u8>> {
    let lent = calls::call(py, get_buffer, &[(-1i32).into_pyobject(py)?.as_any().as_unbound()])?;
    let memory = PyBuffer::<u8>::get(lent.bind(py))?;
    if memory.len_bytes() == 0 {
        return Err(PyRuntimeError::new_err("get_buffer() returned an empty buffer"));
    }
    if memory.readonly() || !memory.is_c_contiguous() {
        return Err(PyRuntimeError::new_err("get_buffer() returned a buffer that cannot be written to"));
    }
    Ok(memory)
}

/// What one read delivered: the protocol method to call, and with what.
pub enum Delivery {
    Bytes(Py<PyAny>, Py<PyBytes>),
    Count(Py<PyAny>, usize),
}

impl Delivery {
    pub fn call(self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Bytes(data_received, bytes) => calls::call(py, &data_received, &[bytes.as_any()]),
            Self::Count(buffer_updated, count) => {
                calls::call(py, &buffer_updated, &[count.into_pyobject(py)?.as_any().as_unbound()])
            }
        }
        .map(drop)
    }

    /// The method's name for error messages.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Bytes(..) => "data_received",
            Self::Count(..) => "buffer_updated",
        }
    }
}

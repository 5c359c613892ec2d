//! `Arrival`: a request that came to its route without ASGI, as `hoopsnake.web` is given it.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::Exchange;
use crate::asgi::conversation::{ReceiveFunction, SendFunction};
use crate::web::FormReader;

/// A request whose route is known and whose parameters are read.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Arrival {
    pub exchange: Arc<Exchange>,
    /// What the engine has read; the list is Python's to add to.
    #[pyo3(get)]
    pub arguments: Py<PyList>,
    /// What is wrong with the request, or None.
    #[pyo3(get)]
    pub errors: Option<Py<PyList>>,
    /// The body, where the route needs one.
    #[pyo3(get)]
    pub body: Option<Py<PyBytes>>,
}

#[pymethods]
impl Arrival {
    /// The ASGI scope of the request, made anew.
    fn scope<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let original = self.exchange.original.take(py);
        let Some(original) = original else {
            return Err(PyRuntimeError::new_err("the scope of this request is being made already"));
        };
        let (ends, id) = (&self.exchange.ends, self.exchange.line.request_id());
        let scope = self.exchange.server.scopes.http(py, &original.parts, ends, &original.caller, id);
        drop(self.exchange.original.replace(py, Some(original)));
        scope
    }

    /// Reads into a form what of the body is there, until something of it is to be written; whether that was
    /// all of the body.
    fn read_form(&self, py: Python<'_>, form: &FormReader) -> PyResult<bool> {
        self.exchange.read_form(py, form)
    }

    /// The `receive` of ASGI.
    #[getter]
    fn receive(&self, py: Python<'_>) -> PyResult<Py<ReceiveFunction>> {
        ReceiveFunction::create(py, self.exchange.clone())
    }

    /// The `send` of ASGI.
    #[getter]
    fn send(&self, py: Python<'_>) -> PyResult<Py<SendFunction>> {
        SendFunction::create(py, self.exchange.clone())
    }
}

//! An awaitable that is done already: what `receive()` and `send()` return when nobody has to wait.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::gil_cell::GilCell;

/// Awaiting it gives its value at once, without a turn of the loop.
#[pyclass(frozen, freelist = 64, module = "hoopsnake._native")]
#[derive(Debug)]
pub struct Completed(GilCell<Option<Py<PyAny>>>);

impl Completed {
    /// Done, with a value.
    pub fn with(py: Python<'_>, value: Py<PyAny>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Self(GilCell::new(Some(value))))?.into_any())
    }

    /// Done, with None; one object serves everybody.
    pub fn none(py: Python<'_>) -> PyResult<Py<PyAny>> {
        static NONE: PyOnceLock<Py<Completed>> = PyOnceLock::new();
        let none = NONE.get_or_try_init(py, || Py::new(py, Self(GilCell::new(None))))?;
        Ok(none.clone_ref(py).into_any())
    }
}

#[pymethods]
impl Completed {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.0.take(py) {
            // The value of an await is what StopIteration carries (PEP 492).
            Some(value) => Err(PyStopIteration::new_err((value,))),
            None => Ok(None),
        }
    }
}

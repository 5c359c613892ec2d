//! Awaitables that look for themselves, and wait for a future of asyncio's only where there is nothing yet.
//!
//! What they wait for is taken in the moment that it is handed over: whoever gives up waiting leaves it to
//! the next.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::PyIterator;

use crate::gil_cell::GilCell;

/// How far an operation has come.
pub enum Step {
    /// Done, with its value.
    Done(Py<PyAny>),
    /// Look again when this future is done.
    Wait(Py<PyAny>),
}

/// The future that is waited for, as its iterator.
#[derive(Default)]
pub struct Waiting(GilCell<Option<Py<PyIterator>>>);

impl Waiting {
    /// Goes on: what the task is to wait for, or StopIteration with the value.
    pub fn advance(&self, py: Python<'_>, mut step: impl FnMut() -> PyResult<Step>) -> PyResult<Py<PyAny>> {
        loop {
            if let Some(waiting) = self.0.take(py)
                && let Some(future) = waiting.bind(py).clone().next()
            {
                let future = future?.unbind();
                drop(self.0.replace(py, Some(waiting)));
                return Ok(future);
            }
            match step()? {
                // The value of an await is what StopIteration carries (PEP 492).
                Step::Done(value) => return Err(PyStopIteration::new_err(value)),
                Step::Wait(future) => self.wait_for(py, &future)?,
            }
        }
    }

    /// Has it wait for this future first.
    pub fn wait_for(&self, py: Python<'_>, future: &Py<PyAny>) -> PyResult<()> {
        let iterator = future.bind(py).try_iter()?.unbind();
        drop(self.0.replace(py, Some(iterator)));
        Ok(())
    }

    /// Nobody waits any more.
    pub fn give_up(&self, py: Python<'_>) {
        drop(self.0.take(py));
    }
}

/// The exception that the three forms of `throw()` mean.
pub fn thrown(kind: Bound<'_, PyAny>, value: Option<Bound<'_, PyAny>>) -> PyErr {
    PyErr::from_value(value.filter(|value| !value.is_none()).unwrap_or(kind))
}

//! A result that Rust delivers to a Python coroutine: an `asyncio.Future` and the right to settle it.

use pyo3::intern;
use pyo3::prelude::*;

use super::LoopCore;

/// The settling end of an `asyncio.Future`. A future that its waiter has cancelled is left alone.
#[derive(Debug)]
pub struct Promise(Py<PyAny>);

impl Promise {
    /// A new pending future of `python_loop`.
    pub fn new(python_loop: &Bound<'_, LoopCore>) -> PyResult<Self> {
        LoopCore::new_future(python_loop).map(Self)
    }

    /// What the coroutine awaits.
    pub fn awaitable(&self, py: Python<'_>) -> Py<PyAny> {
        self.0.clone_ref(py)
    }

    /// Whether somebody still waits: the future is neither settled nor cancelled.
    pub fn is_awaited(&self, py: Python<'_>) -> bool {
        self.0.call_method0(py, intern!(py, "done")).is_ok_and(|done| !done.is_truthy(py).unwrap_or(true))
    }

    /// Delivers `value`; says whether there was somebody to take it.
    pub fn settle(&self, py: Python<'_>, value: Py<PyAny>) -> PyResult<bool> {
        if !self.is_awaited(py) {
            return Ok(false);
        }
        self.0.call_method1(py, intern!(py, "set_result"), (value,))?;
        Ok(true)
    }
}

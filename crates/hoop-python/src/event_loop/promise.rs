//! Results that Rust delivers to Python coroutines: futures of asyncio's, and the right to settle them.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::LoopCore;
use crate::gil_cell::GilCell;

/// The settling end of an `asyncio.Future`. A future that its waiter has cancelled is left alone.
#[derive(Debug)]
pub struct Promise(Py<PyAny>);

impl Promise {
    /// A new pending future of `python_loop`.
    pub fn new(python_loop: &Bound<'_, LoopCore>) -> PyResult<Self> {
        LoopCore::create_future(python_loop).map(Self)
    }

    /// The right to settle a future that was made elsewhere.
    pub fn of(future: Py<PyAny>) -> Self {
        Self(future)
    }

    /// What the coroutine awaits.
    pub fn awaitable(&self, py: Python<'_>) -> Py<PyAny> {
        self.0.clone_ref(py)
    }

    /// Whether somebody still waits: the future is neither settled nor cancelled.
    pub fn is_awaited(&self, py: Python<'_>) -> bool {
        self.0.call_method0(py, intern!(py, "done")).is_ok_and(|done| !done.is_truthy(py).unwrap_or(true))
    }

    /// A second right to settle the same future; the first to come wins.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self(self.0.clone_ref(py))
    }

    /// Delivers an exception, if somebody still waits.
    pub fn fail(&self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        if self.is_awaited(py) {
            self.0.call_method1(py, intern!(py, "set_exception"), (error.into_value(py),))?;
        }
        Ok(())
    }

    /// Cancels the future; harmless when it is done.
    pub fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.0.call_method0(py, intern!(py, "cancel")).map(drop)
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }

    /// Wakes who awaits it, with nothing to tell; harmless when it is done.
    pub fn wake(&self, py: Python<'_>) -> PyResult<()> {
        match self.0.call_method1(py, intern!(py, "set_result"), (py.None(),)) {
            // It is asked only where it matters: nearly always somebody waits.
            Err(error) if self.is_awaited(py) => Err(error),
            _ => Ok(()),
        }
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

/// Coroutines that wait until something has changed, each to look again for itself.
///
/// What they wait for stays where it is until one of them takes it, so a waiter that is cancelled
/// in the moment of its wake-up loses nothing.
#[derive(Debug, Default)]
pub struct Waiters(GilCell<Vec<Promise>>);

impl Waiters {
    /// A future that is done at the next [`Self::wake`].
    pub fn wait(&self, python_loop: &Bound<'_, LoopCore>) -> PyResult<Py<PyAny>> {
        let py = python_loop.py();
        let promise = Promise::new(python_loop)?;
        let awaitable = promise.awaitable(py);
        let mut waiting = self.0.take(py);
        waiting.retain(|promise| promise.is_awaited(py));
        waiting.push(promise);
        drop(self.0.replace(py, waiting));
        Ok(awaitable)
    }

    /// Wakes all who wait.
    pub fn wake(&self, py: Python<'_>) {
        if self.0.borrow(py).is_empty() {
            return;
        }
        for promise in self.0.take(py) {
            if let Err(error) = promise.settle(py, py.None()) {
                error.write_unraisable(py, None);
            }
        }
    }
}

//! A blocking function on its way through a thread pool: run there, its result delivered on the loop.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::LoopCore;
use super::call::{Arguments, current_context};
use super::calls;
use super::promise::Promise;
use super::state::LoopState;
use crate::gil_cell::GilSlot;
use crate::imports::Imports;

/// A work item of `concurrent.futures.ThreadPoolExecutor`, without the future that the standard
/// library would make for it, lock, and chain to the one that is awaited.
///
/// It is the item's own future to the pool, which cancels what has not begun when it shuts down.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct BlockingCall {
    state: Arc<LoopState>,
    awaited: Promise,
    work: GilSlot<(Py<PyAny>, Py<PyTuple>)>,
    outcome: GilSlot<Outcome>,
}

enum Outcome {
    Ended(PyResult<Py<PyAny>>),
    Cancelled,
}

impl BlockingCall {
    /// Queues the delivery; a loop that is closed needs none.
    fn deliver_soon(slf: &Bound<'_, Self>, outcome: Outcome) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.state.runtime(py).is_err() {
            return Ok(());
        }
        drop(this.outcome.replace(py, Some(outcome)));
        let callback = slf.clone().into_any().unbind();
        this.state.call_soon_in(py, callback, Arguments::None, current_context(py)?)
    }
}

#[pymethods]
impl BlockingCall {
    #[new]
    fn new(
        python_loop: &Bound<'_, LoopCore>,
        awaited: Py<PyAny>,
        function: Py<PyAny>,
        arguments: Py<PyTuple>,
    ) -> Self {
        Self {
            state: python_loop.get().state.clone(),
            awaited: Promise::of(awaited),
            work: GilSlot::new(Some((function, arguments))),
            outcome: GilSlot::new(None),
        }
    }

    /// Calls the function, in a thread of the pool, unless nobody waits for it any more. From 3.14 on
    /// the pool passes what its initialiser made.
    #[pyo3(signature = (*_context))]
    fn run(slf: &Bound<'_, Self>, _context: &Bound<'_, PyTuple>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Some((function, arguments)) = this.work.take(py) else { return Ok(()) };
        if !this.awaited.is_awaited(py) {
            return Ok(());
        }
        let outcome = calls::call_with(py, &function, arguments.bind(py), None);
        drop((function, arguments));
        Self::deliver_soon(slf, Outcome::Ended(outcome))
    }

    /// Settles what is awaited; runs on the loop.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        match self.outcome.take(py) {
            Some(Outcome::Ended(Ok(value))) => self.awaited.settle(py, value).map(drop),
            Some(Outcome::Ended(Err(error))) => self.awaited.fail(py, presentable(py, error)?),
            Some(Outcome::Cancelled) => self.awaited.cancel(py),
            None => Ok(()),
        }
    }

    #[getter]
    fn future<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    /// The pool shuts down before it came to this.
    fn cancel(slf: &Bound<'_, Self>) -> PyResult<bool> {
        drop(slf.get().work.take(slf.py()));
        Self::deliver_soon(slf, Outcome::Cancelled).map(|()| true)
    }

    /// The pool is broken.
    fn set_exception(slf: &Bound<'_, Self>, exception: Bound<'_, PyAny>) -> PyResult<()> {
        drop(slf.get().work.take(slf.py()));
        Self::deliver_soon(slf, Outcome::Ended(Err(PyErr::from_value(exception))))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.awaited.visit(&visit)?;
        let seen = self.work.look_for_collector(|(function, arguments)| {
            visit.call(function)?;
            visit.call(arguments)
        });
        seen.unwrap_or(Ok(()))
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.work.take(py));
    }
}

/// An exception as asyncio hands it on: its own classes instead of those of `concurrent.futures`, and no
/// StopIteration, which would end the coroutine that awaits instead of being raised in it.
fn presentable(py: Python<'_>, error: PyErr) -> PyResult<PyErr> {
    if error.is_instance_of::<PyStopIteration>(py) {
        let replaced = PyRuntimeError::new_err("the function that ran in a thread raised StopIteration");
        replaced.set_cause(py, Some(error));
        return Ok(replaced);
    }
    let converted = Imports::get(py)?.convert_future_exception.call1(py, (error.into_value(py),))?;
    Ok(PyErr::from_value(converted.into_bound(py)))
}

//! Between Rust and Python on the loop's thread: futures that Python awaits, tasks that Rust awaits.
//!
//! - [`awaitable`] runs a Rust future and returns what a coroutine awaits. Cancelling that drops the
//!   Rust future.
//! - [`Outcome`] is a Rust future of what an `asyncio.Future` or task ends with. It only looks on:
//!   dropping it leaves the task alone.
//!
//! Both need no thread and no lock: the loop polls Rust's futures and runs Python's tasks in turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use super::LoopCore;
use super::promise::Promise;
use crate::gil_cell::GilCell;

/// Runs `future` on the loop, at once when the loop comes to it, whether or not anybody awaits.
pub fn awaitable(
    python_loop: &Bound<'_, LoopCore>,
    future: impl Future<Output = PyResult<Py<PyAny>>> + 'static,
) -> PyResult<Py<PyAny>> {
    let py = python_loop.py();
    let promise = Promise::new(python_loop)?;
    let awaited = promise.awaitable(py);
    let task = python_loop.get().state.spawn(py, async move {
        let mut unsettled = Unsettled(Some(promise));
        let outcome = future.await;
        Python::attach(|py| unsettled.settle(py, outcome));
    });
    if let Some(task) = task {
        awaited.call_method1(py, intern!(py, "add_done_callback"), (Py::new(py, DropTask(task))?,))?;
    }
    Ok(awaited)
}

/// A promise that is to be kept whatever happens: who awaits it must not wait for ever.
struct Unsettled(Option<Promise>);

impl Unsettled {
    fn settle(&mut self, py: Python<'_>, outcome: PyResult<Py<PyAny>>) {
        let Some(promise) = self.0.take() else { return };
        let settled = match outcome {
            Ok(value) => promise.settle(py, value).map(drop),
            Err(error) => promise.fail(py, error),
        };
        if let Err(error) = settled {
            error.write_unraisable(py, None);
        }
    }
}

impl Drop for Unsettled {
    /// A panic is a bug of ours; whoever awaits is told instead of left waiting.
    fn drop(&mut self) {
        if std::thread::panicking() {
            Python::attach(|py| {
                self.settle(
                    py,
                    Err(PyRuntimeError::new_err("hoopsnake's engine failed: this is a bug of ours")),
                );
            });
        }
    }
}

/// Drops the Rust future when nobody can get its result any more; one that has ended is gone already.
#[pyclass(frozen, module = "hoopsnake._native")]
struct DropTask(AbortHandle);

#[pymethods]
impl DropTask {
    fn __call__(&self, _future: Py<PyAny>) {
        self.0.abort();
    }
}

/// What an `asyncio.Future` or task ends with.
pub struct Outcome {
    task: Py<PyAny>,
    waker: Arc<GilCell<Option<Waker>>>,
}

impl Outcome {
    pub fn of(py: Python<'_>, task: Py<PyAny>) -> PyResult<Self> {
        let waker = Arc::<GilCell<Option<Waker>>>::default();
        let callback = Py::new(py, WakeUp(waker.clone()))?;
        task.call_method1(py, intern!(py, "add_done_callback"), (callback,))?;
        Ok(Self { task, waker })
    }
}

impl Future for Outcome {
    type Output = PyResult<Py<PyAny>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Python::attach(|py| {
            if !self.task.call_method0(py, intern!(py, "done"))?.is_truthy(py)? {
                drop(self.waker.replace(py, Some(cx.waker().clone())));
                return Poll::Pending;
            }
            Poll::Ready(self.task.call_method0(py, intern!(py, "result")))
        })
    }
}

#[pyclass(frozen, module = "hoopsnake._native")]
struct WakeUp(Arc<GilCell<Option<Waker>>>);

#[pymethods]
impl WakeUp {
    fn __call__(&self, py: Python<'_>, _task: Py<PyAny>) {
        if let Some(waker) = self.0.take(py) {
            waker.wake();
        }
    }
}

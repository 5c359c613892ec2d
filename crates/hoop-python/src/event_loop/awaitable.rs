//! Between Rust and Python on the loop's thread: futures that Python awaits, tasks that Rust awaits.
//!
//! - [`awaitable`] runs a Rust future and returns what a coroutine awaits. Cancelling that drops the
//!   Rust future.
//! - [`Running`] runs a coroutine, and is a Rust future of what it returns or raises. Dropping that
//!   cancels the coroutine.
//! - [`Outcome`] is the same for an `asyncio.Future` or task that somebody else runs. It only looks on:
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
use super::state::LoopState;
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

/// A coroutine that runs as a task of the loop.
pub struct Running {
    outcome: Outcome,
    state: Arc<LoopState>,
}

impl Running {
    /// Makes a task of `coroutine`, which begins in the loop's next turn.
    pub fn start(python_loop: &Bound<'_, LoopCore>, coroutine: &Bound<'_, PyAny>) -> PyResult<Self> {
        let task = python_loop.call_method1(intern!(python_loop.py(), "create_task"), (coroutine,))?;
        let outcome = Outcome::of(python_loop.py(), task.unbind())?;
        Ok(Self { outcome, state: python_loop.get().state.clone() })
    }
}

impl Future for Running {
    type Output = PyResult<Py<PyAny>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.outcome).poll(cx)
    }
}

impl Drop for Running {
    /// Harmless when the task has ended; a loop that is closed runs nothing that could be cancelled.
    fn drop(&mut self) {
        Python::attach(|py| {
            if self.state.runtime(py).is_ok()
                && let Err(error) = self.outcome.task.call_method0(py, intern!(py, "cancel"))
            {
                error.write_unraisable(py, None);
            }
        });
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

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::sync::Once;

    use pyo3::types::PyDict;

    use super::*;

    static INTERPRETER: Once = Once::new();

    /// What the tests call; `log` is what its coroutines did.
    const PROGRAM: &str = r#"
import asyncio, sys
sys.path.insert(0, PYTHON)
import _native
sys.modules["hoopsnake._native"] = _native
import hoopsnake

log = []
loop = hoopsnake.new_event_loop()

async def returns():
    await asyncio.sleep(0)
    return 7

async def raises():
    await asyncio.sleep(0)
    raise LookupError("mine")

async def waits():
    log.append("began")
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        log.append("cancelled")
        raise

async def cancels(awaited):
    while not log:
        await asyncio.sleep(0)
    awaited.cancel()
    try:
        await awaited
    except asyncio.CancelledError:
        log.append("awaited")
    await asyncio.sleep(0.01)
    return log

async def cancels_task():
    while not log:
        await asyncio.sleep(0)
    [task] = asyncio.all_tasks() - {asyncio.current_task()}
    task.cancel()
"#;

    /// A loop, and the names of [`PROGRAM`], in an interpreter whose native module is this crate.
    fn with_loop(test: impl FnOnce(&Bound<'_, LoopCore>, &Bound<'_, PyDict>)) {
        use crate::_native;
        INTERPRETER.call_once(|| {
            pyo3::append_to_inittab!(_native);
            Python::initialize();
            // Before 3.13 threading takes whoever loads it for the main thread; signals know better.
            Python::attach(|py| py.import("threading").map(drop)).expect("the standard library");
        });
        Python::attach(|py| {
            let names = PyDict::new(py);
            names.set_item("PYTHON", concat!(env!("CARGO_MANIFEST_DIR"), "/../../python")).expect("a dict");
            let program = CString::new(PROGRAM).expect("no zero in it");
            py.run(&program, Some(&names), None).expect("hoopsnake can be imported");
            let python_loop = names.get_item("loop").expect("a dict").expect("a loop");
            test(python_loop.cast::<LoopCore>().expect("our loop"), &names);
            python_loop.call_method0("close").expect("it does not run");
        });
    }

    /// The coroutine of that name, made awaitable by way of a Rust future.
    fn there_and_back<'py>(
        python_loop: &Bound<'py, LoopCore>,
        names: &Bound<'py, PyDict>,
        name: &str,
    ) -> Bound<'py, PyAny> {
        let running = Running::start(python_loop, &called(names, name)).expect("a task");
        awaitable(python_loop, running).expect("a future").into_bound(python_loop.py())
    }

    fn called<'py>(names: &Bound<'py, PyDict>, name: &str) -> Bound<'py, PyAny> {
        names.get_item(name).expect("a dict").expect("a function").call0().expect("a coroutine")
    }

    fn run<'py>(
        python_loop: &Bound<'py, LoopCore>,
        awaited: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        python_loop.call_method1("run_until_complete", (awaited,))
    }

    #[test]
    fn a_result_and_an_exception_go_through_rust() {
        with_loop(|python_loop, names| {
            let result = run(python_loop, &there_and_back(python_loop, names, "returns"));
            assert_eq!(result.expect("no exception").extract::<i32>().expect("a number"), 7);
            let error =
                run(python_loop, &there_and_back(python_loop, names, "raises")).expect_err("it raises");
            assert_eq!(error.to_string(), "LookupError: mine");
        });
    }

    #[test]
    fn cancelling_what_is_awaited_cancels_the_coroutine_behind_rust() {
        with_loop(|python_loop, names| {
            let awaited = there_and_back(python_loop, names, "waits");
            let cancels = names.get_item("cancels").expect("a dict").expect("a function");
            let log = run(python_loop, &cancels.call1((awaited,)).expect("a coroutine")).expect("a list");
            let log: Vec<String> = log.extract().expect("strings");
            assert_eq!(log, ["began", "awaited", "cancelled"]);
        });
    }

    #[test]
    fn a_cancelled_coroutine_tells_whoever_awaits_behind_rust() {
        with_loop(|python_loop, names| {
            let awaited = there_and_back(python_loop, names, "waits");
            run(python_loop, &called(names, "cancels_task")).expect("it ends");
            let error = run(python_loop, &awaited).expect_err("cancelled");
            assert!(error.to_string().starts_with("CancelledError"), "{error}");
        });
    }

    #[test]
    fn dropped_before_it_began_it_never_begins() {
        with_loop(|python_loop, names| {
            drop(Running::start(python_loop, &called(names, "waits")).expect("a task"));
            run(python_loop, &called(names, "returns")).expect("it ends");
            let log: Vec<String> =
                names.get_item("log").expect("a dict").expect("a list").extract().expect("it");
            assert!(log.is_empty(), "{log:?}");
        });
    }
}

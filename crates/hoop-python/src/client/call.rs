//! What a program awaits: a coroutine that is Rust, and an engine's future inside it.
//!
//! It begins when it is first awaited, as coroutines do. Closed, cancelled or forgotten, it drops the
//! engine's future at once, and with it the request's place in the pool.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};

use hoop_net::client::LocalFuture;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::event_loop::LoopCore;
use crate::event_loop::flights::{Flights, Flying, Seat};
use crate::event_loop::promise::Promise;
use crate::event_loop::stepwise::thrown;
use crate::gil_cell::GilCell;

/// What the engine does for a call.
pub type Work = LocalFuture<PyResult<Py<PyAny>>>;
/// Begins it, on the loop that runs.
type Begin = Box<dyn FnOnce(&Bound<'_, LoopCore>) -> PyResult<Work>>;

/// An `Awaitable` that is a `Coroutine` too, so that a task can be made of it.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Call(GilCell<Progress>);

enum Progress {
    Fresh(Begin),
    Waits(Waiting),
    Over,
}

struct Waiting {
    flight: Rc<Flight>,
    /// Settled once there is an outcome.
    awaited: Py<PyAny>,
    /// Where the flight waits until then.
    _seat: Seat,
}

/// A future at work, and then its outcome.
#[derive(Default)]
struct Flight {
    work: RefCell<Option<Work>>,
    outcome: RefCell<Option<PyResult<Py<PyAny>>>>,
    /// Who waits for the outcome, if anybody has to.
    promise: RefCell<Option<Promise>>,
    is_given_up: Cell<bool>,
}

impl Flying for Flight {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // It is not in its place meanwhile: what it calls may give this up.
        let Some(mut work) = self.work.take() else { return Poll::Ready(()) };
        match work.as_mut().poll(cx) {
            Poll::Pending if !self.is_given_up.get() => {
                self.work.replace(Some(work));
                return Poll::Pending;
            }
            Poll::Pending => {}
            Poll::Ready(outcome) => {
                self.outcome.replace(Some(outcome));
                if let Some(promise) = self.promise.take() {
                    Python::attach(|py| {
                        if let Err(error) = promise.wake(py) {
                            error.write_unraisable(py, None);
                        }
                    });
                }
            }
        }
        Poll::Ready(())
    }

    fn give_up(&self) {
        self.is_given_up.set(true);
        drop(self.work.take());
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.flight.give_up();
    }
}

impl Call {
    /// One that begins with `begin` when it is first awaited.
    pub fn new(begin: impl FnOnce(&Bound<'_, LoopCore>) -> PyResult<Work> + 'static) -> Self {
        Self(GilCell::new(Progress::Fresh(Box::new(begin))))
    }

    /// Goes on: what is to be awaited, or `StopIteration` with the result.
    fn step(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.0.replace(py, Progress::Over) {
            Progress::Fresh(begin) => {
                let python_loop = running_loop(py)?;
                let flight = Rc::new(Flight::default());
                flight.work.replace(Some(begin(&python_loop)?));
                let seat = Flights::enter(py, &python_loop.get().state);
                // What is there already is not waited for.
                if flight.poll(&mut Context::from_waker(seat.waker())).is_ready() {
                    return ended(&flight);
                }
                self.wait(&python_loop, flight, seat)
            }
            Progress::Waits(waiting) => {
                if waiting.flight.outcome.borrow().is_some() {
                    return ended(&waiting.flight);
                }
                // Somebody else than the engine has woken the task.
                let awaited = waiting.awaited.clone_ref(py);
                awaited.setattr(py, intern!(py, "_asyncio_future_blocking"), true)?;
                drop(self.0.replace(py, Progress::Waits(waiting)));
                Ok(awaited)
            }
            Progress::Over => Err(PyRuntimeError::new_err("cannot reuse already awaited coroutine")),
        }
    }

    fn wait(&self, python_loop: &Bound<'_, LoopCore>, flight: Rc<Flight>, seat: Seat) -> PyResult<Py<PyAny>> {
        let py = python_loop.py();
        let promise = Promise::new(python_loop)?;
        let awaited = promise.awaitable(py);
        awaited.setattr(py, intern!(py, "_asyncio_future_blocking"), true)?;
        flight.promise.replace(Some(promise));
        seat.wait(flight.clone());
        let waiting = Waiting { flight, awaited: awaited.clone_ref(py), _seat: seat };
        drop(self.0.replace(py, Progress::Waits(waiting)));
        Ok(awaited)
    }
}

fn ended(flight: &Flight) -> PyResult<Py<PyAny>> {
    match flight.outcome.take() {
        Some(Ok(value)) => Err(PyStopIteration::new_err((value,))),
        Some(Err(error)) => Err(error),
        None => Err(crate::errors::internal("a request ended without an outcome")),
    }
}

/// The loop that runs, if it is one of ours.
pub fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, LoopCore>> {
    static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let running = RUNNING.import(py, "asyncio", "get_running_loop")?.call0()?;
    running.cast_into::<LoopCore>().map_err(|other| {
        let class = other.into_inner().get_type();
        PyRuntimeError::new_err(format!(
            "hoopsnake.Client works on hoopsnake's event loop, and a {class} is running: use \
             hoopsnake.run(), hoopsnake.install() or the command 'hoop run'"
        ))
    })
}

#[pymethods]
impl Call {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.step(py)
    }

    #[pyo3(signature = (value, /))]
    fn send(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        // What asyncio sends into a coroutine is always None.
        let _ = value;
        self.step(py)
    }

    /// Ends it with an exception: the engine's future is dropped before this returns.
    #[pyo3(signature = (kind, value=None, traceback=None))]
    fn throw(
        &self,
        py: Python<'_>,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.close(py);
        let raised = thrown(kind, value);
        if let Some(traceback) = traceback.and_then(|given| given.cast_into().ok()) {
            raised.set_traceback(py, Some(traceback));
        }
        Err(raised)
    }

    fn close(&self, py: Python<'_>) {
        drop(self.0.replace(py, Progress::Over));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.for_collector().as_deref() {
            Some(Progress::Waits(waiting)) => visit.call(&waiting.awaited),
            _ => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        self.close(py);
    }
}

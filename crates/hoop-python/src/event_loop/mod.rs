//! The event loop: asyncio's scheduling calls over a tokio current-thread runtime.

pub mod accept;
pub mod awaitable;
pub mod blocking_call;
pub mod call;
pub mod calls;
pub mod clients;
pub mod datagram;
mod endpoint;
pub mod fast_call_soon;
pub mod flights;
pub mod handle;
mod held_outputs;
mod open_transports;
mod pending_tasks;
pub mod promise;
mod pump;
mod readers;
pub mod runtime;
pub mod state;
pub mod statistics;
pub mod stepwise;
mod task_factory;
pub mod tls;
pub mod transport;
pub mod transport_table;

use std::os::fd::RawFd;
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use tokio::runtime::Runtime;

use self::call::{Arguments, Call, current_context};
use self::handle::Handle;
use self::pending_tasks::{PendingTasks, sweep};
use self::readers::{Direction, Readers, Source, file_descriptor};
use self::runtime::Parking;
use self::state::{LoopState, future_keywords};
use self::statistics::Statistics;
use self::task_factory::from_factory;
use crate::errors::{internal, loop_is_closed, os_error};
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// The native half of `hoopsnake.EventLoop`: scheduling, timers, readiness, tasks.
///
/// Everything may be called under the GIL from any thread, but only the thread that runs the loop
/// may call what asyncio does not call thread-safe.
#[pyclass(frozen, subclass, module = "hoopsnake._native", name = "LoopCore")]
pub struct LoopCore {
    pub state: Arc<LoopState>,
    runtime: GilCell<Option<Arc<Runtime>>>,
    readers: GilCell<Option<Arc<Readers>>>,
    pending_tasks: GilCell<PendingTasks>,
    task_factory: GilCell<Option<Py<PyAny>>>,
    debug: GilCell<bool>,
}

impl LoopCore {
    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.runtime.borrow(py).is_none() {
            return Err(loop_is_closed());
        }
        Ok(())
    }

    fn readers(&self, py: Python<'_>) -> PyResult<Arc<Readers>> {
        self.check_open(py)?;
        if let Some(readers) = &*self.readers.borrow(py) {
            return Ok(readers.clone());
        }
        let readers = Readers::start(py, &self.state)?;
        self.readers.replace(py, Some(readers.clone()));
        Ok(readers)
    }

    /// A handle ready to be queued; in debug mode it wraps asyncio's own, which remembers where it
    /// was made and measures how long it runs.
    fn new_call(
        slf: &Bound<'_, Self>,
        callback: Bound<'_, PyAny>,
        arguments: Arguments,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Call> {
        let py = slf.py();
        let context = match context {
            Some(context) if !context.is_none(py) => context,
            _ => current_context(py)?,
        };
        Ok(Call { callback: callback.unbind(), arguments, context })
    }

    fn queue_soon(
        slf: &Bound<'_, Self>,
        method: &str,
        callback: Bound<'_, PyAny>,
        arguments: Arguments,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        this.check_open(py)?;
        if this.debug.get(py) {
            let arguments = arguments.to_tuple(py)?;
            let checked =
                Imports::get(py)?.debug_handle.call1(py, (slf, method, callback, arguments, context))?;
            let (shown, runner): (Py<PyAny>, Bound<'_, PyAny>) = checked.extract(py)?;
            let call = Self::new_call(slf, runner, Arguments::None, None)?;
            this.state.push_ready(py, this.state.handle(py, call)?);
            return Ok(shown);
        }
        let handle = this.state.handle(py, Self::new_call(slf, callback, arguments, context)?)?;
        this.state.push_ready(py, handle.clone_ref(py));
        Ok(handle.into_any())
    }

    fn queue_at(
        slf: &Bound<'_, Self>,
        when: f64,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        this.check_open(py)?;
        if this.debug.get(py) {
            let checked =
                Imports::get(py)?.debug_timer_handle.call1(py, (slf, when, callback, args, context))?;
            let (shown, runner): (Py<PyAny>, Bound<'_, PyAny>) = checked.extract(py)?;
            let call = Self::new_call(slf, runner, Arguments::None, None)?;
            this.state.call_at(py, when, call)?;
            return Ok(shown);
        }
        let call = Self::new_call(slf, callback, Arguments::from_tuple(args), context)?;
        Ok(this.state.call_at(py, when, call)?.into_any())
    }

    fn watch(
        slf: &Bound<'_, Self>,
        source: Source,
        direction: Direction,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<Py<Handle>> {
        let py = slf.py();
        let readers = slf.get().readers(py)?;
        let handle =
            Handle::repeating(py, Self::new_call(slf, callback, Arguments::from_tuple(args), None)?)?;
        readers.add(py, source, direction, handle.clone_ref(py))?;
        Ok(handle)
    }

    fn unwatch(&self, py: Python<'_>, fd: RawFd, direction: Direction) -> bool {
        let readers = self.readers.borrow(py).clone();
        readers.is_some_and(|readers| readers.remove(py, fd, direction))
    }

    /// The number of a descriptor, even if it was closed since it was given to be watched.
    fn number_to_unwatch(&self, fd: &Bound<'_, PyAny>) -> PyResult<RawFd> {
        file_descriptor(fd).or_else(|error| {
            let readers = self.readers.borrow(fd.py()).clone();
            readers.and_then(|readers| readers.number_of_closed(fd)).ok_or(error)
        })
    }

    fn new_task(
        slf: &Bound<'_, Self>,
        coro: Bound<'_, PyAny>,
        keywords: &Bound<'_, PyDict>,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        keywords.set_item(intern!(py, "loop"), slf)?;
        // asyncio drops the last frame of a task's source traceback, which is its own create_task;
        // this one has no Python frame.
        Imports::get(py)?.asyncio_task.call(py, (coro,), Some(keywords))
    }

    fn hold_coroutine(&self, py: Python<'_>, coroutine: Py<PyAny>) {
        let due = self.pending_tasks.borrow_mut(py).push(coroutine);
        if due {
            let held = self.pending_tasks.borrow_mut(py).take_all();
            let pending = sweep(py, held);
            self.pending_tasks.borrow_mut(py).put_back(pending);
        }
    }
}

#[pymethods]
impl LoopCore {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let parking = Arc::<Parking>::default();
        let runtime = runtime::build(parking.clone()).map_err(|error| os_error(&error))?;
        Ok(Self {
            state: Arc::new(LoopState::new(runtime.handle().clone(), parking)),
            runtime: GilCell::new(Some(Arc::new(runtime))),
            readers: GilCell::default(),
            pending_tasks: GilCell::default(),
            task_factory: GilCell::default(),
            debug: GilCell::new(false),
        })
    }

    /// Sends the output that transports hold back.
    fn _send_held(&self, py: Python<'_>) {
        self.state.outputs.send(py);
    }

    fn _statistics(&self, py: Python<'_>) -> PyResult<Statistics> {
        Statistics::of(py, &self.state)
    }

    /// Drives the loop until `stop()`; raises what a callback raised to leave it.
    fn _run(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Some(runtime) = this.runtime.borrow(py).clone() else { return Err(loop_is_closed()) };
        if runtime::is_driving() {
            return Err(PyRuntimeError::new_err(
                "Cannot run the event loop while another loop is running in this thread",
            ));
        }
        let state = &this.state;
        state.started(py, slf.clone().into_any().unbind());
        let stopped_beforehand = state.stopping.get(py);
        let pump = runtime::spawn(runtime.handle(), pump::run(state.clone(), stopped_beforehand));
        let ended = runtime::drive(&runtime, pump);
        // The pump has sent what was held, unless it panicked.
        state.outputs.send(py);
        let fatal = state.stopped(py);
        match (fatal, ended) {
            (Some(fatal), _) => Err(fatal),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => Err(internal(&format!("the loop's task ended early: {error}"))),
        }
    }

    /// Whether this process was forked by a callback of a running loop, so that this thread cannot
    /// run a loop any more.
    #[staticmethod]
    fn _forked_while_running() -> bool {
        runtime::drives_in_parent_only()
    }

    /// Stops the loop after the turn that is running, or after one turn if none is.
    fn stop(&self, py: Python<'_>) {
        self.state.stopping.set(py, true);
        self.state.wake(py);
    }

    /// Frees the runtime: tasks of the engine are dropped, descriptors forgotten.
    fn _close(&self, py: Python<'_>) {
        let runtime = self.runtime.take(py);
        self.__clear__(py);
        self.state.forget_runtime(py);
        if let Some(runtime) = runtime.and_then(Arc::into_inner) {
            // Never blocks, so a loop may be closed from inside another one.
            runtime.shutdown_background();
        }
    }

    /// A loop that runs is no garbage, nor is what it holds: it shows nothing then, so that a
    /// collection need not walk over all that is queued.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if self.state.is_in_use() {
            return Ok(());
        }
        self.state.visit(&visit)?;
        if let Some(Some(readers)) = self.readers.for_collector().as_deref() {
            readers.visit(&visit)?;
        }
        if let Some(pending) = self.pending_tasks.for_collector() {
            pending_tasks::visit(&pending, &visit)?;
        }
        match self.task_factory.for_collector().as_deref() {
            Some(Some(factory)) => visit.call(factory),
            _ => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        self.state.clear(py);
        if let Some(readers) = self.readers.take(py) {
            readers.clear(py);
        }
        let held = self.pending_tasks.borrow_mut(py).take_all();
        drop((held, self.task_factory.take(py)));
    }

    /// Each task that starts eagerly asks for it.
    fn is_running(&self, py: Python<'_>) -> bool {
        self.state.is_driven(py)
    }

    fn is_closed(&self, py: Python<'_>) -> bool {
        self.runtime.borrow(py).is_none()
    }

    /// The loop's clock in seconds, that of time.monotonic().
    fn time(&self) -> f64 {
        LoopState::time()
    }

    /// Whether asyncio's debug mode is on.
    pub fn get_debug(&self, py: Python<'_>) -> bool {
        self.debug.get(py)
    }

    fn _set_debug(&self, py: Python<'_>, enabled: bool) {
        self.debug.set(py, enabled);
    }

    /// See `fast_call_soon`, which stands in front of it.
    #[pyo3(signature = (callback, *args, context=None))]
    fn call_soon(
        slf: &Bound<'_, Self>,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        Self::queue_soon(slf, "call_soon", callback, Arguments::from_tuple(args), context)
    }

    #[pyo3(signature = (callback, *args, context=None))]
    fn call_soon_threadsafe(
        slf: &Bound<'_, Self>,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        // The GIL makes it safe, and waking tokio is safe from any thread.
        Self::queue_soon(slf, "call_soon_threadsafe", callback, Arguments::from_tuple(args), context)
    }

    #[pyo3(signature = (delay, callback, *args, context=None))]
    fn call_later(
        slf: &Bound<'_, Self>,
        delay: &Bound<'_, PyAny>,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        if delay.is_none() {
            return Err(PyTypeError::new_err("delay must not be None"));
        }
        let when = LoopState::time() + delay.extract::<f64>()?;
        Self::queue_at(slf, when, callback, args, context)
    }

    #[pyo3(signature = (when, callback, *args, context=None))]
    fn call_at(
        slf: &Bound<'_, Self>,
        when: &Bound<'_, PyAny>,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        if when.is_none() {
            return Err(PyTypeError::new_err("when cannot be None"));
        }
        Self::queue_at(slf, when.extract()?, callback, args, context)
    }

    /// asyncio's own TimerHandle, used in debug mode, reports its cancellation here.
    fn _timer_handle_cancelled(&self, _handle: &Bound<'_, PyAny>) {}

    pub fn create_future(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let keywords = match slf.get().state.future_keywords(py) {
            Some(keywords) => keywords,
            None => future_keywords(slf.as_any())?.into_bound(py),
        };
        Imports::get(py)?.asyncio_future.call(py, (), Some(&keywords))
    }

    #[pyo3(signature = (coro, **keywords))]
    fn create_task(
        slf: &Bound<'_, Self>,
        coro: Bound<'_, PyAny>,
        keywords: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        this.check_open(py)?;
        let factory = this.task_factory.borrow(py).as_ref().map(|factory| factory.clone_ref(py));
        let keywords = keywords.unwrap_or_else(|| PyDict::new(py));
        let held = coro.clone().unbind();
        let task = match factory {
            Some(factory) => from_factory(slf, &factory, coro, &keywords),
            None => Self::new_task(slf, coro, &keywords),
        }?;
        this.hold_coroutine(py, held);
        Ok(task)
    }

    fn set_task_factory(&self, py: Python<'_>, factory: Bound<'_, PyAny>) -> PyResult<()> {
        let factory = if factory.is_none() {
            None
        } else if factory.is_callable() {
            Some(factory.unbind())
        } else {
            return Err(PyTypeError::new_err("task factory must be a callable or None"));
        };
        drop(self.task_factory.replace(py, factory));
        Ok(())
    }

    fn get_task_factory(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.task_factory.borrow(py).as_ref().map(|factory| factory.clone_ref(py))
    }

    #[pyo3(signature = (fd, callback, *args))]
    fn _add_reader(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<Py<Handle>> {
        Self::watch(slf, Source::of(fd)?, Direction::Read, callback, args)
    }

    #[pyo3(signature = (fd, callback, *args))]
    fn _add_writer(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        callback: Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<Py<Handle>> {
        Self::watch(slf, Source::of(fd)?, Direction::Write, callback, args)
    }

    /// Whether a descriptor has a reader, and whether it has a writer.
    fn _is_watched(&self, py: Python<'_>, fd: &Bound<'_, PyAny>) -> PyResult<(bool, bool)> {
        let fd = file_descriptor(fd)?;
        let interest = self.readers.borrow(py).as_ref().map(|readers| readers.interest(py, fd));
        Ok(interest.map_or((false, false), |interest| (interest.readable, interest.writable)))
    }

    fn _remove_reader(&self, py: Python<'_>, fd: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.unwatch(py, self.number_to_unwatch(fd)?, Direction::Read))
    }

    fn _remove_writer(&self, py: Python<'_>, fd: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.unwatch(py, self.number_to_unwatch(fd)?, Direction::Write))
    }
}

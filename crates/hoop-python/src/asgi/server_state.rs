//! What all requests of a server share: the application, its tasks, and where faults are told.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::scope::ScopeTemplates;
use crate::event_loop::LoopCore;
use crate::event_loop::handle::leaves_the_loop;
use crate::gil_cell::GilCell;
use crate::imports::Imports;

/// One served application.
pub struct ServerState {
    pub python_loop: Py<LoopCore>,
    pub application: Py<PyAny>,
    /// `hoopsnake._journal.Journal`: errors and accesses, in Python's logging.
    pub journal: Py<PyAny>,
    pub access_log: bool,
    pub scopes: ScopeTemplates,
    task_keywords: Py<PyDict>,
    /// Application tasks that wait, by address: held so that none vanishes, and for the shutdown.
    tasks: GilCell<HashMap<usize, Py<PyAny>>>,
}

/// What follows once an application's coroutine has ended.
pub trait Ending: Send + Sync + 'static {
    /// `failure` is the exception that ended it, if one did.
    fn ended(&self, py: Python<'_>, failure: Option<PyErr>);
}

impl ServerState {
    pub fn new(
        python_loop: &Bound<'_, LoopCore>,
        application: Py<PyAny>,
        journal: Py<PyAny>,
        access_log: bool,
        scopes: ScopeTemplates,
    ) -> PyResult<Self> {
        let task_keywords = Imports::get(python_loop.py())?.eager_start.bind(python_loop.py()).copy()?;
        task_keywords.set_item("loop", python_loop)?;
        Ok(Self {
            python_loop: python_loop.clone().unbind(),
            application,
            journal,
            access_log,
            scopes,
            task_keywords: task_keywords.unbind(),
            tasks: GilCell::default(),
        })
    }

    /// Calls the application and runs it as a task, at once where tasks can start eagerly (3.12).
    pub fn start(
        self: &Arc<Self>,
        py: Python<'_>,
        scope: Bound<'_, PyDict>,
        receive: Py<PyAny>,
        send: Py<PyAny>,
        ending: Arc<dyn Ending>,
    ) {
        match self.start_task(py, scope, receive, send) {
            Ok(task) => self.watch(py, task, ending),
            Err(error) if leaves_the_loop(py, &error) => self.python_loop.get().state.fail(py, error),
            Err(error) => ending.ended(py, Some(error)),
        }
    }

    fn start_task(
        &self,
        py: Python<'_>,
        scope: Bound<'_, PyDict>,
        receive: Py<PyAny>,
        send: Py<PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let coroutine = self.application.call1(py, (scope, receive, send))?;
        Imports::get(py)?.asyncio_task.call(py, (coroutine,), Some(self.task_keywords.bind(py)))
    }

    fn watch(self: &Arc<Self>, py: Python<'_>, task: Py<PyAny>, ending: Arc<dyn Ending>) {
        let done = task.call_method0(py, intern!(py, "done")).and_then(|done| done.is_truthy(py));
        if matches!(done, Ok(true)) {
            ending.ended(py, failure_of(py, &task));
            return;
        }
        let callback = TaskEnd { server: self.clone(), ending: ending.clone() };
        let added = Py::new(py, callback)
            .and_then(|callback| task.call_method1(py, intern!(py, "add_done_callback"), (callback,)));
        match added {
            Ok(_) => drop(self.tasks.borrow_mut(py).insert(task.as_ptr() as usize, task)),
            Err(error) => ending.ended(py, Some(error)),
        }
    }

    /// Application tasks that have not ended.
    pub fn tasks(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.tasks.borrow(py).values().map(|task| task.clone_ref(py)).collect()
    }

    /// Tells the journal something; a journal that fails is told to Python's last resort.
    pub fn tell<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        arguments: impl pyo3::call::PyCallArgs<'py>,
    ) {
        if let Err(error) = self.journal.call_method1(py, method, arguments) {
            error.write_unraisable(py, Some(self.journal.bind(py)));
        }
    }
}

/// The exception a finished task ended with; asking counts as retrieving it.
fn failure_of(py: Python<'_>, task: &Py<PyAny>) -> Option<PyErr> {
    match task.call_method0(py, intern!(py, "exception")) {
        Ok(none) if none.is_none(py) => None,
        Ok(exception) => Some(PyErr::from_value(exception.into_bound(py))),
        // `exception()` raises CancelledError for a cancelled task.
        Err(cancelled) => Some(cancelled),
    }
}

/// The done-callback of an application's task.
#[pyclass(frozen, module = "hoopsnake._native")]
struct TaskEnd {
    server: Arc<ServerState>,
    ending: Arc<dyn Ending>,
}

#[pymethods]
impl TaskEnd {
    fn __call__(&self, py: Python<'_>, task: Py<PyAny>) {
        let held = self.server.tasks.borrow_mut(py).remove(&(task.as_ptr() as usize));
        drop(held);
        self.ending.ended(py, failure_of(py, &task));
    }
}

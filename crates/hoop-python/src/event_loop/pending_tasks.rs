//! Keeps pending tasks alive: CPython holds them weakly (gh-91887), so a forgotten one may vanish.
//!
//! Held is the task's coroutine, not the task. While the coroutine is suspended its frame refers to
//! the future that it waits for, and that future to the task's wake-up, so all three live. Once it
//! has finished, what is held is an empty husk: results and exceptions are never kept longer than
//! asyncio keeps them. Husks are swept when they could be half of what is held, so the cost of a
//! task is one push and a share of a sweep.

use hoop_sched::SweptList;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Coroutines of tasks that may still be pending.
pub type PendingTasks = SweptList<Py<PyAny>>;

/// Shows the garbage collector what is held.
pub fn visit(pending: &PendingTasks, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    pending.iter().try_for_each(|coroutine| visit.call(coroutine))
}

/// Splits `coroutines` into those that may still run, and drops the rest.
pub fn sweep(py: Python<'_>, coroutines: Vec<Py<PyAny>>) -> Vec<Py<PyAny>> {
    coroutines.into_iter().filter(|coroutine| may_still_run(py, coroutine)).collect()
}

/// Whether a coroutine is suspended, running or not begun. One of a foreign kind that does not say
/// is let go, as asyncio itself would.
fn may_still_run(py: Python<'_>, coroutine: &Py<PyAny>) -> bool {
    let coroutine = coroutine.bind(py);
    let says = |name: &Py<PyString>| coroutine.getattr_opt(name.bind(py)).ok().flatten();
    let true_of = |name: &Py<PyString>| says(name).is_some_and(|answer| answer.is_truthy().unwrap_or(false));
    // Asking for the frame makes one, so that comes last: only the begun are suspended or running.
    true_of(intern!(py, "cr_suspended").as_unbound())
        || true_of(intern!(py, "cr_running").as_unbound())
        || says(intern!(py, "cr_frame").as_unbound()).is_some_and(|frame| !frame.is_none())
}

//! The deadline of the code that calls: a request inside of it takes no longer than what is left.
//!
//! The deadline is `hoopsnake.limits.Deadline`'s, in a context variable of Python's. It is asked for from
//! when the first one is entered in the process; until then a request pays for one look at a static.

use std::time::Duration;

use hoop_net::client::Timeouts;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

static SECONDS_LEFT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Has requests ask `left` for the seconds that they have; it returns None where there is no deadline.
#[pyfunction]
pub fn heed_deadlines(py: Python<'_>, left: Py<PyAny>) {
    // Whoever comes second says the same.
    let _ = SECONDS_LEFT.set(py, left);
}

/// Leaves a request that begins now no more time than its caller has.
pub fn shorten(py: Python<'_>, timeouts: &mut Timeouts) -> PyResult<()> {
    let Some(left) = SECONDS_LEFT.get(py) else { return Ok(()) };
    let Some(seconds) = left.call0(py)?.extract::<Option<f64>>(py)? else { return Ok(()) };
    let left = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    timeouts.total = Some(timeouts.total.map_or(left, |total| total.min(left)));
    Ok(())
}

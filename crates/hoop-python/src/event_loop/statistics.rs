//! `loop.stats()`: what the loop has counted, as Python sees it.

use hoop_sched::DelayHistogram;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::state::LoopState;

/// A snapshot; as a dict, it makes a `hoopsnake.LoopStats`.
#[derive(IntoPyObject)]
pub struct Statistics {
    turns: u64,
    callbacks: u64,
    ready: usize,
    timers: usize,
    transports: usize,
    callback_seconds: f64,
    parked_seconds: f64,
    gil_seconds: f64,
    ready_delays: Py<PyTuple>,
}

/// What the delays in each bucket of `ready_delays` stay below, in seconds; endless for the last.
pub fn delay_bounds(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let buckets = DelayHistogram::default().counts().len();
    PyTuple::new(py, (0..buckets).map(DelayHistogram::bound))
}

impl Statistics {
    pub fn of(py: Python<'_>, state: &LoopState) -> PyResult<Self> {
        let meter = state.meter.borrow(py).clone();
        Ok(Self {
            turns: meter.turns(),
            callbacks: meter.callbacks(),
            ready: state.ready.borrow(py).len(),
            timers: state.timers.borrow(py).pending(),
            transports: state.transports.open(py),
            callback_seconds: meter.callback_seconds(),
            parked_seconds: state.parking.parked_seconds(),
            gil_seconds: state.parking.gil_seconds(),
            ready_delays: PyTuple::new(py, meter.delays().counts())?.unbind(),
        })
    }
}

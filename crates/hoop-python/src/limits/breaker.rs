//! `Breaker`: whether a dependency that fails is left alone for a while.

use hoop_guard::{BreakerLimits, Outcome, Passage, State};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{positive, seconds};
use crate::gil_cell::GilCell;

/// The breaker of one dependency.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Breaker(GilCell<hoop_guard::Breaker>);

#[pymethods]
impl Breaker {
    #[new]
    fn new(failure_rate: f64, least_calls: u64, window: f64, open_for: f64, probes: u32) -> PyResult<Self> {
        if !(failure_rate > 0.0 && failure_rate <= 1.0) {
            let text = format!("failure_rate has to be above 0 and at most 1, not {failure_rate}");
            return Err(PyValueError::new_err(text));
        }
        if least_calls == 0 || probes == 0 {
            return Err(PyValueError::new_err("least_calls and probes have to be at least 1"));
        }
        let (window, open_for) = (positive("window", window)?, positive("open_for", open_for)?);
        let limits = BreakerLimits { failure_rate, least_calls, window, open_for, probes };
        Ok(Self(GilCell::new(hoop_guard::Breaker::new(limits))))
    }

    /// The passage of a call, and 0; or None, and after how many seconds it is worth asking again.
    fn enter(&self, py: Python<'_>, now: f64) -> (Option<u64>, f64) {
        match self.0.borrow_mut(py).enter(seconds(now)) {
            Ok(passage) => (Some(passage.0), 0.0),
            Err(wait) => (None, wait.as_secs_f64()),
        }
    }

    /// A call has ended: well, badly, or (None) in a way that says nothing about the dependency.
    fn leave(&self, py: Python<'_>, passage: u64, well: Option<bool>, now: f64) {
        let outcome = match well {
            Some(true) => Outcome::Success,
            Some(false) => Outcome::Failure,
            None => Outcome::Neither,
        };
        self.0.borrow_mut(py).leave(Passage(passage), outcome, seconds(now));
    }

    /// Opens it, whatever was counted.
    fn open(&self, py: Python<'_>, now: f64) {
        self.0.borrow_mut(py).open(seconds(now));
    }

    /// Closes it and forgets what was counted.
    fn close(&self, py: Python<'_>) {
        self.0.borrow_mut(py).close();
    }

    /// "closed", "open" or "half-open".
    fn state(&self, py: Python<'_>, now: f64) -> &'static str {
        match self.0.borrow(py).state(seconds(now)) {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
        }
    }

    /// Calls in the window that succeeded and failed; all that were refused, and how often it opened.
    fn counts(&self, py: Python<'_>, now: f64) -> (u64, u64, u64, u64) {
        let mut breaker = self.0.borrow_mut(py);
        let (well, failed) = breaker.recent(seconds(now));
        let (refused, openings) = breaker.counts();
        (well, failed, refused, openings)
    }
}

//! `hoopsnake.limits`' half in the engine: the policies of `hoop_guard`, told the time by Python.

mod breaker;
mod places;
mod rate;
mod retry;

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pub use breaker::Breaker;
pub use places::Places;
pub use rate::RateTable;
pub use retry::{BudgetPolicy, HedgePolicy, RetryPolicy, retry_after};

/// A moment or a length of time in Python's seconds. What lies before zero, or is no number, is zero.
fn seconds(value: f64) -> Duration {
    if value > 0.0 { Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX) } else { Duration::ZERO }
}

/// A setting that has to be above zero.
fn positive(name: &str, value: f64) -> PyResult<Duration> {
    if value > 0.0 && value.is_finite() {
        Ok(seconds(value))
    } else {
        Err(PyValueError::new_err(format!("{name} has to be a number of seconds above 0, not {value}")))
    }
}

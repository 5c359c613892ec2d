//! `RetryPolicy`, `BudgetPolicy` and `HedgePolicy`: when something is tried once more.

use std::time::Duration;

use hoop_guard::{Backoff, BudgetLimits, Decision, HedgeLimits, Jitter, RetryBudget, StopReason, Trial};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{positive, seconds};
use crate::gil_cell::GilCell;

/// What `decide` returns.
#[derive(IntoPyObject)]
pub enum Verdict {
    /// Seconds to wait before the next attempt.
    Again(f64),
    /// Why there is none.
    Stop(&'static str),
}

/// How often, how long, and with which pauses.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct RetryPolicy(hoop_guard::RetryPolicy);

#[pymethods]
impl RetryPolicy {
    #[new]
    fn new(
        attempts: u32,
        total: Option<f64>,
        first: f64,
        factor: f64,
        longest: f64,
        jitter: &str,
    ) -> PyResult<Self> {
        let jitter = match jitter {
            "none" => Jitter::None,
            "full" => Jitter::Full,
            "decorrelated" => Jitter::Decorrelated,
            other => {
                let text = format!("jitter is \"full\", \"decorrelated\" or \"none\", not {other:?}");
                return Err(PyValueError::new_err(text));
            }
        };
        if attempts == 0 {
            return Err(PyValueError::new_err("attempts counts the first one too: it has to be at least 1"));
        }
        if !(factor >= 1.0 && factor.is_finite()) {
            return Err(PyValueError::new_err(format!("factor has to be at least 1, not {factor}")));
        }
        let total = total.map(|total| positive("total", total)).transpose()?;
        let (first, longest) = (positive("first", first)?, positive("longest", longest)?);
        let backoff = Backoff { first, factor, longest, jitter };
        Ok(Self(hoop_guard::RetryPolicy { attempts, total, backoff }))
    }

    /// Seconds to wait before the next attempt; or "unsafe", "attempts" or "time": why there is none.
    fn decide(
        &self,
        attempt: u32,
        is_safe: bool,
        elapsed: f64,
        last_pause: Option<f64>,
        asked_pause: Option<f64>,
        random: f64,
    ) -> Verdict {
        let trial = Trial {
            attempt,
            is_safe,
            elapsed: seconds(elapsed),
            last_pause: last_pause.map(seconds),
            asked_pause: asked_pause.map(seconds),
        };
        match self.0.decide(&trial, random) {
            Decision::Again(pause) => Verdict::Again(pause.as_secs_f64()),
            Decision::Stop(StopReason::Unsafe) => Verdict::Stop("unsafe"),
            Decision::Stop(StopReason::Attempts) => Verdict::Stop("attempts"),
            Decision::Stop(StopReason::Time) => Verdict::Stop("time"),
        }
    }
}

/// How many retries all callers together may add.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct BudgetPolicy(GilCell<RetryBudget>);

#[pymethods]
impl BudgetPolicy {
    #[new]
    fn new(ratio: f64, reserve_per_second: f64, window: f64) -> PyResult<Self> {
        if !(ratio >= 0.0 && reserve_per_second >= 0.0) {
            return Err(PyValueError::new_err("ratio and reserve_per_second cannot be below 0"));
        }
        let window = positive("window", window)?;
        Ok(Self(GilCell::new(RetryBudget::new(BudgetLimits { ratio, reserve_per_second, window }))))
    }

    /// A call is made for the first time.
    fn deposit(&self, py: Python<'_>, now: f64) {
        self.0.borrow_mut(py).deposit(seconds(now));
    }

    /// A call wants to be made once more; whether that is paid for.
    fn withdraw(&self, py: Python<'_>, now: f64) -> bool {
        self.0.borrow_mut(py).withdraw(seconds(now))
    }

    /// Calls and retries in the window, all retries that were refused, and how many are left.
    fn counts(&self, py: Python<'_>, now: f64) -> (u64, u64, u64, f64) {
        let mut budget = self.0.borrow_mut(py);
        let (calls, retries) = budget.recent(seconds(now));
        (calls, retries, budget.refused(), budget.balance(seconds(now)))
    }
}

/// When a call is late, by what the calls before it took.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct HedgePolicy(GilCell<hoop_guard::HedgePolicy>);

#[pymethods]
impl HedgePolicy {
    #[new]
    fn new(
        percentile: f64,
        most: u32,
        least_calls: u64,
        until_known: Option<f64>,
        shortest: f64,
        window: f64,
    ) -> PyResult<Self> {
        if !(percentile > 0.0 && percentile <= 1.0) {
            let text = format!("percentile has to be above 0 and at most 1, not {percentile}");
            return Err(PyValueError::new_err(text));
        }
        let until_known: Option<Duration> =
            until_known.map(|delay| positive("until_known", delay)).transpose()?;
        let window = positive("window", window)?;
        let limits =
            HedgeLimits { percentile, most, least_calls, until_known, shortest: seconds(shortest), window };
        Ok(Self(GilCell::new(hoop_guard::HedgePolicy::new(limits))))
    }

    /// An attempt succeeded after so many seconds.
    fn record(&self, py: Python<'_>, latency: f64, now: f64) {
        self.0.borrow_mut(py).record(seconds(latency), seconds(now));
    }

    /// After how many seconds one more attempt begins, if any does; `added` have been already.
    fn delay(&self, py: Python<'_>, added: u32, now: f64) -> Option<f64> {
        self.0.borrow_mut(py).delay(added, seconds(now)).map(|delay| delay.as_secs_f64())
    }

    /// How many calls are known.
    fn known(&self, py: Python<'_>, now: f64) -> u64 {
        self.0.borrow_mut(py).known(seconds(now))
    }
}

/// The seconds that a Retry-After asks for, `now` being seconds since 1970; None if it is malformed.
#[pyfunction]
pub fn retry_after(value: &str, now: f64) -> Option<f64> {
    hoop_http::retry_after(value.as_bytes(), seconds(now).as_secs()).map(|wait| wait.as_secs_f64())
}

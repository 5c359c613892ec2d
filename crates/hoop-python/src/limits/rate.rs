//! `RateTable`: how often each key may act.

use hoop_guard::{Quota, Refusal};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{positive, seconds};
use crate::gil_cell::GilCell;

/// The keys of one limit.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct RateTable(GilCell<hoop_guard::RateTable<String>>);

#[pymethods]
impl RateTable {
    #[new]
    fn new(rate: f64, per: f64, burst: u32, most_keys: usize) -> PyResult<Self> {
        let quota = Quota::new(rate, positive("per", per)?, burst).ok_or_else(|| {
            PyValueError::new_err(format!(
                "{rate} in {per} s, {burst} at once, is no rate: rate and burst have to be above 0"
            ))
        })?;
        Ok(Self(GilCell::new(hoop_guard::RateTable::new(quota, most_keys))))
    }

    /// 0 if a key may act now, and has; else after how many seconds, infinite being never.
    fn take(&self, py: Python<'_>, key: &str, acts: u32, now: f64) -> f64 {
        wait(self.0.borrow_mut(py).take(key.to_owned(), acts, seconds(now)))
    }

    /// What `take` would answer after `ahead` other acts; nothing is taken.
    fn look(&self, py: Python<'_>, key: &str, ahead: u32, acts: u32, now: f64) -> f64 {
        wait(self.0.borrow(py).look(key, ahead, acts, seconds(now)))
    }

    /// What was taken was not done after all.
    fn give_back(&self, py: Python<'_>, key: &str, acts: u32) {
        self.0.borrow_mut(py).give_back(key, acts);
    }

    /// How many acts a key has left at once.
    fn left(&self, py: Python<'_>, key: &str, now: f64) -> u32 {
        self.0.borrow(py).left(key, seconds(now))
    }

    /// Gives a key all of its burst back.
    fn forget(&self, py: Python<'_>, key: &str) {
        self.0.borrow_mut(py).forget(key);
    }

    /// Acts allowed and refused, keys known, and keys forgotten while they had acts to their name.
    fn counts(&self, py: Python<'_>) -> (u64, u64, usize, u64) {
        let table = self.0.borrow(py);
        let (allowed, refused, forgotten) = table.counts();
        (allowed, refused, table.keys(), forgotten)
    }
}

fn wait(answer: Result<(), Refusal>) -> f64 {
    match answer {
        Ok(()) => 0.0,
        Err(Refusal::Later(wait)) => wait.as_secs_f64(),
        Err(Refusal::Never) => f64::INFINITY,
    }
}

//! How many retries all callers together may add to the load of a dependency.
//!
//! After Finagle's idea: every call pays a share of a retry in, every retry takes a whole one out, what is
//! older than the window is void, and a small reserve is there for those who call rarely. If all calls
//! fail, the load grows by that share and not by the number of attempts.

use std::time::Duration;

use crate::window::Window;

const CALLS: usize = 0;
const RETRIES: usize = 1;

/// What is paid in, and how long it is worth something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetLimits {
    /// Retries for each call.
    pub ratio: f64,
    /// Retries in a second that are there in any case.
    pub reserve_per_second: f64,
    /// How far back calls and retries count.
    pub window: Duration,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self { ratio: 0.2, reserve_per_second: 10.0, window: Duration::from_secs(10) }
    }
}

/// A budget that callers share.
#[derive(Debug)]
pub struct RetryBudget {
    limits: BudgetLimits,
    window: Window,
    refused: u64,
}

impl RetryBudget {
    /// A budget that nobody has paid into.
    pub fn new(limits: BudgetLimits) -> Self {
        Self { limits, window: Window::new(limits.window), refused: 0 }
    }

    /// A call is made for the first time.
    pub fn deposit(&mut self, now: Duration) {
        self.window.add(CALLS, now);
    }

    /// A call wants to be made once more; whether that is paid for.
    pub fn withdraw(&mut self, now: Duration) -> bool {
        let is_paid = self.balance(now) >= 1.0;
        if is_paid {
            self.window.add(RETRIES, now);
        } else {
            self.refused += 1;
        }
        is_paid
    }

    /// How many retries there are left.
    pub fn balance(&mut self, now: Duration) -> f64 {
        let [calls, retries] = self.window.totals(now);
        let reserve = self.limits.reserve_per_second * self.limits.window.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts of calls in a window are far below 2^53")]
        let (calls, retries) = (calls as f64, retries as f64);
        reserve + self.limits.ratio * calls - retries
    }

    /// Calls and retries in the window.
    pub fn recent(&mut self, now: Duration) -> (u64, u64) {
        let totals = self.window.totals(now);
        (totals[CALLS], totals[RETRIES])
    }

    /// How many retries were not paid for.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

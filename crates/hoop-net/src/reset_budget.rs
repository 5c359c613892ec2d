//! How often a client of HTTP/2 may give up on its requests: what "rapid reset" is stopped by.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A client may give up on so many requests at once; it gets one back each time that passes.
const AT_ONCE: u32 = 256;
const ONE_BACK_EVERY: Duration = Duration::from_millis(30);

#[derive(Debug, Clone, Copy)]
struct Budget {
    left: u32,
    counted: Instant,
}

/// What one connection has left. hyper's own limit sees only the streams that are reset before their
/// request has begun; an application that was called works on, whatever becomes of its stream.
#[derive(Debug, Clone)]
pub struct ResetBudget(Rc<Cell<Budget>>);

impl ResetBudget {
    pub fn new(now: Instant) -> Self {
        Self(Rc::new(Cell::new(Budget { left: AT_ONCE, counted: now })))
    }

    /// Whether the client has given up on more requests than it may.
    pub fn is_spent(&self) -> bool {
        self.0.get().left == 0
    }

    fn spend(&self, now: Instant) {
        let Budget { left, counted } = self.0.get();
        let passed = now.saturating_duration_since(counted).as_millis() / ONE_BACK_EVERY.as_millis();
        let left = match u32::try_from(passed) {
            // Once spent it stays so: the connection is about to end.
            _ if left == 0 => 0,
            Ok(passed) => left.saturating_add(passed).min(AT_ONCE),
            Err(_) => AT_ONCE,
        };
        let counted = if passed > 0 { now } else { counted };
        self.0.set(Budget { left: left.saturating_sub(1), counted });
    }
}

/// A request under way. Dropped before it is answered, it was given up on.
pub struct UnderWay {
    budget: ResetBudget,
    answered: bool,
}

impl UnderWay {
    pub fn new(budget: ResetBudget) -> Self {
        Self { budget, answered: false }
    }

    pub fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.answered {
            self.budget.spend(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_gives_up_now_and_then_has_enough() {
        let start = Instant::now();
        let budget = ResetBudget::new(start);
        for number in 0..10 * AT_ONCE {
            budget.spend(start + ONE_BACK_EVERY * number);
        }
        assert!(!budget.is_spent());
    }

    #[test]
    fn one_that_gives_up_all_the_time_runs_out_for_good() {
        let start = Instant::now();
        let budget = ResetBudget::new(start);
        for _ in 1..AT_ONCE {
            budget.spend(start);
        }
        assert!(!budget.is_spent());
        budget.spend(start);
        assert!(budget.is_spent());
        budget.spend(start + Duration::from_secs(3600));
        assert!(budget.is_spent());
    }

    #[test]
    fn only_requests_without_an_answer_count() {
        let budget = ResetBudget::new(Instant::now());
        for _ in 0..2 * AT_ONCE {
            UnderWay::new(budget.clone()).answered();
        }
        assert!(!budget.is_spent());
        for _ in 0..AT_ONCE {
            drop(UnderWay::new(budget.clone()));
        }
        assert!(budget.is_spent());
    }
}

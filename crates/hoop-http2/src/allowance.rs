//! How many frames a client may send that ask for nothing.

use std::time::Duration;

/// So many at once.
const MOST: u32 = 1000;
/// One more each time that passes.
const ONE_MORE_EVERY: Duration = Duration::from_millis(10);

/// What is left: less by each such frame, more by each that makes progress, and with time.
#[derive(Debug)]
pub struct Allowance {
    left: u32,
    counted: Duration,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: MOST, counted: Duration::ZERO }
    }
}

impl Allowance {
    /// Progress was made that may bring so many with it.
    pub fn earn(&mut self, frames: u32) {
        self.left = self.left.saturating_add(frames).min(MOST);
    }

    /// One more was sent; whether it was one too many.
    pub fn is_overspent(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.counted).as_millis() / ONE_MORE_EVERY.as_millis();
        if passed > 0 {
            self.counted = now;
            self.earn(u32::try_from(passed).unwrap_or(MOST));
        }
        let Some(left) = self.left.checked_sub(1) else { return true };
        self.left = left;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_no_more() {
        let mut allowance = Allowance::default();
        assert!((0..MOST).all(|_| !allowance.is_overspent(Duration::ZERO)));
        assert!(allowance.is_overspent(Duration::ZERO));
        assert!(!allowance.is_overspent(ONE_MORE_EVERY));
        assert!(allowance.is_overspent(ONE_MORE_EVERY));
    }

    #[test]
    fn time_and_progress_give_back_no_more_than_all() {
        let mut allowance = Allowance::default();
        for number in 0..10 * MOST {
            assert!(!allowance.is_overspent(ONE_MORE_EVERY * number));
        }
        let mut allowance = Allowance::default();
        for _ in 0..10 * MOST {
            allowance.earn(1);
            assert!(!allowance.is_overspent(Duration::ZERO));
        }
        allowance.earn(u32::MAX);
        assert!((0..MOST).all(|_| !allowance.is_overspent(Duration::ZERO)));
        assert!(allowance.is_overspent(Duration::ZERO));
    }
}

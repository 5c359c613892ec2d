//! How long to wait before the next attempt: exponential pauses, and randomness in them.
//!
//! Callers that failed together must not come back together. Full jitter takes any moment up to the
//! pause; decorrelated jitter goes on from the pause before.

use std::time::Duration;

/// What randomness does to a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// Nothing.
    None,
    /// It takes any part of it.
    #[default]
    Full,
    /// It takes any moment from the first pause to three times the last one.
    Decorrelated,
}

/// Pauses that grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The pause after the first attempt, before randomness.
    pub first: Duration,
    /// How many times as long the next one is.
    pub factor: f64,
    /// The longest pause.
    pub longest: Duration,
    /// What randomness does to it.
    pub jitter: Jitter,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            factor: 2.0,
            longest: Duration::from_secs(10),
            jitter: Jitter::Full,
        }
    }
}

impl Backoff {
    /// The pause after an attempt, counted from 1; `last` is the pause before it, `random` in `[0, 1)`.
    pub fn pause(&self, attempt: u32, last: Option<Duration>, random: f64) -> Duration {
        let first = self.first.as_secs_f64();
        let longest = self.longest.as_secs_f64();
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 0.0 };
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = (first * self.factor.powi(exponent)).min(longest);
        let seconds = match self.jitter {
            Jitter::None => grown,
            Jitter::Full => grown * random,
            Jitter::Decorrelated => {
                let highest = 3.0 * last.unwrap_or(self.first).as_secs_f64();
                (first + (highest - first).max(0.0) * random).min(longest)
            }
        };
        // What is no number or too large for one is no longer than the longest.
        Duration::try_from_secs_f64(seconds).unwrap_or(self.longest).min(self.longest)
    }
}

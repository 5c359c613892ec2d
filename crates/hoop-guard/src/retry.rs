//! Whether to try again, and when.

use std::time::Duration;

use crate::backoff::Backoff;

/// How often, how long, and with which pauses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The time for all of them and the pauses between; None is for ever.
    pub total: Option<Duration>,
    /// The pauses.
    pub backoff: Backoff,
}

/// An attempt that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Trial {
    /// Which one it was, from 1.
    pub attempt: u32,
    /// Whether doing it once more does no harm: it is idempotent, or it was not begun.
    pub is_safe: bool,
    /// Since the first attempt began.
    pub elapsed: Duration,
    /// The pause before this attempt.
    pub last_pause: Option<Duration>,
    /// How long the other side asks to be left alone (Retry-After, RFC 9110 section 10.2.3).
    pub asked_pause: Option<Duration>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt, after so long.
    Again(Duration),
    /// None.
    Stop(StopReason),
}

/// Why there is no other attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It may have had its effect.
    Unsafe,
    /// That was the last.
    Attempts,
    /// The next one would begin after the time for all.
    Time,
}

impl RetryPolicy {
    /// What comes after a failed attempt; `random` in `[0, 1)`. A pause that was asked for is never cut
    /// short: if it does not fit into the time, there is no other attempt.
    pub fn decide(&self, trial: &Trial, random: f64) -> Decision {
        if !trial.is_safe {
            return Decision::Stop(StopReason::Unsafe);
        }
        if trial.attempt >= self.attempts {
            return Decision::Stop(StopReason::Attempts);
        }
        let own = self.backoff.pause(trial.attempt, trial.last_pause, random);
        let pause = trial.asked_pause.map_or(own, |asked| asked.max(own));
        let begins = trial.elapsed.saturating_add(pause);
        if self.total.is_some_and(|total| begins >= total) {
            return Decision::Stop(StopReason::Time);
        }
        Decision::Again(pause)
    }
}

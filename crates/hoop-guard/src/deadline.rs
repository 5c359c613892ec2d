//! Until when something may take, and all that it calls.

use std::time::Duration;

/// A moment, on the same clock as every `now`; or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deadline(Option<Duration>);

impl Deadline {
    /// No deadline.
    pub const NONE: Self = Self(None);

    /// So long from now.
    pub fn after(time: Duration, now: Duration) -> Self {
        Self(now.checked_add(time))
    }

    /// The moment, if there is one.
    pub fn at(self) -> Option<Duration> {
        self.0
    }

    /// The nearer of the two: what is called never has more time than its caller.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(own), Some(other)) => Self(Some(own.min(other))),
            (own, other) => Self(own.or(other)),
        }
    }

    /// What is left, for ever being None.
    pub fn left(self, now: Duration) -> Option<Duration> {
        self.0.map(|at| at.saturating_sub(now))
    }

    /// Whether it has passed.
    pub fn has_passed(self, now: Duration) -> bool {
        self.0.is_some_and(|at| now >= at)
    }
}

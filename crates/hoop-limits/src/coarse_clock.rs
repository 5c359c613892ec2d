//! Time that stands still for clients while the server itself was held up.

use std::time::Duration;

/// The time of one timer that ticks.
///
/// A tick that comes late, because something held the thread, counts as one that came a little late:
/// what clients sent meanwhile has not been read yet, and they are not to blame.
#[derive(Debug, Clone, Copy)]
pub struct CoarseClock {
    tick: Duration,
    ticked: Duration,
    now: Duration,
}

/// A tick may be so many times as long as it is meant to be.
const LONGEST_TICK: u32 = 2;

impl CoarseClock {
    /// A clock that is to be told the time every `tick`; `time` is that of its beginning.
    pub fn new(tick: Duration, time: Duration) -> Self {
        Self { tick, ticked: time, now: Duration::ZERO }
    }

    /// It is `time` now; how late that makes it.
    pub fn advance(&mut self, time: Duration) -> Duration {
        self.now += time.saturating_sub(self.ticked).min(self.tick * LONGEST_TICK);
        self.ticked = time;
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_the_time_but_for_long_pauses() {
        let second = Duration::from_secs(1);
        let mut clock = CoarseClock::new(second, 100 * second);
        assert_eq!(clock.advance(101 * second), second);
        assert_eq!(clock.advance(161 * second), 3 * second, "a minute's pause counts as two ticks");
        assert_eq!(clock.advance(160 * second), 3 * second, "never backwards");
        assert_eq!(clock.advance(161 * second), 4 * second);
    }
}

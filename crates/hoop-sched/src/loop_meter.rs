//! What a loop did, counted as it goes: a few additions a turn, and one look at the clock.

use crate::DelayHistogram;

/// Counts turns and callbacks, and how long callbacks had to wait. Times are nanoseconds on
/// whatever clock the caller keeps.
#[derive(Debug, Clone, Default)]
pub struct LoopMeter {
    turns: u64,
    callbacks: u64,
    callback_nanoseconds: u64,
    delays: DelayHistogram,
    /// Since when, at the earliest, the oldest callback has been ready.
    ready_since: Option<u64>,
    /// When the last turn began.
    last_turn: u64,
    /// When the turn that is running began.
    running_since: Option<u64>,
}

impl LoopMeter {
    /// The loop starts to run. How long it stood still is nobody's delay.
    pub fn started(&mut self, now: u64) {
        self.last_turn = now;
        self.ready_since = None;
    }

    /// Something has become ready at `moment`, which may lie in the past.
    #[inline]
    pub fn became_ready(&mut self, moment: u64) {
        if self.ready_since.is_none_or(|since| moment < since) {
            self.ready_since = Some(moment);
        }
    }

    /// A timer of that deadline is due. One that was set for a moment long past has not waited since
    /// then: had it been there, the turn before would have run it.
    #[inline]
    pub fn timer_fell_due(&mut self, deadline: u64) {
        self.became_ready(deadline.max(self.last_turn));
    }

    /// A turn begins over so many callbacks; an empty one does not count.
    #[inline]
    pub fn turn_began(&mut self, now: u64, callbacks: usize) {
        self.last_turn = now;
        if let Some(since) = self.running_since.replace(now) {
            self.callback_nanoseconds += now.saturating_sub(since);
        }
        if callbacks == 0 {
            return;
        }
        self.turns += 1;
        self.callbacks += callbacks as u64;
        self.delays.record(self.ready_since.map_or(0, |since| now.saturating_sub(since)));
        // What its callbacks make ready waits for the next turn, from some moment of this one on.
        self.ready_since = Some(now);
    }

    /// The turns are over for now; `more_ready` tells whether callbacks wait for the next one.
    #[inline]
    pub fn turns_ended(&mut self, now: u64, more_ready: bool) {
        if let Some(since) = self.running_since.take() {
            self.callback_nanoseconds += now.saturating_sub(since);
        }
        if !more_ready {
            self.ready_since = None;
        }
    }

    /// Turns that ran at least one callback.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Callbacks that the turns ran, or dropped because they were cancelled.
    pub fn callbacks(&self) -> u64 {
        self.callbacks
    }

    /// Time spent in turns.
    pub fn callback_seconds(&self) -> f64 {
        self.callback_nanoseconds as f64 / 1e9
    }

    /// For each turn, how long its oldest callback had waited at most.
    pub fn delays(&self) -> &DelayHistogram {
        &self.delays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// The buckets in which something was counted, as (upper bound in milliseconds, count).
    fn counted(meter: &LoopMeter) -> Vec<(f64, u64)> {
        let counts = meter.delays().counts().iter().enumerate();
        counts
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, count)| ((DelayHistogram::bound(bucket) * 1e3).round(), *count))
            .collect()
    }

    #[test]
    fn the_oldest_callback_of_a_turn_counts() {
        let mut meter = LoopMeter::default();
        meter.became_ready(1000 * MS);
        meter.became_ready(1015 * MS);
        meter.turn_began(1016 * MS, 2);
        meter.turns_ended(1017 * MS, false);
        assert_eq!(counted(&meter), [(17.0, 1)]);
        assert_eq!((meter.turns(), meter.callbacks()), (1, 2));
        assert_eq!(meter.callback_seconds(), 0.001);
    }

    #[test]
    fn a_callback_that_blocks_shows_in_the_next_turn() {
        let mut meter = LoopMeter::default();
        meter.became_ready(0);
        meter.turn_began(0, 1);
        meter.turn_began(900 * MS, 1);
        assert_eq!(counted(&meter), [(0.0, 1), (1074.0, 1)]);
        assert_eq!(meter.callback_seconds(), 0.9);
    }

    #[test]
    fn what_is_left_over_goes_on_waiting_and_an_idle_loop_does_not() {
        let mut meter = LoopMeter::default();
        meter.turn_began(1000 * MS, 1);
        meter.turns_ended(1000 * MS, true);
        meter.turn_began(1010 * MS, 1);
        meter.turns_ended(1010 * MS, false);
        meter.turn_began(9000 * MS, 0);
        meter.turns_ended(9000 * MS, false);
        meter.became_ready(20_000 * MS);
        meter.turn_began(20_000 * MS, 1);
        assert_eq!(counted(&meter), [(0.0, 2), (17.0, 1)]);
        assert_eq!(meter.turns(), 3, "an empty turn is none");
    }

    #[test]
    fn a_timer_waits_from_its_deadline_on() {
        let mut meter = LoopMeter::default();
        meter.became_ready(5000 * MS);
        meter.timer_fell_due(4600 * MS);
        meter.turn_began(5000 * MS, 2);
        assert_eq!(counted(&meter), [(537.0, 1)]);
    }

    #[test]
    fn a_timer_for_a_moment_long_past_has_not_waited_since_then() {
        let mut meter = LoopMeter::default();
        meter.started(4999 * MS);
        meter.timer_fell_due(0);
        meter.turn_began(5000 * MS, 1);
        meter.turns_ended(5000 * MS, false);
        meter.timer_fell_due(0);
        meter.turn_began(5015 * MS, 1);
        assert_eq!(counted(&meter), [(1.0, 1), (17.0, 1)]);
    }
}

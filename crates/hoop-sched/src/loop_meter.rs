//! What a loop did, counted as it goes: a few additions a turn, and one look at the clock.

use crate::DelayHistogram;

/// Counts turns and callbacks, and how long callbacks had to wait. Times are seconds on whatever
/// clock the caller keeps.
#[derive(Debug, Clone, Default)]
pub struct LoopMeter {
    turns: u64,
    callbacks: u64,
    callback_seconds: f64,
    delays: DelayHistogram,
    /// Since when, at the earliest, the oldest callback has been ready.
    ready_since: Option<f64>,
    /// When the turn that is running began.
    running_since: Option<f64>,
}

impl LoopMeter {
    /// Something has become ready at `moment`, which may lie in the past.
    #[inline]
    pub fn became_ready(&mut self, moment: f64) {
        if self.ready_since.is_none_or(|since| moment < since) {
            self.ready_since = Some(moment);
        }
    }

    /// A turn begins over so many callbacks; an empty one does not count.
    #[inline]
    pub fn turn_began(&mut self, now: f64, callbacks: usize) {
        if let Some(since) = self.running_since.replace(now) {
            self.callback_seconds += now - since;
        }
        if callbacks == 0 {
            return;
        }
        self.turns += 1;
        self.callbacks += callbacks as u64;
        self.delays.record(self.ready_since.map_or(0.0, |since| now - since));
        // What its callbacks make ready waits for the next turn, from some moment of this one on.
        self.ready_since = Some(now);
    }

    /// The turns are over for now; `more_ready` tells whether callbacks wait for the next one.
    #[inline]
    pub fn turns_ended(&mut self, now: f64, more_ready: bool) {
        if let Some(since) = self.running_since.take() {
            self.callback_seconds += now - since;
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
        self.callback_seconds
    }

    /// For each turn, how long its oldest callback had waited at most.
    pub fn delays(&self) -> &DelayHistogram {
        &self.delays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The buckets in which something was counted, as (upper bound in microseconds, count).
    fn counted(meter: &LoopMeter) -> Vec<(f64, u64)> {
        let counts = meter.delays().counts().iter().enumerate();
        counts
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, count)| ((DelayHistogram::bound(bucket) * 1e6).round(), *count))
            .collect()
    }

    #[test]
    fn the_oldest_callback_of_a_turn_counts() {
        let mut meter = LoopMeter::default();
        meter.became_ready(1.0);
        meter.became_ready(1.000_9);
        meter.turn_began(1.001, 2);
        meter.turns_ended(1.002, false);
        assert_eq!(counted(&meter), [(1024.0, 1)]);
        assert_eq!((meter.turns(), meter.callbacks()), (1, 2));
        assert!((meter.callback_seconds() - 0.001).abs() < 1e-9);
    }

    #[test]
    fn a_callback_that_blocks_shows_in_the_next_turn() {
        let mut meter = LoopMeter::default();
        meter.became_ready(0.0);
        meter.turn_began(0.0, 1);
        meter.turn_began(0.9, 1);
        assert_eq!(counted(&meter), [(1.0, 1), (1_048_576.0, 1)]);
        assert!((meter.callback_seconds() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn what_is_left_over_goes_on_waiting_and_an_idle_loop_does_not() {
        let mut meter = LoopMeter::default();
        meter.turn_began(1.0, 1);
        meter.turns_ended(1.0, true);
        meter.turn_began(1.01, 1);
        meter.turns_ended(1.01, false);
        meter.turn_began(9.0, 0);
        meter.turns_ended(9.0, false);
        meter.became_ready(20.0);
        meter.turn_began(20.0, 1);
        assert_eq!(counted(&meter), [(1.0, 2), (16384.0, 1)]);
        assert_eq!(meter.turns(), 3, "an empty turn is none");
    }

    #[test]
    fn a_timer_waits_from_its_deadline_on() {
        let mut meter = LoopMeter::default();
        meter.became_ready(5.0);
        meter.became_ready(4.5);
        meter.turn_began(5.0, 2);
        assert_eq!(counted(&meter), [(524_288.0, 1)]);
    }
}

//! How long calls took lately, to within a sixteenth: a histogram in two halves that take turns.

use std::time::Duration;

/// Each power of two of microseconds is cut into so many parts.
const PARTS: usize = 16;
const PART_BITS: u32 = 4;
/// Up to 2^36 microseconds, which is 19 hours.
const POWERS: usize = 33;
const BUCKETS: usize = PARTS * POWERS;

/// The latencies of the last while. Half of the window at least, all of it at most.
#[derive(Debug, Clone)]
pub struct Latencies {
    half: Duration,
    older: Vec<u32>,
    newer: Vec<u32>,
    began: Duration,
}

impl Latencies {
    /// Nothing yet.
    pub fn new(window: Duration) -> Self {
        Self {
            half: (window / 2).max(Duration::from_nanos(1)),
            older: vec![0; BUCKETS],
            newer: vec![0; BUCKETS],
            began: Duration::ZERO,
        }
    }

    /// A call took so long.
    pub fn record(&mut self, latency: Duration, now: Duration) {
        self.turn(now);
        if let Some(count) = self.newer.get_mut(bucket(latency)) {
            *count = count.saturating_add(1);
        }
    }

    /// How many calls it knows of.
    pub fn count(&mut self, now: Duration) -> u64 {
        self.turn(now);
        self.older.iter().chain(&self.newer).map(|count| u64::from(*count)).sum()
    }

    /// The time in which this share of the calls was done, or a sixteenth more. `None` if there were none.
    pub fn quantile(&mut self, share: f64, now: Duration) -> Option<Duration> {
        let total = self.count(now);
        if total == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts of calls in a window are far below 2^53, and the share is from 0 to 1"
        )]
        let rank = ((total as f64 * share.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        let counts =
            self.older.iter().zip(&self.newer).map(|(older, newer)| u64::from(*older) + u64::from(*newer));
        counts.enumerate().find_map(|(number, count)| {
            seen += count;
            (seen >= rank).then(|| upper_bound(number))
        })
    }

    fn turn(&mut self, now: Duration) {
        let age = now.saturating_sub(self.began);
        if age < self.half {
            return;
        }
        std::mem::swap(&mut self.older, &mut self.newer);
        self.newer.fill(0);
        if age >= self.half.saturating_mul(2) {
            self.older.fill(0);
        }
        self.began = now;
    }
}

fn bucket(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    if micros < PARTS as u64 {
        return usize::try_from(micros).unwrap_or(0);
    }
    let shift = micros.ilog2() - PART_BITS;
    let part = usize::try_from((micros >> shift) & (PARTS as u64 - 1)).unwrap_or(0);
    let power = usize::try_from(shift + 1).unwrap_or(POWERS);
    (power * PARTS + part).min(BUCKETS - 1)
}

/// The first microsecond that is no longer in a bucket.
fn upper_bound(number: usize) -> Duration {
    let (power, part) = (number / PARTS, (number % PARTS) as u64);
    let micros = match power.checked_sub(1) {
        None => part + 1,
        Some(shift) => (PARTS as u64 + part + 1) << shift,
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for number in 0..BUCKETS - 1 {
            let bound = upper_bound(number);
            assert_eq!(bucket(bound), number + 1, "{bound:?}");
            assert_eq!(bucket(bound - Duration::from_micros(1)), number, "{bound:?}");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }
}
